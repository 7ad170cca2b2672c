/* The jobserver: what MAKEFLAGS says, bytes out of a pool and back into it, and the loop of slots that runs on them. */
#include "proc/jobserver.h"

#include "proc/loop.h"
#include "run/slots.h"
#include "run/tokens.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- MAKEFLAGS ---- */

static void test_find(void **state)
{
	static const struct {
		const char *flags, *auth; /* auth NULL: none */
		uint32_t jobs;
	} cases[] = {
		{NULL, NULL, 0},
		{"", NULL, 0},
		{"k", NULL, 0},
		{" -j8", NULL, 0},
		{" -j3 --jobserver-auth=3,4", "3,4", 3},
		{"k -j3 --jobserver-auth=3,4 -- X=1", "3,4", 3},
		{" -j --jobserver-fds=5,6 --jobserver-auth=3,4", "3,4", 0},
		{"--jobserver-auth=3,4 --jobserver-fds=5,6", "5,6", 0},
		{" -j2 --jobserver-auth=fifo:/tmp/a\\ b/GM -j4", "fifo:/tmp/a\\ b/GM", 4},
		{" -j3 --jobserver-auth=-2,-2", "-2,-2", 3},
		{" -j99999999999999999999 --jobserver-auth=3,4", "3,4", UINT16_MAX},
		{" -- X=a\\ --jobserver-auth=3,4", NULL, 0},
		{" -- --jobserver-auth=3,4", NULL, 0},
		{" -jx --jobserver-auth=", "", 0},
		{"x\\", NULL, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jl_jobserver_auth auth = {.jobs = 77};
		assert_int_equal(jl_jobserver_find(cases[i].flags, &auth), cases[i].auth != NULL);
		if (!cases[i].auth) {
			assert_int_equal(auth.jobs, 77);
			continue;
		}
		assert_int_equal(auth.len, strlen(cases[i].auth));
		assert_memory_equal(auth.at, cases[i].auth, auth.len);
		assert_int_equal(auth.jobs, cases[i].jobs);
	}
}

static void test_flags(void **state)
{
	static const struct {
		const char *before, *after;
		uint32_t jobs;
	} cases[] = {
		{NULL, " -j3 --jobserver-auth=7,8", 3},
		{"", " -j --jobserver-auth=7,8", 0},
		{"k", "k -j3 --jobserver-auth=7,8", 3},
		{" -k  -j9 --jobserver-fds=1,2", " -k -j3 --jobserver-auth=7,8", 3},
		{"ks -j --jobserver-auth=fifo:/a\\ b -- X=a\\ b Y=-j7", "ks -j3 --jobserver-auth=7,8 -- X=a\\ b Y=-j7", 3},
		{" -- X=1", " -j3 --jobserver-auth=7,8 -- X=1", 3},
	};
	struct jl_jobserver j = JL_JOBSERVER_INIT;
	struct jl_buf out = JL_BUF_INIT;
	(void)state;
	jl_buf_str(&j.auth, "7,8");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		j.jobs = cases[i].jobs;
		jl_jobserver_flags(&j, cases[i].before, &out);
		assert_string_equal(out.data, cases[i].after);
	}
	jl_buf_release(&out);
	jl_jobserver_close(&j);
}

/* ---- pools ---- */

/* A pool as make has it: inherited, so not close-on-exec. */
struct pool {
	int fds[2];
	char flags[200]; /* MAKEFLAGS */
};

static void pool_open(struct pool *p, const char *bytes)
{
	assert_int_equal(pipe2(p->fds, 0), 0);
	assert_int_equal(write(p->fds[1], bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	snprintf(p->flags, sizeof(p->flags), " -j%zu --jobserver-auth=%d,%d", strlen(bytes) + 1, p->fds[0], p->fds[1]);
}

static int by_byte(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/* What is in it, sorted; it is empty then. */
static void assert_pool(int fd, const char *want)
{
	char got[64] = "";
	int n = 0;
	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	assert_int_equal(n, strlen(want));
	if (n > 0)
		assert_int_equal(read(fd, got, sizeof(got) - 1), n);
	qsort(got, (size_t)n, 1, by_byte);
	assert_string_equal(got, want);
}

static void pool_close(struct pool *p)
{
	close(p->fds[0]);
	close(p->fds[1]);
}

static int join(struct jl_jobserver *j, const char *flags, struct jl_err *err)
{
	struct jl_jobserver_auth auth;
	assert_true(jl_jobserver_find(flags, &auth));
	return jl_jobserver_join(j, &auth, err);
}

static void test_pipe_gets_its_own_bytes_back(void **state)
{
	struct jl_jobserver j = JL_JOBSERVER_INIT;
	struct pool p;
	(void)state;
	pool_open(&p, "xyz");
	const int before = fcntl(p.fds[0], F_GETFL);
	assert_int_equal(join(&j, p.flags, NULL), JL_OK);
	assert_int_equal(j.jobs, 4);
	assert_int_equal(j.keep_fds[0], p.fds[0]);
	assert_int_equal(j.keep_fds[1], p.fds[1]);
	assert_int_equal(j.keep_fds[2], -1);
	for (int i = 0; i < 3; i++)
		assert_true(jl_jobserver_take(&j));
	assert_false(jl_jobserver_take(&j)); /* and does not block */
	assert_int_equal(jl_jobserver_taken(&j), 3);
	/* Others read it as they found it. */
	assert_int_equal(fcntl(p.fds[0], F_GETFL), before);
	jl_jobserver_give(&j);
	assert_pool(p.fds[0], "z");
	jl_jobserver_close(&j); /* the rest */
	assert_pool(p.fds[0], "xy");
	jl_jobserver_close(&j);
	assert_true(fcntl(p.fds[1], F_GETFD) >= 0);
	pool_close(&p);
}

static void test_fifo_gets_its_own_bytes_back(void **state)
{
	char dir[4096], path[4200], flags[4300];
	struct jl_jobserver j = JL_JOBSERVER_INIT;
	const char *tmp = getenv("TMPDIR");
	(void)state;
	snprintf(dir, sizeof(dir), "%s/jl fifo-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(write(fd, "pq", 2), 2);
	/* The blank in it as make would write it. */
	const char *blank = strstr(path, "jl fifo-");
	snprintf(flags, sizeof(flags), "k -j3 --jobserver-auth=fifo:%.*s\\ %s", (int)(blank + 2 - path), path, blank + 3);
	assert_int_equal(join(&j, flags, NULL), JL_OK);
	assert_int_equal(j.keep_fds[0], -1);
	assert_true(jl_jobserver_take(&j));
	assert_true(jl_jobserver_take(&j));
	assert_false(jl_jobserver_take(&j));
	jl_jobserver_close(&j);
	assert_pool(fd, "pq");
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void test_refused(void **state)
{
	struct jl_jobserver j = JL_JOBSERVER_INIT;
	struct jl_err err = JL_ERR_INIT;
	char flags[100];
	struct pool p;
	(void)state;
	/* Closed by make, in both of its ways; or reused by jl for something else. */
	assert_int_equal(join(&j, "--jobserver-auth=-2,-2", &err), JL_ENOTFOUND);
	assert_int_equal(join(&j, "--jobserver-auth=1000,1001", &err), JL_ENOTFOUND);
	pool_open(&p, "x");
	snprintf(flags, sizeof(flags), "--jobserver-auth=%d,%d", p.fds[1], p.fds[0]);
	assert_int_equal(join(&j, flags, &err), JL_ENOTFOUND);
	fcntl(p.fds[0], F_SETFD, FD_CLOEXEC);
	assert_int_equal(join(&j, p.flags, &err), JL_ENOTFOUND);
	pool_close(&p);
	assert_int_equal(join(&j, "--jobserver-auth=fifo:/no/such/fifo", &err), JL_EIO);
	assert_non_null(strstr(err.text, "/no/such/fifo"));
	assert_int_equal(join(&j, "--jobserver-auth=fifo:/dev/null", &err), JL_EINVAL);
	assert_int_equal(join(&j, "--jobserver-auth=sem", &err), JL_EINVAL);
	assert_int_equal(join(&j, "--jobserver-auth=3,", &err), JL_EINVAL);
	assert_int_equal(join(&j, "--jobserver-auth=3,4x", &err), JL_EINVAL);
	assert_int_equal(j.read_fd, -1);
	jl_jobserver_close(&j);
}

static void test_offer(void **state)
{
	struct jl_jobserver server = JL_JOBSERVER_INIT, client = JL_JOBSERVER_INIT;
	struct jl_buf flags = JL_BUF_INIT;
	(void)state;
	assert_int_equal(jl_jobserver_offer(&server, 4, NULL), JL_OK);
	jl_jobserver_flags(&server, NULL, &flags);
	/* For jl_spawn to open. */
	assert_true(fcntl(server.keep_fds[0], F_GETFD) & FD_CLOEXEC);
	fcntl(server.keep_fds[0], F_SETFD, 0);
	fcntl(server.keep_fds[1], F_SETFD, 0);
	assert_false(fcntl(server.keep_fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(join(&client, flags.data, NULL), JL_OK);
	assert_int_equal(client.jobs, 4);
	/* Four at a time: jl's own, and three between the two. */
	assert_true(jl_jobserver_take(&server));
	assert_true(jl_jobserver_take(&client));
	assert_true(jl_jobserver_take(&server));
	assert_false(jl_jobserver_take(&client));
	jl_jobserver_give(&server);
	assert_true(jl_jobserver_take(&client));
	jl_jobserver_close(&client);
	assert_true(jl_jobserver_take(&server));
	assert_true(jl_jobserver_take(&server));
	assert_false(jl_jobserver_take(&server));
	jl_jobserver_close(&server);
	assert_int_equal(jl_jobserver_offer(&server, JL_JOBSERVER_MOST, NULL), JL_OK);
	jl_jobserver_close(&server);
	jl_buf_release(&flags);
}

/* ---- the loop ---- */

struct job {
	struct jl_slot_job slot; /* first */
	bool up;
};

/* Jobs that say they are up and then wait for the end of their standard input. */
struct owner {
	struct jl_loop *loop;
	struct jl_slots slots;
	struct jl_tokens tokens;
	struct job jobs[8];
	uint32_t n, next, up, most, ended, dropped;
	int gate[2];
	struct pool pool;
	void (*at)(struct owner *o); /* one more is up */
	bool first_ends;             /* without waiting for the gate */
	uint32_t idle;               /* turns, after an end */
	bool was_back;
	char seen[256];              /* MAKEFLAGS of the first job */
};

static bool work(void *owner)
{
	struct owner *o = owner;
	if (o->next == o->n)
		return false;
	jl_slots_hold(&o->slots, &o->jobs[o->next++].slot);
	return true;
}

static int begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err)
{
	static const char *const argv[] = {"sh", "-c", "echo \"$MAKEFLAGS\"; exec cat", NULL};
	static const char *const env[] = {"PATH=/usr/bin:/bin", "A=b", NULL};
	struct owner *o = owner;
	(void)err;
	ret->argv = argv;
	ret->envp = env;
	ret->stdin_fd = o->first_ends && job == &o->jobs[0].slot ? -1 : o->gate[0];
	ret->kill_after_ns = JL_NS_S;
	return JL_OK;
}

static void begun(void *owner, struct jl_slot_job *job, bool started)
{
	(void)owner;
	(void)job;
	assert_true(started);
}

static void output(void *owner, struct jl_slot_job *job, int stream, const void *data, size_t len)
{
	struct owner *o = owner;
	(void)stream;
	if (((struct job *)job)->up)
		return;
	((struct job *)job)->up = true;
	o->up++;
	if (!o->seen[0] && len < sizeof(o->seen))
		memcpy(o->seen, data, len);
	o->most = o->most < o->slots.n_running ? o->slots.n_running : o->most;
	if (o->at)
		o->at(o);
}

static void ended(void *owner, struct jl_slot_job *job)
{
	(void)job;
	((struct owner *)owner)->ended++;
}

static void dropped(void *owner, struct jl_slot_job *job)
{
	(void)job;
	((struct owner *)owner)->dropped++;
}

static void open_gate(struct owner *o)
{
	close(o->gate[1]);
	o->gate[1] = -1;
}

/* After the first of two has ended: is its token back while the other runs? At the second look, as the first is before
 * things are given back. */
static void turn(void *owner, bool idle)
{
	struct owner *o = owner;
	int n = 0;
	if (!idle || !o->first_ends || o->ended == 0 || ++o->idle != 2)
		return;
	o->was_back = ioctl(o->pool.fds[0], FIONREAD, &n) == 0 && n == 1;
	open_gate(o);
}

/* `n` jobs with `jobs` slots asked for (0: those of a pool with `bytes` in it). */
static void run_jobs(struct owner *o, uint32_t n, uint32_t jobs, const char *bytes)
{
	static const struct jl_slots_ops ops = {.work = work,
						.begin = begin,
						.begun = begun,
						.output = output,
						.ended = ended,
						.dropped = dropped,
						.turn = turn};
	struct jl_exec *exec = NULL;
	char entry[250];
	const char *env[] = {entry, NULL};
	pool_open(&o->pool, bytes);
	snprintf(entry, sizeof(entry), "MAKEFLAGS=%s", o->pool.flags);
	assert_int_equal(pipe2(o->gate, O_CLOEXEC), 0);
	o->n = n;
	assert_int_equal(jl_loop_new(&o->loop, NULL), JL_OK);
	assert_int_equal(jl_exec_local_new(o->loop, 0, &exec, NULL), JL_OK);
	assert_int_equal(jl_tokens_open(&o->tokens, o->loop, jobs, env, NULL), JL_OK);
	jl_slots_init(&o->slots, jobs ? jobs : 8, exec, &jl_clock_system, &ops, o);
	o->slots.tokens = &o->tokens;
	assert_int_equal(jl_slots_loop(&o->slots, NULL), JL_OK);
	exec->ops->free(exec);
	jl_tokens_close(&o->tokens);
	jl_slots_release(&o->slots);
	jl_loop_free(o->loop);
	close(o->gate[0]);
	if (o->gate[1] >= 0)
		close(o->gate[1]);
}

static void end_them(struct owner *o)
{
	if (o->gate[1] >= 0)
		open_gate(o);
}

static void test_the_first_job_needs_no_token(void **state)
{
	struct owner o = {.at = end_them};
	(void)state;
	run_jobs(&o, 3, 0, "");
	assert_int_equal(o.ended, 3);
	assert_int_equal(o.most, 1);
	assert_pool(o.pool.fds[0], "");
	pool_close(&o.pool);
}

/* Two run: jl's own token and the one there was. Now another process gives one back. */
static void give_at_two(struct owner *o)
{
	if (o->up == 2)
		assert_int_equal(write(o->pool.fds[1], "z", 1), 1);
	if (o->up == 3)
		open_gate(o);
}

static void test_a_held_job_starts_when_a_token_comes(void **state)
{
	struct owner o = {.at = give_at_two};
	char want[300];
	(void)state;
	run_jobs(&o, 5, 0, "q");
	assert_int_equal(o.ended, 5);
	assert_int_equal(o.most, 3);
	snprintf(want, sizeof(want), "%s\n", o.pool.flags);
	assert_string_equal(o.seen, want);
	assert_pool(o.pool.fds[0], "qz");
	pool_close(&o.pool);
}

static void cancel_at_three(struct owner *o)
{
	if (o->up == 3)
		jl_slots_signal(&o->slots, SIGINT);
}

static void test_cancel_gives_all_back(void **state)
{
	struct owner o = {.at = cancel_at_three};
	(void)state;
	run_jobs(&o, 5, 0, "ab");
	assert_int_equal(o.ended, 3);
	assert_int_equal(o.dropped, 2);
	assert_pool(o.pool.fds[0], "ab");
	pool_close(&o.pool);
}

static void end_at_two(struct owner *o)
{
	if (o->up == 2)
		open_gate(o);
}

static void test_a_token_not_needed_goes_back_at_once(void **state)
{
	struct owner o = {.first_ends = true};
	(void)state;
	run_jobs(&o, 2, 0, "m");
	assert_int_equal(o.ended, 2);
	assert_true(o.was_back);
	assert_pool(o.pool.fds[0], "m");
	pool_close(&o.pool);
}

/* A number of its own: make's pool is left alone, and children get another. */
static void test_own_number_own_pool(void **state)
{
	struct owner o = {.at = end_at_two};
	(void)state;
	run_jobs(&o, 4, 2, "abc");
	assert_int_equal(o.ended, 4);
	assert_int_equal(o.most, 2);
	assert_memory_equal(o.seen, " -j2 --jobserver-auth=", 22);
	assert_pool(o.pool.fds[0], "abc");
	pool_close(&o.pool);
}

/* The second job takes three; there are two, so it waits for another with what it has got. */
static void give_at_one(struct owner *o)
{
	int n = -1;
	if (o->up == 1)
		assert_int_equal(write(o->pool.fds[1], "z", 1), 1);
	if (o->up == 2) {
		o->was_back = ioctl(o->pool.fds[0], FIONREAD, &n) == 0 && n == 0;
		open_gate(o);
	}
}

static void test_a_job_takes_as_many_tokens_as_slots(void **state)
{
	struct owner o = {.at = give_at_one};
	(void)state;
	o.jobs[1].slot.units = 3;
	run_jobs(&o, 2, 0, "ab");
	assert_int_equal(o.ended, 2);
	assert_int_equal(o.most, 2);
	assert_true(o.was_back); /* the pool is empty while both run */
	assert_pool(o.pool.fds[0], "abz");
	pool_close(&o.pool);
}

static void test_a_job_alone_starts_with_what_there_is(void **state)
{
	struct owner o = {.at = end_them};
	(void)state;
	o.jobs[0].slot.units = o.jobs[1].slot.units = 8;
	run_jobs(&o, 3, 0, "ab");
	assert_int_equal(o.ended, 3);
	assert_int_equal(o.most, 1);
	assert_pool(o.pool.fds[0], "ab");
	pool_close(&o.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_pipe_gets_its_own_bytes_back),
		cmocka_unit_test(test_fifo_gets_its_own_bytes_back),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_the_first_job_needs_no_token),
		cmocka_unit_test(test_a_held_job_starts_when_a_token_comes),
		cmocka_unit_test(test_cancel_gives_all_back),
		cmocka_unit_test(test_a_token_not_needed_goes_back_at_once),
		cmocka_unit_test(test_own_number_own_pool),
		cmocka_unit_test(test_a_job_takes_as_many_tokens_as_slots),
		cmocka_unit_test(test_a_job_alone_starts_with_what_there_is),
	};
	return cmocka_run_group_tests_name("jobserver", tests, NULL, NULL);
}
