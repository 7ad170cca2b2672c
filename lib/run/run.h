/* jl_run(): one run of a workspace: the front door that `jl run`, `jl plan` and `jl adopt` share.
 *
 *     struct jl_run_opts o = {.environ = environ, .getcwd = cwd, ...};
 *     r = jl_run(&o, &summary, &msgs, &err);
 *
 * Blocks until the run has ended. Manifest errors come back in msgs (JL_EINVAL); a failed step is not an error of jl_run: it
 * stands in the summary. JL_EBUSY: another run holds the workspace and no_wait is set.
 */
#ifndef JL_RUN_RUN_H
#define JL_RUN_RUN_H

#include "base/clock.h"
#include "base/err.h"
#include "base/machine.h"
#include "manifest/manifest.h"
#include "run/event.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_exec;
struct jl_store;
struct jl_loop;

enum jl_run_mode { JL_MODE_RUN, JL_MODE_PLAN, JL_MODE_ADOPT, JL_MODE_PULL, JL_MODE_PUSH }; /* the last two: run/move.h */
enum jl_cache_mode { JL_CACHE_RW, JL_CACHE_RO, JL_CACHE_WO, JL_CACHE_OFF };
/* How much is found out about why a step is not fresh: which kind of thing changed (nothing more is read for it), the first
 * piece of the key that did, or all there is to say of the steps asked for (event.h: detail). */
enum jl_why_mode { JL_WHY_KIND, JL_WHY_PIECE, JL_WHY_ALL };
enum jl_fail_mode { JL_FAIL_SOON, JL_FAIL_NOW, JL_FAIL_KEEP_GOING };

struct jl_run_opts {
	enum jl_run_mode mode;
	const char *manifest;             /* -f; NULL: search upwards from cwd */
	const char *cwd;                  /* absolute: what relative targets and -f are relative to */
	const char *const *targets;       /* STEP, STEP[item], PATH, @TAG */
	uint32_t n_targets;
	const struct jl_var_override *vars;
	uint32_t n_vars;
	uint32_t jobs;                    /* slots; 0: as many as CPUs */
	enum jl_cache_mode cache;
	enum jl_fail_mode fail;
	enum jl_why_mode why;
	bool force;                       /* run what was asked for whatever the store knows */
	const char *const *force_steps;   /* ... and these steps or instances */
	uint32_t n_force_steps;
	const char *from;                 /* a step: it and what depends on it run; NULL: none */
	const char *shuffle;              /* a seed: ready steps are run in an order made from it; NULL: by urgency */
	double max_load;                  /* while others run, start nothing when the load is that high; 0: none */
	uint64_t min_memory;              /* ... or less than so many bytes are free; 0: none */
	const char *executor;             /* where all steps run, whatever they say; NULL: where they say */
	bool no_wait;
	bool offline;                     /* ask no remote, send nothing to one */
	uint32_t retries;                 /* for steps that do not say */
	int64_t timeout_ns;               /* for steps that have none; 0: none */
	int64_t kill_after_ns;            /* 0: 10 s */
	const char *store_dir;            /* absolute; from --store or $JL_STORE; NULL: the manifest's or the default */
	const char *default_store_dir;    /* absolute: the user's settings', else $XDG_CACHE_HOME/jl or ~/.cache/jl */
	struct jl_store_settings config;  /* the user's own settings */
	bool has_max_size;                /* --max-size or $JL_MAX_SIZE: over every other */
	uint64_t max_size;                /* bytes; 0: no cap */
	const char *const *environ;       /* the caller's environment */
	const char *command_line;         /* for the lock's holder line */
	struct jl_sink *sinks;            /* a list */
	void (*waiting)(void *ctx, const char *holder); /* told once when the lock is held by another run */
	void *waiting_ctx;
	/* Parts that tests put in place of the real ones; NULL: real. Borrowed. */
	struct jl_exec *exec;
	struct jl_store *store;
	const struct jl_clock *clock;
	const struct jl_machine *machine;
};

struct jl_run_summary {
	struct jl_counts counts;
	int64_t wall_ns;
	int signal;                       /* the run was ended by this signal; 0: not */
};

int jl_run(const struct jl_run_opts *opts, struct jl_run_summary *ret, struct jl_messages *msgs, struct jl_err *err) JL_MUST_CHECK;

#endif
