/* The keys that change how a step runs, on a fake executor: retries, streams, tools, ttl. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_help.h"

/* ---- retries ---- */

static const char flaky[] = "steps:\n"
			    "  a: {command: [put, \"${{ output }}\", text], outputs: a.out, retries: 2}\n"
			    "  b: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: a.out, outputs: b.out}\n";

static void leave_half(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	struct world *w = ctx;
	(void)job;
	(void)run;
	assert_false(world_exists(w, "a.out")); /* nothing of an attempt before is left */
	world_write(w, "a.out", "half");
}

static void fails_once(struct world *w, const char *label)
{
	fake_exec_on(w->x, label,
		     &(struct fake_run){.exit_code = 3, .out = "bad\n", .effect = leave_half, .ctx = w});
}

static void retried_until_it_works(void **state)
{
	(void)state;
	struct world *w = world_new(flaky);
	fails_once(w, "a");
	fails_once(w, "a");
	fake_exec_on(w->x, "a", &(struct fake_run){.out = "good\n", .effect = world_play});
	world_run(w);
	world_expect(w, "ran a\nran b\n");
	assert_int_equal(fake_exec_starts(w->x, "a"), 3);
	assert_int_equal(w->sum.counts.failed, 0);
	world_holds(w, "a.out", "text");
	/* What failed attempts said is shown, and is not of the result. */
	assert_string_equal(w->output.data, "a 1 0: bad\na 1 0: bad\na 1 0: good\n");
	assert_non_null(strstr(w->warnings.data, "exit 3; attempt 2 follows\n"));
	assert_non_null(strstr(w->warnings.data, "exit 3; attempt 3 follows\n"));
	world_remove(w, "a.out");
	world_run(w);
	assert_string_equal(w->output.data, "a 1 1: good\n");
	world_free(w);
}

static void the_last_failure_counts(void **state)
{
	(void)state;
	struct world *w = world_new(flaky);
	for (int i = 0; i < 5; i++)
		fails_once(w, "a");
	world_run(w);
	world_expect(w, "failed a\nskipped b\n");
	assert_int_equal(fake_exec_starts(w->x, "a"), 3);
	assert_int_equal(w->sum.counts.failed, 1);
	assert_int_equal(w->stored, 0);
	world_holds(w, ".jl/failed/a/a.out", "half");
	world_free(w);
}

/* A missing output is a failure as any other. */
static void a_missing_output_is_tried_again(void **state)
{
	(void)state;
	struct world *w = world_new(flaky);
	fake_exec_on(w->x, "a", &(struct fake_run){0});
	fake_exec_on(w->x, "a", &(struct fake_run){.effect = world_play});
	world_run(w);
	world_expect(w, "ran a\nran b\n");
	assert_non_null(strstr(w->warnings.data, "output \"a.out\" was not made; attempt 2 follows\n"));
	world_free(w);
}

static void the_delay_is_waited_and_others_run(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  a: {command: [put, \"${{ output }}\", a], outputs: a.out, retries: {times: 1, delay: 10s}}\n"
		"  b: {command: [put, \"${{ output }}\", b], outputs: b.out}\n");
	w->o.jobs = 1;
	fake_exec_on(w->x, "a", &(struct fake_run){.exit_code = 1});
	fake_exec_on(w->x, "a", &(struct fake_run){.effect = world_play});
	world_run(w);
	assert_string_equal(w->x->log.data, "start a\nend a\nstart b\nend b\nstart a\nend a\n");
	assert_true(w->sum.wall_ns >= 10 * JL_NS_S && w->sum.wall_ns < 11 * JL_NS_S);
	assert_non_null(strstr(w->warnings.data, "attempt 2 follows in 10"));
	world_free(w);
}

/* With fail-soon a failure elsewhere ends the wait: what failed stays failed, and is counted once. */
static void an_ended_run_does_not_wait(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  a: {command: [put, \"${{ output }}\", a], outputs: a.out, retries: {times: 9, delay: 1h}}\n"
		"  b: {command: [put, \"${{ output }}\", b], outputs: b.out}\n");
	fake_exec_on(w->x, "a", &(struct fake_run){.exit_code = 1});
	fake_exec_on(w->x, "b", &(struct fake_run){.exit_code = 1, .duration_ns = JL_NS_S});
	world_run(w);
	assert_int_equal(w->sum.counts.failed, 2);
	assert_true(w->sum.wall_ns < 10 * JL_NS_S);
	world_free(w);
}

static void the_option_is_for_steps_that_do_not_say(void **state)
{
	(void)state;
	struct world *w = world_new("defaults: {retries: 0}\nsteps:\n"
				    "  a: {command: [put, \"${{ output }}\", a], outputs: a.out}\n"
				    "  b: {command: [put, \"${{ output }}\", b], outputs: b.out, retries: 1}\n");
	w->o.fail = JL_FAIL_KEEP_GOING;
	w->o.retries = 4;
	w->x->fallback = (struct fake_run){.exit_code = 1};
	world_run(w);
	assert_int_equal(fake_exec_starts(w->x, "a"), 1);
	assert_int_equal(fake_exec_starts(w->x, "b"), 2);
	world_manifest(w, "steps: {a: {command: [x], outputs: a.out}}\n");
	world_next(w)->fallback = (struct fake_run){.exit_code = 1};
	world_run(w);
	assert_int_equal(fake_exec_starts(w->x, "a"), 5);
	world_free(w);
}

/* ---- streams ---- */

/* What `tr` would do, on the descriptors that the job got. */
static void copy_streams(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	char text[100];
	(void)ctx;
	(void)run;
	assert_true(job->stdin_fd >= 0 && job->stdout_fd > 2 && job->stderr_fd > 2);
	ssize_t n = read(job->stdin_fd, text, sizeof(text));
	assert_true(n >= 0);
	assert_int_equal(write(job->stdout_fd, text, (size_t)n), n);
	assert_int_equal(write(job->stderr_fd, "said", 4), 4);
}

static const char streams[] = "steps:\n"
			      "  make: {command: [put, \"${{ output }}\", one], outputs: in.txt}\n"
			      "  s: {command: [x], stdin: in.txt, stdout: d/out.txt, stderr: d/err.txt}\n"
			      "  use: {command: [cat, \"${{ output }}\", \"${{ input }}\"], inputs: d/out.txt, outputs: u}\n";

static void streams_are_inputs_and_outputs(void **state)
{
	(void)state;
	struct world *w = world_new(streams);
	fake_exec_on(w->x, "s", &(struct fake_run){.effect = copy_streams});
	world_run(w);
	world_expect(w, "ran make\nran s\nran use\n"); /* in their order, though only the streams say so */
	world_holds(w, "u", "one");
	world_holds(w, "d/err.txt", "said");
	world_run(w);
	world_expect(w, "fresh make\nfresh s\nfresh use\n");
	world_remove(w, "d/out.txt");
	world_run(w);
	world_expect(w, "fresh make\nrestored s\nfresh use\n");
	/* Its content is of the key; so is that it is a stream. */
	world_manifest(w, "steps: {s: {command: [x], stdin: in.txt, stdout: d/out.txt, stderr: d/err.txt}}\n");
	world_write(w, "in.txt", "two");
	world_next(w);
	fake_exec_on(w->x, "s", &(struct fake_run){.effect = copy_streams});
	world_run(w);
	world_expect(w, "ran s\n");
	world_holds(w, "d/out.txt", "two");
	world_manifest(w, "steps: {s: {command: [x], inputs: in.txt, outputs: [d/out.txt, d/err.txt]}}\n");
	world_run(w);
	world_expect(w, "failed s\n");
	world_free(w);
}

static void streams_that_are_wrong(void **state)
{
	static const struct {
		const char *manifest, *says;
	} wrong[] = {
		{"steps: {a: {command: x, stdin: none}}\n", "no step makes it and there is no such file"},
		{"steps: {a: {command: x, stdout: ../out}}\n", "cannot leave the workspace"},
		{"steps: {a: {command: x, stdout: \"o*\"}}\n", "\"stdout\" wants the path of one file, not a glob"},
		{"steps: {a: {command: x, stdin: d/}}\n", "\"stdin\" wants the path of one file, not a folder"},
		{"steps: {a: {command: x, stderr: [a, b]}}\n", "\"stderr\" wants a path, not a list"},
		{"steps: {a: {command: x, stdout: o}, b: {command: x, outputs: o}}\n", "overlaps"},
		{"steps: {a: {command: \"x ${{ input }}\", stdin: joblib.yaml}}\n", "declares no inputs"},
		{"steps: {a: {command: x, retries: -1}}\n", "\"retries\" cannot be negative"},
		{"steps: {a: {command: x, retries: {delay: 1s}}}\n", "\"retries\" needs \"times\""},
		{"steps: {a: {command: x, retries: {time: 1}}}\n", "unknown key \"time\"; did you mean \"times\"?"},
		{"steps: {a: {command: x, retries: soon}}\n", "\"retries\" wants a whole number"},
		{"steps: {a: {command: x, ttl: soon}}\n", "\"ttl\""},
		{"steps: {a: {command: x, tools: {a: b}}}\n", "\"tools\" wants names of programs, not a mapping"},
		{"steps: {a: {command: x, tools: ./none}}\n", "no step makes it and there is no such file"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct world *w = world_new(wrong[i].manifest);
		assert_int_equal(world_try(w), JL_EINVAL);
		assert_int_equal(w->x->started, 0);
		if (!w->msgs.n || !strstr(w->msgs.at[0].text, wrong[i].says))
			fail_msg("%s: %s", wrong[i].manifest, w->msgs.n ? w->msgs.at[0].text : "no message");
		assert_true(w->msgs.at[0].mark.line > 0);
		world_free(w);
	}
}

/* ---- tools, ttl ---- */

static void write_program(struct world *w, const char *path, const char *text)
{
	world_write(w, path, text);
	assert_int_equal(fchmodat(w->dir->fd, path, 0755, 0), 0);
}

static void a_tool_is_of_the_key(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps: {a: {command: [put, \"${{ output }}\", a], outputs: a.out, tools: [tool, ./own]}}\n");
	char path[600];
	const char *const environ[] = {path, NULL};
	snprintf(path, sizeof(path), "PATH=%s/bin", w->dir->path);
	w->o.environ = environ;
	write_program(w, "own", "1");
	world_run(w);
	world_expect(w, "failed a\n");
	assert_non_null(strstr(w->reasons.data, "tool \"tool\": "));
	write_program(w, "bin/tool", "1");
	world_run(w);
	world_expect(w, "ran a\n");
	write_program(w, "bin/tool", "2");
	world_run(w);
	world_expect(w, "ran a\n");
	write_program(w, "bin/tool", "1");
	world_run(w);
	world_expect(w, "fresh a\n"); /* stored, and what lies there is just that */
	write_program(w, "own", "2");
	world_run(w);
	world_expect(w, "ran a\n");
	world_run(w);
	world_expect(w, "fresh a\n");
	world_free(w);
}

static void a_result_older_than_its_ttl_counts_no_more(void **state)
{
	(void)state;
	struct world *w = world_new("steps: {a: {command: [put, \"${{ output }}\", a], outputs: a.out, ttl: 1h}}\n");
	world_run(w);
	world_run(w);
	world_expect(w, "fresh a\n");
	world_remove(w, "a.out");
	world_run(w);
	world_expect(w, "restored a\n");
	/* The ttl is not of the key: the same result, too old for another. */
	world_manifest(w, "steps: {a: {command: [put, \"${{ output }}\", a], outputs: a.out, ttl: 1ms}}\n");
	for (int64_t began = jl_clock_real_ns(); jl_clock_real_ns() - began < 3 * JL_NS_MS;)
		;
	w->o.mode = JL_MODE_PLAN;
	world_run(w);
	world_expect(w, "would run a\n");
	w->o.mode = JL_MODE_RUN;
	world_run(w);
	world_expect(w, "ran a\n");
	assert_non_null(strstr(w->reasons.data, "a: its result is older than its ttl\n"));
	world_free(w);
}

/* ---- resources ---- */

struct small_machine {
	struct jl_machine m; /* first */
	uint64_t total, left;
	double load;
	unsigned looks;
};
static uint64_t small_total(const struct jl_machine *m)
{
	return ((const struct small_machine *)m)->total;
}
static uint64_t small_left(const struct jl_machine *m)
{
	((struct small_machine *)m)->looks++;
	return ((const struct small_machine *)m)->left;
}
static double small_load(const struct jl_machine *m)
{
	((struct small_machine *)m)->looks++;
	return ((const struct small_machine *)m)->load;
}
static uint64_t no_kills(const struct jl_machine *m)
{
	(void)m;
	return 0;
}
#define SMALL_MACHINE {.m = {small_total, small_left, small_load, no_kills, NULL}, .total = 8u << 20, .left = 8u << 20}

/* What ran at the same time: no line of the log starts what is forbidden between start and end of `label`. */
static bool overlap(struct world *w, const char *label, const char *other)
{
	char start[60], end[60], begin[60];
	snprintf(start, sizeof(start), "start %s\n", label);
	snprintf(end, sizeof(end), "end %s\n", label);
	snprintf(begin, sizeof(begin), "start %s\n", other);
	const char *from = strstr(w->x->log.data, start), *to = strstr(w->x->log.data, end);
	const char *at = strstr(w->x->log.data, begin);
	assert_true(from && to && at);
	snprintf(begin, sizeof(begin), "end %s\n", other);
	const char *at_end = strstr(w->x->log.data, begin);
	return at < to && from < at_end;
}

static void takes(struct world *w, const char *label, int64_t seconds)
{
	fake_exec_on(w->x, label, &(struct fake_run){.duration_ns = seconds * JL_NS_S, .effect = world_play});
}

/* A second sink, which wants to be called every second, and keeps what it was told last. */
struct watcher {
	struct jl_sink sink; /* first */
	uint64_t total;
	struct jl_buf etas;
};

static void watch(struct jl_sink *s, const struct jl_event *e)
{
	struct watcher *w = (struct watcher *)s;

	if (e->type != JL_EVENT_PROGRESS || e->step)
		return;
	w->total = e->total;
	if (e->t_ns < s->wake_ns)
		return;
	jl_buf_printf(&w->etas, "%lld ", (long long)(e->eta_ns / JL_NS_S));
	s->wake_ns = (e->t_ns / JL_NS_S + 1) * JL_NS_S;
}

/* Two slots, and nothing to do for the second. */
static void the_end_is_reckoned_from_durations(void **state)
{
	(void)state;
	struct watcher watcher = {.sink = {.event = watch}, .etas = JL_BUF_INIT};
	struct world *w = world_new("steps:\n"
				    "  a: {command: [put, \"${{ output }}\", a], outputs: a.out, cache: false}\n"
				    "  last: {command: [put, \"${{ output }}\", l], outputs: l.out, after: a, cache: false}\n");
	takes(w, "a", 4);
	takes(w, "last", 6);
	w->o.jobs = 2;
	w->o.sinks->next = &watcher.sink;
	world_run(w);
	/* Nothing is known; then the one that ran is taken for the other. */
	assert_string_equal(watcher.etas.data, "0 0 0 0 4 3 2 1 0 0 0 ");
	jl_buf_clear(&watcher.etas);
	watcher.sink.wake_ns = 0;
	world_remove(w, "a.out");
	world_remove(w, "l.out");
	world_next(w);
	takes(w, "a", 5);
	takes(w, "last", 6);
	world_run(w);
	/* Both are known: one behind the other is the longest path, however many slots there are. */
	assert_string_equal(watcher.etas.data, "10 9 8 7 6 6 5 4 3 2 1 0 ");
	assert_int_equal(watcher.total, 2);
	jl_buf_release(&watcher.etas);
	world_free(w);
}

static void processors_are_counted(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n"
				    "  one: {foreach: [1, 2, 3, 4], command: [x], resources: {cpus: 1}}\n"
				    "  two: {command: [x], resources: {cpus: 2}}\n"
				    "  all: {command: [x], resources: {cpus: 64}}\n");
	w->o.jobs = 3;
	w->x->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 6);
	assert_false(overlap(w, "all", "two"));
	for (int i = 1; i <= 4; i++) {
		char label[20];
		snprintf(label, sizeof(label), "one[%d]", i);
		assert_false(overlap(w, "all", label));
	}
	assert_int_equal(w->x->max_running, 3);
	world_free(w);
}

static void pools_are_shared_and_others_pass(void **state)
{
	(void)state;
	struct world *w = world_new("pools: {gpu: 2, net: 1}\nsteps:\n"
				    "  big: {command: [x], resources: {gpu: 2}}\n"
				    "  g1: {command: [x], resources: {gpu: 1, net: 1}}\n"
				    "  g2: {command: [x], resources: {gpu: 1, net: 1}}\n"
				    "  free: {foreach: [1, 2, 3], command: [x]}\n");
	w->o.jobs = 8;
	w->x->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 6);
	assert_false(overlap(w, "big", "g1"));
	assert_false(overlap(w, "big", "g2"));
	assert_false(overlap(w, "g1", "g2"));
	assert_true(overlap(w, "big", "free[3]"));
	assert_true(w->sum.wall_ns < 4 * JL_NS_S);
	world_free(w);
}

/* Small ones come one after the other, and some always run; the large one gets its turn all the same. */
static void a_large_need_does_not_starve(void **state)
{
	(void)state;
	struct small_machine machine = SMALL_MACHINE;
	struct world *w = world_new("steps:\n"
				    "  s: {foreach: {from: 1, to: 20}, command: [x], resources: {memory: 3MiB}}\n"
				    "  large: {command: [x], resources: {memory: 8MiB}}\n");
	w->o.machine = &machine.m;
	w->o.jobs = 4;
	/* Of different lengths, so that they never end together. */
	for (int i = 1; i <= 20; i++) {
		char label[20];
		snprintf(label, sizeof(label), "s[%d]", i);
		takes(w, label, 1 + i % 3);
	}
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 21);
	assert_int_equal(w->x->max_running, 2);
	world_next(w);
	/* Now it is known as the least urgent of all, and is ready from the beginning. */
	takes(w, "large", 1);
	for (int i = 1; i <= 20; i++) {
		char label[20];
		snprintf(label, sizeof(label), "s[%d]", i);
		takes(w, label, 1 + i % 3);
	}
	w->o.shuffle = "3"; /* puts it among the others */
	world_run(w);
	const char *large = strstr(w->x->log.data, "start large\n");
	unsigned before = 0, after = 0;
	for (const char *s = w->x->log.data; (s = strstr(s, "start s[")); s++)
		*(s < large ? &before : &after) += 1;
	if (before == 0 || after < 2)
		fail_msg("%s", w->x->log.data);
	for (int i = 1; i <= 20; i++) {
		char label[20];
		snprintf(label, sizeof(label), "s[%d]", i);
		assert_false(overlap(w, "large", label));
	}
	world_free(w);
}

static void more_than_there_is_runs_alone(void **state)
{
	(void)state;
	struct small_machine machine = SMALL_MACHINE;
	struct world *w = world_new("steps:\n"
				    "  a: {command: [x], resources: {memory: 1TiB}}\n"
				    "  b: {command: [x], resources: {memory: 1MiB}}\n"
				    "  c: {command: [x]}\n");
	w->o.machine = &machine.m;
	w->o.jobs = 3;
	w->x->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 3);
	assert_false(overlap(w, "a", "b"));
	assert_true(overlap(w, "a", "c") || overlap(w, "b", "c"));
	world_free(w);
}

static void a_busy_machine_gets_one_at_a_time(void **state)
{
	(void)state;
	struct small_machine machine = SMALL_MACHINE;
	struct world *w = world_new("steps: {a: {foreach: {from: 1, to: 5}, command: [x]}}\n");
	w->o.machine = &machine.m;
	w->o.jobs = 3;
	w->o.max_load = 2.5;
	machine.load = 4;
	w->x->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 5);
	assert_int_equal(w->x->max_running, 1);
	assert_true(machine.looks > 0);
	machine.load = 1;
	world_next(w)->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->x->max_running, 3);
	w->o.max_load = 0;
	w->o.min_memory = 9u << 20;
	world_next(w)->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->x->max_running, 1);
	world_free(w);
}

static void needs_that_are_wrong(void **state)
{
	static const char *const wrong[][2] = {
		{"steps: {a: {command: x, resources: {gpu: 1}}}\n", "there is no pool \"gpu\"; add it to \"pools\""},
		{"pools: {gpus: 1}\nsteps: {a: {command: x, resources: {gpu: 1}}}\n", "did you mean \"gpus\"?"},
		{"pools: {gpu: 1}\nsteps: {a: {command: x, resources: {gpu: 2}}}\n", "has 1, so that 2 can never be had"},
		{"pools: {gpu: 0}\nsteps: {a: {command: x}}\n", "\"gpu\" wants a number from 1 to a million"},
		{"pools: {cpus: 2}\nsteps: {a: {command: x}}\n", "\"cpus\" is known without a pool"},
		{"pools: [gpu]\nsteps: {a: {command: x}}\n", "\"pools\" wants a mapping of names to sizes"},
		{"steps: {a: {command: x, resources: {cpus: 0}}}\n", "\"cpus\" wants a number from 1"},
		{"steps: {a: {command: x, resources: {memory: 1G}}}\n", "\"memory\""},
		{"steps: {a: {command: x, resources: 4}}\n", "\"resources\" wants a mapping such as"},
		{"defaults: {resources: {gpu: 1}}\nsteps: {a: {command: x}}\n", "there is no pool \"gpu\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct world *w = world_new(wrong[i][0]);
		assert_int_equal(world_try(w), JL_EINVAL);
		if (w->msgs.n != 1 || !strstr(w->msgs.at[0].text, wrong[i][1]))
			fail_msg("%s: %s", wrong[i][0], w->msgs.n ? w->msgs.at[0].text : "no message");
		world_free(w);
	}
}

/* ---- valid_if, interactive, secret_env ---- */

static void check_says(struct world *w, int first)
{
	fake_exec_on(w->x, "a", &(struct fake_run){.exit_code = first, .out = "not shown"});
	fake_exec_on(w->x, "a", &(struct fake_run){.effect = world_play});
}

static void valid_if_makes_a_result_void(void **state)
{
	(void)state;
	struct world *w = world_new("steps: {a: {command: [put, \"${{ output }}\", a], outputs: a.out,\n"
				    "            valid_if: \"check ${{ output }}\"}}\n");
	world_run(w);
	assert_int_equal(fake_exec_starts(w->x, "a"), 1); /* nothing to ask about */
	world_next(w);
	check_says(w, 0);
	world_run(w);
	world_expect(w, "fresh a\n");
	assert_int_equal(fake_exec_starts(w->x, "a"), 1);
	assert_string_equal(w->output.data, "");
	assert_null(strchr(w->kinds.data, 's')); /* no step was started */
	world_next(w);
	check_says(w, 1);
	world_run(w);
	world_expect(w, "ran a\n");
	assert_string_equal(w->reasons.data, "a: valid_if says so\n");
	assert_int_equal(fake_exec_starts(w->x, "a"), 2);
	world_remove(w, "a.out");
	w->o.mode = JL_MODE_PLAN;
	world_run(w);
	world_expect(w, "maybe a\n");
	assert_int_equal(w->x->started, 0);
	w->o.mode = JL_MODE_RUN;
	world_next(w);
	check_says(w, 0);
	world_run(w);
	world_expect(w, "restored a\n");
	world_free(w);
}

static void an_interactive_step_runs_alone(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n"
				    "  a: {foreach: [1, 2, 3], command: [x]}\n"
				    "  i: {command: [put, \"${{ output }}\", i], outputs: i.out, interactive: true}\n"
				    "  z: {foreach: [1, 2, 3], command: [x]}\n");
	w->o.jobs = 3;
	w->x->fallback.duration_ns = JL_NS_S;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 7);
	for (int k = 1; k <= 3; k++) {
		char label[2][8];
		snprintf(label[0], sizeof(label[0]), "a[%d]", k);
		snprintf(label[1], sizeof(label[1]), "z[%d]", k);
		assert_false(overlap(w, "i", label[0]) || overlap(w, label[0], "i"));
		assert_false(overlap(w, "i", label[1]) || overlap(w, label[1], "i"));
	}
	assert_int_equal(w->stored, 0); /* of those with an output */
	world_run(w);
	assert_non_null(strstr(w->ends.data, "ran i\n"));
	assert_non_null(strstr(w->reasons.data, "i: interactive\n"));
	world_free(w);
}

static void says_secret(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	bool seen = false;
	(void)ctx;
	for (const char *const *v = job->envp; *v; v++)
		seen |= strcmp(*v, "TOKEN=hush-hush") == 0;
	assert_true(seen);
	world_play(NULL, job, run);
	run->out = "a hush-hush b hush-hu";
}

static void a_secret_is_of_the_key_and_masked(void **state)
{
	(void)state;
	const char *const with[] = {"PATH=/bin", "TOKEN=hush-hush", "JL_SECRET_KEY=k", NULL};
	const char *const other[] = {"PATH=/bin", "TOKEN=other-one", "JL_SECRET_KEY=k", NULL};
	const char *const other_key[] = {"PATH=/bin", "TOKEN=hush-hush", "JL_SECRET_KEY=l", NULL};
	struct world *w = world_new("steps: {a: {command: [put, \"${{ output }}\", a], outputs: a.out,\n"
				    "            secret_env: [TOKEN]}}\n");
	w->o.environ = with;
	fake_exec_on(w->x, "a", &(struct fake_run){.effect = says_secret});
	world_run(w);
	world_expect(w, "ran a\n");
	assert_string_equal(w->output.data, "a 1 0: a *** b hush-hu");
	char first[JL_DIGEST_TEXT];
	snprintf(first, sizeof(first), "%s", w->key);
	world_run(w);
	world_expect(w, "fresh a\n");
	w->o.environ = other_key;
	world_run(w);
	world_expect(w, "ran a\n"); /* another key hides it in another way */
	assert_string_not_equal(w->key, first);
	w->o.environ = other;
	world_run(w);
	world_expect(w, "ran a\n");
	w->o.environ = with;
	world_run(w);
	assert_string_equal(w->key, first);
	world_remove(w, "a.out");
	world_run(w);
	assert_string_equal(w->output.data, "a 1 1: a *** b hush-hu");
	world_manifest(w, "steps: {a: {command: \"x ${{ env.TOKEN }}\", secret_env: TOKEN}}\n");
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_non_null(strstr(w->msgs.at[0].text, "\"TOKEN\" is secret"));
	world_manifest(w, "steps: {a: {command: x, secret_env: [\"*\"], valid_if: [], interactive: maybe}}\n");
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_int_equal(w->msgs.n, 3);
	world_free(w);
}

/* ---- order and force ---- */

static const char chain[] = "steps:\n"
			    "  a: {command: [put, \"${{ output }}\", a], outputs: a.out}\n"
			    "  b: {command: [split, parts, x, y], inputs: a.out, outputs: parts/}\n"
			    "  c: {foreach: parts/*, command: [cat, \"${{ output }}\", \"${{ input }}\"],\n"
			    "      inputs: \"${{ item }}\", outputs: \"c/${{ item.name }}\"}\n"
			    "  d: {command: [cat, \"${{ output }}\", \"${{ inputs }}\"], inputs: c/*, outputs: d.out}\n"
			    "  e: {command: [put, \"${{ output }}\", e], outputs: e.out}\n";

static void from_a_step_on(void **state)
{
	(void)state;
	struct world *w = world_new(chain);
	w->o.jobs = 1;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 6);
	w->o.from = "b"; /* through the expansion of c, though every content stays the same */
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 4);
	assert_int_equal(w->sum.counts.fresh, 2);
	assert_non_null(strstr(w->ends.data, "fresh a\n"));
	assert_non_null(strstr(w->ends.data, "fresh e\n"));
	w->o.from = "c[parts/x]";
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 2);
	assert_non_null(strstr(w->ends.data, "ran c[parts/x]\nran d\n"));
	w->o.from = "f";
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_non_null(strstr(w->err.text, "--from"));
	world_free(w);
}

static void forced_by_name(void **state)
{
	(void)state;
	static const char *const steps[] = {"a", "c[parts/y]"};
	static const char *const unknown[] = {"x"};
	struct world *w = world_new(chain);
	world_run(w);
	w->o.force_steps = steps;
	w->o.n_force_steps = 2;
	w->o.mode = JL_MODE_PLAN;
	world_run(w);
	assert_non_null(strstr(w->reasons.data, "a: forced\n"));
	w->o.mode = JL_MODE_RUN;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 2);
	assert_int_equal(w->sum.counts.fresh, 4);
	w->o.force_steps = unknown;
	w->o.n_force_steps = 1;
	assert_int_equal(world_try(w), JL_EINVAL);
	world_free(w);
}

/* The store has a success of the same key: that somebody forced it and it failed counts for more, until another key is asked. */
static void a_forced_failure_is_tried_again(void **state)
{
	(void)state;
	struct world *w = world_new("steps: {a: {command: [cat, \"${{ output }}\", in], inputs: in, outputs: a.out}}\n");
	world_write(w, "in", "1");
	world_run(w);
	w->o.force = true;
	fake_exec_on(world_next(w), "a", &(struct fake_run){.exit_code = 1});
	world_run(w);
	world_expect(w, "failed a\n");
	w->o.force = false;
	world_run(w);
	world_expect(w, "ran a\n");
	assert_string_equal(w->reasons.data, "a: failed before: exit 1\n");
	/* A failure of other inputs does not stand in the way of what is stored. */
	world_write(w, "in", "2");
	fake_exec_on(world_next(w), "a", &(struct fake_run){.exit_code = 1});
	world_run(w);
	world_write(w, "in", "1");
	world_run(w);
	world_expect(w, "restored a\n");
	world_free(w);
}

static void shuffled_by_a_seed(void **state)
{
	(void)state;
	static const char *const seeds[] = {"1", "1", "2"};
	char *logs[3];
	for (int i = 0; i < 3; i++) {
		struct world *w = world_new("steps:\n"
					    "  a: {foreach: {from: 1, to: 9}, command: [x]}\n"
					    "  z: {command: [x], after: a}\n");
		w->o.jobs = 1;
		w->o.shuffle = seeds[i];
		world_run(w);
		logs[i] = jl_strdup(w->x->log.data);
		assert_non_null(strstr(logs[i], "start z\nend z\n"));
		assert_string_equal(strstr(logs[i], "start z\n"), "start z\nend z\n"); /* last */
		world_free(w);
	}
	assert_string_equal(logs[0], logs[1]);
	assert_string_not_equal(logs[0], logs[2]);
	for (int i = 0; i < 3; i++)
		free(logs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retried_until_it_works),
		cmocka_unit_test(the_last_failure_counts),
		cmocka_unit_test(a_missing_output_is_tried_again),
		cmocka_unit_test(the_delay_is_waited_and_others_run),
		cmocka_unit_test(an_ended_run_does_not_wait),
		cmocka_unit_test(the_option_is_for_steps_that_do_not_say),
		cmocka_unit_test(streams_are_inputs_and_outputs),
		cmocka_unit_test(streams_that_are_wrong),
		cmocka_unit_test(a_tool_is_of_the_key),
		cmocka_unit_test(the_end_is_reckoned_from_durations),
		cmocka_unit_test(processors_are_counted),
		cmocka_unit_test(pools_are_shared_and_others_pass),
		cmocka_unit_test(a_large_need_does_not_starve),
		cmocka_unit_test(more_than_there_is_runs_alone),
		cmocka_unit_test(a_busy_machine_gets_one_at_a_time),
		cmocka_unit_test(needs_that_are_wrong),
		cmocka_unit_test(valid_if_makes_a_result_void),
		cmocka_unit_test(an_interactive_step_runs_alone),
		cmocka_unit_test(a_secret_is_of_the_key_and_masked),
		cmocka_unit_test(from_a_step_on),
		cmocka_unit_test(forced_by_name),
		cmocka_unit_test(a_forced_failure_is_tried_again),
		cmocka_unit_test(shuffled_by_a_seed),
		cmocka_unit_test(a_result_older_than_its_ttl_counts_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
