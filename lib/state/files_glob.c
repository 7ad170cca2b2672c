/* Globs over the listings, and whole trees.
 *
 * A glob is walked as the set of its components that may come next: `**` keeps itself in the set, so every folder is
 * visited once whatever the pattern. */
#include "base/glob.h"
#include "base/path.h"
#include "state/files_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PARTS 63
#define MAX_DEPTH 1024 /* of folders: recursion that a hostile tree must not drive */

struct part {
	const char *text;
	size_t len;
	bool literal, any; /* any: `**` */
};

struct walk {
	struct jl_files *f;
	struct jl_table *out;
	struct part parts[MAX_PARTS];
	unsigned n_parts;
	uint32_t max; /* length that `out` may come to */
	bool folders; /* wanted: folders only, else files and links only */
	struct jl_err *err;
};

static uint32_t child_id(struct jl_files *f, uint32_t dir, const char *name, size_t len)
{
	const char *path = jl_files_path(f, dir);
	struct jl_buf b = JL_BUF_INIT;
	uint32_t id;

	if (strcmp(path, ".") == 0)
		return jl_files_id(f, name, len);
	jl_buf_str(&b, path);
	if (strcmp(path, "/") != 0)
		jl_buf_char(&b, '/');
	jl_buf_add(&b, name, len);
	id = jl_files_id(f, b.data, b.len);
	jl_buf_release(&b);
	return id;
}

/* The folder itself, or the one that a link leads to under its real name, so that its listing is kept by its own
 * stamp. */
static uint32_t real_folder(struct jl_files *f, uint32_t id)
{
	char proc[64], real[PATH_MAX];
	ssize_t n;
	int fd;

	if (jl_file_kind(jl_file_at(f, id)) != JL_KIND_LINK)
		return id;
	fd = f->io->openat(f->io, f->root_fd, jl_files_path(f, id), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return id;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = readlink(proc, real, sizeof(real));
	f->io->close(f->io, fd);
	return n > 0 && n < (ssize_t)sizeof(real) && real[0] == '/' ? jl_files_id(f, real, (size_t)n) : id;
}

/* A folder's listing, as offsets into f->lists, which may move as others are read; or, where something was dropped, its own. */
struct listing {
	struct jl_buf own;
	uint32_t at, end;
};

/* Step over one entry; the name is good until another folder is listed. */
static bool next_entry(const struct jl_files *f, struct listing *l, enum jl_kind *kind, const char **name)
{
	const char *entry;

	if (l->at >= l->end) {
		jl_buf_release(&l->own);
		return false;
	}
	entry = l->own.len ? l->own.data + l->at : JL_AT(f->lists, char, l->at);
	*kind = (uint8_t)*entry;
	*name = entry + 1;
	l->at += (uint32_t)strlen(*name) + 2;
	return true;
}

/* Begin a listing; of what is not there: an empty one. */
static int list_folder(struct jl_files *f, uint32_t id, struct listing *l, struct jl_err *err)
{
	struct jl_err inner = JL_ERR_INIT;
	const char *list;
	uint32_t len;
	int r;

	*l = (struct listing){.own = JL_BUF_INIT};
	if (jl_file_at(f, id)->flags & JL_FILE_HOLDS) {
		r = jl_files_list_dropped(f, id, &l->own, err);
		l->end = (uint32_t)l->own.len;
		return r;
	}
	r = jl_files_list(f, id, &list, &len, &inner);
	if (r == JL_ENOTFOUND)
		return JL_OK;
	if (r != JL_OK) {
		if (err)
			*err = inner;
		return r;
	}
	l->at = jl_file_at(f, id)->list;
	l->end = l->at + len;
	return JL_OK;
}

static void emit(struct jl_table *out, uint32_t id)
{
	*(uint32_t *)jl_table_add(out, 1) = id;
}

static int over_cap(const struct walk *w)
{
	return jl_err_set(w->err, JL_ELIMIT, "a glob that matches more than 10 million files; make it narrower");
}

/* `**` may stand for nothing: what is behind it may come next too. */
static uint64_t closure(const struct walk *w, uint64_t set)
{
	for (unsigned i = 0; i < w->n_parts; i++) {
		if (set >> i & 1 && w->parts[i].any)
			set |= UINT64_C(1) << (i + 1);
	}
	return set;
}

/* The set after a component of this name. Bit n_parts: the whole pattern is matched. */
static uint64_t step(const struct walk *w, uint64_t set, const char *name, size_t len)
{
	uint64_t next = 0;

	if (strcmp(name, ".jl") == 0 || strcmp(name, ".git") == 0)
		return 0;
	for (unsigned i = 0; i < w->n_parts; i++) {
		const struct part *p = &w->parts[i];
		bool dot = p->text[0] == '.' || (p->text[0] == '\\' && p->text[1] == '.');

		if (!(set >> i & 1) || (name[0] == '.' && !dot))
			continue;
		if (p->any)
			next |= UINT64_C(1) << i;
		else if (jl_glob_match_name(p->text, p->len, name, len))
			next |= UINT64_C(1) << (i + 1);
	}
	return closure(w, next);
}

static bool any_in(const struct walk *w, uint64_t set)
{
	for (unsigned i = 0; i < w->n_parts; i++) {
		if (set >> i & 1 && w->parts[i].any)
			return true;
	}
	return false;
}

static int walk_glob(struct walk *w, uint32_t dir, uint64_t set, unsigned depth);

/* One name below `dir` of which the pattern has come to `set`. */
static int enter(struct walk *w, uint32_t dir, const char *name, size_t len, enum jl_kind kind, uint64_t set,
                 unsigned depth)
{
	uint64_t all = UINT64_C(1) << w->n_parts;
	bool want, down;
	uint32_t id;

	want = set & all && (w->folders ? kind == JL_KIND_DIR : kind == JL_KIND_FILE || kind == JL_KIND_LINK);
	/* A link to a folder is followed by name, never by `**`: links make rings. */
	down = set & ~all && (kind == JL_KIND_DIR || (kind == JL_KIND_LINK && !any_in(w, set)));
	if (!want && !down)
		return JL_OK;
	if (want && w->out->len == w->max)
		return over_cap(w);
	id = child_id(w->f, dir, name, len);
	if (want)
		emit(w->out, id);
	return down ? walk_glob(w, id, set & ~all, depth + 1) : JL_OK;
}

/* A component without glob characters is looked at, not looked for in a listing. */
static int walk_literal(struct walk *w, uint32_t dir, unsigned part, unsigned depth)
{
	const struct part *p = &w->parts[part];
	struct jl_buf name = JL_BUF_INIT;
	uint64_t set;
	uint32_t id;
	int r;

	for (size_t i = 0; i < p->len; i++) {
		if (p->text[i] == '\\' && i + 1 < p->len)
			i++;
		jl_buf_char(&name, p->text[i]);
	}
	set = UINT64_C(1) << (part + 1);
	r = strcmp(name.data, ".jl") == 0 || strcmp(name.data, ".git") == 0 || !name.len;
	if (r) {
		jl_buf_release(&name);
		return JL_OK;
	}
	id = child_id(w->f, dir, name.data, name.len);
	r = jl_files_stat(w->f, id, w->err);
	if (r == JL_OK)
		r = enter(w, dir, name.data, name.len, jl_file_kind(jl_file_at(w->f, id)), closure(w, set), depth);
	jl_buf_release(&name);
	return r;
}

static int walk_glob(struct walk *w, uint32_t dir, uint64_t set, unsigned depth)
{
	struct listing l;
	enum jl_kind kind;
	const char *text;
	uint32_t real;
	int r;

	if (depth > MAX_DEPTH)
		return jl_err_set(w->err, JL_ELIMIT, "\"%s\": folders more than %d deep", jl_files_path(w->f, dir), MAX_DEPTH);
	if (!(set & (set - 1)) && w->parts[__builtin_ctzll(set)].literal)
		return walk_literal(w, dir, (unsigned)__builtin_ctzll(set), depth);
	r = jl_files_stat(w->f, dir, w->err);
	if (r != JL_OK)
		return r;
	real = real_folder(w->f, dir);
	r = list_folder(w->f, real, &l, w->err);
	while (r == JL_OK && next_entry(w->f, &l, &kind, &text)) {
		size_t len = strlen(text);
		uint64_t next = step(w, set, text, len);

		if (next)
			r = enter(w, dir, text, len, kind, next, depth);
	}
	jl_buf_release(&l.own);
	return r;
}

static int by_path(const void *a, const void *b, void *ctx)
{
	const struct jl_files *f = ctx;

	return strcmp(jl_files_path(f, *(const uint32_t *)a), jl_files_path(f, *(const uint32_t *)b));
}

static void sort_from(struct jl_files *f, struct jl_table *out, uint32_t from)
{
	if (out->len > from)
		qsort_r(JL_AT(*out, uint32_t, from), out->len - from, sizeof(uint32_t), by_path, f);
}

static int split(struct walk *w, const char *pattern)
{
	const char *p = pattern, *end = pattern + strlen(pattern);

	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t len = slash ? (size_t)(slash - p) : (size_t)(end - p);
		struct part *part = &w->parts[w->n_parts];

		if (w->n_parts == MAX_PARTS)
			return jl_err_set(w->err, JL_EINVAL, "glob \"%s\": more than %d components", pattern, MAX_PARTS);
		*part = (struct part){.text = p, .len = len, .any = len == 2 && memcmp(p, "**", 2) == 0, .literal = true};
		for (size_t i = 0; i < len; i++) {
			if (p[i] == '\\')
				i++;
			else if (strchr("*?[", p[i]))
				part->literal = false;
		}
		w->n_parts++;
		p += len + (slash != NULL);
	}
	return JL_OK;
}

int jl_files_glob(struct jl_files *f, const char *pattern, struct jl_table *out, struct jl_err *err)
{
	struct walk w = {.f = f, .out = out, .err = err, .max = out->len + JL_FILES_GLOB_MAX};
	size_t len = strlen(pattern);
	/* A copy: the pattern may stand in the text table, which moves as paths are found. */
	char *own = jl_strndup(pattern, len);
	uint32_t from = out->len;
	bool absolute = pattern[0] == '/';
	int r;

	if (f->glob_max)
		w.max = out->len + f->glob_max;
	w.folders = len > 1 && pattern[len - 1] == '/';
	r = split(&w, own + absolute);
	if (r == JL_OK && w.n_parts) {
		r = walk_glob(&w, jl_files_id(f, absolute ? "/" : ".", 1), closure(&w, 1), 0);
		sort_from(f, out, from);
	}
	free(own);
	return r;
}

static int walk_tree(struct jl_files *f, uint32_t dir, struct jl_table *out, unsigned depth, struct jl_err *err)
{
	bool root = strcmp(jl_files_path(f, dir), ".") == 0;
	struct listing l;
	enum jl_kind kind;
	const char *text;
	int r;

	if (depth > MAX_DEPTH)
		return jl_err_set(err, JL_ELIMIT, "\"%s\": folders more than %d deep", jl_files_path(f, dir), MAX_DEPTH);
	r = list_folder(f, dir, &l, err);
	while (r == JL_OK && next_entry(f, &l, &kind, &text)) {
		uint32_t id;

		if (root && (strcmp(text, ".jl") == 0 || strcmp(text, ".git") == 0))
			continue;
		id = child_id(f, dir, text, strlen(text));
		emit(out, id);
		if (kind == JL_KIND_DIR)
			r = walk_tree(f, id, out, depth + 1, err);
	}
	jl_buf_release(&l.own);
	return r;
}

int jl_files_tree(struct jl_files *f, uint32_t id, struct jl_table *out, struct jl_err *err)
{
	uint32_t from = out->len;
	int r = jl_files_stat(f, id, err);

	if (r == JL_OK && jl_file_kind(jl_file_at(f, id)) == JL_KIND_DIR)
		r = walk_tree(f, id, out, 0, err);
	sort_from(f, out, from);
	return r;
}
