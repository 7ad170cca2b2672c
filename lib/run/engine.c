/* The engine: the one place that joins graph, keys, store and executor.
 *
 * One loop. A ready node is decided on the spot; what is fresh or in the store is done there and then, what must run goes to a
 * free slot. While all slots are busy, deciding goes on until one more must run: that one is held and starts the moment a slot
 * falls free (a look-ahead of one: memory does not grow with the run). What has ended is taken in after the next was started,
 * but for a failure, after which nothing may start.
 * As soon as something has to run, ready nodes are taken by urgency: the longest remaining path first, by stored durations.
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

#define FLUSH_NS (500 * JL_NS_MS)
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
		bool plan = e->opts->mode == JL_MODE_PLAN && !e->stopping;
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
	e->stopping = true;
	if (e->opts->fail == JL_FAIL_NOW)
		for (uint32_t i = 0; i < e->slots; i++)
			if (e->running[i])
				e->exec->ops->cancel(e->exec, i + 1, JL_CANCEL_TERM);
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
	if (r->result.pipe_held)
		return "a background process still held its output";
	if (!jl_decide_same(e, r->inst, &r->what, room, size))
		return room;
	if (rule->flags & (JL_RULE_ALWAYS | JL_RULE_NO_CACHE) || e->opts->cache == JL_CACHE_OFF || e->opts->cache == JL_CACHE_RO)
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
		stored = jl_outputs_store(e, r, outs, &err) == JL_OK;
		if (!stored && e->store)
			snprintf(why, size, "not stored: %.*s", (int)size - 16, err.text);
	} else if (reason[0]) {
		snprintf(why, size, "not stored: %s", reason);
	}
	if (why[0])
		jl_engine_warn(e, jl_engine_label(e, r->inst), "%s", why);
	struct jl_result *res = result_of(e, r->inst);
	res->wall_ns = r->result.wall_ns;
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
	ev->wall_ns = r->result.wall_ns;
	ev->user_ns = r->result.user_ns;
	ev->sys_ns = r->result.sys_ns;
	ev->max_rss_kib = r->result.max_rss_kib;
	ev->exit_code = r->result.exit_code;
	ev->signal = r->result.signal;
	ev->attempt = r->attempt;
	ev->executor = "local";
	ev->host = r->result.host;
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
	ev->status = r->result.end == JL_JOB_TIMEOUT ? JL_STEP_TIMEOUT : JL_STEP_FAILED;
	if (r->result.end == JL_JOB_CANCELLED) {
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
	if (r->result.end != JL_JOB_NOT_STARTED && e->opts->mode != JL_MODE_ADOPT)
		jl_place_failed(e, r->inst);
	command_line(e, r->inst, &command);
	ev->command = command.data;
	failed(e, r->inst, r->node, ev);
	jl_buf_release(&command);
}

static bool succeeded(const struct jl_running *r)
{
	return r->result.end == JL_JOB_EXITED && r->result.exit_code == 0;
}

static void take_in(struct jl_engine *e, struct jl_running *r)
{
	struct jl_outputs outs = {.at = JL_TABLE_INIT(struct jl_record_output)};
	struct jl_err err = JL_ERR_INIT;
	struct jl_event ev = {0};
	char why[400] = "", key[JL_DIGEST_TEXT];
	bool ok = succeeded(r);
	e->n_bad -= !ok;
	forget_outputs(e, r->inst);
	describe_end(r, &ev);
	ev.key = jl_digest_text(&r->what.key, key);
	jl_joblog_close(r->log);
	snprintf(why, sizeof(why), "%s", r->why);
	if (ok && jl_outputs_collect(e, r->inst, &outs, &err) != JL_OK) {
		ok = false;
		snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, err.text);
	}
	bool adopting = e->opts->mode == JL_MODE_ADOPT;
	if (ok) {
		why[0] = '\0';
		ev.stored = keep(e, r, &outs, why, sizeof(why));
	}
	jl_joblog_show(e, jl_engine_label(e, r->inst), jl_joblog_framed(r->log)->data, jl_joblog_framed(r->log)->len, false);
	if (ok) {
		e->counts.ran++;
		ev.status = JL_STEP_RAN;
		ev.reason = why[0] ? why : adopting ? "adopted" : r->what.reason;
		finished(e, r->inst, &ev);
		jl_graph_done(&e->graph, r->node, true);
	} else {
		if (r->result.exit_code == 141 && !why[0])
			snprintf(why, sizeof(why), "a command of its pipeline ended by SIGPIPE; \"shell: [bash, -c]\" leaves pipefail out");
		take_failure(e, r, why, &ev);
	}
	jl_outputs_release(&outs);
	free_running(r);
}

/* ---- executor's callbacks ---- */

static void on_output(void *ctx, uint64_t job, int stream, const void *data, size_t len)
{
	struct jl_engine *e = ctx;
	struct jl_running *r = e->running[job - 1];
	jl_joblog_add(r->log, stream, data, len);
}

static void on_done(void *ctx, uint64_t job, const struct jl_job_result *result)
{
	struct jl_engine *e = ctx;
	struct jl_running *r = e->running[job - 1], **at = &e->ended;
	r->result = *result;
	snprintf(r->why, sizeof(r->why), "%s", result->why ? result->why : "");
	r->result.why = NULL;
	e->running[job - 1] = NULL;
	e->n_running--;
	e->counts.running--;
	e->starved = false;
	e->n_bad += !succeeded(r);
	while (*at)
		at = &(*at)->next;
	*at = r;
}

/* ---- starting ---- */

static int64_t timeout_of(const struct jl_engine *e, uint32_t inst)
{
	int64_t own = jl_engine_rule(e, inst)->timeout_ns;
	return own ? own : e->opts->timeout_ns;
}

/* It cannot even be begun: taken in as a failure like any other. */
static void not_begun(struct jl_engine *e, struct jl_running *r, const struct jl_err *err)
{
	r->result = (struct jl_job_result){.end = JL_JOB_NOT_STARTED, .exit_code = 126};
	snprintf(r->why, sizeof(r->why), "%.*s", (int)sizeof(r->why) - 1, err->text);
	r->next = e->ended;
	e->ended = r;
	e->n_bad++;
}

/* Start on a free slot. false: the machine has no process to give now; it stays held. */
static bool start(struct jl_engine *e, struct jl_running *r)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_table room = JL_TABLE_INIT(char *), env = JL_TABLE_INIT(char *);
	struct jl_buf text = JL_BUF_INIT, workdir = JL_BUF_INIT;
	struct jl_spec spec;
	bool started = true;
	uint32_t slot = 0;
	while (e->running[slot])
		slot++;
	if (!r->log)
		r->log = jl_joblog_new(e, r->inst);
	int status = jl_place_prepare(e, r->inst, &err);
	if (status != JL_OK) {
		not_begun(e, r, &err);
		goto out;
	}
	jl_plan_spec(&e->p->plan, jl_engine_inst(e, r->inst)->spec, &room, &spec);
	jl_path_join(&workdir, e->p->root, spec.workdir);
	struct jl_job job = {
		.id = slot + 1,
		.label = jl_engine_label(e, r->inst),
		.argv = spec.argv,
		.envp = jl_environ_of(e, r->inst, &spec, slot, &text, &env),
		.workdir = workdir.data,
		.stdin_fd = -1,
		.timeout_ns = timeout_of(e, r->inst),
		.kill_after_ns = e->opts->kill_after_ns ? e->opts->kill_after_ns : KILL_AFTER_NS,
	};
	r->slot = slot;
	e->running[slot] = r;
	status = e->exec->ops->start(e->exec, &job, &r->pid, &err);
	if (status != JL_OK) {
		e->running[slot] = NULL;
		if (status == JL_EBUSY && e->n_running > 0) {
			e->starved = true;
			started = false;
		} else {
			not_begun(e, r, &err);
		}
		goto out;
	}
	e->n_running++;
	e->counts.running++;
	r->attempt = 1;
	if (e->opts->sinks) {
		struct jl_buf line = JL_BUF_INIT;
		command_line(e, r->inst, &line);
		struct jl_event ev = {.type = JL_EVENT_STEP_STARTED, .step = job.label, .attempt = 1, .executor = "local",
		                      .host = "local", .pid = r->pid, .command = line.data, .reason = r->what.reason};
		jl_engine_emit(e, &ev);
		jl_buf_release(&line);
	}
out:
	jl_table_release(&room);
	jl_table_release(&env);
	jl_buf_release(&text);
	jl_buf_release(&workdir);
	return started;
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
		r->result = (struct jl_job_result){.end = asked ? JL_JOB_EXITED : JL_JOB_NOT_STARTED, .host = "local"};
		if (!asked)
			snprintf(r->why, sizeof(r->why), "it is not up to date; run it, or adopt it first");
		e->n_bad += !asked;
		take_in(e, r);
		return;
	}
	e->held = r;
}

static void decide_inst(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_record *rec = NULL;
	struct jl_decided *d = &e->deciding;
	switch (jl_decide(e, inst, d, &rec)) {
	case JL_DECIDE_FRESH:
		fresh(e, inst, node, &d->key);
		break;
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
		struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED, .status = JL_STEP_FAILED,
		                      .step = jl_project_text(e->p, jl_plan_rule(&e->p->plan, rule)->name),
		                      .reason = m->errors ? m->at[m->n - 1].text : err.text};
		e->counts.failed++;
		e->counts.total++;
		e->void_plan = true;
		jl_engine_emit(e, &ev);
		jl_graph_done(&e->graph, node, false);
		e->stopping |= e->opts->fail != JL_FAIL_KEEP_GOING;
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
	} else if (n->blocked || e->stopping) {
		if (kind == JL_NODE_SETTLE) {
			struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED, .step = jl_project_text(e->p, jl_plan_rule(&e->p->plan, index)->name),
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
		skip(e, node, e->stopping ? "the run ended before" : e->opts->mode == JL_MODE_PLAN ? "depends on a step that is not up to date"
		                                                                                 : "something it needs failed");
	} else if (kind == JL_NODE_SETTLE) {
		settle_rule(e, index, node);
	} else {
		decide_inst(e, index, node);
	}
}

/* ---- the loop ---- */

static void between(struct jl_engine *e)
{
	int64_t now = e->clock->now_ns(e->clock);
	if (now - e->flushed_ns < FLUSH_NS || e->opts->mode == JL_MODE_PLAN)
		return;
	e->flushed_ns = now;
	struct jl_err err = JL_ERR_INIT;
	if (jl_state_flush(e->p->state, &err) != JL_OK && !e->state_told) {
		e->state_told = true;
		jl_engine_warn(e, NULL, "cannot write .jl: %s; the next run looks at more", err.text);
	}
	struct jl_event ev = {.type = JL_EVENT_PROGRESS};
	jl_engine_emit(e, &ev);
}

static int wait_for_something(struct jl_engine *e, int64_t until_ns, struct jl_err *err)
{
	struct jl_event ev = {.type = JL_EVENT_PROGRESS};
	jl_engine_emit(e, &ev);
	if (until_ns != 0 && e->opts->mode == JL_MODE_RUN)
		jl_files_settle(jl_engine_files(e), 0);
	return e->exec->ops->poll(e->exec, until_ns, err);
}

int jl_engine_loop(struct jl_engine *e, struct jl_err *err)
{
	unsigned visited = 0;
	uint32_t node;
	int r = JL_OK;
	while (r >= 0) {
		bool may_start = e->held && e->n_running < e->slots && !e->starved && !e->stopping && e->n_bad == 0;
		if (may_start) {
			struct jl_running *h = e->held;
			e->held = NULL;
			if (!start(e, h))
				e->held = h;
			continue;
		}
		if (e->held && e->stopping) {
			skip(e, e->held->node, "the run ended before");
			free_running(e->held);
			e->held = NULL;
			continue;
		}
		if (e->ended) {
			struct jl_running *ended = e->ended;
			e->ended = ended->next;
			take_in(e, ended);
			between(e);
			continue;
		}
		if (!e->held && next_ready(e, &node)) {
			visit(e, node);
			if (++visited % 64 == 0 && e->exec) {
				between(e);
				r = e->exec->ops->poll(e->exec, 0, err);
			}
			continue;
		}
		if (e->n_running == 0)
			break;
		r = wait_for_something(e, e->clock->now_ns(e->clock) + FLUSH_NS, err);
	}
	return r < 0 ? r : JL_OK;
}

void jl_engine_stop(struct jl_engine *e, int sig)
{
	e->signal = e->signal ? e->signal : sig;
	e->stopping = true;
	e->signals++;
	for (uint32_t i = 0; i < e->slots; i++)
		if (e->running[i])
			e->exec->ops->cancel(e->exec, i + 1, e->signals > 1 ? JL_CANCEL_KILL : JL_CANCEL_TERM);
}

void jl_engine_attach(struct jl_engine *e)
{
	e->exec->events = (struct jl_exec_events){.output = on_output, .done = on_done, .ctx = e};
}
