/* What a command of a manifest sees of the environment: a short list that does not change results, what the step declares, and
 * nothing else: a value that changes a result without being in the key is how caches lie. */
#include "run/engine.h"

#include <stdio.h>
#include <string.h>

bool jl_environ_passes(const char *entry)
{
	static const char *const names[] = {"PATH",        "HOME",         "USER",          "LOGNAME",
					    "SHELL",       "TERM",         "TMPDIR",        "LD_LIBRARY_PATH",
					    "VIRTUAL_ENV", "CONDA_PREFIX", "SSH_AUTH_SOCK", "TZ"};
	size_t len = strcspn(entry, "=");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && memcmp(entry, names[i], len) == 0)
			return true;
	return strncmp(entry, "XDG_", 4) == 0 || (len > 6 && memcmp(entry + len - 6, "_proxy", 6) == 0);
}

void jl_environ_base(struct jl_engine *e)
{
	bool path = false;
	for (const char *const *v = e->opts->environ; v && *v; v++) {
		if (!jl_environ_passes(*v))
			continue;
		*(const char **)jl_table_add(&e->env, 1) = *v;
		path |= strncmp(*v, "PATH=", 5) == 0;
	}
	if (!path)
		*(const char **)jl_table_add(&e->env, 1) = "PATH=/usr/local/bin:/usr/bin:/bin";
	/* One sort order everywhere. */
	*(const char **)jl_table_add(&e->env, 1) = "LC_ALL=C.UTF-8";
}

/* Set or replace: the last word on a name wins. */
static void put(struct jl_table *at, uint32_t *n, const char *entry)
{
	size_t len = strcspn(entry, "=") + 1;
	for (uint32_t i = 0; i < *n; i++) {
		if (strncmp(*JL_AT(*at, const char *, i), entry, len) == 0) {
			*JL_AT(*at, const char *, i) = entry;
			return;
		}
	}
	*(const char **)jl_table_add(at, 1) = entry;
	++*n;
}

const char *const *jl_environ_of(struct jl_engine *e, uint32_t inst, const struct jl_spec *spec, uint32_t slot,
				 struct jl_buf *text, struct jl_table *at)
{
	const struct jl_rule *r = jl_engine_rule(e, inst);
	at->len = 0;
	memcpy(jl_table_add(at, e->env.len), e->env.data, e->env.len * sizeof(char *));
	uint32_t n = e->env.len;
	for (uint32_t i = 0; i < r->n_pass_env; i++) {
		const char *name = jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->pass_env + i));
		size_t len = strlen(name);
		bool all = strcmp(name, "*") == 0;
		for (const char *const *v = e->opts->environ; v && *v; v++)
			if (all ? strncmp(*v, "LC_ALL=", 7) != 0 && strncmp(*v, "JL_SECRET_KEY=", 14) != 0
				: strncmp(*v, name, len) == 0 && (*v)[len] == '=')
				put(at, &n, *v);
	}
	for (uint32_t i = 0; i < r->n_secrets; i++) {
		const char *name = jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->secrets + i));
		size_t len = strlen(name);
		for (const char *const *v = e->opts->environ; v && *v; v++)
			if (strncmp(*v, name, len) == 0 && (*v)[len] == '=')
				put(at, &n, *v);
	}
	for (uint32_t i = 0; i < spec->n_env; i++)
		put(at, &n, spec->env[i]);
	jl_buf_clear(text);
	jl_buf_printf(text, "JL_SLOT=%u", slot + 1);
	size_t second = text->len + 1;
	jl_buf_char(text, '\0');
	jl_buf_printf(text, "JL_STEP=%s", jl_engine_label(e, inst));
	put(at, &n, text->data);
	put(at, &n, text->data + second);
	if (e->mark[0])
		put(at, &n, e->mark);
	jl_table_add(at, 1); /* the NULL */
	return at->data;
}
