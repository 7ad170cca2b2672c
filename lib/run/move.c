/* See move.h. */
#include "run/move.h"

#include "memo/record.h"
#include "run/node.h"
#include "run/shared.h"

#include <string.h>

static bool has(struct jl_store *s, const struct jl_content *c)
{
	return c->size == 0 || c->bytes || s->ops->has_blob(s, &c->digest, NULL) == 1;
}

static bool is_whole(struct jl_engine *e, const struct jl_record *rec)
{
	struct jl_store *s = jl_engine_store(e);
	bool whole = s && has(s, &rec->log);
	for (uint32_t i = 0; i < rec->n_outputs && whole; i++)
		whole = has(s, &rec->outputs[i].content);
	return whole;
}

/* As if it had been put in place. false: it cannot be known what others would make of it. */
static bool pretend(struct jl_engine *e, uint32_t inst, const struct jl_record *rec)
{
	struct jl_files *files = jl_engine_files(e);
	if (jl_place_matches(e, inst, rec))
		return true;
	for (uint32_t i = 0; i < rec->n_outputs; i++) {
		const struct jl_record_output *out = &rec->outputs[i];
		if (out->kind != JL_KIND_DIR && out->content.digest.algo != files->algo)
			return false;
		jl_files_pretend(files, jl_files_id(files, out->path, strlen(out->path)), out->kind, out->mode,
				 out->content.size, &out->content.digest);
	}
	return true;
}

static void offer(struct jl_engine *e, const struct jl_digest *key, const struct jl_digest *base)
{
	jl_shared_offer(e, key);
	if (!jl_digest_equal(key, base))
		jl_shared_offer(e, base);
}

/* What the step gave last goes out, too, if it is another result than that of the present inputs. */
static void offer_last(struct jl_engine *e, uint32_t inst, const struct jl_digest *present)
{
	const struct jl_result *res = jl_result_at(&e->p->state->results, jl_engine_inst(e, inst)->result);
	if (!(res->flags & JL_RESULT_OK) || (present && jl_digest_equal(&res->key, present)))
		return;
	struct jl_record *rec = jl_decide_record(e, inst, &res->key);
	if (rec && is_whole(e, rec))
		jl_shared_offer(e, &res->key);
	jl_record_free(rec);
}

static void found(struct jl_engine *e, uint32_t inst, uint32_t node, const struct jl_record *rec)
{
	const struct jl_decided *d = &e->deciding;
	if (e->opts->mode == JL_MODE_PUSH)
		offer(e, &d->key, &d->base);
	if (jl_shared_found(e, &d->key))
		e->counts.restored++;
	else
		e->counts.fresh++;
	jl_graph_done(&e->graph, node, pretend(e, inst, rec));
}

static void move_inst(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	struct jl_record *rec = NULL;
	bool off = jl_engine_inst(e, inst)->flags & JL_INST_OFF;
	jl_shared_begin(e);
	enum jl_decision decision = off ? JL_DECIDE_FAIL : jl_decide(e, inst, &e->deciding, &rec);
	bool whole = decision == JL_DECIDE_HIT && is_whole(e, rec);
	if (decision == JL_DECIDE_HIT && !whole)
		jl_shared_missed(e, &e->deciding.key);
	if (whole && e->opts->mode == JL_MODE_PUSH)
		offer_last(e, inst, &e->deciding.key);
	if (whole) {
		found(e, inst, node, rec);
	} else if (off) {
		jl_graph_done(&e->graph, node, true);
	} else if (decision == JL_DECIDE_FAIL || !jl_shared_ask(e, node)) {
		const uint32_t never = JL_RULE_ALWAYS | JL_RULE_NO_CACHE;
		e->counts.maybe += decision == JL_DECIDE_FAIL;
		e->counts.would_run += decision != JL_DECIDE_FAIL && !(jl_engine_rule(e, inst)->flags & never);
		if (e->opts->mode == JL_MODE_PUSH)
			offer_last(e, inst, NULL);
		jl_graph_done(&e->graph, node, false);
	}
	jl_record_free(rec);
}

/* The file that its items are lines of may be one that does not lie there. */
static bool lacks_lines(struct jl_engine *e, uint32_t rule)
{
	const struct jl_rule *r = jl_plan_rule(&e->p->plan, rule);
	const char *path = jl_project_text(e->p, r->items_text);
	if (r->items_kind != JL_FOREACH_LINES || r->flags & JL_RULE_EXPANDED)
		return false;
	uint32_t file = jl_files_find(jl_engine_files(e), path, strlen(path));
	return file != JL_NONE && jl_files_dropped(jl_engine_files(e), file);
}

void jl_move_visit(struct jl_engine *e, uint32_t node)
{
	const struct jl_node *n = jl_graph_node(&e->graph, node);
	const uint32_t index = JL_NODE_INDEX(n->what);
	const bool blocked = n->blocked || e->slots.stopping;
	switch (JL_NODE_KIND(n->what)) {
	case JL_NODE_SETTLE:
		if (!blocked && !lacks_lines(e, index)) {
			jl_engine_settle(e, index, node);
			return;
		}
		e->counts.maybe++;
		jl_graph_done(&e->graph, node, false);
		return;
	case JL_NODE_INST:
	case JL_NODE_REMAKE:
		if (!blocked) {
			move_inst(e, index, node);
			return;
		}
		e->counts.maybe++;
		if (e->opts->mode == JL_MODE_PUSH && !e->slots.stopping)
			offer_last(e, index, NULL);
		jl_graph_done(&e->graph, node, false);
		return;
	case JL_NODE_BARRIER:
	case JL_NODE_DROP:
	case JL_NODE_USERS: jl_graph_done(&e->graph, node, !blocked); return;
	}
}
