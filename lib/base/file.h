/* Whole-file helpers over struct jl_io: read all, write atomically, make folders, remove trees, lock.
 * All block. Descriptors are close-on-exec. Paths are relative to `dirfd` (AT_FDCWD allowed). */
#ifndef JL_BASE_FILE_H
#define JL_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"

#include <stdbool.h>
#include <stdint.h>

/* Append the file's content. JL_ENOTFOUND if it is absent, JL_ELIMIT if it is over out->max, JL_EINVAL if it is no
 * regular file. */
int jl_file_read(const struct jl_io *io, int dirfd, const char *path, struct jl_buf *out, struct jl_err *err)
	JL_MUST_CHECK;
/* The same of an open one, from where its descriptor stands; `path` names it in errors. */
int jl_file_read_fd(const struct jl_io *io, int fd, const char *path, struct jl_buf *out, struct jl_err *err) JL_MUST_CHECK;

/* Replace `path` with the content, or leave it as it was: a unique temporary beside it (".tmp-HOST-PID-RANDOM-N"),
 * write, fsync if `sync`, rename. The temporary is gone on failure. */
int jl_file_write(const struct jl_io *io, int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		  bool sync, struct jl_err *err) JL_MUST_CHECK;

/* The process's umask, without changing it for a moment: other threads make files. */
mode_t jl_file_umask(void);

/* May a file of ours that could grow without end still grow? false: what is free where `fd` is has come down to 1 GiB or a
 * twentieth of it all, whichever is less. Where that cannot be told: true. */
bool jl_file_has_room(int fd);

/* write() until all is written; EINTR and short writes handled. */
int jl_file_write_all(const struct jl_io *io, int fd, const void *data, size_t len, struct jl_err *err)
	JL_MUST_CHECK;

#define JL_FILE_TEMP_SIZE 96 /* bytes that the name of a temporary takes at most */
/* A name no other process or thread will use: ".tmp-" host "-" pid "-" random "-" counter. */
void jl_file_temp_name(char *out, size_t size);
/* What the names begin with that the process `pid` of this host makes. */
void jl_file_temp_prefix(char *out, size_t size, long pid);

/* An empty file without a name in `dir` (NULL or "": /tmp), or in memory where it cannot be there; for reading and writing.
 * -1 and errno. */
int jl_file_nameless(const char *dir);

/* Make every missing folder of `path` (mkdir -p); an existing folder is fine, anything else in the way is an error. */
int jl_file_mkdirs(const struct jl_io *io, int dirfd, const char *path, mode_t mode, struct jl_err *err) JL_MUST_CHECK;

/* Remove a file or a whole tree, never following a symlink. An absent path is fine. */
int jl_file_remove(const struct jl_io *io, int dirfd, const char *path, struct jl_err *err) JL_MUST_CHECK;
/* Remove what lies in a folder for longer than age_s seconds (by its mtime) and bears no leading dot, unless keep() says to keep
 * the name; NULL: none. What cannot be removed stays. `fd` is the folder's, and is closed; negative: nothing to do. */
void jl_file_sweep(const struct jl_io *io, int fd, int64_t age_s, bool (*keep)(const void *ctx, const char *name), const void *ctx);

/* Open `path` beneath `dirfd`, refusing any symlink or ".." that leaves it (openat2, RESOLVE_BENEATH). -1 and errno. */
int jl_file_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* A kernel lock (flock) on `path`, which is created and never unlinked; ends with the process. JL_EBUSY if somebody
 * holds it and !wait; `*ret_fd` keeps it. */
int jl_file_lock(int dirfd, const char *path, bool wait, int *ret_fd, struct jl_err *err) JL_MUST_CHECK;

#endif
