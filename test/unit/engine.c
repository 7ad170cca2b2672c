/* The engine on a fake executor: who runs when, how many at once, what a failure does, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_help.h"

static void takes(struct world *w, const char *label, int64_t seconds)
{
	fake_exec_on(w->x, label, &(struct fake_run){.duration_ns = seconds * JL_NS_S, .effect = world_play});
}

static void fails(struct world *w, const char *label, int64_t seconds)
{
	fake_exec_on(w->x, label, &(struct fake_run){.duration_ns = seconds * JL_NS_S, .exit_code = 3});
}

static const char five[] =
	"steps:\n"
	"  s1: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: in, outputs: s1.out}\n"
	"  s2: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: in, outputs: s2.out}\n"
	"  s3: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: in, outputs: s3.out}\n"
	"  c1: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: in, outputs: c1.out}\n"
	"  c2: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: c1.out, outputs: c2.out}\n";

static void five_durations(struct world *w)
{
	takes(w, "s1", 1);
	takes(w, "s2", 5);
	takes(w, "s3", 3);
	takes(w, "c1", 2);
	takes(w, "c2", 4);
}

/* The first run learns how long each takes; the second begins with the longest remaining path. */
static void test_critical_path(void **state)
{
	(void)state;
	struct world *w = world_new(five);
	w->o.jobs = 1;
	world_write(w, "in", "one");
	five_durations(w);
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 5);
	assert_true(w->sum.wall_ns >= 15 * JL_NS_S);
	world_write(w, "in", "two");
	five_durations((world_next(w), w));
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 5);
	assert_string_equal(w->x->log.data, "start c1\nend c1\nstart s2\nend s2\nstart c2\nend c2\nstart s3\nend s3\n"
					    "start s1\nend s1\n");
	world_holds(w, "c2.out", "two");
	world_free(w);
}

static void test_slots(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  s: {foreach: {from: 1, to: 20}, command: [put, \"${{ output }}\", x], "
				    "outputs: \"o/${{ item }}\"}\n");
	w->o.jobs = 3;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 20);
	assert_int_equal(w->x->max_running, 3);
	assert_int_equal(w->max_running, 3);
	w->o.jobs = 50;
	w->o.force = true;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 20);
	assert_int_equal(w->x->max_running, 20);
	world_free(w);
}

static const char four[] =
	"steps:\n"
	"  a: {command: [put, \"${{ output }}\", a], outputs: a.out}\n"
	"  b: {command: [put, \"${{ output }}\", b], outputs: b.out}\n"
	"  c: {command: [put, \"${{ output }}\", c], outputs: c.out}\n"
	"  d: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: a.out, outputs: d.out}\n"
	"  e: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: d.out, outputs: e.out}\n";

static void test_fail_soon(void **state)
{
	(void)state;
	struct world *w = world_new(four);
	fails(w, "a", 1);
	takes(w, "b", 5);
	world_run(w);
	assert_string_equal(w->x->log.data, "start a\nstart b\nend a\nend b\n");
	assert_int_equal(w->sum.counts.failed, 1);
	assert_int_equal(w->sum.counts.ran, 1);
	assert_int_equal(w->sum.counts.skipped, 3);
	assert_int_equal(w->sum.counts.total, 5);
	world_holds(w, "b.out", "b");
	assert_int_equal(w->stored, 1);
	world_free(w);
}

static void test_fail_now(void **state)
{
	(void)state;
	struct world *w = world_new(four);
	w->o.fail = JL_FAIL_NOW;
	fails(w, "a", 1);
	takes(w, "b", 5);
	world_run(w);
	assert_string_equal(w->x->log.data, "start a\nstart b\nend a\nterm b\nend b\n");
	assert_int_equal(w->sum.counts.failed, 1);
	assert_int_equal(w->sum.counts.skipped, 4);
	assert_non_null(strstr(w->ends.data, "cancelled b\n"));
	assert_true(w->sum.wall_ns < 2 * JL_NS_S);
	/* What was cancelled is not a failure, and not a result. */
	world_run(w);
	world_expect(w, "ran a\nran b\nran c\nran d\nran e\n");
	world_free(w);
}

static void test_keep_going(void **state)
{
	(void)state;
	struct world *w = world_new(four);
	w->o.fail = JL_FAIL_KEEP_GOING;
	fails(w, "a", 1);
	world_run(w);
	assert_int_equal(w->sum.counts.failed, 1);
	assert_int_equal(w->sum.counts.ran, 2);
	assert_int_equal(w->sum.counts.skipped, 2);
	assert_non_null(strstr(w->ends.data, "skipped d\n"));
	assert_non_null(strstr(w->ends.data, "skipped e\n"));
	assert_non_null(strstr(w->reasons.data, "d: something it needs failed\n"));
	/* The failure is remembered as one and is tried again; the rest is not. */
	world_run(w);
	assert_non_null(strstr(w->reasons.data, "a: failed before: exit 3\n"));
	assert_int_equal(w->sum.counts.ran, 3);
	assert_int_equal(w->sum.counts.fresh, 2);
	world_holds(w, "e.out", "a");
	world_free(w);
}

static void test_allow_failure(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  a: {command: [false], inputs: in, allow_failure: true}\n"
				    "  b: {command: [put, \"${{ output }}\", b], after: a, outputs: b.out}\n");
	world_write(w, "in", "");
	fails(w, "a", 1);
	world_run(w);
	world_expect(w, "failed a\nran b\n");
	assert_int_equal(w->sum.counts.failed, 0);
	assert_int_equal(w->sum.counts.ran, 2);
	assert_int_equal(w->stored, 1);
	fails((world_next(w), w), "a", 1);
	world_run(w); /* a failure is never a result */
	world_expect(w, "failed a\nfresh b\n");
	world_free(w);
}

/* S06: refused with nothing running there is no end to wait for: it is tried again, for a time; then a failure that says why,
 * and no wait for those that follow. */
static void test_busy_alone(void **state)
{
	(void)state;
	struct world *w = world_new(four);
	w->x->busy = 5;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 5);
	assert_int_equal(w->x->busy, 0);
	/* 10, 20, 40, 80, 160 ms, and the steps. */
	assert_in_range(w->x->now_ns, JL_NS_S + 310 * JL_NS_MS, JL_NS_S + 330 * JL_NS_MS);
	world_free(w);
	w = world_new("steps: {a: {foreach: {from: 1, to: 9}, command: [x]}}\n");
	w->o.fail = JL_FAIL_KEEP_GOING;
	w->x->busy = 1000;
	world_run(w);
	assert_int_equal(w->sum.counts.failed, 9);
	assert_non_null(strstr(w->reasons.data, "no more processes (scripted), tried for 5 s"));
	assert_int_equal(w->x->started, 0);
	assert_int_equal(w->stored, 0);
	assert_in_range(w->x->now_ns, 6 * JL_NS_S, 8 * JL_NS_S);
	assert_true(w->x->busy > 1000 - 30);
	world_next(w);
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 9);
	world_free(w);
}

/* A start that is refused while others run is tried again after the next end, and nobody is told. */
static void make_busy(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	struct world *w = ctx;
	world_play(NULL, job, run);
	w->x->busy = 1;
}

static void test_busy_once(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n"
				    "  first: {command: [put, \"${{ output }}\", 1], outputs: first}\n"
				    "  other: {command: [put, \"${{ output }}\", 2], outputs: other}\n"
				    "  third: {command: [put, \"${{ output }}\", 3], outputs: third}\n");
	fake_exec_on(w->x, "first", &(struct fake_run){.duration_ns = JL_NS_S, .effect = make_busy, .ctx = w});
	takes(w, "other", 9);
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 3);
	assert_int_equal(w->x->busy, 0);
	/* Refused after first's end, it starts after other's. */
	assert_string_equal(w->x->log.data, "start first\nstart other\nend first\nend other\nstart third\nend third\n");
	assert_string_equal(w->warnings.data, "");
	world_free(w);
}

static void test_events(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n  a: {command: [put, \"${{ output }}\", a], outputs: a}\n"
		"  b: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: a, outputs: b}\n");
	fake_exec_on(w->x, "a", &(struct fake_run){.out = "hello\n", .err = "oh\n", .effect = world_play});
	world_run(w);
	assert_string_equal(w->kinds.data, "RsoofsfE");
	assert_string_equal(w->output.data, "a 1 0: hello\na 2 0: oh\n");
	world_holds(w, ".jl/logs/a.log", "hello\noh\n");
	assert_false(world_exists(w, ".jl/logs/b.log"));
	world_run(w);
	assert_string_equal(w->kinds.data, "RffE");
	assert_int_equal(w->sum.counts.fresh, 2);
	world_remove(w, "a");
	world_run(w); /* replayed where it would have been shown */
	world_expect(w, "restored a\nfresh b\n");
	assert_string_equal(w->kinds.data, "RooffE");
	assert_string_equal(w->output.data, "a 1 1: hello\na 2 1: oh\n");
	world_free(w);
}

static void test_ends(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n"
				    "  slow: {command: [put, \"${{ output }}\", a], outputs: slow.out, timeout: 5s}\n"
				    "  shot: {command: [x], outputs: shot.out}\n"
				    "  none: {command: [x], outputs: none.out}\n"
				    "  held: {command: [put, \"${{ output }}\", a], outputs: held.out}\n"
				    "  lazy: {command: [x], outputs: lazy.out}\n");
	w->o.fail = JL_FAIL_KEEP_GOING;
	takes(w, "slow", 60);
	fake_exec_on(w->x, "shot", &(struct fake_run){.end = JL_JOB_SIGNALED, .signal = 9});
	fake_exec_on(w->x, "none",
		     &(struct fake_run){.end = JL_JOB_NOT_STARTED, .exit_code = 127, .why = "no such program"});
	fake_exec_on(w->x, "held", &(struct fake_run){.pipe_held = true, .effect = world_play});
	world_run(w);
	assert_non_null(strstr(w->ends.data, "timeout slow\n"));
	assert_non_null(strstr(w->ends.data, "failed shot\n"));
	assert_non_null(strstr(w->reasons.data, "none: no such program\n"));
	assert_non_null(strstr(w->ends.data, "ran held\n"));
	assert_non_null(strstr(w->reasons.data, "lazy: output \"lazy.out\" was not made\n"));
	assert_non_null(strstr(w->reasons.data, "background process"));
	assert_int_equal(w->sum.counts.failed, 4);
	assert_int_equal(w->stored, 0);
	world_free(w);
}

/* What a failed step left is out of the way, and can be looked at. */
static void leave_and_fail(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	world_play(ctx, job, run);
	run->exit_code = 1;
}

static void test_failed_outputs(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  a: {command: [put, \"${{ output }}\", half], outputs: d/a.out}\n");
	fake_exec_on(w->x, "a", &(struct fake_run){.effect = leave_and_fail});
	world_run(w);
	assert_false(world_exists(w, "d/a.out"));
	world_holds(w, ".jl/failed/a/d/a.out", "half");
	world_free(w);
}

/* The folder of an output leads out of the workspace: the step fails with the reason, nothing is written there. */
static void test_not_begun(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  a: {command: [put, \"${{ output }}\", x], outputs: d/a.out}\n"
				    "  b: {command: [put, \"${{ output }}\", x], outputs: b.out}\n");
	w->o.fail = JL_FAIL_KEEP_GOING;
	assert_int_equal(symlinkat("/", w->dir->fd, "d"), 0);
	world_run(w);
	assert_non_null(strstr(w->reasons.data, "leads out of the workspace"));
	assert_int_equal(w->sum.counts.failed, 1);
	assert_int_equal(w->sum.counts.ran, 1);
	assert_int_equal(fake_exec_starts(w->x, "a"), 0);
	world_free(w);
}

static void target(struct world *w, const char *word)
{
	static const char *words[1];
	words[0] = word;
	w->o.targets = words;
	w->o.n_targets = word ? 1 : 0;
}

static void test_targets(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  a: {command: [put, \"${{ output }}\", a], outputs: a.out, tags: [x]}\n"
		"  b: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: a.out, outputs: sub/b.out}\n"
		"  c: {command: [put, \"${{ output }}\", c], outputs: c.out, manual: true, tags: [x]}\n"
		"  f: {foreach: [p, q], command: [put, \"${{ output }}\", f], outputs: \"f/${{ item }}\"}\n");
	world_run(w);
	assert_int_equal(w->sum.counts.total, 4); /* all but the manual one */
	assert_false(world_exists(w, "c.out"));
	const struct {
		const char *word;
		uint32_t total;
	} words[] = {{"c", 1},         {"b", 2},     {"a", 1},  {"f", 2}, {"f[q]", 1},
		     {"sub/b.out", 2}, {"./f/p", 1}, {"f/", 2}, {"@x", 2}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		target(w, words[i].word);
		world_run(w);
		if (w->sum.counts.total != words[i].total)
			fail_msg("%s: %u steps", words[i].word, w->sum.counts.total);
	}
	const char *const bad[] = {"d", "f[r]", "@y", "nothing/here"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		target(w, bad[i]);
		assert_int_equal(world_try(w), JL_EINVAL);
		assert_int_equal(w->kinds.len, 0); /* nothing was told, nothing run */
	}
	/* Forced is what was asked for, not what it needs. */
	target(w, "b");
	w->o.force = true;
	world_run(w);
	world_expect(w, "fresh a\nran b\n");
	world_free(w);
}

/* Nothing is written, not even .jl. */
static void test_plan_mode(void **state)
{
	(void)state;
	struct world *w = world_new(four);
	struct jl_buf before = JL_BUF_INIT, after = JL_BUF_INIT;
	w->o.mode = JL_MODE_PLAN;
	world_tree(w, &before);
	world_run(w);
	world_tree(w, &after);
	assert_string_equal(before.data, after.data);
	assert_int_equal(w->x->started, 0);
	assert_int_equal(w->sum.counts.would_run, 3);
	assert_int_equal(w->sum.counts.maybe, 2);
	w->o.mode = JL_MODE_RUN;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 5);
	world_remove(w, "b.out");
	world_remove(w, "e.out");
	world_write(w, "c.out", "edited");
	uint64_t puts = w->store->stats.records_put;
	world_tree(w, &before);
	w->o.mode = JL_MODE_PLAN;
	world_run(w);
	world_tree(w, &after);
	assert_string_equal(before.data, after.data);
	assert_int_equal(w->store->stats.records_put, puts);
	assert_int_equal(w->sum.counts.would_restore, 3);
	assert_int_equal(w->sum.counts.fresh, 2);
	world_expect(w, "fresh a\nwould be restored b\nwould be restored c\nfresh d\nwould be restored e\n");
	jl_buf_release(&before);
	jl_buf_release(&after);
	world_free(w);
}

static void test_adopt(void **state)
{
	(void)state;
	struct world *w = world_new(four);
	w->o.mode = JL_MODE_ADOPT;
	target(w, "a");
	world_run(w); /* there is nothing to adopt */
	world_expect(w, "failed a\n");
	assert_non_null(strstr(w->reasons.data, "was not made"));
	world_write(w, "a.out", "by hand");
	world_run(w);
	world_expect(w, "ran a\n");
	assert_int_equal(w->stored, 1);
	assert_int_equal(w->x->started, 0);
	world_holds(w, "a.out", "by hand");
	w->o.mode = JL_MODE_RUN;
	target(w, "d");
	world_run(w);
	world_expect(w, "fresh a\nran d\n");
	world_holds(w, "d.out", "by hand");
	/* Another content is adopted in place of what is stored: the disk is what the user points at. */
	w->o.mode = JL_MODE_ADOPT;
	world_write(w, "a.out", "other");
	target(w, "a");
	world_run(w);
	world_holds(w, "a.out", "other");
	w->o.mode = JL_MODE_RUN;
	world_remove(w, "a.out");
	world_run(w);
	world_expect(w, "restored a\n");
	world_holds(w, "a.out", "other");
	/* What it needs is not adopted along with it. */
	w->o.mode = JL_MODE_ADOPT;
	world_write(w, "e.out", "by hand");
	world_write(w, "b.out", "by hand");
	target(w, "e");
	world_manifest(w,
		       "steps:\n"
		       "  a: {command: [put, \"${{ output }}\", new], outputs: a.out}\n"
		       "  e: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: a.out, outputs: e.out}\n");
	world_run(w);
	world_expect(w, "failed a\nskipped e\n");
	world_holds(w, "e.out", "by hand");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_critical_path),  cmocka_unit_test(test_slots),
		cmocka_unit_test(test_fail_soon),      cmocka_unit_test(test_fail_now),
		cmocka_unit_test(test_keep_going),     cmocka_unit_test(test_allow_failure),
		cmocka_unit_test(test_busy_alone),     cmocka_unit_test(test_busy_once),
		cmocka_unit_test(test_events),         cmocka_unit_test(test_ends),
		cmocka_unit_test(test_failed_outputs), cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_targets),        cmocka_unit_test(test_plan_mode),
		cmocka_unit_test(test_adopt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
