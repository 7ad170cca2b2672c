/* See compact.h. */
#include "run/compact.h"

#include "manifest/manifest.h"

#include <string.h>

#define DEAD_MIN 1000u /* instances: less is not worth the copying */

bool jl_compact_due(const struct jl_project *p)
{
	uint32_t live = 0;
	for (uint32_t i = 0; i < p->plan.rules.len; i++)
		live += jl_plan_rule(&p->plan, i)->n;
	uint32_t dead = p->plan.insts.len - live;
	return p->old.head.len > 0 || (dead > DEAD_MIN && dead > live);
}

struct mover {
	const struct jl_table *from_text;
	struct jl_table text;
	const struct jl_plan *from;
	struct jl_plan to;
};

static uint32_t move_text(struct mover *m, uint32_t text)
{
	const char *s = jl_text(m->from_text, text);
	return text ? jl_text_add(&m->text, s, strlen(s)) : 0;
}

/* A list of refs; `texts`: they are text. */
static uint32_t move_refs(struct mover *m, uint32_t first, uint32_t n, bool texts)
{
	uint32_t at = m->to.refs.len;
	for (uint32_t i = first; i < first + n; i++) {
		uint32_t ref = jl_plan_ref(m->from, i);
		*(uint32_t *)jl_table_add(&m->to.refs, 1) = texts ? move_text(m, ref) : ref;
	}
	return n ? at : 0;
}

static uint32_t move_remotes(struct mover *m, uint32_t first, uint32_t n)
{
	uint32_t at = m->to.refs.len;
	for (uint32_t i = 0; i < n; i++, first += JL_PLAN_REMOTE) {
		move_refs(m, first, JL_PLAN_REMOTE_TEXTS, true);
		move_refs(m, first + JL_PLAN_REMOTE_TEXTS, JL_PLAN_REMOTE - JL_PLAN_REMOTE_TEXTS, false);
	}
	return n ? at : 0;
}

static uint32_t move_ports(struct mover *m, uint32_t first, uint32_t n)
{
	uint32_t at = m->to.ports.len;
	for (uint32_t i = first; i < first + n; i++) {
		struct jl_pport port = *jl_plan_port(m->from, i);
		if (port.flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			port.what = move_text(m, port.what);
		port.name = move_text(m, port.name);
		*(struct jl_pport *)jl_table_add(&m->to.ports, 1) = port;
	}
	return at;
}

static uint32_t move_spec(struct mover *m, uint32_t spec, bool twice)
{
	struct jl_table room = JL_TABLE_INIT(char *);
	struct jl_spec s;
	jl_plan_spec(m->from, spec, &room, &s);
	if (twice)
		jl_plan_spec(m->from, s.next, &room, &s);
	uint32_t at = m->to.spec.len, len = s.next - spec;
	memcpy(jl_table_add(&m->to.spec, len), JL_AT(m->from->spec, char, spec), len);
	jl_table_release(&room);
	return at;
}

static void move_inst(struct mover *m, const struct jl_project *p, uint32_t inst, const struct jl_rule *r)
{
	struct jl_inst t = *jl_plan_inst(m->from, inst);
	t.label = jl_result_at(&p->state->results, t.result)->label; /* moved already */
	if (r->items_kind == JL_FOREACH_GLOB || r->items_kind == JL_FOREACH_LINES)
		t.item = move_text(m, t.item);
	t.ins = move_ports(m, t.ins, t.n_ins);
	t.outs = move_ports(m, t.outs, t.n_outs);
	t.waits = move_refs(m, t.waits, t.n_waits, false);
	if (t.flags & JL_INST_READY)
		t.spec = move_spec(m, t.spec, r->flags & JL_RULE_JOBS);
	if (t.valid)
		t.valid = move_spec(m, t.valid, false);
	*(struct jl_inst *)jl_table_add(&m->to.insts, 1) = t;
}

static void move_rule(struct mover *m, const struct jl_project *p, uint32_t rule)
{
	struct jl_rule r = *jl_plan_rule(m->from, rule);
	uint32_t first = m->to.insts.len;
	for (uint32_t i = r.first; i < r.first + r.n; i++)
		move_inst(m, p, i, &r);
	r.first = first;
	r.name = move_text(m, r.name);
	r.description = move_text(m, r.description);
	r.version = move_text(m, r.version);
	r.items_text = move_text(m, r.items_text);
	r.tags = move_refs(m, r.tags, r.n_tags, true);
	r.after = move_refs(m, r.after, r.n_after, false);
	r.waits = move_refs(m, r.waits, r.n_waits, false);
	r.makes = move_refs(m, r.makes, r.n_makes, true);
	r.pass_env = move_refs(m, r.pass_env, r.n_pass_env, true);
	r.keep = move_refs(m, r.keep, r.n_keep, true);
	r.secrets = move_refs(m, r.secrets, r.n_secrets, true);
	r.executor = move_text(m, r.executor);
	r.hosts = move_refs(m, r.hosts, r.n_hosts, true);
	r.tools = move_refs(m, r.tools, r.n_tools, true);
	r.uses = move_refs(m, r.uses, 2 * r.n_uses, true);
	r.takes = move_refs(m, r.takes, 2 * r.n_takes, false);
	*(struct jl_rule *)jl_table_add(&m->to.rules, 1) = r;
}

void jl_compact(struct jl_project *p)
{
	struct jl_state *s = p->state;
	struct mover m = {.from_text = &s->text, .text = JL_TABLE_INIT(char), .from = &p->plan, .to = JL_PLAN_INIT};
	jl_text_add(&m.text, "", 0);
	for (uint32_t i = 0; i < s->files.at.len; i++)
		jl_file_at(&s->files, i)->text = move_text(&m, jl_file_at(&s->files, i)->text);
	for (uint32_t i = 0; i < s->results.at.len; i++)
		jl_result_at(&s->results, i)->label = move_text(&m, jl_result_at(&s->results, i)->label);
	struct jl_plan_head *h = jl_table_add(&m.to.head, 1);
	*h = *jl_plan_head(&p->plan);
	h->env = move_refs(&m, h->env, h->n_env, true);
	h->includes = move_refs(&m, h->includes, h->n_includes, false);
	h->pools = move_refs(&m, h->pools, h->n_pools, false);
	h->remotes = move_remotes(&m, h->remotes, h->n_remotes);
	h->manifest = move_text(&m, h->manifest);
	h->store_dir = move_text(&m, h->store_dir);
	for (uint32_t i = 0; i < p->plan.urls.len; i++) {
		struct jl_purl url = *jl_plan_url(&p->plan, i);
		url.url = move_text(&m, url.url);
		*(struct jl_purl *)jl_table_add(&m.to.urls, 1) = url;
	}
	jl_table_reserve(&m.to.rules, p->plan.rules.len);
	for (uint32_t i = 0; i < p->plan.rules.len; i++)
		move_rule(&m, p, i);
	jl_plan_release(&p->plan);
	jl_plan_release(&p->old);
	p->plan = m.to;
	jl_table_release(&s->text);
	s->text = m.text;
	jl_state_plan_changed(s);
}
