/* The shared stores of a run (store/tier.h). Deciding looks into the local store alone; a key that it lacks is asked for, the node
 * steps aside, and takes its turn again when the answer is there: so nothing waits for a remote but what it is about. Each key
 * is asked for once a run. What a step made is offered; the run ends when that is sent, or has waited long enough.
 */
#ifndef JL_RUN_SHARED_H
#define JL_RUN_SHARED_H

#include "run/engine.h"

/* With the local store just opened for a run: open those that are configured, unless --offline. */
void jl_shared_open(struct jl_engine *e);
/* The tier for inputs by URL, made if there is none yet; NULL: it cannot be, which was told. Does its caller run no
 * loop, it looks at jl_tier_fd() itself. */
struct jl_tier *jl_shared_tier(struct jl_engine *e);
/* The local store lacks the key, which is being decided about. */
void jl_shared_missed(struct jl_engine *e, const struct jl_digest *key);
/* A plan asks nobody, but says where a run would. */
void jl_shared_plan(struct jl_engine *e);
void jl_shared_begin(struct jl_engine *e); /* before a decision */
/* After it: what was missed and is of interest, and was not told by this before. */
bool jl_shared_wanted(struct jl_engine *e, struct jl_digest *ret);
/* The same: ask for it, if that was not done yet. true: the node steps aside. */
bool jl_shared_ask(struct jl_engine *e, uint32_t node);
/* Did it come from a remote in this run? Then the local store knows that it is used. */
bool jl_shared_found(const struct jl_engine *e, const struct jl_digest *key);
bool jl_shared_full(const struct jl_engine *e); /* as much is asked for as may be: decide nothing new now */
bool jl_shared_waits(const struct jl_engine *e);
/* A node that still waits, which is not to happen any more; false: there is none. */
bool jl_shared_drop(struct jl_engine *e, uint32_t *ret_node);
void jl_shared_offer(struct jl_engine *e, const struct jl_digest *key);
/* Wait for what was offered, within a bound, and let go of all. */
void jl_shared_close(struct jl_engine *e);

#endif
