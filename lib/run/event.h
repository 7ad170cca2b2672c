/* What happens in a run, told to sinks as it happens. Sinks (lib/report) see this header and base only.
 *
 * An event and all it points to is borrowed for the call. Events come on one thread, in order; a step's events are
 * step_started (only when it is executed), step_output (its captured output as one group when it has ended, or replayed on a
 * hit), step_finished. Calls must not block long: they run in the event loop.
 */
#ifndef JL_RUN_EVENT_H
#define JL_RUN_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jl_event_type {
	JL_EVENT_RUN_STARTED,
	JL_EVENT_STEP_STARTED,
	JL_EVENT_STEP_OUTPUT,
	JL_EVENT_STEP_FINISHED,
	JL_EVENT_WARNING,      /* text; step may be NULL */
	JL_EVENT_FETCH,        /* url, fetch, bytes, total (0: not known), wall_ns, reason: an input by URL; the first when it took
	                          a second, the last when it is over */
	JL_EVENT_REMOTE,       /* remote; at the end, for each shared store that was turned to */
	JL_EVENT_HOST,         /* executor, host, text: "up", "lost", "aside" (nothing more is sent there); reason */
	JL_EVENT_RUN_FINISHED,
	/* from here on for displays only */
	JL_EVENT_PROGRESS,     /* counts or time moved, before each wait and when a sink's wake_ns is there; total, eta_ns. With
	                          step: it runs no more, though it is not finished: it waits for another attempt, or its output
	                          for others' */
	JL_EVENT_PAUSED,       /* jl is about to be stopped (SIGTSTP): the terminal is the shell's */
	JL_EVENT_SCREEN,       /* the terminal is not as it was: another size, or jl goes on after a stop */
};

enum jl_step_status {
	JL_STEP_RAN,
	JL_STEP_FRESH,
	JL_STEP_RESTORED,
	JL_STEP_FAILED,
	JL_STEP_SKIPPED,       /* something it needs failed, the run ended before, or its `if` is false */
	JL_STEP_CANCELLED,
	JL_STEP_TIMEOUT,
	/* of a plan only */
	JL_STEP_WOULD_RUN,
	JL_STEP_WOULD_RESTORE,
	JL_STEP_MAYBE,         /* depends on what a step that would run makes */
};
enum jl_fetch_status {
	JL_FETCH_GOES_ON,
	JL_FETCH_DONE,         /* it was brought */
	JL_FETCH_UNCHANGED,    /* the server says that the copy is good */
	JL_FETCH_COPY,         /* the server says nothing; a copy is used */
	JL_FETCH_FAILED,
};
/* "fetching", "fetched", …: static. */
const char *jl_fetch_status_name(enum jl_fetch_status s);
/* "ran", "fresh", …, "would run": static. */
const char *jl_step_status_name(enum jl_step_status s);

struct jl_counts {             /* instances; total grows while late steps expand */
	uint32_t total, ran, fresh, restored, failed, skipped;
	uint32_t running, would_run, would_restore, maybe;
	int64_t saved_ns;      /* stored durations of what was not run again */
};

struct jl_remote_counts {      /* of one shared store in this run */
	const char *name;
	uint64_t hits, misses, refused, failed; /* keys asked for: taken, not there, not believed, no answer */
	uint64_t sent, unsent; /* results that were to be put there */
	uint64_t bytes_in, bytes_out;
	int64_t waited_ns;     /* while it was asked for something */
};
/* "ci: 3 hits, 1 miss, 2 sent, …": a line without its newline; what is 0 is left out. */
struct jl_buf;
void jl_remote_counts_show(struct jl_buf *out, const struct jl_remote_counts *c);

struct jl_event {
	enum jl_event_type type;
	int64_t t_ns;          /* since the run began */
	const char *step;      /* an instance's label, or NULL */
	uint64_t seq;          /* of `jl map`, whose labels may be equal: the job's number, from 1; else 0 */
	const struct jl_counts *counts; /* always */

	const char *run_id;    /* RUN_STARTED */
	uint32_t jobs;         /* RUN_STARTED: slots */
	const char *workspace; /* RUN_STARTED of a manifest's run: its folder, absolute; else NULL */

	uint32_t attempt;      /* STEP_STARTED, STEP_FINISHED: from 1 */
	const char *executor, *host;
	int64_t pid;
	bool terminal;         /* STEP_STARTED: it has the terminal until it ends; nothing is to be drawn */
	const char *command;   /* STEP_STARTED, STEP_FINISHED of a failure: for a person, one line */
	int64_t expected_ns;   /* STEP_STARTED: how long it took the last time; 0: not known */

	int stream;            /* STEP_OUTPUT: 1 or 2 */
	bool replayed;         /* STEP_OUTPUT: from a stored result */
	const void *data;      /* STEP_OUTPUT: bytes as they came */
	size_t len;

	enum jl_step_status status; /* STEP_FINISHED … */
	const char *key;       /* digest text, or NULL */
	int exit_code, signal; /* signal 0: none */
	int64_t wall_ns, user_ns, sys_ns, max_rss_kib;
	uint32_t slot;         /* STEP_FINISHED: it was executed in this slot, from 1; 0: it was not */
	int64_t began_ns;      /* with a slot: when, since the run began; up to began_ns + wall_ns it has it for itself */
	const char *waited_for; /* STEP_FINISHED: of the steps it waited for the one that ended last; NULL: there is none */
	const char *reason;    /* why it ran, why it failed, why it was not stored; NULL: nothing to say */
	const char *detail;    /* of a step asked for, with JL_WHY_ALL: lines, each with its newline; else NULL */
	bool stored;
	const char *log;       /* a failure's log file, relative to the workspace, or NULL */

	const char *text;      /* WARNING */
	const char *url;       /* FETCH: as it may be shown */
	enum jl_fetch_status fetch;
	uint64_t bytes;        /* FETCH: that are there */
	const struct jl_remote_counts *remote; /* REMOTE */
	uint64_t total;        /* FETCH: bytes of all; PROGRESS: how many there are, as far as is known now; 0: nothing is */
	int64_t eta_ns;        /* PROGRESS: from now to the end, by the durations that are known; 0: too few are */
	int end_signal;        /* RUN_FINISHED: the signal that ended the run, or 0 */
};

struct jl_sink {
	void (*event)(struct jl_sink *s, const struct jl_event *e);
	struct jl_sink *next;
	int64_t wake_ns;       /* since the run began: it wants a PROGRESS then at the latest; 0: any time */
};
/* When the first of a list of sinks wants one; 0: none does. */
int64_t jl_sinks_wake(const struct jl_sink *first);

#endif
