/* jobs of a map on other machines (run/hosted.h): one that has no slot there or here waits, and no other is looked at meanwhile.
 * See map_priv.h. */
#include "run/map_priv.h"

static bool is_far(const struct map *m)
{
	return m->opts->hosted != NULL;
}

/* Slots of this machine: all there are without hosts, none with hosts that it is not one of. */
static uint32_t slots_here(const struct map *m)
{
	const struct jl_hosted *h = m->opts->hosted;
	if (!h->here)
		return 0;
	return m->local.alone ? 1 : h->here_slots ? h->here_slots : jl_tokens_auto(m->opts->environ);
}

static void say(void *ctx, const char *text)
{
	const struct map *m = ctx;
	m->opts->show->say(m->opts->show->ctx, text);
}

int map_hosts_open(struct map *m, uint32_t *ret_slots, struct jl_err *err)
{
	struct jl_hosted *h = m->opts->hosted;
	*ret_slots = m->jobs;
	if (!is_far(m))
		return JL_OK;
	m->hosts.slots_here = m->jobs = slots_here(m);
	for (uint32_t i = 0; i < h->to.n_hosts; i++)
		m->jobs += h->to.hosts[i].slots ? h->to.hosts[i].slots : jl_tokens_auto(m->opts->environ);
	*ret_slots = m->hosts.slots_here + jl_hosted_most(h);
	return jl_hosted_open(h, &m->local, m->opts->environ, NULL, say, m, err);
}

void map_hosts_close(struct map *m)
{
	if (is_far(m))
		jl_hosted_close(m->opts->hosted);
}

struct jl_exec *map_hosts_exec(const struct map *m)
{
	return is_far(m) && m->opts->hosted->to.exec ? m->opts->hosted->to.exec : m->local.exec;
}

static bool room_here(const struct map *m)
{
	return m->hosts.n_here < m->hosts.slots_here;
}

/* Hold the job if there is a place for it. */
static bool hold(struct map *m, struct map_job *job)
{
	struct jl_hosted *h = m->opts->hosted;
	bool room = !is_far(m) || m->slots.stopping || room_here(m) || jl_hosted_room(h, &job->trouble);
	if (room && is_far(m) && !m->slots.stopping && !room_here(m)) {
		const char *none = jl_hosted_none(h);
		room = none[0] == '\0';
		if (!room && !h->here)
			map_fail(m, jl_err_set(&m->err, JL_EIO, "%s", none));
		room |= m->slots.stopping;
	}
	if (room)
		jl_slots_hold(&m->slots, &job->slot);
	return room;
}

void map_hosts_hold(struct map *m, struct map_job *job)
{
	if (!hold(m, job))
		m->hosts.parked = job;
}

bool map_hosts_again(struct map *m)
{
	struct map_job *job = m->hosts.parked;
	m->hosts.parked = NULL;
	if (!hold(m, job)) {
		m->hosts.parked = job;
		m->hosts.waiting |= !m->slots.waiting;
		m->slots.waiting = true;
		return false;
	}
	if (m->hosts.waiting)
		m->slots.waiting = m->hosts.waiting = false;
	return true;
}

int map_hosts_begin(struct map *m, struct map_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct map_call *c = job->memo;
	job->far = is_far(m) && !room_here(m);
	if (!job->far)
		return JL_OK;
	ret->label = map_label(m, job);
	return jl_hosted_job(m->opts->hosted, &job->trouble, c ? &c->call : NULL, c ? &c->words : NULL,
			     jl_replace_n_shell(m->replace), ret, err);
}

void map_hosts_begun(struct map *m, struct map_job *job)
{
	job->here = !job->far;
	m->hosts.n_here += job->here;
}

bool map_hosts_ended(struct map *m, struct map_job *job)
{
	m->hosts.n_here -= job->here;
	job->here = false;
	return job->far && jl_hosted_again(m->opts->hosted, &job->trouble, map_label(m, job), &job->slot,
					   m->slots.stopping || job->flooded);
}

const char *map_hosts_executor(const struct map *m, const struct map_job *job)
{
	return job->far ? m->opts->hosted->to.where.executor : "local";
}
