/* Whole-file helpers, over the real calls and over ones that fail. */
#include "base/file.h"

#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

static void reads_and_writes(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_buf b = JL_BUF_INIT;
	struct stat st;

	assert_int_equal(jl_file_write(sys, t->fd, "f", "hello", 5, 0640, true, NULL), JL_OK);
	assert_int_equal(jl_file_read(sys, t->fd, "f", &b, NULL), JL_OK);
	assert_string_equal(b.data, "hello");
	assert_int_equal(fstatat(t->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777 & ~0640, 0);
	/* Replaced, not rewritten; read appends. */
	assert_int_equal(jl_file_write(sys, t->fd, "f", " there", 6, 0640, false, NULL), JL_OK);
	assert_int_equal(jl_file_read(sys, t->fd, "f", &b, NULL), JL_OK);
	assert_string_equal(b.data, "hello there");
	assert_int_equal(mkdirat(t->fd, "d", 0777), 0);
	assert_int_equal(jl_file_write(sys, t->fd, "d/g", NULL, 0, 0600, false, NULL), JL_OK);
	jl_buf_clear(&b);
	assert_int_equal(jl_file_read(sys, t->fd, "d/g", &b, NULL), JL_OK);
	assert_int_equal(b.len, 0);
	assert_int_equal(tmpdir_count(t, "."), 2);
	assert_int_equal(tmpdir_count(t, "d"), 1);
	/* A size that stat does not tell. */
	assert_int_equal(jl_file_read(sys, AT_FDCWD, "/proc/self/status", &b, NULL), JL_OK);
	assert_true(b.len > 100);
	jl_buf_release(&b);
}

static void read_refuses(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_err e = JL_ERR_INIT;
	struct jl_buf b;

	jl_buf_init(&b, 10);
	jl_buf_str(&b, "xx");
	assert_int_equal(jl_file_read(sys, t->fd, "none", &b, &e), JL_ENOTFOUND);
	assert_non_null(strstr(e.text, "\"none\""));
	assert_int_equal(jl_file_read(sys, t->fd, ".", &b, &e), JL_EINVAL);
	assert_int_equal(mkfifoat(t->fd, "fifo", 0600), 0);
	assert_int_equal(jl_file_read(sys, t->fd, "fifo", &b, &e), JL_EINVAL);
	tmpdir_write(t, "nine", "123456789", 9);
	assert_int_equal(jl_file_read(sys, t->fd, "nine", &b, &e), JL_ELIMIT);
	assert_int_equal(jl_file_read(sys, AT_FDCWD, "/proc/self/status", &b, &e), JL_ELIMIT);
	assert_string_equal(b.data, "xx");
	tmpdir_write(t, "eight", "12345678", 8);
	assert_int_equal(jl_file_read(sys, t->fd, "eight", &b, &e), JL_OK);
	assert_string_equal(b.data, "xx12345678");
	jl_buf_release(&b);
}

/* One call that fails with an errno, once or always; short writes; interrupted calls. */
struct faulty {
	struct jl_io io;
	const char *fail;
	int error;
	unsigned writes;
};

static int faulty_fsync(const struct jl_io *io, int fd)
{
	const struct faulty *f = io->ctx;

	if (strcmp(f->fail, "fsync") != 0)
		return sys->fsync(sys, fd);
	errno = f->error;
	return -1;
}

static int faulty_close(const struct jl_io *io, int fd)
{
	const struct faulty *f = io->ctx;
	int r = sys->close(sys, fd);

	if (strcmp(f->fail, "close") != 0)
		return r;
	errno = f->error;
	return -1;
}

static int faulty_renameat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path)
{
	const struct faulty *f = io->ctx;

	if (strcmp(f->fail, "rename") != 0)
		return sys->renameat(sys, olddir, old, newdir, new_path);
	errno = f->error;
	return -1;
}

/* Every other call is interrupted, the others write one byte. */
static ssize_t faulty_write(const struct jl_io *io, int fd, const void *data, size_t len)
{
	struct faulty *f = io->ctx;

	if (strcmp(f->fail, "write") == 0 && f->writes >= 4) {
		errno = f->error;
		return -1;
	}
	if (f->writes++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return sys->write(sys, fd, data, len ? 1 : 0);
}

static void write_leaves_the_old_file_on_failure(void **state)
{
	static const char *const calls[] = {"write", "fsync", "close", "rename"};
	const struct tmpdir *t = *state;
	struct faulty f = {.io = *sys, .fail = "none", .error = ENOSPC};
	struct jl_buf b = JL_BUF_INIT;
	struct jl_err e = JL_ERR_INIT;

	f.io.ctx = &f;
	f.io.fsync = faulty_fsync;
	f.io.close = faulty_close;
	f.io.renameat = faulty_renameat;
	f.io.write = faulty_write;
	assert_int_equal(jl_file_write(&f.io, t->fd, "f", "hello", 5, 0600, true, &e), JL_OK);
	for (size_t i = 0; i < 4; i++) {
		f.fail = calls[i];
		f.writes = 0;
		assert_int_equal(jl_file_write(&f.io, t->fd, "f", "other", 5, 0600, true, &e), JL_ENOSPC);
		assert_string_equal(e.text, "cannot write \"f\": No space left on device");
		assert_int_equal(tmpdir_count(t, "."), 1);
	}
	assert_int_equal(jl_file_read(sys, t->fd, "f", &b, &e), JL_OK);
	assert_string_equal(b.data, "hello");
	assert_int_equal(jl_file_write(sys, t->fd, "none/f", "x", 1, 0600, false, &e), JL_ENOTFOUND);
	jl_buf_release(&b);
}

static void temp_names_differ(void **state)
{
	char a[96], b[96];

	(void)state;
	jl_file_temp_name(a, sizeof(a));
	jl_file_temp_name(b, sizeof(b));
	assert_string_not_equal(a, b);
	assert_int_equal(strncmp(a, ".tmp-", 5), 0);
	assert_null(strchr(a, '/'));
}

static void *make_dirs(void *arg)
{
	const struct tmpdir *t = arg;
	intptr_t bad = 0;
	char path[64];

	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "many/a%d/b/c", i);
		bad += jl_file_mkdirs(sys, t->fd, path, 0777, NULL) != JL_OK;
	}
	return (void *)bad;
}

static void makes_folders(void **state)
{
	struct tmpdir *t = *state;
	struct jl_err e = JL_ERR_INIT;
	pthread_t ids[4];

	assert_int_equal(jl_file_mkdirs(sys, t->fd, "a//b/c/", 0777, NULL), JL_OK);
	assert_int_equal(jl_file_mkdirs(sys, t->fd, "a/b/c", 0777, NULL), JL_OK);
	assert_int_equal(jl_file_mkdirs(sys, t->fd, ".", 0777, NULL), JL_OK);
	assert_int_equal(jl_file_mkdirs(sys, AT_FDCWD, "/", 0777, NULL), JL_OK);
	assert_int_equal(tmpdir_count(t, "a/b"), 1);
	assert_int_equal(symlinkat("a", t->fd, "link"), 0);
	assert_int_equal(jl_file_mkdirs(sys, t->fd, "link/x", 0777, NULL), JL_OK);
	assert_int_equal(tmpdir_count(t, "a"), 2);
	tmpdir_write(t, "f", "", 0);
	assert_int_equal(jl_file_mkdirs(sys, t->fd, "f", 0777, &e), JL_EIO);
	assert_non_null(strstr(e.text, "in the way"));
	assert_int_equal(jl_file_mkdirs(sys, t->fd, "f/x/y", 0777, &e), JL_EIO);
	/* Several at once do not trip over each other. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, make_dirs, t), 0);
	for (int i = 0; i < 4; i++) {
		void *bad;

		pthread_join(ids[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(tmpdir_count(t, "many"), 100);
}

static void removes_trees(void **state)
{
	const struct tmpdir *t = *state;
	char path[1200] = "tree";

	tmpdir_write(t, "keep", "x", 1);
	assert_int_equal(mkdirat(t->fd, "other", 0777), 0);
	tmpdir_write(t, "other/f", "x", 1);
	for (int i = 0; i < 200; i++)
		strcat(path, "/d");
	assert_int_equal(jl_file_mkdirs(sys, t->fd, path, 0777, NULL), JL_OK);
	assert_int_equal(symlinkat("../other", t->fd, "tree/link"), 0);
	assert_int_equal(symlinkat("nowhere", t->fd, "tree/d/link"), 0);
	assert_int_equal(mkfifoat(t->fd, "tree/fifo", 0600), 0);
	assert_int_equal(jl_file_remove(sys, t->fd, "tree", NULL), JL_OK);
	assert_int_equal(tmpdir_count(t, "."), 2);
	assert_int_equal(tmpdir_count(t, "other"), 1);
	/* A link goes, what it leads to stays; absent is fine. */
	assert_int_equal(symlinkat("other", t->fd, "link"), 0);
	assert_int_equal(jl_file_remove(sys, t->fd, "link", NULL), JL_OK);
	assert_int_equal(tmpdir_count(t, "other"), 1);
	assert_int_equal(jl_file_remove(sys, t->fd, "none", NULL), JL_OK);
	assert_int_equal(jl_file_remove(sys, t->fd, "none/x", NULL), JL_OK);
	assert_int_equal(jl_file_remove(sys, t->fd, "keep/x", NULL), JL_OK);
	assert_int_equal(jl_file_remove(sys, t->fd, "keep", NULL), JL_OK);
	assert_int_equal(tmpdir_count(t, "."), 1);
}

static void opens_beneath_only(void **state)
{
	const struct tmpdir *t = *state;
	int root, fd;

	assert_int_equal(jl_file_mkdirs(sys, t->fd, "root/a", 0777, NULL), JL_OK);
	tmpdir_write(t, "secret", "x", 1);
	tmpdir_write(t, "root/f", "x", 1);
	assert_int_equal(symlinkat("../f", t->fd, "root/a/in"), 0);
	assert_int_equal(symlinkat("../../secret", t->fd, "root/a/out"), 0);
	assert_int_equal(symlinkat("/etc/passwd", t->fd, "root/abs"), 0);
	root = openat(t->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	fd = jl_file_open_beneath(root, "a/in", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(jl_file_open_beneath(root, "a/out", O_RDONLY, 0), -1);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(jl_file_open_beneath(root, "../secret", O_RDONLY, 0), -1);
	assert_int_equal(jl_file_open_beneath(root, "abs", O_RDONLY, 0), -1);
	assert_int_equal(jl_file_open_beneath(root, "/etc/passwd", O_RDONLY, 0), -1);
	fd = jl_file_open_beneath(root, "a/new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	close(root);
}

static void locks(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_err e = JL_ERR_INIT;
	int a = -1, b = -1;

	assert_int_equal(jl_file_lock(t->fd, "lock", false, &a, &e), JL_OK);
	assert_int_equal(jl_file_lock(t->fd, "lock", false, &b, &e), JL_EBUSY);
	assert_int_equal(b, -1);
	close(a);
	assert_int_equal(jl_file_lock(t->fd, "lock", true, &b, &e), JL_OK);
	close(b);
	assert_int_equal(jl_file_lock(t->fd, "none/lock", true, &b, &e), JL_ENOTFOUND);
}

#define IN_TMPDIR(f) cmocka_unit_test_setup_teardown(f, tmpdir_setup, tmpdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TMPDIR(reads_and_writes),
		IN_TMPDIR(read_refuses),
		IN_TMPDIR(write_leaves_the_old_file_on_failure),
		cmocka_unit_test(temp_names_differ),
		IN_TMPDIR(makes_folders),
		IN_TMPDIR(removes_trees),
		IN_TMPDIR(opens_beneath_only),
		IN_TMPDIR(locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
