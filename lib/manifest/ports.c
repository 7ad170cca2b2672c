/* Inputs, outputs and what is kept: paths, names, globs, folders, exclusions. */
#include "base/glob.h"
#include "base/path.h"
#include "base/url.h"
#include "digest/digest.h"
#include "manifest/hole.h"
#include "manifest/reader.h"

#include <string.h>

struct ports {
	struct jl_reader *r;
	const struct jl_schema_key *key;
	struct jl_port *at;
	uint32_t n, cap;
	struct jl_map by_name;
};

static const char *port_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct ports *p = owner;

	*ret_len = strlen(p->at[index].name);
	return p->at[index].name;
}

static void fault(const struct ports *p, const struct jl_yaml *node, const char *text)
{
	jl_read_fault(p->r, node, "%s", text);
}

static struct jl_port *add(struct ports *p)
{
	if (p->n == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 1;
		struct jl_port *at = jl_arena_alloc(&p->r->m->arena, cap * sizeof(*at));

		if (p->n > 0)
			memcpy(at, p->at, p->n * sizeof(*at));
		p->at = at;
		p->cap = cap;
	}
	p->at[p->n] = (struct jl_port){0};
	return &p->at[p->n];
}

/* The literal text with a letter for each hole: enough to see a glob, a leading slash, a final one. */
static void outline(const struct jl_template *t, struct jl_buf *out)
{
	if (t->n == 0)
		jl_buf_add(out, t->text, t->len);
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->holes[i].kind == JL_HOLE_LITERAL)
			jl_buf_add(out, t->holes[i].s, t->holes[i].len);
		else
			jl_buf_char(out, 'x');
	}
}

static void check_output(struct jl_reader *r, const struct jl_yaml *node, const char *text, bool fixed)
{
	struct jl_buf clean = JL_BUF_INIT;
	const char *wrong = NULL;

	if (text[0] == '/') {
		wrong = "an output cannot be an absolute path; name it relative to the manifest";
	} else if (fixed) {
		jl_path_join(&clean, r->file->dir, text);
		if (jl_path_escapes(clean.data))
			wrong = "an output cannot leave the workspace; name one below the manifest's folder";
		else if (strcmp(clean.data, ".") == 0)
			wrong = "the workspace itself cannot be an output; name a folder in it";
		else if (jl_path_inside(clean.data, ".jl"))
			wrong = "an output cannot stand in .jl, which is jl's own";
	}
	if (wrong)
		jl_read_fault(r, node, "%s", wrong);
	jl_buf_release(&clean);
}

/* NULL: it has no such key. */
static const struct jl_yaml *value_of(const struct jl_yaml *map, const char *key)
{
	for (uint32_t i = 0; i < map->n; i++) {
		if (strcmp(map->at[2 * i].s, key) == 0)
			return &map->at[2 * i + 1];
	}
	return NULL;
}

/* One that a template makes is checked when it is known. */
static void check_url(struct ports *p, const struct jl_yaml *node, const struct jl_port *port)
{
	const char *fixed = jl_template_fixed(port->path), *digest = port->digest ? jl_template_fixed(port->digest) : NULL;
	struct jl_digest is;

	if (p->key->type != JL_TYPE_INPUTS && p->key->type != JL_TYPE_STDIN)
		jl_read_fault(p->r, node, "\"%s\" wants a path, not a URL, which can be fetched but not made", p->key->name);
	else if (port->exclude)
		fault(p, node, "a URL cannot be excluded; leave it out");
	else if (fixed && (!port->digest || digest))
		(void)!jl_port_url_check(port, fixed, digest, &is, p->r->msgs);
}

/* Everything that the text says; `k`, `map`: of a mapping, else NULL. */
static void read_path(struct ports *p, const struct jl_yaml *node, struct jl_mtext text, const char *name,
		      const struct jl_port_keys *k, const struct jl_yaml *map)
{
	const bool glob = k && k->glob.s, url = k && k->url.s;
	bool keep = p->key->type == JL_TYPE_KEEP, output = p->key->type == JL_TYPE_OUTPUTS || p->key->type == JL_TYPE_STDOUT;
	struct jl_port *port = add(p);
	struct jl_buf plain = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	size_t base = 0;

	/* One with a fault counts, so that nobody misses it on top of that. */
	p->n++;
	port->name = name;
	port->optional = k && k->optional;
	if (k) {
		port->digest_text = k->digest;
		port->max_age_ns = k->max_age_ns;
	}
	port->exclude = !keep && text.s[0] == '!';
	if (port->exclude) {
		base = 1;
		text.s++;
		text.len--;
		text.mark.column++;
	}
	if (text.len == 0) {
		fault(p, node, "an empty path; name a file or a folder");
		return;
	}
	port->text = text;
	port->path = jl_read_template(p->r, node, &text, base, JL_TMPL_VARS | JL_TMPL_ITEM, false);
	if (port->path && port->digest_text.s)
		port->digest = jl_read_template(p->r, value_of(map, "digest"), &port->digest_text, 0,
						JL_TMPL_VARS | JL_TMPL_ITEM, false);
	if (!port->path || (port->digest_text.s && !port->digest))
		return;
	outline(port->path, &plain);
	if (url || jl_url_is(plain.data)) {
		port->url = true;
		check_url(p, node, port);
		jl_buf_release(&plain);
		return;
	}
	port->glob = glob || jl_glob_is(plain.data);
	port->folder = plain.len > 0 && plain.data[plain.len - 1] == '/';
	if (port->glob && jl_glob_check(plain.data, &err) != JL_OK)
		fault(p, node, err.text);
	else if (output && !port->exclude)
		check_output(p->r, node, plain.data, port->path->n == 0);
	jl_buf_release(&plain);
}

static void read_one(struct ports *p, const struct jl_yaml *node, const char *name, bool nested);

/* {path: p, optional: true}, {glob: g} or {url: u, digest: d, max_age: 1d}. */
static void read_detailed(struct ports *p, const struct jl_yaml *node, const char *name)
{
	struct jl_port_keys k = {0};
	uint32_t errors = p->r->msgs->errors;

	jl_read_map(p->r, node, JL_IN_PORT, &k);
	if (p->r->msgs->errors > errors)
		return;
	if (k.path.s && k.glob.s)
		fault(p, node, "\"path\" and \"glob\" exclude each other; take one out");
	else if ((k.path.s != NULL) + (k.glob.s != NULL) + (k.url.s != NULL) != 1)
		fault(p, node, "\"url\" excludes \"path\" and \"glob\"; take one out");
	else if (!k.url.s && (k.digest.s || k.max_age_ns))
		fault(p, node, "\"digest\" and \"max_age\" are of a \"url\"");
	else if (k.url.s && k.optional)
		fault(p, node, "a URL cannot be \"optional\": what cannot be fetched is a failure");
	else if (k.path.s)
		read_path(p, value_of(node, "path"), k.path, name, &k, node);
	else if (k.glob.s)
		read_path(p, value_of(node, "glob"), k.glob, name, &k, node);
	else
		read_path(p, value_of(node, "url"), k.url, name, &k, node);
}

static void read_map(struct ports *p, const struct jl_yaml *node)
{
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *key = &node->at[2 * i];
		uint32_t before = p->n;
		const char *name;

		if (!jl_read_is_word(key->s)) {
			jl_read_fault(p->r, key, "\"%s\" cannot be a name here; use letters, digits and _",
				      jl_messages_show(p->r->msgs, key->s));
			continue;
		}
		if (jl_map_get(&p->by_name, key->s, key->n) != JL_NONE) {
			jl_read_fault(p->r, key, "the name \"%s\" is taken; choose another", key->s);
			continue;
		}
		name = jl_arena_strndup(&p->r->m->arena, key->s, key->n);
		read_one(p, key + 1, name, true);
		if (p->n > before)
			jl_map_put(&p->by_name, name, key->n, before);
	}
}

static void read_one(struct ports *p, const struct jl_yaml *node, const char *name, bool nested)
{
	if (node->kind == JL_YAML_SCALAR && jl_read_is_empty(node)) {
		fault(p, node, "an empty path; name a file or a folder");
	} else if (node->kind == JL_YAML_SCALAR) {
		read_path(p, node, jl_read_copy(p->r, node), name, NULL, NULL);
	} else if (node->kind == JL_YAML_LIST || p->key->type == JL_TYPE_KEEP) {
		jl_read_fault(p->r, node, "\"%s\" wants a path here, not %s", p->key->name, jl_yaml_what(node));
	} else if (nested || value_of(node, "path") || value_of(node, "glob") || value_of(node, "url") ||
		   value_of(node, "optional")) {
		if (value_of(node, "path") || value_of(node, "glob") || value_of(node, "url"))
			read_detailed(p, node, name);
		else
			fault(p, node, "a mapping here needs \"path\", \"glob\" or \"url\"");
	} else {
		read_map(p, node);
	}
}

void jl_read_ports(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		   struct jl_ports *ret)
{
	struct ports p = {.r = r, .key = key};

	jl_map_init(&p.by_name, port_key, &p);
	if (node->kind == JL_YAML_LIST) {
		p.cap = node->n;
		p.at = jl_arena_alloc(&r->m->arena, node->n * sizeof(*p.at));
		for (uint32_t i = 0; i < node->n; i++)
			read_one(&p, &node->at[i], NULL, false);
	} else {
		read_one(&p, node, NULL, false);
	}
	jl_map_release(&p.by_name);
	ret->at = p.at;
	ret->n = p.n;
}

void jl_read_depfile(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key, struct jl_port *ret)
{
	struct jl_buf plain = JL_BUF_INIT;

	if (node->kind != JL_YAML_SCALAR || jl_read_is_empty(node) || node->n == 0) {
		jl_read_wrong_type(r, node, key->name, "a path");
		return;
	}
	ret->text = jl_read_copy(r, node);
	ret->optional = true;
	ret->path = jl_read_template(r, node, &ret->text, 0, JL_TMPL_VARS | JL_TMPL_ITEM | JL_TMPL_OUTPUTS, false);
	if (!ret->path)
		return;
	outline(ret->path, &plain);
	if (jl_glob_is(plain.data) || plain.data[0] == '!')
		jl_read_fault(r, node, "\"%s\" is one file; a pattern cannot stand here", key->name);
	else if (plain.len > 0 && plain.data[plain.len - 1] == '/')
		jl_read_fault(r, node, "\"%s\" is a file, not a folder; take the last slash out", key->name);
	else
		check_output(r, node, plain.data, ret->path->n == 0);
	jl_buf_release(&plain);
}
