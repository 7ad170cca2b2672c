/* struct jl_tier: the shared stores behind a local one. What was asked for is fetched into the local store; what is offered is
 * taken from there and sent. One thread does all of it, so nobody waits who does not want to: a run asks for keys as they become
 * known, goes on, and looks the key up again in the local store once it is told that the answer is there.
 *
 *     t = jl_tier_new(local, &records, 0);  jl_tier_add(t, &remote);  jl_tier_start(t, &err);
 *     jl_tier_ask(t, &ask);  ... jl_tier_fd(t) becomes readable ...  while ((ask = jl_tier_taken(t))) ...
 *     jl_tier_offer(t, &key);
 *     unsent = jl_tier_finish(t, 30 * JL_NS_S);  jl_tier_free(t);
 *
 * Remotes are asked in the order they were added; what a later one had is sent to the writable ones before it. A remote that fails
 * is a miss. Nothing from a remote is believed that jl_envelope_check() refuses or that is not its digest's; what is refused is
 * counted, told once a remote, and a miss. By its algorithm a key says which remotes may hold it: XXH3 is for those alone that
 * allow it. One that does not let us write is not sent anything more.
 * What the objects of a remote are called: docs/formats/remote.md.
 */
#ifndef JL_STORE_TIER_H
#define JL_STORE_TIER_H

#include "store/envelope.h"
#include "store/store.h"

struct jl_tier_remote { /* strings are copied */
	const char *name, *url, *group;
	bool reads, writes, allow_xxh3;
	struct jl_sign_keys keys; /* taken over */
};

struct jl_tier_stats { /* of one remote */
	const char *name;
	uint64_t hits, misses, refused, failed; /* keys asked for; failed: no answer */
	uint64_t sent, unsent;                  /* results offered */
	uint64_t bytes_in, bytes_out, calls;
	int64_t waited_ns; /* while something was asked for */
};

struct jl_tier_ask { /* the caller's until it is taken back */
	struct jl_digest key;
	void *ctx;
	bool found; /* afterwards: it is in the local store now, as one that is used */
	struct jl_tier_ask *next;
};

/* One object of a server brought into a file: "DIR/.part", with "DIR/.part-of" (store/about.h) beside it, so that what was cut goes
 * on from there, in another run, too. The caller's until it is taken back, with all that it points to. */
struct jl_tier_get {
	const char *site, *host, *path; /* base/url.h */
	const char *have_etag, *have_modified; /* of the copy that is there; NULL */
	bool any_host;           /* redirects may lead anywhere */
	int dir_fd;
	struct jl_digest want;   /* what it must be; none: anything */
	enum jl_digest_algo algo; /* of the digest that is told */
	bool keep;               /* the local store is given it, too; afterwards: it has it */
	void *ctx;
	_Atomic uint64_t got, size; /* meanwhile, too: bytes that are there, of how many (JL_TALK_UNKNOWN) */
	/* Afterwards: JL_OK: all of it lies in ".part", or it is `unchanged`; JL_ENOTFOUND, JL_EINVAL (refused), JL_ECORRUPT (not
	 * what it must be), JL_EIO and JL_EBUSY (no answer), JL_ELIMIT (no room). */
	int status;
	struct jl_err err;
	bool unchanged;
	char *etag, *modified;   /* the caller's to free; NULL: not told */
	struct jl_digest digest;
	uint64_t resumed;        /* bytes that an earlier run had brought */
	struct jl_tier_get *next;
};

struct jl_tier;
/* What is in records is for others to know. Called by the tier's thread. */
struct jl_tier_records {
	/* Append struct jl_envelope_blob for each blob that it names, without its bytes. */
	void (*contents_of)(const void *record, size_t len, struct jl_table *out);
	/* A list of things found out, to which each side has its own to add: it is merged with what is there, never put in its
	 * place. NULL: there is no such record. */
	bool (*is_list)(const void *record, size_t len);
	/* Append the list of both to `out`. JL_ENOTFOUND: `old` lacks nothing that `new` has. JL_ECORRUPT: `old` cannot be used. */
	int (*merge)(const void *new, size_t new_len, const void *old, size_t old_len, struct jl_buf *out);
};
/* `local` is borrowed, open for writing, told that what comes is wanted soon, and its warnings are the tier's to pass on
 * (jl_tier_tell); `records` is borrowed, too.
 * local NULL: for gets alone. patience_ns: peer.h; 0: 1.5 s, 20 s with servers of gets. */
struct jl_tier *jl_tier_new(struct jl_store *local, const struct jl_tier_records *records, int64_t patience_ns);
/* Before the start. JL_EINVAL: its URL is one that may not be used so. */
int jl_tier_add(struct jl_tier *t, struct jl_tier_remote *remote, struct jl_err *err) JL_MUST_CHECK;
int jl_tier_start(struct jl_tier *t, struct jl_err *err) JL_MUST_CHECK;
/* Lets go of all that is open, at once. NULL is fine. */
void jl_tier_free(struct jl_tier *t);

bool jl_tier_reads(const struct jl_tier *t, const struct jl_digest *key); /* somebody can be asked for it */
void jl_tier_ask(struct jl_tier *t, struct jl_tier_ask *ask);
int jl_tier_fd(const struct jl_tier *t);              /* readable when there is something to take or to tell */
struct jl_tier_ask *jl_tier_taken(struct jl_tier *t); /* one that is answered, or NULL; clears the descriptor */
/* Servers that are asked for single objects are no remotes: whether one answers is told with each. */
void jl_tier_get(struct jl_tier *t, struct jl_tier_get *g);
struct jl_tier_get *jl_tier_gotten(struct jl_tier *t); /* one that is over, or NULL */
/* The result is in the local store: send it to those that are written to. */
void jl_tier_offer(struct jl_tier *t, const struct jl_digest *key);
/* Warnings since the last call, on the caller's thread. */
void jl_tier_tell(struct jl_tier *t, void (*warn)(void *ctx, const char *text), void *ctx);
/* Results that were offered and are not done with; the descriptor becomes readable when there are none any more. */
uint64_t jl_tier_open(struct jl_tier *t);
/* Wait until all that was offered is sent, `bound_ns` at most. How many results were not, in all; a remote that does not let us
 * write does not count, and is told. */
uint64_t jl_tier_finish(struct jl_tier *t, int64_t bound_ns);
/* Of remote i; false: there is none. After finish() exact. */
bool jl_tier_stats(const struct jl_tier *t, uint32_t i, struct jl_tier_stats *ret);

#endif
