/* Taking results and files in: see load.h. */
#include "run/load.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/table.h"
#include "memo/key.h"
#include "memo/record.h"
#include "memo/variants.h"
#include "run/dump.h"
#include "run/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

struct load {
	const struct jl_load_opts *o;
	struct jl_entries_in *in;
	struct jl_load_counts *counts;
	struct jl_extract files, outs; /* plain files, outputs */
	struct jl_table keys, blobs; /* struct jl_digest: staged, under "KEYHEX.ac" and "HEX.cas" */
	char *piece;
	char stage[128];
	int dir_fd, stage_fd; /* -1 until something is staged */
};

static void name_of(const struct jl_digest *digest, const char *suffix, char out[JL_DIGEST_TEXT + 8])
{
	jl_digest_hex(digest, out);
	strcat(out, suffix);
}

/* ---- taking in ---- */

static int open_stage(struct load *l, struct jl_err *err)
{
	if (l->stage_fd >= 0)
		return JL_OK;
	l->dir_fd = open(l->o->stage_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	jl_file_temp_name(l->stage, sizeof(l->stage));
	if (l->dir_fd < 0 || mkdirat(l->dir_fd, l->stage, 0700) < 0)
		return jl_err_sys(err, errno, "cannot make a folder in \"%s\"", l->o->stage_dir);
	l->stage_fd = openat(l->dir_fd, l->stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->stage_fd < 0 ? jl_err_sys(err, errno, "cannot open \"%s\"", l->stage) : JL_OK;
}

/* The content of the present entry into fd; its digest, of the algorithm that *ret has, is wanted for what is named by it. */
static int take_content(struct load *l, int fd, struct jl_digest *ret, struct jl_err *err)
{
	size_t n;
	int r;

	struct jl_hasher *hasher = jl_hasher_new_as(ret ? ret->algo : JL_DIGEST_XXH3);

	do {
		r = jl_entries_read(l->in, l->piece, PIECE, &n, err);
		if (r == JL_OK && ret)
			jl_hasher_add(hasher, l->piece, n);
		if (r == JL_OK && n > 0)
			r = jl_file_write_all(&jl_io_system, fd, l->piece, n, err);
		l->counts->bytes += r == JL_OK ? n : 0;
	} while (r == JL_OK && n > 0);
	if (ret)
		jl_hasher_end(hasher, ret);
	jl_hasher_free(hasher);
	return r;
}

static int stage_content(struct load *l, const char *name, struct jl_digest *ret, struct jl_err *err)
{
	int fd, r = open_stage(l, err);

	if (r != JL_OK)
		return r;
	fd = openat(l->stage_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot make a temporary file");
	r = take_content(l, fd, ret, err);
	close(fd);
	return r;
}

/* "ab/abcdef…": the digest that a name in `folder` stands for. */
static int digest_of(const char *name, struct jl_digest *ret)
{
	return strlen(name) > 3 && name[2] == '/' && strncmp(name, name + 3, 2) == 0 ? jl_digest_parse(name + 3, ret, NULL)
										    : JL_EINVAL;
}

static int take_blob(struct load *l, const struct jl_digest *digest, struct jl_err *err)
{
	char name[JL_DIGEST_TEXT + 8];
	struct jl_digest is = {0};
	int r;

	name_of(digest, ".cas", name);
	is.algo = digest->algo;
	r = stage_content(l, name, &is, err);
	if (r == JL_OK && !jl_digest_equal(&is, digest))
		return jl_err_set(err, JL_ECORRUPT, "blob %.32s is damaged", name);
	if (r == JL_OK)
		*(struct jl_digest *)jl_table_add(&l->blobs, 1) = *digest;
	return r;
}

static int read_record(struct load *l, const struct jl_digest *key, struct jl_buf *bytes, struct jl_record **ret,
		       struct jl_err *err)
{
	char name[JL_DIGEST_TEXT + 8];
	int r;

	name_of(key, ".ac", name);
	r = jl_file_read(&jl_io_system, l->stage_fd, name, bytes, err);
	if (r == JL_OK)
		r = jl_record_decode(bytes->data, bytes->len, ret, err);
	if (r == JL_OK && !jl_digest_equal(&(*ret)->key, key)) {
		jl_record_free(*ret);
		*ret = NULL;
		r = jl_err_set(err, JL_ECORRUPT, "record %.32s is of another key", name);
	}
	return r;
}

static int take_record(struct load *l, const struct jl_entry *entry, const struct jl_digest *key, struct jl_err *err)
{
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_record *rec = NULL;
	char name[JL_DIGEST_TEXT + 8];
	int r;

	if (entry->size > JL_RECORD_MAX)
		return jl_err_set(err, JL_ELIMIT, "a record of %llu bytes", (unsigned long long)entry->size);
	name_of(key, ".ac", name);
	r = stage_content(l, name, NULL, err);
	if (r == JL_OK)
		r = read_record(l, key, &bytes, &rec, err);
	if (r == JL_OK)
		*(struct jl_digest *)jl_table_add(&l->keys, 1) = *key;
	jl_record_free(rec);
	jl_buf_release(&bytes);
	return r;
}

static int take_version(struct load *l, struct jl_err *err)
{
	char text[64] = "";
	unsigned version = 0;
	size_t n;
	int r = jl_entries_read(l->in, text, sizeof(text) - 1, &n, err);

	if (r != JL_OK)
		return r;
	if (sscanf(text, "jl dump %u", &version) != 1 || version < 1)
		return jl_err_set(err, JL_ECORRUPT, "it does not say which version it is of");
	return version <= JL_DUMP_VERSION ? JL_OK
					  : jl_err_set(err, JL_EUNSUPPORTED, "it is of version %u, this program knows %d",
						       version, JL_DUMP_VERSION);
}

static int take_ours(struct load *l, const struct jl_entry *entry, const char *name, struct jl_err *err)
{
	struct jl_digest digest;

	if (entry->kind == JL_ENTRY_DIR)
		return JL_OK;
	if (entry->kind == JL_ENTRY_FILE && strcmp(name, "version") == 0)
		return take_version(l, err);
	if (entry->kind == JL_ENTRY_FILE && strncmp(name, "cas/", 4) == 0 && digest_of(name + 4, &digest) == JL_OK)
		return take_blob(l, &digest, err);
	if (entry->kind == JL_ENTRY_FILE && strncmp(name, "ac/", 3) == 0 && digest_of(name + 3, &digest) == JL_OK)
		return take_record(l, entry, &digest, err);
	return jl_err_set(err, JL_ECORRUPT, "it holds a part that cannot be");
}

/* As tar writes them: a folder may end in '/', a path may begin with "./". */
static const char *plain_path(const char *path, struct jl_buf *out)
{
	size_t len;

	while (path[0] == '.' && path[1] == '/')
		path += 2;
	jl_buf_clear(out);
	jl_buf_str(out, path);
	for (len = out->len; len > 1 && out->data[len - 1] == '/'; len--)
		;
	jl_buf_truncate(out, len);
	return out->data;
}

static int take_plain(struct load *l, const struct jl_entry *entry, struct jl_err *err)
{
	struct jl_buf room = JL_BUF_INIT;
	const char *path = plain_path(entry->path, &room);
	int fd = -1, r = JL_OK;

	if (!l->o->place)
		r = jl_err_set(err, JL_EINVAL, "it holds files of its own (\"%s\"); -x puts them in place", path);
	else if (entry->kind == JL_ENTRY_DIR)
		r = path[0] && strcmp(path, ".") != 0 ? jl_extract_dir(&l->files, path, entry->mode, err) : JL_OK;
	else if (entry->kind == JL_ENTRY_LINK)
		r = jl_extract_link(&l->files, path, entry->target, err);
	else
		r = jl_extract_file(&l->files, path, entry->mode, &fd, err);
	if (fd >= 0) {
		r = take_content(l, fd, NULL, err);
		close(fd);
	}
	jl_buf_release(&room);
	return r;
}

static int take_all(struct load *l, struct jl_err *err)
{
	const size_t head = strlen(JL_DUMP_FOLDER);
	struct jl_entry entry;
	int r;

	while ((r = jl_entries_next(l->in, &entry, err)) == JL_OK) {
		const char *path = entry.path;

		if (strncmp(path, JL_DUMP_FOLDER, head) == 0)
			r = take_ours(l, &entry, path + head, err);
		else
			r = take_plain(l, &entry, err);
		if (r != JL_OK)
			return r;
	}
	return r == JL_ENOTFOUND ? JL_OK : r;
}

/* ---- putting ---- */

static bool is_staged(const struct load *l, const struct jl_digest *blob)
{
	char name[JL_DIGEST_TEXT + 8];
	struct stat st;

	name_of(blob, ".cas", name);
	return l->stage_fd >= 0 && fstatat(l->stage_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int check_content(const struct load *l, const struct jl_record *rec, const struct jl_content *c, struct jl_err *err)
{
	char hex[JL_DIGEST_TEXT];

	if (c->bytes || c->size == 0 || is_staged(l, &c->digest) ||
	    l->o->store->ops->has_blob(l->o->store, &c->digest, NULL) == 1)
		return JL_OK;
	return jl_err_set(err, JL_ECORRUPT, "the result of \"%s\" is not whole: blob %s is missing", rec->label,
			  jl_digest_hex(&c->digest, hex));
}

/* Is all there that the records name? */
static int check_records(struct load *l, struct jl_err *err)
{
	struct jl_buf bytes = JL_BUF_INIT;
	int r = JL_OK;

	for (uint32_t i = 0; i < l->keys.len && r == JL_OK; i++) {
		struct jl_record *rec = NULL;

		jl_buf_clear(&bytes);
		r = read_record(l, JL_AT(l->keys, struct jl_digest, i), &bytes, &rec, err);
		for (uint32_t k = 0; r == JL_OK && k < rec->n_outputs; k++)
			if (rec->outputs[k].kind == JL_KIND_FILE)
				r = check_content(l, rec, &rec->outputs[k].content, err);
		if (r == JL_OK)
			r = check_content(l, rec, &rec->log, err);
		jl_record_free(rec);
	}
	jl_buf_release(&bytes);
	return r;
}

static int put_blobs(struct load *l, struct jl_err *err)
{
	struct jl_store *store = l->o->store;
	char name[JL_DIGEST_TEXT + 8];
	int r = JL_OK;

	for (uint32_t i = 0; i < l->blobs.len && r == JL_OK; i++) {
		const struct jl_digest *digest = JL_AT(l->blobs, struct jl_digest, i);
		struct stat st;
		int fd;

		name_of(digest, ".cas", name);
		fd = openat(l->stage_fd, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* twice in the stream */
		if (fd < 0 || fstat(fd, &st) < 0)
			r = jl_err_sys(err, errno, "cannot read a temporary file");
		else
			r = store->ops->put_blob(store, digest, (uint64_t)st.st_size, fd, err);
		if (fd >= 0)
			close(fd);
		unlinkat(l->stage_fd, name, 0);
		l->counts->blobs++;
	}
	return r;
}

/* One output of a record into the stage of files. */
static int stage_output(struct load *l, const struct jl_record_output *out, struct jl_err *err)
{
	struct jl_store *store = l->o->store;
	const struct jl_content *c = &out->content;
	struct jl_buf text = JL_BUF_INIT;
	int fd = -1, r;

	if (out->kind == JL_KIND_DIR)
		return jl_extract_dir(&l->outs, out->path, out->mode, err);
	if (out->kind == JL_KIND_LINK) {
		jl_buf_add(&text, c->bytes, (size_t)c->size);
		r = jl_extract_link(&l->outs, out->path, text.data, err);
		jl_buf_release(&text);
		return r;
	}
	r = jl_extract_file(&l->outs, out->path, out->mode, &fd, err);
	if (r == JL_OK && c->bytes)
		r = jl_file_write_all(&jl_io_system, fd, c->bytes, (size_t)c->size, err);
	else if (r == JL_OK && c->size > 0)
		r = store->ops->get_blob(store, &c->digest, c->size, fd, err);
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- what a depfile named ---- */

struct found { /* of one record's manifest; the texts are in the arena */
	struct jl_digest base; /* NONE: it has no depfile */
	struct jl_table paths; /* const char * */
	struct jl_table files; /* struct jl_variant_file */
	struct jl_arena arena;
};

static bool digest_in(struct jl_arena *arena, const char *text, size_t len, struct jl_digest *ret)
{
	return jl_digest_parse(jl_arena_strndup(arena, text, len), ret, NULL) == JL_OK;
}

/* false: the manifest is damaged. */
static bool read_found(const struct jl_record *rec, struct found *f)
{
	struct jl_cur cur = {rec->manifest, (const uint8_t *)rec->manifest + rec->manifest_len, 0};
	struct jl_piece_view piece;
	bool good = true;

	while (good && jl_key_next(&cur, &piece)) {
		struct jl_variant_file file = {.path = f->paths.len};

		if (piece.type == JL_PIECE_BASE)
			good = digest_in(&f->arena, piece.value, piece.value_len, &f->base);
		if (piece.type != JL_PIECE_FOUND)
			continue;
		good = piece.value_len >= 2;
		if (good) {
			file.kind = (enum jl_kind)piece.value[0];
			file.executable = piece.value[1] != 0;
			good = file.kind == JL_KIND_ABSENT ||
			       digest_in(&f->arena, piece.value + 2, piece.value_len - 2, &file.digest);
		}
		*(const char **)jl_table_add(&f->paths, 1) = jl_arena_strndup(&f->arena, piece.name, piece.name_len);
		*(struct jl_variant_file *)jl_table_add(&f->files, 1) = file;
	}
	return good && !cur.bad;
}

/* The variants of the base key as the store has them; NULL: none that can be used. */
static struct jl_variants *read_variants(struct load *l, const struct jl_digest *base)
{
	struct jl_store *store = l->o->store;
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_variants *v = NULL;

	if (store->ops->get_record(store, base, &bytes, NULL) != JL_OK ||
	    jl_variants_decode(bytes.data, bytes.len, &v, NULL) != JL_OK)
		v = NULL;
	jl_buf_release(&bytes);
	return v;
}

/* The result of a step with a depfile is found by way of its base key: note it there. */
static int put_variant(struct load *l, const struct jl_record *rec, struct jl_err *err)
{
	struct jl_store *store = l->o->store;
	struct found f = {.paths = JL_TABLE_INIT(const char *),
			  .files = JL_TABLE_INIT(struct jl_variant_file),
			  .arena = JL_ARENA_INIT};
	struct jl_buf bytes = JL_BUF_INIT;
	int r = read_found(rec, &f) ? JL_OK : jl_err_set(err, JL_ECORRUPT, "the manifest of \"%s\" is damaged", rec->label);

	if (r == JL_OK && f.base.algo != JL_DIGEST_NONE) {
		struct jl_variants *old = read_variants(l, &f.base);

		r = jl_variants_add(old, &f.base, f.paths.data, f.files.data, f.files.len, &bytes, err);
		jl_variants_free(old);
		/* What a stranger wrote must not make what is there unreadable. */
		if (r == JL_OK)
			r = jl_variants_decode(bytes.data, bytes.len, &old, err);
		if (r == JL_OK) {
			jl_variants_free(old);
			r = store->ops->put_record(store, &f.base, bytes.data, bytes.len, err);
		}
	}
	jl_buf_release(&bytes);
	jl_table_release(&f.paths);
	jl_table_release(&f.files);
	jl_arena_release(&f.arena);
	return r;
}

static int put_records(struct load *l, struct jl_err *err)
{
	struct jl_store *store = l->o->store;
	struct jl_buf bytes = JL_BUF_INIT;
	int r = JL_OK;

	for (uint32_t i = 0; i < l->keys.len && r == JL_OK; i++) {
		const struct jl_digest *key = JL_AT(l->keys, struct jl_digest, i);
		struct jl_record *rec = NULL;

		jl_buf_clear(&bytes);
		r = read_record(l, key, &bytes, &rec, err);
		if (r == JL_OK)
			r = store->ops->put_record(store, key, bytes.data, bytes.len, err);
		if (r == JL_OK)
			r = put_variant(l, rec, err);
		for (uint32_t k = 0; r == JL_OK && l->o->place && k < rec->n_outputs; k++)
			r = stage_output(l, &rec->outputs[k], err);
		l->counts->records += r == JL_OK;
		jl_record_free(rec);
	}
	jl_buf_release(&bytes);
	return r;
}

static int look(const struct load *l, struct jl_extract *x, struct jl_err *err)
{
	int r = jl_extract_look(x, err);

	if (r != JL_EBUSY || !l->o->force)
		return r;
	jl_err_clear(err);
	return JL_OK;
}

/* Both or none: what is in the way is looked for before anything is moved. */
static int place(struct load *l, struct jl_err *err)
{
	uint32_t files = 0, outs = 0;
	int r = look(l, &l->files, err);

	if (r == JL_OK)
		r = look(l, &l->outs, err);
	if (r == JL_OK)
		r = jl_extract_commit(&l->files, &files, err);
	if (r == JL_OK)
		r = jl_extract_commit(&l->outs, &outs, err);
	l->counts->placed = files + outs;
	return r;
}

int jl_load(const struct jl_load_opts *o, struct jl_entries_in *in, struct jl_load_counts *ret, struct jl_err *err)
{
	struct load l = {.o = o,
			 .in = in,
			 .counts = ret,
			 .keys = JL_TABLE_INIT(struct jl_digest),
			 .blobs = JL_TABLE_INIT(struct jl_digest),
			 .piece = jl_alloc_pages(PIECE),
			 .dir_fd = -1,
			 .stage_fd = -1};
	int r;

	*ret = (struct jl_load_counts){0};
	jl_extract_init(&l.files, o->here_fd);
	jl_extract_init(&l.outs, o->root_fd);
	r = take_all(&l, err);
	if (r == JL_OK)
		r = check_records(&l, err);
	if (r == JL_OK)
		r = put_blobs(&l, err);
	if (r == JL_OK)
		r = put_records(&l, err);
	if (r == JL_OK && o->place)
		r = place(&l, err);
	jl_extract_release(&l.files);
	jl_extract_release(&l.outs);
	if (l.stage_fd >= 0) {
		close(l.stage_fd);
		(void)!jl_file_remove(&jl_io_system, l.dir_fd, l.stage, NULL);
	}
	if (l.dir_fd >= 0)
		close(l.dir_fd);
	jl_table_release(&l.keys);
	jl_table_release(&l.blobs);
	free(l.piece);
	return r;
}
