/* Packing the plan and the text it shares with the state: what earlier plans and expansions left behind is given up. */
#ifndef JL_RUN_COMPACT_H
#define JL_RUN_COMPACT_H

#include "run/project.h"

/* Is there enough garbage (a plan that was compiled over an older one, more dead instances than live ones)? */
bool jl_compact_due(const struct jl_project *p);
/* Copy what lives into new tables. Indices of files and results stay; those of the plan and all text change, so nothing may
 * hold on to them. Only before the project is closed. */
void jl_compact(struct jl_project *p);

#endif
