/* struct jl_capture: all that a command writes, framed as a record's log is (chunk = stream u8, length u32 LE,
 * bytes), without a cap: in memory up to 1 MiB, beyond that in an unlinked file. And the way back: such a log told
 * as events. */
#ifndef JL_RUN_CAPTURE_H
#define JL_RUN_CAPTURE_H

#include "run/engine.h"

struct jl_capture {
	enum jl_digest_algo algo; /* of its digest: XXH3, or set before the first output */
	const char *tmp_dir;      /* where the file goes; borrowed */
	struct jl_buf buf;        /* what is not in the file */
	size_t chunk;             /* where the last chunk begins in buf; SIZE_MAX: none */
	int fd;                   /* -1: no file yet */
	uint64_t size;            /* of the file */
	struct jl_hasher *hasher; /* over the file */
	struct jl_err err;        /* why it is not whole; status JL_OK: it is */
};

/* A file without a name in `dir` (or in memory, where that cannot be). -1 and errno. */
int jl_capture_file(const char *dir);

void jl_capture_init(struct jl_capture *c, const char *tmp_dir);
void jl_capture_release(struct jl_capture *c);
void jl_capture_add(struct jl_capture *c, int stream, const void *data, size_t len);
/* What came, as a record has it: bytes in memory, or those of c->fd. A failure of add() comes out here. */
int jl_capture_end(struct jl_capture *c, struct jl_content *ret, struct jl_err *err) JL_MUST_CHECK;

/* Tell a stored log chunk by chunk, as output events. JL_ENOTFOUND: the store has it no more; nothing was told. */
int jl_capture_replay(struct jl_engine *e, const char *step, const struct jl_content *log, const char *tmp_dir,
		      struct jl_err *err) JL_MUST_CHECK;

#endif
