/* From the remotes of a workspace and of the user's settings to a tier behind the local store. */
#ifndef JL_RUN_REMOTES_H
#define JL_RUN_REMOTES_H

#include "run/event.h"
#include "run/project.h"
#include "store/tier.h"

/* Start it. `reads`: those that are read from are asked. One that cannot be used as it should be (its keys cannot be read, it is
 * open to all) is told and left out. `local` is borrowed; NULL: no remotes, but inputs by
 * URL can be fetched. */
int jl_remotes_connect(struct jl_project *p, struct jl_store *local, bool reads,
		       void (*tell)(void *ctx, const char *text), void *ctx, struct jl_tier **ret,
		       struct jl_err *err) JL_MUST_CHECK;
/* Is there one that a run would ask? */
bool jl_remotes_read(struct jl_project *p);
/* How long the end of a run waits for what is still to be sent. */
int64_t jl_remotes_finish_ns(struct jl_project *p);
/* It is finished: how each remote did that was turned to, told, and noted in the store at `dir` (NULL: not). */
void jl_remotes_account(const struct jl_tier *t, const char *dir,
			void (*tell)(void *ctx, const struct jl_remote_counts *counts), void *ctx);

#endif
