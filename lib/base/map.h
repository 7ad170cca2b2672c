/* struct jl_map: from bytes to a 32-bit index, by open addressing.
 *
 * The map keeps no keys: it keeps (hash, index) pairs of 8 bytes and asks the owner for the key of an index, so the
 * text lives in one place, which may move (a jl_table). At most 3 * 2^29 entries; grows at 3/4 full. The hash is
 * XXH3-64. */
#ifndef JL_BASE_MAP_H
#define JL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Give the key bytes of `index` and their length. */
typedef const char *jl_map_key(const void *owner, uint32_t index, size_t *ret_len);

struct jl_map {
	struct jl_map_slot *slots;
	uint32_t len, cap; /* cap is a power of two, or 0 */
	jl_map_key *key_of;
	const void *owner;
};

void jl_map_init(struct jl_map *m, jl_map_key *key_of, const void *owner);
void jl_map_release(struct jl_map *m);
void jl_map_reserve(struct jl_map *m, uint32_t count);
/* The index stored for the key, or JL_NONE. */
uint32_t jl_map_get(const struct jl_map *m, const char *key, size_t len);
/* Store an index whose key_of() already gives the key. If the key is there, the old index stays and is returned;
 * else `index` is. */
uint32_t jl_map_put(struct jl_map *m, const char *key, size_t len, uint32_t index);
/* Take the key away; true if it was there. */
bool jl_map_del(struct jl_map *m, const char *key, size_t len);
uint64_t jl_hash64(const void *data, size_t len);

#endif
