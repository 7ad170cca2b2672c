/* Depfiles as compilers write them, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "memo/depfile.h"

/* The dependencies with '|' behind each. */
static void expect(const char *text, const char *wanted)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	uint32_t n = 0, count = 0;
	assert_int_equal(jl_depfile_parse(text, strlen(text), &out, &n, &err), JL_OK);
	for (size_t i = 0; i < out.len; i++) {
		count += out.data[i] == '\0';
		out.data[i] = out.data[i] ? out.data[i] : '|';
	}
	assert_string_equal(out.data, wanted);
	assert_int_equal(n, count);
	jl_buf_release(&out);
}

static void expect_fault_len(const char *text, size_t len, int status, const char *wanted)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	uint32_t n = 77;
	assert_int_equal(jl_depfile_parse(text, len, &out, &n, &err), status);
	assert_string_equal(err.text, wanted);
	assert_int_equal(n, 77);
	jl_buf_release(&out);
}

static void expect_fault(const char *text, const char *wanted)
{
	expect_fault_len(text, strlen(text), JL_EINVAL, wanted);
}

static void rules(void **state)
{
	(void)state;
	expect("a.o: a.c a.h\n", "a.c|a.h|");
	expect("a.o: a.c \\\n a.h \\\n  /usr/include/stdio.h\n", "a.c|a.h|/usr/include/stdio.h|");
	expect("a.o: a.c \\\r\n a.h\r\n", "a.c|a.h|");
	expect("a.o a.d : a.c\n", "a.c|");
	expect("a.o \\\n a.d: a.c", "a.c|");
	expect("a.o:a.c\n", "a.c|");
	expect("a.o:: a.c\n", "a.c|");
	expect("a.o:\n", "");
	expect("a.o:", "");
	expect("\n\na.o: x\n\nb.o: y x\n", "x|y|x|");
	expect("a.o: a.c a.h\n\na.h:\n\nb.h:\n", "a.c|a.h|"); /* -MP */
	expect("# made\na.o: a.c # why\n\n# env-dep:X=a: b\n", "a.c|");
	expect("\ta.o:\ta.c\t\tb.c \n", "a.c|b.c|");
	expect("a.o: a\\\nb\n", "a|b|");
	expect("\\\n a.o: b\n", "b|");
	expect(" \\\n\na.o: b\n", "b|");
	expect("a.o: b:c :d e:\n", "b:c|:d|e:|");
}

static void escapes(void **state)
{
	(void)state;
	expect("a\\ b.o: a\\ b.c c\\\td\n", "a b.c|c\td|");
	expect("x: a\\\\\\ b\n", "a\\ b|");
	expect("x: a\\\\ b\n", "a\\\\|b|");
	expect("x: a\\#b c\\\\#d #e\n", "a#b|c\\#d|");
	expect("x: a$$b $c $$\n", "a$b|$c|$|");
	expect("x\\:y: a\\:b\n", "a:b|");
	expect("x\\: a\n", "a|");
	expect("x: a\\b \\c d\\\n", "a\\b|\\c|d|");
	expect("x: a\\", "a\\|");
	expect("x: a%b (c) [d]* 'e' \"f\" \xc3\xa4\n", "a%b|(c)|[d]*|'e'|\"f\"|\xc3\xa4|");
	expect("x: a\rb\n", "a\rb|");
}

static void faults(void **state)
{
	(void)state;
	expect_fault("", "it holds no rule");
	expect_fault("# a: b\n\n", "it holds no rule");
	expect_fault("a.o a.c\n", "line 1: no \":\" behind the target");
	expect_fault("a.o: a.c \\\n b.h\nrest", "line 3: no \":\" behind the target");
	expect_fault("\n: a\n", "line 2: no target before the \":\"");
	expect_fault_len("a: b\0c\n", 7, JL_EINVAL, "line 1: a NUL byte");
	expect_fault_len("\x7f\x45LF\0\0", 6, JL_EINVAL, "line 1: a NUL byte");
}

static void bounds(void **state)
{
	(void)state;
	struct jl_buf text = JL_BUF_INIT, out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	uint32_t n = 0;
	jl_buf_str(&text, "x:");
	for (uint32_t i = 0; i < JL_DEPFILE_DEPS_MAX; i++)
		jl_buf_str(&text, " d");
	assert_int_equal(jl_depfile_parse(text.data, text.len, &out, &n, &err), JL_OK);
	assert_int_equal(n, JL_DEPFILE_DEPS_MAX);
	jl_buf_str(&text, " d");
	expect_fault_len(text.data, text.len, JL_ELIMIT, "more than 100000 dependencies");
	jl_buf_clear(&text);
	jl_buf_str(&text, "x: ");
	for (uint32_t i = 0; i < JL_DEPFILE_PATH_MAX; i++)
		jl_buf_char(&text, 'd');
	assert_int_equal(jl_depfile_parse(text.data, text.len, &out, &n, &err), JL_OK);
	jl_buf_char(&text, 'd');
	expect_fault_len(text.data, text.len, JL_ELIMIT, "line 1: a path of more than 4095 bytes");
	jl_buf_release(&text);
	jl_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(escapes),
		cmocka_unit_test(faults),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
