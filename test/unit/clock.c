/* Durations and sizes as text. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void shows_durations(void **state)
{
	static const struct {
		int64_t ns;
		const char *want;
	} cases[] = {
		{0, "0ms"},
		{400000, "0.4ms"},
		{9999999, "9.9ms"},
		{350 * JL_NS_MS, "350ms"},
		{999999999, "999ms"},
		{1240 * JL_NS_MS, "1.24s"},
		{59999 * JL_NS_MS, "59.9s"},
		{60 * JL_NS_S, "1m00s"},
		{192 * JL_NS_S, "3m12s"},
		{7500 * JL_NS_S, "2h05m"},
		{97200 * JL_NS_S, "1d03h"},
		{-2 * JL_NS_S, "-2.00s"},
		{INT64_MIN, "-106751d23h"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jl_buf b = JL_BUF_INIT;

		assert_int_equal(jl_clock_show(&b, cases[i].ns), JL_OK);
		assert_string_equal(b.data, cases[i].want);
		jl_buf_release(&b);
	}
}

static void parses_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"500ms", 500 * JL_NS_MS}, {"10s", 10 * JL_NS_S},    {"10", 10 * JL_NS_S},
		{"5m", 300 * JL_NS_S},     {"2h", 7200 * JL_NS_S},   {"7d", 604800 * JL_NS_S},
		{"1.5h", 5400 * JL_NS_S},  {"0.1s", 100 * JL_NS_MS}, {"0", 0},
		{"0.000000001", 1},        {"0.0000000019", 1},      {"1.25", 1250 * JL_NS_MS},
	};
	static const char *const bad[] = {
		"", "s", "-1s", "1 s", "1.s", ".5s", "1sec", "1e3", "10S", "99999999999999999999s", "200000d", " 1"};
	struct jl_err e = JL_ERR_INIT;
	int64_t ns = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(jl_clock_parse(bad[i], &ns, &e), JL_EINVAL);
		assert_int_equal(ns, 77);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(jl_clock_parse(cases[i].text, &ns, NULL), JL_OK);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void parses_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"0", 0},
		{"123", 123},
		{"5B", 5},
		{"10kB", 10000},
		{"10KB", 10000},
		{"10MB", 10000000},
		{"1KiB", 1024},
		{"10MiB", 10485760},
		{"1.5GiB", 1610612736},
		{"2TB", UINT64_C(2000000000000)},
		{"1PiB", UINT64_C(1) << 50},
		{"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {"", "MB", "-1", "1 MB", "10mb", "18446744073709551616", "20000PiB", "1MiBs"};
	struct jl_err e = JL_ERR_INIT;
	uint64_t bytes = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(jl_size_parse(bad[i], &bytes, &e), JL_EINVAL);
		assert_true(bytes == 77);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(jl_size_parse(cases[i].text, &bytes, NULL), JL_OK);
		assert_true(bytes == cases[i].bytes);
	}
	assert_int_equal(jl_size_parse("10M", &bytes, &e), JL_EINVAL);
	assert_non_null(strstr(e.text, "10MB (10^6) or 10MiB (2^20)"));
}

static void clocks_run(void **state)
{
	int64_t a = jl_clock_system.now_ns(&jl_clock_system), b = jl_clock_system.now_ns(&jl_clock_system);

	(void)state;
	assert_true(b >= a);
	/* The coarse clock lags behind the fine one by a tick, never more than a second. */
	a = jl_clock_real_ns() - jl_clock_coarse_ns();
	assert_true(a > -JL_NS_S && a < JL_NS_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_durations),
		cmocka_unit_test(parses_durations),
		cmocka_unit_test(parses_sizes),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
