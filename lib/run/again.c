/* See again.h. */
#include "run/again.h"

#include "run/fetching.h"
#include "run/needs.h"
#include "run/shared.h"

bool jl_again_wanted(const struct jl_engine *e, const struct jl_running *r)
{
	const struct jl_rule *rule = jl_engine_rule(e, r->inst);
	uint32_t times = rule->retries >= 0 ? (uint32_t)rule->retries : e->opts->retries;
	switch (r->job.result.end) {
	case JL_JOB_EXITED:
	case JL_JOB_SIGNALED:
	case JL_JOB_TIMEOUT:
	case JL_JOB_LOST: return e->opts->mode == JL_MODE_RUN && r->attempt <= times && !e->slots.stopping;
	case JL_JOB_CANCELLED:
	case JL_JOB_UNABLE:
	case JL_JOB_TAKEN_BACK:
	case JL_JOB_NOT_STARTED: break; /* it would not be another time */
	}
	return false;
}

void jl_again_wake(struct jl_engine *e)
{
	e->slots.waiting = e->again || jl_shared_waits(e) || jl_fetching_is(e) || jl_needs_wait(e);
	e->slots.wake_ns = e->again ? e->again->again_ns : 0;
}

void jl_again_add(struct jl_engine *e, struct jl_running *r)
{
	struct jl_running **at = &e->again;
	r->again_ns = e->clock->now_ns(e->clock) + jl_engine_rule(e, r->inst)->retry_delay_ns;
	while (*at && (*at)->again_ns <= r->again_ns)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	jl_again_wake(e);
}

struct jl_running *jl_again_take(struct jl_engine *e, bool all)
{
	struct jl_running *r = e->again;
	if (!r || (!all && r->again_ns > e->clock->now_ns(e->clock)))
		return NULL;
	e->again = r->next;
	r->next = NULL;
	r->attempt += !all;
	jl_again_wake(e);
	return r;
}
