/* What the files of jl_map() share: map.c, map_input.c, map_memo.c, map_hosts.c, map_tell.c. */
#ifndef JL_RUN_MAP_PRIV_H
#define JL_RUN_MAP_PRIV_H

#include "run/call.h"
#include "run/local.h"
#include "run/map.h"
#include "run/replace.h"

struct map_call {                    /* a job as a memoized command, from look-up to end */
	struct jl_memo_opts opts;
	struct jl_replace_out command, inputs, outputs;
	struct jl_table words;      /* of `command`, without the NULL */
	struct jl_call call;
	struct map_call *next;
};

struct map_job {
	struct jl_slot_job slot;    /* first: the loop's */
	struct jl_order_job out;
	struct jl_args args;
	uint64_t seq;               /* from 1 */
	uint32_t attempt;           /* from 1 */
	uint64_t received;          /* bytes of stdout */
	int64_t start_real_ns;
	int files[2];               /* of --results, or -1 */
	bool cancelled, dropped;    /* ended by us; held, and never started */
	bool flooded;               /* ended by us: there was no room for its output */
	bool grouped;               /* its output is being shown as a group */
	bool far, here;             /* it runs on a host; it has a slot of this machine */
	struct jl_trouble trouble;  /* that it had with its hosts */
	bool stored;                /* its result is an earlier one's */
	bool kept;                  /* its result is in the store now */
	bool answered;              /* what was asked for on its behalf was answered: to be looked up again */
	enum jl_step_status status; /* of one that ended well */
	struct jl_digest key;       /* with --memo */
	struct map_call *memo;      /* NULL: not now, or not memoized */
	struct map_job *next;       /* in a list: free ones, those to run again, those that wait */
};

struct map_memo {                   /* all of it only with --memo */
	struct jl_memo_opts opts;   /* as given, with `sink` */
	struct jl_calls calls;
	struct jl_replace *inputs, *outputs;
	struct jl_sink sink;        /* of the calls */
	struct map_job *telling;    /* whose call that is */
	struct map_call *unused;
	struct map_job *parked;     /* somebody else is at their keys: in the order they are tried again */
	uint32_t n_parked, n_try;   /* so many of them now */
	struct jl_timer timer;
	struct map_asked *asked;    /* of the remotes, not answered yet */
	uint32_t n_asked;           /* ... with a job that waits */
	struct map_job *answered, **answered_last;
	struct jl_watch answers;
	bool waiting;               /* slots.waiting is set for them */
};

struct map_hosts {                  /* all of it only with hosts */
	struct map_job *parked;     /* it waits for a slot; NULL: none */
	uint32_t slots_here, n_here; /* of this machine; taken */
	bool waiting;               /* slots.waiting is set for it */
};

struct map {
	const struct jl_map_opts *opts;
	struct jl_local local;
	struct jl_slots slots;
	struct jl_order order;
	struct jl_values *values;
	struct jl_replace *replace; /* NULL until the columns' names are known */
	struct jl_job_table table;
	uint32_t jobs;

	uint64_t seq;               /* of the job made last */
	struct map_job *building;   /* its values are not all there */
	uint32_t records;           /* in it */
	size_t size;                /* of its command, with `fill` */
	struct jl_args ahead;       /* with `fill`: the record that did not fit */
	bool has_ahead;
	struct jl_args rest;        /* with `fill`: the last values, spread over the slots */
	uint32_t rest_at, share;    /* share 0: not that far */
	bool ended;                 /* no more values */
	struct map_job *again, *unused;

	struct jl_watch input, reader; /* input that is not there yet; the reader of stdout */
	struct jl_timer delay;
	int64_t start_after_ns;     /* with a delay */

	struct jl_replace_out command;
	struct jl_buf line, label, path;
	struct jl_counts counts;
	uint64_t failed, done;
	struct map_memo memo;
	struct map_hosts hosts;
	int64_t began_ns, eta_ns;
	int status;                 /* jl failed: why is in `err` */
	struct jl_err err;
};

enum map_next { MAP_NONE, MAP_JOB, MAP_AGAIN }; /* nothing now; *ret; something was done, ask again */
/* The next job to run. Sets slots.waiting when there will be one later. */
enum map_next map_next(struct map *m, struct map_job **ret);
struct map_job *map_job_get(struct map *m);
void map_job_put(struct map *m, struct map_job *job);
/* Once the columns' names are known: the command, and what else has replacement strings. */
int map_read_command(struct map *m, struct jl_err *err) JL_MUST_CHECK;
struct jl_replace_with map_with(const struct map_job *job);
/* jl itself failed with m->err: nothing more starts. */
void map_fail(struct map *m, int status);
/* map.c: output of a job, from it or from the store. Its last: result and status are set, and it will not run again. */
int map_open_results(struct map *m, struct map_job *job, struct jl_err *err) JL_MUST_CHECK;
void map_close_results(struct map_job *job);
void map_output(struct map *m, struct map_job *job, int stream, const void *data, size_t len);
void map_finish(struct map *m, struct map_job *job);

/* map_tell.c. The texts are good until the next call. */
int64_t map_now_ns(const struct map *m);
bool map_is_good(const struct jl_job_result *r);
const char *map_label(struct map *m, const struct map_job *job);   /* the values with blanks between: what a job is called */
const char *map_command(struct map *m, const struct map_job *job); /* on one line */
void map_emit(struct map *m, struct jl_event *ev);
void map_tell_end(struct map *m, const struct map_job *job);
void map_tell_failure(struct map *m, const struct map_job *job);
void map_tell_eta(struct map *m, bool last);                       /* if it is time to */
/* JL_EVENT_PROGRESS, before waiting and when a sink wants one; `job`: it runs no more, and will again. */
void map_tell_progress(struct map *m, const struct map_job *job, bool idle);

/* Are calls only there for what travels? */
static inline bool map_transfers(const struct map *m)
{
	return m->opts->memo && m->opts->memo->transfer;
}

/* map_memo.c. Nothing of it does anything without --memo. */
void map_memo_open(struct map *m);
void map_memo_release(struct map *m);
void map_memo_finish(struct map *m); /* no job is left: wait for what is sent to the remotes */
/* A job that waited for somebody else's result, or for a remote, to be looked at again; NULL: none now. */
struct map_job *map_memo_again(struct map *m);
bool map_memo_full(const struct map *m);  /* so many wait that no more should be looked at */
void map_memo_wait(struct map *m);        /* nothing else is to be done */
/* Look the job up. true: its result was there, or it cannot run: it has ended. */
bool map_memo_find(struct map *m, struct map_job *job);
/* It has a slot. Positive: it has ended, or waits for somebody. */
int map_memo_begin(struct map *m, struct map_job *job, struct jl_job *ret, struct jl_err *err) JL_MUST_CHECK;
/* It has ended, for good or well: take the result in. A success becomes a failure if its outputs are not as they must be. */
void map_memo_ended(struct map *m, struct map_job *job);
void map_memo_retry(struct map *m, struct map_job *job); /* it is to run once more */
void map_memo_put(struct map *m, struct map_job *job);   /* its call is over */

/* map_hosts.c. Without hosts all is as if there were nothing of it. */
/* Behind jl_local_open(): *ret_slots is how many jobs there may be at once. */
int map_hosts_open(struct map *m, uint32_t *ret_slots, struct jl_err *err) JL_MUST_CHECK;
void map_hosts_close(struct map *m);
struct jl_exec *map_hosts_exec(const struct map *m); /* of all jobs */
/* Hand the job to the loop, now or once there is a slot for it. No host can be had at all: the run ends. */
void map_hosts_hold(struct map *m, struct map_job *job);
bool map_hosts_again(struct map *m); /* one waits: was it handed over now? */
/* Say where it runs and what goes along. */
int map_hosts_begin(struct map *m, struct map_job *job, struct jl_job *ret, struct jl_err *err) JL_MUST_CHECK;
void map_hosts_begun(struct map *m, struct map_job *job); /* it runs */
bool map_hosts_ended(struct map *m, struct map_job *job); /* true: its host was lost, and it is to run again */
const char *map_hosts_executor(const struct map *m, const struct map_job *job); /* as events name it */

#endif
