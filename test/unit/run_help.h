/* struct world: a workspace in a private folder, a store in memory, a fake executor and its clock: what a whole run needs,
 * and no process.
 *
 *     struct world *w = world_new("steps:\n  a: {command: [put, \"${{ output }}\", text], outputs: a.txt}\n");
 *     world_write(w, "in", "...");
 *     world_run(w);                            asserts that jl_run() itself is content
 *     world_expect(w, "ran a\n");              how the steps ended, in order
 *     world_free(w);
 *
 * Commands are played, in the job's folder: [put, OUT, TEXT], [cat, OUT, IN ...], [split, FOLDER, NAME ...] (a file a name,
 * holding its name), [line, OUT, WORD ...] (a line a word); anything else does nothing. How long a step takes, its exit code
 * and so on: fake_exec_on(w->x, LABEL, ...) before the run, with .effect = world_play to have its command played, too. Each
 * run has an executor of its own, made by world_run when the test did not ask for it by world_next.
 */
#ifndef TEST_RUN_HELP_H
#define TEST_RUN_HELP_H

#include "fake_exec.h"
#include "tmpdir.h"

#include "run/run.h"
#include "store/store.h"

struct world {
	struct jl_sink sink; /* first */
	struct tmpdir *dir;
	struct fake_exec *x; /* of the next run, or the last */
	bool used;           /* x has been run on */
	struct jl_clock clock;
	struct jl_store *store;
	struct jl_run_opts o; /* for the next run; a test sets what it wants */
	struct jl_run_summary sum;
	struct jl_messages msgs;
	struct jl_err err;
	struct jl_buf ends;     /* "STATUS LABEL\n" a finished step */
	struct jl_buf reasons;  /* "LABEL: REASON\n" */
	struct jl_buf output;   /* step_output: "LABEL STREAM REPLAYED: bytes" */
	struct jl_buf warnings; /* a line each */
	struct jl_buf kinds;    /* 'R' run started, 's' step started, 'o' output, 'f' finished, 'E' run finished */
	char key[JL_DIGEST_TEXT]; /* of the last step that finished with one */
	uint32_t max_running;
	unsigned stored;        /* finished with stored = true */
	int status;             /* of jl_run() */
};

struct world *world_new(const char *manifest); /* without its first line, the version's */
void world_manifest(struct world *w, const char *manifest);
void world_free(struct world *w);
struct fake_exec *world_next(struct world *w); /* a fresh executor for the next run */
void world_play(void *ctx, const struct jl_job *job, struct fake_run *run); /* ctx: unused */
int world_try(struct world *w);  /* run; the status */
void world_run(struct world *w); /* run; must be JL_OK */
void world_expect(struct world *w, const char *ends);
void world_write(struct world *w, const char *path, const char *text); /* folders are made */
bool world_exists(struct world *w, const char *path);
void world_remove(struct world *w, const char *path);
void world_holds(struct world *w, const char *path, const char *text); /* asserts */
void world_tree(struct world *w, struct jl_buf *out); /* every path with its stamps, to compare */

#endif
