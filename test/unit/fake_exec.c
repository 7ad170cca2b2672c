/* The scripted executor. */
#include "fake_exec.h"

#include "exec/job.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct fake_script {
	struct fake_script *next;
	char *label;
	struct fake_run *runs;
	unsigned run_count;
	unsigned starts;
};

struct fake_job {
	struct fake_job *next;
	struct jl_job job; /* a copy */
	struct fake_run run;
	int64_t start_ns, end_ns;
	bool timed_out, cancelled;
};

static struct fake_script *find_script(const struct fake_exec *f, const char *label)
{
	struct fake_script *s = f->scripts;
	while (s && strcmp(s->label, label) != 0)
		s = s->next;
	return s;
}

static struct fake_script *get_script(struct fake_exec *f, const char *label)
{
	struct fake_script *s = find_script(f, label);
	if (s)
		return s;
	s = jl_calloc(1, sizeof(*s));
	s->label = jl_strdup(label);
	s->next = f->scripts;
	f->scripts = s;
	return s;
}

void fake_exec_on(struct fake_exec *f, const char *label, const struct fake_run *run)
{
	struct fake_script *s = get_script(f, label);
	s->runs = jl_realloc(s->runs, (s->run_count + 1) * sizeof(*run));
	s->runs[s->run_count++] = *run;
}

unsigned fake_exec_starts(const struct fake_exec *f, const char *label)
{
	const struct fake_script *s = find_script(f, label);
	return s ? s->starts : 0;
}

static int64_t later(int64_t at, int64_t by)
{
	return by >= JL_FOREVER - at ? JL_FOREVER : at + by;
}

static int fake_start(struct jl_exec *x, const struct jl_job *job, int64_t *ret_pid, struct jl_err *err)
{
	struct fake_exec *f = (struct fake_exec *)x;
	if (f->busy) {
		f->busy--;
		return jl_err_set(err, JL_EBUSY, "no more processes (scripted)");
	}
	struct fake_job *j = jl_calloc(1, sizeof(*j));
	int rc = jl_job_copy(job, &j->job, err);
	if (rc < 0) {
		free(j);
		return rc;
	}
	struct fake_script *s = get_script(f, job->label);
	j->run = s->run_count ? s->runs[s->starts < s->run_count ? s->starts : s->run_count - 1] : f->fallback;
	s->starts++;
	j->start_ns = f->now_ns;
	j->end_ns = later(f->now_ns, j->run.duration_ns ? j->run.duration_ns : JL_NS_MS);
	if (job->timeout_ns > 0 && j->end_ns > later(f->now_ns, job->timeout_ns)) {
		j->end_ns = later(f->now_ns, job->timeout_ns);
		j->timed_out = true;
	}
	struct fake_job **at = &f->jobs;
	while (*at)
		at = &(*at)->next;
	*at = j;
	f->started++;
	if (++f->running > f->max_running)
		f->max_running = f->running;
	jl_buf_printf(&f->log, "start %s\n", job->label);
	if (ret_pid)
		*ret_pid = j->run.end == JL_JOB_NOT_STARTED ? 0 : (int64_t)f->started;
	return JL_OK;
}

static void give(struct fake_exec *f, const struct fake_job *j, int stream, const void *data, size_t len)
{
	if (data && !len)
		len = strlen(data);
	if (len)
		f->exec.events.output(f->exec.events.ctx, j->job.id, stream, data, len);
}

static void end_job(struct fake_exec *f, struct fake_job *j)
{
	struct fake_run *run = &j->run;
	bool broken_off = j->timed_out || j->cancelled;
	if (run->effect && !broken_off)
		run->effect(run->ctx, &j->job, run);
	give(f, j, 1, run->out, run->out_len);
	give(f, j, 2, run->err, run->err_len);
	struct jl_job_result r = {
		.end = j->cancelled ? JL_JOB_CANCELLED : j->timed_out ? JL_JOB_TIMEOUT : run->end,
		.exit_code = broken_off ? 0 : run->exit_code,
		.signal = broken_off ? SIGTERM : run->signal,
		.pipe_held = run->pipe_held,
		.wall_ns = f->now_ns - j->start_ns,
		.max_rss_kib = run->max_rss_kib,
		.host = "local",
		.why = run->why,
	};
	f->running--;
	jl_buf_printf(&f->log, "end %s\n", j->job.label);
	f->exec.events.done(f->exec.events.ctx, j->job.id, &r);
	jl_job_release(&j->job);
	free(j);
}

static int fake_poll(struct jl_exec *x, int64_t until_ns, struct jl_err *err)
{
	struct fake_exec *f = (struct fake_exec *)x;
	struct fake_job **first = &f->jobs;
	for (struct fake_job **at = &f->jobs; *at; at = &(*at)->next)
		if ((*at)->end_ns < (*first)->end_ns)
			first = at;
	struct fake_job *j = *first;
	if (!j || j->end_ns == JL_FOREVER || (j->end_ns > until_ns && j->end_ns > f->now_ns)) {
		if (until_ns == JL_FOREVER)
			return jl_err_set(err, JL_EIO, "nothing will ever happen: %u jobs run, none will end", f->running);
		if (until_ns > f->now_ns)
			f->now_ns = until_ns;
		return JL_OK;
	}
	*first = j->next;
	if (j->end_ns > f->now_ns)
		f->now_ns = j->end_ns;
	end_job(f, j);
	return JL_OK;
}

static void fake_cancel(struct jl_exec *x, uint64_t id, enum jl_cancel how)
{
	struct fake_exec *f = (struct fake_exec *)x;
	for (struct fake_job *j = f->jobs; j; j = j->next) {
		if (j->job.id != id)
			continue;
		jl_buf_printf(&f->log, "%s %s\n", how == JL_CANCEL_KILL ? "kill" : "term", j->job.label);
		j->cancelled = true;
		j->end_ns = f->now_ns;
	}
}

static void fake_free(struct jl_exec *x)
{
	struct fake_exec *f = (struct fake_exec *)x;
	for (struct fake_job *j = f->jobs, *next; j; j = next) {
		next = j->next;
		jl_job_release(&j->job);
		free(j);
	}
	for (struct fake_script *s = f->scripts, *next; s; s = next) {
		next = s->next;
		free(s->label);
		free(s->runs);
		free(s);
	}
	jl_buf_release(&f->log);
	free(f);
}

static int64_t fake_now(const struct jl_clock *c)
{
	return ((const struct fake_exec *)c->ctx)->now_ns;
}

struct fake_exec *fake_exec_new(struct jl_clock *ret_clock)
{
	static const struct jl_exec_ops ops = {
		.kind = "fake",
		.start = fake_start,
		.poll = fake_poll,
		.cancel = fake_cancel,
		.free = fake_free,
	};
	struct fake_exec *f = jl_calloc(1, sizeof(*f));
	f->exec.ops = &ops;
	f->now_ns = JL_NS_S;
	jl_buf_init(&f->log, JL_BUF_MAX);
	*ret_clock = (struct jl_clock){.now_ns = fake_now, .ctx = f};
	return f;
}
