/* Outlines and their formats: see outline.h. */
#include "graph/outline.h"

#include "base/json.h"
#include "base/path.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {[JL_EDGE_DATA] = "data", [JL_EDGE_ITEMS] = "items", [JL_EDGE_AFTER] = "after"};

void jl_outline_release(struct jl_outline *o)
{
	jl_table_release(&o->text);
	jl_table_release(&o->nodes);
	jl_table_release(&o->edges);
}

uint32_t jl_outline_add(struct jl_outline *o, const char *name, uint32_t count, uint32_t flags)
{
	struct jl_outline_node *n = jl_table_add(&o->nodes, 1);

	*n = (struct jl_outline_node){.count = count, .of = count, .flags = flags};
	n->name = jl_text_add(&o->text, name, strlen(name));
	return o->nodes.len - 1;
}

void jl_outline_edge(struct jl_outline *o, uint32_t from, uint32_t to, enum jl_edge_kind kind)
{
	*(struct jl_outline_edge *)jl_table_add(&o->edges, 1) =
		(struct jl_outline_edge){.from = from, .to = to, .kind = kind};
}

static int compare(const void *a, const void *b)
{
	const struct jl_outline_edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

void jl_outline_sort(struct jl_outline *o)
{
	struct jl_outline_edge *at = o->edges.data;
	uint32_t n = 0;

	if (o->edges.len == 0)
		return;
	qsort(at, o->edges.len, sizeof(*at), compare);
	for (uint32_t i = 1; i < o->edges.len; i++)
		if (at[i].from != at[n].from || at[i].to != at[n].to)
			at[++n] = at[i];
	o->edges.len = n + 1;
}

static const struct jl_outline_node *node_at(const struct jl_outline *o, uint32_t i)
{
	return JL_AT(o->nodes, struct jl_outline_node, i);
}

static const char *name_of(const struct jl_outline *o, const struct jl_outline_node *n)
{
	return jl_text(&o->text, n->name);
}

/* What a node says besides its name; "" for nothing. */
static void add_note(const struct jl_outline_node *n, struct jl_buf *out)
{
	if (n->flags & JL_OUTLINE_LATE)
		jl_buf_str(out, "foreach, items known later");
	else if ((n->flags & JL_OUTLINE_FOREACH) && n->count != n->of)
		jl_buf_printf(out, "\xc3\x97 %u of %u", n->count, n->of);
	else if (n->flags & JL_OUTLINE_FOREACH)
		jl_buf_printf(out, "\xc3\x97 %u", n->count);
	if (n->flags & JL_OUTLINE_MANUAL)
		jl_buf_str(out, out->len ? ", manual" : "manual");
	if (n->flags & JL_OUTLINE_OFF)
		jl_buf_str(out, out->len ? ", off" : "off");
}

/* Name and note with what `escape` does to each character. */
static void add_label(const struct jl_outline *o, const struct jl_outline_node *n, const char *between,
		      void (*escape)(struct jl_buf *out, char c), struct jl_buf *out)
{
	struct jl_buf text = JL_BUF_INIT, note = JL_BUF_INIT;

	if (n->flags & JL_OUTLINE_ALL)
		jl_buf_str(&text, "all of ");
	jl_path_show(&text, name_of(o, n), strlen(name_of(o, n)));
	for (size_t i = 0; i < text.len; i++)
		escape(out, text.data[i]);
	add_note(n, &note);
	if (note.len) {
		jl_buf_str(out, between);
		jl_buf_str(out, note.data);
	}
	jl_buf_release(&text);
	jl_buf_release(&note);
}

/* ---- DOT ---- */

/* Within quotes, of a label: a backslash begins an escape of the label, an ampersand an entity. */
static void escape_dot(struct jl_buf *out, char c)
{
	if (c == '"' || c == '\\')
		jl_buf_char(out, '\\');
	jl_buf_char(out, c);
	if (c == '&')
		jl_buf_str(out, "amp;");
}

void jl_outline_dot(const struct jl_outline *o, struct jl_buf *out)
{
	jl_buf_str(out, "digraph jl {\n\trankdir=LR;\n"
			"\tnode [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
			"\tedge [fontname=\"sans-serif\", fontsize=10];\n");
	for (uint32_t i = 0; i < o->nodes.len; i++) {
		const struct jl_outline_node *n = node_at(o, i);

		jl_buf_printf(out, "\tn%u [label=\"", i + 1);
		add_label(o, n, "\\n", escape_dot, out);
		jl_buf_char(out, '"');
		if (n->flags & JL_OUTLINE_ALL)
			jl_buf_str(out, ", shape=plaintext");
		else if (n->flags & JL_OUTLINE_OFF)
			jl_buf_str(out, ", style=\"rounded,dotted\"");
		else if (n->flags & JL_OUTLINE_LATE)
			jl_buf_str(out, ", style=\"rounded,dashed\"");
		jl_buf_str(out, "];\n");
	}
	for (uint32_t i = 0; i < o->edges.len; i++) {
		const struct jl_outline_edge *e = JL_AT(o->edges, struct jl_outline_edge, i);

		jl_buf_printf(out, "\tn%u -> n%u", e->from + 1, e->to + 1);
		if (e->kind == JL_EDGE_AFTER)
			jl_buf_str(out, " [style=dashed]");
		else if (e->kind == JL_EDGE_ITEMS)
			jl_buf_str(out, " [label=\"items\"]");
		jl_buf_str(out, ";\n");
	}
	jl_buf_str(out, "}\n");
}

/* ---- Mermaid ---- */

/* Within quotes, text may be taken as Markdown or HTML: whatever could mean something there is an entity code. */
static void escape_mermaid(struct jl_buf *out, char c)
{
	if (strchr("\"#;&<>`\\*_~|{}[]()", c))
		jl_buf_printf(out, "#%d;", c);
	else
		jl_buf_char(out, c);
}

void jl_outline_mermaid(const struct jl_outline *o, struct jl_buf *out)
{
	jl_buf_str(out, "flowchart LR\n");
	for (uint32_t i = 0; i < o->nodes.len; i++) {
		const struct jl_outline_node *n = node_at(o, i);

		jl_buf_printf(out, "\tn%u%s\"", i + 1, n->flags & JL_OUTLINE_ALL ? "([" : "[");
		add_label(o, n, "<br>", escape_mermaid, out);
		jl_buf_printf(out, "\"%s\n", n->flags & JL_OUTLINE_ALL ? "])" : "]");
		if (n->flags & (JL_OUTLINE_OFF | JL_OUTLINE_LATE))
			jl_buf_printf(out, "\tstyle n%u stroke-dasharray:%s\n", i + 1,
				      n->flags & JL_OUTLINE_OFF ? "2" : "5");
	}
	for (uint32_t i = 0; i < o->edges.len; i++) {
		const struct jl_outline_edge *e = JL_AT(o->edges, struct jl_outline_edge, i);
		static const char *const arrows[] = {
			[JL_EDGE_DATA] = "-->", [JL_EDGE_ITEMS] = "-->|items|", [JL_EDGE_AFTER] = "-.->"};

		jl_buf_printf(out, "\tn%u %s n%u\n", e->from + 1, arrows[e->kind], e->to + 1);
	}
}

/* ---- JSON ---- */

static void put_flag(struct jl_json *j, const char *key, uint32_t flag)
{
	if (!flag)
		return;
	jl_json_key(j, key);
	jl_json_bool(j, true);
}

void jl_outline_json(const struct jl_outline *o, struct jl_buf *out)
{
	struct jl_json j = {.out = out};

	jl_json_begin(&j, '{');
	jl_json_put_int(&j, "v", 1);
	jl_json_key(&j, "nodes");
	jl_json_begin(&j, '[');
	for (uint32_t i = 0; i < o->nodes.len; i++) {
		const struct jl_outline_node *n = node_at(o, i);

		jl_buf_str(out, i ? ",\n" : "\n");
		j.need_comma = false;
		jl_json_begin(&j, '{');
		jl_json_put_int(&j, "id", i + 1);
		jl_json_put_str(&j, "name", name_of(o, n));
		if ((n->flags & JL_OUTLINE_FOREACH) && !(n->flags & JL_OUTLINE_LATE)) {
			jl_json_put_int(&j, "instances", n->count);
			jl_json_put_int(&j, "of", n->of);
		}
		put_flag(&j, "foreach", n->flags & JL_OUTLINE_FOREACH);
		put_flag(&j, "late", n->flags & JL_OUTLINE_LATE);
		put_flag(&j, "manual", n->flags & JL_OUTLINE_MANUAL);
		put_flag(&j, "off", n->flags & JL_OUTLINE_OFF);
		put_flag(&j, "all", n->flags & JL_OUTLINE_ALL);
		jl_json_end(&j, '}');
	}
	jl_json_end(&j, ']');
	jl_json_key(&j, "edges");
	jl_json_begin(&j, '[');
	for (uint32_t i = 0; i < o->edges.len; i++) {
		const struct jl_outline_edge *e = JL_AT(o->edges, struct jl_outline_edge, i);

		jl_buf_str(out, i ? ",\n" : "\n");
		j.need_comma = false;
		jl_json_begin(&j, '{');
		jl_json_put_int(&j, "from", e->from + 1);
		jl_json_put_int(&j, "to", e->to + 1);
		jl_json_put_str(&j, "kind", kinds[e->kind]);
		jl_json_end(&j, '}');
	}
	jl_json_end(&j, ']');
	jl_json_end(&j, '}');
	jl_buf_char(out, '\n');
}
