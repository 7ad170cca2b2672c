/* See slots.h. */
#include "run/slots.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN_NS            (500 * JL_NS_MS)
#define RETRY_FIRST_NS     (10 * JL_NS_MS)
#define RETRY_MOST_NS      JL_NS_S
#define RETRY_FOR_NS       (5 * JL_NS_S)
#define WORK_BETWEEN_POLLS 64 /* so that output is read and ends are seen while there is much to decide */

static void on_output(void *ctx, uint64_t id, int stream, const void *data, size_t len)
{
	struct jl_slots *s = ctx;
	s->ops->output(s->owner, s->running[id - 1], stream, data, len);
}

static bool good(const struct jl_slots *s, struct jl_slot_job *job)
{
	return job->result.end == JL_JOB_EXITED && job->result.exit_code == 0 &&
	       (!s->ops->is_good || s->ops->is_good(s->owner, job));
}

static void queue_ended(struct jl_slots *s, struct jl_slot_job *job)
{
	struct jl_slot_job **at = &s->first_ended;
	job->bad = !good(s, job);
	s->n_bad += job->bad;
	job->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = job;
}

static uint32_t units(const struct jl_slot_job *job)
{
	return job->elsewhere ? 0 : job->units ? job->units : 1;
}

static void on_done(void *ctx, uint64_t id, const struct jl_job_result *result)
{
	struct jl_slots *s = ctx;
	struct jl_slot_job *job = s->running[id - 1];
	job->result = *result;
	snprintf(job->why, sizeof(job->why), "%s", result->why ? result->why : "");
	job->result.why = job->why[0] ? job->why : NULL;
	s->running[id - 1] = NULL;
	s->n_running--;
	s->units -= units(job);
	s->starved = false;
	queue_ended(s, job);
}

void jl_slots_init(struct jl_slots *s, uint32_t n, struct jl_exec *exec, const struct jl_clock *clock,
		   const struct jl_slots_ops *ops, void *owner)
{
	*s = (struct jl_slots){.exec = exec, .clock = clock, .ops = ops, .owner = owner, .n = n};
	s->running = jl_calloc(n, sizeof(*s->running));
	if (exec)
		exec->events = (struct jl_exec_events){.output = on_output, .done = on_done, .ctx = s};
}

void jl_slots_release(struct jl_slots *s)
{
	free(s->running);
	s->running = NULL;
}

void jl_slots_hold(struct jl_slots *s, struct jl_slot_job *job)
{
	jl_bug_if(s->held[job->elsewhere]);
	s->held[job->elsewhere] = job;
}

/* It cannot even be begun: a failure like any other. */
static void not_begun(struct jl_slots *s, struct jl_slot_job *job, const struct jl_err *err)
{
	job->result = (struct jl_job_result){.end = JL_JOB_NOT_STARTED, .exit_code = 126, .host = "local"};
	snprintf(job->why, sizeof(job->why), "%.*s", (int)sizeof(job->why) - 1, err->text);
	job->result.why = job->why;
	queue_ended(s, job);
}

/* Nothing runs whose end could make room, but others' processes may. false: that was waited for long enough. */
static bool wait_for_room(struct jl_slots *s, struct jl_err *err)
{
	int64_t now = s->clock->now_ns(s->clock);
	if (!s->refused_ns) {
		s->refused_ns = now;
		s->delay_ns = RETRY_FIRST_NS;
	} else if (now - s->refused_ns >= RETRY_FOR_NS) {
		char text[sizeof(err->text)];
		snprintf(text, sizeof(text), "%s", err->text);
		(void)!jl_err_set(err, JL_EBUSY, "%s, tried for 5 s; see ulimit -n and ulimit -u", text);
		return false;
	} else {
		s->delay_ns = s->delay_ns * 2 < RETRY_MOST_NS ? s->delay_ns * 2 : RETRY_MOST_NS;
	}
	s->retry_ns = now + s->delay_ns;
	return true;
}

static void start(struct jl_slots *s, struct jl_slot_job *job)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_job what = {.stdin_fd = -1};
	uint32_t slot = 0;
	while (s->running[slot])
		slot++;
	job->slot = slot;
	int r = s->ops->begin(s->owner, job, &what, &err);
	if (r > 0)
		return;
	if (r < 0 && (err.sys_errno == EMFILE || err.sys_errno == ENFILE))
		r = JL_EBUSY;
	what.id = slot + 1;
	if (r == JL_OK && s->tokens && !job->elsewhere)
		jl_tokens_pass(s->tokens, &what);
	s->running[slot] = job;
	if (r == JL_OK) {
		job->began_ns = s->clock->now_ns(s->clock);
		r = s->exec->ops->start(s->exec, &what, &job->pid, &err);
	}
	if (r == JL_OK) {
		s->n_running++;
		s->units += units(job);
		s->refused_ns = s->retry_ns = 0;
		s->ops->begun(s->owner, job, true);
		return;
	}
	s->running[slot] = NULL;
	s->ops->begun(s->owner, job, false);
	if (r == JL_EBUSY && s->n_running > 0) {
		s->starved = true; /* less at a time; again after the next end */
		s->held[job->elsewhere] = job;
	} else if (r == JL_EBUSY && wait_for_room(s, &err)) {
		s->held[job->elsewhere] = job;
	} else {
		not_begun(s, job, &err);
	}
}

static bool may_start(struct jl_slots *s, struct jl_slot_job *job)
{
	if (s->n_running >= s->n || s->starved || s->n_bad > 0)
		return false;
	if (s->n_running == 0 && s->retry_ns && s->clock->now_ns(s->clock) < s->retry_ns)
		return false;
	if (s->n_running > 0 && s->ops->may_start && !s->ops->may_start(s->owner, job))
		return false;
	return !s->tokens || job->elsewhere || jl_tokens_allow(s->tokens, s->units, units(job));
}

/* Let things happen, until `until_ns`. */
static int poll_exec(struct jl_slots *s, int64_t until_ns, struct jl_err *err)
{
	const struct jl_slot_job *here = s->held[false];
	if (s->tokens)
		jl_tokens_settle(s->tokens, s->units, here && !s->stopping ? units(here) : 0);
	return s->exec ? s->exec->ops->poll(s->exec, until_ns, err) : JL_OK;
}

static bool any_held(const struct jl_slots *s)
{
	return s->held[0] || s->held[1];
}

/* One step of the loop; false: nothing to do but wait. */
static bool step(struct jl_slots *s)
{
	for (int lane = 1; lane >= 0; lane--) {
		struct jl_slot_job *held = s->held[lane];
		if (!held || (!s->stopping && !may_start(s, held)))
			continue;
		s->held[lane] = NULL;
		if (s->stopping)
			s->ops->dropped(s->owner, held);
		else
			start(s, held);
		return true;
	}
	struct jl_slot_job *job = s->first_ended;
	if (job) {
		s->first_ended = job->next;
		s->n_bad -= job->bad;
		s->ops->ended(s->owner, job);
		s->ops->turn(s->owner, false);
		return true;
	}
	bool full = s->lanes ? s->held[0] && s->held[1] : any_held(s);
	return !full && s->ops->work(s->owner);
}

int jl_slots_loop(struct jl_slots *s, struct jl_err *err)
{
	unsigned steps = 0;
	int r = JL_OK;
	while (r >= 0) {
		if (step(s)) {
			if (++steps % WORK_BETWEEN_POLLS == 0) {
				s->ops->turn(s->owner, false);
				r = poll_exec(s, 0, err);
			}
			continue;
		}
		if (s->n_running == 0 && !any_held(s) && (!s->waiting || s->stopping))
			break;
		s->ops->turn(s->owner, true);
		int64_t until = s->clock->now_ns(s->clock) + TURN_NS;
		if (s->tick_ns && s->tick_ns < until)
			until = s->tick_ns;
		if (s->waiting && s->wake_ns && s->wake_ns < until)
			until = s->wake_ns;
		if (any_held(s) && s->n_running == 0 && s->retry_ns < until)
			until = s->retry_ns;
		r = poll_exec(s, until, err);
	}
	if (s->tokens)
		jl_tokens_settle(s->tokens, s->units, 0);
	return r < 0 ? r : JL_OK;
}

void jl_slots_stop(struct jl_slots *s, bool cancel)
{
	s->stopping = true;
	for (uint32_t i = 0; i < s->n && cancel; i++)
		if (s->running[i])
			s->exec->ops->cancel(s->exec, i + 1, s->signals > 1 ? JL_CANCEL_KILL : JL_CANCEL_TERM);
}

void jl_slots_signal(struct jl_slots *s, int sig)
{
	s->signal = s->signal ? s->signal : sig;
	s->signals++;
	jl_slots_stop(s, true);
}

void jl_slots_pause(struct jl_slots *s, bool pause)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->running[i] && s->running[i]->pid > 0)
			kill(-(pid_t)s->running[i]->pid, pause ? SIGTSTP : SIGCONT);
}
