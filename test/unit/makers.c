/* jl_makers finds what comparing with every pattern finds. */
#include "run/makers.h"

#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N 400

static uint32_t seed = 1;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Short paths of few names, so that many overlap. */
static void make_pattern(char *out)
{
	static const char *const parts[] = {"a", "b",  "ab",   "a.c", "b.c",   "x.h",  "*",      "*.c",
					    "?", "a*", "[ab]", "**",  "a\\*b", "*b.h", "[!a].c", "b-long-name.csv"};
	uint32_t n = 1 + draw(4);

	out[0] = '\0';
	if (draw(20) == 0)
		strcpy(out, draw(2) ? "/" : "./");
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			strcat(out, "/");
		strcat(out, parts[draw(sizeof(parts) / sizeof(*parts))]);
	}
	if (draw(10) == 0)
		strcat(out, draw(2) ? "/" : "/**");
}

static bool keep_even(void *ctx, uint32_t rule, const char *makes)
{
	++*(uint32_t *)ctx;
	(void)makes;
	return rule % 2 == 0;
}

static void as_by_comparing_all(void **state)
{
	static char patterns[N][128];
	struct jl_makers m = JL_MAKERS_INIT;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		make_pattern(patterns[i]);
		jl_makers_add(&m, patterns[i], i / 2);
	}
	jl_makers_ready(&m);
	for (uint32_t q = 0; q < 4000; q++) {
		struct jl_table found = JL_TABLE_INIT(uint32_t);
		uint32_t n = 1, asked = 0;
		char pattern[128];

		make_pattern(pattern);
		*(uint32_t *)jl_table_add(&found, 1) = 7; /* what stands there already stays */
		jl_makers_find(&m, pattern, keep_even, &asked, &found);
		assert_int_equal(*JL_AT(found, uint32_t, 0), 7);
		for (uint32_t rule = 0; rule < N / 2; rule += 2) {
			if (!jl_glob_overlap(pattern, patterns[2 * rule]) &&
			    !jl_glob_overlap(pattern, patterns[2 * rule + 1]))
				continue;
			if (n >= found.len || *JL_AT(found, uint32_t, n) != rule)
				fail_msg("\"%s\": rule %u (\"%s\", \"%s\") is not found", pattern, rule,
					 patterns[2 * rule], patterns[2 * rule + 1]);
			n++;
		}
		assert_int_equal(found.len, n);
		jl_table_release(&found);
	}
	jl_makers_release(&m);
}

static void none(void **state)
{
	struct jl_makers m = JL_MAKERS_INIT;
	struct jl_table found = JL_TABLE_INIT(uint32_t);
	uint32_t asked = 0;

	(void)state;
	jl_makers_ready(&m);
	jl_makers_find(&m, "**", keep_even, &asked, &found);
	assert_int_equal(found.len, 0);
	assert_int_equal(asked, 0);
	jl_makers_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_by_comparing_all),
		cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
