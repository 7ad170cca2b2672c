/* struct jl_graph: which node is ready, and which is the most urgent. Pure: no I/O, no clock.
 *
 * A node waits for its predecessors; when the last one is done it is put on the ready list. The graph may grow while it
 * runs: nodes and edges may be added at any time, but no edge to a node that is ready already.
 *
 *     a = jl_graph_add(&g, what, weight);  b = jl_graph_add(&g, ...);
 *     jl_graph_edge(&g, a, b);             b after a
 *     jl_graph_start(&g);                  once: everything without predecessors becomes ready
 *     while (jl_graph_next(&g, &node)) { ...; jl_graph_done(&g, node, ok); }
 *
 * When a predecessor is done with ok = false, its followers become ready "blocked": the owner says what that means
 * (usually: skipped, done with ok = false in turn). Order of the ready list: the order of becoming ready, ties by index.
 * Urgency is the length of the longest weighted path to the end ("critical path first"): jl_graph_measure().
 * All operations are O(1) amortised per node or edge; jl_graph_measure() is O(nodes + edges).
 */
#ifndef JL_GRAPH_GRAPH_H
#define JL_GRAPH_GRAPH_H

#include "base/table.h"

#include <stdbool.h>
#include <stdint.h>

enum jl_node_state { JL_NODE_WAITING, JL_NODE_READY, JL_NODE_TAKEN, JL_NODE_DONE };

struct jl_node {
	uint32_t what;     /* the owner's */
	uint32_t pending;  /* predecessors not done */
	uint32_t edges;    /* first of its outgoing edges, or JL_NONE */
	uint32_t weight;   /* expected duration in ms */
	uint32_t urgency;  /* ms from its start to the end of all, along the longest path; by jl_graph_measure() */
	uint8_t state;     /* enum jl_node_state */
	bool blocked;      /* a predecessor was not ok */
	bool marked;       /* the owner's; what is done hands it on to its followers */
	bool guessed;      /* the weight is no measured duration */
	uint32_t blocker;  /* of the predecessors that were not ok the first; JL_NONE: none was */
	uint32_t last;     /* the predecessor whose end made it ready; JL_NONE: it waited for none. The owner may say another */
};

struct jl_graph {
	struct jl_table nodes; /* struct jl_node */
	struct jl_table edges; /* private: (to, next) */
	struct jl_table ready; /* uint32_t, a queue from `head` on */
	uint32_t head;
	uint32_t n_done;
	uint64_t left_ms;      /* weights of what is not done and not guessed */
	uint32_t n_guessed;    /* not done, and guessed */
	bool started;
	bool measured;         /* urgency is of the present graph */
};

#define JL_GRAPH_INIT \
	{.nodes = JL_TABLE_INIT(struct jl_node), .edges = {.size = 8}, .ready = JL_TABLE_INIT(uint32_t)}

void jl_graph_release_all(struct jl_graph *g); /* free */
uint32_t jl_graph_add(struct jl_graph *g, uint32_t what, uint32_t weight_ms);
void jl_graph_guessed(struct jl_graph *g, uint32_t node); /* its weight is a guess: it counts in n_guessed, not left_ms */
void jl_graph_edge(struct jl_graph *g, uint32_t before, uint32_t after); /* fine when `before` is done */
/* New nodes added after the start become ready by this call (those without pending predecessors), from `first` on. */
void jl_graph_start(struct jl_graph *g, uint32_t first);
/* Take the next ready node. */
bool jl_graph_next(struct jl_graph *g, uint32_t *ret_node);
/* For one that was taken: it waits once more, for a new node of the same urgency, which is ready at once; or for another that is
 * not done. When that is done it becomes ready again. */
uint32_t jl_graph_before(struct jl_graph *g, uint32_t node, uint32_t what);
void jl_graph_wait(struct jl_graph *g, uint32_t node, uint32_t before);
/* A new node after one that is not done. With these three the urgencies stay as they were measured. */
uint32_t jl_graph_behind(struct jl_graph *g, uint32_t node, uint32_t what);
void jl_graph_done(struct jl_graph *g, uint32_t node, bool ok);
bool jl_graph_finished(const struct jl_graph *g); /* all nodes are done */

static inline struct jl_node *jl_graph_node(const struct jl_graph *g, uint32_t node)
{
	return JL_AT(g->nodes, struct jl_node, node);
}
/* Work out every undone node's urgency. Returns the number of nodes on a cycle or behind one (0: none); `ret_cycle`, if not
 * NULL, gets the nodes of one cycle in order (elements uint32_t). */
uint32_t jl_graph_measure(struct jl_graph *g, struct jl_table *ret_cycle);

/* A heap of nodes by urgency (most urgent first, ties by index): what is to be run and waits for a slot. */
struct jl_urgent {
	struct jl_table heap; /* uint32_t */
};
#define JL_URGENT_INIT {.heap = JL_TABLE_INIT(uint32_t)}
void jl_urgent_push(struct jl_urgent *u, const struct jl_graph *g, uint32_t node);
bool jl_urgent_pop(struct jl_urgent *u, const struct jl_graph *g, uint32_t *ret_node);
void jl_urgent_rebuild(struct jl_urgent *u, const struct jl_graph *g); /* after jl_graph_measure() */

#endif
