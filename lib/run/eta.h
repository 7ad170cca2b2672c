/* When a run will end, by what its steps took the last time. What may still turn out not to be needed counts until it does, and
 * what never ran counts as what ran here for the first time did on average. */
#ifndef JL_RUN_ETA_H
#define JL_RUN_ETA_H

#include "run/engine.h"

/* From now on: the larger of the work that is left shared out to the slots, and the longest path. 0: not known, as something never
 * ran and nothing like it has in this run. */
int64_t jl_eta_ns(const struct jl_engine *e);

#endif
