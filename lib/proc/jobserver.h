/* struct jl_jobserver: the job slots that GNU make and what it starts share, as a client inside make or as the server of
 * what jl starts.
 *
 * A pool is a pipe with one byte in it for each slot but one. Every process that was started under it may run one thing
 * at a time for nothing, its implicit token; for each further one it takes a byte out first and puts that same byte
 * back later (make tells its own servers apart by the byte). The implicit token is not counted here: with n things
 * running, n - 1 bytes are to be taken.
 *
 * Where the pool is stands in MAKEFLAGS: --jobserver-auth=R,W are two descriptors that are inherited, =fifo:PATH is a
 * path, --jobserver-fds= is what make before 4.2 wrote. R,W are open only to a recipe that make takes for a call of make:
 * one with $(MAKE) in it, or with a "+" at its start.
 *
 * R is never made non-blocking: that would hold for all who share it (some make it so, others read it blocking).
 * Polling first and reading then can lose the race against another reader, and wait. So jl reads by an open file of its
 * own on the same pipe, by way of /proc/self/fd.
 *
 * The server offers the pipe form, to all: make 4.3 ends with an internal error when it is given a fifo, make 4.4, cargo
 * and gcc take both. (ninja takes a fifo only; it then goes by its own -j, as it does without.)
 *
 *     struct jl_jobserver j = JL_JOBSERVER_INIT;
 *     if (jl_jobserver_find(getenv("MAKEFLAGS"), &auth)) r = jl_jobserver_join(&j, &auth, err);
 *     if (jl_jobserver_take(&j)) { start a second thing; ...; jl_jobserver_give(&j); }
 *     jl_jobserver_close(&j);
 *
 * What a process that is killed with -9 had taken is lost to the pool.
 */
#ifndef JL_PROC_JOBSERVER_H
#define JL_PROC_JOBSERVER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { JL_JOBSERVER_MOST = 4096 }; /* slots of a pool of ours: their bytes fit into any pipe */

struct jl_jobserver {
	int read_fd;         /* ours, non-blocking; -1: no pool. To be watched for input while a byte is waited for */
	int write_fd;
	int pipe[2];         /* a pool of ours; -1: it is not */
	int keep_fds[3];     /* what children need of it, for struct jl_spawn */
	uint32_t jobs;       /* its -jN; 0: not known */
	struct jl_buf auth;  /* as MAKEFLAGS has it */
	struct jl_buf taken; /* the bytes */
};
#define JL_JOBSERVER_INIT                                                                                              \
	{.read_fd = -1, .write_fd = -1, .pipe = {-1, -1}, .keep_fds = {-1, -1, -1}, .auth = JL_BUF_INIT, .taken = JL_BUF_INIT}

struct jl_jobserver_auth {
	const char *at; /* in MAKEFLAGS, not terminated */
	size_t len;
	uint32_t jobs;  /* of -jN; 0: not said */
};

/* The last one in a value of MAKEFLAGS (NULL: not set). False: none, we are not inside make -j. */
bool jl_jobserver_find(const char *makeflags, struct jl_jobserver_auth *ret);

/* Become a client. Call it before jl_spawn_setup(): whether R and W are inherited is seen by their not being
 * close-on-exec. JL_ENOTFOUND: they are not open here; JL_EINVAL: no such form, or no pipe; JL_EIO. */
int jl_jobserver_join(struct jl_jobserver *j, const struct jl_jobserver_auth *auth, struct jl_err *err) JL_MUST_CHECK;

/* Become the server of `jobs` slots (2 to JL_JOBSERVER_MOST), one of them implicit. JL_EBUSY: no descriptors now. */
int jl_jobserver_offer(struct jl_jobserver *j, uint32_t jobs, struct jl_err *err) JL_MUST_CHECK;

/* One byte out of the pool; false: there is none now. Does not block. */
bool jl_jobserver_take(struct jl_jobserver *j);
/* The one taken last back into it. */
void jl_jobserver_give(struct jl_jobserver *j);
static inline uint32_t jl_jobserver_taken(const struct jl_jobserver *j)
{
	return (uint32_t)j->taken.len;
}
/* Everything back, everything freed. Fine without a pool, and twice. */
void jl_jobserver_close(struct jl_jobserver *j);

/* The value of MAKEFLAGS for a child: `makeflags` as it was (or NULL), with this pool in place of any other. */
void jl_jobserver_flags(const struct jl_jobserver *j, const char *makeflags, struct jl_buf *out);

#endif
