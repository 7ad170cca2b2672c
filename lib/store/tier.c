/* See tier.h. The thread waits for the helpers of all remotes and for what callers want; fetch.c and send.c are what it does. */
#include "store/tier.h"

#include "base/clock.h"
#include "base/pool.h"
#include "base/url.h"
#include "store/kind.h"
#include "store/tier_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_NS (1500 * JL_NS_MS)
#define SENDING_MAX 16u /* results that are being sent at once */
#define SPARE_MAX   64u
#define SPARE_BYTES ((size_t)512 << 10) /* of one of them */

static int64_t now_ns(void)
{
	return jl_clock_system.now_ns(&jl_clock_system);
}

void jl_tier_signal(int fd)
{
	const uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void clear_fd(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

/* ---- what the parts share ---- */

void jl_tier_name(const struct jl_tier_slot *s, const char *kind, const struct jl_digest *d, char out[JL_TALK_NAME + 1])
{
	char hex[JL_DIGEST_TEXT];

	jl_digest_hex(d, hex);
	snprintf(out, JL_TALK_NAME + 1, "%.300s%s%s/%.2s/%s", s->group, s->group[0] ? "/" : "", kind, hex, hex);
}

static void add_warning(void *ctx, const char *text)
{
	struct jl_tier *t = ctx;

	pthread_mutex_lock(&t->lock);
	*(char **)jl_table_add(&t->warnings, 1) = jl_strdup(text);
	pthread_mutex_unlock(&t->lock);
	jl_tier_signal(t->event_fd);
}

void jl_tier_warn(struct jl_tier *t, const char *fmt, ...)
{
	char text[JL_ERR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_warning(t, text);
}

void jl_tier_refused(struct jl_tier *t, struct jl_tier_slot *s, const char *why)
{
	s->refused++;
	if (!s->told)
		jl_tier_warn(t, "remote \"%s\": a result was not taken: %.700s", s->remote.name, why);
	s->told = true;
}

void jl_tier_failed(struct jl_tier *t, struct jl_tier_slot *s, int status, const struct jl_err *err)
{
	s->failed++;
	if (!s->told && status != JL_EBUSY)
		jl_tier_warn(t, "remote \"%s\": cannot be asked: %.700s", s->remote.name, err->text);
	s->told |= status != JL_EBUSY;
}

struct jl_buf jl_tier_buf(struct jl_tier *t, size_t max)
{
	struct jl_buf b;

	jl_buf_init(&b, max);
	if (t->spare.len) {
		b = *JL_AT(t->spare, struct jl_buf, --t->spare.len);
		b.max = max;
	}
	return b;
}

void jl_tier_buf_back(struct jl_tier *t, struct jl_buf *b)
{
	if (t->spare.len == SPARE_MAX || b->cap == 0 || b->cap > SPARE_BYTES) {
		jl_buf_release(b);
		return;
	}
	jl_buf_clear(b);
	*(struct jl_buf *)jl_table_add(&t->spare, 1) = *b;
}

void jl_tier_answer(struct jl_tier *t, struct jl_tier_ask *ask, bool found)
{
	bool first;

	ask->found = found;
	ask->next = NULL;
	pthread_mutex_lock(&t->lock);
	first = !t->answered;
	*t->answered_last = ask;
	t->answered_last = &ask->next;
	pthread_mutex_unlock(&t->lock);
	if (first)
		jl_tier_signal(t->event_fd);
}

void jl_tier_sent(struct jl_tier *t, bool all)
{
	bool idle;

	t->n_sending--;
	pthread_mutex_lock(&t->lock);
	t->n_open--;
	t->unsent += !all;
	idle = t->n_open == 0;
	if (idle)
		pthread_cond_broadcast(&t->idle);
	pthread_mutex_unlock(&t->lock);
	if (idle)
		jl_tier_signal(t->event_fd);
}

/* ---- the thread ---- */

/* What callers want since the last look. false: stop. */
static bool take_wishes(struct jl_tier *t)
{
	struct jl_tier_ask *asked, *next;
	struct jl_tier_get *gets;
	bool stop;

	pthread_mutex_lock(&t->lock);
	stop = t->stop;
	asked = t->asked;
	t->asked = NULL;
	t->asked_last = &t->asked;
	gets = t->gets;
	t->gets = NULL;
	t->gets_last = &t->gets;
	if (t->offered.len)
		memcpy(jl_table_add(&t->offers, t->offered.len), t->offered.data,
		       t->offered.len * sizeof(struct jl_tier_offer));
	t->offered.len = 0;
	pthread_mutex_unlock(&t->lock);
	jl_tier_sites_take(t, gets);
	for (; asked; asked = next) {
		next = asked->next;
		jl_tier_fetch(t, asked);
	}
	while (!stop && t->offers_at < t->offers.len && t->n_sending < SENDING_MAX) {
		struct jl_tier_offer offer = *JL_AT(t->offers, struct jl_tier_offer, t->offers_at++);

		t->n_sending++;
		jl_tier_send(t, &offer);
	}
	if (t->offers_at == t->offers.len)
		t->offers.len = t->offers_at = 0;
	return !stop;
}

static void wait_for_more(struct jl_tier *t)
{
	struct pollfd fds[1 + 2 * JL_TIER_REMOTES + 2 * JL_TIER_SITES] = {{.fd = t->wake_fd, .events = POLLIN}};
	int64_t until = JL_FOREVER, one, ms = -1;
	nfds_t n = 1;

	for (uint32_t i = 0; i < t->n; i++) {
		n += jl_peer_poll(&t->at[i]->remote, &fds[n], &one);
		until = one < until ? one : until;
	}
	n += jl_tier_sites_poll(t, &fds[n], &one);
	until = one < until ? one : until;
	if (t->offers_at < t->offers.len && t->n_sending < SENDING_MAX)
		until = 0;
	if (until != JL_FOREVER) {
		ms = (until - now_ns()) / JL_NS_MS + 1;
		ms = until == 0 || ms < 0 ? 0 : ms > 60000 ? 60000 : ms;
	}
	if (poll(fds, n, (int)ms) > 0 && fds[0].revents)
		clear_fd(t->wake_fd);
}

static void *work(void *ctx)
{
	struct jl_tier *t = ctx;

	while (take_wishes(t)) {
		for (uint32_t i = 0; i < t->n; i++)
			jl_peer_turn(&t->at[i]->remote);
		jl_tier_sites_turn(t);
		wait_for_more(t);
	}
	for (uint32_t i = 0; i < t->n; i++) {
		t->at[i]->writes = t->at[i]->reads = false; /* nothing begins any more */
		jl_peer_give_up(&t->at[i]->remote, NULL);
	}
	jl_tier_sites_end(t);
	return NULL;
}

/* ---- life ---- */

struct jl_tier *jl_tier_new(struct jl_store *local, const struct jl_tier_records *records, int64_t patience_ns)
{
	struct jl_tier *t = jl_calloc(1, sizeof(*t));

	*t = (struct jl_tier){.local = local,
			      .records = records,
			      .patience_ns = patience_ns,
			      .wake_fd = -1,
			      .event_fd = -1,
			      .local_warn = local ? local->warn : NULL,
			      .local_warn_ctx = local ? local->warn_ctx : NULL,
			      .asked_last = &t->asked,
			      .answered_last = &t->answered,
			      .gets_last = &t->gets,
			      .gotten_last = &t->gotten,
			      .queued_last = &t->queued,
			      .offered = JL_TABLE_INIT(struct jl_tier_offer),
			      .warnings = JL_TABLE_INIT(char *),
			      .spare = JL_TABLE_INIT(struct jl_buf),
			      .offers = JL_TABLE_INIT(struct jl_tier_offer)};
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->idle, NULL);
	return t;
}

int jl_tier_add(struct jl_tier *t, struct jl_tier_remote *o, struct jl_err *err)
{
	struct jl_tier_slot *s;

	if (t->n == JL_TIER_REMOTES)
		return jl_err_set(err, JL_EINVAL, "more than %u remotes", JL_TIER_REMOTES);
	if (jl_url_is_open_to_all(o->url) && !o->keys.at.len)
		return jl_err_set(
			err, JL_EINVAL,
			"remote \"%s\": over plain http results must be signed; give it \"sign\", or use https",
			o->name);
	s = jl_calloc(1, sizeof(*s));
	*s = (struct jl_tier_slot){.group = jl_strdup(o->group),
				   .reads = o->reads,
				   .writes = o->writes,
				   .allow_xxh3 = o->allow_xxh3,
				   .keys = o->keys};
	o->keys = (struct jl_sign_keys)JL_SIGN_KEYS_INIT;
	jl_peer_init(&s->remote, o->name, o->url, o->writes,
		     t->patience_ns ? t->patience_ns : PATIENCE_NS);
	s->remote.warn = add_warning;
	s->remote.warn_ctx = t;
	t->at[t->n++] = s;
	return JL_OK;
}

int jl_tier_start(struct jl_tier *t, struct jl_err *err)
{
	int e;

	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->wake_fd < 0 || t->event_fd < 0)
		return jl_err_sys(err, errno, "cannot make an eventfd");
	if (t->local && t->n > 0)
		t->local->soon = true;
	e = jl_thread_start(&t->thread, work, t);
	if (e)
		return jl_err_sys(err, e, "cannot start a thread");
	t->started = true;
	if (t->local) {
		t->local->warn = add_warning;
		t->local->warn_ctx = t;
	}
	return JL_OK;
}

static void stop(struct jl_tier *t)
{
	if (!t->started)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_mutex_unlock(&t->lock);
	jl_tier_signal(t->wake_fd);
	pthread_join(t->thread, NULL);
	t->started = false;
	if (t->local) {
		t->local->warn = t->local_warn;
		t->local->warn_ctx = t->local_warn_ctx;
	}
}

void jl_tier_free(struct jl_tier *t)
{
	if (!t)
		return;
	stop(t);
	for (uint32_t i = 0; i < t->n; i++) {
		jl_peer_release(&t->at[i]->remote);
		jl_sign_keys_release(&t->at[i]->keys);
		free(t->at[i]->group);
		free(t->at[i]);
	}
	for (uint32_t i = 0; i < t->warnings.len; i++)
		free(*JL_AT(t->warnings, char *, i));
	for (uint32_t i = 0; i < t->spare.len; i++)
		jl_buf_release(JL_AT(t->spare, struct jl_buf, i));
	jl_table_release(&t->spare);
	jl_table_release(&t->warnings);
	jl_table_release(&t->offered);
	jl_table_release(&t->offers);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
	if (t->event_fd >= 0)
		close(t->event_fd);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->idle);
	free(t);
}

/* ---- what callers want ---- */

bool jl_tier_reads(const struct jl_tier *t, const struct jl_digest *key)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->at[i]->reads && jl_tier_takes(t->at[i], key))
			return true;
	}
	return false;
}

void jl_tier_ask(struct jl_tier *t, struct jl_tier_ask *ask)
{
	bool first;

	ask->next = NULL;
	ask->found = false;
	pthread_mutex_lock(&t->lock);
	first = !t->asked;
	*t->asked_last = ask;
	t->asked_last = &ask->next;
	pthread_mutex_unlock(&t->lock);
	if (first)
		jl_tier_signal(t->wake_fd);
}

int jl_tier_fd(const struct jl_tier *t)
{
	return t->event_fd;
}

struct jl_tier_ask *jl_tier_taken(struct jl_tier *t)
{
	struct jl_tier_ask *ask;

	if (!t->taken) {
		clear_fd(t->event_fd);
		pthread_mutex_lock(&t->lock);
		t->taken = t->answered;
		t->answered = NULL;
		t->answered_last = &t->answered;
		pthread_mutex_unlock(&t->lock);
	}
	ask = t->taken;
	if (ask)
		t->taken = ask->next;
	return ask;
}

void jl_tier_get(struct jl_tier *t, struct jl_tier_get *g)
{
	g->next = NULL;
	pthread_mutex_lock(&t->lock);
	*t->gets_last = g;
	t->gets_last = &g->next;
	pthread_mutex_unlock(&t->lock);
	jl_tier_signal(t->wake_fd);
}

struct jl_tier_get *jl_tier_gotten(struct jl_tier *t)
{
	struct jl_tier_get *g;

	pthread_mutex_lock(&t->lock);
	g = t->gotten;
	if (g)
		t->gotten = g->next;
	if (!t->gotten)
		t->gotten_last = &t->gotten;
	pthread_mutex_unlock(&t->lock);
	return g;
}

void jl_tier_offer_to(struct jl_tier *t, const struct jl_digest *key, uint32_t n)
{
	bool wanted = false;

	for (uint32_t i = 0; i < n; i++)
		wanted |= t->at[i]->writes && jl_tier_takes(t->at[i], key);
	if (!wanted)
		return;
	pthread_mutex_lock(&t->lock);
	*(struct jl_tier_offer *)jl_table_add(&t->offered, 1) = (struct jl_tier_offer){.key = *key, .n = n};
	t->n_open++;
	pthread_mutex_unlock(&t->lock);
	jl_tier_signal(t->wake_fd);
}

void jl_tier_offer(struct jl_tier *t, const struct jl_digest *key)
{
	jl_tier_offer_to(t, key, t->n);
}

void jl_tier_tell(struct jl_tier *t, void (*warn)(void *ctx, const char *text), void *ctx)
{
	struct jl_table all;

	pthread_mutex_lock(&t->lock);
	all = t->warnings;
	t->warnings = (struct jl_table)JL_TABLE_INIT(char *);
	pthread_mutex_unlock(&t->lock);
	for (uint32_t i = 0; i < all.len; i++) {
		(*warn)(ctx, *JL_AT(all, char *, i));
		free(*JL_AT(all, char *, i));
	}
	jl_table_release(&all);
}

uint64_t jl_tier_open(struct jl_tier *t)
{
	uint64_t n;

	pthread_mutex_lock(&t->lock);
	n = t->n_open;
	pthread_mutex_unlock(&t->lock);
	return n;
}

uint64_t jl_tier_finish(struct jl_tier *t, int64_t bound_ns)
{
	struct timespec until;
	int64_t at = jl_clock_real_ns() + bound_ns;
	uint64_t unsent;

	until = (struct timespec){.tv_sec = at / JL_NS_S, .tv_nsec = at % JL_NS_S};
	pthread_mutex_lock(&t->lock);
	while (t->started && t->n_open > 0 && pthread_cond_timedwait(&t->idle, &t->lock, &until) == 0)
		;
	pthread_mutex_unlock(&t->lock);
	stop(t);
	pthread_mutex_lock(&t->lock);
	unsent = t->unsent + t->n_open; /* those that were not even begun */
	pthread_mutex_unlock(&t->lock);
	return unsent;
}

bool jl_tier_stats(const struct jl_tier *t, uint32_t i, struct jl_tier_stats *ret)
{
	const struct jl_tier_slot *s = i < t->n ? t->at[i] : NULL;

	if (!s)
		return false;
	*ret = (struct jl_tier_stats){.name = s->remote.name,
				      .hits = s->hits,
				      .misses = s->misses,
				      .refused = s->refused,
				      .failed = s->failed,
				      .sent = s->sent,
				      .unsent = s->unsent,
				      .bytes_in = s->remote.bytes_in,
				      .bytes_out = s->remote.bytes_out,
				      .calls = s->remote.calls,
				      .waited_ns = s->waited_ns};
	return true;
}
