/* XXH3, 64 and 128 bits: the only way to the xxHash library. The 128-bit form is canonical (big-endian, high half
 * first), as `xxhsum -H2` prints it. Seed 0. */
#ifndef JL_BASE_XXH_H
#define JL_BASE_XXH_H

#include <stddef.h>
#include <stdint.h>

uint64_t jl_xxh64(const void *data, size_t len);
void jl_xxh128(const void *data, size_t len, uint8_t ret[16]);

/* Streaming, 128 bits. A new state is ready for the first jl_xxh_add(). */
struct jl_xxh;
struct jl_xxh *jl_xxh_new(void);
void jl_xxh_free(struct jl_xxh *x);
void jl_xxh_reset(struct jl_xxh *x);
void jl_xxh_add(struct jl_xxh *x, const void *data, size_t len);
void jl_xxh_end(const struct jl_xxh *x, uint8_t ret[16]); /* the state may go on */

#endif
