/* Buffers and cursors: caps, NULs, integers, hostile lengths. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void appends(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	char *text;
	size_t len;

	(void)state;
	assert_string_equal(b.data, "");
	assert_int_equal(jl_buf_printf(&b, "%s", ""), JL_OK);
	assert_string_equal(b.data, "");
	assert_int_equal(jl_buf_str(&b, "hello"), JL_OK);
	assert_int_equal(jl_buf_printf(&b, " %d", 42), JL_OK);
	assert_int_equal(jl_buf_add(&b, "a\0b", 3), JL_OK);
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "hello 42a\0b", 12);
	jl_buf_truncate(&b, 5);
	assert_string_equal(b.data, "hello");
	text = jl_buf_detach(&b, &len);
	assert_int_equal(len, 5);
	assert_string_equal(text, "hello");
	free(text);
	assert_int_equal(b.len, 0);
	text = jl_buf_detach(&b, NULL);
	assert_string_equal(text, "");
	free(text);
	jl_buf_release(&b);
	assert_string_equal(jl_buf_empty, "");
}

/* Whatever is added: len < cap, NUL at the end, the content a plain array would have. */
static void agrees_with_an_array(void **state)
{
	static char model[100000];
	struct jl_buf b = JL_BUF_INIT;
	size_t len = 0;
	unsigned seed = 1;

	(void)state;
	while (len < 60000) {
		char piece[300];
		size_t n = (size_t)rand_r(&seed) % (sizeof(piece) - 1);

		memset(piece, 'a' + rand_r(&seed) % 26, n);
		piece[n] = '\0';
		memcpy(model + len, piece, n + 1);
		len += n;
		if (rand_r(&seed) % 2)
			assert_int_equal(jl_buf_printf(&b, "%s", piece), JL_OK);
		else
			assert_int_equal(jl_buf_add(&b, piece, n), JL_OK);
		assert_int_equal(b.len, len);
		assert_true(b.len < b.cap || !b.len);
	}
	assert_string_equal(b.data, model);
	jl_buf_release(&b);
}

/* The NUL needs its place too when the content ends where the memory does (the sanitizers watch). */
static void fills_to_the_brim(void **state)
{
	(void)state;
	for (size_t len = 1; len < 300; len++) {
		struct jl_buf b = JL_BUF_INIT;
		size_t rest;

		jl_buf_printf(&b, "%*s", (int)len, "x");
		rest = b.cap - b.len;
		for (size_t i = 0; i < rest; i++)
			assert_int_equal(jl_buf_char(&b, 'y'), JL_OK);
		assert_int_equal(b.len, len + rest);
		assert_true(b.len < b.cap);
		assert_int_equal(strlen(b.data), b.len);
		jl_buf_release(&b);
	}
}

static void keeps_its_cap(void **state)
{
	struct jl_buf b;
	char *to;

	(void)state;
	jl_buf_init(&b, 10);
	assert_int_equal(jl_buf_str(&b, "12345678901"), JL_ELIMIT);
	assert_int_equal(b.len, 0);
	assert_int_equal(jl_buf_str(&b, "1234567"), JL_OK);
	assert_int_equal(jl_buf_printf(&b, "%s", "abcd"), JL_ELIMIT);
	assert_string_equal(b.data, "1234567");
	assert_int_equal(jl_buf_bytes(&b, "abc", 3), JL_ELIMIT);
	assert_int_equal(b.len, 7);
	assert_int_equal(jl_buf_u32(&b, 1), JL_ELIMIT);
	assert_int_equal(jl_buf_reserve(&b, 4, &to), JL_ELIMIT);
	assert_int_equal(jl_buf_reserve(&b, SIZE_MAX, &to), JL_ELIMIT);
	assert_int_equal(jl_buf_reserve(&b, 3, &to), JL_OK);
	memcpy(to, "890", 3);
	b.len += 3;
	jl_buf_truncate(&b, b.len);
	assert_string_equal(b.data, "1234567890");
	assert_int_equal(jl_buf_char(&b, 'x'), JL_ELIMIT);
	jl_buf_clear(&b);
	assert_int_equal(jl_buf_printf(&b, "%s", "0123456789"), JL_OK);
	assert_string_equal(b.data, "0123456789");
	jl_buf_release(&b);
	assert_int_equal(b.max, 10);
}

static struct jl_cur cursor(const void *data, size_t len)
{
	return (struct jl_cur){.at = data, .end = (const uint8_t *)data + len};
}

static void reads_what_it_wrote(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_cur c;
	const char *s;
	size_t len;

	(void)state;
	jl_buf_u8(&b, 200);
	jl_buf_u32(&b, 0xfedcba98);
	jl_buf_u64(&b, UINT64_C(0xfedcba9876543210));
	jl_buf_bytes(&b, "a\0b", 3);
	jl_buf_bytes(&b, NULL, 0);
	assert_memory_equal(b.data + 1, "\x98\xba\xdc\xfe", 4); /* little-endian */
	c = cursor(b.data, b.len);
	assert_int_equal(jl_cur_u8(&c), 200);
	assert_int_equal(jl_cur_u32(&c), 0xfedcba98);
	assert_true(jl_cur_u64(&c) == UINT64_C(0xfedcba9876543210));
	s = jl_cur_bytes(&c, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(s, "a\0b", 3);
	jl_cur_bytes(&c, &len);
	assert_int_equal(len, 0);
	assert_false(c.bad);
	assert_ptr_equal(c.at, c.end);
	assert_int_equal(jl_cur_u8(&c), 0);
	assert_true(c.bad);
	jl_buf_release(&b);
}

/* Every cut of a message is noticed, and nothing is read past its end (the sanitizers watch). */
static void notices_every_cut(void **state)
{
	struct jl_buf b = JL_BUF_INIT;

	(void)state;
	jl_buf_u32(&b, 7);
	jl_buf_bytes(&b, "hello", 5);
	jl_buf_u64(&b, 9);
	for (size_t cut = 0; cut < b.len; cut++) {
		uint8_t *copy = jl_alloc(cut);
		struct jl_cur c = cursor(copy, cut);
		size_t len;

		memcpy(copy, b.data, cut);
		jl_cur_u32(&c);
		jl_cur_bytes(&c, &len);
		jl_cur_u64(&c);
		assert_true(c.bad);
		assert_int_equal(jl_cur_u8(&c), 0);
		assert_null(jl_cur_take(&c, 0));
		free(copy);
	}
	jl_buf_release(&b);
}

static void refuses_a_huge_length(void **state)
{
	struct jl_cur c = cursor("\xff\xff\xff\xff"
				 "abc",
				 7);
	size_t len = 5;

	(void)state;
	assert_string_equal(jl_cur_bytes(&c, &len), "");
	assert_int_equal(len, 0);
	assert_true(c.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends),
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(fills_to_the_brim),
		cmocka_unit_test(keeps_its_cap),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(notices_every_cut),
		cmocka_unit_test(refuses_a_huge_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
