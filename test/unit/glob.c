/* Globs: a table of cases, a naive matcher as the model, and meeting globs against brute force. */
#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void matches(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool yes;
	} cases[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"*.c", "x.c", true},
		{"*.c", "a/x.c", false},
		{"*", ".x", false},
		{"?x", ".x", false},
		{"[.]x", ".x", false},
		{".*", ".x", true},
		{"\\.*", ".x", true},
		{"**", "a/b/c", true},
		{"**", "a/.b/c", false},
		{"**/c", "c", true},
		{"**/c", "a/b/c", true},
		{"a/**", "a", true},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "a/x/y/c", false},
		{"**/.x/*", "a/.x/b", true},
		{"**/b/**/d", "a/b/c/b/d", true},
		{".git/x", ".git/x", false},
		{".jl", ".jl", false},
		{".*/x", ".jl/x", false},
		{".gitx", ".gitx", true},
		{"[a-c]", "b", true},
		{"[!a-c]", "b", false},
		{"[!a-c]", "d", true},
		{"[]x]", "]", true},
		{"[!]x]", "]", false},
		{"[a-]", "-", true},
		{"[\\]]", "]", true},
		{"[\\!a]", "!", true},
		{"[^a]", "^", true},
		{"[a", "[a", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"a\\", "a\\", true},
		{"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxaxx", false},
		{"/a/*", "/a/b", true},
		{"**/b", "/a/b", false},
		{"/**", "/a/b", true},
		{"../*", "../x", true},
		{"**/x", "../x", false},
		{"?", "\xff", true},
		{"[\x80-\xff]", "\xc3", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (jl_glob_match(cases[i].pattern, cases[i].path) != cases[i].yes)
			fail_msg("%s against %s", cases[i].pattern, cases[i].path);
	}
}

/* The model: plain recursion over a small syntax (letters, '.', '*', '?', "[ab]", "**"). */
static bool naive_name(const char *p, const char *n)
{
	if (*p == '\0' || *p == '/')
		return *n == '\0' || *n == '/';
	if (*p == '*')
		return naive_name(p + 1, n) || (*n && *n != '/' && naive_name(p, n + 1));
	if (*n == '\0' || *n == '/')
		return false;
	if (*p == '[')
		return (*n == p[1] || *n == p[2]) && naive_name(p + 4, n + 1);
	return (*p == '?' || *p == *n) && naive_name(p + 1, n + 1);
}

static const char *next_part(const char *s)
{
	s += strcspn(s, "/");
	return *s ? s + 1 : NULL;
}

static bool naive_path(const char *p, const char *s)
{
	if (!p)
		return !s;
	if (strcmp(p, "**") == 0 || strncmp(p, "**/", 3) == 0)
		return naive_path(next_part(p), s) || (s && *s != '.' && naive_path(p, next_part(s)));
	if (!s || (*s == '.' && *p != '.'))
		return false;
	return naive_name(p, s) && naive_path(next_part(p), next_part(s));
}

static void random_pattern(unsigned *seed, char *out)
{
	static const char *const names[] = {"a",  "b",  "ab", "*",  "?",   "a*", "*b", "[ab]",
					    "**", "**", ".a", ".*", "*a*", "?*", ".b"};
	int n = rand_r(seed) % 4 + 1;

	*out = '\0';
	for (int i = 0; i < n; i++) {
		strcat(out, i ? "/" : "");
		strcat(out, names[(size_t)rand_r(seed) % (sizeof(names) / sizeof(names[0]))]);
	}
}

/* All paths of up to four components of these names. */
#define NAMES 6
static const char *const names[NAMES] = {"a", "b", "ab", "ba", ".a", ".ab"};
static char universe[NAMES + NAMES * NAMES + NAMES * NAMES * NAMES + NAMES * NAMES * NAMES * NAMES][20];
static size_t universe_len;

static int make_universe(void **state)
{
	size_t from = 0;

	(void)state;
	for (int i = 0; i < NAMES; i++)
		strcpy(universe[universe_len++], names[i]);
	for (int depth = 1; depth < 4; depth++) {
		size_t to = universe_len;

		for (size_t k = from; k < to; k++) {
			for (int i = 0; i < NAMES; i++)
				snprintf(universe[universe_len++], sizeof(universe[0]), "%.15s/%s", universe[k],
					 names[i]);
		}
		from = to;
	}
	return 0;
}

static void agrees_with_the_naive_matcher(void **state)
{
	unsigned seed = 11;
	size_t yes = 0;

	(void)state;
	for (int i = 0; i < 1500; i++) {
		char p[64];

		random_pattern(&seed, p);
		for (size_t k = 0; k < universe_len; k++) {
			bool want = naive_path(p, universe[k]);

			yes += want;
			if (jl_glob_match(p, universe[k]) != want)
				fail_msg("%s against %s: must be %d", p, universe[k], want);
		}
	}
	assert_true(yes > 1000);
}

/* If some path matches both, they overlap. The reverse is a wish, but a "no" must be common or it is of no use. */
static void overlap_never_denies_wrongly(void **state)
{
	unsigned seed = 13;
	int no = 0, wrong_yes = 0;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		char a[64], b[64];
		bool both = false, said;

		random_pattern(&seed, a);
		random_pattern(&seed, b);
		for (size_t k = 0; k < universe_len && !both; k++)
			both = naive_path(a, universe[k]) && naive_path(b, universe[k]);
		said = jl_glob_overlap(a, b);
		if (both && !said)
			fail_msg("%s and %s do overlap", a, b);
		assert_int_equal(jl_glob_overlap(b, a), said);
		no += !said;
		wrong_yes += said && !both;
	}
	assert_true(no > 1000);
	assert_true(wrong_yes < 1000);
}

static void overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool yes;
	} cases[] = {
		{"a/b", "a/b", true},
		{"a/b", "a/c", false},
		{"a", "a/b", false},
		{"a/", "a/b/c", true},
		{"a/", "a", true},
		{"a/", "ab/c", false},
		{"a/**", "a/.x/c", true},
		{"a/", ".git/x", false},
		{".git/x", ".git/x", true},
		{"clean/*.csv", "clean/x.csv", true},
		{"clean/*.csv", "clean/x.tsv", false},
		{"clean/*.csv", "clean/part-*", true},
		{"out/*_a.txt", "out/b_*.txt", true},
		{"out/*_a.txt", "out/*_b.txt", false},
		{"**/*.o", "src/**", true},
		{"**/*.o", "src/*.c", false},
		{"*/x", "**/y", false},
		{"[a-m]*", "[n-z]*", false},
		{"[a-n]*", "[n-z]*", true},
		{"[!a]", "a", false},
		{"\\*", "*", true},
		{"\\*", "a*", false},
		{"/a/*", "a/*", false},
		{"/", "/a/b", true},
		{"./", "a/b", true},
		{"**", "../a", false},
		{"../a/", "../a/x", true},
		{"*", ".x", false},
		{".*", ".x", true},
		{"a*b", "a*c*b", true},
		{"?", "??", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (jl_glob_overlap(cases[i].a, cases[i].b) != cases[i].yes ||
		    jl_glob_overlap(cases[i].b, cases[i].a) != cases[i].yes)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
}

/* Patterns that make a backtracking matcher run for years. */
static void survives_hostile_patterns(void **state)
{
	char pattern[4001], path[4001];

	(void)state;
	for (size_t i = 0; i < 4000; i += 2)
		memcpy(pattern + i, "*a", 2);
	strcpy(pattern + 3998, "*b");
	memset(path, 'a', 4000);
	path[4000] = '\0';
	assert_false(jl_glob_match(pattern, path));
	assert_false(jl_glob_overlap(pattern, path));
	for (size_t i = 0; i < 3996; i += 5)
		memcpy(pattern + i, "**/a/", 5);
	strcpy(pattern + 3995, "b");
	for (size_t i = 0; i < 3998; i += 2)
		memcpy(path + i, "a/", 2);
	strcpy(path + 3998, "a");
	assert_false(jl_glob_match(pattern, path));
	assert_false(jl_glob_overlap(pattern, path));
}

static void checks(void **state)
{
	static const char *const good[] = {"a", "**", "a/**/b", "[a-z]*", "\\[", "[]]", "*a*", "*\\*"};
	static const char *const bad[] = {"[a", "a/[b/c]", "**.c", "a/b**", "a\\", "a\\/b", "***", "[\\]"};
	struct jl_err e = JL_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(jl_glob_check(good[i], &e), JL_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(jl_glob_check(bad[i], &e), JL_EINVAL);
		assert_non_null(strstr(e.text, bad[i]));
	}
	assert_true(jl_glob_is("a*"));
	assert_true(jl_glob_is("[a]"));
	assert_false(jl_glob_is("a\\*\\?\\["));
	assert_false(jl_glob_is("a/b]"));
}

static void finds_the_fixed_folder(void **state)
{
	static const struct {
		const char *pattern;
		size_t len;
	} cases[] = {
		{"a/b/c*.x", 3}, {"*.x", 0}, {"a", 0},         {"a/b", 1}, {"/a/*", 2},
		{"/*", 1},       {"/x", 1},  {"a/\\*/b/*", 1}, {"**", 0},  {"a/**", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(jl_glob_fixed_dir(cases[i].pattern), cases[i].len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(agrees_with_the_naive_matcher),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(overlap_never_denies_wrongly),
		cmocka_unit_test(survives_hostile_patterns),
		cmocka_unit_test(checks),
		cmocka_unit_test(finds_the_fixed_folder),
	};

	return cmocka_run_group_tests(tests, make_universe, NULL);
}
