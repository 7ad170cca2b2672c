/* Putting a stranger's files in place: see extract.h. */
#include "run/extract.h"

#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct item {
	const char *path, *target; /* target: of a link; else NULL */
	uint32_t mode;
	enum jl_kind kind;
	bool same;                 /* what lies there is the same already */
};

void jl_extract_init(struct jl_extract *x, int root_fd)
{
	*x = (struct jl_extract){
		.root_fd = root_fd, .stage_fd = -1, .arena = JL_ARENA_INIT, .at = JL_TABLE_INIT(struct item)};
}

void jl_extract_release(struct jl_extract *x)
{
	if (x->stage_fd >= 0) {
		close(x->stage_fd);
		(void)!jl_file_remove(&jl_io_system, x->root_fd, x->stage, NULL);
	}
	jl_table_release(&x->at);
	jl_arena_release(&x->arena);
}

static bool in_private_folder(const char *path)
{
	return jl_path_inside(path, ".jl") || jl_path_inside(path, ".git");
}

int jl_extract_check(const char *path, struct jl_err *err)
{
	struct jl_buf clean = JL_BUF_INIT;
	bool good;

	jl_path_join(&clean, "", path);
	good = strcmp(clean.data, path) == 0 && !jl_path_escapes(path) && strcmp(path, ".") != 0 && !in_private_folder(path);
	jl_buf_clear(&clean);
	jl_path_show(&clean, path, strlen(path));
	if (!good)
		jl_err_set(err, JL_EINVAL, "\"%s\" is no path for a file of ours", clean.data);
	jl_buf_release(&clean);
	return good ? JL_OK : JL_EINVAL;
}

static int add(struct jl_extract *x, const char *path, enum jl_kind kind, uint32_t mode, struct item **ret,
	       struct jl_err *err)
{
	int r = jl_extract_check(path, err);

	if (r == JL_OK && x->stage_fd < 0) {
		jl_file_temp_name(x->stage, sizeof(x->stage));
		if (mkdirat(x->root_fd, x->stage, 0700) < 0)
			return jl_err_sys(err, errno, "cannot make a folder here");
		x->stage_fd = openat(x->root_fd, x->stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (x->stage_fd < 0)
			return jl_err_sys(err, errno, "cannot open \"%s\"", x->stage);
	}
	if (r != JL_OK)
		return r;
	*ret = jl_table_add(&x->at, 1);
	**ret = (struct item){.path = jl_arena_strdup(&x->arena, path), .kind = kind, .mode = mode & 0777};
	return JL_OK;
}

static void name_of(uint32_t index, char name[16])
{
	snprintf(name, 16, "%u", index);
}

int jl_extract_dir(struct jl_extract *x, const char *path, uint32_t mode, struct jl_err *err)
{
	struct item *item;

	return add(x, path, JL_KIND_DIR, mode, &item, err);
}

int jl_extract_link(struct jl_extract *x, const char *path, const char *target, struct jl_err *err)
{
	struct item *item;
	char name[16];
	int r = add(x, path, JL_KIND_LINK, 0, &item, err);

	if (r != JL_OK)
		return r;
	item->target = jl_arena_strdup(&x->arena, target);
	name_of(x->at.len - 1, name);
	if (!jl_path_link_inward(path, target))
		r = jl_err_set(err, JL_EINVAL, "\"%s\" is a link out of its folder", path);
	else if (symlinkat(target, x->stage_fd, name) < 0)
		r = jl_err_sys(err, errno, "cannot make link \"%s\"", path);
	return r;
}

int jl_extract_file(struct jl_extract *x, const char *path, uint32_t mode, int *ret_fd, struct jl_err *err)
{
	struct item *item;
	char name[16];
	int r = add(x, path, JL_KIND_FILE, mode, &item, err);

	if (r != JL_OK)
		return r;
	name_of(x->at.len - 1, name);
	*ret_fd = openat(x->stage_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? jl_err_sys(err, errno, "cannot make \"%s\"", path) : JL_OK;
}

/* ---- what is in the way ---- */

static bool same_content(const struct jl_extract *x, const struct item *item, const char *name)
{
	int a = jl_file_open_beneath(x->root_fd, item->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	int b = openat(x->stage_fd, name, O_RDONLY | O_CLOEXEC);
	struct jl_digest da, db;
	struct stat sa, sb;
	uint64_t size;
	bool same = a >= 0 && b >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_size == sb.st_size &&
		    jl_digest_fd(&jl_io_system, a, &da, &size, NULL) == JL_OK &&
		    jl_digest_fd(&jl_io_system, b, &db, &size, NULL) == JL_OK && jl_digest_equal(&da, &db);

	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return same;
}

/* 1: in the way; 0: nothing there, or the same. */
static int in_the_way(struct jl_extract *x, uint32_t index, struct jl_err *err)
{
	struct item *item = JL_AT(x->at, struct item, index);
	char name[16], text[4096];
	struct stat st;
	int fd = jl_file_open_beneath(x->root_fd, item->path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	ssize_t n;
	bool there = fd >= 0 && fstat(fd, &st) == 0;

	if (fd < 0 && errno != ENOENT)
		return jl_err_sys(err, errno, "cannot put \"%s\" in place", item->path);
	n = fd >= 0 && there && S_ISLNK(st.st_mode) ? readlinkat(fd, "", text, sizeof(text) - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (!there)
		return 0;
	name_of(index, name);
	switch (item->kind) {
	case JL_KIND_DIR: item->same = S_ISDIR(st.st_mode); return !item->same;
	case JL_KIND_LINK:
		item->same = n >= 0 && (size_t)n == strlen(item->target) && memcmp(text, item->target, (size_t)n) == 0;
		return !item->same;
	default:
		if (!S_ISREG(st.st_mode) || !same_content(x, item, name))
			return 1;
		item->same = (st.st_mode & 0777) == item->mode;
		return 0;
	}
}

/* ---- in place ---- */

/* The folder that a path is in, made where it is missing. */
static int open_parent(const struct jl_extract *x, const char *path, int *ret_fd, struct jl_err *err)
{
	struct jl_buf dir = JL_BUF_INIT;
	size_t base = jl_path_base(path, strlen(path));
	int fd;

	jl_buf_add(&dir, base ? path : ".", base ? base - 1 : 1);
	fd = jl_file_open_beneath(x->root_fd, dir.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT && base) {
		int above = -1;

		if (open_parent(x, dir.data, &above, NULL) == JL_OK) {
			(void)!mkdirat(above, dir.data + jl_path_base(dir.data, dir.len), 0777);
			close(above);
		}
		fd = jl_file_open_beneath(x->root_fd, dir.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	}
	jl_buf_release(&dir);
	*ret_fd = fd;
	return fd < 0 ? jl_err_sys(err, errno, "cannot put \"%s\" in place", path) : JL_OK;
}

static int put(struct jl_extract *x, uint32_t index, struct jl_err *err)
{
	const struct item *item = JL_AT(x->at, struct item, index);
	const char *base = item->path + jl_path_base(item->path, strlen(item->path));
	char name[16];
	int dir = -1, r = open_parent(x, item->path, &dir, err);

	if (r != JL_OK)
		return r;
	name_of(index, name);
	if (item->kind == JL_KIND_DIR)
		r = mkdirat(dir, base, 0700) < 0 && errno != EEXIST ? -1 : 0;
	else if (item->kind == JL_KIND_FILE && fchmodat(x->stage_fd, name, item->mode, 0) < 0)
		r = -1;
	else
		r = renameat(x->stage_fd, name, dir, base);
	if (r < 0)
		r = jl_err_sys(err, errno, "cannot put \"%s\" in place", item->path);
	close(dir);
	return r;
}

/* From the last to the first, since a folder's mode may forbid what is done in it. */
static int set_folder_modes(struct jl_extract *x, struct jl_err *err)
{
	for (uint32_t i = x->at.len; i-- > 0;) {
		const struct item *item = JL_AT(x->at, struct item, i);
		int fd;

		if (item->kind != JL_KIND_DIR || item->same)
			continue;
		fd = jl_file_open_beneath(x->root_fd, item->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd < 0 || fchmod(fd, item->mode) < 0) {
			int e = errno;

			if (fd >= 0)
				close(fd);
			return jl_err_sys(err, e, "cannot set the mode of \"%s\"", item->path);
		}
		close(fd);
	}
	return JL_OK;
}

int jl_extract_look(struct jl_extract *x, struct jl_err *err)
{
	const char *first = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->at.len; i++) {
		int r = in_the_way(x, i, err);

		if (r < 0)
			return r;
		if (r > 0 && n++ == 0)
			first = JL_AT(x->at, struct item, i)->path;
	}
	return n == 0 ? JL_OK
		      : jl_err_set(err, JL_EBUSY, "\"%s\"%s in the way, with other content; --force replaces what is there",
				   first, n > 1 ? " and others are" : " is");
}

int jl_extract_commit(struct jl_extract *x, uint32_t *ret_n, struct jl_err *err)
{
	int r = JL_OK;

	*ret_n = 0;
	for (uint32_t i = 0; r == JL_OK && i < x->at.len; i++) {
		const struct item *item = JL_AT(x->at, struct item, i);

		if (item->same)
			continue;
		r = put(x, i, err);
		*ret_n += r == JL_OK && item->kind != JL_KIND_DIR;
	}
	return r == JL_OK ? set_folder_modes(x, err) : r;
}
