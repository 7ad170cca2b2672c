/* Starting a child: the one spawn path of jl.
 *
 * clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD): never a fork that copies page tables; a 1 GB parent starts a child in a
 * millisecond. The child, on a stack of its own, makes itself a process group, asks to die with jl (PDEATHSIG, checked
 * against the captured parent), puts descriptors in place, resets signals and limits, changes folder, executes. Because
 * memory is shared until then, an exec error comes back as a plain value. ETXTBSY is retried (10 times, from 1 ms,
 * doubling), EAGAIN of the clone is returned for the caller to wait and try again with less.
 */
#ifndef JL_PROC_SPAWN_H
#define JL_PROC_SPAWN_H

#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct jl_spawn {
	const char *const *argv; /* NULL-terminated; argv[0] with a '/' is a path from `workdir_fd`, else looked up in the
	                            PATH of `envp` as execvp does (and a file without #! is not given to a shell) */
	const char *const *envp; /* the whole environment, NULL-terminated */
	int workdir_fd;          /* folder to run in; -1: stay */
	int stdin_fd, stdout_fd, stderr_fd; /* become 0, 1, 2; -1: /dev/null; may be equal to each other or to 0..2 */
	const sigset_t *mask;    /* the child's signal mask; NULL: empty */
	bool own_group;          /* setpgid(0, 0) */
	bool die_with_parent;    /* PR_SET_PDEATHSIG, SIGKILL */
	const int *keep_fds;     /* more descriptors to leave open (jobserver), -1-terminated, or NULL */
};

/* On JL_OK `*ret_pid` and `*ret_pidfd` (close-on-exec, the caller closes it) are set. Errors: JL_ENOTFOUND (no such
 * program; errno in sys_errno), JL_EINVAL (not executable: EACCES, ENOEXEC; E2BIG), JL_EBUSY (no more processes now),
 * JL_EIO. */
int jl_spawn(const struct jl_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct jl_err *err) JL_MUST_CHECK;

/* The first file that `name` means in `path` (a PATH value), appended nowhere: writes it to out. JL_ENOTFOUND. */
int jl_spawn_find(const char *name, const char *path, char *out, size_t out_size, struct jl_err *err) JL_MUST_CHECK;

/* Take the orphans of our children in (PR_SET_CHILD_SUBREAPER), raise the soft descriptor limit to the hard one (children
 * get the old one back). Once, early, by the front door. */
int jl_spawn_setup(struct jl_err *err) JL_MUST_CHECK;

/* Send `sig` to every living process below this one (found through /proc/self/task/TID/children, recursively) that is not
 * in `spare_pgids` (a 0-terminated list; NULL for none). Returns how many were signalled. For what left its process group
 * (setsid grandchildren). */
unsigned jl_spawn_kill_tree(int sig, const pid_t *spare_pgids);
/* Reap every ended child that is nobody's job (adopted orphans): waitid(P_ALL, WNOHANG), leaving those for which
 * `ours(ctx, pid)` is true. */
void jl_spawn_reap(bool (*ours)(void *ctx, pid_t pid), void *ctx);

#endif
