/* Starting children by a vfork-class clone. */
#include "proc/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The soft descriptor limit as jl found it, set once by jl_spawn_setup() before any thread is started, and given back
 * to every child. A global, the documented exception: it describes the process as a whole, as the limit itself does,
 * and would otherwise have to be handed through every layer between the front door and here. */
static struct rlimit inherited_nofile;
static bool nofile_raised;
/* Likewise: the signals that have a handler, by bit (1 << (signal - 1)), and SIGPIPE. Looked at before the first child
 * is started: a child that asks for each would make 64 calls while we wait. */
static uint64_t caught_signals = UINT64_MAX;
static bool look_before_spawn; /* set by jl_spawn_setup(): a run that starts nothing need not look */

enum { STACK_SIZE = 32 * 1024 };

/* The signal structures of the system calls themselves: between clone and exec nothing of the C library is called but
 * syscall(), which no sanitizer wraps and which keeps no state. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
enum { KERNEL_SIGSET = sizeof(uint64_t), SIGNALS = 64 };

enum step { STEP_NONE, STEP_PARENT, STEP_DESCRIPTORS, STEP_WORKDIR, STEP_EXEC };

/* What the child reads, and where it leaves its error. */
struct child {
	const struct jl_spawn *spawn;
	const char *path;
	int fds[3];
	pid_t parent;
	uint64_t mask;
	const struct rlimit *nofile; /* NULL: as it is */
	volatile enum step failed_step;
	volatile int failed_errno;
};

#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

/* A handler of ours must never run in the child, on our memory: handlers go before the mask is lifted. */
IN_CHILD static void child_signals(void)
{
	struct kernel_sigaction sa, dfl;
	dfl.handler = SIG_DFL;
	dfl.flags = 0;
	dfl.restorer = NULL;
	dfl.mask = 0;
	for (int sig = 1; sig <= SIGNALS; sig++) {
		if (!(caught_signals >> (sig - 1) & 1) || syscall(SYS_rt_sigaction, sig, NULL, &sa, KERNEL_SIGSET) < 0)
			continue;
		/* Ignored by whoever started jl (nohup) stays so; a pipe that breaks must end a program, as in a shell. */
		if (sa.handler == SIG_DFL || (sa.handler == SIG_IGN && sig != SIGPIPE))
			continue;
		syscall(SYS_rt_sigaction, sig, &dfl, NULL, KERNEL_SIGSET);
	}
}

/* 0, 1, 2. A source that is itself one of them, but not in its place, is moved up first, so that no dup3() overwrites
 * what a later one needs. */
IN_CHILD static int child_descriptors(struct child *c)
{
	for (int i = 0; i < 3; i++) {
		if (c->fds[i] > 2 || c->fds[i] == i)
			continue;
		c->fds[i] = (int)syscall(SYS_fcntl, c->fds[i], F_DUPFD_CLOEXEC, 3);
		if (c->fds[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++) {
		long rc = c->fds[i] == i ? syscall(SYS_fcntl, i, F_SETFD, 0) : syscall(SYS_dup3, c->fds[i], i, 0);
		if (rc < 0)
			return -1;
	}
	for (const int *fd = c->spawn->keep_fds; fd && *fd >= 0; fd++)
		if (syscall(SYS_fcntl, *fd, F_SETFD, 0) < 0)
			return -1;
	return 0;
}

IN_CHILD static enum step child_prepare(struct child *c)
{
	const struct jl_spawn *s = c->spawn;
	child_signals();
	if (s->own_group)
		syscall(SYS_setpgid, 0, 0);
	if (s->die_with_parent) {
		syscall(SYS_prctl, PR_SET_PDEATHSIG, s->death_signal ? s->death_signal : SIGKILL, 0, 0, 0);
		/* Had the parent died before the request, the signal would never come. */
		if (syscall(SYS_getppid) != c->parent)
			return STEP_PARENT;
	}
	if (child_descriptors(c) < 0)
		return STEP_DESCRIPTORS;
	if (s->workdir && syscall(SYS_chdir, s->workdir) < 0)
		return STEP_WORKDIR;
	if (c->nofile)
		syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, c->nofile, NULL);
	return STEP_NONE;
}

IN_CHILD static int child_main(void *arg)
{
	struct child *c = arg;
	enum step failed = child_prepare(c);
	if (failed == STEP_NONE) {
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &c->mask, NULL, KERNEL_SIGSET);
		syscall(SYS_execve, c->path, c->spawn->argv, c->spawn->envp);
		failed = STEP_EXEC;
	}
	c->failed_errno = errno;
	c->failed_step = failed;
	syscall(SYS_exit_group, 127);
	return 127;
}

/* Looking a program up. */

static const char *env_value(const char *const *envp, const char *name)
{
	size_t len = strlen(name);
	for (; *envp; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

/* Where `path` is for us, who are not in `workdir`. False if it is too long for a path. */
static bool seen_from_here(const char *path, const char *workdir, char out[PATH_MAX])
{
	int n = path[0] == '/' || !workdir ? snprintf(out, PATH_MAX, "%s", path)
	                                   : snprintf(out, PATH_MAX, "%s/%s", workdir, path);
	return n >= 0 && n < PATH_MAX;
}

/* 1: a program; 0: no such file; -1: a file or folder that may not be executed. */
static int probe(const char *path, const char *workdir)
{
	char here[PATH_MAX];
	struct stat st;
	if (!seen_from_here(path, workdir, here))
		return 0;
	if (stat(here, &st) < 0)
		return errno == EACCES ? -1 : 0;
	return S_ISREG(st.st_mode) && faccessat(AT_FDCWD, here, X_OK, AT_EACCESS) == 0 ? 1 : -1;
}

static int fail(struct jl_err *err, int status, int sys_errno)
{
	if (err)
		err->sys_errno = sys_errno;
	return status;
}

int jl_spawn_find(const char *name, const char *path, const char *workdir, char *out, size_t out_size,
                  struct jl_err *err)
{
	char fallback[256];
	if (strchr(name, '/')) {
		int n = snprintf(out, out_size, "%s", name);
		if (n < 0 || (size_t)n >= out_size)
			return fail(err, jl_err_set(err, JL_EINVAL, "the program's path is too long: \"%.100s...\"", name),
			            ENAMETOOLONG);
		return JL_OK;
	}
	if (!path) {
		confstr(_CS_PATH, fallback, sizeof(fallback));
		path = fallback;
	}
	bool denied = false;
	for (const char *at = path; *name; at++) {
		const char *end = strchrnul(at, ':');
		/* An empty part is the current folder, as POSIX has it. */
		const char *slash = end == at ? "./" : end[-1] == '/' ? "" : "/";
		char candidate[PATH_MAX];
		int n = snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)(end - at), at, slash, name);
		if (n > 0 && (size_t)n < sizeof(candidate) && (size_t)n < out_size) {
			int found = probe(candidate, workdir);
			if (found > 0) {
				memcpy(out, candidate, (size_t)n + 1);
				return JL_OK;
			}
			denied |= found < 0;
		}
		at = end;
		if (!*at)
			break;
	}
	if (denied)
		return fail(err, jl_err_set(err, JL_EINVAL, "\"%s\" was found in PATH but may not be executed", name), EACCES);
	return fail(err, jl_err_set(err, JL_ENOTFOUND, "no such program: \"%s\" (looked in PATH)", name), ENOENT);
}

/* Saying what went wrong. */

/* ENOENT though the file is there: the kernel means the file's interpreter. Writes that of the #! line to `out`, or
 * "" for a compiled program (its loader is absent); false if the file itself is absent. */
static bool missing_interpreter(const struct child *c, char out[256])
{
	char here[PATH_MAX];
	if (!seen_from_here(c->path, c->spawn->workdir, here))
		return false;
	int fd = open(here, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	char head[256];
	ssize_t n = read(fd, head, sizeof(head) - 1);
	close(fd);
	out[0] = '\0';
	if (n < 2 || memcmp(head, "#!", 2) != 0)
		return true;
	head[n] = '\0';
	const char *from = head + 2 + strspn(head + 2, " \t");
	size_t len = strcspn(from, " \t\r\n");
	/* A carriage return is the usual reason, and cannot be seen: name it. */
	snprintf(out, 256, "%.*s%s", (int)len, from, from[len] == '\r' ? "\\r" : "");
	return true;
}

static int say_absent(const struct child *c, int e, struct jl_err *err)
{
	const char *name = c->spawn->argv[0];
	char interpreter[256];
	if (e != ENOENT || !missing_interpreter(c, interpreter))
		return fail(err, jl_err_set(err, JL_ENOTFOUND, "no such program: \"%s\"", name), e);
	if (!interpreter[0])
		return fail(err, jl_err_set(err, JL_ENOTFOUND, "cannot execute \"%s\": its loader or interpreter is absent "
		                                               "(made for another system?)", c->path), e);
	return fail(err, jl_err_set(err, JL_ENOTFOUND, "cannot execute \"%s\": there is no \"%s\", which its #! line asks "
	                                               "for", c->path, interpreter), e);
}

/* E2BIG has two limits: all strings together, and each one by itself. */
static int say_too_long(const struct child *c, struct jl_err *err)
{
	const size_t one_most = (size_t)32 * (size_t)sysconf(_SC_PAGESIZE);
	size_t total = 0;
	for (const char *const *a = c->spawn->argv; *a; a++) {
		size_t len = strlen(*a) + 1;
		if (len > one_most)
			return fail(err,
			            jl_err_set(err, JL_EINVAL,
			                       "cannot execute \"%s\": argument %td is %zu bytes long, the "
			                       "system takes at most %zu; put it into a file",
			                       c->spawn->argv[0], a - c->spawn->argv, len - 1, one_most - 1),
			            E2BIG);
		total += len + sizeof(*a);
	}
	for (const char *const *a = c->spawn->envp; *a; a++) {
		size_t len = strlen(*a) + 1;
		if (len > one_most)
			return fail(err,
			            jl_err_set(err, JL_EINVAL,
			                       "cannot execute \"%s\": the variable %.*s is %zu bytes long, "
			                       "the system takes at most %zu; put it into a file",
			                       c->spawn->argv[0], (int)strcspn(*a, "="), *a, len - 1, one_most - 1),
			            E2BIG);
		total += len + sizeof(*a);
	}
	return fail(err,
	            jl_err_set(err, JL_EINVAL,
	                       "cannot execute \"%s\": arguments and environment are %zu bytes "
	                       "together, the system takes at most %ld; put a list into a file",
	                       c->spawn->argv[0], total, sysconf(_SC_ARG_MAX)),
	            E2BIG);
}

static int say_exec(const struct child *c, int e, struct jl_err *err)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return say_absent(c, e, err);
	case E2BIG:
		return say_too_long(c, err);
	case ENOEXEC:
		return fail(err, jl_err_set(err, JL_EINVAL, "cannot execute \"%s\": neither a program for this system nor a "
		                                            "script with a #! line", c->path), e);
	case ETXTBSY:
		return fail(err, jl_err_set(err, JL_EBUSY, "cannot execute \"%s\": it is still open for writing", c->path), e);
	case EAGAIN:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return fail(err, jl_err_set(err, JL_EBUSY, "cannot execute \"%s\": %s", c->path, strerror(e)), e);
	case EIO:
		return jl_err_sys(err, e, "cannot execute \"%s\"", c->path);
	default:
		return fail(err, jl_err_set(err, JL_EINVAL, "cannot execute \"%s\": %s", c->path, strerror(e)), e);
	}
}

static int say(const struct child *c, struct jl_err *err)
{
	int e = c->failed_errno;
	switch (c->failed_step) {
	case STEP_EXEC:
		return say_exec(c, e, err);
	case STEP_WORKDIR:
		return fail(err, jl_err_set(err, JL_EINVAL, "cannot enter the folder \"%s\": %s", c->spawn->workdir,
		                            strerror(e)), e);
	case STEP_DESCRIPTORS:
		if (e == EMFILE)
			return fail(err, jl_err_set(err, JL_EBUSY, "cannot pass descriptors on: %s", strerror(e)), e);
		return jl_err_sys(err, e, "cannot pass descriptors on");
	case STEP_PARENT:
	case STEP_NONE:
		break;
	}
	return jl_err_set(err, JL_ECANCELED, "the parent ended while a child was started");
}

/* The spawn itself. */

static int run_clone(struct child *c, pid_t *ret_pid, int *ret_pidfd, struct jl_err *err)
{
	const uint64_t all = UINT64_MAX;
	uint64_t old = 0;
	char *stack = jl_alloc(STACK_SIZE);
	int pidfd = -1;
	/* By the system call, because the C library's function leaves its own two signals open. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, KERNEL_SIGSET);
	pid_t pid = clone(child_main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &pidfd);
	int e = errno;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, KERNEL_SIGSET);
	free(stack);
	if (pid < 0) {
		if (e == EAGAIN || e == ENOMEM || e == EMFILE || e == ENFILE)
			return fail(err, jl_err_set(err, JL_EBUSY, "cannot start a process: %s", strerror(e)), e);
		return jl_err_sys(err, e, "cannot start a process");
	}
	if (c->failed_step != STEP_NONE) {
		waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED);
		close(pidfd);
		return say(c, err);
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return JL_OK;
}

static void look_at_signals(void)
{
	uint64_t caught = UINT64_C(1) << (SIGPIPE - 1);
	for (int sig = 1; sig <= SIGNALS; sig++) {
		struct kernel_sigaction sa;
		if (syscall(SYS_rt_sigaction, sig, NULL, &sa, KERNEL_SIGSET) == 0 && sa.handler != SIG_DFL &&
		    sa.handler != SIG_IGN)
			caught |= UINT64_C(1) << (sig - 1);
	}
	caught_signals = caught;
}

int jl_spawn(const struct jl_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct jl_err *err)
{
	struct child c = {
		.spawn = s,
		.fds = {s->stdin_fd, s->stdout_fd, s->stderr_fd},
		.parent = getpid(),
		.nofile = nofile_raised ? &inherited_nofile : NULL,
	};
	char path[PATH_MAX];
	if (look_before_spawn)
		look_at_signals();
	look_before_spawn = false;
	if (!s->argv[0])
		return fail(err, jl_err_set(err, JL_ENOTFOUND, "no such program: no name is given"), ENOENT);
	int null_fd = -1;
	int rc = jl_spawn_find(s->argv[0], env_value(s->envp, "PATH"), s->workdir, path, sizeof(path), err);
	if (rc < 0)
		return rc;
	c.path = path;
	if (s->mask)
		memcpy(&c.mask, s->mask, sizeof(c.mask)); /* the first 64 bits, one a signal, are what the kernel takes */
	for (int i = 0; i < 3; i++) {
		if (c.fds[i] >= 0)
			continue;
		if (null_fd < 0)
			null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null_fd < 0) {
			int e = errno;
			if (e == EMFILE || e == ENFILE)
				return fail(err, jl_err_set(err, JL_EBUSY, "cannot open /dev/null: %s", strerror(e)), e);
			return jl_err_sys(err, e, "cannot open /dev/null");
		}
		c.fds[i] = null_fd;
	}
	rc = run_clone(&c, ret_pid, ret_pidfd, err);
	if (null_fd >= 0)
		close(null_fd);
	return rc;
}

/* Kernels before 5.11 have no CLOSE_RANGE_CLOEXEC. */
static int close_on_exec_each(struct jl_err *err)
{
	DIR *d = opendir("/proc/self/fd");
	if (!d)
		return jl_err_sys(err, errno, "cannot list open descriptors");
	struct dirent *e;
	while ((e = readdir(d))) {
		int fd = atoi(e->d_name);
		if (fd > 2)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(d);
	return JL_OK;
}

int jl_spawn_setup(struct jl_err *err)
{
	look_before_spawn = true;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return jl_err_sys(err, errno, "cannot become the reaper of orphans");
	if (close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
		int rc = close_on_exec_each(err);
		if (rc < 0)
			return rc;
	}
	struct rlimit now;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return jl_err_sys(err, errno, "cannot read the descriptor limit");
	struct rlimit most = {.rlim_cur = now.rlim_max, .rlim_max = now.rlim_max};
	/* Not being allowed to is no error: there is only less room. */
	if (now.rlim_cur < now.rlim_max && setrlimit(RLIMIT_NOFILE, &most) == 0) {
		inherited_nofile = now;
		nofile_raised = true;
	}
	return JL_OK;
}
