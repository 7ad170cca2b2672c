/* Entries there and back; streams that are cut or hostile. Packers, piece by piece. */
#include "codec/entries.h"
#include "codec/stream.h"

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

static const struct jl_io *sys = &jl_io_system;

static void send_some(const struct tmpdir *t)
{
	int fd = openat(t->fd, "stream", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *big = calloc(1, 300000);
	struct jl_entries_out out;

	assert_true(fd >= 0);
	jl_entries_start(&out, sys, fd);
	assert_int_equal(jl_entries_begin(&out, &(struct jl_entry){JL_ENTRY_DIR, 0755, -5, 0, "d", ""}, NULL), JL_OK);
	assert_int_equal(jl_entries_begin(&out, &(struct jl_entry){JL_ENTRY_FILE, 0644, 7, 3, "d/\xff", ""}, NULL),
			 JL_OK);
	assert_int_equal(jl_entries_data(&out, "ab", 2, NULL), JL_OK);
	assert_int_equal(jl_entries_data(&out, "\0", 1, NULL), JL_OK);
	assert_int_equal(jl_entries_begin(&out, &(struct jl_entry){JL_ENTRY_FILE, 0600, 0, 300000, "big", ""}, NULL),
			 JL_OK);
	assert_int_equal(jl_entries_data(&out, big, 300000, NULL), JL_OK);
	assert_int_equal(jl_entries_begin(&out, &(struct jl_entry){JL_ENTRY_LINK, 0777, 0, 0, "l", "d/x"}, NULL),
			 JL_OK);
	assert_int_equal(jl_entries_finish(&out, NULL), JL_OK);
	jl_entries_out_release(&out);
	free(big);
	close(fd);
}

static void test_there_and_back(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_entries_in in;
	struct jl_entry e;
	char room[8];
	size_t n;

	send_some(t);
	int fd = openat(t->fd, "stream", O_RDONLY | O_CLOEXEC);
	jl_entries_open(&in, sys, fd);
	assert_int_equal(jl_entries_next(&in, &e, NULL), JL_OK);
	assert_int_equal(e.kind, JL_ENTRY_DIR);
	assert_int_equal(e.mtime_s, -5);
	assert_int_equal(jl_entries_next(&in, &e, NULL), JL_OK);
	assert_string_equal(e.path, "d/\xff");
	assert_int_equal(e.mode, 0644);
	assert_int_equal(jl_entries_read(&in, room, sizeof(room), &n, NULL), JL_OK);
	assert_int_equal(n, 3);
	assert_memory_equal(room, "ab\0", 3);
	assert_int_equal(jl_entries_read(&in, room, sizeof(room), &n, NULL), JL_OK);
	assert_int_equal(n, 0);
	/* What is not taken of a content is passed over. */
	assert_int_equal(jl_entries_next(&in, &e, NULL), JL_OK);
	assert_int_equal(e.size, 300000);
	assert_int_equal(jl_entries_next(&in, &e, NULL), JL_OK);
	assert_string_equal(e.target, "d/x");
	assert_int_equal(jl_entries_next(&in, &e, NULL), JL_ENOTFOUND);
	jl_entries_in_release(&in);
	close(fd);
}

/* All but the whole stream is JL_ECORRUPT with a line, wherever it was cut. */
static void test_cut(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_entry e;

	send_some(t);
	int fd = openat(t->fd, "stream", O_RDWR | O_CLOEXEC);
	for (off_t size = lseek(fd, 0, SEEK_END) - 1; size >= 0;
	     size = size > 300 && size < 299000 ? size - 29989 : size - 1) {
		struct jl_err err = JL_ERR_INIT;
		struct jl_entries_in in;
		int r;

		assert_int_equal(ftruncate(fd, size), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		jl_entries_open(&in, sys, fd);
		while ((r = jl_entries_next(&in, &e, &err)) == JL_OK)
			;
		assert_int_equal(r, JL_ECORRUPT);
		assert_true(err.text[0]);
		jl_entries_in_release(&in);
	}
	close(fd);
}

static void test_hostile(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
#define HEAD "jlent1\n\0"
#define TIME "\0\0\0\0\0\0\0\0"
		{HEAD "Z\0\0\0\0" TIME TIME "\1\0\0\0a\0\0\0\0", 38},   /* a kind */
		{HEAD "F\0\x0e\0\0" TIME TIME "\1\0\0\0a\0\0\0\0", 38}, /* setuid */
		{HEAD "D\0\0\0\0" TIME "\1\0\0\0\0\0\0\0"
		      "\1\0\0\0a\0\0\0\0",
		 38},                                                   /* a folder with content */
		{HEAD "L\0\0\0\0" TIME TIME "\1\0\0\0a\0\0\0\0", 38},   /* a link to nothing */
		{HEAD "F\0\0\0\0" TIME TIME "\2\0\0\0a\0\0\0\0\0", 39}, /* a NUL in a name */
		{HEAD "F\0\0\0\0" TIME TIME "\xff\xff\xff\xff"
		      "a\0\0\0\0",
		 38}, /* a long name */
		{"jlent2\n\0E", 9},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jl_err err = JL_ERR_INIT;
		struct jl_entries_in in;
		struct jl_entry e;
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], bad[i].bytes, bad[i].len), bad[i].len);
		close(ends[1]);
		jl_entries_open(&in, sys, ends[0]);
		assert_int_equal(jl_entries_next(&in, &e, &err), JL_ECORRUPT);
		assert_true(err.text[0]);
		jl_entries_in_release(&in);
		close(ends[0]);
	}
}

static int collect(void *ctx, const void *data, size_t len, struct jl_err *err)
{
	(void)err;
	return jl_buf_add(ctx, data, len);
}

static void test_zlib(void **state)
{
	struct jl_packer *p = jl_packer_zlib(0);
	struct jl_zlib *z = jl_zlib_unpacker();
	struct jl_buf packed = JL_BUF_INIT;
	bool ended = false;
	char out[64];
	size_t len, got = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(p->pack(p, "0123456789", 10, i == 99, collect, &packed, NULL), JL_OK);
	assert_true(jl_zlib_is(packed.data, packed.len));
	assert_false(jl_zlib_is("x", 1));
	assert_false(jl_zlib_is("\x1f\x8b", 2));
	const void *at = packed.data;
	size_t left = packed.len;
	while (!ended) {
		assert_int_equal(jl_zlib_unpack(z, &at, &left, out, sizeof(out), &len, &ended, NULL), JL_OK);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(out[i], '0' + (int)((got + i) % 10));
		got += len;
	}
	assert_int_equal(got, 1000);
	jl_zlib_free(z);
	z = jl_zlib_unpacker();
	packed.data[10] ^= 0x55;
	int r = JL_OK;
	at = packed.data;
	left = packed.len;
	for (ended = false; r == JL_OK && !ended && left;)
		r = jl_zlib_unpack(z, &at, &left, out, sizeof(out), &len, &ended, NULL);
	assert_int_equal(r, JL_ECORRUPT);
	jl_zlib_free(z);
	jl_packer_free(p);
	jl_buf_release(&packed);
}

/* What the packer on threads makes is what the codec unpacks. */
static void test_zstd(void **state)
{
	const uint64_t size = 3000000;
	struct jl_packer *p = jl_packer_zstd(0, 2);
	struct jl_buf packed = JL_BUF_INIT, back = JL_BUF_INIT;
	char *data = malloc(size);
	const struct tmpdir *t = *state;

	for (uint64_t i = 0; i < size; i++)
		data[i] = (char)(i * i >> 7);
	for (uint64_t at = 0; at < size; at += 100000)
		assert_int_equal(p->pack(p, data + at, 100000, at + 100000 == size, collect, &packed, NULL), JL_OK);
	tmpdir_write(t, "z", packed.data, packed.len);
	int fd = openat(t->fd, "z", O_RDONLY | O_CLOEXEC);
	assert_int_equal(jl_codec_zstd.unpack(sys, fd, size, collect, &back, NULL), JL_OK);
	assert_int_equal(back.len, size);
	assert_memory_equal(back.data, data, size);
	close(fd);
	jl_packer_free(p);
	jl_buf_release(&packed);
	jl_buf_release(&back);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(test_cut, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_zlib),
		cmocka_unit_test_setup_teardown(test_zstd, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
