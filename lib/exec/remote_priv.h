/* The inside of a remote executor: its connection (remote.c) and its jobs (remote_job.c). For these two only. */
#ifndef JL_EXEC_REMOTE_PRIV_H
#define JL_EXEC_REMOTE_PRIV_H

#include "exec/landing.h"
#include "exec/link.h"
#include "exec/remote.h"
#include "exec/same.h"
#include "exec/transfer.h"

struct remote_job {
	struct remote_job *next;
	uint64_t id, wire;           /* the caller's number, and that on the wire, which no other job ever has */
	struct jl_arena arena;
	struct jl_cargo cargo;       /* a copy, but for `have` and root_fd */
	struct jl_buf start;         /* its START, until that is sent */
	bool cancel, ended;          /* told to end; the agent has said how it ended */
	bool began, asked, recalled; /* it runs; contents were asked for; it was asked back */
	int64_t sent_ns;             /* when its START was given to the connection; 0: not yet */
	bool over;                   /* to be reported from the loop */
	struct jl_job_result result;
	char why[400];
	struct jl_landing landing;
	uint64_t unsaid;             /* bytes of output that the agent has not been given credit for */
};

struct remote {
	struct jl_exec exec;         /* first */
	struct jl_loop *loop;
	struct jl_remote_config config;
	enum jl_remote_state state;
	struct jl_link link;         /* of no use while DOWN */
	struct jl_launched launched;
	struct jl_watch errors;      /* what the launcher says on stderr */
	char said[300];              /* ... its last line */
	size_t said_len;
	char nonce[JL_NONCE];
	bool called;                 /* CALL was sent, and nothing has passed over it */
	struct jl_same same;         /* until it has answered */
	bool unfit;
	struct jl_timer beat, soon;
	int64_t launched_ns, pinged_ns, round_trip_ns, connected_ns;
	uint32_t slots;
	uint64_t memory, before_sent, before_received;
	struct jl_arena names;       /* of what follows */
	const char *arch, *boot_id, *program;
	char why[400];
	struct jl_arena launch;      /* the launcher's words */
	struct remote_job *jobs;
	uint32_t n_jobs, n_waiting;  /* ... of which have not begun */
	uint64_t last_wire;
	struct jl_sends sends;
};

/* remote_job.c */
int jl_remote_job_start(struct remote *m, const struct jl_job *job, struct jl_err *err) JL_MUST_CHECK;
int jl_remote_job_message(struct remote *m, const struct jl_msg *msg, struct jl_err *err) JL_MUST_CHECK;
void jl_remote_job_cancel(struct remote *m, struct remote_job *j, enum jl_cancel how);
bool jl_remote_job_recall(struct remote *m, struct remote_job *j); /* ask it back; false: there is no asking */
void jl_remote_job_end(struct remote *m, struct remote_job *j); /* report it and free it */
void jl_remote_job_free(struct remote *m, struct remote_job *j);
void jl_remote_jobs_send(struct remote *m); /* those that waited for the connection */
void jl_remote_jobs_lost(struct remote *m, const char *why);
void jl_remote_say(struct remote *m, const struct jl_msg *msg);

#endif
