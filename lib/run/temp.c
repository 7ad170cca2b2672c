/* See temp.h. */
#include "run/temp.h"

#include "base/glob.h"
#include "run/ended.h"
#include "run/expand.h"
#include "run/node.h"
#include "run/ports.h"
#include "run/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temp_of {           /* of a temp instance */
	uint32_t drop;     /* its DROP node, or JL_NONE */
	uint32_t remake;   /* its last REMAKE node, or JL_NONE */
	bool held_back;    /* that it is fresh */
};

void jl_temp_init(struct jl_engine *e)
{
	e->temp = (struct jl_temp_state){.of = {.size = sizeof(struct temp_of)},
					 .held_back = JL_TABLE_INIT(uint32_t),
					 .gate = JL_NONE};
}

void jl_temp_release(struct jl_engine *e)
{
	jl_table_release(&e->temp.of);
	jl_table_release(&e->temp.held_back);
}

static bool is_temp(const struct jl_engine *e, uint32_t rule)
{
	return jl_plan_rule(&e->p->plan, rule)->flags & JL_RULE_TEMP;
}

static struct temp_of *of(struct jl_engine *e, uint32_t inst)
{
	struct jl_table *t = &e->temp.of;
	if (inst >= t->len) {
		uint32_t from = t->len;
		jl_table_add(t, e->p->plan.insts.len - from);
		for (uint32_t i = from; i < t->len; i++)
			*JL_AT(*t, struct temp_of, i) = (struct temp_of){.drop = JL_NONE, .remake = JL_NONE};
	}
	return JL_AT(*t, struct temp_of, inst);
}

static uint32_t node_of(const struct jl_engine *e, uint32_t inst)
{
	return inst < e->node_of.len ? *JL_AT(e->node_of, uint32_t, inst) : JL_NONE;
}

/* ---- while the graph is made ---- */

/* JL_NONE for one that was asked for by name: it stays. */
static uint32_t drop_node(struct jl_engine *e, uint32_t inst)
{
	struct temp_of *t = of(e, inst);
	if (t->drop == JL_NONE && node_of(e, inst) != JL_NONE && !jl_engine_named(e, inst)) {
		t->drop = jl_graph_add(&e->graph, JL_NODE(JL_NODE_DROP, inst), 0);
		if (e->temp.gate != JL_NONE)
			jl_graph_edge(&e->graph, e->temp.gate, t->drop);
	}
	return t->drop;
}

void jl_temp_user(struct jl_engine *e, uint32_t user, uint32_t inst)
{
	uint32_t drop = is_temp(e, jl_engine_inst(e, inst)->rule) ? drop_node(e, inst) : JL_NONE;
	if (drop != JL_NONE)
		jl_graph_edge(&e->graph, user, drop);
}

static void join_users(struct jl_engine *e, uint32_t rule)
{
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	for (uint32_t i = r->first; i < r->first + r->n; i++) {
		uint32_t drop = drop_node(e, i);
		if (drop != JL_NONE)
			jl_graph_edge(&e->graph, e->rule[rule].users, drop);
	}
}

void jl_temp_user_of_rule(struct jl_engine *e, uint32_t user, uint32_t rule)
{
	struct jl_rule_state *rs = &e->rule[rule];
	if (!is_temp(e, rule))
		return;
	if (rs->users == JL_NONE) {
		rs->users = jl_graph_add(&e->graph, JL_NODE(JL_NODE_USERS, rule), 0);
		if (e->temp.gate != JL_NONE)
			jl_graph_edge(&e->graph, e->temp.gate, rs->users);
		if (!(jl_plan_rule(&e->p->plan, rule)->flags & JL_RULE_LATE) || (rs->flags & JL_RS_SETTLED))
			join_users(e, rule);
	}
	jl_graph_edge(&e->graph, user, rs->users);
}

void jl_temp_late(struct jl_engine *e, uint32_t settle)
{
	if (!jl_plan_head(&e->p->plan)->has_temp)
		return;
	if (e->temp.gate == JL_NONE)
		e->temp.gate = jl_graph_add(&e->graph, JL_NODE(JL_NODE_USERS, 0), 0);
	jl_graph_edge(&e->graph, settle, e->temp.gate);
}

void jl_temp_settled(struct jl_engine *e, uint32_t rule)
{
	if (e->rule[rule].users != JL_NONE)
		join_users(e, rule);
}

/* ---- what is dropped ---- */

bool jl_temp_is_dropped(struct jl_engine *e, uint32_t inst)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	bool any = false;
	if (!files->any_dropped || !is_temp(e, t->rule))
		return false;
	for (uint32_t i = t->outs; i < t->outs + t->n_outs && !any; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		struct jl_table ids = JL_TABLE_INIT(uint32_t);
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		any = jl_files_dropped(files, port->what);
		if (!any && (port->flags & JL_PORT_FOLDER) && jl_files_tree(files, port->what, &ids, NULL) == JL_OK)
			for (uint32_t k = 0; k < ids.len && !any; k++)
				any = jl_files_dropped(files, *JL_AT(ids, uint32_t, k));
		jl_table_release(&ids);
	}
	return any;
}

bool jl_temp_is_wanted(struct jl_engine *e, uint32_t inst)
{
	return jl_engine_named(e, inst) && e->opts->mode != JL_MODE_ADOPT && e->opts->why != JL_WHY_ALL &&
	       jl_temp_is_dropped(e, inst);
}

void jl_temp_forget(struct jl_engine *e, uint32_t inst)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	for (uint32_t i = t->outs; is_temp(e, t->rule) && i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (!(port->flags & (JL_PORT_EXCLUDE | JL_PORT_GLOB)))
			jl_files_undrop(jl_engine_files(e), port->what, port->flags & JL_PORT_FOLDER);
	}
}

bool jl_temp_holds_back(struct jl_engine *e, uint32_t inst)
{
	if (e->opts->mode == JL_MODE_ADOPT || !jl_temp_is_dropped(e, inst) || of(e, inst)->drop == JL_NONE)
		return false;
	of(e, inst)->held_back = true;
	*(uint32_t *)jl_table_add(&e->temp.held_back, 1) = inst;
	return true;
}

void jl_temp_tell(struct jl_engine *e)
{
	for (uint32_t i = 0; i < e->temp.held_back.len; i++) {
		uint32_t inst = *JL_AT(e->temp.held_back, uint32_t, i);
		struct jl_record *rec = NULL;
		if (!of(e, inst)->held_back)
			continue;
		if (e->opts->why == JL_WHY_ALL) /* which tells of what was decided last */
			(void)jl_decide(e, inst, &e->deciding, &rec);
		jl_record_free(rec);
		jl_ended_fresh(e, inst, &jl_ended_result(e, inst)->key);
	}
	e->temp.held_back.len = 0;
}

/* ---- making once more ---- */

/* The instances that one waits for whose outputs were dropped (or, `all`, that are temp): appended to `out`. */
static void needed(struct jl_engine *e, uint32_t inst, bool all, struct jl_table *out)
{
	jl_select_needs(e, inst);
	for (uint32_t k = 0; k < e->ids.len; k++) {
		uint32_t what = *JL_AT(e->ids, uint32_t, k), first = JL_NODE_INDEX(what), n = 1;
		if (JL_NODE_KIND(what) == JL_NODE_BARRIER) {
			const struct jl_rule *r = jl_plan_rule(&e->p->plan, first);
			n = is_temp(e, first) ? r->n : 0;
			first = r->first;
		}
		for (uint32_t i = first; i < first + n; i++)
			if (is_temp(e, jl_engine_inst(e, i)->rule) && (all || jl_temp_is_dropped(e, i)))
				*(uint32_t *)jl_table_add(out, 1) = i;
	}
}

static bool being_made(struct jl_engine *e, uint32_t inst)
{
	uint32_t node = of(e, inst)->remake;
	return node != JL_NONE && jl_graph_node(&e->graph, node)->state != JL_NODE_DONE;
}

/* `node` waits for the outputs of an instance. */
static void remake(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct temp_of *t = of(e, inst);
	t->held_back = false; /* it will be told what becomes of it */
	e->temp.remade = true;
	if (being_made(e, inst))
		jl_graph_wait(&e->graph, node, t->remake);
	else
		t->remake = jl_graph_before(&e->graph, node, JL_NODE(JL_NODE_REMAKE, inst));
}

/* One that is made once more is a user of what it needs, which may have been dropped before. */
static void keep_for(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	needed(e, inst, true, &ids);
	for (uint32_t i = 0; i < ids.len; i++) {
		uint32_t maker = *JL_AT(ids, uint32_t, i);
		struct temp_of *t = of(e, maker);
		if (t->drop == JL_NONE)
			continue;
		if (jl_graph_node(&e->graph, t->drop)->state == JL_NODE_WAITING)
			jl_graph_edge(&e->graph, node, t->drop);
		else
			t->drop = jl_graph_behind(&e->graph, node, JL_NODE(JL_NODE_DROP, maker));
	}
	jl_table_release(&ids);
}

bool jl_temp_bring(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	if (!jl_engine_files(e)->any_dropped || !jl_plan_head(&e->p->plan)->has_temp)
		return false;
	needed(e, inst, false, &ids);
	if (JL_NODE_KIND(jl_graph_node(&e->graph, node)->what) == JL_NODE_REMAKE)
		keep_for(e, inst, node);
	for (uint32_t i = 0; i < ids.len; i++)
		remake(e, *JL_AT(ids, uint32_t, i), node);
	bool waits = ids.len > 0;
	jl_table_release(&ids);
	return waits;
}

/* Wait for those of the instances that are being made. */
static bool wait_for(struct jl_engine *e, const struct jl_table *insts, uint32_t node)
{
	bool waits = false;
	for (uint32_t i = 0; i < insts->len; i++) {
		uint32_t inst = *JL_AT(*insts, uint32_t, i);
		if (!being_made(e, inst))
			continue;
		jl_graph_wait(&e->graph, node, of(e, inst)->remake);
		waits = true;
	}
	return waits;
}

bool jl_temp_waits(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	if (!e->temp.remade)
		return false;
	needed(e, inst, true, &ids);
	bool waits = wait_for(e, &ids, node);
	jl_table_release(&ids);
	return waits;
}

bool jl_temp_rule_waits(struct jl_engine *e, uint32_t rule, uint32_t node)
{
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	for (uint32_t i = 0; e->temp.remade && i < r->n_waits; i++) {
		uint32_t other = jl_plan_ref(&e->p->plan, r->waits + i);
		const struct jl_rule *o = jl_plan_rule(&e->p->plan, other);
		for (uint32_t k = o->first; is_temp(e, other) && k < o->first + o->n; k++)
			*(uint32_t *)jl_table_add(&ids, 1) = k;
	}
	bool waits = wait_for(e, &ids, node);
	jl_table_release(&ids);
	return waits;
}

bool jl_temp_bring_file(struct jl_engine *e, uint32_t file, uint32_t node)
{
	uint32_t inst = jl_files_dropped(jl_engine_files(e), file) ? jl_expand_maker(e->p, file) : JL_NONE;
	if (inst == JL_NONE)
		return false;
	remake(e, inst, node);
	return true;
}

void jl_temp_plan(struct jl_engine *e, uint32_t inst)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	if (!jl_engine_files(e)->any_dropped || !jl_plan_head(&e->p->plan)->has_temp)
		return;
	needed(e, inst, false, &ids);
	for (uint32_t i = 0; i < ids.len; i++) {
		uint32_t maker = *JL_AT(ids, uint32_t, i);
		struct jl_record *rec = NULL;
		char why[200];
		if (!of(e, maker)->held_back)
			continue;
		of(e, maker)->held_back = false;
		(void)jl_decide(e, maker, &e->deciding, &rec);
		jl_record_free(rec);
		rec = jl_decide_record(e, maker, &jl_ended_result(e, maker)->key);
		snprintf(why, sizeof(why), "its outputs were dropped, and \"%.120s\" needs them", jl_engine_label(e, inst));
		struct jl_event ev = {.status = rec ? JL_STEP_WOULD_RESTORE : JL_STEP_WOULD_RUN, .reason = why};
		e->counts.would_restore += rec != NULL;
		e->counts.would_run += rec == NULL;
		jl_ended_tell(e, maker, &ev);
		if (!rec)
			jl_temp_plan(e, maker);
		jl_record_free(rec);
	}
	jl_table_release(&ids);
}

/* ---- dropping ---- */

struct dropping {
	struct jl_engine *e;
	uint32_t stays;      /* how many were changed */
	struct jl_buf first; /* of them */
};

/* Only what the state proves to be the step's own; a link stays, as what it leads to is part of keys. */
static int drop_file(struct dropping *d, uint32_t id, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(d->e);
	const char *name;
	int fd = -1;
	if (jl_files_dropped(files, id))
		return JL_OK;
	jl_files_forget(files, id, false);
	int r = jl_files_digest(files, id, err);
	const struct jl_file *f = jl_file_at(files, id);
	if (r != JL_OK || jl_file_kind(f) == JL_KIND_ABSENT)
		return r;
	if (!(f->flags & JL_FILE_MADE)) {
		if (d->stays++ == 0)
			jl_buf_str(&d->first, jl_files_path(files, id));
		return JL_OK;
	}
	if (jl_file_kind(f) != JL_KIND_FILE)
		return JL_OK;
	r = jl_room_open_parent(d->e, jl_files_path(files, id), false, &fd, &name, err);
	if (r == JL_OK && unlinkat(fd, name, 0) != 0 && errno != ENOENT)
		r = jl_err_sys(err, errno, "cannot remove \"%s\"", jl_files_path(files, id));
	if (fd >= 0)
		close(fd);
	if (r == JL_OK)
		jl_files_drop(files, id);
	return r;
}

/* One that is empty by now. */
static void drop_folder(struct dropping *d, uint32_t id)
{
	struct jl_files *files = jl_engine_files(d->e);
	const struct jl_file *f = jl_file_at(files, id);
	const char *name;
	int fd = -1;
	if ((f->flags & JL_FILE_DROPPED) || !(f->flags & JL_FILE_MADE) ||
	    jl_room_open_parent(d->e, jl_files_path(files, id), false, &fd, &name, NULL) != JL_OK)
		return;
	if (unlinkat(fd, name, AT_REMOVEDIR) == 0)
		jl_files_drop(files, id);
	close(fd);
}

static int drop_outputs(struct dropping *d, uint32_t inst, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(d->e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t), ports = JL_TABLE_INIT(uint32_t);
	int r = jl_outputs_list(d->e, inst, &ids, &ports, err);
	/* Seen before their modes are changed: they are to come back with these. */
	for (uint32_t i = 0; i < ids.len && r == JL_OK; i++)
		r = jl_files_stat(files, *JL_AT(ids, uint32_t, i), err);
	for (uint32_t i = 0; i < ids.len && r == JL_OK; i++)
		if (!jl_files_dropped(files, *JL_AT(ids, uint32_t, i)))
			jl_ports_make_writable(files, *JL_AT(ids, uint32_t, i));
	for (uint32_t i = 0; i < ids.len && r == JL_OK; i++)
		if (jl_file_kind(jl_file_at(files, *JL_AT(ids, uint32_t, i))) != JL_KIND_DIR)
			r = drop_file(d, *JL_AT(ids, uint32_t, i), err);
	for (uint32_t i = ids.len; i-- > 0 && r == JL_OK;) /* from the deepest up */
		if (jl_file_kind(jl_file_at(files, *JL_AT(ids, uint32_t, i))) == JL_KIND_DIR)
			drop_folder(d, *JL_AT(ids, uint32_t, i));
	jl_table_release(&ids);
	jl_table_release(&ports);
	return r;
}

void jl_temp_drop(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct dropping d = {.e = e, .first = JL_BUF_INIT};
	struct jl_err err = JL_ERR_INIT;
	const char *label = jl_engine_label(e, inst);
	bool blocked = jl_graph_node(&e->graph, node)->blocked;
	/* There may be a later node, for users that came to it since. */
	if (!blocked && e->opts->mode == JL_MODE_RUN && of(e, inst)->drop == node &&
	    (jl_ended_result(e, inst)->flags & JL_RESULT_OK)) {
		if (drop_outputs(&d, inst, &err) != JL_OK)
			jl_engine_warn(e, label, "temp output stays: %s", err.text);
		if (d.stays > 1)
			jl_engine_warn(e, label, "temp output \"%s\" and %u more stay: they are not as the step left them",
				       d.first.data, d.stays - 1);
		else if (d.stays)
			jl_engine_warn(e, label, "temp output \"%s\" stays: it is not as the step left it", d.first.data);
	}
	jl_buf_release(&d.first);
	jl_graph_done(&e->graph, node, true);
}

/* ---- between runs ---- */

/* Could a temp rule make it? `late`: of those that were not expanded yet. */
static bool could_make(const struct jl_project *p, const struct jl_rule_state *rs, const char *path, bool late)
{
	for (uint32_t i = 0; i < p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&p->plan, i);
		if (!(r->flags & JL_RULE_TEMP) ||
		    (late && (!(r->flags & JL_RULE_LATE) || (rs && (rs[i].flags & JL_RS_SETTLED)))))
			continue;
		for (uint32_t k = 0; k < r->n_makes; k++)
			if (jl_glob_overlap(path, jl_project_text(p, jl_plan_ref(&p->plan, r->makes + k))))
				return true;
	}
	return false;
}

void jl_temp_purge(struct jl_project *p, const struct jl_rule_state *rs, bool expanded)
{
	struct jl_files *files = &p->state->files;
	for (uint32_t id = 0; id < files->at.len; id++) {
		if (!(jl_file_at(files, id)->flags & JL_FILE_DROPPED))
			continue;
		files->any_dropped = true;
		uint32_t maker = expanded ? jl_expand_maker(p, id) : JL_NONE;
		if (maker != JL_NONE ? jl_plan_rule(&p->plan, jl_plan_inst(&p->plan, maker)->rule)->flags & JL_RULE_TEMP
				     : could_make(p, rs, jl_files_path(files, id), expanded))
			continue;
		jl_files_undrop(files, id, false);
	}
}
