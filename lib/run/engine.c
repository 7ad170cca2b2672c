/* The engine: the one place that joins graph, keys, store and executor. What slots.h calls work is here a ready node: it is
 * decided on the spot; what is fresh or in the store is done there and then, what must run is held for a slot. As soon as
 * something has to run, ready nodes are taken by urgency: the longest remaining path first, by stored durations.
 */
#include "run/engine.h"

#include "base/file.h"
#include "base/path.h"
#include "manifest/shell.h"
#include "run/expand.h"
#include "run/loop.h"
#include "run/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_NS      (500 * JL_NS_MS)
#define KILL_AFTER_NS (10 * JL_NS_S)

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
	return e->store;
}

/* ---- ends ---- */

static void finished(struct jl_engine *e, uint32_t inst, struct jl_event *ev)
{
	ev->type = JL_EVENT_STEP_FINISHED;
	ev->step = jl_engine_label(e, inst);
	jl_engine_emit(e, ev);
}

static struct jl_result *result_of(struct jl_engine *e, uint32_t inst)
{
	return jl_result_at(&e->p->state->results, jl_engine_inst(e, inst)->result);
}

static void changed(struct jl_engine *e, uint32_t inst)
{
	result_of(e, inst)->when_ns = jl_clock_real_ns();
	jl_results_touch(&e->p->state->results, jl_engine_inst(e, inst)->result);
}

/* What the command or a restore wrote is looked at anew: the outputs themselves, and the listings they stand in. */
static void forget_outputs(struct jl_engine *e, uint32_t inst)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE)) {
			jl_files_forget_all(files);
			return;
		}
		jl_files_forget(files, port->what, port->flags & JL_PORT_FOLDER); /* and the folders above */
	}
}

/* The result as it now lies on disk. */
static void settled(struct jl_engine *e, uint32_t inst, const struct jl_digest *key)
{
	struct jl_result *res = result_of(e, inst);
	res->key = *key;
	res->flags &= ~(uint32_t)(JL_RESULT_FAILED | JL_RESULT_OK);
	if (jl_outputs_hash(e, inst, &res->outs))
		res->flags |= JL_RESULT_OK;
	changed(e, inst);
}

static void skip(struct jl_engine *e, uint32_t node, const char *reason)
{
	uint32_t what = jl_graph_node(&e->graph, node)->what;
	if (JL_NODE_KIND(what) == JL_NODE_INST) {
		bool plan = e->opts->mode == JL_MODE_PLAN && !e->slots.stopping;
		struct jl_event ev = {.status = plan ? JL_STEP_MAYBE : JL_STEP_SKIPPED, .reason = reason};
		if (plan)
			e->counts.maybe++;
		else
			e->counts.skipped++;
		finished(e, JL_NODE_INDEX(what), &ev);
	}
	jl_graph_done(&e->graph, node, false);
}

static void failed(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_event *ev)
{
	bool allowed = jl_engine_rule(e, inst)->flags & JL_RULE_ALLOW_FAILURE;
	if (allowed)
		e->counts.ran++;
	else
		e->counts.failed++;
	if (e->opts->mode != JL_MODE_PLAN) {
		result_of(e, inst)->flags |= JL_RESULT_FAILED;
		changed(e, inst);
	}
	finished(e, inst, ev);
	jl_graph_done(&e->graph, node, allowed);
	if (allowed || e->opts->fail == JL_FAIL_KEEP_GOING || e->opts->mode == JL_MODE_PLAN)
		return;
	jl_slots_stop(&e->slots, e->opts->fail == JL_FAIL_NOW);
}

/* ---- taking in what has ended ---- */

static void free_running(struct jl_running *r)
{
	jl_joblog_free(r->log);
	jl_table_release(&r->what.inputs);
	free(r);
}

/* Why this success is not to be stored; NULL: it is. */
static const char *not_stored(struct jl_engine *e, struct jl_running *r, char *room, size_t size)
{
	const struct jl_rule *rule = jl_engine_rule(e, r->inst);
	if (r->job.result.pipe_held)
		return "a background process still held its output";
	if (!jl_decide_same(e, r->inst, &r->what, room, size))
		return room;
	if (rule->flags & (JL_RULE_ALWAYS | JL_RULE_NO_CACHE) || e->opts->cache == JL_CACHE_OFF ||
	    e->opts->cache == JL_CACHE_RO)
		return "";
	return NULL;
}

/* The outputs are there: into the store with them, and into the state. Returns whether they were stored. */
static bool keep(struct jl_engine *e, struct jl_running *r, const struct jl_outputs *outs, char *why, size_t size)
{
	struct jl_err err = JL_ERR_INIT;
	char room[200];
	const char *reason = not_stored(e, r, room, sizeof(room));
	bool stored = false, valid = !reason || reason[0] == '\0';
	if (!reason) {
		struct jl_content log;
		jl_joblog_content(r->log, &log);
		stored = jl_outputs_store(e, r, outs, &log, -1, &err) == JL_OK;
		if (!stored && e->store)
			snprintf(why, size, "not stored: %.*s", (int)size - 16, err.text);
	} else if (reason[0]) {
		snprintf(why, size, "not stored: %s", reason);
	}
	if (why[0])
		jl_engine_warn(e, jl_engine_label(e, r->inst), "%s", why);
	struct jl_result *res = result_of(e, r->inst);
	res->wall_ns = r->job.result.wall_ns;
	if (valid) {
		settled(e, r->inst, &r->what.key);
	} else { /* it stands, but nothing may be concluded from it later */
		res->flags &= ~(uint32_t)(JL_RESULT_OK | JL_RESULT_FAILED);
		changed(e, r->inst);
	}
	return stored;
}

static void describe_end(const struct jl_running *r, struct jl_event *ev)
{
	ev->wall_ns = r->job.result.wall_ns;
	ev->user_ns = r->job.result.user_ns;
	ev->sys_ns = r->job.result.sys_ns;
	ev->max_rss_kib = r->job.result.max_rss_kib;
	ev->exit_code = r->job.result.exit_code;
	ev->signal = r->job.result.signal;
	ev->attempt = r->attempt;
	ev->executor = "local";
	ev->host = r->job.result.host;
}

static void command_line(struct jl_engine *e, uint32_t inst, struct jl_buf *out)
{
	struct jl_table room = JL_TABLE_INIT(char *);
	struct jl_spec spec;
	jl_plan_spec(&e->p->plan, jl_engine_inst(e, inst)->spec, &room, &spec);
	for (uint32_t i = spec.n_shell; i < spec.n_argv; i++) {
		if (i > spec.n_shell)
			jl_buf_char(out, ' ');
		if (spec.n_shell)
			jl_buf_str(out, spec.argv[i]);
		else
			jl_shell_quote(out, spec.argv[i], strlen(spec.argv[i]));
	}
	jl_table_release(&room);
}

static void take_failure(struct jl_engine *e, struct jl_running *r, const char *why, struct jl_event *ev)
{
	struct jl_buf command = JL_BUF_INIT;
	ev->status = r->job.result.end == JL_JOB_TIMEOUT ? JL_STEP_TIMEOUT : JL_STEP_FAILED;
	if (r->job.result.end == JL_JOB_CANCELLED) {
		ev->status = JL_STEP_CANCELLED;
		e->counts.skipped++;
		jl_place_failed(e, r->inst);
		finished(e, r->inst, ev);
		jl_graph_done(&e->graph, r->node, false);
		return;
	}
	ev->reason = why[0] ? why : NULL;
	ev->log = jl_joblog_path(r->log);
	/* What lies there when it was not even begun is not its work. */
	if (r->job.result.end != JL_JOB_NOT_STARTED && e->opts->mode != JL_MODE_ADOPT)
		jl_place_failed(e, r->inst);
	command_line(e, r->inst, &command);
	ev->command = command.data;
	failed(e, r->inst, r->node, ev);
	jl_buf_release(&command);
}

static bool succeeded(const struct jl_running *r)
{
	return r->job.result.end == JL_JOB_EXITED && r->job.result.exit_code == 0;
}

static void take_in(struct jl_engine *e, struct jl_running *r)
{
	struct jl_outputs outs = {.at = JL_TABLE_INIT(struct jl_record_output)};
	struct jl_err err = JL_ERR_INIT;
	struct jl_event ev = {0};
	char why[400] = "", key[JL_DIGEST_TEXT];
	bool ok = succeeded(r);
	forget_outputs(e, r->inst);
	describe_end(r, &ev);
	ev.key = jl_digest_text(&r->what.key, key);
	jl_joblog_close(r->log);
	snprintf(why, sizeof(why), "%s", r->job.why);
	if (ok && jl_outputs_collect(e, r->inst, &outs, &err) != JL_OK) {
		ok = false;
		snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, err.text);
	}
	bool adopting = e->opts->mode == JL_MODE_ADOPT;
	if (ok) {
		why[0] = '\0';
		ev.stored = keep(e, r, &outs, why, sizeof(why));
	}
	jl_joblog_show(e, jl_engine_label(e, r->inst), jl_joblog_framed(r->log)->data, jl_joblog_framed(r->log)->len,
		       false);
	if (ok) {
		e->counts.ran++;
		ev.status = JL_STEP_RAN;
		ev.reason = why[0] ? why : adopting ? "adopted" : r->what.reason;
		finished(e, r->inst, &ev);
		jl_graph_done(&e->graph, r->node, true);
	} else {
		if (r->job.result.exit_code == 141 && !why[0])
			snprintf(why, sizeof(why),
				 "a command of its pipeline ended by SIGPIPE; \"shell: [bash, -c]\" leaves pipefail "
				 "out");
		take_failure(e, r, why, &ev);
	}
	jl_outputs_release(&outs);
	free_running(r);
}

/* ---- starting ---- */

static int64_t timeout_of(const struct jl_engine *e, uint32_t inst)
{
	int64_t own = jl_engine_rule(e, inst)->timeout_ns;
	return own ? own : e->opts->timeout_ns;
}

static int begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct jl_engine *e = owner;
	struct jl_running *r = (struct jl_running *)job;
	struct jl_starting *st = &e->starting;
	struct jl_spec spec;
	if (!r->log)
		r->log = jl_joblog_new(e, r->inst);
	int status = jl_place_prepare(e, r->inst, err);
	if (status != JL_OK)
		return status;
	jl_plan_spec(&e->p->plan, jl_engine_inst(e, r->inst)->spec, &st->argv, &spec);
	jl_buf_clear(&st->workdir);
	jl_path_join(&st->workdir, e->p->root, spec.workdir);
	ret->label = jl_engine_label(e, r->inst);
	ret->argv = spec.argv;
	ret->envp = jl_environ_of(e, r->inst, &spec, job->slot, &st->text, &st->env);
	ret->workdir = st->workdir.data;
	ret->timeout_ns = timeout_of(e, r->inst);
	ret->kill_after_ns = e->opts->kill_after_ns ? e->opts->kill_after_ns : KILL_AFTER_NS;
	return JL_OK;
}

static void begun(void *owner, struct jl_slot_job *job, bool started)
{
	struct jl_engine *e = owner;
	struct jl_running *r = (struct jl_running *)job;
	if (!started)
		return;
	e->counts.running = e->slots.n_running;
	r->attempt = 1;
	if (!e->opts->sinks)
		return;
	struct jl_buf line = JL_BUF_INIT;
	command_line(e, r->inst, &line);
	struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
			      .step = jl_engine_label(e, r->inst),
			      .attempt = 1,
			      .executor = "local",
			      .host = "local",
			      .pid = job->pid,
			      .command = line.data,
			      .reason = r->what.reason};
	jl_engine_emit(e, &ev);
	jl_buf_release(&line);
}

static void output(void *owner, struct jl_slot_job *job, int stream, const void *data, size_t len)
{
	(void)owner;
	jl_joblog_add(((struct jl_running *)job)->log, stream, data, len);
}

/* ---- deciding ---- */

static void begin_urgency(struct jl_engine *e)
{
	uint32_t node;
	if (e->by_urgency && e->graph.measured)
		return;
	jl_graph_measure(&e->graph, NULL);
	if (e->by_urgency)
		jl_urgent_rebuild(&e->queue, &e->graph);
	e->by_urgency = true;
	while (jl_graph_next(&e->graph, &node))
		jl_urgent_push(&e->queue, &e->graph, node);
}

static bool next_ready(struct jl_engine *e, uint32_t *ret)
{
	uint32_t node;
	if (!e->by_urgency)
		return jl_graph_next(&e->graph, ret);
	while (jl_graph_next(&e->graph, &node))
		jl_urgent_push(&e->queue, &e->graph, node);
	return jl_urgent_pop(&e->queue, &e->graph, ret);
}

static void fresh(struct jl_engine *e, uint32_t inst, uint32_t node, const struct jl_digest *key)
{
	const struct jl_result *res = result_of(e, inst);
	struct jl_event ev = {.status = JL_STEP_FRESH};
	char text[JL_DIGEST_TEXT];
	e->counts.fresh++;
	e->counts.saved_ns += res->wall_ns;
	if (e->opts->sinks)
		ev.key = jl_digest_text(key, text);
	finished(e, inst, &ev);
	jl_graph_done(&e->graph, node, true);
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
		e->counts.would_restore++;
		finished(e, inst, &ev);
		jl_graph_done(&e->graph, node, false);
		return true;
	}
	if (!there) {
		int r = jl_place_restore(e, inst, rec, &err);
		forget_outputs(e, inst);
		if (r != JL_OK) {
			if (r != JL_ENOTFOUND)
				jl_engine_warn(e, jl_engine_label(e, inst), "cannot restore: %s", err.text);
			snprintf(d->reason, sizeof(d->reason), "its stored result is not whole");
			return false;
		}
	}
	if (result_of(e, inst)->wall_ns == 0)
		result_of(e, inst)->wall_ns = rec->wall_ns;
	if (e->opts->mode != JL_MODE_PLAN)
		settled(e, inst, &d->key);
	if (there) {
		fresh(e, inst, node, &d->key);
		return true;
	}
	replay_log(e, inst, rec);
	e->counts.restored++;
	e->counts.saved_ns += rec->wall_ns;
	ev.key = jl_digest_text(&d->key, key);
	ev.wall_ns = rec->wall_ns;
	finished(e, inst, &ev);
	jl_graph_done(&e->graph, node, true);
	return true;
}

static void must_run(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_decided *d)
{
	if (e->opts->mode == JL_MODE_PLAN) {
		struct jl_event ev = {.status = JL_STEP_WOULD_RUN, .reason = d->reason};
		e->counts.would_run++;
		finished(e, inst, &ev);
		jl_graph_done(&e->graph, node, false);
		return;
	}
	struct jl_running *r = jl_calloc(1, sizeof(*r));
	r->inst = inst;
	r->node = node;
	r->what = *d;
	d->inputs = (struct jl_table)JL_TABLE_INIT(struct jl_job_input);
	begin_urgency(e);
	if (e->opts->mode == JL_MODE_ADOPT) {
		bool asked = jl_engine_asked(e, inst);
		r->log = jl_joblog_new(e, inst);
		r->job.result = (struct jl_job_result){.end = asked ? JL_JOB_EXITED : JL_JOB_NOT_STARTED,
						       .host = "local"};
		if (!asked)
			snprintf(r->job.why, sizeof(r->job.why), "it is not up to date; run it, or adopt it first");
		take_in(e, r);
		return;
	}
	jl_slots_hold(&e->slots, &r->job);
}

static void decide_inst(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_record *rec = NULL;
	struct jl_decided *d = &e->deciding;
	switch (jl_decide(e, inst, d, &rec)) {
	case JL_DECIDE_FRESH: fresh(e, inst, node, &d->key); break;
	case JL_DECIDE_HIT:
		/* What lies there is adopted whatever is stored. */
		if ((e->opts->mode == JL_MODE_ADOPT && jl_engine_asked(e, inst)) || !use_record(e, inst, node, d, rec))
			must_run(e, inst, node, d);
		break;
	case JL_DECIDE_RUN:
		if (e->by_urgency || e->opts->mode != JL_MODE_RUN) {
			must_run(e, inst, node, d);
		} else { /* the first: it takes its turn by urgency as all that follow, and is looked at again then */
			begin_urgency(e);
			jl_urgent_push(&e->queue, &e->graph, node);
		}
		break;
	case JL_DECIDE_FAIL: {
		struct jl_event ev = {.status = JL_STEP_FAILED, .reason = d->reason};
		failed(e, inst, node, &ev);
		break;
	}
	}
	jl_record_free(rec);
}

static void settle_rule(struct jl_engine *e, uint32_t rule, uint32_t node)
{
	struct jl_err err = JL_ERR_INIT;
	uint32_t first = e->p->plan.insts.len;
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
	jl_graph_done(&e->graph, node, true);
}

static void visit(struct jl_engine *e, uint32_t node)
{
	const struct jl_node *n = jl_graph_node(&e->graph, node);
	uint32_t index = JL_NODE_INDEX(n->what);
	enum jl_node_kind kind = JL_NODE_KIND(n->what);
	if (kind == JL_NODE_BARRIER) {
		jl_graph_done(&e->graph, node, !n->blocked);
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
		skip(e, node,
		     e->slots.stopping               ? "the run ended before"
		     : e->opts->mode == JL_MODE_PLAN ? "depends on a step that is not up to date"
						     : "something it needs failed");
	} else if (kind == JL_NODE_SETTLE) {
		settle_rule(e, index, node);
	} else {
		decide_inst(e, index, node);
	}
}

/* ---- the loop ---- */

static bool work(void *owner)
{
	struct jl_engine *e = owner;
	uint32_t node;
	if (!next_ready(e, &node))
		return false;
	visit(e, node);
	return true;
}

static void ended(void *owner, struct jl_slot_job *job)
{
	struct jl_engine *e = owner;
	e->counts.running = e->slots.n_running;
	take_in(e, (struct jl_running *)job);
}

static void dropped(void *owner, struct jl_slot_job *job)
{
	struct jl_running *r = (struct jl_running *)job;
	skip(owner, r->node, "the run ended before");
	free_running(r);
}

static void flush(struct jl_engine *e)
{
	int64_t now = e->clock->now_ns(e->clock);
	struct jl_err err = JL_ERR_INIT;
	if (now - e->flushed_ns < FLUSH_NS || e->opts->mode == JL_MODE_PLAN)
		return;
	e->flushed_ns = now;
	if (jl_state_flush(e->p->state, &err) != JL_OK && !e->state_told) {
		e->state_told = true;
		jl_engine_warn(e, NULL, "cannot write .jl: %s; the next run looks at more", err.text);
	}
}

static void turn(void *owner, bool idle)
{
	struct jl_engine *e = owner;
	struct jl_event ev = {.type = JL_EVENT_PROGRESS};
	flush(e);
	if (!idle)
		return;
	jl_engine_emit(e, &ev);
	if (e->opts->mode == JL_MODE_RUN)
		jl_files_settle(jl_engine_files(e), 0);
}

const struct jl_slots_ops jl_engine_slots = {.work = work,
					     .begin = begin,
					     .begun = begun,
					     .output = output,
					     .ended = ended,
					     .dropped = dropped,
					     .turn = turn};
