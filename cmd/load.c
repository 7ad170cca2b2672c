/* jl load: an archive that "jl dump" made, into the store and (-x) into the workspace. */
#include "lookup.h"

#include "proc/helper.h"
#include "run/load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct jl_opt opts[] = {
	{"extract", 'x', NULL, "put the outputs, and plain files, in place, too", JL_OPT_FLAG,
         offsetof(struct jl_settings, archive.extract), 0},
	{"force", 0, NULL, "with -x: replace files that are in the way", JL_OPT_FLAG, offsetof(struct jl_settings, force), 0},
	{"quiet", 'q', NULL, "do not say what was taken in", JL_OPT_FLAG, offsetof(struct jl_settings, quiet), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts,	     jl_opts_manifest, jl_opts_directory,
					      jl_opts_store, jl_opts_help,     NULL};

static int open_source(const char *file, int *ret_fd, struct jl_err *err)
{
	*ret_fd = STDIN_FILENO;
	if (!file || strcmp(file, "-") == 0)
		return isatty(STDIN_FILENO) ? jl_err_set(err, JL_EINVAL, "standard input is a terminal: jl load FILE, or a pipe")
					    : JL_OK;
	*ret_fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret_fd < 0 ? jl_err_sys(err, errno, "cannot read \"%s\"", file) : JL_OK;
}

static int unpack(const struct jl_load_opts *o, int fd, struct jl_load_counts *counts, struct jl_err *err)
{
	struct jl_entries_in in;
	struct jl_err end = JL_ERR_INIT;
	struct jl_helper h;
	int r = jl_helper_start(&h, "jl-archive", (const char *const[]){"unpack", NULL}, fd, -1, err);

	if (r != JL_OK)
		return r;
	jl_entries_open(&in, &jl_io_system, h.out);
	r = jl_load(o, &in, counts, err);
	jl_entries_in_release(&in);
	/* Of a stream that is cut the helper knows why. */
	if (jl_helper_end(&h, &end) != JL_OK && (r == JL_ECORRUPT || r == JL_OK)) {
		*err = end;
		err->status = r = JL_ECORRUPT;
	}
	return r;
}

/* Outputs go to the workspace; what comes without one, to the current folder. */
static int open_root(const struct jl_lookup *l, int *ret_fd, struct jl_err *err)
{
	const char *root = l->project ? l->project->root : ".";

	*ret_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? jl_err_sys(err, errno, "cannot open \"%s\"", root) : JL_OK;
}

static int run(struct jl_settings *s)
{
	const char *file = s->operands.n ? s->operands.at[0] : NULL;
	struct jl_load_opts o = {.root_fd = -1, .here_fd = AT_FDCWD, .place = s->archive.extract, .force = s->force};
	struct jl_load_counts counts = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf stage = JL_BUF_INIT;
	struct jl_lookup l;
	int fd = -1, r = jl_lookup_open(&l, s, &err);

	if (r == JL_OK)
		r = open_source(file, &fd, &err);
	if (r == JL_OK)
		r = jl_lookup_store_writable(&l, &err);
	if (r == JL_OK)
		r = open_root(&l, &o.root_fd, &err);
	if (r == JL_OK) {
		jl_buf_printf(&stage, "%s/tmp", jl_lookup_store_dir(&l));
		o.store = l.store;
		o.stage_dir = stage.data;
		r = unpack(&o, fd, &counts, &err);
		if (r != JL_OK)
			jl_err_add(&err, "%s", file ? file : "standard input");
	}
	if (r == JL_OK && !s->quiet)
		jl_say("%llu results (%llu blobs, %llu bytes), %u files put in place", (unsigned long long)counts.records,
		       (unsigned long long)counts.blobs, (unsigned long long)counts.bytes, counts.placed);
	if (o.root_fd >= 0)
		close(o.root_fd);
	jl_buf_release(&stage);
	jl_lookup_close(&l);
	if (r == JL_ECORRUPT || r == JL_EBUSY) {
		jl_say_error(&err);
		return JL_EXIT_FAILED;
	}
	return r == JL_OK ? JL_EXIT_OK : jl_say_error(&err);
}

const struct jl_command jl_command_load = {
	.name = "load",
	.operands = "[FILE]",
	.summary = "Take such an archive into the store",
	.about = "Reads standard input without FILE. Nothing changes if the archive is damaged: the\n"
		 "exit status is 1 then.\n",
	.tables = tables,
	.min_operands = 0,
	.max_operands = 1,
	.run = run,
};
