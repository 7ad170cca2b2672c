/* What is known of files outside of any workspace, for those who have none of their own: the digests of system headers, say,
 * with the stamps they were read at, so that a hit stats them and does not read them.
 *
 *     DIR/stamps     in the local store's folder: a journal (state/journal.h) of generation 1 that holds FILE frames only, of
 *                    absolute paths, at most JL_STAMPS_MAX. Replaced as a whole; whoever comes last wins.
 */
#ifndef JL_RUN_STAMPS_H
#define JL_RUN_STAMPS_H

#include "state/files.h"

#define JL_STAMPS_MAX 4096u

/* Take in what is known; a file that is damaged or not there tells nothing. */
void jl_stamps_load(struct jl_files *f, const char *store);
/* Write it anew if one of `files` (ids) was read since. Best effort. */
void jl_stamps_save(struct jl_files *f, const char *store, const uint32_t *files, uint32_t n);

#endif
