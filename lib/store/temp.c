/* Temporaries of the local store, and what becomes of damaged files. See local.h. */
#include "store/local.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE     ((size_t)256 << 10)
#define SWEEP_MAX 256
#define TRIES     20

bool jl_local_writable(struct jl_local *l)
{
	if (!atomic_load_explicit(&l->read_only, memory_order_relaxed))
		return true;
	if (!atomic_exchange(&l->told, true))
		jl_store_warn(&l->s, "the store \"%s\" is not writable: it is read, nothing is stored", l->dir);
	return false;
}

int jl_local_put_error(struct jl_local *l, int sys_errno, const char *what, struct jl_err *err)
{
	int status;

	if (sys_errno == EROFS || sys_errno == EACCES || sys_errno == EPERM) {
		atomic_store(&l->read_only, true);
		jl_local_writable(l);
		return JL_LOCAL_READ_ONLY;
	}
	status = jl_err_sys(err, sys_errno, "store \"%s\": cannot write %s", l->dir, what);
	if (status == JL_ENOTFOUND) {
		status = JL_EIO;
		if (err)
			err->status = JL_EIO;
	}
	return status;
}

int jl_local_temp_open(struct jl_local *l, int *ret_fd, char name[JL_LOCAL_TEMP], struct jl_err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd, tries = 0;

	/* A process forked off counts on from the same number, which O_EXCL tells. */
	do {
		jl_owner_file(l, name);
		fd = l->io->openat(l->io, l->tmp_fd, name, flags, 0600);
	} while (fd < 0 && errno == EEXIST && ++tries < 100);
	if (fd < 0)
		return jl_local_put_error(l, errno, "a temporary file", err);
	*ret_fd = fd;
	return JL_OK;
}

/* Nothing here is synced to the disk: that costs a thousand times the rest, for each small file. A power cut may leave
 * an empty or torn file under its name, and that is found out when it is read, since every read checks; it is then a
 * miss, and the step runs again. */
int jl_local_temp_close(struct jl_local *l, int fd, const char *name, struct jl_err *err)
{
	/* A network file system may tell of a full disk here only. */
	int e = l->io->close(l->io, fd) < 0 ? errno : 0;

	if (!e)
		return JL_OK;
	l->io->unlinkat(l->io, l->tmp_fd, name, 0);
	return jl_local_put_error(l, e, "a temporary file", err);
}

int jl_local_temp_rename(struct jl_local *l, int from_fd, const char *name, int dirfd, const char *path,
                         struct jl_err *err)
{
	const char *slash = strchr(path, '/');
	char folder[JL_LOCAL_PATH];
	int status;

	/* The folder may be missing, or go at this moment because it has become empty. */
	for (int i = 0; l->io->renameat(l->io, from_fd, name, dirfd, path) < 0; i++) {
		if (errno == EXDEV && from_fd == l->tmp_fd)
			return JL_LOCAL_APART;
		if (errno != ENOENT || !slash || i == TRIES) {
			status = jl_local_put_error(l, errno, path, err);
			goto drop;
		}
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
		if (l->io->mkdirat(l->io, dirfd, folder, 0700) < 0 && errno != EEXIST) {
			status = jl_local_put_error(l, errno, folder, err);
			goto drop;
		}
	}
	return JL_OK;
drop:
	l->io->unlinkat(l->io, from_fd, name, 0);
	return status;
}

int jl_local_temp_commit(struct jl_local *l, int fd, const char *name, const char *path, struct jl_err *err)
{
	int status = jl_local_temp_close(l, fd, name, err);

	if (status == JL_OK)
		status = jl_local_temp_rename(l, l->tmp_fd, name, l->root_fd, path, err);
	if (status != JL_LOCAL_APART)
		return status;
	l->io->unlinkat(l->io, l->tmp_fd, name, 0);
	return jl_local_put_error(l, EXDEV, path, err);
}

void jl_local_temp_drop(struct jl_local *l, int fd, const char *name)
{
	l->io->close(l->io, fd);
	l->io->unlinkat(l->io, l->tmp_fd, name, 0);
}

/* --- a store of several file systems ----------------------------------------------------------------------------- */

static int open_apart(struct jl_local *l, int dirfd, int *apart_fd)
{
	const struct jl_io *io = l->io;
	int e = 0;

	/* Threads come here one after another: it is made once. */
	pthread_mutex_lock(&l->index_lock);
	if (*apart_fd < 0) {
		if (io->mkdirat(io, dirfd, "tmp", 0700) < 0 && errno != EEXIST)
			e = errno;
		if (!e)
			*apart_fd = io->openat(io, dirfd, "tmp", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (!e && *apart_fd < 0)
			e = errno;
		if (!e)
			jl_local_sweep(l, *apart_fd);
	}
	pthread_mutex_unlock(&l->index_lock);
	return e;
}

static int copy(const struct jl_io *io, int from, int to, struct jl_err *err)
{
	char *piece = jl_alloc_pages(PIECE);
	int status = JL_OK;
	ssize_t n = 0;

	while (status == JL_OK && ((n = io->read(io, from, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))) {
		if (n > 0)
			status = jl_file_write_all(io, to, piece, (size_t)n, err);
	}
	if (status == JL_OK && n < 0)
		status = jl_err_sys(err, errno, "cannot read a temporary file");
	free(piece);
	return status;
}

int jl_local_temp_bring(struct jl_local *l, const char *name, int dirfd, int *apart_fd, struct jl_err *err)
{
	const struct jl_io *io = l->io;
	struct jl_err inner = JL_ERR_INIT;
	int from = -1, to = -1, e = open_apart(l, dirfd, apart_fd), status = JL_OK;

	if (!e && (from = io->openat(io, l->tmp_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)) < 0)
		e = errno;
	if (!e && (to = io->openat(io, *apart_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		e = errno;
	if (!e && copy(io, from, to, &inner) != JL_OK)
		e = inner.sys_errno;
	if (from >= 0)
		io->close(io, from);
	if (to >= 0 && io->close(io, to) < 0 && !e)
		e = errno;
	if (e) {
		status = jl_local_put_error(l, e, "a temporary file", err);
		if (to >= 0)
			io->unlinkat(io, *apart_fd, name, 0);
	}
	io->unlinkat(io, l->tmp_fd, name, 0);
	return status;
}

/* --- damage ------------------------------------------------------------------------------------------------------ */

struct object {
	enum jl_object_kind kind;
	const struct jl_digest *digest;
	const char *what;
	int dirfd, fd; /* fd: as it was read, or -1 */
	char path[JL_LOCAL_PATH];
};

static bool same_file(const struct jl_local *l, int dirfd, const char *path, int fd)
{
	struct stat now, then;

	return l->io->fstat(l->io, fd, &then) < 0 ||
	       l->io->fstatat(l->io, dirfd, path, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	       (now.st_dev == then.st_dev && now.st_ino == then.st_ino);
}

enum fate { LEFT, ASIDE, REMOVED, REPAIRED };

/* Out of its place, and into quarantine if that can be; within the index if `entered`. */
static enum fate set_aside(struct jl_local *l, const struct object *o, bool entered)
{
	const struct jl_io *io = l->io;
	char to[JL_LOCAL_PATH + 32];
	enum fate fate = LEFT;
	uint64_t blocks;
	struct stat st;

	if (o->fd >= 0 && !same_file(l, o->dirfd, o->path, o->fd))
		return REPAIRED;
	if (io->fstatat(io, o->dirfd, o->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? REPAIRED : LEFT; /* another process was faster, and has told */
	blocks = jl_blocks((uint64_t)st.st_size);
	/* It counts before it is there: what dies in between leaves a sum that is too high, not too low. */
	l->index.head.aside += entered ? blocks : 0;
	l->index.dirty = entered;
	if (entered && jl_index_flush(&l->index, NULL) != JL_OK)
		entered = false;
	/* The same thing damaged again takes the same place, so that this cannot grow without end. */
	snprintf(to, sizeof(to), "quarantine/%s-%s", o->what, o->path + 3);
	if (io->renameat(io, o->dirfd, o->path, l->root_fd, to) == 0 ||
	    (errno == ENOENT && (io->mkdirat(io, l->root_fd, "quarantine", 0700) == 0 || errno == EEXIST) &&
	     io->renameat(io, o->dirfd, o->path, l->root_fd, to) == 0))
		fate = ASIDE;
	else if (io->unlinkat(io, o->dirfd, o->path, 0) == 0)
		fate = REMOVED;
	if (entered && fate != ASIDE) {
		l->index.head.aside -= blocks;
		l->index.dirty = true;
	}
	if (entered && fate != LEFT)
		jl_index_gone(&l->index, o->kind, o->digest, blocks);
	return fate;
}

void jl_local_damaged(struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form, int fd)
{
	static const char *const told[] = {"it is not used", "set aside in quarantine",
	                                   "removed, so that it does not stand in the way of a good one"};
	struct object o = {.kind = kind, .digest = digest, .fd = fd, .what = kind == JL_OBJECT_RECORD ? "record" : "blob"};
	enum fate fate = LEFT;
	bool entered;

	jl_store_count(&l->s.stats.damaged, 1);
	o.dirfd = jl_local_object_path(l, kind, digest, form, o.path);
	if (!atomic_load(&l->read_only)) {
		pthread_mutex_lock(&l->index_lock);
		entered = jl_index_enter(&l->index, NULL) == JL_OK;
		fate = set_aside(l, &o, entered);
		if (entered)
			(void)!jl_index_leave(&l->index, NULL);
		pthread_mutex_unlock(&l->index_lock);
	} else if (fd >= 0 && !same_file(l, o.dirfd, o.path, fd)) {
		fate = REPAIRED;
	}
	if (fate != REPAIRED)
		jl_store_warn(&l->s, "store \"%s\": %s %s is damaged: %s", l->dir, o.what, o.path + 3, told[fate]);
}

/* --- temporaries of others --------------------------------------------------------------------------------------- */

void jl_local_sweep(struct jl_local *l, int tmp_fd)
{
	const int64_t now_ns = jl_clock_real_ns();
	struct dirent *entry;
	struct stat st;
	int64_t age_ns;
	DIR *dir;
	int fd;

	fd = l->io->openat(l->io, tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		l->io->close(l->io, fd);
		return;
	}
	for (int i = 0; i < SWEEP_MAX && (entry = readdir(dir)) != NULL; i++) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    (tmp_fd == l->root_fd && strncmp(entry->d_name, ".tmp-", 5) != 0) ||
		    l->io->fstatat(l->io, tmp_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		age_ns = now_ns - ((int64_t)st.st_mtim.tv_sec * JL_NS_S + st.st_mtim.tv_nsec);
		/* A folder is what was being taken in from an archive: as old as the last file that came into it. */
		if (S_ISDIR(st.st_mode) ? jl_owner_is_old(l, entry->d_name, age_ns) : jl_owner_is_gone(l, entry->d_name, age_ns))
			(void)!jl_file_remove(l->io, tmp_fd, entry->d_name, NULL);
	}
	closedir(dir);
}
