/* See variants.h. */
#include "memo/variants.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/table.h"
#include "memo/frame.h"
#include "memo/key.h"

#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 4095u
#define FILE_MIN     (4 + 1 + 1 + 1) /* what bounds how many of them so many bytes can hold */

static const struct jl_frame frame = {"jlvar\n\x1a", 1, JL_VARIANTS_BYTES_MAX, "variants record"};

struct owned {
	struct jl_variants v; /* first */
	struct jl_arena arena;
};

bool jl_variants_is(const void *data, size_t len)
{
	return len >= JL_FRAME_MAGIC && memcmp(data, frame.magic, JL_FRAME_MAGIC) == 0;
}

/* Clean as text: no empty or "." component, ".." only at the beginning of a relative one. */
static bool path_ok(const char *path)
{
	bool up = path[0] != '/';
	const char *at = path + !up;
	if (strlen(path) > PATH_MAX_LEN)
		return false;
	if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
		return true;
	for (;;) {
		size_t len = strcspn(at, "/");
		bool parent = len == 2 && at[0] == '.' && at[1] == '.';
		if (len == 0 || (len == 1 && at[0] == '.') || (parent && !up))
			return false;
		up = parent;
		if (at[len] == '\0')
			return true;
		at += len + 1;
	}
}

static bool file_ok(const struct jl_variant_file *f)
{
	bool has = f->kind == JL_KIND_FILE || f->kind == JL_KIND_LINK || f->kind == JL_KIND_DIR;
	return f->kind <= JL_KIND_OTHER && (!f->executable || f->kind == JL_KIND_FILE) &&
	       (f->digest.algo != JL_DIGEST_NONE) == has;
}

/* ---- reading ---- */

static uint32_t get_count(struct jl_cur *c, size_t least)
{
	uint32_t n = jl_cur_u32(c);
	if (!c->bad && n <= (size_t)(c->end - c->at) / least)
		return n;
	c->bad = 1;
	return 0;
}

static void get_files(struct jl_cur *c, struct owned *o)
{
	uint32_t n = get_count(c, FILE_MIN);
	struct jl_variant_file *all = jl_arena_alloc(&o->arena, ((size_t)n + 1) * sizeof(*all));
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		all[i].path = jl_cur_u32(c);
		all[i].kind = (enum jl_kind)jl_cur_u8(c);
		uint8_t executable = jl_cur_u8(c);
		all[i].executable = executable;
		jl_frame_get_digest(c, &all[i].digest);
		c->bad |= executable > 1 || all[i].path >= o->v.n_paths || !file_ok(&all[i]);
	}
	o->v.files = all;
	o->v.n_files = n;
}

static void get_variant(struct jl_cur *c, struct owned *o, struct jl_variant *ret)
{
	uint32_t n = get_count(c, 4), *files = jl_arena_alloc(&o->arena, ((size_t)n + 1) * sizeof(*files));
	const char *before = NULL;
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		files[i] = jl_cur_u32(c);
		c->bad |= files[i] >= o->v.n_files;
		if (c->bad)
			break;
		const char *path = o->v.paths[o->v.files[files[i]].path];
		c->bad |= before && strcmp(before, path) >= 0;
		before = path;
	}
	*ret = (struct jl_variant){.files = files, .n = n};
}

static void get_body(struct jl_cur *c, struct owned *o)
{
	jl_frame_get_digest(c, &o->v.base);
	c->bad |= o->v.base.algo == JL_DIGEST_NONE;
	uint32_t n = get_count(c, 4);
	const char **paths = jl_arena_alloc(&o->arena, ((size_t)n + 1) * sizeof(*paths));
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		paths[i] = jl_frame_get_text(c, &o->arena);
		c->bad |= !path_ok(paths[i]);
	}
	o->v.paths = paths;
	o->v.n_paths = n;
	get_files(c, o);
	n = get_count(c, 4);
	c->bad |= n > JL_VARIANTS_MAX;
	for (uint32_t i = 0; i < n && !c->bad; i++)
		get_variant(c, o, &o->v.at[i]);
	o->v.n = n;
	c->bad |= c->at != c->end;
}

int jl_variants_decode(const void *data, size_t len, struct jl_variants **ret, struct jl_err *err)
{
	struct jl_cur body;
	int r = jl_frame_open(&frame, data, len, &body, err);
	if (r != JL_OK)
		return r;
	struct owned *o = jl_calloc(1, sizeof(*o));
	get_body(&body, o);
	if (body.bad) {
		jl_variants_free(&o->v);
		return jl_err_set(err, JL_ECORRUPT, "damaged variants record: fields that do not fit");
	}
	*ret = &o->v;
	return JL_OK;
}

void jl_variants_free(struct jl_variants *v)
{
	struct owned *o = (struct owned *)v;
	if (!v)
		return;
	jl_arena_release(&o->arena);
	free(o);
}

/* ---- writing ---- */

struct writer {
	struct jl_table paths;    /* const char *: borrowed, each once */
	struct jl_table files;    /* struct jl_variant_file: each once */
	struct jl_table lists;    /* uint32_t: count and files of each variant */
	struct jl_map path_map, file_map;
	uint32_t n;
};

static const char *path_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct writer *w = owner;
	const char *path = *JL_AT(w->paths, const char *, index);
	*ret_len = strlen(path);
	return path;
}

static const char *file_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct writer *w = owner;
	*ret_len = sizeof(struct jl_variant_file);
	return (const char *)JL_AT(w->files, struct jl_variant_file, index);
}

static uint32_t add_path(struct writer *w, const char *path)
{
	size_t len = strlen(path);
	uint32_t at = jl_map_get(&w->path_map, path, len);
	if (at != JL_NONE)
		return at;
	*(const char **)jl_table_add(&w->paths, 1) = path;
	return jl_map_put(&w->path_map, path, len, w->paths.len - 1);
}

static uint32_t add_file(struct writer *w, const char *path, const struct jl_variant_file *f)
{
	struct jl_variant_file new; /* compared by its bytes: none may be left as they come */
	memset(&new, 0, sizeof(new));
	new.path = add_path(w, path);
	new.executable = f->executable;
	new.kind = f->kind;
	new.digest = f->digest;
	uint32_t at = jl_map_get(&w->file_map, (const char *)&new, sizeof(new));
	if (at != JL_NONE)
		return at;
	memcpy(jl_table_add(&w->files, 1), &new, sizeof(new));
	return jl_map_put(&w->file_map, (const char *)&new, sizeof(new), w->files.len - 1);
}

static bool same_file(const char *path, const struct jl_variant_file *a, const char *other,
		      const struct jl_variant_file *b)
{
	return a->kind == b->kind && a->executable == b->executable && jl_digest_equal(&a->digest, &b->digest) &&
	       strcmp(path, other) == 0;
}

static bool equal(const struct jl_variants *old, const struct jl_variant *o, const char *const *paths,
		  const struct jl_variant_file *files, uint32_t n)
{
	bool same = o->n == n;
	for (uint32_t i = 0; same && i < n; i++) {
		const struct jl_variant_file *f = &old->files[o->files[i]];
		same = same_file(old->paths[f->path], f, paths[files[i].path], &files[i]);
	}
	return same;
}

/* A variant of `old`; memo: what its files have become in the writer, counted from 1. */
static void add_old(struct writer *w, const struct jl_variants *old, const struct jl_variant *o, uint32_t *memo)
{
	*(uint32_t *)jl_table_add(&w->lists, 1) = o->n;
	for (uint32_t i = 0; i < o->n; i++) {
		uint32_t was = o->files[i];
		if (!memo[was])
			memo[was] = add_file(w, old->paths[old->files[was].path], &old->files[was]) + 1;
		*(uint32_t *)jl_table_add(&w->lists, 1) = memo[was] - 1;
	}
	w->n++;
}

static size_t size_of(const struct writer *w)
{
	size_t sum = JL_FRAME_ROOM + 1 + 32 + 3 * 4 + (size_t)w->lists.len * 4;
	for (uint32_t i = 0; i < w->paths.len; i++)
		sum += 4 + strlen(*JL_AT(w->paths, const char *, i));
	return sum + w->files.len * (size_t)(FILE_MIN + 16);
}

static void put_body(struct jl_buf *b, const struct writer *w, const struct jl_digest *base)
{
	jl_frame_put_digest(b, base);
	jl_buf_u32(b, w->paths.len);
	for (uint32_t i = 0; i < w->paths.len; i++) {
		const char *path = *JL_AT(w->paths, const char *, i);
		jl_buf_bytes(b, path, strlen(path));
	}
	jl_buf_u32(b, w->files.len);
	for (uint32_t i = 0; i < w->files.len; i++) {
		const struct jl_variant_file *f = JL_AT(w->files, struct jl_variant_file, i);
		jl_buf_u32(b, f->path);
		jl_buf_u8(b, (uint8_t)f->kind);
		jl_buf_u8(b, f->executable);
		jl_frame_put_digest(b, &f->digest);
	}
	jl_buf_u32(b, w->n);
	for (uint32_t i = 0; i < w->lists.len; i++)
		jl_buf_u32(b, *JL_AT(w->lists, uint32_t, i));
}

/* The new variant and the first `n_old` of the old ones that differ from it. Returns how many old ones there were. */
static uint32_t gather(struct writer *w, const struct jl_variants *old, uint32_t n_old, const char *const *paths,
		       const struct jl_variant_file *files, uint32_t n)
{
	uint32_t *memo = jl_calloc(old ? old->n_files + 1u : 1u, sizeof(*memo));
	*(uint32_t *)jl_table_add(&w->lists, 1) = n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = add_file(w, paths[files[i].path], &files[i]);
		*(uint32_t *)jl_table_add(&w->lists, 1) = at;
	}
	w->n = 1;
	for (uint32_t i = 0; old && i < old->n && w->n <= n_old; i++)
		if (!equal(old, &old->at[i], paths, files, n))
			add_old(w, old, &old->at[i], memo);
	free(memo);
	return w->n - 1;
}

static void writer_init(struct writer *w)
{
	*w = (struct writer){.paths = JL_TABLE_INIT(char *),
			     .files = JL_TABLE_INIT(struct jl_variant_file),
			     .lists = JL_TABLE_INIT(uint32_t)};
	jl_map_init(&w->path_map, path_key, w);
	jl_map_init(&w->file_map, file_key, w);
}

static void writer_release(struct writer *w)
{
	jl_table_release(&w->paths);
	jl_table_release(&w->files);
	jl_table_release(&w->lists);
	jl_map_release(&w->path_map);
	jl_map_release(&w->file_map);
}

static void put_all(const struct writer *w, const struct jl_digest *base, struct jl_buf *out)
{
	struct jl_buf body = JL_BUF_INIT;
	size_t start = out->len;
	put_body(&body, w, base);
	jl_frame_begin(&frame, body.len, out);
	jl_buf_add(out, body.data, body.len);
	jl_frame_end(out, start);
	jl_buf_release(&body);
}

int jl_variants_add(const struct jl_variants *old, const struct jl_digest *base, const char *const *paths,
		    const struct jl_variant_file *files, uint32_t n, struct jl_buf *out, struct jl_err *err)
{
	struct writer w;
	uint32_t n_old = JL_VARIANTS_MAX - 1;
	size_t size;
	for (;;) {
		writer_init(&w);
		n_old = gather(&w, old, n_old, paths, files, n);
		size = size_of(&w);
		if (size <= JL_VARIANTS_BYTES_MAX || n_old == 0)
			break;
		n_old /= 2;
		writer_release(&w);
	}
	int r = size <= JL_VARIANTS_BYTES_MAX
			? JL_OK
			: jl_err_set(err, JL_ELIMIT, "its dependencies take more than %zu bytes", JL_VARIANTS_BYTES_MAX);
	if (r == JL_OK)
		put_all(&w, base, out);
	writer_release(&w);
	return r;
}

static bool has_key(const struct jl_digest *keys, uint32_t n, const struct jl_digest *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (jl_digest_equal(&keys[i], key))
			return true;
	return false;
}

/* `most` of them at most. */
static void gather_both(struct writer *w, const struct jl_variants *const sides[2],
			const struct jl_digest keys[2][JL_VARIANTS_MAX], uint32_t most)
{
	uint32_t *memo[2] = {jl_calloc(sides[0]->n_files + 1u, sizeof(uint32_t)),
			     jl_calloc(sides[1]->n_files + 1u, sizeof(uint32_t))};
	for (uint32_t i = 0; i < JL_VARIANTS_MAX; i++) {
		for (int side = 0; side < 2; side++) {
			bool twice = i >= sides[side]->n || w->n == most ||
				     has_key(keys[side], i, &keys[side][i]) ||
				     has_key(keys[!side], side ? i + 1 : i, &keys[side][i]);
			if (!twice)
				add_old(w, sides[side], &sides[side]->at[i], memo[side]);
		}
	}
	free(memo[0]);
	free(memo[1]);
}

bool jl_variants_merge(const struct jl_variants *a, const struct jl_variants *b, struct jl_buf *out)
{
	const struct jl_variants *const sides[2] = {a, b};
	struct jl_digest keys[2][JL_VARIANTS_MAX] = {0};
	struct jl_buf scratch = JL_BUF_INIT;
	struct writer w;
	bool news = false;
	for (int side = 0; side < 2; side++)
		for (uint32_t i = 0; i < sides[side]->n; i++)
			jl_variants_key(sides[side], i, &scratch, &keys[side][i]);
	jl_buf_release(&scratch);
	for (uint32_t i = 0; i < a->n; i++)
		news |= !has_key(keys[1], b->n, &keys[0][i]);
	for (uint32_t most = JL_VARIANTS_MAX; news && most > 0; most /= 2) {
		writer_init(&w);
		gather_both(&w, sides, keys, most);
		bool fits = size_of(&w) <= JL_VARIANTS_BYTES_MAX;
		if (fits)
			put_all(&w, &a->base, out);
		writer_release(&w);
		if (fits)
			return true;
	}
	return false;
}

void jl_variants_key(const struct jl_variants *v, uint32_t variant, struct jl_buf *scratch, struct jl_digest *ret)
{
	const struct jl_variant *at = &v->at[variant];
	jl_key_inputs_begin(scratch, &v->base);
	for (uint32_t i = 0; i < at->n; i++) {
		const struct jl_variant_file *f = &v->files[at->files[i]];
		jl_key_input(scratch, f->kind, f->executable, v->paths[f->path], &f->digest);
	}
	jl_key_inputs_end(scratch, ret);
}
