/* What is wanted, and the graph of it: from the user's words backwards along what each thing needs. */
#include "base/glob.h"
#include "base/path.h"
#include "run/engine.h"
#include "run/expand.h"
#include "run/node.h"
#include "run/temp.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 0x7fffffffu /* 24 days in ms: what takes longer is urgent enough */

static uint32_t *slot_of(struct jl_table *t, uint32_t index, uint32_t len)
{
	if (index >= t->len) {
		uint32_t from = t->len;
		memset(jl_table_add(t, len - from), 0xff, (len - from) * sizeof(uint32_t));
	}
	return JL_AT(*t, uint32_t, index);
}

static uint32_t *node_of(struct jl_engine *e, uint32_t inst)
{
	return slot_of(&e->node_of, inst, e->p->plan.insts.len);
}

/* One that never ran counts as a tenth of a second: longer than nothing, shorter than what is known to be long. */
static uint32_t weight_of(int64_t wall)
{
	if (wall <= 0)
		return 100;
	return wall / JL_NS_MS < WEIGHT_MAX ? (uint32_t)(wall / JL_NS_MS) + 1 : WEIGHT_MAX;
}

/* ---- what a thing needs ---- */

/* Folders that hold outputs of somebody: an input that names one needs all of those. */
static void mark_below(struct jl_engine *e)
{
	const struct jl_files *files = jl_engine_files(e);
	e->below.len = 0;
	jl_table_add(&e->below, files->at.len + 1);
	for (uint32_t i = 0; i < e->p->maker.len; i++) {
		if (*JL_AT(e->p->maker, uint32_t, i) == JL_NONE)
			continue;
		for (uint32_t d = jl_file_at(files, i)->dir; d != JL_NONE && !*JL_AT(e->below, uint8_t, d);
		     d = jl_file_at(files, d)->dir)
			*JL_AT(e->below, uint8_t, d) = 1;
	}
}

static bool makes_below(const struct jl_engine *e, const struct jl_rule *r, const char *dir)
{
	struct jl_buf pattern = JL_BUF_INIT;
	bool any = false;
	jl_buf_printf(&pattern, "%s/**", dir);
	for (uint32_t i = 0; i < r->n_makes && !any; i++)
		any = jl_glob_overlap(pattern.data, jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->makes + i)));
	jl_buf_release(&pattern);
	return any;
}

static bool unsettled(const struct jl_engine *e, uint32_t rule)
{
	return (jl_plan_rule(&e->p->plan, rule)->flags & JL_RULE_LATE) && !(e->rule[rule].flags & JL_RS_SETTLED);
}

typedef void need(struct jl_engine *e, uint32_t self, uint32_t what);

static void needs(struct jl_engine *e, uint32_t inst, need *on_inst, need *on_rule)
{
	const struct jl_plan *plan = &e->p->plan;
	const struct jl_inst t = *jl_engine_inst(e, inst);
	const struct jl_rule r = *jl_plan_rule(plan, t.rule);
	for (uint32_t i = t.ins; i < t.ins + t.n_ins; i++) {
		const struct jl_pport *port = jl_plan_port(plan, i);
		if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			continue;
		uint32_t maker = jl_expand_maker(e->p, port->what);
		if (maker != JL_NONE && maker != inst)
			on_inst(e, inst, maker);
		if (port->what >= e->below.len || !*JL_AT(e->below, uint8_t, port->what))
			continue;
		const char *dir = jl_files_path(jl_engine_files(e), port->what);
		/* The rules that make something in a declared folder are in `after`: one edge each, where a thousand steps that
		 * read what another thousand make would have a million. Only siblings are not; "." has no pattern. */
		if ((port->flags & JL_PORT_FOLDER) && strcmp(dir, ".") != 0 && !makes_below(e, &r, dir))
			continue;
		for (uint32_t k = 0; k < e->p->maker.len; k++) {
			uint32_t m = *JL_AT(e->p->maker, uint32_t, k);
			if (m != JL_NONE && m != inst && jl_path_inside(jl_files_path(jl_engine_files(e), k), dir))
				on_inst(e, inst, m);
		}
	}
	/* Once they are expanded it is known who of them makes what. */
	for (uint32_t i = 0; i < t.n_waits; i++)
		if (unsettled(e, jl_plan_ref(plan, t.waits + i)))
			on_rule(e, inst, jl_plan_ref(plan, t.waits + i));
	for (uint32_t i = 0; i < r.n_after; i++)
		on_rule(e, inst, jl_plan_ref(plan, r.after + i));
}

static void push_inst(struct jl_engine *e, uint32_t self, uint32_t inst)
{
	(void)self;
	*(uint32_t *)jl_table_add(&e->ids, 1) = JL_NODE(JL_NODE_INST, inst);
}

static void push_rule(struct jl_engine *e, uint32_t self, uint32_t rule)
{
	(void)self;
	*(uint32_t *)jl_table_add(&e->ids, 1) = JL_NODE(JL_NODE_BARRIER, rule);
}

void jl_select_needs(struct jl_engine *e, uint32_t inst)
{
	e->ids.len = 0;
	needs(e, inst, push_inst, push_rule);
}

bool jl_select_waits(struct jl_engine *e, uint32_t inst, uint32_t other)
{
	const struct jl_plan *plan = &e->p->plan;
	uint32_t rule = jl_engine_inst(e, other)->rule, n_insts = plan->insts.len;
	uint8_t *seen = jl_calloc((size_t)n_insts + plan->rules.len, 1);
	bool found = false;
	jl_select_needs(e, inst);
	for (uint32_t at = 0; at < e->ids.len && !found; at++) {
		uint32_t what = *JL_AT(e->ids, uint32_t, at), index = JL_NODE_INDEX(what);
		bool whole = JL_NODE_KIND(what) == JL_NODE_BARRIER;
		found = whole ? index == rule : index == other;
		if (found || seen[whole ? n_insts + index : index]++)
			continue;
		if (!whole) {
			needs(e, index, push_inst, push_rule);
			continue;
		}
		const struct jl_rule *r = jl_plan_rule(plan, index);
		for (uint32_t i = r->first; i < r->first + r->n; i++)
			push_inst(e, inst, i);
		for (uint32_t i = 0; i < r->n_waits; i++)
			push_rule(e, inst, jl_plan_ref(plan, r->waits + i));
	}
	free(seen);
	return found;
}

/* ---- wanting ---- */

enum asked { NEEDED, ASKED, NAMED };

static void want_inst(struct jl_engine *e, uint32_t inst, enum asked asked)
{
	if (e->want_inst.len <= inst)
		jl_table_add(&e->want_inst, e->p->plan.insts.len - e->want_inst.len);
	uint8_t *w = JL_AT(e->want_inst, uint8_t, inst);
	*w |= (asked != NEEDED ? 2 : 0) | (asked == NAMED ? 4 : 0);
	if (*w & 1)
		return;
	*w |= 1;
	const int64_t wall = jl_result_at(&e->p->state->results, jl_engine_inst(e, inst)->result)->wall_ns;
	const uint32_t node = jl_graph_add(&e->graph, JL_NODE(JL_NODE_INST, inst), weight_of(wall));
	*node_of(e, inst) = node;
	if (wall <= 0)
		jl_graph_guessed(&e->graph, node);
	*(uint32_t *)jl_table_add(&e->worklist, 1) = inst;
	e->counts.total++;
}

static void want_rule(struct jl_engine *e, uint32_t rule, enum asked asked);

static void want_settle(struct jl_engine *e, uint32_t rule)
{
	struct jl_rule_state *rs = &e->rule[rule];
	if (rs->settle != JL_NONE)
		return;
	rs->settle = jl_graph_add(&e->graph, JL_NODE(JL_NODE_SETTLE, rule), 1);
	jl_temp_late(e, rs->settle);
	const struct jl_rule r = *jl_plan_rule(&e->p->plan, rule);
	for (uint32_t i = 0; i < r.n_waits; i++)
		want_rule(e, jl_plan_ref(&e->p->plan, r.waits + i), NEEDED);
}

static void want_rule(struct jl_engine *e, uint32_t rule, enum asked asked)
{
	struct jl_rule_state *rs = &e->rule[rule];
	uint32_t flags = JL_RS_ALL | (asked != NEEDED ? JL_RS_ASKED : 0) | (asked == NAMED ? JL_RS_NAMED : 0);
	if ((rs->flags & flags) == flags)
		return;
	rs->flags |= flags;
	if (unsettled(e, rule)) {
		want_settle(e, rule);
		return;
	}
	const struct jl_rule r = *jl_plan_rule(&e->p->plan, rule);
	for (uint32_t i = r.first; i < r.first + r.n; i++)
		want_inst(e, i, asked);
}

static void need_inst(struct jl_engine *e, uint32_t self, uint32_t inst)
{
	(void)self;
	want_inst(e, inst, NEEDED);
}

static void need_rule(struct jl_engine *e, uint32_t self, uint32_t rule)
{
	(void)self;
	want_rule(e, rule, NEEDED);
}

/* ---- nodes and edges ---- */

static uint32_t barrier_of(struct jl_engine *e, uint32_t rule)
{
	struct jl_rule_state *rs = &e->rule[rule];
	if (rs->barrier != JL_NONE)
		return rs->barrier;
	rs->barrier = jl_graph_add(&e->graph, JL_NODE(JL_NODE_BARRIER, rule), 0);
	if (unsettled(e, rule)) {
		/* Its instances are joined to it while the settle node is not done yet. */
		jl_graph_edge(&e->graph, rs->settle, rs->barrier);
		return rs->barrier;
	}
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	for (uint32_t i = r->first; i < r->first + r->n; i++)
		if (*node_of(e, i) != JL_NONE)
			jl_graph_edge(&e->graph, *node_of(e, i), rs->barrier);
	return rs->barrier;
}

static void edge_inst(struct jl_engine *e, uint32_t self, uint32_t inst)
{
	if (*node_of(e, inst) != JL_NONE)
		jl_graph_edge(&e->graph, *node_of(e, inst), *node_of(e, self));
	jl_temp_user(e, *node_of(e, self), inst);
}

static void edge_rule(struct jl_engine *e, uint32_t self, uint32_t rule)
{
	uint32_t barrier = barrier_of(e, rule);
	jl_graph_edge(&e->graph, barrier, *node_of(e, self));
	jl_temp_user_of_rule(e, *node_of(e, self), rule);
}

/* Follow the needs of all that is newly wanted, then join the new nodes and let those that wait for nothing begin. */
static void extend(struct jl_engine *e, uint32_t first_node)
{
	for (uint32_t i = 0; i < e->worklist.len; i++)
		needs(e, *JL_AT(e->worklist, uint32_t, i), need_inst, need_rule);
	e->worklist.len = 0;
	uint32_t end = e->graph.nodes.len;
	for (uint32_t n = first_node; n < end; n++) {
		uint32_t what = jl_graph_node(&e->graph, n)->what, index = JL_NODE_INDEX(what);
		if (JL_NODE_KIND(what) == JL_NODE_INST) {
			needs(e, index, edge_inst, edge_rule);
		} else if (JL_NODE_KIND(what) == JL_NODE_SETTLE) {
			const struct jl_rule r = *jl_plan_rule(&e->p->plan, index);
			for (uint32_t i = 0; i < r.n_waits; i++) {
				uint32_t before = jl_plan_ref(&e->p->plan, r.waits + i), barrier = barrier_of(e, before);
				jl_graph_edge(&e->graph, barrier, n);
				jl_temp_user_of_rule(e, n, before);
			}
		}
	}
	jl_graph_start(&e->graph, first_node);
}

void jl_select_rule(struct jl_engine *e, uint32_t rule)
{
	uint32_t first_node = e->graph.nodes.len;
	want_rule(e, rule, NEEDED);
	extend(e, first_node);
}

void jl_select_settled(struct jl_engine *e, uint32_t rule)
{
	struct jl_rule_state *rs = &e->rule[rule];
	const struct jl_rule r = *jl_plan_rule(&e->p->plan, rule);
	uint32_t first_node = e->graph.nodes.len;
	rs->flags |= JL_RS_SETTLED;
	mark_below(e);
	for (uint32_t i = r.first; i < r.first + r.n; i++) {
		bool named = false;
		for (uint32_t k = 0; k < e->opts->n_targets && !(rs->flags & JL_RS_ALL); k++) {
			struct jl_buf path = JL_BUF_INIT;
			const struct jl_inst *t = jl_engine_inst(e, i);
			named |= strcmp(jl_engine_label(e, i), e->opts->targets[k]) == 0;
			jl_select_path(e, e->opts->targets[k], &path);
			for (uint32_t o = t->outs; o < t->outs + t->n_outs; o++) {
				const struct jl_pport *port = jl_plan_port(&e->p->plan, o);
				named |= !(port->flags & JL_PORT_GLOB) &&
					 strcmp(jl_files_path(jl_engine_files(e), port->what), path.data) == 0;
			}
			jl_buf_release(&path);
		}
		if (!named && !(rs->flags & JL_RS_ALL))
			continue;
		named |= rs->flags & JL_RS_NAMED;
		want_inst(e, i, named ? NAMED : rs->flags & JL_RS_ASKED ? ASKED : NEEDED);
		jl_graph_node(&e->graph, *node_of(e, i))->marked |= jl_graph_node(&e->graph, rs->settle)->marked;
	}
	if (rs->barrier != JL_NONE)
		for (uint32_t i = r.first; i < r.first + r.n; i++)
			if (*node_of(e, i) != JL_NONE)
				jl_graph_edge(&e->graph, *node_of(e, i), rs->barrier);
	jl_temp_settled(e, rule);
	extend(e, first_node);
	/* Nothing of it could begin before. */
	for (uint32_t n = first_node; n < e->graph.nodes.len; n++)
		if (jl_graph_node(&e->graph, n)->last == JL_NONE)
			jl_graph_node(&e->graph, n)->last = rs->settle;
}

/* ---- the words ---- */

void jl_select_path(const struct jl_engine *e, const char *word, struct jl_buf *out)
{
	struct jl_buf abs = JL_BUF_INIT;
	size_t root = strlen(e->p->root);
	jl_path_join(&abs, e->opts->cwd, word);
	if (strcmp(abs.data, e->p->root) == 0)
		jl_buf_str(out, ".");
	else if (root == 1)
		jl_buf_str(out, abs.data + 1);
	else if (strncmp(abs.data, e->p->root, root) == 0 && abs.data[root] == '/')
		jl_buf_str(out, abs.data + root + 1);
	else
		jl_buf_str(out, abs.data);
	jl_buf_release(&abs);
}

static bool want_tag(struct jl_engine *e, const char *tag)
{
	bool any = false;
	for (uint32_t i = 0; i < e->p->plan.rules.len; i++) {
		const struct jl_rule r = *jl_plan_rule(&e->p->plan, i);
		for (uint32_t k = 0; k < r.n_tags; k++) {
			if (strcmp(jl_project_text(e->p, jl_plan_ref(&e->p->plan, r.tags + k)), tag) != 0)
				continue;
			want_rule(e, i, ASKED);
			any = true;
			break;
		}
	}
	return any;
}

static bool want_path(struct jl_engine *e, const char *word)
{
	struct jl_buf path = JL_BUF_INIT;
	bool any = false;
	jl_select_path(e, word, &path);
	uint32_t id = jl_files_find(jl_engine_files(e), path.data, path.len);
	uint32_t maker = id == JL_NONE ? JL_NONE : jl_expand_maker(e->p, id);
	if (maker != JL_NONE) {
		want_inst(e, maker, NAMED);
		any = true;
	}
	if (!any && id != JL_NONE && id < e->below.len && *JL_AT(e->below, uint8_t, id)) {
		for (uint32_t k = 0; k < e->p->maker.len; k++) { /* a folder: all that is made below it */
			uint32_t m = *JL_AT(e->p->maker, uint32_t, k);
			if (m != JL_NONE && jl_path_inside(jl_files_path(jl_engine_files(e), k), path.data)) {
				want_inst(e, m, NAMED);
				any = true;
			}
		}
	}
	for (uint32_t i = 0; !any && i < e->p->plan.rules.len; i++) {
		const struct jl_rule r = *jl_plan_rule(&e->p->plan, i);
		if (!unsettled(e, i))
			continue;
		for (uint32_t k = 0; k < r.n_makes; k++) {
			if (!jl_glob_overlap(path.data, jl_project_text(e->p, jl_plan_ref(&e->p->plan, r.makes + k))))
				continue;
			want_settle(e, i);
			any = true;
			break;
		}
	}
	jl_buf_release(&path);
	return any;
}

/* Words that only a late expansion could tell to mean nothing. */
void jl_select_missing(struct jl_engine *e)
{
	for (uint32_t i = 0; i < e->opts->n_targets; i++) {
		const char *word = e->opts->targets[i];
		uint32_t rule = JL_NONE, inst = JL_NONE, id;
		struct jl_buf path = JL_BUF_INIT;
		bool there = word[0] == '@';
		if (!there && jl_project_find(e->p, word, &rule, &inst, NULL) == JL_OK) {
			there = inst != JL_NONE || !strchr(word, '[');
		} else if (!there) {
			jl_select_path(e, word, &path);
			id = jl_files_find(jl_engine_files(e), path.data, path.len);
			there = id != JL_NONE && (jl_expand_maker(e->p, id) != JL_NONE ||
						  (id < e->below.len && *JL_AT(e->below, uint8_t, id)));
		}
		if (!there) {
			struct jl_event ev = {.type = JL_EVENT_STEP_FINISHED,
					      .status = JL_STEP_FAILED,
					      .step = word,
					      .reason = rule == JL_NONE ? "no step makes it"
									: "the step has no such item"};
			e->counts.total++;
			e->counts.failed++;
			jl_engine_emit(e, &ev);
		}
		jl_buf_release(&path);
	}
}

static int want_word(struct jl_engine *e, const char *word, struct jl_err *err)
{
	uint32_t rule = JL_NONE, inst = JL_NONE;
	if (word[0] == '@')
		return want_tag(e, word + 1) ? JL_OK
					     : jl_err_set(err, JL_EINVAL, "no step has the tag \"%s\"", word + 1);
	int r = jl_project_find(e->p, word, &rule, &inst, err);
	if (r == JL_OK && inst != JL_NONE)
		want_inst(e, inst, NAMED);
	else if (r == JL_OK && strchr(word, '['))
		want_settle(e, rule); /* an item that is known when the rule is expanded */
	else if (r == JL_OK)
		want_rule(e, rule, NAMED);
	else if (want_path(e, word))
		r = JL_OK;
	return r;
}

/* The steps that options name are there. */
static int check_words(struct jl_engine *e, struct jl_err *err)
{
	uint32_t rule, inst;
	int r = e->opts->from ? jl_project_find(e->p, e->opts->from, &rule, &inst, err) : JL_OK;
	if (r != JL_OK)
		return jl_err_add(err, "--from");
	for (uint32_t i = 0; i < e->opts->n_force_steps && r == JL_OK; i++)
		r = jl_project_find(e->p, e->opts->force_steps[i], &rule, &inst, err);
	return r == JL_OK ? r : jl_err_add(err, "--force");
}

int jl_select(struct jl_engine *e, struct jl_err *err)
{
	uint32_t n_rules = e->p->plan.rules.len;
	int r = check_words(e, err);
	if (r != JL_OK)
		return r;
	e->rule = jl_calloc(n_rules + 1, sizeof(*e->rule));
	for (uint32_t i = 0; i < n_rules; i++)
		e->rule[i] = (struct jl_rule_state){.barrier = JL_NONE, .settle = JL_NONE, .users = JL_NONE};
	mark_below(e);
	jl_table_reserve(&e->graph.nodes, e->p->plan.insts.len);
	for (uint32_t i = 0; i < e->opts->n_targets && r == JL_OK; i++)
		r = want_word(e, e->opts->targets[i], err);
	for (uint32_t i = 0; i < n_rules && e->opts->n_targets == 0; i++)
		if (!(jl_plan_rule(&e->p->plan, i)->flags & JL_RULE_MANUAL))
			want_rule(e, i, ASKED);
	if (r == JL_OK)
		extend(e, 0);
	return r;
}
