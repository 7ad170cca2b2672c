/* Results and plain files as a stream of entries (codec/entries.h), for an archive that jl_load() takes in again
 * (docs/formats/archive.md):
 *     .jl-dump/version         "jl dump 1\n"
 *     .jl-dump/cas/ab/HEX      a blob, as it is, once
 *     .jl-dump/ac/ab/KEYHEX    a record, behind the blobs that it names
 *     anything else            a plain file, folder or link under its own path
 */
#ifndef JL_RUN_DUMP_H
#define JL_RUN_DUMP_H

#include "base/table.h"
#include "codec/entries.h"
#include "store/store.h"

#define JL_DUMP_FOLDER  ".jl-dump/"
#define JL_DUMP_VERSION 1

struct jl_dump {
	struct jl_store *store;      /* borrowed; may be NULL without keys */
	struct jl_entries_out *out;  /* borrowed */
	struct jl_table sent;        /* struct jl_digest: blobs sent already, with a map: private */
	struct jl_map *sent_map;
	uint64_t records, files, bytes; /* bytes: of contents */
};

void jl_dump_init(struct jl_dump *d, struct jl_store *store, struct jl_entries_out *out);
void jl_dump_release(struct jl_dump *d);
/* A result, whole. JL_ENOTFOUND: the store has not all of it; nothing of it was sent yet when its record is missing. */
int jl_dump_key(struct jl_dump *d, const struct jl_digest *key, struct jl_err *err) JL_MUST_CHECK;
/* A file, link or folder with all below, under its path relative to the current folder. JL_EINVAL: what it leads to cannot be
 * taken in again elsewhere (outside of the current folder, a device, a link outward). */
int jl_dump_path(struct jl_dump *d, const char *path, struct jl_err *err) JL_MUST_CHECK;

#endif
