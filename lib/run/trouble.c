/* What jobs meet on hosts: see trouble.h. */
#include "run/trouble.h"

#include "run/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOSSES_MOST  3u  /* hosts that a job may lose: then it is the job */
#define RETURNS_MOST 20u /* ... before it begins: what is sent along with it may be what ends them */

void jl_trouble_where(const struct jl_trouble *t, struct jl_elsewhere *w)
{
	for (uint32_t i = 0; i < t->n_avoid; i++)
		w->avoid[i] = &w->hosts[t->avoid[i]];
	w->where.avoid = w->avoid;
	w->where.n_avoid = t->n_avoid;
	w->where.doubted = t->doubted;
	if (t->losses + 1u >= LOSSES_MOST)
		w->where.slots = UINT32_MAX;
}

static void explain(struct jl_slot_job *job, const char *fmt, ...) JL_PRINTF(2, 3);
static void explain(struct jl_slot_job *job, const char *fmt, ...)
{
	char text[sizeof(job->why)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(job->why, text, sizeof(text));
	job->result.why = job->why;
}

/* Its host is gone. */
static bool lost(struct jl_trouble *t, struct jl_slot_job *job, char said[JL_TROUBLE_SAID])
{
	const bool began = job->result.end == JL_JOB_LOST;
	const char *host = job->result.host;
	if (began ? ++t->losses < LOSSES_MOST : ++t->returns < RETURNS_MOST) {
		if (began)
			snprintf(said, JL_TROUBLE_SAID, "host \"%s\" was lost; it runs again", host);
		return true;
	}
	job->result.end = JL_JOB_LOST;
	explain(job, "%u hosts were lost while it ran, \"%.60s\" the last: %.120s", began ? t->losses : t->returns, host, job->why);
	return false;
}

/* From now on. false: there is no other host. */
static bool avoid(struct jl_trouble *t, struct jl_elsewhere *w, const struct jl_slot_job *job)
{
	uint32_t at = 0;
	while (at < w->n_hosts &&
	       (strcmp(w->hosts[at].executor, w->where.executor) != 0 || strcmp(w->hosts[at].name, job->result.host) != 0))
		at++;
	if (at == w->n_hosts || t->n_avoid == JL_AVOID_MOST)
		return false;
	t->avoid[t->n_avoid++] = at;
	jl_trouble_where(t, w);
	if (!jl_hosts_other(w->exec, &w->where)) {
		t->n_avoid--;
		return false;
	}
	t->doubted |= job->result.doubted;
	return true;
}

static void make_unable(struct jl_slot_job *job)
{
	job->result.end = JL_JOB_NOT_STARTED;
	job->result.exit_code = 126;
}

/* Its host could not, or is doubted. */
static bool could_not(struct jl_trouble *t, struct jl_elsewhere *w, struct jl_slot_job *job, char said[JL_TROUBLE_SAID])
{
	const bool unable = job->result.end == JL_JOB_UNABLE;
	const char *host = job->result.host;
	if (avoid(t, w, job)) {
		if (unable)
			snprintf(said, JL_TROUBLE_SAID, "host \"%s\": %s; it runs on another", host, job->why);
		else if (job->result.end == JL_JOB_EXITED)
			snprintf(said, JL_TROUBLE_SAID, "exit %d on \"%s\"; it is tried on another host",
				 job->result.exit_code, host);
		else
			snprintf(said, JL_TROUBLE_SAID, "it failed on \"%s\", and is tried on another host", host);
		return true;
	}
	if (unable) {
		make_unable(job);
		explain(job, "host \"%.60s\": %.180s", host, job->why);
	}
	return false;
}

bool jl_trouble_again(struct jl_trouble *t, struct jl_elsewhere *w, struct jl_slot_job *job, bool final,
		      char said[JL_TROUBLE_SAID])
{
	const enum jl_job_end end = job->result.end;
	said[0] = '\0';
	if (final && end == JL_JOB_TAKEN_BACK)
		job->result.end = JL_JOB_CANCELLED;
	if (final && end == JL_JOB_UNABLE)
		make_unable(job);
	if (final)
		return false;
	if (end == JL_JOB_LOST || (end == JL_JOB_TAKEN_BACK && job->why[0]))
		return lost(t, job, said);
	if (end == JL_JOB_UNABLE || job->result.doubted)
		return could_not(t, w, job, said);
	return end == JL_JOB_TAKEN_BACK;
}
