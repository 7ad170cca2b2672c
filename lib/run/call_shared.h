/* The shared stores of memoized commands (run/call.h): those of the user's settings, since there is no manifest. They are turned to
 * at the first result that the local store lacks, so that a hit costs what it did.
 *
 *     r = jl_call_find(&c, err);
 *     while (r == JL_CALL_RUN && jl_call_ask(&c, &ask)) { ... the answer is there ...; r = jl_call_find(&c, err); }
 *     ...
 *     jl_calls_finish(&all, tell, ctx);
 */
#ifndef JL_RUN_CALL_SHARED_H
#define JL_RUN_CALL_SHARED_H

#include "run/call.h"
#include "store/tier.h"

/* Behind JL_CALL_RUN: a key that was not asked for yet is asked for; `ask` is to be left alone until it is taken back. false: there
 * is nothing to ask for, or nobody. */
bool jl_call_ask(struct jl_call *c, struct jl_tier_ask *ask);
/* Block until it is answered: for who asks for one thing at a time. */
void jl_calls_await(struct jl_calls *all);
/* For who waits for many: readable when there is something to take. -1: nothing was asked for yet. */
int jl_calls_fd(const struct jl_calls *all);
struct jl_tier_ask *jl_calls_taken(struct jl_calls *all); /* passes warnings on, too */
/* Its result was stored. */
void jl_call_offer(struct jl_call *c);
/* Wait for what was offered, within a bound, or until a signal comes; say what was not sent, and tell how each remote did. What is
 * still asked for stays unanswered. `slots`: of `loop`, which gets the signals; NULL: nobody does. */
void jl_calls_finish(struct jl_calls *all, struct jl_loop *loop, const struct jl_slots *slots,
		     void (*told)(void *ctx, const struct jl_remote_counts *counts), void *ctx);

#endif
