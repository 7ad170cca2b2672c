/* Tables and the text in them. */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct thing {
	uint32_t a;
	uint64_t b;
};

static void grows_and_zeroes(void **state)
{
	struct jl_table t = JL_TABLE_INIT(struct thing);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct thing *x = jl_table_add(&t, 2);

		assert_true(x[0].a == 0 && x[0].b == 0 && x[1].b == 0);
		x[0].a = x[1].a = i;
		x[0].b = x[1].b = ~UINT64_C(0);
	}
	assert_int_equal(t.len, 2000);
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(JL_AT(t, struct thing, i)->a, i / 2);
	jl_table_release(&t);
	assert_int_equal(t.size, sizeof(struct thing));
	jl_table_reserve(&t, 100);
	assert_int_equal(t.cap, 100);
	assert_int_equal(t.len, 0);
	jl_table_add(&t, 100);
	assert_int_equal(t.cap, 100);
	jl_table_release(&t);
}

static void keeps_text(void **state)
{
	struct jl_table t = JL_TABLE_INIT(char);
	uint32_t at[2000];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		char s[20];

		snprintf(s, sizeof(s), "text %d", i);
		at[i] = jl_text_add(&t, s, strlen(s));
	}
	for (int i = 0; i < 2000; i++) {
		char s[20];

		snprintf(s, sizeof(s), "text %d", i);
		assert_string_equal(jl_text(&t, at[i]), s);
	}
	assert_string_equal(jl_text(&t, jl_text_add(&t, "", 0)), "");
	jl_table_release(&t);
}

/* Copying a text of the table into it survives the move of its memory. */
static void copies_its_own_text(void **state)
{
	struct jl_table t = JL_TABLE_INIT(char);
	uint32_t first = jl_text_add(&t, "hello", 5), last = first;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		last = jl_text_add(&t, jl_text(&t, first), 5);
		assert_string_equal(jl_text(&t, last), "hello");
	}
	assert_int_equal(last, 6000);
	jl_table_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_zeroes),
		cmocka_unit_test(keeps_text),
		cmocka_unit_test(copies_its_own_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
