/* From what a run would be to its outline: see outline.h. */
#include "run/outline.h"

#include "base/glob.h"
#include "run/compile.h"
#include "run/engine.h"
#include "run/node.h"

#include <stdlib.h>
#include <string.h>

struct drawing {
	struct jl_engine *e;
	struct jl_outline *out;
	bool instances;
	uint32_t *inst_node; /* by instance: its node or its rule's; JL_NONE: not wanted */
	uint32_t *rule_node; /* by rule: the one node that stands for all of it; JL_NONE: there is none (yet) */
};

static bool wanted(const struct jl_engine *e, uint32_t inst)
{
	return inst < e->want_inst.len && *JL_AT(e->want_inst, uint8_t, inst) & 1;
}

static uint32_t n_wanted(const struct jl_engine *e, const struct jl_rule *r)
{
	uint32_t n = 0;
	for (uint32_t i = r->first; i < r->first + r->n; i++)
		n += wanted(e, i);
	return n;
}

static void add_nodes(struct drawing *d, uint32_t rule)
{
	struct jl_engine *e = d->e;
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	const char *name = jl_project_text(e->p, r->name);
	bool late = r->flags & JL_RULE_LATE;
	uint32_t flags = 0, n = late ? 0 : n_wanted(e, r);
	if (late ? e->rule[rule].settle == JL_NONE : n == 0 && !(e->rule[rule].flags & JL_RS_ALL))
		return;
	flags |= r->flags & JL_RULE_FOREACH ? JL_OUTLINE_FOREACH : 0;
	flags |= late ? JL_OUTLINE_LATE : 0;
	flags |= r->flags & JL_RULE_MANUAL ? JL_OUTLINE_MANUAL : 0;
	flags |= r->flags & JL_RULE_OFF ? JL_OUTLINE_OFF : 0;
	if (late || n == 0 || !d->instances || !(r->flags & JL_RULE_FOREACH)) {
		uint32_t node = d->rule_node[rule] = jl_outline_add(d->out, name, n, flags);
		JL_AT(d->out->nodes, struct jl_outline_node, node)->of = late ? 0 : r->n;
		for (uint32_t i = r->first; i < r->first + r->n && !late; i++)
			d->inst_node[i] = wanted(e, i) ? node : JL_NONE;
		return;
	}
	for (uint32_t i = r->first; i < r->first + r->n; i++) {
		if (!wanted(e, i))
			continue;
		flags &= ~(uint32_t)(JL_OUTLINE_FOREACH | JL_OUTLINE_OFF);
		flags |= jl_engine_inst(e, i)->flags & JL_INST_OFF ? JL_OUTLINE_OFF : 0;
		d->inst_node[i] = jl_outline_add(d->out, jl_engine_label(e, i), 1, flags);
	}
}

/* The node that stands for all of a rule; where its instances are nodes, one they all lead to. JL_NONE: it is not drawn. */
static uint32_t whole_node(struct drawing *d, uint32_t rule)
{
	const struct jl_rule *r = jl_plan_rule(&d->e->p->plan, rule);
	uint32_t n = n_wanted(d->e, r), node = JL_NONE;
	if (d->rule_node[rule] != JL_NONE || n == 0)
		return d->rule_node[rule];
	for (uint32_t i = r->first; n == 1 && i < r->first + r->n; i++)
		if (d->inst_node[i] != JL_NONE)
			return d->inst_node[i];
	node = jl_outline_add(d->out, jl_project_text(d->e->p, r->name), 1, JL_OUTLINE_ALL);
	for (uint32_t i = r->first; i < r->first + r->n; i++)
		if (d->inst_node[i] != JL_NONE)
			jl_outline_edge(d->out, d->inst_node[i], node, JL_EDGE_DATA);
	return d->rule_node[rule] = node;
}

static bool could_make(const struct jl_engine *e, uint32_t rule, const char *pattern)
{
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	for (uint32_t i = 0; i < r->n_makes; i++)
		if (jl_glob_overlap(pattern, jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->makes + i))))
			return true;
	return false;
}

/* Could something the rule makes be among the inputs? If not, it is only waited for. */
static bool reads_of(const struct jl_engine *e, const struct jl_inst *t, uint32_t rule)
{
	struct jl_buf pattern = JL_BUF_INIT;
	bool reads = false;
	for (uint32_t i = t->ins; i < t->ins + t->n_ins && !reads; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		jl_buf_clear(&pattern);
		jl_buf_str(&pattern, port->flags & JL_PORT_GLOB ? jl_project_text(e->p, port->what)
								: jl_files_path(&e->p->state->files, port->what));
		reads = could_make(e, rule, pattern.data);
		if (reads || !(port->flags & JL_PORT_FOLDER))
			continue;
		if (strcmp(pattern.data, ".") == 0)
			jl_buf_clear(&pattern);
		jl_buf_str(&pattern, pattern.len ? "/**" : "**");
		reads = could_make(e, rule, pattern.data);
	}
	jl_buf_release(&pattern);
	return reads;
}

static void add_inst_edges(struct drawing *d, uint32_t inst)
{
	struct jl_engine *e = d->e;
	uint32_t self = d->inst_node[inst];
	jl_select_needs(e, inst);
	const struct jl_inst *t = jl_engine_inst(e, inst);
	for (uint32_t i = 0; i < e->ids.len; i++) {
		uint32_t what = *JL_AT(e->ids, uint32_t, i), index = JL_NODE_INDEX(what), from;
		enum jl_edge_kind kind = JL_EDGE_DATA;
		if (JL_NODE_KIND(what) == JL_NODE_INST) {
			from = d->inst_node[index];
		} else {
			bool made_late = false;
			for (uint32_t k = 0; k < t->n_waits; k++)
				made_late |= jl_plan_ref(&e->p->plan, t->waits + k) == index;
			from = whole_node(d, index);
			kind = made_late || reads_of(e, t, index) ? JL_EDGE_DATA : JL_EDGE_AFTER;
		}
		if (from != JL_NONE && from != self)
			jl_outline_edge(d->out, from, self, kind);
	}
}

/* A rule whose instances nobody knows yet: what each of its inputs could be. One that is its item alone could be anything; it
 * comes from where the items come from. First (`want`) all makers are wanted, later they are drawn. */
static int late_reads(struct drawing *d, uint32_t rule, bool want, struct jl_err *err)
{
	struct jl_engine *e = d->e;
	struct jl_buf pattern = JL_BUF_INIT;
	struct jl_manifest *ast;
	int r = jl_project_ast(e->p, &ast, err);
	for (uint32_t i = 0; r == JL_OK && i < ast->steps[rule].inputs.n; i++) {
		const struct jl_port *port = &ast->steps[rule].inputs.at[i];
		if (port->exclude)
			continue;
		jl_compile_pattern(e->p, port, &ast->steps[rule], &pattern);
		if (pattern.len == strspn(pattern.data, "*/"))
			continue;
		for (uint32_t k = 0; k < e->p->plan.rules.len; k++) {
			if (k == rule || !could_make(e, k, pattern.data))
				continue;
			if (want)
				jl_select_rule(e, k);
			else if (whole_node(d, k) != JL_NONE)
				jl_outline_edge(d->out, whole_node(d, k), d->rule_node[rule], JL_EDGE_DATA);
		}
	}
	jl_buf_release(&pattern);
	return r;
}

static void add_late_edges(struct drawing *d, uint32_t rule)
{
	const struct jl_plan *plan = &d->e->p->plan;
	const struct jl_rule *r = jl_plan_rule(plan, rule);
	for (uint32_t i = 0; i < r->n_waits + r->n_after; i++) {
		bool items = i < r->n_waits;
		uint32_t from = whole_node(d, jl_plan_ref(plan, items ? r->waits + i : r->after + i - r->n_waits));
		if (from != JL_NONE)
			jl_outline_edge(d->out, from, d->rule_node[rule], items ? JL_EDGE_ITEMS : JL_EDGE_AFTER);
	}
}

/* A run would want what late rules read when it has expanded them. */
static int want_late(struct drawing *d, struct jl_err *err)
{
	struct jl_engine *e = d->e;
	uint32_t n = e->p->plan.rules.len;
	bool *seen = jl_calloc((size_t)n + 1, sizeof(*seen)), more = true;
	int r = JL_OK;
	while (more && r == JL_OK) {
		more = false;
		for (uint32_t i = 0; i < n && r == JL_OK; i++) {
			if (seen[i] || e->rule[i].settle == JL_NONE)
				continue;
			seen[i] = more = true;
			r = late_reads(d, i, true, err);
		}
	}
	free(seen);
	return r;
}

static int draw(struct drawing *d, struct jl_err *err)
{
	struct jl_engine *e = d->e;
	const struct jl_plan *plan = &e->p->plan;
	uint32_t n_insts = plan->insts.len, n_rules = plan->rules.len;
	int r = want_late(d, err);
	d->inst_node = jl_alloc(((size_t)n_insts + 1) * sizeof(uint32_t));
	d->rule_node = jl_alloc(((size_t)n_rules + 1) * sizeof(uint32_t));
	memset(d->inst_node, 0xff, n_insts * sizeof(uint32_t));
	memset(d->rule_node, 0xff, n_rules * sizeof(uint32_t));
	for (uint32_t i = 0; i < n_rules; i++)
		add_nodes(d, i);
	for (uint32_t i = 0; i < n_rules && r == JL_OK; i++) {
		const struct jl_rule *rule = jl_plan_rule(plan, i);
		if (rule->flags & JL_RULE_LATE) {
			if (d->rule_node[i] != JL_NONE) {
				add_late_edges(d, i);
				r = late_reads(d, i, false, err);
			}
			continue;
		}
		for (uint32_t k = rule->first; k < rule->first + rule->n; k++)
			if (d->inst_node[k] != JL_NONE)
				add_inst_edges(d, k);
	}
	jl_outline_sort(d->out);
	free(d->inst_node);
	free(d->rule_node);
	return r;
}

int jl_outline_make(const struct jl_run_opts *opts, bool instances, struct jl_outline *ret, struct jl_messages *msgs,
		    struct jl_err *err)
{
	struct jl_engine e;
	struct drawing d = {.e = &e, .out = ret, .instances = instances};
	jl_engine_init(&e, opts);
	int r = jl_project_open(opts, false, &e.p, msgs, err);
	if (r != JL_OK)
		return r;
	r = jl_engine_prepare(&e, err);
	if (r == JL_OK)
		r = draw(&d, err);
	jl_project_abandon(e.p);
	jl_engine_release(&e);
	return r;
}
