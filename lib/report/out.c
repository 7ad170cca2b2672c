/* Buffered writing to a descriptor. */
#include "report/out.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SPILL ((size_t)64 << 10)

static void write_all(struct jl_out *o, const char *data, size_t len)
{
	while (len && !o->sys_errno) {
		ssize_t n = write(o->fd, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = o->fd, .events = POLLOUT};

			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				o->sys_errno = errno;
		} else if (errno != EINTR) {
			o->sys_errno = errno;
		}
	}
}

void jl_out_flush(struct jl_out *o)
{
	write_all(o, o->buf.data, o->buf.len);
	jl_buf_clear(&o->buf);
}

void jl_out_spill(struct jl_out *o)
{
	if (o->buf.len >= SPILL)
		jl_out_flush(o);
}

void jl_out_add(struct jl_out *o, const void *data, size_t len)
{
	if (len >= SPILL) {
		jl_out_flush(o);
		write_all(o, data, len);
		return;
	}
	jl_buf_add(&o->buf, data, len);
	jl_out_spill(o);
}

void jl_out_printf(struct jl_out *o, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		jl_oom();
	jl_out_add(o, text, (size_t)len);
	free(text);
}

void jl_out_release(struct jl_out *o)
{
	jl_out_flush(o);
	jl_buf_release(&o->buf);
}
