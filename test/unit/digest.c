/* Digests: known vectors of xxhsum -H2, streams, files, trees. */
#include "digest/digest.h"

#include "base/buf.h"
#include "base/file.h"

#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct jl_io *sys = &jl_io_system;

/* What `xxhsum -H2` prints for the first `len` bytes of sample(). */
static const struct {
	size_t len;
	const char *hex;
} vectors[] = {
	{0, "99aa06d3014798d86001c324468d497f"},      {65535, "ffff9e6d4c063cdf02326c3b72d44b0b"},
	{65536, "27e28f0ad0e10e530d88401380df353c"},  {65537, "dc33d858d0191e0f24c6a1d79039600b"},
	{262144, "4e52c5494cc6732af359d4a0e63fc809"}, {300000, "f4a85497482f28d01c64defc2b162dc9"},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static const uint8_t *sample(void)
{
	static uint8_t data[300000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return data;
}

static void assert_hex(const struct jl_digest *d, const char *hex)
{
	char text[JL_DIGEST_TEXT];

	assert_int_equal(d->algo, JL_DIGEST_XXH3);
	assert_string_equal(jl_digest_hex(d, text), hex);
}

static void agrees_with_xxhsum(void **state)
{
	struct jl_hasher *h = jl_hasher_new();
	struct jl_digest d;

	(void)state;
	jl_digest_bytes("abc", 3, &d);
	assert_hex(&d, "06b05ab6733a618578af5f94892f3950");
	for (size_t i = 0; i < VECTORS; i++) {
		jl_digest_bytes(sample(), vectors[i].len, &d);
		assert_hex(&d, vectors[i].hex);
		/* In uneven pieces; the end may be asked for twice. */
		jl_hasher_reset(h);
		for (size_t at = 0, n = 1; at < vectors[i].len; at += n, n = n * 3 + 1)
			jl_hasher_add(h, sample() + at, vectors[i].len - at < n ? vectors[i].len - at : n);
		jl_hasher_end(h, &d);
		jl_hasher_end(h, &d);
		assert_hex(&d, vectors[i].hex);
	}
	jl_hasher_free(h);
	jl_hasher_free(NULL);
}

static void reads_and_prints_text(void **state)
{
	static const char *const bad[] = {"",
					  "xxh3:",
					  "06b05ab6733a618578af5f94892f395",
					  "06b05ab6733a618578af5f94892f39500",
					  "06B05ab6733a618578af5f94892f3950",
					  "xxh3:06b05ab6733a618578af5f94892f395g",
					  "xxh4:06b05ab6733a618578af5f94892f3950",
					  "sha256:00"};
	struct jl_digest d, e = {0};
	char text[JL_DIGEST_TEXT];

	(void)state;
	jl_digest_bytes("abc", 3, &d);
	assert_string_equal(jl_digest_text(&d, text), "xxh3:06b05ab6733a618578af5f94892f3950");
	assert_int_equal(jl_digest_parse(text, &e, NULL), JL_OK);
	assert_true(jl_digest_equal(&d, &e));
	memset(&e, 0, sizeof(e));
	assert_int_equal(jl_digest_parse(text + 5, &e, NULL), JL_OK);
	assert_true(jl_digest_equal(&d, &e));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(jl_digest_parse(bad[i], &e, NULL), JL_EINVAL);
	assert_true(jl_digest_equal(&d, &e));
	e.b[15] ^= 1;
	assert_false(jl_digest_equal(&d, &e));
	assert_int_equal(jl_digest_len(&d), 16);
	e = (struct jl_digest){0};
	assert_int_equal(jl_digest_len(&e), 0);
	assert_string_equal(jl_digest_hex(&e, text), "");
}

static void reads_files(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_digest d;
	uint64_t size;
	int fd;

	for (size_t i = 0; i < VECTORS; i++) {
		tmpdir_write(t, "f", sample(), vectors[i].len);
		fd = openat(t->fd, "f", O_RDONLY | O_CLOEXEC);
		assert_true(lseek(fd, 0, SEEK_END) >= 0); /* the place of the descriptor does not count */
		assert_int_equal(jl_digest_fd(sys, fd, &d, &size, NULL), JL_OK);
		assert_int_equal(size, vectors[i].len);
		assert_hex(&d, vectors[i].hex);
		close(fd);
	}
	assert_int_equal(jl_digest_fd(sys, t->fd, &d, &size, NULL), JL_EINVAL);
	/* A file whose size stat does not tell. */
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_int_equal(jl_digest_fd(sys, fd, &d, &size, NULL), JL_OK);
	assert_true(size > 0);
	close(fd);
}

/* Interrupted and short reads. */
static ssize_t slow_pread(const struct jl_io *io, int fd, void *data, size_t len, off_t at)
{
	unsigned *calls = io->ctx;

	if ((*calls)++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return sys->pread(sys, fd, data, len > 1000 ? 1000 : len, at);
}

static ssize_t failing_pread(const struct jl_io *io, int fd, void *data, size_t len, off_t at)
{
	(void)io;
	(void)fd;
	(void)data;
	(void)len;
	(void)at;
	errno = EIO;
	return -1;
}

static void survives_short_reads(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_io io = *sys;
	unsigned calls = 0;
	struct jl_digest d;
	uint64_t size;
	int fd;

	io.ctx = &calls;
	for (size_t i = 0; i < VECTORS; i++) {
		tmpdir_write(t, "f", sample(), vectors[i].len);
		fd = openat(t->fd, "f", O_RDONLY | O_CLOEXEC);
		io.pread = slow_pread;
		assert_int_equal(jl_digest_fd(&io, fd, &d, &size, NULL), JL_OK);
		assert_int_equal(size, vectors[i].len);
		assert_hex(&d, vectors[i].hex);
		io.pread = failing_pread;
		assert_int_equal(jl_digest_fd(&io, fd, &d, &size, NULL), JL_EIO);
		close(fd);
	}
}

/* The grammar of the header, written out. */
static void put_entry(struct jl_buf *b, int kind, int executable, const char *path, const char *content)
{
	struct jl_digest d;

	jl_buf_u8(b, (uint8_t)kind);
	jl_buf_u8(b, (uint8_t)executable);
	jl_buf_u32(b, (uint32_t)strlen(path));
	jl_buf_str(b, path);
	jl_buf_u8(b, content ? JL_DIGEST_XXH3 : JL_DIGEST_NONE);
	if (content) {
		jl_digest_bytes(content, strlen(content), &d);
		jl_buf_add(b, d.b, 16);
	}
}

static void make_tree(const struct tmpdir *t)
{
	assert_int_equal(jl_file_mkdirs(sys, t->fd, "d/a/b", 0777, NULL), JL_OK);
	assert_int_equal(jl_file_mkdirs(sys, t->fd, "d/a-", 0700, NULL), JL_OK);
	tmpdir_write(t, "d/a/x", "one", 3);
	tmpdir_write(t, "d/a-/y", "", 0);
	tmpdir_write(t, "d/run", "two", 3);
	assert_int_equal(fchmodat(t->fd, "d/run", 0755, 0), 0);
	assert_int_equal(symlinkat("../nowhere", t->fd, "d/link"), 0);
}

static void digests_folders(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_buf want = JL_BUF_INIT;
	struct jl_digest d, e;
	enum jl_kind kind;

	make_tree(t);
	put_entry(&want, JL_KIND_DIR, 0, "a", NULL);
	put_entry(&want, JL_KIND_DIR, 0, "a-", NULL); /* before a/b: byte order of whole paths */
	put_entry(&want, JL_KIND_FILE, 0, "a-/y", "");
	put_entry(&want, JL_KIND_DIR, 0, "a/b", NULL);
	put_entry(&want, JL_KIND_FILE, 0, "a/x", "one");
	put_entry(&want, JL_KIND_LINK, 0, "link", "../nowhere");
	put_entry(&want, JL_KIND_FILE, 1, "run", "two");
	jl_digest_bytes(want.data, want.len, &e);
	for (unsigned threads = 0; threads < 5; threads++) {
		kind = JL_KIND_ABSENT;
		assert_int_equal(jl_digest_path(sys, t->fd, "d", threads, &kind, &d, NULL), JL_OK);
		assert_int_equal(kind, JL_KIND_DIR);
		assert_true(jl_digest_equal(&d, &e));
	}
	/* Other permissions do not count, the executable bit does, and so does an empty folder. */
	assert_int_equal(fchmodat(t->fd, "d/a/x", 0600, 0), 0);
	assert_int_equal(jl_digest_path(sys, t->fd, "d/", 2, &kind, &d, NULL), JL_OK);
	assert_true(jl_digest_equal(&d, &e));
	assert_int_equal(fchmodat(t->fd, "d/a/x", 0700, 0), 0);
	assert_int_equal(jl_digest_path(sys, t->fd, "d", 2, &kind, &d, NULL), JL_OK);
	assert_false(jl_digest_equal(&d, &e));
	assert_int_equal(fchmodat(t->fd, "d/a/x", 0600, 0), 0);
	assert_int_equal(unlinkat(t->fd, "d/a/b", AT_REMOVEDIR), 0);
	assert_int_equal(jl_digest_path(sys, t->fd, "d", 2, &kind, &d, NULL), JL_OK);
	assert_false(jl_digest_equal(&d, &e));
	jl_buf_release(&want);
}

static void digests_many_files(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_tree_digest td;
	struct jl_digest d, e;
	enum jl_kind kind;
	char path[64];

	jl_tree_digest_init(&td, JL_DIGEST_XXH3);
	assert_int_equal(mkdirat(t->fd, "d", 0777), 0);
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "d/%02d", i);
		assert_int_equal(mkdirat(t->fd, path, 0777), 0);
		jl_tree_digest_add(&td, JL_KIND_DIR, false, path + 2, NULL);
		for (int k = 0; k < 100; k++) {
			snprintf(path, sizeof(path), "d/%02d/%03d", i, k);
			tmpdir_write(t, path, path, strlen(path));
			jl_digest_bytes(path, strlen(path), &d);
			jl_tree_digest_add(&td, JL_KIND_FILE, false, path + 2, &d);
		}
	}
	jl_tree_digest_end(&td, &e);
	assert_int_equal(jl_digest_path(sys, t->fd, "d", 4, &kind, &d, NULL), JL_OK);
	assert_true(jl_digest_equal(&d, &e));
	assert_int_equal(jl_digest_path(sys, AT_FDCWD, t->path, 4, &kind, &d, NULL), JL_OK);
	assert_false(jl_digest_equal(&d, &e));
}

static void digests_single_paths(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_err err = JL_ERR_INIT;
	enum jl_kind kind;
	struct jl_digest d;

	make_tree(t);
	tmpdir_write(t, "abc", "abc", 3);
	assert_int_equal(symlinkat("abc", t->fd, "link"), 0);
	assert_int_equal(jl_digest_path(sys, t->fd, "abc", 2, &kind, &d, NULL), JL_OK);
	assert_int_equal(kind, JL_KIND_FILE);
	assert_hex(&d, "06b05ab6733a618578af5f94892f3950");
	assert_int_equal(jl_digest_path(sys, t->fd, "link", 2, &kind, &d, NULL), JL_OK);
	assert_int_equal(kind, JL_KIND_LINK);
	assert_hex(&d, "06b05ab6733a618578af5f94892f3950"); /* its text happens to be what the file holds */
	assert_int_equal(jl_digest_path(sys, t->fd, "none", 2, &kind, &d, &err), JL_ENOTFOUND);
	assert_non_null(strstr(err.text, "\"none\""));
	assert_int_equal(mkfifoat(t->fd, "d/a/fifo", 0600), 0);
	assert_int_equal(jl_digest_path(sys, t->fd, "d", 2, &kind, &d, &err), JL_EINVAL);
	assert_non_null(strstr(err.text, "\"d/a/fifo\""));
	assert_int_equal(jl_digest_path(sys, t->fd, "d", 2, &kind, &d, NULL), JL_EINVAL);
	assert_int_equal(jl_digest_path(sys, t->fd, "d/a/fifo", 2, &kind, &d, &err), JL_EINVAL);
}

/* A file that cannot be read is named, whichever thread meets it. */
static int refusing_openat(const struct jl_io *io, int dirfd, const char *path, int flags, mode_t mode)
{
	(void)io;
	if (strcmp(path, "x") != 0)
		return sys->openat(sys, dirfd, path, flags, mode);
	errno = EACCES;
	return -1;
}

static void names_what_cannot_be_read(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_err err = JL_ERR_INIT;
	struct jl_io io = *sys;
	enum jl_kind kind;
	struct jl_digest d;

	make_tree(t);
	io.openat = refusing_openat;
	for (unsigned threads = 1; threads < 4; threads++) {
		assert_int_equal(jl_digest_path(&io, t->fd, "d", threads, &kind, &d, &err), JL_EIO);
		assert_string_equal(err.text, "cannot read \"d/a/x\": Permission denied");
	}
	io.openat = sys->openat;
	io.pread = failing_pread;
	assert_int_equal(jl_digest_path(&io, t->fd, "d", 2, &kind, &d, &err), JL_EIO);
	assert_non_null(strstr(err.text, "\"d/"));
}

#define IN_TMPDIR(f) cmocka_unit_test_setup_teardown(f, tmpdir_setup, tmpdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_xxhsum),
		cmocka_unit_test(reads_and_prints_text),
		IN_TMPDIR(reads_files),
		IN_TMPDIR(survives_short_reads),
		IN_TMPDIR(digests_folders),
		IN_TMPDIR(digests_many_files),
		IN_TMPDIR(digests_single_paths),
		IN_TMPDIR(names_what_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
