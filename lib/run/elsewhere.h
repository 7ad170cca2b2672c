/* Steps that run on other machines: which executors the manifest has, where a step may run, what travels with it, what happens when
 * its host is lost.
 *
 * All of it is one more executor behind the same loop (exec/hosts.h); without executors in the manifest there is nothing here.
 */
#ifndef JL_RUN_ELSEWHERE_H
#define JL_RUN_ELSEWHERE_H

#include "run/engine.h"

/* Before the slots: *ret_more is how many jobs there may be on hosts, beside those here. JL_EINVAL: --executor names none. */
int jl_elsewhere_open(struct jl_engine *e, uint32_t *ret_more, struct jl_err *err) JL_MUST_CHECK;
void jl_elsewhere_close(struct jl_engine *e); /* before the local executor and the loop */

/* The hosts of a manifest's executors, into *w. */
int jl_elsewhere_hosts(struct jl_elsewhere *w, const struct jl_manifest *m, const char *const *environ,
                       struct jl_err *err) JL_MUST_CHECK;
void jl_elsewhere_release(struct jl_elsewhere *w); /* the same, given back */

/* The executor of an instance, a name of the manifest; "" is this machine. */
const char *jl_elsewhere_of(const struct jl_engine *e, uint32_t inst);
/* Do its hosts have this workspace, so that it runs in that? */
bool jl_elsewhere_shared(const struct jl_engine *e, uint32_t inst);
/* Does it run in a folder of its own on another host, where nothing of this workspace is but its declared inputs? */
bool jl_elsewhere_apart(const struct jl_engine *e, uint32_t inst);
/* May it be started without waiting for a slot of a host? */
bool jl_elsewhere_room(struct jl_engine *e, uint32_t inst);
/* Has it more to say about where than other instances of its rule? */
bool jl_elsewhere_picky(const struct jl_engine *e, uint32_t inst);
/* Put into *job where it runs and what travels; good until the next call. JL_EINVAL: an input cannot travel. */
int jl_elsewhere_job(struct jl_engine *e, struct jl_running *r, const char *workdir, struct jl_job *job,
                     struct jl_err *err) JL_MUST_CHECK;
/* It ended, but on another machine, and for a reason that need not be its own (run/trouble.h): true: it takes its turn again, and
 * *r is gone. */
bool jl_elsewhere_again(struct jl_engine *e, struct jl_running *r);

static inline bool jl_elsewhere_is(const struct jl_engine *e, const struct jl_running *r)
{
	return e->elsewhere.exec && !r->checking && jl_elsewhere_of(e, r->inst)[0] != '\0';
}

#endif
