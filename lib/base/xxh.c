/* XXH3 through the xxHash library, compiled in: a digest of a few bytes must not pay for a call through the loader. */
#include "base/xxh.h"

#include "base/err.h"
#include "base/xxh_impl.h"

#include <stdlib.h>

#define WIDE_FROM 4096 /* bytes: for fewer, asking costs more than it gains */

uint64_t jl_xxh64(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

static void put(XXH128_hash_t h, uint8_t ret[16])
{
	XXH128_canonicalFromHash((XXH128_canonical_t *)ret, h);
}

void jl_xxh128(const void *data, size_t len, uint8_t ret[16])
{
	put(XXH3_128bits(data, len), ret);
}

struct jl_xxh *jl_xxh_new(void)
{
	struct jl_xxh *x = aligned_alloc(_Alignof(struct jl_xxh), sizeof(*x));

	if (!x)
		jl_oom();
	jl_xxh_reset(x);
	return x;
}

void jl_xxh_free(struct jl_xxh *x)
{
	free(x);
}

void jl_xxh_reset(struct jl_xxh *x)
{
	XXH3_INITSTATE(&x->state);
	XXH3_128bits_reset(&x->state);
}

void jl_xxh_add(struct jl_xxh *x, const void *data, size_t len)
{
#if defined(__x86_64__)
	if (len >= WIDE_FROM && __builtin_cpu_supports("avx2")) {
		jl_xxh_add_avx2(x, data, len);
		return;
	}
#endif
	XXH3_128bits_update(&x->state, data, len);
}

void jl_xxh_end(const struct jl_xxh *x, uint8_t ret[16])
{
	put(XXH3_128bits_digest(&x->state), ret);
}
