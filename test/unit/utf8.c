/* Characters of UTF-8: what is one, and where a text may be cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

static void knows_characters(void **state)
{
	static const struct {
		const char *s;
		size_t len, want;
	} rows[] = {
		{"a", 1, 1},
		{"\xc3\xa9", 2, 2},
		{"\xc3", 1, 0},
		{"\xa9", 1, 0},
		{"\xc0\x80", 2, 0},         /* overlong */
		{"\xe2\x82\xac", 3, 3},
		{"\xed\xa0\x80", 3, 0},     /* a surrogate */
		{"\xf0\x9f\x98\x80", 4, 4},
		{"\xf4\x90\x80\x80", 4, 0}, /* above U+10FFFF */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(jl_utf8_len(rows[i].s, rows[i].len), rows[i].want);
	assert_int_equal(jl_utf8_char("\xe2\x82\xac", 3), 0x20ac);
}

static void cuts_between_characters(void **state)
{
	static const char s[] = "a\xf0\x9f\x98\x80z"; /* boundaries: 0 1 5 6 */
	static const size_t after[] = {0, 1, 5, 5, 5, 5, 6}, before[] = {0, 1, 1, 1, 1, 5, 6};

	(void)state;
	for (size_t at = 0; at <= 6; at++) {
		assert_int_equal(jl_utf8_cut_after(s, 6, at), after[at]);
		assert_int_equal(jl_utf8_cut_before(s, 6, at), before[at]);
	}
	/* No text: cut all the same. */
	assert_int_equal(jl_utf8_cut_after("\x80\x80\x80\x80\x80\x80", 6, 1), 4);
	assert_int_equal(jl_utf8_cut_before("\x80\x80\x80\x80\x80\x80", 6, 5), 2);
	assert_int_equal(jl_utf8_cut_after("\x80\x80", 2, 1), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_characters),
		cmocka_unit_test(cuts_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
