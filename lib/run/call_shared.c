/* See call_shared.h. */
#include "run/call_shared.h"

#include "run/remotes.h"
#include "run/shared.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>

static void pass_on(void *ctx, const char *text)
{
	jl_calls_tell(ctx, text);
}

static struct jl_project project_of(const struct jl_calls *all)
{
	return (struct jl_project){.opts = all->run, .root = (char *)all->run->cwd};
}

/* Opened when it is first needed; NULL: there is none. */
static struct jl_tier *tier_of(struct jl_calls *all)
{
	struct jl_err err = JL_ERR_INIT;
	char text[JL_ERR_TEXT + 32];
	if (all->tier || all->no_tier)
		return all->tier;
	struct jl_project p = project_of(all);
	int r = jl_remotes_connect(&p, all->store, all->run->cache == JL_CACHE_RW, pass_on, all, &all->tier, &err);
	if (r != JL_OK) {
		snprintf(text, sizeof(text), "no remotes: %s", err.text);
		jl_calls_tell(all, text);
		all->no_tier = true;
	}
	return all->tier;
}

bool jl_call_ask(struct jl_call *c, struct jl_tier_ask *ask)
{
	struct jl_digest key;
	if (!jl_shared_wanted(&c->e, &key) || !jl_call_writable(c))
		return false;
	struct jl_tier *t = tier_of(c->all);
	if (!t || !jl_tier_reads(t, &key))
		return false;
	ask->key = key;
	jl_tier_ask(t, ask);
	return true;
}

int jl_calls_fd(const struct jl_calls *all)
{
	return all->tier ? jl_tier_fd(all->tier) : -1;
}

struct jl_tier_ask *jl_calls_taken(struct jl_calls *all)
{
	if (!all->tier)
		return NULL;
	struct jl_tier_ask *ask = jl_tier_taken(all->tier);
	jl_tier_tell(all->tier, pass_on, all);
	return ask;
}

void jl_calls_await(struct jl_calls *all)
{
	struct pollfd p = {.fd = jl_calls_fd(all), .events = POLLIN};
	while (!jl_calls_taken(all))
		(void)poll(&p, 1, -1);
}

void jl_call_offer(struct jl_call *c)
{
	struct jl_tier *t = c->all->remotes && jl_call_writable(c) ? tier_of(c->all) : NULL;
	if (!t)
		return;
	jl_tier_offer(t, &c->run.what.key);
	if (!jl_digest_equal(&c->run.what.key, &c->run.what.base))
		jl_tier_offer(t, &c->run.what.base); /* by which it is found: last */
}

struct finishing {
	struct jl_watch watch; /* first */
	struct jl_tier *t;
};

static void moved(struct jl_watch *w, uint32_t events)
{
	(void)events;
	(void)jl_tier_taken(((struct finishing *)w)->t); /* so that it is not readable any more */
}

static void wait_sent(struct jl_tier *t, struct jl_loop *loop, const struct jl_slots *slots, int64_t until_ns)
{
	struct finishing f = {.watch = {.ready = moved}, .t = t};
	if (jl_loop_add(loop, &f.watch, jl_tier_fd(t), EPOLLIN, NULL) != JL_OK)
		return;
	while (!slots->signal && jl_tier_open(t) > 0 && jl_clock_system.now_ns(&jl_clock_system) < until_ns) {
		if (jl_loop_once(loop, until_ns, NULL) < 0)
			break;
	}
	jl_loop_remove(loop, &f.watch);
}

void jl_calls_finish(struct jl_calls *all, struct jl_loop *loop, const struct jl_slots *slots,
		     void (*told)(void *ctx, const struct jl_remote_counts *counts), void *ctx)
{
	char text[80];
	if (!all->tier)
		return;
	struct jl_project p = project_of(all);
	const int64_t bound_ns = jl_remotes_finish_ns(&p);
	if (loop)
		wait_sent(all->tier, loop, slots, jl_clock_system.now_ns(&jl_clock_system) + bound_ns);
	const uint64_t unsent = jl_tier_finish(all->tier, loop ? 0 : bound_ns);
	jl_tier_tell(all->tier, pass_on, all);
	if (unsent) {
		snprintf(text, sizeof(text), "%llu result%s not sent to the remotes", (unsigned long long)unsent,
			 unsent == 1 ? " was" : "s were");
		jl_calls_tell(all, text);
	}
	jl_remotes_account(all->tier, jl_calls_store_dir(all), told, ctx);
	jl_tier_free(all->tier);
	all->tier = NULL;
	all->no_tier = true;
}
