/* See eta.h. */
#include "run/eta.h"

#define MS(n) ((int64_t)(n)*JL_NS_MS)

static int64_t above_zero(int64_t n)
{
	return n > 0 ? n : 0;
}

/* How long the node takes, and that with what comes behind it on its longest path. */
static int64_t duration(const struct jl_node *n, int64_t mean)
{
	return n->guessed ? mean : MS(n->weight);
}

static int64_t path(const struct jl_engine *e, uint32_t node, int64_t mean)
{
	const struct jl_node *n = jl_graph_node(&e->graph, node);
	/* With a seed, urgency is chance. */
	return duration(n, mean) + (e->opts->shuffle ? 0 : above_zero(MS(n->urgency) - MS(n->weight)));
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t jl_eta_ns(const struct jl_engine *e)
{
	const struct jl_graph *g = &e->graph;
	const int64_t now = e->clock->now_ns(e->clock);
	const int64_t mean = e->n_first ? e->first_ns / e->n_first : 0;
	if (g->n_guessed > 0 && e->n_first == 0)
		return 0;
	int64_t work = MS(g->left_ms) + (int64_t)g->n_guessed * mean;
	int64_t longest = 0;
	for (int i = 0; i < 2; i++)
		if (e->slots.held[i])
			longest = larger(longest, path(e, ((const struct jl_running *)e->slots.held[i])->node, mean));
	if (e->queue.heap.len)
		longest = larger(longest, path(e, *JL_AT(e->queue.heap, uint32_t, 0), mean));
	for (uint32_t i = 0; i < e->slots.n; i++) {
		const struct jl_running *r = (const struct jl_running *)e->slots.running[i];
		if (!r)
			continue;
		const int64_t whole = duration(jl_graph_node(g, r->node), mean), took = now - r->job.began_ns;
		work -= took < whole ? took : whole;
		longest = larger(longest, path(e, r->node, mean) - (took < whole ? took : whole));
	}
	const struct jl_counts *c = &e->counts;
	const uint32_t left = c->total - c->ran - c->fresh - c->restored - c->failed - c->skipped;
	const uint32_t shares = left < e->slots.n ? left : e->slots.n;
	return larger(above_zero(work) / (shares ? shares : 1), longest);
}
