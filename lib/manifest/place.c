/* From a byte of a scalar back to its line and column in the source. */
#include "manifest/yaml_doc.h"

struct walk {
	const char *p, *end;
	uint32_t line, column; /* from 0 */
};

static bool is_break(char c)
{
	return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void step(struct walk *w)
{
	char c = *w->p++;

	if (c == '\n' || (c == '\r' && (w->p == w->end || *w->p != '\n'))) {
		w->line++;
		w->column = 0;
	} else if (((unsigned char)c & 0xc0) != 0x80 && c != '\r') {
		w->column++;
	}
}

static void skip(struct walk *w, size_t bytes)
{
	while (bytes-- > 0 && w->p < w->end)
		step(w);
}

/* Blanks around a line break inside a flow scalar become one space, or a newline for each further break. Returns how many
 * bytes of the value that makes; 0 when there is no break here. */
static size_t fold(struct walk *w)
{
	const char *p = w->p;
	uint32_t first = w->line;

	while (p < w->end && is_blank(*p))
		p++;
	if (p == w->end || !is_break(*p))
		return 0;
	while (w->p < w->end && (is_blank(*w->p) || is_break(*w->p)))
		step(w);
	return w->line - first > 1 ? w->line - first - 1 : 1;
}

/* One escape sequence of a double-quoted scalar; returns the bytes that it stands for. */
static size_t escape(struct walk *w)
{
	char c;
	size_t digits, made = 1;
	uint32_t code = 0;

	skip(w, 1);
	if (w->p == w->end)
		return 1;
	c = *w->p;
	if (is_break(c)) {
		while (w->p < w->end && (is_blank(*w->p) || is_break(*w->p)))
			step(w);
		return 0;
	}
	skip(w, 1);
	if (c == 'N' || c == '_')
		return 2;
	if (c == 'L' || c == 'P')
		return 3;
	digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	for (size_t i = 0; i < digits && w->p < w->end; i++) {
		int v = *w->p <= '9' ? *w->p - '0' : (*w->p | 32) - 'a' + 10;

		code = code << 4 | (uint32_t)v;
		step(w);
	}
	if (digits > 0)
		made = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	return made;
}

static void walk_flow(struct walk *w, enum jl_yaml_style style, size_t offset)
{
	if (style != JL_YAML_PLAIN)
		skip(w, 1);
	while (offset > 0 && w->p < w->end) {
		size_t made = fold(w);

		if (made == 0 && style == JL_YAML_DOUBLE && *w->p == '\\') {
			made = escape(w);
		} else if (made == 0) {
			skip(w, style == JL_YAML_SINGLE && *w->p == '\'' ? 2 : 1);
			made = 1;
		}
		offset -= made < offset ? made : offset;
	}
	/* What follows may begin on the next line. */
	if (w->p < w->end && style == JL_YAML_DOUBLE && *w->p == '\\' && w->p + 1 < w->end && is_break(w->p[1]))
		escape(w);
}

static void skip_line(struct walk *w)
{
	uint32_t line = w->line;

	while (w->p < w->end && w->line == line)
		step(w);
}

/* The content of a literal block: its lines without the indentation, which the header or the first line with text tells. */
static void walk_literal(struct walk *w, uint32_t parent_column, size_t offset)
{
	size_t indent = 0, seen = 0;
	const char *p;

	for (p = w->p; p < w->end && !is_break(*p) && *p != '#'; p++) {
		if (*p >= '1' && *p <= '9')
			indent = parent_column + (size_t)(*p - '0');
	}
	skip_line(w);
	for (p = w->p; indent == 0 && p < w->end; p++) {
		if (*p == ' ') {
			seen++;
		} else if (is_break(*p)) {
			seen = 0;
		} else {
			indent = seen;
			break;
		}
	}
	for (;;) {
		for (size_t i = 0; i < indent && w->p < w->end && *w->p == ' '; i++)
			step(w);
		if (offset == 0)
			return;
		while (w->p < w->end && !is_break(*w->p)) {
			if (offset-- == 0)
				return;
			step(w);
		}
		if (offset == 0 || w->p == w->end)
			return;
		offset--;
		skip_line(w);
	}
}

struct jl_mark jl_yaml_mark(const struct jl_yaml_doc *doc, const struct jl_yaml *node)
{
	return (struct jl_mark){.file = doc->file, .line = node->line, .column = node->column};
}

struct jl_mark jl_yaml_place(const struct jl_yaml_doc *doc, const struct jl_yaml *node, size_t offset)
{
	struct walk w = {.p = doc->text + node->source,
			 .end = doc->text + doc->len,
			 .line = node->line - 1,
			 .column = node->column - 1};

	if (node->kind != JL_YAML_SCALAR || node->style == JL_YAML_FOLDED)
		return jl_yaml_mark(doc, node);
	if (node->style == JL_YAML_LITERAL) {
		/* An explicit indentation counts from the parent's column: that of the line where the header stands. */
		const char *line = w.p;
		uint32_t parent = 0;

		while (line > doc->text && !is_break(line[-1]))
			line--;
		while (line + parent < w.end && line[parent] == ' ')
			parent++;
		walk_literal(&w, parent, offset);
	} else {
		walk_flow(&w, node->style, offset);
	}
	return (struct jl_mark){.file = doc->file, .line = w.line + 1, .column = w.column + 1};
}
