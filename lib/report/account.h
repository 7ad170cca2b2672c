/* struct jl_account: a run as its events tell it, read back from their lines (docs/formats/events.md).
 *
 *     struct jl_account a = JL_ACCOUNT_INIT;
 *     r = jl_account_read(&a, fd, "events.ndjson", &err);
 *     jl_account_link(&a);
 *     …; jl_account_release(&a);
 *
 * Steps are in the order of their ends. Texts are UTF-8. Of the output of failures the last 16 KiB each are kept, and of the
 * first 500 only. Where a file holds several runs, the last counts. What is not known is passed over, so that events of a
 * later program can be read; of a run that was killed all is taken that was written.
 */
#ifndef JL_REPORT_ACCOUNT_H
#define JL_REPORT_ACCOUNT_H

#include "base/buf.h"
#include "base/map.h"
#include "base/table.h"
#include "run/event.h"

#define JL_ACCOUNT_OPEN (JL_STEP_MAYBE + 1) /* a status more: it was started, and its end was not told */

struct jl_account_step {
	uint32_t name, ident;    /* text; ident: name and seq */
	uint32_t status;         /* enum jl_step_status, JL_ACCOUNT_OPEN */
	uint32_t slot, attempt;  /* slot 0: not executed, or nobody said where */
	uint32_t host, reason, key, command, log; /* text; 0: none */
	uint32_t waited;         /* text, then (jl_account_link) the step; JL_NONE: none that is known */
	uint32_t output;         /* index in `outputs`, or JL_NONE */
	int exit_code, signal;
	int64_t began_ns, ended_ns, wall_ns, user_ns, sys_ns, max_rss;
	uint64_t seq;
};

struct jl_account {
	struct jl_table text;    /* offset 0: "" */
	struct jl_table steps;   /* struct jl_account_step */
	struct jl_table warnings; /* uint32_t: text; "step: warning" */
	struct jl_table outputs; /* struct jl_buf */
	struct jl_map by_ident;
	uint32_t run;            /* text */
	uint32_t jobs, n_steps;  /* as told at the beginning */
	bool began, ended;       /* run_started, run_finished came */
	struct jl_counts counts; /* as told at the end, else as counted */
	int64_t wall_ns;         /* as told at the end, else the time of the last event */
	int signal;
	/* private */
	struct jl_buf held;      /* output of `held_for`, which has not ended */
	uint32_t held_for;       /* text: ident */
};
#define JL_ACCOUNT_INIT \
	{.text = JL_TABLE_INIT(char), .steps = JL_TABLE_INIT(struct jl_account_step), .warnings = JL_TABLE_INIT(uint32_t), \
	 .outputs = JL_TABLE_INIT(struct jl_buf), .held = JL_BUF_INIT}

/* Take in all that `fd` gives until its end; blocks. JL_EINVAL with "NAME:LINE: ..." when it is no line of events, or there is
 * no run in it; JL_EUNSUPPORTED for a later version of them; JL_EIO. */
int jl_account_read(struct jl_account *a, int fd, const char *name, struct jl_err *err) JL_MUST_CHECK;
/* One line, without its newline; the same errors, without the place. */
int jl_account_line(struct jl_account *a, const char *line, size_t len, struct jl_err *err) JL_MUST_CHECK;
/* After the last line: which step each one waited for. */
void jl_account_link(struct jl_account *a);
void jl_account_release(struct jl_account *a);

static inline const struct jl_account_step *jl_account_step(const struct jl_account *a, uint32_t i)
{
	return JL_AT(a->steps, struct jl_account_step, i);
}
static inline const char *jl_account_text(const struct jl_account *a, uint32_t text)
{
	return text ? jl_text(&a->text, text) : "";
}
/* When it ended, since the run began: of what was executed began_ns + wall_ns. */
int64_t jl_account_end(const struct jl_account_step *s);
bool jl_account_failed(const struct jl_account_step *s);

/* The steps that led to the end, in the order in which they ran (uint32_t): from what ended last back along what each waited
 * for, as far as that was told. Empty when nothing was executed or nobody told what waited for what. */
void jl_account_path(const struct jl_account *a, struct jl_table *ret);
/* The executed steps that took longest, at most `n` (uint32_t), the longest first; ties in order. */
void jl_account_slowest(const struct jl_account *a, uint32_t n, struct jl_table *ret);
/* Nanoseconds that all executed steps took together. */
int64_t jl_account_work(const struct jl_account *a);

#endif
