/* See index.h. Frames and head are little-endian; the head is written last, so that frames behind its `end` do not count:
 * a process that dies in between leaves nothing that matters. */
#include "store/index.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/frame.h"
#include "store/local.h"
#include "store/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MAX   (64u << 20)
#define PIECE       ((uint64_t)512 << 10)
#define SLACK       ((uint64_t)64 << 10)
#define TRIES       20
#define DAY_NS      (24 * 3600 * JL_NS_S)
/* Without locks: between the frame of a put and its rename. */
#define IN_FLIGHT_NS (10 * JL_NS_S)

static const char file_name[] = "index";

void jl_index_init(struct jl_index *x, struct jl_local *l)
{
	*x = (struct jl_index){.l = l, .fd = -1, .frames = JL_BUF_INIT};
	jl_catalog_init(&x->catalog);
}

static void forget(struct jl_index *x)
{
	jl_catalog_release(&x->catalog);
	jl_catalog_init(&x->catalog);
	x->loaded = false;
	x->at = JL_HEAD_LEN;
}

static void close_file(struct jl_index *x)
{
	if (x->fd >= 0)
		x->l->io->close(x->l->io, x->fd);
	x->fd = -1;
	x->locked = false;
}

void jl_index_release(struct jl_index *x)
{
	close_file(x);
	jl_catalog_release(&x->catalog);
	jl_buf_release(&x->frames);
}

/* --- head -------------------------------------------------------------------------------------------------------- */

static bool read_head(const struct jl_io *io, int fd, struct jl_index_head *ret)
{
	uint8_t data[JL_HEAD_LEN];
	size_t at = 0;

	while (at < JL_HEAD_LEN) {
		ssize_t n = io->pread(io, fd, data + at, JL_HEAD_LEN - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return jl_head_get(data, ret);
}

bool jl_index_peek(const struct jl_io *io, int root_fd, struct jl_index_head *ret)
{
	int fd = io->openat(io, root_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = read_head(io, fd, ret) && ret->generation != 0;
	io->close(io, fd);
	return ok;
}

static int write_at(const struct jl_io *io, int fd, const char *data, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = io->pwrite(io, fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		data += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_head(struct jl_index *x, int fd, const struct jl_index_head *h)
{
	struct jl_buf b = JL_BUF_INIT;
	int e;

	jl_head_put(&b, h);
	e = write_at(x->l->io, fd, b.data, b.len, 0);
	jl_buf_release(&b);
	return e;
}

/* --- frames ------------------------------------------------------------------------------------------------------ */

/* Frames from `at` on, `max` bytes at most but for the last one. JL_ECORRUPT: one of them does not check. */
static int read_frames(struct jl_index *x, uint64_t max, struct jl_err *err)
{
	const struct jl_io *io = x->l->io;
	const uint64_t stop = x->at + max < x->head.end ? x->at + max : x->head.end;
	struct jl_buf data = JL_BUF_INIT;
	size_t want = PIECE;
	int status = JL_OK;

	while (status == JL_OK && x->at < stop) {
		const uint64_t left = x->head.end - x->at;
		size_t used = 0;
		uint32_t n = 0;
		char *to;

		if (want > left)
			want = (size_t)left;
		jl_buf_clear(&data);
		if (jl_buf_reserve(&data, want, &to) != JL_OK)
			return jl_err_set(err, JL_ECORRUPT, "the index is damaged");
		while (data.len < want) {
			ssize_t got = io->pread(io, x->fd, to + data.len, want - data.len, (off_t)(x->at + data.len));

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				break;
			data.len += (size_t)got;
		}
		if (data.len < want)
			status = JL_ECORRUPT;
		while (status == JL_OK && used < data.len &&
		       (n = jl_frame_take(&x->catalog, (uint8_t *)data.data + used, data.len - used)) > 0)
			used += n;
		x->at += used;
		/* The piece ends within a frame, or begins with one that is longer. */
		if (status == JL_OK && used == 0) {
			if (want == left || want >= FRAME_MAX)
				status = JL_ECORRUPT;
			want *= 4;
		} else {
			want = PIECE;
		}
	}
	jl_buf_release(&data);
	return status == JL_OK ? JL_OK : jl_err_set(err, status, "the index is damaged");
}

/* --- the lock ---------------------------------------------------------------------------------------------------- */

static void lock(struct jl_index *x, short type)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	int r;

	if (x->no_lock)
		return;
	do
		r = x->l->io->lock(x->l->io, x->fd, F_OFD_SETLKW, &range);
	while (r < 0 && errno == EINTR);
	x->no_lock = r < 0 && type != F_UNLCK;
}

/* Is what we have open still the file of that name? */
static bool is_current(const struct jl_index *x)
{
	const struct jl_io *io = x->l->io;
	struct stat ours, named;

	return io->fstat(io, x->fd, &ours) == 0 &&
	       io->fstatat(io, x->l->root_fd, file_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* --- written anew ------------------------------------------------------------------------------------------------ */

static uint64_t random_generation(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return ((uint64_t)t.tv_sec << 30 ^ (uint64_t)t.tv_nsec ^ (uint64_t)getpid() << 44) | 1;
}

static int by_seq(const void *a, const void *b)
{
	const struct jl_object *const *x = a, *const *y = b;

	return ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

static void put_catalog(const struct jl_catalog *c, struct jl_buf *out)
{
	struct jl_table blobs = JL_TABLE_INIT(struct jl_digest), all = JL_TABLE_INIT(struct jl_object *);

	jl_table_reserve(&all, (uint32_t)c->items);
	for (uint32_t i = 0; i < c->objects.len; i++) {
		if (jl_catalog_at(c, i)->present)
			*(struct jl_object **)jl_table_add(&all, 1) = jl_catalog_at(c, i);
	}
	/* In the order of coming, so that ties stay what they were. */
	if (all.len)
		qsort(all.data, all.len, all.size, by_seq);
	for (uint32_t i = 0; i < all.len; i++) {
		const struct jl_object *o = *JL_AT(all, struct jl_object *, i);

		blobs.len = 0;
		for (uint32_t k = o->refs; k < o->refs + o->n_refs; k++)
			*(struct jl_digest *)jl_table_add(&blobs, 1) = jl_catalog_at(c, *JL_AT(c->refs, uint32_t, k))->digest;
		jl_frame_put(out, o->kind, &o->digest, o->form, o->blocks, o->used_ns, blobs.data, blobs.len);
	}
	jl_table_release(&blobs);
	jl_table_release(&all);
}

/* Within the lock of the present file: another one of the catalog takes its place, and is entered. */
static int replace(struct jl_index *x, struct jl_err *err)
{
	const struct jl_io *io = x->l->io;
	struct jl_index_head h = x->head, old = {.end = JL_HEAD_LEN};
	struct jl_buf b = JL_BUF_INIT, frames = JL_BUF_INIT;
	struct jl_err inner = JL_ERR_INIT;
	char temp[JL_LOCAL_TEMP];
	int fd = -1, status;

	frames.max = SIZE_MAX / 2;
	b.max = SIZE_MAX / 2;
	put_catalog(&x->catalog, &frames);
	h.generation = random_generation();
	h.end = h.written = JL_HEAD_LEN + frames.len;
	h.blocks = x->catalog.blocks;
	h.items = x->catalog.items;
	jl_head_put(&b, &h);
	jl_buf_add(&b, frames.data, frames.len);
	jl_buf_release(&frames);
	status = jl_local_temp_open(x->l, &fd, temp, err);
	if (status != JL_OK)
		goto out;
	if (jl_file_write_all(io, fd, b.data, b.len, &inner) != JL_OK) {
		jl_local_temp_drop(x->l, fd, temp);
		status = jl_local_put_error(x->l, inner.sys_errno, "the index", err);
		goto out;
	}
	/* First the old one is void, then it is replaced: who waits for its lock looks again. */
	(void)write_head(x, x->fd, &old);
	if (io->renameat(io, x->l->tmp_fd, temp, x->l->root_fd, file_name) < 0) {
		status = jl_local_put_error(x->l, errno, "the index", err);
		jl_local_temp_drop(x->l, fd, temp);
		goto out;
	}
	close_file(x);
	x->fd = fd;
	lock(x, F_WRLCK);
	x->locked = true;
	x->head = h;
	x->at = h.end;
	x->dirty = false;
out:
	jl_buf_release(&b);
	return status;
}

/* What is on its way: its frame is there, its file not yet. */
static void keep_in_flight(struct jl_index *x, const struct jl_catalog *old)
{
	const int64_t since = jl_local_real_ns(x->l) - IN_FLIGHT_NS;

	for (uint32_t i = 0; i < old->objects.len; i++) {
		const struct jl_object *o = jl_catalog_at(old, i);

		if (o->present && o->used_ns > since &&
		    jl_catalog_find(&x->catalog, (enum jl_object_kind)o->kind, &o->digest) == JL_NONE)
			jl_catalog_put(&x->catalog, (enum jl_object_kind)o->kind, &o->digest, o->form, o->blocks,
			               o->used_ns, NULL, 0);
	}
}

struct scan { /* into the index's catalog, which is empty at first */
	struct jl_index *x;
	uint64_t aside, sets;
	int64_t last_ns;
};

static void scanned(void *ctx, const struct jl_scan_file *f)
{
	struct scan *s = ctx;
	struct jl_catalog *c = &s->x->catalog;
	struct jl_table blobs = JL_TABLE_INIT(struct jl_digest);

	s->last_ns = f->mtime_ns > s->last_ns ? f->mtime_ns : s->last_ns;
	switch (f->what) {
	case JL_SCAN_RECORD:
		jl_scan_blobs(s->x->l, f, &blobs);
		jl_catalog_put(c, JL_OBJECT_RECORD, &f->digest, 0, jl_blocks(f->size), f->mtime_ns, blobs.data, blobs.len);
		break;
	case JL_SCAN_BLOB:
		jl_catalog_put(c, JL_OBJECT_BLOB, &f->digest, f->form, jl_blocks(f->size), f->mtime_ns, NULL, 0);
		break;
	case JL_SCAN_ASIDE: s->aside += jl_blocks(f->size); break;
	case JL_SCAN_SET: s->sets += jl_blocks(f->size); break;
	case JL_SCAN_OTHER: break;
	}
	jl_table_release(&blobs);
}

/* Within the lock of whatever file there is. */
static int rebuild(struct jl_index *x, struct jl_err *err)
{
	struct scan s = {.x = x};
	struct jl_catalog old;
	bool have_old = x->head.generation != 0 && read_head(x->l->io, x->fd, &x->head);
	int status;

	if (have_old) {
		if (!x->loaded)
			forget(x);
		(void)!read_frames(x, UINT64_MAX / 2, NULL); /* as far as it goes */
	} else {
		forget(x);
		x->head = (struct jl_index_head){0};
	}
	old = x->catalog;
	jl_map_init(&old.map, x->catalog.map.key_of, &old.objects);
	jl_map_release(&x->catalog.map);
	jl_catalog_init(&x->catalog);
	status = jl_scan(x->l, scanned, &s, err);
	x->head.aside = s.aside;
	x->head.sets = s.sets;
	x->head.last_ns = s.last_ns > x->head.last_ns ? s.last_ns : x->head.last_ns;
	if (have_old && !jl_index_is_exact(x))
		keep_in_flight(x, &old);
	jl_catalog_release(&old);
	x->loaded = true;
	if (status == JL_OK)
		status = replace(x, err);
	if (status != JL_OK)
		forget(x);
	return status;
}

/* The catalog follows only while it is whole; else it reads these frames with the others. */
static bool follows(const struct jl_index *x)
{
	return x->loaded && x->at == x->head.end;
}

/* --- in and out -------------------------------------------------------------------------------------------------- */

int jl_index_enter(struct jl_index *x, struct jl_err *err)
{
	const struct jl_io *io = x->l->io;
	const uint64_t generation = x->head.generation;
	int status = JL_OK;

	jl_buf_clear(&x->frames);
	x->dirty = false;
	for (int i = 0; i < TRIES; i++) {
		if (x->fd < 0)
			x->fd = io->openat(io, x->l->root_fd, file_name,
			                   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
		if (x->fd < 0)
			return jl_local_put_error(x->l, errno, "the index", err);
		lock(x, F_WRLCK);
		x->locked = true;
		if (read_head(io, x->fd, &x->head) && x->head.generation != 0) {
			if (x->head.generation != generation)
				forget(x);
			return JL_OK;
		}
		x->head = (struct jl_index_head){0};
		if (is_current(x)) {
			status = rebuild(x, err);
			if (status != JL_OK)
				close_file(x);
			return status;
		}
		close_file(x);
	}
	return jl_err_set(err, JL_EIO, "store \"%s\": the index is replaced again and again", x->l->dir);
}

int jl_index_flush(struct jl_index *x, struct jl_err *err)
{
	int e = 0;

	if (x->frames.len) {
		e = write_at(x->l->io, x->fd, x->frames.data, x->frames.len, x->head.end);
		if (follows(x))
			x->at += x->frames.len;
		x->head.end += x->frames.len;
		x->dirty = true;
	}
	if (!e && x->dirty)
		e = write_head(x, x->fd, &x->head);
	jl_buf_clear(&x->frames);
	x->dirty = false;
	if (!e)
		return JL_OK;
	forget(x); /* what it says of this is not so */
	return jl_local_put_error(x->l, e, "the index", err);
}

int jl_index_leave(struct jl_index *x, struct jl_err *err)
{
	int status = jl_index_flush(x, err);

	lock(x, F_UNLCK);
	x->locked = false;
	return status;
}

bool jl_index_is_exact(const struct jl_index *x)
{
	return !x->no_lock && !jl_local_is_remote(x->l);
}

int jl_index_enter_loaded(struct jl_index *x, struct jl_err *err)
{
	int status = jl_index_enter(x, err);

	if (status == JL_OK && x->head.end > x->at + PIECE) {
		status = jl_index_leave(x, err);
		jl_index_read_some(x, UINT64_MAX / 2);
		if (status == JL_OK)
			status = jl_index_enter(x, err);
	}
	return status == JL_OK ? jl_index_load(x, err) : status;
}

int jl_index_load(struct jl_index *x, struct jl_err *err)
{
	int status;

	if (!x->loaded && x->at < JL_HEAD_LEN)
		forget(x);
	/* Frames of our own that are not written yet are in the catalog only if it was loaded when they came. */
	jl_bug_if(x->frames.len > 0 && (!x->loaded || x->at != x->head.end));
	status = read_frames(x, UINT64_MAX / 2, err);
	if (status != JL_OK)
		return rebuild(x, err);
	x->loaded = true;
	if (x->head.blocks != x->catalog.blocks || x->head.items != x->catalog.items) {
		x->head.blocks = x->catalog.blocks;
		x->head.items = x->catalog.items;
		x->dirty = true;
	}
	return JL_OK;
}

void jl_index_read_some(struct jl_index *x, uint64_t max_bytes)
{
	if (x->fd < 0 || x->head.generation == 0)
		return;
	if (!x->loaded && x->at < JL_HEAD_LEN)
		forget(x);
	if (x->at < x->head.end && read_frames(x, max_bytes, NULL) != JL_OK)
		forget(x);
	else
		x->loaded = x->at == x->head.end;
}

void jl_index_used(struct jl_index *x, int64_t used_ns)
{
	const int64_t real_ns = jl_local_real_ns(x->l);

	if (used_ns <= x->head.last_ns)
		return;
	if (x->head.last_ns > 0 && real_ns > x->head.last_ns + DAY_NS)
		x->head.stepped_ns = real_ns;
	x->head.last_ns = used_ns;
	x->dirty = true;
}

void jl_index_put(struct jl_index *x, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form,
                  uint64_t blocks, int64_t used_ns, const struct jl_digest *blobs, uint32_t n_blobs)
{
	jl_frame_put(&x->frames, (uint8_t)kind, digest, form, blocks, used_ns, blobs, n_blobs);
	if (follows(x)) {
		jl_catalog_put(&x->catalog, kind, digest, form, blocks, used_ns, blobs, n_blobs);
		x->head.blocks = x->catalog.blocks;
		x->head.items = x->catalog.items;
	} else {
		x->head.blocks += blocks;
		x->head.items++;
	}
	jl_index_used(x, used_ns);
	x->dirty = true;
}

void jl_index_gone(struct jl_index *x, enum jl_object_kind kind, const struct jl_digest *digest, uint64_t blocks)
{
	jl_frame_put(&x->frames, (uint8_t)kind | JL_FRAME_GONE, digest, 0, 0, 0, NULL, 0);
	if (follows(x)) {
		uint32_t i = jl_catalog_find(&x->catalog, kind, digest);

		if (i != JL_NONE)
			jl_catalog_gone(&x->catalog, i);
		x->head.blocks = x->catalog.blocks;
		x->head.items = x->catalog.items;
	} else {
		x->head.blocks -= blocks < x->head.blocks ? blocks : x->head.blocks;
		x->head.items -= x->head.items > 0;
	}
	x->dirty = true;
}

static int leave_with(struct jl_index *x, int status, struct jl_err *err)
{
	int left = x->locked ? jl_index_leave(x, status == JL_OK ? err : NULL) : JL_OK;

	return status == JL_OK ? left : status;
}

int jl_index_rewrite(struct jl_index *x, bool always, struct jl_err *err)
{
	int status;

	/* At twice its size, so that over the years each frame is written twice or so. */
	if (!always && x->head.end < SLACK + 2 * x->head.written)
		return JL_OK;
	status = jl_index_enter_loaded(x, err);
	if (status == JL_OK && (always || x->head.end >= SLACK + 2 * x->head.written)) {
		/* Without locks writers may have lost each other's frames, which nothing else would tell. */
		status = x->no_lock ? rebuild(x, err) : replace(x, err);
		forget(x); /* read again when it is needed, without what has gone */
	}
	return leave_with(x, status, err);
}

int jl_index_rebuild(struct jl_index *x, struct jl_err *err)
{
	struct scan s = {.x = x};
	int status = jl_index_enter(x, err);
	struct jl_index_head was = x->head;

	if (status != JL_OK)
		return status;
	/* Without locks a scan cannot be brought up to what comes meanwhile. */
	if (!jl_index_is_exact(x))
		return leave_with(x, rebuild(x, err), err);
	status = leave_with(x, status, err);
	forget(x);
	if (status == JL_OK)
		status = jl_scan(x->l, scanned, &s, err);
	if (status == JL_OK)
		status = jl_index_enter(x, err);
	if (status != JL_OK) {
		forget(x);
		return status;
	}
	/* What changed since then stands behind what was the end; unless the file is another one. */
	if (x->head.generation != was.generation)
		return leave_with(x, rebuild(x, err), err);
	x->at = was.end;
	if (read_frames(x, UINT64_MAX / 2, NULL) != JL_OK)
		return leave_with(x, rebuild(x, err), err);
	x->loaded = true;
	x->head.aside = s.aside + (x->head.aside > was.aside ? x->head.aside - was.aside : 0);
	x->head.sets = s.sets + (x->head.sets > was.sets ? x->head.sets - was.sets : 0);
	x->head.last_ns = s.last_ns > x->head.last_ns ? s.last_ns : x->head.last_ns;
	return leave_with(x, replace(x, err), err);
}
