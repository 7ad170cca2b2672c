/* struct jl_store: content-addressed results, behind a table of functions. Many processes and threads at once; no call
 * needs a lock of the caller's. Kinds: local files (below), memory (tests); tiers and remotes come later. One suite,
 * test/unit/store_conform.h, runs over every kind.
 *
 * A record names blobs; blobs are put first, the record last. A record whose blob is gone is a miss (JL_ENOTFOUND),
 * found out when the blob is asked for. Every byte of a blob given out has been checked against its digest; damage is
 * a miss, told through `warn`, and the damaged file is set aside under quarantine/. A record checks itself when it is
 * decoded: on JL_ECORRUPT call damaged_record() and take it for a miss.
 *
 * Layout of a local store: docs/formats/store.md (folders 0700, of the caller; refused if somebody else owns the root).
 * It is kept within caps as it is written (struct jl_store_rules): what was used longest ago goes first, in exact order. A
 * use is a put, use_record() or use_keys(); to read something is none.
 */
#ifndef JL_STORE_STORE_H
#define JL_STORE_STORE_H

#include "base/buf.h"
#include "base/io.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_store_stats {
	uint64_t record_hits, record_misses, records_put, blobs_put, bytes_put, damaged; /* bytes as written: packed */
	uint64_t evicted, bytes_evicted; /* for want of room, or of age */
};

struct jl_table;

struct jl_store_rules {
	uint64_t max_size;   /* bytes on disk, each file rounded up to 4 KiB; 0: no cap */
	uint64_t max_items;  /* files: records and blobs; 0: no cap */
	int64_t max_age_ns;  /* since the last use; 0: no cap */
	bool bare;           /* blobs are not packed */
	/* What a record names: append struct jl_digest. NULL: it names nothing. */
	void (*blobs_of)(const void *record, size_t len, struct jl_table *out);
	int64_t (*real_ns)(void); /* the time of day; NULL: the system's */
};

struct jl_store;
struct jl_store_ops {
	const char *kind;
	/* Append the record's bytes. JL_ENOTFOUND: a miss. */
	int (*get_record)(struct jl_store *s, const struct jl_digest *key, struct jl_buf *out, struct jl_err *err);
	/* Replaces an older record of the key. Atomic: readers see the old or the new one. */
	int (*put_record)(struct jl_store *s, const struct jl_digest *key, const void *data, size_t len, struct jl_err *err);
	/* Take the record away (found to be void); an absent one is fine. */
	int (*drop_record)(struct jl_store *s, const struct jl_digest *key, struct jl_err *err);
	/* The bytes get_record gave do not decode, or hold another key: counts and warns as for any damage, and sets the
	 * record aside. The store cannot see this itself: a record is bytes to it, that check themselves when decoded. */
	int (*damaged_record)(struct jl_store *s, const struct jl_digest *key, struct jl_err *err);
	/* Store `size` bytes of `src_fd` (a regular file, read from its start) as blob `digest`. The bytes are hashed on
	 * the way: JL_ECHANGED if they are not the digest's (the file was changed meanwhile), and nothing is stored.
	 * Present already and of the right size: nothing is read or written. Packs with zstd when a sample shows that it
	 * pays. */
	int (*put_blob)(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int src_fd, struct jl_err *err);
	/* The same from memory. */
	int (*put_bytes)(struct jl_store *s, const struct jl_digest *digest, const void *data, size_t len, struct jl_err *err);
	/* Write the blob into `dst_fd` (an empty regular file, at its start), by reflink where the file system has it.
	 * Checked: on JL_OK dst_fd holds exactly these bytes; else it is empty again. JL_ENOTFOUND: gone or damaged (and
	 * quarantined). */
	int (*get_blob)(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int dst_fd, struct jl_err *err);
	/* Is it there (no check of its bytes)? 1, 0 or a negative status. */
	int (*has_blob)(struct jl_store *s, const struct jl_digest *digest, struct jl_err *err);
	/* The result was found and is used: it is the youngest now, and stays until this process ends (nothing of it is kept
	 * when it is killed). Never fails a caller: a note that cannot be made is only told. NULL: no uses here. */
	int (*use_record)(struct jl_store *s, const struct jl_digest *key, struct jl_err *err);
	/* The same of a record that was just put, so that it is the youngest anyway: it stays. NULL as above. */
	void (*keep_record)(struct jl_store *s, const struct jl_digest *key);
	/* All these were used, without a look at them. NULL as above. */
	int (*use_keys)(struct jl_store *s, const struct jl_digest *keys, uint32_t n, struct jl_err *err);
	void (*free)(struct jl_store *s);
};

struct jl_store {
	const struct jl_store_ops *ops;
	struct jl_store_stats stats;  /* relaxed atomics inside; read when idle */
	/* One line for a person: damage, a read-only folder. May be called from any thread; NULL: dropped. */
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
	/* What is put from memory will be asked for soon: a few megabytes of it stay there till then. Set before it is used. */
	bool soon;
};

/* Open, and make if it is missing, the local store at the absolute path `dir`. read_only: nothing is made or written,
 * puts return JL_OK having done nothing, an absent store misses everything; a folder that turns out not to be writable
 * becomes so by itself, with one warning at the first put. JL_EINVAL: not a store, or owned by somebody else.
 * JL_EUNSUPPORTED: of a newer version. `io` must outlive the store. */
int jl_store_local_open(const struct jl_io *io, const char *dir, bool read_only, struct jl_store **ret,
                        struct jl_err *err) JL_MUST_CHECK;
/* How it is kept, from now on: at once after opening. Without this nothing ever goes. */
void jl_store_local_rules(struct jl_store *s, const struct jl_store_rules *rules);
/* In memory, for tests. */
struct jl_store *jl_store_mem_new(void);
void jl_store_free(struct jl_store *s); /* NULL is fine */

#endif
