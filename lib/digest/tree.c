/* Digests of folders and links. */
#include "digest/digest.h"

#include "base/buf.h"
#include "base/pool.h"
#include "base/table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void jl_tree_digest_init(struct jl_tree_digest *t, enum jl_digest_algo algo)
{
	t->hasher = jl_hasher_new_as(algo);
	t->last = NULL;
}

void jl_tree_digest_add(struct jl_tree_digest *t, enum jl_kind kind, bool executable, const char *path,
			const struct jl_digest *content)
{
	static const struct jl_digest none = {0};
	const struct jl_digest *d = kind == JL_KIND_DIR ? &none : content;
	struct jl_buf b = JL_BUF_INIT;

	jl_bug_if(t->last && strcmp(t->last, path) >= 0);
	jl_buf_u8(&b, (uint8_t)kind);
	jl_buf_u8(&b, executable);
	jl_buf_bytes(&b, path, strlen(path));
	jl_buf_u8(&b, d->algo);
	jl_buf_add(&b, d->b, jl_digest_len(d));
	jl_hasher_add(t->hasher, b.data, b.len);
	jl_buf_release(&b);
	free(t->last);
	t->last = jl_strdup(path);
}

void jl_tree_digest_end(struct jl_tree_digest *t, struct jl_digest *ret)
{
	jl_hasher_end(t->hasher, ret);
	jl_hasher_free(t->hasher);
	free(t->last);
	*t = (struct jl_tree_digest){0};
}

/* What stands below the root, in the order of the walk: the entries of a folder follow one another. */
struct entry {
	uint32_t path; /* in text; relative to the root */
	uint32_t name; /* in text: the last component of path */
	uint32_t dir;  /* entry of the folder it is in, JL_NONE for the root */
	uint8_t kind, executable;
	struct jl_digest content;
};

struct tree {
	const struct jl_io *io;
	int root_fd;
	const char *root; /* for messages */
	struct jl_table entries, text;
	atomic_bool failed;
	struct jl_err err; /* of the thread that set `failed` first */
};

static struct entry *entry_at(const struct tree *t, size_t i)
{
	return JL_AT(t->entries, struct entry, i);
}

static const char *path_of(const struct tree *t, uint32_t i)
{
	return i == JL_NONE ? "." : jl_text(&t->text, entry_at(t, i)->path);
}

static int open_dir(const struct tree *t, uint32_t dir, struct jl_err *err)
{
	int fd = t->io->openat(t->io, t->root_fd, path_of(t, dir), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

	if (fd < 0)
		jl_err_sys(err, errno, "cannot read folder \"%s/%s\"", t->root, path_of(t, dir));
	return fd;
}

static enum jl_kind kind_of(mode_t mode)
{
	return S_ISREG(mode)   ? JL_KIND_FILE
	       : S_ISDIR(mode) ? JL_KIND_DIR
	       : S_ISLNK(mode) ? JL_KIND_LINK
			       : JL_KIND_OTHER;
}

/* The text of the link `name`; PATH_MAX is the kernel's own bound for it. */
static int digest_link(int dirfd, const char *name, struct jl_digest *ret)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, text, sizeof(text));

	if (n < 0)
		return -1;
	jl_digest_bytes(text, (size_t)n, ret);
	return 0;
}

static struct entry *add_entry(struct tree *t, uint32_t dir, const char *name, enum jl_kind kind)
{
	struct entry *e = jl_table_add(&t->entries, 1);
	struct jl_buf path = JL_BUF_INIT;

	if (dir != JL_NONE)
		jl_buf_printf(&path, "%s/", path_of(t, dir));
	e->dir = dir;
	e->kind = (uint8_t)kind;
	e->name = t->text.len + (uint32_t)path.len;
	jl_buf_str(&path, name);
	e->path = jl_text_add(&t->text, path.data, path.len);
	jl_buf_release(&path);
	return e;
}

/* The kind by what readdir told, or by stat where the file system does not tell. */
static int kind_at(const struct tree *t, int fd, const struct dirent *d, enum jl_kind *ret)
{
	struct stat st;

	switch (d->d_type) {
	case DT_REG: *ret = JL_KIND_FILE; return 0;
	case DT_DIR: *ret = JL_KIND_DIR; return 0;
	case DT_LNK: *ret = JL_KIND_LINK; return 0;
	default: break;
	}
	if (t->io->fstatat(t->io, fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	*ret = kind_of(st.st_mode);
	return 0;
}

static int list_dir(struct tree *t, uint32_t dir, struct jl_err *err)
{
	int fd = open_dir(t, dir, err), r = JL_OK;
	DIR *list;

	if (fd < 0)
		return err ? err->status : JL_EIO;
	list = fdopendir(fd);
	if (!list) {
		r = jl_err_sys(err, errno, "cannot read folder \"%s/%s\"", t->root, path_of(t, dir));
		t->io->close(t->io, fd);
		return r;
	}
	while (r == JL_OK) {
		enum jl_kind kind = JL_KIND_ABSENT;
		struct entry *e;
		struct dirent *d;

		errno = 0;
		d = readdir(list);
		if (!d) {
			if (errno)
				r = jl_err_sys(err, errno, "cannot read folder \"%s/%s\"", t->root, path_of(t, dir));
			break;
		}
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (kind_at(t, fd, d, &kind) < 0) {
			r = jl_err_sys(err, errno, "cannot stat \"%s/%s/%s\"", t->root, path_of(t, dir), d->d_name);
			break;
		}
		e = add_entry(t, dir, d->d_name, kind);
		if (kind == JL_KIND_OTHER)
			r = jl_err_set(err, JL_EINVAL, "\"%s/%s\" is no file, folder or link", t->root,
				       jl_text(&t->text, e->path));
	}
	closedir(list);
	return r;
}

static int digest_entry(const struct tree *t, int dir_fd, struct entry *e, struct jl_err *err)
{
	const char *name = jl_text(&t->text, e->name), *path = jl_text(&t->text, e->path);
	struct stat st;
	uint64_t size;
	int fd, r = JL_OK;

	if (e->kind == JL_KIND_LINK && digest_link(dir_fd, name, &e->content) < 0)
		return jl_err_sys(err, errno, "cannot read link \"%s/%s\"", t->root, path);
	if (e->kind != JL_KIND_FILE)
		return JL_OK;
	/* O_NONBLOCK: a fifo that came in the file's place must not stop us. */
	fd = t->io->openat(t->io, dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || t->io->fstat(t->io, fd, &st) < 0)
		r = jl_err_sys(err, errno, "cannot read \"%s/%s\"", t->root, path);
	if (r == JL_OK) {
		e->executable = (st.st_mode & S_IXUSR) != 0;
		r = jl_digest_fd_stat(JL_DIGEST_XXH3, t->io, fd, &st, &e->content, &size, err);
		if (r != JL_OK)
			jl_err_add(err, "\"%s/%s\"", t->root, path);
	}
	if (fd >= 0)
		t->io->close(t->io, fd);
	return r;
}

/* On a thread: entries [from, to), each relative to the folder it is in, which is opened once. */
static void digest_range(void *ctx, size_t from, size_t to)
{
	struct tree *t = ctx;
	struct jl_err err = JL_ERR_INIT;
	uint32_t dir = JL_NONE;
	int dir_fd = -1, r = JL_OK;

	for (size_t i = from; i < to && r == JL_OK && !t->failed; i++) {
		struct entry *e = entry_at(t, i);

		if (dir_fd >= 0 && e->dir != dir) {
			t->io->close(t->io, dir_fd);
			dir_fd = -1;
		}
		if (dir_fd < 0)
			dir_fd = open_dir(t, e->dir, &err);
		dir = e->dir;
		r = dir_fd < 0 ? err.status : digest_entry(t, dir_fd, e, &err);
	}
	if (dir_fd >= 0)
		t->io->close(t->io, dir_fd);
	if (r != JL_OK && !atomic_exchange(&t->failed, true))
		t->err = err;
}

static int by_path(const void *a, const void *b, void *ctx)
{
	const struct tree *t = ctx;

	return strcmp(path_of(t, *(const uint32_t *)a), path_of(t, *(const uint32_t *)b));
}

/* The entries' digests are there: the digest of the whole. */
static void digest_entries(struct tree *t, struct jl_digest *ret)
{
	uint32_t *order = jl_calloc(t->entries.len, sizeof(*order));
	struct jl_tree_digest td;

	for (uint32_t i = 0; i < t->entries.len; i++)
		order[i] = i;
	qsort_r(order, t->entries.len, sizeof(*order), by_path, t);
	jl_tree_digest_init(&td, JL_DIGEST_XXH3);
	for (uint32_t i = 0; i < t->entries.len; i++) {
		const struct entry *e = entry_at(t, order[i]);

		jl_tree_digest_add(&td, (enum jl_kind)e->kind, e->executable, jl_text(&t->text, e->path), &e->content);
	}
	jl_tree_digest_end(&td, ret);
	free(order);
}

static int digest_dir(const struct jl_io *io, int dirfd, const char *path, unsigned threads, struct jl_digest *ret,
		      struct jl_err *err)
{
	struct tree t = {
		.io = io,
		.root = path,
		.entries = JL_TABLE_INIT(struct entry),
		.text = JL_TABLE_INIT(char),
	};
	int r;

	t.root_fd = io->openat(io, dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (t.root_fd < 0)
		return jl_err_sys(err, errno, "cannot read folder \"%s\"", path);
	r = list_dir(&t, JL_NONE, err);
	for (uint32_t i = 0; i < t.entries.len && r == JL_OK; i++) {
		if (entry_at(&t, i)->kind == JL_KIND_DIR)
			r = list_dir(&t, i, err);
	}
	if (r != JL_OK)
		goto out;
	jl_pool_each(threads, t.entries.len, digest_range, &t);
	if (t.failed) {
		r = t.err.status;
		if (err)
			*err = t.err;
		goto out;
	}
	digest_entries(&t, ret);
out:
	io->close(io, t.root_fd);
	jl_table_release(&t.entries);
	jl_table_release(&t.text);
	return r;
}

static int digest_file(const struct jl_io *io, int dirfd, const char *path, struct jl_digest *ret, struct jl_err *err)
{
	uint64_t size;
	int fd, r;

	fd = io->openat(io, dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot read \"%s\"", path);
	r = jl_digest_fd(io, fd, ret, &size, err);
	if (r != JL_OK)
		jl_err_add(err, "\"%s\"", path);
	io->close(io, fd);
	return r;
}

int jl_digest_path(const struct jl_io *io, int dirfd, const char *path, unsigned threads, enum jl_kind *ret_kind,
		   struct jl_digest *ret, struct jl_err *err)
{
	struct stat st;
	int r = JL_OK;

	if (io->fstatat(io, dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return jl_err_sys(err, errno, "cannot read \"%s\"", path);
	switch (kind_of(st.st_mode)) {
	case JL_KIND_FILE: r = digest_file(io, dirfd, path, ret, err); break;
	case JL_KIND_DIR: r = digest_dir(io, dirfd, path, threads, ret, err); break;
	case JL_KIND_LINK:
		if (digest_link(dirfd, path, ret) < 0)
			r = jl_err_sys(err, errno, "cannot read link \"%s\"", path);
		break;
	default: r = jl_err_set(err, JL_EINVAL, "\"%s\" is no file, folder or link", path);
	}
	if (r == JL_OK)
		*ret_kind = kind_of(st.st_mode);
	return r;
}
