/* See tools.h. */
#include "run/tools.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "proc/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL      ((off_t)64 << 10)
/* A stamp younger than this may stay the same through a later write, also where stamps have whole seconds only. */
#define YOUNG_NS  (2 * JL_NS_S)
#define KNOWN_MAX 64 /* programs: looked through one by one */
#define FOLDER_MAX 8 /* entries in each of 256 folders */

struct jl_tool {
	char *word, *found;
	struct stat st;
	struct jl_digest digest;
};

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * JL_NS_S + t.tv_nsec;
}

static bool settled(const struct stat *st)
{
	return nanoseconds(st->st_ctim) + YOUNG_NS < jl_clock_real_ns();
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && nanoseconds(a->st_mtim) == nanoseconds(b->st_mtim) &&
	       nanoseconds(a->st_ctim) == nanoseconds(b->st_ctim);
}

/* An entry up to the digest. */
static void put_stamp(struct jl_buf *b, const struct stat *st)
{
	jl_buf_add(b, "jlprog1\n", 8);
	jl_buf_u64(b, st->st_dev);
	jl_buf_u64(b, st->st_ino);
	jl_buf_u64(b, (uint64_t)st->st_size);
	jl_buf_u64(b, (uint64_t)nanoseconds(st->st_mtim));
	jl_buf_u64(b, (uint64_t)nanoseconds(st->st_ctim));
	jl_buf_u64(b, st->st_mode);
}

bool jl_tools_entry(const char *entry, enum jl_digest_algo algo, const struct stat *st, struct jl_digest *ret)
{
	struct jl_digest d = {.algo = algo};
	const size_t digest_len = jl_digest_len(&d);
	struct jl_buf want = JL_BUF_INIT;
	char have[256];
	bool ok = false;
	int fd = open(entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, have, sizeof(have));

	put_stamp(&want, st);
	if (n == (ssize_t)(want.len + digest_len + 8) && memcmp(have, want.data, want.len) == 0) {
		struct jl_cur check = {(const uint8_t *)have + n - 8, (const uint8_t *)have + n, 0};

		ok = jl_cur_u64(&check) == jl_hash64(have, (size_t)n - 8);
		*ret = d;
		memcpy(ret->b, have + want.len, digest_len);
	}
	if (fd >= 0)
		close(fd);
	jl_buf_release(&want);
	return ok;
}

/* Programs that come and go, as those of temporary folders, must not fill the store: the oldest entry of a full folder goes. */
static void thin_out(const char *folder)
{
	int64_t oldest_ns = INT64_MAX;
	char oldest[NAME_MAX + 1] = "";
	unsigned n = 0;
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		n++;
		if (nanoseconds(st.st_mtim) < oldest_ns) {
			oldest_ns = nanoseconds(st.st_mtim);
			memcpy(oldest, entry->d_name, strlen(entry->d_name) + 1);
		}
	}
	if (n >= FOLDER_MAX)
		unlinkat(dirfd(dir), oldest, 0);
	if (dir)
		closedir(dir);
}

/* Best effort: without it the program is read again next time. */
static void write_entry(const char *store, char *entry, const struct stat *st, const struct jl_digest *d)
{
	struct jl_buf b = JL_BUF_INIT;
	char *slash = strrchr(entry, '/');

	put_stamp(&b, st);
	jl_buf_add(&b, d->b, jl_digest_len(d));
	jl_buf_u64(&b, jl_hash64(b.data, b.len));
	*slash = '\0';
	/* The store itself is not made here: that is its own business, with its version. */
	if (access(store, W_OK) == 0 && jl_file_mkdirs(&jl_io_system, AT_FDCWD, entry, 0700, NULL) == JL_OK) {
		thin_out(entry);
		*slash = '/';
		(void)!jl_file_write(&jl_io_system, AT_FDCWD, entry, b.data, b.len, 0600, false, NULL);
	}
	jl_buf_release(&b);
}

/* Read the program at `found`, or its entry in the store. */
static int look(const struct jl_tools *t, const char *found, const struct stat *st, struct jl_digest *ret,
		struct jl_err *err)
{
	struct jl_buf entry = JL_BUF_INIT;
	char hex[JL_DIGEST_TEXT];
	struct jl_digest name, d;
	struct stat after;
	uint64_t size;
	int r = JL_OK, fd = -1;

	if (st->st_size > SMALL && t->store) {
		jl_digest_bytes_as(t->algo, found, strlen(found), &name);
		jl_digest_hex(&name, hex);
		jl_buf_printf(&entry, "%s/prog/%.2s/%s", t->store, hex, hex);
		if (jl_tools_entry(entry.data, t->algo, st, ret))
			goto out;
	}
	fd = open(found, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == EACCES) /* may be executed, not read: what it is shows in its stat only */
		jl_digest_bytes_as(t->algo, &st->st_mtim, sizeof(st->st_mtim), &d);
	else if (fd < 0)
		r = jl_err_sys(err, errno, "cannot read \"%s\"", found);
	else
		r = jl_digest_fd_as(t->algo, &jl_io_system, fd, &d, &size, err);
	if (r == JL_OK && entry.len && t->write && fd >= 0 && fstat(fd, &after) == 0 &&
	    after.st_size == st->st_size && nanoseconds(after.st_ctim) == nanoseconds(st->st_ctim) && settled(st))
		write_entry(t->store, entry.data, st, &d);
	if (r == JL_OK)
		*ret = d;
out:
	if (fd >= 0)
		close(fd);
	jl_buf_release(&entry);
	return r;
}

static int find(const struct jl_tools *t, const char *word, struct jl_buf *ret, struct jl_err *err)
{
	char found[PATH_MAX];
	int r = jl_spawn_find(word, t->path, t->dir, found, sizeof(found), err);

	if (r == JL_OK)
		jl_buf_printf(ret, "%s%s%s", found[0] == '/' ? "" : t->dir, found[0] == '/' ? "" : "/", found);
	return r;
}

void jl_tools_init(struct jl_tools *t, const char *store, bool write, const char *path, const char *dir)
{
	*t = (struct jl_tools){
		.store = store, .algo = JL_DIGEST_XXH3, .write = write, .path = path, .dir = dir,
		.known = JL_TABLE_INIT(struct jl_tool)};
}

void jl_tools_release(struct jl_tools *t)
{
	for (uint32_t i = 0; i < t->known.len; i++) {
		free(JL_AT(t->known, struct jl_tool, i)->word);
		free(JL_AT(t->known, struct jl_tool, i)->found);
	}
	jl_table_release(&t->known);
}

int jl_tools_digest(struct jl_tools *t, const char *word, struct jl_digest *ret, struct jl_err *err)
{
	struct jl_buf found = JL_BUF_INIT;
	struct jl_tool *known = NULL;
	struct stat st;
	int r;

	for (uint32_t i = 0; i < t->known.len && !known; i++)
		if (strcmp(JL_AT(t->known, struct jl_tool, i)->word, word) == 0)
			known = JL_AT(t->known, struct jl_tool, i);
	if (known && stat(known->found, &st) == 0 && same(&st, &known->st)) {
		*ret = known->digest;
		return JL_OK;
	}
	r = find(t, word, &found, err);
	if (r == JL_OK && stat(found.data, &st) != 0)
		r = jl_err_sys(err, errno, "cannot look at \"%s\"", found.data);
	if (r == JL_OK && !S_ISREG(st.st_mode))
		r = jl_err_set(err, JL_EINVAL, "\"%s\" is no program", found.data);
	if (r == JL_OK)
		r = look(t, found.data, &st, ret, err);
	if (r == JL_OK && !known && t->known.len < KNOWN_MAX && settled(&st)) {
		known = jl_table_add(&t->known, 1);
		*known = (struct jl_tool){.word = jl_strdup(word), .found = jl_strdup(found.data), .st = st, .digest = *ret};
	}
	jl_buf_release(&found);
	return r;
}
