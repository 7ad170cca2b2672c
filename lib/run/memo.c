/* See memo.h. In order: what is known of the key, the store, the flight, the run. */
#include "run/memo.h"

#include "run/adhoc.h"
#include "run/capture.h"
#include "run/engine.h"
#include "run/scope.h"
#include "run/tools.h"
#include "run/written.h"
#include "store/flight.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INST          0u
#define KILL_AFTER_NS (10 * JL_NS_S)

struct memo {
	const struct jl_memo_opts *o;
	struct jl_engine e;
	struct jl_buf words_text;
	struct jl_table words; /* const char * */
	uint32_t n_shell;
	struct jl_feed feed;
	const char *tmp_dir;
	struct jl_flight flight;
	struct jl_digest failure_key;
	struct jl_running run; /* of the engine, for storing */
	struct jl_capture log;
	struct jl_written written; /* the outputs as they were before */
	int feed_fd;
	bool handed, ended, stopped;
	struct jl_memo_result *ret;
};

static const char *variable(const struct jl_run_opts *o, const char *name)
{
	struct jl_project p = {.opts = o};
	return jl_scope_getenv(&p, name);
}

static const char *store_dir(const struct jl_run_opts *o)
{
	return o->cache == JL_CACHE_OFF ? NULL : o->store_dir ? o->store_dir : o->default_store_dir;
}

static const char *label(const struct memo *m)
{
	return jl_engine_label(&m->e, INST);
}

static struct jl_pport *output_port(const struct memo *m, uint32_t i)
{
	return jl_plan_port(&m->e.p->plan, jl_engine_inst(&m->e, INST)->outs + i);
}

/* ---- the key ---- */

/* The program, and what else was named: by content. A program that is not there is the end, as it is for any prefix
 * command. */
static int look_at_tools(struct memo *m, struct jl_digest *ret, struct jl_err *err)
{
	const struct jl_run_opts *o = &m->o->run;
	const char *path = variable(o, "PATH"), *store = store_dir(o);
	bool write = o->cache == JL_CACHE_RW || o->cache == JL_CACHE_WO;
	int r = jl_tools_digest(store, write, *JL_AT(m->words, const char *, 0), path, &ret[0], err);
	if (r == JL_ENOTFOUND || r == JL_EINVAL) {
		m->ret->end = JL_MEMO_NOT_STARTED;
		m->ret->exit_code = r == JL_ENOTFOUND ? 127 : 126;
		return r;
	}
	for (uint32_t i = 0; i < m->o->tools.n && r == JL_OK; i++)
		r = jl_tools_digest(store, write, m->o->tools.at[i], path, &ret[i + 1], err);
	return r == JL_ENOTFOUND ? jl_err_add(err, "--tool") : r;
}

static int open_project(struct memo *m, struct jl_err *err)
{
	struct jl_digest *tools = jl_calloc(m->o->tools.n + 1, sizeof(*tools));
	m->n_shell = jl_adhoc_words(&m->o->command, &m->words_text, &m->words);
	int r = m->words.len ? JL_OK : jl_err_set(err, JL_EINVAL, "the command has no words");
	if (r == JL_OK)
		r = look_at_tools(m, tools, err);
	if (r == JL_OK)
		r = jl_feed_read(&m->feed, m->o->feed, m->o->stdin_fd, m->tmp_dir, m->o->waiting, m->o->waiting_ctx,
				 err);
	if (r == JL_OK)
		r = jl_adhoc_open(m->o, &m->words, m->n_shell, tools, &m->feed.digest, &m->e.p, err);
	free(tools);
	return r;
}

/* A hit needs to read only: opened so, the store is neither made nor swept. */
static void open_store_to_read(struct memo *m)
{
	struct jl_engine *e = &m->e;
	bool reads = m->o->run.cache == JL_CACHE_RW || m->o->run.cache == JL_CACHE_RO;
	if (e->store || !reads || m->o->run.force)
		return;
	e->own_store = jl_store_local_open(&jl_io_system, jl_project_store_dir(e->p), true, &e->store, NULL) == JL_OK;
}

static void open_store_to_write(struct memo *m)
{
	struct jl_engine *e = &m->e;
	if (m->o->run.cache == JL_CACHE_RO && e->store)
		return;
	if (e->own_store)
		jl_store_free(e->store);
	if (e->own_store)
		e->store = NULL;
	e->own_store = false;
	(void)jl_engine_store(e);
}

static void make_failure_key(struct memo *m)
{
	static const char what[] = "failure";
	jl_buf_clear(&m->e.scratch);
	jl_buf_add(&m->e.scratch, &m->run.what.key, sizeof(struct jl_digest));
	jl_buf_add(&m->e.scratch, what, sizeof(what));
	jl_digest_bytes(m->e.scratch.data, m->e.scratch.len, &m->failure_key);
}

/* ---- a hit ---- */

static bool young(const struct jl_record *rec, int64_t limit_ns)
{
	return limit_ns < 0 || jl_clock_real_ns() - rec->created_ns < limit_ns;
}

static bool counts(const struct memo *m, const struct jl_record *rec)
{
	return rec && rec->exit_code == 0 && rec->signal == 0 && young(rec, m->o->ttl_ns);
}

/* make looks at the time: what was put back or found is as new as if it had been made now. */
static void touch(const struct memo *m, const struct jl_record *rec)
{
	for (uint32_t i = 0; i < rec->n_outputs; i++)
		(void)!utimensat(jl_engine_files(&m->e)->root_fd, rec->outputs[i].path, NULL, AT_SYMLINK_NOFOLLOW);
}

static void emit_end(struct memo *m, enum jl_step_status status, const char *reason)
{
	const struct jl_job_result *r = &m->run.job.result;
	char key[JL_DIGEST_TEXT];
	struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED,
			      .step = label(m),
			      .status = status,
			      .reason = reason,
			      .exit_code = m->ret->exit_code,
			      .signal = m->ret->signal,
			      .wall_ns = r->wall_ns,
			      .user_ns = r->user_ns,
			      .sys_ns = r->sys_ns,
			      .max_rss_kib = r->max_rss_kib,
			      .host = r->host,
			      .attempt = m->ended,
			      .stored = m->ret->stored};
	if (!m->o->run.sinks)
		return;
	ev.key = jl_digest_text(&m->run.what.key, key);
	m->e.counts.ran += status == JL_STEP_RAN;
	m->e.counts.fresh += status == JL_STEP_FRESH;
	m->e.counts.restored += status == JL_STEP_RESTORED;
	m->e.counts.failed += status == JL_STEP_FAILED || status == JL_STEP_TIMEOUT;
	m->e.counts.skipped += status == JL_STEP_CANCELLED;
	jl_engine_emit(&m->e, &ev);
}

/* Put the result in place and show it. false: it is not whole, so the command must run. */
static bool use(struct memo *m, const struct jl_record *rec)
{
	struct jl_err err = JL_ERR_INIT;
	bool fresh = true;
	int r = JL_OK;
	if (m->o->check) {
		m->ret->hit = true;
		return true;
	}
	for (uint32_t i = 0; i < rec->n_outputs; i++) {
		const struct jl_record_output *out = &rec->outputs[i];
		if (out->kind != JL_KIND_DIR || out->declared >= m->o->outputs.n)
			continue;
		struct jl_pport *port = output_port(m, out->declared);
		if (strcmp(jl_files_path(jl_engine_files(&m->e), port->what), out->path) == 0)
			port->flags |= JL_PORT_FOLDER;
	}
	if (rec->exit_code == 0 && m->o->outputs.n)
		r = jl_place_merge(&m->e, INST, rec, &fresh, &err);
	if (r == JL_OK)
		r = jl_capture_replay(&m->e, label(m), &rec->log, m->tmp_dir, &err);
	if (r != JL_OK) {
		if (r != JL_ENOTFOUND)
			jl_engine_warn(&m->e, label(m), "cannot use the stored result: %s", err.text);
		return false;
	}
	touch(m, rec);
	jl_feed_consumed(&m->feed);
	m->ret->end = JL_MEMO_EXITED;
	m->ret->exit_code = rec->exit_code;
	m->ret->hit = m->ret->stored = true;
	m->ret->saved_ns = m->e.counts.saved_ns = rec->wall_ns;
	m->run.job.result.wall_ns = rec->wall_ns;
	emit_end(m, rec->exit_code ? JL_STEP_FAILED : fresh ? JL_STEP_FRESH : JL_STEP_RESTORED, NULL);
	return true;
}

/* A failure that was stored since `since_ns`. */
static bool use_failure(struct memo *m, int64_t since_ns)
{
	struct jl_record *rec = jl_decide_record(&m->e, INST, &m->failure_key);
	bool used = rec && rec->exit_code != 0 && rec->created_ns >= since_ns && use(m, rec);
	jl_record_free(rec);
	return used;
}

static bool use_either(struct memo *m, int64_t failures_since_ns)
{
	struct jl_record *rec = jl_decide_record(&m->e, INST, &m->run.what.key);
	bool used = counts(m, rec) && use(m, rec);
	jl_record_free(rec);
	return used || use_failure(m, failures_since_ns);
}

static int64_t failures_since(const struct memo *m)
{
	return m->o->failures_ns < 0 ? INT64_MAX : jl_clock_real_ns() - m->o->failures_ns + 1;
}

/* Whoever else is at work on this key is waited for; then its result is ours. */
static bool wait_for_others(struct memo *m)
{
	int64_t now = jl_clock_real_ns(), since = failures_since(m);
	if (m->o->run.cache != JL_CACHE_RW || m->o->run.force || !m->e.store || m->o->run.store)
		return false;
	bool waited = jl_flight_enter(&m->flight, jl_project_store_dir(m->e.p), &m->run.what.key);
	if (waited && now < since)
		since = now;
	/* Looked up again in any case: who was at work may have ended just before we came. */
	return use_either(m, since);
}

/* ---- the run ---- */

static bool work(void *owner)
{
	struct memo *m = owner;
	if (m->handed)
		return false;
	m->handed = true;
	jl_slots_hold(&m->e.slots, &m->run.job);
	return true;
}

static int begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct memo *m = owner;
	(void)job;
	int r = jl_feed_open(&m->feed, m->tmp_dir, &m->feed_fd, err);
	*ret = (struct jl_job){.label = label(m),
			       .workdir = m->o->run.cwd,
			       .stdin_fd = m->feed_fd,
			       .envp = m->o->run.environ,
			       .timeout_ns = m->o->run.timeout_ns};
	*(const char **)jl_table_add(&m->words, 1) = NULL;
	ret->argv = m->words.data;
	m->words.len--;
	ret->kill_after_ns = m->o->run.kill_after_ns ? m->o->run.kill_after_ns : KILL_AFTER_NS;
	return r;
}

static void begun(void *owner, struct jl_slot_job *job, bool started)
{
	struct memo *m = owner;
	struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
			      .step = label(m),
			      .attempt = 1,
			      .executor = "local",
			      .host = "local",
			      .pid = job->pid};
	jl_feed_close(&m->feed, m->feed_fd);
	m->feed_fd = -1;
	if (started)
		jl_engine_emit(&m->e, &ev);
}

static void output(void *owner, struct jl_slot_job *job, int stream, const void *data, size_t len)
{
	struct memo *m = owner;
	struct jl_event ev = {
		.type = JL_EVENT_STEP_OUTPUT, .step = label(m), .stream = stream, .data = data, .len = len};
	(void)job;
	jl_capture_add(&m->log, stream, data, len);
	jl_engine_emit(&m->e, &ev);
	if (m->o->broken && *m->o->broken && !m->stopped) {
		m->stopped = true;
		jl_slots_signal(&m->e.slots, *m->o->broken);
	}
}

static void ended(void *owner, struct jl_slot_job *job)
{
	struct memo *m = owner;
	(void)job;
	m->ended = true;
}

static void dropped(void *owner, struct jl_slot_job *job)
{
	(void)owner;
	(void)job;
}

static void turn(void *owner, bool idle)
{
	(void)owner;
	(void)idle;
}

static int run_it(struct memo *m, struct jl_err *err)
{
	static const struct jl_slots_ops ops = {.work = work,
						.begin = begin,
						.begun = begun,
						.output = output,
						.ended = ended,
						.dropped = dropped,
						.turn = turn};
	struct jl_engine *e = &m->e;
	int r = JL_OK;
	e->exec = m->o->run.exec;
	if (!e->exec) {
		r = jl_local_open(&e->local, &e->slots, err);
		e->exec = e->local.exec;
	}
	if (r != JL_OK)
		return r;
	jl_slots_init(&e->slots, 1, e->exec, e->clock, &ops, m);
	return jl_slots_loop(&e->slots, err);
}

/* ---- what came of it ---- */

static int collect(struct memo *m, struct jl_outputs *ret, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(&m->e);
	const char *untouched;
	for (uint32_t i = 0; i < m->o->outputs.n; i++) {
		struct jl_pport *port = output_port(m, i);
		jl_files_forget(files, port->what, true);
		if (jl_files_stat(files, port->what, NULL) == JL_OK &&
		    jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_DIR)
			port->flags |= JL_PORT_FOLDER;
	}
	int r = jl_outputs_collect(&m->e, INST, ret, err);
	if (r == JL_OK && jl_written_missing(&m->written, &m->e, INST, &untouched))
		r = jl_err_set(err, JL_EINVAL, "output \"%s\" was not written by the command", untouched);
	return r;
}

static void store(struct memo *m, const struct jl_outputs *outs)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_content log;
	char why[300] = "";
	const struct jl_job_result *r = &m->run.job.result;
	enum jl_cache_mode cache = m->o->run.cache;
	if (cache == JL_CACHE_RO || cache == JL_CACHE_OFF)
		return;
	if (r->pipe_held)
		snprintf(why, sizeof(why), "a background process still held its output");
	else if (!jl_feed_same(&m->feed))
		snprintf(why, sizeof(why), "standard input changed while it ran");
	else if (jl_decide_same(&m->e, INST, &m->run.what, why, sizeof(why)) &&
		 (jl_capture_end(&m->log, &log, &err) != JL_OK || !m->e.store ||
		  jl_outputs_store(&m->e, &m->run, outs, &log, m->log.fd, &err) != JL_OK))
		snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, err.text);
	else
		m->ret->stored = why[0] == '\0';
	if (why[0])
		jl_engine_warn(&m->e, label(m), "not stored: %s", why);
}

static int take_success(struct memo *m, struct jl_err *err)
{
	struct jl_outputs outs = {.at = JL_TABLE_INIT(struct jl_record_output)};
	int r = collect(m, &outs, err);
	if (r == JL_OK)
		store(m, &outs);
	emit_end(m, r == JL_OK ? JL_STEP_RAN : JL_STEP_FAILED, r == JL_OK ? NULL : err->text);
	jl_outputs_release(&outs);
	return r;
}

static void take_failure(struct memo *m)
{
	struct jl_outputs none = {.at = JL_TABLE_INIT(struct jl_record_output)};
	struct jl_digest key = m->run.what.key;
	if (m->o->failures_ns >= 0 || jl_flight_awaited(&m->flight)) {
		m->run.what.key = m->failure_key;
		store(m, &none);
		m->run.what.key = key;
		m->ret->stored &= m->o->failures_ns >= 0;
	}
	emit_end(m, JL_STEP_FAILED, NULL);
}

static int take_in(struct memo *m, struct jl_err *err)
{
	const struct jl_job_result *r = &m->run.job.result;
	m->ret->exit_code = r->exit_code;
	m->ret->signal = r->signal;
	if (m->e.slots.signal || !m->ended) {
		m->ret->end = JL_MEMO_STOPPED;
		m->ret->signal = m->e.slots.signal;
		emit_end(m, JL_STEP_CANCELLED, NULL);
		return JL_OK;
	}
	switch (r->end) {
	case JL_JOB_EXITED:
		m->ret->end = JL_MEMO_EXITED;
		if (r->exit_code == 0)
			return take_success(m, err);
		take_failure(m);
		return JL_OK;
	case JL_JOB_SIGNALED: m->ret->end = JL_MEMO_SIGNALED; break;
	case JL_JOB_TIMEOUT:
	case JL_JOB_CANCELLED:
		m->ret->end = JL_MEMO_TIMEOUT;
		emit_end(m, JL_STEP_TIMEOUT, NULL);
		return JL_OK;
	case JL_JOB_NOT_STARTED:
		m->ret->end = JL_MEMO_NOT_STARTED;
		jl_err_set(err, r->exit_code == 127 ? JL_ENOTFOUND : JL_EINVAL, "%s", m->run.job.why);
		break;
	case JL_JOB_LOST:
		emit_end(m, JL_STEP_FAILED, m->run.job.why);
		return jl_err_set(err, JL_EIO, "%s", m->run.job.why);
	}
	emit_end(m, JL_STEP_FAILED, m->run.job.why);
	return JL_OK;
}

/* ---- the whole ---- */

static int decide_and_run(struct memo *m, struct jl_err *err)
{
	struct jl_record *rec = NULL;
	struct jl_event started = {.type = JL_EVENT_RUN_STARTED, .run_id = m->e.run_id, .jobs = 1};
	m->e.counts.total = 1;
	jl_engine_emit(&m->e, &started);
	open_store_to_read(m);
	enum jl_decision decision = jl_decide(&m->e, INST, &m->run.what, &rec);
	m->ret->key = m->run.what.key;
	bool used = decision == JL_DECIDE_HIT && counts(m, rec) && use(m, rec);
	jl_record_free(rec);
	if (decision == JL_DECIDE_FAIL)
		return jl_err_set(err, JL_EINVAL, "%s", m->run.what.reason);
	make_failure_key(m);
	if (!used && m->o->failures_ns >= 0 && m->e.store && !m->o->run.force)
		used = use_failure(m, failures_since(m));
	if (m->o->check && !used)
		m->ret->end = JL_MEMO_ABSENT;
	if (used || m->o->check)
		return JL_OK;
	open_store_to_write(m);
	if (wait_for_others(m))
		return JL_OK;
	jl_written_before(&m->written, &m->e, INST);
	int r = run_it(m, err);
	if (r == JL_OK)
		r = take_in(m, err);
	return r;
}

int jl_memo(const struct jl_memo_opts *o, struct jl_memo_result *ret, struct jl_err *err)
{
	struct memo m = {.o = o,
			 .words_text = JL_BUF_INIT,
			 .words = JL_TABLE_INIT(char *),
			 .feed = JL_FEED_INIT,
			 .flight = JL_FLIGHT_NONE,
			 .written = JL_WRITTEN_INIT,
			 .feed_fd = -1,
			 .ret = ret,
			 .run = {.what = {.inputs = JL_TABLE_INIT(struct jl_job_input)}}};
	struct jl_event finished = {.type = JL_EVENT_RUN_FINISHED};
	*ret = (struct jl_memo_result){.end = JL_MEMO_EXITED};
	m.tmp_dir = variable(&o->run, "TMPDIR");
	m.tmp_dir = m.tmp_dir && m.tmp_dir[0] == '/' ? m.tmp_dir : "/tmp";
	jl_engine_init(&m.e, &o->run);
	jl_capture_init(&m.log, m.tmp_dir);
	*(uint8_t *)jl_table_add(&m.e.want_inst, 1) = 2; /* asked for */
	snprintf(m.e.run_id, sizeof(m.e.run_id), "memo-%ld", (long)getpid());
	int r = open_project(&m, err);
	if (r == JL_OK) {
		r = decide_and_run(&m, err);
		finished.end_signal = ret->end == JL_MEMO_STOPPED ? ret->signal : 0;
		jl_engine_emit(&m.e, &finished);
	} else if (ret->end == JL_MEMO_NOT_STARTED) {
		r = JL_OK; /* *err says what the program lacks */
	}
	jl_flight_leave(&m.flight);
	jl_written_release(&m.written);
	jl_capture_release(&m.log);
	jl_table_release(&m.run.what.inputs);
	(void)!jl_project_close(m.e.p, NULL);
	jl_engine_release(&m.e);
	jl_feed_release(&m.feed);
	jl_table_release(&m.words);
	jl_buf_release(&m.words_text);
	return r;
}
