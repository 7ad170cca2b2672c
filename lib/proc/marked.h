/* Processes by a variable that they were started with: what is left of a jl that was killed, when its descriptors, process
 * groups and children are nobody's any more.
 */
#ifndef JL_PROC_MARKED_H
#define JL_PROC_MARKED_H

#include "base/buf.h"

#include <stdint.h>

struct jl_marked {
	unsigned ended;      /* processes that are gone now */
	unsigned left;       /* those that would not end */
	struct jl_buf names; /* of the first few that were found, as they were called: "sleep 10, make all, ..."; the caller's */
};

/* End every process of this user, but for this one, whose environment at its start held `entry` ("NAME=VALUE"): TERM, after
 * at most `wait_ns` KILL; again until none is found, since one may start another meanwhile. Blocks, for a bounded time.
 * Without /proc none is found. */
void jl_marked_end(const char *entry, int64_t wait_ns, struct jl_marked *ret);

#endif
