/* struct jl_cargo: the files of a job, for executors that have another file system than the caller's.
 *
 * The job runs in a fresh folder that holds `ins` and nothing else. When it has ended, what is there of `outs` lies beneath
 * root_fd before done() is called, each file whole and checked; nothing that is not declared is written. What has been there
 * under the same name is replaced, so the caller makes room before. Paths are clean, relative, below the root.
 *
 * Where the other side has the same file system (`shared`) the job runs in the root itself: `ins` are looked at there, so that what
 * changed here is seen there, and the job leaves what it leaves.
 */
#ifndef JL_EXEC_CARGO_H
#define JL_EXEC_CARGO_H

#include "digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_cargo_in {
	const char *path;
	enum jl_kind kind;         /* FILE, DIR or LINK; a folder's files are entries of their own */
	uint32_t mode;             /* permission bits of a file */
	uint64_t size;             /* of a file */
	struct jl_digest digest;   /* of a file: its content, else not sent */
	const char *text;          /* of a link, else NULL */
	int fd;                    /* of a file: where its content is, a regular file from 3 on, borrowed until done(); 0: at
	                              its path */
};
/* An input of this path is no file of the folder: it is the job's stdin and nothing else (stream[0] names it). */
#define JL_CARGO_STDIN ".jl-stdin"

enum jl_cargo_flag {
	JL_CARGO_FOLDER = 1,       /* the whole folder and all that is in it */
	JL_CARGO_GLOB = 2,         /* path is a pattern */
	JL_CARGO_EXCLUDE = 4,      /* a pattern: not these */
	JL_CARGO_ANY = 8,          /* a file, or a folder and all that is in it, whichever the job makes */
};
struct jl_cargo_out {
	const char *path;
	uint32_t flags;
};

struct jl_cargo {
	int root_fd;               /* borrowed; good until done(), as `have` */
	enum jl_digest_algo algo;  /* of the outputs' digests; JL_DIGEST_NONE: XXH3 */
	const char *shared;        /* the root's absolute path, which is the same folder there: the job runs in it, and nothing is
	                            * sent; NULL: a fresh folder */
	const char *workdir;       /* below the root; "." is the root itself */
	const struct jl_cargo_in *ins;
	uint32_t n_ins;
	const struct jl_cargo_out *outs;
	uint32_t n_outs;
	const char *stream[3];     /* the file below the root that is stdin, stdout, stderr; NULL: none */
	/* Write the content into dst_fd (empty) if it is at hand, so that it need not come over: JL_OK, else it is not. NULL:
	 * nothing is. */
	int (*have)(void *ctx, const struct jl_digest *digest, uint64_t size, int dst_fd);
	void *have_ctx;
};

#endif
