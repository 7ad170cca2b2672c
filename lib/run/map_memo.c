/* jobs of a map as memoized commands (run/call.h): looked up before they get a slot, taken in when they have ended. A job
 * whose key somebody else is at work on, here or in another process, waits without a slot. See map_priv.h. */
#include "run/map_priv.h"

#include "run/adhoc.h"
#include "run/call_shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define TRY_NS     (50 * JL_NS_MS) /* another process tells nobody that it is done */
#define PARKED_MAX 64u

/* ---- open ---- */

static int read_templates(const struct map *m, const struct jl_memo_list *list, struct jl_replace **ret,
			  const char *option, struct jl_err *err)
{
	const struct jl_replace_opts opts = {
		.names = m->values ? jl_values_names(m->values) : NULL, .context = true, .paths = true, .no_slot = true};
	int r = jl_replace_new(list->at, list->n, &opts, ret, err);
	return r == JL_OK ? r : jl_err_add(err, "option \"%s\"", option);
}

int map_read_command(struct map *m, struct jl_err *err)
{
	const struct jl_map_opts *o = m->opts;
	const struct jl_replace_opts opts = {.names = m->values ? jl_values_names(m->values) : NULL,
					     .context = o->context || o->per_job > 0,
					     .no_slot = o->memo && !o->memo->transfer,
					     .shell = o->memo && !o->memo->transfer ? jl_adhoc_shell : NULL};
	int r = jl_replace_new(o->words, o->n_words, &opts, &m->replace, err);
	if (r == JL_OK && o->memo)
		r = read_templates(m, &o->memo->inputs, &m->memo.inputs, "-i", err);
	if (r == JL_OK && o->memo)
		r = read_templates(m, &o->memo->outputs, &m->memo.outputs, "-o", err);
	return r;
}

/* What a call has to tell. */
static void told(struct jl_sink *sink, const struct jl_event *ev)
{
	struct map *m = (struct map *)((char *)sink - offsetof(struct map, memo.sink));
	struct jl_buf text = JL_BUF_INIT;
	if (ev->type == JL_EVENT_STEP_OUTPUT && m->memo.telling) {
		m->memo.telling->stored = true;
		map_output(m, m->memo.telling, ev->stream, ev->data, ev->len);
	} else if (ev->type == JL_EVENT_WARNING) {
		if (m->memo.telling && ev->step)
			jl_buf_printf(&text, "%s: ", map_label(m, m->memo.telling));
		jl_buf_str(&text, ev->text);
		m->opts->show->say(m->opts->show->ctx, text.data);
	}
	jl_buf_release(&text);
}

void map_memo_open(struct map *m)
{
	struct map_memo *all = &m->memo;
	if (!m->opts->memo)
		return;
	all->opts = *m->opts->memo;
	all->sink.event = told;
	all->answers.fd = -1;
	all->answered_last = &all->answered;
	all->opts.run.sinks = &all->sink;
	jl_calls_init(&all->calls, &all->opts.run);
}

void map_memo_release(struct map *m)
{
	struct map_memo *all = &m->memo;
	if (!m->opts->memo)
		return;
	while (all->unused) {
		struct map_call *c = all->unused;
		all->unused = c->next;
		jl_replace_out_release(&c->command);
		jl_replace_out_release(&c->inputs);
		jl_replace_out_release(&c->outputs);
		free(c);
	}
	if (m->local.loop)
		jl_loop_disarm(m->local.loop, &all->timer);
	jl_replace_free(all->inputs);
	jl_replace_free(all->outputs);
	jl_calls_release(&all->calls);
}

/* ---- a job's call ---- */

static struct map_call *get_call(struct map_memo *all)
{
	struct map_call *c = all->unused;
	if (c) {
		all->unused = c->next;
		return c;
	}
	c = jl_alloc(sizeof(*c));
	*c = (struct map_call){
		.command = JL_REPLACE_OUT_INIT, .inputs = JL_REPLACE_OUT_INIT, .outputs = JL_REPLACE_OUT_INIT};
	return c;
}

static void expand_command(const struct map *m, const struct map_job *job, struct map_call *c)
{
	const struct jl_replace_with with = map_with(job);
	jl_replace_expand(m->replace, &with, &c->command);
	c->words = c->command.argv;
	c->words.len--;
}

static void unget_call(struct map *m, struct map_call *c)
{
	c->next = m->memo.unused;
	m->memo.unused = c;
}

/* Is there anything that would go along to a host? */
static bool travels(const struct map *m, const struct map_call *c)
{
	size_t len;
	return m->opts->memo->inputs.n || m->opts->memo->outputs.n ||
	       jl_hosted_program(&c->words, jl_replace_n_shell(m->replace), &len);
}

static struct jl_memo_list expand(const struct jl_replace *r, const struct jl_replace_with *with,
				  struct jl_replace_out *out)
{
	jl_replace_expand(r, with, out);
	return (struct jl_memo_list){out->argv.data, out->argv.len - 1};
}

/* It has ended without having been run. */
static void end_here(struct map *m, struct map_job *job, enum jl_job_end end, int exit_code, const char *why)
{
	job->slot.result = (struct jl_job_result){
		.end = end, .exit_code = exit_code, .wall_ns = job->memo->call.result.saved_ns, .host = "local"};
	snprintf(job->slot.why, sizeof(job->slot.why), "%.*s", (int)sizeof(job->slot.why) - 1, why);
	job->slot.result.why = why[0] ? job->slot.why : NULL;
	job->start_real_ns = jl_clock_real_ns();
	map_finish(m, job);
}

/* Its result was there, and is shown by now. */
static void end_stored(struct map *m, struct map_job *job)
{
	const struct jl_call *c = &job->memo->call;
	job->stored = true;
	job->key = c->result.key;
	job->kept = c->result.stored;
	job->status = c->status;
	m->counts.saved_ns += c->result.saved_ns;
	int r = map_open_results(m, job, &m->err);
	if (r < 0)
		map_fail(m, r);
	end_here(m, job, JL_JOB_EXITED, c->result.exit_code, "");
}

/* Whatever was shown of a stored result that turned out to be damaged is forgotten. */
static void forget_stored(struct map *m, struct map_job *job)
{
	if (job->stored)
		jl_order_again(&m->order, &job->out);
	map_close_results(job);
	job->stored = false;
	job->received = 0;
}

/* ---- asking the remotes ---- */

struct map_asked {
	struct jl_tier_ask ask; /* first */
	struct map_job *job;    /* NULL: it does not wait any more */
	struct map_asked *next;
};

static void wake(struct map *m)
{
	if (m->memo.waiting)
		m->slots.waiting = false;
	m->memo.waiting = false;
}

static void forget_asked(struct map_memo *all, struct map_asked *a)
{
	struct map_asked **at = &all->asked;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	all->n_asked -= a->job != NULL;
	free(a);
}

static void on_answer(struct jl_watch *w, uint32_t events)
{
	struct map *m = (struct map *)((char *)w - offsetof(struct map, memo.answers));
	struct map_memo *all = &m->memo;
	struct jl_tier_ask *ask;
	(void)events;
	while ((ask = jl_calls_taken(&all->calls))) {
		struct map_asked *a = (struct map_asked *)ask;
		if (a->job) {
			a->job->answered = true;
			a->job->next = NULL;
			*all->answered_last = a->job;
			all->answered_last = &a->job->next;
		}
		forget_asked(all, a);
	}
	wake(m);
}

/* What the local store lacks is asked for, and the job steps aside. */
static bool ask(struct map *m, struct map_job *job)
{
	struct map_memo *all = &m->memo;
	struct map_asked *a = jl_calloc(1, sizeof(*a));
	if (!jl_call_ask(&job->memo->call, &a->ask)) {
		free(a);
		return false;
	}
	a->job = job;
	a->next = all->asked;
	all->asked = a;
	all->n_asked++;
	all->answers.ready = on_answer;
	if (all->answers.fd >= 0 ||
	    jl_loop_add(m->local.loop, &all->answers, jl_calls_fd(&all->calls), EPOLLIN, NULL) == JL_OK)
		return true;
	jl_calls_await(&all->calls); /* one by one, then: it is the only one */
	forget_asked(all, a);
	return false;
}

/* One that is answered; or, when nothing more is to start, one that is not. */
static struct map_job *take_asked(struct map *m)
{
	struct map_memo *all = &m->memo;
	struct map_job *job = all->answered;
	if (job) {
		all->answered = job->next;
		if (!all->answered)
			all->answered_last = &all->answered;
		return job;
	}
	for (struct map_asked *a = all->asked; a && m->slots.stopping; a = a->next) {
		job = a->job;
		a->job = NULL;
		if (!job)
			continue;
		all->n_asked--;
		return job;
	}
	return NULL;
}

static void tell_counts(void *ctx, const struct jl_remote_counts *counts)
{
	struct map *m = ctx;
	struct jl_event ev = {.type = JL_EVENT_REMOTE, .remote = counts};
	struct jl_buf text = JL_BUF_INIT;
	map_emit(m, &ev);
	jl_buf_str(&text, "remote ");
	jl_remote_counts_show(&text, counts);
	if (m->opts->verbose)
		m->opts->show->say(m->opts->show->ctx, text.data);
	jl_buf_release(&text);
}

void map_memo_finish(struct map *m)
{
	struct map_memo *all = &m->memo;
	if (!m->opts->memo)
		return;
	jl_loop_remove(m->local.loop, &all->answers);
	jl_calls_finish(&all->calls, m->local.loop, &m->slots, tell_counts, m);
	while (all->asked)
		forget_asked(all, all->asked);
}

/* Make the key of a job that is looked at for the first time. job->memo stays NULL where nothing would travel. */
static int open_call(struct map *m, struct map_job *job, struct jl_err *err)
{
	const struct jl_replace_with with = map_with(job);
	struct map_call *c = job->memo = get_call(&m->memo);
	c->opts = m->memo.opts;
	expand_command(m, job, c);
	if (map_transfers(m) && !travels(m, c)) {
		job->memo = NULL;
		unget_call(m, c);
		return JL_OK;
	}
	c->opts.inputs = expand(m->memo.inputs, &with, &c->inputs);
	c->opts.outputs = expand(m->memo.outputs, &with, &c->outputs);
	return jl_call_open(&c->call, &m->memo.calls, &c->opts, &c->words, jl_replace_n_shell(m->replace), err);
}

bool map_memo_find(struct map *m, struct map_job *job)
{
	struct jl_err err = JL_ERR_INIT;
	if (!m->opts->memo || (job->memo && (!job->answered || m->slots.stopping)))
		return false;
	job->answered = false;
	m->memo.telling = job;
	int r = job->memo ? JL_OK : open_call(m, job, &err);
	struct map_call *c = job->memo;
	if (c && r == JL_OK)
		r = jl_call_find(&c->call, &err);
	m->memo.telling = NULL;
	if (!c)
		return false;
	if (r == JL_CALL_RUN) {
		forget_stored(m, job);
		return ask(m, job);
	}
	if (r == JL_CALL_USED)
		end_stored(m, job);
	else
		end_here(m, job, JL_JOB_NOT_STARTED,
			 c->call.result.end == JL_MEMO_NOT_STARTED ? c->call.result.exit_code : 125, err.text);
	return true;
}

/* ---- waiting for others ---- */

static void try_all(struct map *m)
{
	struct map_memo *all = &m->memo;
	all->n_try = all->n_parked;
	wake(m);
}

void map_memo_put(struct map *m, struct map_job *job)
{
	struct map_call *c = job->memo;
	if (!c)
		return;
	jl_call_close(&c->call);
	job->memo = NULL;
	unget_call(m, c);
	try_all(m);
}

static void time_to_try(struct jl_timer *t)
{
	struct map *m = (struct map *)((char *)t - offsetof(struct map, memo.timer));
	try_all(m);
	if (m->memo.n_parked)
		jl_loop_arm(m->local.loop, t, m->slots.clock->now_ns(m->slots.clock) + TRY_NS);
}

static void park(struct map *m, struct map_job *job)
{
	struct map_memo *all = &m->memo;
	struct map_job **at = &all->parked;
	while (*at)
		at = &(*at)->next;
	*at = job;
	job->next = NULL;
	if (all->n_parked++ == 0) {
		all->timer.fired = time_to_try;
		jl_loop_arm(m->local.loop, &all->timer, m->slots.clock->now_ns(m->slots.clock) + TRY_NS);
	}
}

struct map_job *map_memo_again(struct map *m)
{
	struct map_memo *all = &m->memo;
	struct map_job *job = take_asked(m);
	if (job)
		return job;
	job = all->parked;
	/* With the flight entered it must not wait for a slot: who has one may wait for the flight. */
	if (!job || (!m->slots.stopping && (all->n_try == 0 || m->slots.n_running >= m->slots.n || m->slots.starved)))
		return NULL;
	all->parked = job->next;
	all->n_parked--;
	all->n_try -= all->n_try > 0;
	return job;
}

bool map_memo_full(const struct map *m)
{
	return m->memo.n_parked + m->memo.n_asked >= PARKED_MAX;
}

void map_memo_wait(struct map *m)
{
	if (m->memo.n_parked + m->memo.n_asked == 0 || m->slots.waiting)
		return;
	m->slots.waiting = true;
	m->memo.waiting = true;
}

/* ---- the run ---- */

int map_memo_begin(struct map *m, struct map_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct map_call *c = job->memo;
	if (!c)
		return JL_OK;
	m->memo.telling = job;
	enum jl_call_found found = jl_call_enter(&c->call, false);
	m->memo.telling = NULL;
	if (found == JL_CALL_BUSY) {
		park(m, job);
		return 1;
	}
	if (found == JL_CALL_USED) {
		end_stored(m, job);
		return 1;
	}
	forget_stored(m, job);
	if (map_transfers(m))
		expand_command(m, job, c); /* its slot is known now */
	int r = jl_call_begin(&c->call, ret, err);
	ret->argv = c->command.argv.data;
	return r;
}

void map_memo_retry(struct map *m, struct map_job *job)
{
	if (!job->memo)
		return;
	jl_call_again(&job->memo->call);
	try_all(m);
}

void map_memo_ended(struct map *m, struct map_job *job)
{
	struct jl_job_result *r = &job->slot.result;
	struct jl_err err = JL_ERR_INIT;
	if (!job->memo)
		return;
	m->memo.telling = job;
	int taken = jl_call_take_in(&job->memo->call, &job->slot, &err);
	m->memo.telling = NULL;
	if (!map_transfers(m))
		job->key = job->memo->call.result.key;
	job->kept = job->memo->call.result.stored;
	if (taken < 0 && r->end == JL_JOB_EXITED && r->exit_code == 0) {
		r->exit_code = 125;
		snprintf(job->slot.why, sizeof(job->slot.why), "%.*s", (int)sizeof(job->slot.why) - 1, err.text);
		r->why = job->slot.why;
	}
}
