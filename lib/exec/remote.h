/* An executor on another host: one agent at the other end of one connection (docs/formats/agent.md).
 *
 * It is connected by jl_remote_connect() or with the first job; jobs wait for that. A lost connection ends all its jobs, each
 * once, those that may have run as JL_JOB_LOST, the others as JL_JOB_TAKEN_BACK: what a host that was lost still does is never
 * heard of. jl_remote_connect() may then be called again.
 * Several of them share a loop: before it is waited for, jl_remote_flush() each (their own poll() does).
 */
#ifndef JL_EXEC_REMOTE_H
#define JL_EXEC_REMOTE_H

#include "exec/exec.h"
#include "exec/launch.h"
#include "exec/message.h"

struct jl_loop;

struct jl_remote_config {              /* all borrowed until the executor is freed */
	const char *name;              /* the host, as results and events name it */
	const char *const *argv;       /* the launcher; for ssh the words before its options and `name` */
	enum jl_launch_way way;
	const struct jl_agent_files *agents; /* brought along, unless the launcher is the agent's */
	const char *const *environ;    /* the launcher's, and what of a job's is the host's own */
	const char *workdir;           /* where the launcher starts; NULL: where jl is */
	bool shared;                   /* the host has `workdir`, which is absolute, under the same name, or is unfit */
	uint32_t slots;                /* 0: as many as the host says */
	int64_t silence_ns;            /* nothing heard for so long: lost. 0: 30 s */
	int64_t connect_ns;            /* from the launch until it answers. 0: 20 s */
	/* The connection is up, or lost (`why`: the reason); from the loop. May be NULL. */
	void (*changed)(void *ctx, struct jl_exec *x, const char *why);
	void *ctx;
};

enum jl_remote_state { JL_REMOTE_DOWN, JL_REMOTE_CONNECTING, JL_REMOTE_UP };
struct jl_remote_info {
	enum jl_remote_state state;
	uint32_t slots;                /* 0: not known yet */
	uint32_t jobs;                 /* waiting, running, or being taken in */
	uint32_t waiting;              /* of those: that have not begun */
	uint64_t memory, sent, received; /* bytes */
	int64_t round_trip_ns;         /* of the last ping; 0: none yet */
	int64_t connected_ns;          /* how long it took to connect */
	const char *arch, *boot_id, *program; /* borrowed; "" until it has answered */
	const char *why;               /* why it was lost last; "" */
	bool unfit;                    /* ... and it will not be better the next time */
};

int jl_exec_remote_new(struct jl_loop *loop, const struct jl_remote_config *config, struct jl_exec **ret,
                       struct jl_err *err) JL_MUST_CHECK;
/* Launch; nothing when it is up or on its way. */
int jl_remote_connect(struct jl_exec *x, struct jl_err *err) JL_MUST_CHECK;
void jl_remote_flush(struct jl_exec *x);
/* Ask a job back that has waited there for at least so long, though nothing of it was on its way, and has not begun. If that is
 * still so when the agent hears of it, it ends as JL_JOB_TAKEN_BACK, else it goes on. false: it is none such, or has been asked. */
bool jl_remote_recall(struct jl_exec *x, uint64_t job, int64_t waited_ns);
void jl_remote_ping(struct jl_exec *x); /* measure the round trip */
/* Say that it is over and do not wait for the launcher's end: free() does. */
void jl_remote_hang_up(struct jl_exec *x);
void jl_remote_info(const struct jl_exec *x, struct jl_remote_info *ret);

#endif
