/* The event loop: order and safety of callbacks, timers, signals. */
#include "proc/loop.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

struct thing {
	struct jl_watch watch; /* first */
	struct jl_timer timer;
	struct jl_loop *loop;
	struct thing *victim; /* removed and freed when this one is ready */
	int fd;
	int ready, fired;
	int *order, *count;
	int name;
};

static struct jl_loop *new_loop(void)
{
	struct jl_loop *l = NULL;
	assert_int_equal(jl_loop_new(&l, NULL), JL_OK);
	return l;
}

static void on_ready(struct jl_watch *w, uint32_t epoll_events)
{
	(void)epoll_events;
	struct thing *t = (struct thing *)w;
	uint64_t value;
	t->ready++;
	assert_int_equal(read(t->fd, &value, sizeof(value)), sizeof(value));
	if (t->victim) {
		jl_loop_remove(t->loop, &t->victim->watch);
		close(t->victim->fd);
		free(t->victim);
		t->victim = NULL;
	}
}

static void on_fired(struct jl_timer *timer)
{
	struct thing *t = (struct thing *)((char *)timer - offsetof(struct thing, timer));
	t->fired++;
	if (t->order)
		t->order[(*t->count)++] = t->name;
}

static void on_fired_again(struct jl_timer *timer)
{
	struct thing *t = (struct thing *)((char *)timer - offsetof(struct thing, timer));
	t->fired++;
	jl_loop_arm(t->loop, timer, 0);
}

static struct thing *new_thing(struct jl_loop *l)
{
	struct thing *t = calloc(1, sizeof(*t));
	assert_non_null(t);
	t->loop = l;
	t->watch.ready = on_ready;
	t->watch.fd = -1;
	t->timer.fired = on_fired;
	t->fd = eventfd(1, EFD_CLOEXEC);
	assert_true(t->fd >= 0);
	assert_int_equal(jl_loop_add(l, &t->watch, t->fd, EPOLLIN, NULL), JL_OK);
	return t;
}

static void free_thing(struct thing *t)
{
	jl_loop_remove(t->loop, &t->watch);
	jl_loop_disarm(t->loop, &t->timer);
	close(t->fd);
	free(t);
}

static void test_ready(void **state)
{
	(void)state;
	struct jl_loop *l = new_loop();
	struct thing *t = new_thing(l);
	assert_int_equal(jl_loop_once(l, JL_FOREVER, NULL), 1);
	assert_int_equal(t->ready, 1);
	assert_int_equal(jl_loop_once(l, 0, NULL), 0);
	jl_loop_remove(l, &t->watch);
	jl_loop_remove(l, &t->watch);
	assert_int_equal(t->watch.fd, -1);
	free_thing(t);
	jl_loop_free(l);
}

/* Both are ready in one turn; whichever comes first frees the other, which must then not be called. */
static void test_remove_in_batch(void **state)
{
	(void)state;
	struct jl_loop *l = new_loop();
	struct thing *a = new_thing(l), *b = new_thing(l);
	a->victim = b;
	assert_int_equal(jl_loop_once(l, 0, NULL), 1);
	assert_int_equal(a->ready, 1);
	assert_null(a->victim);
	free_thing(a);
	jl_loop_free(l);
}

static void test_add_bad_fd(void **state)
{
	(void)state;
	struct jl_loop *l = new_loop();
	struct jl_watch w = {.ready = on_ready, .fd = -1};
	struct jl_err err = JL_ERR_INIT;
	assert_int_equal(jl_loop_add(l, &w, 12345, EPOLLIN, &err), JL_EIO);
	assert_int_equal(w.fd, -1);
	assert_true(err.text[0] != '\0');
	jl_loop_free(l);
}

static void test_timer_order(void **state)
{
	(void)state;
	enum { COUNT = 200 };
	struct jl_loop *l = new_loop();
	static struct thing things[COUNT];
	int order[COUNT], count = 0;
	for (int i = 0; i < COUNT; i++) {
		int at = (i * 77) % COUNT;
		things[i] = (struct thing){.loop = l, .order = order, .count = &count, .name = at, .timer.fired = on_fired};
		jl_loop_arm(l, &things[i].timer, 1 + at);
	}
	/* Every third is taken out again, every fourth moved to a later time. */
	int expected = 0;
	for (int i = 0; i < COUNT; i++) {
		if (i % 3 == 0)
			jl_loop_disarm(l, &things[i].timer);
		else
			expected++;
		if (i % 3 && i % 4 == 0) {
			things[i].name += COUNT;
			jl_loop_arm(l, &things[i].timer, 1 + things[i].name);
		}
	}
	assert_int_equal(jl_loop_once(l, 0, NULL), expected);
	assert_int_equal(count, expected);
	for (int i = 1; i < count; i++)
		assert_true(order[i - 1] < order[i]);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(things[i].timer.heap_pos, 0);
		assert_int_equal(things[i].fired, i % 3 ? 1 : 0);
	}
	jl_loop_free(l);
}

/* Any mix of arming, moving and disarming keeps the order. */
static void test_timer_mix(void **state)
{
	(void)state;
	enum { COUNT = 300 };
	struct jl_loop *l = new_loop();
	static struct thing things[COUNT];
	int order[COUNT], count = 0, expected = 0;
	uint32_t random = 1;
	for (int i = 0; i < COUNT; i++)
		things[i] = (struct thing){.loop = l, .order = order, .count = &count, .timer.fired = on_fired};
	for (int i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		struct thing *t = &things[(random >> 8) % COUNT];
		if (random >> 30 == 0) {
			jl_loop_disarm(l, &t->timer);
			continue;
		}
		random = random * 1664525 + 1013904223;
		t->name = (int)(random >> 12);
		jl_loop_arm(l, &t->timer, 1 + t->name);
	}
	for (int i = 0; i < COUNT; i++)
		expected += things[i].timer.heap_pos != 0;
	assert_int_equal(jl_loop_once(l, 0, NULL), expected);
	for (int i = 1; i < count; i++)
		assert_true(order[i - 1] <= order[i]);
	jl_loop_free(l);
}

static void test_timer_waits(void **state)
{
	(void)state;
	struct jl_loop *l = new_loop();
	struct thing t = {.loop = l, .timer.fired = on_fired};
	int64_t at = jl_clock_system.now_ns(&jl_clock_system) + 3 * JL_NS_MS;
	jl_loop_arm(l, &t.timer, at);
	assert_int_equal(jl_loop_once(l, JL_FOREVER, NULL), 1);
	assert_true(jl_clock_system.now_ns(&jl_clock_system) >= at);
	/* `until` comes before the timer. */
	jl_loop_arm(l, &t.timer, JL_FOREVER - 1);
	at = jl_clock_system.now_ns(&jl_clock_system) + 2 * JL_NS_MS;
	assert_int_equal(jl_loop_once(l, at, NULL), 0);
	assert_true(jl_clock_system.now_ns(&jl_clock_system) >= at);
	assert_int_equal(t.fired, 1);
	jl_loop_disarm(l, &t.timer);
	jl_loop_free(l);
}

/* A timer that is always due lets the turn end and descriptors be served. */
static void test_timer_rearms(void **state)
{
	(void)state;
	struct jl_loop *l = new_loop();
	struct thing *t = new_thing(l);
	t->timer.fired = on_fired_again;
	jl_loop_arm(l, &t->timer, 0);
	assert_int_equal(jl_loop_once(l, JL_FOREVER, NULL), 2);
	assert_int_equal(t->ready, 1);
	assert_int_equal(t->fired, 1);
	assert_int_equal(jl_loop_once(l, JL_FOREVER, NULL), 1);
	assert_int_equal(t->fired, 2);
	free_thing(t);
	jl_loop_free(l);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	int *seen = ctx;
	seen[si->ssi_signo]++;
}

static void test_signals(void **state)
{
	(void)state;
	struct jl_loop *l = new_loop();
	sigset_t set, before, after;
	int seen[65] = {0};
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(jl_loop_signals(l, &set, on_signal, seen, NULL), JL_OK);
	assert_false(sigismember(jl_loop_child_mask(l), SIGUSR1));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGTERM);
	assert_int_equal(jl_loop_once(l, JL_FOREVER, NULL), 1);
	assert_int_equal(seen[SIGUSR1], 1);
	assert_int_equal(seen[SIGTERM], 1);
	jl_loop_free(l);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_remove_in_batch),
		cmocka_unit_test(test_add_bad_fd),
		cmocka_unit_test(test_timer_order),
		cmocka_unit_test(test_timer_mix),
		cmocka_unit_test(test_timer_waits),
		cmocka_unit_test(test_timer_rearms),
		cmocka_unit_test(test_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
