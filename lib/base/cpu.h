/* How many processors this process may use. */
#ifndef JL_BASE_CPU_H
#define JL_BASE_CPU_H

/* CPUs this process may use: min(affinity mask, cgroup v1/v2 cpu quota rounded up), at least 1. */
unsigned jl_cpu_count(void);

/* The smallest quota, rounded up to CPUs, on the way from the cgroups named in `cgroups` (the text of
 * /proc/self/cgroup) up to the root of the hierarchy below `mount` ("/sys/fs/cgroup"); 0 if there is none. */
unsigned jl_cpu_quota(const char *cgroups, const char *mount);

#endif
