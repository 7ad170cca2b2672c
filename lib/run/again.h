/* Failed attempts that are to be made again: they wait here, each until its time, and take a slot as any other. */
#ifndef JL_RUN_AGAIN_H
#define JL_RUN_AGAIN_H

#include "run/engine.h"

/* Shall it be tried again after this failure? */
bool jl_again_wanted(const struct jl_engine *e, const struct jl_running *r);
/* It waits from now on. */
void jl_again_add(struct jl_engine *e, struct jl_running *r);
/* The next whose time has come, with its attempt counted, or (`all`, of a run that ends) any; NULL: none. Tells the loop
 * when to come back. */
struct jl_running *jl_again_take(struct jl_engine *e, bool all);

/* Tell the loop what is waited for: attempts, answers of remotes. */
void jl_again_wake(struct jl_engine *e);

#endif
