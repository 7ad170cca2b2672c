/* struct jl_local: what a command that runs processes here opens first: the event loop, the local executor on it, and the
 * signals of a front door. INT, TERM, HUP and QUIT end what the slots run; TSTP stops jl and what it runs, until CONT.
 *
 *     jl_local_open(&l, &slots, err);   jl_slots_init(&slots, n, l.exec, ...);   jl_slots_loop(&slots, err);
 *     jl_local_close(&l);
 */
#ifndef JL_RUN_LOCAL_H
#define JL_RUN_LOCAL_H

#include "proc/loop.h"
#include "run/slots.h"

struct jl_local {
	struct jl_loop *loop;   /* NULL while not open */
	struct jl_exec *exec;
	struct jl_slots *slots; /* borrowed; initialized before the loop is first polled */
};

/* Once, from the main thread, before any thread is started. Close it after a failure, too. */
int jl_local_open(struct jl_local *l, struct jl_slots *slots, struct jl_err *err) JL_MUST_CHECK;
void jl_local_close(struct jl_local *l); /* fine when not open */

#endif
