/* The snapshot file: tables as they are in memory, each checked.
 *
 *     format (state/format.h, magic "jlstate\n")
 *     generation u64, table count u32, zero u32
 *     per table: tag 4 bytes, element size u32, count u32, zero u32, sum u64
 *     sum u64: XXH3-64 of all before it
 *     the tables' bytes, one after the other, nothing behind them
 * A table's sum is the XXH3-64 of the XXH3-64s (u64) of its pieces of 256 KiB (the last one shorter; none for an empty
 * table): pieces are read and checked while they are in the processor's cache, on two threads when there are many. */
#ifndef JL_STATE_SNAPSHOT_H
#define JL_STATE_SNAPSHOT_H

#include "base/io.h"
#include "base/table.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_snapshot_table {
	char tag[4];
	struct jl_table *table;
};

struct jl_snapshot_info {
	uint64_t generation, bytes;
	bool all;        /* the tables from `must` on were filled too */
	const char *why; /* static text: what is wrong with it (JL_ECORRUPT) */
};

/* Fill the (empty) tables. The first `must` have to be in the file with their element size; those after are filled
 * only if all of them are. JL_ENOTFOUND: there is none; JL_ECORRUPT: not usable, info->why; JL_EUNSUPPORTED: newer.
 * After a failure the tables are empty. */
int jl_snapshot_read(const struct jl_io *io, int dirfd, const char *name, const struct jl_snapshot_table *tables,
                     uint32_t n, uint32_t must, struct jl_snapshot_info *info, struct jl_err *err) JL_MUST_CHECK;
/* Write a temporary and rename it; after a failure the old file is as it was. */
int jl_snapshot_write(const struct jl_io *io, int dirfd, const char *name, const struct jl_snapshot_table *tables,
                      uint32_t n, uint64_t generation, uint64_t *ret_bytes, struct jl_err *err) JL_MUST_CHECK;

#endif
