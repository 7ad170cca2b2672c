/* struct jl_far_job: a job on the agent's side: its folder, what came for it, what it left. The conversation: serve.h. */
#ifndef JL_AGENT_JOB_H
#define JL_AGENT_JOB_H

#include "agent/home.h"
#include "base/table.h"
#include "exec/exec.h"
#include "exec/message.h"

enum jl_far_phase {
	JL_FAR_WANTING, /* inputs are on their way */
	JL_FAR_READY,   /* waits for a slot */
	JL_FAR_RUNNING,
	JL_FAR_ENDED,   /* outputs may be fetched until it is forgotten */
};

struct jl_far_job {
	struct jl_far_job *next;
	uint64_t id;
	enum jl_far_phase phase;
	struct jl_msg_start start;   /* in `arena`; `bytes` of its inputs are gone */
	struct jl_arena arena;
	struct jl_folder *folder;    /* NULL: none yet */
	int root_fd;                 /* of its NAME/w, or the shared folder; -1: nothing is put or looked for there */
	pid_t pid;                   /* while it runs; 0: not known */
	int64_t began_ns;            /* by jl_folders_now() */
	bool alone;                  /* it has ended, and so has all that it started */
	struct jl_table missing;     /* uint32_t: inputs that are not there yet */
	struct jl_table outs;        /* struct jl_msg_out, once it has ended */
	bool cancelled;
	uint64_t unsaid;             /* bytes of output that the other side has not given credit for */
	bool held;
};

/* Make the folder, the inputs' folders, what came with the message (whose bytes are borrowed), and what the home has. The rest is
 * in `missing`. A job in a folder that both sides have gets nothing: its inputs are looked at. JL_EINVAL, JL_ECHANGED: the
 * job cannot be; text for the user. */
int jl_far_job_set_up(struct jl_far_job *j, struct jl_home *h, struct jl_err *err) JL_MUST_CHECK;
/* Put a missing input in place from a checked file. `name` (below the home's dir_fd) may be moved there; NULL: copied from fd. */
int jl_far_job_place(struct jl_far_job *j, struct jl_home *h, uint32_t index, const char *name, int fd,
                     struct jl_err *err) JL_MUST_CHECK;
/* All inputs are there: links, folders for outputs, a script that is too long for an argument, stdin. */
int jl_far_job_finish(struct jl_far_job *j, const struct jl_home *h, struct jl_err *err) JL_MUST_CHECK;
/* What is there of the declared outputs: fills `outs`. */
int jl_far_job_collect(struct jl_far_job *j, struct jl_err *err) JL_MUST_CHECK;
/* What it has made may be wanted by a job that comes: keep it. */
void jl_far_job_keep(struct jl_far_job *j, struct jl_home *h);
/* Take its folder away and free it. */
void jl_far_job_free(struct jl_far_job *j, struct jl_home *h);

#endif
