/* How an instance ends: fresh, skipped, failed, or taken in after it was executed. See ended.h. */
#include "run/ended.h"

#include "manifest/shell.h"
#include "run/again.h"
#include "run/elsewhere.h"
#include "run/found.h"
#include "run/needs.h"
#include "run/secrets.h"
#include "run/shared.h"
#include "run/node.h"
#include "run/why.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- ends ---- */

/* What ended last of all that it waited for: barriers and expansions are passed through. NULL: it waited for nothing. */
static const char *waited_for(const struct jl_engine *e, uint32_t inst)
{
	uint32_t node = inst < e->node_of.len ? *JL_AT(e->node_of, uint32_t, inst) : JL_NONE;
	while (node != JL_NONE && (node = jl_graph_node(&e->graph, node)->last) != JL_NONE) {
		uint32_t what = jl_graph_node(&e->graph, node)->what;
		if (JL_NODE_KIND(what) == JL_NODE_INST)
			return jl_engine_label(e, JL_NODE_INDEX(what));
	}
	return NULL;
}

void jl_ended_tell(struct jl_engine *e, uint32_t inst, struct jl_event *ev)
{
	struct jl_buf detail = JL_BUF_INIT;
	ev->type = JL_EVENT_STEP_FINISHED;
	ev->step = jl_engine_label(e, inst);
	if (ev->status != JL_STEP_FRESH) /* a no-op asks nothing of the graph */
		ev->waited_for = waited_for(e, inst);
	if (e->opts->why == JL_WHY_ALL && jl_engine_asked(e, inst)) {
		jl_why_detail(e, inst, ev, &detail);
		ev->detail = detail.data;
	}
	jl_engine_emit(e, ev);
	jl_buf_release(&detail);
}

struct jl_result *jl_ended_result(struct jl_engine *e, uint32_t inst)
{
	return jl_result_at(&e->p->state->results, jl_engine_inst(e, inst)->result);
}

static void changed(struct jl_engine *e, uint32_t inst)
{
	jl_ended_result(e, inst)->when_ns = jl_clock_real_ns();
	jl_results_touch(&e->p->state->results, jl_engine_inst(e, inst)->result);
}

void jl_ended_forget(struct jl_engine *e, uint32_t inst)
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

void jl_ended_settled(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, int64_t made_ns)
{
	struct jl_result *res = jl_ended_result(e, inst);
	e->ids.len = 0;
	for (uint32_t i = 0; i < d->found.len; i++)
		*(uint32_t *)jl_table_add(&e->ids, 1) = JL_AT(d->found, struct jl_job_input, i)->file;
	jl_results_set_found(&e->p->state->results, jl_engine_inst(e, inst)->result, e->ids.data, e->ids.len);
	jl_engine_note_base(e, d);
	res->key = d->key;
	res->made_s = (uint32_t)(made_ns / JL_NS_S);
	res->flags &= ~(uint32_t)JL_RESULT_STORED;
	if (jl_outputs_hash(e, inst, &res->outs))
		res->flags |= JL_RESULT_OK;
	changed(e, inst);
}

void jl_ended_fresh(struct jl_engine *e, uint32_t inst, const struct jl_digest *key)
{
	struct jl_result *res = jl_ended_result(e, inst);
	struct jl_event ev = {.status = JL_STEP_FRESH};
	char text[JL_DIGEST_TEXT];
	if ((res->flags & JL_RESULT_FAILED) && e->opts->mode != JL_MODE_PLAN) {
		/* It failed with other inputs, and now has those that it succeeded with. */
		res->flags &= JL_RESULT_OK | JL_RESULT_DIRTY;
		jl_results_touch(&e->p->state->results, jl_engine_inst(e, inst)->result);
	}
	e->counts.fresh++;
	e->counts.saved_ns += res->wall_ns;
	if (e->opts->sinks)
		ev.key = jl_digest_text(key, text);
	jl_ended_tell(e, inst, &ev);
}

void jl_ended_skip(struct jl_engine *e, uint32_t node, const char *reason)
{
	uint32_t what = jl_graph_node(&e->graph, node)->what;
	if (JL_NODE_KIND(what) == JL_NODE_INST || JL_NODE_KIND(what) == JL_NODE_REMAKE) {
		bool plan = e->opts->mode == JL_MODE_PLAN && !e->slots.stopping;
		struct jl_event ev = {.status = plan ? JL_STEP_MAYBE : JL_STEP_SKIPPED, .reason = reason};
		if (plan)
			e->counts.maybe++;
		else
			e->counts.skipped++;
		jl_ended_tell(e, JL_NODE_INDEX(what), &ev);
	}
	jl_graph_done(&e->graph, node, false);
}

void jl_ended_off(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_event ev = {.status = JL_STEP_SKIPPED, .reason = "its \"if\" is false"};
	e->counts.skipped++;
	e->n_off++;
	jl_ended_tell(e, inst, &ev);
	jl_graph_done(&e->graph, node, true);
}

void jl_ended_failed(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_event *ev)
{
	bool allowed = jl_engine_rule(e, inst)->flags & JL_RULE_ALLOW_FAILURE;
	if (allowed)
		e->counts.ran++;
	else
		e->counts.failed++;
	if (e->opts->mode != JL_MODE_PLAN) {
		jl_result_fail(jl_ended_result(e, inst), ev->exit_code, ev->signal);
		changed(e, inst);
	}
	jl_ended_tell(e, inst, ev);
	jl_graph_done(&e->graph, node, allowed);
	if (allowed || e->opts->fail == JL_FAIL_KEEP_GOING || e->opts->mode == JL_MODE_PLAN)
		return;
	jl_slots_stop(&e->slots, e->opts->fail == JL_FAIL_NOW);
}

/* ---- taking in what has ended ---- */

void jl_ended_free(struct jl_running *r)
{
	jl_joblog_free(r->log);
	jl_buf_release(&r->masking[0]);
	jl_buf_release(&r->masking[1]);
	jl_table_release(&r->what.inputs);
	jl_table_release(&r->what.found);
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
	if (!(rule->flags & JL_RULE_NO_CACHE) && !jl_found_take(e, r, room, size))
		return room;
	if (rule->flags & (JL_RULE_ALWAYS | JL_RULE_NO_CACHE) || e->opts->cache == JL_CACHE_OFF ||
	    e->opts->cache == JL_CACHE_RO)
		return "";
	return NULL;
}

/* What others find it by comes last. */
static void offer(struct jl_engine *e, const struct jl_running *r)
{
	jl_shared_offer(e, &r->what.key);
	if (!jl_digest_equal(&r->what.key, &r->what.base))
		jl_shared_offer(e, &r->what.base);
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
		if (stored)
			offer(e, r);
		/* That there is no room for it has been told, once for all. */
		if (!stored && e->store && !(err.status == JL_ENOSPC && err.sys_errno == 0))
			snprintf(why, size, "not stored: %.*s", (int)size - 16, err.text);
	} else if (reason[0]) {
		snprintf(why, size, "not stored: %s", reason);
	}
	if (why[0])
		jl_engine_warn(e, jl_engine_label(e, r->inst), "%s", why);
	struct jl_result *res = jl_ended_result(e, r->inst);
	res->wall_ns = r->job.result.wall_ns;
	if (valid) {
		jl_ended_settled(e, r->inst, &r->what, jl_clock_real_ns());
	} else { /* it stands, but nothing may be concluded from it later */
		res->flags &= ~(uint32_t)JL_RESULT_STORED;
		changed(e, r->inst);
	}
	return stored;
}

static void describe_end(const struct jl_engine *e, const struct jl_running *r, struct jl_event *ev)
{
	if (r->job.began_ns && r->job.result.end != JL_JOB_NOT_STARTED) {
		ev->slot = r->job.slot + 1;
		ev->began_ns = r->job.began_ns - e->began_ns;
	}
	ev->wall_ns = r->job.result.wall_ns;
	ev->user_ns = r->job.result.user_ns;
	ev->sys_ns = r->job.result.sys_ns;
	ev->max_rss_kib = r->job.result.max_rss_kib;
	ev->exit_code = r->job.result.exit_code;
	ev->signal = r->job.result.signal;
	ev->attempt = r->attempt;
	ev->executor = jl_elsewhere_is(e, r) ? jl_elsewhere_of(e, r->inst) : "local";
	ev->host = r->job.result.host;
}

void jl_ended_command(struct jl_engine *e, uint32_t inst, struct jl_buf *out)
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
		jl_ended_tell(e, r->inst, ev);
		jl_graph_done(&e->graph, r->node, false);
		return;
	}
	ev->reason = why[0] ? why : NULL;
	ev->log = jl_joblog_path(r->log);
	/* What lies there when it was not even begun is not its work. */
	if (r->job.result.end != JL_JOB_NOT_STARTED && e->opts->mode != JL_MODE_ADOPT)
		jl_place_failed(e, r->inst);
	jl_ended_command(e, r->inst, &command);
	ev->command = command.data;
	jl_ended_failed(e, r->inst, r->node, ev);
	jl_buf_release(&command);
}

static bool succeeded(const struct jl_running *r)
{
	return r->job.result.end == JL_JOB_EXITED && r->job.result.exit_code == 0;
}

bool jl_ended_is_good(void *owner, struct jl_slot_job *job)
{
	struct jl_engine *e = owner;
	const struct jl_inst *t = jl_engine_inst(e, ((struct jl_running *)job)->inst);
	if (((struct jl_running *)job)->checking)
		return true;
	const uint32_t not_looked_at = JL_PORT_GLOB | JL_PORT_EXCLUDE | JL_PORT_OPTIONAL;
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		struct stat st;
		if (!(port->flags & not_looked_at) &&
		    fstatat(jl_engine_files(e)->root_fd, jl_files_path(jl_engine_files(e), port->what), &st,
			    AT_SYMLINK_NOFOLLOW) != 0)
			return false;
	}
	return true;
}

static void show_log(struct jl_engine *e, const struct jl_running *r)
{
	const struct jl_buf *framed = jl_joblog_framed(r->log);
	jl_joblog_show(e, jl_engine_label(e, r->inst), framed->data, framed->len, false);
}

/* How it ended, in a few words. */
static void say_end(const struct jl_running *r, const char *why, struct jl_buf *out)
{
	const struct jl_job_result *res = &r->job.result;
	const char *name = res->signal ? sigabbrev_np(res->signal) : NULL;
	if (why[0])
		jl_buf_str(out, why);
	else if (res->end == JL_JOB_TIMEOUT)
		jl_buf_str(out, "timed out");
	else if (res->signal)
		jl_buf_printf(out, "signal %d (SIG%s)", res->signal, name ? name : "?");
	else
		jl_buf_printf(out, "exit %d", res->exit_code);
}

/* What the attempt left goes where a failure's outputs go; its output is shown, and is not of the result. */
static void try_again(struct jl_engine *e, struct jl_running *r, const char *why)
{
	struct jl_buf text = JL_BUF_INIT;
	int64_t delay = jl_engine_rule(e, r->inst)->retry_delay_ns;
	show_log(e, r);
	jl_place_failed(e, r->inst);
	say_end(r, why, &text);
	jl_buf_printf(&text, "; attempt %u follows", r->attempt + 1);
	if (delay) {
		jl_buf_str(&text, " in ");
		jl_clock_show(&text, delay);
	}
	jl_engine_warn(e, jl_engine_label(e, r->inst), "%s", text.data);
	jl_buf_release(&text);
	jl_engine_progress(e, jl_engine_label(e, r->inst));
	jl_again_add(e, r);
}

static void end_failure(struct jl_engine *e, struct jl_running *r, const char *why)
{
	struct jl_event ev = {0};
	char key[JL_DIGEST_TEXT];
	struct jl_result *res = jl_ended_result(e, r->inst);
	describe_end(e, r, &ev);
	ev.key = jl_digest_text(&r->what.key, key);
	/* Forced, and not what it was before: nothing may be concluded from that success here. */
	if (r->job.result.end != JL_JOB_CANCELLED && jl_digest_equal(&res->key, &r->what.key))
		res->flags &= ~(uint32_t)JL_RESULT_OK;
	take_failure(e, r, why, &ev);
	jl_ended_free(r);
}

void jl_ended_give_up(struct jl_engine *e, struct jl_running *r)
{
	end_failure(e, r, r->job.why);
}

static void end_success(struct jl_engine *e, struct jl_running *r, const struct jl_outputs *outs)
{
	struct jl_event ev = {.status = JL_STEP_RAN};
	char why[400] = "", key[JL_DIGEST_TEXT];
	describe_end(e, r, &ev);
	if (jl_graph_node(&e->graph, r->node)->guessed) {
		e->first_ns += r->job.result.wall_ns;
		e->n_first++;
	}
	ev.stored = keep(e, r, outs, why, sizeof(why));
	ev.key = jl_digest_text(&r->what.key, key); /* only now is it known what it was found to use */
	show_log(e, r);
	e->counts.ran++;
	ev.reason = why[0] ? why : e->opts->mode == JL_MODE_ADOPT ? "adopted" : r->what.reason;
	jl_ended_tell(e, r->inst, &ev);
	jl_graph_done(&e->graph, r->node, true);
	jl_ended_free(r);
}

void jl_ended_take_in(struct jl_engine *e, struct jl_running *r)
{
	struct jl_outputs outs = {.at = JL_TABLE_INIT(struct jl_record_output)};
	struct jl_err err = JL_ERR_INIT;
	bool ok = succeeded(r);
	if (jl_elsewhere_is(e, r) && jl_elsewhere_again(e, r))
		return;
	jl_needs_give(e, r);
	jl_ended_forget(e, r->inst);
	jl_secrets_mask(e, r, 1, "", 0, true);
	jl_secrets_mask(e, r, 2, "", 0, true);
	jl_joblog_close(r->log);
	if (ok && jl_outputs_collect(e, r->inst, &outs, &err) != JL_OK) {
		ok = false;
		snprintf(r->job.why, sizeof(r->job.why), "%.*s", (int)sizeof(r->job.why) - 1, err.text);
	}
	if (r->job.result.end == JL_JOB_SIGNALED && r->job.result.signal == SIGKILL && !r->job.why[0]) {
		bool oom = e->machine->oom_kills(e->machine) > e->oom_kills;
		snprintf(r->job.why, sizeof(r->job.why), "not by jl; %sout of memory, it had %lld MiB",
			 oom ? "the kernel ended a process meanwhile: " : "perhaps ",
			 (long long)(r->job.result.max_rss_kib / 1024));
	}
	if (!ok && r->job.result.exit_code == 141 && !r->job.why[0])
		snprintf(r->job.why, sizeof(r->job.why),
			 "a command of its pipeline ended by SIGPIPE; \"shell: [bash, -c]\" leaves pipefail out");
	if (!ok && jl_elsewhere_apart(e, r->inst) && r->job.result.end == JL_JOB_EXITED && !r->job.why[0])
		snprintf(r->job.why, sizeof(r->job.why), "exit %d; on \"%.60s\" only its declared inputs are there",
			 r->job.result.exit_code, r->job.result.host);
	if (ok) {
		end_success(e, r, &outs);
	} else if (jl_again_wanted(e, r)) {
		try_again(e, r, r->job.why);
	} else {
		show_log(e, r);
		end_failure(e, r, r->job.why);
	}
	jl_outputs_release(&outs);
}
