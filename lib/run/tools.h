/* What a program is: the digest of its content, kept in the store with the stat it was read at, so that a compiler
 * of 100 MB is not read for each file.
 *
 *     DIR/prog/ab/HEX    one program; HEX: XXH3-128 of its path. "jlprog1\n", then of its stat dev, ino, size, mtime ns,
 *                        ctime ns, mode (u64 each, little-endian), its digest (16 bytes, XXH3-128; of one by SHA-256 32),
 *                        and the jl_hash64 of all that
 *
 * An entry that does not fit is no entry. Programs of up to 64 KiB have none: reading one costs no more. */
#ifndef JL_RUN_TOOLS_H
#define JL_RUN_TOOLS_H

#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <sys/stat.h>

struct jl_tools {                /* what was found out in this process; strings are borrowed */
	const char *store;       /* the local store's folder, NULL for none */
	bool write;              /* entries may be made there */
	const char *path;        /* as PATH; NULL: the system's default */
	enum jl_digest_algo algo; /* set after init; XXH3 else */
	const char *dir;         /* absolute: the folder that relative names are from */
	struct jl_table known;   /* struct jl_tool */
};

void jl_tools_init(struct jl_tools *t, const char *store, bool write, const char *path, const char *dir);
void jl_tools_release(struct jl_tools *t);
/* The digest of the program that `word` means. One that was asked for before is stat'ed, no more. JL_ENOTFOUND;
 * JL_EINVAL: it may not be executed. */
int jl_tools_digest(struct jl_tools *t, const char *word, struct jl_digest *ret, struct jl_err *err) JL_MUST_CHECK;
/* What the entry at that path says of a program with that stat; false: nothing. */
bool jl_tools_entry(const char *entry, enum jl_digest_algo algo, const struct stat *st, struct jl_digest *ret);

#endif
