/* See fault_io.h. */
#include "fault_io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

static const struct jl_io *const sys = &jl_io_system;

/* Count the call; true if it is to fail. */
static bool fails(const struct jl_io *io, unsigned op)
{
	struct fault_io *f = io->ctx;
	unsigned call;

	if (!(f->ops & op))
		return false;
	call = ++f->calls;
	if (f->fail_at == 0 || call < f->fail_at || (call > f->fail_at && !f->sticky))
		return false;
	f->failed++;
	errno = f->fail_errno;
	return true;
}

static size_t shorter(const struct jl_io *io, size_t len)
{
	const struct fault_io *f = io->ctx;

	return f->short_io && len > 1 ? len - 1 : len;
}

static int f_openat(const struct jl_io *io, int dirfd, const char *path, int flags, mode_t mode)
{
	return fails(io, FAULT_OPEN) ? -1 : sys->openat(sys, dirfd, path, flags, mode);
}

static int f_close(const struct jl_io *io, int fd)
{
	bool fail = fails(io, FAULT_CLOSE);
	int e = errno, r = sys->close(sys, fd);

	if (!fail)
		return r;
	errno = e;
	return -1;
}

static ssize_t f_read(const struct jl_io *io, int fd, void *data, size_t len)
{
	return fails(io, FAULT_READ) ? -1 : sys->read(sys, fd, data, shorter(io, len));
}

static ssize_t f_pread(const struct jl_io *io, int fd, void *data, size_t len, off_t at)
{
	return fails(io, FAULT_READ) ? -1 : sys->pread(sys, fd, data, shorter(io, len), at);
}

static ssize_t f_write(const struct jl_io *io, int fd, const void *data, size_t len)
{
	struct fault_io *f = io->ctx;

	f->writes++;
	if (!fails(io, FAULT_WRITE))
		return sys->write(sys, fd, data, shorter(io, len));
	if (f->half_write && len > 1 && sys->write(sys, fd, data, len / 2) < 0)
		return -1;
	errno = f->fail_errno;
	return -1;
}

static ssize_t f_pwrite(const struct jl_io *io, int fd, const void *data, size_t len, off_t at)
{
	struct fault_io *f = io->ctx;

	f->writes++;
	if (!fails(io, FAULT_WRITE))
		return sys->pwrite(sys, fd, data, shorter(io, len), at);
	if (f->half_write && len > 1 && sys->pwrite(sys, fd, data, len / 2, at) < 0)
		return -1;
	errno = f->fail_errno;
	return -1;
}

static int f_fsync(const struct jl_io *io, int fd)
{
	((struct fault_io *)io->ctx)->fsyncs++;
	return fails(io, FAULT_FSYNC) ? -1 : sys->fsync(sys, fd);
}

static int f_fstat(const struct jl_io *io, int fd, struct stat *st)
{
	return fails(io, FAULT_STAT) ? -1 : sys->fstat(sys, fd, st);
}

static int f_fstatat(const struct jl_io *io, int dirfd, const char *path, struct stat *st, int flags)
{
	return fails(io, FAULT_STAT) ? -1 : sys->fstatat(sys, dirfd, path, st, flags);
}

static int f_renameat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path)
{
	((struct fault_io *)io->ctx)->renames++;
	return fails(io, FAULT_RENAME) ? -1 : sys->renameat(sys, olddir, old, newdir, new_path);
}

static int f_linkat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path, int flags)
{
	return fails(io, FAULT_LINK) ? -1 : sys->linkat(sys, olddir, old, newdir, new_path, flags);
}

static int f_unlinkat(const struct jl_io *io, int dirfd, const char *path, int flags)
{
	return fails(io, FAULT_UNLINK) ? -1 : sys->unlinkat(sys, dirfd, path, flags);
}

static int f_mkdirat(const struct jl_io *io, int dirfd, const char *path, mode_t mode)
{
	return fails(io, FAULT_MKDIR) ? -1 : sys->mkdirat(sys, dirfd, path, mode);
}

static int f_ftruncate(const struct jl_io *io, int fd, off_t len)
{
	return fails(io, FAULT_TRUNCATE) ? -1 : sys->ftruncate(sys, fd, len);
}

static int f_utimensat(const struct jl_io *io, int dirfd, const char *path, const struct timespec times[2], int flags)
{
	return fails(io, FAULT_TIMES) ? -1 : sys->utimensat(sys, dirfd, path, times, flags);
}

static int f_lock(const struct jl_io *io, int fd, int cmd, struct flock *range)
{
	struct fault_io *f = io->ctx;

	if (f->no_locks) {
		errno = ENOLCK;
		return -1;
	}
	return fails(io, FAULT_LOCK) ? -1 : sys->lock(sys, fd, cmd, range);
}

static int f_fstatfs(const struct jl_io *io, int fd, struct statfs *ret)
{
	int r = fails(io, FAULT_STAT) ? -1 : sys->fstatfs(sys, fd, ret);

	if (r == 0 && ((struct fault_io *)io->ctx)->network)
		ret->f_type = 0x6969; /* NFS */
	return r;
}

/* As FICLONE: all of the source, whatever the two descriptors' places. */
static int clone_by_copy(int dst_fd, int src_fd)
{
	char piece[65536];
	off_t at = 0;
	ssize_t n;

	if (ftruncate(dst_fd, 0) < 0)
		return -1;
	while ((n = pread(src_fd, piece, sizeof(piece), at)) > 0) {
		if (pwrite(dst_fd, piece, (size_t)n, at) != n)
			return -1;
		at += n;
	}
	return n < 0 ? -1 : 0;
}

static int f_reflink(const struct jl_io *io, int dst_fd, int src_fd)
{
	struct fault_io *f = io->ctx;

	f->reflinks++;
	if (fails(io, FAULT_REFLINK))
		return -1;
	return f->clone ? clone_by_copy(dst_fd, src_fd) : sys->reflink(sys, dst_fd, src_fd);
}

void fault_io_init(struct fault_io *f, unsigned fail_at, int fail_errno)
{
	*f = (struct fault_io){
		.io = {
			.openat = f_openat,
			.close = f_close,
			.read = f_read,
			.pread = f_pread,
			.write = f_write,
			.pwrite = f_pwrite,
			.fsync = f_fsync,
			.fstat = f_fstat,
			.fstatat = f_fstatat,
			.renameat = f_renameat,
			.linkat = f_linkat,
			.unlinkat = f_unlinkat,
			.mkdirat = f_mkdirat,
			.ftruncate = f_ftruncate,
			.utimensat = f_utimensat,
			.lock = f_lock,
			.fstatfs = f_fstatfs,
			.reflink = f_reflink,
			.ctx = f,
		},
		.fail_at = fail_at,
		.fail_errno = fail_errno,
		.ops = FAULT_ALL,
	};
}
