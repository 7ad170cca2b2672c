/* The parallel loop and the queue of tasks. */
#include "base/pool.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void mark(void *ctx, size_t from, size_t to)
{
	atomic_uchar *seen = ctx;

	for (size_t i = from; i < to; i++)
		seen[i]++;
}

static void each_does_everything_once(void **state)
{
	static atomic_uchar seen[5000];

	(void)state;
	for (unsigned threads = 0; threads < 9; threads++) {
		for (size_t count = 0; count <= 5000; count = count * 3 + 1) {
			memset(seen, 0, sizeof(seen));
			jl_pool_each(threads, count, mark, seen);
			for (size_t i = 0; i < 5000; i++)
				assert_int_equal(seen[i], i < count);
		}
	}
}

struct meeting {
	pthread_barrier_t barrier;
};

static void meet(void *ctx, size_t from, size_t to)
{
	struct meeting *m = ctx;

	(void)from;
	(void)to;
	pthread_barrier_wait(&m->barrier);
}

/* Hangs unless two ranges run at the same time. */
static void each_runs_side_by_side(void **state)
{
	struct meeting m;

	(void)state;
	pthread_barrier_init(&m.barrier, NULL, 2);
	jl_pool_each(2, 2, meet, &m);
	pthread_barrier_destroy(&m.barrier);
}

struct job {
	struct jl_task task; /* first */
	atomic_int worked;
	int done;
	pthread_t thread;
	struct jl_pool *again; /* add it once more from done() */
	pthread_barrier_t *barrier;
};

static void work(struct jl_task *t)
{
	struct job *j = (struct job *)t;

	j->worked++;
	j->thread = pthread_self();
	if (j->barrier)
		pthread_barrier_wait(j->barrier);
}

static void done(struct jl_task *t)
{
	struct job *j = (struct job *)t;
	struct jl_pool *again = j->again;

	j->done++;
	j->again = NULL;
	if (again)
		jl_pool_add(again, t);
}

static void await(const struct jl_pool *p)
{
	struct pollfd fd = {.fd = jl_pool_event_fd(p), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 60000), 1);
}

static bool is_ready(const struct jl_pool *p)
{
	struct pollfd fd = {.fd = jl_pool_event_fd(p), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void pool_runs_tasks(void **state)
{
	static struct job jobs[500];
	struct jl_pool *p = NULL;
	unsigned count = 0;

	(void)state;
	assert_int_equal(jl_pool_new(3, &p, NULL), JL_OK);
	assert_false(is_ready(p));
	assert_int_equal(jl_pool_drain(p), 0);
	for (int i = 0; i < 500; i++) {
		jobs[i].task.work = work;
		jobs[i].task.done = done;
		jobs[i].again = i % 5 ? NULL : p;
		jl_pool_add(p, &jobs[i].task);
	}
	while (count < 600) {
		await(p);
		count += jl_pool_drain(p);
	}
	assert_int_equal(count, 600);
	assert_false(is_ready(p));
	for (int i = 0; i < 500; i++) {
		assert_int_equal(jobs[i].worked, i % 5 ? 1 : 2);
		assert_int_equal(jobs[i].done, i % 5 ? 1 : 2);
		assert_false(pthread_equal(jobs[i].thread, pthread_self()));
	}
	jl_pool_free(p);
}

/* Hangs unless three tasks run at once. */
static void pool_uses_its_threads(void **state)
{
	struct job jobs[3] = {0};
	pthread_barrier_t barrier;
	struct jl_pool *p = NULL;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 3);
	assert_int_equal(jl_pool_new(3, &p, NULL), JL_OK);
	for (int i = 0; i < 3; i++) {
		jobs[i] = (struct job){.task = {.work = work, .done = done}, .barrier = &barrier};
		jl_pool_add(p, &jobs[i].task);
	}
	jl_pool_free(p);
	for (int i = 0; i < 3; i++)
		assert_int_equal(jobs[i].done, 1);
	pthread_barrier_destroy(&barrier);
}

static void free_runs_the_queue(void **state)
{
	struct job jobs[100] = {0};
	struct jl_pool *p = NULL;

	(void)state;
	assert_int_equal(jl_pool_new(1, &p, NULL), JL_OK);
	for (int i = 0; i < 100; i++) {
		jobs[i].task.work = work;
		jobs[i].task.done = done;
		jobs[i].again = i == 7 ? p : NULL;
		jl_pool_add(p, &jobs[i].task);
	}
	jl_pool_free(p);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(jobs[i].worked, i == 7 ? 2 : 1);
		assert_int_equal(jobs[i].done, i == 7 ? 2 : 1);
	}
	jl_pool_free(NULL);
}

static void look_at_signals(struct jl_task *t)
{
	struct job *j = (struct job *)t;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	j->worked = sigismember(&set, SIGINT) && sigismember(&set, SIGCHLD);
}

static void threads_take_no_signals(void **state)
{
	struct job j = {.task = {.work = look_at_signals, .done = done}};
	struct jl_pool *p = NULL;

	(void)state;
	assert_int_equal(jl_pool_new(1, &p, NULL), JL_OK);
	jl_pool_add(p, &j.task);
	jl_pool_free(p);
	assert_int_equal(j.worked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_does_everything_once), cmocka_unit_test(each_runs_side_by_side),
		cmocka_unit_test(pool_runs_tasks),           cmocka_unit_test(pool_uses_its_threads),
		cmocka_unit_test(free_runs_the_queue),       cmocka_unit_test(threads_take_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
