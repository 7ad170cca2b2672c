/* Several executors as one: see hosts.h. */
#include "exec/hosts.h"

#include "base/clock.h"
#include "base/table.h"
#include "proc/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_NS      (200 * JL_NS_MS)
#define AHEAD_MOST    8u               /* jobs a slot */
#define UNKNOWN_SLOTS 64u              /* of a host that is yet to say */
#define TRIES         4u               /* in a row that fail before a host is set aside */
#define TRIES_FIRST   2u               /* ... that never was up: it may be the name that is wrong */
#define BACK_OFF_NS   JL_NS_S

struct member {
	const struct jl_host *host;
	struct hosts *hosts;
	struct jl_exec *x;
	struct jl_timer again;         /* while it waits to be tried again */
	uint32_t tries;                /* in a row that failed */
	bool waits, aside, was_up;
	uint32_t load;                 /* slots taken */
	int64_t average_ns;            /* of its jobs; 0: none yet */
};

struct running { /* by the job's number */
	struct member *member;         /* NULL: local, or none */
	uint32_t slots;
	bool refused;                  /* no host can be had: its end is to be told from the loop */
};

struct hosts {
	struct jl_exec exec;           /* first */
	struct jl_hosts_config config;
	struct member *members;
	struct jl_table running;
	struct jl_timer soon;
	char why[600];                 /* of those that are refused */
};

static int64_t now_ns(void)
{
	return jl_clock_system.now_ns(&jl_clock_system);
}

static bool is_local(const struct jl_where *w)
{
	return !w || !w->executor || strcmp(w->executor, "local") == 0;
}

static bool fits(const struct member *m, const struct jl_where *w)
{
	if (strcmp(m->host->executor, w->executor) != 0)
		return false;
	for (uint32_t i = 0; i < w->n_tags; i++) {
		bool has = false;
		for (uint32_t k = 0; k < m->host->n_tags; k++)
			has |= strcmp(m->host->tags[k], w->tags[i]) == 0;
		if (!has)
			return false;
	}
	return true;
}

static enum jl_remote_state state_of(const struct member *m, uint32_t *ret_slots)
{
	struct jl_remote_info info;
	jl_remote_info(m->x, &info);
	if (ret_slots)
		*ret_slots = info.slots ? info.slots : 1;
	return info.state;
}

/* Slots that are free, those ahead included; negative when it has more than it can take. */
static int64_t free_slots(const struct member *m)
{
	uint32_t slots, ahead = 0;
	if (state_of(m, &slots) != JL_REMOTE_UP)
		return 0;
	if (m->average_ns > 0 && m->average_ns < AHEAD_NS)
		ahead = AHEAD_NS / m->average_ns < AHEAD_MOST ? (uint32_t)(AHEAD_NS / m->average_ns) : AHEAD_MOST;
	return (int64_t)slots * (1 + ahead) - m->load;
}

/* ---- connecting ---- */

static void connect_member(struct member *m)
{
	struct jl_err err = JL_ERR_INIT;
	if (m->waits || m->aside || state_of(m, NULL) != JL_REMOTE_DOWN)
		return;
	if (jl_remote_connect(m->x, &err) == JL_OK)
		return;
	m->aside = true;
	if (m->hosts->config.changed)
		m->hosts->config.changed(m->hosts->config.ctx, m->host, err.text);
}

static void try_again(struct jl_timer *t)
{
	struct member *m = (struct member *)((char *)t - offsetof(struct member, again));
	m->waits = false;
	connect_member(m);
}

static void changed(void *ctx, struct jl_exec *x, const char *why)
{
	struct member *m = ctx;
	struct hosts *h = m->hosts;
	struct jl_remote_info info;
	jl_remote_info(x, &info);
	if (!why) {
		m->tries = 0;
		m->was_up = true;
	} else if (info.unfit || ++m->tries >= (m->was_up ? TRIES : TRIES_FIRST)) {
		m->aside = true;
	} else {
		m->waits = true;
		jl_loop_arm(h->config.loop, &m->again, now_ns() + (BACK_OFF_NS << (m->tries - 1)));
	}
	if (h->config.changed)
		h->config.changed(h->config.ctx, m->host, why);
}

bool jl_hosts_room(struct jl_exec *x, const struct jl_where *where)
{
	struct hosts *h = (struct hosts *)x;
	bool coming = false;
	if (is_local(where))
		return true;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct member *m = &h->members[i];
		if (!fits(m, where))
			continue;
		connect_member(m);
		if (free_slots(m) > 0)
			return true;
		coming |= !m->aside;
	}
	return !coming;
}

/* ---- jobs ---- */

static struct running *running_of(const struct hosts *h, uint64_t id)
{
	struct running *r = id < h->running.len ? JL_AT(h->running, struct running, id) : NULL;
	return r;
}

static void on_output(void *ctx, uint64_t id, int stream, const void *data, size_t len)
{
	struct hosts *h = ctx;
	h->exec.events.output(h->exec.events.ctx, id, stream, data, len);
}

static void on_done(void *ctx, uint64_t id, const struct jl_job_result *result)
{
	struct hosts *h = ctx;
	struct running *r = running_of(h, id);
	struct member *m = r ? r->member : NULL;
	if (m) {
		m->load -= r->slots;
		if (result->end == JL_JOB_EXITED)
			m->average_ns = m->average_ns ? (7 * m->average_ns + result->wall_ns) / 8 : result->wall_ns + 1;
		*r = (struct running){0};
	}
	h->exec.events.done(h->exec.events.ctx, id, result);
}

/* The one with the most room in proportion; else one that is on its way. */
static struct member *choose(struct hosts *h, const struct jl_where *where)
{
	struct member *best = NULL;
	double best_load = 0;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct member *m = &h->members[i];
		uint32_t slots;
		if (!fits(m, where))
			continue;
		connect_member(m);
		enum jl_remote_state state = state_of(m, &slots);
		if (state == JL_REMOTE_DOWN)
			continue;
		double load = (double)m->load / slots + (state == JL_REMOTE_UP ? 0 : 1e6);
		if (!best || load < best_load) {
			best = m;
			best_load = load;
		}
	}
	return best;
}

/* What is wrong with each that it could have run on. */
static void say_why(struct hosts *h, const struct jl_where *where)
{
	size_t len = (size_t)snprintf(h->why, sizeof(h->why), "no host of \"%s\" can be had", where->executor);
	for (uint32_t i = 0; i < h->config.n_hosts && len < sizeof(h->why) - 1; i++) {
		const struct member *m = &h->members[i];
		struct jl_remote_info info;
		if (!fits(m, where))
			continue;
		jl_remote_info(m->x, &info);
		len += (size_t)snprintf(h->why + len, sizeof(h->why) - len, "; %s: %s", m->host->name, info.why);
	}
}

static void soon(struct jl_timer *t)
{
	struct hosts *h = (struct hosts *)((char *)t - offsetof(struct hosts, soon));
	for (uint32_t id = 0; id < h->running.len; id++) {
		struct running *r = JL_AT(h->running, struct running, id);
		if (!r->refused)
			continue;
		*r = (struct running){0};
		h->exec.events.done(h->exec.events.ctx, id,
				    &(struct jl_job_result){
					    .end = JL_JOB_NOT_STARTED, .exit_code = 126, .host = "", .why = h->why});
	}
}

static int hosts_start(struct jl_exec *x, const struct jl_job *job, int64_t *ret_pid, struct jl_err *err)
{
	struct hosts *h = (struct hosts *)x;
	if (is_local(job->where))
		return h->config.local->ops->start(h->config.local, job, ret_pid, err);
	if (job->id >= h->running.len)
		jl_table_add(&h->running, (uint32_t)job->id + 1 - h->running.len);
	struct member *m = choose(h, job->where);
	struct running *r = running_of(h, job->id);
	if (ret_pid)
		*ret_pid = 0;
	if (!m) {
		say_why(h, job->where);
		r->refused = true;
		jl_loop_arm(h->config.loop, &h->soon, 0);
		return JL_OK;
	}
	int rc = m->x->ops->start(m->x, job, ret_pid, err);
	if (rc != JL_OK)
		return rc;
	*r = (struct running){.member = m, .slots = job->where->slots ? job->where->slots : 1};
	m->load += r->slots;
	return JL_OK;
}

static int hosts_poll(struct jl_exec *x, int64_t until_ns, struct jl_err *err)
{
	struct hosts *h = (struct hosts *)x;
	for (uint32_t i = 0; i < h->config.n_hosts; i++)
		jl_remote_flush(h->members[i].x);
	int r = jl_loop_once(h->config.loop, until_ns, err);
	return r < 0 ? r : JL_OK;
}

static void hosts_cancel(struct jl_exec *x, uint64_t id, enum jl_cancel how)
{
	struct hosts *h = (struct hosts *)x;
	const struct running *r = running_of(h, id);
	if (r && r->member)
		r->member->x->ops->cancel(r->member->x, id, how);
	else if (h->config.local && !(r && r->refused))
		h->config.local->ops->cancel(h->config.local, id, how);
}

const char *jl_hosts_of(const struct jl_exec *x, uint64_t job)
{
	const struct running *r = running_of((const struct hosts *)x, job);
	return r && r->member ? r->member->host->name : "";
}

uint32_t jl_hosts_most(const struct jl_host *hosts, uint32_t n)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += (hosts[i].slots ? hosts[i].slots : UNKNOWN_SLOTS) * (1 + AHEAD_MOST);
	return sum;
}

static void hosts_free(struct jl_exec *x)
{
	struct hosts *h = (struct hosts *)x;
	for (uint32_t i = 0; i < h->config.n_hosts; i++)
		if (h->members[i].x)
			jl_remote_hang_up(h->members[i].x);
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		jl_loop_disarm(h->config.loop, &h->members[i].again);
		if (h->members[i].x)
			h->members[i].x->ops->free(h->members[i].x);
	}
	jl_loop_disarm(h->config.loop, &h->soon);
	jl_table_release(&h->running);
	free(h->members);
	free(h);
}

int jl_exec_hosts_new(const struct jl_hosts_config *config, struct jl_exec **ret, struct jl_err *err)
{
	static const struct jl_exec_ops ops = {"hosts", hosts_start, hosts_poll, hosts_cancel, hosts_free};
	struct hosts *h = jl_calloc(1, sizeof(*h));
	int r = JL_OK;
	*h = (struct hosts){.exec = {.ops = &ops},
			    .config = *config,
			    .running = JL_TABLE_INIT(struct running),
			    .soon = {.fired = soon}};
	h->members = jl_calloc(config->n_hosts + 1, sizeof(*h->members));
	for (uint32_t i = 0; i < config->n_hosts && r == JL_OK; i++) {
		struct member *m = &h->members[i];
		const struct jl_host *host = &config->hosts[i];
		*m = (struct member){.host = host, .hosts = h, .again = {.fired = try_again}};
		r = jl_exec_remote_new(config->loop,
				       &(struct jl_remote_config){.name = host->name,
								  .argv = host->argv,
								  .way = host->way,
								  .agents = config->agents,
								  .environ = config->environ,
								  .workdir = config->workdir,
								  .shared = host->shared,
								  .slots = host->slots,
								  .silence_ns = host->silence_ns,
								  .connect_ns = host->connect_ns,
								  .changed = changed,
								  .ctx = m},
				       &m->x, err);
		if (r == JL_OK)
			m->x->events = (struct jl_exec_events){.output = on_output, .done = on_done, .ctx = h};
	}
	if (config->local)
		config->local->events = (struct jl_exec_events){.output = on_output, .done = on_done, .ctx = h};
	if (r == JL_OK)
		*ret = &h->exec;
	else
		hosts_free(&h->exec);
	return r;
}
