/* Making a state small before it is written: what nobody needs any more goes. */
#ifndef JL_STATE_PACK_H
#define JL_STATE_PACK_H

#include "state/state.h"

/* Make new tables of the kept entries (NULL keeps all; folders of kept ones stay), of their text and of their listings.
 * Every id changes. */
void jl_state_pack(struct jl_state *s, const uint8_t *keep_files, const uint8_t *keep_results);
/* Drop bytes that no entry's listing uses and lists that no result has; ids stay. Flags of this run go, in both. */
void jl_state_pack_lists(struct jl_state *s);

#endif
