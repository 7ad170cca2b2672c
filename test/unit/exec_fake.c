/* The fake executor keeps to the contract, and its own promises: order, clock, scripts. */
#include "exec_conform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct jl_exec *make(struct jl_clock *ret_clock)
{
	return &fake_exec_new(ret_clock)->exec;
}

static void start(struct fake_exec *f, uint64_t id, const char *label)
{
	struct jl_job job = sh_job(id, SH("true"));
	job.label = label;
	assert_int_equal(f->exec.ops->start(&f->exec, &job, NULL, NULL), JL_OK);
}

static void fail_second(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	int *calls = ctx;
	assert_string_equal(job->argv[2], "true");
	if (++*calls == 2)
		run->exit_code = 9;
}

static void test_order_and_clock(void **state)
{
	(void)state;
	static struct seen seen;
	struct jl_clock clock;
	struct fake_exec *f = fake_exec_new(&clock);
	seen_init(&seen, &f->exec);
	int64_t begin = clock.now_ns(&clock);
	fake_exec_on(f, "long", &(struct fake_run){.duration_ns = 3600 * JL_NS_S});
	fake_exec_on(f, "short", &(struct fake_run){.duration_ns = JL_NS_S});
	start(f, 1, "long");
	start(f, 2, "short");
	assert_int_equal(f->exec.ops->poll(&f->exec, begin + 10, NULL), JL_OK);
	assert_true(clock.now_ns(&clock) == begin + 10);
	assert_int_equal(seen.done, 0);
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[2].order, 1);
	assert_true(clock.now_ns(&clock) == begin + JL_NS_S);
	seen_wait(&seen, 2);
	assert_true(clock.now_ns(&clock) == begin + 3600 * JL_NS_S);
	assert_string_equal(f->log.data, "start long\nstart short\nend short\nend long\n");
	assert_int_equal(f->max_running, 2);
	assert_int_equal(f->exec.ops->poll(&f->exec, JL_FOREVER, NULL), JL_EIO);
	seen_release(&seen);
	f->exec.ops->free(&f->exec);
}

static void test_attempts(void **state)
{
	(void)state;
	static struct seen seen;
	struct jl_clock clock;
	struct fake_exec *f = fake_exec_new(&clock);
	seen_init(&seen, &f->exec);
	int calls = 0;
	fake_exec_on(f, "x", &(struct fake_run){.exit_code = 1});
	fake_exec_on(f, "x", &(struct fake_run){.effect = fail_second, .ctx = &calls});
	for (uint64_t id = 1; id <= 4; id++) {
		start(f, id, "x");
		seen_wait(&seen, (unsigned)id);
	}
	const int codes[] = {1, 0, 9, 0};
	for (int i = 0; i < 4; i++)
		assert_int_equal(seen.jobs[i + 1].result.exit_code, codes[i]);
	assert_int_equal(fake_exec_starts(f, "x"), 4);
	assert_int_equal(fake_exec_starts(f, "never"), 0);
	f->busy = 1;
	struct jl_job job = sh_job(5, SH("true"));
	assert_int_equal(f->exec.ops->start(&f->exec, &job, NULL, NULL), JL_EBUSY);
	assert_int_equal(f->exec.ops->start(&f->exec, &job, NULL, NULL), JL_OK);
	seen_release(&seen);
	f->exec.ops->free(&f->exec);
}

int main(void)
{
	const struct exec_kind kind = {.name = "fake executor", .make = make, .scripted = true};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_clock),
		cmocka_unit_test(test_attempts),
	};
	int failed = exec_conform(&kind);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
