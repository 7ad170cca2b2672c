/* struct jl_order: in which order and how the output of jobs is shown, so that no two mix: as a group when a job ends (stdout,
 * then stderr), as groups in the order of the input, by whole lines as they come, or (asked for) just as it comes.
 *
 *     jl_order_init(&o, &opts);
 *     jl_order_begin(&o, &job);  jl_order_add(&o, &job, 1, data, len, err);  jl_order_end(&o, &job, true, err);
 */
#ifndef JL_RUN_ORDER_H
#define JL_RUN_ORDER_H

#include "run/gather.h"

#include <stdbool.h>

enum jl_order_how { JL_ORDER_ENDED, JL_ORDER_INPUT, JL_ORDER_LINES, JL_ORDER_MIXED };

struct jl_order_job {
	uint64_t turn;              /* with JL_ORDER_INPUT: place in the order */
	struct jl_gather out[2];    /* stdout, stderr */
	bool mid_line[2];           /* what was shown last was no end of a line */
};
#define JL_ORDER_JOB_INIT {.out = {JL_GATHER_INIT, JL_GATHER_INIT}}

struct jl_order_opts {
	enum jl_order_how how;
	/* Write these bytes; `job` is whose they are. */
	void (*write)(void *ctx, struct jl_order_job *job, int stream, const void *data, size_t len);
	/* The text before each line of the job, or NULL. */
	const char *(*tag)(void *ctx, struct jl_order_job *job);
	/* All of the job was shown: free it. */
	void (*shown)(void *ctx, struct jl_order_job *job);
	void *ctx;
};

struct jl_order {
	struct jl_order_opts opts;
	struct jl_spill spill;
	uint64_t next_turn, begun;       /* shown next; jobs that began */
	struct jl_order_job **waiting;   /* ended before their turn: by turn % cap */
	uint32_t cap;
};

void jl_order_init(struct jl_order *o, const struct jl_order_opts *opts);
void jl_order_release(struct jl_order *o); /* calls shown() for jobs that still wait, without showing them */
/* So many wait for one that has not ended that no more should begin. */
bool jl_order_full(const struct jl_order *o);
/* The job gets its turn. */
void jl_order_begin(struct jl_order *o, struct jl_order_job *job);
int jl_order_add(struct jl_order *o, struct jl_order_job *job, int stream, const void *data, size_t len, struct jl_err *err)
	JL_MUST_CHECK;
/* Forget what was gathered: the job starts again. */
void jl_order_again(struct jl_order *o, struct jl_order_job *job);
/* It has ended; `show`: its output counts. Calls shown() for it and those it held up, now or when their turn comes. */
int jl_order_end(struct jl_order *o, struct jl_order_job *job, bool show, struct jl_err *err) JL_MUST_CHECK;
void jl_order_job_release(struct jl_order_job *job);

#endif
