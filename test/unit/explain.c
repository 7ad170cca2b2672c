/* What differs between two key manifests, told in lines and in short; the word diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memo/explain.h"
#include "memo/worddiff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "xxh3:00112233445566778899aabbccddeeff"
#define B "xxh3:ffeeddccbbaa99887766554433221100"

static void begin(struct jl_buf *b)
{
	*b = (struct jl_buf)JL_BUF_INIT;
	jl_key_begin(b);
}

static void text(struct jl_buf *b, enum jl_piece type, const char *name, const char *value)
{
	jl_key_piece(b, type, name, value, strlen(value));
}

static void input(struct jl_buf *b, const char *path, enum jl_kind kind, bool executable, const char *digest)
{
	struct jl_buf value = JL_BUF_INIT;

	jl_buf_u8(&value, (uint8_t)kind);
	jl_buf_u8(&value, executable);
	jl_buf_str(&value, digest);
	jl_key_piece(b, JL_PIECE_INPUT, path, value.data, value.len);
	jl_buf_release(&value);
}

/* All lines, each ended, then the short form; releases both lists. */
static void expect(struct jl_buf *was, struct jl_buf *now, const char *lines, const char *brief)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_explain x;

	assert_int_equal(jl_explain(was->data, was->len, now->data, now->len, &x, &err), JL_OK);
	for (uint32_t i = 0; i < x.at.len; i++) {
		jl_explain_line(&x, i, &out);
		jl_buf_char(&out, '\n');
	}
	assert_string_equal(out.data, lines);
	jl_buf_clear(&out);
	jl_explain_short(&x, &out);
	assert_string_equal(out.data, brief);
	jl_explain_release(&x);
	jl_buf_release(&out);
	jl_buf_release(was);
	jl_buf_release(now);
}

static void nothing_differs(void **state)
{
	struct jl_buf was, now;

	(void)state;
	begin(&was);
	begin(&now);
	expect(&was, &now, "", "");
	begin(&was);
	text(&was, JL_PIECE_ARG, "", "cat");
	input(&was, "a", JL_KIND_FILE, false, A);
	begin(&now);
	text(&now, JL_PIECE_ARG, "", "cat");
	input(&now, "a", JL_KIND_FILE, false, A);
	expect(&was, &now, "", "");
}

static void inputs_come_first(void **state)
{
	struct jl_buf was, now;

	(void)state;
	begin(&was);
	text(&was, JL_PIECE_SHELL, "", "bash");
	text(&was, JL_PIECE_SHELL, "", "-c");
	text(&was, JL_PIECE_SCRIPT, "", "./clean.py --level 3 parts/p.00");
	text(&was, JL_PIECE_WORKDIR, "", ".");
	text(&was, JL_PIECE_ENV, "GONE", "x");
	text(&was, JL_PIECE_ENV, "LEVEL", "3");
	text(&was, JL_PIECE_TOOL, "cc", A);
	input(&was, "clean.py", JL_KIND_FILE, true, A);
	begin(&now);
	text(&now, JL_PIECE_SHELL, "", "bash");
	text(&now, JL_PIECE_SHELL, "", "-c");
	text(&now, JL_PIECE_SCRIPT, "", "./clean.py --level 9 parts/p.00");
	text(&now, JL_PIECE_WORKDIR, "", "sub");
	text(&now, JL_PIECE_ENV, "ADDED", "a\nb");
	text(&now, JL_PIECE_ENV, "LEVEL", "9");
	text(&now, JL_PIECE_TOOL, "cc", B);
	input(&now, "clean.py", JL_KIND_FILE, true, B);
	expect(&was, &now,
	       "input clean.py changed: xxh3:001122334455… → xxh3:ffeeddccbbaa…\n"
	       "command: ./clean.py --level [-3-]{+9+} parts/p.00\n"
	       "working folder changed: \".\" → \"sub\"\n"
	       "variable ADDED is new: \"a\\x0ab\"\n"
	       "variable GONE is gone: \"x\"\n"
	       "variable LEVEL changed: \"3\" → \"9\"\n"
	       "tool cc changed: xxh3:001122334455… → xxh3:ffeeddccbbaa…\n",
	       "input \"clean.py\" changed, and 6 more");
}

static void kinds_of_inputs(void **state)
{
	struct jl_buf was, now;

	(void)state;
	begin(&was);
	input(&was, "a", JL_KIND_FILE, false, A);
	input(&was, "b", JL_KIND_FILE, true, A);
	input(&was, "c", JL_KIND_FILE, false, A);
	input(&was, "d", JL_KIND_ABSENT, false, "");
	input(&was, "f", JL_KIND_FILE, false, A);
	input(&was, "twice", JL_KIND_FILE, false, A);
	input(&was, "twice", JL_KIND_FILE, false, A);
	begin(&now);
	input(&now, "a", JL_KIND_FILE, true, A);
	input(&now, "b", JL_KIND_FILE, false, B);
	input(&now, "c", JL_KIND_DIR, false, B);
	input(&now, "d", JL_KIND_FILE, false, B);
	input(&now, "e", JL_KIND_FILE, false, B);
	input(&now, "twice", JL_KIND_FILE, false, A);
	expect(&was, &now,
	       "input a changed: is now executable\n"
	       "input b changed: is no longer executable; xxh3:001122334455… → xxh3:ffeeddccbbaa…\n"
	       "input c changed: was a file, is a folder; xxh3:001122334455… → xxh3:ffeeddccbbaa…\n"
	       "input d changed: was absent, is a file; none → xxh3:ffeeddccbbaa…\n"
	       "input e is new: xxh3:ffeeddccbbaa…\n"
	       "input f is gone: xxh3:001122334455…\n"
	       "input twice is gone: xxh3:001122334455…\n",
	       "input \"a\" changed, and 6 more");
}

static void other_pieces(void **state)
{
	struct jl_buf was, now;

	(void)state;
	begin(&was);
	text(&was, JL_PIECE_STDIN, "in.txt", "");
	text(&was, JL_PIECE_OUTPUT, "o", "");
	text(&was, JL_PIECE_OUTPUT, "p/", "");
	text(&was, JL_PIECE_VERSION, "", "1");
	text(&was, JL_PIECE_PLATFORM, "", "linux-x86_64");
	text(&was, JL_PIECE_FOUND, "x.h", "\1" "0" A);
	text(&was, JL_PIECE_SECRET, "PASS", A);
	text(&was, (enum jl_piece)99, "TOKEN", "hush");
	begin(&now);
	text(&now, JL_PIECE_OUTPUT, "o", "optional");
	text(&now, JL_PIECE_OUTPUT, "q/", "");
	text(&now, JL_PIECE_VERSION, "", "2");
	text(&now, JL_PIECE_PLATFORM, "", "linux-aarch64");
	text(&now, JL_PIECE_FOUND, "x.h", "\1" "0" B);
	text(&now, JL_PIECE_SECRET, "PASS", B);
	text(&now, (enum jl_piece)99, "TOKEN", "loud");
	expect(&was, &now,
	       "used file x.h changed: xxh3:001122334455… → xxh3:ffeeddccbbaa…\n"
	       "standard input in.txt is gone: none\n"
	       "output o changed: plain → optional\n"
	       "output p/ is gone\n"
	       "output q/ is new\n"
	       "version changed: \"1\" → \"2\"\n"
	       "platform changed: \"linux-x86_64\" → \"linux-aarch64\"\n"
	       "secret PASS changed\n"
	       "something else TOKEN changed\n",
	       "used file \"x.h\" changed, and 8 more");
}

static void order_alone(void **state)
{
	struct jl_buf was, now;

	(void)state;
	begin(&was);
	text(&was, JL_PIECE_WORKDIR, "", ".");
	input(&was, "a", JL_KIND_FILE, false, A);
	input(&was, "b", JL_KIND_FILE, false, A);
	begin(&now);
	text(&now, JL_PIECE_WORKDIR, "", ".");
	input(&now, "b", JL_KIND_FILE, false, A);
	input(&now, "a", JL_KIND_FILE, false, A);
	expect(&was, &now, "input in another order\n", "input in another order");
}

static void commands(void **state)
{
	struct jl_buf was, now;

	(void)state;
	/* From a direct command to a shell's: the words are compared all the same. */
	begin(&was);
	text(&was, JL_PIECE_ARG, "", "cat");
	text(&was, JL_PIECE_ARG, "", "a b");
	begin(&now);
	text(&now, JL_PIECE_SHELL, "", "sh");
	text(&now, JL_PIECE_SHELL, "", "-c");
	text(&now, JL_PIECE_SCRIPT, "", "cat c | sort");
	expect(&was, &now, "command: {+sh -c+} cat [-'a b'-]{+c | sort+}\n", "command changed");
	begin(&was);
	text(&was, JL_PIECE_SHELL, "", "sh");
	text(&was, JL_PIECE_SCRIPT, "", "a  b\nc");
	begin(&now);
	text(&now, JL_PIECE_SHELL, "", "sh");
	text(&now, JL_PIECE_SCRIPT, "", "a b\nc");
	expect(&was, &now, "command: only the blanks between its words changed, or where a word ends\n",
	       "command changed");
	begin(&was);
	text(&was, JL_PIECE_SCRIPT, "", "a\nb");
	begin(&now);
	text(&now, JL_PIECE_SCRIPT, "", "a b");
	expect(&was, &now, "command: a [-\\n-] b\n", "command changed");
}

static void damage_is_an_error(void **state)
{
	struct jl_buf was, now;
	struct jl_err err = JL_ERR_INIT;
	struct jl_explain x;

	(void)state;
	begin(&was);
	text(&was, JL_PIECE_ARG, "", "cat");
	begin(&now);
	assert_int_equal(jl_explain(was.data, was.len - 1, now.data, now.len, &x, &err), JL_ECORRUPT);
	assert_int_equal(jl_explain(now.data, now.len, was.data, was.len - 1, &x, &err), JL_ECORRUPT);
	was.data[9] = 99; /* another key format */
	assert_int_equal(jl_explain(was.data, was.len, now.data, now.len, &x, &err), JL_ECORRUPT);
	jl_buf_release(&was);
	jl_buf_release(&now);
}

static void short_is_short(void **state)
{
	struct jl_buf was, now, out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_explain x;
	char path[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(path) - 1; i += 2) /* two bytes a letter */
		memcpy(path + i, "é", 2);
	path[sizeof(path) - 2] = 'x';
	path[sizeof(path) - 1] = '\0';
	begin(&was);
	begin(&now);
	input(&now, path, JL_KIND_FILE, false, A);
	text(&now, JL_PIECE_ENV, "A", "");
	assert_int_equal(jl_explain(was.data, was.len, now.data, now.len, &x, &err), JL_OK);
	jl_explain_short(&x, &out);
	assert_true(out.len <= 120);
	assert_null(strstr(out.data, "\\x"));
	assert_non_null(strstr(out.data, "\"…éé"));
	assert_non_null(strstr(out.data, "éx\" is new, and 1 more"));
	jl_explain_release(&x);
	jl_buf_release(&out);
	jl_buf_release(&was);
	jl_buf_release(&now);
}

/* ---- words ---- */

static uint32_t split(char *line, struct jl_word *words)
{
	uint32_t n = 0;

	for (char *w = strtok(line, " "); w; w = strtok(NULL, " "))
		words[n++] = (struct jl_word){.at = w, .len = strlen(w)};
	return n;
}

static void expect_words(const char *was, const char *now, const char *diff)
{
	struct jl_word a[200], b[200];
	struct jl_buf out = JL_BUF_INIT;
	char *was_copy = strdup(was), *now_copy = strdup(now);
	uint32_t n = split(was_copy, a), m = split(now_copy, b);

	jl_worddiff(a, n, b, m, &out);
	assert_string_equal(out.data, diff);
	jl_buf_release(&out);
	free(was_copy);
	free(now_copy);
}

static void words(void **state)
{
	(void)state;
	expect_words("", "", "");
	expect_words("a b", "a b", "a b");
	expect_words("a b c", "a x c", "a [-b-]{+x+} c");
	expect_words("a b c", "a c", "a [-b-] c");
	expect_words("a c", "a b b c", "a {+b b+} c");
	expect_words("a", "", "[-a-]");
	expect_words("a b c d", "d a b c", "{+d+} a b c [-d-]");
	expect_words("1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w",
		     "1 2 3 4 5 6 7 8 9 a b c d e f g X i j k l m n o p q r s t u v w", "… e f g [-h-]{+X+} i j k …");
	expect_words("0 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w",
		     "1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v x",
		     "[-0-]{+1+} 2 3 4 … t u v [-w-]{+x+}");
}

/* More than may be compared, and more than may be shown. */
static void many_words(void **state)
{
	enum { N = 3000 };
	struct jl_word *a = calloc(N, sizeof(*a)), *b = calloc(N, sizeof(*b));
	char (*room)[2][16] = calloc(N, sizeof(*room));
	struct jl_buf out = JL_BUF_INIT;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		snprintf(room[i][0], 16, "a%u", i);
		snprintf(room[i][1], 16, "b%u", i);
		a[i] = (struct jl_word){room[i][0], strlen(room[i][0]), false};
		b[i] = (struct jl_word){room[i][1], strlen(room[i][1]), false};
	}
	jl_worddiff(a, N, b, N, &out);
	assert_true(out.len < 2300);
	assert_memory_equal(out.data, "[-a0 a1 ", 8);
	jl_buf_release(&out);
	free(a);
	free(b);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_differs), cmocka_unit_test(inputs_come_first), cmocka_unit_test(kinds_of_inputs),
		cmocka_unit_test(other_pieces),    cmocka_unit_test(order_alone),       cmocka_unit_test(commands),
		cmocka_unit_test(damage_is_an_error), cmocka_unit_test(short_is_short), cmocka_unit_test(words),
		cmocka_unit_test(many_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
