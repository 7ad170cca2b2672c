/* The store in memory: what every store must do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_conform.h"

static struct jl_store *open_mem(void *ctx)
{
	(void)ctx;
	return jl_store_mem_new();
}

static void conforms(void **state)
{
	(void)state;
	store_conform(open_mem, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conforms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
