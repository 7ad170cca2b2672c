/* Error values: texts, context, cutting. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void sets_and_adds(void **state)
{
	struct jl_err e = JL_ERR_INIT;

	(void)state;
	assert_int_equal(jl_err_set(&e, JL_EINVAL, "bad %s", "thing"), JL_EINVAL);
	assert_int_equal(jl_err_add(&e, "line %d", 3), JL_EINVAL);
	assert_string_equal(e.text, "line 3: bad thing");
	assert_int_equal(jl_err_set(&e, JL_ELIMIT, "again: %s", e.text), JL_ELIMIT);
	assert_string_equal(e.text, "again: line 3: bad thing");
	jl_err_clear(&e);
	assert_int_equal(e.status, JL_OK);
	assert_int_equal(jl_err_set(NULL, JL_EBUSY, "x"), JL_EBUSY);
	assert_int_equal(jl_err_add(NULL, "x"), JL_EIO);
}

static void knows_system_errors(void **state)
{
	struct jl_err e = JL_ERR_INIT;

	(void)state;
	assert_int_equal(jl_err_sys(&e, EACCES, "cannot read \"%s\"", "a"), JL_EIO);
	assert_string_equal(e.text, "cannot read \"a\": Permission denied");
	assert_int_equal(e.sys_errno, EACCES);
	assert_int_equal(jl_err_sys(&e, ENOENT, "x"), JL_ENOTFOUND);
	assert_int_equal(e.sys_errno, 0);
	assert_int_equal(jl_err_sys(&e, ENOTDIR, "x"), JL_ENOTFOUND);
	assert_int_equal(jl_err_sys(&e, EDQUOT, "x"), JL_ENOSPC);
	assert_int_equal(jl_err_sys(&e, ENOSPC, "x"), JL_ENOSPC);
	assert_int_equal(e.sys_errno, ENOSPC);
	assert_int_equal(jl_err_sys(NULL, ENOSPC, "x"), JL_ENOSPC);
}

static void cuts_with_dots(void **state)
{
	struct jl_err e = JL_ERR_INIT;
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	jl_err_set(&e, JL_EIO, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_string_equal(e.text + sizeof(e.text) - 5, "x...");
	jl_err_sys(&e, EACCES, "%.997s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_string_equal(e.text + sizeof(e.text) - 4, "...");
	jl_err_set(&e, JL_EIO, "%.999s", text);
	assert_string_equal(e.text + sizeof(e.text) - 5, "xxxx");
	jl_err_add(&e, "front");
	assert_int_equal(strncmp(e.text, "front: xxx", 10), 0);
	assert_string_equal(e.text + sizeof(e.text) - 4, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_and_adds),
		cmocka_unit_test(knows_system_errors),
		cmocka_unit_test(cuts_with_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
