/* jl log: what a step printed. */
#include "lookup.h"

#include "base/path.h"
#include "report/out.h"
#include "report/term.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct jl_opt *const tables[] = {jl_opts_manifest, jl_opts_directory, jl_opts_store, jl_opts_help, NULL};

/* The file that an instance's output was written to while it ran: both streams as they came. */
static int show_live(const struct jl_project *p, const char *label, struct jl_err *err)
{
	static const size_t piece = 64 << 10;
	struct jl_out out = JL_OUT_INIT(STDOUT_FILENO);
	const bool tty = isatty(STDOUT_FILENO);
	struct jl_buf path = JL_BUF_INIT;
	char *data = jl_alloc(piece);
	ssize_t n;
	int fd, r = JL_OK;

	jl_buf_printf(&path, "%s/.jl/logs/", p->root);
	jl_path_escape(&path, label);
	jl_buf_str(&path, ".log");
	fd = open(path.data, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, data, piece);
	for (; n > 0; n = read(fd, data, piece)) {
		if (tty)
			jl_term_safe(&out.buf, data, (size_t)n);
		else
			jl_out_add(&out, data, (size_t)n);
		jl_out_flush(&out);
	}
	if (n < 0)
		r = jl_err_sys(err, errno, "cannot read the log of \"%s\"", label);
	else if (out.sys_errno)
		r = jl_err_sys(err, out.sys_errno, "cannot write to standard output");
	if (fd >= 0)
		close(fd);
	jl_out_release(&out);
	jl_buf_release(&path);
	free(data);
	return r;
}

static int show_key(struct jl_lookup *l, const struct jl_digest *key, struct jl_err *err)
{
	struct jl_record *record;
	int r = jl_lookup_record(l, key, &record, err);

	if (r != JL_OK)
		return r;
	r = jl_lookup_show_log(l, record, false, err);
	jl_record_free(record);
	return r;
}

static int show_instance(struct jl_lookup *l, uint32_t inst, struct jl_err *err)
{
	const char *label = jl_project_text(l->project, jl_plan_inst(&l->project->plan, inst)->label);
	const struct jl_result *result = jl_lookup_result(l->project, inst);
	int r;

	if (!result)
		return jl_err_set(err, JL_ENOTFOUND, "\"%s\" never ran here", label);
	if (result->flags & JL_RESULT_FAILED)
		return show_live(l->project, label, err);
	r = show_key(l, &result->key, err);
	/* What the store let go may still be here. */
	if (r == JL_ENOTFOUND && show_live(l->project, label, NULL) == JL_OK)
		return JL_OK;
	return r == JL_OK ? r : jl_err_add(err, "\"%s\"", label);
}

static int show_rule(struct jl_lookup *l, uint32_t rule, struct jl_err *err)
{
	const struct jl_rule *at = jl_plan_rule(&l->project->plan, rule);
	const char *name = jl_project_text(l->project, at->name);
	uint32_t shown = 0;

	for (uint32_t i = at->first; i < at->first + at->n; i++) {
		int r;

		if (!jl_lookup_result(l->project, i))
			continue;
		r = show_instance(l, i, err);
		if (r != JL_OK)
			return r;
		shown++;
	}
	return shown ? JL_OK : jl_err_set(err, JL_ENOTFOUND, "\"%s\" never ran here", name);
}

static int run(struct jl_settings *s)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest key;
	struct jl_lookup l;
	uint32_t rule, inst;
	int r = jl_lookup_open(&l, s, &err);

	if (r == JL_OK)
		r = jl_lookup_word(&l, s->operands.at[0], &rule, &inst, &key, &err);
	if (r == JL_OK) {
		if (rule == JL_NONE)
			r = show_key(&l, &key, &err);
		else
			r = inst == JL_NONE ? show_rule(&l, rule, &err) : show_instance(&l, inst, &err);
	}
	jl_lookup_close(&l);
	return r == JL_OK ? JL_EXIT_OK : jl_say_error(&err);
}

const struct jl_command jl_command_log = {
	.name = "log",
	.operands = "STEP|KEY",
	.summary = "Show the stored stdout and stderr of a step",
	.about = "Each on its own stream. KEY is at least the first 8 digits of a key. Of a step\n"
		 "whose last try failed: what that printed, both on stdout.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
