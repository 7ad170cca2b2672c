/* The inside of the local store: what its records, blobs and folders share. For lib/store only.
 *
 * A write is: jl_local_temp_open, write, then jl_local_temp_commit or jl_local_temp_drop. No lock is taken anywhere:
 * a temporary has one owner, and a rename shows readers the old file or the new one, whole. */
#ifndef JL_STORE_LOCAL_H
#define JL_STORE_LOCAL_H

#include "base/map.h"
#include "base/table.h"
#include "store/kind.h"

#include <pthread.h>
#include <stdatomic.h>

#define JL_LOCAL_TEMP 128 /* bytes of a temporary's name */
#define JL_LOCAL_PATH 96  /* bytes of "ab/HEX.zst" */

/* Beside enum jl_status, inside the local store: not done since the folder is not writable; told already. */
#define JL_LOCAL_READ_ONLY 1

struct jl_local {
	struct jl_store s; /* first */
	const struct jl_io *io;
	char *dir;                         /* for messages */
	int root_fd, ac_fd, cas_fd, tmp_fd; /* -1: not there, in a store that is only read */
	atomic_bool read_only;
	atomic_bool told;            /* that it is read-only, or that it was asked to be */
	char temp[JL_LOCAL_TEMP];    /* what our temporaries' names begin with */
	atomic_uint temp_count;
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

/* Make an empty temporary, open for reading and writing. */
int jl_local_temp_open(struct jl_local *l, int *ret_fd, char name[JL_LOCAL_TEMP], struct jl_err *err) JL_MUST_CHECK;
/* Close it and give it its name below `dirfd`, making the two-hex folder when that is missing. Takes fd and temporary
 * in any case: on failure both are gone. */
int jl_local_temp_commit(struct jl_local *l, int fd, const char *name, int dirfd, const char *path,
                         struct jl_err *err) JL_MUST_CHECK;
void jl_local_temp_drop(struct jl_local *l, int fd, const char *name);

/* Count, tell and set aside a damaged file. `fd` is the damaged file as it was read (or -1): if the name holds another
 * one by now, somebody has repaired it, and it stays. `what` is "record" or "blob". */
void jl_local_damaged(struct jl_local *l, const char *what, int dirfd, const char *path, int fd);

/* Remove temporaries that nobody will finish. Bounded, best effort. */
void jl_local_sweep(const struct jl_local *l);

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
