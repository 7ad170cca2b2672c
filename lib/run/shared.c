/* See shared.h. */
#include "run/shared.h"

#include "run/again.h"
#include "run/fetching.h"
#include "run/move.h"
#include "run/remotes.h"
#include "store/tier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PUSH_NS   (365 * 24 * 3600 * JL_NS_S)
#define ASKED_MAX 512u               /* keys that are asked for at once */

struct waiter {
	struct jl_tier_ask ask; /* first */
	struct waiter *next;
	uint32_t node; /* JL_NONE: given up */
};

static const char *asked_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *t = owner;
	*ret_len = sizeof(struct jl_digest);
	return (const char *)&JL_AT(*t, struct jl_asked, index)->key;
}

static void pass_on(void *ctx, const char *text)
{
	jl_engine_warn(ctx, NULL, "%s", text);
}

/* ---- opening ---- */

static void on_answer(struct jl_watch *w, uint32_t events);

static void open_tier(struct jl_engine *e)
{
	struct jl_shared_state *s = &e->shared;
	struct jl_err err = JL_ERR_INIT;
	const bool reads = e->opts->cache == JL_CACHE_RW && e->opts->mode != JL_MODE_PUSH;
	/* Without a loop nobody takes up a node that stepped aside: no remote is asked. */
	int r = jl_remotes_connect(e->p, e->local.loop ? e->store : NULL, reads, pass_on, e, &s->tier, &err);
	if (r == JL_OK && e->local.loop) {
		s->watch.watch.ready = on_answer;
		s->watch.e = e;
		r = jl_loop_add(e->local.loop, &s->watch.watch, jl_tier_fd(s->tier), EPOLLIN, &err);
	}
	if (r != JL_OK) {
		jl_engine_warn(e, NULL, "no remotes: %s", err.text);
		jl_tier_free(s->tier);
		s->tier = NULL;
	}
	s->wants = s->tier && e->local.loop;
}

void jl_shared_plan(struct jl_engine *e)
{
	e->shared.wants = !e->opts->offline && e->opts->cache == JL_CACHE_RW && jl_remotes_read(e->p);
}

void jl_shared_open(struct jl_engine *e)
{
	struct jl_remote_settings settings;
	if (!e->opts->offline && (e->opts->mode == JL_MODE_RUN || jl_move_is(e)) && e->local.loop &&
	    jl_project_remote(e->p, 0, &settings))
		open_tier(e);
}

struct jl_tier *jl_shared_tier(struct jl_engine *e)
{
	if (!e->shared.tier)
		open_tier(e);
	return e->shared.tier;
}

/* ---- asking ---- */

void jl_shared_begin(struct jl_engine *e)
{
	e->shared.missed = (struct jl_digest){0};
	e->shared.would_ask = false;
}

/* NULL: it was not asked for. */
static struct jl_asked *asked_for(const struct jl_shared_state *s, const struct jl_digest *key)
{
	uint32_t i = s->asked.len ? jl_map_get(&s->asked_map, (const char *)key, sizeof(*key)) : JL_NONE;
	return i == JL_NONE ? NULL : JL_AT(s->asked, struct jl_asked, i);
}

bool jl_shared_found(const struct jl_engine *e, const struct jl_digest *key)
{
	const struct jl_asked *asked = asked_for(&e->shared, key);
	return asked && asked->found;
}

void jl_shared_missed(struct jl_engine *e, const struct jl_digest *key)
{
	struct jl_shared_state *s = &e->shared;
	if (s->wants && s->missed.algo == JL_DIGEST_NONE && !asked_for(s, key))
		s->missed = *key;
}

bool jl_shared_wanted(struct jl_engine *e, struct jl_digest *ret)
{
	struct jl_shared_state *s = &e->shared;
	if (s->missed.algo == JL_DIGEST_NONE)
		return false;
	if (!s->asked_map.key_of)
		jl_map_init(&s->asked_map, asked_key, &s->asked);
	*(struct jl_asked *)jl_table_add(&s->asked, 1) = (struct jl_asked){.key = s->missed};
	jl_map_put(&s->asked_map, (const char *)&s->missed, sizeof(s->missed), s->asked.len - 1);
	*ret = s->missed;
	s->missed = (struct jl_digest){0};
	return true;
}

bool jl_shared_ask(struct jl_engine *e, uint32_t node)
{
	struct jl_shared_state *s = &e->shared;
	struct jl_digest key;
	if (e->slots.stopping || !s->tier || !jl_shared_wanted(e, &key) || !jl_tier_reads(s->tier, &key))
		return false;
	struct waiter *w = jl_calloc(1, sizeof(*w));
	w->ask.key = key;
	w->node = node;
	w->next = s->waiters;
	s->waiters = w;
	s->n_waiting++;
	jl_tier_ask(s->tier, &w->ask);
	jl_again_wake(e);
	return true;
}

bool jl_shared_full(const struct jl_engine *e)
{
	return e->shared.n_waiting >= ASKED_MAX;
}

bool jl_shared_waits(const struct jl_engine *e)
{
	return e->shared.n_waiting > 0;
}

static void on_answer(struct jl_watch *watch, uint32_t events)
{
	struct jl_engine *e = ((struct jl_shared_watch *)watch)->e;
	struct jl_shared_state *s = &e->shared;
	struct jl_tier_ask *ask;
	(void)events;
	jl_tier_tell(s->tier, pass_on, e);
	while ((ask = jl_tier_taken(s->tier))) {
		struct waiter *w = (struct waiter *)ask, **at = &s->waiters;
		while (*at != w)
			at = &(*at)->next;
		*at = w->next;
		asked_for(s, &ask->key)->found = ask->found;
		if (w->node != JL_NONE) {
			s->n_waiting--;
			jl_engine_again(e, w->node);
		}
		free(w);
	}
	jl_fetching_take(e);
	jl_again_wake(e);
}

bool jl_shared_drop(struct jl_engine *e, uint32_t *ret_node)
{
	for (struct waiter *w = e->shared.waiters; w; w = w->next) {
		if (w->node == JL_NONE)
			continue;
		*ret_node = w->node;
		w->node = JL_NONE;
		e->shared.n_waiting--;
		jl_again_wake(e);
		return true;
	}
	return false;
}

void jl_shared_offer(struct jl_engine *e, const struct jl_digest *key)
{
	if (e->shared.tier)
		jl_tier_offer(e->shared.tier, key);
}

/* ---- the end ---- */

/* A signal ends the waiting, too. */
static uint64_t wait_sent(struct jl_engine *e)
{
	/* Who sends by hand has the time. */
	const int64_t bound_ns = e->opts->mode == JL_MODE_PUSH ? PUSH_NS : jl_remotes_finish_ns(e->p);
	const int64_t until = e->clock->now_ns(e->clock) + bound_ns;
	while (!e->slots.signal && jl_tier_open(e->shared.tier) > 0 && e->clock->now_ns(e->clock) < until) {
		if (jl_loop_once(e->local.loop, until, NULL) < 0)
			break;
	}
	return jl_tier_finish(e->shared.tier, 0);
}

static void tell_counts(void *ctx, const struct jl_remote_counts *counts)
{
	struct jl_event ev = {.type = JL_EVENT_REMOTE, .remote = counts};
	jl_engine_emit(ctx, &ev);
}

void jl_shared_close(struct jl_engine *e)
{
	struct jl_shared_state *s = &e->shared;
	if (s->tier) {
		uint64_t unsent = wait_sent(e);
		jl_tier_tell(s->tier, pass_on, e);
		if (unsent)
			jl_engine_warn(e, NULL,
				       "%llu result%s not sent to the remotes",
				       (unsigned long long)unsent, unsent == 1 ? " was" : "s were");
		jl_remotes_account(s->tier, e->opts->store ? NULL : jl_project_store_dir(e->p), tell_counts, e);
		if (e->local.loop)
			jl_loop_remove(e->local.loop, &s->watch.watch);
		jl_tier_free(s->tier);
	}
	s->tier = NULL;
	while (s->waiters) {
		struct waiter *w = s->waiters;
		s->waiters = w->next;
		free(w);
	}
	jl_map_release(&s->asked_map);
	jl_table_release(&s->asked);
}
