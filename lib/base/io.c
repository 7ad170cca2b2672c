/* The real system calls behind struct jl_io. */
#include "base/io.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

static int sys_openat(const struct jl_io *io, int dirfd, const char *path, int flags, mode_t mode)
{
	(void)io;
	return openat(dirfd, path, flags, mode);
}

static int sys_close(const struct jl_io *io, int fd)
{
	(void)io;
	return close(fd);
}

static ssize_t sys_read(const struct jl_io *io, int fd, void *data, size_t len)
{
	(void)io;
	return read(fd, data, len);
}

static ssize_t sys_pread(const struct jl_io *io, int fd, void *data, size_t len, off_t at)
{
	(void)io;
	return pread(fd, data, len, at);
}

static ssize_t sys_write(const struct jl_io *io, int fd, const void *data, size_t len)
{
	(void)io;
	return write(fd, data, len);
}

static ssize_t sys_pwrite(const struct jl_io *io, int fd, const void *data, size_t len, off_t at)
{
	(void)io;
	return pwrite(fd, data, len, at);
}

static int sys_fsync(const struct jl_io *io, int fd)
{
	(void)io;
	return fsync(fd);
}

static int sys_fstat(const struct jl_io *io, int fd, struct stat *st)
{
	(void)io;
	return fstat(fd, st);
}

static int sys_fstatat(const struct jl_io *io, int dirfd, const char *path, struct stat *st, int flags)
{
	(void)io;
	return fstatat(dirfd, path, st, flags);
}

static int sys_renameat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path)
{
	(void)io;
	return renameat(olddir, old, newdir, new_path);
}

static int sys_linkat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path, int flags)
{
	(void)io;
	return linkat(olddir, old, newdir, new_path, flags);
}

static int sys_unlinkat(const struct jl_io *io, int dirfd, const char *path, int flags)
{
	(void)io;
	return unlinkat(dirfd, path, flags);
}

static int sys_mkdirat(const struct jl_io *io, int dirfd, const char *path, mode_t mode)
{
	(void)io;
	return mkdirat(dirfd, path, mode);
}

static int sys_ftruncate(const struct jl_io *io, int fd, off_t len)
{
	(void)io;
	return ftruncate(fd, len);
}

static int sys_utimensat(const struct jl_io *io, int dirfd, const char *path, const struct timespec times[2], int flags)
{
	(void)io;
	return utimensat(dirfd, path, times, flags);
}

static int sys_lock(const struct jl_io *io, int fd, int cmd, struct flock *range)
{
	(void)io;
	return fcntl(fd, cmd, range);
}

static int sys_fstatfs(const struct jl_io *io, int fd, struct statfs *ret)
{
	(void)io;
	return fstatfs(fd, ret);
}

static int sys_reflink(const struct jl_io *io, int dst_fd, int src_fd)
{
	(void)io;
	return ioctl(dst_fd, FICLONE, src_fd);
}

const struct jl_io jl_io_system = {
	.openat = sys_openat,
	.close = sys_close,
	.read = sys_read,
	.pread = sys_pread,
	.write = sys_write,
	.pwrite = sys_pwrite,
	.fsync = sys_fsync,
	.fstat = sys_fstat,
	.fstatat = sys_fstatat,
	.renameat = sys_renameat,
	.linkat = sys_linkat,
	.unlinkat = sys_unlinkat,
	.mkdirat = sys_mkdirat,
	.ftruncate = sys_ftruncate,
	.utimensat = sys_utimensat,
	.lock = sys_lock,
	.fstatfs = sys_fstatfs,
	.reflink = sys_reflink,
};
