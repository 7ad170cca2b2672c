/* Several executors as one: local processes and any number of hosts, each with its slots.
 *
 * A job says where it may run (struct jl_where); the least loaded of the hosts that are up gets it. Hosts are connected when
 * something is first to run there, all of an executor at once; the first that is up is used. One that is lost is tried
 * again after 1, 2, 4, ... 30 seconds, for as long as another one of its executor is up; without any it is set aside when that
 * has failed too often.
 *
 * A host with short jobs gets some ahead of its slots, for a fifth of a second, so that it does not wait for the way there and
 * back. What has waited there for longer than that, while another has room for it, is taken back: it ends as JL_JOB_TAKEN_BACK.
 * So does one whose host was lost before it began.
 *
 * Whose fault a failure is, is found out by blame.h: JL_JOB_UNABLE is the host's, and a result that is `doubted` may be. The owner
 * starts such a job once more with that host in `avoid` (if jl_hosts_other() says that there is another), and how it ends there
 * tells: a host that is to blame too often in a row is set aside. */

#ifndef JL_EXEC_HOSTS_H
#define JL_EXEC_HOSTS_H

#include "exec/exec.h"
#include "exec/launch.h"
#include "exec/remote.h"

struct jl_host {                       /* all borrowed until the executor is freed */
	const char *executor;          /* its name in the manifest */
	const char *name;
	const char *const *argv;       /* as of struct jl_remote_config */
	enum jl_launch_way way;
	bool shared;                   /* as of struct jl_remote_config */
	uint32_t slots;                /* 0: as many as it says */
	const char *const *tags;
	uint32_t n_tags;
	int64_t silence_ns, connect_ns;
};

struct jl_where {
	const char *executor;          /* NULL or "local": this machine */
	const char *const *tags;       /* the host has all of these */
	uint32_t n_tags;
	uint32_t slots;                /* that it takes; 0: one. More than there are: all, so it runs alone */
	uint64_t memory;               /* bytes that it needs; 0: not said */
	const struct jl_host *const *avoid; /* hosts where it was, and that may be to blame; at most JL_AVOID_MOST. With no others
	                                  left they are used */
	uint32_t n_avoid;
	bool doubted;                  /* it failed on one of these: fails it again, it is its own failure */
};
#define JL_AVOID_MOST 4u

struct jl_hosts_config {
	struct jl_loop *loop;          /* borrowed */
	struct jl_exec *local;         /* borrowed; on the same loop. NULL: no job is for this machine */
	const struct jl_host *hosts;   /* borrowed */
	uint32_t n_hosts;
	const struct jl_agent_files *agents; /* borrowed; NULL: none of them needs one */
	const char *const *environ;
	const char *workdir;           /* where launchers start; NULL: where jl is */
	/* The owner starts a job again that was taken back, or whose host could not or is doubted. Else none is taken back,
	 * those of lost hosts end as JL_JOB_LOST, and UNABLE is NOT_STARTED. */
	bool again;
	/* A host is up (`why` NULL), or lost or set aside (told once until it is up); there may be room now where there was
	 * none. Which of these: jl_hosts_state(). From the loop; may be NULL. */
	void (*changed)(void *ctx, const struct jl_host *host, const char *why);
	void *ctx;
};

int jl_exec_hosts_new(const struct jl_hosts_config *config, struct jl_exec **ret, struct jl_err *err) JL_MUST_CHECK;
/* Would a job start without waiting for another's end? Connects the hosts that it may run on; false until one is up. True when
 * none can be had: start() then says so as the job's end. */
bool jl_hosts_room(struct jl_exec *x, const struct jl_where *where);
/* Is there a host for it that is none of `avoid`, and up or on its way? */
bool jl_hosts_other(const struct jl_exec *x, const struct jl_where *where);
enum jl_host_state { JL_HOST_DOWN, JL_HOST_UP, JL_HOST_ASIDE };
enum jl_host_state jl_hosts_state(const struct jl_exec *x, const struct jl_host *host);
/* Why no host can be had for such a job; "" while one still can. Good until the next call. */
const char *jl_hosts_none(struct jl_exec *x, const struct jl_where *where);
/* The host of a job that is running; "" until it has one. */
const char *jl_hosts_of(const struct jl_exec *x, uint64_t job);
/* How many jobs there may be at once on the hosts, ahead of slots too: for who keeps a table of them. */
uint32_t jl_hosts_most(const struct jl_host *hosts, uint32_t n);

#endif
