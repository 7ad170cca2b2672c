/* Digests of what is there now, one or many at once, and the settling of those whose stamps were too new. */
#include "base/clock.h"
#include "base/pool.h"
#include "state/files_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3
#define BATCH 4096                        /* files hashed at once, which bounds the memory for results */
#define THREADS_FROM 64                   /* fewer files are not worth a thread ... */
#define THREADS_BYTES ((int64_t)1 << 20)  /* ... unless they are large */
#define SETTLE_BATCH 512
#define SETTLE_MAX_SIZE ((int64_t)64 << 20)
#define SETTLE_MAX_BYTES ((int64_t)256 << 20) /* of a batch */
#define SETTLE_THREADS 4
#define CLOCK_STEP_NS (4 * JL_NS_MS)

struct hashed {
	struct jl_stamp stamp;
	struct jl_digest digest;
	int status;
	int64_t now; /* file system's clock before the content was read */
	uint64_t bytes;
	uint32_t stats;
	bool as_before; /* the content is that of the entry's digest, which is of another algorithm */
};

static int cannot_read(struct jl_err *err, const char *path)
{
	return jl_err_sys(err, errno, "cannot read \"%s\"", path);
}

/* 1: digest and stamp belong together; 0: it moved meanwhile, look again; else an error. */
static int hash_file(struct jl_files *f, const char *path, const struct jl_file *e, struct hashed *h, struct jl_err *err)
{
	struct stat st;
	struct jl_stamp after;
	int fd, r;

	/* O_NONBLOCK: it may have become a fifo. */
	fd = f->io->openat(f->io, f->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO ? 0 : cannot_read(err, path);
	if (f->io->fstat(f->io, fd, &st) < 0) {
		r = cannot_read(err, path);
		goto out;
	}
	h->stamp = jl_stamp_of(&st);
	if (!S_ISREG(st.st_mode)) {
		r = 0;
		goto out;
	}
	r = jl_digest_fd_stat(f->algo, f->io, fd, &st, &h->digest, &h->bytes, err);
	if (r == JL_OK && e->flags & JL_FILE_MADE && e->digest.algo != JL_DIGEST_NONE && e->digest.algo != f->algo) {
		struct jl_digest old;
		uint64_t size;

		r = jl_digest_fd_stat(e->digest.algo, f->io, fd, &st, &old, &size, err);
		h->as_before = r == JL_OK && jl_digest_equal(&old, &e->digest);
	}
	if (r != JL_OK) {
		jl_err_add(err, "cannot read \"%s\"", path);
		goto out;
	}
	if (f->io->fstat(f->io, fd, &st) < 0) {
		r = cannot_read(err, path);
		goto out;
	}
	after = jl_stamp_of(&st);
	r = jl_stamp_equal(&after, &h->stamp);
out:
	f->io->close(f->io, fd);
	return r;
}

static int stat_again(struct jl_files *f, const char *path, struct jl_stamp *ret, struct hashed *h, struct jl_err *err)
{
	struct stat st;
	int r = f->io->fstatat(f->io, f->root_fd, path, &st, AT_SYMLINK_NOFOLLOW);

	h->stats++;
	if (r < 0 && errno != ENOENT && errno != ENOTDIR)
		return jl_err_sys(err, errno, "cannot look at \"%s\"", path);
	*ret = jl_stamp_of(r < 0 ? NULL : &st);
	return JL_OK;
}

static int hash_link(struct jl_files *f, const char *path, struct hashed *h, struct jl_err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(f->root_fd, path, text, sizeof(text));
	struct jl_stamp after;
	int r;

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EINVAL ? 0 : cannot_read(err, path);
	r = stat_again(f, path, &after, h, err);
	if (r != JL_OK)
		return r;
	jl_digest_bytes_as(f->algo, text, (size_t)n, &h->digest);
	return jl_stamp_equal(&after, &h->stamp);
}

/* Reads the entry and fills *h, no more: safe on several threads. */
static int hash_one(struct jl_files *f, uint32_t id, struct hashed *h, struct jl_err *err)
{
	const char *path = jl_files_path(f, id);
	struct jl_file look = {.stamp = jl_file_at(f, id)->stamp};
	int r;

	*h = (struct hashed){.stamp = look.stamp};
	for (int i = 0; i < TRIES; i++) {
		if (i) {
			r = stat_again(f, path, &look.stamp, h, err);
			if (r != JL_OK)
				return r;
			h->stamp = look.stamp;
		}
		h->now = jl_files_now(f);
		switch (jl_file_kind(&look)) {
		case JL_KIND_FILE:
			r = hash_file(f, path, jl_file_at(f, id), h, err);
			break;
		case JL_KIND_LINK:
			r = hash_link(f, path, h, err);
			break;
		default:
			h->digest = (struct jl_digest){0};
			r = 1;
			break;
		}
		if (r)
			return r < 0 ? r : JL_OK;
	}
	return jl_err_set(err, JL_ECHANGED, "\"%s\" changed each time while it was read", path);
}

static bool needs_hash(const struct jl_files *f, const struct jl_file *e)
{
	enum jl_kind kind = jl_file_kind(e);

	return (kind == JL_KIND_FILE || kind == JL_KIND_LINK) && (!(e->flags & JL_FILE_DIGEST) || e->digest.algo != f->algo);
}

static void take_hash(struct jl_files *f, uint32_t id, const struct hashed *h)
{
	struct jl_file *e = jl_file_at(f, id);
	bool same;

	f->stats += h->stats;
	if (h->status != JL_OK) {
		e->flags &= ~(uint32_t)JL_FILE_SEEN;
		return;
	}
	jl_file_took(e, &h->stamp);
	if (!needs_hash(f, e)) /* it is something else by now */
		return;
	f->hashes++;
	f->hashed_bytes += h->bytes;
	same = jl_digest_equal(&e->digest, &h->digest);
	if (!same && !h->as_before)
		e->flags &= ~(uint32_t)JL_FILE_MADE;
	e->digest = h->digest;
	jl_files_read_at(f, id, JL_FILE_DIGEST, same, h->now);
}

/* A file that went away is worth a note: what was stored of it must not be believed of the next one of that name. */
static void note_absent(struct jl_files *f, uint32_t id)
{
	struct jl_file *e = jl_file_at(f, id);

	if (!(e->flags & JL_FILE_CHANGED) || jl_file_kind(e) != JL_KIND_ABSENT)
		return;
	jl_files_dirty(f, id);
	e->flags &= ~(uint32_t)JL_FILE_CHANGED;
}

int jl_files_digest(struct jl_files *f, uint32_t id, struct jl_err *err)
{
	int r = jl_files_stat(f, id, err);

	if (r != JL_OK)
		return r;
	if (needs_hash(f, jl_file_at(f, id))) {
		struct hashed h;

		r = hash_one(f, id, &h, err);
		h.status = r;
		take_hash(f, id, &h);
	}
	note_absent(f, id);
	return r;
}

struct many {
	struct jl_files *f;
	const uint32_t *ids;
	struct hashed *out;
	pthread_mutex_t lock; /* over the two below */
	size_t first;         /* the error's place: the first one's is told, whatever order the threads work in */
	struct jl_err *err;
};

static void hash_some(void *ctx, size_t from, size_t to)
{
	struct many *m = ctx;

	for (size_t i = from; i < to; i++) {
		struct jl_err err = JL_ERR_INIT;

		int r = hash_one(m->f, m->ids[i], &m->out[i], &err);

		m->out[i].status = r;
		if (r == JL_OK)
			continue;
		pthread_mutex_lock(&m->lock);
		if (i < m->first) {
			m->first = i;
			if (m->err)
				*m->err = err;
		}
		pthread_mutex_unlock(&m->lock);
	}
}

/* Hash up to BATCH files that need it; the first one's status. */
static int hash_batch(struct jl_files *f, const uint32_t *ids, uint32_t n, unsigned threads, struct jl_err *err)
{
	struct many m = {.f = f, .ids = ids, .first = SIZE_MAX, .err = err};
	int64_t bytes = 0;
	int status = JL_OK;

	for (uint32_t i = 0; i < n && bytes < THREADS_BYTES; i++)
		bytes += jl_file_at(f, ids[i])->stamp.size;
	if (n < THREADS_FROM && bytes < THREADS_BYTES)
		threads = 1;
	jl_files_now(f); /* the first call is not for threads */
	m.out = jl_alloc((size_t)n * sizeof(*m.out));
	pthread_mutex_init(&m.lock, NULL);
	jl_pool_each(threads, n, hash_some, &m);
	pthread_mutex_destroy(&m.lock);
	for (uint32_t i = 0; i < n; i++) {
		if (m.out[i].status != JL_OK && status == JL_OK)
			status = m.out[i].status;
		take_hash(f, ids[i], &m.out[i]);
		note_absent(f, ids[i]);
	}
	free(m.out);
	return status;
}

int jl_files_digest_many(struct jl_files *f, const uint32_t *ids, uint32_t n, unsigned threads, struct jl_err *err)
{
	uint32_t *batch, len = 0;
	int status = JL_OK;

	jl_files_prefetch(f, ids, n, threads);
	batch = jl_alloc(BATCH * sizeof(*batch));
	for (uint32_t i = 0; i < n; i++) {
		struct jl_file *e = jl_file_at(f, ids[i]);
		int r = jl_files_stat(f, ids[i], status == JL_OK ? err : NULL);

		if (r != JL_OK && status == JL_OK)
			status = r;
		if (r == JL_OK && needs_hash(f, e) && !(e->flags & JL_FILE_PICKED)) {
			e->flags |= JL_FILE_PICKED;
			batch[len++] = ids[i];
		}
		note_absent(f, ids[i]);
		if (!len || (len < BATCH && i + 1 < n))
			continue;
		for (uint32_t k = 0; k < len; k++)
			jl_file_at(f, batch[k])->flags &= ~(uint32_t)JL_FILE_PICKED;
		r = hash_batch(f, batch, len, threads, status == JL_OK ? err : NULL);
		if (r != JL_OK && status == JL_OK)
			status = r;
		len = 0;
	}
	free(batch);
	return status;
}

/* Take the racy entries that are old enough now from the queue. 0 and *ret_wait_ns (0: the queue is empty) when none
 * is: the time until the youngest of those that will ever be. */
static uint32_t pick_ripe(struct jl_files *f, uint32_t *batch, int64_t *ret_wait_ns)
{
	int64_t now = jl_files_now(f), bytes = 0;
	uint32_t n = 0;

	*ret_wait_ns = 0;
	while (f->racy_head < f->racy.len && n < SETTLE_BATCH && bytes < SETTLE_MAX_BYTES) {
		uint32_t id = *JL_AT(f->racy, uint32_t, f->racy_head);
		struct jl_file *e = jl_file_at(f, id);
		int64_t ripe = jl_stamp_ripe_ns(&e->stamp);
		/* A clock that was set back must not hold up the rest: such a stamp stays racy, and so does a large file's. */
		bool never = ripe > now + 2 * JL_NS_S || e->stamp.size > SETTLE_MAX_SIZE;

		if (e->flags & JL_FILE_RACY && !(e->flags & JL_FILE_PICKED) && !never) {
			if (now <= ripe)
				break;
			e->flags |= JL_FILE_PICKED;
			bytes += e->stamp.size;
			batch[n++] = id;
		}
		f->racy_head++;
	}
	for (uint32_t i = 0; i < n; i++)
		jl_file_at(f, batch[i])->flags &= ~(uint32_t)JL_FILE_PICKED;
	if (f->racy_head == f->racy.len)
		f->racy_head = f->racy.len = 0;
	for (uint32_t i = f->racy_head; !n && i < f->racy.len; i++) {
		/* Past that point, not at it: stamps and clock go in the same steps, so both are often equal. */
		int64_t wait = jl_stamp_ripe_ns(&jl_file_at(f, *JL_AT(f->racy, uint32_t, i))->stamp) - now + 1;

		if (wait > *ret_wait_ns && wait <= 2 * JL_NS_S + 1)
			*ret_wait_ns = wait;
	}
	return n;
}

static void settle_batch(struct jl_files *f, const uint32_t *batch, uint32_t n)
{
	unsigned threads = n < THREADS_FROM ? 1 : jl_cpu_count();
	const char *list;
	uint32_t len;
	int r;

	for (uint32_t i = 0; i < n; i++)
		jl_file_at(f, batch[i])->flags &= ~(uint32_t)JL_FILE_SEEN;
	/* What cannot be read is left unseen: whoever asks for it next hears why. */
	r = jl_files_digest_many(f, batch, n, threads > SETTLE_THREADS ? SETTLE_THREADS : threads, NULL);
	for (uint32_t i = 0; i < n; i++) {
		if (jl_file_kind(jl_file_at(f, batch[i])) == JL_KIND_DIR)
			r = jl_files_list(f, batch[i], &list, &len, NULL);
	}
	(void)r;
}

void jl_files_settle(struct jl_files *f, int64_t wait_ns)
{
	int64_t end = jl_clock_system.now_ns(&jl_clock_system);
	uint32_t batch[SETTLE_BATCH], n;

	if (f->racy_head == f->racy.len)
		return;
	end = wait_ns > JL_FOREVER - end ? JL_FOREVER : end + wait_ns;
	for (;;) {
		int64_t wait, left;
		struct timespec ts;

		n = pick_ripe(f, batch, &wait);
		if (n)
			settle_batch(f, batch, n);
		if (!wait_ns)
			return;
		if (n)
			continue;
		left = end - jl_clock_system.now_ns(&jl_clock_system);
		if (!wait || left <= 0)
			return;
		/* Our clock goes in steps: it may say the needed time one step later only. */
		wait += CLOCK_STEP_NS;
		if (wait > left)
			wait = left;
		ts = (struct timespec){.tv_sec = wait / JL_NS_S, .tv_nsec = wait % JL_NS_S};
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	}
}
