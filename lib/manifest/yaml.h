/* A strict reading of YAML: trees with marks out of libyaml's events.
 *
 * The outer mappings are walked key by key and only one value at a time becomes a tree, so a manifest of 100,000 steps
 * costs the memory of its largest one:
 *
 *     jl_yaml_open(file, text, len, msgs, &doc);
 *     jl_yaml_enter(doc, &tree, &entered);          the root; not entered: tree is what stands there instead
 *     while (jl_yaml_key(doc, &key, &more) == JL_OK && more)
 *             jl_yaml_value(doc, &value);            or jl_yaml_enter() again
 *
 * Each fault is a message. A fault of the syntax or over a cap ends the reading: JL_EINVAL, also from every later call.
 * Other faults are dropped from the tree and the reading goes on: a key that stands twice in a tree (the caller looks after
 * the keys that it walks), `<<`, a key that is no text, a tag. Nodes know no types: a scalar is its text.
 */
#ifndef JL_MANIFEST_YAML_H
#define JL_MANIFEST_YAML_H

#include "manifest/manifest.h"

#define JL_YAML_MAX_BYTES   ((size_t)64 << 20)
#define JL_YAML_MAX_DEPTH   64u
#define JL_YAML_MAX_ITEMS   10000000u /* of one list, pairs of one mapping */
#define JL_YAML_MAX_ALIASED 1000000u /* nodes that all aliases together stand for */

enum jl_yaml_kind { JL_YAML_SCALAR, JL_YAML_LIST, JL_YAML_MAP };
enum jl_yaml_style { JL_YAML_PLAIN, JL_YAML_SINGLE, JL_YAML_DOUBLE, JL_YAML_LITERAL, JL_YAML_FOLDED };

struct jl_yaml {
	union {
		const char *s;            /* scalar: NUL-terminated */
		const struct jl_yaml *at; /* list: n nodes; map: 2 n, a key before each value */
	};
	uint32_t n;      /* bytes of a scalar, items of a list, pairs of a map */
	uint32_t source; /* where a scalar begins in the text, in bytes */
	uint32_t line, column;
	uint32_t weight; /* nodes in it, aliases followed */
	uint8_t kind, style, height;
};

struct jl_yaml_doc;

/* `file` and `text` are borrowed until the close. */
int jl_yaml_open(const char *file, const char *text, size_t len, struct jl_messages *msgs,
		 struct jl_yaml_doc **ret) JL_MUST_CHECK;
void jl_yaml_close(struct jl_yaml_doc *doc); /* NULL is fine */
/* The next value. A mapping is entered (the following jl_yaml_key() are its keys); anything else, and a mapping with an
 * anchor or behind an alias, is read whole. An entered node has its mark and n = 0. */
int jl_yaml_enter(struct jl_yaml_doc *doc, struct jl_yaml *ret, bool *ret_entered) JL_MUST_CHECK;
/* The next key of the mapping entered last, or *ret_more = false at its end. The root's end is the document's: what
 * follows it is looked at too. */
int jl_yaml_key(struct jl_yaml_doc *doc, struct jl_yaml *ret, bool *ret_more) JL_MUST_CHECK;
/* The next value, whole. */
int jl_yaml_value(struct jl_yaml_doc *doc, struct jl_yaml *ret) JL_MUST_CHECK;
/* Keys and values read so far are not needed any more. */
void jl_yaml_forget(struct jl_yaml_doc *doc);

struct jl_mark jl_yaml_mark(const struct jl_yaml_doc *doc, const struct jl_yaml *node);
/* Where byte `offset` of a scalar stands; the scalar's own place for a folded block. */
struct jl_mark jl_yaml_place(const struct jl_yaml_doc *doc, const struct jl_yaml *node, size_t offset);
/* "a text", "a list", "a mapping", "nothing": for "wants X, not Y". */
const char *jl_yaml_what(const struct jl_yaml *node);

#endif
