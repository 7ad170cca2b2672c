/* What the templates of a step see: a jl_scope filled from a project. */
#ifndef JL_RUN_SCOPE_H
#define JL_RUN_SCOPE_H

#include "manifest/template.h"
#include "run/project.h"

void jl_scope_init(struct jl_scope *scope, struct jl_project *p, const struct jl_step *step);
/* A variable of the caller's environment; NULL when unset. `ctx` is the project. */
const char *jl_scope_getenv(void *ctx, const char *name);

#endif
