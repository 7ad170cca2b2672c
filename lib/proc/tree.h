/* struct jl_tree: the processes that come from one job, wherever they went.
 *
 * A job is a process group, but a descendant may leave it (setsid), and when its parent has ended too it becomes our
 * own child (we are a subreaper). So a job's tree is its group, and whatever else is below us that is not older than
 * the job's first process and does not belong to somebody who is to be spared. Our own process group is always spared:
 * helpers that live longer than a job stay in it. Found through /proc/PID/task/TID/children.
 *
 * What left its group and its parents is nobody's for certain: a daemon left by one of several jobs that ran at once
 * counts to each of them. Older ones never do.
 */
#ifndef JL_PROC_TREE_H
#define JL_PROC_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct jl_tree {
	pid_t group;        /* the job's first process and its group; not reaped yet, so that its number is its own */
	const pid_t *spare; /* first processes (and groups) of other jobs: they and all below them are left alone */
	size_t spare_count;
};

/* Send `sig` to the group as one, and to every living process of the tree outside of it; 0 only counts. Returns how
 * many living processes (no zombies) the tree had. */
unsigned jl_tree_signal(const struct jl_tree *t, int sig);

/* Reap every ended child that is nobody's job (adopted orphans), until one is met for which `ours(ctx, pid)` is true
 * (the kernel shows the same one until it is reaped) or that is in our own process group. */
void jl_tree_reap(bool (*ours)(void *ctx, pid_t pid), void *ctx);

#endif
