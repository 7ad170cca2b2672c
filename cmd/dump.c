/* jl dump: results, or plain files, as one compressed archive. */
#include "lookup.h"

#include "base/cpu.h"
#include "base/file.h"
#include "proc/helper.h"
#include "run/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct jl_opt opts[] = {
	{"output", 'o', "FILE", "write to FILE (default: standard output)", JL_OPT_TEXT,
         offsetof(struct jl_settings, archive.output), 0},
	{"compress", 0, "zstd|gzip|zlib|bz2|xz|lzma|lz4|none[:LEVEL]", "how to pack it (default: by FILE's ending)",
         JL_OPT_TEXT, offsetof(struct jl_settings, archive.compress), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts,	     jl_opts_manifest, jl_opts_directory,
					      jl_opts_store, jl_opts_help,     NULL};

static const struct format {
	const char *name, *endings; /* endings with blanks around each */
	int level_max;              /* 0: it has no level */
} formats[] = {
	{"zstd", " .zst .tzst ", 19}, {"gzip", " .gz .tgz ", 9}, {"zlib", " .z .zlib ", 9},     {"bz2", " .bz2 .tbz .tbz2 ", 9},
	{"xz", " .xz .txz ", 9},      {"lzma", " .lzma ", 9},    {"lz4", " .lz4 .tlz4 ", 9}, {"none", " .tar ", 0},
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static const char *by_ending(const char *file)
{
	const char *dot = file ? strrchr(file, '.') : NULL;
	char ending[16];

	for (size_t i = 0; dot && i < FORMATS; i++)
		if (snprintf(ending, sizeof(ending), " %s ", dot) < (int)sizeof(ending) && strstr(formats[i].endings, ending))
			return formats[i].name;
	return formats[0].name;
}

static int check_format(const char *text, struct jl_err *err)
{
	const size_t len = strcspn(text, ":");

	for (size_t i = 0; i < FORMATS; i++) {
		char *end = NULL;
		long level;

		if (strlen(formats[i].name) != len || strncmp(formats[i].name, text, len) != 0)
			continue;
		if (!text[len])
			return JL_OK;
		level = strtol(text + len + 1, &end, 10);
		if (end != text + len + 1 && !*end && level >= 1 && level <= formats[i].level_max)
			return JL_OK;
		if (!formats[i].level_max)
			return jl_err_set(err, JL_EINVAL, "option \"--compress\": \"none\" has no level");
		return jl_err_set(err, JL_EINVAL, "option \"--compress\": the level of %s is 1 to %d, not \"%s\"",
				  formats[i].name, formats[i].level_max, text + len + 1);
	}
	return jl_err_set(err, JL_EINVAL,
			  "option \"--compress\": \"%.*s\" is none of zstd, gzip, zlib, bz2, xz, lzma, lz4, none", (int)len,
			  text);
}

/* ---- what is sent ---- */

struct wanted {
	struct jl_table keys;  /* struct jl_digest */
	struct jl_table paths; /* const char *, of argv */
};

static void want(struct wanted *w, const struct jl_result *result)
{
	if (result && (result->flags & JL_RESULT_OK))
		*(struct jl_digest *)jl_table_add(&w->keys, 1) = result->key;
}

/* All instances of a step; of a late one that is not expanded here, those that the state knows. */
static void want_step(struct wanted *w, const struct jl_project *p, uint32_t rule, const char *word)
{
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	const struct jl_results *all = &p->state->results;
	const size_t len = strlen(word);

	for (uint32_t i = r->first; i < r->first + r->n; i++)
		want(w, jl_lookup_result(p, i));
	for (uint32_t i = 0; r->n == 0 && i < all->at.len; i++) {
		const struct jl_result *result = jl_result_at(all, i);
		const char *label = jl_text(all->text, result->label);

		if (strncmp(label, word, len) == 0 && (!label[len] || label[len] == '['))
			want(w, result);
	}
}

static bool looks_like_path(const char *word)
{
	return word[0] == '/' || strncmp(word, "./", 2) == 0 || strncmp(word, "../", 3) == 0;
}

static int resolve(struct jl_lookup *l, const char *word, struct wanted *w, struct jl_err *err)
{
	struct jl_err other = JL_ERR_INIT;
	const uint32_t before = w->keys.len;
	uint32_t rule, inst;
	struct jl_digest key;
	struct stat st;
	int r = looks_like_path(word) ? JL_ENOTFOUND : jl_lookup_word(l, word, &rule, &inst, &key, &other);

	if (r == JL_OK && rule == JL_NONE)
		*(struct jl_digest *)jl_table_add(&w->keys, 1) = key;
	else if (r == JL_OK && inst != JL_NONE)
		want(w, jl_lookup_result(l->project, inst));
	else if (r == JL_OK)
		want_step(w, l->project, rule, word);
	if (r == JL_OK)
		return w->keys.len > before ? JL_OK : jl_err_set(err, JL_ENOTFOUND, "\"%s\" has no result yet", word);
	if (lstat(word, &st) == 0) {
		*(const char **)jl_table_add(&w->paths, 1) = word;
		return JL_OK;
	}
	if (looks_like_path(word))
		return jl_err_sys(err, errno, "cannot read \"%s\"", word);
	*err = other;
	return r;
}

static int send_all(struct jl_lookup *l, const struct wanted *w, struct jl_entries_out *out, struct jl_err *err)
{
	struct jl_dump d;
	int r = w->keys.len ? jl_lookup_store(l, err) : JL_OK;

	jl_dump_init(&d, l->store, out);
	for (uint32_t i = 0; r == JL_OK && i < w->keys.len; i++) {
		r = jl_dump_key(&d, JL_AT(w->keys, struct jl_digest, i), err);
		if (r == JL_ENOTFOUND)
			r = jl_err_set(err, JL_ENOTFOUND, "a result is no longer whole in the store; run its step again");
	}
	for (uint32_t i = 0; r == JL_OK && i < w->paths.len; i++)
		r = jl_dump_path(&d, *JL_AT(w->paths, const char *, i), err);
	if (r == JL_OK)
		r = jl_entries_finish(out, err);
	jl_dump_release(&d);
	return r;
}

/* ---- where it goes ---- */

struct target {
	const char *file; /* NULL: standard output */
	char temp[128];   /* beside it; "": it is written to as it is (a pipe, a device) */
	int dir_fd, fd;
};

static int open_target(struct target *t, struct jl_err *err)
{
	struct jl_buf dir = JL_BUF_INIT;
	const char *slash;
	struct stat st;

	if (!t->file) {
		t->fd = STDOUT_FILENO;
		return isatty(t->fd) ? jl_err_set(err, JL_EINVAL, "an archive is nothing for a terminal: -o FILE, or a pipe")
				     : JL_OK;
	}
	if (stat(t->file, &st) == 0 && !S_ISREG(st.st_mode)) {
		t->fd = open(t->file, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return t->fd < 0 ? jl_err_sys(err, errno, "cannot write \"%s\"", t->file) : JL_OK;
	}
	slash = strrchr(t->file, '/');
	jl_buf_add(&dir, slash ? t->file : ".", slash ? (size_t)(slash - t->file) + 1 : 1);
	t->dir_fd = open(dir.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	jl_buf_release(&dir);
	jl_file_temp_name(t->temp, sizeof(t->temp));
	if (t->dir_fd >= 0)
		t->fd = openat(t->dir_fd, t->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (t->fd < 0)
		t->temp[0] = '\0';
	return t->fd < 0 ? jl_err_sys(err, errno, "cannot write \"%s\"", t->file) : JL_OK;
}

/* In place whole, or not at all. */
static int close_target(struct target *t, int r, struct jl_err *err)
{
	const char *slash = t->file ? strrchr(t->file, '/') : NULL;

	if (t->file && t->fd >= 0 && close(t->fd) < 0 && r == JL_OK)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", t->file);
	if (t->temp[0] && r == JL_OK && renameat(t->dir_fd, t->temp, t->dir_fd, slash ? slash + 1 : t->file) < 0)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", t->file);
	if (t->temp[0] && r != JL_OK)
		unlinkat(t->dir_fd, t->temp, 0);
	if (t->dir_fd >= 0)
		close(t->dir_fd);
	return r;
}

static int pump(struct jl_lookup *l, const struct wanted *w, const char *format, struct target *t, int *ret_signal,
                struct jl_err *err)
{
	char threads[16];
	struct jl_entries_out out;
	struct jl_err end = JL_ERR_INIT;
	struct jl_helper h;
	int r;

	snprintf(threads, sizeof(threads), "%u", jl_cpu_count());
	r = jl_helper_start(&h, "jl-archive", (const char *const[]){"pack", format, threads, NULL}, -1, t->fd, err);
	if (r != JL_OK)
		return r;
	jl_entries_start(&out, &jl_io_system, h.in);
	r = send_all(l, w, &out, err);
	jl_entries_out_release(&out);
	/* A broken pipe is the helper's trouble, and it says which. */
	if (jl_helper_end(&h, &end) != JL_OK && (r == JL_OK || err->sys_errno == EPIPE)) {
		*err = end;
		r = end.status;
	}
	*ret_signal = h.signal == SIGPIPE ? SIGPIPE : 0;
	return r;
}

static int run(struct jl_settings *s)
{
	const char *format = s->archive.compress ? s->archive.compress : by_ending(s->archive.output);
	struct wanted w = {.keys = JL_TABLE_INIT(struct jl_digest), .paths = JL_TABLE_INIT(const char *)};
	struct target t = {.file = s->archive.output, .dir_fd = -1, .fd = -1};
	struct jl_err err = JL_ERR_INIT;
	struct jl_lookup l;
	int sig = 0, r = jl_lookup_open(&l, s, &err);

	signal(SIGPIPE, SIG_IGN);
	if (r == JL_OK)
		r = check_format(format, &err);
	for (uint32_t i = 0; i < s->operands.n && r == JL_OK; i++)
		r = resolve(&l, s->operands.at[i], &w, &err);
	if (r == JL_OK)
		r = open_target(&t, &err);
	if (r == JL_OK)
		r = pump(&l, &w, format, &t, &sig, &err);
	r = close_target(&t, r, &err);
	jl_table_release(&w.keys);
	jl_table_release(&w.paths);
	jl_lookup_close(&l);
	if (sig)
		jl_end_by_signal(sig);
	return r == JL_OK ? JL_EXIT_OK : jl_say_error(&err);
}

const struct jl_command jl_command_dump = {
	.name = "dump",
	.operands = "KEY|STEP|PATH ...",
	.summary = "Stream results, or plain files, as a compressed archive",
	.about = "\"jl load\" takes it in, here or elsewhere; it is an ordinary tar archive. A word\n"
		 "that is no step and no key is a file or folder; with \"./\" before it always.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.run = run,
};
