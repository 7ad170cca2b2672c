/* Several executors as one: see hosts.h. */
#include "exec/hosts_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_SLOTS 64u              /* of a host that is yet to say */
#define BALANCE_NS    (50 * JL_NS_MS)  /* how long a host idles before others' jobs are looked at */

struct running { /* by the job's number */
	struct jl_member *member;      /* NULL: local, or none */
	uint32_t slots;
	uint64_t memory;
	uint32_t kind;                 /* where else it may run: an index of `kinds` */
	const struct jl_host *avoid[JL_AVOID_MOST];
	uint32_t n_avoid;
	bool doubted;                  /* as of struct jl_where */
	bool refused;                  /* no host can be had: its end is to be told from the loop */
};

static bool is_local(const struct jl_where *w)
{
	return !w || !w->executor || strcmp(w->executor, "local") == 0;
}

/* Of the host's slots: one that wants more than there are gets all. */
static uint32_t slots_there(const struct jl_where *w, uint32_t slots)
{
	uint32_t wanted = w->slots ? w->slots : 1;
	return wanted < slots ? wanted : slots;
}

bool jl_hosts_other(const struct jl_exec *x, const struct jl_where *where)
{
	const struct jl_hosts *h = (const struct jl_hosts *)x;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		const struct jl_member *m = &h->members[i];
		if (jl_member_fits(m, where) && !m->aside && jl_member_state(m, NULL) != JL_REMOTE_DOWN &&
		    !jl_member_avoided(m, where->avoid, where->n_avoid))
			return true;
	}
	return false;
}

bool jl_hosts_room(struct jl_exec *x, const struct jl_where *where)
{
	struct jl_hosts *h = (struct jl_hosts *)x;
	bool coming = false, shun = !is_local(where) && where->n_avoid && jl_hosts_other(x, where);
	if (is_local(where))
		return true;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct jl_member *m = &h->members[i];
		if (!jl_member_takes(m, where, shun))
			continue;
		jl_member_connect(m);
		if (jl_member_free_slots(m) > 0)
			return true;
		coming |= !m->aside;
	}
	return !coming;
}

enum jl_host_state jl_hosts_state(const struct jl_exec *x, const struct jl_host *host)
{
	const struct jl_hosts *h = (const struct jl_hosts *)x;
	const struct jl_member *m = &h->members[host - h->config.hosts];
	return m->aside ? JL_HOST_ASIDE : jl_member_state(m, NULL) == JL_REMOTE_UP ? JL_HOST_UP : JL_HOST_DOWN;
}

/* ---- jobs ---- */

static struct running *running_of(const struct jl_hosts *h, uint64_t id)
{
	struct running *r = id < h->running.len ? JL_AT(h->running, struct running, id) : NULL;
	return r;
}

static void on_output(void *ctx, uint64_t id, int stream, const void *data, size_t len)
{
	struct jl_hosts *h = ctx;
	h->exec.events.output(h->exec.events.ctx, id, stream, data, len);
}

static void balance_soon(struct jl_hosts *h, int64_t ns)
{
	if (!h->balancing)
		jl_loop_arm(h->config.loop, &h->balance, jl_hosts_now_ns() + ns);
	h->balancing = true;
}

/* Others of its executor do succeed. */
static bool others_succeed(const struct jl_member *m)
{
	const struct jl_hosts *h = m->hosts;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		const struct jl_member *o = &h->members[i];
		if (o != m && !o->aside && o->blame.succeeded && o->blame.row == 0 &&
		    strcmp(o->host->executor, m->host->executor) == 0)
			return true;
	}
	return false;
}

/* What had failed on others has succeeded on `m`. */
static void hold_against(struct jl_hosts *h, const struct running *r)
{
	char why[200];
	for (uint32_t i = 0; i < r->n_avoid; i++) {
		struct jl_member *m = &h->members[r->avoid[i] - h->config.hosts];
		if (m->aside || !jl_blame_proved(&m->blame))
			continue;
		snprintf(why, sizeof(why), "set aside: %u failed in a row there, and the last one succeeded on \"%.80s\"",
			 m->blame.row, r->member->host->name);
		jl_member_set_aside(m, why);
		balance_soon(h, 0); /* what waits there */
	}
}

/* Whose fault is it? */
static void judge(struct jl_hosts *h, const struct running *r, struct jl_job_result *result)
{
	struct jl_member *m = r->member;
	switch (result->end) {
	case JL_JOB_NOT_STARTED:
		if (result->exit_code != 127)
			return; /* it could not be, anywhere */
		break;
	case JL_JOB_EXITED:
		if (result->exit_code)
			break;
		m->average_ns = m->average_ns ? (7 * m->average_ns + result->wall_ns) / 8 : result->wall_ns + 1;
		jl_blame_succeeded(&m->blame);
		hold_against(h, r);
		return;
	case JL_JOB_SIGNALED:
	case JL_JOB_TIMEOUT: break;
	case JL_JOB_UNABLE: jl_blame_unable(&m->blame); return;
	case JL_JOB_CANCELLED:
	case JL_JOB_TAKEN_BACK:
	case JL_JOB_LOST: return;
	}
	if (r->doubted)
		for (uint32_t i = 0; i < r->n_avoid; i++)
			jl_blame_cleared(&h->members[r->avoid[i] - h->config.hosts].blame);
	else
		result->doubted = jl_blame_failed(&m->blame, result->exit_code, others_succeed(m)) || m->aside;
}

/* For an owner that starts nothing again. */
static void make_final(struct jl_job_result *result)
{
	result->doubted = false;
	if (result->end == JL_JOB_TAKEN_BACK)
		result->end = JL_JOB_LOST;
	if (result->end == JL_JOB_UNABLE)
		result->end = JL_JOB_NOT_STARTED;
}

static void on_done(void *ctx, uint64_t id, const struct jl_job_result *result)
{
	struct jl_hosts *h = ctx;
	struct running *r = running_of(h, id);
	struct jl_job_result told = *result;
	if (r && r->member) {
		r->member->load -= r->slots;
		r->member->memory -= r->memory;
		judge(h, r, &told);
		*r = (struct running){0};
	}
	if (!h->config.again)
		make_final(&told);
	h->exec.events.done(h->exec.events.ctx, id, &told);
}

/* The one with the most room in proportion; else one that is on its way. */
static struct jl_member *choose(struct jl_hosts *h, const struct jl_where *where)
{
	const bool shun = where->n_avoid && jl_hosts_other(&h->exec, where);
	struct jl_member *best = NULL;
	double best_load = 0;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct jl_member *m = &h->members[i];
		uint32_t slots;
		if (!jl_member_takes(m, where, shun))
			continue;
		jl_member_connect(m);
		enum jl_remote_state state = jl_member_state(m, &slots);
		if (state == JL_REMOTE_DOWN)
			continue;
		double load = (double)(m->load + slots_there(where, slots)) / slots + (state == JL_REMOTE_UP ? 0 : 1e6) +
			      (jl_member_has_memory(m, where->memory) ? 0 : 1e3);
		if (!best || load < best_load) {
			best = m;
			best_load = load;
		}
	}
	return best;
}

/* ---- taking back ---- */

static bool same_tags(const struct jl_where *a, const struct jl_where *b)
{
	if (a->n_tags != b->n_tags)
		return false;
	for (uint32_t i = 0; i < a->n_tags; i++)
		if (strcmp(a->tags[i], b->tags[i]) != 0)
			return false;
	return strcmp(a->executor, b->executor) == 0;
}

/* The index of what is left of it when start() has returned. */
static uint32_t kind_of(struct jl_hosts *h, const struct jl_where *w)
{
	for (uint32_t i = 0; i < h->kinds.len; i++)
		if (same_tags(JL_AT(h->kinds, struct jl_where, i), w))
			return i;
	const char **tags = jl_arena_alloc(&h->texts, (w->n_tags + 1) * sizeof(*tags));
	for (uint32_t i = 0; i < w->n_tags; i++)
		tags[i] = jl_arena_strdup(&h->texts, w->tags[i]);
	*(struct jl_where *)jl_table_add(&h->kinds, 1) = (struct jl_where){
		.executor = jl_arena_strdup(&h->texts, w->executor), .tags = tags, .n_tags = w->n_tags};
	return h->kinds.len - 1;
}

/* A host that would run it now. */
static struct jl_member *idle_for(const struct jl_hosts *h, const struct running *r)
{
	const struct jl_where *kind = JL_AT(h->kinds, struct jl_where, r->kind);
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct jl_member *m = &h->members[i];
		if (m != r->member && m->spare >= r->slots && jl_member_fits(m, kind) && jl_member_has_memory(m, r->memory) &&
		    !jl_member_avoided(m, r->avoid, r->n_avoid))
			return m;
	}
	return NULL;
}

/* Some wait where they were sent ahead, and others idle. */
static void balance(struct jl_timer *t)
{
	struct jl_hosts *h = (struct jl_hosts *)((char *)t - offsetof(struct jl_hosts, balance));
	h->balancing = false;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct jl_member *m = &h->members[i];
		uint32_t slots;
		m->spare = jl_member_state(m, &slots) == JL_REMOTE_UP && !m->aside ? (int64_t)slots - m->load : 0;
	}
	for (uint32_t id = 0; id < h->running.len; id++) {
		const struct running *r = JL_AT(h->running, struct running, id);
		struct jl_member *to = r->member ? idle_for(h, r) : NULL;
		if (!r->member || (!to && !r->member->aside))
			continue;
		if (jl_remote_recall(r->member->x, id, r->member->aside ? 0 : JL_AHEAD_NS) && to)
			to->spare -= r->slots;
	}
}

static bool wants_balance(const struct jl_hosts *h)
{
	bool waiting = false, idle = false;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		struct jl_remote_info info;
		jl_remote_info(h->members[i].x, &info);
		waiting |= info.state == JL_REMOTE_UP && info.waiting > 0;
		idle |= info.state == JL_REMOTE_UP && !h->members[i].aside && h->members[i].load < info.slots;
	}
	return waiting && idle;
}

/* ---- the executor ---- */

/* What is wrong with each that it could have run on. */
static void say_why(struct jl_hosts *h, const struct jl_where *where)
{
	size_t len = (size_t)snprintf(h->why, sizeof(h->why), "no host of \"%s\" can be had", where->executor);
	for (uint32_t i = 0; i < h->config.n_hosts && len < sizeof(h->why) - 1; i++) {
		const struct jl_member *m = &h->members[i];
		struct jl_remote_info info;
		if (!jl_member_fits(m, where))
			continue;
		jl_remote_info(m->x, &info);
		len += (size_t)snprintf(h->why + len, sizeof(h->why) - len, "; %s: %s", m->host->name,
					m->why[0] ? m->why : info.why);
	}
}

const char *jl_hosts_none(struct jl_exec *x, const struct jl_where *where)
{
	struct jl_hosts *h = (struct jl_hosts *)x;
	for (uint32_t i = 0; i < h->config.n_hosts; i++)
		if (jl_member_fits(&h->members[i], where) && !h->members[i].aside)
			return "";
	say_why(h, where);
	return h->why;
}

static void soon(struct jl_timer *t)
{
	struct jl_hosts *h = (struct jl_hosts *)((char *)t - offsetof(struct jl_hosts, soon));
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
	struct jl_hosts *h = (struct jl_hosts *)x;
	if (is_local(job->where))
		return h->config.local->ops->start(h->config.local, job, ret_pid, err);
	if (job->id >= h->running.len)
		jl_table_add(&h->running, (uint32_t)job->id + 1 - h->running.len);
	struct jl_member *m = choose(h, job->where);
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
	const struct jl_where *w = job->where;
	uint32_t slots;
	jl_member_state(m, &slots);
	*r = (struct running){.member = m,
			      .slots = slots_there(w, slots),
			      .memory = w->memory,
			      .kind = kind_of(h, w),
			      .n_avoid = w->n_avoid < JL_AVOID_MOST ? w->n_avoid : JL_AVOID_MOST,
			      .doubted = w->doubted};
	for (uint32_t i = 0; i < r->n_avoid; i++)
		r->avoid[i] = w->avoid[i];
	m->load += r->slots;
	m->memory += r->memory;
	return JL_OK;
}

static int hosts_poll(struct jl_exec *x, int64_t until_ns, struct jl_err *err)
{
	struct jl_hosts *h = (struct jl_hosts *)x;
	for (uint32_t i = 0; i < h->config.n_hosts; i++)
		jl_remote_flush(h->members[i].x);
	if (until_ns > 0 && h->config.again && !h->balancing && wants_balance(h))
		balance_soon(h, BALANCE_NS);
	int r = jl_loop_once(h->config.loop, until_ns, err);
	return r < 0 ? r : JL_OK;
}

static void hosts_cancel(struct jl_exec *x, uint64_t id, enum jl_cancel how)
{
	struct jl_hosts *h = (struct jl_hosts *)x;
	const struct running *r = running_of(h, id);
	if (r && r->member)
		r->member->x->ops->cancel(r->member->x, id, how);
	else if (h->config.local && !(r && r->refused))
		h->config.local->ops->cancel(h->config.local, id, how);
}

const char *jl_hosts_of(const struct jl_exec *x, uint64_t job)
{
	const struct running *r = running_of((const struct jl_hosts *)x, job);
	return r && r->member ? r->member->host->name : "";
}

uint32_t jl_hosts_most(const struct jl_host *hosts, uint32_t n)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += (hosts[i].slots ? hosts[i].slots : UNKNOWN_SLOTS) * (1 + JL_AHEAD_MOST);
	return sum;
}

static void hosts_free(struct jl_exec *x)
{
	struct jl_hosts *h = (struct jl_hosts *)x;
	for (uint32_t i = 0; i < h->config.n_hosts; i++)
		if (h->members[i].x)
			jl_remote_hang_up(h->members[i].x);
	for (uint32_t i = 0; i < h->config.n_hosts; i++)
		jl_member_close(&h->members[i]);
	jl_loop_disarm(h->config.loop, &h->soon);
	jl_loop_disarm(h->config.loop, &h->balance);
	jl_table_release(&h->running);
	jl_table_release(&h->kinds);
	jl_arena_release(&h->texts);
	free(h->members);
	free(h);
}

int jl_exec_hosts_new(const struct jl_hosts_config *config, struct jl_exec **ret, struct jl_err *err)
{
	static const struct jl_exec_ops ops = {"hosts", hosts_start, hosts_poll, hosts_cancel, hosts_free};
	struct jl_hosts *h = jl_calloc(1, sizeof(*h));
	int r = JL_OK;
	*h = (struct jl_hosts){.exec = {.ops = &ops},
			       .config = *config,
			       .running = JL_TABLE_INIT(struct running),
			       .kinds = JL_TABLE_INIT(struct jl_where),
			       .soon = {.fired = soon},
			       .balance = {.fired = balance}};
	h->members = jl_calloc(config->n_hosts + 1, sizeof(*h->members));
	for (uint32_t i = 0; i < config->n_hosts && r == JL_OK; i++) {
		struct jl_member *m = &h->members[i];
		r = jl_member_open(m, h, &config->hosts[i], err);
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
