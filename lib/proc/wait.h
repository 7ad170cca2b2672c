/* How a child ended, and what it used. */
#ifndef JL_PROC_WAIT_H
#define JL_PROC_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct jl_ended {
	bool exited;        /* else by a signal */
	int status;         /* exit status or signal */
	int64_t user_ns, sys_ns, max_rss_kib; /* of it and all that it waited for */
};
/* Wait for the child of a pidfd and reap it. false: somebody else did (a library that ignores SIGCHLD, say). */
bool jl_wait(int pidfd, struct jl_ended *ret);

#endif
