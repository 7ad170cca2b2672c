/* See copy.h. */
#include "run/copy.h"

#include "base/file.h"
#include "base/path.h"
#include "base/url.h"
#include "memo/key.h"
#include "memo/record.h"
#include "run/url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ABOUT  ".about"
#define STAGED ".copy" /* ".part" may be half of another */
#define MODE   0444
#define WEEK_S (7 * 24 * 3600)

static const char *path_of(const struct jl_engine *e, const struct jl_purl *u)
{
	return jl_files_path(jl_engine_files(e), u->file);
}

static const char *name_of(const struct jl_engine *e, const struct jl_purl *u)
{
	const char *path = path_of(e, u);
	return path + jl_path_base(path, strlen(path));
}

static void folder_path(const struct jl_engine *e, const struct jl_purl *u, struct jl_buf *out)
{
	const char *path = path_of(e, u);
	jl_buf_add(out, path, jl_path_base(path, strlen(path)) - 1);
}

static int open_folder(const struct jl_engine *e, const char *path)
{
	return jl_file_open_beneath(jl_engine_files(e)->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

bool jl_copy_look(struct jl_engine *e, const struct jl_purl *u, struct jl_about *ret)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_buf path = JL_BUF_INIT;
	*ret = (struct jl_about){0};
	if (jl_files_digest(files, u->file, NULL) != JL_OK || jl_file_kind(jl_file_at(files, u->file)) != JL_KIND_FILE)
		return false;
	folder_path(e, u, &path);
	int fd = open_folder(e, path.data);
	bool there = fd >= 0 && jl_about_read(fd, ABOUT, ret) == JL_OK &&
		     jl_digest_equal(&ret->digest, &jl_file_at(files, u->file)->digest);
	if (!there)
		jl_about_release(ret);
	if (fd >= 0)
		close(fd);
	jl_buf_release(&path);
	return there;
}

int jl_copy_folder(struct jl_engine *e, const struct jl_purl *u, int *ret_fd, struct jl_err *err)
{
	struct jl_buf path = JL_BUF_INIT;
	folder_path(e, u, &path);
	int r = jl_file_mkdirs(&jl_io_system, jl_engine_files(e)->root_fd, path.data, 0777, err);
	if (r == JL_OK) {
		*ret_fd = open_folder(e, path.data);
		if (*ret_fd < 0)
			r = jl_err_sys(err, errno, "cannot open \"%s\"", path.data);
	}
	jl_buf_release(&path);
	return r;
}

/* ---- the store ---- */

static void key_of(const struct jl_engine *e, const struct jl_purl *u, struct jl_digest *ret)
{
	struct jl_buf b = JL_BUF_INIT;
	char text[JL_DIGEST_TEXT];
	jl_buf_str(&b, "jl input 1 ");
	jl_buf_str(&b, u->digest.algo ? jl_digest_text(&u->digest, text) : jl_project_text(e->p, u->url));
	jl_digest_bytes_as(jl_engine_files(e)->algo, b.data, b.len, ret);
	jl_buf_release(&b);
}

static void put_record(struct jl_engine *e, const struct jl_purl *u, const struct jl_about *a)
{
	struct jl_buf pieces = JL_BUF_INIT, label = JL_BUF_INIT, bytes = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_record_output out = {.path = name_of(e, u),
				       .kind = JL_KIND_FILE,
				       .mode = MODE,
				       .content = {.size = a->size, .digest = a->digest}};
	jl_url_show(&label, jl_project_text(e->p, u->url));
	jl_key_begin(&pieces);
	jl_key_piece(&pieces, JL_PIECE_ENV, "url", label.data, label.len);
	if (a->etag)
		jl_key_piece(&pieces, JL_PIECE_ENV, "etag", a->etag, strlen(a->etag));
	if (a->modified)
		jl_key_piece(&pieces, JL_PIECE_ENV, "modified", a->modified, strlen(a->modified));
	struct jl_record rec = {.created_ns = a->asked_ns,
				.label = label.data,
				.host = e->p->host,
				.manifest = pieces.data,
				.manifest_len = pieces.len,
				.outputs = &out,
				.n_outputs = 1};
	key_of(e, u, &rec.key);
	int r = jl_record_encode(&rec, &bytes, &err);
	if (r == JL_OK)
		r = e->store->ops->put_record(e->store, &rec.key, bytes.data, bytes.len, &err);
	if (r != JL_OK)
		jl_engine_warn(e, NULL, "\"%s\" is not stored: %s", label.data, err.text);
	jl_buf_release(&pieces);
	jl_buf_release(&label);
	jl_buf_release(&bytes);
}

static struct jl_record *get_record(struct jl_engine *e, const struct jl_purl *u)
{
	struct jl_store *store = e->opts->cache == JL_CACHE_WO ? NULL : jl_engine_store(e);
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_record *rec = NULL;
	struct jl_digest key;
	key_of(e, u, &key);
	if (store && store->ops->get_record(store, &key, &bytes, NULL) == JL_OK) {
		int r = jl_record_decode(bytes.data, bytes.len, &rec, NULL);
		bool good = r == JL_OK && jl_digest_equal(&rec->key, &key) && rec->n_outputs == 1 &&
			    rec->outputs[0].kind == JL_KIND_FILE;
		if (!good && (r == JL_OK || r == JL_ECORRUPT))
			(void)!store->ops->damaged_record(store, &key, NULL);
		if (!good && r == JL_OK) {
			jl_record_free(rec);
			rec = NULL;
		}
	}
	jl_buf_release(&bytes);
	return rec;
}

static void about_record(const struct jl_record *rec, struct jl_about *ret)
{
	struct jl_cur cur = {rec->manifest, (const uint8_t *)rec->manifest + rec->manifest_len, 0};
	struct jl_piece_view v;
	*ret = (struct jl_about){.digest = rec->outputs[0].content.digest,
				 .size = rec->outputs[0].content.size,
				 .asked_ns = rec->created_ns};
	while (jl_key_next(&cur, &v)) {
		char **to = v.name_len == 4 && memcmp(v.name, "etag", 4) == 0       ? &ret->etag
			    : v.name_len == 8 && memcmp(v.name, "modified", 8) == 0 ? &ret->modified
										     : NULL;
		if (to && !*to)
			*to = jl_strndup(v.value, v.value_len);
	}
}

bool jl_copy_restore(struct jl_engine *e, const struct jl_purl *u, int dir_fd, struct jl_about *ret)
{
	struct jl_record *rec = get_record(e, u);
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest key;
	if (!rec)
		return false;
	const struct jl_content *c = &rec->outputs[0].content;
	int fd = openat(dir_fd, STAGED, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
	int r = fd < 0 ? JL_EIO : e->store->ops->get_blob(e->store, &c->digest, c->size, fd, &err);
	if (fd >= 0)
		close(fd);
	about_record(rec, ret);
	if (r == JL_OK)
		r = jl_copy_place(e, u, dir_fd, STAGED, ret, false, &err);
	if (r == JL_OK) {
		key_of(e, u, &key);
		jl_engine_used(e, &key);
	} else {
		jl_about_release(ret);
	}
	jl_record_free(rec);
	return r == JL_OK;
}

/* ---- the workspace ---- */

int jl_copy_place(struct jl_engine *e, const struct jl_purl *u, int dir_fd, const char *from, const struct jl_about *about,
		  bool stored, struct jl_err *err)
{
	struct stat st;
	/* First what is known, so that no content ever stands beside what is known of another; with the wrong content it counts
	 * for nothing. */
	int r = jl_about_write(dir_fd, ABOUT, about, err);
	if (r == JL_OK && (fchmodat(dir_fd, from, MODE, 0) != 0 || renameat(dir_fd, from, dir_fd, name_of(e, u)) != 0 ||
			   fstatat(dir_fd, name_of(e, u), &st, AT_SYMLINK_NOFOLLOW) != 0))
		r = jl_err_sys(err, errno, "cannot put \"%s\" in place", path_of(e, u));
	if (r != JL_OK)
		return r;
	jl_files_set(jl_engine_files(e), u->file, &st, &about->digest, false);
	if (stored)
		put_record(e, u, about);
	return JL_OK;
}

static bool is_planned(const void *ctx, const char *folder)
{
	const struct jl_engine *e = ctx;
	const size_t len = strlen(folder);
	for (uint32_t i = 0; i < e->p->plan.urls.len; i++) {
		const char *path = path_of(e, jl_plan_url(&e->p->plan, i)) + strlen(JL_URL_FOLDER "/");
		if (strncmp(path, folder, len) == 0 && path[len] == '/')
			return true;
	}
	return false;
}

void jl_copy_sweep(struct jl_engine *e)
{
	jl_file_sweep(&jl_io_system, open_folder(e, JL_URL_FOLDER), WEEK_S, is_planned, e);
}
