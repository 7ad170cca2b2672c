/* The xxHash library, compiled in: for xxh.c, and once more by xxh_avx2.c for processors that have AVX2. What they make is
 * the same, and so is a state. */
#ifndef JL_BASE_XXH_IMPL_H
#define JL_BASE_XXH_IMPL_H

#define XXH_INLINE_ALL
#include <xxhash.h>

struct jl_xxh {
	XXH3_state_t state; /* wants an alignment of 64 */
};

/* Where the processor has AVX2 only. */
void jl_xxh_add_avx2(struct jl_xxh *x, const void *data, size_t len);

#endif
