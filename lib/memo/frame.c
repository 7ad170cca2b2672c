/* See frame.h. */
#include "memo/frame.h"

#include <string.h>

#define HEAD_LEN  (JL_FRAME_MAGIC + 4 + 4)
#define CHECK_LEN 16

void jl_frame_begin(const struct jl_frame *f, size_t body_len, struct jl_buf *out)
{
	jl_buf_add(out, f->magic, JL_FRAME_MAGIC);
	jl_buf_u32(out, f->version);
	jl_buf_u32(out, (uint32_t)body_len);
}

void jl_frame_end(struct jl_buf *out, size_t start)
{
	struct jl_digest check;
	jl_digest_bytes(out->data + start, out->len - start, &check);
	jl_buf_add(out, check.b, CHECK_LEN);
}

bool jl_frame_body(const struct jl_frame *f, const void *data, size_t len, struct jl_cur *ret_body)
{
	const uint8_t *bytes = data;
	if (len < HEAD_LEN + CHECK_LEN || memcmp(bytes, f->magic, JL_FRAME_MAGIC) != 0)
		return false;
	*ret_body = (struct jl_cur){bytes + HEAD_LEN, bytes + len - CHECK_LEN, 0};
	return true;
}

int jl_frame_open(const struct jl_frame *f, const void *data, size_t len, struct jl_cur *ret_body, struct jl_err *err)
{
	const uint8_t *bytes = data;
	struct jl_digest check;
	if (!jl_frame_body(f, data, len, ret_body))
		return jl_err_set(err, JL_ECORRUPT, "damaged %s: %s%s", f->what, len == 0 ? "empty" : "no ",
				  len == 0 ? "" : f->what);
	if (len > f->max)
		return jl_err_set(err, JL_ECORRUPT, "damaged %s: over %zu bytes", f->what, f->max);
	jl_digest_bytes(bytes, len - CHECK_LEN, &check);
	if (memcmp(check.b, bytes + len - CHECK_LEN, CHECK_LEN) != 0)
		return jl_err_set(err, JL_ECORRUPT, "damaged %s: its checksum does not match", f->what);
	struct jl_cur head = {bytes + JL_FRAME_MAGIC, bytes + HEAD_LEN, 0};
	uint32_t version = jl_cur_u32(&head), body_len = jl_cur_u32(&head);
	if (body_len != len - HEAD_LEN - CHECK_LEN)
		return jl_err_set(err, JL_ECORRUPT, "damaged %s: its length does not match", f->what);
	if (version != f->version)
		return jl_err_set(err, JL_EUNSUPPORTED, "%s of version %u, this program knows %u", f->what, version,
				  f->version);
	return JL_OK;
}

void jl_frame_put_digest(struct jl_buf *b, const struct jl_digest *d)
{
	jl_buf_u8(b, d->algo);
	jl_buf_add(b, d->b, jl_digest_len(d));
}

void jl_frame_get_digest(struct jl_cur *c, struct jl_digest *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->algo = jl_cur_u8(c);
	if (ret->algo > JL_DIGEST_SHA256) {
		c->bad = 1;
		return;
	}
	const uint8_t *bytes = jl_cur_take(c, jl_digest_len(ret));
	if (bytes)
		memcpy(ret->b, bytes, jl_digest_len(ret));
}

const char *jl_frame_get_text(struct jl_cur *c, struct jl_arena *a)
{
	size_t len;
	const char *s = jl_cur_bytes(c, &len);
	if (c->bad || memchr(s, 0, len)) {
		c->bad = 1;
		return "";
	}
	return jl_arena_strndup(a, s, len);
}
