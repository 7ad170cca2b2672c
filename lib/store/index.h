/* struct jl_index: the file DIR/index, by which a store knows how much it holds and what was used last without looking
 * at its files. A cache of the truth, which the files are: lost or damaged, it is made anew by a scan of the store.
 *
 * A head of fixed size holds the sums; behind it stands one frame for each object that was put or has gone, so that most
 * writers only read and write the head and append. Who has to make room reads the frames into a catalog first, and from
 * then on those that are new.
 *
 *     jl_index_enter(x, err)              the lock; the head is read
 *     jl_index_put(x, …) …                frames are gathered
 *     jl_index_flush(x, err)              frames and head are written; an object gets its name behind that
 *     jl_index_leave(x, err)              the lock is given up
 *
 * The lock is the kernel's, on the first byte of the file (F_OFD_SETLKW), and ends with the process. Where the file system
 * has none it goes without: then two writers may damage the file, which is found out and mended by a scan.
 * Grammar: docs/formats/store.md.
 */
#ifndef JL_STORE_INDEX_H
#define JL_STORE_INDEX_H

#include "base/buf.h"
#include "base/io.h"
#include "store/catalog.h"
#include "store/head.h"

struct jl_local;

struct jl_index {
	struct jl_local *l;
	int fd;                  /* -1: not open yet */
	bool locked;
	bool no_lock;            /* the file system has none; told by the first try */
	bool dirty;              /* the head is to be written */
	struct jl_index_head head; /* as last read or written */
	struct jl_buf frames;    /* to be appended */
	struct jl_catalog catalog;
	bool loaded;             /* the catalog holds the frames up to `at` */
	uint64_t at;
};

void jl_index_init(struct jl_index *x, struct jl_local *l);
void jl_index_release(struct jl_index *x);

/* The lock, the file (made, by a scan where the store holds something), its head. Blocks while another process is in. */
int jl_index_enter(struct jl_index *x, struct jl_err *err) JL_MUST_CHECK;
/* Within: write what changed so far. On failure nothing of it counts, and nothing more may be gathered. */
int jl_index_flush(struct jl_index *x, struct jl_err *err) JL_MUST_CHECK;
/* The same, and give up the lock. */
int jl_index_leave(struct jl_index *x, struct jl_err *err) JL_MUST_CHECK;

/* Has an object that the index tells of its file, as far as who is in can see? Not without locks, nor with what another
 * host's kernel still has to tell us. */
bool jl_index_is_exact(const struct jl_index *x);
/* Within: the catalog is brought up to the end of the file. JL_ECORRUPT is mended by a scan. */
int jl_index_load(struct jl_index *x, struct jl_err *err) JL_MUST_CHECK;
/* Enter and load; what is long is read before. On failure see `locked`. */
int jl_index_enter_loaded(struct jl_index *x, struct jl_err *err) JL_MUST_CHECK;
/* Without the lock, `max_bytes` of the file at most, of what was there when it was last entered. Best effort. */
void jl_index_read_some(struct jl_index *x, uint64_t max_bytes);
/* Within: an object is about to be put, or has gone. Sums, frame, and the catalog if it is loaded. */
void jl_index_put(struct jl_index *x, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form,
                  uint64_t blocks, int64_t used_ns, const struct jl_digest *blobs, uint32_t n_blobs);
void jl_index_gone(struct jl_index *x, enum jl_object_kind kind, const struct jl_digest *digest, uint64_t blocks);
/* Within: that was the time of a use; no later one is before it. */
void jl_index_used(struct jl_index *x, int64_t used_ns);
/* The file holds much that is no more: the loaded catalog is written as a new one. Enters and leaves by itself. */
int jl_index_rewrite(struct jl_index *x, bool always, struct jl_err *err) JL_MUST_CHECK;
/* Look at every file and write the index anew. Enters and leaves by itself; others wait for the writing only. */
int jl_index_rebuild(struct jl_index *x, struct jl_err *err) JL_MUST_CHECK;

/* Just the head of the store at the folder `root_fd`, without a lock; false: none that is right. */
bool jl_index_peek(const struct jl_io *io, int root_fd, struct jl_index_head *ret);

#endif
