/* struct jl_exec: where steps run, behind a table of functions. Local processes are one kind, a test's fake another,
 * agents (ssh, command) later ones. One suite, test/unit/exec_conform.h, runs over every kind.
 *
 * The engine calls start() while it has a slot, then poll(), from which the callbacks come; nothing calls back from
 * within start() or cancel(). Every started job ends in exactly one done(). Single-threaded.
 */
#ifndef JL_EXEC_EXEC_H
#define JL_EXEC_EXEC_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jl_cargo; /* exec/cargo.h */
struct jl_where; /* exec/hosts.h */

struct jl_job {
	uint64_t id;                /* the engine's, unique among running jobs */
	const char *label;          /* for messages */
	const char *const *argv;    /* NULL-terminated; borrowed until start() returns, like all pointers here */
	const char *const *envp;    /* NULL-terminated, the whole environment */
	bool script;                /* the last of argv is a text for a shell that reads files by ". FILE": far away it may be
	                             * longer than an argument; here whoever starts the job sees to that */
	const char *workdir;        /* absolute; NULL: where jl is (local processes only) */
	int stdin_fd;               /* -1: /dev/null; stays the caller's */
	bool terminal;              /* what is no other stream is jl's own 0, 1, 2, in its process group: local only */
	int stdout_fd, stderr_fd;   /* 0: captured; else a descriptor from 3 on that the stream goes to; the caller's */
	const int *keep_fds;        /* more descriptors to leave open, -1-terminated, or NULL; good until done() */
	int64_t timeout_ns;         /* 0: none */
	int64_t kill_after_ns;      /* between TERM and KILL */
	const struct jl_cargo *cargo; /* what goes along to another host and comes back; NULL: nothing. Not of local processes */
	const struct jl_where *where; /* on which of several; NULL: on the one there is, or this machine */
};

enum jl_job_end {
	JL_JOB_EXITED,    /* exit_code */
	JL_JOB_SIGNALED,  /* signal */
	JL_JOB_TIMEOUT,   /* ended by us after timeout_ns (exit_code or signal tell how it went) */
	JL_JOB_CANCELLED, /* ended by cancel() */
	JL_JOB_NOT_STARTED, /* exit_code 126 or 127, `why` says it: no such program, not executable, too long */
	/* of agents (exec/hosts.h): */
	JL_JOB_UNABLE,    /* its host could not, whatever the job is: no space, another architecture; `why` says it */
	JL_JOB_TAKEN_BACK, /* it never began: its host had no slot for it, or was lost before (`why`) */
	JL_JOB_LOST,      /* the host or agent is gone */
};

struct jl_job_result {
	enum jl_job_end end;
	int exit_code, signal;
	int sys_errno;       /* of NOT_STARTED here: why the system refused; 0: something else */
	bool pipe_held;      /* a background process still held stdout or stderr after the bounded drain */
	int64_t wall_ns, user_ns, sys_ns;
	int64_t max_rss_kib;
	const char *host;    /* "local" */
	bool doubted;        /* it failed, and its host may be to blame: exec/hosts.h */
	const char *why;     /* one line or NULL; borrowed during the callback */
};

struct jl_exec_events {
	/* Bytes of stream 1 (stdout) or 2 (stderr), in the order they were read. */
	void (*output)(void *ctx, uint64_t job, int stream, const void *data, size_t len);
	void (*done)(void *ctx, uint64_t job, const struct jl_job_result *r);
	void *ctx;
};

enum jl_cancel { JL_CANCEL_TERM, JL_CANCEL_KILL };

struct jl_exec;
struct jl_exec_ops {
	const char *kind;
	/* JL_OK: done() will come, also when the program does not exist (JL_JOB_NOT_STARTED). JL_EBUSY: out of
	 * processes or descriptors now, try again after the next done(), or, with nothing running, a little later.
	 * `ret_pid` may be NULL; 0 where there is none. */
	int (*start)(struct jl_exec *x, const struct jl_job *job, int64_t *ret_pid, struct jl_err *err);
	/* Wait until something happened or `until_ns` (the clock's; JL_FOREVER), run callbacks. */
	int (*poll)(struct jl_exec *x, int64_t until_ns, struct jl_err *err);
	/* End the job's whole tree: TERM, after its kill_after_ns KILL; or KILL at once. done() still comes. */
	void (*cancel)(struct jl_exec *x, uint64_t job, enum jl_cancel how);
	void (*free)(struct jl_exec *x);
};
struct jl_exec {
	const struct jl_exec_ops *ops;
	struct jl_exec_events events; /* set by the engine before the first start() */
};

struct jl_loop;
/* Local processes on `loop` (borrowed; poll() runs it once). After a job's process has ended, its pipes are drained for
 * at most `drain_ns` more (default 2 s when 0) while a background process holds them. */
int jl_exec_local_new(struct jl_loop *loop, int64_t drain_ns, struct jl_exec **ret, struct jl_err *err) JL_MUST_CHECK;
/* Reap adopted orphans that have ended (it is also done at each job's end): what the front door does on SIGCHLD. Safe
 * at any time; jobs, and children in jl's own process group, are left to their owners. */
void jl_exec_local_reap(struct jl_exec *x);
/* Read nothing of a running job's output for now, so that it waits when its pipes are full; or go on. When its process has ended
 * what is left comes in any case. */
void jl_exec_local_hold(struct jl_exec *x, uint64_t job, bool hold);

#endif
