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

int jl_scope_holds(struct jl_project *p, const struct jl_step *step, const struct jl_scope *scope, bool *ret)
{
	struct jl_buf b = JL_BUF_INIT;
	int r = JL_OK;
	*ret = true;
	if (!step->when.t)
		return JL_OK;
	r = jl_template_eval(step->when.t, scope, JL_TMPL_PLAIN, &b, p->msgs);
	if (r == JL_OK && strcmp(b.data, "true") != 0 && strcmp(b.data, "false") != 0) {
		jl_messages_add(p->msgs, step->when.mark, false,
				"\"if\" of step \"%s\" gives \"%s\", which is neither true nor false", step->name.s,
				jl_messages_show(p->msgs, b.data));
		r = JL_EINVAL;
	}
	if (r == JL_OK)
		*ret = b.data[0] == 't';
	jl_buf_release(&b);
	return r;
}
