/* See frame.h. Little-endian; grammar: docs/formats/store.md. */
#include "store/frame.h"

#include <string.h>

#define FRAME_MIN (4u + 4 + 1 + 1 + 8 + 8 + 1)

/* Over what stands behind it, and the length. */
static uint32_t frame_sum(const uint8_t *frame, uint32_t length)
{
	return (uint32_t)jl_hash64(frame + 8, length - 8) ^ length;
}

void jl_frame_put(struct jl_buf *b, uint8_t kind, const struct jl_digest *d, uint8_t form, uint64_t blocks,
                  int64_t used_ns, const struct jl_digest *blobs, uint32_t n)
{
	const size_t start = b->len, one = jl_digest_len(d);
	uint32_t sum;
	uint8_t *at;

	jl_buf_u32(b, (uint32_t)(FRAME_MIN + one + n * one));
	jl_buf_u32(b, 0);
	jl_buf_u8(b, kind);
	jl_buf_u8(b, form);
	jl_buf_u64(b, blocks);
	jl_buf_u64(b, (uint64_t)used_ns);
	jl_buf_u8(b, d->algo);
	jl_buf_add(b, d->b, one);
	for (uint32_t i = 0; i < n; i++)
		jl_buf_add(b, blobs[i].b, one);
	sum = frame_sum((uint8_t *)b->data + start, (uint32_t)(b->len - start));
	at = (uint8_t *)b->data + start + 4;
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(sum >> 8 * i);
}

uint32_t jl_frame_take(struct jl_catalog *c, const uint8_t *data, size_t len)
{
	struct jl_cur cur = {data, data + len, 0};
	struct jl_table blobs = JL_TABLE_INIT(struct jl_digest);
	uint32_t length = jl_cur_u32(&cur), sum = jl_cur_u32(&cur);
	uint8_t kind, form;
	struct jl_digest d = {0};
	const uint8_t *bytes;
	uint64_t blocks;
	int64_t used_ns;
	size_t one;

	if (cur.bad || length > len || length < FRAME_MIN || frame_sum(data, length) != sum)
		return 0;
	cur.end = data + length;
	kind = jl_cur_u8(&cur);
	form = jl_cur_u8(&cur);
	blocks = jl_cur_u64(&cur);
	used_ns = (int64_t)jl_cur_u64(&cur);
	d.algo = jl_cur_u8(&cur);
	one = jl_digest_len(&d);
	bytes = one ? jl_cur_take(&cur, one) : NULL;
	if (!bytes || ((kind & ~JL_FRAME_GONE) != JL_OBJECT_RECORD && (kind & ~JL_FRAME_GONE) != JL_OBJECT_BLOB) ||
	    (size_t)(cur.end - cur.at) % one != 0)
		return 0;
	memcpy(d.b, bytes, one);
	if (kind & JL_FRAME_GONE) {
		uint32_t i = jl_catalog_find(c, (enum jl_object_kind)(kind & ~JL_FRAME_GONE), &d);

		if (i != JL_NONE)
			jl_catalog_gone(c, i);
		return length;
	}
	while (cur.at < cur.end) {
		struct jl_digest *blob = jl_table_add(&blobs, 1);

		blob->algo = d.algo;
		memcpy(blob->b, jl_cur_take(&cur, one), one);
	}
	jl_catalog_put(c, (enum jl_object_kind)kind, &d, form, blocks, used_ns, blobs.data, blobs.len);
	jl_table_release(&blobs);
	return length;
}
