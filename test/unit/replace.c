/* Replacement strings: words, scripts, quotes, several values. */
#include "run/replace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The words of the command with bars between, or "error: ...". Values are separated by blanks in `values`. */
static void expect(const char *const *words, uint32_t n, const char *names, bool context, const char *values, const char *want)
{
	struct jl_args args = JL_ARGS_INIT, columns = JL_ARGS_INIT;
	struct jl_replace_out out = JL_REPLACE_OUT_INIT;
	struct jl_buf got = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_replace *r = NULL;
	const struct jl_replace_with with = {.args = &args, .seq = 7, .slot = 2};

	for (const char *at = values; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		jl_args_add(&args, at, strcspn(at, "|"));
	if (names)
		jl_args_add(&columns, names, strlen(names));
	const struct jl_replace_opts opts = {.names = names ? &columns : NULL, .context = context};
	if (jl_replace_new(words, n, &opts, &r, &err) == JL_OK) {
		size_t most = jl_replace_base_size(r), size = 0;

		jl_replace_expand(r, &with, &out);
		for (uint32_t i = 0; i + 1 < out.argv.len; i++) {
			const char *word = *JL_AT(out.argv, const char *, i);

			jl_buf_printf(&got, "%s%s", i ? "|" : "", word);
			size += strlen(word) + 1 + sizeof(word);
		}
		assert_null(*JL_AT(out.argv, const char *, out.argv.len - 1));
		for (uint32_t i = 0; i < args.at.len; i++) {
			size_t len;
			const char *value = jl_args_at(&args, i, &len);

			most += jl_replace_value_size(r, value, len);
		}
		assert_true(size <= most + 64);
	} else {
		jl_buf_printf(&got, "error: %s", err.text);
	}
	assert_string_equal(got.data, want);
	jl_replace_free(r);
	jl_replace_out_release(&out);
	jl_args_release(&args);
	jl_args_release(&columns);
	jl_buf_release(&got);
}

#define LIST(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void words(void **state)
{
	(void)state;
	expect(LIST("echo", "-n"), NULL, false, "a b;", "echo|-n|a b;");
	expect(LIST("echo", "{.}", "{/}", "{//}", "{/.}"), NULL, false, "d.e/f.g.h", "echo|d.e/f.g|f.g.h|d.e|f.g");
	expect(LIST("{}", "{.}{/}", "{//}"), NULL, false, ".rc", ".rc|.rc|.");
	expect(LIST("x", "{//}"), NULL, false, "/", "x|/");
	expect(LIST("x", "{//}"), NULL, false, "a//b//", "x|a");
	expect(LIST("x", "{#}.{%}"), NULL, false, "a", "x|7.2");
	expect(LIST("x", "{2}{1.}", "{-1}", "{3}", "{3}y", ""), NULL, false, "a.b|c", "x|ca|c|y|");
	expect(LIST("x", "{n}", "{n.}", "{m}", "{0}", "{}}", "{"), "n", false, "a.b", "x|a.b|a|{m}|{0}|a.b}|{");
	expect(LIST("x", "{}"), NULL, false, "", "x|");
}

static void several(void **state)
{
	(void)state;
	expect(LIST("x", "a{}b", "c"), NULL, false, "1|2|3", "x|a1|2|3b|c");
	expect(LIST("x", "a{}b", "c"), NULL, true, "1|2|3", "x|a1b|a2b|a3b|c");
	expect(LIST("x {.}"), NULL, true, "1.a|2.b", "x|1|2");
	expect(LIST("x a{}b;"), NULL, true, "1|2", "/bin/sh|-c|x a1b; a2b;");
	expect(LIST("x a{}b;"), NULL, false, "1|2", "/bin/sh|-c|x a1 2b;");
}

static void one_word(void **state)
{
	(void)state;
	expect(LIST("  echo\t-n  {}x "), NULL, false, "a b", "echo|-n|a bx");
	expect(LIST("echo"), NULL, false, "a b", "echo|a b");
	expect(LIST("cat {} > {.}.out"), NULL, false, "it's.x", "/bin/sh|-c|cat 'it'\\''s.x' > 'it'\\''s'.out");
	expect(LIST("wc -l | cat"), NULL, false, "a b", "/bin/sh|-c|wc -l | cat 'a b'");
	expect(LIST("cd {}"), NULL, false, "a", "/bin/sh|-c|cd a");
	expect(LIST("echo \"{#}\" {}"), NULL, false, "a", "/bin/sh|-c|echo \"7\" a");
	expect(LIST("awk {print}"), NULL, false, "a", "/bin/sh|-c|awk {print} a");
}

static void refused(void **state)
{
	static const char advice[] = "stands inside quotes: drop them, values are quoted for the shell as they are put in";
	struct jl_buf want = JL_BUF_INIT;

	(void)state;
	jl_buf_printf(&want, "error: {} %s", advice);
	expect(LIST("echo '{}'"), NULL, false, "a", want.data);
	expect(LIST("echo \"a {}\""), NULL, false, "a", want.data);
	jl_buf_clear(&want);
	jl_buf_printf(&want, "error: {2/.} %s", advice);
	expect(LIST("echo {1} \"$x{2/.}\""), NULL, false, "a", want.data);
	jl_buf_release(&want);
	expect(LIST("  "), NULL, false, "a", "error: the command is empty");
	expect(LIST("echo \"$(cat {})\""), NULL, false, "a", "/bin/sh|-c|echo \"$(cat a)\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(several),
		cmocka_unit_test(one_word),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
