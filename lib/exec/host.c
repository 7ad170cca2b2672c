/* One of many hosts: connecting it, how much it takes. See hosts.h. */
#include "exec/hosts_priv.h"

#include <stdio.h>
#include <string.h>

#define TRIES         6u               /* in a row that fail before a host is set aside that is the last */
#define TRIES_FIRST   2u               /* ... that never was up: it may be the name that is wrong */
#define BACK_OFF_NS   JL_NS_S
#define BACK_OFF_MOST_NS (30 * JL_NS_S)

bool jl_member_fits(const struct jl_member *m, const struct jl_where *w)
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

bool jl_member_avoided(const struct jl_member *m, const struct jl_host *const *avoid, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (avoid[i] == m->host)
			return true;
	return false;
}

enum jl_remote_state jl_member_state(const struct jl_member *m, uint32_t *ret_slots)
{
	struct jl_remote_info info;
	jl_remote_info(m->x, &info);
	if (ret_slots)
		*ret_slots = info.slots ? info.slots : 1;
	return info.state;
}

int64_t jl_member_free_slots(const struct jl_member *m)
{
	uint32_t slots, ahead = 0;
	if (jl_member_state(m, &slots) != JL_REMOTE_UP)
		return 0;
	if (m->average_ns > 0 && m->average_ns < JL_AHEAD_NS)
		ahead = JL_AHEAD_NS / m->average_ns < JL_AHEAD_MOST ? (uint32_t)(JL_AHEAD_NS / m->average_ns) : JL_AHEAD_MOST;
	return (int64_t)slots * (1 + ahead) - m->load;
}

bool jl_member_has_memory(const struct jl_member *m, uint64_t memory)
{
	struct jl_remote_info info;
	jl_remote_info(m->x, &info);
	return memory == 0 || m->memory == 0 || (memory <= info.memory && m->memory <= info.memory - memory);
}

/* ---- connecting ---- */

static void tell(struct jl_member *m, const char *why)
{
	const struct jl_hosts_config *c = &m->hosts->config;
	if (c->changed)
		c->changed(c->ctx, m->host, why);
}

void jl_member_set_aside(struct jl_member *m, const char *why)
{
	m->aside = true;
	snprintf(m->why, sizeof(m->why), "%.*s", (int)sizeof(m->why) - 1, why);
	tell(m, m->why);
}

void jl_member_connect(struct jl_member *m)
{
	struct jl_err err = JL_ERR_INIT;
	if (m->waits || m->aside || jl_member_state(m, NULL) != JL_REMOTE_DOWN)
		return;
	if (jl_remote_connect(m->x, &err) == JL_OK)
		return;
	jl_member_set_aside(m, err.text);
}

static void try_again(struct jl_timer *t)
{
	struct jl_member *m = (struct jl_member *)((char *)t - offsetof(struct jl_member, again));
	m->waits = false;
	jl_member_connect(m);
}

static bool another_is_up(const struct jl_member *m)
{
	const struct jl_hosts *h = m->hosts;
	for (uint32_t i = 0; i < h->config.n_hosts; i++) {
		const struct jl_member *o = &h->members[i];
		if (o != m && !o->aside && strcmp(o->host->executor, m->host->executor) == 0 &&
		    jl_member_state(o, NULL) == JL_REMOTE_UP)
			return true;
	}
	return false;
}

static void changed(void *ctx, struct jl_exec *x, const char *why)
{
	struct jl_member *m = ctx;
	struct jl_remote_info info;
	jl_remote_info(x, &info);
	if (m->aside)
		return;
	if (!why) {
		m->tries = 0;
		m->was_up = true;
		m->told = false;
		tell(m, NULL);
		return;
	}
	m->tries++;
	if (info.unfit || (m->tries >= (m->was_up ? TRIES : TRIES_FIRST) && !another_is_up(m))) {
		m->aside = true;
	} else {
		int64_t wait = m->tries < 6 ? BACK_OFF_NS << (m->tries - 1) : BACK_OFF_MOST_NS;
		m->waits = true;
		jl_loop_arm(m->hosts->config.loop, &m->again, jl_hosts_now_ns() + wait);
	}
	if (!m->told || m->aside)
		tell(m, why);
	m->told = true;
}

bool jl_member_takes(const struct jl_member *m, const struct jl_where *w, bool shun)
{
	return !m->aside && jl_member_fits(m, w) && !(shun && jl_member_avoided(m, w->avoid, w->n_avoid));
}

int jl_member_open(struct jl_member *m, struct jl_hosts *h, const struct jl_host *host, struct jl_err *err)
{
	*m = (struct jl_member){.host = host, .hosts = h, .again = {.fired = try_again}};
	return jl_exec_remote_new(h->config.loop,
				  &(struct jl_remote_config){.name = host->name,
							     .argv = host->argv,
							     .way = host->way,
							     .agents = h->config.agents,
							     .environ = h->config.environ,
							     .workdir = h->config.workdir,
							     .shared = host->shared,
							     .slots = host->slots,
							     .silence_ns = host->silence_ns,
							     .connect_ns = host->connect_ns,
							     .changed = changed,
							     .ctx = m},
				  &m->x, err);
}

void jl_member_close(struct jl_member *m)
{
	if (!m->hosts)
		return;
	jl_loop_disarm(m->hosts->config.loop, &m->again);
	if (m->x)
		m->x->ops->free(m->x);
}
