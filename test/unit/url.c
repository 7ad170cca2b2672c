/* URLs as text: what is fetched from where, under which name, and what is refused. */
#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_split(void **state)
{
	static const struct {
		const char *url, *site, *path, *host, *name, *shown;
	} cases[] = {
		{"https://a.org/b/c.csv", "https://a.org", "/b/c.csv", "a.org", "c.csv", "https://a.org/b/c.csv"},
		{"https://a.org:8443/b?x=1&y=/2#part", "https://a.org:8443", "/b?x=1&y=/2", "a.org", "b",
		 "https://a.org:8443/b?..."},
		{"http://[::1]:80/a", "http://[::1]:80", "/a", "[::1]", "a", "http://[::1]:80/a"},
		{"https://[2001:db8::1]/a", "https://[2001:db8::1]", "/a", "[2001:db8::1]", "a", "https://[2001:db8::1]/a"},
		{"https://a.org", "https://a.org", "/", "a.org", "content", "https://a.org"},
		{"https://a.org?q=1", "https://a.org", "/?q=1", "a.org", "content", "https://a.org?..."},
		{"https://a.org/b/", "https://a.org", "/b/", "a.org", "content", "https://a.org/b/"},
		{"https://a.org/two%20words.txt", "https://a.org", "/two%20words.txt", "a.org", "two_20words.txt",
		 "https://a.org/two%20words.txt"},
		{"https://a.org/.part", "https://a.org", "/.part", "a.org", "%2Epart", "https://a.org/.part"},
		{"https://a.org/a/../..", "https://a.org", "/a/../..", "a.org", "%2E.", "https://a.org/a/../.."},
		{"s3://bucket/a/b?region=eu&endpoint=https%3A%2F%2Fx", "s3://bucket?region=eu&endpoint=https%3A%2F%2Fx", "/a/b",
		 "bucket", "b", "s3://bucket/a/b?..."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jl_buf site = JL_BUF_INIT, path = JL_BUF_INIT, host = JL_BUF_INIT, name = JL_BUF_INIT, shown = JL_BUF_INIT;

		assert_true(jl_url_is(cases[i].url));
		assert_null(jl_url_fault(cases[i].url));
		jl_url_split(cases[i].url, &site, &path);
		jl_url_host(cases[i].url, &host);
		jl_url_name(cases[i].url, &name);
		jl_url_show(&shown, cases[i].url);
		assert_string_equal(site.data, cases[i].site);
		assert_string_equal(path.data, cases[i].path);
		assert_string_equal(host.data, cases[i].host);
		assert_string_equal(name.data, cases[i].name);
		assert_string_equal(shown.data, cases[i].shown);
		jl_buf_release(&site);
		jl_buf_release(&path);
		jl_buf_release(&host);
		jl_buf_release(&name);
		jl_buf_release(&shown);
	}
}

static void test_faults(void **state)
{
	static const struct {
		const char *url, *part;
	} cases[] = {
		{"https://me@a.org/x", "user or password"},  {"https://me:pw@a.org:1/x", "user or password"},
		{"https:///x", "no host"},                   {"https://:80/x", "no host"},
		{"https://a.org/x y", "a blank"},            {"https://a.org/x\ny", "a blank"},
		{"https://a.org/\xc3\xa9", "a blank"},       {"s3://bucket", "no object"},
		{"s3://bucket?region=eu", "no object"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_non_null(jl_url_fault(cases[i].url));
		assert_non_null(strstr(jl_url_fault(cases[i].url), cases[i].part));
	}
	assert_null(jl_url_fault("https://a.org/who@home"));
	assert_false(jl_url_is("file:///a"));
	assert_false(jl_url_is("a/http://b"));
}

static void test_open_to_all(void **state)
{
	(void)state;
	assert_true(jl_url_is_open_to_all("http://a.org/x"));
	assert_true(jl_url_is_open_to_all("http://localhost.a.org/x"));
	assert_true(jl_url_is_open_to_all("http://127.a.org/x"));
	assert_true(jl_url_is_open_to_all("http://127.0.0.1.a.org/x"));
	assert_true(jl_url_is_open_to_all("http://10.0.0.1/x"));
	assert_false(jl_url_is_open_to_all("http://localhost/x"));
	assert_false(jl_url_is_open_to_all("http://localhost:80/x"));
	assert_false(jl_url_is_open_to_all("http://127.0.0.1:80/x"));
	assert_false(jl_url_is_open_to_all("http://[::1]:80/x"));
	assert_false(jl_url_is_open_to_all("https://a.org/x"));
	assert_true(jl_url_is_open_to_all("s3://b/x?region=eu&endpoint=http://a.org:80"));
	assert_true(jl_url_is_open_to_all("s3://b/x?endpoint=HTTP%3a%2F%2Fa.org"));
	assert_false(jl_url_is_open_to_all("s3://b/x?endpoint=http://127.0.0.1:80"));
	assert_false(jl_url_is_open_to_all("s3://b/x?endpoint=https://a.org"));
	assert_false(jl_url_is_open_to_all("s3://b/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_open_to_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
