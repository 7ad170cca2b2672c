/* See store_conform.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_conform.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int store_file(const void *data, size_t len)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/jl-store-XXXXXX", dir ? dir : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	for (size_t at = 0; at < len;) {
		ssize_t n = pwrite(fd, (const char *)data + at, len - at, (off_t)at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	return fd;
}

bool store_file_is(int fd, const void *data, size_t len)
{
	char *got = malloc(len + 1);
	size_t at = 0;
	ssize_t n;
	bool same;

	while ((n = pread(fd, got + at, len + 1 - at, (off_t)at)) > 0)
		at += (size_t)n;
	same = n == 0 && at == len && memcmp(got, data, len) == 0;
	free(got);
	return same;
}

static void records(struct jl_store *s)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest key, other;
	char large[100000];

	jl_digest_bytes("key", 3, &key);
	jl_digest_bytes("other", 5, &other);
	memset(large, 'x', sizeof(large));

	assert_int_equal(s->ops->get_record(s, &key, &out, &err), JL_ENOTFOUND);
	assert_int_equal(out.len, 0);
	assert_int_equal(s->ops->put_record(s, &key, "first\0!", 7, &err), JL_OK);
	jl_buf_str(&out, "kept:");
	assert_int_equal(s->ops->get_record(s, &key, &out, &err), JL_OK);
	assert_int_equal(out.len, 12);
	assert_memory_equal(out.data, "kept:first\0!", 12);
	assert_int_equal(s->ops->get_record(s, &other, &out, NULL), JL_ENOTFOUND);
	assert_int_equal(out.len, 12);

	assert_int_equal(s->ops->put_record(s, &key, large, sizeof(large), &err), JL_OK);
	jl_buf_clear(&out);
	assert_int_equal(s->ops->get_record(s, &key, &out, &err), JL_OK);
	assert_int_equal(out.len, sizeof(large));
	assert_memory_equal(out.data, large, sizeof(large));

	assert_int_equal(s->ops->drop_record(s, &key, &err), JL_OK);
	assert_int_equal(s->ops->drop_record(s, &key, &err), JL_OK);
	assert_int_equal(s->ops->get_record(s, &key, &out, &err), JL_ENOTFOUND);

	assert_int_equal(s->ops->put_record(s, &key, "again", 5, &err), JL_OK);
	assert_int_equal(s->ops->damaged_record(s, &key, &err), JL_OK);
	assert_int_equal(s->ops->get_record(s, &key, &out, &err), JL_ENOTFOUND);
	assert_int_equal(s->ops->put_record(s, &key, "better", 6, &err), JL_OK);
	jl_buf_clear(&out);
	assert_int_equal(s->ops->get_record(s, &key, &out, &err), JL_OK);
	assert_string_equal(out.data, "better");

	assert_int_equal(s->stats.record_hits, 3);
	assert_int_equal(s->stats.record_misses, 4);
	assert_int_equal(s->stats.records_put, 4);
	assert_int_equal(s->stats.damaged, 1);
	jl_buf_release(&out);
}

/* One content in, there, and out again; both ways of putting it. */
static void round_trip(struct jl_store *s, const void *data, size_t len, bool from_memory)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest d;
	uint64_t put = s->stats.blobs_put;
	int src = store_file(data, len), dst = store_file("", 0);

	jl_digest_bytes(data, len, &d);
	assert_int_equal(s->ops->has_blob(s, &d, &err), 0);
	assert_int_equal(s->ops->get_blob(s, &d, len, dst, &err), JL_ENOTFOUND);
	for (int i = 0; i < 2; i++) {
		int status = from_memory ? s->ops->put_bytes(s, &d, data, len, &err)
		                         : s->ops->put_blob(s, &d, len, src, &err);

		assert_int_equal(status, JL_OK);
		assert_int_equal(s->stats.blobs_put, put + 1);
	}
	assert_int_equal(s->ops->has_blob(s, &d, &err), 1);
	assert_int_equal(s->ops->get_blob(s, &d, len, dst, &err), JL_OK);
	assert_true(store_file_is(dst, data, len));
	close(src);
	close(dst);
}

static void blobs(struct jl_store *s)
{
	const size_t len = 700001;
	uint8_t *noise = malloc(len);
	char *text = malloc(len);
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		noise[i] = (uint8_t)(x >> 24);
		text[i] = "all work and no play "[i % 21];
	}
	round_trip(s, "", 0, false);
	round_trip(s, "one small blob", 14, false);
	round_trip(s, "another small blob", 18, true);
	round_trip(s, noise, len, false);
	round_trip(s, noise + 1, len - 1, true);
	round_trip(s, text, len, false);
	round_trip(s, text + 1, len - 1, true);
	free(noise);
	free(text);
}

/* The file is not (any more) what its digest says. */
static void changed(struct jl_store *s)
{
	static const char *const now[] = {"conten", "contenT", "contents", ""};
	char lines[9000];
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest d;
	int fd;

	jl_digest_bytes("content", 7, &d);
	for (size_t i = 0; i < sizeof(now) / sizeof(now[0]); i++) {
		fd = store_file(now[i], strlen(now[i]));
		assert_int_equal(s->ops->put_blob(s, &d, 7, fd, &err), JL_ECHANGED);
		assert_int_equal(s->ops->has_blob(s, &d, &err), 0);
		close(fd);
	}
	assert_int_equal(s->ops->put_bytes(s, &d, "contenT", 7, &err), JL_ECHANGED);
	memset(lines, 'l', sizeof(lines)); /* the same where it is packed */
	fd = store_file(lines, sizeof(lines));
	assert_int_equal(s->ops->put_blob(s, &d, sizeof(lines), fd, &err), JL_ECHANGED);
	assert_int_equal(s->ops->has_blob(s, &d, &err), 0);
	close(fd);
}

static void *many(void *ctx)
{
	struct jl_store *s = ctx;
	struct jl_buf out = JL_BUF_INIT;

	for (int i = 0; i < 200; i++) {
		struct jl_digest d;
		char text[32];
		int n = snprintf(text, sizeof(text), "thing %d", i % 20), fd = store_file("", 0);

		jl_digest_bytes(text, (size_t)n, &d);
		assert_int_equal(s->ops->put_bytes(s, &d, text, (size_t)n, NULL), JL_OK);
		assert_int_equal(s->ops->put_record(s, &d, text, (size_t)n, NULL), JL_OK);
		assert_int_equal(s->ops->get_blob(s, &d, (uint64_t)n, fd, NULL), JL_OK);
		assert_true(store_file_is(fd, text, (size_t)n));
		jl_buf_clear(&out);
		assert_int_equal(s->ops->get_record(s, &d, &out, NULL), JL_OK);
		assert_string_equal(out.data, text);
		close(fd);
	}
	jl_buf_release(&out);
	return NULL;
}

static void threads(struct jl_store *s)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, many, s), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(s->stats.records_put, 800);
	assert_int_equal(s->stats.record_hits, 800);
}

void store_conform(struct jl_store *(*open_store)(void *ctx), void *ctx)
{
	static void (*const parts[])(struct jl_store *s) = {records, blobs, changed, threads};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct jl_store *s = open_store(ctx);

		parts[i](s);
		jl_store_free(s);
	}
	jl_store_free(NULL);
}
