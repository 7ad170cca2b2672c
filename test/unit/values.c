/* Values: sources, products, what ends a value; reading only what is there. */
#include "run/values.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* All records, "a b|c d|", or the message. */
static char *all_of(const struct jl_values_opts *o)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_args args = JL_ARGS_INIT;
	struct jl_values *v = NULL;
	struct jl_err err = JL_ERR_INIT;
	int r = jl_values_open(o, &v, &err);

	while (r >= 0 && (r = jl_values_next(v, &args, &err)) == JL_VALUES_ONE) {
		for (uint32_t i = 0; i < args.at.len; i++) {
			size_t len;
			const char *value = jl_args_at(&args, i, &len);

			assert_int_equal(strlen(value), len);
			jl_buf_printf(&out, "%s%s", i ? " " : "", value);
		}
		jl_buf_char(&out, '|');
		jl_args_clear(&args);
	}
	if (r < 0)
		jl_buf_printf(&out, "error: %s", err.text);
	jl_values_free(v);
	jl_args_release(&args);
	return jl_buf_detach(&out, NULL);
}

static void expect(const struct jl_values_opts *o, const char *text)
{
	char *got = all_of(o);

	assert_string_equal(got, text);
	free(got);
}

#define WORDS(linked_, ...) \
	{.words = (const char *const[]){__VA_ARGS__}, \
	 .n_words = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), .linked = (linked_)}

static void products(void **state)
{
	const struct jl_values_source two[] = {WORDS(false, "a", "b"), WORDS(false, "1", "2", "3")};
	const struct jl_values_source step[] = {WORDS(false, "a", "b"), WORDS(true, "1", "2", "3"), WORDS(false, "x", "y")};

	(void)state;
	expect(&(struct jl_values_opts){.sources = two, .n_sources = 2}, "a 1|a 2|a 3|b 1|b 2|b 3|");
	expect(&(struct jl_values_opts){.sources = step, .n_sources = 3}, "a 1 x|a 1 y|b 2 x|b 2 y|");
	expect(&(struct jl_values_opts){.sources = two, .n_sources = 2, .header = true}, "b 2|b 3|");
}

static void columns(void **state)
{
	const struct jl_values_source one[] = {WORDS(false, "a,b,,", "", "c")};
	const struct jl_values_source tabs[] = {WORDS(false, "a\tb", "x1y22z")};

	(void)state;
	expect(&(struct jl_values_opts){.sources = one, .n_sources = 1, .colsep = ","}, "a b  ||c|");
	expect(&(struct jl_values_opts){.sources = tabs, .n_sources = 1, .colsep = "\\t"}, "a b|x1y22z|");
	expect(&(struct jl_values_opts){.sources = tabs, .n_sources = 1, .colsep = "[0-9]+|\\t"}, "a b|x y z|");
	expect(&(struct jl_values_opts){.sources = one, .n_sources = 1, .skip_blank = true}, "a,b,,|c|");
	char *got = all_of(&(struct jl_values_opts){.sources = one, .n_sources = 1, .colsep = "("});
	assert_non_null(strstr(got, "is no regular expression"));
	free(got);
}

static void write_file(char path[], const void *data, size_t len)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void files(void **state)
{
	char lines[] = "/tmp/jl-values-XXXXXX", nul[] = "/tmp/jl-values-XXXXXX";
	const struct jl_values_source line[] = {{.path = lines}, {.path = nul}};
	const struct jl_values_source product[] = {{.path = lines}, {.path = lines}};

	(void)state;
	write_file(lines, "a\n\nb", 4);
	write_file(nul, "x\ny\0z\0", 6);
	expect(&(struct jl_values_opts){.sources = line, .n_sources = 1, .end = '\n'}, "a||b|");
	expect(&(struct jl_values_opts){.sources = line + 1, .n_sources = 1, .end = '\0'}, "x\ny|z|");
	expect(&(struct jl_values_opts){.sources = product, .n_sources = 2, .end = '\n'}, "a a|a |a b| a| | b|b a|b |b b|");
	char *got = all_of(&(struct jl_values_opts){.sources = line + 1, .n_sources = 1, .end = '\n'});
	assert_non_null(strstr(got, "holds a NUL byte"));
	free(got);
	unlink(lines);
	unlink(nul);
}

/* A pipe that is not ready is told, not waited for, and nothing is lost by it. */
static void waiting(void **state)
{
	int fds[2];
	char path[64];
	struct jl_args args = JL_ARGS_INIT;
	struct jl_values *v = NULL;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	const struct jl_values_source sources[] = {{.path = path}, WORDS(false, "1", "2")};
	const struct jl_values_opts o = {.sources = sources, .n_sources = 2, .end = '\n'};

	assert_int_equal(jl_values_open(&o, &v, NULL), JL_OK);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_WAIT);
	assert_true(jl_values_fd(v) >= 0);
	assert_int_equal(write(fds[1], "a\nb", 3), 3);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_ONE);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_ONE);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_WAIT);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_WAIT);
	close(fds[1]);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_ONE);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_ONE);
	assert_int_equal(jl_values_next(v, &args, NULL), JL_VALUES_END);
	assert_int_equal(args.text.len, 16);
	assert_memory_equal(args.text.data, "a\0" "1\0a\0" "2\0b\0" "1\0b\0" "2", 16);
	close(fds[0]);
	jl_values_free(v);
	jl_args_release(&args);
}

static void totals(void **state)
{
	const struct jl_values_source s[] = {WORDS(false, "a", "b"), WORDS(true, "1", "2", "3"), WORDS(false, "x", "y", "z")};
	const struct jl_values_opts o = {.sources = s, .n_sources = 3};
	struct jl_values *v = NULL;

	(void)state;
	assert_int_equal(jl_values_open(&o, &v, NULL), JL_OK);
	assert_int_equal(jl_values_total(v), 6);
	jl_values_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products), cmocka_unit_test(columns), cmocka_unit_test(files),
		cmocka_unit_test(waiting),  cmocka_unit_test(totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
