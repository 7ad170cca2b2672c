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

int jl_job_copy(const struct jl_job *from, struct jl_job *ret, struct jl_err *err)
{
	int stdin_fd = -1;
	if (from->stdin_fd >= 0) {
		stdin_fd = fcntl(from->stdin_fd, F_DUPFD_CLOEXEC, 3);
		if (stdin_fd < 0) {
			int e = errno;
			if (e == EMFILE)
				return jl_err_set(err, JL_EBUSY, "cannot keep the stdin of a job: %s", strerror(e));
			return jl_err_sys(err, e, "cannot keep the stdin of a job");
		}
	}
	*ret = *from;
	ret->label = from->label ? jl_strdup(from->label) : NULL;
	ret->argv = copy_strings(from->argv);
	ret->envp = copy_strings(from->envp);
	ret->workdir = from->workdir ? jl_strdup(from->workdir) : NULL;
	ret->stdin_fd = stdin_fd;
	return JL_OK;
}

void jl_job_release(struct jl_job *copy)
{
	free((void *)copy->label);
	free_strings(copy->argv);
	free_strings(copy->envp);
	free((void *)copy->workdir);
	if (copy->stdin_fd >= 0)
		close(copy->stdin_fd);
	*copy = (struct jl_job){.stdin_fd = -1};
}
