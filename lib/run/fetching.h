/* Inputs by URL are fetched (store/tier.h brings them). Before a node is decided about, its inputs are looked for:
 * a copy that must be of a digest, or is young enough, or nobody may be asked for, counts as it is. For all else
 * the server is asked, once a run: the node steps aside until it has answered, so nothing waits but what needs it,
 * and many are fetched at once. A server that does not answer leaves a copy that is there good enough, which is
 * told; without one the node fails. A plan asks nobody. */
#ifndef JL_RUN_FETCHING_H
#define JL_RUN_FETCHING_H

#include "run/engine.h"

/* true: it is seen to: the node waits, has failed or (of a plan) cannot be told about. */
bool jl_fetching_waits(struct jl_engine *e, uint32_t inst, uint32_t node);
bool jl_fetching_full(const struct jl_engine *e); /* as much is asked for as may be: decide nothing new now */
bool jl_fetching_is(const struct jl_engine *e);   /* some node waits */
/* A node that still waits, which is not to happen any more; false: there is none. */
bool jl_fetching_drop(struct jl_engine *e, uint32_t *ret_node);
/* The tier has something to tell. */
void jl_fetching_take(struct jl_engine *e);
/* Tell how far downloads are, those that take a while, once a second. */
void jl_fetching_tell(struct jl_engine *e);
/* When the tier is gone. */
void jl_fetching_release(struct jl_engine *e);

#endif
