/* See shared.h. */
#include "run/shared.h"

#include "base/file.h"
#include "base/path.h"
#include "run/again.h"
#include "run/scope.h"
#include "store/tier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ASKED_MAX 512u               /* keys that are asked for at once */
#define FINISH_NS (30 * JL_NS_S)     /* after the last step, for what is still to be sent */
#define KEYS_MAX  ((size_t)64 << 10) /* bytes of a file of keys */

struct waiter {
	struct jl_tier_ask ask; /* first */
	struct waiter *next;
	uint32_t node; /* JL_NONE: given up */
};

static const char *asked_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *t = owner;
	*ret_len = sizeof(struct jl_digest);
	return (const char *)JL_AT(*t, struct jl_digest, index);
}

static void pass_on(void *ctx, const char *text)
{
	jl_engine_warn(ctx, NULL, "%s", text);
}

/* ---- opening ---- */

/* "$NAME", or a file: of the home, absolute, of the workspace. */
static int read_keys(struct jl_engine *e, const char *from, struct jl_sign_keys *ret, struct jl_err *err)
{
	struct jl_buf text, path = JL_BUF_INIT;
	int r;
	if (from[0] == '$') {
		const char *value = jl_scope_getenv(e->p, from + 1);
		return value ? jl_sign_keys_read(ret, value, strlen(value), err)
			     : jl_err_set(err, JL_EINVAL, "the variable \"%s\" is not set", from + 1);
	}
	const char *home = jl_scope_getenv(e->p, "HOME");
	if (strncmp(from, "~/", 2) == 0 && home)
		jl_path_join(&path, home, from + 2);
	else
		jl_path_join(&path, e->p->root, from);
	jl_buf_init(&text, KEYS_MAX);
	r = jl_file_read(&jl_io_system, AT_FDCWD, path.data, &text, err);
	if (r != JL_OK)
		jl_err_add(err, "cannot read \"%s\"", path.data);
	else
		r = jl_sign_keys_read(ret, text.data, text.len, err);
	explicit_bzero(text.data, text.len);
	jl_buf_release(&text);
	jl_buf_release(&path);
	return r;
}

/* One that cannot be used as it should be is not used at all. */
static void add(struct jl_engine *e, struct jl_tier *t, const struct jl_remote_settings *s)
{
	const bool reads = e->opts->cache == JL_CACHE_RW && s->mode != JL_REMOTE_WRITE;
	struct jl_tier_remote o = {.name = s->name,
				   .url = s->url,
				   .group = s->group,
				   .reads = reads,
				   .writes = s->mode != JL_REMOTE_READ,
				   .allow_xxh3 = s->allow_insecure_hash,
				   .keys = JL_SIGN_KEYS_INIT};
	struct jl_err err = JL_ERR_INIT;
	int r = s->sign[0] ? read_keys(e, s->sign, &o.keys, &err) : JL_OK;
	if (r != JL_OK)
		jl_err_add(&err, "remote \"%s\": \"sign\"", s->name);
	if (r == JL_OK)
		r = jl_tier_add(t, &o, &err);
	if (r != JL_OK)
		jl_engine_warn(e, NULL, "%s; the remote is not used", err.text);
	jl_sign_keys_release(&o.keys);
}

static void on_answer(struct jl_watch *w, uint32_t events);

void jl_shared_open(struct jl_engine *e)
{
	struct jl_shared_state *s = &e->shared;
	struct jl_remote_settings settings;
	struct jl_err err = JL_ERR_INIT;
	int64_t patience_ns = 0;
	if (e->opts->offline || e->opts->mode != JL_MODE_RUN || !e->local.loop ||
	    !jl_project_remote(e->p, 0, &settings))
		return;
	const char *patience = jl_scope_getenv(e->p, "JL_REMOTE_PATIENCE");
	if (patience && jl_clock_parse(patience, &patience_ns, &err) != JL_OK) {
		jl_engine_warn(e, NULL, "$JL_REMOTE_PATIENCE: %s", err.text);
		jl_err_clear(&err);
	}
	s->tier = jl_tier_new(e->store, jl_record_contents, patience_ns);
	for (uint32_t i = 0; jl_project_remote(e->p, i, &settings); i++)
		add(e, s->tier, &settings);
	int r = jl_tier_start(s->tier, &err);
	if (r == JL_OK) {
		s->watch.watch.ready = on_answer;
		s->watch.e = e;
		r = jl_loop_add(e->local.loop, &s->watch.watch, jl_tier_fd(s->tier), EPOLLIN, &err);
	}
	if (r != JL_OK) {
		jl_engine_warn(e, NULL, "no remotes: %s", err.text);
		jl_tier_free(s->tier);
		s->tier = NULL;
	}
}

/* ---- asking ---- */

void jl_shared_begin(struct jl_engine *e)
{
	e->shared.missed = (struct jl_digest){0};
}

static bool was_asked(const struct jl_shared_state *s, const struct jl_digest *key)
{
	return jl_map_get(&s->asked_map, (const char *)key, sizeof(*key)) != JL_NONE;
}

void jl_shared_missed(struct jl_engine *e, const struct jl_digest *key)
{
	struct jl_shared_state *s = &e->shared;
	if (s->tier && s->missed.algo == JL_DIGEST_NONE && jl_tier_reads(s->tier, key) && !was_asked(s, key))
		s->missed = *key;
}

bool jl_shared_ask(struct jl_engine *e, uint32_t node)
{
	struct jl_shared_state *s = &e->shared;
	if (s->missed.algo == JL_DIGEST_NONE || e->slots.stopping)
		return false;
	if (!s->asked_map.key_of)
		jl_map_init(&s->asked_map, asked_key, &s->asked);
	*(struct jl_digest *)jl_table_add(&s->asked, 1) = s->missed;
	jl_map_put(&s->asked_map, (const char *)&s->missed, sizeof(s->missed), s->asked.len - 1);
	struct waiter *w = jl_calloc(1, sizeof(*w));
	w->ask.key = s->missed;
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
		if (w->node != JL_NONE) {
			s->n_waiting--;
			jl_engine_again(e, w->node);
		}
		free(w);
	}
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
	const int64_t until = e->clock->now_ns(e->clock) + FINISH_NS;
	while (!e->slots.signal && jl_tier_open(e->shared.tier) > 0 && e->clock->now_ns(e->clock) < until) {
		if (jl_loop_once(e->local.loop, until, NULL) < 0)
			break;
	}
	return jl_tier_finish(e->shared.tier, 0);
}

void jl_shared_close(struct jl_engine *e)
{
	struct jl_shared_state *s = &e->shared;
	if (s->tier) {
		uint64_t unsent = wait_sent(e);
		jl_tier_tell(s->tier, pass_on, e);
		if (unsent)
			jl_engine_warn(e, NULL,
				       "%llu result%s not sent to the remotes; jl cache push sends what they lack",
				       (unsigned long long)unsent, unsent == 1 ? " was" : "s were");
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
