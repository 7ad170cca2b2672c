/* struct jl_home: what an agent has on its host: a cache of contents that outlives it, and a folder for its jobs that does not.
 *
 *     ~/.cache/jl/agent/HEX            an agent's program, by its digest (put there by whoever starts it)
 *                       store/         contents of more than JL_MSG_INLINE_MAX bytes: a store as docs/formats/store.md has it
 *                       partial/HEX    a content that has come in part; locked while it is being received
 *                       run/NAME/      an agent's folders of jobs, by number; run/NAME/lock is locked while it lives
 *
 * All of it is 0700. What agents left that were killed is taken away by the next one that starts.
 */
#ifndef JL_AGENT_HOME_H
#define JL_AGENT_HOME_H

#include "agent/folder.h"
#include "store/store.h"

struct jl_home {
	char *dir;               /* absolute */
	int dir_fd, run_fd;      /* of run/NAME */
	int lock_fd;
	char name[96];           /* NAME */
	char mark[128];          /* "JL_AGENT=NAME", in the environment of all that it starts */
	struct jl_folders folders;
	struct jl_store *store;  /* NULL: it cannot be used here, so nothing is kept */
};

/* `cache_bytes`: 0 is the default, 4 GiB. JL_EINVAL: neither XDG_CACHE_HOME nor HOME says where. */
int jl_home_open(struct jl_home *h, uint64_t cache_bytes, struct jl_err *err) JL_MUST_CHECK;
void jl_home_close(struct jl_home *h); /* and take the run's folder away */

/* Write a kept content into an empty file; JL_ENOTFOUND: it is not there. */
int jl_home_get(struct jl_home *h, const struct jl_digest *digest, uint64_t size, int dst_fd, struct jl_err *err) JL_MUST_CHECK;
/* Is there no room left to speak of on its disk? What fails then fails for that, as a rule. */
bool jl_home_full(const struct jl_home *h);
bool jl_home_has(struct jl_home *h, const struct jl_digest *digest);
/* Keep what is in src_fd. JL_ECHANGED: it is not what the digest says. Any other failure: it is not kept. */
int jl_home_put(struct jl_home *h, const struct jl_digest *digest, uint64_t size, int src_fd, struct jl_err *err) JL_MUST_CHECK;

/* A file for a content that is to come, which perhaps has come in part: *ret_at bytes are there. *ret_name is its name below
 * dir_fd, for the caller to rename or unlink; it stays locked until the descriptor is closed. */
int jl_home_partial(struct jl_home *h, const struct jl_digest *digest, uint64_t size, char ret_name[128], int *ret_fd,
                    uint64_t *ret_at, struct jl_err *err) JL_MUST_CHECK;

#endif
