/* Keeping a local store within its caps. */
#ifndef JL_STORE_EVICT_H
#define JL_STORE_EVICT_H

#include "store/local.h"

enum jl_evict_how {
	JL_EVICT_SHARE, /* about 20 ms at most while the store is within 5 % of its cap */
	JL_EVICT_ALL,   /* whatever it takes; by age too, also soon after the clock went forward */
};

/* Within the index: room for so many blocks and files more. JL_ENOSPC: what is left has to stay. */
int jl_evict_room(struct jl_local *l, uint64_t blocks, uint64_t items, enum jl_evict_how how, struct jl_err *err) JL_MUST_CHECK;
/* Within the index: take one object away, with the blobs that only it named. */
void jl_evict_object(struct jl_local *l, uint32_t object);
/* Within the index: blocks of all that counts. */
uint64_t jl_evict_blocks(const struct jl_local *l);

#endif
