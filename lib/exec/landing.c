/* Outputs that come from elsewhere: see landing.h. */
#include "exec/landing.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is declared ---- */

static bool declared(const struct jl_cargo *c, const struct jl_msg_out *o)
{
	if (o->declared >= c->n_outs)
		return false;
	const struct jl_cargo_out *out = &c->outs[o->declared];
	if (o->kind != JL_KIND_DIR && o->digest.algo != (c->algo ? c->algo : JL_DIGEST_XXH3))
		return false;
	for (uint32_t i = 0; i < c->n_outs; i++)
		if (c->outs[i].flags & JL_CARGO_EXCLUDE && jl_glob_match(c->outs[i].path, o->path))
			return false;
	for (uint32_t i = 0; i < c->n_ins; i++)
		if (strcmp(c->ins[i].path, o->path) == 0)
			return false;
	if (out->flags & JL_CARGO_EXCLUDE)
		return false;
	if (out->flags & JL_CARGO_GLOB)
		return o->kind != JL_KIND_DIR && jl_glob_match(out->path, o->path);
	if (out->flags & (JL_CARGO_FOLDER | JL_CARGO_ANY))
		return jl_path_inside(o->path, out->path);
	return strcmp(out->path, o->path) == 0;
}

/* ---- staging ---- */

/* A folder, opened beneath the root, made where it is missing. */
static int open_dir(const struct jl_landing *l, const char *path, size_t len, int *ret_fd, struct jl_err *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	char *dir = len ? jl_strndup(path, len) : jl_strdup(".");
	int r = JL_OK, above = -1, fd = jl_file_open_beneath(l->root_fd, dir, flags, 0);
	if (fd < 0 && errno == ENOENT && len) {
		size_t base = jl_path_base(path, len);
		r = open_dir(l, path, base ? base - 1 : 0, &above, err);
		if (r == JL_OK && mkdirat(above, dir + base, 0777) != 0 && errno != EEXIST)
			r = jl_err_sys(err, errno, "cannot make folder \"%s\"", dir);
		if (r == JL_OK)
			fd = jl_file_open_beneath(l->root_fd, dir, flags, 0);
	}
	if (r == JL_OK && fd < 0)
		r = jl_err_sys(err, errno, "cannot open folder \"%s\"", dir);
	if (above >= 0)
		close(above);
	free(dir);
	*ret_fd = fd;
	return r;
}

static int open_parent(const struct jl_landing *l, const char *path, int *ret_fd, struct jl_err *err)
{
	size_t base = jl_path_base(path, strlen(path));
	return open_dir(l, path, base ? base - 1 : 0, ret_fd, err);
}

static int stage(struct jl_landing *l, struct jl_landed *o, struct jl_err *err)
{
	char name[JL_FILE_TEMP_SIZE];
	size_t base = jl_path_base(o->path, strlen(o->path));
	int dir = -1, r = open_parent(l, o->path, &dir, err);
	if (r != JL_OK)
		return r;
	jl_file_temp_name(name, sizeof(name));
	o->fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o->fd < 0)
		r = jl_err_sys(err, errno, "cannot write output \"%s\"", o->path);
	else
		o->temp = jl_arena_printf(&l->arena, "%.*s%s", (int)base, o->path, name);
	close(dir);
	return r;
}

/* The content is there. */
static int staged(struct jl_landed *o, struct jl_err *err)
{
	int r = fchmod(o->fd, o->mode) == 0 ? JL_OK : jl_err_sys(err, errno, "cannot write output \"%s\"", o->path);
	close(o->fd);
	o->fd = -1;
	return r;
}

static int begin_file(struct jl_landing *l, const struct jl_cargo *c, const struct jl_msg_out *m, struct jl_landed *o,
		      struct jl_err *err)
{
	int r = stage(l, o, err);
	if (r != JL_OK)
		return r;
	if (m->bytes) {
		r = jl_file_write_all(&jl_io_system, o->fd, m->bytes, (size_t)m->size, err);
		return r == JL_OK ? staged(o, err) : r;
	}
	if (c->have && c->have(c->have_ctx, &m->digest, m->size, o->fd) == JL_OK)
		return staged(o, err);
	jl_receive_init(&o->rx, o->fd, o->size, 0);
	l->n_missing++;
	return JL_OK;
}

int jl_landing_begin(struct jl_landing *l, const struct jl_cargo *cargo, const struct jl_msg_ended *m, struct jl_err *err)
{
	int r = JL_OK;
	*l = (struct jl_landing){.root_fd = cargo->root_fd, .at = JL_TABLE_INIT(struct jl_landed), .arena = JL_ARENA_INIT};
	for (uint32_t i = 0; r == JL_OK && i < m->n_outs; i++) {
		const struct jl_msg_out *out = &m->outs[i];
		if (!declared(cargo, out))
			return jl_err_set(err, JL_EINVAL, "the agent sent \"%s\", which is no output of this step", out->path);
		struct jl_landed *o = jl_table_add(&l->at, 1);
		*o = (struct jl_landed){.path = jl_arena_strdup(&l->arena, out->path),
					.kind = out->kind,
					.mode = out->mode,
					.size = out->size,
					.digest = out->digest,
					.fd = -1};
		if (out->kind == JL_KIND_LINK)
			o->text = jl_arena_strdup(&l->arena, out->bytes);
		else if (out->kind == JL_KIND_FILE)
			r = begin_file(l, cargo, out, o, err);
	}
	return r;
}

void jl_landing_missing(const struct jl_landing *l, struct jl_table *wants)
{
	for (uint32_t i = 0; i < l->at.len; i++)
		if (JL_AT(l->at, struct jl_landed, i)->fd >= 0)
			*(struct jl_msg_want *)jl_table_add(wants, 1) = (struct jl_msg_want){.index = i};
}

int jl_landing_data(struct jl_landing *l, const struct jl_msg *m, uint64_t *ret_credit, struct jl_err *err)
{
	struct jl_landed *o = m->data.index < l->at.len ? JL_AT(l->at, struct jl_landed, m->data.index) : NULL;
	struct jl_digest is;
	uint64_t size;
	*ret_credit = 0;
	if (!o || o->fd < 0)
		return jl_err_set(err, JL_ECORRUPT, "the agent sent what was not asked for");
	int r = jl_receive_data(&o->rx, m, ret_credit, err);
	if (r != 1)
		return r < 0 ? jl_err_add(err, "output \"%s\"", o->path) : r;
	r = jl_digest_fd_as((enum jl_digest_algo)o->digest.algo, &jl_io_system, o->fd, &is, &size, err);
	if (r == JL_OK && !jl_digest_equal(&is, &o->digest))
		r = jl_err_set(err, JL_ECHANGED, "output \"%s\" changed while it was sent", o->path);
	if (r == JL_OK)
		r = staged(o, err);
	if (r != JL_OK)
		return r;
	l->n_missing--;
	return 1;
}

/* ---- putting in place ---- */

/* In place of a file or another link, as a file is. */
static int put_link(int dir, const char *name, const struct jl_landed *o, struct jl_err *err)
{
	char temp[JL_FILE_TEMP_SIZE];
	if (symlinkat(o->text, dir, name) == 0)
		return JL_OK;
	jl_file_temp_name(temp, sizeof(temp));
	if (errno != EEXIST || symlinkat(o->text, dir, temp) != 0)
		return jl_err_sys(err, errno, "cannot make link \"%s\"", o->path);
	if (renameat(dir, temp, dir, name) == 0)
		return JL_OK;
	int r = jl_err_sys(err, errno, "cannot put link \"%s\" in place", o->path);
	unlinkat(dir, temp, 0);
	return r;
}

static int put(struct jl_landing *l, struct jl_landed *o, struct jl_err *err)
{
	const char *name = o->path + jl_path_base(o->path, strlen(o->path));
	int dir = -1, r = open_parent(l, o->path, &dir, err);
	if (r != JL_OK)
		return r;
	if (o->kind == JL_KIND_DIR && mkdirat(dir, name, 0777) != 0 && errno != EEXIST)
		r = jl_err_sys(err, errno, "cannot make folder \"%s\"", o->path);
	if (o->kind == JL_KIND_LINK)
		r = put_link(dir, name, o, err);
	if (o->kind == JL_KIND_FILE) {
		if (renameat(dir, o->temp + jl_path_base(o->temp, strlen(o->temp)), dir, name) != 0)
			r = jl_err_sys(err, errno, "cannot put output \"%s\" in place", o->path);
		else
			o->temp = NULL;
	}
	close(dir);
	return r;
}

int jl_landing_commit(struct jl_landing *l, struct jl_err *err)
{
	int r = JL_OK;
	for (uint32_t i = 0; r == JL_OK && i < l->at.len; i++)
		r = put(l, JL_AT(l->at, struct jl_landed, i), err);
	for (uint32_t i = l->at.len; r == JL_OK && i-- > 0;) { /* a folder may become read-only only when it is full */
		const struct jl_landed *o = JL_AT(l->at, struct jl_landed, i);
		int fd = o->kind != JL_KIND_DIR ? -1
						: jl_file_open_beneath(l->root_fd, o->path,
								       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd >= 0 && fchmod(fd, o->mode) != 0)
			r = jl_err_sys(err, errno, "cannot set the mode of folder \"%s\"", o->path);
		if (fd >= 0)
			close(fd);
	}
	return r;
}

void jl_landing_release(struct jl_landing *l)
{
	for (uint32_t i = 0; i < l->at.len; i++) {
		struct jl_landed *o = JL_AT(l->at, struct jl_landed, i);
		if (o->fd >= 0)
			close(o->fd);
		if (!o->temp)
			continue;
		int dir = -1;
		if (open_parent(l, o->path, &dir, NULL) == JL_OK)
			unlinkat(dir, o->temp + jl_path_base(o->temp, strlen(o->temp)), 0);
		if (dir >= 0)
			close(dir);
	}
	jl_table_release(&l->at);
	jl_arena_release(&l->arena);
	*l = (struct jl_landing){.root_fd = -1, .at = JL_TABLE_INIT(struct jl_landed), .arena = JL_ARENA_INIT};
}
