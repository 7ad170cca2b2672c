/* Reaping: see wait.h. By the system call itself, whose fifth argument the C library leaves out. */
#include "proc/wait.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t timeval_ns(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

bool jl_wait(int pidfd, struct jl_ended *ret)
{
	siginfo_t si = {0};
	struct rusage used = {0};
	long rc;
	do
		rc = syscall(SYS_waitid, P_PIDFD, pidfd, &si, WEXITED, &used);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return false;
	*ret = (struct jl_ended){.exited = si.si_code == CLD_EXITED,
				 .status = si.si_status,
				 .user_ns = timeval_ns(used.ru_utime),
				 .sys_ns = timeval_ns(used.ru_stime),
				 .max_rss_kib = used.ru_maxrss};
	return true;
}
