/* struct jl_feed: the standard input of a memoized command: read to its end, hashed, and played into the command
 * when it has to run. A regular file at its start is hashed where it is and then given to the command as it is; all
 * else is spooled, 64 KiB in memory and what is longer in an unlinked file. Nothing read is the same as none. */
#ifndef JL_RUN_FEED_H
#define JL_RUN_FEED_H

#include "base/buf.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <sys/stat.h>

enum jl_feed_mode { JL_FEED_AUTO, JL_FEED_YES, JL_FEED_NO };

struct jl_feed {
	enum { JL_FEED_NONE, JL_FEED_MEMORY, JL_FEED_SPOOL, JL_FEED_FILE } kind;
	enum jl_digest_algo algo; /* set it before reading */
	int fd;                  /* SPOOL: own; FILE: the caller's */
	struct jl_buf buf;       /* MEMORY */
	struct jl_digest digest; /* algo NONE: there is no input */
	struct stat st;          /* FILE: as it was when it was hashed */
};
#define JL_FEED_INIT                                                                                                   \
	{                                                                                                              \
		.kind = JL_FEED_NONE, .algo = JL_DIGEST_XXH3, .fd = -1, .buf = JL_BUF_INIT \
	}

/* Read `fd` as `mode` says (AUTO: a pipe, or a file at its start). `waiting` is called once if nothing comes for 2
 * s. Blocks. */
int jl_feed_read(struct jl_feed *f, enum jl_feed_mode mode, int fd, const char *tmp_dir, void (*waiting)(void *ctx),
		 void *ctx, struct jl_err *err) JL_MUST_CHECK;
/* A descriptor that gives the input to a command, -1 for none; closed by jl_feed_close() once the command has it. */
int jl_feed_open(struct jl_feed *f, const char *tmp_dir, int *ret_fd, struct jl_err *err) JL_MUST_CHECK;
/* The same as a regular file, which stays the feed's until it is released. */
int jl_feed_file(struct jl_feed *f, const char *tmp_dir, int *ret_fd, struct jl_err *err) JL_MUST_CHECK;
void jl_feed_close(struct jl_feed *f, int fd);
/* Was a file that is the input changed since it was hashed? */
bool jl_feed_same(const struct jl_feed *f);
/* A hit has taken the input as the command would have. */
void jl_feed_consumed(struct jl_feed *f);
void jl_feed_release(struct jl_feed *f);

#endif
