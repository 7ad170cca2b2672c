/* Blobs of the local store. See store.h for what is promised and local.h for how a file comes into place. */
#include "store/local.h"

#include "base/clock.h"
#include "base/file.h"
#include "codec/codec.h"
#include "store/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)
#define CHECKED_MAX 65536

/* In the order they are looked for. */
static const enum jl_codec_id forms[] = {JL_CODEC_RAW, JL_CODEC_ZSTD, JL_CODEC_GZIP};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* --- blobs already hashed ------------------------------------------------------------------------------------------
 *
 * A reflink copies no bytes, so checking it by a hash would cost what the reflink saves. A blob that this process has
 * hashed is trusted while its stat stays the same. Only a stamp a second old counts: a younger file could change again
 * without its stamp changing. */
struct checked {
	struct jl_digest digest;
	uint64_t dev, ino, size;
	struct timespec mtime, ctime;
};

static const char *checked_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *t = owner;

	*ret_len = sizeof(struct jl_digest);
	return (const char *)&JL_AT(*t, struct checked, index)->digest;
}

void jl_local_checked_init(struct jl_local *l)
{
	pthread_mutex_init(&l->checked_lock, NULL);
	l->checked = (struct jl_table)JL_TABLE_INIT(struct checked);
	jl_map_init(&l->checked_map, checked_key, &l->checked);
}

void jl_local_checked_release(struct jl_local *l)
{
	jl_map_release(&l->checked_map);
	jl_table_release(&l->checked);
	pthread_mutex_destroy(&l->checked_lock);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_checked(struct jl_local *l, const struct jl_digest *digest, const struct stat *st)
{
	bool same = false;
	uint32_t i;

	pthread_mutex_lock(&l->checked_lock);
	i = jl_map_get(&l->checked_map, (const char *)digest, sizeof(*digest));
	if (i != JL_NONE) {
		const struct checked *c = JL_AT(l->checked, struct checked, i);

		same = c->dev == st->st_dev && c->ino == st->st_ino && c->size == (uint64_t)st->st_size &&
		       same_time(&c->mtime, &st->st_mtim) && same_time(&c->ctime, &st->st_ctim);
	}
	pthread_mutex_unlock(&l->checked_lock);
	return same;
}

static void note_checked(struct jl_local *l, const struct jl_digest *digest, const struct stat *st)
{
	struct checked c = {.digest = *digest, .dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t)st->st_size,
	                    .mtime = st->st_mtim, .ctime = st->st_ctim};
	uint32_t i;

	if (jl_clock_coarse_ns() - ((int64_t)st->st_ctim.tv_sec * JL_NS_S + st->st_ctim.tv_nsec) < JL_NS_S)
		return;
	pthread_mutex_lock(&l->checked_lock);
	i = jl_map_get(&l->checked_map, (const char *)digest, sizeof(*digest));
	if (i != JL_NONE) {
		*JL_AT(l->checked, struct checked, i) = c;
	} else if (l->checked.len < CHECKED_MAX) {
		*(struct checked *)jl_table_add(&l->checked, 1) = c;
		jl_map_put(&l->checked_map, (const char *)digest, sizeof(*digest), l->checked.len - 1);
	}
	pthread_mutex_unlock(&l->checked_lock);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static bool is_miss(int sys_errno)
{
	return sys_errno == ENOENT || sys_errno == ESTALE || sys_errno == ENOTDIR;
}

static int miss(const struct jl_digest *digest, struct jl_err *err)
{
	char hex[JL_DIGEST_TEXT];

	return jl_err_set(err, JL_ENOTFOUND, "no blob %s in the store", jl_digest_hex(digest, hex));
}

/* Where bytes go while they are hashed. */
struct sink {
	const struct jl_io *io;
	int fd;
	struct jl_hasher *hasher; /* NULL: only written */
	uint64_t size;
	int status; /* of a failed write */
};

static int sink_add(void *ctx, const void *data, size_t len, struct jl_err *err)
{
	struct sink *k = ctx;

	if (k->hasher)
		jl_hasher_add(k->hasher, data, len);
	k->size += len;
	k->status = jl_file_write_all(k->io, k->fd, data, len, err);
	return k->status;
}

/* Copy a bare blob: JL_ECORRUPT when it is longer than it should be. */
static int copy_raw(struct jl_local *l, int fd, uint64_t size, struct sink *to, struct jl_err *err)
{
	struct jl_ahead *ahead = size >= JL_AHEAD_MIN ? jl_ahead_new(l->io, fd, to->hasher) : NULL;
	const size_t room = size < PIECE ? (size_t)size + 1 : PIECE;
	struct jl_hasher *hasher = to->hasher;
	char *piece = ahead ? NULL : jl_alloc_pages(room);
	const char *data = piece;
	int status = JL_OK;

	if (ahead)
		to->hasher = NULL; /* it is done already */
	for (;;) {
		ssize_t n = ahead ? jl_ahead_next(ahead, &data) : l->io->read(l->io, fd, piece, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_miss(errno))
			status = JL_ENOTFOUND;
		else if (n < 0)
			status = jl_err_sys(err, errno, "store \"%s\": cannot read a blob", l->dir);
		else if ((uint64_t)n > size - to->size)
			status = JL_ECORRUPT;
		else if (n > 0)
			status = sink_add(to, data, (size_t)n, err);
		if (n <= 0 || status != JL_OK)
			break;
	}
	if (ahead)
		jl_ahead_free(ahead);
	to->hasher = hasher;
	free(piece);
	return status;
}

/* JL_OK: `dst_fd` is a checked clone. 1: not possible here, or not certain: copy. JL_ECORRUPT: the blob is damaged. */
static int clone_raw(struct jl_local *l, const struct jl_digest *digest, int fd, const struct stat *st, int dst_fd,
                     struct jl_err *err)
{
	struct jl_digest d;
	struct stat after;
	uint64_t size;
	int status;

	if (st->st_size == 0 || l->io->reflink(l->io, dst_fd, fd) < 0)
		return 1;
	if (is_checked(l, digest, st))
		return JL_OK;
	status = jl_digest_fd_as(digest->algo, l->io, fd, &d, &size, err);
	if (status != JL_OK)
		return status;
	if (size != (uint64_t)st->st_size || !jl_digest_equal(&d, digest))
		return JL_ECORRUPT;
	/* Nobody changed it between the clone and the hash? Another stamp need not mean so: a writer of the same blob that renames
	 * its own over this one changes the ctime, too. Then the bytes are copied and hashed on the way. */
	if (l->io->fstat(l->io, fd, &after) < 0)
		return jl_err_sys(err, errno, "store \"%s\": cannot read a blob", l->dir);
	if (!same_time(&after.st_mtim, &st->st_mtim) || !same_time(&after.st_ctim, &st->st_ctim))
		return 1;
	if (!jl_local_is_remote(l))
		note_checked(l, digest, st);
	return JL_OK;
}

static int read_form(struct jl_local *l, const struct jl_codec *codec, const struct jl_digest *digest, uint64_t size,
                     int fd, int dst_fd, struct jl_err *err)
{
	struct sink to = {.io = l->io, .fd = dst_fd};
	struct jl_digest d;
	struct stat st;
	int status;

	if (l->io->fstat(l->io, fd, &st) < 0) {
		if (is_miss(errno))
			return JL_ENOTFOUND;
		return jl_err_sys(err, errno, "store \"%s\": cannot read a blob", l->dir);
	}
	if (!S_ISREG(st.st_mode) || (codec->id == JL_CODEC_RAW && (uint64_t)st.st_size != size))
		return JL_ECORRUPT;
	if (codec->id == JL_CODEC_RAW) {
		status = clone_raw(l, digest, fd, &st, dst_fd, err);
		if (status != 1)
			return status;
	}
	to.hasher = jl_hasher_new_as(digest->algo);
	if (codec->id == JL_CODEC_RAW)
		status = copy_raw(l, fd, size, &to, err);
	else
		status = codec->unpack(l->io, fd, size, sink_add, &to, err);
	jl_hasher_end(to.hasher, &d);
	jl_hasher_free(to.hasher);
	if (to.status != JL_OK)
		return to.status; /* the reader's disk, not the blob */
	if (status == JL_OK && (to.size != size || !jl_digest_equal(&d, digest)))
		return JL_ECORRUPT;
	return status;
}

int jl_local_get_blob(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int dst_fd,
                      struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	const struct jl_codec *codec = NULL;
	char path[JL_LOCAL_PATH];
	int fd = -1, status;

	if (jl_recent_take(&l->recent, digest, size, l->io, dst_fd, &status, err)) {
		if (status != JL_OK)
			l->io->ftruncate(l->io, dst_fd, 0);
		return status;
	}
	for (size_t i = 0; i < FORMS && fd < 0 && l->cas_fd >= 0; i++) {
		codec = jl_codec_get(forms[i]);
		jl_local_path(digest, codec->suffix, path);
		fd = l->io->openat(l->io, l->cas_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
		if (fd < 0 && !is_miss(errno))
			return jl_err_sys(err, errno, "store \"%s\": cannot read blob %s", l->dir, path + 3);
	}
	if (fd < 0)
		return miss(digest, err);
	status = read_form(l, codec, digest, size, fd, dst_fd, err);
	/* A failed cut is not worth more than the failure itself: nobody may use dst_fd then. */
	if (status != JL_OK)
		l->io->ftruncate(l->io, dst_fd, 0);
	if (status == JL_ECORRUPT)
		jl_local_damaged(l, JL_OBJECT_BLOB, digest, (uint8_t)codec->id, fd);
	if (status == JL_ECORRUPT || status == JL_ENOTFOUND)
		status = miss(digest, err);
	l->io->close(l->io, fd);
	return status;
}

int jl_local_has_blob(struct jl_store *s, const struct jl_digest *digest, struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	char path[JL_LOCAL_PATH];
	struct stat st;

	for (size_t i = 0; i < FORMS && l->cas_fd >= 0; i++) {
		jl_local_path(digest, jl_codec_get(forms[i])->suffix, path);
		if (l->io->fstatat(l->io, l->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 1;
		if (!is_miss(errno))
			return jl_err_sys(err, errno, "store \"%s\": cannot look for blob %s", l->dir, path + 3);
	}
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* What is to be stored: a file or memory, seen through a struct jl_io of its own, whose read() hashes what goes by. So
 * a packer reads through the hash, and neither a file's place nor the difference between the two matters to it. */
struct source {
	struct jl_io io; /* read and pread only */
	const struct jl_io *real;
	int fd; /* -1: memory */
	const char *data;
	uint64_t len; /* of data */
	uint64_t at;
	struct jl_hasher *hasher;
};

static ssize_t source_pread(const struct jl_io *io, int fd, void *data, size_t len, off_t at)
{
	const struct source *src = io->ctx;

	(void)fd;
	if (src->fd >= 0)
		return src->real->pread(src->real, src->fd, data, len, at);
	if ((uint64_t)at >= src->len)
		return 0;
	if (len > src->len - (uint64_t)at)
		len = (size_t)(src->len - (uint64_t)at);
	memcpy(data, src->data + at, len);
	return (ssize_t)len;
}

static ssize_t source_read(const struct jl_io *io, int fd, void *data, size_t len)
{
	struct source *src = io->ctx;
	ssize_t n = source_pread(io, fd, data, len, (off_t)src->at);

	if (n > 0) {
		jl_hasher_add(src->hasher, data, (size_t)n);
		src->at += (uint64_t)n;
	}
	return n;
}

static void source_init(struct source *src, const struct jl_io *real, enum jl_digest_algo algo, int fd, const void *data,
                        size_t len)
{
	*src = (struct source){.real = real, .fd = fd, .data = data, .len = len};
	src->io.read = source_read;
	src->io.pread = source_pread;
	src->io.ctx = src;
	src->hasher = jl_hasher_new_as(algo);
}

static int write_raw(struct source *src, struct sink *to, struct jl_err *err)
{
	char *piece = NULL;
	int status = JL_OK;

	if (src->fd < 0) {
		jl_hasher_add(src->hasher, src->data, (size_t)src->len);
		src->at = src->len;
		return sink_add(to, src->data, (size_t)src->len, err);
	}
	piece = jl_alloc_pages(PIECE);
	while (status == JL_OK) {
		ssize_t n = source_read(&src->io, src->fd, piece, PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			status = jl_err_sys(err, errno, "cannot read what is to be stored");
		if (n <= 0)
			break;
		status = sink_add(to, piece, (size_t)n, err);
	}
	free(piece);
	return status;
}

/* Bring the bytes into the temporary; JL_ECHANGED if they are not those of the digest. `err` is not NULL. */
static int fill(struct jl_local *l, const struct jl_codec *codec, const struct jl_digest *digest, uint64_t size,
                struct source *src, int fd, uint64_t *ret_written, struct jl_err *err)
{
	struct sink to = {.io = l->io, .fd = fd};
	struct jl_digest d;
	int status;

	if (codec->id == JL_CODEC_RAW && src->fd >= 0 && size > 0 && l->io->reflink(l->io, fd, src->fd) == 0) {
		/* The clone is what is stored and nobody else knows of it: hash that, and the source may change. */
		status = jl_digest_fd_as(digest->algo, l->io, fd, &d, &src->at, err);
		to.size = src->at;
	} else {
		status = codec->id == JL_CODEC_RAW ? write_raw(src, &to, err)
		                                   : codec->pack(&src->io, src->fd, 0, sink_add, &to, err);
		jl_hasher_end(src->hasher, &d);
	}
	if (to.status != JL_OK)
		return jl_local_put_error(l, err->sys_errno, "a blob", err);
	if (status == JL_ENOTFOUND) /* for the caller that would be a miss */
		status = err->status = JL_EIO;
	if (status != JL_OK)
		return status;
	if (src->at != size || !jl_digest_equal(&d, digest))
		return jl_err_set(err, JL_ECHANGED, "the content changed while it was stored");
	*ret_written = to.size;
	return JL_OK;
}

/* Is the blob there, as far as its stat tells? What is of a wrong size goes out of the way. */
static int is_present(struct jl_local *l, const struct jl_digest *digest, uint64_t size, struct jl_err *err)
{
	char path[JL_LOCAL_PATH];
	struct stat st;

	for (size_t i = 0; i < FORMS; i++) {
		jl_local_path(digest, jl_codec_get(forms[i])->suffix, path);
		if (l->io->fstatat(l->io, l->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			bool fits = forms[i] == JL_CODEC_RAW ? (uint64_t)st.st_size == size : st.st_size > 0;

			if (S_ISREG(st.st_mode) && fits) {
				/* Whoever makes room meanwhile sees that it is wanted. */
				jl_local_want(l, path);
				return 1;
			}
			jl_local_damaged(l, JL_OBJECT_BLOB, digest, (uint8_t)forms[i], -1);
		} else if (!is_miss(errno)) {
			return jl_local_put_error(l, errno, path, err);
		}
	}
	return 0;
}

static int write_blob(struct jl_local *l, const struct jl_digest *digest, uint64_t size, struct source *src,
                      struct jl_err *err)
{
	const bool packs = !l->rules.bare && jl_codec_sample(&src->io, src->fd, size);
	const struct jl_codec *codec = jl_codec_get(packs ? JL_CODEC_ZSTD : JL_CODEC_RAW);
	struct jl_local_object o = {.kind = JL_OBJECT_BLOB, .digest = digest, .form = (uint8_t)codec->id};
	struct jl_err inner = JL_ERR_INIT;
	char temp[JL_LOCAL_TEMP];
	int fd = -1, status;

	/* What cannot fit is not even written. */
	if (!packs && l->rules.max_size && size > l->rules.max_size)
		return jl_local_too_large(l, err);
	src->at = 0;
	jl_hasher_reset(src->hasher);
	status = jl_local_temp_open(l, &fd, temp, err);
	if (status != JL_OK)
		return status;
	status = fill(l, codec, digest, size, src, fd, &o.bytes, &inner);
	if (status != JL_OK) {
		jl_local_temp_drop(l, fd, temp);
		if (err)
			*err = inner;
		return status;
	}
	status = jl_local_put_object(l, fd, temp, &o, err);
	if (status == JL_OK) {
		jl_store_count(&l->s.stats.blobs_put, 1);
		jl_store_count(&l->s.stats.bytes_put, o.bytes);
		if (src->fd < 0 && l->s.soon)
			jl_recent_put(&l->recent, digest, src->data, (size_t)src->len);
	}
	return status;
}

static int put(struct jl_local *l, const struct jl_digest *digest, uint64_t size, struct source *src,
               struct jl_err *err)
{
	struct jl_err inner = JL_ERR_INIT;
	int status = is_present(l, digest, size, err);

	if (status != 0)
		return status == 1 ? JL_OK : status;
	status = write_blob(l, digest, size, src, &inner);
	/* A full disk: once with less of what is older. */
	if (status == JL_ENOSPC && inner.sys_errno && jl_local_free_disk(l, size)) {
		jl_err_clear(&inner);
		status = write_blob(l, digest, size, src, &inner);
	}
	if (status < 0 && err)
		*err = inner;
	return status;
}

static int put_source(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int fd, const void *data,
                      struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	struct source src;
	int status;

	if (!jl_local_writable(l))
		return JL_OK;
	source_init(&src, l->io, digest->algo, fd, data, fd < 0 ? (size_t)size : 0);
	status = put(l, digest, size, &src, err);
	jl_hasher_free(src.hasher);
	return status == JL_LOCAL_READ_ONLY ? JL_OK : status;
}

int jl_local_put_blob(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int src_fd,
                      struct jl_err *err)
{
	return put_source(s, digest, size, src_fd, NULL, err);
}

int jl_local_put_bytes(struct jl_store *s, const struct jl_digest *digest, const void *data, size_t len,
                       struct jl_err *err)
{
	return put_source(s, digest, len, -1, data, err);
}
