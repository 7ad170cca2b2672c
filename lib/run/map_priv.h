/* What map.c and map_input.c share. */
#ifndef JL_RUN_MAP_PRIV_H
#define JL_RUN_MAP_PRIV_H

#include "run/local.h"
#include "run/map.h"
#include "run/replace.h"

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
	bool grouped;               /* its output is being shown as a group */
	struct map_job *next;       /* in a list: free ones, those to run again */
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
	int64_t began_ns, eta_ns;
	int status;                 /* jl failed: why is in `err` */
	struct jl_err err;
};

enum map_next { MAP_NONE, MAP_JOB, MAP_AGAIN }; /* nothing now; *ret; something was done, ask again */
/* The next job to run. Sets slots.waiting when there will be one later. */
enum map_next map_next(struct map *m, struct map_job **ret);
struct map_job *map_job_get(struct map *m);
void map_job_put(struct map *m, struct map_job *job);
/* jl itself failed with m->err: nothing more starts. */
void map_fail(struct map *m, int status);

#endif
