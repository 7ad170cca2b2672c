/* The compiled plan's tables: see plan.h. */
#include "graph/plan.h"

#include "manifest/manifest.h"

#include <string.h>

void jl_plan_release(struct jl_plan *p)
{
	struct jl_table *tables[JL_PLAN_TABLES] = {&p->head, &p->rules, &p->insts, &p->ports,
						  &p->refs, &p->spec,  &p->urls};
	for (int i = 0; i < JL_PLAN_TABLES; i++)
		jl_table_release(tables[i]);
}

uint32_t jl_plan_depfile(const struct jl_plan *p, const struct jl_inst *t)
{
	if (t->flags & JL_INST_DEPFILE)
		for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++)
			if (jl_plan_port(p, i)->flags & JL_PORT_DEPFILE)
				return i;
	return JL_NONE;
}

uint32_t jl_plan_add_refs(struct jl_plan *p, const uint32_t *refs, uint32_t n)
{
	if (n == 0)
		return 0;
	uint32_t first = p->refs.len;
	memcpy(jl_table_add(&p->refs, n), refs, n * sizeof(*refs));
	return first;
}

uint32_t jl_plan_add_spec(struct jl_plan *p, const struct jl_spec *spec)
{
	uint32_t head[3] = {spec->n_argv, spec->n_shell, spec->n_env};
	uint32_t first = p->spec.len;
	memcpy(jl_table_add(&p->spec, sizeof(head)), head, sizeof(head));
	jl_text_add(&p->spec, spec->workdir, strlen(spec->workdir));
	for (uint32_t i = 0; i < spec->n_argv; i++)
		jl_text_add(&p->spec, spec->argv[i], strlen(spec->argv[i]));
	for (uint32_t i = 0; i < spec->n_env; i++)
		jl_text_add(&p->spec, spec->env[i], strlen(spec->env[i]));
	return first;
}

void jl_plan_spec(const struct jl_plan *p, uint32_t spec, struct jl_table *scratch, struct jl_spec *ret)
{
	uint32_t head[3];
	const char *at = (const char *)p->spec.data + spec;
	memcpy(head, at, sizeof(head));
	at += sizeof(head);
	ret->workdir = at;
	at += strlen(at) + 1;
	scratch->len = 0;
	const char **words = jl_table_add(scratch, head[0] + head[2] + 2);
	for (uint32_t i = 0; i < head[0] + head[2]; i++) {
		words[i < head[0] ? i : i + 1] = at;
		at += strlen(at) + 1;
	}
	ret->argv = words;
	ret->n_argv = head[0];
	ret->n_shell = head[1];
	ret->env = words + head[0] + 1;
	ret->n_env = head[2];
	ret->next = (uint32_t)(at - (const char *)p->spec.data);
}

static bool range_in(uint32_t first, uint32_t n, uint32_t len)
{
	return n <= len && first <= len - n;
}

static bool refs_in(const struct jl_plan *p, uint32_t first, uint32_t n, uint32_t limit)
{
	if (!range_in(first, n, p->refs.len))
		return false;
	for (uint32_t i = first; i < first + n; i++)
		if (jl_plan_ref(p, i) >= limit)
			return false;
	return true;
}

/* `n`: so many specs, one behind the other. */
static bool specs_in(const struct jl_plan *p, uint32_t spec, int n)
{
	uint32_t head[3];
	if (!range_in(spec, sizeof(head), p->spec.len))
		return false;
	const char *at = (const char *)p->spec.data + spec, *end = (const char *)p->spec.data + p->spec.len;
	memcpy(head, at, sizeof(head));
	at += sizeof(head);
	if (head[1] > head[0] || head[0] == 0)
		return false;
	/* The table ends in a NUL (checked by the caller), so memchr from inside always finds one. */
	for (uint64_t left = (uint64_t)head[0] + head[2] + 1; left > 0; left--) {
		if (at >= end)
			return false;
		at = (const char *)memchr(at, 0, (size_t)(end - at)) + 1;
	}
	return n == 1 || specs_in(p, (uint32_t)(at - (const char *)p->spec.data), n - 1);
}

static bool takes_in(const struct jl_plan *p, const struct jl_rule *r)
{
	const struct jl_plan_head *h = jl_plan_head(p);
	if (r->n_takes > UINT32_MAX / 2 || !range_in(r->takes, 2 * r->n_takes, p->refs.len))
		return false;
	for (uint32_t i = 0; i < r->n_takes; i++)
		if (jl_plan_ref(p, r->takes + 2 * i) >= h->n_pools)
			return false;
	return true;
}

static bool rule_in(const struct jl_plan *p, const struct jl_rule *r, uint32_t n_text)
{
	uint32_t n_rules = p->rules.len;
	return r->name < n_text && r->description < n_text && r->items_text < n_text && r->version < n_text &&
	       r->executor < n_text && refs_in(p, r->hosts, r->n_hosts, n_text) &&
	       range_in(r->first, r->n, p->insts.len) &&
	       refs_in(p, r->tags, r->n_tags, n_text) && refs_in(p, r->after, r->n_after, n_rules) &&
	       refs_in(p, r->waits, r->n_waits, n_rules) && refs_in(p, r->makes, r->n_makes, n_text) &&
	       refs_in(p, r->pass_env, r->n_pass_env, n_text) && refs_in(p, r->keep, r->n_keep, n_text) &&
	       refs_in(p, r->tools, r->n_tools, n_text) &&
	       refs_in(p, r->secrets, r->n_secrets, n_text) &&
	       r->n_uses <= UINT32_MAX / 2 && refs_in(p, r->uses, 2 * r->n_uses, n_text) && takes_in(p, r);
}

static bool inst_in(const struct jl_plan *p, const struct jl_inst *t, uint32_t n_results, uint32_t n_text)
{
	if (t->rule >= p->rules.len || t->label >= n_text || t->result >= n_results || !range_in(t->ins, t->n_ins, p->ports.len) ||
	    !range_in(t->outs, t->n_outs, p->ports.len) || !refs_in(p, t->waits, t->n_waits, p->rules.len))
		return false;
	if (t->flags & JL_INST_DEAD)
		return true;
	const struct jl_rule *r = jl_plan_rule(p, t->rule);
	bool is_text = r->items_kind == JL_FOREACH_GLOB || r->items_kind == JL_FOREACH_LINES;
	/* What a matrix counts as combinations only the manifest says. */
	if (r->items_kind != JL_FOREACH_MATRIX && t->item >= (is_text ? n_text : r->n))
		return false;
	/* The command of one without globs is made as the rule is expanded, never later. */
	if (!(t->flags & JL_INST_READY))
		return t->flags & (JL_INST_GLOBS | JL_INST_OFF);
	if (t->valid && !specs_in(p, t->valid, 1))
		return false;
	return specs_in(p, t->spec, r->flags & JL_RULE_JOBS ? 2 : 1);
}

static bool remotes_in(const struct jl_plan *p, const struct jl_plan_head *h, uint32_t n_text)
{
	if (h->n_remotes > UINT32_MAX / JL_PLAN_REMOTE || !range_in(h->remotes, h->n_remotes * JL_PLAN_REMOTE, p->refs.len))
		return false;
	for (uint32_t i = 0; i < h->n_remotes; i++)
		if (!refs_in(p, h->remotes + i * JL_PLAN_REMOTE, JL_PLAN_REMOTE_TEXTS, n_text))
			return false;
	return true;
}

bool jl_plan_check(const struct jl_plan *p, uint32_t n_files, uint32_t n_results, uint32_t n_text)
{
	if (p->head.len != 1 || jl_plan_head(p)->format != JL_PLAN_FORMAT || n_text == 0)
		return false;
	const struct jl_plan_head *h = jl_plan_head(p);
	if (h->manifest >= n_text || h->store_dir >= n_text || !refs_in(p, h->env, h->n_env, n_text) ||
	    !refs_in(p, h->includes, h->n_includes, n_files) ||
	    !remotes_in(p, h, n_text) || h->algo == JL_DIGEST_NONE || h->algo > JL_DIGEST_SHA256 ||
	    h->n_pools > JL_PLAN_POOLS_MAX || !range_in(h->pools, h->n_pools, p->refs.len))
		return false;
	if (p->spec.len > 0 && ((const char *)p->spec.data)[p->spec.len - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < p->rules.len; i++)
		if (!rule_in(p, jl_plan_rule(p, i), n_text))
			return false;
	for (uint32_t i = 0; i < p->insts.len; i++)
		if (!inst_in(p, jl_plan_inst(p, i), n_results, n_text))
			return false;
	for (uint32_t i = 0; i < p->ports.len; i++) {
		const struct jl_pport *port = jl_plan_port(p, i);
		bool is_text = port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE);
		if (port->what >= (is_text ? n_text : n_files) || port->name >= n_text)
			return false;
	}
	for (uint32_t i = 0; i < p->urls.len; i++)
		if (jl_plan_url(p, i)->file >= n_files || jl_plan_url(p, i)->url >= n_text)
			return false;
	return true;
}
