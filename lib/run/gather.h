/* struct jl_gather: bytes of one stream of a job, kept until they may be shown. Up to 1 MiB in memory; more goes to the run's one
 * unlinked file (struct jl_spill), as does what is in memory when all gathers together hold more than 8 MiB. What was shown is
 * given back to the disk at once. */
#ifndef JL_RUN_GATHER_H
#define JL_RUN_GATHER_H

#include "base/buf.h"
#include "base/table.h"

#include <stdint.h>

struct jl_spill {
	int fd;             /* -1: not needed yet */
	uint64_t end;
	uint64_t stored;    /* bytes in it that were not shown yet */
	uint64_t in_memory; /* of all gathers */
	uint64_t looked_at; /* `end` when the room was last looked at */
};
#define JL_SPILL_INIT {.fd = -1}
void jl_spill_release(struct jl_spill *s);

struct jl_gather {
	struct jl_table extents; /* in the file, in order, before what is in memory */
	struct jl_buf buf;
};
#define JL_GATHER_INIT {.extents = {.size = sizeof(struct jl_extent)}, .buf = JL_BUF_INIT}
struct jl_extent {
	uint64_t at, len;
};

/* JL_ENOSPC: there is no room for it, or what is left is needed for others (base/file.h); nothing was added. */
int jl_gather_add(struct jl_gather *g, struct jl_spill *s, const void *data, size_t len, struct jl_err *err) JL_MUST_CHECK;
/* What is in memory goes to the file, if that is worth it. */
int jl_gather_park(struct jl_gather *g, struct jl_spill *s, struct jl_err *err) JL_MUST_CHECK;
/* Hand all of it over in order, then it is empty. Negative if it cannot be read back. */
int jl_gather_show(struct jl_gather *g, struct jl_spill *s, void (*show)(void *ctx, const void *data, size_t len), void *ctx,
                   struct jl_err *err) JL_MUST_CHECK;
/* Bytes in the file. */
uint64_t jl_gather_spilled(const struct jl_gather *g);
/* Forget the content; `keep`: not the memory. */
void jl_gather_drop(struct jl_gather *g, struct jl_spill *s, int keep);
static inline int jl_gather_empty(const struct jl_gather *g)
{
	return g->buf.len == 0 && g->extents.len == 0;
}

#endif
