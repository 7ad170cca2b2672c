/* See memo.h. One call (run/call.h) and a loop for it. */
#include "run/memo.h"

#include "run/adhoc.h"
#include "run/call_shared.h"
#include "run/hosted.h"

struct memo {
	const struct jl_memo_opts *o;
	struct jl_calls all;
	struct jl_call c;
	struct jl_buf words_text;
	struct jl_table words;   /* const char * */
	struct jl_slot_job slot;
	struct jl_slots *slots;  /* the engine's own */
	uint32_t n_shell;
	bool handed, ended, stopped;
	bool told;               /* some of its output was */
	struct jl_trouble trouble; /* that it had with its hosts */
	struct jl_err err;       /* no host can be had; status JL_OK: one can */
};

/* ---- the run ---- */

static bool work(void *owner)
{
	struct memo *m = owner;
	if (m->handed)
		return false;
	m->slots->waiting = m->o->hosted && !m->slots->stopping && !jl_hosted_room(m->o->hosted, &m->trouble);
	if (m->slots->waiting)
		return false;
	m->handed = true;
	const char *none = m->o->hosted ? jl_hosted_none(m->o->hosted) : "";
	if (none[0]) {
		jl_err_set(&m->err, JL_EIO, "%s", none);
		return false;
	}
	jl_slots_hold(m->slots, &m->slot);
	return true;
}

static int begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct memo *m = owner;
	(void)job;
	*(const char **)jl_table_add(&m->words, 1) = NULL;
	ret->argv = m->words.data;
	m->words.len--;
	int r = jl_call_begin(&m->c, ret, err);
	return r == JL_OK && m->o->hosted ? jl_hosted_job(m->o->hosted, &m->trouble, &m->c, &m->words, m->n_shell, ret, err) : r;
}

static void begun(void *owner, struct jl_slot_job *job, bool started)
{
	struct memo *m = owner;
	struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
			      .step = jl_call_label(&m->c),
			      .attempt = 1,
			      .executor = m->o->hosted ? m->o->hosted->to.where.executor : "local",
			      .host = m->o->hosted ? jl_hosts_of(m->slots->exec, job->slot + 1) : "local",
			      .pid = job->pid};
	jl_call_begun(&m->c);
	if (started)
		jl_engine_emit(&m->c.e, &ev);
}

static void output(void *owner, struct jl_slot_job *job, int stream, const void *data, size_t len)
{
	struct memo *m = owner;
	struct jl_event ev = {.type = JL_EVENT_STEP_OUTPUT,
			      .step = jl_call_label(&m->c),
			      .stream = stream,
			      .data = data,
			      .len = len};
	(void)job;
	m->told = true;
	jl_call_output(&m->c, stream, data, len);
	jl_engine_emit(&m->c.e, &ev);
	if (m->o->broken && *m->o->broken && !m->stopped) {
		m->stopped = true;
		jl_slots_signal(m->slots, *m->o->broken);
	}
}

static void ended(void *owner, struct jl_slot_job *job)
{
	struct memo *m = owner;
	/* What was passed on cannot be taken back: the command is run again only if that is nothing. */
	if (m->o->hosted && jl_hosted_again(m->o->hosted, &m->trouble, "", job, m->told || m->slots->stopping)) {
		m->handed = false;
		jl_call_again(&m->c);
		return;
	}
	if (m->o->hosted)
		jl_feed_consumed(&m->c.feed);
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

static void say(void *ctx, const char *text)
{
	jl_engine_warn(ctx, NULL, "%s", text);
}

static int open_hosts(struct memo *m, struct jl_err *err)
{
	struct jl_hosted *h = m->o->hosted;
	int r = jl_hosted_open(h, &m->c.e.local, m->o->run.environ, NULL, say, &m->c.e, err);
	m->c.e.exec = h->to.exec;
	return r;
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
	struct jl_engine *e = &m->c.e;
	int r = JL_OK;
	e->exec = m->o->run.exec;
	if (!e->exec) {
		r = jl_local_open(&e->local, m->slots, 1, m->o->run.environ, err);
		e->exec = e->local.exec;
	}
	if (r == JL_OK && m->o->hosted)
		r = open_hosts(m, err);
	if (r != JL_OK)
		return r;
	jl_slots_init(m->slots, 1, e->exec, e->clock, &ops, m);
	m->slots->tokens = e->local.loop && !m->o->hosted ? &e->local.tokens : NULL;
	r = jl_slots_loop(m->slots, err);
	if (r == JL_OK && m->err.status != JL_OK && !m->slots->signal) {
		*err = m->err;
		r = m->err.status;
	}
	return r;
}

/* ---- the whole ---- */

static void emit_end(struct memo *m, const char *reason)
{
	const struct jl_job_result *r = &m->c.run.job.result;
	struct jl_memo_result *ret = &m->c.result;
	struct jl_counts *counts = &m->c.e.counts;
	enum jl_step_status status = m->c.status;
	char key[JL_DIGEST_TEXT];
	struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED,
			      .step = jl_call_label(&m->c),
			      .status = status,
			      .reason = reason,
			      .exit_code = ret->exit_code,
			      .signal = ret->signal,
			      .wall_ns = r->wall_ns,
			      .user_ns = r->user_ns,
			      .sys_ns = r->sys_ns,
			      .max_rss_kib = r->max_rss_kib,
			      .executor = m->ended && m->o->hosted ? m->o->hosted->to.where.executor : NULL,
			      .host = r->host,
			      .attempt = m->ended,
			      .stored = ret->stored};
	ev.key = jl_digest_text(&ret->key, key);
	counts->saved_ns = ret->saved_ns;
	counts->ran += status == JL_STEP_RAN;
	counts->fresh += status == JL_STEP_FRESH;
	counts->restored += status == JL_STEP_RESTORED;
	counts->failed += status == JL_STEP_FAILED || status == JL_STEP_TIMEOUT;
	counts->skipped += status == JL_STEP_CANCELLED;
	jl_engine_emit(&m->c.e, &ev);
}

static int take_in(struct memo *m, struct jl_err *err)
{
	int r = JL_OK;
	if (m->slots->signal || !m->ended) {
		m->c.result.end = JL_MEMO_STOPPED;
		m->c.result.signal = m->slots->signal;
		m->c.status = JL_STEP_CANCELLED;
	} else {
		r = jl_call_take_in(&m->c, &m->slot, err);
	}
	emit_end(m, r < 0 ? err->text : m->slot.why[0] ? m->slot.why : NULL);
	return r;
}

static int find_or_run(struct memo *m, struct jl_err *err)
{
	struct jl_event started = {.type = JL_EVENT_RUN_STARTED, .run_id = m->c.e.run_id, .jobs = 1};
	m->c.e.counts.total = 1;
	jl_engine_emit(&m->c.e, &started);
	struct jl_tier_ask ask;
	int r = jl_call_find(&m->c, err);
	while (r == JL_CALL_RUN && jl_call_ask(&m->c, &ask)) {
		jl_calls_await(&m->all);
		r = jl_call_find(&m->c, err);
	}
	if (r == JL_CALL_RUN)
		r = jl_call_enter(&m->c, true);
	if (r == JL_CALL_USED && !m->o->check)
		emit_end(m, NULL);
	if (r != JL_CALL_RUN)
		return r < 0 ? r : JL_OK;
	r = run_it(m, err);
	return r == JL_OK ? take_in(m, err) : r;
}

static void tell_counts(void *ctx, const struct jl_remote_counts *counts)
{
	struct jl_event ev = {.type = JL_EVENT_REMOTE, .remote = counts};
	jl_engine_emit(ctx, &ev);
}

int jl_memo(const struct jl_memo_opts *o, struct jl_memo_result *ret, struct jl_err *err)
{
	struct memo m = {.o = o, .words_text = JL_BUF_INIT, .words = JL_TABLE_INIT(char *)};
	struct jl_event finished = {.type = JL_EVENT_RUN_FINISHED};
	m.n_shell = jl_adhoc_words(&o->command, &m.words_text, &m.words);
	m.slots = &m.c.e.slots;
	jl_calls_init(&m.all, &o->run);
	int r = jl_call_open(&m.c, &m.all, o, &m.words, m.n_shell, err);
	if (r == JL_OK) {
		r = find_or_run(&m, err);
		jl_calls_finish(&m.all, m.c.e.local.loop, m.slots, tell_counts, &m.c.e);
		finished.end_signal = m.c.result.end == JL_MEMO_STOPPED ? m.c.result.signal : 0;
		jl_engine_emit(&m.c.e, &finished);
	} else if (m.c.result.end == JL_MEMO_NOT_STARTED) {
		r = JL_OK; /* *err says what the program lacks */
	}
	*ret = m.c.result;
	if (o->hosted)
		jl_hosted_close(o->hosted);
	jl_call_close(&m.c);
	jl_calls_release(&m.all);
	jl_table_release(&m.words);
	jl_buf_release(&m.words_text);
	return r;
}
