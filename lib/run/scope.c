/* See scope.h. */
#include "run/scope.h"

#include <string.h>

const char *jl_scope_getenv(void *ctx, const char *name)
{
	const struct jl_project *p = ctx;
	size_t len = strlen(name);
	for (const char *const *e = p->opts->environ; e && *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

void jl_scope_init(struct jl_scope *scope, struct jl_project *p, const struct jl_step *step)
{
	*scope = (struct jl_scope){
		.manifest = p->ast, .getenv = jl_scope_getenv, .getenv_ctx = p, .step = step->name.s, .jobs = p->jobs};
}
