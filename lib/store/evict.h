/* Keeping a local store within its caps. */
#ifndef JL_STORE_EVICT_H
#define JL_STORE_EVICT_H

#include "store/local.h"

#define JL_EVICT_SHARE 256u /* objects that one share takes away at most; and it ends after 20 ms */

/* Beside enum jl_status, inside the local store: the share is done, and there is no room yet. */
#define JL_EVICT_AGAIN 3

struct jl_evict {
	uint64_t blocks, items; /* to make room for */
	bool by_hand;           /* down to the cap itself, not 5 % above it; by age also soon after the clock went forward */
	uint32_t shares;        /* that were done */
};

/* Within the index: one share of making room. JL_ENOSPC: what is left has to stay. JL_EVICT_AGAIN: leave the index, so that
 * others come in, and call it again. */
int jl_evict_room(struct jl_local *l, struct jl_evict *w, struct jl_err *err) JL_MUST_CHECK;
/* Enter the index and make room, in as many shares as it takes, with `index_lock` held, which is given up between them. On
 * JL_OK and on JL_ENOSPC of the caps we are within the index. Otherwise see l->index.locked. */
int jl_evict_enter(struct jl_local *l, struct jl_evict *w, struct jl_err *err) JL_MUST_CHECK;
/* Within the index: take one object away, with the blobs that only it named, `most` files in all (then such blobs are the
 * next to go). How many were taken. */
uint32_t jl_evict_object(struct jl_local *l, uint32_t object, uint32_t most);
/* A moment in which others get the lock: who has given it up and wants it again at once would mostly be faster. */
void jl_evict_pause(void);
/* Within the index: blocks of all that counts; those that could come before something has to go. */
uint64_t jl_evict_blocks(const struct jl_local *l);
uint64_t jl_evict_spare(const struct jl_local *l);

#endif
