/* Starting and ending helpers: see helper.h. */
#include "proc/helper.h"

#include "proc/beside.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX  8
#define PIPE_SIZE (1 << 20) /* fewer wake-ups where much goes through; a wish, not a need */

static int find(const char *name, char path[PATH_MAX], struct jl_err *err)
{
	char below[64];

	snprintf(below, sizeof(below), "libexec/jl/%s", name);
	if (jl_beside_find(below, path, err) == JL_OK)
		return JL_OK;
	for (const char *dir = getenv("PATH"), *end; dir && *dir; dir = *end ? end + 1 : end) {
		end = strchrnul(dir, ':');
		if (*dir == '/' && snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - dir), dir, name) < PATH_MAX &&
		    access(path, X_OK) == 0) {
			jl_err_clear(err);
			return JL_OK;
		}
	}
	return jl_err_add(err, "the helper \"%s\"", name);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int make_pipe(int ends[2], struct jl_err *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return jl_err_sys(err, errno, "cannot make a pipe");
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	return JL_OK;
}

int jl_helper_start(struct jl_helper *h, const char *name, const char *const *args, int stdin_fd, int stdout_fd,
		    struct jl_err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1};
	const char *argv[ARGS_MAX + 2] = {NULL};
	char path[PATH_MAX];
	pid_t pid;
	int r = find(name, path, err);

	*h = (struct jl_helper){.in = -1, .out = -1, .errors = -1, .pidfd = -1};
	snprintf(h->name, sizeof(h->name), "%s", name);
	argv[0] = path;
	for (size_t i = 0; args[i]; i++) {
		jl_bug_if(i >= ARGS_MAX);
		argv[i + 1] = args[i];
	}
	if (r == JL_OK && stdin_fd < 0)
		r = make_pipe(in, err);
	if (r == JL_OK && stdout_fd < 0)
		r = make_pipe(out, err);
	if (r == JL_OK)
		r = make_pipe(errors, err);
	if (r == JL_OK) {
		const struct jl_spawn s = {.argv = argv,
					   .envp = (const char *const *)environ,
					   .stdin_fd = stdin_fd < 0 ? in[0] : stdin_fd,
					   .stdout_fd = stdout_fd < 0 ? out[1] : stdout_fd,
					   .stderr_fd = errors[1],
					   .die_with_parent = true};

		r = jl_spawn(&s, &pid, &h->pidfd, err);
	}
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&errors[1]);
	h->in = in[1];
	h->out = out[0];
	h->errors = errors[0];
	if (r != JL_OK) {
		close_fd(&h->in);
		close_fd(&h->out);
		close_fd(&h->errors);
	}
	return r;
}

/* Its one line; it has ended, or has nothing more to say. */
static void read_line(struct jl_helper *h, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1) {
		n = read(h->errors, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static int reap(struct jl_helper *h, siginfo_t *info)
{
	int r;

	do
		r = waitid(P_PIDFD, (id_t)h->pidfd, info, WEXITED);
	while (r < 0 && errno == EINTR);
	close_fd(&h->pidfd);
	return r;
}

int jl_helper_end(struct jl_helper *h, struct jl_err *err)
{
	char text[512];
	siginfo_t info = {0};

	close_fd(&h->in);
	close_fd(&h->out);
	read_line(h, text, sizeof(text));
	close_fd(&h->errors);
	if (reap(h, &info) < 0)
		return jl_err_sys(err, errno, "%s", h->name);
	if (info.si_code != CLD_EXITED) {
		h->signal = info.si_status;
		return jl_err_set(err, JL_EIO, "%s was ended by signal %d (%s)", h->name, h->signal, strsignal(h->signal));
	}
	if (info.si_status == 0)
		return JL_OK;
	return jl_err_set(err, JL_EIO, "%s", text[0] ? text : "its helper failed without a word");
}

void jl_helper_kill(struct jl_helper *h)
{
	siginfo_t info = {0};

	if (h->pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
	close_fd(&h->in);
	close_fd(&h->out);
	close_fd(&h->errors);
	(void)!reap(h, &info);
}
