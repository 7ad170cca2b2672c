/* See serve.h. */
#include "store/serve.h"

#include "base/file.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ   ((size_t)256 << 10)
#define GATHER ((size_t)256 << 10)

int jl_serve_open(struct jl_serve *s, int in, int out, struct jl_talk *ret_hello, struct jl_err *err)
{
	int r;

	*s = (struct jl_serve){.in = in, .out = out, .got = JL_BUF_INIT, .sent = JL_BUF_INIT};
	r = jl_serve_next(s, true, ret_hello, err);
	if (r < 0)
		return r;
	if (r == 0 || ret_hello->type != JL_TALK_HELLO)
		return jl_err_set(err, JL_ECORRUPT, "this is a part of jl, which starts it");
	if (ret_hello->size < JL_TALK_VERSION)
		return jl_err_set(err, JL_EUNSUPPORTED, "jl is of another version");
	return JL_OK;
}

void jl_serve_release(struct jl_serve *s)
{
	jl_buf_release(&s->got);
	jl_buf_release(&s->sent);
}

/* More bytes, waiting for them or not. 1, 0 for none now or ever. */
static int read_more(struct jl_serve *s, bool wait, struct jl_err *err)
{
	struct pollfd p = {.fd = s->in, .events = POLLIN};
	ssize_t n;
	char *to;
	int r;

	if (s->ended)
		return 0;
	r = wait ? 1 : poll(&p, 1, 0);
	if (r <= 0)
		return r == 0 || errno == EINTR ? 0 : jl_err_sys(err, errno, "cannot wait for jl");
	if (s->at) {
		memmove(s->got.data, s->got.data + s->at, s->got.len - s->at);
		jl_buf_truncate(&s->got, s->got.len - s->at);
		s->at = 0;
	}
	r = jl_buf_reserve(&s->got, READ, &to);
	if (r != JL_OK)
		return jl_err_set(err, r, "a message is too long");
	do
		n = read(s->in, to, READ);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return jl_err_sys(err, errno, "cannot read from jl");
	s->ended = n == 0;
	s->got.len += (size_t)n;
	s->got.data[s->got.len] = '\0';
	return n > 0;
}

int jl_serve_next(struct jl_serve *s, bool wait, struct jl_talk *ret, struct jl_err *err)
{
	for (;;) {
		int64_t n = s->got.len > s->at ? jl_talk_take(s->got.data + s->at, s->got.len - s->at, ret) : 0;
		int r;

		if (n < 0)
			return jl_err_set(err, JL_ECORRUPT, "what came from jl is no message");
		if (n > 0) {
			s->at += (size_t)n;
			return 1;
		}
		r = wait ? jl_serve_flush(s) : JL_OK;
		if (r != JL_OK)
			return jl_err_set(err, r, "jl has gone");
		r = read_more(s, wait, err);
		if (r <= 0)
			return r;
	}
}

int jl_serve_flush(struct jl_serve *s)
{
	int r = s->sent.len ? jl_file_write_all(&jl_io_system, s->out, s->sent.data, s->sent.len, NULL) : JL_OK;

	jl_buf_clear(&s->sent);
	return r;
}

int jl_serve_send(struct jl_serve *s, const struct jl_talk *m)
{
	jl_talk_put(&s->sent, m);
	return s->sent.len < GATHER ? JL_OK : jl_serve_flush(s);
}

int jl_serve_welcome(struct jl_serve *s, const char *name, uint32_t abilities)
{
	return jl_serve_send(
		s, &(struct jl_talk){.type = JL_TALK_HELLO, .size = JL_TALK_VERSION, .count = abilities, .name = name});
}

int jl_serve_fail(struct jl_serve *s, uint32_t id, enum jl_talk_error kind, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = jl_serve_send(
		s,
		&(struct jl_talk){.type = JL_TALK_ERROR, .id = id, .count = kind, .data = text, .len = strlen(text)});
	return r == JL_OK && id == 0 ? jl_serve_flush(s) : r; /* the last word */
}
