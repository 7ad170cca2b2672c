/* See call.h. In order: what calls share, what is known of the key, the store, the run, what came of it. */
#include "run/call.h"

#include "run/adhoc.h"
#include "run/call_shared.h"
#include "run/found.h"
#include "run/scope.h"
#include "run/shared.h"
#include "run/stamps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INST          0u
#define KILL_AFTER_NS (10 * JL_NS_S)

/* ---- what calls share ---- */

static const char *variable(const struct jl_run_opts *run, const char *name)
{
	struct jl_project p = {.opts = run};
	return jl_scope_getenv(&p, name);
}

static const char *store_dir(const struct jl_run_opts *run)
{
	return run->store_dir ? run->store_dir : run->default_store_dir;
}

void jl_calls_init(struct jl_calls *all, const struct jl_run_opts *run)
{
	const char *tmp = variable(run, "TMPDIR");
	const bool writes = run->cache == JL_CACHE_RW || run->cache == JL_CACHE_WO;
	*all = (struct jl_calls){.run = run,
				 .tmp_dir = tmp && tmp[0] == '/' ? tmp : "/tmp",
				 .store = run->store,
				 .writes = run->store != NULL,
				 .remotes = run->config.n_remotes > 0 && writes && !run->offline};
	jl_tools_init(&all->tools, run->cache == JL_CACHE_OFF ? NULL : store_dir(run), writes, variable(run, "PATH"),
		      run->cwd);
	all->tools.algo = jl_run_algo(run);
}

static void close_store(struct jl_calls *all)
{
	if (all->own_store)
		jl_store_free(all->store);
	all->store = NULL;
	all->own_store = false;
}

void jl_calls_release(struct jl_calls *all)
{
	const struct jl_key_set none = {0};
	if (all->run->cache == JL_CACHE_RW && !all->run->store && (all->day.hits || all->day.runs))
		(void)jl_uses_note(&jl_io_system, store_dir(all->run), &none, &all->day);
	close_store(all);
	jl_tools_release(&all->tools);
}

const char *jl_calls_store_dir(const struct jl_calls *all)
{
	return all->run->store ? NULL : store_dir(all->run);
}

void jl_calls_tell(const struct jl_calls *all, const char *text)
{
	const struct jl_event ev = {.type = JL_EVENT_WARNING, .text = text};
	for (struct jl_sink *s = all->run->sinks; s; s = s->next)
		s->event(s, &ev);
}

static void store_warns(void *ctx, const char *text)
{
	jl_calls_tell(ctx, text);
}

/* A hit needs to read only: opened so, the store is neither made nor swept. */
static void open_store(struct jl_calls *all, bool write)
{
	struct jl_err err = JL_ERR_INIT;
	char text[JL_ERR_TEXT + 64];
	close_store(all);
	int r = jl_store_local_open(&jl_io_system, store_dir(all->run), !write, &all->store, &err);
	all->own_store = r == JL_OK;
	all->writes = write;
	if (r == JL_OK) {
		struct jl_store_rules rules;
		jl_run_store_rules(all->run, &rules);
		jl_store_local_rules(all->store, &rules);
		all->store->warn = store_warns;
		all->store->warn_ctx = all;
		return;
	}
	all->store = NULL;
	if (!write && err.status == JL_ENOTFOUND)
		return; /* one that is not there yet is simply empty */
	all->failed = true;
	snprintf(text, sizeof(text), "no store: %s; nothing is kept", err.text);
	jl_calls_tell(all, text);
}

/* The call's engine gets the store that all share: to read, or to write as well. */
static void attach(struct jl_call *c, bool write)
{
	struct jl_calls *all = c->all;
	enum jl_cache_mode cache = all->run->cache;
	bool may = write ? cache == JL_CACHE_RW || cache == JL_CACHE_WO
			 : (cache == JL_CACHE_RW || cache == JL_CACHE_RO) && !all->run->force;
	if (may && !all->failed && (!all->store || (write && !all->writes)))
		open_store(all, write);
	c->e.store = all->store;
	c->e.store_failed = !all->store; /* it opens none of its own */
}

bool jl_call_writable(struct jl_call *c)
{
	attach(c, true);
	return c->e.store && c->all->writes;
}

/* ---- the key ---- */

const char *jl_call_label(const struct jl_call *c)
{
	return jl_engine_label(&c->e, INST);
}

static struct jl_pport *output_port(const struct jl_call *c, uint32_t i)
{
	return jl_plan_port(&c->e.p->plan, jl_engine_inst(&c->e, INST)->outs + i);
}

/* The program, and what else was named: by content. A program that is not there is the end, as it is for any prefix
 * command. */
static int look_at_tools(struct jl_call *c, const char *program, struct jl_digest *ret, struct jl_err *err)
{
	if (c->o->transfer) /* it may be one that only the hosts have */
		return JL_OK;
	int r = jl_tools_digest(&c->all->tools, program, &ret[0], err);
	if (r == JL_ENOTFOUND || r == JL_EINVAL) {
		c->result.end = JL_MEMO_NOT_STARTED;
		c->result.exit_code = r == JL_ENOTFOUND ? 127 : 126;
		return r;
	}
	for (uint32_t i = 0; i < c->o->tools.n && r == JL_OK; i++)
		r = jl_tools_digest(&c->all->tools, c->o->tools.at[i], &ret[i + 1], err);
	return r == JL_ENOTFOUND ? jl_err_add(err, "--tool") : r;
}

int jl_call_open(struct jl_call *c, struct jl_calls *all, const struct jl_memo_opts *o, const struct jl_table *words,
		 uint32_t n_shell, struct jl_err *err)
{
	struct jl_digest *tools = jl_calloc(o->tools.n + 1, sizeof(*tools));
	*c = (struct jl_call){.o = o,
			      .all = all,
			      .feed = JL_FEED_INIT,
			      .flight = JL_FLIGHT_NONE,
			      .written = JL_WRITTEN_INIT,
			      .feed_fd = -1,
			      .result = {.end = JL_MEMO_EXITED},
			      .run = {.what = {.inputs = JL_TABLE_INIT(struct jl_job_input),
					       .found = JL_TABLE_INIT(struct jl_job_input)}}};
	jl_engine_init(&c->e, &o->run);
	c->e.store = NULL;
	if (o->depfile && !o->run.store && o->run.cache != JL_CACHE_OFF)
		c->e.stamps = store_dir(&o->run);
	c->e.shared.wants = all->remotes && o->run.cache == JL_CACHE_RW && !o->check;
	jl_capture_init(&c->log, all->tmp_dir);
	c->log.algo = c->feed.algo = jl_run_algo(&o->run);
	*(uint8_t *)jl_table_add(&c->e.want_inst, 1) = 2; /* asked for */
	snprintf(c->e.run_id, sizeof(c->e.run_id), "memo-%ld", (long)getpid());
	int r = words->len ? JL_OK : jl_err_set(err, JL_EINVAL, "the command has no words");
	if (r == JL_OK)
		r = look_at_tools(c, *JL_AT(*words, const char *, 0), tools, err);
	if (r == JL_OK)
		r = jl_feed_read(&c->feed, o->feed, o->stdin_fd, all->tmp_dir, o->waiting, o->waiting_ctx, err);
	if (r == JL_OK)
		r = jl_adhoc_open(o, words, n_shell, tools, &c->feed.digest, &c->e.p, err);
	free(tools);
	return r;
}

void jl_call_close(struct jl_call *c)
{
	jl_flight_leave(&c->flight);
	jl_written_release(&c->written);
	jl_capture_release(&c->log);
	jl_table_release(&c->run.what.inputs);
	jl_table_release(&c->run.what.found);
	(void)!jl_project_close(c->e.p, NULL);
	jl_shared_close(&c->e);
	jl_engine_release(&c->e);
	jl_feed_release(&c->feed);
}

static void make_failure_key(struct jl_call *c)
{
	static const char what[] = "failure";
	jl_buf_clear(&c->e.scratch);
	jl_buf_add(&c->e.scratch, &c->run.what.base, sizeof(struct jl_digest));
	jl_buf_add(&c->e.scratch, what, sizeof(what));
	jl_digest_bytes(c->e.scratch.data, c->e.scratch.len, &c->failure_key);
}

/* ---- a hit ---- */

/* So that the next one need not read what this one did. */
static void save_stamps(struct jl_call *c)
{
	const struct jl_table *found = &c->run.what.found;
	enum jl_cache_mode cache = c->o->run.cache;
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	if (!c->e.stamps || (cache != JL_CACHE_RW && cache != JL_CACHE_WO))
		return;
	for (uint32_t i = 0; i < found->len; i++)
		*(uint32_t *)jl_table_add(&ids, 1) = JL_AT(*found, struct jl_job_input, i)->file;
	jl_stamps_save(jl_engine_files(&c->e), c->e.stamps, ids.data, ids.len);
	jl_table_release(&ids);
}

static bool young(const struct jl_record *rec, int64_t limit_ns)
{
	return limit_ns < 0 || jl_clock_real_ns() - rec->created_ns < limit_ns;
}

static bool counts(const struct jl_call *c, const struct jl_record *rec)
{
	return rec && rec->exit_code == 0 && rec->signal == 0 && young(rec, c->o->ttl_ns);
}

/* make looks at the time: what was put back or found is as new as if it had been made now. */
static void touch(const struct jl_call *c, const struct jl_record *rec)
{
	for (uint32_t i = 0; i < rec->n_outputs; i++)
		(void)!utimensat(jl_engine_files(&c->e)->root_fd, rec->outputs[i].path, NULL, AT_SYMLINK_NOFOLLOW);
}

/* Put the result in place and show it. false: it is not whole, so the command must run. */
static bool use(struct jl_call *c, const struct jl_record *rec)
{
	struct jl_err err = JL_ERR_INIT;
	bool fresh = true;
	int r = JL_OK;
	if (c->o->check) {
		c->result.hit = true;
		return true;
	}
	jl_engine_used(&c->e, &rec->key);
	if (!jl_digest_equal(&c->run.what.base, &c->run.what.key))
		jl_engine_used(&c->e, &c->run.what.base); /* by which it was found */
	for (uint32_t i = 0; i < rec->n_outputs; i++) {
		const struct jl_record_output *out = &rec->outputs[i];
		if (out->kind != JL_KIND_DIR || out->declared >= c->o->outputs.n)
			continue;
		struct jl_pport *port = output_port(c, out->declared);
		if (strcmp(jl_files_path(jl_engine_files(&c->e), port->what), out->path) == 0)
			port->flags |= JL_PORT_FOLDER;
	}
	if (rec->exit_code == 0 && jl_engine_inst(&c->e, INST)->n_outs)
		r = jl_place_merge(&c->e, INST, rec, &fresh, &err);
	if (r == JL_OK)
		r = jl_capture_replay(&c->e, jl_call_label(c), &rec->log, c->all->tmp_dir, &err);
	if (r != JL_OK) {
		if (r == JL_ENOTFOUND && rec->exit_code == 0)
			jl_shared_missed(&c->e, &rec->key); /* its contents are gone here */
		if (r != JL_ENOTFOUND)
			jl_engine_warn(&c->e, jl_call_label(c), "cannot use the stored result: %s", err.text);
		return false;
	}
	touch(c, rec);
	jl_feed_consumed(&c->feed);
	c->result.end = JL_MEMO_EXITED;
	c->result.exit_code = rec->exit_code;
	c->result.hit = c->result.stored = true;
	c->result.saved_ns = c->run.job.result.wall_ns = rec->wall_ns;
	c->all->day.hits++;
	c->all->day.saved_ms += (uint64_t)rec->wall_ns / (uint64_t)JL_NS_MS;
	c->status = rec->exit_code ? JL_STEP_FAILED : fresh ? JL_STEP_FRESH : JL_STEP_RESTORED;
	return true;
}

/* A failure that was stored since `since_ns`. */
static bool use_failure(struct jl_call *c, int64_t since_ns)
{
	struct jl_record *rec = jl_decide_record(&c->e, INST, &c->failure_key);
	bool used = rec && rec->exit_code != 0 && rec->created_ns >= since_ns && use(c, rec);
	jl_record_free(rec);
	return used;
}

static bool use_either(struct jl_call *c, int64_t failures_since_ns)
{
	bool depfile = jl_engine_inst(&c->e, INST)->flags & JL_INST_DEPFILE;
	struct jl_record *rec = depfile ? jl_found_lookup(&c->e, INST, &c->run.what)
					: jl_decide_record(&c->e, INST, &c->run.what.key);
	bool used = counts(c, rec) && use(c, rec);
	jl_record_free(rec);
	if (!used)
		jl_found_reset(&c->run.what);
	c->result.key = c->run.what.key;
	return used || use_failure(c, failures_since_ns);
}

static int64_t failures_since(const struct jl_call *c)
{
	return c->o->failures_ns < 0 ? INT64_MAX : jl_clock_real_ns() - c->o->failures_ns + 1;
}

int jl_call_find(struct jl_call *c, struct jl_err *err)
{
	struct jl_record *rec = NULL;
	attach(c, false);
	jl_shared_begin(&c->e);
	enum jl_decision decision = jl_decide(&c->e, INST, &c->run.what, &rec);
	c->result.key = c->run.what.key;
	bool used = decision == JL_DECIDE_HIT && counts(c, rec) && use(c, rec);
	jl_record_free(rec);
	if (decision == JL_DECIDE_FAIL)
		return jl_err_set(err, JL_EINVAL, "%s", c->run.what.reason);
	if (used)
		save_stamps(c);
	if (used && c->run.what.later) {
		attach(c, true);
		jl_found_publish(&c->e, INST, &c->run.what);
	}
	if (!used)
		jl_found_reset(&c->run.what);
	make_failure_key(c);
	if (!used && c->o->failures_ns >= 0 && c->e.store && !c->o->run.force)
		used = use_failure(c, failures_since(c));
	if (c->o->check && !used)
		c->result.end = JL_MEMO_ABSENT;
	return used || c->o->check ? JL_CALL_USED : JL_CALL_RUN;
}

/* Whoever else is at work on this key is waited for; then its result is ours. */
enum jl_call_found jl_call_enter(struct jl_call *c, bool wait)
{
	const struct jl_run_opts *run = &c->o->run;
	int64_t now = jl_clock_real_ns(), since = failures_since(c);
	attach(c, true);
	if (run->cache != JL_CACHE_RW || run->force || !c->e.store || run->store)
		return JL_CALL_RUN;
	if (!jl_flight_try(&c->flight, &jl_io_system, store_dir(run), &c->run.what.key)) {
		c->waits_since_ns = c->waits_since_ns ? c->waits_since_ns : now;
		if (!wait)
			return JL_CALL_BUSY;
		jl_flight_wait(&c->flight);
	}
	if (c->waits_since_ns && c->waits_since_ns < since)
		since = c->waits_since_ns;
	/* Looked up again in any case: who was at work may have ended just before we came. */
	return use_either(c, since) ? JL_CALL_USED : JL_CALL_RUN;
}

/* ---- the run ---- */

int jl_call_begin(struct jl_call *c, struct jl_job *ret, struct jl_err *err)
{
	const struct jl_run_opts *run = &c->o->run;
	c->run.inst = INST;
	jl_written_before(&c->written, &c->e, INST);
	jl_found_start(&c->e, &c->run);
	ret->label = jl_call_label(c);
	ret->workdir = run->cwd;
	ret->envp = run->environ;
	ret->timeout_ns = run->timeout_ns;
	ret->kill_after_ns = run->kill_after_ns ? run->kill_after_ns : KILL_AFTER_NS;
	int r = jl_feed_open(&c->feed, c->all->tmp_dir, &c->feed_fd, err);
	ret->stdin_fd = c->feed_fd;
	return r;
}

void jl_call_begun(struct jl_call *c)
{
	jl_feed_close(&c->feed, c->feed_fd);
	c->feed_fd = -1;
}

void jl_call_output(struct jl_call *c, int stream, const void *data, size_t len)
{
	jl_capture_add(&c->log, stream, data, len);
}

void jl_call_again(struct jl_call *c)
{
	jl_flight_leave(&c->flight);
	jl_capture_release(&c->log);
	jl_capture_init(&c->log, c->all->tmp_dir);
	c->log.algo = jl_run_algo(&c->o->run);
	jl_written_release(&c->written);
	c->written = (struct jl_written)JL_WRITTEN_INIT;
}

/* ---- what came of it ---- */

static int collect(struct jl_call *c, struct jl_outputs *ret, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(&c->e);
	const char *untouched;
	for (uint32_t i = 0; i < c->o->outputs.n; i++) {
		struct jl_pport *port = output_port(c, i);
		jl_files_forget(files, port->what, true);
		if (jl_files_stat(files, port->what, NULL) == JL_OK &&
		    jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_DIR)
			port->flags |= JL_PORT_FOLDER;
	}
	int r = jl_outputs_collect(&c->e, INST, ret, err);
	if (r == JL_OK && jl_written_missing(&c->written, &c->e, INST, &untouched))
		r = jl_err_set(err, JL_EINVAL, "output \"%s\" was not written by the command", untouched);
	return r;
}

/* What it says it used besides; a depfile from before says nothing of this run. */
static bool take_found(struct jl_call *c, char *why, size_t size)
{
	const struct jl_inst *t = jl_engine_inst(&c->e, INST);
	uint32_t port = jl_plan_depfile(&c->e.p->plan, t);
	if (port == JL_NONE || c->run.job.result.exit_code != 0)
		return true;
	if (!jl_written_untouched(&c->written, &c->e, INST, port - t->outs))
		return jl_found_take(&c->e, &c->run, why, size);
	snprintf(why, size, "its depfile \"%s\" was not written", c->o->depfile);
	return false;
}

static void store(struct jl_call *c, const struct jl_outputs *outs)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_content log;
	char why[300] = "";
	enum jl_cache_mode cache = c->o->run.cache;
	if (cache == JL_CACHE_RO || cache == JL_CACHE_OFF)
		return;
	attach(c, true);
	if (c->run.job.result.pipe_held)
		snprintf(why, sizeof(why), "a background process still held its output");
	else if (!jl_feed_same(&c->feed))
		snprintf(why, sizeof(why), "standard input changed while it ran");
	else if (jl_decide_same(&c->e, INST, &c->run.what, why, sizeof(why)) && take_found(c, why, sizeof(why)) &&
		 (jl_capture_end(&c->log, &log, &err) != JL_OK || !c->e.store ||
		  jl_outputs_store(&c->e, &c->run, outs, &log, c->log.fd, &err) != JL_OK)) {
		if (err.status != JL_ENOSPC || err.sys_errno) /* that there is no room is told by the store, once */
			snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, err.text);
	} else {
		c->result.stored = why[0] == '\0';
	}
	c->result.key = c->run.what.key;
	save_stamps(c);
	if (why[0])
		jl_engine_warn(&c->e, jl_call_label(c), "not stored: %s", why);
}

static int take_success(struct jl_call *c, struct jl_err *err)
{
	struct jl_outputs outs = {.at = JL_TABLE_INIT(struct jl_record_output)};
	int r = collect(c, &outs, err);
	if (r == JL_OK)
		store(c, &outs);
	if (r == JL_OK && c->result.stored)
		jl_call_offer(c);
	c->status = r == JL_OK ? JL_STEP_RAN : JL_STEP_FAILED;
	jl_outputs_release(&outs);
	return r;
}

static void take_failure(struct jl_call *c)
{
	struct jl_outputs none = {.at = JL_TABLE_INIT(struct jl_record_output)};
	struct jl_digest key = c->run.what.key;
	if (c->o->failures_ns < 0 && !jl_flight_awaited(&c->flight))
		return;
	c->run.what.key = c->failure_key;
	store(c, &none);
	c->run.what.key = c->result.key = key;
	c->result.stored &= c->o->failures_ns >= 0;
}

int jl_call_take_in(struct jl_call *c, const struct jl_slot_job *job, struct jl_err *err)
{
	const struct jl_job_result *r = &c->run.job.result;
	c->run.job.result = job->result;
	c->all->day.runs++;
	c->result.exit_code = r->exit_code;
	c->result.signal = r->signal;
	c->status = JL_STEP_FAILED;
	switch (r->end) {
	case JL_JOB_EXITED:
		c->result.end = JL_MEMO_EXITED;
		if (r->exit_code == 0)
			return take_success(c, err);
		take_failure(c);
		return JL_OK;
	case JL_JOB_SIGNALED: c->result.end = JL_MEMO_SIGNALED; return JL_OK;
	case JL_JOB_TIMEOUT:
	case JL_JOB_CANCELLED:
		c->result.end = JL_MEMO_TIMEOUT;
		c->status = JL_STEP_TIMEOUT;
		return JL_OK;
	case JL_JOB_NOT_STARTED:
		c->result.end = JL_MEMO_NOT_STARTED;
		jl_err_set(err, r->exit_code == 127 ? JL_ENOTFOUND : JL_EINVAL, "%s", job->why);
		return JL_OK;
	case JL_JOB_UNABLE:
	case JL_JOB_TAKEN_BACK: /* not told to who does not want to start again */
	case JL_JOB_LOST: return jl_err_set(err, JL_EIO, "%s", job->why);
	}
	return JL_OK;
}
