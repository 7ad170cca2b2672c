/* What a program is: the digest of its content, kept in the store with the stat it was read at, so that a compiler
 * of 100 MB is not read for each file.
 *
 *     DIR/prog/ab/HEX    one program; HEX: XXH3-128 of its path. "jlprog1\n", then of its stat dev, ino, size,
 * mtime ns, ctime
 *                        ns, mode (u64 each, little-endian), its digest (16 bytes, XXH3-128), and the jl_hash64 of
 * all that An entry that does not fit is no entry. Programs of up to 64 KiB have none: reading one costs no more. */
#ifndef JL_RUN_TOOLS_H
#define JL_RUN_TOOLS_H

#include "digest/digest.h"

/* The digest of the program that `word` means (with `path` as PATH, from the current folder). `store`: the local
 * store's folder, NULL for none; `write`: entries may be made there. JL_ENOTFOUND; JL_EINVAL: it may not be
 * executed. */
int jl_tools_digest(const char *store, bool write, const char *word, const char *path, struct jl_digest *ret,
		    struct jl_err *err) JL_MUST_CHECK;

#endif
