/* Taking a stream of entries in that jl_dump made, or any archive of plain files.
 *
 * All of it or nothing: blobs and records are staged in a folder of the store's `tmp`, plain files beside where they go, each
 * checked against its name's digest; only when the stream has ended well, every record decodes, and each blob that a record
 * names is there, are they put. What is wrong is JL_ECORRUPT or JL_EINVAL, and nothing has changed. A file in the way of an
 * output or of a plain file (JL_EBUSY) is found last: the results are in the store then, and no file was touched.
 */
#ifndef JL_RUN_LOAD_H
#define JL_RUN_LOAD_H

#include "codec/entries.h"
#include "store/store.h"

#include <stdbool.h>

struct jl_load_opts {
	struct jl_store *store;  /* open for writing */
	const char *stage_dir;   /* an existing folder in the store's file system */
	int root_fd;             /* where outputs go, if `place`: their paths are relative to the workspace */
	int here_fd;             /* where plain files go: theirs are relative to the folder they were dumped from */
	bool place;              /* false: a plain file is JL_EINVAL, and outputs stay in the store */
	bool force;              /* what is in the way of a file is replaced */
};
struct jl_load_counts {
	uint64_t records, blobs, bytes; /* taken in */
	uint32_t placed;                /* files and links put in place; those that were there already are not counted */
};

/* Reads to the end of the stream. */
int jl_load(const struct jl_load_opts *o, struct jl_entries_in *in, struct jl_load_counts *ret, struct jl_err *err) JL_MUST_CHECK;

#endif
