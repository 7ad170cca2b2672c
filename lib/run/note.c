/* What a run leaves in the store besides results: what was used, how much was saved. See store/uses.h. */
#include "run/engine.h"
#include "run/node.h"
#include "store/uses.h"

void jl_engine_note_base(struct jl_engine *e, const struct jl_decided *d)
{
	if (!jl_digest_equal(&d->base, &d->key))
		*(struct jl_digest *)jl_table_add(&e->bases, 1) = d->base;
}

static void add_key(const struct jl_digest *key, struct jl_key_set *set, struct jl_table *ret)
{
	if (set)
		jl_key_set_add(set, key);
	else
		*(struct jl_digest *)jl_table_add(ret, 1) = *key;
}

/* The keys of the steps that ended well, and by which they were found. */
static void add_keys(const struct jl_engine *e, struct jl_key_set *set, struct jl_table *ret)
{
	for (uint32_t i = 0; i < e->bases.len; i++)
		add_key(JL_AT(e->bases, struct jl_digest, i), set, ret);
	const struct jl_results *results = &e->p->state->results;
	for (uint32_t i = 0; i < e->graph.nodes.len; i++) {
		uint32_t what = jl_graph_node(&e->graph, i)->what;
		if (JL_NODE_KIND(what) != JL_NODE_INST)
			continue;
		const struct jl_result *r = jl_result_at(results, jl_engine_inst(e, JL_NODE_INDEX(what))->result);
		if ((r->flags & (JL_RESULT_OK | JL_RESULT_FAILED)) != JL_RESULT_OK)
			continue;
		add_key(&r->key, set, ret);
	}
}

void jl_engine_note(struct jl_engine *e)
{
	struct jl_table keys = JL_TABLE_INIT(struct jl_digest);
	struct jl_key_set set = {0};
	struct jl_day run = {.hits = e->counts.fresh + e->counts.restored,
			     .runs = e->counts.ran,
			     .saved_ms = (uint64_t)e->counts.saved_ns / (uint64_t)JL_NS_MS};
	if (e->opts->mode != JL_MODE_RUN || e->opts->cache != JL_CACHE_RW || e->opts->store)
		return;
	if (e->graph.nodes.len)
		add_keys(e, &set, NULL);
	if (jl_uses_note(&jl_io_system, jl_project_store_dir(e->p), &set, &run))
		return;
	/* The first time these together, so something was done for it, or the store was made anew. */
	add_keys(e, NULL, &keys);
	struct jl_store *store = jl_engine_store(e);
	if (store)
		(void)store->ops->use_keys(store, keys.data, keys.len, NULL);
	jl_table_release(&keys);
}
