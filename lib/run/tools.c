/* See tools.h. */
#include "run/tools.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL      ((off_t)64 << 10)
#define DIGEST_LEN 16
/* A stamp younger than this may stay the same through a later write, also where stamps have whole seconds only. */
#define YOUNG_NS (2 * JL_NS_S)

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * JL_NS_S + t.tv_nsec;
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

static bool read_entry(const char *entry, const struct stat *st, struct jl_digest *ret)
{
	struct jl_buf want = JL_BUF_INIT;
	char have[256];
	bool ok = false;
	int fd = open(entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, have, sizeof(have));

	put_stamp(&want, st);
	if (n == (ssize_t)(want.len + DIGEST_LEN + 8) && memcmp(have, want.data, want.len) == 0) {
		struct jl_cur check = {(const uint8_t *)have + n - 8, (const uint8_t *)have + n, 0};

		ok = jl_cur_u64(&check) == jl_hash64(have, (size_t)n - 8);
		*ret = (struct jl_digest){.algo = JL_DIGEST_XXH3};
		memcpy(ret->b, have + want.len, DIGEST_LEN);
	}
	if (fd >= 0)
		close(fd);
	jl_buf_release(&want);
	return ok;
}

/* Best effort: without it the program is read again next time. */
static void write_entry(const char *store, char *entry, const struct stat *st, const struct jl_digest *d)
{
	struct jl_buf b = JL_BUF_INIT;
	char *slash = strrchr(entry, '/');

	put_stamp(&b, st);
	jl_buf_add(&b, d->b, DIGEST_LEN);
	jl_buf_u64(&b, jl_hash64(b.data, b.len));
	*slash = '\0';
	/* The store itself is not made here: that is its own business, with its version. */
	if (access(store, W_OK) == 0 && jl_file_mkdirs(&jl_io_system, AT_FDCWD, entry, 0700, NULL) == JL_OK) {
		*slash = '/';
		(void)!jl_file_write(&jl_io_system, AT_FDCWD, entry, b.data, b.len, 0600, false, NULL);
	}
	jl_buf_release(&b);
}

int jl_tools_digest(const char *store, bool write, const char *word, const char *path, struct jl_digest *ret,
		    struct jl_err *err)
{
	char found[PATH_MAX], hex[JL_DIGEST_TEXT];
	struct jl_buf entry = JL_BUF_INIT;
	struct jl_digest name, d;
	struct stat st, after;
	uint64_t size;
	int fd = -1, r = jl_spawn_find(word, path, NULL, found, sizeof(found), err);

	if (r == JL_OK && stat(found, &st) != 0)
		r = jl_err_sys(err, errno, "cannot look at \"%s\"", found);
	if (r == JL_OK && !S_ISREG(st.st_mode))
		r = jl_err_set(err, JL_EINVAL, "\"%s\" is no program", found);
	if (r == JL_OK && st.st_size > SMALL && store) {
		jl_digest_bytes(found, strlen(found), &name);
		jl_digest_hex(&name, hex);
		jl_buf_printf(&entry, "%s/prog/%.2s/%s", store, hex, hex);
		if (read_entry(entry.data, &st, ret))
			goto out;
	}
	if (r == JL_OK) {
		fd = open(found, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0 && errno == EACCES) /* may be executed, not read: what it is shows in its stat only */
			jl_digest_bytes(&st.st_mtim, sizeof(st.st_mtim), &d);
		else if (fd < 0)
			r = jl_err_sys(err, errno, "cannot read \"%s\"", found);
		else
			r = jl_digest_fd(&jl_io_system, fd, &d, &size, err);
	}
	if (r == JL_OK && entry.len && write && fd >= 0 && fstat(fd, &after) == 0 && after.st_size == st.st_size &&
	    nanoseconds(after.st_ctim) == nanoseconds(st.st_ctim) &&
	    nanoseconds(st.st_ctim) + YOUNG_NS < jl_clock_real_ns())
		write_entry(store, entry.data, &st, &d);
	if (r == JL_OK)
		*ret = d;
out:
	if (fd >= 0)
		close(fd);
	jl_buf_release(&entry);
	return r;
}
