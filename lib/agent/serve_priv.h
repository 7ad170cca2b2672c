/* struct jl_serve: an agent's conversation from the inside, for serve.c (messages, jobs) and wants.c (contents that come). */
#ifndef JL_AGENT_SERVE_PRIV_H
#define JL_AGENT_SERVE_PRIV_H

#include "agent/home.h"
#include "agent/job.h"
#include "exec/exec.h"
#include "exec/link.h"
#include "exec/transfer.h"

struct jl_want {                /* a content that is on its way */
	struct jl_want *next;
	struct jl_digest digest;
	uint64_t id;         /* it comes as this input of this job */
	uint32_t index;
	char name[128];
	int fd;
	bool resumed;        /* a part of it was there from before: if it is wrong in the end, that part may be at fault */
	struct jl_receive rx;
};

struct jl_serve {
	struct jl_link link; /* first */
	struct jl_loop *loop;
	struct jl_exec *exec;
	struct jl_home home;
	bool at_home, called, over;
	char why[JL_ERR_TEXT];/* why it is over, when the other side did not end it */
	const char *const *environ;
	uint32_t slots, running, used; /* that there are; jobs that run; slots that they take */
	uint64_t memory, claimed;      /* bytes that there are; that those which run are said to need */
	int64_t silence_ns;
	struct jl_timer silence;
	struct jl_far_job *jobs; /* in the order they came */
	struct jl_want *wants;
	struct jl_sends sends;
};

/* serve.c */
void jl_serve_say(struct jl_serve *s, enum jl_lane lane, const struct jl_msg *m);
/* It cannot be: for what it is, or (by its errno) because this host cannot. */
void jl_serve_refuse(struct jl_serve *s, struct jl_far_job *j, const struct jl_err *why);
/* Its inputs have all come. */
void jl_serve_all_there(struct jl_serve *s, struct jl_far_job *j);

/* wants.c */
/* Ask for what the job lacks and is not on its way. */
int jl_wants_ask(struct jl_serve *s, struct jl_far_job *j, struct jl_err *err) JL_MUST_CHECK;
/* The job that contents came for is no more: others that wait for them ask themselves. What has come stays for them. */
void jl_wants_let_go(struct jl_serve *s, uint64_t id);
/* A piece of one has come. An error: the other side does not keep to the protocol. */
int jl_wants_data(struct jl_serve *s, const struct jl_msg *m, struct jl_err *err) JL_MUST_CHECK;
void jl_wants_release(struct jl_serve *s);

#endif
