/* Runs of 20,000 steps: what they cost, counted in calls, grows with the number of steps and no faster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_help.h"

enum { N = 20000 };

/* Every look at a file goes through this one, which is found before the C library's. */
static uint64_t stats;
int fstatat(int dirfd, const char *restrict path, struct stat *restrict st, int flags)
{
	__atomic_add_fetch(&stats, 1, __ATOMIC_RELAXED);
	return (int)syscall(SYS_newfstatat, dirfd, path, st, flags);
}

/* An executor that plays the command as it is started and ends it at the next poll: the fake one finds scripts by label,
 * one after the other. */
struct quick {
	struct jl_exec exec; /* first */
	uint64_t ids[64];
	unsigned n;
	uint64_t starts, polls;
	int64_t now_ns;
	bool writes;
};

static int quick_start(struct jl_exec *x, const struct jl_job *job, int64_t *ret_pid, struct jl_err *err)
{
	struct quick *q = (struct quick *)x;
	struct fake_run run = {0};
	(void)err;
	assert_true(q->n < 64);
	q->ids[q->n++] = job->id;
	q->starts++;
	if (ret_pid)
		*ret_pid = 0;
	if (q->writes)
		world_play(NULL, job, &run);
	return JL_OK;
}

static int quick_poll(struct jl_exec *x, int64_t until_ns, struct jl_err *err)
{
	struct quick *q = (struct quick *)x;
	(void)until_ns;
	(void)err;
	q->polls++;
	q->now_ns += JL_NS_MS;
	while (q->n > 0) {
		uint64_t id = q->ids[--q->n];
		q->exec.events.done(q->exec.events.ctx, id,
				    &(struct jl_job_result){.wall_ns = JL_NS_MS, .host = "local"});
	}
	return JL_OK;
}

static int64_t quick_now(const struct jl_clock *c)
{
	return ((const struct quick *)c->ctx)->now_ns;
}

static const struct jl_exec_ops quick_ops = {.kind = "quick", .start = quick_start, .poll = quick_poll};

struct tally {
	struct jl_sink sink; /* first */
	uint64_t events, progress;
	struct jl_counts last;
};

static void count(struct jl_sink *s, const struct jl_event *e)
{
	struct tally *t = (struct tally *)s;
	t->events += e->type != JL_EVENT_PROGRESS;
	t->progress += e->type == JL_EVENT_PROGRESS;
	t->last = *e->counts;
}

struct cost {
	uint64_t stats, starts, polls, events, progress;
};

static struct cost run(struct world *w)
{
	struct quick q = {.exec.ops = &quick_ops, .writes = true};
	struct tally t = {.sink.event = count};
	w->o.exec = &q.exec;
	w->clock = (struct jl_clock){.now_ns = quick_now, .ctx = &q};
	w->o.clock = &w->clock;
	w->o.sinks = &t.sink;
	w->o.jobs = 8;
	uint64_t before = stats;
	jl_messages_release(&w->msgs);
	if (jl_run(&w->o, &w->sum, &w->msgs, &w->err) != JL_OK)
		fail_msg("%s %s", w->err.text, w->msgs.n ? w->msgs.at[0].text : "");
	return (struct cost){.stats = stats - before,
			     .starts = q.starts,
			     .polls = q.polls,
			     .events = t.events,
			     .progress = t.progress};
}

/* At most `each` a path, and a constant. */
static void expect_stats(const struct cost *c, uint64_t paths, uint64_t each)
{
	if (c->stats > paths * each + 200)
		fail_msg("%llu stats for %llu paths", (unsigned long long)c->stats, (unsigned long long)paths);
}

static void expect_counts(const struct world *w, uint32_t ran, uint32_t fresh, uint32_t restored)
{
	assert_int_equal(w->sum.counts.ran, ran);
	assert_int_equal(w->sum.counts.fresh, fresh);
	assert_int_equal(w->sum.counts.restored, restored);
}

/* N steps of their own in the manifest, in chains of four. They make nothing: making files is the file system's cost. */
static void test_steps(void **state)
{
	(void)state;
	struct jl_buf m = JL_BUF_INIT;
	jl_buf_str(&m, "steps:\n");
	for (int i = 0; i < N; i++) {
		jl_buf_printf(&m, "  s%d: {command: [x], outputs: {path: out/%d/f%d, optional: true}, inputs: ", i,
			      i / 100, i);
		if (i % 4)
			jl_buf_printf(&m, "{path: out/%d/f%d, optional: true}}\n", (i - 1) / 100, i - 1);
		else
			jl_buf_str(&m, "in}\n");
	}
	struct world *w = world_new(m.data);
	world_write(w, "in", "text");
	struct cost c = run(w);
	expect_counts(w, N, 0, 0);
	assert_int_equal(c.starts, N);
	assert_int_equal(c.events, 2 * N + 2);
	assert_true(c.polls <= 2 * N);
	assert_true(c.progress <= 2 * N);
	expect_stats(&c, N, 12);
	c = run(w);
	expect_counts(w, 0, N, 0);
	assert_int_equal(c.starts, 0);
	assert_int_equal(c.events, N + 2);
	assert_true(c.polls <= N / 50);
	expect_stats(&c, N, 1); /* one a path */
	world_write(w, "in", "other");
	c = run(w); /* the chains' heads run; what they make is the same: nothing */
	expect_counts(w, N / 4, N - N / 4, 0);
	assert_int_equal(c.starts, N / 4);
	expect_stats(&c, N, 8);
	world_free(w);
	jl_buf_release(&m);
}

/* One step with N items in a file that another makes, and a join; then N others, of which half stay. */
static void test_items(void **state)
{
	(void)state;
	struct jl_buf lines = JL_BUF_INIT;
	struct world *w = world_new(
		"steps:\n"
		"  list: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: in, outputs: names}\n"
		"  each: {foreach: {lines: names}, command: [x, \"${{ item }}\"], "
		"outputs: {path: \"out/${{ item }}\", optional: true}}\n"
		"  all: {command: [line, \"${{ output }}\", x], inputs: [\"out/*\", in], outputs: all}\n");
	for (int from = 0; from <= N / 2; from += N / 2) {
		jl_buf_clear(&lines);
		for (int i = from; i < from + N; i++)
			jl_buf_printf(&lines, "%d\n", i);
		world_write(w, "in", lines.data);
		struct cost c = run(w);
		expect_counts(w, from ? N / 2 + 2 : N + 2, from ? N / 2 : 0, 0);
		assert_int_equal(c.starts, w->sum.counts.ran);
		expect_stats(&c, N + N / 2, 12);
		c = run(w);
		expect_counts(w, 0, N + 2, 0);
		assert_int_equal(c.events, N + 4);
		expect_stats(&c, N, 1);
	}
	world_free(w);
	jl_buf_release(&lines);
}

/* Real files: a folder of its own for each of 500 items, made, looked at, and put back. */
static void test_folders(void **state)
{
	(void)state;
	enum { ITEMS = 500, PATHS = 3 * ITEMS };
	struct world *w = world_new("steps:\n"
				    "  each: {foreach: {from: 1, to: 500}, command: [split, \"${{ output }}\", a, b], "
				    "outputs: \"out/${{ item }}/\"}\n");
	struct cost c = run(w);
	expect_counts(w, ITEMS, 0, 0);
	expect_stats(&c, PATHS, 8);
	c = run(w);
	expect_counts(w, 0, ITEMS, 0);
	expect_stats(&c, PATHS, 2); /* twice where a stamp is too young to be trusted */
	world_remove(w, "out");
	c = run(w);
	expect_counts(w, 0, 0, ITEMS);
	expect_stats(&c, PATHS, 12);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_folders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
