/* See head.h. Little-endian; grammar: docs/formats/store.md. */
#include "store/head.h"

#include "base/map.h"

#include <string.h>

#define VERSION 1u

static const char magic[8] = {'j', 'l', 'i', 'n', 'd', 'e', 'x', '\n'};

void jl_head_put(struct jl_buf *b, const struct jl_index_head *h)
{
	const size_t start = b->len;

	jl_buf_add(b, magic, sizeof(magic));
	jl_buf_u32(b, VERSION);
	jl_buf_u32(b, JL_HEAD_LEN);
	jl_buf_u64(b, h->generation);
	jl_buf_u64(b, h->end);
	jl_buf_u64(b, h->blocks);
	jl_buf_u64(b, h->items);
	jl_buf_u64(b, h->aside);
	jl_buf_u64(b, h->sets);
	jl_buf_u64(b, (uint64_t)h->last_ns);
	jl_buf_u64(b, (uint64_t)h->stepped_ns);
	jl_buf_u64(b, h->written);
	jl_buf_u64(b, jl_hash64(b->data + start, b->len - start));
}

bool jl_head_get(const uint8_t data[JL_HEAD_LEN], struct jl_index_head *ret)
{
	struct jl_cur c = {data + sizeof(magic), data + JL_HEAD_LEN, 0};
	struct jl_index_head h;

	if (memcmp(data, magic, sizeof(magic)) != 0 || jl_cur_u32(&c) != VERSION || jl_cur_u32(&c) != JL_HEAD_LEN)
		return false;
	h.generation = jl_cur_u64(&c);
	h.end = jl_cur_u64(&c);
	h.blocks = jl_cur_u64(&c);
	h.items = jl_cur_u64(&c);
	h.aside = jl_cur_u64(&c);
	h.sets = jl_cur_u64(&c);
	h.last_ns = (int64_t)jl_cur_u64(&c);
	h.stepped_ns = (int64_t)jl_cur_u64(&c);
	h.written = jl_cur_u64(&c);
	if (jl_cur_u64(&c) != jl_hash64(data, JL_HEAD_LEN - 8) || h.end < JL_HEAD_LEN || h.last_ns < 0)
		return false;
	*ret = h;
	return true;
}
