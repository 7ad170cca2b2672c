/* What run.c and engine.c share: the loop, stopping it, and small helpers around the store. */
#ifndef JL_RUN_LOOP_H
#define JL_RUN_LOOP_H

#include "run/engine.h"

/* Take the executor's callbacks. */
void jl_engine_attach(struct jl_engine *e);
/* Run until nothing is left to do. A negative status only if the machine failed (the event loop itself). */
int jl_engine_loop(struct jl_engine *e, struct jl_err *err) JL_MUST_CHECK;
/* A signal came: nothing new is started, running trees are ended (TERM, at the second signal KILL). */
void jl_engine_stop(struct jl_engine *e, int sig);

/* A blob that is not in its record, read whole. */
int jl_loop_read_blob(struct jl_store *store, const struct jl_content *content, struct jl_buf *out) JL_MUST_CHECK;
/* struct jl_store's warn. */
void jl_loop_store_warning(void *ctx, const char *text);

#endif
