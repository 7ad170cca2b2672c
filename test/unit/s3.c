/* Where s3:// URLs lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"};

static void forget_environment(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static void urls_become_places(void **state)
{
	static const struct {
		const char *url, *base, *sign;
	} all[] = {
		{"s3://b", "https://b.s3.us-east-1.amazonaws.com", "aws:amz:us-east-1:s3"},
		{"s3://b/p/q?region=eu-west-1", "https://b.s3.eu-west-1.amazonaws.com/p/q", "aws:amz:eu-west-1:s3"},
		{"s3://b/p?style=path", "https://s3.us-east-1.amazonaws.com/b/p", "aws:amz:us-east-1:s3"},
		{"s3://b/p?endpoint=http://127.0.0.1:80&region=x", "http://127.0.0.1:80/b/p", "aws:amz:x:s3"},
		{"s3://b?endpoint=https%3A%2F%2Fh&style=host", "https://b.h", "aws:amz:us-east-1:s3"},
	};
	struct jl_s3 s;

	(void)state;
	forget_environment();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(jl_s3_open(all[i].url, &s, NULL), JL_OK);
		assert_string_equal(s.base, all[i].base);
		assert_string_equal(s.sign, all[i].sign);
		jl_s3_release(&s);
	}
	assert_int_equal(jl_s3_open("s3:///p", &s, NULL), JL_EINVAL);
	assert_int_equal(jl_s3_open("s3://b?endpoint=nowhere", &s, NULL), JL_EINVAL);
	setenv("AWS_REGION", "here", 1);
	setenv("AWS_ENDPOINT_URL", "http://h", 1);
	assert_int_equal(jl_s3_open("s3://b", &s, NULL), JL_EINVAL);
	setenv("AWS_ENDPOINT_URL", "https://h", 1);
	assert_int_equal(jl_s3_open("s3://b", &s, NULL), JL_OK);
	assert_string_equal(s.base, "https://h/b");
	assert_string_equal(s.sign, "aws:amz:here:s3");
	jl_s3_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_become_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
