/* Shared stores by the helper of folders: what one has made another gets, and nothing else. A record of these tests is the digests
 * and sizes of its blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/tier.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE (120 * JL_NS_S)

struct side { /* one user: a local store, and what lies behind it */
	struct jl_store *local;
	struct jl_tier *tier;
	char told[2000];
};

static void contents_of(const void *record, size_t len, struct jl_table *out)
{
	const size_t one = sizeof(struct jl_envelope_blob);

	for (size_t at = 0; at + one <= len; at += one)
		memcpy(jl_table_add(out, 1), (const char *)record + at, one);
}

/* A list of these tests: "list" and letters. */
static bool is_list(const void *record, size_t len)
{
	return len > 4 && memcmp(record, "list", 4) == 0;
}

static int merge(const void *new, size_t new_len, const void *old, size_t old_len, struct jl_buf *out)
{
	const char *a = new, *b = old;
	bool news = false;

	if (!is_list(old, old_len))
		return JL_ECORRUPT;
	jl_buf_add(out, old, old_len);
	for (size_t i = 4; i < new_len; i++) {
		if (!memchr(b + 4, a[i], old_len - 4)) {
			jl_buf_char(out, a[i]);
			news = true;
		}
	}
	return news ? JL_OK : JL_ENOTFOUND;
}

static const struct jl_tier_records records = {.contents_of = contents_of, .is_list = is_list, .merge = merge};

static void add(struct side *s, const struct tmpdir *dir, const char *folder, const char *group, const char *keys,
		bool writes)
{
	char url[600];
	struct jl_tier_remote o = {
		.name = folder, .url = url, .group = group, .reads = true, .writes = writes, .keys = JL_SIGN_KEYS_INIT};

	snprintf(url, sizeof(url), "file://%s/%s", dir->path, folder);
	if (keys)
		assert_int_equal(jl_sign_keys_read(&o.keys, keys, strlen(keys), NULL), JL_OK);
	assert_int_equal(jl_tier_add(s->tier, &o, NULL), JL_OK);
}

static void init(struct side *s)
{
	*s = (struct side){.local = jl_store_mem_new()};
	s->tier = jl_tier_new(s->local, &records, PATIENCE);
}

static void open_side(struct side *s, const struct tmpdir *dir, const char *group, const char *keys)
{
	init(s);
	add(s, dir, "shared", group, keys, true);
	assert_int_equal(jl_tier_start(s->tier, NULL), JL_OK);
}

static void close_side(struct side *s)
{
	jl_tier_free(s->tier);
	jl_store_free(s->local);
}

static struct jl_digest key_of(const char *text)
{
	struct jl_digest d;

	jl_digest_bytes_as(JL_DIGEST_SHA256, text, strlen(text), &d);
	return d;
}

/* A result with one small and one large content. */
static struct jl_digest make(struct side *s, const char *text)
{
	struct jl_digest key = key_of(text);
	struct jl_envelope_blob blobs[2];
	size_t large = 3 << 20;
	char *bytes = jl_calloc(1, large);

	memset(blobs, 0, sizeof(blobs));
	strcpy(bytes, text);
	for (int i = 0; i < 2; i++) {
		blobs[i].size = i ? large : strlen(text);
		jl_digest_bytes_as(JL_DIGEST_SHA256, bytes, (size_t)blobs[i].size, &blobs[i].digest);
		assert_int_equal(
			s->local->ops->put_bytes(s->local, &blobs[i].digest, bytes, (size_t)blobs[i].size, NULL),
			JL_OK);
	}
	assert_int_equal(s->local->ops->put_record(s->local, &key, blobs, sizeof(blobs), NULL), JL_OK);
	free(bytes);
	return key;
}

static bool ask(struct side *s, const struct jl_digest *key)
{
	struct jl_tier_ask a = {.key = *key}, *answer = NULL;
	struct pollfd p = {.fd = jl_tier_fd(s->tier), .events = POLLIN};

	jl_tier_ask(s->tier, &a);
	while (!(answer = jl_tier_taken(s->tier)))
		poll(&p, 1, -1);
	assert_ptr_equal(answer, &a);
	return a.found;
}

static void told(void *ctx, const char *text)
{
	struct side *s = ctx;

	strncat(s->told, text, sizeof(s->told) - strlen(s->told) - 1);
}

static struct jl_tier_stats stats(struct side *s)
{
	struct jl_tier_stats st;

	assert_true(jl_tier_stats(s->tier, 0, &st));
	return st;
}

/* All of the result is in the local store, and right. */
static void assert_whole(struct side *s, const struct jl_digest *key, const char *text)
{
	struct jl_buf record = JL_BUF_INIT;
	struct jl_envelope_blob blobs[2];
	char start[100] = "";

	assert_int_equal(s->local->ops->get_record(s->local, key, &record, NULL), JL_OK);
	assert_int_equal(record.len, sizeof(blobs));
	memcpy(blobs, record.data, sizeof(blobs));
	for (int i = 0; i < 2; i++) {
		int fd = memfd_create("blob", MFD_CLOEXEC);

		assert_int_equal(s->local->ops->get_blob(s->local, &blobs[i].digest, blobs[i].size, fd, NULL), JL_OK);
		assert_true(pread(fd, start, strlen(text), 0) == (ssize_t)strlen(text));
		assert_string_equal(start, text);
		close(fd);
	}
	jl_buf_release(&record);
}

static void another_user_gets_what_one_made(void **state)
{
	const struct tmpdir *dir = *state;
	struct side a, b;
	struct jl_digest keys[40];
	char text[20];

	open_side(&a, dir, "", NULL);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "result %d", i);
		keys[i] = make(&a, text);
		jl_tier_offer(a.tier, &keys[i]);
	}
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	assert_int_equal(stats(&a).sent, 40);
	open_side(&b, dir, "", NULL);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "result %d", i);
		assert_true(ask(&b, &keys[i]));
		assert_whole(&b, &keys[i], text);
	}
	keys[0] = key_of("nobody made this");
	assert_false(ask(&b, &keys[0]));
	assert_int_equal(stats(&b).hits, 40);
	assert_int_equal(stats(&b).misses, 1);
	close_side(&a);
	close_side(&b);
}

static void what_is_there_is_not_sent_twice(void **state)
{
	struct side a;
	struct jl_digest key;
	uint64_t first;

	open_side(&a, *state, "", NULL);
	key = make(&a, "once");
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	first = stats(&a).bytes_out;
	close_side(&a);
	open_side(&a, *state, "", NULL);
	make(&a, "once");
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	assert_true(first > 3 << 20);
	assert_true(stats(&a).bytes_out < 10000);
	close_side(&a);
}

/* S41 and what is like it: each is a miss that is counted, and told once. */
static void only_what_is_trusted_is_taken(void **state)
{
	static const char sign[] = "ci 0123456789abcdef0\n", other[] = "ci 0123456789abcdef1\n";
	struct side a, b;
	struct jl_digest key;

	open_side(&a, *state, "", NULL);
	key = make(&a, "unsigned");
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	close_side(&a);
	open_side(&b, *state, "", sign);
	assert_false(ask(&b, &key));
	assert_false(ask(&b, &key));
	jl_tier_tell(b.tier, told, &b);
	assert_string_equal(b.told, "remote \"shared\": a result was not taken: it is not signed");
	assert_int_equal(stats(&b).refused, 2);
	close_side(&b);

	open_side(&a, *state, "", other);
	make(&a, "unsigned");
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	close_side(&a);
	open_side(&b, *state, "", sign);
	assert_false(ask(&b, &key));
	assert_int_equal(stats(&b).refused, 1);
	close_side(&b);
	open_side(&b, *state, "", other);
	assert_true(ask(&b, &key));
	close_side(&b);
	open_side(&b, *state, "elsewhere", other);
	assert_false(ask(&b, &key));
	assert_int_equal(stats(&b).misses, 1);
	close_side(&b);
}

static void object_path(const char *kind, const struct jl_digest *d, char out[300])
{
	char hex[JL_DIGEST_TEXT];

	jl_digest_hex(d, hex);
	snprintf(out, 300, "shared/%s/%.2s/%s", kind, hex, hex);
}

/* S38: what is damaged or cut at the remote is a miss. */
static void damage_is_a_miss(void **state)
{
	const struct tmpdir *dir = *state;
	struct side a, b;
	struct jl_buf record = JL_BUF_INIT;
	struct jl_envelope_blob blobs[2];
	struct jl_digest key, wrong;
	char path[300], to[300];
	int fd;

	open_side(&a, dir, "", NULL);
	key = make(&a, "damaged");
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	assert_int_equal(a.local->ops->get_record(a.local, &key, &record, NULL), JL_OK);
	memcpy(blobs, record.data, sizeof(blobs));
	jl_buf_release(&record);
	close_side(&a);

	object_path("cas", &blobs[1].digest, path);
	fd = openat(dir->fd, path, O_WRONLY);
	assert_true(pwrite(fd, "X", 1, 1000) == 1);
	open_side(&b, dir, "", NULL);
	assert_false(ask(&b, &key));
	assert_int_equal(stats(&b).refused, 1);
	assert_int_equal(b.local->ops->has_blob(b.local, &blobs[1].digest, NULL), 0);
	assert_int_equal(ftruncate(fd, 1000), 0);
	close(fd);
	assert_false(ask(&b, &key));
	assert_int_equal(unlinkat(dir->fd, path, 0), 0);
	assert_false(ask(&b, &key));
	assert_int_equal(stats(&b).hits, 0);

	/* The right one at the place of another key. */
	wrong = key_of("another");
	object_path("ac", &key, path);
	object_path("ac", &wrong, to);
	*strrchr(to, '/') = '\0';
	(void)!jl_file_mkdirs(&jl_io_system, dir->fd, to, 0700, NULL);
	to[strlen(to)] = '/';
	assert_int_equal(renameat(dir->fd, path, dir->fd, to), 0);
	assert_false(ask(&b, &wrong));
	assert_int_equal(ask(&b, &key), 0);
	/* An error page with status 200. */
	fd = openat(dir->fd, to, O_WRONLY | O_TRUNC);
	assert_true(write(fd, "<html>", 6) == 6);
	close(fd);
	assert_false(ask(&b, &wrong));
	close_side(&b);
}

static void by_a_weak_name_nothing_goes_out_or_comes_in(void **state)
{
	struct side a;
	struct jl_digest weak, strong = key_of("x");

	open_side(&a, *state, "", NULL);
	jl_digest_bytes("x", 1, &weak);
	assert_false(jl_tier_reads(a.tier, &weak));
	assert_true(jl_tier_reads(a.tier, &strong));
	assert_int_equal(a.local->ops->put_record(a.local, &weak, "", 0, NULL), JL_OK);
	jl_tier_offer(a.tier, &weak);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	assert_int_equal(stats(&a).calls, 0);
	close_side(&a);
}

/* The nearer one is filled by what the farther one had. */
static void remotes_are_asked_in_order(void **state)
{
	struct side a, b;
	struct jl_digest key;

	init(&a);
	add(&a, *state, "far", "", NULL, true);
	assert_int_equal(jl_tier_start(a.tier, NULL), JL_OK);
	key = make(&a, "far away");
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	close_side(&a);

	init(&b);
	add(&b, *state, "near", "", NULL, true);
	add(&b, *state, "far", "", NULL, false);
	assert_int_equal(jl_tier_start(b.tier, NULL), JL_OK);
	assert_true(ask(&b, &key));
	assert_int_equal(jl_tier_finish(b.tier, PATIENCE), 0);
	assert_int_equal(stats(&b).sent, 1);
	close_side(&b);

	init(&b);
	add(&b, *state, "near", "", NULL, false);
	assert_int_equal(jl_tier_start(b.tier, NULL), JL_OK);
	assert_true(ask(&b, &key));
	assert_whole(&b, &key, "far away");
	close_side(&b);
}

static void put_list(struct side *s, const struct jl_digest *key, const char *text)
{
	assert_int_equal(s->local->ops->put_record(s->local, key, text, strlen(text), NULL), JL_OK);
}

static void assert_list(struct side *s, const struct jl_digest *key, const char *text)
{
	struct jl_buf record = JL_BUF_INIT;

	assert_int_equal(s->local->ops->get_record(s->local, key, &record, NULL), JL_OK);
	assert_int_equal(record.len, strlen(text));
	assert_memory_equal(record.data, text, record.len);
	jl_buf_release(&record);
}

static void send_list(const struct tmpdir *dir, const char *keys, const char *text, bool sent)
{
	const struct jl_digest key = key_of("list");
	struct side a;

	open_side(&a, dir, "", keys);
	put_list(&a, &key, text);
	jl_tier_offer(a.tier, &key);
	assert_int_equal(jl_tier_finish(a.tier, PATIENCE), 0);
	assert_int_equal(stats(&a).bytes_out > 0, sent);
	close_side(&a);
}

/* What each side has found out is added to what is there, in both directions; what cannot be believed is not. */
static void lists_are_merged(void **state)
{
	static const char sign[] = "ci 0123456789abcdef0\n";
	const struct jl_digest key = key_of("list");
	struct side b;

	send_list(*state, NULL, "lista", true);
	send_list(*state, NULL, "listbc", true);
	send_list(*state, NULL, "listca", false);
	open_side(&b, *state, "", NULL);
	assert_true(ask(&b, &key));
	assert_list(&b, &key, "listabc");
	put_list(&b, &key, "listxb");
	assert_true(ask(&b, &key));
	assert_list(&b, &key, "listxbac");
	put_list(&b, &key, "listxabc");
	assert_true(ask(&b, &key));
	assert_list(&b, &key, "listxabc");
	close_side(&b);
	send_list(*state, sign, "listd", true);
	open_side(&b, *state, "", sign);
	assert_true(ask(&b, &key));
	assert_list(&b, &key, "listd");
	close_side(&b);
}

/* S39: a helper that is not there, or says nothing: told once, and every key is a miss at once. */
static void a_dead_remote_is_left_alone(void **state)
{
	const struct tmpdir *dir = *state;
	struct side a = {.local = jl_store_mem_new()};
	struct jl_tier_remote gone = {
		.name = "gone", .url = "nobody://x", .group = "", .reads = true, .keys = JL_SIGN_KEYS_INIT};
	struct jl_tier_remote mute = {
		.name = "mute", .url = "mute://x", .group = "", .reads = true, .keys = JL_SIGN_KEYS_INIT};
	struct jl_tier_ask asks[100];
	struct pollfd p;
	char *path = jl_strdup(getenv("PATH")), with[PATH_MAX * 2];
	int n = 0;

	tmpdir_write(dir, "jl-store-mute", "#!/bin/sh\nexec sleep 1000\n", 26);
	assert_int_equal(fchmodat(dir->fd, "jl-store-mute", 0755, 0), 0);
	snprintf(with, sizeof(with), "%s:%s", dir->path, path);
	setenv("PATH", with, 1);
	a.tier = jl_tier_new(a.local, &records, 50 * JL_NS_MS);
	assert_int_equal(jl_tier_add(a.tier, &gone, NULL), JL_OK);
	assert_int_equal(jl_tier_add(a.tier, &mute, NULL), JL_OK);
	assert_int_equal(jl_tier_start(a.tier, NULL), JL_OK);
	for (int i = 0; i < 100; i++) {
		char text[20];

		snprintf(text, sizeof(text), "%d", i);
		asks[i] = (struct jl_tier_ask){.key = key_of(text)};
		jl_tier_ask(a.tier, &asks[i]);
	}
	p = (struct pollfd){.fd = jl_tier_fd(a.tier), .events = POLLIN};
	while (n < 100) {
		struct jl_tier_ask *one = jl_tier_taken(a.tier);

		n += one != NULL;
		if (one)
			assert_false(one->found);
		else
			poll(&p, 1, -1);
	}
	jl_tier_tell(a.tier, told, &a);
	assert_non_null(strstr(a.told, "remote \"gone\": the helper \"jl-store-nobody\""));
	assert_non_null(strstr(a.told, "remote \"mute\": no answer"));
	assert_null(strstr(strstr(a.told, "\"mute\"") + 1, "\"mute\""));
	setenv("PATH", path, 1);
	free(path);
	close_side(&a);
}

static void plain_http_wants_signatures(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} urls[] = {
		{"http://cache.example.org/jl", false},
		{"http://localhost:80/x", true},
		{"http://127.0.0.1:80", true},
		{"http://127.0.0.1.evil.example/", false},
		{"http://localhost.evil.example/", false},
		{"http://[::1]:80/", true},
		{"https://cache.example.org/jl", true},
	};
	struct side a;

	(void)state;
	init(&a);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct jl_tier_remote o = {
			.name = "x", .url = urls[i].url, .group = "", .reads = true, .keys = JL_SIGN_KEYS_INIT};

		assert_int_equal(jl_tier_add(a.tier, &o, NULL), urls[i].ok ? JL_OK : JL_EINVAL);
	}
	close_side(&a);
}

/* The helpers lie in the build folder, as this program does: build/test/unit/tier. */
static void find_helpers(void)
{
	char self[PATH_MAX], path[PATH_MAX * 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/libexec/jl:%s", self, getenv("PATH"));
	setenv("PATH", path, 1);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(another_user_gets_what_one_made),
		IN_FOLDER(what_is_there_is_not_sent_twice),
		IN_FOLDER(only_what_is_trusted_is_taken),
		IN_FOLDER(damage_is_a_miss),
		IN_FOLDER(by_a_weak_name_nothing_goes_out_or_comes_in),
		IN_FOLDER(remotes_are_asked_in_order),
		IN_FOLDER(lists_are_merged),
		IN_FOLDER(a_dead_remote_is_left_alone),
		cmocka_unit_test(plain_http_wants_signatures),
	};

	find_helpers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
