/* Folders of jobs: see folder.h. */
#include "agent/folder.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 40, CHILDREN_SIZE = 4096, SPARE_MOST = 64 };

/* By the clock that we read: on a network's file system it is another machine's. */
static bool clock_is_ours(int fd)
{
	static const unsigned long kinds[] = {TMPFS_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
					       OVERLAYFS_SUPER_MAGIC};
	struct statfs fs;
	if (fstatfs(fd, &fs) != 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((unsigned long)fs.f_type == kinds[i])
			return true;
	return false;
}

void jl_folders_init(struct jl_folders *f, int run_fd)
{
	*f = (struct jl_folders){.run_fd = run_fd,
				 .children_fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC),
				 .stamps_count = clock_is_ours(run_fd)};
}

void jl_folders_release(struct jl_folders *f)
{
	while (f->spare) {
		struct jl_folder *one = f->spare;
		f->spare = one->next;
		free(one);
	}
	if (f->children_fd >= 0)
		close(f->children_fd);
	f->children_fd = -1;
}

static const char *path_of(const struct jl_folder *one, int part, char out[PATH_SIZE])
{
	static const char *const below[JL_FOLDER_PARTS] = {"", "/tmp", "/w"};
	snprintf(out, PATH_SIZE, "%s%s", one->name, below[part]);
	return out;
}

static bool look(const struct jl_folders *f, const struct jl_folder *one, int part, struct jl_folder_stamp *ret)
{
	char path[PATH_SIZE];
	struct stat st;
	if (fstatat(f->run_fd, path_of(one, part, path), &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	*ret = (struct jl_folder_stamp){.inode = st.st_ino,
					.changed_ns = (int64_t)st.st_ctim.tv_sec * JL_NS_S + st.st_ctim.tv_nsec};
	return true;
}

static void take_away(const struct jl_folders *f, struct jl_folder *one, int part)
{
	char path[PATH_SIZE];
	if (!one->there[part])
		return;
	path_of(one, part, path);
	if (unlinkat(f->run_fd, path, AT_REMOVEDIR) != 0 && errno != ENOENT)
		(void)!jl_file_remove(&jl_io_system, f->run_fd, path, NULL);
	one->there[part] = false;
}

static void discard(const struct jl_folders *f, struct jl_folder *one)
{
	for (int part = JL_FOLDER_PARTS - 1; part >= 0; part--)
		take_away(f, one, part);
	free(one);
}

/* Make what is not there. False, with errno: it cannot be. */
static bool complete(struct jl_folders *f, struct jl_folder *one)
{
	char path[PATH_SIZE];
	bool added = false, ok = true;
	if (!one->there[JL_FOLDER_ITSELF]) /* and never under a name that somebody may know */
		snprintf(one->name, sizeof(one->name), "%llu", (unsigned long long)++f->last);
	for (int part = 0; part < JL_FOLDER_PARTS && ok; part++) {
		if (one->there[part])
			continue;
		ok = mkdirat(f->run_fd, path_of(one, part, path), part == JL_FOLDER_WORK ? 0777 : 0700) == 0;
		one->there[part] = ok;
		added = true;
		if (ok && part != JL_FOLDER_ITSELF)
			ok = look(f, one, part, &one->stamps[part]);
	}
	/* Last: its stamp changes with what is in it. */
	return ok && (!added || look(f, one, JL_FOLDER_ITSELF, &one->stamps[JL_FOLDER_ITSELF]));
}

/* Is a change from now on a change of its stamps? */
static bool has_rested(const struct jl_folder *one, int64_t now_ns)
{
	bool rested = true;
	for (int part = 0; part < JL_FOLDER_PARTS; part++)
		rested &= one->stamps[part].changed_ns < now_ns;
	return rested;
}

int jl_folders_take(struct jl_folders *f, struct jl_folder **ret, struct jl_err *err)
{
	int64_t now = jl_folders_now();
	struct jl_folder **at = &f->spare, *one;
	while (*at && !has_rested(*at, now))
		at = &(*at)->next;
	one = *at;
	if (one) {
		*at = one->next;
		f->n_spare--;
		*ret = one;
		return JL_OK;
	}
	one = jl_calloc(1, sizeof(*one));
	if (!complete(f, one)) {
		int r = jl_err_sys(err, errno, "cannot make a folder for the job");
		discard(f, one);
		return r;
	}
	*ret = one;
	return JL_OK;
}

int64_t jl_folders_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (int64_t)t.tv_sec * JL_NS_S + t.tv_nsec;
}

/* The list is whole as long as nobody takes from it while it is read, and only we do, by reaping. What ends meanwhile hands its
 * children on to its end. */
bool jl_folders_alone(const struct jl_folders *f, const pid_t *others, size_t n)
{
	char text[CHILDREN_SIZE];
	ssize_t len = f->children_fd >= 0 ? pread(f->children_fd, text, sizeof(text) - 1, 0) : -1;
	if (len < 0 || len == (ssize_t)sizeof(text) - 1)
		return false;
	text[len] = '\0';
	char *at = text, *end;
	for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
		size_t i = 0;
		while (i < n && others[i] != (pid_t)pid)
			i++;
		if (i == n)
			return false;
		at = end;
	}
	return true;
}

static bool unchanged(const struct jl_folders *f, const struct jl_folder *one, int part, int64_t began_ns)
{
	const struct jl_folder_stamp *was = &one->stamps[part];
	struct jl_folder_stamp is;
	/* Whole seconds only: the file system has no finer stamps. */
	return was->changed_ns < began_ns && was->changed_ns % JL_NS_S != 0 && look(f, one, part, &is) &&
	       is.inode == was->inode && is.changed_ns == was->changed_ns;
}

void jl_folders_give(struct jl_folders *f, struct jl_folder *one, bool alone, bool written, int64_t began_ns)
{
	bool keep = alone && f->stamps_count && unchanged(f, one, JL_FOLDER_ITSELF, began_ns);
	bool whole = true;
	for (int part = JL_FOLDER_PARTS - 1; part >= 0; part--) {
		bool clean = keep && (part == JL_FOLDER_ITSELF || ((part != JL_FOLDER_WORK || !written) &&
								   unchanged(f, one, part, began_ns)));
		if (!clean)
			take_away(f, one, part);
		whole &= clean;
	}
	if (!f->stamps_count || f->children_fd < 0 || f->n_spare >= SPARE_MOST || !complete(f, one)) {
		discard(f, one);
		return;
	}
	/* What is new goes to the end, to rest. */
	struct jl_folder **at = &f->spare;
	while (!whole && *at)
		at = &(*at)->next;
	one->next = *at;
	*at = one;
	f->n_spare++;
}
