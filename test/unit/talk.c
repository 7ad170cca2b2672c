/* Messages of helpers, and envelopes: what is written is read, what is not whole or not right is told from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/envelope.h"
#include "store/talk.h"

static void every_message_comes_back(void **state)
{
	const struct jl_talk all[] = {
		{.type = JL_TALK_HELLO, .size = 1, .count = 3, .name = "file:///x", .data = "abc", .len = 3},
		{.type = JL_TALK_GET, .id = 1, .name = "ac/ab/abcd", .size = 5},
		{.type = JL_TALK_HEAD, .id = 2, .name = "a"},
		{.type = JL_TALK_PUT, .id = 3, .name = "cas/00/00ff", .size = UINT64_MAX - 1},
		{.type = JL_TALK_DATA, .id = 4, .data = "\0\1", .len = 2},
		{.type = JL_TALK_END, .id = 5},
		{.type = JL_TALK_CANCEL, .id = 6},
		{.type = JL_TALK_CREDIT, .id = UINT32_MAX, .count = 77},
		{.type = JL_TALK_FOUND, .id = 8, .size = JL_TALK_UNKNOWN},
		{.type = JL_TALK_ERROR, .id = 9, .count = JL_TALK_REFUSED, .data = "no", .len = 2},
	};
	struct jl_buf b = JL_BUF_INIT;
	struct jl_talk m;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		jl_buf_clear(&b);
		jl_talk_put(&b, &all[i]);
		for (size_t n = 0; n < b.len; n++)
			assert_int_equal(jl_talk_take(b.data, n, &m), 0);
		assert_int_equal(jl_talk_take(b.data, b.len, &m), b.len);
		assert_int_equal(m.type, all[i].type);
		assert_int_equal(m.id, all[i].id);
		assert_int_equal(m.count, all[i].count);
		assert_true(m.size == all[i].size);
		assert_int_equal(m.name_len, all[i].name ? strlen(all[i].name) : 0);
		assert_int_equal(m.len, all[i].len);
		if (m.len)
			assert_memory_equal(m.data, all[i].data, m.len);
	}
	jl_buf_release(&b);
}

static void what_is_no_message_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"\0\0\0\0", 4},                         /* no type */
		{"\xff\xff\xff\xff\1", 5},               /* longer than may be */
		{"\5\0\0\0\0\1\0\0\0", 9},               /* type 0 */
		{"\5\0\0\0\x0b\1\0\0\0", 9},             /* type 11 */
		{"\5\0\0\0\5\1\0\0\0", 9},               /* DATA without any */
		{"\6\0\0\0\6\1\0\0\0x", 10},             /* END with more */
		{"\x0a\0\0\0\3\1\0\0\0\1\0\0\0.", 14},   /* HEAD of "." */
		{"\x0a\0\0\0\3\1\0\0\0\xff\0\0\0a", 14}, /* a name longer than the message */
	};
	struct jl_talk m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(jl_talk_take(bad[i].bytes, bad[i].len, &m), JL_ECORRUPT);
}

static void names_stay_inside(void **state)
{
	static const char *const good[] = {"a", "ac/ab/abcd", "a.b", "team-1/ac/0", "A_b"};
	static const char *const bad[] = {"",   "/a",   "a/",  "a//b", ".",   "..",   "a/../b",
					  ".a", "a/.b", "a b", "a\nb", "a?b", "a%2fb"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(jl_talk_name_ok(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(jl_talk_name_ok(bad[i], strlen(bad[i])));
}

static void settings_are_found_by_name(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_talk m = {.type = JL_TALK_HELLO};
	char *value;

	(void)state;
	jl_talk_add_setting(&b, "name", "ci");
	jl_talk_add_setting(&b, "write", "1");
	m.data = b.data;
	m.len = b.len;
	value = jl_talk_setting(&m, "write");
	assert_string_equal(value, "1");
	free(value);
	assert_null(jl_talk_setting(&m, "nothing"));
	m.len--;
	assert_null(jl_talk_setting(&m, "write"));
	jl_buf_release(&b);
}

/* ---- envelopes ---- */

#define KEYS "old 0123456789abcdef0\nnew fedcba9876543210f\n"

static void read_keys(struct jl_sign_keys *k, const char *text)
{
	*k = (struct jl_sign_keys)JL_SIGN_KEYS_INIT;
	assert_int_equal(jl_sign_keys_read(k, text, strlen(text), NULL), JL_OK);
}

static void make(struct jl_buf *b, struct jl_digest *key, const struct jl_sign_keys *keys)
{
	struct jl_envelope e = {
		.group = "team", .record = "RECORD", .record_len = 6, .blobs = JL_TABLE_INIT(struct jl_envelope_blob)};
	struct jl_envelope_blob *blob = jl_table_add(&e.blobs, 2);

	jl_digest_bytes_as(JL_DIGEST_SHA256, "key", 3, key);
	e.key = *key;
	jl_digest_bytes_as(JL_DIGEST_SHA256, "small", 5, &blob[0].digest);
	blob[0].size = 5;
	blob[0].bytes = "small";
	jl_digest_bytes_as(JL_DIGEST_SHA256, "large", 5, &blob[1].digest);
	blob[1].size = 1 << 30;
	jl_buf_clear(b);
	assert_int_equal(jl_envelope_write(&e, keys, b, NULL), JL_OK);
	jl_table_release(&e.blobs);
}

static int check(const struct jl_buf *b, const struct jl_digest *key, const char *group,
		 const struct jl_sign_keys *keys)
{
	struct jl_envelope e;
	struct jl_err err = JL_ERR_INIT;
	int r = jl_envelope_read(b->data, b->len, &e, &err);

	if (r != JL_OK)
		return r;
	r = jl_envelope_check(&e, b->data, key, group, keys, &err);
	jl_envelope_release(&e);
	return r;
}

static void an_envelope_comes_back(void **state)
{
	const struct jl_sign_keys none = JL_SIGN_KEYS_INIT;
	struct jl_buf b = JL_BUF_INIT;
	struct jl_envelope e;
	struct jl_digest key;

	(void)state;
	make(&b, &key, &none);
	assert_int_equal(jl_envelope_read(b.data, b.len, &e, NULL), JL_OK);
	assert_int_equal(e.record_len, 6);
	assert_memory_equal(e.record, "RECORD", 6);
	assert_int_equal(e.blobs.len, 2);
	assert_memory_equal(JL_AT(e.blobs, struct jl_envelope_blob, 0)->bytes, "small", 5);
	assert_null(JL_AT(e.blobs, struct jl_envelope_blob, 1)->bytes);
	assert_null(e.mac);
	jl_envelope_release(&e);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(jl_envelope_read(b.data, n, &e, NULL), JL_ECORRUPT);
	jl_buf_char(&b, 'x');
	assert_int_equal(jl_envelope_read(b.data, b.len, &e, NULL), JL_ECORRUPT);
	jl_buf_release(&b);
}

static void only_the_right_one_is_taken(void **state)
{
	struct jl_sign_keys none = JL_SIGN_KEYS_INIT, keys, turned, others;
	struct jl_digest key, other;
	struct jl_buf b = JL_BUF_INIT;

	(void)state;
	read_keys(&keys, KEYS);
	read_keys(&turned, "# the new one signs from now on\nnew fedcba9876543210f\r\n\n old   0123456789abcdef0");
	read_keys(&others, "old 0123456789abcdefX\n");
	jl_digest_bytes_as(JL_DIGEST_SHA256, "other", 5, &other);
	make(&b, &key, &none);
	assert_int_equal(check(&b, &key, "team", &none), JL_OK);
	assert_int_equal(check(&b, &other, "team", &none), JL_EINVAL);
	assert_int_equal(check(&b, &key, "", &none), JL_EINVAL);
	assert_int_equal(check(&b, &key, "team", &keys), JL_EINVAL); /* not signed */
	make(&b, &key, &keys);
	assert_int_equal(check(&b, &key, "team", &keys), JL_OK);
	assert_int_equal(check(&b, &key, "team", &turned), JL_OK);
	assert_int_equal(check(&b, &key, "team", &others), JL_EINVAL);
	assert_int_equal(check(&b, &key, "team", &none), JL_OK);
	assert_int_equal(check(&b, &other, "team", &keys), JL_EINVAL);
	for (size_t i = 0; i < b.len; i++) { /* S41: no byte may be another */
		b.data[i] ^= 1;
		assert_int_not_equal(check(&b, &key, "team", &keys), JL_OK);
		b.data[i] ^= 1;
	}
	jl_sign_keys_release(&keys);
	jl_sign_keys_release(&turned);
	jl_sign_keys_release(&others);
	jl_buf_release(&b);
}

static void bad_keys_are_told_without_them(void **state)
{
	static const char *const bad[] = {"", "# nothing\n", "id short\n", "only-an-id\n", "a/b 0123456789abcdef\n"};
	struct jl_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jl_sign_keys k = JL_SIGN_KEYS_INIT;

		err = (struct jl_err)JL_ERR_INIT;
		assert_int_equal(jl_sign_keys_read(&k, bad[i], strlen(bad[i]), &err), JL_EINVAL);
		assert_null(strstr(err.text, "0123456789abcdef"));
		assert_null(strstr(err.text, "short"));
		jl_sign_keys_release(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(names_stay_inside),
		cmocka_unit_test(settings_are_found_by_name),
		cmocka_unit_test(an_envelope_comes_back),
		cmocka_unit_test(only_the_right_one_is_taken),
		cmocka_unit_test(bad_keys_are_told_without_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
