/* struct jl_call: one memoized command: its key, whether its result is known, and taking in what it did: the engine
 * with a plan of one instance and no manifest (run/adhoc.h). It runs nothing itself: `jl memo` does that for one
 * call, `jl map --memo` for one a job, each with its own loop. struct jl_calls: what the calls of one process
 * share: the store, opened once, and what the programs are.
 *
 *     r = jl_call_open(&c, &all, &opts, &words, n_shell, err);      the key; c.result.end says why it cannot run
 *     if (r == JL_OK) r = jl_call_find(&c, err);                    JL_CALL_USED: shown, in place, all done
 *     if (r == JL_CALL_RUN) r = jl_call_enter(&c, true);            nobody else is at it, or its result was used
 *     jl_call_begin(), jl_call_begun(), jl_call_output() ..., jl_call_take_in()
 *     jl_call_close(&c);
 *
 * A failure is stored under a key of its own, made of the key: only when asked for, or for those who wait for it
 * right now. So it never takes the place of a success. What is shown goes to the sinks of opts->run, as output events
 * and warnings.
 */
#ifndef JL_RUN_CALL_H
#define JL_RUN_CALL_H

#include "run/capture.h"
#include "run/engine.h"
#include "run/memo.h"
#include "run/tools.h"
#include "run/written.h"
#include "store/flight.h"
#include "store/uses.h"

struct jl_calls {
	const struct jl_run_opts *run; /* borrowed: store, cache, sinks, environ, cwd */
	const char *tmp_dir;
	struct jl_tools tools;
	struct jl_store *store; /* NULL: not open */
	bool own_store, writes, failed;
	bool remotes;         /* shared stores are configured, and are to be turned to: call_shared.h */
	struct jl_tier *tier; /* NULL: not yet, or (no_tier) not at all */
	bool no_tier;
	struct jl_day day; /* what the store was good for */
};

void jl_calls_init(struct jl_calls *all, const struct jl_run_opts *run);
void jl_calls_release(struct jl_calls *all);
/* A warning to the sinks. */
void jl_calls_tell(const struct jl_calls *all, const char *text);
/* NULL: the store is not one of files. */
const char *jl_calls_store_dir(const struct jl_calls *all);

enum jl_call_found {
	JL_CALL_RUN,  /* it has to run */
	JL_CALL_USED, /* `result` and `status` say what the stored run gave */
	JL_CALL_BUSY, /* somebody else is at it */
};

struct jl_call {
	const struct jl_memo_opts *o;
	struct jl_calls *all;
	struct jl_engine e;
	struct jl_feed feed;
	struct jl_running run; /* key and inputs as decided; the result of a run */
	struct jl_digest failure_key;
	struct jl_flight flight;
	int64_t waits_since_ns; /* 0: it did not have to wait for others */
	struct jl_capture log;
	struct jl_written written; /* the outputs as they were before */
	int feed_fd;
	struct jl_memo_result result;
	enum jl_step_status status;
};

/* Make the key. `words` (const char *), of which `n_shell` are a shell's: what is executed. All is borrowed until the
 * call is closed, which it must be after a failure, too. Negative with result.end JL_MEMO_NOT_STARTED: there is no
 * such program. May block for standard input. */
int jl_call_open(struct jl_call *c, struct jl_calls *all, const struct jl_memo_opts *o, const struct jl_table *words,
		 uint32_t n_shell, struct jl_err *err) JL_MUST_CHECK;
void jl_call_close(struct jl_call *c);
const char *jl_call_label(const struct jl_call *c);

/* enum jl_call_found; negative: an input is missing or cannot be read. May be called again when the store has got more. */
int jl_call_find(struct jl_call *c, struct jl_err *err) JL_MUST_CHECK;
/* The call's store is open for writing; false: it cannot be, or must not. */
bool jl_call_writable(struct jl_call *c);
/* Before it is run: take the key's flight, and look once more. `wait`: until it is ours or its result was used; else
 * JL_CALL_BUSY at once, to be called again. */
enum jl_call_found jl_call_enter(struct jl_call *c, bool wait);

/* Describe the run: stdin, folder, environment, limits; argv is the caller's. Once it was started, or could not be:
 * begun(). */
int jl_call_begin(struct jl_call *c, struct jl_job *ret, struct jl_err *err) JL_MUST_CHECK;
void jl_call_begun(struct jl_call *c);
void jl_call_output(struct jl_call *c, int stream, const void *data, size_t len);
/* It has ended: look at the outputs, store. `result` and `status` tell it; negative: an output is not as it must be, or
 * the executor lost it. JL_MEMO_NOT_STARTED: *err says why, too. */
int jl_call_take_in(struct jl_call *c, const struct jl_slot_job *job, struct jl_err *err) JL_MUST_CHECK;
/* It will be run once more, from enter() on: forget what it wrote. */
void jl_call_again(struct jl_call *c);

#endif
