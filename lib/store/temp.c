/* Temporaries of the local store, and what becomes of damaged files. See local.h. */
#include "store/local.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
int jl_local_temp_commit(struct jl_local *l, int fd, const char *name, int dirfd, const char *path, struct jl_err *err)
{
	const char *slash = strchr(path, '/');
	char folder[JL_LOCAL_PATH];
	int status;

	/* A network file system may tell of a full disk here only. */
	if (l->io->close(l->io, fd) < 0) {
		status = jl_local_put_error(l, errno, path, err);
		goto drop;
	}
	/* The folder may be missing, or go at this moment because it has become empty. */
	for (int i = 0; l->io->renameat(l->io, l->tmp_fd, name, dirfd, path) < 0; i++) {
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
	l->io->unlinkat(l->io, l->tmp_fd, name, 0);
	return status;
}

void jl_local_temp_drop(struct jl_local *l, int fd, const char *name)
{
	l->io->close(l->io, fd);
	l->io->unlinkat(l->io, l->tmp_fd, name, 0);
}

static bool same_file(const struct jl_local *l, int dirfd, const char *path, int fd)
{
	struct stat now, then;

	return l->io->fstat(l->io, fd, &then) < 0 ||
	       l->io->fstatat(l->io, dirfd, path, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	       (now.st_dev == then.st_dev && now.st_ino == then.st_ino);
}

/* Out of the index, into the sum of what lies aside. */
static void note_aside(struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint64_t blocks,
                       bool kept)
{
	pthread_mutex_lock(&l->index_lock);
	if (jl_index_enter(&l->index, NULL) == JL_OK) {
		jl_index_gone(&l->index, kind, digest, blocks);
		l->index.head.aside += kept ? blocks : 0;
		(void)!jl_index_leave(&l->index, NULL);
	}
	pthread_mutex_unlock(&l->index_lock);
}

void jl_local_damaged(struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form, int fd)
{
	const char *what = kind == JL_OBJECT_RECORD ? "record" : "blob", *fate = "it is not used";
	const struct jl_io *io = l->io;
	char path[JL_LOCAL_PATH], to[JL_LOCAL_PATH + 32];
	const int dirfd = jl_local_object_path(l, kind, digest, form, path);
	struct stat st;
	bool moved;

	jl_store_count(&l->s.stats.damaged, 1);
	if (fd >= 0 && !same_file(l, dirfd, path, fd))
		return;
	if (!atomic_load(&l->read_only)) {
		if (io->fstatat(io, dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			st.st_size = 0;
		/* The same thing damaged again takes the same place, so that this cannot grow without end. */
		snprintf(to, sizeof(to), "quarantine/%s-%s", what, path + 3);
		moved = io->renameat(io, dirfd, path, l->root_fd, to) == 0;
		if (!moved && errno == ENOENT) {
			io->mkdirat(io, l->root_fd, "quarantine", 0700);
			moved = io->renameat(io, dirfd, path, l->root_fd, to) == 0;
			if (!moved && errno == ENOENT)
				return; /* another process was faster, and has told */
		}
		if (moved)
			fate = "set aside in quarantine";
		else if (io->unlinkat(io, dirfd, path, 0) == 0)
			fate = "removed, so that it does not stand in the way of a good one";
		note_aside(l, kind, digest, jl_blocks((uint64_t)st.st_size), moved);
	}
	jl_store_warn(&l->s, "store \"%s\": %s %s is damaged: %s", l->dir, what, path + 3, fate);
}

void jl_local_sweep(struct jl_local *l)
{
	const int64_t now_ns = jl_clock_real_ns();
	struct dirent *entry;
	struct stat st;
	int64_t age_ns;
	DIR *dir;
	int fd;

	fd = l->io->openat(l->io, l->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		l->io->close(l->io, fd);
		return;
	}
	for (int i = 0; i < SWEEP_MAX && (entry = readdir(dir)) != NULL; i++) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    l->io->fstatat(l->io, l->tmp_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		age_ns = now_ns - ((int64_t)st.st_mtim.tv_sec * JL_NS_S + st.st_mtim.tv_nsec);
		/* A folder is what was being taken in from an archive: as old as the last file that came into it. */
		if (S_ISDIR(st.st_mode) ? jl_owner_is_old(l, entry->d_name, age_ns) : jl_owner_is_gone(l, entry->d_name, age_ns))
			(void)!jl_file_remove(l->io, l->tmp_fd, entry->d_name, NULL);
	}
	closedir(dir);
}
