/* Reading and writing the snapshot file. */
#include "state/snapshot.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/pool.h"
#include "state/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAGIC "jlstate\n"
#define MAX_TABLES 256
#define PIECE ((uint64_t)256 << 10)
#define THREADS_FROM 16 /* pieces: fewer are not worth a thread */
#define HUGE ((uintptr_t)2 << 20)

struct head {
	struct jl_format format;
	uint64_t generation;
	uint32_t n, zero;
};

struct entry {
	char tag[4];
	uint32_t size, count, zero;
	uint64_t sum;
};

struct piece {
	char *data;
	uint64_t len;
	int64_t at; /* in the file; -1: it is in memory */
	uint64_t sum;
};

struct pieces {
	const struct jl_io *io;
	int fd;
	struct piece *p;
	uint32_t n, cap;
	atomic_bool failed;
};

static void add_pieces(struct pieces *ps, char *data, uint64_t len, int64_t at)
{
	for (uint64_t from = 0; from < len; from += PIECE) {
		if (ps->n == ps->cap) {
			ps->cap = ps->cap ? ps->cap * 2 : 64;
			ps->p = jl_realloc(ps->p, ps->cap * sizeof(*ps->p));
		}
		ps->p[ps->n++] = (struct piece){
			.data = data + from,
			.len = len - from < PIECE ? len - from : PIECE,
			.at = at < 0 ? -1 : at + (int64_t)from,
		};
	}
}

static bool read_at(const struct jl_io *io, int fd, char *data, uint64_t len, int64_t at)
{
	while (len) {
		ssize_t n = io->pread(io, fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		at += n;
		len -= (uint64_t)n;
	}
	return true;
}

static void do_pieces(void *ctx, size_t from, size_t to)
{
	struct pieces *ps = ctx;

	for (size_t i = from; i < to && !ps->failed; i++) {
		struct piece *p = &ps->p[i];

		if (p->at >= 0 && !read_at(ps->io, ps->fd, p->data, p->len, p->at))
			ps->failed = true;
		else
			p->sum = jl_hash64(p->data, p->len);
	}
}

static void run_pieces(struct pieces *ps)
{
	jl_pool_each(ps->n < THREADS_FROM ? 1 : 2, ps->n, do_pieces, ps);
}

/* The sum of the table whose pieces begin at *at; steps over them. */
static uint64_t sum_of(const struct pieces *ps, uint32_t *at, uint64_t bytes)
{
	uint64_t n = (bytes + PIECE - 1) / PIECE, sum, *sums = jl_alloc(n * sizeof(*sums));

	for (uint64_t i = 0; i < n; i++)
		sums[i] = ps->p[(*at)++].sum;
	sum = jl_hash64(sums, n * sizeof(*sums));
	free(sums);
	return sum;
}

/* Room for the elements and a few more. Large tables in large pages: faulting in 45 MB by 4 KiB costs more than
 * reading it. */
static void make_room(struct jl_table *t, uint32_t count)
{
	uint64_t cap = (uint64_t)count + count / 64 + 16;
	uintptr_t from, to;

	if (!count)
		return;
	jl_table_reserve(t, cap < JL_NONE - 1 ? (uint32_t)cap : count);
	from = ((uintptr_t)t->data + HUGE - 1) & ~(HUGE - 1);
	to = ((uintptr_t)t->data + (uintptr_t)count * t->size) & ~(HUGE - 1);
	if (from < to) /* a hint: its failure costs time only */
		madvise((void *)from, to - from, MADV_HUGEPAGE);
	t->len = count;
}

static int damaged(struct jl_snapshot_info *info, struct jl_err *err, const char *why)
{
	info->why = why;
	return jl_err_set(err, JL_ECORRUPT, "%s", why);
}

/* Read and check all up to the tables' bytes. *ret: the entries, to be freed. */
static int read_head(const struct jl_io *io, int fd, uint64_t size, struct head *h, struct entry **ret,
                     struct jl_snapshot_info *info, struct jl_err *err)
{
	uint64_t sum, want, len;
	char *all;
	int r;

	*ret = NULL;
	if (size < sizeof(h->format) || !read_at(io, fd, (char *)h, sizeof(h->format), 0))
		return damaged(info, err, "it is damaged");
	switch (jl_format_check(&h->format, MAGIC)) {
	case JL_FORMAT_OURS:
		break;
	case JL_FORMAT_NEWER:
		return jl_err_set(err, JL_EUNSUPPORTED, "the workspace state was written by a newer version");
	case JL_FORMAT_OTHER:
		return damaged(info, err, "it is of another version or kind of machine");
	default:
		return damaged(info, err, "it is damaged");
	}
	if (size < sizeof(*h) || !read_at(io, fd, (char *)h, sizeof(*h), 0) || h->n > MAX_TABLES)
		return damaged(info, err, "it is damaged");
	len = sizeof(*h) + h->n * sizeof(struct entry);
	if (size < len + sizeof(sum))
		return damaged(info, err, "it is damaged");
	all = jl_alloc(len + sizeof(sum));
	r = JL_OK;
	if (read_at(io, fd, all, len + sizeof(sum), 0)) {
		memcpy(&sum, all + len, sizeof(sum));
		want = jl_hash64(all, len);
	} else {
		sum = 0;
		want = 1;
	}
	if (sum != want)
		r = damaged(info, err, "it is damaged");
	if (r == JL_OK) {
		memcpy(h, all, sizeof(*h));
		*ret = jl_alloc(h->n * sizeof(**ret));
		memcpy(*ret, all + sizeof(*h), h->n * sizeof(**ret));
	}
	free(all);
	return r;
}

static const struct entry *find_entry(const struct entry *entries, uint32_t n, const struct jl_snapshot_table *t)
{
	for (uint32_t i = 0; i < n; i++) {
		if (memcmp(entries[i].tag, t->tag, 4) == 0)
			return entries[i].size == t->table->size ? &entries[i] : NULL;
	}
	return NULL;
}

/* Where an entry's bytes begin. */
static uint64_t place_of(const struct head *h, const struct entry *entries, const struct entry *e)
{
	uint64_t at = sizeof(*h) + h->n * sizeof(*e) + sizeof(uint64_t);

	for (; entries < e; entries++)
		at += (uint64_t)entries->size * entries->count;
	return at;
}

/* Are the entries, the file's size and what is asked for in keeping? *ret_n: how many tables can be filled. */
static int check_entries(const struct head *h, const struct entry *entries, uint64_t size,
                         const struct jl_snapshot_table *tables, uint32_t n, uint32_t must, uint32_t *ret_n,
                         struct jl_snapshot_info *info, struct jl_err *err)
{
	uint64_t end = place_of(h, entries, entries);

	for (uint32_t i = 0; i < h->n; i++) {
		uint64_t bytes = (uint64_t)entries[i].size * entries[i].count;

		if (bytes > size - end || !entries[i].size || entries[i].count > JL_NONE - 1)
			return damaged(info, err, "it is damaged");
		end += bytes;
	}
	if (end != size)
		return damaged(info, err, "it is damaged");
	*ret_n = n;
	for (uint32_t i = 0; i < n; i++) {
		if (find_entry(entries, h->n, &tables[i]))
			continue;
		if (i < must)
			return damaged(info, err, "it is of another version or kind of machine");
		*ret_n = must;
	}
	return JL_OK;
}

static bool fill(const struct jl_io *io, int fd, const struct head *h, const struct entry *entries,
                 const struct jl_snapshot_table *tables, uint32_t n)
{
	struct pieces ps = {.io = io, .fd = fd};
	uint32_t at = 0;
	bool ok;

	for (uint32_t i = 0; i < n; i++) {
		const struct entry *e = find_entry(entries, h->n, &tables[i]);

		make_room(tables[i].table, e->count);
		add_pieces(&ps, tables[i].table->data, (uint64_t)e->size * e->count, (int64_t)place_of(h, entries, e));
	}
	run_pieces(&ps);
	ok = !ps.failed;
	for (uint32_t i = 0; ok && i < n; i++) {
		const struct entry *e = find_entry(entries, h->n, &tables[i]);

		ok = sum_of(&ps, &at, (uint64_t)e->size * e->count) == e->sum;
	}
	free(ps.p);
	return ok;
}

int jl_snapshot_read(const struct jl_io *io, int dirfd, const char *name, const struct jl_snapshot_table *tables,
                     uint32_t n, uint32_t must, struct jl_snapshot_info *info, struct jl_err *err)
{
	struct entry *entries = NULL;
	struct head h = {0};
	uint32_t n_fill = 0;
	struct stat st;
	int fd, r;

	*info = (struct jl_snapshot_info){0};
	fd = io->openat(io, dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT)
		return jl_err_set(err, JL_ENOTFOUND, "there is none");
	if (fd < 0)
		return damaged(info, err, "it cannot be read");
	if (io->fstat(io, fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		r = damaged(info, err, "it cannot be read");
		goto out;
	}
	r = read_head(io, fd, (uint64_t)st.st_size, &h, &entries, info, err);
	if (r == JL_OK)
		r = check_entries(&h, entries, (uint64_t)st.st_size, tables, n, must, &n_fill, info, err);
	if (r != JL_OK)
		goto out;
	if (!fill(io, fd, &h, entries, tables, n_fill)) {
		for (uint32_t i = 0; i < n_fill; i++)
			jl_table_release(tables[i].table);
		r = damaged(info, err, "it is damaged");
		goto out;
	}
	info->generation = h.generation;
	info->bytes = (uint64_t)st.st_size;
	info->all = n_fill == n;
out:
	io->close(io, fd);
	free(entries);
	return r;
}

/* Header and entries of what the tables hold now. */
static void make_head(struct jl_buf *out, const struct jl_snapshot_table *tables, uint32_t n, uint64_t generation)
{
	struct head h = {.format = jl_format_make(MAGIC), .generation = generation, .n = n};
	struct pieces ps = {.fd = -1};
	uint32_t at = 0;
	uint64_t sum;

	jl_bug_if(n > MAX_TABLES);
	for (uint32_t i = 0; i < n; i++)
		add_pieces(&ps, tables[i].table->data, (uint64_t)tables[i].table->size * tables[i].table->len, -1);
	run_pieces(&ps);
	jl_buf_add(out, &h, sizeof(h));
	for (uint32_t i = 0; i < n; i++) {
		const struct jl_table *t = tables[i].table;
		struct entry e = {.size = t->size, .count = t->len, .sum = sum_of(&ps, &at, (uint64_t)t->size * t->len)};

		memcpy(e.tag, tables[i].tag, sizeof(e.tag));
		jl_buf_add(out, &e, sizeof(e));
	}
	sum = jl_hash64(out->data, out->len);
	jl_buf_add(out, &sum, sizeof(sum));
	free(ps.p);
}

int jl_snapshot_write(const struct jl_io *io, int dirfd, const char *name, const struct jl_snapshot_table *tables,
                      uint32_t n, uint64_t generation, uint64_t *ret_bytes, struct jl_err *err)
{
	struct jl_buf head = JL_BUF_INIT;
	char temp[128];
	uint64_t bytes;
	int fd, r;

	jl_file_temp_name(temp, sizeof(temp));
	fd = io->openat(io, dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot write the workspace state");
	make_head(&head, tables, n, generation);
	bytes = head.len;
	r = jl_file_write_all(io, fd, head.data, head.len, err);
	jl_buf_release(&head);
	for (uint32_t i = 0; i < n && r == JL_OK; i++) {
		size_t len = (size_t)tables[i].table->size * tables[i].table->len;

		r = jl_file_write_all(io, fd, tables[i].table->data, len, err);
		bytes += len;
	}
	if (r != JL_OK)
		jl_err_add(err, "cannot write the workspace state");
	/* A network file system may report a full disk here only. */
	if (io->close(io, fd) < 0 && r == JL_OK)
		r = jl_err_sys(err, errno, "cannot write the workspace state");
	if (r == JL_OK && io->renameat(io, dirfd, temp, dirfd, name) < 0)
		r = jl_err_sys(err, errno, "cannot write the workspace state");
	if (r != JL_OK)
		io->unlinkat(io, dirfd, temp, 0);
	else
		*ret_bytes = bytes;
	return r;
}
