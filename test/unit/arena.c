/* Arenas: alignment, zeroes, large pieces. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void gives_zeroed_aligned_memory(void **state)
{
	struct jl_arena a = JL_ARENA_INIT;
	unsigned char *all[500];
	size_t sizes[500];
	unsigned seed = 3;

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		sizes[i] = (size_t)rand_r(&seed) % (i % 50 ? 400 : 100000);
		all[i] = jl_arena_alloc(&a, sizes[i]);
		assert_int_equal((uintptr_t)all[i] % 16, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(all[i][k], 0);
		memset(all[i], (int)(i % 251) + 1, sizes[i]);
	}
	for (size_t i = 0; i < 500; i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(all[i][k], i % 251 + 1);
	}
	assert_true(a.used > 0);
	jl_arena_release(&a);
	assert_int_equal(a.used, 0);
	jl_arena_release(&a);
}

static void copies_text(void **state)
{
	struct jl_arena a = JL_ARENA_INIT;
	char *big;

	(void)state;
	assert_string_equal(jl_arena_strndup(&a, "hello", 3), "hel");
	assert_string_equal(jl_arena_strndup(&a, NULL, 0), "");
	assert_string_equal(jl_arena_strdup(&a, "x"), "x");
	assert_string_equal(jl_arena_printf(&a, "%d-%s", 5, "y"), "5-y");
	big = jl_arena_printf(&a, "%9000d", 1);
	assert_int_equal(strlen(big), 9000);
	jl_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_aligned_memory),
		cmocka_unit_test(copies_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
