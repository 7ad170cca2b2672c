/* The JSON writer. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void nests(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_json j = {.out = &b};

	(void)state;
	jl_json_begin(&j, '{');
	jl_json_key(&j, "a");
	jl_json_begin(&j, '[');
	jl_json_int(&j, INT64_MIN);
	jl_json_bool(&j, true);
	jl_json_begin(&j, '{');
	jl_json_end(&j, '}');
	jl_json_begin(&j, '[');
	jl_json_end(&j, ']');
	jl_json_str(&j, "");
	jl_json_end(&j, ']');
	jl_json_key(&j, "b\"");
	jl_json_bool(&j, false);
	jl_json_key(&j, "c");
	jl_json_num(&j, 0.5);
	jl_json_end(&j, '}');
	assert_string_equal(b.data, "{\"a\":[-9223372036854775808,true,{},[],\"\"],\"b\\\"\":false,\"c\":0.5}");
	jl_buf_release(&b);
}

static void str_is(const char *s, size_t len, const char *want)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_json j = {.out = &b};

	jl_json_strn(&j, s, len);
	assert_string_equal(b.data, want);
	jl_buf_release(&b);
}

static void quotes(void **state)
{
	(void)state;
	str_is("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
	str_is("\n\t\r\b\f\x01\x7f", 7, "\"\\n\\t\\r\\b\\f\\u0001\\u007f\"");
	str_is("a\0b", 3, "\"a\\u0000b\"");
	str_is("\xc3\xbc\xf0\x9f\x98\x80", 6, "\"\xc3\xbc\xf0\x9f\x98\x80\"");
	str_is("x\xffy\xc3", 4, "\"x\xef\xbf\xbdy\xef\xbf\xbd\"");
	str_is("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	str_is(NULL, 0, "\"\"");
}

static void numbers(void **state)
{
	static const struct {
		double v;
		const char *want;
	} cases[] = {
		{0, "0"},
		{-0.0, "0"},
		{1, "1"},
		{-1.5, "-1.5"},
		{0.000001, "0.000001"},
		{1e-9, "0"},
		{-1e-9, "0"},
		{1.9999999, "2"},
		{123.456, "123.456"},
		{8e12, "8000000000000"},
		{1e15, "1000000000000000"},
		{-1e15, "-1000000000000000"},
		{1.0 / 3, "0.333333"},
		{99.9999995, "100"},
		{__builtin_inf(), "null"},
		{-__builtin_inf(), "null"},
		{__builtin_nan(""), "null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jl_buf b = JL_BUF_INIT;
		struct jl_json j = {.out = &b};

		jl_json_num(&j, cases[i].v);
		assert_string_equal(b.data, cases[i].want);
		jl_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nests),
		cmocka_unit_test(quotes),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
