/* struct jl_io: every system call by which the store and the state touch files, in one table.
 *
 * Tests replace it to fail call N, to drop unsynced writes, to count. Each entry behaves as the call it is named after:
 * -1 and errno. jl_io_system is the real one. Blocking; safe for several threads as far as the calls are. */
#ifndef JL_BASE_IO_H
#define JL_BASE_IO_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct statfs;

struct jl_io {
	int (*openat)(const struct jl_io *io, int dirfd, const char *path, int flags, mode_t mode);
	int (*close)(const struct jl_io *io, int fd);
	ssize_t (*read)(const struct jl_io *io, int fd, void *data, size_t len);
	ssize_t (*pread)(const struct jl_io *io, int fd, void *data, size_t len, off_t at);
	ssize_t (*write)(const struct jl_io *io, int fd, const void *data, size_t len);
	ssize_t (*pwrite)(const struct jl_io *io, int fd, const void *data, size_t len, off_t at);
	int (*fsync)(const struct jl_io *io, int fd);
	int (*fstat)(const struct jl_io *io, int fd, struct stat *st);
	int (*fstatat)(const struct jl_io *io, int dirfd, const char *path, struct stat *st, int flags);
	int (*renameat)(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path);
	int (*linkat)(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path, int flags);
	int (*unlinkat)(const struct jl_io *io, int dirfd, const char *path, int flags);
	int (*mkdirat)(const struct jl_io *io, int dirfd, const char *path, mode_t mode);
	int (*ftruncate)(const struct jl_io *io, int fd, off_t len);
	int (*utimensat)(const struct jl_io *io, int dirfd, const char *path, const struct timespec times[2], int flags);
	int (*lock)(const struct jl_io *io, int fd, int cmd, struct flock *range); /* fcntl: F_OFD_… */
	int (*fstatfs)(const struct jl_io *io, int fd, struct statfs *ret);
	int (*reflink)(const struct jl_io *io, int dst_fd, int src_fd); /* FICLONE */
	void *ctx; /* the replacement's own */
};

extern const struct jl_io jl_io_system;

#endif
