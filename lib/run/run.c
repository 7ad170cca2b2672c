/* One run from the open workspace to the last event: see run.h. */
#include "run/run.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/pool.h"
#include "run/copy.h"
#include "run/elsewhere.h"
#include "run/engine.h"
#include "run/expand.h"
#include "run/fetching.h"
#include "run/found.h"
#include "run/left.h"
#include "run/loop.h"
#include "run/move.h"
#include "run/needs.h"
#include "run/node.h"
#include "run/ports.h"
#include "run/secrets.h"
#include "run/shared.h"
#include "run/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRASH_AGE_S (7 * 24 * 3600)
#define SETTLE_MIN  8u              /* steps */
#define SETTLE_NS   (25 * JL_NS_MS) /* a little over the racy time of stamps in nanoseconds */

void jl_loop_store_warning(void *ctx, const char *text)
{
	jl_engine_warn(ctx, NULL, "%s", text);
}

int jl_loop_read_blob(struct jl_store *store, const struct jl_content *content, struct jl_buf *out)
{
	char *at;
	int fd = store ? memfd_create("blob", MFD_CLOEXEC) : -1;
	int r = fd < 0 ? JL_EIO : store->ops->get_blob(store, &content->digest, content->size, fd, NULL);
	if (r == JL_OK)
		r = jl_buf_reserve(out, content->size, &at);
	for (uint64_t done = 0; r == JL_OK && done < content->size;) {
		ssize_t n = pread(fd, at + done, content->size - done, (off_t)done);
		if (n <= 0)
			r = JL_EIO;
		else
			done += (uint64_t)n;
	}
	if (r == JL_OK) {
		out->len += content->size;
		out->data[out->len] = '\0';
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int open_executor(struct jl_engine *e, uint32_t *ret_more, struct jl_err *err)
{
	if (e->opts->exec)
		e->exec = e->opts->exec;
	if (e->opts->exec || (e->opts->mode != JL_MODE_RUN && !jl_move_is(e)))
		return JL_OK;
	int r = jl_local_open(&e->local, &e->slots, e->opts->jobs, e->opts->environ, err);
	e->exec = e->local.exec;
	return r == JL_OK && !jl_move_is(e) ? jl_elsewhere_open(e, ret_more, err) : r;
}

/* ---- before and after ---- */

/* All paths that decisions will ask for, in one parallel sweep. */
static void prefetch(struct jl_engine *e)
{
	struct jl_plan *plan = &e->p->plan;
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	jl_table_reserve(&ids, plan->ports.len);
	for (uint32_t i = 0; i < e->graph.nodes.len; i++) {
		uint32_t what = jl_graph_node(&e->graph, i)->what;
		if (JL_NODE_KIND(what) != JL_NODE_INST)
			continue;
		const struct jl_inst *t = jl_plan_inst(plan, JL_NODE_INDEX(what));
		for (uint32_t k = 0; k < t->n_ins + t->n_outs; k++) {
			const struct jl_pport *port = jl_plan_port(plan,
								   k < t->n_ins ? t->ins + k : t->outs + k - t->n_ins);
			if (!(port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE)))
				*(uint32_t *)jl_table_add(&ids, 1) = port->what;
		}
		if (t->flags & JL_INST_DEPFILE)
			jl_found_known(e, JL_NODE_INDEX(what), &ids);
	}
	jl_files_prefetch(jl_engine_files(e), ids.data, ids.len, e->threads);
	jl_table_release(&ids);
}

static int check_cycle(struct jl_engine *e, struct jl_err *err)
{
	struct jl_table cycle = JL_TABLE_INIT(uint32_t);
	struct jl_buf text = JL_BUF_INIT;
	struct jl_mark mark = {0};
	int r = JL_OK;
	if (jl_graph_measure(&e->graph, &cycle) > 0) {
		const char *last = "", *first = NULL;
		for (uint32_t i = 0; i < cycle.len; i++) {
			uint32_t what = jl_graph_node(&e->graph, *JL_AT(cycle, uint32_t, i))->what,
				 index = JL_NODE_INDEX(what);
			bool inst = JL_NODE_KIND(what) == JL_NODE_INST;
			uint32_t rule = inst ? jl_engine_inst(e, index)->rule : index;
			const char *name = inst ? jl_engine_label(e, index)
						: jl_project_text(e->p, jl_plan_rule(&e->p->plan, rule)->name);
			if (jl_project_ast(e->p, NULL, NULL) == JL_OK &&
			    (!mark.line || e->p->ast->steps[rule].name.mark.line < mark.line))
				mark = e->p->ast->steps[rule].name.mark;
			if (strcmp(name, last) != 0)
				jl_buf_printf(&text, "%s\"%s\"", text.len ? " → " : "", name);
			last = name;
			first = first ? first : name;
		}
		if (first && strcmp(first, last) != 0)
			jl_buf_printf(&text, " → \"%s\"", first);
		jl_messages_add(e->p->msgs, mark, false, "steps wait for each other: %s; take one of the links out",
				text.data);
		r = jl_err_set(err, JL_EINVAL, "the manifest has errors");
	}
	jl_table_release(&cycle);
	jl_buf_release(&text);
	return r;
}

/* Could a rule that is waited for make it? */
static bool could_come(const struct jl_engine *e, const struct jl_rule *r, const char *path)
{
	for (uint32_t i = 0; i < r->n_after; i++) {
		const struct jl_rule *before = jl_plan_rule(&e->p->plan, jl_plan_ref(&e->p->plan, r->after + i));
		for (uint32_t k = 0; k < before->n_makes; k++)
			if (jl_glob_overlap(path, jl_project_text(e->p, jl_plan_ref(&e->p->plan, before->makes + k))))
				return true;
	}
	return false;
}

/* The rule that would make it, were its `if` not false; or NULL. */
static const char *off_maker(const struct jl_engine *e, const char *path)
{
	for (uint32_t i = 0; i < e->p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&e->p->plan, i);
		for (uint32_t k = 0; (r->flags & (JL_RULE_OFF | JL_RULE_SOME_OFF)) && k < r->n_makes; k++)
			if (jl_glob_overlap(path, jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->makes + k))))
				return jl_project_text(e->p, r->name);
	}
	return NULL;
}

/* An input that nothing makes and no file holds, known before anything runs. */
static int check_inputs(struct jl_engine *e, struct jl_err *err)
{
	const struct jl_plan *plan = &e->p->plan;
	struct jl_files *files = jl_engine_files(e);
	for (uint32_t n = 0; n < e->graph.nodes.len && e->p->msgs->errors < 20; n++) {
		uint32_t what = jl_graph_node(&e->graph, n)->what;
		if (JL_NODE_KIND(what) != JL_NODE_INST)
			continue;
		const struct jl_inst *t = jl_engine_inst(e, JL_NODE_INDEX(what));
		if (t->n_waits || jl_plan_rule(plan, t->rule)->flags & JL_RULE_LATE)
			continue;
		for (uint32_t i = t->ins; i < t->ins + t->n_ins; i++) {
			const struct jl_pport *port = jl_plan_port(plan, i);
			if (port->flags & ~(uint32_t)(JL_PORT_FOLDER | JL_PORT_HIDDEN | JL_PORT_STDIN) ||
			    jl_expand_maker(e->p, port->what) != JL_NONE)
				continue;
			if (port->what < e->below.len && *JL_AT(e->below, uint8_t, port->what))
				continue;
			if (jl_files_stat(files, port->what, NULL) != JL_OK ||
			    jl_file_kind(jl_file_at(files, port->what)) != JL_KIND_ABSENT)
				continue;
			if (jl_plan_rule(plan, t->rule)->n_after && (port->flags & JL_PORT_FOLDER))
				continue; /* a folder that those before it fill */
			if (could_come(e, jl_plan_rule(plan, t->rule), jl_files_path(files, port->what)))
				continue;
			struct jl_mark mark = {0};
			if (jl_project_ast(e->p, NULL, NULL) == JL_OK)
				mark = jl_ports_mark(e->p, t->rule, port, false);
			const char *off = off_maker(e, jl_files_path(files, port->what));
			jl_messages_add(e->p->msgs, mark, false,
					"input \"%s\" of step \"%s\": no step makes it and there is no such file%s%s%s",
					jl_files_path(files, port->what), jl_project_text(e->p, t->label),
					off ? "; step \"" : "", off ? off : "",
					off ? "\" would make it, but its \"if\" is false" : "");
		}
	}
	return e->p->msgs->errors ? jl_err_set(err, JL_EINVAL, "the manifest has errors") : JL_OK;
}

static void sweep_trash(struct jl_engine *e)
{
	int fd = openat(jl_engine_files(e)->root_fd, ".jl/trash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	jl_file_sweep(&jl_io_system, fd, TRASH_AGE_S, NULL, NULL);
}

static void name_run(struct jl_engine *e)
{
	struct tm tm;
	time_t now = time(NULL);
	gmtime_r(&now, &tm);
	strftime(e->run_id, sizeof(e->run_id), "%Y%m%dT%H%M%SZ", &tm);
	size_t len = strlen(e->run_id);
	snprintf(e->run_id + len, sizeof(e->run_id) - len, "-%ld", (long)getpid());
}

int jl_engine_prepare(struct jl_engine *e, struct jl_err *err)
{
	int r = jl_select(e, err);
	if (r == JL_OK && (e->p->compiled || e->p->ast))
		r = check_cycle(e, err);
	if (r != JL_OK)
		return r;
	prefetch(e);
	return check_inputs(e, err);
}

static int run(struct jl_engine *e, struct jl_err *err)
{
	struct stat st;
	uint32_t more = 0;
	struct jl_event ev = {.type = JL_EVENT_RUN_STARTED, .run_id = e->run_id, .jobs = e->p->jobs,
			      .workspace = e->p->root};
	/* Before the first event: with errors nothing is run and nothing told. */
	int r = jl_engine_prepare(e, err);
	if (r == JL_OK)
		r = open_executor(e, &more, err);
	if (r != JL_OK)
		return r;
	e->n_here = e->local.alone ? 1 : e->p->jobs;
	jl_slots_init(&e->slots, e->n_here + more, e->exec, e->clock, &jl_engine_slots, e);
	e->slots.tokens = e->local.loop ? &e->local.tokens : NULL;
	e->slots.lanes = e->elsewhere.exec != NULL;
	jl_needs_init(e);
	jl_secrets_open(e);
	e->had_logs = fstatat(jl_engine_files(e)->root_fd, ".jl/logs", &st, 0) == 0;
	jl_engine_emit(e, &ev);
	if (e->local.hint.text[0])
		jl_engine_warn(e, NULL, "%s", e->local.hint.text);
	if (e->opts->mode == JL_MODE_RUN)
		jl_place_gone(e);
	r = jl_slots_loop(&e->slots, err);
	if (r == JL_OK)
		jl_temp_tell(e);
	if (r == JL_OK && !jl_graph_finished(&e->graph) && !e->slots.stopping)
		r = check_cycle(e, err);
	if (r == JL_OK && !e->p->state->read_only && !e->slots.stopping &&
	    e->counts.failed + e->counts.skipped == e->n_off)
		jl_select_missing(e);
	if (e->opts->mode == JL_MODE_RUN && e->counts.ran + e->counts.restored > 0) {
		sweep_trash(e);
		jl_copy_sweep(e);
		/* Many new files: wait until their stamps can be trusted, so that the next run has nothing to read or write. For
		 * a few the next run reads them again, which costs it less than this wait costs here. */
		if (e->counts.ran + e->counts.restored > SETTLE_MIN)
			jl_files_settle(jl_engine_files(e), SETTLE_NS);
	}
	return r;
}

void jl_engine_init(struct jl_engine *e, const struct jl_run_opts *opts)
{
	*e = (struct jl_engine){
		.opts = opts,
		.clock = opts->clock ? opts->clock : &jl_clock_system,
		.machine = opts->machine ? opts->machine : &jl_machine_system,
		.store = opts->store,
		.graph = JL_GRAPH_INIT,
		.queue = JL_URGENT_INIT,
		.node_of = JL_TABLE_INIT(uint32_t),
		.want_inst = JL_TABLE_INIT(uint8_t),
		.worklist = JL_TABLE_INIT(uint32_t),
		.below = JL_TABLE_INIT(uint8_t),
		.env = JL_TABLE_INIT(char *),
		.ids = JL_TABLE_INIT(uint32_t),
		.safe = JL_TABLE_INIT(uint8_t),
		.deciding = {.inputs = JL_TABLE_INIT(struct jl_job_input), .found = JL_TABLE_INIT(struct jl_job_input)},
		.valid = JL_TABLE_INIT(uint8_t),
		.scratch = JL_BUF_INIT,
		.trash = {.first = JL_BUF_INIT, .to = JL_BUF_INIT},
		.bases = JL_TABLE_INIT(struct jl_digest),
		.trees = JL_TABLE_INIT(struct jl_tree_known),
		.fetching = {.of = JL_TABLE_INIT(struct jl_fetched), .waiters = JL_TABLE_INIT(struct jl_fetch_waiter)},
		.shared = {.asked = JL_TABLE_INIT(struct jl_asked), .watch.watch.fd = -1},
		.starting = {.argv = JL_TABLE_INIT(char *),
			     .env = JL_TABLE_INIT(char *),
			     .text = JL_BUF_INIT,
			     .workdir = JL_BUF_INIT,
			     .fds = {-1, -1, -1}},
	};
	e->began_stamp_ns = jl_clock_real_ns(); /* a stamp may be finer than the coarse clock */
	e->began_ns = e->now_ns = e->flushed_ns = e->clock->now_ns(e->clock);
	e->threads = 1;
	jl_temp_init(e);
}

void jl_engine_release(struct jl_engine *e)
{
	jl_elsewhere_close(e);
	jl_local_close(&e->local);
	if (e->own_store)
		jl_store_free(e->store);
	jl_graph_release_all(&e->graph);
	struct jl_table *tables[] = {&e->queue.heap, &e->node_of, &e->want_inst, &e->worklist,       &e->below,
				     &e->env,        &e->ids,     &e->safe,      &e->deciding.inputs,
				     &e->deciding.found};
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		jl_table_release(tables[i]);
	jl_buf_release(&e->scratch);
	free(e->rule);
	jl_slots_release(&e->slots);
	jl_table_release(&e->starting.argv);
	jl_table_release(&e->starting.env);
	jl_table_release(&e->bases);
	jl_table_release(&e->trees);
	jl_tools_release(&e->tools);
	jl_needs_release(e);
	jl_fetching_release(e);
	jl_secrets_release(e);
	jl_temp_release(e);
	jl_table_release(&e->valid);
	jl_buf_release(&e->trash.first);
	jl_buf_release(&e->trash.to);
	jl_buf_release(&e->starting.text);
	jl_buf_release(&e->starting.workdir);
}

int jl_run(const struct jl_run_opts *opts, struct jl_run_summary *ret, struct jl_messages *msgs, struct jl_err *err)
{
	struct jl_engine e;
	int r;
	jl_engine_init(&e, opts);
	const bool writes = opts->mode == JL_MODE_RUN || opts->mode == JL_MODE_ADOPT;
	r = jl_project_open(opts, writes, &e.p, msgs, err);
	if (r != JL_OK)
		return r;
	e.threads = opts->jobs ? jl_cpu_count() : e.p->jobs; /* counted already */
	name_run(&e);
	jl_environ_base(&e);
	if (e.p->state->why_empty)
		jl_engine_warn(&e, NULL, "the workspace's memory starts anew: %s", e.p->state->why_empty);
	if (writes)
		jl_left_clear(&e);
	if (opts->mode == JL_MODE_PLAN)
		jl_shared_plan(&e);
	r = run(&e, err);
	jl_left_unmark(&e);
	jl_shared_close(&e);
	ret->counts = e.counts;
	ret->signal = e.slots.signal;
	if (r == JL_OK) {
		struct jl_err state_err = JL_ERR_INIT;
		jl_engine_note(&e);
		if (e.void_plan)
			jl_plan_release(&e.p->plan);
		if (jl_project_close(e.p, &state_err) != JL_OK && !e.state_told)
			jl_engine_warn(&e, NULL, "cannot write .jl: %s; the next run looks at more", state_err.text);
		struct jl_event ev = {.type = JL_EVENT_RUN_FINISHED, .end_signal = e.slots.signal};
		jl_engine_emit(&e, &ev);
	} else {
		jl_project_abandon(e.p);
	}
	ret->wall_ns = e.clock->now_ns(e.clock) - e.began_ns;
	jl_engine_release(&e);
	return r;
}
