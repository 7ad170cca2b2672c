/* A sink that keeps what `jl report` tells of a run: events, in the workspace's .jl/last-run.
 *
 *     jl_last_run_init(&l);  …the run…  r = jl_last_run_close(&l, &err);
 *
 * The lines are those of --events (docs/formats/events.md) without step_started, without what was fresh (the counts of the
 * last line have it), and with the output of failures only: the last 16 KiB of each, 4 MiB of all. The file is begun when
 * something is done for the first time and takes the place of the one before when the run has ended: a run that finds all
 * fresh costs nothing and leaves it, as does one that is killed. */
#ifndef JL_REPORT_LAST_RUN_H
#define JL_REPORT_LAST_RUN_H

#include "report/file.h"
#include "run/event.h"

#define JL_LAST_RUN_PATH "/.jl/last-run" /* below the workspace */

struct jl_last_run {
	struct jl_sink sink; /* first: the engine gives it back */
	/* private */
	struct jl_report_file file;
	char *path;          /* NULL: no run has begun */
	struct jl_buf early; /* lines, until something is done */
	struct jl_buf output; /* of `step`, which has not ended: stream u8, bytes */
	char *step;
	uint64_t lost;       /* bytes before that */
	size_t all;          /* bytes of output that were written */
	bool refused, ended; /* it cannot be written; the run has ended */
	struct jl_err err;
};

void jl_last_run_init(struct jl_last_run *l);
/* Fails when it could not be written; the one before stays then. */
int jl_last_run_close(struct jl_last_run *l, struct jl_err *err) JL_MUST_CHECK;

#endif
