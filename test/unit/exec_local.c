/* Local processes: the common suite, and what only processes can do: trees, groups, pipes held, descriptors. */
#include "exec_conform.h"

#include "proc/loop.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct jl_loop *loop;
static struct jl_exec *exec;
static struct seen seen;
static char dir[4096];

static struct jl_exec *make(struct jl_clock *ret_clock)
{
	struct jl_exec *x = NULL;
	*ret_clock = jl_clock_system;
	if (jl_loop_new(&loop, NULL) < 0 || jl_exec_local_new(loop, 0, &x, NULL) < 0)
		return NULL;
	return x;
}

static void unmake(struct jl_exec *x)
{
	(void)x;
	jl_loop_free(loop);
}

static void make_with(int64_t drain_ns)
{
	assert_int_equal(jl_loop_new(&loop, NULL), JL_OK);
	assert_int_equal(jl_exec_local_new(loop, drain_ns, &exec, NULL), JL_OK);
	seen_init(&seen, exec);
}

static int set_up(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/jl-exec-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	make_with(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	exec->ops->free(exec);
	jl_loop_free(loop);
	seen_release(&seen);
	char command[5000];
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void start_job(const struct jl_job *job)
{
	struct jl_err err = JL_ERR_INIT;
	if (exec->ops->start(exec, job, NULL, &err) < 0)
		fail_msg("start: %s", err.text);
}

static struct jl_job job_in_dir(uint64_t id, const char *const *argv)
{
	struct jl_job job = sh_job(id, argv);
	job.workdir = dir;
	return job;
}

static const struct seen_job *run_sh(const char *script)
{
	struct jl_job job = job_in_dir(1, SH(script));
	start_job(&job);
	seen_wait(&seen, 1);
	return &seen.jobs[1];
}

static void poll_once(void)
{
	assert_int_equal(exec->ops->poll(exec, JL_FOREVER, NULL), JL_OK);
}

/* Poll until job `id` has written a whole line. */
static void wait_line(uint64_t id)
{
	while (!strchr(seen.jobs[id].out.data, '\n'))
		poll_once();
}

static int output_number(uint64_t id)
{
	return atoi(seen.jobs[id].out.data);
}

/* Is there such a process, zombies not counted? */
static bool alive(int pid)
{
	char path[64], text[512] = "";
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	const char *state = n > 0 ? strrchr(text, ')') : NULL;
	return state && state[2] != 'Z' && state[2] != 'X';
}

static void test_big_output(void **state)
{
	(void)state;
	const struct seen_job *j = run_sh("head -c 5000000 /dev/zero | tr '\\0' a; head -c 3000000 /dev/zero >&2; "
	                                  "echo end");
	assert_int_equal(j->out.len, 5000004);
	assert_memory_equal(j->out.data + 5000000 - 1, "aend\n", 5);
	assert_int_equal(j->err.len, 3000000);
	assert_int_equal(j->result.exit_code, 0);
	assert_true(j->result.max_rss_kib > 0);
}

/* S29, on a smaller scale: memory does not grow with what a job writes. */
static void test_memory_flat(void **state)
{
	(void)state;
	struct rusage before, after;
	seen.quiet = true;
	getrusage(RUSAGE_SELF, &before);
	run_sh("head -c 300000000 /dev/zero");
	getrusage(RUSAGE_SELF, &after);
	assert_true(seen.bytes == 300000000);
	assert_true(after.ru_maxrss - before.ru_maxrss < 8 * 1024);
}

static void test_environment(void **state)
{
	(void)state;
	static const char *const argv[] = {"/usr/bin/env", "-0", NULL}, *const envp[] = {"ONLY=this", NULL};
	struct jl_job job = job_in_dir(1, argv);
	job.envp = envp;
	start_job(&job);
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[1].out.len, sizeof("ONLY=this"));
	assert_memory_equal(seen.jobs[1].out.data, "ONLY=this", sizeof("ONLY=this"));
}

static void test_stdin_and_workdir(void **state)
{
	(void)state;
	int p[2];
	char expected[5000];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "given\n", 6), 6);
	close(p[1]);
	struct jl_job job = job_in_dir(1, SH("cat; pwd"));
	job.stdin_fd = p[0];
	start_job(&job);
	struct jl_job none = job_in_dir(2, SH("cat; readlink /proc/self/fd/0"));
	start_job(&none);
	seen_wait(&seen, 2);
	snprintf(expected, sizeof(expected), "given\n%s\n", dir);
	assert_string_equal(seen.jobs[1].out.data, expected);
	assert_string_equal(seen.jobs[2].out.data, "/dev/null\n");
	assert_true(fcntl(p[0], F_GETFD) >= 0); /* stays the caller's */
	close(p[0]);
}

/* Own group, default signals, empty mask, blocking pipes, and no descriptor but 0, 1, 2. */
static void test_surroundings(void **state)
{
	(void)state;
	const struct seen_job *j = run_sh(
		"read a b c d e f </proc/$$/stat; test $e = $$ && echo group\n"
		"cat /proc/self/status | grep -E '^Sig(Blk|Cgt):' | tr -d '\\t'\n"
		"grep flags /proc/$$/fdinfo/1 | tr -d '\\t'\n"
		"ls /proc/self/fd | tr '\\n' ' '");
	assert_string_equal(j->out.data, "group\nSigBlk:0000000000000000\nSigCgt:0000000000000000\n"
	                                 "flags:01\n0 1 2 3 ");
}

static void test_not_started(void **state)
{
	(void)state;
	static const char *const absent[] = {"./absent", NULL}, *const folder[] = {"/tmp", NULL};
	static const char *const bad[] = {"./bad", NULL};
	static char big[200000];
	memset(big, 'x', sizeof(big) - 1);
	const char *const too_long[] = {"true", big, NULL};
	run_sh("printf '#!/no/such/interpreter\\n' >bad; chmod +x bad");
	struct jl_job jobs[] = {job_in_dir(2, absent), job_in_dir(3, folder), job_in_dir(4, bad), job_in_dir(5, too_long),
	                        job_in_dir(6, SH("true"))};
	jobs[4].workdir = "/no/such/folder";
	for (int i = 0; i < 5; i++)
		start_job(&jobs[i]);
	seen_wait(&seen, 6);
	const int codes[] = {127, 126, 127, 126, 126};
	const char *const why[] = {"no such program", "Permission denied", "/no/such/interpreter",
	                           "argument 1 is 199999 bytes", "/no/such/folder"};
	for (int i = 0; i < 5; i++) {
		assert_int_equal(seen.jobs[i + 2].result.end, JL_JOB_NOT_STARTED);
		assert_int_equal(seen.jobs[i + 2].result.exit_code, codes[i]);
		assert_non_null(strstr(seen.jobs[i + 2].why, why[i]));
	}
}

/* S27: others go on while a file that is being written cannot be executed, and then it is. */
static void test_text_busy(void **state)
{
	(void)state;
	static const char *const argv[] = {"./fresh", NULL};
	char path[5000];
	snprintf(path, sizeof(path), "%s/fresh", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "#!/bin/sh\ncat; echo ran\n", 24), 24);
	int p[2];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "in ", 3), 3);
	close(p[1]);
	struct jl_job job = job_in_dir(1, argv), other = job_in_dir(2, SH("true")), cancelled = job_in_dir(3, argv);
	job.stdin_fd = p[0];
	start_job(&job);
	close(p[0]);
	start_job(&cancelled);
	start_job(&other);
	exec->ops->cancel(exec, 3, JL_CANCEL_TERM);
	seen_wait(&seen, 2);
	assert_int_equal(seen.jobs[1].done, 0);
	assert_int_equal(seen.jobs[2].result.end, JL_JOB_EXITED);
	assert_int_equal(seen.jobs[3].result.end, JL_JOB_CANCELLED);
	close(fd);
	seen_wait(&seen, 3);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_EXITED);
	assert_string_equal(seen.jobs[1].out.data, "in ran\n");
}

static void test_text_busy_for_good(void **state)
{
	(void)state;
	static const char *const argv[] = {"./fresh", NULL};
	char path[5000];
	snprintf(path, sizeof(path), "%s/fresh", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct jl_job job = job_in_dir(1, argv);
	start_job(&job);
	seen_wait(&seen, 1);
	close(fd);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_NOT_STARTED);
	assert_int_equal(seen.jobs[1].result.exit_code, 126);
	assert_non_null(strstr(seen.jobs[1].why, "open for writing"));
}

/* S22: a background child keeps stdout open. */
static void test_pipe_held(void **state)
{
	(void)state;
	exec->ops->free(exec);
	jl_loop_free(loop);
	seen_release(&seen);
	make_with(20 * JL_NS_MS);
	const struct seen_job *j = run_sh("sleep 1000 & echo $!; exit 5");
	assert_int_equal(j->result.end, JL_JOB_EXITED);
	assert_int_equal(j->result.exit_code, 5);
	assert_true(j->result.pipe_held);
	int pid = output_number(1);
	assert_true(alive(pid)); /* a job that ends by itself may leave a daemon */
	kill(pid, SIGKILL);
}

/* It lets go within the bound: all its output counts, nothing is amiss. */
static void test_late_output(void **state)
{
	(void)state;
	int p[2];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	struct jl_job job = job_in_dir(1, SH("exec 3<&0; { read x <&3; echo late; } & echo early; exit 0"));
	job.stdin_fd = p[0];
	start_job(&job);
	wait_line(1);
	assert_int_equal(write(p[1], "go\n", 3), 3);
	seen_wait(&seen, 1);
	assert_string_equal(seen.jobs[1].out.data, "early\nlate\n");
	assert_false(seen.jobs[1].result.pipe_held);
	close(p[0]);
	close(p[1]);
}

/* Writes without end from the background do not keep a job from ending. */
static void test_loud_holder(void **state)
{
	(void)state;
	exec->ops->free(exec);
	jl_loop_free(loop);
	seen_release(&seen);
	make_with(20 * JL_NS_MS);
	seen.quiet = true;
	const struct seen_job *j = run_sh("yes & exit 0");
	assert_true(j->result.pipe_held); /* `yes` then ends by SIGPIPE */
}

/* S23: a grandchild in a session of its own, whose parent is gone, ends with the job that timed out; what another job
 * runs, in a session of its own too, does not. */
static void test_timeout_setsid(void **state)
{
	(void)state;
	struct jl_job other = job_in_dir(2, SH("setsid sh -c 'echo $$; exec sleep 1000'"));
	start_job(&other);
	wait_line(2);
	struct jl_job job = job_in_dir(1, SH("setsid sh -c '(sleep 1000 >/dev/null 2>&1 & echo $!)'; exec sleep 1000"));
	job.timeout_ns = 100 * JL_NS_MS;
	start_job(&job);
	wait_line(1);
	int orphan = output_number(1);
	assert_true(alive(orphan));
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_TIMEOUT);
	assert_false(alive(orphan));
	assert_true(alive(output_number(2)));
	exec->ops->cancel(exec, 2, JL_CANCEL_TERM);
	seen_wait(&seen, 2);
	assert_false(alive(output_number(2)));
}

/* What ignores TERM gets KILL after kill_after, wherever it sits. */
static void test_ignores_term(void **state)
{
	(void)state;
	struct jl_job job = job_in_dir(1, SH("trap '' TERM; setsid sh -c 'echo $$; while :; do sleep 1000; done' & "
	                                     "while :; do sleep 1000; done"));
	job.kill_after_ns = 30 * JL_NS_MS;
	start_job(&job);
	wait_line(1);
	exec->ops->cancel(exec, 1, JL_CANCEL_TERM);
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_CANCELLED);
	assert_int_equal(seen.jobs[1].result.signal, SIGKILL);
	assert_false(alive(output_number(1)));
}

/* The first process obeys TERM at once; its child, which needs a moment to clean up and holds no pipe, gets that
 * moment. */
static void test_grace_for_the_rest(void **state)
{
	(void)state;
	struct jl_job job = job_in_dir(1, SH("sh -c 'trap \"sleep 0.1; : >cleaned; exit\" TERM; : >ready; "
	                                     "while :; do sleep 0.01; done' >/dev/null 2>&1 & "
	                                     "until test -e ready; do sleep 0.01; done; echo $!; wait"));
	char path[5000];
	start_job(&job);
	wait_line(1);
	exec->ops->cancel(exec, 1, JL_CANCEL_TERM);
	seen_wait(&seen, 1);
	snprintf(path, sizeof(path), "%s/cleaned", dir);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_CANCELLED);
	assert_int_equal(seen.jobs[1].result.signal, SIGTERM);
	assert_false(alive(output_number(1)));
}

/* A daemon that a job left before another began is not the other's to end. */
static void test_older_daemon_lives(void **state)
{
	(void)state;
	struct jl_job first = job_in_dir(1, SH("setsid sh -c 'exec sleep 1000 >/dev/null 2>&1' & echo $!"));
	start_job(&first);
	seen_wait(&seen, 1);
	/* The system notes starts by its clock's ticks: let some pass. */
	int64_t later = jl_clock_system.now_ns(&jl_clock_system) + 3 * JL_NS_S / sysconf(_SC_CLK_TCK);
	while (jl_clock_system.now_ns(&jl_clock_system) < later)
		assert_int_equal(exec->ops->poll(exec, later, NULL), JL_OK);
	struct jl_job second = job_in_dir(2, SH("exec sleep 1000"));
	start_job(&second);
	exec->ops->cancel(exec, 2, JL_CANCEL_KILL);
	seen_wait(&seen, 2);
	assert_true(alive(output_number(1)));
	kill(output_number(1), SIGKILL);
}

static void test_stopped(void **state)
{
	(void)state;
	struct jl_job job = job_in_dir(1, SH("echo $$; kill -STOP $$; sleep 1000"));
	start_job(&job);
	wait_line(1);
	exec->ops->cancel(exec, 1, JL_CANCEL_TERM);
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_CANCELLED);
	assert_int_equal(seen.jobs[1].result.signal, SIGTERM);
}

/* Cancelled while only a background process is left: that ends too. */
static void test_cancel_while_draining(void **state)
{
	(void)state;
	struct jl_job job = job_in_dir(1, SH("sleep 1000 & echo $!"));
	start_job(&job);
	wait_line(1);
	int pid = output_number(1), first = 0;
	/* The shell has ended when its child has a new parent: us. */
	while (first != getpid()) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		FILE *f = fopen(path, "re");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d (%*[^)]) %*c %d", &first), 1);
		fclose(f);
	}
	assert_int_equal(exec->ops->poll(exec, 0, NULL), JL_OK);
	exec->ops->cancel(exec, 1, JL_CANCEL_TERM);
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_CANCELLED);
	assert_false(seen.jobs[1].result.pipe_held);
	assert_false(alive(pid));
}

/* A job that reads its own stdout takes bytes from us; it must not hang us. */
static void test_reads_own_stdout(void **state)
{
	(void)state;
	struct jl_job job = job_in_dir(1, SH("cat </dev/stdout >/dev/null & for i in 1 2 3 4 5 6 7 8 9; do echo $i; done; "
	                                     "exec sleep 1000"));
	job.timeout_ns = 50 * JL_NS_MS;
	start_job(&job);
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[1].result.end, JL_JOB_TIMEOUT);
}

/* Orphans that ended do not stay behind as zombies. */
static void test_orphans_reaped(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 5; id++) {
		struct jl_job job = job_in_dir(id, SH("(sleep 0.01 >/dev/null 2>&1 &)"));
		start_job(&job);
	}
	seen_wait(&seen, 5);
	/* Wait for one to end without taking it, as a SIGCHLD would tell, until there is no child left. */
	siginfo_t si;
	while (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT) == 0)
		jl_exec_local_reap(exec);
	assert_int_equal(errno, ECHILD);
}

/* S06: no descriptors now is JL_EBUSY, and later it works. */
static void test_out_of_descriptors(void **state)
{
	(void)state;
	struct rlimit old, low;
	getrlimit(RLIMIT_NOFILE, &old);
	int next = dup(0);
	close(next);
	for (int room = 0; room < 6; room++) {
		low = (struct rlimit){.rlim_cur = (rlim_t)(next + room), .rlim_max = old.rlim_max};
		setrlimit(RLIMIT_NOFILE, &low);
		struct jl_job job = job_in_dir(1, SH("true"));
		struct jl_err err = JL_ERR_INIT;
		int rc = exec->ops->start(exec, &job, NULL, &err);
		setrlimit(RLIMIT_NOFILE, &old);
		if (rc == JL_OK) {
			assert_true(room >= 5);
			seen_wait(&seen, 1);
			return;
		}
		assert_int_equal(rc, JL_EBUSY);
	}
	struct jl_job job = job_in_dir(1, SH("true"));
	start_job(&job);
	seen_wait(&seen, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct exec_kind kind = {.name = "local processes", .make = make, .unmake = unmake};
	const struct CMUnitTest tests[] = {
		TEST(test_big_output), TEST(test_memory_flat), TEST(test_environment), TEST(test_stdin_and_workdir),
		TEST(test_surroundings), TEST(test_not_started), TEST(test_text_busy), TEST(test_text_busy_for_good),
		TEST(test_pipe_held), TEST(test_late_output), TEST(test_loud_holder), TEST(test_timeout_setsid),
		TEST(test_ignores_term), TEST(test_grace_for_the_rest), TEST(test_older_daemon_lives), TEST(test_stopped),
		TEST(test_cancel_while_draining), TEST(test_reads_own_stdout),
		TEST(test_orphans_reaped), TEST(test_out_of_descriptors),
	};
	if (jl_spawn_setup(NULL) < 0)
		return 1;
	int failed = exec_conform(&kind);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
