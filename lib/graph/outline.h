/* struct jl_outline: the steps of a manifest and what leads from one to the next, to be drawn.
 *
 *     uint32_t a = jl_outline_add(&o, "fetch", 1, 0), b = jl_outline_add(&o, "clean", 12, JL_OUTLINE_FOREACH);
 *     jl_outline_edge(&o, a, b, JL_EDGE_DATA);
 *     jl_outline_sort(&o);
 *     jl_outline_dot(&o, &buf);
 *
 * Nodes keep the order in which they were added; edges are sorted and each stands there once. Pure: no I/O.
 */
#ifndef JL_GRAPH_OUTLINE_H
#define JL_GRAPH_OUTLINE_H

#include "base/buf.h"
#include "base/table.h"

enum jl_outline_flag {
	JL_OUTLINE_FOREACH = 1, /* a node for `count` instances */
	JL_OUTLINE_LATE = 2,    /* its items are known only when what they come from has run: `count` is 0 */
	JL_OUTLINE_MANUAL = 4,
	JL_OUTLINE_OFF = 8,     /* its `if` is false */
	JL_OUTLINE_ALL = 16,    /* no step: all instances of the one it is named after, for those that wait for them */
};

/* The weaker comes last: of several edges between two nodes the first kind stands. */
enum jl_edge_kind {
	JL_EDGE_ITEMS, /* the items of a late foreach come from it */
	JL_EDGE_DATA,  /* an output of one is an input of the other */
	JL_EDGE_AFTER, /* the other waits for it, and reads nothing of it */
};

struct jl_outline_node {
	uint32_t name;      /* text */
	uint32_t count, of; /* instances shown, and how many there are in all */
	uint32_t flags;
};
struct jl_outline_edge {
	uint32_t from, to;
	uint32_t kind;
};
struct jl_outline {
	struct jl_table text, nodes, edges;
};
#define JL_OUTLINE_INIT \
	{.text = JL_TABLE_INIT(char), .nodes = JL_TABLE_INIT(struct jl_outline_node), \
	 .edges = JL_TABLE_INIT(struct jl_outline_edge)}

void jl_outline_release(struct jl_outline *o);
/* The node's index. `name` is copied. */
uint32_t jl_outline_add(struct jl_outline *o, const char *name, uint32_t count, uint32_t flags);
void jl_outline_edge(struct jl_outline *o, uint32_t from, uint32_t to, enum jl_edge_kind kind);
void jl_outline_sort(struct jl_outline *o); /* after the last edge, before it is drawn */

/* Append the drawing. In DOT and Mermaid, nodes are n1, n2, ... with their names as labels; control bytes and what is not
 * UTF-8 are \xNN there, U+FFFD in JSON. Sources: "The DOT Language" of graphviz (quoted strings, escString, entities in
 * labels), Mermaid's "Flowcharts Syntax" (entity codes). JSON: {"v":1,"nodes":[...],"edges":[...]}, docs/man/jl-graph.1. */
void jl_outline_dot(const struct jl_outline *o, struct jl_buf *out);
void jl_outline_mermaid(const struct jl_outline *o, struct jl_buf *out);
void jl_outline_json(const struct jl_outline *o, struct jl_buf *out);

#endif
