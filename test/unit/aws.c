/* By whose name S3 is asked: the environment, the shared file, the endpoint of a container. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/aws.h"
#include "tmpdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"

static int forget_environment(void **state)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID",
					    "AWS_SECRET_ACCESS_KEY",
					    "AWS_SESSION_TOKEN",
					    "AWS_PROFILE",
					    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					    FULL,
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere", 1);
	return 0;
}

static int setup(void **state)
{
	forget_environment(state);
	return tmpdir_setup(state);
}

static void the_environment_comes_first(void **state)
{
	struct jl_aws a;

	(void)state;
	setenv(FULL, "http://127.0.0.1/x", 1);
	setenv("AWS_ACCESS_KEY_ID", "id", 1);
	assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
	assert_null(a.user); /* half of them is none */
	jl_aws_release(&a);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("AWS_SESSION_TOKEN", "token", 1);
	assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
	assert_string_equal(a.user, "id");
	assert_string_equal(a.secret, "secret");
	assert_string_equal(a.session, "token");
	assert_true(jl_aws_is_good(&a, 1000));
	assert_false(jl_aws_is_due(&a, 1000));
	jl_aws_release(&a);
}

static void a_profile_of_the_file_is_next(void **state)
{
	static const char text[] =
		"# mine\n[default]\naws_access_key_id = one\naws_secret_access_key=first\n"
		"[other]\naws_access_key_id = two\naws_secret_access_key = second\naws_session_token = t\n";
	const struct tmpdir *dir = *state;
	char path[300];
	struct jl_aws a;

	assert_int_equal(jl_aws_open(&a, NULL), JL_EINVAL);
	tmpdir_write(dir, "credentials", text, strlen(text));
	snprintf(path, sizeof(path), "%s/credentials", dir->path);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
	assert_string_equal(a.user, "one");
	assert_string_equal(a.secret, "first");
	assert_null(a.session);
	jl_aws_release(&a);
	setenv("AWS_PROFILE", "other", 1);
	assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
	assert_string_equal(a.user, "two");
	assert_string_equal(a.session, "t");
	jl_aws_release(&a);
}

static void an_endpoint_over_http_is_near(void **state)
{
	static const char *const good[] = {
		"http://127.0.0.1:80/x",    "http://127.9.9.9/",        "http://localhost/x",   "http://[::1]:1/x",
		"http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1", "https://example.org/x"};
	static const char *const bad[] = {"http://example.org/",
					  "http://127.0.0.1.example.org/",
					  "http://10.0.0.1/",
					  "http://127.0.0.1@evil.org",
					  "ftp://127.0.0.1/",
					  "http://localhost.evil.org/",
					  "http://[::2]/",
					  "127.0.0.1",
					  "http://"};
	struct jl_aws a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		setenv(FULL, good[i], 1);
		assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
		assert_string_equal(a.url, good[i]);
		jl_aws_release(&a);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv(FULL, bad[i], 1);
		assert_int_equal(jl_aws_open(&a, NULL), JL_EINVAL);
	}
	setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/role", 1);
	assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
	assert_string_equal(a.url, "http://169.254.170.2/v2/role");
	jl_aws_release(&a);
}

static void they_are_fresh(void **state)
{
	static const char first[] =
		"{\"RoleArn\":\"x\", \"AccessKeyId\" : \"a\\/b\",\n\"SecretAccessKey\":\"s\",\"Token\":\"t\","
		"\"Expiration\":\"1970-01-01T01:00:00Z\"}";
	static const char *const bad[] = {"",
					  "{}",
					  "{\"AccessKeyId\":\"a\"}",
					  "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s",
					  "{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}",
					  "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}",
					  "{\"AccessKeyId\":\"\\u0041\",\"SecretAccessKey\":\"s\"}"};
	struct jl_aws a;

	(void)state;
	setenv(FULL, "http://127.0.0.1/x", 1);
	assert_int_equal(jl_aws_open(&a, NULL), JL_OK);
	assert_false(jl_aws_is_good(&a, 0));
	assert_true(jl_aws_is_due(&a, 0));
	assert_int_equal(jl_aws_take(&a, first, 10, NULL), JL_OK);
	assert_string_equal(a.user, "a/b");
	assert_string_equal(a.secret, "s");
	assert_string_equal(a.session, "t");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(jl_aws_take(&a, bad[i], 20, NULL), JL_ECORRUPT);
	assert_string_equal(a.user, "a/b");
	/* Good until the hour, asked for again five minutes before, then every half minute, and always when they are not good. */
	assert_true(jl_aws_is_good(&a, 3599));
	assert_false(jl_aws_is_good(&a, 3600));
	assert_false(jl_aws_is_due(&a, 3299));
	assert_true(jl_aws_is_due(&a, 3300));
	assert_int_equal(jl_aws_take(&a, first, 3300, NULL), JL_OK);
	assert_false(jl_aws_is_due(&a, 3329));
	assert_true(jl_aws_is_due(&a, 3330));
	assert_true(jl_aws_is_due(&a, 3600));
	assert_int_equal(jl_aws_take(&a, "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}", 3600, NULL), JL_OK);
	assert_null(a.session);
	assert_false(jl_aws_is_due(&a, 1000000));
	jl_aws_release(&a);
}

static void a_token_goes_along(void **state)
{
	const struct tmpdir *dir = *state;
	char path[300], *header;

	assert_int_equal(jl_aws_header(&header, NULL), JL_OK);
	assert_null(header);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic x", 1);
	assert_int_equal(jl_aws_header(&header, NULL), JL_OK);
	assert_string_equal(header, "Basic x");
	free(header);
	snprintf(path, sizeof(path), "%s/token", dir->path);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
	assert_int_equal(jl_aws_header(&header, NULL), JL_ENOTFOUND);
	tmpdir_write(dir, "token", "one\r\nX-Other: y\n", 16);
	assert_int_equal(jl_aws_header(&header, NULL), JL_OK);
	assert_string_equal(header, "one");
	free(header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_environment_comes_first, forget_environment),
		cmocka_unit_test_setup_teardown(a_profile_of_the_file_is_next, setup, tmpdir_teardown),
		cmocka_unit_test_setup(an_endpoint_over_http_is_near, forget_environment),
		cmocka_unit_test_setup(they_are_fresh, forget_environment),
		cmocka_unit_test_setup_teardown(a_token_goes_along, setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
