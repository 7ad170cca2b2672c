/* The engine: the one place that joins graph, keys, store and executor. What slots.h calls work is here a ready node: it is
 * decided on the spot; what is fresh or in the store is done there and then, what must run is held for a slot. As soon as
 * something has to run, ready nodes are taken by urgency: the longest remaining path first, by stored durations.
 */
#include "run/engine.h"

#include "run/again.h"
#include "run/ended.h"
#include "run/expand.h"
#include "run/fetching.h"
#include "run/found.h"
#include "run/loop.h"
#include "run/move.h"
#include "run/needs.h"
#include "run/node.h"
#include "run/secrets.h"
#include "run/script.h"
#include "run/shared.h"
#include "run/start.h"
#include "run/temp.h"
#include "run/uses.h"
#include "run/why.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FLUSH_NS (500 * JL_NS_MS)

struct jl_store *jl_engine_store(struct jl_engine *e)
{
	struct jl_err err = JL_ERR_INIT;
	if (e->store || e->store_failed || e->opts->cache == JL_CACHE_OFF)
		return e->store;
	bool read_only = e->opts->cache == JL_CACHE_RO || e->opts->mode == JL_MODE_PLAN;
	if (jl_store_local_open(&jl_io_system, jl_project_store_dir(e->p), read_only, &e->store, &err) != JL_OK) {
		e->store_failed = true;
		/* A plan makes no store: one that is not there yet is simply empty. */
		if (!(read_only && err.status == JL_ENOTFOUND))
			jl_engine_warn(e, NULL, "no store: %s; steps run and nothing is kept", err.text);
		return NULL;
	}
	e->own_store = true;
	e->store->warn = jl_loop_store_warning;
	e->store->warn_ctx = e;
	struct jl_store_rules rules;
	jl_project_store_rules(e->p, &rules);
	jl_store_local_rules(e->store, &rules);
	if (!read_only)
		jl_shared_open(e);
	return e->store;
}

void jl_engine_used(struct jl_engine *e, const struct jl_digest *key)
{
	if (jl_shared_found(e, key))
		return;
	if (e->store && e->store->ops->use_record && e->opts->mode != JL_MODE_PLAN && e->opts->cache == JL_CACHE_RW)
		(void)e->store->ops->use_record(e->store, key, NULL);
}

static void output(void *owner, struct jl_slot_job *job, int stream, const void *data, size_t len)
{
	struct jl_running *r = (struct jl_running *)job;
	if (!r->checking) /* what a check says is nobody's */
		jl_secrets_mask(owner, r, stream, data, len, false);
}

/* ---- deciding ---- */

/* Another order within the graph: each node's urgency is chance, the same for the same seed. */
static void shuffle(struct jl_engine *e)
{
	uint64_t seed = jl_hash64(e->opts->shuffle, strlen(e->opts->shuffle));
	for (uint32_t i = 0; i < e->graph.nodes.len; i++) {
		uint64_t mix[2] = {seed, i};
		jl_graph_node(&e->graph, i)->urgency = (uint32_t)jl_hash64(mix, sizeof(mix));
	}
}

/* What makes room comes first. */
static void push_ready(struct jl_engine *e, uint32_t node)
{
	struct jl_node *n = jl_graph_node(&e->graph, node);
	if (JL_NODE_KIND(n->what) == JL_NODE_DROP)
		n->urgency = UINT32_MAX;
	jl_urgent_push(&e->queue, &e->graph, node);
}

static void begin_urgency(struct jl_engine *e)
{
	uint32_t node;
	if (e->by_urgency && e->graph.measured)
		return;
	jl_graph_measure(&e->graph, NULL);
	if (e->opts->shuffle)
		shuffle(e);
	if (e->by_urgency)
		jl_urgent_rebuild(&e->queue, &e->graph);
	e->by_urgency = true;
	while (jl_graph_next(&e->graph, &node))
		push_ready(e, node);
}

void jl_engine_again(struct jl_engine *e, uint32_t node)
{
	begin_urgency(e);
	jl_urgent_push(&e->queue, &e->graph, node);
}

static bool next_ready(struct jl_engine *e, uint32_t *ret)
{
	uint32_t node;
	if (!e->by_urgency)
		return jl_graph_next(&e->graph, ret);
	while (jl_graph_next(&e->graph, &node))
		push_ready(e, node);
	return jl_urgent_pop(&e->queue, &e->graph, ret);
}

static void fresh(struct jl_engine *e, uint32_t inst, uint32_t node, const struct jl_digest *key)
{
	if (!jl_temp_holds_back(e, inst))
		jl_ended_fresh(e, inst, key);
	jl_graph_done(&e->graph, node, true);
}

bool jl_engine_is(const struct jl_engine *e, uint32_t inst, const char *word)
{
	return strcmp(jl_engine_label(e, inst), word) == 0 ||
	       strcmp(jl_project_text(e->p, jl_engine_rule(e, inst)->name), word) == 0;
}

static bool replay_log(struct jl_engine *e, uint32_t inst, const struct jl_record *rec)
{
	struct jl_buf log = JL_BUF_INIT;
	bool ok = true;
	if (rec->log.size == 0)
		return true;
	if (rec->log.bytes)
		jl_joblog_show(e, jl_engine_label(e, inst), rec->log.bytes, rec->log.size, true);
	else if (jl_loop_read_blob(e->store, &rec->log, &log) == JL_OK)
		jl_joblog_show(e, jl_engine_label(e, inst), log.data, log.len, true);
	else
		ok = false;
	jl_buf_release(&log);
	return ok;
}

/* A stored result: put it in place unless it lies there already. false: it cannot be used, so the step must run. */
static bool use_record(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_decided *d, struct jl_record *rec)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_event ev = {.status = JL_STEP_RESTORED};
	char key[JL_DIGEST_TEXT];
	bool there = jl_place_matches(e, inst, rec);
	if (e->opts->mode == JL_MODE_PLAN && !there) {
		ev.status = JL_STEP_WOULD_RESTORE;
		ev.reason = jl_why_restore(e, inst, d, rec, d->reason, sizeof(d->reason));
		e->counts.would_restore++;
		jl_ended_tell(e, inst, &ev);
		jl_graph_done(&e->graph, node, false);
		return true;
	}
	jl_engine_used(e, &d->key); /* first, so that it does not go while it is read */
	if (!jl_digest_equal(&d->base, &d->key))
		jl_engine_used(e, &d->base); /* by which it was found */
	if (!there) {
		jl_temp_forget(e, inst);
		int r = jl_place_restore(e, inst, rec, &err);
		if (r != JL_OK) {
			if (r == JL_ENOTFOUND)
				jl_shared_missed(e, &d->key); /* its contents are gone here */
			jl_ended_forget(e, inst); /* else what was put is known, and need not be read again */
			if (r != JL_ENOTFOUND)
				jl_engine_warn(e, jl_engine_label(e, inst), "cannot restore: %s", err.text);
			snprintf(d->reason, sizeof(d->reason), "its stored result is not whole");
			return false;
		}
	}
	if (jl_ended_result(e, inst)->wall_ns == 0)
		jl_ended_result(e, inst)->wall_ns = rec->wall_ns;
	if (e->opts->mode != JL_MODE_PLAN)
		jl_ended_settled(e, inst, d, rec->created_ns);
	if (e->opts->mode != JL_MODE_PLAN && d->later)
		jl_found_publish(e, inst, d);
	if (there) {
		fresh(e, inst, node, &d->key);
		return true;
	}
	replay_log(e, inst, rec);
	e->counts.restored++;
	e->counts.saved_ns += rec->wall_ns;
	ev.key = jl_digest_text(&d->key, key);
	ev.wall_ns = rec->wall_ns;
	jl_ended_tell(e, inst, &ev);
	jl_graph_done(&e->graph, node, true);
	return true;
}

static struct jl_running *new_running(const struct jl_engine *e, uint32_t inst, uint32_t node, bool far)
{
	struct jl_running *r = jl_calloc(1, sizeof(*r));
	*r = (struct jl_running){.job = {.units = jl_needs_cpus(e, jl_engine_rule(e, inst)), .elsewhere = far},
				 .inst = inst,
				 .node = node,
				 .what = {.inputs = JL_TABLE_INIT(struct jl_job_input),
					  .found = JL_TABLE_INIT(struct jl_job_input)},
				 .script = JL_BUF_INIT,
				 .script_word = JL_BUF_INIT,
				 .masking = {JL_BUF_INIT, JL_BUF_INIT}};
	return r;
}

static void must_run(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_decided *d)
{
	if (e->opts->mode != JL_MODE_ADOPT)
		jl_uses_warn(e, inst);
	if (e->opts->mode == JL_MODE_PLAN) {
		struct jl_event ev = {.status = JL_STEP_WOULD_RUN, .reason = d->reason};
		struct jl_digest key;
		char reason[sizeof(d->reason) + 40];
		e->shared.would_ask = jl_shared_wanted(e, &key);
		if (e->shared.would_ask) {
			snprintf(reason, sizeof(reason), "%s; the remotes are asked first", d->reason);
			ev.reason = reason;
		}
		e->counts.would_run++;
		jl_ended_tell(e, inst, &ev);
		jl_graph_done(&e->graph, node, false);
		jl_temp_plan(e, inst);
		return;
	}
	begin_urgency(e);
	if (e->opts->mode == JL_MODE_RUN && (jl_temp_bring(e, inst, node) || jl_needs_park(e, inst, node)))
		return;
	struct jl_running *r = new_running(e, inst, node, jl_needs_far(e, inst));
	r->what = *d;
	jl_found_reset(&r->what);
	d->inputs = d->found = (struct jl_table)JL_TABLE_INIT(struct jl_job_input);
	if (e->opts->mode == JL_MODE_ADOPT) {
		bool asked = jl_engine_asked(e, inst);
		r->since_ns = INT64_MAX; /* nothing runs meanwhile */
		r->log = jl_joblog_new(e, inst);
		r->job.result = (struct jl_job_result){.end = asked ? JL_JOB_EXITED : JL_JOB_NOT_STARTED,
						       .host = "local"};
		if (!asked)
			snprintf(r->job.why, sizeof(r->job.why), "it is not up to date; run it, or adopt it first");
		jl_ended_take_in(e, r);
		return;
	}
	r->attempt = 1;
	jl_slots_hold(&e->slots, &r->job);
}

static uint8_t *valid_of(struct jl_engine *e, uint32_t inst)
{
	if (e->valid.len <= inst)
		jl_table_add(&e->valid, e->p->plan.insts.len - e->valid.len);
	return JL_AT(e->valid, uint8_t, inst);
}

/* A result is there; does its valid_if say that it may be used? Asked first, by a job of its own, after which the node is
 * decided anew; never by a plan. true: it was seen to. */
static bool check_valid(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_decided *d)
{
	if (jl_engine_inst(e, inst)->valid == 0 || *valid_of(e, inst) == JL_VALID_YES)
		return false;
	if (*valid_of(e, inst) == JL_VALID_NO) {
		snprintf(d->reason, sizeof(d->reason), "valid_if says so");
		must_run(e, inst, node, d);
	} else if (e->opts->mode == JL_MODE_PLAN) {
		struct jl_event ev = {.status = JL_STEP_MAYBE, .reason = "valid_if tells when it runs"};
		e->counts.maybe++;
		jl_ended_tell(e, inst, &ev);
		jl_graph_done(&e->graph, node, false);
	} else if (!jl_needs_park_check(e, inst, node)) {
		struct jl_running *r = new_running(e, inst, node, false);
		r->checking = true;
		begin_urgency(e);
		jl_slots_hold(&e->slots, &r->job);
	}
	return true;
}

/* What valid_if said: 0 is yes. The node takes its turn again. */
static void checked(struct jl_engine *e, struct jl_running *r)
{
	const struct jl_job_result *res = &r->job.result;
	jl_needs_give(e, r);
	*valid_of(e, r->inst) = res->end == JL_JOB_EXITED && res->exit_code == 0 ? JL_VALID_YES : JL_VALID_NO;
	if (res->end == JL_JOB_NOT_STARTED)
		jl_engine_warn(e, jl_engine_label(e, r->inst), "valid_if: %s", r->job.why);
	jl_engine_again(e, r->node);
	jl_ended_free(r);
}

static void decide_inst(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_record *rec = NULL;
	struct jl_decided *d = &e->deciding;
	if (jl_engine_inst(e, inst)->flags & JL_INST_OFF) {
		jl_ended_off(e, inst, node);
		return;
	}
	if (jl_temp_waits(e, inst, node))
		return;
	if (jl_temp_is_wanted(e, inst))
		jl_temp_forget(e, inst);
	if (jl_fetching_waits(e, inst, node))
		return;
	jl_shared_begin(e);
	switch (jl_decide(e, inst, d, &rec)) {
	case JL_DECIDE_FRESH:
		if (e->opts->mode == JL_MODE_ADOPT || !check_valid(e, inst, node, d)) {
			jl_engine_note_base(e, d);
			fresh(e, inst, node, &d->key);
		}
		break;
	case JL_DECIDE_HIT:
		if (e->opts->mode != JL_MODE_ADOPT && check_valid(e, inst, node, d))
			break;
		/* What lies there is adopted whatever is stored. */
		if ((e->opts->mode == JL_MODE_ADOPT && jl_engine_asked(e, inst)) ||
		    (!use_record(e, inst, node, d, rec) && !jl_shared_ask(e, node)))
			must_run(e, inst, node, d);
		break;
	case JL_DECIDE_RUN:
		if (jl_shared_ask(e, node))
			break;
		if (e->by_urgency || e->opts->mode != JL_MODE_RUN) {
			must_run(e, inst, node, d);
		} else { /* the first: it takes its turn by urgency as all that follow, and is looked at again then */
			begin_urgency(e);
			jl_urgent_push(&e->queue, &e->graph, node);
		}
		break;
	case JL_DECIDE_FAIL: {
		struct jl_event ev = {.status = JL_STEP_FAILED, .reason = d->reason};
		jl_ended_failed(e, inst, node, &ev);
		break;
	}
	}
	jl_record_free(rec);
}

/* The file of its items is to be read, but was dropped: the node waits. */
static bool lacks_lines(struct jl_engine *e, uint32_t rule, uint32_t node)
{
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	const char *path = jl_project_text(e->p, r->items_text);
	if (r->items_kind != JL_FOREACH_LINES || r->flags & JL_RULE_EXPANDED)
		return false;
	uint32_t file = jl_files_find(jl_engine_files(e), path, strlen(path));
	return file != JL_NONE && jl_temp_bring_file(e, file, node);
}

void jl_engine_settle(struct jl_engine *e, uint32_t rule, uint32_t node)
{
	struct jl_err err = JL_ERR_INIT;
	uint32_t first = e->p->plan.insts.len;
	if (jl_temp_rule_waits(e, rule, node) || (e->opts->mode == JL_MODE_RUN && lacks_lines(e, rule, node)))
		return;
	int r = jl_expand_rule(e->p, rule, &err);
	if (r != JL_OK) {
		const struct jl_messages *m = e->p->msgs;
		struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED,
				      .status = JL_STEP_FAILED,
				      .step = jl_project_text(e->p, jl_plan_rule(&e->p->plan, rule)->name),
				      .reason = m->errors ? m->at[m->n - 1].text : err.text};
		e->counts.failed++;
		e->counts.total++;
		e->void_plan = true;
		jl_engine_emit(e, &ev);
		jl_graph_done(&e->graph, node, false);
		e->slots.stopping |= e->opts->fail != JL_FAIL_KEEP_GOING;
		return;
	}
	jl_expand_waits(e->p, first);
	if (e->opts->mode == JL_MODE_RUN)
		jl_place_gone(e);
	e->p->gone.len = 0;
	jl_select_settled(e, rule);
	if (jl_plan_rule(&e->p->plan, rule)->flags & JL_RULE_TEMP)
		jl_temp_purge(e->p, e->rule, true);
	jl_graph_done(&e->graph, node, true);
}

static void visit(struct jl_engine *e, uint32_t node)
{
	const struct jl_node *n = jl_graph_node(&e->graph, node);
	uint32_t index = JL_NODE_INDEX(n->what);
	enum jl_node_kind kind = JL_NODE_KIND(n->what);
	char waits[JL_WHY_MAX];
	if (kind == JL_NODE_BARRIER || kind == JL_NODE_USERS) {
		jl_graph_done(&e->graph, node, !n->blocked);
	} else if (kind == JL_NODE_DROP) {
		jl_temp_drop(e, index, node);
	} else if (n->blocked || e->slots.stopping) {
		if (kind == JL_NODE_SETTLE) {
			struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED,
					      .step = jl_project_text(e->p, jl_plan_rule(&e->p->plan, index)->name),
					      .reason = "its items come from a step that has to run first"};
			bool plan = e->opts->mode == JL_MODE_PLAN;
			ev.status = plan ? JL_STEP_MAYBE : JL_STEP_SKIPPED;
			e->counts.total++;
			e->counts.maybe += plan;
			e->counts.skipped += !plan;
			jl_engine_emit(e, &ev);
			jl_graph_done(&e->graph, node, false);
			return;
		}
		jl_ended_skip(e, node,
		     e->slots.stopping               ? "the run ended before"
		     : e->opts->mode == JL_MODE_PLAN ? jl_why_waits(e, node, waits, sizeof(waits))
						     : "something it needs failed");
	} else if (kind == JL_NODE_SETTLE) {
		jl_engine_settle(e, index, node);
	} else {
		if (kind == JL_NODE_REMAKE)
			jl_temp_forget(e, index);
		decide_inst(e, index, node);
	}
}

/* ---- the loop ---- */

static bool work(void *owner)
{
	struct jl_engine *e = owner;
	uint32_t node;
	struct jl_running *again = NULL;
	if (e->slots.stopping || (e->again && !e->slots.held[e->again->job.elsewhere]))
		again = jl_again_take(e, e->slots.stopping);
	if (again && e->slots.stopping) {
		jl_ended_give_up(e, again);
		return true;
	}
	if (again) {
		jl_slots_hold(&e->slots, &again->job);
		return true;
	}
	if (e->slots.stopping && (jl_shared_drop(e, &node) || jl_fetching_drop(e, &node))) {
		jl_ended_skip(e, node, "the run ended before");
		return true;
	}
	if (!e->slots.stopping && (jl_shared_full(e) || jl_fetching_full(e)))
		return false;
	bool found = jl_needs_unpark(e, e->slots.stopping, &node) || (!jl_needs_full(e) && next_ready(e, &node));
	if (found && jl_move_is(e))
		jl_move_visit(e, node);
	else if (found)
		visit(e, node);
	jl_again_wake(e); /* somebody may have begun to wait for a host */
	return found;
}

static void ended(void *owner, struct jl_slot_job *job)
{
	struct jl_engine *e = owner;
	e->counts.running = e->slots.n_running;
	jl_script_remove((struct jl_running *)job);
	if (((struct jl_running *)job)->checking)
		checked(e, (struct jl_running *)job);
	else
		jl_ended_take_in(e, (struct jl_running *)job);
}

static void dropped(void *owner, struct jl_slot_job *job)
{
	struct jl_running *r = (struct jl_running *)job;
	jl_script_remove(r);
	jl_needs_give(owner, r); /* it may have been refused by the machine */
	if (r->attempt > 1) { /* it waited for another attempt: the last one counts */
		r->attempt--;
		jl_ended_give_up(owner, r);
		return;
	}
	jl_ended_skip(owner, r->node, "the run ended before");
	jl_ended_free(r);
}

static void flush(struct jl_engine *e)
{
	int64_t now = e->clock->now_ns(e->clock);
	struct jl_err err = JL_ERR_INIT;
	if (now - e->flushed_ns < FLUSH_NS || e->p->state->read_only)
		return;
	e->flushed_ns = now;
	if (jl_state_flush(e->p->state, &err) != JL_OK && !e->state_told) {
		e->state_told = true;
		jl_engine_warn(e, NULL, "cannot write .jl: %s; the next run looks at more", err.text);
	}
}

static void tell_progress(struct jl_engine *e, bool idle)
{
	const int64_t wake = jl_sinks_wake(e->opts->sinks);
	e->slots.tick_ns = 0;
	if (e->needs.alone) /* the terminal is the step's */
		return;
	if (idle || (wake && wake <= e->clock->now_ns(e->clock) - e->began_ns))
		jl_engine_progress(e, NULL);
	const int64_t next = jl_sinks_wake(e->opts->sinks);
	if (next > e->now_ns - e->began_ns) /* a wish that stays is none: it would never let the loop wait */
		e->slots.tick_ns = e->began_ns + next;
}

static void turn(void *owner, bool idle)
{
	struct jl_engine *e = owner;
	flush(e);
	jl_fetching_tell(e);
	tell_progress(e, idle);
	if (idle && e->opts->mode == JL_MODE_RUN)
		jl_files_settle(jl_engine_files(e), 0);
}

static void terminal(void *owner, int sig)
{
	struct jl_event ev = {.type = sig == SIGTSTP ? JL_EVENT_PAUSED : JL_EVENT_SCREEN};
	jl_engine_emit(owner, &ev);
}

const struct jl_slots_ops jl_engine_slots = {.work = work,
					     .begin = jl_start_begin,
					     .begun = jl_start_begun,
					     .output = output,
					     .ended = ended,
					     .is_good = jl_ended_is_good,
					     .dropped = dropped,
					     .may_start = jl_needs_met,
					     .turn = turn,
					     .terminal = terminal};
