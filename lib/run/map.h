/* jl_map(): one command for each record of values, so many at a time, on the one loop (run/slots.h).
 *
 * Values are read as they are needed, with a look-ahead of one job; the command is put together when the job starts; its output
 * goes by way of run/order.h to the caller's functions.
 */
#ifndef JL_RUN_MAP_H
#define JL_RUN_MAP_H

#include "run/event.h"
#include "run/hosted.h"
#include "run/job_table.h"
#include "run/memo.h"
#include "run/order.h"
#include "run/values.h"

enum jl_map_halt { JL_HALT_NEVER, JL_HALT_SOON, JL_HALT_NOW };

/* Where output goes; both functions give the errno of the first write that failed, or 0. */
struct jl_map_show {
	/* stream 1 or 2; `stored`: a job that was not run wrote it, some time */
	int (*write)(void *ctx, int stream, const void *data, size_t len, bool stored);
	int (*flush)(void *ctx);                       /* before waiting */
	void (*say)(void *ctx, const char *text);      /* a line for a person */
	/* What is written from now on is the output of this job; NULL: that was all of it. Only of jobs whose output comes as
	 * a group, has something in it, and which failed or are said one by one (`verbose`). NULL: does not matter. */
	void (*group)(void *ctx, const char *label, int64_t wall_ns);
	/* A job failed: its label, its command, how it ended. */
	void (*failed)(void *ctx, const char *label, const char *command, const char *how);
	void *ctx;
};

struct jl_map_opts {
	const char *const *words; /* the command: see run/replace.h */
	uint32_t n_words;
	struct jl_values_opts values;
	uint32_t jobs;            /* slots; 0: as many as there are processors */
	uint32_t per_job;         /* records a job; 0: one, or with `fill` as many as fit */
	bool fill, context;       /* -m; -X */
	enum jl_order_how order;
	bool tag, dry_run;
	bool eta;                 /* say every second how far it is and when it will end */
	bool quiet;               /* output of failed jobs only */
	bool verbose;             /* say each command */
	enum jl_map_halt halt;
	uint32_t halt_count;      /* failed jobs, or percent of those that ended (from three failures on) */
	bool halt_percent;
	int64_t delay_ns, timeout_ns, kill_after_ns;
	uint32_t retries;
	const char *joblog, *workdir; /* or NULL */
	const char *results;      /* a folder for the output, which is not shown then; or NULL */
	enum jl_resume resume;
	const char *const *environ;
	const struct jl_memo_opts *memo; /* what each job has with jl_memo(), but for the command: `inputs` and `outputs` are
	                                    templates, standard input is none; NULL: jobs are not memoized */
	struct jl_hosted *hosted; /* where jobs run; NULL: on this machine */
	int out_fd;               /* when nobody reads it any more, the run ends; -1: does not matter */
	const struct jl_map_show *show;
	struct jl_sink *sinks;
};

struct jl_map_summary {
	struct jl_counts counts;
	uint64_t failed;
	int64_t wall_ns;
	int signal; /* that ended the run (SIGPIPE: nobody reads), or 0 */
};

/* Negative: jl itself failed, what had begun has ended. `ret` is filled in any case. */
int jl_map(const struct jl_map_opts *opts, struct jl_map_summary *ret, struct jl_err *err) JL_MUST_CHECK;

#endif
