/* What the templates of a step see: a jl_scope filled from a project. */
#ifndef JL_RUN_SCOPE_H
#define JL_RUN_SCOPE_H

#include "manifest/template.h"
#include "run/project.h"

void jl_scope_init(struct jl_scope *scope, struct jl_project *p, const struct jl_step *step);
/* Does the step's `if` hold? True without one. What is neither true nor false is a message in p->msgs and JL_EINVAL. */
int jl_scope_holds(struct jl_project *p, const struct jl_step *step, const struct jl_scope *scope,
                   bool *ret) JL_MUST_CHECK;
/* A variable of the caller's environment; NULL when unset. `ctx` is the project. */
const char *jl_scope_getenv(void *ctx, const char *name);

#endif
