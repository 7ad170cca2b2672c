/* jl_memo(): one command run, or its stored result replayed: one call (run/call.h) on the one loop. Keys, records,
 * restoring, the loop and the executor are those of a run; different is, since this is a prefix command: the command
 * sees the caller's whole environment and standard input, its streams are told as they come, nothing is made ready or
 * taken away before it, and who runs the same at the same time waits for the one that began (store/flight.h).
 */
#ifndef JL_RUN_MEMO_H
#define JL_RUN_MEMO_H

#include "digest/digest.h"
#include "run/feed.h"
#include "run/run.h"

struct jl_hosted; /* run/hosted.h */

struct jl_memo_list {
	const char *const *at;
	uint32_t n;
};

struct jl_memo_opts {
	struct jl_run_opts run; /* cwd, cache, force, timeout_ns, kill_after_ns, store, environ, sinks, exec, clock */
	struct jl_memo_list command; /* one word: make's rule says whether a shell gets it */
	struct jl_memo_list inputs, outputs, env, tools, ignore;
	const char *depfile; /* an output that says what else was read; NULL: none. Not with failures_ns >= 0 */
	enum jl_feed_mode feed;
	int stdin_fd;
	int64_t ttl_ns;             /* a result as old as this counts no more; -1: no such limit */
	int64_t failures_ns;        /* store failures and believe them that long; -1: do not */
	bool check;                 /* only look */
	bool transfer;              /* of a map: it only says what goes along to a host and comes back; the cache is off, and no key
	                               is of use */
	struct jl_hosted *hosted;   /* where the command runs; NULL: on this machine */
	const char *label;          /* NULL: the program's name */
	void (*waiting)(void *ctx); /* standard input says nothing for 2 s */
	void *waiting_ctx;
	const volatile int
		*broken; /* a signal number once output can no longer be shown: the command is ended; NULL: never */
};

enum jl_memo_end {
	JL_MEMO_EXITED,   /* exit_code; of the command, now or then */
	JL_MEMO_SIGNALED, /* signal */
	JL_MEMO_TIMEOUT,
	JL_MEMO_NOT_STARTED, /* exit_code 126 or 127; the text is in *err */
	JL_MEMO_STOPPED,     /* we were told to end, by `signal` */
	JL_MEMO_ABSENT,      /* check: nothing is stored */
};

struct jl_memo_result {
	enum jl_memo_end end;
	int exit_code, signal;
	bool hit;         /* nothing was run */
	bool stored;      /* it is in the store */
	int64_t saved_ns; /* what the stored run took */
	struct jl_digest key;
};

/* Negative: the command was not run for a fault of ours or of the options, or an output is not as it must be; *err
 * says it. */
int jl_memo(const struct jl_memo_opts *o, struct jl_memo_result *ret, struct jl_err *err) JL_MUST_CHECK;

#endif
