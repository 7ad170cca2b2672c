/* Frames: see wire.h. */
#include "exec/wire.h"

#include <string.h>

#define MORE 1 /* the message goes on in the next frame */

static void put_head(struct jl_buf *out, uint8_t type, uint8_t flags, size_t len)
{
	jl_buf_u32(out, (uint32_t)len);
	jl_buf_u8(out, type);
	jl_buf_u8(out, flags);
	jl_buf_add(out, "\0", 2);
}

void jl_wire_head(struct jl_buf *out, uint8_t type, size_t len)
{
	jl_bug_if(len > JL_WIRE_MAX - JL_WIRE_HEAD);
	put_head(out, type, 0, len);
}

void jl_wire_put(struct jl_buf *out, uint8_t type, const void *data, size_t len)
{
	const char *at = data;
	const size_t most = JL_WIRE_MAX - JL_WIRE_HEAD;
	jl_bug_if(len > JL_MESSAGE_MAX);
	for (; len > most; at += most, len -= most) {
		put_head(out, type, MORE, most);
		jl_buf_add(out, at, most);
	}
	put_head(out, type, 0, len);
	jl_buf_add(out, at, len);
}

void jl_wire_in_init(struct jl_wire_in *f)
{
	*f = (struct jl_wire_in){.bytes = JL_BUF_INIT, .whole = JL_BUF_INIT};
}

void jl_wire_in_release(struct jl_wire_in *f)
{
	jl_buf_release(&f->bytes);
	jl_buf_release(&f->whole);
	f->at = 0;
}

void jl_wire_feed(struct jl_wire_in *f, const void *data, size_t len)
{
	if (f->at > 0) {
		memmove(f->bytes.data, f->bytes.data + f->at, f->bytes.len - f->at);
		jl_buf_truncate(&f->bytes, f->bytes.len - f->at);
		f->at = 0;
	}
	jl_buf_add(&f->bytes, data, len);
}

int jl_wire_next(struct jl_wire_in *f, uint8_t *ret_type, const void **ret_data, size_t *ret_len, struct jl_err *err)
{
	if (!f->more)
		jl_buf_clear(&f->whole);
	for (;;) {
		struct jl_cur c = {.at = (const uint8_t *)f->bytes.data + f->at,
				   .end = (const uint8_t *)f->bytes.data + f->bytes.len};
		if ((size_t)(c.end - c.at) < JL_WIRE_HEAD)
			return JL_ENOTFOUND;
		size_t len = jl_cur_u32(&c);
		uint8_t type = jl_cur_u8(&c), flags = jl_cur_u8(&c), zero = jl_cur_u8(&c) | jl_cur_u8(&c);
		if (len > JL_WIRE_MAX - JL_WIRE_HEAD || flags > MORE || zero || (f->more && type != f->type))
			return jl_err_set(err, JL_ECORRUPT, "what comes is no stream of frames");
		const uint8_t *data = jl_cur_take(&c, len);
		if (!data)
			return JL_ENOTFOUND;
		f->at += JL_WIRE_HEAD + len;
		if (f->whole.len + len > JL_MESSAGE_MAX)
			return jl_err_set(err, JL_ELIMIT, "a message is longer than %u bytes", JL_MESSAGE_MAX);
		if (!f->more && !flags) {
			*ret_data = data;
			*ret_len = len;
		} else {
			jl_buf_add(&f->whole, data, len);
			*ret_data = f->whole.data;
			*ret_len = f->whole.len;
		}
		f->more = flags & MORE;
		f->type = type;
		if (f->more)
			continue;
		*ret_type = type;
		return JL_OK;
	}
}
