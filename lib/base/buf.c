/* A growing byte string with a cap, and the cursor that reads one. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char jl_buf_empty[1] = "";

void jl_buf_init(struct jl_buf *b, size_t max)
{
	*b = (struct jl_buf){.data = jl_buf_empty, .max = max};
}

void jl_buf_release(struct jl_buf *b)
{
	if (b->cap)
		free(b->data);
	jl_buf_init(b, b->max);
}

void jl_buf_clear(struct jl_buf *b)
{
	jl_buf_truncate(b, 0);
}

/* Make cap hold len + extra and the NUL. */
static int grow(struct jl_buf *b, size_t extra)
{
	size_t need, cap;

	if (b->len > b->max || extra > b->max - b->len || b->max - b->len == SIZE_MAX)
		return JL_ELIMIT;
	need = b->len + extra + 1;
	if (need <= b->cap)
		return JL_OK;
	cap = b->cap < 32 ? 64 : b->cap < SIZE_MAX / 2 ? b->cap * 2 : need;
	if (cap > b->max)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	b->data = jl_realloc(b->cap ? b->data : NULL, cap);
	b->cap = cap;
	b->data[b->len] = '\0';
	return JL_OK;
}

int jl_buf_reserve(struct jl_buf *b, size_t extra, char **ret)
{
	int r = grow(b, extra);

	if (r == JL_OK)
		*ret = b->data + b->len;
	return r;
}

int jl_buf_add(struct jl_buf *b, const void *data, size_t len)
{
	if (!len)
		return JL_OK;
	if (len >= b->cap - b->len && grow(b, len) != JL_OK)
		return JL_ELIMIT;
	if (len > b->max - b->len)
		return JL_ELIMIT;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return JL_OK;
}

int jl_buf_str(struct jl_buf *b, const char *s)
{
	return jl_buf_add(b, s, strlen(s));
}

int jl_buf_char(struct jl_buf *b, char c)
{
	return jl_buf_add(b, &c, 1);
}

int jl_buf_printf(struct jl_buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->len;
	va_list ap, again;
	int n, r = JL_OK;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	jl_bug_if(n < 0);
	if (b->len > b->max || (size_t)n > b->max - b->len) {
		r = JL_ELIMIT;
	} else if ((size_t)n >= room && n) {
		r = grow(b, (size_t)n);
		if (r == JL_OK)
			vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
	}
	if (r == JL_OK)
		b->len += (size_t)n;
	if (b->cap)
		b->data[b->len] = '\0';
	va_end(again);
	va_end(ap);
	return r;
}

void jl_buf_truncate(struct jl_buf *b, size_t len)
{
	jl_bug_if(len > b->len);
	b->len = len;
	if (b->cap)
		b->data[len] = '\0';
}

char *jl_buf_detach(struct jl_buf *b, size_t *ret_len)
{
	char *data = b->cap ? b->data : jl_strdup("");

	if (ret_len)
		*ret_len = b->len;
	jl_buf_init(b, b->max);
	return data;
}

int jl_buf_u8(struct jl_buf *b, uint8_t v)
{
	return jl_buf_add(b, &v, 1);
}

int jl_buf_u32(struct jl_buf *b, uint32_t v)
{
	uint8_t d[4];

	for (int i = 0; i < 4; i++)
		d[i] = (uint8_t)(v >> (8 * i));
	return jl_buf_add(b, d, sizeof(d));
}

int jl_buf_u64(struct jl_buf *b, uint64_t v)
{
	uint8_t d[8];

	for (int i = 0; i < 8; i++)
		d[i] = (uint8_t)(v >> (8 * i));
	return jl_buf_add(b, d, sizeof(d));
}

int jl_buf_bytes(struct jl_buf *b, const void *data, size_t len)
{
	/* Both or neither: a length without its bytes would be read as garbage. */
	if (len > UINT32_MAX || grow(b, len + 4) != JL_OK)
		return JL_ELIMIT;
	if (jl_buf_u32(b, (uint32_t)len) != JL_OK)
		return JL_ELIMIT;
	return jl_buf_add(b, data, len);
}

const uint8_t *jl_cur_take(struct jl_cur *c, size_t len)
{
	const uint8_t *at = c->at;

	if (c->bad || (size_t)(c->end - at) < len) {
		c->bad = 1;
		return NULL;
	}
	c->at += len;
	return at;
}

uint8_t jl_cur_u8(struct jl_cur *c)
{
	const uint8_t *p = jl_cur_take(c, 1);

	return p ? *p : 0;
}

uint32_t jl_cur_u32(struct jl_cur *c)
{
	const uint8_t *p = jl_cur_take(c, 4);
	uint32_t v = 0;

	for (int i = 3; p && i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

uint64_t jl_cur_u64(struct jl_cur *c)
{
	const uint8_t *p = jl_cur_take(c, 8);
	uint64_t v = 0;

	for (int i = 7; p && i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

const char *jl_cur_bytes(struct jl_cur *c, size_t *ret_len)
{
	uint32_t len = jl_cur_u32(c);
	const uint8_t *p = jl_cur_take(c, len);

	*ret_len = p ? len : 0;
	return p ? (const char *)p : "";
}
