/* Whose fault a failure is: the book of one host. */
#include "exec/blame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What fails plainly is not run twice. */
static void test_plain_failure(void **state)
{
	(void)state;
	struct jl_blame b = {0};
	for (int i = 0; i < 20; i++)
		assert_false(jl_blame_failed(&b, 1, false)); /* nobody succeeds: nothing speaks for the job */
	b = (struct jl_blame){0};
	jl_blame_succeeded(&b);
	assert_false(jl_blame_failed(&b, 1, true));
	assert_false(jl_blame_failed(&b, 0, true));
	jl_blame_succeeded(&b);
	assert_false(jl_blame_failed(&b, 1, true));
}

static void test_never_good(void **state)
{
	(void)state;
	struct jl_blame b = {0};
	for (int i = 0; i < 3; i++) {
		assert_true(jl_blame_failed(&b, 1, true));
		assert_int_equal(jl_blame_proved(&b), i == 2);
	}
}

static void test_goes_bad(void **state)
{
	(void)state;
	struct jl_blame b = {0};
	jl_blame_succeeded(&b);
	assert_false(jl_blame_failed(&b, 1, true));
	assert_false(jl_blame_failed(&b, 1, true));
	assert_true(jl_blame_failed(&b, 1, true));
	assert_true(jl_blame_proved(&b));
}

/* Many failures of the jobs' own cost a logarithm of tries. */
static void test_cleared(void **state)
{
	(void)state;
	struct jl_blame b = {0};
	unsigned tries = 0;
	for (int i = 0; i < 10000; i++) {
		if (jl_blame_failed(&b, 1, true)) {
			tries++;
			jl_blame_cleared(&b);
		}
	}
	assert_int_equal(tries, 11);
	assert_true(jl_blame_failed(&(struct jl_blame){0}, 1, true));
}

static void test_no_program(void **state)
{
	(void)state;
	struct jl_blame b = {0};
	for (int i = 0; i < 3; i++) {
		jl_blame_succeeded(&b);
		assert_true(jl_blame_failed(&b, 127, false));
		jl_blame_cleared(&b);
	}
	assert_false(jl_blame_failed(&b, 127, false)); /* it was never the host */
}

static void test_unable(void **state)
{
	(void)state;
	struct jl_blame b = {0};
	jl_blame_unable(&b);
	jl_blame_unable(&b);
	assert_false(jl_blame_proved(&b));
	jl_blame_unable(&b);
	assert_true(jl_blame_proved(&b));
	jl_blame_succeeded(&b);
	assert_false(jl_blame_proved(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_failure), cmocka_unit_test(test_never_good), cmocka_unit_test(test_goes_bad),
		cmocka_unit_test(test_cleared),	      cmocka_unit_test(test_no_program), cmocka_unit_test(test_unable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
