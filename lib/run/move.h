/* Results brought from the remotes, or sent there, without running anything or putting anything in place: JL_MODE_PULL,
 * JL_MODE_PUSH. Part of the engine: steps are decided as in a run, from the inputs that lie there; what a step would have put in
 * place counts as there in memory only, so that the keys of those behind it are known. Where a result is not had, they are not.
 *
 * What came of it is in the counts: restored: it was brought; fresh: the local store had it; would_run: nobody has it; maybe:
 * its key is not known.
 */
#ifndef JL_RUN_MOVE_H
#define JL_RUN_MOVE_H

#include "run/engine.h"

static inline bool jl_move_is(const struct jl_engine *e)
{
	return e->opts->mode == JL_MODE_PULL || e->opts->mode == JL_MODE_PUSH;
}
/* Visit a ready node. */
void jl_move_visit(struct jl_engine *e, uint32_t node);

#endif
