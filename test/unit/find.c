/* Keys by their first digits. */
#include "store/find.h"

#include "base/io.h"
#include "store/store.h"
#include "tmpdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void digits_are_recognised(void **state)
{
	(void)state;
	assert_true(jl_store_is_prefix("01234567"));
	assert_true(jl_store_is_prefix("xxh3:deadbeef"));
	assert_true(jl_store_is_prefix("0123456789abcdef0123456789abcdef"));
	assert_false(jl_store_is_prefix("0123456"));
	assert_false(jl_store_is_prefix("0123456789abcdef0123456789abcdef0"));
	assert_false(jl_store_is_prefix("DEADBEEF"));
	assert_false(jl_store_is_prefix("../../..////"));
	assert_false(jl_store_is_prefix("clean[a]"));
	assert_false(jl_store_is_prefix(""));
}

static void a_prefix_finds_its_one_key(void **state)
{
	static const char *const keys[] = {"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdee",
	                                   "01234567aaaaaaaaaaaaaaaaaaaaaaaa", "ff234567000000000000000000000000"};
	const struct tmpdir *t = *state;
	char dir[300];
	struct jl_store *s = NULL;
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest key, want;

	snprintf(dir, sizeof(dir), "%s/store", t->path);
	assert_int_equal(jl_store_local_find_key(dir, "0123456789", &key, &err), JL_ENOTFOUND);
	assert_int_equal(jl_store_local_open(&jl_io_system, dir, false, &s, &err), JL_OK);
	assert_int_equal(jl_store_local_find_key(dir, "0123456789", &key, &err), JL_ENOTFOUND);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(jl_digest_parse(keys[i], &want, &err), JL_OK);
		assert_int_equal(s->ops->put_record(s, &want, "x", 1, &err), JL_OK);
	}
	assert_int_equal(jl_store_local_find_key(dir, "xxh3:01234567aa", &key, &err), JL_OK);
	assert_int_equal(jl_digest_parse(keys[2], &want, &err), JL_OK);
	assert_true(jl_digest_equal(&key, &want));
	assert_int_equal(jl_store_local_find_key(dir, keys[1], &key, &err), JL_OK);
	assert_int_equal(jl_digest_parse(keys[1], &want, &err), JL_OK);
	assert_true(jl_digest_equal(&key, &want));
	assert_int_equal(jl_store_local_find_key(dir, "0123456789abcdef", &key, &err), JL_EINVAL);
	assert_string_equal(err.text, "several keys begin with \"0123456789abcdef\"; give more digits");
	assert_int_equal(jl_store_local_find_key(dir, "0123456788", &key, &err), JL_ENOTFOUND);
	assert_int_equal(jl_store_local_find_key(dir, "ee234567", &key, &err), JL_ENOTFOUND);
	assert_int_equal(jl_store_local_find_key(dir, "0123", &key, &err), JL_EINVAL);
	jl_store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_are_recognised),
		cmocka_unit_test_setup_teardown(a_prefix_finds_its_one_key, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
