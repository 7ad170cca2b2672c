/* struct jl_state: the workspace's memory, `.jl/state` beside the manifest. Local; a cache that may be deleted at any
 * time.
 *
 * It holds tables (base/table.h): text, files (state/files.h), results (state/results.h), and tables of the caller's
 * (the compiled plan), all referring to each other by index. On disk: a snapshot (all tables, each checked, written
 * to a temporary and renamed) plus a journal of what changed since (frames by name, appended, each with length and
 * checksum; a torn tail is cut at the last good frame). Loading reads each table straight into its own memory: a
 * snapshot is ready when it is read, with no parsing and no hash map; maps by name are made when first asked for.
 *
 *     .jl/state     all tables (state/snapshot.h)
 *     .jl/journal   frames, FILE and RESULT, by name (state/journal.h); ignored if of another generation
 *     .jl/lock      held (flock) by a run; content: "pid N, COMMAND, since TIME\n" for the message of who waits
 * Missing, damaged or older: starts empty (`why_empty` says it, NULL when simply absent). Newer: JL_EUNSUPPORTED, and
 * left alone. Writes: nothing at all when nothing changed.
 */
#ifndef JL_STATE_STATE_H
#define JL_STATE_STATE_H

#include "base/io.h"
#include "base/table.h"
#include "state/files.h"
#include "state/results.h"

#include <stdbool.h>

struct jl_state_extra { /* a table of the caller's that lives in the snapshot */
	char tag[4];
	struct jl_table *table; /* size set; where a snapshot has another size for a tag, all of `extra` are left empty */
};

struct jl_state {
	const struct jl_io *io;
	int root_fd;  /* the workspace folder */
	int dir_fd;   /* .jl; -1 if absent in a read-only open */
	struct jl_table text;       /* bytes; offset 0 is "" */
	struct jl_files files;
	struct jl_results results;
	struct jl_state_extra *extra;
	uint32_t n_extra;
	const char *why_empty;      /* static text or NULL */
	bool read_only;
	/* private */
	uint64_t generation;
	uint64_t journal_bytes;      /* of it, those that are good; 0: it is absent or not of this generation */
	uint64_t snapshot_bytes;
	int journal_fd;
	bool journal_bad;            /* a write failed and could not be undone: nothing may be appended */
	bool must_snapshot;
	uint64_t bytes_written;     /* by this process, for tests and statistics */
};

/* Open the state of the workspace at `root` (absolute). read_only: takes no lock, makes and writes nothing. Otherwise
 * makes .jl (0777 & ~umask) and expects the caller to hold the lock. All of `extra` (copied) are filled or left empty
 * together. */
int jl_state_open(const struct jl_io *io, const char *root, bool read_only, const struct jl_state_extra *extra,
                  uint32_t n_extra, struct jl_state **ret, struct jl_err *err) JL_MUST_CHECK;
/* A state of the folder `root` that begins empty and is never written: nothing of `.jl` is looked at. For what has no
 * workspace of its own. End it with jl_state_drop(). */
int jl_state_open_empty(const struct jl_io *io, const char *root, struct jl_state **ret, struct jl_err *err) JL_MUST_CHECK;
/* Take the workspace's lock before jl_state_open: JL_EBUSY with the holder's line in `holder` when !wait. *ret_fd
 * keeps it. */
int jl_state_lock(const char *root, bool wait, const char *command, char *holder, size_t holder_size, int *ret_fd,
                  struct jl_err *err) JL_MUST_CHECK;

/* Append what is dirty to the journal, in one write. Cheap when nothing is. A failure to write is reported once by the
 * caller and does not end a run: the state is a cache. */
int jl_state_flush(struct jl_state *s, struct jl_err *err) JL_MUST_CHECK;
/* The caller's tables changed: jl_state_close writes a snapshot. */
void jl_state_plan_changed(struct jl_state *s);
/* Settle what needs no waiting of the racy files (state/files.h; a caller that can spare 25 ms so that the next run
 * need not read its youngest outputs again calls jl_files_settle() before), flush, and write a new snapshot if the
 * plan changed or the journal has grown past max(64 KiB, a quarter of the snapshot). keep_files / keep_results: when
 * not NULL, one byte per index, 0 = drop the entry; the caller's tables are then written empty (their indices are
 * gone) and text is packed. Then free everything. */
int jl_state_close(struct jl_state *s, const uint8_t *keep_files, const uint8_t *keep_results,
                   struct jl_err *err) JL_MUST_CHECK;
/* Free without writing. */
void jl_state_drop(struct jl_state *s);

#endif
