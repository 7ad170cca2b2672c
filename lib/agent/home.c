/* An agent's place on its host: see home.h. */
#include "agent/home.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/table.h"
#include "proc/marked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define CACHE_BYTES   (UINT64_C(4) << 30)
#define FULL_BYTES    (UINT64_C(1) << 20)
#define PARTIAL_AGE_S (24 * 3600)
#define NEW_AGE_S     3600 /* a run's folder that has no lock yet */
#define END_LEFT_NS   (2 * JL_NS_S)

/* A record stands for the one blob that has its key as digest: so blobs have an order of use. */
static void own_blob(const void *record, size_t len, struct jl_table *out)
{
	struct jl_digest d;
	if (len != sizeof(d))
		return;
	memcpy(&d, record, sizeof(d));
	*(struct jl_digest *)jl_table_add(out, 1) = d;
}

static int find_dir(struct jl_buf *out, struct jl_err *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (cache && cache[0] == '/')
		jl_buf_printf(out, "%s/jl/agent", cache);
	else if (home && home[0] == '/')
		jl_buf_printf(out, "%s/.cache/jl/agent", home);
	else
		return jl_err_set(err, JL_EINVAL, "no place for the agent: HOME is not set");
	return JL_OK;
}

/* Take one dead agent's folder away. Those that live hold their lock. */
static void sweep_one(int runs, const char *name)
{
	struct jl_buf path = JL_BUF_INIT;
	struct stat st;
	jl_buf_printf(&path, "%s/lock", name);
	int fd = openat(runs, path.data, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool dead = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) == 0
			    : fstatat(runs, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - NEW_AGE_S;
	if (dead) {
		struct jl_marked left = {.names = JL_BUF_INIT};
		jl_buf_clear(&path);
		jl_buf_printf(&path, "JL_AGENT=%s", name);
		jl_marked_end(path.data, END_LEFT_NS, &left);
		jl_buf_release(&left.names);
		(void)!jl_file_remove(&jl_io_system, runs, name, NULL);
	}
	if (fd >= 0)
		close(fd);
	jl_buf_release(&path);
}

static void sweep_partial(int partials, const char *name)
{
	struct stat st;
	int fd = openat(partials, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_mtime < time(NULL) - PARTIAL_AGE_S)
		unlinkat(partials, name, 0);
	close(fd);
}

static void each_in(int dir_fd, const char *path, void (*one)(int dirfd, const char *name))
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	for (struct dirent *d; dir && (d = readdir(dir));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			one(fd, d->d_name);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

static int make_run(struct jl_home *h, struct jl_err *err)
{
	char path[160];
	jl_file_temp_name(h->name, sizeof(h->name));
	snprintf(path, sizeof(path), "run/%s", h->name);
	snprintf(h->mark, sizeof(h->mark), "JL_AGENT=%s", h->name);
	if (mkdirat(h->dir_fd, path, 0700) != 0)
		return jl_err_sys(err, errno, "cannot make \"%s/%s\"", h->dir, path);
	h->run_fd = openat(h->dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->run_fd < 0)
		return jl_err_sys(err, errno, "cannot open \"%s/%s\"", h->dir, path);
	return jl_file_lock(h->run_fd, "lock", false, &h->lock_fd, err);
}

static void open_store(struct jl_home *h, uint64_t cache_bytes)
{
	struct jl_buf path = JL_BUF_INIT;
	jl_buf_printf(&path, "%s/store", h->dir);
	if (jl_store_local_open(&jl_io_system, path.data, false, &h->store, NULL) == JL_OK)
		jl_store_local_rules(h->store, &(struct jl_store_rules){.max_size = cache_bytes ? cache_bytes : CACHE_BYTES,
									.bare = true,
									.blobs_of = own_blob});
	jl_buf_release(&path);
}

int jl_home_open(struct jl_home *h, uint64_t cache_bytes, struct jl_err *err)
{
	struct jl_buf dir = JL_BUF_INIT;
	*h = (struct jl_home){.dir_fd = -1, .run_fd = -1, .lock_fd = -1, .folders = {.children_fd = -1}};
	int r = find_dir(&dir, err);
	if (r == JL_OK)
		r = jl_file_mkdirs(&jl_io_system, AT_FDCWD, dir.data, 0700, err);
	h->dir = jl_buf_detach(&dir, NULL);
	if (r == JL_OK) {
		h->dir_fd = open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (h->dir_fd < 0)
			r = jl_err_sys(err, errno, "cannot open \"%s\"", h->dir);
	}
	if (r == JL_OK)
		r = jl_file_mkdirs(&jl_io_system, h->dir_fd, "run", 0700, err);
	if (r == JL_OK)
		r = jl_file_mkdirs(&jl_io_system, h->dir_fd, "partial", 0700, err);
	if (r == JL_OK) {
		each_in(h->dir_fd, "run", sweep_one);
		each_in(h->dir_fd, "partial", sweep_partial);
		r = make_run(h, err);
	}
	if (r == JL_OK) {
		jl_folders_init(&h->folders, h->run_fd);
		open_store(h, cache_bytes);
	} else {
		jl_home_close(h);
	}
	return r;
}

void jl_home_close(struct jl_home *h)
{
	char path[160];
	if (h->store)
		jl_store_free(h->store);
	jl_folders_release(&h->folders);
	snprintf(path, sizeof(path), "run/%s", h->name);
	if (h->run_fd >= 0)
		(void)!jl_file_remove(&jl_io_system, h->dir_fd, path, NULL);
	int *fds[] = {&h->run_fd, &h->lock_fd, &h->dir_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	free(h->dir);
	h->dir = NULL;
	h->store = NULL;
}

bool jl_home_full(const struct jl_home *h)
{
	struct statvfs st;
	if (fstatvfs(h->run_fd, &st) != 0)
		return false;
	uint64_t blocks = geteuid() == 0 ? st.f_bfree : st.f_bavail;
	return blocks * st.f_frsize < FULL_BYTES || (st.f_files > 0 && st.f_favail == 0);
}

bool jl_home_has(struct jl_home *h, const struct jl_digest *digest)
{
	return h->store && h->store->ops->has_blob(h->store, digest, NULL) == 1;
}

int jl_home_get(struct jl_home *h, const struct jl_digest *digest, uint64_t size, int dst_fd, struct jl_err *err)
{
	if (!h->store)
		return JL_ENOTFOUND;
	(void)h->store->ops->use_record(h->store, digest, NULL); /* first, so that it does not go while it is read */
	return h->store->ops->get_blob(h->store, digest, size, dst_fd, err);
}

int jl_home_put(struct jl_home *h, const struct jl_digest *digest, uint64_t size, int src_fd, struct jl_err *err)
{
	if (!h->store)
		return jl_err_set(err, JL_ENOSPC, "nothing is kept here");
	int r = h->store->ops->put_blob(h->store, digest, size, src_fd, err);
	if (r == JL_OK)
		r = h->store->ops->put_record(h->store, digest, digest, sizeof(*digest), err);
	return r;
}

int jl_home_partial(struct jl_home *h, const struct jl_digest *digest, uint64_t size, char ret_name[128], int *ret_fd,
		    uint64_t *ret_at, struct jl_err *err)
{
	char text[JL_DIGEST_TEXT], unique[JL_FILE_TEMP_SIZE];
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	snprintf(ret_name, 128, "partial/%s", jl_digest_hex(digest, text));
	int fd = openat(h->dir_fd, ret_name, flags, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) { /* another agent of this user receives the same */
		close(fd);
		jl_file_temp_name(unique, sizeof(unique));
		snprintf(ret_name, 128, "partial/%s", unique);
		fd = openat(h->dir_fd, ret_name, flags | O_EXCL, 0600);
	}
	if (fd < 0 || fstat(fd, &st) != 0) {
		int r = jl_err_sys(err, errno, "cannot write \"%s/%s\"", h->dir, ret_name);
		if (fd >= 0)
			close(fd);
		return r;
	}
	*ret_at = (uint64_t)st.st_size <= size ? (uint64_t)st.st_size : 0;
	if (*ret_at == 0 && st.st_size > 0 && ftruncate(fd, 0) != 0)
		*ret_at = 0;
	*ret_fd = fd;
	return JL_OK;
}
