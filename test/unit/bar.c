/* The lines of the display and the columns they take, with a clock driven by hand. */
#include "base/clock.h"
#include "report/bar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct jl_columns utf8, none = {.utf8 = (locale_t)0};

static unsigned columns(const char *text)
{
	return jl_columns_of(&utf8, text, strlen(text));
}

static void assert_fit(const char *text, unsigned width, const char *want)
{
	struct jl_buf out = JL_BUF_INIT;

	jl_columns_fit(&utf8, &out, text, strlen(text), width);
	assert_string_equal(out.data, want);
	assert_true(jl_columns_of(&utf8, out.data, out.len) <= width);
	jl_buf_release(&out);
}

static void characters_take_the_columns_they_take(void **state)
{
	(void)state;
	assert_int_equal(columns("abc"), 3);
	assert_int_equal(columns("\u00e4\u00f6"), 2);
	assert_int_equal(columns("e\u0301\u0302"), 1);
	assert_int_equal(columns("日本"), 4);
	assert_int_equal(columns("😀"), 2);
	assert_int_equal(columns("한글"), 4);
	/* The larger width where terminals disagree. */
	assert_int_equal(columns("❤\ufe0f"), 2);
	assert_int_equal(columns("🇩🇪"), 4);
	assert_int_equal(columns("\U0001fae8"), 2);
	/* Without the locale nothing is narrower than it is. */
	assert_int_equal(jl_columns_of(&none, "a日e\u0301", 7), 6);
}

static void names_are_cut_in_the_middle(void **state)
{
	(void)state;
	assert_fit("clean[parts/a-very-long-name.csv]", 40, "clean[parts/a-very-long-name.csv]");
	assert_fit("clean[parts/a-very-long-name.csv]", 20, "clean[par...ame.csv]");
	assert_fit("clean[parts/a-very-long-name.csv]", 8, "cle...v]");
	assert_fit("clean[parts/a-very-long-name.csv]", 7, "clean[p");
	assert_fit("abc", 0, "");
	/* No half of a wide character, and marks stay with what they are on. */
	assert_fit("日本語のとても長い名前", 12, "日本...名前");
	assert_fit("日本語のとても長い名前", 11, "日本...名前");
	assert_fit("e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", 8,
		   "e\u0301e\u0301e\u0301...e\u0301e\u0301");
	/* What would turn the line around. */
	assert_fit("a\u202eb\u2028c", 10, "a\ufffdb\ufffdc");
}

/* ---- the lines ---- */

struct fixture {
	struct jl_bar bar;
	struct jl_counts counts;
	int64_t now_ns;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	jl_bar_init(&f->bar);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	jl_bar_release(&f->bar);
	free(f);
	return 0;
}

static void started(struct fixture *f, const char *step, int64_t expected_ns, const char *host)
{
	struct jl_event e = {.type = JL_EVENT_STEP_STARTED, .counts = &f->counts, .step = step, .t_ns = f->now_ns,
	                     .expected_ns = expected_ns, .host = host};

	f->counts.running++;
	jl_bar_event(&f->bar, &e);
}

static void finished(struct fixture *f, const char *step)
{
	struct jl_event e = {.type = JL_EVENT_STEP_FINISHED, .counts = &f->counts, .step = step, .t_ns = f->now_ns};

	f->counts.running--;
	f->counts.ran++;
	jl_bar_event(&f->bar, &e);
}

static void progress(struct fixture *f, uint64_t total, int64_t eta_ns)
{
	struct jl_event e = {.type = JL_EVENT_PROGRESS, .counts = &f->counts, .t_ns = f->now_ns, .total = total, .eta_ns = eta_ns};

	jl_bar_event(&f->bar, &e);
}

static void assert_lines(struct fixture *f, unsigned width, unsigned rows, const char *want)
{
	struct jl_buf out = JL_BUF_INIT;
	unsigned n = jl_bar_lines(&f->bar, f->now_ns, width, rows, false, &out), newlines = 0;

	assert_string_equal(out.data, want);
	for (const char *at = out.data; *at;) {
		const size_t len = strcspn(at, "\n");

		assert_true(jl_columns_of(&utf8, at, len) <= width);
		newlines += at[len] == '\n';
		at += len + (at[len] != '\0');
	}
	assert_int_equal(n, newlines + 1);
	assert_true(n <= rows || rows == 0);
	jl_buf_release(&out);
}

static void it_says_how_far_and_what_runs(void **state)
{
	struct fixture *f = *state;

	f->counts = (struct jl_counts){.total = 120, .ran = 5, .fresh = 30, .restored = 2};
	f->now_ns = JL_NS_S;
	started(f, "clean[a]", 40 * JL_NS_S, "local");
	f->now_ns = 50 * JL_NS_S;
	started(f, "report", 0, "b4");
	progress(f, 120, 190 * JL_NS_S);
	f->now_ns = 62 * JL_NS_S + JL_NS_S / 2;
	assert_lines(f, 79, 12,
		     "[=========>                    ] 37/120, 2 running, 32 hits, 1m02s, ETA 3m10s\n"
		     " 1m01s clean[a] (~40s)\n"
		     "   12s report on b4");
	f->counts.failed = 1;
	finished(f, "clean[a]");
	assert_lines(f, 79, 12,
		     "[=======>              ] 39/120, 1 running, 1 failed, 32 hits, 1m02s, ETA 3m10s\n"
		     "   12s report on b4");
}

static void it_is_right_at_any_width(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"clean[parts/a-very-long-name-that-goes-on.csv]", "日本語のとても長い名前の項目です",
	                                    "e\u0301\u0302e\u0301\u0302e\u0301\u0302e\u0301\u0302e\u0301\u0302e\u0301\u0302"
	                                    "e\u0301\u0302e\u0301\u0302e\u0301\u0302", "👨\u200d👩\u200d👧 🇩🇪 ❤\ufe0f",
	                                    "\x1b[2J\n\t\xff"};

	f->counts = (struct jl_counts){.total = 4000000000, .ran = 2000000000, .fresh = 1000000000, .failed = 3};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		started(f, names[i], (int64_t)(i + 1) * 1000 * JL_NS_S, i % 2 ? "a-host.example" : "local");
	progress(f, 4000000000, 100000 * JL_NS_S);
	f->now_ns = 90000 * JL_NS_S;
	for (unsigned width = 0; width <= 200; width++) {
		for (unsigned rows = 1; rows < 8; rows++) {
			struct jl_buf out = JL_BUF_INIT;

			jl_bar_lines(&f->bar, f->now_ns, width, rows, false, &out);
			assert_lines(f, width, rows, out.data);
			assert_null(strchr(out.data, '\x1b'));
			assert_null(strchr(out.data, '\t'));
			jl_buf_release(&out);
		}
	}
	f->counts = (struct jl_counts){.total = 120, .ran = 30, .fresh = 7, .failed = 1, .running = 5};
	progress(f, 120, 0);
	assert_lines(f, 19, 4,
		     "38/120, 1 failed\n"
		     " 1d01h clean...csv]\n"
		     " 1d01h 日本...です\n"
		     "       and 3 more");
	assert_lines(f, 19, 1, "38/120, 1 failed");
}

static void nothing_changes_between_two_seconds(void **state)
{
	struct fixture *f = *state;
	struct jl_buf a = JL_BUF_INIT, b = JL_BUF_INIT;

	f->counts.total = 10;
	f->now_ns = 1900 * JL_NS_MS;
	started(f, "a", 0, "local");
	f->now_ns = 5 * JL_NS_S;
	progress(f, 10, 20 * JL_NS_S);
	jl_bar_lines(&f->bar, f->now_ns, 80, 9, false, &a);
	f->now_ns += 950 * JL_NS_MS; /* a is older by a second, its start being so far in */
	progress(f, 10, 19 * JL_NS_S);
	jl_bar_lines(&f->bar, f->now_ns, 80, 9, false, &b);
	assert_string_equal(a.data, b.data);
	f->now_ns += 50 * JL_NS_MS;
	jl_buf_clear(&b);
	jl_bar_lines(&f->bar, f->now_ns, 80, 9, false, &b);
	assert_string_not_equal(a.data, b.data);
	jl_buf_release(&a);
	jl_buf_release(&b);
}

static void without_a_total_what_is_done_is_said(void **state)
{
	struct fixture *f = *state;

	f->counts.ran = 12;
	progress(f, 0, 0);
	f->now_ns = 3 * JL_NS_S;
	assert_lines(f, 40, 4, "12 done, 3s");
}

static void one_that_waits_runs_no_more(void **state)
{
	struct fixture *f = *state;
	struct jl_event e = {.type = JL_EVENT_PROGRESS, .counts = &f->counts, .step = "a", .total = 2};

	f->counts.total = 2;
	started(f, "a", 0, "local");
	started(f, "b", 0, "local");
	f->counts.running = 1;
	jl_bar_event(&f->bar, &e);
	assert_lines(f, 20, 4, "0/2, 1 running, 0s\n    0s b");
	/* Equal names are told apart by their numbers. */
	e = (struct jl_event){.type = JL_EVENT_STEP_STARTED, .counts = &f->counts, .step = "b", .seq = 7, .t_ns = JL_NS_S};
	jl_bar_event(&f->bar, &e);
	e = (struct jl_event){.type = JL_EVENT_STEP_FINISHED, .counts = &f->counts, .step = "b"};
	jl_bar_event(&f->bar, &e);
	f->now_ns = 4 * JL_NS_S;
	assert_lines(f, 20, 4, "0/2, 1 running, 4s\n    3s b");
}

static void failures_are_red(void **state)
{
	struct fixture *f = *state;
	struct jl_buf out = JL_BUF_INIT;

	f->counts.failed = 2;
	progress(f, 3, 0);
	jl_bar_lines(&f->bar, 0, 20, 1, true, &out);
	assert_string_equal(out.data, "2/3, \033[31m2 failed\033[0m, 0s");
	jl_buf_release(&out);
}

static void a_huge_name_is_kept_in_part(void **state)
{
	struct fixture *f = *state;
	char *name = malloc(3000004);

	for (size_t i = 0; i < 3000000; i += 3)
		memcpy(name + i, "日", 3);
	memcpy(name + 3000000, "end", 4);
	started(f, name, 0, "local");
	progress(f, 1, 0);
	assert_lines(f, 21, 2, "0/1, 1 running, 0s\n    0s 日日日...日end");
	free(name);
}

static int group_setup(void **state)
{
	(void)state;
	jl_columns_init(&utf8);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	jl_columns_release(&utf8);
	return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_take_the_columns_they_take),
		cmocka_unit_test(names_are_cut_in_the_middle),
		TEST(it_says_how_far_and_what_runs),
		TEST(it_is_right_at_any_width),
		TEST(nothing_changes_between_two_seconds),
		TEST(without_a_total_what_is_done_is_said),
		TEST(one_that_waits_runs_no_more),
		TEST(failures_are_red),
		TEST(a_huge_name_is_kept_in_part),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
