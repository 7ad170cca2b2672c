/* The inside of the local store: what its records, blobs and folders share. For lib/store only.
 *
 * A write is: jl_local_temp_open, write, then jl_local_put_object (or, for other files, jl_local_temp_commit) or
 * jl_local_temp_drop. Reading needs no lock: a temporary has one owner, and a rename shows readers the old file or the new
 * one, whole. The index has one, for as long as a few calls take (index.h); names of objects come and go within it, so that
 * it cannot tell otherwise than the files. */
#ifndef JL_STORE_LOCAL_H
#define JL_STORE_LOCAL_H

#include "base/map.h"
#include "base/table.h"
#include "store/hold.h"
#include "store/index.h"
#include "store/kind.h"
#include "store/owner.h"
#include "store/recent.h"
#include "store/uses.h"

#include <pthread.h>
#include <stdatomic.h>

#define JL_LOCAL_TEMP JL_OWNER_NAME
#define JL_LOCAL_PATH 96  /* bytes of "ab/HEX.zst" */

/* Beside enum jl_status, inside the local store: not done since the folder is not writable; told already. */
#define JL_LOCAL_READ_ONLY 1
/* Nor: the temporary is on another file system than its place. */
#define JL_LOCAL_APART 2

struct jl_local {
	struct jl_store s; /* first */
	const struct jl_io *io;
	char *dir;                         /* for messages */
	int root_fd, ac_fd, cas_fd, tmp_fd; /* -1: not there, in a store that is only read */
	int ac_tmp_fd, cas_tmp_fd;   /* for temporaries where ac or cas is a file system of its own; -1: not so far */
	atomic_bool read_only;
	atomic_bool told;            /* that it is read-only, or that it was asked to be */
	struct jl_store_rules rules;
	/* How much there is, in which order it goes, what has to stay. */
	pthread_mutex_t index_lock;
	struct jl_index index;
	struct jl_hold hold;
	struct jl_uses uses;
	int64_t used_ns;             /* the last time given to a use: times of one process never stand still */
	bool noted;                  /* puts of this process may call for a look at the age of things */
	atomic_bool full_told;       /* that something could not be kept for want of room */
	int network;                 /* is it on a file system of the network? -1: not asked yet */
	struct jl_owner owner;       /* of our temporaries */
	struct jl_recent recent;
	/* Blobs that this process has hashed, with their stat then: struct checked of blob.c. */
	pthread_mutex_t checked_lock;
	struct jl_table checked;
	struct jl_map checked_map;
};

/* "ab/HEX" and the suffix. */
void jl_local_path(const struct jl_digest *d, const char *suffix, char out[JL_LOCAL_PATH]);

/* May we write? Says once that we may not, if that was not asked for. */
bool jl_local_writable(struct jl_local *l);
/* A failed call of a put: a folder that is not writable makes the store read-only (JL_LOCAL_READ_ONLY); else the
 * status, never JL_ENOTFOUND, which would be taken for a miss. */
int jl_local_put_error(struct jl_local *l, int sys_errno, const char *what, struct jl_err *err);

/* The time of day, as the rules have it. */
int64_t jl_local_real_ns(const struct jl_local *l);
/* Within the index, or with what was last known of it: a time for a use, later than every one before. */
int64_t jl_local_stamp_ns(struct jl_local *l);
/* The file's time is `used_ns` from now on: 0 or an errno. */
int jl_local_stamp(struct jl_local *l, int dirfd, const char *path, int64_t used_ns);
/* The blob at `path` is there already for a record that is to come. */
void jl_local_want(struct jl_local *l, const char *path);
/* The record was used then, unless it was used later. */
void jl_local_stamp_record(struct jl_local *l, const struct jl_digest *key, int64_t used_ns);
/* Bytes on a network: their stat comes from a cache of this host, and proves nothing. */
bool jl_local_is_remote(struct jl_local *l);

/* Make an empty temporary, open for reading and writing. */
int jl_local_temp_open(struct jl_local *l, int *ret_fd, char name[JL_LOCAL_TEMP], struct jl_err *err) JL_MUST_CHECK;
/* Close it and give it its name in the store. Takes fd and temporary in any case: on failure both are gone. */
int jl_local_temp_commit(struct jl_local *l, int fd, const char *name, const char *path, struct jl_err *err) JL_MUST_CHECK;
/* The two halves of it; to any folder, making the two-hex folder when that is missing. On failure the temporary is gone,
 * but for JL_LOCAL_APART: then jl_local_temp_bring() copies it to a folder beside its place (kept in *apart_fd), whence the
 * rename is to be. */
int jl_local_temp_close(struct jl_local *l, int fd, const char *name, struct jl_err *err) JL_MUST_CHECK;
int jl_local_temp_rename(struct jl_local *l, int from_fd, const char *name, int dirfd, const char *path,
                         struct jl_err *err) JL_MUST_CHECK;
int jl_local_temp_bring(struct jl_local *l, const char *name, int dirfd, int *apart_fd, struct jl_err *err) JL_MUST_CHECK;
void jl_local_temp_drop(struct jl_local *l, int fd, const char *name);

/* What is to become of a temporary that holds an object. */
struct jl_local_object {
	enum jl_object_kind kind;
	const struct jl_digest *digest;
	uint8_t form;                  /* enum jl_codec_id of a blob */
	uint64_t bytes;
	const struct jl_digest *blobs; /* a record names these */
	uint32_t n_blobs;
};
/* The same as jl_local_temp_commit() for an object: what has to go for it goes first, then it is put into the index, then it
 * gets its name, all within the index. JL_ENOSPC: the caps leave no room for it. */
int jl_local_put_object(struct jl_local *l, int fd, const char *name, const struct jl_local_object *o,
                        struct jl_err *err) JL_MUST_CHECK;
/* JL_ENOSPC, told once: it is larger than all of the store may be. */
int jl_local_too_large(struct jl_local *l, struct jl_err *err);
/* An object's file goes, within the index: 0 or an errno. */
int jl_local_remove(struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form);
/* The disk is full: make room for so many bytes. false: there is nothing that may go. */
bool jl_local_free_disk(struct jl_local *l, uint64_t bytes);
/* An object's folder and its path in it. */
int jl_local_object_path(const struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form,
                         char path[JL_LOCAL_PATH]);

/* Count, tell and set aside a damaged file. `fd` is the damaged file as it was read (or -1): if the name holds another
 * one by now, somebody has repaired it, and it stays. */
void jl_local_damaged(struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form, int fd);

/* Remove temporaries in that folder (of the store itself: what is named as one) that nobody will finish. Bounded, best effort. */
void jl_local_sweep(struct jl_local *l, int tmp_fd);

int jl_local_use_record(struct jl_store *s, const struct jl_digest *key, struct jl_err *err);
void jl_local_keep_record(struct jl_store *s, const struct jl_digest *key);
int jl_local_use_keys(struct jl_store *s, const struct jl_digest *keys, uint32_t n, struct jl_err *err);

int jl_local_put_blob(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int src_fd,
                      struct jl_err *err);
int jl_local_put_bytes(struct jl_store *s, const struct jl_digest *digest, const void *data, size_t len,
                       struct jl_err *err);
int jl_local_get_blob(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int dst_fd,
                      struct jl_err *err);
int jl_local_has_blob(struct jl_store *s, const struct jl_digest *digest, struct jl_err *err);
void jl_local_checked_init(struct jl_local *l);
void jl_local_checked_release(struct jl_local *l);

#endif
