/* libyaml's events → trees with marks; the one includer of yaml.h. */
#include "manifest/yaml.h"

#include "base/map.h"
#include "base/table.h"
#include "manifest/yaml_doc.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define SCRATCH_BYTES ((size_t)256 << 10)
#define FEW_KEYS      16u

struct anchor {
	const char *name;
	uint32_t name_len;
	bool done; /* its node is complete; an alias inside its own anchor finds it false */
	struct jl_yaml node;
};

struct jl_yaml_parser {
	yaml_parser_t yaml;
	struct jl_arena scratch; /* nodes and texts, until jl_yaml_forget() */
	struct jl_table pending; /* struct jl_yaml: finished children of collections that are still open */
	struct jl_table anchors; /* struct anchor */
	struct jl_map by_name;   /* of anchors */
	uint32_t depth;          /* collections open around the next event */
	uint32_t entered;        /* of these, walked by the caller */
	uint32_t aliased;
	bool failed, ascii;
	bool peeked; /* `event` was looked at and not taken */
	yaml_event_t event;
	size_t at_char, at_byte; /* a character's index in libyaml's count and where it stands in the text */
};

static const char *anchor_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *anchors = owner;
	const struct anchor *a = JL_AT(*anchors, const struct anchor, index);

	*ret_len = a->name_len;
	return a->name;
}

static struct jl_mark mark_of(const struct jl_yaml_doc *doc, const yaml_mark_t *m)
{
	return (struct jl_mark){.file = doc->file, .line = (uint32_t)m->line + 1, .column = (uint32_t)m->column + 1};
}

/* What libyaml says is exact but curt; the usual causes get a word of advice. */
static const char *advice(const struct jl_yaml_doc *doc, const yaml_parser_t *y)
{
	const char *line = doc->text, *end = doc->text + doc->len, *stop, *at;

	for (size_t i = 0; i < y->problem_mark.line && line; i++) {
		line = memchr(line, '\n', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return "";
	stop = memchr(line, '\n', (size_t)(end - line));
	stop = stop ? stop : end;
	at = line + y->problem_mark.column;
	if (at < stop && *at == '\t')
		return "; a tab cannot indent, use spaces";
	if (y->context && (strstr(y->context, "alias") || strstr(y->context, "anchor")))
		return "; put a text that begins with * or & in quotes";
	if (y->context && strstr(y->context, "tag"))
		return "; put a text that begins with ! in quotes";
	if (y->context && strstr(y->context, "flow") && memmem(line, (size_t)(stop - line), "${{", 3))
		return "; inside [ ] and { } a text with ${{ }} needs quotes";
	if (y->problem && strstr(y->problem, "mapping values are not allowed"))
		return "; put a text that holds \": \" in quotes";
	return "";
}

static int syntax_error(struct jl_yaml_doc *doc)
{
	const yaml_parser_t *y = &doc->parser->yaml;

	jl_bug_if(y->error == YAML_MEMORY_ERROR);
	doc->parser->failed = true;
	jl_messages_add(doc->msgs, mark_of(doc, &y->problem_mark), false, "invalid YAML: %s%s%s%s",
			y->problem ? y->problem : "unreadable", y->context ? " " : "", y->context ? y->context : "",
			advice(doc, y));
	return JL_EINVAL;
}

static int fail(struct jl_yaml_doc *doc, struct jl_mark mark, const char *text)
{
	doc->parser->failed = true;
	jl_messages_add(doc->msgs, mark, false, "%s", text);
	return JL_EINVAL;
}

/* The next event, still the parser's; take() moves on. */
static int peek(struct jl_yaml_doc *doc, yaml_event_t **ret)
{
	struct jl_yaml_parser *p = doc->parser;

	if (p->failed)
		return JL_EINVAL;
	if (!p->peeked) {
		if (!yaml_parser_parse(&p->yaml, &p->event))
			return syntax_error(doc);
		p->peeked = true;
	}
	*ret = &p->event;
	return JL_OK;
}

static void take(struct jl_yaml_doc *doc)
{
	yaml_event_delete(&doc->parser->event);
	doc->parser->peeked = false;
}

int jl_yaml_open(const char *file, const char *text, size_t len, struct jl_messages *msgs, struct jl_yaml_doc **ret)
{
	struct jl_yaml_doc *doc = jl_calloc(1, sizeof(*doc));
	yaml_event_t *e = NULL;
	int rc = JL_EINVAL;

	*doc = (struct jl_yaml_doc){.file = file, .text = text, .len = len, .msgs = msgs};
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		doc->text += 3;
		doc->len -= 3;
	}
	doc->parser = jl_calloc(1, sizeof(*doc->parser));
	doc->parser->pending = (struct jl_table)JL_TABLE_INIT(struct jl_yaml);
	doc->parser->anchors = (struct jl_table)JL_TABLE_INIT(struct anchor);
	jl_map_init(&doc->parser->by_name, anchor_key, &doc->parser->anchors);
	jl_bug_if(!yaml_parser_initialize(&doc->parser->yaml));
	yaml_parser_set_input_string(&doc->parser->yaml, (const unsigned char *)doc->text, doc->len);
	yaml_parser_set_encoding(&doc->parser->yaml, YAML_UTF8_ENCODING);
	if (len > JL_YAML_MAX_BYTES) {
		jl_messages_add(
			msgs, (struct jl_mark){.file = file, .line = 1, .column = 1}, false,
			"over 64 MiB of text; a large list can stand in a file that foreach reads: {lines: FILE}");
		goto out;
	}
	rc = jl_yaml_check_text(doc, &doc->parser->ascii);
	if (rc != JL_OK)
		goto out;
	rc = peek(doc, &e); /* the stream's start */
	if (rc != JL_OK)
		goto out;
	take(doc);
	rc = peek(doc, &e);
	if (rc != JL_OK)
		goto out;
	if (e->type == YAML_STREAM_END_EVENT) {
		rc = fail(doc, (struct jl_mark){.file = file, .line = 1, .column = 1},
			  "nothing in it; begin with \"version: 1\" and \"steps:\"");
		goto out;
	}
	take(doc); /* the document's start */
	*ret = doc;
	doc = NULL;
out:
	jl_yaml_close(doc);
	return rc;
}

void jl_yaml_close(struct jl_yaml_doc *doc)
{
	if (!doc)
		return;
	if (doc->parser->peeked)
		take(doc);
	yaml_parser_delete(&doc->parser->yaml);
	jl_arena_release(&doc->parser->scratch);
	jl_table_release(&doc->parser->pending);
	jl_table_release(&doc->parser->anchors);
	jl_map_release(&doc->parser->by_name);
	free(doc->parser);
	free(doc);
}

void jl_yaml_forget(struct jl_yaml_doc *doc)
{
	struct jl_yaml_parser *p = doc->parser;

	/* What an anchor names may be asked for until the end. */
	if (p->anchors.len == 0 && p->scratch.used > SCRATCH_BYTES)
		jl_arena_release(&p->scratch);
}

/* Events come in order, so turning libyaml's count of characters into bytes is one pass over the text. */
static size_t byte_of(struct jl_yaml_doc *doc, size_t index)
{
	struct jl_yaml_parser *p = doc->parser;

	if (p->ascii)
		return index;
	if (index < p->at_char)
		p->at_char = p->at_byte = 0;
	while (p->at_char < index && p->at_byte < doc->len) {
		p->at_byte++;
		while (p->at_byte < doc->len && ((unsigned char)doc->text[p->at_byte] & 0xc0) == 0x80)
			p->at_byte++;
		p->at_char++;
	}
	return p->at_byte;
}

static void place_node(struct jl_yaml_doc *doc, struct jl_yaml *node, const yaml_event_t *e)
{
	node->line = (uint32_t)e->start_mark.line + 1;
	node->column = (uint32_t)e->start_mark.column + 1;
	node->source = (uint32_t)byte_of(doc, e->start_mark.index);
	node->weight = 1;
}

/* An event's mark is its anchor's; a scalar's place is where its text begins. */
static void skip_properties(const struct jl_yaml_doc *doc, struct jl_yaml *node)
{
	size_t i = node->source;

	while (i < doc->len && (doc->text[i] == '&' || doc->text[i] == '!')) {
		while (i < doc->len && !strchr(" \t\r\n", doc->text[i]))
			i++;
		while (i < doc->len && (doc->text[i] == ' ' || doc->text[i] == '\t'))
			i++;
	}
	if (i < doc->len && !strchr("\r\n", doc->text[i])) {
		node->column += (uint32_t)(i - node->source);
		node->source = (uint32_t)i;
	}
}

static uint32_t open_anchor(struct jl_yaml_doc *doc, const yaml_char_t *name)
{
	struct jl_yaml_parser *p = doc->parser;
	size_t len;
	uint32_t at;
	struct anchor *a;

	if (!name)
		return JL_NONE;
	len = strlen((const char *)name);
	at = jl_map_get(&p->by_name, (const char *)name, len);
	if (at == JL_NONE) {
		at = p->anchors.len;
		a = jl_table_add(&p->anchors, 1);
		a->name = jl_arena_strndup(&p->scratch, (const char *)name, len);
		a->name_len = (uint32_t)len;
		jl_map_put(&p->by_name, a->name, len, at);
	}
	JL_AT(p->anchors, struct anchor, at)->done = false;
	return at;
}

static void close_anchor(struct jl_yaml_doc *doc, uint32_t at, const struct jl_yaml *node)
{
	struct anchor *a;

	if (at == JL_NONE)
		return;
	a = JL_AT(doc->parser->anchors, struct anchor, at);
	a->done = true;
	a->node = *node;
}

static void check_tag(struct jl_yaml_doc *doc, const yaml_event_t *e, const yaml_char_t *tag)
{
	if (tag)
		jl_messages_add(doc->msgs, mark_of(doc, &e->start_mark), false,
				"tag \"%s\": types come from the key; put a text that begins with ! in quotes",
				jl_messages_show(doc->msgs, (const char *)tag));
}

static int read_scalar(struct jl_yaml_doc *doc, const yaml_event_t *e, struct jl_yaml *ret)
{
	static const uint8_t styles[] = {
		[YAML_ANY_SCALAR_STYLE] = JL_YAML_PLAIN,
		[YAML_PLAIN_SCALAR_STYLE] = JL_YAML_PLAIN,
		[YAML_SINGLE_QUOTED_SCALAR_STYLE] = JL_YAML_SINGLE,
		[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = JL_YAML_DOUBLE,
		[YAML_LITERAL_SCALAR_STYLE] = JL_YAML_LITERAL,
		[YAML_FOLDED_SCALAR_STYLE] = JL_YAML_FOLDED,
	};
	uint32_t anchor = open_anchor(doc, e->data.scalar.anchor);

	place_node(doc, ret, e);
	check_tag(doc, e, e->data.scalar.tag);
	if (e->data.scalar.anchor || e->data.scalar.tag)
		skip_properties(doc, ret);
	ret->kind = JL_YAML_SCALAR;
	ret->style = styles[e->data.scalar.style];
	ret->n = (uint32_t)e->data.scalar.length;
	if (memchr(e->data.scalar.value, '\0', ret->n)) {
		jl_messages_add(doc->msgs, jl_yaml_mark(doc, ret), false, "a NUL character; take it out");
		ret->n = (uint32_t)strlen((const char *)e->data.scalar.value);
	}
	ret->s = jl_arena_strndup(&doc->parser->scratch, (const char *)e->data.scalar.value, ret->n);
	close_anchor(doc, anchor, ret);
	return JL_OK;
}

static int read_alias(struct jl_yaml_doc *doc, const yaml_event_t *e, struct jl_yaml *ret)
{
	struct jl_yaml_parser *p = doc->parser;
	const char *name = (const char *)e->data.alias.anchor;
	uint32_t at = jl_map_get(&p->by_name, name, strlen(name));
	const struct anchor *a = at == JL_NONE ? NULL : JL_AT(p->anchors, struct anchor, at);

	if (!a || !a->done) {
		p->failed = true;
		jl_messages_add(doc->msgs, mark_of(doc, &e->start_mark), false,
				a ? "alias \"*%s\" stands inside its own anchor"
				  : "alias \"*%s\" has no anchor before it; put a text that begins with * in quotes",
				jl_messages_show(doc->msgs, name));
		return JL_EINVAL;
	}
	if (p->depth + a->node.height > JL_YAML_MAX_DEPTH)
		return fail(doc, mark_of(doc, &e->start_mark), "more than 64 levels deep");
	if (a->node.weight > JL_YAML_MAX_ALIASED - p->aliased)
		return fail(doc, mark_of(doc, &e->start_mark), "the aliases expand to more than a million values");
	p->aliased += a->node.weight;
	*ret = a->node;
	return JL_OK;
}

static int read_node(struct jl_yaml_doc *doc, struct jl_yaml *ret);

/* Is the key fit to stand in the mapping? Says what is wrong if not. */
static bool key_is_fit(struct jl_yaml_doc *doc, const struct jl_yaml *key)
{
	if (key->kind != JL_YAML_SCALAR) {
		jl_messages_add(doc->msgs, jl_yaml_mark(doc, key), false, "a key must be a text, not %s",
				jl_yaml_what(key));
		return false;
	}
	if (key->style == JL_YAML_PLAIN && strcmp(key->s, "<<") == 0) {
		jl_messages_add(doc->msgs, jl_yaml_mark(doc, key), false,
				"merge keys (<<) are not supported; write the keys out, or use \"defaults\"");
		return false;
	}
	return true;
}

static const char *pair_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_yaml *pairs = owner;

	*ret_len = pairs[2 * index].n;
	return pairs[2 * index].s;
}

/* Drop what stands twice; n is the number of pairs, the new one is returned. */
static uint32_t drop_duplicates(struct jl_yaml_doc *doc, struct jl_yaml *pairs, uint32_t n)
{
	struct jl_map seen;
	uint32_t kept = 0;

	jl_map_init(&seen, pair_key, pairs);
	for (uint32_t i = 0; i < n; i++) {
		const struct jl_yaml *key = &pairs[2 * i];
		uint32_t old = JL_NONE;

		if (n > FEW_KEYS) {
			/* The map asks for the key of the place where the pair is going to be. */
			old = jl_map_get(&seen, key->s, key->n);
		} else {
			for (uint32_t j = 0; j < kept && old == JL_NONE; j++)
				old = pairs[2 * j].n == key->n && memcmp(pairs[2 * j].s, key->s, key->n) == 0 ? j
													      : JL_NONE;
		}
		if (old != JL_NONE) {
			jl_messages_add(doc->msgs, jl_yaml_mark(doc, key), false,
					"duplicate key \"%s\"; it stands in line %u already",
					jl_messages_show(doc->msgs, key->s), pairs[2 * old].line);
			continue;
		}
		memmove(&pairs[2 * kept], key, 2 * sizeof(*pairs));
		if (n > FEW_KEYS)
			jl_map_put(&seen, pairs[2 * kept].s, pairs[2 * kept].n, kept);
		kept++;
	}
	jl_map_release(&seen);
	return kept;
}

/* Take the children above `first` off the pending ones and make them the node's. */
static void adopt_children(struct jl_yaml_doc *doc, struct jl_yaml *ret, uint32_t first)
{
	struct jl_yaml_parser *p = doc->parser;
	uint32_t n = p->pending.len - first;
	struct jl_yaml *at = jl_arena_alloc(&p->scratch, n * sizeof(*at));

	if (n > 0)
		memcpy(at, JL_AT(p->pending, struct jl_yaml, first), n * sizeof(*at));
	p->pending.len = first;
	for (uint32_t i = 0; i < n; i++) {
		if (__builtin_add_overflow(ret->weight, at[i].weight, &ret->weight))
			ret->weight = UINT32_MAX;
		if (at[i].height >= ret->height)
			ret->height = (uint8_t)(at[i].height + 1);
	}
	ret->n = ret->kind == JL_YAML_MAP ? drop_duplicates(doc, at, n / 2) : n;
	ret->at = at;
}

static int read_collection(struct jl_yaml_doc *doc, const yaml_event_t *e, struct jl_yaml *ret)
{
	struct jl_yaml_parser *p = doc->parser;
	bool map = e->type == YAML_MAPPING_START_EVENT;
	yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	uint32_t anchor = open_anchor(doc, map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);
	uint32_t first = p->pending.len;
	yaml_event_t *next;
	int rc;

	place_node(doc, ret, e);
	check_tag(doc, e, map ? e->data.mapping_start.tag : e->data.sequence_start.tag);
	ret->kind = map ? JL_YAML_MAP : JL_YAML_LIST;
	ret->height = 1;
	if (++p->depth > JL_YAML_MAX_DEPTH)
		return fail(doc, jl_yaml_mark(doc, ret), "more than 64 levels deep");
	take(doc);
	for (;;) {
		struct jl_yaml child = {0}, value = {0};

		rc = peek(doc, &next);
		if (rc != JL_OK)
			return rc;
		if (next->type == end)
			break;
		rc = read_node(doc, &child);
		if (rc == JL_OK && map)
			rc = read_node(doc, &value);
		if (rc != JL_OK)
			return rc;
		if (map && !key_is_fit(doc, &child))
			continue;
		if ((p->pending.len - first) >> map == JL_YAML_MAX_ITEMS)
			return fail(doc, jl_yaml_mark(doc, ret),
				    "more than 10 million values in one list; put them into a file: foreach: {lines: FILE}");
		*(struct jl_yaml *)jl_table_add(&p->pending, 1) = child;
		if (map)
			*(struct jl_yaml *)jl_table_add(&p->pending, 1) = value;
	}
	p->depth--;
	adopt_children(doc, ret, first);
	close_anchor(doc, anchor, ret);
	return JL_OK;
}

/* Recursion is bounded by the cap on depth. */
static int read_node(struct jl_yaml_doc *doc, struct jl_yaml *ret)
{
	yaml_event_t *e;
	int rc = peek(doc, &e);

	if (rc != JL_OK)
		return rc;
	*ret = (struct jl_yaml){0};
	if (e->type == YAML_SCALAR_EVENT)
		rc = read_scalar(doc, e, ret);
	else if (e->type == YAML_ALIAS_EVENT)
		rc = read_alias(doc, e, ret);
	else
		rc = read_collection(doc, e, ret); /* takes its events itself; the last is its end */
	if (rc == JL_OK)
		take(doc);
	return rc;
}

int jl_yaml_value(struct jl_yaml_doc *doc, struct jl_yaml *ret)
{
	return read_node(doc, ret);
}

/* After the root: nothing may follow. */
static int finish(struct jl_yaml_doc *doc)
{
	yaml_event_t *e;
	int rc;

	do {
		rc = peek(doc, &e);
		if (rc != JL_OK)
			return rc;
		if (e->type == YAML_DOCUMENT_START_EVENT)
			return fail(doc, mark_of(doc, &e->start_mark), "a second document; a manifest is one document");
		if (e->type == YAML_STREAM_END_EVENT)
			return JL_OK;
		take(doc);
	} while (true);
}

int jl_yaml_enter(struct jl_yaml_doc *doc, struct jl_yaml *ret, bool *ret_entered)
{
	struct jl_yaml_parser *p = doc->parser;
	bool root = p->depth == 0;
	yaml_event_t *e;
	int rc = peek(doc, &e);

	if (rc != JL_OK)
		return rc;
	*ret_entered = e->type == YAML_MAPPING_START_EVENT && !e->data.mapping_start.anchor;
	if (!*ret_entered) {
		rc = read_node(doc, ret);
		return rc == JL_OK && root ? finish(doc) : rc;
	}
	*ret = (struct jl_yaml){.kind = JL_YAML_MAP};
	place_node(doc, ret, e);
	check_tag(doc, e, e->data.mapping_start.tag);
	take(doc);
	p->depth++;
	p->entered++;
	return JL_OK;
}

int jl_yaml_key(struct jl_yaml_doc *doc, struct jl_yaml *ret, bool *ret_more)
{
	struct jl_yaml_parser *p = doc->parser;
	struct jl_yaml unwanted;
	yaml_event_t *e;
	int rc;

	for (;;) {
		rc = peek(doc, &e);
		if (rc != JL_OK)
			return rc;
		if (e->type == YAML_MAPPING_END_EVENT) {
			take(doc);
			p->depth--;
			*ret_more = false;
			return --p->entered == 0 ? finish(doc) : JL_OK;
		}
		rc = read_node(doc, ret);
		if (rc != JL_OK)
			return rc;
		*ret_more = true;
		if (key_is_fit(doc, ret))
			return JL_OK;
		rc = read_node(doc, &unwanted);
		if (rc != JL_OK)
			return rc;
	}
}

const char *jl_yaml_what(const struct jl_yaml *node)
{
	if (node->kind == JL_YAML_LIST)
		return "a list";
	if (node->kind == JL_YAML_MAP)
		return "a mapping";
	return node->n == 0 && node->style == JL_YAML_PLAIN ? "nothing" : "a text";
}
