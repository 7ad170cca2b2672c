/* Keys: what counts, what does not, and the walk over a stored manifest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memo/key.h"

#include <string.h>

static void base_of(const char *const words[], size_t n, struct jl_digest *ret)
{
	struct jl_buf b = JL_BUF_INIT;

	jl_key_begin(&b);
	for (size_t i = 0; i < n; i++)
		jl_key_piece(&b, JL_PIECE_ARG, "", words[i], strlen(words[i]));
	jl_key_base(&b, JL_DIGEST_XXH3, ret);
	jl_buf_release(&b);
}

static void base_is_of_each_piece(void **state)
{
	const char *one[] = {"ab", "c"}, *two[] = {"a", "bc"}, *three[] = {"ab", "c", ""}, *four[] = {"c", "ab"};
	struct jl_digest d[5];

	(void)state;
	base_of(one, 2, &d[0]);
	base_of(one, 2, &d[1]);
	assert_true(jl_digest_equal(&d[0], &d[1]));
	base_of(two, 2, &d[1]);
	base_of(three, 3, &d[2]);
	base_of(four, 2, &d[3]);
	base_of(one, 0, &d[4]);
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < i; j++)
			assert_false(jl_digest_equal(&d[i], &d[j]));
	}
}

static void base_is_of_type_and_name(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_digest one, two, three;

	(void)state;
	jl_key_begin(&b);
	jl_key_piece(&b, JL_PIECE_ENV, "A", "x", 1);
	jl_key_base(&b, JL_DIGEST_XXH3, &one);
	jl_key_begin(&b); /* empties it */
	jl_key_piece(&b, JL_PIECE_TOOL, "A", "x", 1);
	jl_key_base(&b, JL_DIGEST_XXH3, &two);
	jl_key_begin(&b);
	jl_key_piece(&b, JL_PIECE_ENV, "B", "x", 1);
	jl_key_base(&b, JL_DIGEST_XXH3, &three);
	assert_false(jl_digest_equal(&one, &two));
	assert_false(jl_digest_equal(&one, &three));
	jl_buf_release(&b);
}

struct input {
	enum jl_kind kind;
	bool executable;
	const char *path, *content;
};

static void key_of(const struct jl_digest *base, const struct input *in, size_t n, struct jl_digest *ret)
{
	struct jl_buf scratch = JL_BUF_INIT;

	jl_key_inputs_begin(&scratch, base);
	for (size_t i = 0; i < n; i++) {
		struct jl_digest d = {0};

		if (in[i].content)
			jl_digest_bytes(in[i].content, strlen(in[i].content), &d);
		jl_key_input(&scratch, in[i].kind, in[i].executable, in[i].path, &d);
	}
	jl_key_inputs_end(&scratch, ret);
	jl_buf_release(&scratch);
}

static void key_is_of_every_part_of_an_input(void **state)
{
	const struct input in[] = {
		{JL_KIND_FILE, false, "a", "x"}, {JL_KIND_FILE, true, "a", "x"},   {JL_KIND_LINK, false, "a", "x"},
		{JL_KIND_FILE, false, "b", "x"}, {JL_KIND_FILE, false, "a", "y"},  {JL_KIND_DIR, false, "a", "x"},
		{JL_KIND_FILE, false, "a", ""},  {JL_KIND_ABSENT, false, "a", NULL},
	};
	enum { N = sizeof(in) / sizeof(in[0]) };
	struct jl_digest base, other, keys[N + 2], again;

	(void)state;
	jl_digest_bytes("base", 4, &base);
	jl_digest_bytes("other", 5, &other);
	for (size_t i = 0; i < N; i++)
		key_of(&base, &in[i], 1, &keys[i]);
	key_of(&base, in, 0, &keys[N]);
	key_of(&other, in, 1, &keys[N + 1]);
	for (int i = 0; i < N + 2; i++) {
		for (int j = 0; j < i; j++)
			assert_false(jl_digest_equal(&keys[i], &keys[j]));
	}
	key_of(&base, in, 1, &again);
	assert_true(jl_digest_equal(&again, &keys[0]));
}

/* A change here makes every stored result unfindable: then JL_KEY_FORMAT must be raised, and this with it. */
static void format_is_fixed(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_digest d, content;
	char text[JL_DIGEST_TEXT];

	(void)state;
	jl_key_begin(&b);
	jl_key_piece(&b, JL_PIECE_ENV, "A", "xy", 2);
	assert_int_equal(b.len, 25);
	assert_memory_equal(b.data, "\0\0\0\0\0\4\0\0\0\1\0\0\0\5\1\0\0\0A\2\0\0\0xy", 25);
	jl_key_base(&b, JL_DIGEST_XXH3, &d);
	jl_digest_bytes("content", 7, &content);
	jl_key_inputs_begin(&b, &d);
	jl_key_input(&b, JL_KIND_FILE, true, "in/a", &content);
	assert_int_equal(b.len, 17 + 2 + 8 + 17);
	jl_key_inputs_end(&b, &d);
	assert_string_equal(jl_digest_text(&d, text), "xxh3:35ee496ae5bccc8190a09f1372d21ba9");
	jl_buf_release(&b);
}

static void walk_gives_back_the_pieces(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_piece_view v;
	struct jl_cur cur;

	(void)state;
	jl_key_begin(&b);
	jl_key_piece(&b, JL_PIECE_SCRIPT, "", "a\0b", 3);
	jl_key_piece(&b, JL_PIECE_INPUT, "in put", "\1\0xxh3:", 7);
	cur = (struct jl_cur){(const uint8_t *)b.data, (const uint8_t *)b.data + b.len, 0};
	assert_true(jl_key_next(&cur, &v));
	assert_int_equal(v.type, JL_PIECE_SCRIPT);
	assert_int_equal(v.name_len, 0);
	assert_int_equal(v.value_len, 3);
	assert_memory_equal(v.value, "a\0b", 3);
	assert_true(jl_key_next(&cur, &v));
	assert_int_equal(v.type, JL_PIECE_INPUT);
	assert_int_equal(v.name_len, 6);
	assert_memory_equal(v.name, "in put", 6);
	assert_false(jl_key_next(&cur, &v));
	assert_false(cur.bad);

	/* Cut anywhere: the pieces before the cut, then "bad". */
	for (size_t len = 0; len < b.len; len++) {
		unsigned n = 0;

		cur = (struct jl_cur){(const uint8_t *)b.data, (const uint8_t *)b.data + len, 0};
		while (jl_key_next(&cur, &v))
			n++;
		assert_true(n < 2);
		assert_true(cur.bad || len == 0 || len == 13 || len == 13 + 12);
	}
	b.data[9] = 99; /* another format version */
	cur = (struct jl_cur){(const uint8_t *)b.data, (const uint8_t *)b.data + b.len, 0};
	assert_false(jl_key_next(&cur, &v));
	assert_true(cur.bad);
	jl_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_is_of_each_piece),
		cmocka_unit_test(base_is_of_type_and_name),
		cmocka_unit_test(key_is_of_every_part_of_an_input),
		cmocka_unit_test(format_is_fixed),
		cmocka_unit_test(walk_gives_back_the_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
