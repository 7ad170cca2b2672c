/* Paths as text. */
#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void joins(void **state)
{
	static const char *const cases[][3] = {
		{"", "a", "a"},         {"", "", "."},         {".", ".", "."},      {"", "a//b/./c/", "a/b/c"},
		{"a/b", "../c", "a/c"}, {"a", "..", "."},      {"a", "../..", ".."}, {"a", "../../../b", "../../b"},
		{"a", "/b", "/b"},      {"/a", "../..", "/"},  {"/", "a", "/a"},     {"/a/b", "c/../..", "/a"},
		{"..", "..", "../.."},  {"../a", "..", ".."},  {"", "//a", "/a"},    {"", "/..", "/"},
		{"a", "...", "a/..."},  {"a", "..b", "a/..b"}, {"..a", "..", "."},   {"a/", "b", "a/b"},
		{"x", "./../.", "."},   {"", "..//", ".."},    {"", ".a/../b", "b"}, {"/", "", "/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jl_buf b = JL_BUF_INIT;

		jl_buf_str(&b, "pre");
		assert_int_equal(jl_path_join(&b, cases[i][0], cases[i][1]), JL_OK);
		assert_string_equal(b.data + 3, cases[i][2]);
		jl_buf_release(&b);
	}
}

static void join_leaves_nothing_when_over_the_cap(void **state)
{
	struct jl_buf b;

	(void)state;
	jl_buf_init(&b, 4);
	jl_buf_char(&b, 'x');
	assert_int_equal(jl_path_join(&b, "a", "b/c"), JL_ELIMIT);
	assert_string_equal(b.data, "x");
	assert_int_equal(jl_path_join(&b, "a", "b"), JL_OK);
	assert_string_equal(b.data, "xa/b");
	jl_buf_release(&b);
}

static void finds_name_and_suffix(void **state)
{
	(void)state;
	assert_int_equal(jl_path_base("a/b", 3), 2);
	assert_int_equal(jl_path_base("b", 1), 0);
	assert_int_equal(jl_path_base("/", 1), 0);
	assert_int_equal(jl_path_base("/a", 2), 1);
}

static void knows_inside(void **state)
{
	(void)state;
	assert_true(jl_path_inside("a", "a"));
	assert_true(jl_path_inside("a/b", "a"));
	assert_false(jl_path_inside("ab", "a"));
	assert_false(jl_path_inside("a", "a/b"));
	assert_true(jl_path_inside("a", "."));
	assert_true(jl_path_inside(".", "."));
	assert_true(jl_path_inside("..a", "."));
	assert_false(jl_path_inside("..", "."));
	assert_false(jl_path_inside("../a", "."));
	assert_false(jl_path_inside("/a", "."));
	assert_true(jl_path_inside("/a", "/"));
	assert_true(jl_path_inside("/", "/"));
	assert_false(jl_path_inside("a", "/"));
	assert_true(jl_path_inside("../a", ".."));
	assert_true(jl_path_inside("a", ".."));
	assert_true(jl_path_inside("../a", "../.."));
	assert_false(jl_path_inside("../../a", ".."));
	assert_false(jl_path_inside("../..", ".."));
	assert_false(jl_path_inside("/a", ".."));
	assert_false(jl_path_inside("a", "../b"));
	assert_true(jl_path_escapes(".."));
	assert_true(jl_path_escapes("../a"));
	assert_true(jl_path_escapes("/a"));
	assert_false(jl_path_escapes("..a"));
	assert_false(jl_path_escapes("a"));
}

static void names_relatively(void **state)
{
	static const char *const cases[][3] = {
		{".", "a/b", "a/b"}, {"a/b", "a/c/d", "../c/d"}, {"a", "a", "."},          {"a/b", "c", "../../c"},
		{"a", "a/b", "b"},   {"a/b", "a", ".."},         {"ab", "a", "../a"},      {"a", "ab", "../ab"},
		{"a", "/x", "/x"},   {"a", "../b", "../../b"},   {"../a", "../b", "../b"}, {"a", ".", ".."},
		{".", ".", "."},     {"/x", "/y", "/y"},
	};
	struct jl_buf b = JL_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		jl_buf_clear(&b);
		assert_int_equal(jl_path_relative(&b, cases[i][0], cases[i][1]), JL_OK);
		assert_string_equal(b.data, cases[i][2]);
		/* And back: from the folder, the relative name is the path. */
		if (cases[i][0][0] != '/') {
			struct jl_buf back = JL_BUF_INIT;

			assert_int_equal(jl_path_join(&back, cases[i][0], b.data), JL_OK);
			assert_string_equal(back.data, cases[i][1]);
			jl_buf_release(&back);
		}
	}
	jl_buf_clear(&b);
	assert_int_equal(jl_path_relative(&b, "../a", "b"), JL_EINVAL);
	assert_int_equal(jl_path_relative(&b, "/a", "b"), JL_EINVAL);
	assert_int_equal(b.len, 0);
	jl_buf_release(&b);
}

static void escape_is(const char *name, const char *want)
{
	struct jl_buf b = JL_BUF_INIT;

	assert_int_equal(jl_path_escape(&b, name), JL_OK);
	assert_string_equal(b.data, want);
	jl_buf_release(&b);
}

static void escapes_names(void **state)
{
	struct jl_buf a = JL_BUF_INIT, b = JL_BUF_INIT;
	char name[400];

	(void)state;
	escape_is("a-b_c.d=1,2@x+y", "a-b_c.d=1,2@x+y");
	escape_is(".x", "%2Ex");
	escape_is("..", "%2E.");
	escape_is("a/b c%~\n\xff", "a%2Fb%20c%25%7E%0A%FF");
	escape_is("", "%");
	/* 200 safe bytes stay; one more is cut, and the hash tells the ends apart. */
	memset(name, 'a', sizeof(name));
	name[200] = '\0';
	escape_is(name, name);
	name[200] = 'a';
	name[201] = '\0';
	assert_int_equal(jl_path_escape(&a, name), JL_OK);
	name[200] = 'b';
	assert_int_equal(jl_path_escape(&b, name), JL_OK);
	assert_int_equal(a.len, 200);
	assert_int_equal(a.data[183], '~');
	assert_string_not_equal(a.data, b.data);
	/* A cut never parts a %XX: 183 bytes would be one and two thirds of another. */
	name[0] = 'b';
	memset(name + 1, '/', 100);
	name[101] = '\0';
	jl_buf_clear(&a);
	assert_int_equal(jl_path_escape(&a, name), JL_OK);
	assert_int_equal(a.len, 181 + 17);
	assert_int_equal(a.data[181], '~');
	jl_buf_clear(&a);
	memset(name, '/', 100);
	name[100] = '\0';
	assert_int_equal(jl_path_escape(&a, name), JL_OK);
	assert_int_equal(a.len, 183 + 17);
	assert_int_equal(strspn(a.data, "%2F"), 183);
	jl_buf_release(&a);
	jl_buf_release(&b);
}

static void show_is(const char *text, const char *want)
{
	struct jl_buf b = JL_BUF_INIT;

	assert_int_equal(jl_path_show(&b, text, strlen(text)), JL_OK);
	assert_string_equal(b.data, want);
	jl_buf_release(&b);
}

static void shows_readably(void **state)
{
	(void)state;
	show_is("a b", "a b");
	show_is("\x1b[31m\n\t\x7f", "\\x1b[31m\\x0a\\x09\\x7f");
	show_is("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
	show_is("\xc2\x9b"
		"x",
		"\\xc2\\x9bx");                              /* CSI in one character */
	show_is("\xff\xc3", "\\xff\\xc3");                   /* no UTF-8, and cut */
	show_is("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
	show_is("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
	show_is("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins),
		cmocka_unit_test(join_leaves_nothing_when_over_the_cap),
		cmocka_unit_test(finds_name_and_suffix),
		cmocka_unit_test(knows_inside),
		cmocka_unit_test(names_relatively),
		cmocka_unit_test(escapes_names),
		cmocka_unit_test(shows_readably),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
