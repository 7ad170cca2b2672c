/* Variables that a step's script uses and that are set outside but not passed: nearly always a mistake, told once a step when
 * it runs (or would). */
#ifndef JL_RUN_USES_H
#define JL_RUN_USES_H

#include "run/engine.h"

/* Note those that the step does not pass in its rule. */
void jl_uses_compile(struct jl_project *p, const struct jl_step *s, struct jl_rule *r);
/* An instance runs: warn of what is set outside, if nobody of its rule did yet. */
void jl_uses_warn(struct jl_engine *e, uint32_t inst);

#endif
