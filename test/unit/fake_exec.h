/* struct fake_exec: an executor without processes, for tests of what uses one. A test says per label how a job goes;
 * time is a clock of its own that only poll() moves, to the next end of a job, so a day of work takes no time.
 *
 *     struct jl_clock clock;
 *     struct fake_exec *f = fake_exec_new(&clock);
 *     fake_exec_on(f, "flaky", &(struct fake_run){.exit_code = 1});            first start
 *     fake_exec_on(f, "flaky", &(struct fake_run){.out = "ok\n", .effect = write_output});  second and later ones
 *     engine(..., &f->exec, &clock);
 *     assert_int_equal(fake_exec_starts(f, "flaky"), 2);
 *     f->exec.ops->free(&f->exec);                                             the clock ends with it
 *
 * A label without a run goes as `fallback` says: unless a test changes it, it exits 0 after 1 ms and prints nothing.
 * Each poll() moves the clock to the next end that is not after `until_ns` and ends that one job (equal ends: in order
 * of start): its output, its effect, its done(). If there is none, the clock moves to `until_ns`; with no end to come
 * and JL_FOREVER, poll() returns JL_EIO instead of hanging.
 * There is no limit on slots: how many run at once is the caller's doing, and seen in max_running.
 */
#ifndef TEST_FAKE_EXEC_H
#define TEST_FAKE_EXEC_H

#include "base/buf.h"
#include "base/clock.h"
#include "exec/exec.h"

struct fake_run {
	enum jl_job_end end;    /* EXITED by default */
	int exit_code, signal;
	int64_t duration_ns;    /* 0: 1 ms; JL_FOREVER: until cancelled or timed out */
	const void *out, *err;  /* bytes of stdout and stderr; the pointers must stay valid */
	size_t out_len, err_len; /* 0: strlen */
	bool pipe_held;
	int64_t max_rss_kib;
	const char *why;
	/* Called before done(), not after a timeout or cancel; `job` is as it was started; may change `run` (a copy): its
	 * end, code and output. */
	void (*effect)(void *ctx, const struct jl_job *job, struct fake_run *run);
	void *ctx;
};

struct fake_exec {
	struct jl_exec exec; /* first */
	int64_t now_ns;      /* begins at 1 s; a test may move it forward */
	unsigned running, max_running;
	unsigned started;    /* starts that returned JL_OK */
	unsigned busy;       /* so many of the next starts return JL_EBUSY */
	struct fake_run fallback; /* of labels without a run */
	struct jl_buf log;   /* "start LABEL\n", "end LABEL\n", "term LABEL\n", "kill LABEL\n" in order */
	struct fake_script *scripts; /* its own */
	struct fake_job *jobs;       /* its own, in order of start */
};

struct fake_exec *fake_exec_new(struct jl_clock *ret_clock);
/* How the next start of `label` goes. Several calls: one a start, the last one for all that follow. */
void fake_exec_on(struct fake_exec *f, const char *label, const struct fake_run *run);
unsigned fake_exec_starts(const struct fake_exec *f, const char *label);

#endif
