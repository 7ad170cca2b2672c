/* struct jl_recent: the last small contents that were put from memory, for whoever asks for them next. They were hashed on the way
 * in and nobody else can change them here, so what is brought from a remote to be restored is neither read nor hashed again.
 * Bounded: 16 MiB, the oldest goes. Any thread. */
#ifndef JL_STORE_RECENT_H
#define JL_STORE_RECENT_H

#include "base/io.h"
#include "digest/digest.h"

#include <pthread.h>
#include <stdbool.h>

#define JL_RECENT_MAX   ((size_t)128 << 10) /* bytes of one */
#define JL_RECENT_SLOTS 128u

struct jl_recent_slot {
	struct jl_digest digest;
	size_t size;
	char *data;     /* JL_RECENT_MAX bytes; NULL: never used */
	uint64_t seq;   /* 0: empty */
	bool lent;      /* somebody reads it */
};
struct jl_recent {
	pthread_mutex_t lock;
	uint64_t seq;
	struct jl_recent_slot at[JL_RECENT_SLOTS];
};

void jl_recent_init(struct jl_recent *r);
void jl_recent_release(struct jl_recent *r);

/* These bytes have been checked to be the digest's; they are copied. What is too large is passed over. */
void jl_recent_put(struct jl_recent *r, const struct jl_digest *digest, const void *data, size_t size);
/* Is it there? Then it is written to `fd`, *ret_status says how that went, and it is there no more. */
bool jl_recent_take(struct jl_recent *r, const struct jl_digest *digest, uint64_t size, const struct jl_io *io, int fd,
                    int *ret_status, struct jl_err *err);

#endif
