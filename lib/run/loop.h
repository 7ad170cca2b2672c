/* What run.c and engine.c share: the engine's part of the loop, and small helpers around the store. */
#ifndef JL_RUN_LOOP_H
#define JL_RUN_LOOP_H

#include "run/engine.h"

/* What the loop calls for a run (its owner is the struct jl_engine). */
extern const struct jl_slots_ops jl_engine_slots;

/* A blob that is not in its record, read whole. */
int jl_loop_read_blob(struct jl_store *store, const struct jl_content *content, struct jl_buf *out) JL_MUST_CHECK;
/* struct jl_store's warn. */
void jl_loop_store_warning(void *ctx, const char *text);

#endif
