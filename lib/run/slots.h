/* struct jl_slots: jobs on an executor, so many at a time. The one loop of jl: what the jobs are (a manifest's steps, one
 * command a line) is the owner's business.
 *
 * The owner's work() finds out what is to be done next; when that is to execute something, it hands the job over with
 * jl_slots_hold(), and is not asked again until the job has a slot: a look-ahead of one, so that a slot never waits for
 * what comes before a start, and memory does not grow with the run. With `lanes` there is one such job for this machine and
 * one for hosts, so that neither waits for the other's slots; the owner holds none for a lane that has one. What has ended is
 * given back by ended() after the next one was started, unless it failed: then first, since it may mean that nothing more is
 * to start.
 *
 * When the machine has no process or descriptor to give, a job waits for the next end; with nothing running it is tried again,
 * at growing intervals, for 5 s in all. Then it ends as JL_JOB_NOT_STARTED, and so do all that follow until one is started.
 *
 *     jl_slots_init(&s, n, exec, clock, &ops, owner);   jl_slots_loop(&s, err);   jl_slots_release(&s);
 */
#ifndef JL_RUN_SLOTS_H
#define JL_RUN_SLOTS_H

#include "base/clock.h"
#include "exec/exec.h"
#include "run/tokens.h"

struct jl_slot_job {             /* first in the owner's own struct */
	uint32_t slot;               /* from 0, while it runs */
	int64_t pid;                 /* of its first process; 0: none */
	int64_t began_ns;            /* just before it was started, by the clock */
	struct jl_job_result result; /* once it has ended; result.why is `why` or NULL */
	char why[256];
	uint32_t units;              /* tokens of a jobserver that it takes; 0: one. Set by the owner, before it is held, as ... */
	bool elsewhere;              /* ... that it runs on a host, and takes none */
	/* private */
	struct jl_slot_job *next;
	bool bad;
};

struct jl_slots_ops {
	/* One piece of work: decide one thing, read one line. May call jl_slots_hold() once. false: nothing to do now. */
	bool (*work)(void *owner);
	/* The job has a slot: make ready and describe. The strings of *ret stay the owner's until begun(). An error ends the job
	 * as JL_JOB_NOT_STARTED. Positive: it is not to be started now; the owner has it back. */
	int (*begin)(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err);
	/* After begin(), whatever came of it: free what it made. `started`: it runs. */
	void (*begun)(void *owner, struct jl_slot_job *job, bool started);
	void (*output)(void *owner, struct jl_slot_job *job, int stream, const void *data, size_t len);
	/* It has ended; take it in and free it. */
	void (*ended)(void *owner, struct jl_slot_job *job);
	/* It was held and nothing starts any more: free it. */
	void (*dropped)(void *owner, struct jl_slot_job *job);
	/* May it start now? Asked while others run only; NULL: always. Asked again after each end and twice a second. */
	bool (*may_start)(void *owner, struct jl_slot_job *job);
	/* It ended as if it were good; is it? Looked at before the next one is started; NULL: yes. */
	bool (*is_good)(void *owner, struct jl_slot_job *job);
	/* Now and then (after each end, at least twice a second, and at tick_ns), and before waiting (`idle`). */
	void (*turn)(void *owner, bool idle);
	/* The terminal: jl is about to be stopped (SIGTSTP), goes on (SIGCONT), or its window has another size (SIGWINCH). NULL:
	 * does not matter. */
	void (*terminal)(void *owner, int sig);
};

struct jl_slots {
	struct jl_exec *exec;        /* borrowed; NULL when nothing can be executed (a plan) */
	const struct jl_clock *clock;
	const struct jl_slots_ops *ops;
	void *owner;
	struct jl_tokens *tokens;    /* borrowed; what else bounds the number of jobs. Set after init; NULL: nothing */
	struct jl_slot_job **running; /* by slot */
	uint32_t n, n_running;
	uint32_t units;              /* of those that run here */
	bool lanes;                  /* set after init */
	struct jl_slot_job *held[2]; /* by jl_slot_job.elsewhere */
	struct jl_slot_job *first_ended; /* a queue */
	uint32_t n_bad;              /* of those: failures */
	bool waiting;                /* work() had nothing, but will once the executor's poll has seen something of the owner's: it
	                                sets and clears this */
	int64_t wake_ns;             /* while waiting: work() has something then at the latest; 0: the poll will tell */
	int64_t tick_ns;             /* turn() is wanted then at the latest; 0: any time */
	bool starved;                /* the machine had no process to give: wait for an end */
	int64_t refused_ns;          /* it has had none since, though nothing runs that could end; 0: it has */
	int64_t retry_ns, delay_ns;  /* while so: when to try again, and how long that waits */
	bool stopping;               /* nothing more is started */
	int signal;                  /* that ended the run, or 0 */
	uint32_t signals;
};

void jl_slots_init(struct jl_slots *s, uint32_t n, struct jl_exec *exec, const struct jl_clock *clock,
                   const struct jl_slots_ops *ops, void *owner);
void jl_slots_release(struct jl_slots *s);
void jl_slots_hold(struct jl_slots *s, struct jl_slot_job *job);
/* Until work() has nothing left and all have ended. Blocks. Negative only if the machine failed (the event loop itself). */
int jl_slots_loop(struct jl_slots *s, struct jl_err *err) JL_MUST_CHECK;

/* Start nothing more; `cancel`: end what runs, too. */
void jl_slots_stop(struct jl_slots *s, bool cancel);
/* A signal came: stop and end what runs; at the second one by KILL at once. */
void jl_slots_signal(struct jl_slots *s, int sig);
/* The terminal's stop and its end, for what runs: each job is a process group of its own and does not get them. */
void jl_slots_pause(struct jl_slots *s, bool pause);

#endif
