/* Starting a child: the one spawn path of jl.
 *
 * clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD): never a fork that copies page tables; a 1 GB parent starts a child in a
 * millisecond. The child, on a stack of its own, makes itself a process group, asks to die with jl (PDEATHSIG, checked
 * against the captured parent), puts descriptors in place, resets signals and limits, changes folder, executes. Because
 * memory is shared until then, an exec error comes back as a plain value. Nothing here waits: a file that is still open
 * for writing (ETXTBSY), and too many processes, are JL_EBUSY, for the caller to try again a little later.
 *
 * Call it from the main thread: PDEATHSIG is sent when the thread that spawned ends, not when the process does.
 */
#ifndef JL_PROC_SPAWN_H
#define JL_PROC_SPAWN_H

#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct jl_spawn {
	const char *const *argv; /* NULL-terminated; argv[0] with a '/' is a path from `workdir`, else looked up in the
	                            PATH of `envp` as execvp does (and a file without #! is not given to a shell) */
	const char *const *envp; /* the whole environment, NULL-terminated */
	const char *workdir;     /* folder to run in; NULL: stay */
	int stdin_fd, stdout_fd, stderr_fd; /* become 0, 1, 2; -1: /dev/null; may be equal to each other or to 0..2 */
	const sigset_t *mask;    /* the child's signal mask; NULL: empty */
	bool own_group;          /* setpgid(0, 0) */
	bool die_with_parent;    /* PR_SET_PDEATHSIG */
	int death_signal;        /* ... with this; 0: SIGKILL */
	const int *keep_fds;     /* more descriptors to leave open (jobserver), -1-terminated, or NULL */
};

/* On JL_OK `*ret_pid` and `*ret_pidfd` (close-on-exec, the caller closes it) are set. Ignored signals stay ignored but
 * for SIGPIPE, all others are at their default. Errors, with errno in sys_errno: JL_ENOTFOUND (no such program, or the
 * interpreter in its #! line is absent), JL_EINVAL (found but cannot be executed: EACCES, ENOEXEC, E2BIG, ...; or no
 * such folder), JL_EBUSY (ETXTBSY; no more processes, descriptors or memory now), JL_EIO. The text says which. */
int jl_spawn(const struct jl_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct jl_err *err) JL_MUST_CHECK;

/* The first program that `name` means in `path` (a PATH value; NULL: the system's default), written to `out` as it is
 * to be executed from `workdir` (NULL: the current folder; it counts for relative parts of the PATH). A name with a '/'
 * is copied. JL_ENOTFOUND; JL_EINVAL if there are only files that may not be executed. */
int jl_spawn_find(const char *name, const char *path, const char *workdir, char *out, size_t out_size,
                  struct jl_err *err) JL_MUST_CHECK;

/* Take the orphans of our children in (PR_SET_CHILD_SUBREAPER), make every inherited descriptor from 3 on
 * close-on-exec, raise the soft descriptor limit to the hard one (children get the old one back). Once, early, by the
 * front door; whoever sets a signal handler does so before the first jl_spawn(), since children are freed of those that
 * are there then. */
int jl_spawn_setup(struct jl_err *err) JL_MUST_CHECK;

#endif
