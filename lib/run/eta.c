/* See eta.h. */
#include "run/eta.h"

#define MS(n) ((int64_t)(n)*JL_NS_MS)

static int64_t above_zero(int64_t n)
{
	return n > 0 ? n : 0;
}

int64_t jl_eta_ns(const struct jl_engine *e)
{
	const struct jl_graph *g = &e->graph;
	const int64_t now = e->clock->now_ns(e->clock);
	const int64_t mean = e->n_first ? e->first_ns / e->n_first : 0;
	if (g->n_guessed > 0 && e->n_first == 0)
		return 0;
	int64_t work = MS(g->left_ms) + (int64_t)g->n_guessed * mean, path = 0;
	for (uint32_t i = 0; i < e->slots.n; i++) {
		const struct jl_running *r = (const struct jl_running *)e->slots.running[i];
		if (!r)
			continue;
		const struct jl_node *n = jl_graph_node(g, r->node);
		const int64_t took = now - r->job.began_ns, left = above_zero((n->guessed ? mean : MS(n->weight)) - took);
		work -= (n->guessed ? mean : MS(n->weight)) - left;
		/* What comes behind it on its longest path. */
		const int64_t behind = e->opts->shuffle ? 0 : above_zero(MS(n->urgency) - MS(n->weight));
		path = left + behind > path ? left + behind : path;
	}
	if (e->queue.heap.len && !e->opts->shuffle) {
		const uint32_t first = *JL_AT(e->queue.heap, uint32_t, 0);
		path = MS(jl_graph_node(g, first)->urgency) > path ? MS(jl_graph_node(g, first)->urgency) : path;
	}
	const uint32_t slots = e->slots.n ? e->slots.n : 1;
	return work / slots > path ? above_zero(work / slots) : path;
}
