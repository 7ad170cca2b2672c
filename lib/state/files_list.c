/* Listings of folders, from the cache or read. */
#include "base/buf.h"
#include "state/files_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE (64 << 10)

bool jl_file_list_ok(const char *list, uint32_t len)
{
	const char *end = list + len;

	if (len && end[-1] != '\0')
		return false;
	while (list < end) {
		uint8_t kind = (uint8_t)*list++;

		/* The last byte is a NUL: a kind there fails this, and a name never runs over the end. */
		if (kind < JL_KIND_FILE || kind > JL_KIND_OTHER || !*list)
			return false;
		list += strlen(list) + 1;
	}
	return true;
}

static enum jl_kind kind_of(const struct jl_files *f, int fd, const struct dirent64 *d)
{
	struct jl_file e = {0};
	struct stat st;

	switch (d->d_type) {
	case DT_REG:
		return JL_KIND_FILE;
	case DT_DIR:
		return JL_KIND_DIR;
	case DT_LNK:
		return JL_KIND_LINK;
	case DT_UNKNOWN:
		/* Some file systems do not say. Gone meanwhile: absent, so left out. */
		if (f->io->fstatat(f->io, fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			e.stamp.mode = st.st_mode;
		return jl_file_kind(&e);
	default:
		return JL_KIND_OTHER;
	}
}

/* Append the folder's entries in the kernel's order. 0 or an errno; ELIMIT shows as EFBIG. */
static int read_entries(const struct jl_files *f, int fd, struct jl_buf *out)
{
	char *page = jl_alloc(READ_SIZE);
	ssize_t n;

	while ((n = getdents64(fd, page, READ_SIZE)) > 0) {
		for (ssize_t at = 0; at < n;) {
			struct dirent64 *d = (struct dirent64 *)(void *)(page + at);
			enum jl_kind kind;

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
				continue;
			kind = kind_of(f, fd, d);
			if (kind == JL_KIND_ABSENT)
				continue;
			if (jl_buf_char(out, (char)kind) != JL_OK || jl_buf_add(out, d->d_name, strlen(d->d_name) + 1) != JL_OK) {
				free(page);
				return EFBIG;
			}
		}
	}
	free(page);
	return n < 0 ? errno : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

/* Sort the entries by name into `out`. */
static void sort_entries(const struct jl_buf *in, struct jl_buf *out)
{
	const char *end = in->data + in->len, **names;
	size_t n = 0, i = 0;

	for (const char *p = in->data; p < end; p += strlen(p) + 1)
		n++;
	names = jl_alloc(n * sizeof(*names));
	for (const char *p = in->data; p < end; p += strlen(p) + 1)
		names[i++] = p;
	qsort(names, n, sizeof(*names), by_name);
	for (i = 0; i < n; i++)
		jl_buf_add(out, names[i], strlen(names[i]) + 1);
	free(names);
}

void jl_files_keep_list(struct jl_files *f, uint32_t id, const char *list, uint32_t len)
{
	struct jl_file *e = jl_file_at(f, id);

	/* The former one's room serves when it is enough; what is lost otherwise is regained at the next snapshot. */
	if (len > e->list_len) {
		e->list = f->lists.len;
		jl_table_add(&f->lists, len);
	}
	e->list_len = len;
	if (len)
		memcpy(JL_AT(f->lists, char, e->list), list, len);
}

static int no_folder(const struct jl_files *f, uint32_t id, struct jl_err *err)
{
	return jl_err_set(err, JL_ENOTFOUND, "\"%s\" is no folder", jl_files_path(f, id));
}

static int read_folder(struct jl_files *f, uint32_t id, struct jl_err *err)
{
	struct jl_file *e = jl_file_at(f, id);
	const char *path = jl_files_path(f, id);
	struct jl_buf raw = JL_BUF_INIT, sorted = JL_BUF_INIT;
	int64_t now = jl_files_now(f);
	struct jl_stamp stamp;
	struct stat st;
	bool same;
	int fd, r;

	fd = f->io->openat(f->io, f->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		e->flags &= ~(uint32_t)JL_FILE_SEEN;
		return no_folder(f, id, err);
	}
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot list \"%s\"", path);
	/* The stamp from before the reading: a change meanwhile leaves another one, so that the next look lists again. */
	if (f->io->fstat(f->io, fd, &st) < 0) {
		r = jl_err_sys(err, errno, "cannot list \"%s\"", path);
		goto out;
	}
	stamp = jl_stamp_of(&st);
	jl_file_took(e, &stamp);
	r = read_entries(f, fd, &raw);
	if (r) {
		r = jl_err_sys(err, r, "cannot list \"%s\"", path);
		goto out;
	}
	sort_entries(&raw, &sorted);
	same = sorted.len == e->list_len &&
	       (!e->list_len || memcmp(sorted.data, JL_AT(f->lists, char, e->list), sorted.len) == 0);
	if (!same)
		jl_files_keep_list(f, id, sorted.data, (uint32_t)sorted.len);
	jl_files_read_at(f, id, JL_FILE_LIST, same, now);
	r = JL_OK;
out:
	f->io->close(f->io, fd);
	jl_buf_release(&raw);
	jl_buf_release(&sorted);
	return r;
}

int jl_files_list(struct jl_files *f, uint32_t id, const char **ret, uint32_t *ret_len, struct jl_err *err)
{
	struct jl_file *e = jl_file_at(f, id);
	int r = jl_files_stat(f, id, err);

	if (r != JL_OK)
		return r;
	if (jl_file_kind(e) != JL_KIND_DIR)
		return no_folder(f, id, err);
	/* Bytes from the disk are checked before they are walked. */
	if (!(e->flags & JL_FILE_LIST) || (e->list_len && !jl_file_list_ok(JL_AT(f->lists, char, e->list), e->list_len))) {
		r = read_folder(f, id, err);
		if (r != JL_OK)
			return r;
	}
	*ret = e->list_len ? JL_AT(f->lists, char, e->list) : "";
	*ret_len = e->list_len;
	return JL_OK;
}
