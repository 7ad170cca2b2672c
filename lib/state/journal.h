/* The journal: what changed since the snapshot, by name, appended.
 *
 *     format (state/format.h, magic "jljourn\n"), generation u64 of the snapshot it follows (0: none),
 *     XXH3-64 u64 of those 8 bytes
 *     frames: payload length u32, XXH3-64 u64 of the payload, payload
 * Integers are little-endian from the first frame on. A payload is one of
 *     FILE    1 u8, path (length u32, bytes), flags u32, dev u64, ino u64, size u64, mtime_ns u64, ctime_ns u64,
 *             mode u32, digest (algo u8, 32 bytes); with JL_FILE_LIST: listing (length u32, bytes)
 *     RESULT  2 u8, label (length u32, bytes), flags u32, key digest, outs digest, wall_ns u64, when_ns u64; since
 *             version 2: made_s u32, count u32 of the files it was found to depend on, paths (length u32, bytes)
 * The first frame that does not check, and all behind it, are cut off. */
#ifndef JL_STATE_JOURNAL_H
#define JL_STATE_JOURNAL_H

#include "base/buf.h"
#include "state/files.h"
#include "state/results.h"

/* Apply the journal to the tables. *ret_bytes: how much of it is good, 0 when it is absent, damaged from the start,
 * or of another generation. JL_EUNSUPPORTED when it is newer; nothing else is an error. */
int jl_journal_replay(const struct jl_io *io, int dirfd, const char *name, uint64_t generation, struct jl_files *files,
                      struct jl_results *results, uint64_t *ret_bytes, struct jl_err *err) JL_MUST_CHECK;
/* Append a journal's beginning; the frames of all that is dirty. JL_ELIMIT when that does not fit. */
void jl_journal_begin(struct jl_buf *out, uint64_t generation);
int jl_journal_frames(struct jl_buf *out, const struct jl_files *files, const struct jl_results *results) JL_MUST_CHECK;

#endif
