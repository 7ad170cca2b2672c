/* Text and the display below it: what is written, in how many writes, and when. Each write is one packet of a socket. */
#include "base/clock.h"
#include "report/plain.h"
#include "report/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CLEAR "\r\033[J"
#define MS    JL_NS_MS

struct fixture {
	struct jl_screen screen;
	struct jl_counts counts;
	int fds[2]; /* read, written */
};

static void open_screen(struct fixture *f, int out_fd, bool out_tty)
{
	jl_screen_init(&f->screen, &(struct jl_screen_opts){
		.out_fd = out_fd, .err_fd = f->fds[1], .out_tty = out_tty, .err_tty = true, .bar = true});
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->fds) < 0)
		return 1;
	open_screen(f, f->fds[1], true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	jl_screen_release(&f->screen);
	close(f->fds[0]);
	close(f->fds[1]);
	free(f);
	return 0;
}

/* One write of that content; "": none. */
static void assert_write(struct fixture *f, const char *want)
{
	char got[8192];
	ssize_t n = recv(f->fds[0], got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, want);
}

static unsigned count_writes(struct fixture *f)
{
	char got[8192];
	unsigned n = 0;

	while (recv(f->fds[0], got, sizeof(got), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void tell(struct fixture *f, enum jl_event_type type, const char *step, int64_t t_ns)
{
	struct jl_event e = {.type = type, .counts = &f->counts, .step = step, .t_ns = t_ns, .total = f->counts.total};

	jl_screen_event(&f->screen, &e);
}

static void a_display_comes_stays_below_and_goes(void **state)
{
	struct fixture *f = *state;

	f->counts = (struct jl_counts){.total = 2, .running = 2};
	tell(f, JL_EVENT_RUN_STARTED, NULL, 0);
	tell(f, JL_EVENT_STEP_STARTED, "a", 10 * MS);
	tell(f, JL_EVENT_STEP_STARTED, "b", 20 * MS);
	tell(f, JL_EVENT_PROGRESS, NULL, 30 * MS);
	assert_write(f, ""); /* a short run shows none */
	assert_int_equal(f->screen.wake_ns, 100 * MS);
	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS);
	assert_write(f, "[                              ] 0/2, 2 running, 0s\r\n    0s a\r\n    0s b\r\033[2A");
	assert_int_equal(f->screen.wake_ns, 1000 * MS);
	/* Nothing but time below a second: no write. */
	tell(f, JL_EVENT_PROGRESS, NULL, 900 * MS);
	assert_write(f, "");
	tell(f, JL_EVENT_PROGRESS, NULL, 1000 * MS);
	assert_write(f, CLEAR "[                              ] 0/2, 2 running, 1s\r\n    1s a\r\n    1s b\r\033[2A");
	/* Output and the display under it: one write. Both streams are the one terminal. */
	jl_screen_text(&f->screen, 1, false, "out\n", 4);
	jl_screen_text(&f->screen, 2, false, "err\n", 4);
	jl_screen_flush(&f->screen);
	assert_write(f, "");
	f->counts.running--;
	f->counts.ran++;
	tell(f, JL_EVENT_STEP_FINISHED, "a", 1200 * MS);
	assert_write(f, CLEAR "out\nerr\n[===============>              ] 1/2, 1 running, 1s\r\n    1s b\r\033[1A");
	tell(f, JL_EVENT_RUN_FINISHED, NULL, 1201 * MS);
	assert_write(f, CLEAR);
	tell(f, JL_EVENT_PROGRESS, NULL, 3000 * MS);
	assert_write(f, "");
}

static void it_is_drawn_ten_times_a_second_at_most(void **state)
{
	struct fixture *f = *state;
	char step[16];
	unsigned writes = 0;

	f->counts.total = 100000;
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(step, sizeof(step), "s%u", i);
		f->counts.running = 1;
		tell(f, JL_EVENT_STEP_STARTED, step, i * MS);
		jl_screen_text(&f->screen, 1, false, "x\n", 2);
		jl_screen_flush(&f->screen);
		f->counts.running = 0;
		f->counts.ran++;
		tell(f, JL_EVENT_STEP_FINISHED, step, i * MS);
		writes += count_writes(f);
	}
	assert_int_equal(writes, 99); /* 10 s, the first 100 ms without */
}

static void a_failure_does_not_wait(void **state)
{
	struct fixture *f = *state;

	f->counts.total = 3;
	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS);
	assert_int_equal(count_writes(f), 1);
	jl_out_printf(jl_screen_line(&f->screen, 2), "failed\n");
	jl_screen_flush_now(&f->screen);
	assert_write(f, CLEAR "failed\n");
	tell(f, JL_EVENT_STEP_FINISHED, "a", 110 * MS);
	assert_write(f, "");
	assert_int_equal(f->screen.wake_ns, 200 * MS);
	tell(f, JL_EVENT_PROGRESS, NULL, 200 * MS);
	assert_write(f, "[                              ] 0/3, 0s\r");
}

static void half_a_line_is_ended_before_the_display(void **state)
{
	struct fixture *f = *state;

	f->counts.total = 3;
	jl_screen_text(&f->screen, 1, false, "half", 4);
	tell(f, JL_EVENT_STEP_OUTPUT, "a", 150 * MS);
	assert_write(f, ""); /* the rest of it may come with the next event */
	tell(f, JL_EVENT_STEP_FINISHED, "a", 160 * MS);
	assert_write(f, "half\n0 done, 0s\r");
}

static void above_a_display_text_obeys_nothing_but_colours(void **state)
{
	struct fixture *f = *state;
	static const char *const pieces[] = {"a\x1b[2J\x1b]0;t\a\n", "\xe6\x97", "\xa5 \x1b[3", "1mred\r", "\n",
	                                     "\x1b", "[1mx\n", "\xe6\n"};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
		jl_screen_text(&f->screen, 1 + (int)(i == 0), false, pieces[i], strlen(pieces[i]));
	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS);
	assert_write(f, "a\\x1b[2J\\x1b]0;t\\x07\n日 \x1b[31mred\x1b[0m\n\x1b[1mx\n\x1b[0m\\xe6\n0 done, 0s\r");
}

static void a_stop_takes_it_away_and_going_on_brings_it_back(void **state)
{
	struct fixture *f = *state;

	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS);
	assert_write(f, "0 done, 0s\r");
	tell(f, JL_EVENT_PAUSED, NULL, 110 * MS);
	assert_write(f, CLEAR);
	tell(f, JL_EVENT_SCREEN, NULL, 300 * MS);
	assert_write(f, "0 done, 0s\r");
	/* Another size: drawn anew though it is the same. */
	tell(f, JL_EVENT_SCREEN, NULL, 400 * MS);
	assert_write(f, CLEAR "0 done, 0s\r");
}

static void a_step_that_has_the_terminal_has_it_for_itself(void **state)
{
	struct fixture *f = *state;
	struct jl_event e = {
		.type = JL_EVENT_STEP_STARTED, .counts = &f->counts, .step = "edit", .terminal = true, .t_ns = 200 * MS};

	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS);
	assert_write(f, "0 done, 0s\r");
	jl_screen_event(&f->screen, &e);
	assert_write(f, CLEAR);
	tell(f, JL_EVENT_STEP_FINISHED, "other", 2000 * MS);
	tell(f, JL_EVENT_PROGRESS, NULL, 3000 * MS);
	assert_write(f, "");
	tell(f, JL_EVENT_STEP_FINISHED, "edit", 4000 * MS);
	assert_write(f, "0 done, 4s\r");
}

static void a_full_terminal_does_not_stop_the_run(void **state)
{
	struct fixture *f = *state;
	char fill[4096] = {0};

	while (send(f->fds[1], fill, sizeof(fill), MSG_DONTWAIT) > 0)
		;
	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS); /* it would wait forever */
	assert_int_equal(f->screen.wake_ns, 200 * MS);
	count_writes(f);
	tell(f, JL_EVENT_PROGRESS, NULL, 200 * MS);
	assert_write(f, "0 done, 0s\r");
}

static void redirected_output_does_not_wait_and_erases_nothing(void **state)
{
	struct fixture *f = *state;
	int fds[2];
	char got[64];

	jl_screen_release(&f->screen);
	assert_int_equal(pipe(fds), 0);
	open_screen(f, fds[1], false);
	tell(f, JL_EVENT_PROGRESS, NULL, 100 * MS);
	assert_write(f, "0 done, 0s\r");
	jl_screen_text(&f->screen, 1, false, "bytes\x1b[2J", 9);
	jl_screen_flush(&f->screen);
	assert_int_equal(read(fds[0], got, sizeof(got)), 9);
	assert_memory_equal(got, "bytes\x1b[2J", 9);
	assert_write(f, "");
	close(fds[0]);
	close(fds[1]);
}

static void a_failure_is_shown_above_with_what_repeats_it(void **state)
{
	struct fixture *f = *state;
	struct jl_event e = {.type = JL_EVENT_PROGRESS, .counts = &f->counts, .total = 3, .t_ns = 100 * MS};
	struct jl_plain p;

	f->counts = (struct jl_counts){.total = 3, .running = 2};
	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = f->fds[1], .err_fd = f->fds[1], .out_tty = true, .err_tty = true,
						  .bar = true, .again = "jl run"});
	p.sink.event(&p.sink, &e);
	assert_write(f, "[                              ] 0/3, 2 running, 0s\r");
	e = (struct jl_event){.type = JL_EVENT_STEP_OUTPUT, .counts = &f->counts, .step = "a", .stream = 1, .data = "oops",
	                      .len = 4, .t_ns = 110 * MS};
	p.sink.event(&p.sink, &e);
	f->counts = (struct jl_counts){.total = 3, .running = 1, .failed = 1};
	e = (struct jl_event){.type = JL_EVENT_STEP_FINISHED, .counts = &f->counts, .step = "a", .status = JL_STEP_FAILED,
	                      .exit_code = 3, .command = "false", .t_ns = 120 * MS, .wall_ns = 20 * MS};
	p.sink.event(&p.sink, &e);
	assert_write(f, CLEAR "oops\njl: a failed: exit 3 (20ms)\n  command: false\n  again: jl run a\n");
	assert_int_equal(p.sink.wake_ns, 200 * MS);
	e = (struct jl_event){.type = JL_EVENT_PROGRESS, .counts = &f->counts, .total = 3, .t_ns = 200 * MS};
	p.sink.event(&p.sink, &e);
	assert_write(f, "[==========>                   ] 1/3, 1 running, 1 failed, 0s\r");
	jl_plain_release(&p);
	assert_write(f, CLEAR);
}

static void no_terminal_no_display(void **state)
{
	struct fixture *f = *state;

	jl_screen_release(&f->screen);
	jl_screen_init(&f->screen, &(struct jl_screen_opts){.out_fd = f->fds[1], .err_fd = f->fds[1], .bar = true});
	tell(f, JL_EVENT_PROGRESS, NULL, 5000 * MS);
	assert_write(f, "");
	assert_int_equal(f->screen.wake_ns, 0);
	jl_screen_text(&f->screen, 2, true, "x\x1b[2J", 5);
	jl_screen_flush(&f->screen);
	assert_write(f, "x\x1b[2J");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_display_comes_stays_below_and_goes),
		TEST(it_is_drawn_ten_times_a_second_at_most),
		TEST(a_failure_does_not_wait),
		TEST(half_a_line_is_ended_before_the_display),
		TEST(above_a_display_text_obeys_nothing_but_colours),
		TEST(a_stop_takes_it_away_and_going_on_brings_it_back),
		TEST(a_step_that_has_the_terminal_has_it_for_itself),
		TEST(a_full_terminal_does_not_stop_the_run),
		TEST(redirected_output_does_not_wait_and_erases_nothing),
		TEST(a_failure_is_shown_above_with_what_repeats_it),
		TEST(no_terminal_no_display),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
