/* The suite over every executor. */
#include "exec_conform.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct exec_kind *the_kind; /* cmocka's tests take no argument of ours */

struct fixture {
	struct jl_exec *exec;
	struct jl_clock clock;
	struct seen seen;
	uint64_t last_id;
};

static void on_output(void *ctx, uint64_t job, int stream, const void *data, size_t len)
{
	struct seen *s = ctx;
	assert_true(job < SEEN_JOBS);
	assert_true(stream == 1 || stream == 2);
	assert_true(len > 0);
	assert_int_equal(s->jobs[job].done, 0);
	s->bytes += len;
	if (!s->quiet)
		jl_buf_add(stream == 1 ? &s->jobs[job].out : &s->jobs[job].err, data, len);
	if (s->on_output)
		s->on_output(s, job);
}

static void on_done(void *ctx, uint64_t job, const struct jl_job_result *r)
{
	struct seen *s = ctx;
	assert_true(job < SEEN_JOBS);
	struct seen_job *j = &s->jobs[job];
	j->result = *r;
	snprintf(j->why, sizeof(j->why), "%s", r->why ? r->why : "");
	j->result.why = NULL;
	j->done++;
	j->order = ++s->done;
	assert_int_equal(j->done, 1);
	if (s->on_done)
		s->on_done(s, job);
}

void seen_init(struct seen *s, struct jl_exec *x)
{
	memset(s, 0, sizeof(*s));
	s->exec = x;
	for (int i = 0; i < SEEN_JOBS; i++) {
		jl_buf_init(&s->jobs[i].out, JL_BUF_MAX);
		jl_buf_init(&s->jobs[i].err, JL_BUF_MAX);
	}
	x->events = (struct jl_exec_events){.output = on_output, .done = on_done, .ctx = s};
}

void seen_release(struct seen *s)
{
	for (int i = 0; i < SEEN_JOBS; i++) {
		jl_buf_release(&s->jobs[i].out);
		jl_buf_release(&s->jobs[i].err);
	}
}

void seen_wait(struct seen *s, unsigned count)
{
	struct jl_err err = JL_ERR_INIT;
	while (s->done < count)
		if (s->exec->ops->poll(s->exec, JL_FOREVER, &err) < 0)
			fail_msg("poll: %s", err.text);
}

struct jl_job sh_job(uint64_t id, const char *const *argv)
{
	static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
	return (struct jl_job){
		.id = id,
		.label = "job",
		.argv = argv,
		.envp = envp,
		.workdir = "/",
		.stdin_fd = -1,
		.kill_after_ns = 10 * JL_NS_S,
	};
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f)
		return -1;
	f->exec = the_kind->make(&f->clock);
	seen_init(&f->seen, f->exec);
	*state = f;
	return f->exec ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	f->exec->ops->free(f->exec);
	if (the_kind->unmake)
		the_kind->unmake(f->exec);
	seen_release(&f->seen);
	free(f);
	return 0;
}

/* Start a job that does `script`, or `run` where there are no processes. */
static uint64_t start(struct fixture *f, const char *script, const struct fake_run *run, int64_t timeout_ns)
{
	uint64_t id = ++f->last_id;
	char label[32];
	snprintf(label, sizeof(label), "job-%d", (int)id);
	struct jl_job job = sh_job(id, SH(script));
	job.label = label;
	job.timeout_ns = timeout_ns;
	if (the_kind->scripted)
		fake_exec_on((struct fake_exec *)f->exec, label, run);
	struct jl_err err = JL_ERR_INIT;
	int64_t pid = -1;
	unsigned done = f->seen.done;
	if (f->exec->ops->start(f->exec, &job, &pid, &err) < 0)
		fail_msg("start: %s", err.text);
	assert_true(pid >= 0);
	assert_int_equal(f->seen.done, done); /* nothing calls back from within start() */
	return id;
}

static const struct fake_run forever = {.duration_ns = JL_FOREVER};

static void test_exit_codes(void **state)
{
	struct fixture *f = *state;
	uint64_t ok = start(f, "exit 0", &(struct fake_run){0}, 0);
	uint64_t three = start(f, "exit 3", &(struct fake_run){.exit_code = 3}, 0);
	uint64_t last = start(f, "exit 255", &(struct fake_run){.exit_code = 255}, 0);
	seen_wait(&f->seen, 3);
	const int codes[] = {0, 3, 255};
	for (uint64_t id = ok; id <= last; id++) {
		const struct jl_job_result *r = &f->seen.jobs[id].result;
		assert_int_equal(r->end, JL_JOB_EXITED);
		assert_int_equal(r->exit_code, codes[id - ok]);
		assert_int_equal(r->signal, 0);
		assert_false(r->pipe_held);
		assert_true(r->wall_ns > 0);
		assert_string_equal(r->host, the_kind->host ? the_kind->host : "local");
	}
	assert_int_equal(three, ok + 1);
}

static void test_signal(void **state)
{
	struct fixture *f = *state;
	uint64_t id = start(f, "kill -SEGV $$", &(struct fake_run){.end = JL_JOB_SIGNALED, .signal = SIGSEGV}, 0);
	seen_wait(&f->seen, 1);
	assert_int_equal(f->seen.jobs[id].result.end, JL_JOB_SIGNALED);
	assert_int_equal(f->seen.jobs[id].result.signal, SIGSEGV);
}

static void test_output(void **state)
{
	struct fixture *f = *state;
	static const char bytes[] = "a\0b\xff\x80\n\r\x1b[0m\0";
	uint64_t id = start(f, "printf 'a\\000b\\377\\200\\n\\r\\033[0m\\000'; printf 'no newline' >&2; exit 1",
	                    &(struct fake_run){.out = bytes, .out_len = sizeof(bytes) - 1, .err = "no newline",
	                                       .exit_code = 1}, 0);
	uint64_t quiet = start(f, "true", &(struct fake_run){0}, 0);
	seen_wait(&f->seen, 2);
	const struct seen_job *j = &f->seen.jobs[id];
	assert_int_equal(j->out.len, sizeof(bytes) - 1);
	assert_memory_equal(j->out.data, bytes, sizeof(bytes) - 1);
	assert_int_equal(j->err.len, 10);
	assert_memory_equal(j->err.data, "no newline", 10);
	assert_int_equal(j->result.exit_code, 1);
	assert_int_equal(f->seen.jobs[quiet].out.len + f->seen.jobs[quiet].err.len, 0);
}

static void test_timeout(void **state)
{
	struct fixture *f = *state;
	uint64_t id = start(f, "exec sleep 1000", &forever, 20 * JL_NS_MS);
	uint64_t in_time = start(f, "exit 4", &(struct fake_run){.exit_code = 4}, 1000 * JL_NS_S);
	seen_wait(&f->seen, 2);
	assert_int_equal(f->seen.jobs[id].result.end, JL_JOB_TIMEOUT);
	assert_int_equal(f->seen.jobs[id].result.signal, SIGTERM);
	assert_true(f->seen.jobs[id].result.wall_ns >= 20 * JL_NS_MS);
	assert_int_equal(f->seen.jobs[in_time].result.end, JL_JOB_EXITED);
	assert_int_equal(f->seen.jobs[in_time].result.exit_code, 4);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	uint64_t term = start(f, "exec sleep 1000", &forever, 0);
	uint64_t kill_id = start(f, "exec sleep 1000", &forever, 0);
	uint64_t other = start(f, "exit 0", &(struct fake_run){0}, 0);
	f->exec->ops->cancel(f->exec, term, JL_CANCEL_TERM);
	f->exec->ops->cancel(f->exec, term, JL_CANCEL_TERM);
	f->exec->ops->cancel(f->exec, kill_id, JL_CANCEL_KILL);
	f->exec->ops->cancel(f->exec, 200, JL_CANCEL_KILL); /* no such job */
	assert_int_equal(f->seen.done, 0); /* nothing calls back from within cancel() */
	seen_wait(&f->seen, 3);
	assert_int_equal(f->seen.jobs[term].result.end, JL_JOB_CANCELLED);
	assert_int_equal(f->seen.jobs[kill_id].result.end, JL_JOB_CANCELLED);
	assert_int_equal(f->seen.jobs[other].result.end, JL_JOB_EXITED);
	f->exec->ops->cancel(f->exec, other, JL_CANCEL_TERM); /* has ended: no harm */
}

static void test_not_started(void **state)
{
	struct fixture *f = *state;
	static const char *const argv[] = {"jl-no-such-program", NULL};
	struct jl_job job = sh_job(1, argv);
	job.label = "absent";
	if (the_kind->scripted)
		fake_exec_on((struct fake_exec *)f->exec, "absent",
		             &(struct fake_run){.end = JL_JOB_NOT_STARTED, .exit_code = 127, .why = "no such program"});
	assert_int_equal(f->exec->ops->start(f->exec, &job, NULL, NULL), JL_OK);
	assert_int_equal(f->seen.done, 0);
	seen_wait(&f->seen, 1);
	assert_int_equal(f->seen.jobs[1].result.end, JL_JOB_NOT_STARTED);
	assert_int_equal(f->seen.jobs[1].result.exit_code, 127);
	assert_non_null(strstr(f->seen.jobs[1].why, "no such program"));
}

static void start_next(struct seen *s, uint64_t id)
{
	struct fixture *f = (struct fixture *)((char *)s - offsetof(struct fixture, seen));
	if (id < 20)
		start(f, "echo more", &(struct fake_run){.out = "more\n"}, 0);
}

static void test_start_from_done(void **state)
{
	struct fixture *f = *state;
	f->seen.on_done = start_next;
	start(f, "echo more", &(struct fake_run){.out = "more\n"}, 0);
	seen_wait(&f->seen, 20);
	for (int i = 1; i <= 20; i++)
		assert_string_equal(f->seen.jobs[i].out.data, "more\n");
}

static void cancel_own(struct seen *s, uint64_t id)
{
	s->exec->ops->cancel(s->exec, id, JL_CANCEL_KILL);
}

/* The engine may cancel a job from within that job's own output. */
static void test_cancel_from_output(void **state)
{
	struct fixture *f = *state;
	f->seen.on_output = cancel_own;
	uint64_t id = start(f, "echo one; exec sleep 1000", &(struct fake_run){.out = "one\n"}, 0);
	seen_wait(&f->seen, 1);
	assert_string_equal(f->seen.jobs[id].out.data, "one\n");
	if (!the_kind->scripted)
		assert_int_equal(f->seen.jobs[id].result.end, JL_JOB_CANCELLED);
}

static void test_many(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 60; i++)
		start(f, "echo x", &(struct fake_run){.out = "x\n"}, 0);
	seen_wait(&f->seen, 60);
	for (int i = 1; i <= 60; i++) {
		assert_int_equal(f->seen.jobs[i].result.end, JL_JOB_EXITED);
		assert_string_equal(f->seen.jobs[i].out.data, "x\n");
	}
}

static void test_poll_until(void **state)
{
	struct fixture *f = *state;
	int64_t until = f->clock.now_ns(&f->clock) + 3 * JL_NS_MS;
	while (f->clock.now_ns(&f->clock) < until)
		assert_int_equal(f->exec->ops->poll(f->exec, until, NULL), JL_OK);
	assert_int_equal(f->exec->ops->poll(f->exec, 0, NULL), JL_OK);
	assert_int_equal(f->seen.done, 0);
}

/* The front door may leave in the middle. */
static void test_free_while_running(void **state)
{
	struct fixture *f = *state;
	start(f, "exec sleep 1000", &forever, 0);
	start(f, "sleep 1000 & wait", &forever, 0);
}

int exec_conform(const struct exec_kind *kind)
{
	the_kind = kind;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exit_codes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_started, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_start_from_done, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel_from_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_poll_until, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_while_running, set_up, tear_down),
	};
	return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}
