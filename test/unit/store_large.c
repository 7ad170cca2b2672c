/* Large blobs of the local store, which are read ahead by a thread: right bytes or none, whatever fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_io.h"
#include "store/ahead.h"
#include "store/store.h"
#include "store_conform.h"
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LEN ((size_t)JL_AHEAD_MIN + 300001)

struct large {
	char *data;
	struct jl_digest d;
	char path[200]; /* of its file, below the folder of the test */
};

static void make(struct large *b)
{
	uint64_t r = 88172645463325252u;
	char hex[JL_DIGEST_TEXT];

	b->data = malloc(LEN);
	for (size_t i = 0; i < LEN; i++) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		b->data[i] = (char)r;
	}
	jl_digest_bytes(b->data, LEN, &b->d);
	jl_digest_hex(&b->d, hex);
	snprintf(b->path, sizeof(b->path), "store/cas/%.2s/%s", hex, hex);
}

static struct jl_store *open_store(const struct tmpdir *t, const struct jl_io *io)
{
	struct jl_store *s = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/store", t->path);
	assert_int_equal(jl_store_local_open(io, path, false, &s, NULL), JL_OK);
	return s;
}

static int get(struct jl_store *s, const struct large *b)
{
	int fd = store_file("", 0), status = s->ops->get_blob(s, &b->d, LEN, fd, NULL);

	assert_true(store_file_is(fd, b->data, status == JL_OK ? LEN : 0));
	close(fd);
	return status;
}

/* S04: damage at any place, too short, too long. */
static void s04_damaged(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_store *s = open_store(t, &jl_io_system);
	struct large b;

	make(&b);
	for (unsigned way = 0; way < 6; way++) {
		int fd;

		assert_int_equal(s->ops->put_bytes(s, &b.d, b.data, LEN, NULL), JL_OK);
		assert_int_equal(get(s, &b), JL_OK);
		fd = openat(t->fd, b.path, O_RDWR);
		assert_true(fd >= 0);
		if (way < 4)
			assert_int_equal(pwrite(fd, b.data[way * (LEN - 1) / 3] == 'x' ? "y" : "x", 1,
			                        (off_t)(way * (LEN - 1) / 3)),
			                 1);
		else
			assert_int_equal(ftruncate(fd, way == 4 ? (off_t)LEN - 1 : (off_t)LEN + 1), 0);
		close(fd);
		assert_int_equal(get(s, &b), JL_ENOTFOUND);
		assert_int_equal(s->stats.damaged, way + 1);
		assert_int_equal(faccessat(t->fd, b.path, F_OK, 0), -1);
	}
	jl_store_free(s);
	free(b.data);
}

/* S05 S06 S07: every call fails once; reads give less than they could. */
static void s07_every_call_fails(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_store *s = open_store(t, &jl_io_system);
	struct large b;
	struct fault_io f;
	unsigned n = 1, failed = 0;

	make(&b);
	assert_int_equal(s->ops->put_bytes(s, &b.d, b.data, LEN, NULL), JL_OK);
	jl_store_free(s);
	do {
		int status;

		fault_io_init(&f, 0, n % 2 ? EIO : ENOSPC);
		f.short_io = n % 3 == 0;
		s = open_store(t, &f.io);
		f.calls = 0;
		f.fail_at = n++;
		f.ops = FAULT_READ | FAULT_WRITE | FAULT_STAT | FAULT_OPEN;
		status = get(s, &b);
		assert_true(status == JL_OK || f.failed);
		failed += status != JL_OK;
		assert_int_equal(s->stats.damaged, 0);
		f.fail_at = 0;
		assert_int_equal(get(s, &b), JL_OK);
		jl_store_free(s);
	} while (f.failed);
	assert_true(failed > 30);
	free(b.data);
}

/* S06: without descriptors for a thread it is done without one. */
static void s06_no_descriptors(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_store *s = open_store(t, &jl_io_system);
	int fds[100], n = 0, dst = store_file("", 0);
	struct rlimit was, low;
	struct large b;

	make(&b);
	assert_int_equal(s->ops->put_bytes(s, &b.d, b.data, LEN, NULL), JL_OK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = (struct rlimit){.rlim_cur = 64, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (n < 100 && (fds[n] = dup(dst)) >= 0)
		n++;
	assert_in_range(n, 1, 64);
	close(fds[--n]); /* one for the blob's file */
	assert_int_equal(s->ops->get_blob(s, &b.d, LEN, dst, NULL), JL_OK);
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(store_file_is(dst, b.data, LEN));
	jl_store_free(s);
	close(dst);
	free(b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s04_damaged, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s07_every_call_fails, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s06_no_descriptors, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
