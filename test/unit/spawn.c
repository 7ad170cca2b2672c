/* Starting children: descriptors, signals, environment, look-up, and what is said when it fails. */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[4096];
static const char *const plain_env[] = {"PATH=/usr/bin:/bin", NULL};

static int setup(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/jl-spawn-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	char command[5000];
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[5000];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* Run to the end; what it wrote to stdout and stderr is in `out`. Returns the wait status, or a negative status. */
static int run(struct jl_spawn *s, char *out, size_t size, struct jl_err *err)
{
	int p[2], pidfd = -1;
	pid_t pid = 0;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	s->stdout_fd = s->stderr_fd = p[1];
	int rc = jl_spawn(s, &pid, &pidfd, err);
	close(p[1]);
	size_t len = 0;
	ssize_t n;
	while (rc == JL_OK && len < size - 1 && (n = read(p[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(p[0]);
	if (rc < 0) {
		assert_int_equal(pid, 0);
		assert_int_equal(pidfd, -1);
		return rc;
	}
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pidfd);
	return status;
}

static int run_sh(const char *script, char *out, size_t size)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = -1};
	struct jl_err err = JL_ERR_INIT;
	int rc = run(&s, out, size, &err);
	assert_string_equal(err.text, "");
	return rc;
}

static int run_words(const char *const *argv, const char *const *envp, const char *workdir, struct jl_err *err)
{
	char out[256];
	struct jl_spawn s = {.argv = argv, .envp = envp, .workdir = workdir, .stdin_fd = -1};
	return run(&s, out, sizeof(out), err);
}

static void test_status(void **state)
{
	(void)state;
	char out[64];
	assert_int_equal(run_sh("exit 7", out, sizeof(out)), 7 << 8);
	assert_int_equal(run_sh("kill -9 $$", out, sizeof(out)), SIGKILL);
	assert_int_equal(run_sh("echo hi; echo there >&2", out, sizeof(out)), 0);
	assert_string_equal(out, "hi\nthere\n");
}

static void test_environment(void **state)
{
	(void)state;
	const char *argv[] = {"/usr/bin/env", "-0", NULL};
	const char *envp[] = {"B=2", "A=x y\nz", "EMPTY=", NULL};
	char out[256];
	struct jl_spawn s = {.argv = argv, .envp = envp, .stdin_fd = -1};
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	static const char expected[] = "B=2\0A=x y\nz\0EMPTY=";
	assert_memory_equal(out, expected, sizeof(expected));
}

/* Only 0, 1 and 2 are open, though this process has more that are not close-on-exec, as if inherited. */
static void test_descriptors(void **state)
{
	(void)state;
	int leak = open("/dev/null", O_RDONLY);
	assert_true(leak > 2);
	assert_int_equal(jl_spawn_setup(NULL), JL_OK);
	char out[256];
	assert_int_equal(run_sh("cd /proc/$$/fd && echo *", out, sizeof(out)), 0);
	/* A shell may have a descriptor of its own from 10 on. */
	assert_memory_equal(out, "0 1 2", 5);
	char number[16];
	snprintf(number, sizeof(number), " %d ", leak);
	assert_null(strstr(out, number));
	const char *argv[] = {"ls", "/proc/self/fd", NULL};
	struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = -1};
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	assert_string_equal(out, "0\n1\n2\n3\n"); /* 3 is the folder it lists */
	const int keep[] = {leak, -1};
	s.keep_fds = keep;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", leak);
	const char *test_argv[] = {"test", "-e", path, NULL};
	s.argv = test_argv;
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	close(leak);
}

/* stdin, stdout and stderr given as each other: 0 gets what is 2 here, 1 what is 0, 2 what is 1. */
static void test_overlap(void **state)
{
	(void)state;
	int saved[3], p[2], q[2];
	assert_int_equal(jl_spawn_setup(NULL), JL_OK);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(q, O_CLOEXEC), 0);
	int in = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	dup2(in, 2);
	dup2(p[1], 0);
	dup2(q[1], 1);
	const char *argv[] = {"sh", "-c", "read pid rest; test -n \"$pid\" && ls /proc/self/fd | tr -d '\\n'; echo err >&2",
	                      NULL};
	struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = 2, .stdout_fd = 0, .stderr_fd = 1};
	pid_t pid = 0;
	int pidfd = -1, status = -1;
	int rc = jl_spawn(&s, &pid, &pidfd, NULL);
	waitpid(pid, &status, 0);
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	assert_int_equal(rc, JL_OK);
	assert_int_equal(status, 0);
	close(pidfd);
	close(p[1]);
	close(q[1]);
	close(in);
	char got[16];
	/* What was moved out of the way did not stay; 3 is the folder that is listed. */
	assert_int_equal(read(p[0], got, sizeof(got)), 4);
	assert_memory_equal(got, "0123", 4);
	assert_int_equal(read(q[0], got, sizeof(got)), 4);
	assert_memory_equal(got, "err\n", 4);
	close(p[0]);
	close(q[0]);
}

static void handler(int sig)
{
	(void)sig;
}

static uint64_t status_mask(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 16);
}

static void test_signals(void **state)
{
	(void)state;
	struct sigaction caught = {.sa_handler = handler}, ignored = {.sa_handler = SIG_IGN}, old[3];
	sigset_t set, old_set;
	sigaction(SIGUSR1, &caught, &old[0]);
	sigaction(SIGPIPE, &ignored, &old[1]);
	sigaction(SIGHUP, &ignored, &old[2]);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old_set);
	const char *argv[] = {"cat", "/proc/self/status", NULL};
	struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = -1};
	char out[8192], self[8192];
	FILE *f = fopen("/proc/self/status", "r"); /* what whoever started us ignores comes with us */
	size_t n = fread(self, 1, sizeof(self) - 1, f);
	fclose(f);
	self[n] = '\0';
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	assert_true(status_mask(out, "\nSigBlk:") == 0);
	assert_true(status_mask(out, "\nSigCgt:") == 0);
	/* Ignored by inheritance stays; SIGPIPE does not. */
	assert_true(status_mask(self, "\nSigIgn:") & (UINT64_C(1) << (SIGHUP - 1)));
	assert_true(status_mask(out, "\nSigIgn:") == (status_mask(self, "\nSigIgn:") & ~(UINT64_C(1) << (SIGPIPE - 1))));
	s.mask = &set;
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	assert_true(status_mask(out, "\nSigBlk:") == ((UINT64_C(1) << (SIGUSR2 - 1)) | (UINT64_C(1) << (SIGTERM - 1))));
	/* Ours are as they were. */
	struct sigaction now;
	sigset_t now_set;
	sigaction(SIGUSR1, NULL, &now);
	assert_true(now.sa_handler == handler);
	sigprocmask(SIG_SETMASK, NULL, &now_set);
	assert_true(sigismember(&now_set, SIGUSR2) && !sigismember(&now_set, SIGUSR1));
	sigaction(SIGUSR1, &old[0], NULL);
	sigaction(SIGPIPE, &old[1], NULL);
	sigaction(SIGHUP, &old[2], NULL);
	sigprocmask(SIG_SETMASK, &old_set, NULL);
}

static void test_group_and_parent(void **state)
{
	(void)state;
	/* pid (comm) state ppid pgrp: of the shell itself. */
	const char *argv[] = {"sh", "-c", "read a b c d e f </proc/$$/stat; test $e = $$ && test $d = $1", "sh", NULL,
	                      NULL};
	char parent[16], out[64];
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	argv[4] = parent;
	struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = -1, .own_group = true, .die_with_parent = true};
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	s.own_group = false;
	assert_int_equal(run(&s, out, sizeof(out), NULL), 1 << 8);
}

/* S24: a parent that is killed takes its child along. */
static void test_dies_with_parent(void **state)
{
	(void)state;
	int p[2], held[2];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(held, O_CLOEXEC), 0);
	pid_t parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		const char *argv[] = {"sleep", "1000", NULL};
		struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = -1, .stdout_fd = held[1], .stderr_fd = -1,
		                     .die_with_parent = true};
		pid_t pid;
		int pidfd;
		int rc = jl_spawn(&s, &pid, &pidfd, NULL);
		if (write(p[1], &rc, sizeof(rc)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	close(held[1]);
	int rc = -1;
	assert_int_equal(read(p[0], &rc, sizeof(rc)), sizeof(rc));
	assert_int_equal(rc, JL_OK);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	/* Its end of the pipe closes when it dies. */
	assert_int_equal(read(held[0], &rc, 1), 0);
	close(held[0]);
	close(p[0]);
	close(p[1]);
}

static void test_limit_given_back(void **state)
{
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit lim = {.rlim_cur = 100, .rlim_max = 200}, now;
		char out[64];
		if (setrlimit(RLIMIT_NOFILE, &lim) < 0 || jl_spawn_setup(NULL) < 0)
			_exit(1);
		getrlimit(RLIMIT_NOFILE, &now);
		int subreaper = 0;
		prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
		if (now.rlim_cur != 200 || !subreaper)
			_exit(2);
		run_sh("ulimit -Sn; ulimit -Hn", out, sizeof(out));
		_exit(strcmp(out, "100\n200\n") == 0 ? 0 : 3);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_workdir(void **state)
{
	(void)state;
	char out[5000], expected[5000];
	const char *argv[] = {"pwd", NULL};
	struct jl_spawn s = {.argv = argv, .envp = plain_env, .workdir = dir, .stdin_fd = -1};
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	snprintf(expected, sizeof(expected), "%s\n", dir);
	assert_string_equal(out, expected);
	/* argv[0] with a slash, and relative parts of PATH, count from there. */
	write_file("here", "#!/bin/sh\necho ran \"$0\"\n", 0755);
	const char *relative[] = {"./here", NULL}, *bare[] = {"here", NULL};
	const char *dot_path[] = {"PATH=/nonexistent::/bin", NULL};
	s.argv = relative;
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	assert_string_equal(out, "ran ./here\n");
	s.argv = bare;
	s.envp = dot_path;
	assert_int_equal(run(&s, out, sizeof(out), NULL), 0);
	assert_string_equal(out, "ran ./here\n");
	struct jl_err err = JL_ERR_INIT;
	s.workdir = "/nonexistent/folder";
	assert_int_equal(run(&s, out, sizeof(out), &err), JL_ENOTFOUND);
	s.argv = argv;
	s.envp = plain_env;
	assert_int_equal(run(&s, out, sizeof(out), &err), JL_EINVAL);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/folder"));
}

static void test_find(void **state)
{
	(void)state;
	char out[256], path[5000];
	struct jl_err err = JL_ERR_INIT;
	assert_int_equal(jl_spawn_find("sh", "/nonexistent:/bin", NULL, out, sizeof(out), NULL), JL_OK);
	assert_string_equal(out, "/bin/sh");
	assert_int_equal(jl_spawn_find("sh", NULL, NULL, out, sizeof(out), NULL), JL_OK);
	assert_int_equal(jl_spawn_find("a/b", "", NULL, out, sizeof(out), NULL), JL_OK);
	assert_string_equal(out, "a/b");
	assert_int_equal(jl_spawn_find("no-such-thing", "/bin", NULL, out, sizeof(out), &err), JL_ENOTFOUND);
	assert_string_equal(err.text, "no such program: \"no-such-thing\" (looked in PATH)");
	assert_int_equal(jl_spawn_find("", "/bin", NULL, out, sizeof(out), NULL), JL_ENOTFOUND);
	/* What may not be executed, and folders, are passed over for what comes later in PATH. */
	write_file("sh", "text", 0644);
	snprintf(path, sizeof(path), "%s:/bin", dir);
	assert_int_equal(jl_spawn_find("sh", path, NULL, out, sizeof(out), NULL), JL_OK);
	assert_string_equal(out, "/bin/sh");
	write_file("only-text", "text", 0644);
	assert_int_equal(jl_spawn_find("only-text", path, NULL, out, sizeof(out), &err), JL_EINVAL);
	assert_int_equal(err.sys_errno, EACCES);
	char tiny[4];
	assert_int_equal(jl_spawn_find("/bin/sh", NULL, NULL, tiny, sizeof(tiny), NULL), JL_EINVAL);
}

static void expect_failure(const char *program, int status, int sys_errno, const char *text)
{
	const char *argv[] = {program, NULL};
	struct jl_err err = JL_ERR_INIT;
	assert_int_equal(run_words(argv, plain_env, dir, &err), status);
	assert_int_equal(err.sys_errno, sys_errno);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

static void test_cannot_execute(void **state)
{
	(void)state;
	expect_failure("no-such-thing", JL_ENOTFOUND, ENOENT, "no such program: \"no-such-thing\" (looked in PATH)");
	expect_failure("./no-such-thing", JL_ENOTFOUND, ENOENT, "no such program: \"./no-such-thing\"");
	write_file("plain", "echo hi\n", 0644);
	expect_failure("./plain", JL_EINVAL, EACCES, "Permission denied");
	expect_failure("/tmp", JL_EINVAL, EACCES, "Permission denied");
	write_file("no-bang", "echo hi\n", 0755);
	expect_failure("./no-bang", JL_EINVAL, ENOEXEC, "#! line");
	write_file("bad-bang", "#! /no/such/python -x\n", 0755);
	expect_failure("./bad-bang", JL_ENOTFOUND, ENOENT, "there is no \"/no/such/python\"");
	write_file("dos", "#!/bin/sh\r\necho hi\r\n", 0755);
	expect_failure("./dos", JL_ENOTFOUND, ENOENT, "there is no \"/bin/sh\\r\"");
	const char *none[] = {NULL};
	assert_int_equal(run_words(none, plain_env, NULL, NULL), JL_ENOTFOUND);
}

/* S26: which string is too long for the system is told. */
static void test_too_long(void **state)
{
	(void)state;
	size_t len = 200 * 1000;
	char *big = malloc(len + 1);
	assert_non_null(big);
	memset(big, 'x', len);
	big[len] = '\0';
	struct jl_err err = JL_ERR_INIT;
	const char *argv[] = {"true", big, NULL};
	assert_int_equal(run_words(argv, plain_env, NULL, &err), JL_EINVAL);
	assert_int_equal(err.sys_errno, E2BIG);
	assert_non_null(strstr(err.text, "argument 1 is 200000 bytes long"));
	memcpy(big, "BIGVAR=", 7);
	const char *small[] = {"true", NULL}, *envp[] = {"PATH=/bin", big, NULL};
	assert_int_equal(run_words(small, envp, NULL, &err), JL_EINVAL);
	assert_non_null(strstr(err.text, "the variable BIGVAR is"));
	/* Many of a legal length. */
	big[100 * 1000] = '\0';
	const char *many[200] = {"true"};
	for (int i = 1; i < 199; i++)
		many[i] = big;
	assert_int_equal(run_words(many, plain_env, NULL, &err), JL_EINVAL);
	assert_int_equal(err.sys_errno, E2BIG);
	assert_non_null(strstr(err.text, "together"));
	free(big);
}

static void test_text_busy(void **state)
{
	(void)state;
	write_file("busy", "#!/bin/sh\nexit 0\n", 0755);
	char path[5000];
	snprintf(path, sizeof(path), "%s/busy", dir);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	expect_failure("./busy", JL_EBUSY, ETXTBSY, "open for writing");
	close(fd);
	const char *argv[] = {"./busy", NULL};
	assert_int_equal(run_words(argv, plain_env, dir, NULL), 0);
}

static void test_out_of_descriptors(void **state)
{
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit lim = {.rlim_cur = 16, .rlim_max = 16};
		setrlimit(RLIMIT_NOFILE, &lim);
		while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
			;
		const char *argv[] = {"true", NULL};
		struct jl_spawn s = {.argv = argv, .envp = plain_env, .stdin_fd = 0, .stdout_fd = 1, .stderr_fd = 2};
		pid_t child;
		int pidfd;
		_exit(jl_spawn(&s, &child, &pidfd, NULL) == JL_EBUSY ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_group_and_parent),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_limit_given_back),
		cmocka_unit_test(test_workdir),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cannot_execute),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_text_busy),
		cmocka_unit_test(test_out_of_descriptors),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
