/* Events to the sinks, with time and counts filled in. */
#include "run/engine.h"

#include "run/eta.h"

#include <stdarg.h>
#include <stdio.h>

const char *jl_step_status_name(enum jl_step_status s)
{
	static const char *const names[] = {
		[JL_STEP_RAN] = "ran",
		[JL_STEP_FRESH] = "fresh",
		[JL_STEP_RESTORED] = "restored",
		[JL_STEP_FAILED] = "failed",
		[JL_STEP_SKIPPED] = "skipped",
		[JL_STEP_CANCELLED] = "cancelled",
		[JL_STEP_TIMEOUT] = "timeout",
		[JL_STEP_WOULD_RUN] = "would run",
		[JL_STEP_WOULD_RESTORE] = "would be restored",
		[JL_STEP_MAYBE] = "maybe",
	};
	return names[s];
}

const char *jl_fetch_status_name(enum jl_fetch_status s)
{
	static const char *const names[] = {
		[JL_FETCH_GOES_ON] = "fetching", [JL_FETCH_DONE] = "fetched", [JL_FETCH_UNCHANGED] = "unchanged",
		[JL_FETCH_COPY] = "copy",        [JL_FETCH_FAILED] = "failed",
	};
	return names[s];
}

int64_t jl_sinks_wake(const struct jl_sink *first)
{
	int64_t wake = 0;
	for (const struct jl_sink *s = first; s; s = s->next)
		if (s->wake_ns && (!wake || s->wake_ns < wake))
			wake = s->wake_ns;
	return wake;
}

void jl_engine_emit(struct jl_engine *e, struct jl_event *ev)
{
	/* A no-op of 100,000 steps is told 100,000 times: the clock is not asked for those. */
	if (ev->type != JL_EVENT_STEP_FINISHED || ev->status != JL_STEP_FRESH)
		e->now_ns = e->clock->now_ns(e->clock);
	ev->t_ns = e->now_ns - e->began_ns;
	ev->counts = &e->counts;
	for (struct jl_sink *s = e->opts->sinks; s; s = s->next)
		s->event(s, ev);
}

void jl_engine_progress(struct jl_engine *e, const char *step)
{
	struct jl_event ev = {
		.type = JL_EVENT_PROGRESS, .step = step, .total = e->counts.total, .eta_ns = e->opts->sinks ? jl_eta_ns(e) : 0};
	jl_engine_emit(e, &ev);
}

void jl_engine_warn(struct jl_engine *e, const char *step, const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	struct jl_event ev = {.type = JL_EVENT_WARNING, .step = step, .text = text};
	jl_engine_emit(e, &ev);
}
