/* Copying and releasing jobs. */
#include "exec/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const *copy_strings(const char *const *from)
{
	size_t count = 0;
	while (from[count])
		count++;
	const char **to = jl_calloc(count + 1, sizeof(*to));
	for (size_t i = 0; i < count; i++)
		to[i] = jl_strdup(from[i]);
	return to;
}

static void free_strings(const char *const *strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free((void *)strings[i]);
	free((void *)strings);
}

/* What is below `least` is no descriptor and stays as it is. */
static int copy_fd(int fd, int least, int *ret, struct jl_err *err)
{
	*ret = fd;
	if (fd < least)
		return JL_OK;
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*ret >= 0)
		return JL_OK;
	int e = errno;
	if (e == EMFILE)
		return jl_err_set(err, JL_EBUSY, "cannot keep a stream of a job: %s", strerror(e));
	return jl_err_sys(err, e, "cannot keep a stream of a job");
}

static void close_fds(const int fds[3])
{
	for (int i = 0; i < 3; i++)
		if (fds[i] > 0 || (i == 0 && fds[i] == 0))
			close(fds[i]);
}

int jl_job_copy(const struct jl_job *from, struct jl_job *ret, struct jl_err *err)
{
	int fds[3] = {-1, 0, 0};
	int r = copy_fd(from->stdin_fd, 0, &fds[0], err);
	if (r == JL_OK)
		r = copy_fd(from->stdout_fd, 1, &fds[1], err);
	if (r == JL_OK)
		r = copy_fd(from->stderr_fd, 1, &fds[2], err);
	if (r != JL_OK) {
		close_fds(fds);
		return r;
	}
	*ret = *from;
	ret->label = from->label ? jl_strdup(from->label) : NULL;
	ret->argv = copy_strings(from->argv);
	ret->envp = copy_strings(from->envp);
	ret->workdir = from->workdir ? jl_strdup(from->workdir) : NULL;
	ret->stdin_fd = fds[0];
	ret->stdout_fd = fds[1];
	ret->stderr_fd = fds[2];
	return JL_OK;
}

void jl_job_release(struct jl_job *copy)
{
	free((void *)copy->label);
	free_strings(copy->argv);
	free_strings(copy->envp);
	free((void *)copy->workdir);
	close_fds((int[]){copy->stdin_fd, copy->stdout_fd, copy->stderr_fd});
	*copy = (struct jl_job){.stdin_fd = -1};
}
