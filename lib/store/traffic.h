/* What the remotes were good for: an entry a remote a run, kept beside the results of the local store.
 *
 *     DIR/remotes   128 bytes an entry; docs/formats/store.md
 *
 * Noted in one write at the end of a run, so that runs at the same time keep out of each other's way. A statistic: what is damaged
 * is passed over, what cannot be written is not told.
 */
#ifndef JL_STORE_TRAFFIC_H
#define JL_STORE_TRAFFIC_H

#include "base/io.h"
#include "base/table.h"

#define JL_TRAFFIC_NAME 44u /* bytes; a longer name is cut */

struct jl_traffic {
	uint32_t day; /* since 1970-01-01, UTC; noting: 0 is today */
	char name[JL_TRAFFIC_NAME + 1];
	uint64_t hits, misses, refused, failed; /* keys asked for: taken, not there, not believed, no answer */
	uint64_t sent, unsent;                  /* results */
	uint64_t bytes_in, bytes_out, waited_ms;
};

/* Into the store at `dir`, which is there. */
void jl_traffic_note(const struct jl_io *io, const char *dir, const struct jl_traffic *all, uint32_t n);
/* Append struct jl_traffic: one for each remote, the sum of all its days (`day`: the last one), by name. Nothing noted is no
 * error. */
int jl_traffic_sums(const struct jl_io *io, const char *dir, struct jl_table *out, struct jl_err *err) JL_MUST_CHECK;

#endif
