/* The inside of struct jl_tier, for tier.c (the thread and what callers see), fetch.c and send.c. */
#ifndef JL_STORE_TIER_PRIV_H
#define JL_STORE_TIER_PRIV_H

#include "store/peer.h"
#include "store/tier.h"

#include <pthread.h>

#define JL_TIER_REMOTES 32u

struct jl_tier_slot {
	struct jl_peer remote;
	char *group;
	bool reads, writes, allow_xxh3, told;
	bool denied; /* it does not let us write: nothing more is sent */
	struct jl_sign_keys keys;
	uint64_t hits, misses, refused, failed, sent, unsent;
	uint32_t asking; /* fetches that wait for it */
	int64_t since_ns, waited_ns;
};

#define JL_TIER_SITES 16u /* helpers of servers at once */
struct jl_tier_site; /* a server of gets */

struct jl_tier_offer {
	struct jl_digest key;
	uint32_t n; /* to the first n remotes */
};

struct jl_tier {
	struct jl_store *local;
	const struct jl_tier_records *records;
	int64_t patience_ns;
	struct jl_tier_slot *at[JL_TIER_REMOTES];
	uint32_t n;
	pthread_t thread;
	bool started;
	int wake_fd, event_fd;
	void (*local_warn)(void *ctx, const char *text); /* the local store's own, given back at the end */
	void *local_warn_ctx;

	pthread_mutex_t lock; /* guards what follows, up to the empty line */
	pthread_cond_t idle;
	struct jl_tier_ask *asked, **asked_last, *answered, **answered_last;
	struct jl_tier_get *gets, **gets_last, *gotten, **gotten_last; /* not taken up yet; over */
	struct jl_table offered;  /* struct jl_tier_offer: not taken up yet */
	struct jl_table warnings; /* char * */
	uint32_t n_open;          /* offers that are not done with */
	uint64_t unsent;
	bool stop;

	struct jl_tier_ask *taken; /* the caller's: answered, and not given out yet */

	/* The thread's own. */
	struct jl_table spare;  /* struct jl_buf: memory of fetches that ended, for those that come */
	struct jl_table offers; /* struct jl_tier_offer: to be begun, from `offers_at` on */
	uint32_t offers_at, n_sending;
	struct jl_tier_site *sites;
	uint32_t n_sites;
	struct jl_tier_get *queued, **queued_last; /* that no site has yet */
};

static inline bool jl_tier_takes(const struct jl_tier_slot *s, const struct jl_digest *key)
{
	return key->algo == JL_DIGEST_SHA256 || (key->algo == JL_DIGEST_XXH3 && s->allow_xxh3);
}
/* "GROUP/ac/ab/HEX", "GROUP/cas/ab/HEX" */
void jl_tier_name(const struct jl_tier_slot *s, const char *kind, const struct jl_digest *d,
		  char out[JL_TALK_NAME + 1]);
void jl_tier_warn(struct jl_tier *t, const char *fmt, ...) JL_PRINTF(2, 3);
/* Something from the remote was not taken: counted, and told the first time. */
void jl_tier_refused(struct jl_tier *t, struct jl_tier_slot *s, const char *why);
/* It did not answer: counted, and told the first time, unless it is left alone, which was told. */
void jl_tier_failed(struct jl_tier *t, struct jl_tier_slot *s, int status, const struct jl_err *err);
/* Memory for an answer, empty, and back. */
struct jl_buf jl_tier_buf(struct jl_tier *t, size_t max);
void jl_tier_buf_back(struct jl_tier *t, struct jl_buf *b);
void jl_tier_answer(struct jl_tier *t, struct jl_tier_ask *ask, bool found);
void jl_tier_offer_to(struct jl_tier *t, const struct jl_digest *key, uint32_t n);
void jl_tier_sent(struct jl_tier *t, bool all);
static inline bool jl_tier_is_list(const struct jl_tier *t, const void *record, size_t len)
{
	return t->records->is_list && t->records->is_list(record, len);
}

/* Let its caller know, and the thread. */
void jl_tier_signal(int fd);
/* download.c: gets, on the thread. */
void jl_tier_sites_take(struct jl_tier *t, struct jl_tier_get *gets);
void jl_tier_sites_turn(struct jl_tier *t);
unsigned jl_tier_sites_poll(struct jl_tier *t, struct pollfd *ret, int64_t *until_ns); /* up to 2 * JL_TIER_SITES */
void jl_tier_sites_end(struct jl_tier *t);
/* Begin: they free themselves. */
void jl_tier_fetch(struct jl_tier *t, struct jl_tier_ask *ask);
void jl_tier_send(struct jl_tier *t, const struct jl_tier_offer *offer);

#endif
