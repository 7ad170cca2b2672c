/* struct jl_ahead: a file read ahead of who wants its bytes, and hashed, by a thread of its own. So a copy takes as long as
 * the writing of it, though each byte is hashed on its way: what is given out are the very bytes that were hashed. */
#ifndef JL_STORE_AHEAD_H
#define JL_STORE_AHEAD_H

#include "base/io.h"
#include "digest/digest.h"

#define JL_AHEAD_MIN ((uint64_t)4 << 20) /* below this a thread costs more than it saves */

struct jl_ahead;

/* From where `fd` stands. NULL: no descriptors for it. `hasher` is the thread's until jl_ahead_free(). */
struct jl_ahead *jl_ahead_new(const struct jl_io *io, int fd, struct jl_hasher *hasher);
/* The next bytes, good until the next call: how many; 0 at the end; -1 and errno. */
ssize_t jl_ahead_next(struct jl_ahead *a, const char **ret);
void jl_ahead_free(struct jl_ahead *a);

#endif
