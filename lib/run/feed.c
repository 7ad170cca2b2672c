/* See feed.h. */
#include "run/feed.h"

#include "base/file.h"
#include "run/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY    ((size_t)64 << 10)
#define PIECE     ((size_t)64 << 10)
#define NOTICE_MS 2000

static int spool(struct jl_feed *f, const char *tmp_dir, struct jl_err *err)
{
	f->fd = jl_capture_file(tmp_dir);
	if (f->fd < 0)
		return jl_err_sys(err, errno, "no room for standard input");
	f->kind = JL_FEED_SPOOL;
	return jl_file_write_all(&jl_io_system, f->fd, f->buf.data, f->buf.len, err);
}

static int take(struct jl_feed *f, const char *data, size_t len, const char *tmp_dir, struct jl_err *err)
{
	int r = JL_OK;
	if (f->kind == JL_FEED_MEMORY && f->buf.len + len > MEMORY)
		r = spool(f, tmp_dir, err);
	if (r == JL_OK && f->kind == JL_FEED_SPOOL)
		r = jl_file_write_all(&jl_io_system, f->fd, data, len, err);
	else if (r == JL_OK)
		jl_buf_add(&f->buf, data, len);
	return r;
}

static int read_stream(struct jl_feed *f, int fd, const char *tmp_dir, void (*waiting)(void *ctx), void *ctx,
		       struct jl_err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct jl_hasher *hasher = jl_hasher_new_as(f->algo);
	char *piece = jl_alloc_pages(PIECE);
	uint64_t size = 0;
	int r = JL_OK, timeout = waiting ? NOTICE_MS : -1;
	f->kind = JL_FEED_MEMORY;
	for (;;) {
		int ready = timeout >= 0 ? poll(&p, 1, timeout) : 1;
		if (ready == 0) {
			waiting(ctx);
			timeout = -1;
		}
		ssize_t n = read(fd, piece, PIECE);
		if (n < 0 && errno == EAGAIN)
			(void)!poll(&p, 1, -1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			r = jl_err_sys(err, errno, "cannot read standard input");
		if (n <= 0)
			break;
		timeout = -1; /* somebody writes: no need to say that we wait */
		size += (uint64_t)n;
		jl_hasher_add(hasher, piece, (size_t)n);
		r = take(f, piece, (size_t)n, tmp_dir, err);
		if (r != JL_OK)
			break;
	}
	if (size == 0)
		f->kind = JL_FEED_NONE;
	else
		jl_hasher_end(hasher, &f->digest);
	jl_hasher_free(hasher);
	free(piece);
	return r;
}

int jl_feed_read(struct jl_feed *f, enum jl_feed_mode mode, int fd, const char *tmp_dir, void (*waiting)(void *ctx),
		 void *ctx, struct jl_err *err)
{
	uint64_t size;
	int flags;
	if (mode == JL_FEED_NO || fstat(fd, &f->st) != 0)
		return JL_OK;
	bool file = S_ISREG(f->st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0;
	if (mode == JL_FEED_AUTO && !file && !S_ISFIFO(f->st.st_mode))
		return JL_OK;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
		return JL_OK;
	if (!file)
		return read_stream(f, fd, tmp_dir, waiting, ctx, err);
	int r = jl_digest_fd_stat(f->algo, &jl_io_system, fd, &f->st, &f->digest, &size, err);
	if (r == JL_OK && size == 0)
		f->digest = (struct jl_digest){0};
	if (r != JL_OK || size == 0)
		return r;
	f->kind = JL_FEED_FILE;
	f->fd = fd;
	return JL_OK;
}

/* What fits into a pipe is given as one, as it came. */
static int open_pipe(const struct jl_buf *b, int *ret)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	ssize_t n = write(fds[1], b->data, b->len);
	close(fds[1]);
	if (n != (ssize_t)b->len) {
		close(fds[0]);
		return -1;
	}
	*ret = fds[0];
	return 0;
}

int jl_feed_file(struct jl_feed *f, const char *tmp_dir, int *ret_fd, struct jl_err *err)
{
	int r = f->kind == JL_FEED_MEMORY ? spool(f, tmp_dir, err) : JL_OK;
	*ret_fd = r == JL_OK && f->kind != JL_FEED_NONE ? f->fd : -1;
	return r;
}

int jl_feed_open(struct jl_feed *f, const char *tmp_dir, int *ret_fd, struct jl_err *err)
{
	*ret_fd = -1;
	if (f->kind == JL_FEED_NONE || (f->kind == JL_FEED_MEMORY && open_pipe(&f->buf, ret_fd) == 0))
		return JL_OK;
	if (f->kind == JL_FEED_MEMORY) {
		int r = spool(f, tmp_dir, err);
		if (r != JL_OK)
			return r;
	}
	if (lseek(f->fd, 0, SEEK_SET) < 0)
		return jl_err_sys(err, errno, "cannot read standard input again");
	*ret_fd = f->fd;
	return JL_OK;
}

void jl_feed_close(struct jl_feed *f, int fd)
{
	if (fd >= 0 && fd != f->fd)
		close(fd);
}

bool jl_feed_same(const struct jl_feed *f)
{
	struct stat now;
	if (f->kind != JL_FEED_FILE)
		return true;
	return fstat(f->fd, &now) == 0 && now.st_size == f->st.st_size && now.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec;
}

void jl_feed_consumed(struct jl_feed *f)
{
	if (f->kind == JL_FEED_FILE)
		(void)!lseek(f->fd, 0, SEEK_END);
}

void jl_feed_release(struct jl_feed *f)
{
	if (f->kind == JL_FEED_SPOOL && f->fd >= 0)
		close(f->fd);
	jl_buf_release(&f->buf);
}
