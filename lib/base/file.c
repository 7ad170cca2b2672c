/* Whole-file helpers. */
#include "base/file.h"

#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int jl_file_read_fd(const struct jl_io *io, int fd, const char *path, struct jl_buf *out, struct jl_err *err)
{
	struct stat st;

	if (io->fstat(io, fd, &st) < 0)
		return jl_err_sys(err, errno, "cannot read \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return jl_err_set(err, JL_EINVAL, "cannot read \"%s\": not a regular file", path);
	for (;;) {
		/* The size is a hint: files of /proc say 0, others may grow meanwhile. One byte more finds the end. */
		size_t room = out->max - out->len, want;
		uint64_t rest = st.st_size > 0 ? (uint64_t)st.st_size : 0;
		char *to, over;
		ssize_t n;

		if (rest > room)
			return jl_err_set(err, JL_ELIMIT, "\"%s\" is larger than %zu bytes", path, out->max);
		want = rest ? (size_t)rest : 4096;
		if (want > room)
			want = room;
		if (want < room)
			want++;
		if (!want) {
			to = &over;
			want = 1;
		} else if (jl_buf_reserve(out, want, &to) != JL_OK) {
			return jl_err_set(err, JL_ELIMIT, "\"%s\" is larger than %zu bytes", path, out->max);
		}
		n = io->read(io, fd, to, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return jl_err_sys(err, errno, "cannot read \"%s\"", path);
		if (n == 0)
			return JL_OK;
		if (to == &over)
			return jl_err_set(err, JL_ELIMIT, "\"%s\" is larger than %zu bytes", path, out->max);
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		/* As long as stat said, and no byte after it: that was all. */
		if ((uint64_t)n == rest && (size_t)n < want)
			return JL_OK;
		st.st_size -= n;
	}
}

int jl_file_read(const struct jl_io *io, int dirfd, const char *path, struct jl_buf *out, struct jl_err *err)
{
	size_t start = out->len;
	int fd, r;

	/* O_NONBLOCK: a fifo must give an error, not wait for its writer. */
	fd = io->openat(io, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot read \"%s\"", path);
	r = jl_file_read_fd(io, fd, path, out, err);
	if (r != JL_OK)
		jl_buf_truncate(out, start);
	io->close(io, fd);
	return r;
}

mode_t jl_file_umask(void)
{
	struct jl_buf text = JL_BUF_INIT;
	unsigned mask = 022;
	if (jl_file_read(&jl_io_system, AT_FDCWD, "/proc/self/status", &text, NULL) == JL_OK) {
		const char *line = strstr(text.data, "\nUmask:");
		if (line)
			mask = (unsigned)strtoul(line + strlen("\nUmask:"), NULL, 8) & 0777;
	}
	jl_buf_release(&text);
	return (mode_t)mask;
}

bool jl_file_has_room(int fd)
{
	const uint64_t most = (uint64_t)1 << 30;
	struct statvfs st;

	if (fstatvfs(fd, &st) < 0 || st.f_blocks == 0)
		return true;
	uint64_t all = (uint64_t)st.f_blocks * st.f_frsize, reserve = all / 20 < most ? all / 20 : most;
	return (uint64_t)st.f_bavail * st.f_frsize > reserve;
}

int jl_file_write_all(const struct jl_io *io, int fd, const void *data, size_t len, struct jl_err *err)
{
	const char *at = data;

	while (len) {
		ssize_t n = io->write(io, fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return jl_err_sys(err, errno, "cannot write");
		at += n;
		len -= (size_t)n;
	}
	return JL_OK;
}

void jl_file_temp_prefix(char *out, size_t size, long pid)
{
	char host[256];
	size_t n = 0;

	if (gethostname(host, sizeof(host)) < 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	for (; n < 32 && host[n]; n++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", host[n]))
			host[n] = '_';
	}
	host[n] = '\0';
	snprintf(out, size, ".tmp-%s-%ld-", host, pid);
}

void jl_file_temp_name(char *out, size_t size)
{
	/* Threads of one process differ by it, everything else by what stands before. */
	static _Atomic uint64_t counter;
	uint64_t random = 0;
	size_t n;

	jl_file_temp_prefix(out, size, (long)getpid());
	n = strlen(out);
	/* Without random bits (a kernel still starting) host, pid and counter must do. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = 0;
	snprintf(out + n, size - n, "%016llx-%llx", (unsigned long long)random,
		 (unsigned long long)atomic_fetch_add(&counter, 1));
}

static int write_temp(const struct jl_io *io, int dirfd, const char *temp, const char *path, const void *data,
		      size_t len, mode_t mode, bool sync, struct jl_err *err)
{
	struct jl_err inner = JL_ERR_INIT;
	int fd, r;

	fd = io->openat(io, dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot write \"%s\"", path);
	r = jl_file_write_all(io, fd, data, len, &inner);
	if (r != JL_OK)
		r = jl_err_sys(err, inner.sys_errno, "cannot write \"%s\"", path);
	if (r == JL_OK && sync && io->fsync(io, fd) < 0)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", path);
	/* A network file system may report a full disk here only. */
	if (io->close(io, fd) < 0 && r == JL_OK)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", path);
	if (r == JL_OK && io->renameat(io, dirfd, temp, dirfd, path) < 0)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", path);
	if (r != JL_OK)
		io->unlinkat(io, dirfd, temp, 0);
	return r;
}

int jl_file_write(const struct jl_io *io, int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		  bool sync, struct jl_err *err)
{
	struct jl_buf temp = JL_BUF_INIT;
	char name[JL_FILE_TEMP_SIZE];
	int r;

	jl_file_temp_name(name, sizeof(name));
	jl_buf_add(&temp, path, jl_path_base(path, strlen(path)));
	jl_buf_str(&temp, name);
	r = write_temp(io, dirfd, temp.data, path, data, len, mode, sync, err);
	jl_buf_release(&temp);
	return r;
}

/* One folder whose parent exists: 0, or the errno. Whatever mkdir says, a folder that is there is fine (a read-only
 * file system may answer EROFS for it). */
static int make_dir(const struct jl_io *io, int dirfd, const char *path, mode_t mode)
{
	struct stat st;
	int e;

	if (io->mkdirat(io, dirfd, path, mode) == 0)
		return 0;
	e = errno;
	if (e == ENOENT)
		return e;
	if (io->fstatat(io, dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return e == EEXIST ? ENOTDIR : e;
}

int jl_file_mkdirs(const struct jl_io *io, int dirfd, const char *path, mode_t mode, struct jl_err *err)
{
	char *part = NULL;
	int e;

	if (path[0] == '\0')
		return JL_OK;
	e = make_dir(io, dirfd, path, mode);
	/* Some folder above is missing too. Somebody may remove empty folders meanwhile, hence a few rounds. */
	for (int round = 0; e == ENOENT && round < 10; round++) {
		free(part);
		part = jl_strdup(path);
		e = 0;
		for (char *p = part + 1; *p && !e; p++) {
			if (*p != '/' || p[-1] == '/')
				continue;
			*p = '\0';
			e = make_dir(io, dirfd, part, mode);
			*p = '/';
		}
		if (!e)
			e = make_dir(io, dirfd, path, mode);
	}
	free(part);
	if (e == ENOTDIR)
		return jl_err_set(err, JL_EIO, "cannot make folder \"%s\": something else is in the way", path);
	return e ? jl_err_sys(err, e, "cannot make folder \"%s\"", path) : JL_OK;
}

static int remove_at(const struct jl_io *io, int dirfd, const char *name);

/* Empty the folder: 0 or an errno. Takes the descriptor. */
static int remove_content(const struct jl_io *io, int fd)
{
	DIR *dir = fdopendir(fd);
	int e = 0;

	if (!dir) {
		e = errno;
		io->close(io, fd);
		return e;
	}
	while (!e) {
		struct dirent *d;

		errno = 0;
		d = readdir(dir);
		if (!d) {
			e = errno;
			break;
		}
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = remove_at(io, dirfd(dir), d->d_name);
	}
	closedir(dir);
	return e;
}

/* One descriptor is open per level, so the depth is bounded by their limit. 0 or an errno; an absent name is fine. */
static int remove_at(const struct jl_io *io, int dirfd, const char *name)
{
	int fd, e;

	for (int round = 0;; round++) {
		if (io->unlinkat(io, dirfd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR && errno != EPERM)
			return errno;
		e = errno;
		fd = io->openat(io, dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd < 0)
			return errno == ENOENT ? 0 : errno == ENOTDIR || errno == ELOOP ? e : errno;
		e = remove_content(io, fd);
		if (e)
			return e;
		if (io->unlinkat(io, dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		/* Somebody may have put a file there meanwhile. */
		if ((errno != ENOTEMPTY && errno != EEXIST) || round == 10)
			return errno;
	}
}

int jl_file_remove(const struct jl_io *io, int dirfd, const char *path, struct jl_err *err)
{
	int e = remove_at(io, dirfd, path);

	return e && e != ENOTDIR ? jl_err_sys(err, e, "cannot remove \"%s\"", path) : JL_OK;
}

void jl_file_sweep(const struct jl_io *io, int fd, int64_t age_s, bool (*keep)(const void *ctx, const char *name), const void *ctx)
{
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *d; (d = readdir(dir));) {
		if (d->d_name[0] == '.' || fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (st.st_mtime < time(NULL) - age_s && !(keep && keep(ctx, d->d_name)))
			(void)!jl_file_remove(io, fd, d->d_name, NULL);
	}
	closedir(dir);
}

int jl_file_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode & 07777 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	/* EAGAIN: a rename elsewhere made the kernel unsure about "..". */
	for (int round = 0; round < 100; round++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

int jl_file_lock(int dirfd, const char *path, bool wait, int *ret_fd, struct jl_err *err)
{
	int fd, r;

	fd = openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot open lock \"%s\"", path);
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			r = jl_err_set(err, JL_EBUSY, "\"%s\" is locked by another process", path);
		else
			r = jl_err_sys(err, errno, "cannot lock \"%s\"", path);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return JL_OK;
}

int jl_file_nameless(const char *dir)
{
	int fd = open(dir && dir[0] ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* cppcheck-suppress resourceLeak ; it is returned */
	return fd >= 0 ? fd : memfd_create("nameless", MFD_CLOEXEC);
}
