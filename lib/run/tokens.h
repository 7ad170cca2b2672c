/* struct jl_tokens: the jobserver (proc/jobserver.h) as the loop of slots uses it: what runs here and what make runs
 * around or below jl share one number of slots.
 *
 * Inside make -j and with -j auto jl is a client: the first job runs on jl's own, implicit token, each further one needs
 * one from make. Elsewhere, and with a number of its own, jl is the server: a pool of that many slots is offered to its
 * children when the first one starts, and jl takes from it as a client would. Taken tokens are kept from one job to the
 * next while there is a next one, and given back before jl waits.
 */
#ifndef JL_RUN_TOKENS_H
#define JL_RUN_TOKENS_H

#include "exec/exec.h"
#include "proc/jobserver.h"
#include "proc/loop.h"

#include "base/table.h"

struct jl_tokens {
	struct jl_loop *loop;     /* borrowed; NULL: not open */
	struct jl_jobserver pool;
	uint32_t offer;           /* slots to offer at the first start; 0: none, or it is done */
	struct jl_watch watch;    /* while one is waited for */
	bool none;                /* there was none: not asked again before the watch has seen one */
	char *makeflags;          /* the child's that it was made for; NULL: it had none */
	struct jl_buf entry;      /* MAKEFLAGS=... */
	struct jl_table env;      /* const char *: a child's environment */
};

/* The slots that "-j auto" means with this environment: make's -jN if it is to be shared, else the processors. */
uint32_t jl_tokens_auto(const char *const *environ);

/* Find out where the slots come from. `jobs`: as asked for, 0 for auto. With one job there is nothing to share, but make's
 * pool is passed on. JL_ENOTFOUND, JL_EINVAL, JL_EIO: make's pool cannot be used; the text says why and what to do: run one
 * job at a time. Before jl_spawn_setup(). */
int jl_tokens_open(struct jl_tokens *t, struct jl_loop *loop, uint32_t jobs, const char *const *environ,
                   struct jl_err *err) JL_MUST_CHECK;
void jl_tokens_close(struct jl_tokens *t); /* all back; fine when not open */

/* May a job be started that takes `more` slots, when `running` are taken? Takes the tokens that it needs. While others run it waits
 * for all of them; alone it starts with as many as there are, or nobody might ever. */
bool jl_tokens_allow(struct jl_tokens *t, uint32_t running, uint32_t more);
/* Before `running` becomes one more: let the child have its part of the pool. What *job gets lives until the next call,
 * its keep_fds until jl_tokens_close(). */
void jl_tokens_pass(struct jl_tokens *t, struct jl_job *job);
/* Before waiting: give back what `running` slots do not need. `wanted`: a job of so many is held that could not be started for want
 * of tokens (0: none is): what it has of them is kept, and the loop is woken when there is another. */
void jl_tokens_settle(struct jl_tokens *t, uint32_t running, uint32_t wanted);

#endif
