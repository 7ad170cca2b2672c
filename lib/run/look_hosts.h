/* What `jl hosts` does: connect every host of the manifest's executors at once, and see which can be had. */
#ifndef JL_RUN_LOOK_HOSTS_H
#define JL_RUN_LOOK_HOSTS_H

#include "exec/hosts.h"
#include "run/project.h"

struct jl_look_hosts {
	const struct jl_host *host;
	bool up;
	struct jl_remote_info info;  /* texts are good until the callback returns */
};

/* Call `tell` for each, in the manifest's order, when all have answered or failed. Blocks, for the longest time that connecting may
 * take. *ret_n: how many there are. */
int jl_look_hosts(struct jl_project *p, void (*tell)(void *ctx, const struct jl_look_hosts *one), void *ctx, uint32_t *ret_n,
                  struct jl_err *err) JL_MUST_CHECK;

#endif
