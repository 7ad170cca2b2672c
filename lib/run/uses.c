/* Variables that a step's script uses and that are set outside but not passed: nearly always a mistake. See uses.h. */
#include "run/uses.h"

#include "base/path.h"
#include "run/scope.h"

#include <string.h>

/* What a shell sets by itself, or jl does. */
static bool is_shells(const char *name)
{
	static const char *const names[] = {"PWD",      "OLDPWD",   "SHLVL",  "IFS",     "UID",        "EUID",
					    "PPID",     "RANDOM",   "LINENO", "SECONDS", "HOSTNAME",   "HOSTTYPE",
					    "MACHTYPE", "OSTYPE",   "OPTIND", "OPTARG",  "REPLY",      "COLUMNS",
					    "LINES",    "FUNCNAME", "GROUPS", "_",       "PIPESTATUS", "DIRSTACK",
					    "LC_ALL",   "JL_STEP",  "JL_SLOT"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, "BASH", 4) == 0 || strncmp(name, "EPOCH", 5) == 0;
}

static bool is_passed(const struct jl_step *s, const char *name)
{
	for (uint32_t i = 0; i < s->env.n; i++)
		if (strcmp(s->env.at[i].name.s, name) == 0)
			return true;
	for (uint32_t i = 0; i < s->pass_env.n; i++)
		if (strcmp(s->pass_env.at[i].s, name) == 0 || strcmp(s->pass_env.at[i].s, "*") == 0)
			return true;
	for (uint32_t i = 0; i < s->secret_env.n; i++)
		if (strcmp(s->secret_env.at[i].s, name) == 0)
			return true;
	return jl_environ_passes(name) || is_shells(name);
}

/* Another language's "$x" is nobody's variable. */
static bool is_shell(const struct jl_step *s)
{
	const char *program = s->shell.n ? s->shell.at[0].s : "";
	size_t len = strlen(program);
	return len >= 2 && strcmp(program + len - 2, "sh") == 0;
}

void jl_uses_compile(struct jl_project *p, const struct jl_step *s, struct jl_rule *r)
{
	struct jl_table refs = JL_TABLE_INIT(uint32_t);
	struct jl_buf place = JL_BUF_INIT;
	for (uint32_t i = 0; i < s->uses.n && is_shell(s); i++) {
		const struct jl_mtext *use = &s->uses.at[i];
		if (is_passed(s, use->s))
			continue;
		jl_buf_clear(&place);
		jl_buf_printf(&place, "%s:%u:%u", s->from->path, use->mark.line, use->mark.column);
		uint32_t *pair = jl_table_add(&refs, 2);
		pair[0] = jl_text_add(&p->state->text, use->s, use->len);
		pair[1] = jl_text_add(&p->state->text, place.data, place.len);
	}
	r->uses = jl_plan_add_refs(&p->plan, refs.data, refs.len);
	r->n_uses = refs.len / 2;
	jl_buf_release(&place);
	jl_table_release(&refs);
}

void jl_uses_warn(struct jl_engine *e, uint32_t inst)
{
	struct jl_project *p = e->p;
	uint32_t rule = jl_engine_inst(e, inst)->rule;
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	if (!r->n_uses || (e->rule[rule].flags & JL_RS_WARNED))
		return;
	e->rule[rule].flags |= JL_RS_WARNED;
	/* Named as the user named the manifest, wherever he is now. */
	int base = (int)jl_path_base(p->manifest_shown, strlen(p->manifest_shown));
	for (uint32_t i = 0; i < r->n_uses; i++) {
		const char *name = jl_project_text(p, jl_plan_ref(&p->plan, r->uses + 2 * i));
		const char *place = jl_project_text(p, jl_plan_ref(&p->plan, r->uses + 2 * i + 1));
		if (jl_scope_getenv(p, name))
			jl_engine_warn(e, jl_project_text(p, r->name),
				       "%.*s%s: $%s is set outside but not passed; name it in \"pass_env\" or \"env\"",
				       base, p->manifest_shown, place, name);
	}
}
