/* What steps need to run: processors, memory, places in pools; and whether the machine itself has room.
 *
 * A step that lacks a pool or memory is parked; its node is decided anew once it may be had. Nobody who came later gets what
 * a parked step has ever lacked, so it is only given back until there is enough, and no step waits for ever. All else goes
 * on. What lacks processors only is held, and everything waits with it that is to run here: every step needs one. A step that
 * needs more than there is runs alone.
 */
#ifndef JL_RUN_NEEDS_H
#define JL_RUN_NEEDS_H

#include "run/engine.h"

void jl_needs_init(struct jl_engine *e);
void jl_needs_release(struct jl_engine *e);

/* Does it lack a pool or memory, or does somebody who is parked wait for them? Or, with hosts, is another held that will run
 * where it would? Then it is parked now. */
bool jl_needs_park(struct jl_engine *e, uint32_t inst, uint32_t node);
/* The same for a check of its result, which lacks nothing else and runs here. */
bool jl_needs_park_check(struct jl_engine *e, uint32_t inst, uint32_t node);
/* Is it not for this machine, whose processors and memory it leaves alone? */
bool jl_needs_far(const struct jl_engine *e, uint32_t inst);
/* The first parked node that may run now, or (`all`, of a run that ends) any. */
bool jl_needs_unpark(struct jl_engine *e, bool all, uint32_t *ret_node);

/* How many slots a rule's instance takes: as it says, but no more than there are. */
uint32_t jl_needs_cpus(const struct jl_engine *e, const struct jl_rule *r);

/* Somebody is parked who may wait for a host to come up; there are as many as are to be decided ahead. */
bool jl_needs_wait(const struct jl_engine *e);
bool jl_needs_full(const struct jl_engine *e);

/* may_start() of struct jl_slots_ops. */
bool jl_needs_met(void *owner, struct jl_slot_job *job);
/* It starts; it has ended. Either may be called again. */
void jl_needs_take(struct jl_engine *e, struct jl_running *r);
void jl_needs_give(struct jl_engine *e, struct jl_running *r);

#endif
