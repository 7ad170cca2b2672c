/* Looking after a local store: what is in it, taking things away, checking every byte. For commands that a person gives:
 * these look at all of it, and may take as long as that takes. */
#ifndef JL_STORE_CARE_H
#define JL_STORE_CARE_H

#include "store/store.h"

struct jl_care_sums { /* by a look at every file; bytes on disk: each file rounded up to 4 KiB */
	uint64_t records, blobs;
	uint64_t record_bytes, blob_bytes, other_bytes; /* other: index, sets, quarantine, temporaries, programs */
	uint64_t index_bytes; /* what the index says of all that counts */
};
int jl_care_sums(struct jl_store *s, struct jl_care_sums *ret, struct jl_err *err) JL_MUST_CHECK;

struct jl_care_entry {
	struct jl_digest key;
	const void *record; /* its bytes; empty when it cannot be read */
	size_t len;
	uint64_t bytes;     /* on disk, with its blobs; what several name counts for each */
	int64_t used_ns;    /* real time */
	bool pinned;
};
/* Every record, the longest unused first; for `each` to look at, not to change. */
int jl_care_each(struct jl_store *s, void (*each)(void *ctx, const struct jl_care_entry *e), void *ctx,
                 struct jl_err *err) JL_MUST_CHECK;

/* Take results away, with the blobs that only they name. Pinned ones too. */
int jl_care_remove(struct jl_store *s, const struct jl_digest *keys, uint32_t n, struct jl_err *err) JL_MUST_CHECK;
/* Everything but what is pinned. */
int jl_care_clear(struct jl_store *s, struct jl_err *err) JL_MUST_CHECK;
/* Put in order: temporaries of the dead, quarantine of a week, what is over the caps; the index is made anew. */
int jl_care_gc(struct jl_store *s, struct jl_err *err) JL_MUST_CHECK;

struct jl_care_check {
	uint64_t records, blobs, bytes;     /* looked at */
	uint64_t damaged, incomplete, left; /* objects that do not check; records without all blobs; blobs nobody names */
	bool repair; /* in: damage goes into quarantine, records that are not whole go */
	/* in: does the record check, and is it of this key? */
	bool (*record_ok)(const struct jl_digest *key, const void *record, size_t len);
	/* in: one line for a person about each fault */
	void (*told)(void *ctx, const char *text);
	void *ctx;
};
int jl_care_verify(struct jl_store *s, struct jl_care_check *check, struct jl_err *err) JL_MUST_CHECK;

/* Append struct jl_day (uses.h), sums of a day, in order. */
int jl_care_days(struct jl_store *s, struct jl_table *out, struct jl_err *err) JL_MUST_CHECK;
int jl_care_pin(struct jl_store *s, const struct jl_digest *key, bool pinned, struct jl_err *err) JL_MUST_CHECK;

#endif
