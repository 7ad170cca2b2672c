/* The sink for people: what the steps print, grouped, each on its own stream; failures at once, with their log and the
 * command that repeats them alone; on a terminal a display that stays below it; and the line that ends a run.
 *
 *     jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = 1, .err_fd = 2, .again = "jl run"});
 *     opts.sinks = &p.sink;  jl_run(&opts, &summary, ...);
 *     jl_plain_summary(&p, &summary.counts, summary.wall_ns);
 *     jl_plain_release(&p);
 *
 * Bytes of the steps pass unchanged, but for replayed ones on a terminal, and all of them above a display (report/screen.h).
 * All else goes to err_fd, but for the lines of a plan, which are its output. A fresh step costs nothing here unless it is
 * asked for. */
#ifndef JL_REPORT_PLAIN_H
#define JL_REPORT_PLAIN_H

#include "report/ci.h"
#include "report/screen.h"

struct jl_plain_opts {
	int out_fd, err_fd;    /* borrowed; may be equal */
	bool out_tty, err_tty; /* they are terminals */
	bool bar;              /* a display on err_fd, if that is a terminal */
	bool color;            /* failures and warnings in colour */
	bool quiet;            /* failures and what they printed; a summary only after a failure */
	unsigned verbose;      /* 1: a line for each step but fresh ones (of a plan: these too); 2: for all */
	bool plan;             /* the run is a plan: lines for what would be done */
	const char *again;     /* what repeats a step when its name is put behind it; borrowed, NULL: nothing does */
	const char *more;      /* likewise, what shows all that it printed: told when quiet */
	enum jl_ci ci;         /* fold the output of failed steps, and of all with verbose, as that system's log does */
};

struct jl_plain {
	struct jl_sink sink; /* first: the engine gives it back */
	struct jl_plain_opts opts;
	/* private */
	struct jl_screen screen;
	struct jl_plain_held *held; /* quiet, or folded: output of steps that have not ended */
	unsigned groups;            /* folded so far */
	int64_t fetch_told_ns; /* when it was said last how far a download is */
};

void jl_plain_init(struct jl_plain *p, const struct jl_plain_opts *opts);
/* `12 steps: 3 ran, 7 fresh, 2 restored, 0 failed in 1.24s (saved 3m12s)`, or that of a plan. */
void jl_plain_summary(struct jl_plain *p, const struct jl_counts *c, int64_t wall_ns);
/* The run ended without its last event: what is drawn goes. */
void jl_plain_end(struct jl_plain *p);
/* errno of the first failed write to out_fd; 0: none. */
int jl_plain_errno(const struct jl_plain *p);
void jl_plain_release(struct jl_plain *p);

#endif
