/* What the kinds of store share: telling a person, counting. For lib/store only. */
#ifndef JL_STORE_KIND_H
#define JL_STORE_KIND_H

#include "store/store.h"

/* One line through s->warn, if there is one. */
void jl_store_warn(struct jl_store *s, const char *fmt, ...) JL_PRINTF(2, 3);

/* Many threads count in one store; the numbers are for reading when they have ended. */
static inline void jl_store_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

#endif
