/* Several executors as one: local processes and any number of hosts, each with its slots.
 *
 * A job says where it may run (struct jl_where); the least loaded of the hosts that are up gets it. Hosts are connected when
 * something is first to run there, all of an executor at once; the first that is up is used. One that is lost is tried
 * again after 1, 2, 4, ... seconds, and set aside when that fails too often. A host with short jobs gets some ahead of its
 * slots, for a fifth of a second, so that it does not wait for the way there and back.
 */
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
	uint32_t slots;                /* that it takes; 0: one */
};

struct jl_hosts_config {
	struct jl_loop *loop;          /* borrowed */
	struct jl_exec *local;         /* borrowed; on the same loop. NULL: no job is for this machine */
	const struct jl_host *hosts;   /* borrowed */
	uint32_t n_hosts;
	const struct jl_agent_files *agents; /* borrowed; NULL: none of them needs one */
	const char *const *environ;
	const char *workdir;           /* where launchers start; NULL: where jl is */
	/* A host is up (`why` NULL), or lost; there may be room now where there was none. From the loop; may be NULL. */
	void (*changed)(void *ctx, const struct jl_host *host, const char *why);
	void *ctx;
};

int jl_exec_hosts_new(const struct jl_hosts_config *config, struct jl_exec **ret, struct jl_err *err) JL_MUST_CHECK;
/* Would a job start without waiting for another's end? Connects the hosts that it may run on; false until one is up. True when
 * none can be had: start() then says so as the job's end. */
bool jl_hosts_room(struct jl_exec *x, const struct jl_where *where);
/* The host of a job that is running; "" until it has one. */
const char *jl_hosts_of(const struct jl_exec *x, uint64_t job);
/* How many jobs there may be at once on the hosts, ahead of slots too: for who keeps a table of them. */
uint32_t jl_hosts_most(const struct jl_host *hosts, uint32_t n);

#endif
