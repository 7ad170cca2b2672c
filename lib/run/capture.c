/* See capture.h. */
#include "run/capture.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY ((size_t)1 << 20)
#define PIECE  ((size_t)64 << 10)
#define HEAD   5 /* bytes before a chunk's own */

int jl_capture_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("jl", MFD_CLOEXEC);
	return fd;
}

void jl_capture_init(struct jl_capture *c, const char *tmp_dir)
{
	*c = (struct jl_capture){
		.algo = JL_DIGEST_XXH3, .tmp_dir = tmp_dir, .buf = JL_BUF_INIT, .chunk = SIZE_MAX, .fd = -1, .err = JL_ERR_INIT};
}

void jl_capture_release(struct jl_capture *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->hasher)
		jl_hasher_free(c->hasher);
	jl_buf_release(&c->buf);
}

static int spill(struct jl_capture *c, struct jl_err *err)
{
	int r = JL_OK;
	if (c->fd < 0) {
		c->fd = jl_capture_file(c->tmp_dir);
		if (c->fd < 0)
			return jl_err_sys(err, errno, "no room for the output of the command");
		c->hasher = jl_hasher_new_as(c->algo);
	}
	if (!jl_file_has_room(c->fd))
		return jl_err_set(err, JL_ENOSPC, "no room for the output of the command: the disk is nearly full");
	r = jl_file_write_all(&jl_io_system, c->fd, c->buf.data, c->buf.len, err);
	jl_hasher_add(c->hasher, c->buf.data, c->buf.len);
	c->size += c->buf.len;
	jl_buf_clear(&c->buf);
	c->chunk = SIZE_MAX;
	return r;
}

void jl_capture_add(struct jl_capture *c, int stream, const void *data, size_t len)
{
	if (len == 0 || c->err.status != JL_OK)
		return;
	if (c->buf.len + len + HEAD > MEMORY && c->buf.len)
		c->err.status = spill(c, &c->err);
	if (c->chunk == SIZE_MAX || c->buf.data[c->chunk] != (char)stream) {
		c->chunk = c->buf.len;
		jl_buf_u8(&c->buf, (uint8_t)stream);
		jl_buf_bytes(&c->buf, data, len);
		return;
	}
	/* How the bytes were cut into reads is chance: one chunk for a run of one stream. */
	jl_buf_add(&c->buf, data, len);
	uint32_t sum = (uint32_t)(c->buf.len - c->chunk - HEAD);
	for (int i = 0; i < 4; i++)
		c->buf.data[c->chunk + 1 + (size_t)i] = (char)(sum >> (8 * i));
}

int jl_capture_end(struct jl_capture *c, struct jl_content *ret, struct jl_err *err)
{
	if (c->err.status == JL_OK && c->fd >= 0 && c->buf.len)
		c->err.status = spill(c, &c->err);
	if (c->err.status != JL_OK) {
		*err = c->err;
		return c->err.status;
	}
	*ret = (struct jl_content){.size = c->fd < 0 ? c->buf.len : c->size, .bytes = c->fd < 0 ? c->buf.data : NULL};
	if (c->fd < 0)
		jl_digest_bytes_as(c->algo, c->buf.data, c->buf.len, &ret->digest);
	else
		jl_hasher_end(c->hasher, &ret->digest);
	return JL_OK;
}

static void tell(struct jl_engine *e, const char *step, int stream, const void *data, size_t len)
{
	struct jl_event ev = {.type = JL_EVENT_STEP_OUTPUT,
			      .step = step,
			      .replayed = true,
			      .stream = stream,
			      .data = data,
			      .len = len};
	if (len > 0 && (stream == 1 || stream == 2))
		jl_engine_emit(e, &ev);
}

/* A log in a file, a piece at a time: a chunk may be larger than memory. */
static int tell_file(struct jl_engine *e, const char *step, int fd, uint64_t size, struct jl_err *err)
{
	char *piece = jl_alloc_pages(PIECE);
	int r = JL_OK;
	for (uint64_t at = 0; at < size && r == JL_OK;) {
		uint8_t head[HEAD];
		if (pread(fd, head, HEAD, (off_t)at) != HEAD) {
			r = jl_err_set(err, JL_ECORRUPT, "the stored output is damaged");
			break;
		}
		struct jl_cur cur = {head + 1, head + HEAD, 0};
		uint64_t left = jl_cur_u32(&cur);
		at += HEAD;
		while (left > 0 && r == JL_OK) {
			ssize_t n = pread(fd, piece, left < PIECE ? left : PIECE, (off_t)at);
			if (n <= 0) {
				r = jl_err_set(err, JL_ECORRUPT, "the stored output is damaged");
				break;
			}
			tell(e, step, head[0], piece, (size_t)n);
			at += (uint64_t)n;
			left -= (uint64_t)n;
		}
	}
	free(piece);
	return r;
}

int jl_capture_replay(struct jl_engine *e, const char *step, const struct jl_content *log, const char *tmp_dir,
		      struct jl_err *err)
{
	if (log->bytes || log->size == 0) {
		jl_joblog_show(e, step, log->bytes, log->size, true);
		return JL_OK;
	}
	struct jl_store *store = jl_engine_store(e);
	int fd = store ? jl_capture_file(tmp_dir) : -1;
	if (fd < 0)
		return jl_err_set(err, JL_EIO, "no room for the stored output");
	int r = store->ops->get_blob(store, &log->digest, log->size, fd, err);
	if (r == JL_OK)
		r = tell_file(e, step, fd, log->size, err);
	close(fd);
	return r;
}
