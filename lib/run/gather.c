/* Output that waits: memory first, then one unlinked file for all. */
#include "run/gather.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ONE_MAX   ((size_t)1 << 20)
#define ALL_MAX   ((uint64_t)8 << 20)
#define KEEP_MAX  ((size_t)64 << 10) /* of a gather's memory for the next job */
#define READ_SIZE ((size_t)64 << 10)
#define LOOK_SIZE ((uint64_t)1 << 20) /* so much is written between two looks at the room there is */

void jl_spill_release(struct jl_spill *s)
{
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct jl_spill)JL_SPILL_INIT;
}

static int open_spill(struct jl_spill *s, struct jl_err *err)
{
	const char *dir = getenv("TMPDIR");
	char name[100];
	if (s->fd >= 0)
		return JL_OK;
	dir = dir && dir[0] == '/' ? dir : "/tmp";
	s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd < 0 &&
	    (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) { /* a file system without O_TMPFILE */
		int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		jl_file_temp_name(name, sizeof(name));
		s->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (s->fd >= 0)
			unlinkat(dir_fd, name, 0);
		if (dir_fd >= 0)
			close(dir_fd);
	}
	return s->fd < 0 ? jl_err_sys(err, errno, "cannot make a file for output in \"%s\"", dir) : JL_OK;
}

static int spill(struct jl_gather *g, struct jl_spill *s, const char *data, size_t len, struct jl_err *err)
{
	int r = len ? open_spill(s, err) : JL_OK;
	struct jl_extent *last = g->extents.len ? JL_AT(g->extents, struct jl_extent, g->extents.len - 1) : NULL;
	if (r != JL_OK || len == 0)
		return r;
	if (s->end + len > s->looked_at + LOOK_SIZE || s->end < s->looked_at) {
		if (!jl_file_has_room(s->fd))
			return jl_err_set(err, JL_ENOSPC, "the temporary files' disk ($TMPDIR) is nearly full");
		s->looked_at = s->end;
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(s->fd, data + done, len - done, (off_t)(s->end + done));
		if (n < 0 && errno != EINTR)
			return jl_err_sys(err, errno, "cannot keep output of a job in a temporary file ($TMPDIR)");
		done += n > 0 ? (size_t)n : 0;
	}
	if (last && last->at + last->len == s->end)
		last->len += len;
	else
		*(struct jl_extent *)jl_table_add(&g->extents, 1) = (struct jl_extent){s->end, len};
	s->end += len;
	s->stored += len;
	return JL_OK;
}

int jl_gather_park(struct jl_gather *g, struct jl_spill *s, struct jl_err *err)
{
	if (g->buf.len == 0 || s->in_memory <= ALL_MAX)
		return JL_OK;
	int r = spill(g, s, g->buf.data, g->buf.len, err);
	if (r == JL_OK) {
		s->in_memory -= g->buf.len;
		jl_buf_release(&g->buf);
	}
	return r;
}

int jl_gather_add(struct jl_gather *g, struct jl_spill *s, const void *data, size_t len, struct jl_err *err)
{
	if (g->buf.len + len <= ONE_MAX) {
		s->in_memory += len;
		jl_buf_add(&g->buf, data, len);
		return jl_gather_park(g, s, err);
	}
	int r = spill(g, s, g->buf.data, g->buf.len, err);
	if (r != JL_OK)
		return r;
	s->in_memory -= g->buf.len;
	jl_buf_clear(&g->buf);
	return spill(g, s, data, len, err);
}

/* What is left in the file is nobody's: start it anew, or give the part back. */
static void give_back(struct jl_spill *s, const struct jl_extent *x)
{
	s->stored -= x->len;
	if (s->stored == 0) {
		s->end = 0;
		(void)!ftruncate(s->fd, 0);
	} else {
		(void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)x->at, (off_t)x->len);
	}
}

int jl_gather_show(struct jl_gather *g, struct jl_spill *s, void (*show)(void *ctx, const void *data, size_t len),
		   void *ctx, struct jl_err *err)
{
	char *block = g->extents.len ? jl_alloc(READ_SIZE) : NULL;
	int r = JL_OK;
	for (uint32_t i = 0; i < g->extents.len && r == JL_OK; i++) {
		const struct jl_extent *x = JL_AT(g->extents, struct jl_extent, i);
		for (uint64_t done = 0; done < x->len && r == JL_OK;) {
			size_t want = x->len - done < READ_SIZE ? (size_t)(x->len - done) : READ_SIZE;
			ssize_t n = pread(s->fd, block, want, (off_t)(x->at + done));
			if (n > 0)
				show(ctx, block, (size_t)n);
			else if (n == 0 || errno != EINTR)
				r = jl_err_sys(err, n == 0 ? EIO : errno, "cannot read kept output back");
			done += n > 0 ? (size_t)n : 0;
		}
	}
	free(block);
	if (r == JL_OK && g->buf.len > 0)
		show(ctx, g->buf.data, g->buf.len);
	jl_gather_drop(g, s, 1);
	return r;
}

uint64_t jl_gather_spilled(const struct jl_gather *g)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < g->extents.len; i++)
		sum += JL_AT(g->extents, struct jl_extent, i)->len;
	return sum;
}

void jl_gather_drop(struct jl_gather *g, struct jl_spill *s, int keep)
{
	for (uint32_t i = 0; i < g->extents.len; i++)
		give_back(s, JL_AT(g->extents, struct jl_extent, i));
	g->extents.len = 0;
	s->in_memory -= g->buf.len;
	if (keep && g->buf.cap <= KEEP_MAX)
		jl_buf_clear(&g->buf);
	else
		jl_buf_release(&g->buf);
	if (!keep)
		jl_table_release(&g->extents);
}
