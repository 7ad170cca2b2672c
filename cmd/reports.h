/* The files that tell of a run: --events, --junit, --trace. All of a run's sinks but the one for people.
 *
 *     status = jl_reports_open(&r, s, "jl run", NULL);   before anything runs
 *     if (status == JL_EXIT_OK) { my_sink.next = r.first; ... }
 *     if (!jl_reports_close(&r)) status = JL_EXIT_MACHINE;
 */
#ifndef JL_CMD_REPORTS_H
#define JL_CMD_REPORTS_H

#include "cmd.h"

#include "report/ci.h"
#include "report/junit.h"
#include "report/ndjson.h"
#include "report/trace.h"

struct jl_reports {
	struct jl_sink *first; /* a list; NULL: none was asked for */
	bool on_stdout;        /* events go to stdout: nothing else may */
	/* private */
	struct jl_ndjson events;
	struct jl_junit junit;
	struct jl_trace trace;
	int events_fd;         /* -1: no events */
	bool has_junit, has_trace;
};
#define JL_REPORTS_INIT {.events_fd = -1}

/* Open what the settings ask for. `suite` and `classname` as in report/junit.h. JL_EXIT_USAGE, after saying why, when
 * something cannot be written; then nothing is open. */
int jl_reports_open(struct jl_reports *r, const struct jl_settings *s, const char *suite, const char *classname);
/* Finish and close them all. false: something could not be written, which was said. */
bool jl_reports_close(struct jl_reports *r);

/* The CI system that reads stderr, by its variables; none when `progress` shows something else there. */
enum jl_ci jl_reports_ci(const struct jl_settings *s);
/* A display on stderr? By `auto` on a terminal that no CI system reads, and if `filter` not when stdout is a pipe: what reads it
 * may want the terminal for itself. */
bool jl_reports_bar(const struct jl_settings *s, bool filter);
/* Colours on stderr? */
bool jl_reports_color(const struct jl_settings *s, bool tty);

#endif
