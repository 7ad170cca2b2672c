/* What the machine has left. A table, so that tests can drive it as they drive the clock. */
#ifndef JL_BASE_MACHINE_H
#define JL_BASE_MACHINE_H

#include <stdint.h>

struct jl_machine {
	uint64_t (*memory_total)(const struct jl_machine *m); /* bytes, what this process's control group allows at most */
	uint64_t (*memory_free)(const struct jl_machine *m);  /* bytes to be had without swapping; UINT64_MAX: not known */
	double (*load)(const struct jl_machine *m);           /* runnable processes, averaged over the last minute */
	/* How many processes the kernel has ended for lack of memory since it was started. */
	uint64_t (*oom_kills)(const struct jl_machine *m);
	void *ctx;
};

extern const struct jl_machine jl_machine_system;

#endif
