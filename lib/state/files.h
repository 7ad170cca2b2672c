/* struct jl_files: every path of the workspace that jl has looked at, with the stat and digest it had.
 *
 * The promise: jl_files_digest() gives the digest of the content that is there now, without reading it when a stat
 * shows that it cannot have changed. A stamp is (device, inode, size, mtime, ctime, mode), compared for equality,
 * never by order. A stamp so new that a later write could leave it the same ("racy": its ctime not older than the
 * file system's clock by 20 ms, or by 2 s where stamps have whole seconds only) is marked and not trusted: the
 * content is read again next time, or by jl_files_settle() once the clock has moved on.
 *
 * Each path is stat'ed at most once a run unless it is forgotten: the owner calls jl_files_forget() for what a
 * command may have written. Paths are clean and relative to the workspace ("." is the root); an absolute path is
 * allowed for an input outside of it. Ids are indices, good until the state is closed with a keep list; a folder's id
 * is lower than those of what is in it. Not thread-safe; what takes `threads` starts and ends them itself.
 */
#ifndef JL_STATE_FILES_H
#define JL_STATE_FILES_H

#include "base/io.h"
#include "base/map.h"
#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_stamp {
	uint64_t ino;
	int64_t size, mtime_ns, ctime_ns;
	uint32_t dev;  /* folded to 32 bits: 100,000 steps have 200,000 of these */
	uint32_t mode; /* st_mode; 0: there is nothing */
};

enum jl_file_flag {
	JL_FILE_DIGEST = 1,  /* digest belongs to stamp */
	JL_FILE_RACY = 2,    /* ... but the stamp is too new to trust */
	JL_FILE_MADE = 4,    /* jl put this content here (a step's output) and nobody changed it since */
	JL_FILE_LIST = 8,    /* a folder whose listing belongs to stamp */
	JL_FILE_DROPPED = 16, /* jl took it off the disk; stamp and digest are of what it was, and it counts as there */
	JL_FILE_STORED = 31, /* all of the above; those below are of this run only */
	JL_FILE_SEEN = 32,   /* stamp is of this run */
	JL_FILE_DIRTY = 64,  /* to be written */
	/* private */
	JL_FILE_CHANGED = 128,  /* stamp is not the stored one, and that is not yet noted as dirty */
	JL_FILE_WAS_RACY = 256, /* stamp is the stored one, which was racy */
	JL_FILE_PICKED = 512,   /* in the set of paths that is being worked on */
	JL_FILE_HOLDS = 1024,   /* a folder with something dropped below it: it counts as there, too */
};

struct jl_file {
	uint32_t text;       /* path, in the text table */
	uint32_t base;       /* offset of the last component within the path */
	uint32_t dir;        /* id of the folder it is in; JL_NONE for "." and "/" */
	uint32_t flags;
	uint32_t list, list_len; /* JL_FILE_LIST: bytes in files->lists */
	struct jl_stamp stamp;
	struct jl_digest digest; /* FILE: content; LINK: text; else none */
};

struct jl_files {
	const struct jl_io *io;
	int root_fd;
	enum jl_digest_algo algo; /* of digests from now on; one of another is made anew when it is asked for */
	struct jl_table *text;  /* shared */
	struct jl_table at;     /* struct jl_file */
	struct jl_table lists;  /* bytes: listings */
	struct jl_map map;      /* made when first needed */
	int64_t clock_offset_ns; /* the file system's clock minus CLOCK_REALTIME_COARSE */
	uint32_t n_dirty;
	/* private */
	int clock_fd;            /* what to touch to find the offset; -1: nothing, or done */
	struct jl_table dirty;   /* uint32_t: ids, n_dirty of them */
	struct jl_table racy;    /* uint32_t: ids found racy in this run, oldest first, from racy_head on */
	uint32_t racy_head;
	struct jl_table below;   /* struct below: what is in each folder; made when first needed */
	/* counters for tests and -v */
	uint64_t stats, hashes, hashed_bytes;
	uint32_t glob_max;      /* 0: JL_FILES_GLOB_MAX; tests lower it */
	bool any_dropped;       /* something may be */
	uint64_t forgets;       /* grows when something is to be looked at anew or was set: what is derived may be kept till then */
};

static inline struct jl_file *jl_file_at(const struct jl_files *f, uint32_t id)
{
	return JL_AT(f->at, struct jl_file, id);
}
const char *jl_files_path(const struct jl_files *f, uint32_t id);
enum jl_kind jl_file_kind(const struct jl_file *e); /* from the stamp's mode */

/* The id of a path, made (with its folders) when new; find: JL_NONE when unknown. */
uint32_t jl_files_id(struct jl_files *f, const char *path, size_t len);
uint32_t jl_files_find(struct jl_files *f, const char *path, size_t len);

/* Stat many paths at once, relative to their folders' descriptors, on `threads` threads. Those SEEN already are
 * passed over; ids may repeat. A failed stat other than absence leaves the path unseen (the single look will report
 * it). */
void jl_files_prefetch(struct jl_files *f, const uint32_t *ids, uint32_t n, unsigned threads);
/* Make sure the entry's stamp is of this run. When it differs from the stored one (or that was racy) JL_FILE_DIGEST and
 * JL_FILE_LIST go; the old digest's bytes stay for jl_files_digest to compare with (MADE goes when the content
 * differs). */
int jl_files_stat(struct jl_files *f, uint32_t id, struct jl_err *err) JL_MUST_CHECK;
/* Make sure that the digest is the present content's: stat, and hash if needed (a file is stat'ed again after the
 * hashing; a difference is hashed again, up to 3 times, then JL_ECHANGED). Absent: JL_OK with kind ABSENT and no
 * digest. Folders have none. Does not follow links. */
int jl_files_digest(struct jl_files *f, uint32_t id, struct jl_err *err) JL_MUST_CHECK;
/* jl_files_digest for many, files hashed on `threads` threads; the first error is returned after all were tried. */
int jl_files_digest_many(struct jl_files *f, const uint32_t *ids, uint32_t n, unsigned threads,
                         struct jl_err *err) JL_MUST_CHECK;
/* A folder's listing: entries "type u8 (enum jl_kind), name NUL", sorted by name in byte order, borrowed until the next
 * call that may list. From the cache when the folder's stamp is unchanged. JL_ENOTFOUND when it is no folder. */
int jl_files_list(struct jl_files *f, uint32_t id, const char **ret, uint32_t *ret_len,
                  struct jl_err *err) JL_MUST_CHECK;

void jl_files_dirty(struct jl_files *f, uint32_t id); /* it is to be written */
/* The file system's clock, in the steps in which it stamps. The first call may touch clock_fd; later ones are safe on several
 * threads. */
int64_t jl_files_now(struct jl_files *f);

/* Look again at the next use: after a command ran. The folders above are looked at again too, as their listings may
 * have changed. `below`: everything known under the folder too. */
void jl_files_forget(struct jl_files *f, uint32_t id, bool below);
void jl_files_forget_all(struct jl_files *f);
/* Record what the caller just wrote and hashed itself: stamp is of the file as it is. The folders above are forgotten.
 * digest: NULL for a folder. */
void jl_files_set(struct jl_files *f, uint32_t id, const struct stat *st, const struct jl_digest *digest, bool made);
void jl_files_set_made(struct jl_files *f, uint32_t id, bool made);
/* Of what was just set: its mtime was given to it, and lies before its last change. So a later write, which gives it the time of
 * then, cannot leave the stamp as it is, however soon it comes: it is trusted now. */
void jl_files_trust(struct jl_files *f, uint32_t id);

/* What is taken off the disk only to save room (files_dropped.c). The caller has just looked at it (a file whose digest is known, a
 * folder) and removed it: it goes on counting as there, in kinds, digests, listings, globs and trees, until something else is
 * found at its place. */
void jl_files_drop(struct jl_files *f, uint32_t id);
/* The same of what never lay there, or is another at present: from here on, and as long as it is not forgotten, it counts as this.
 * For who writes no state. digest: of a file's content, a link's text. */
void jl_files_pretend(struct jl_files *f, uint32_t id, enum jl_kind kind, uint32_t mode, uint64_t size,
		      const struct jl_digest *digest);
/* Does it count as there without being so? Stats, if that is not of this run. */
bool jl_files_dropped(struct jl_files *f, uint32_t id);
/* From now on it counts as what it is on the disk; below: all that is known under the folder, too. */
void jl_files_undrop(struct jl_files *f, uint32_t id, bool below);
/* To be called once before anything is looked at, where something may have been dropped by earlier runs. */
void jl_files_drop_begin(struct jl_files *f);

/* Look again at every racy entry whose stamp is old enough by now (waiting at most `wait_ns`, in all, for the rest):
 * stat, read again, and trust it, or note the change. Files over 64 MiB are left racy. Cost is by what is settled,
 * not by what is known: an engine may call it with wait_ns 0 whenever it is idle, and then at most 512 are settled a
 * call. */
void jl_files_settle(struct jl_files *f, int64_t wait_ns);

/* All paths that match a glob (base/glob.h), in byte order, files and links only; a pattern that ends in '/' matches
 * folders only. Appends ids to `out` (elements uint32_t). Lists only folders that the pattern can reach. */
#define JL_FILES_GLOB_MAX 10000000u /* paths that one glob may add; more is JL_ELIMIT */
int jl_files_glob(struct jl_files *f, const char *pattern, struct jl_table *out, struct jl_err *err) JL_MUST_CHECK;
/* Everything below a folder (dotfiles too, not `.jl` and `.git` at the workspace's root), folders before their content,
 * in byte order of the whole path. JL_OK with nothing when it is absent. */
int jl_files_tree(struct jl_files *f, uint32_t id, struct jl_table *out, struct jl_err *err) JL_MUST_CHECK;

#endif
