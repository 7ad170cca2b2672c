/* The dependency graph and the heap of what is to be run: see graph.h. */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

struct edge {
	uint32_t to, next;
};

_Static_assert(sizeof(struct edge) == 8, "JL_GRAPH_INIT gives this size");

void jl_graph_release_all(struct jl_graph *g)
{
	jl_table_release(&g->nodes);
	jl_table_release(&g->edges);
	jl_table_release(&g->ready);
	g->head = g->n_done = g->n_guessed = 0;
	g->left_ms = 0;
	g->started = g->measured = false;
}

uint32_t jl_graph_add(struct jl_graph *g, uint32_t what, uint32_t weight_ms)
{
	struct jl_node *n = jl_table_add(&g->nodes, 1);
	n->what = what;
	n->weight = weight_ms;
	n->edges = n->blocker = n->last = JL_NONE;
	g->left_ms += weight_ms;
	g->measured = false;
	return g->nodes.len - 1;
}

void jl_graph_guessed(struct jl_graph *g, uint32_t node)
{
	struct jl_node *n = jl_graph_node(g, node);
	jl_bug_if(n->guessed || n->state == JL_NODE_DONE);
	n->guessed = true;
	g->left_ms -= n->weight;
	g->n_guessed++;
}

void jl_graph_edge(struct jl_graph *g, uint32_t before, uint32_t after)
{
	struct jl_node *b = jl_graph_node(g, before), *a = jl_graph_node(g, after);
	jl_bug_if(a->state != JL_NODE_WAITING);
	g->measured = false;
	if (b->state == JL_NODE_DONE) {
		if (b->blocked && !a->blocked)
			a->blocker = before;
		a->blocked |= b->blocked;
		a->marked |= b->marked;
		return;
	}
	struct edge *e = jl_table_add(&g->edges, 1);
	e->to = after;
	e->next = b->edges;
	b->edges = g->edges.len - 1;
	a->pending++;
}

static void make_ready(struct jl_graph *g, uint32_t node)
{
	jl_graph_node(g, node)->state = JL_NODE_READY;
	*(uint32_t *)jl_table_add(&g->ready, 1) = node;
}

void jl_graph_start(struct jl_graph *g, uint32_t first)
{
	g->started = true;
	for (uint32_t i = first; i < g->nodes.len; i++) {
		struct jl_node *n = jl_graph_node(g, i);
		if (n->state == JL_NODE_WAITING && n->pending == 0)
			make_ready(g, i);
	}
}

void jl_graph_wait(struct jl_graph *g, uint32_t node, uint32_t before)
{
	struct jl_node *n = jl_graph_node(g, node);
	bool measured = g->measured;
	jl_bug_if(n->state != JL_NODE_TAKEN && n->state != JL_NODE_WAITING);
	jl_bug_if(jl_graph_node(g, before)->state == JL_NODE_DONE);
	n->state = JL_NODE_WAITING;
	jl_graph_edge(g, before, node);
	g->measured = measured;
}

uint32_t jl_graph_before(struct jl_graph *g, uint32_t node, uint32_t what)
{
	bool measured = g->measured;
	uint32_t new = jl_graph_add(g, what, 0);
	g->measured = measured;
	jl_graph_node(g, new)->urgency = jl_graph_node(g, node)->urgency;
	jl_graph_wait(g, node, new);
	make_ready(g, new);
	return new;
}

uint32_t jl_graph_behind(struct jl_graph *g, uint32_t node, uint32_t what)
{
	bool measured = g->measured;
	uint32_t new = jl_graph_add(g, what, 0);
	jl_graph_edge(g, node, new);
	g->measured = measured;
	return new;
}

bool jl_graph_next(struct jl_graph *g, uint32_t *ret_node)
{
	if (g->head == g->ready.len)
		return false;
	*ret_node = *JL_AT(g->ready, uint32_t, g->head++);
	if (g->head == g->ready.len)
		g->head = g->ready.len = 0;
	jl_graph_node(g, *ret_node)->state = JL_NODE_TAKEN;
	return true;
}

void jl_graph_done(struct jl_graph *g, uint32_t node, bool ok)
{
	struct jl_node *n = jl_graph_node(g, node);
	jl_bug_if(n->state != JL_NODE_TAKEN);
	n->state = JL_NODE_DONE;
	n->blocked = !ok; /* from here on it says what late followers shall see */
	g->n_done++;
	if (n->guessed)
		g->n_guessed--;
	else
		g->left_ms -= n->weight;
	for (uint32_t e = n->edges; e != JL_NONE;) {
		struct edge *edge = JL_AT(g->edges, struct edge, e);
		struct jl_node *to = jl_graph_node(g, edge->to);
		if (!ok && !to->blocked)
			to->blocker = node;
		to->blocked |= !ok;
		to->marked |= n->marked;
		if (--to->pending == 0) {
			to->last = node;
			make_ready(g, edge->to);
		}
		e = edge->next;
	}
}

bool jl_graph_finished(const struct jl_graph *g)
{
	return g->n_done == g->nodes.len;
}

/* The nodes that Kahn's method left over wait for each other: follow one unfinished predecessor after the other until a
 * node comes again. */
static void find_cycle(struct jl_graph *g, const uint32_t *left, struct jl_table *ret)
{
	uint32_t n = g->nodes.len, start = JL_NONE;
	uint32_t *before = jl_alloc(n * sizeof(*before));
	memset(before, 0xff, n * sizeof(*before));
	for (uint32_t i = 0; i < n; i++) {
		if (left[i] == 0)
			continue;
		for (uint32_t e = jl_graph_node(g, i)->edges; e != JL_NONE; e = JL_AT(g->edges, struct edge, e)->next) {
			uint32_t to = JL_AT(g->edges, struct edge, e)->to;
			if (left[to] != 0)
				before[to] = i;
		}
		if (start == JL_NONE)
			start = i;
	}
	uint8_t *seen = jl_calloc(n, 1);
	uint32_t at = start;
	while (at != JL_NONE && !seen[at]) {
		seen[at] = 1;
		at = before[at];
	}
	for (uint32_t first = at; at != JL_NONE;) {
		*(uint32_t *)jl_table_add(ret, 1) = at;
		at = before[at];
		if (at == first)
			break;
	}
	/* Found against the direction of the edges: turn it round. */
	uint32_t *c = ret->data;
	for (uint32_t i = 0, j = ret->len; j > 0 && i < --j; i++) {
		uint32_t swap = c[i];
		c[i] = c[j];
		c[j] = swap;
	}
	free(seen);
	free(before);
}

uint32_t jl_graph_measure(struct jl_graph *g, struct jl_table *ret_cycle)
{
	uint32_t n = g->nodes.len, len = 0;
	uint32_t *left = jl_alloc((n + 1) * sizeof(*left));
	uint32_t *order = jl_alloc((n + 1) * sizeof(*order));
	memset(left, 0, (n + 1) * sizeof(*left));
	for (uint32_t i = 0; i < n; i++) {
		struct jl_node *node = jl_graph_node(g, i);
		if (node->state == JL_NODE_DONE)
			continue;
		for (uint32_t e = node->edges; e != JL_NONE; e = JL_AT(g->edges, struct edge, e)->next)
			left[JL_AT(g->edges, struct edge, e)->to]++;
	}
	for (uint32_t i = 0; i < n; i++)
		if (left[i] == 0 && jl_graph_node(g, i)->state != JL_NODE_DONE)
			order[len++] = i;
	for (uint32_t at = 0; at < len; at++) {
		for (uint32_t e = jl_graph_node(g, order[at])->edges; e != JL_NONE; e = JL_AT(g->edges, struct edge, e)->next) {
			uint32_t to = JL_AT(g->edges, struct edge, e)->to;
			if (--left[to] == 0)
				order[len++] = to;
		}
	}
	for (uint32_t at = len; at-- > 0;) {
		struct jl_node *node = jl_graph_node(g, order[at]);
		uint32_t longest = 0;
		for (uint32_t e = node->edges; e != JL_NONE; e = JL_AT(g->edges, struct edge, e)->next) {
			uint32_t u = jl_graph_node(g, JL_AT(g->edges, struct edge, e)->to)->urgency;
			longest = u > longest ? u : longest;
		}
		node->urgency = node->weight > UINT32_MAX - longest ? UINT32_MAX : node->weight + longest;
	}
	uint32_t stuck = n - g->n_done - len;
	if (stuck > 0 && ret_cycle)
		find_cycle(g, left, ret_cycle);
	g->measured = true;
	free(left);
	free(order);
	return stuck;
}

/* Is a to run before b? */
static bool before(const struct jl_graph *g, uint32_t a, uint32_t b)
{
	uint32_t ua = jl_graph_node(g, a)->urgency, ub = jl_graph_node(g, b)->urgency;
	return ua != ub ? ua > ub : a < b;
}

static void sift_down(struct jl_urgent *u, const struct jl_graph *g, uint32_t at)
{
	uint32_t *h = u->heap.data, n = u->heap.len, node = h[at];
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= n)
			break;
		if (child + 1 < n && before(g, h[child + 1], h[child]))
			child++;
		if (!before(g, h[child], node))
			break;
		h[at] = h[child];
		at = child;
	}
	h[at] = node;
}

void jl_urgent_push(struct jl_urgent *u, const struct jl_graph *g, uint32_t node)
{
	jl_table_add(&u->heap, 1);
	uint32_t *h = u->heap.data, at = u->heap.len - 1;
	while (at > 0 && before(g, node, h[(at - 1) / 2])) {
		h[at] = h[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	h[at] = node;
}

bool jl_urgent_pop(struct jl_urgent *u, const struct jl_graph *g, uint32_t *ret_node)
{
	if (u->heap.len == 0)
		return false;
	uint32_t *h = u->heap.data;
	*ret_node = h[0];
	h[0] = h[--u->heap.len];
	if (u->heap.len > 1)
		sift_down(u, g, 0);
	return true;
}

void jl_urgent_rebuild(struct jl_urgent *u, const struct jl_graph *g)
{
	for (uint32_t at = u->heap.len / 2; at-- > 0;)
		sift_down(u, g, at);
}
