/* What a map tells while it runs: events, failures, how far it is. See map_priv.h. */
#include "run/map_priv.h"

#include <string.h>

#define ETA_NS JL_NS_S

int64_t map_now_ns(const struct map *m)
{
	return m->slots.clock->now_ns(m->slots.clock);
}

void map_emit(struct map *m, struct jl_event *ev)
{
	if (!m->opts->sinks)
		return;
	ev->t_ns = map_now_ns(m) - m->began_ns;
	ev->counts = &m->counts;
	for (struct jl_sink *s = m->opts->sinks; s; s = s->next)
		s->event(s, ev);
}

/* The values with blanks between: what a job is called. */
const char *map_label(struct map *m, const struct map_job *job)
{
	jl_buf_clear(&m->label);
	for (uint32_t i = 0; i < job->args.at.len; i++) {
		size_t len;
		const char *value = jl_args_at(&job->args, i, &len);
		if (i > 0)
			jl_buf_char(&m->label, ' ');
		jl_buf_add(&m->label, value, len);
	}
	return m->label.data;
}

/* The command on one line, good until the next call. */
const char *map_command(struct map *m, const struct map_job *job)
{
	struct jl_replace_with w = map_with(job);
	jl_buf_clear(&m->line);
	jl_replace_show(m->replace, &w, &m->command, &m->line);
	return m->line.data;
}

bool map_is_good(const struct jl_job_result *r)
{
	return r->end == JL_JOB_EXITED && r->exit_code == 0;
}

static void how_it_ended(const struct map_job *job, int64_t timeout_ns, struct jl_buf *out)
{
	const struct jl_job_result *r = &job->slot.result;
	switch (r->end) {
	case JL_JOB_TIMEOUT:
		jl_buf_str(out, "timed out after ");
		jl_clock_show(out, timeout_ns);
		break;
	case JL_JOB_SIGNALED: jl_buf_printf(out, "ended by signal %d (%s)", r->signal, strsignal(r->signal)); break;
	case JL_JOB_EXITED:
		if (!r->why) {
			jl_buf_printf(out, "exit status %d", r->exit_code);
			if (job->far)
				jl_buf_printf(out, "; on \"%s\" there is only what -i names", r->host);
			break;
		}
	/* fallthrough */
	default: jl_buf_str(out, r->why ? r->why : "cancelled");
	}
}

static enum jl_step_status status_of(const struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	if (job->dropped)
		return JL_STEP_SKIPPED;
	if (job->cancelled)
		return JL_STEP_CANCELLED;
	if (map_is_good(r))
		return job->status;
	return r->end == JL_JOB_TIMEOUT ? JL_STEP_TIMEOUT : JL_STEP_FAILED;
}

void map_tell_end(struct map *m, const struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	struct jl_buf reason = JL_BUF_INIT;
	char key[JL_DIGEST_TEXT];
	struct jl_event ev = {
		.type = JL_EVENT_STEP_FINISHED, .step = map_label(m, job), .seq = job->seq, .status = status_of(job)};
	if (job->dropped) {
		jl_buf_str(&reason, "the run ended before");
	} else {
		ev.attempt = job->stored ? 0 : job->attempt;
		ev.key = job->key.algo == JL_DIGEST_NONE ? NULL : jl_digest_text(&job->key, key);
		ev.stored = job->kept;
		ev.executor = map_hosts_executor(m, job);
		ev.host = r->host;
		ev.command = map_command(m, job);
		ev.exit_code = r->exit_code;
		ev.signal = r->signal;
		ev.wall_ns = r->wall_ns;
		ev.user_ns = r->user_ns;
		ev.sys_ns = r->sys_ns;
		ev.max_rss_kib = r->max_rss_kib;
		if (r->end != JL_JOB_NOT_STARTED && !job->stored) {
			ev.slot = job->slot.slot + 1;
			ev.began_ns = job->slot.began_ns - m->began_ns;
		}
		/* How it ended is in the event; this is for what else there is to say. */
		if (r->end == JL_JOB_EXITED ? r->why != NULL : r->end != JL_JOB_SIGNALED)
			how_it_ended(job, m->opts->timeout_ns, &reason);
	}
	ev.reason = reason.len ? reason.data : NULL;
	map_emit(m, &ev);
	jl_buf_release(&reason);
}

void map_tell_failure(struct map *m, const struct map_job *job)
{
	struct jl_buf how = JL_BUF_INIT;
	how_it_ended(job, m->opts->timeout_ns, &how);
	m->opts->show->failed(m->opts->show->ctx, map_label(m, job), map_command(m, job), how.data);
	jl_buf_release(&how);
}

/* How many jobs there will be; 0: not known. */
static uint64_t total_of(const struct map *m)
{
	if (m->ended)
		return m->counts.total;
	if (m->opts->per_job || m->opts->fill || m->opts->resume != JL_RESUME_NO)
		return 0;
	return jl_values_total(m->values);
}

/* From now on, if the rest goes as fast as what is done; 0: not known. */
static int64_t eta_ns(const struct map *m, int64_t now_ns, uint64_t total)
{
	if (total < m->done || m->done == 0)
		return 0;
	return (int64_t)((double)(now_ns - m->began_ns) / (double)m->done * (double)(total - m->done));
}

void map_tell_eta(struct map *m, bool last)
{
	const int64_t now = map_now_ns(m);
	const uint64_t total = total_of(m);
	struct jl_buf text = JL_BUF_INIT;
	if (!m->opts->eta || (!last && now < m->eta_ns))
		return;
	m->eta_ns = now + ETA_NS;
	jl_buf_printf(&text, "%llu", (unsigned long long)m->done);
	if (total)
		jl_buf_printf(&text, " of %llu", (unsigned long long)total);
	jl_buf_printf(&text, " done, %u running, %llu failed", m->slots.n_running, (unsigned long long)m->failed);
	if (total >= m->done && total && m->done) {
		jl_buf_str(&text, ", ETA ");
		jl_clock_show(&text, eta_ns(m, now, total));
	}
	m->opts->show->say(m->opts->show->ctx, text.data);
	jl_buf_release(&text);
}

void map_tell_progress(struct map *m, const struct map_job *job, bool idle)
{
	const int64_t wake = jl_sinks_wake(m->opts->sinks);
	if (!m->opts->sinks)
		return;
	m->slots.tick_ns = 0;
	if (idle || job || (wake && wake <= map_now_ns(m) - m->began_ns)) {
		struct jl_event ev = {.type = JL_EVENT_PROGRESS, .total = total_of(m)};
		ev.eta_ns = eta_ns(m, map_now_ns(m), ev.total);
		if (job) {
			ev.step = map_label(m, job);
			ev.seq = job->seq;
		}
		map_emit(m, &ev);
	}
	const int64_t next = jl_sinks_wake(m->opts->sinks);
	if (next > map_now_ns(m) - m->began_ns)
		m->slots.tick_ns = m->began_ns + next;
}
