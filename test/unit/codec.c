/* Every codec: round trips, damage, bounds. */
#include "codec/codec.h"
#include "codec/piece.h"

#include "base/buf.h"

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
#include <unistd.h>

#include <cmocka.h>

static const struct jl_io *sys = &jl_io_system;

static int collect(void *ctx, const void *data, size_t len, struct jl_err *err)
{
	if (jl_buf_add(ctx, data, len) != JL_OK)
		return jl_err_set(err, JL_ELIMIT, "sink is full");
	return JL_OK;
}

/* Bytes that pack well, or not at all. */
static char *make(size_t len, bool random)
{
	char *data = jl_alloc(len);
	uint64_t x = 88172645463325252u;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = random ? (char)(x >> 32) : (char)('a' + (i / 64 + (x & 1)) % 20);
	}
	return data;
}

static int open_with(const struct tmpdir *t, const void *data, size_t len)
{
	int fd;

	tmpdir_write(t, "blob", data, len);
	fd = openat(t->fd, "blob", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int pack(const struct tmpdir *t, const struct jl_codec *c, int level, const void *data, size_t len,
		struct jl_buf *out)
{
	int fd = open_with(t, data, len), r;

	r = c->pack(sys, fd, level, collect, out, NULL);
	close(fd);
	return r;
}

static int unpack(const struct tmpdir *t, const struct jl_codec *c, const void *data, size_t len, uint64_t size,
		  struct jl_buf *out)
{
	struct jl_err err = JL_ERR_INIT;
	int fd = open_with(t, data, len), r;

	r = c->unpack(sys, fd, size, collect, out, &err);
	close(fd);
	assert_int_equal(r < 0, err.status < 0);
	return r;
}

static const enum jl_codec_id ids[] = {JL_CODEC_RAW, JL_CODEC_ZSTD, JL_CODEC_GZIP};

static void round_trips(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, 131072, 131073, 1000000};
	const struct tmpdir *t = *state;

	for (size_t c = 0; c < 3; c++) {
		for (size_t i = 0; i < 12; i++) {
			const struct jl_codec *codec = jl_codec_get(ids[c]);
			size_t len = sizes[i / 2];
			char *data = make(len, i % 2);
			struct jl_buf packed = JL_BUF_INIT, out = JL_BUF_INIT;

			assert_int_equal(codec->id, ids[c]);
			assert_int_equal(pack(t, codec, i % 3 ? 0 : 1, data, len, &packed), JL_OK);
			if (codec->id != JL_CODEC_RAW && len > 4000 && i % 2 == 0)
				assert_true(packed.len < len / 2);
			assert_int_equal(unpack(t, codec, packed.data, packed.len, len, &out), JL_OK);
			assert_int_equal(out.len, len);
			assert_memory_equal(out.data, data, len);
			jl_buf_release(&packed);
			jl_buf_release(&out);
			free(data);
		}
	}
}

/* Cut, lengthened, and of another size than was said. */
static void refuses_other_lengths(void **state)
{
	const struct tmpdir *t = *state;
	size_t len = 400000;
	char *data = make(len, true);

	for (size_t c = 0; c < 3; c++) {
		const struct jl_codec *codec = jl_codec_get(ids[c]);
		struct jl_buf packed = JL_BUF_INIT, out = JL_BUF_INIT;

		assert_int_equal(pack(t, codec, 0, data, len, &packed), JL_OK);
		assert_int_equal(unpack(t, codec, packed.data, packed.len, len - 1, &out), JL_ECORRUPT);
		assert_true(out.len < len); /* nothing past the expected size reaches the sink */
		assert_int_equal(unpack(t, codec, packed.data, packed.len, 0, &out), JL_ECORRUPT);
		assert_int_equal(unpack(t, codec, packed.data, packed.len, len + 1, &out), JL_ECORRUPT);
		assert_int_equal(unpack(t, codec, packed.data, packed.len - 1, len, &out), JL_ECORRUPT);
		assert_int_equal(unpack(t, codec, packed.data, packed.len / 2, len, &out), JL_ECORRUPT);
		assert_int_equal(unpack(t, codec, "", 0, len, &out), JL_ECORRUPT);
		jl_buf_char(&packed, 'x');
		jl_buf_clear(&out);
		assert_int_equal(unpack(t, codec, packed.data, packed.len, len, &out), JL_ECORRUPT);
		jl_buf_release(&packed);
		jl_buf_release(&out);
	}
	free(data);
}

/* A flipped bit is an error or gives the right bytes all the same (a time stamp in a header), never wrong ones. */
static void notices_damage(void **state)
{
	const struct tmpdir *t = *state;
	size_t len = 3000;
	char *data = make(len, false);

	for (size_t c = 1; c < 3; c++) {
		const struct jl_codec *codec = jl_codec_get(ids[c]);
		struct jl_buf packed = JL_BUF_INIT, out = JL_BUF_INIT;

		assert_int_equal(pack(t, codec, 0, data, len, &packed), JL_OK);
		for (size_t i = 0; i < packed.len; i++) {
			packed.data[i] ^= (char)(1 << i % 8);
			jl_buf_clear(&out);
			if (unpack(t, codec, packed.data, packed.len, len, &out) == JL_OK)
				assert_memory_equal(out.data, data, len);
			packed.data[i] ^= (char)(1 << i % 8);
		}
		jl_buf_release(&packed);
		jl_buf_release(&out);
	}
	free(data);
}

static void passes_on_a_sink_s_error(void **state)
{
	const struct tmpdir *t = *state;
	char *data = make(500000, true);

	for (size_t c = 0; c < 3; c++) {
		const struct jl_codec *codec = jl_codec_get(ids[c]);
		struct jl_buf packed = JL_BUF_INIT, small;

		jl_buf_init(&small, 1000);
		assert_int_equal(pack(t, codec, 0, data, 500000, &small), JL_ELIMIT);
		assert_int_equal(pack(t, codec, 0, data, 500000, &packed), JL_OK);
		assert_int_equal(unpack(t, codec, packed.data, packed.len, 500000, &small), JL_ELIMIT);
		jl_buf_release(&packed);
		jl_buf_release(&small);
	}
	free(data);
}

/* Every other read is interrupted, the others are short; or all fail. */
static ssize_t slow_read(const struct jl_io *io, int fd, void *data, size_t len)
{
	unsigned *calls = io->ctx;

	if ((*calls)++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return sys->read(sys, fd, data, len > 777 ? 777 : len);
}

static ssize_t failing_read(const struct jl_io *io, int fd, void *data, size_t len)
{
	(void)io;
	(void)fd;
	(void)data;
	(void)len;
	errno = EIO;
	return -1;
}

static void survives_short_reads(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_io io = *sys;
	unsigned calls = 0;
	char *data = make(50000, true);

	io.ctx = &calls;
	for (size_t c = 0; c < 3; c++) {
		const struct jl_codec *codec = jl_codec_get(ids[c]);
		struct jl_buf packed = JL_BUF_INIT, out = JL_BUF_INIT;
		int fd = open_with(t, data, 50000);

		io.read = slow_read;
		assert_int_equal(codec->pack(&io, fd, 0, collect, &packed, NULL), JL_OK);
		close(fd);
		fd = open_with(t, packed.data, packed.len);
		assert_int_equal(codec->unpack(&io, fd, 50000, collect, &out, NULL), JL_OK);
		assert_memory_equal(out.data, data, 50000);
		io.read = failing_read;
		assert_int_equal(codec->pack(&io, fd, 0, collect, &out, NULL), JL_EIO);
		assert_int_equal(codec->unpack(&io, fd, 50000, collect, &out, NULL), JL_EIO);
		close(fd);
		jl_buf_release(&packed);
		jl_buf_release(&out);
	}
	free(data);
}

static void samples(void **state)
{
	const struct tmpdir *t = *state;
	char *plain = make(300000, false), *random = make(300000, true);
	int fd = open_with(t, plain, 300000);

	assert_true(jl_codec_sample(sys, fd, 300000));
	assert_true(jl_codec_sample(sys, fd, 4096));
	assert_false(jl_codec_sample(sys, fd, 4095));
	close(fd);
	fd = open_with(t, random, 300000);
	assert_false(jl_codec_sample(sys, fd, 300000));
	/* The middle decides. */
	memset(random + 100000, 0, 100000);
	close(fd);
	fd = open_with(t, random, 300000);
	assert_true(jl_codec_sample(sys, fd, 300000));
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	/* No byte is more frequent than another, but in order. */
	for (size_t i = 0; i < 300000; i++)
		plain[i] = (char)i;
	fd = open_with(t, plain, 300000);
	assert_true(jl_codec_sample(sys, fd, 300000));
	close(fd);
	free(plain);
	free(random);
}

/* Damage, an end too soon, more than there is room for: no piece. */
static void pieces_by_deflate(void **state)
{
	char text[5000], packed[5000], back[5000];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i % 50);
	size_t len = jl_piece_deflate(text, sizeof(text), packed, sizeof(packed));
	assert_in_range(len, 1, 500);
	assert_true(jl_piece_inflate(packed, len, back, sizeof(back), &n));
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(text, back, n);
	assert_false(jl_piece_inflate(packed, len - 1, back, sizeof(back), &n));
	assert_false(jl_piece_inflate(packed, len, back, sizeof(back) - 1, &n));
	assert_false(jl_piece_inflate(text, sizeof(text), back, sizeof(back), &n));
	assert_int_equal(jl_piece_deflate("abc", 3, packed, sizeof(packed)), 0);
}

#define IN_TMPDIR(f) cmocka_unit_test_setup_teardown(f, tmpdir_setup, tmpdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TMPDIR(round_trips),           IN_TMPDIR(refuses_other_lengths),
		IN_TMPDIR(notices_damage),        IN_TMPDIR(passes_on_a_sink_s_error),
		IN_TMPDIR(survives_short_reads),  IN_TMPDIR(samples),
		cmocka_unit_test(pieces_by_deflate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
