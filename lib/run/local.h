/* struct jl_local: what a command that runs processes here opens first: the event loop, the local executor on it, and the
 * signals of a front door. INT, TERM, HUP, QUIT and PIPE end what the slots run; TSTP stops jl and what it runs, until CONT; both
 * and WINCH are told to the owner of the slots.
 *
 *     jl_local_open(&l, &slots, jobs, environ, err);   jl_slots_init(&slots, l.alone ? 1 : n, l.exec, ...);
 *     slots.tokens = &l.tokens;   jl_slots_loop(&slots, err);   jl_local_close(&l);
 */
#ifndef JL_RUN_LOCAL_H
#define JL_RUN_LOCAL_H

#include "proc/loop.h"
#include "run/slots.h"
#include "run/tokens.h"

struct jl_local {
	struct jl_loop *loop;   /* NULL while not open */
	struct jl_exec *exec;
	struct jl_slots *slots; /* borrowed; initialized before the loop is first polled */
	struct jl_tokens tokens;
	bool alone;             /* make's slots cannot be shared: one job at a time */
	struct jl_err hint;     /* then: a line for the user; empty when there is nothing to say */
};

/* Once, from the main thread, before any thread is started. `jobs`: as asked for, 0 for auto. Close it after a failure,
 * too. */
int jl_local_open(struct jl_local *l, struct jl_slots *slots, uint32_t jobs, const char *const *environ,
                  struct jl_err *err) JL_MUST_CHECK;
void jl_local_close(struct jl_local *l); /* fine when not open */

#endif
