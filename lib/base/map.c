/* Open addressing with linear probing; a removal shifts its followers back, so there are no tombstones. */
#include "base/map.h"

#include "base/err.h"
#include "base/table.h"
#include "base/xxh.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CAP (UINT32_C(1) << 31)

struct jl_map_slot {
	uint32_t hash;
	uint32_t index; /* JL_NONE: free */
};

uint64_t jl_hash64(const void *data, size_t len)
{
	return jl_xxh64(data, len);
}

void jl_map_init(struct jl_map *m, jl_map_key *key_of, const void *owner)
{
	*m = (struct jl_map){.key_of = key_of, .owner = owner};
}

void jl_map_release(struct jl_map *m)
{
	free(m->slots);
	jl_map_init(m, m->key_of, m->owner);
}

static void resize(struct jl_map *m, uint32_t cap)
{
	struct jl_map_slot *old = m->slots;
	uint32_t old_cap = m->cap;

	m->slots = jl_alloc((size_t)cap * sizeof(*m->slots));
	memset(m->slots, 0xff, (size_t)cap * sizeof(*m->slots));
	m->cap = cap;
	for (uint32_t i = 0; i < old_cap; i++) {
		uint32_t at = old[i].hash & (cap - 1);

		if (old[i].index == JL_NONE)
			continue;
		while (m->slots[at].index != JL_NONE)
			at = (at + 1) & (cap - 1);
		m->slots[at] = old[i];
	}
	free(old);
}

void jl_map_reserve(struct jl_map *m, uint32_t count)
{
	uint32_t cap = m->cap ? m->cap : 16;

	while (cap / 4 * 3 < count) {
		jl_bug_if(cap == MAX_CAP);
		cap *= 2;
	}
	if (cap > m->cap)
		resize(m, cap);
}

/* The slot that holds the key, or the free one where it belongs. Needs a free slot. */
static uint32_t find(const struct jl_map *m, const char *key, size_t len, uint32_t hash)
{
	uint32_t at = hash & (m->cap - 1);

	for (; m->slots[at].index != JL_NONE; at = (at + 1) & (m->cap - 1)) {
		size_t have_len;
		const char *have;

		if (m->slots[at].hash != hash)
			continue;
		have = m->key_of(m->owner, m->slots[at].index, &have_len);
		if (have_len == len && (!len || memcmp(have, key, len) == 0))
			break;
	}
	return at;
}

uint32_t jl_map_get(const struct jl_map *m, const char *key, size_t len)
{
	if (!m->len)
		return JL_NONE;
	return m->slots[find(m, key, len, (uint32_t)jl_hash64(key, len))].index;
}

uint32_t jl_map_put(struct jl_map *m, const char *key, size_t len, uint32_t index)
{
	uint32_t hash = (uint32_t)jl_hash64(key, len), at;

	jl_bug_if(index == JL_NONE);
	jl_map_reserve(m, m->len + 1);
	at = find(m, key, len, hash);
	if (m->slots[at].index != JL_NONE)
		return m->slots[at].index;
	m->slots[at] = (struct jl_map_slot){hash, index};
	m->len++;
	return index;
}

bool jl_map_del(struct jl_map *m, const char *key, size_t len)
{
	uint32_t mask = m->cap - 1, hole, at;

	if (!m->len)
		return false;
	hole = find(m, key, len, (uint32_t)jl_hash64(key, len));
	if (m->slots[hole].index == JL_NONE)
		return false;
	for (at = (hole + 1) & mask; m->slots[at].index != JL_NONE; at = (at + 1) & mask) {
		uint32_t home = m->slots[at].hash & mask;

		/* It may move back unless its home lies cyclically in (hole, at]. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			m->slots[hole] = m->slots[at];
			hole = at;
		}
	}
	m->slots[hole].index = JL_NONE;
	m->len--;
	return true;
}
