/* Looking at every file of a local store: for making the index anew, and for the commands that look after a store. */
#ifndef JL_STORE_SCAN_H
#define JL_STORE_SCAN_H

#include "base/table.h"
#include "digest/digest.h"

struct jl_local;

enum jl_scan_what {
	JL_SCAN_RECORD, /* digest: its key */
	JL_SCAN_BLOB,   /* digest, form */
	JL_SCAN_ASIDE,  /* in quarantine */
	JL_SCAN_SET,    /* a set of keys */
	JL_SCAN_OTHER,  /* all else: temporaries, programs, the index */
};

struct jl_scan_file {
	enum jl_scan_what what;
	const char *path;  /* relative to the store */
	struct jl_digest digest;
	uint8_t form;      /* enum jl_codec_id */
	uint64_t size;
	int64_t mtime_ns;
};

/* `found` is told of each regular file; it may remove it. A file that goes meanwhile is passed over. */
int jl_scan(struct jl_local *l, void (*found)(void *ctx, const struct jl_scan_file *f), void *ctx, struct jl_err *err);
/* Append what the record names: struct jl_digest. Nothing if it cannot be read. */
void jl_scan_blobs(struct jl_local *l, const struct jl_scan_file *record, struct jl_table *out);

#endif
