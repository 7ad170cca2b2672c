/* Sending results and files: see dump.h. */
#include "run/dump.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/path.h"
#include "memo/record.h"
#include "run/extract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

static const char *sent_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *t = owner;

	*ret_len = sizeof(struct jl_digest);
	return (const char *)JL_AT(*t, struct jl_digest, index);
}

void jl_dump_init(struct jl_dump *d, struct jl_store *store, struct jl_entries_out *out)
{
	*d = (struct jl_dump){.store = store, .out = out, .sent = JL_TABLE_INIT(struct jl_digest)};
	d->sent_map = jl_alloc(sizeof(*d->sent_map));
	jl_map_init(d->sent_map, sent_key, &d->sent);
}

void jl_dump_release(struct jl_dump *d)
{
	jl_map_release(d->sent_map);
	free(d->sent_map);
	jl_table_release(&d->sent);
}

/* Exactly `size` bytes from the start of fd. */
static int send_fd(struct jl_dump *d, int fd, uint64_t size, const char *path, struct jl_err *err)
{
	char *piece = jl_alloc_pages(PIECE);
	uint64_t at = 0;
	int r = JL_OK;

	while (r == JL_OK && at < size) {
		ssize_t n = pread(fd, piece, size - at < PIECE ? (size_t)(size - at) : PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = jl_err_sys(err, errno, "cannot read \"%s\"", path);
		else if (n == 0)
			r = jl_err_set(err, JL_ECHANGED, "\"%s\" became shorter while it was read", path);
		else
			r = jl_entries_data(d->out, piece, (size_t)n, err);
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	d->bytes += at;
	return r;
}

static int send_bytes(struct jl_dump *d, const char *path, int64_t mtime_s, const void *data, size_t len, struct jl_err *err)
{
	const struct jl_entry entry = {
		.kind = JL_ENTRY_FILE, .mode = 0600, .mtime_s = mtime_s, .size = len, .path = path, .target = ""};
	int r = jl_entries_begin(d->out, &entry, err);

	d->bytes += len;
	return r == JL_OK ? jl_entries_data(d->out, data, len, err) : r;
}

/* ---- results ---- */

static void name_of(const char *folder, const struct jl_digest *digest, char out[128])
{
	char hex[JL_DIGEST_TEXT];

	jl_digest_hex(digest, hex);
	snprintf(out, 128, JL_DUMP_FOLDER "%s/%.2s/%s", folder, hex, hex);
}

static int send_blob(struct jl_dump *d, const struct jl_content *c, int64_t mtime_s, struct jl_err *err)
{
	char path[128];
	struct jl_entry entry = {
		.kind = JL_ENTRY_FILE, .mode = 0600, .mtime_s = mtime_s, .size = c->size, .path = path, .target = ""};
	int fd, r;

	if (c->bytes || c->size == 0 ||
	    jl_map_get(d->sent_map, (const char *)&c->digest, sizeof(c->digest)) != JL_NONE)
		return JL_OK;
	*(struct jl_digest *)jl_table_add(&d->sent, 1) = c->digest;
	jl_map_put(d->sent_map, (const char *)&c->digest, sizeof(c->digest), d->sent.len - 1);
	fd = jl_file_nameless(getenv("TMPDIR")); /* a blob may be larger than memory */
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot make a temporary file");
	name_of("cas", &c->digest, path);
	r = d->store->ops->get_blob(d->store, &c->digest, c->size, fd, err);
	if (r == JL_OK)
		r = jl_entries_begin(d->out, &entry, err);
	if (r == JL_OK)
		r = send_fd(d, fd, c->size, path, err);
	close(fd);
	return r;
}

static int send_version(struct jl_dump *d, struct jl_err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "jl dump %d\n", JL_DUMP_VERSION);

	return d->records ? JL_OK : send_bytes(d, JL_DUMP_FOLDER "version", 0, text, (size_t)n, err);
}

int jl_dump_key(struct jl_dump *d, const struct jl_digest *key, struct jl_err *err)
{
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_record *rec = NULL;
	int64_t mtime_s = 0;
	char path[128];
	int r = d->store->ops->get_record(d->store, key, &bytes, err);

	if (r == JL_OK)
		r = jl_record_decode(bytes.data, bytes.len, &rec, err);
	if (r == JL_OK && !jl_digest_equal(&rec->key, key))
		r = jl_err_set(err, JL_ECORRUPT, "the record is of another key");
	if (r == JL_OK) {
		mtime_s = rec->created_ns / JL_NS_S;
		r = send_version(d, err);
	}
	for (uint32_t i = 0; r == JL_OK && i < rec->n_outputs; i++)
		if (rec->outputs[i].kind == JL_KIND_FILE)
			r = send_blob(d, &rec->outputs[i].content, mtime_s, err);
	if (r == JL_OK)
		r = send_blob(d, &rec->log, mtime_s, err);
	name_of("ac", key, path);
	if (r == JL_OK)
		r = send_bytes(d, path, mtime_s, bytes.data, bytes.len, err);
	if (r == JL_OK)
		d->records++;
	jl_record_free(rec);
	jl_buf_release(&bytes);
	return r;
}

/* ---- plain files ---- */

static int send_path(struct jl_dump *d, int dirfd, const char *name, const char *path, struct jl_err *err);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int send_names(struct jl_dump *d, int fd, char **names, uint32_t n, const char *path, struct jl_err *err)
{
	struct jl_buf below = JL_BUF_INIT;
	int r = JL_OK;

	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	for (uint32_t i = 0; i < n && r == JL_OK; i++) {
		jl_buf_clear(&below);
		jl_path_join(&below, path, names[i]);
		r = send_path(d, fd, names[i], below.data, err);
	}
	jl_buf_release(&below);
	return r;
}

/* Takes fd. */
static int send_folder(struct jl_dump *d, int fd, const char *path, struct jl_err *err)
{
	struct jl_table names = JL_TABLE_INIT(char *);
	DIR *dir = fdopendir(fd);
	int r = JL_OK;

	if (!dir) {
		close(fd);
		return jl_err_sys(err, errno, "cannot read folder \"%s\"", path);
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			*(char **)jl_table_add(&names, 1) = jl_strdup(e->d_name);
	r = send_names(d, fd, names.data, names.len, path, err);
	for (uint32_t i = 0; i < names.len; i++)
		free(*JL_AT(names, char *, i));
	jl_table_release(&names);
	closedir(dir);
	return r;
}

static int send_link(struct jl_dump *d, int dirfd, const char *name, struct jl_entry *entry, struct jl_err *err)
{
	char text[4096];
	ssize_t n = readlinkat(dirfd, name, text, sizeof(text) - 1);

	if (n < 0)
		return jl_err_sys(err, errno, "cannot read link \"%s\"", entry->path);
	text[n] = '\0';
	entry->kind = JL_ENTRY_LINK;
	entry->mode = 0777;
	entry->size = 0;
	entry->target = text;
	return jl_entries_begin(d->out, entry, err);
}

static int send_path(struct jl_dump *d, int dirfd, const char *name, const char *path, struct jl_err *err)
{
	struct jl_entry entry = {.path = path, .target = ""};
	struct stat st;
	int fd, r = JL_OK;

	if (strcmp(path, ".") != 0)
		r = jl_extract_check(path, err);
	if (r == JL_OK && jl_path_inside(path, ".jl-dump"))
		r = jl_err_set(err, JL_EINVAL, "\"%s\": that name is taken by the dump itself", path);
	if (r != JL_OK)
		return r;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if ((fd < 0 && errno != ELOOP) || (fd >= 0 && fstat(fd, &st) < 0) ||
	    (fd < 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0))
		r = jl_err_sys(err, errno, "cannot read \"%s\"", path);
	if (r != JL_OK) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	entry.mode = st.st_mode & 0777;
	entry.mtime_s = st.st_mtim.tv_sec;
	if (fd < 0) {
		d->files++;
		return send_link(d, dirfd, name, &entry, err);
	}
	if (S_ISDIR(st.st_mode)) {
		entry.kind = JL_ENTRY_DIR;
		r = strcmp(path, ".") == 0 ? JL_OK : jl_entries_begin(d->out, &entry, err);
		if (r == JL_OK)
			return send_folder(d, fd, path, err);
	} else if (S_ISREG(st.st_mode)) {
		d->files++;
		entry.kind = JL_ENTRY_FILE;
		entry.size = (uint64_t)st.st_size;
		r = jl_entries_begin(d->out, &entry, err);
		if (r == JL_OK)
			r = send_fd(d, fd, entry.size, path, err);
	} else {
		r = jl_err_set(err, JL_EINVAL, "\"%s\" is neither a file nor a folder nor a link", path);
	}
	close(fd);
	return r;
}

int jl_dump_path(struct jl_dump *d, const char *path, struct jl_err *err)
{
	struct jl_buf clean = JL_BUF_INIT;
	int r;

	jl_path_join(&clean, "", path);
	if (jl_path_escapes(clean.data))
		r = jl_err_set(err, JL_EINVAL, "\"%s\" is not in the current folder; -C DIR goes elsewhere", path);
	else
		r = send_path(d, AT_FDCWD, clean.data, clean.data, err);
	jl_buf_release(&clean);
	return r;
}
