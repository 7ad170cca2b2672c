/* Uses of many results at once. A run whose steps were fresh used all their results without a look at the store: that is
 * noted as one time stamp of a file that names them all.
 *
 *     DIR/uses/HEX   a set of keys, sorted; HEX tells the set; its mtime is when they were last used
 *     DIR/days       24 bytes a run: what the store was good for
 *
 * A set that differs little from one that stands there takes its place; then each key that only the old one had gets its
 * own stamp. So a workspace has one set for each selection of steps that is run, however often a file is edited.
 */
#ifndef JL_STORE_USES_H
#define JL_STORE_USES_H

#include "base/io.h"
#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>

struct jl_local;

#define JL_USES_MAX 64u /* sets kept; of the longest unused the keys are stamped one by one */

struct jl_key_set {     /* which set it is, whatever the order of adding */
	uint64_t sum[2], n;
};
void jl_key_set_add(struct jl_key_set *s, const struct jl_digest *key);

struct jl_uses {
	struct jl_table sets; /* of uses.c: as last looked at */
	struct jl_table retired; /* of uses.c: no sets any more; their keys are to be stamped */
	int64_t looked_ns;    /* monotonic; 0: never */
};
void jl_uses_init(struct jl_uses *u);
void jl_uses_release(struct jl_uses *u);

struct jl_day {          /* one entry of `days` */
	uint32_t day;    /* since 1970-01-01, UTC */
	uint32_t hits, runs;
	uint64_t saved_ms;
};

/* For who has no store open: note a use of the set, and what the run was, in the store at `dir`. false: the set is not
 * there, so it is to be put by `use_keys` of an open store (the run is noted all the same). true also where there is no
 * store to note it in. */
bool jl_uses_note(const struct jl_io *io, const char *dir, const struct jl_key_set *set, const struct jl_day *run);
/* Within the index: put the set, used at `used_ns`. Best effort. Call jl_uses_retire() when the index was left. */
void jl_uses_put(struct jl_local *l, const struct jl_digest *keys, uint32_t n, int64_t used_ns);
/* Stamp the keys of sets that had to go for that one: some microseconds for each key. */
void jl_uses_retire(struct jl_local *l);
/* Look at the sets, unless that was done a moment ago: was it done? */
bool jl_uses_look(struct jl_local *l);
/* Within the index, after a look: so much is what they take. */
void jl_uses_count(struct jl_local *l);
/* When a set that has the key was last used; 0: none has it. */
int64_t jl_uses_of(const struct jl_local *l, const struct jl_digest *key);
/* Within the index: the longest unused set goes. false: there is none. */
bool jl_uses_drop(struct jl_local *l);
/* Append struct jl_day, sums of a day, in order. */
int jl_uses_days(struct jl_local *l, struct jl_table *out, struct jl_err *err) JL_MUST_CHECK;
/* `days` is long: one entry a day, and those of a year only. Best effort. */
void jl_uses_trim_days(struct jl_local *l);

#endif
