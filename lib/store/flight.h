/* struct jl_flight: one process at a time computes a key ("single flight"); the others wait and look the key up
 * again.
 *
 * The lock is a byte range of one file in the store, DIR/flight, at a place made of 61 bits of the key: no file a
 * key, nothing to clean up. It belongs to the open file (F_OFD_SETLKW), so that the kernel gives it to the next one
 * when its holder ends in whatever way. Who waits also holds a shared lock on the byte behind, so that the holder
 * can tell that somebody does. Where the file system has no locks there is no flight: everybody computes.
 */
#ifndef JL_STORE_FLIGHT_H
#define JL_STORE_FLIGHT_H

#include "base/io.h"
#include "digest/digest.h"

struct jl_flight {
	const struct jl_io *io;
	int fd; /* -1: none */
	int64_t at;
	bool waits; /* it holds the lock that says so */
};
#define JL_FLIGHT_NONE                                                                                                 \
	{                                                                                                              \
		.io = NULL, .fd = -1, .at = 0, .waits = false                                                          \
	}

/* Enter the flight of `key` in the local store at `dir`. `io` must last as long. false: another process, or another flight of
 * this one, is in it, and knows of us: wait, or try again later. */
bool jl_flight_try(struct jl_flight *f, const struct jl_io *io, const char *dir, const struct jl_digest *key);
/* After a try that found another in it: block until it is ours. */
void jl_flight_wait(struct jl_flight *f);
/* Is somebody waiting for us? */
bool jl_flight_awaited(const struct jl_flight *f);
void jl_flight_leave(struct jl_flight *f); /* fine when not entered */

#endif
