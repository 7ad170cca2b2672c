/* See traffic.h. */
#include "store/traffic.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "remotes"
#define NUMBERS   9u
#define ENTRY     (4u + JL_TRAFFIC_NAME + NUMBERS * 8 + 8)
#define LONG      ((off_t)512 * ENTRY) /* entries are summed up by day then */
#define MOST      ((size_t)8 << 20)
#define KEPT      366u /* days */
#define DAY_NS    (24 * 3600 * JL_NS_S)

static uint64_t *number(struct jl_traffic *t, uint32_t i)
{
	uint64_t *const all[NUMBERS] = {&t->hits,	&t->misses,   &t->refused,   &t->failed,    &t->sent,
					&t->unsent, &t->bytes_in, &t->bytes_out, &t->waited_ms};

	return all[i];
}

static void add(struct jl_traffic *sum, struct jl_traffic *one)
{
	for (uint32_t i = 0; i < NUMBERS; i++)
		*number(sum, i) += *number(one, i);
	sum->day = one->day > sum->day ? one->day : sum->day;
}

static uint32_t today(void)
{
	return (uint32_t)(jl_clock_real_ns() / DAY_NS);
}

static void put(struct jl_buf *b, const struct jl_traffic *one)
{
	const size_t start = b->len;
	struct jl_traffic t = *one;
	char name[JL_TRAFFIC_NAME] = {0};

	memcpy(name, t.name, strnlen(t.name, sizeof(name)));
	jl_buf_u32(b, t.day ? t.day : today());
	jl_buf_add(b, name, sizeof(name));
	for (uint32_t i = 0; i < NUMBERS; i++)
		jl_buf_u64(b, *number(&t, i));
	jl_buf_u64(b, jl_hash64(b->data + start, b->len - start));
}

/* All entries that check. */
static int read_all(const struct jl_io *io, int dir_fd, struct jl_table *out, struct jl_err *err)
{
	struct jl_buf b;
	int status;

	jl_buf_init(&b, MOST);
	status = jl_file_read(io, dir_fd, FILE_NAME, &b, err);
	for (size_t at = 0; status == JL_OK && at + ENTRY <= b.len; at += ENTRY) {
		struct jl_cur c = {(uint8_t *)b.data + at, (uint8_t *)b.data + at + ENTRY, 0};
		struct jl_traffic t = {.day = jl_cur_u32(&c)};

		memcpy(t.name, jl_cur_take(&c, JL_TRAFFIC_NAME), JL_TRAFFIC_NAME);
		for (uint32_t i = 0; i < NUMBERS; i++)
			*number(&t, i) = jl_cur_u64(&c);
		if (jl_cur_u64(&c) == jl_hash64(b.data + at, ENTRY - 8))
			*(struct jl_traffic *)jl_table_add(out, 1) = t;
	}
	jl_buf_release(&b);
	return status == JL_ENOTFOUND || status == JL_ELIMIT ? JL_OK : status;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct jl_traffic *)a)->name, ((const struct jl_traffic *)b)->name);
}

static int by_day(const void *a, const void *b)
{
	const struct jl_traffic *x = a, *y = b;

	return x->day != y->day ? (x->day > y->day) - (x->day < y->day) : by_name(a, b);
}

/* Neighbours that are `same` become one. */
static void sum_up(struct jl_table *t, int (*same)(const void *a, const void *b))
{
	uint32_t n = 0;

	if (t->len)
		qsort(t->data, t->len, sizeof(struct jl_traffic), same);
	for (uint32_t i = 0; i < t->len; i++) {
		struct jl_traffic *one = JL_AT(*t, struct jl_traffic, i);
		struct jl_traffic *sum = n ? JL_AT(*t, struct jl_traffic, n - 1) : NULL;

		if (sum && (*same)(sum, one) == 0)
			add(sum, one);
		else
			*JL_AT(*t, struct jl_traffic, n++) = *one;
	}
	t->len = n;
}

/* The file has grown long: an entry a day and remote, of a year. What others add meanwhile is lost. */
static void trim(const struct jl_io *io, int dir_fd)
{
	struct jl_table all = JL_TABLE_INIT(struct jl_traffic);
	struct jl_buf b = JL_BUF_INIT;
	char path[4 + JL_FILE_TEMP_SIZE] = "tmp/";

	if (read_all(io, dir_fd, &all, NULL) != JL_OK)
		goto out;
	sum_up(&all, by_day);
	for (uint32_t i = 0; i < all.len; i++) {
		const struct jl_traffic *t = JL_AT(all, struct jl_traffic, i);

		if (t->day + KEPT > today() && b.len < MOST / 2)
			put(&b, t);
	}
	jl_file_temp_name(path + 4, sizeof(path) - 4);
	if (jl_file_write(io, dir_fd, path, b.data, b.len, 0600, false, NULL) == JL_OK &&
	    io->renameat(io, dir_fd, path, dir_fd, FILE_NAME) < 0)
		io->unlinkat(io, dir_fd, path, 0);
out:
	jl_buf_release(&b);
	jl_table_release(&all);
}

void jl_traffic_note(const struct jl_io *io, const char *dir, const struct jl_traffic *all, uint32_t n)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int dir_fd = n ? io->openat(io, AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0) : -1, fd;
	struct jl_buf b = JL_BUF_INIT;
	struct stat st;

	if (dir_fd < 0)
		return;
	/* Behind a piece of an entry, which a full disk left, none would be read. */
	if (io->fstatat(io, dir_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_size >= LONG || st.st_size % ENTRY))
		trim(io, dir_fd);
	for (uint32_t i = 0; i < n; i++)
		put(&b, &all[i]);
	fd = io->openat(io, dir_fd, FILE_NAME, flags, 0600);
	if (fd >= 0) {
		(void)io->write(io, fd, b.data, b.len);
		io->close(io, fd);
	}
	io->close(io, dir_fd);
	jl_buf_release(&b);
}

int jl_traffic_sums(const struct jl_io *io, const char *dir, struct jl_table *out, struct jl_err *err)
{
	int dir_fd = io->openat(io, AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0), status;

	if (dir_fd < 0)
		return JL_OK;
	status = read_all(io, dir_fd, out, err);
	sum_up(out, by_name);
	io->close(io, dir_fd);
	return status;
}
