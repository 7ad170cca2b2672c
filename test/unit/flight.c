/* One process at a time computes a key. */
#include "store/flight.h"

#include "fault_io.h"
#include "tmpdir.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct jl_digest key_of(uint8_t last)
{
	struct jl_digest d = {.algo = JL_DIGEST_XXH3};
	memset(d.b, 0xff, 8);
	d.b[0] = last;
	return d;
}

static void each_key_has_its_own(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_digest a = key_of(1), b = key_of(2);
	struct jl_flight first = JL_FLIGHT_NONE, second = JL_FLIGHT_NONE;
	assert_true(jl_flight_try(&first, &jl_io_system, t->path, &a));
	assert_true(jl_flight_try(&second, &jl_io_system, t->path, &b));
	assert_true(first.fd >= 0 && second.fd >= 0);
	assert_false(jl_flight_awaited(&first));
	jl_flight_leave(&first);
	jl_flight_leave(&second);
	assert_int_equal(tmpdir_count(t, "."), 1);
}

static void who_comes_later_waits(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_digest a = key_of(0xff);
	struct jl_flight f = JL_FLIGHT_NONE;
	int status;
	assert_true(jl_flight_try(&f, &jl_io_system, t->path, &a));
	pid_t pid = fork();
	if (pid == 0) {
		struct jl_flight own = JL_FLIGHT_NONE;
		close(f.fd); /* as exec does; it shares the parent's */
		if (jl_flight_try(&own, &jl_io_system, t->path, &a))
			_exit(8);
		jl_flight_wait(&own);
		_exit(jl_flight_awaited(&own) ? 9 : 7);
	}
	while (!jl_flight_awaited(&f))
		usleep(1000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	jl_flight_leave(&f);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* Two of one process, as the jobs of one run are. */
static void a_second_try_succeeds_once_it_is_free(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_digest a = key_of(5);
	struct jl_flight first = JL_FLIGHT_NONE, second = JL_FLIGHT_NONE;
	assert_true(jl_flight_try(&first, &jl_io_system, t->path, &a));
	assert_false(jl_flight_try(&second, &jl_io_system, t->path, &a));
	assert_false(jl_flight_try(&second, &jl_io_system, t->path, &a));
	assert_true(jl_flight_awaited(&first));
	jl_flight_leave(&first);
	assert_true(jl_flight_try(&second, &jl_io_system, t->path, &a));
	assert_false(jl_flight_awaited(&second));
	jl_flight_leave(&second);
}

static void one_that_is_killed_leaves(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_digest a = key_of(3);
	struct jl_flight f = JL_FLIGHT_NONE;
	int ready[2], status;
	char c;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)!jl_flight_try(&f, &jl_io_system, t->path, &a);
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	kill(pid, SIGKILL);
	if (!jl_flight_try(&f, &jl_io_system, t->path, &a))
		jl_flight_wait(&f); /* returns at all */
	assert_true(f.fd >= 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	jl_flight_leave(&f);
	close(ready[0]);
	close(ready[1]);
}

static void without_a_folder_there_is_none(void **state)
{
	struct jl_digest a = key_of(4);
	struct jl_flight f = JL_FLIGHT_NONE;
	(void)state;
	assert_true(jl_flight_try(&f, &jl_io_system, "/nonexistent/store", &a));
	assert_int_equal(f.fd, -1);
	assert_false(jl_flight_awaited(&f));
	jl_flight_leave(&f);
}

/* S19: where there are no locks, or no file can be, everybody computes. */
static void s19_without_locks_there_is_none(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_digest a = key_of(6);
	struct fault_io f;
	fault_io_init(&f, 1, EIO);
	for (int way = 0; way < 2; way++) {
		struct jl_flight first = JL_FLIGHT_NONE, second = JL_FLIGHT_NONE;
		f.no_locks = way == 0;
		f.ops = way == 0 ? 0 : FAULT_OPEN;
		f.sticky = true;
		assert_true(jl_flight_try(&first, &f.io, t->path, &a));
		assert_true(jl_flight_try(&second, &f.io, t->path, &a));
		assert_int_equal(first.fd, -1);
		assert_false(jl_flight_awaited(&first));
		jl_flight_leave(&first);
		jl_flight_leave(&second);
	}
	assert_int_equal(f.failed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_key_has_its_own, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(who_comes_later_waits, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_second_try_succeeds_once_it_is_free, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(one_that_is_killed_leaves, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test(without_a_folder_there_is_none),
		cmocka_unit_test_setup_teardown(s19_without_locks_there_is_none, tmpdir_setup, tmpdir_teardown),
	};
	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
