/* Standard input of a memoized command, and all that a command writes. */
#include "run/feed.h"

#include "run/capture.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void read_all(struct jl_feed *f, const struct tmpdir *t, struct jl_buf *out)
{
	struct jl_err err = JL_ERR_INIT;
	char piece[4096];
	ssize_t n;
	int fd;
	assert_int_equal(jl_feed_open(f, t->path, &fd, &err), JL_OK);
	assert_true(fd >= 0);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		jl_buf_add(out, piece, (size_t)n);
	jl_feed_close(f, fd);
}

/* What a pipe gave comes out again, with its digest; `len` bytes, written by a child. */
static void through_a_pipe(const struct tmpdir *t, size_t len, int kind)
{
	struct jl_feed f = JL_FEED_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf out = JL_BUF_INIT;
	struct jl_digest want;
	char *data = malloc(len + 1);
	int fds[2];
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(pipe(fds), 0);
	if (fork() == 0) {
		for (size_t done = 0; done < len;)
			done += (size_t)write(fds[1], data + done, len - done);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(jl_feed_read(&f, JL_FEED_AUTO, fds[0], t->path, NULL, NULL, &err), JL_OK);
	close(fds[0]);
	assert_int_equal(f.kind, kind);
	if (len > 0) {
		jl_digest_bytes(data, len, &want);
		assert_true(jl_digest_equal(&want, &f.digest));
		for (int twice = 0; twice < 2; twice++) {
			jl_buf_clear(&out);
			read_all(&f, t, &out);
			assert_int_equal(out.len, len);
			assert_memory_equal(out.data, data, len);
		}
	} else {
		assert_int_equal(f.digest.algo, JL_DIGEST_NONE);
	}
	assert_int_equal(tmpdir_count(t, "."), 0);
	jl_feed_release(&f);
	jl_buf_release(&out);
	free(data);
}

static void pipes_of_all_sizes(void **state)
{
	through_a_pipe(*state, 0, JL_FEED_NONE);
	through_a_pipe(*state, 1, JL_FEED_MEMORY);
	through_a_pipe(*state, 64 << 10, JL_FEED_MEMORY);
	through_a_pipe(*state, (64 << 10) + 1, JL_FEED_SPOOL);
	through_a_pipe(*state, 3 << 20, JL_FEED_SPOOL);
}

static void files_count_at_their_start(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_err err = JL_ERR_INIT;
	struct jl_feed f = JL_FEED_INIT;
	char c;
	tmpdir_write(t, "in", "text", 4);
	int fd = openat(t->fd, "in", O_RDWR);
	assert_int_equal(jl_feed_read(&f, JL_FEED_AUTO, fd, t->path, NULL, NULL, &err), JL_OK);
	assert_int_equal(f.kind, JL_FEED_FILE);
	assert_true(jl_feed_same(&f));
	assert_int_equal(write(fd, "longer", 6), 6);
	assert_false(jl_feed_same(&f));
	jl_feed_consumed(&f);
	assert_int_equal(read(fd, &c, 1), 0);
	jl_feed_release(&f);

	f = (struct jl_feed)JL_FEED_INIT;
	lseek(fd, 2, SEEK_SET);
	assert_int_equal(jl_feed_read(&f, JL_FEED_AUTO, fd, t->path, NULL, NULL, &err), JL_OK);
	assert_int_equal(f.kind, JL_FEED_NONE);
	assert_int_equal(jl_feed_read(&f, JL_FEED_YES, fd, t->path, NULL, NULL, &err), JL_OK);
	assert_int_equal(f.kind, JL_FEED_MEMORY);
	assert_int_equal(f.buf.len, 4);
	jl_feed_release(&f);
	close(fd);
}

static void a_log_of_any_size_is_whole(void **state)
{
	const struct tmpdir *t = *state;
	static const size_t rounds[] = {0, 3, 100000};
	for (size_t k = 0; k < 3; k++) {
		struct jl_capture c;
		struct jl_err err = JL_ERR_INIT;
		struct jl_content log;
		struct jl_digest d;
		uint64_t size, bytes = 0;
		jl_capture_init(&c, t->path);
		for (size_t i = 0; i < rounds[k]; i++) {
			jl_capture_add(&c, 1, "0123456789", 10);
			jl_capture_add(&c, 1, "abc", 3);
			jl_capture_add(&c, 2, "E", 1);
		}
		assert_int_equal(jl_capture_end(&c, &log, &err), JL_OK);
		/* A chunk that was begun before a piece went to the file is two. */
		assert_in_range(log.size, rounds[k] * (5 + 13 + 5 + 1), rounds[k] * (5 + 13 + 5 + 1) + 5 * 3);
		bytes = log.size;
		assert_int_equal(log.bytes == NULL, k == 2);
		if (log.bytes) {
			jl_digest_bytes(log.bytes, log.size, &d);
		} else {
			assert_int_equal(jl_digest_fd(&jl_io_system, c.fd, &d, &size, &err), JL_OK);
			assert_int_equal(size, bytes);
		}
		assert_true(jl_digest_equal(&d, &log.digest));
		jl_capture_release(&c);
		assert_int_equal(tmpdir_count(t, "."), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pipes_of_all_sizes, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(files_count_at_their_start, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_log_of_any_size_is_whole, tmpdir_setup, tmpdir_teardown),
	};
	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
