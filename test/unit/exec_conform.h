/* What every executor must do. A kind gives a way to make one; exec_conform() runs all cases over it, each on a fresh
 * executor. Jobs are given as commands, for kinds that have processes, and as scripts, for the fake. */
#ifndef TEST_EXEC_CONFORM_H
#define TEST_EXEC_CONFORM_H

#include "base/buf.h"
#include "base/clock.h"
#include "exec/exec.h"

#include "fake_exec.h"

struct exec_kind {
	const char *name;
	struct jl_exec *(*make)(struct jl_clock *ret_clock);
	void (*unmake)(struct jl_exec *x); /* free() is called before */
	bool scripted;                     /* it is a struct fake_exec */
	const char *host;                  /* NULL: "local" */
};

/* Returns the number of failed cases, as cmocka does. */
int exec_conform(const struct exec_kind *kind);

/* Collected events, for these and other tests of executors. */
enum { SEEN_JOBS = 256 };
struct seen_job {
	struct jl_buf out, err;
	struct jl_job_result result;
	char why[500];
	unsigned done;
	unsigned order; /* 1 for the first done() */
};
struct seen {
	struct jl_exec *exec;
	struct seen_job jobs[SEEN_JOBS]; /* by id */
	unsigned done;
	bool quiet;          /* count output, do not keep it */
	uint64_t bytes;
	void (*on_done)(struct seen *s, uint64_t id);
	void (*on_output)(struct seen *s, uint64_t id);
};
void seen_init(struct seen *s, struct jl_exec *x); /* sets x->events */
void seen_release(struct seen *s);
/* Poll until `count` jobs are done; the test fails if poll() does. */
void seen_wait(struct seen *s, unsigned count);

/* A job with sane defaults: its command is SH("script"), say; no stdin, in "/". */
struct jl_job sh_job(uint64_t id, const char *const *argv);
#define SH(script) ((const char *const[4]){"sh", "-c", (script), NULL})

#endif
