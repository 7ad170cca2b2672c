/* Trees into typed values: texts, numbers, lists, variables, commands, foreach. */
#include "base/clock.h"
#include "base/glob.h"
#include "base/near.h"
#include "manifest/reader.h"
#include "manifest/shell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_MAX 10000000u

struct jl_mark jl_read_mark(const struct jl_reader *r, const struct jl_yaml *node)
{
	return jl_yaml_mark(r->doc, node);
}

void jl_read_wrong_type(struct jl_reader *r, const struct jl_yaml *node, const char *key, const char *wanted)
{
	jl_read_fault(r, node, "\"%s\" wants %s, not %s", key, wanted, jl_yaml_what(node));
}

struct jl_mtext jl_read_copy(struct jl_reader *r, const struct jl_yaml *node)
{
	return (struct jl_mtext){.s = jl_arena_strndup(&r->m->arena, node->s, node->n),
				 .len = node->n,
				 .mark = jl_read_mark(r, node)};
}

struct place {
	const struct jl_reader *r;
	const struct jl_yaml *node;
	size_t base;
};

static struct jl_mark place_of(const void *ctx, size_t offset)
{
	const struct place *p = ctx;

	return jl_yaml_place(p->r->doc, p->node, p->base + offset);
}

struct jl_template *jl_read_template(struct jl_reader *r, const struct jl_yaml *node, const struct jl_mtext *text,
				     size_t base, unsigned allow, bool shell)
{
	struct place p = {.r = r, .node = node, .base = base};
	struct jl_place place = {.of = place_of, .ctx = &p};

	return jl_template_parse(&r->m->arena, text, &place, allow, shell, r->msgs);
}

bool jl_read_is_empty(const struct jl_yaml *node)
{
	return node->kind == JL_YAML_SCALAR &&
	       (node->n == 0 || (node->style == JL_YAML_PLAIN && strcmp(node->s, "~") == 0));
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool jl_read_is_name(const char *s)
{
	if (!is_letter(*s) && !is_digit(*s))
		return false;
	while (is_letter(*s) || is_digit(*s) || *s == '.' || *s == '-')
		s++;
	return *s == '\0';
}

/* Of a step, perhaps behind prefixes: "etl:load". */
static bool is_full_name(const char *s)
{
	const char *end = strrchr(s, ':');
	char part[256];

	if (!end)
		return jl_read_is_name(s);
	for (const char *colon; (colon = strchr(s, ':')); s = colon + 1) {
		if ((size_t)(colon - s) >= sizeof(part))
			return false;
		memcpy(part, s, (size_t)(colon - s));
		part[colon - s] = '\0';
		if (!jl_read_is_name(part))
			return false;
	}
	return jl_read_is_name(s);
}

bool jl_read_is_word(const char *s)
{
	if (!is_letter(*s))
		return false;
	while (is_letter(*s) || is_digit(*s) || *s == '-')
		s++;
	return *s == '\0';
}

bool jl_read_is_env_name(const char *s)
{
	if (!is_letter(*s))
		return false;
	while (is_letter(*s) || is_digit(*s))
		s++;
	return *s == '\0';
}

bool jl_read_text(struct jl_reader *r, const struct jl_yaml *node, const char *key, struct jl_mtext *ret)
{
	const char *hole;

	if (node->kind != JL_YAML_SCALAR) {
		jl_read_wrong_type(r, node, key, "a text");
		return false;
	}
	hole = strstr(node->s, "${{");
	if (hole && strcmp(key, "description") != 0) {
		jl_messages_add(r->msgs, jl_yaml_place(r->doc, node, (size_t)(hole - node->s)), false,
				"a template cannot stand in \"%s\"", key);
		return false;
	}
	*ret = jl_read_copy(r, node);
	return true;
}

static void read_bool(struct jl_reader *r, const struct jl_yaml *node, const char *key, bool *ret)
{
	static const char *const yes[] = {"yes", "on", "y", "True", "TRUE", "Yes", "YES", "On", "ON", "1"};
	static const char *const no[] = {"no", "off", "n", "False", "FALSE", "No", "NO", "Off", "OFF", "0"};
	const char *meant = NULL;

	if (node->kind == JL_YAML_SCALAR && node->style == JL_YAML_PLAIN) {
		if (strcmp(node->s, "true") == 0 || strcmp(node->s, "false") == 0) {
			*ret = node->s[0] == 't';
			return;
		}
		for (size_t i = 0; i < sizeof(yes) / sizeof(*yes) && !meant; i++)
			meant = strcmp(node->s, yes[i]) == 0 ? "true" : strcmp(node->s, no[i]) == 0 ? "false" : NULL;
	}
	if (meant)
		jl_read_fault(r, node, "\"%s\" wants true or false, not %s; write %s", key, node->s, meant);
	else if (node->kind == JL_YAML_SCALAR && node->n > 0)
		jl_read_fault(r, node, "\"%s\" wants true or false, not \"%s\"%s", key,
			      jl_messages_show(r->msgs, node->s),
			      strcmp(node->s, "true") == 0 || strcmp(node->s, "false") == 0 ? "; drop the quotes" : "");
	else
		jl_read_wrong_type(r, node, key, "true or false");
}

static bool read_int(struct jl_reader *r, const struct jl_yaml *node, const char *key, int64_t *ret)
{
	const char *s = node->s;
	long long v;

	if (node->kind != JL_YAML_SCALAR) {
		jl_read_wrong_type(r, node, key, "a whole number");
		return false;
	}
	if (*s == '-')
		s++;
	if (node->style != JL_YAML_PLAIN || !is_digit(*s) || s[strspn(s, "0123456789")] != '\0' ||
	    (*s == '0' && s[1])) {
		jl_read_fault(r, node, "\"%s\" wants a whole number in decimal, not \"%s\"%s", key,
			      jl_messages_show(r->msgs, node->s),
			      node->style != JL_YAML_PLAIN ? "; drop the quotes" : "");
		return false;
	}
	errno = 0;
	v = strtoll(node->s, NULL, 10);
	if (errno) {
		jl_read_fault(r, node, "\"%s\": the number %s is too large", key, jl_messages_show(r->msgs, node->s));
		return false;
	}
	*ret = v;
	return true;
}

static void read_duration(struct jl_reader *r, const struct jl_yaml *node, const char *key, int64_t *ret)
{
	struct jl_err err = JL_ERR_INIT;

	if (node->kind != JL_YAML_SCALAR)
		jl_read_wrong_type(r, node, key, "a duration such as 10s");
	else if (node->s[0] == '-')
		jl_read_fault(r, node, "\"%s\" cannot be negative", key);
	else if (jl_clock_parse(node->s, ret, &err) != JL_OK)
		jl_read_fault(r, node, "\"%s\": %s", key, err.text);
}

static void read_size(struct jl_reader *r, const struct jl_yaml *node, const char *key, uint64_t *ret)
{
	struct jl_err err = JL_ERR_INIT;

	if (node->kind != JL_YAML_SCALAR)
		jl_read_wrong_type(r, node, key, "a size such as 20GiB");
	else if (jl_size_parse(node->s, ret, &err) != JL_OK)
		jl_read_fault(r, node, "\"%s\": %s", key, err.text);
}

/* A text or a list of texts, each looked at by what the row wants. */
static void read_names(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		       struct jl_mtexts *ret)
{
	bool all = key->type == JL_TYPE_ENV_NAMES, env = all || key->type == JL_TYPE_SECRETS;
	const struct jl_yaml *at = node->kind == JL_YAML_LIST ? node->at : node;
	uint32_t n = node->kind == JL_YAML_LIST ? node->n : 1;
	struct jl_mtexts list = {0};

	if (node->kind == JL_YAML_MAP) {
		jl_read_wrong_type(r, node, key->name, "a name or a list of names");
		return;
	}
	list.at = jl_arena_alloc(&r->m->arena, n * sizeof(*list.at));
	for (uint32_t i = 0; i < n; i++) {
		if (!jl_read_text(r, &at[i], key->name, &list.at[list.n]))
			continue;
		if (env ? !jl_read_is_env_name(at[i].s) && !(all && strcmp(at[i].s, "*") == 0)
			: key->type == JL_TYPE_STEP_NAMES ? !is_full_name(at[i].s)
							  : !jl_read_is_name(at[i].s)) {
			jl_read_fault(r, &at[i], "\"%s\" wants %s, not \"%s\"", key->name,
				      all   ? "names of environment variables, or \"*\""
				      : env ? "names of environment variables, each one named"
					    : "names of letters, digits, _ . -",
				      jl_messages_show(r->msgs, at[i].s));
			continue;
		}
		list.n++;
	}
	*ret = list;
}

static void read_words(struct jl_reader *r, const struct jl_yaml *node, const char *key, struct jl_mtexts *ret)
{
	struct jl_mtexts list = {0};
	struct jl_mtext text;

	if (node->kind == JL_YAML_MAP || (node->kind == JL_YAML_LIST && node->n == 0) || jl_read_is_empty(node)) {
		jl_read_wrong_type(r, node, key, "a list of words such as [bash, -c]");
		return;
	}
	if (node->kind == JL_YAML_LIST) {
		list.at = jl_arena_alloc(&r->m->arena, node->n * sizeof(*list.at));
		for (uint32_t i = 0; i < node->n; i++)
			list.n += jl_read_text(r, &node->at[i], key, &list.at[list.n]);
	} else if (jl_read_text(r, node, key, &text)) {
		const char *s = text.s;

		list.at = jl_arena_alloc(&r->m->arena, (text.len / 2 + 1) * sizeof(*list.at));
		for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
			size_t len = strcspn(s, " \t");

			list.at[list.n++] = (struct jl_mtext){
				.s = jl_arena_strndup(&r->m->arena, s, len), .len = (uint32_t)len, .mark = text.mark};
			s += len;
		}
	}
	*ret = list;
}

static void read_path(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		      struct jl_template **ret)
{
	unsigned allow = key->type == JL_TYPE_PATH ? JL_TMPL_VARS | JL_TMPL_ITEM : JL_TMPL_VARS;
	struct jl_mtext text;

	if (node->kind != JL_YAML_SCALAR || jl_read_is_empty(node)) {
		jl_read_wrong_type(r, node, key->name, "a path");
		return;
	}
	text = jl_read_copy(r, node);
	*ret = jl_read_template(r, node, &text, 0, allow, false);
}

static void read_condition(struct jl_reader *r, const struct jl_yaml *node, const char *key, struct jl_condition *ret)
{
	struct jl_mtext text;

	if (node->kind != JL_YAML_SCALAR || jl_read_is_empty(node)) {
		jl_read_wrong_type(r, node, key, "true, false or a template");
		return;
	}
	text = jl_read_copy(r, node);
	ret->mark = text.mark;
	ret->t = jl_read_template(r, node, &text, 0, JL_TMPL_VARS | JL_TMPL_ITEM, false);
	if (ret->t && jl_template_fixed(ret->t) && strcmp(text.s, "true") != 0 && strcmp(text.s, "false") != 0)
		jl_read_fault(r, node, "\"%s\" wants true, false or a template that gives one of them, not \"%s\"", key,
			      jl_messages_show(r->msgs, text.s));
}

static void read_sync(struct jl_reader *r, const struct jl_yaml *node, const char *key, bool *ret)
{
	if (node->kind != JL_YAML_SCALAR)
		jl_read_wrong_type(r, node, key, "content or shared");
	else if (strcmp(node->s, "shared") != 0 && strcmp(node->s, "content") != 0)
		jl_read_fault(r, node, "\"%s\" wants content or shared, not \"%s\"", key, jl_messages_show(r->msgs, node->s));
	else
		*ret = node->s[0] == 's';
}

void jl_read_vars(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key, struct jl_vars *ret)
{
	bool env = key->type == JL_TYPE_ENV;
	unsigned allow = env ? JL_TMPL_VARS | JL_TMPL_ITEM | JL_TMPL_PORTS : JL_TMPL_VARS;
	struct jl_vars list = {0};

	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, key->name, "a mapping of names to texts");
		return;
	}
	list.at = jl_arena_alloc(&r->m->arena, node->n * sizeof(*list.at));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *name = &node->at[2 * i], *value = name + 1;
		struct jl_var *var = &list.at[list.n];
		struct jl_mtext text;

		if (env ? !jl_read_is_env_name(name->s) : !jl_read_is_word(name->s)) {
			jl_read_fault(r, name, "\"%s\" cannot name a variable; use letters, digits and _",
				      jl_messages_show(r->msgs, name->s));
			continue;
		}
		if (value->kind != JL_YAML_SCALAR) {
			jl_read_wrong_type(r, value, name->s, "a text");
			continue;
		}
		var->name = jl_read_copy(r, name);
		text = jl_read_copy(r, value);
		var->value = jl_read_template(r, value, &text, 0, allow, false);
		if (!var->value) /* a message was added; nobody shall miss the variable on top of it */
			var->value = jl_template_literal(&r->m->arena, &text);
		list.n++;
	}
	*ret = list;
}

void jl_read_item(struct jl_reader *r, const struct jl_yaml *node, const char *what, struct jl_value *ret)
{
	*ret = (struct jl_value){.text = {.s = "", .mark = jl_read_mark(r, node)}};
	ret->keys = jl_arena_alloc(&r->m->arena, (node->n ? node->n : 1) * sizeof(*ret->keys));
	ret->values = jl_arena_alloc(&r->m->arena, node->n * sizeof(*ret->values));
	for (uint32_t k = 0; k < node->n; k++) {
		const struct jl_yaml *name = &node->at[2 * k];

		if (!jl_read_is_word(name->s)) {
			jl_read_fault(r, name, "\"%s\" cannot be a key of an item of \"%s\"; use letters, digits and _",
				      jl_messages_show(r->msgs, name->s), what);
			continue;
		}
		ret->keys[ret->n_keys] = jl_read_copy(r, name);
		ret->n_keys += jl_read_text(r, name + 1, name->s, &ret->values[ret->n_keys]);
	}
}

static void read_items(struct jl_reader *r, const struct jl_yaml *node, struct jl_foreach *ret)
{
	ret->kind = JL_FOREACH_LIST;
	ret->list = jl_arena_alloc(&r->m->arena, node->n * sizeof(*ret->list));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *item = &node->at[i];
		struct jl_value *value = &ret->list[ret->n];

		*value = (struct jl_value){0};
		if (item->kind == JL_YAML_SCALAR) {
			ret->n += jl_read_text(r, item, "foreach", &value->text);
			continue;
		}
		if (item->kind == JL_YAML_LIST) {
			jl_read_fault(r, item, "an item of foreach is a text or a mapping, not a list");
			continue;
		}
		jl_read_item(r, item, "foreach", value);
		ret->n++;
	}
}

static void read_range(struct jl_reader *r, const struct jl_yaml *node, struct jl_foreach *ret)
{
	struct jl_foreach_keys k = {.by = 1};
	uint32_t errors = r->msgs->errors;
	uint64_t set = jl_read_map(r, node, JL_IN_FOREACH, &k), span;
	bool lines = set >> jl_schema_bit(jl_schema_find("lines", JL_IN_FOREACH)) & 1;
	bool from = set >> jl_schema_bit(jl_schema_find("from", JL_IN_FOREACH)) & 1;
	bool to = set >> jl_schema_bit(jl_schema_find("to", JL_IN_FOREACH)) & 1;

	if (r->msgs->errors > errors)
		return;
	if (lines && node->n == 1) {
		ret->kind = JL_FOREACH_LINES;
		ret->pattern = k.lines;
		return;
	}
	if (lines || !from || !to) {
		jl_read_fault(r, node,
			      lines   ? "\"lines\" stands alone; take the other keys out"
			      : !from ? "a range needs \"from\"; write {from: 1, to: 9}"
				      : "a range needs an end; write {from: 1, to: 9}");
		return;
	}
	for (uint32_t i = 0; i < node->n && k.by == 0; i++)
		if (strcmp(node->at[2 * i].s, "by") == 0)
			jl_read_fault(r, &node->at[2 * i + 1], "\"by\" cannot be 0; take it out to go by 1");
	if (k.by == 0)
		return;
	/* Without overflow: both ends may be anywhere in 64 bits. */
	span = k.by > 0 ? (uint64_t)k.to - (uint64_t)k.from : (uint64_t)k.from - (uint64_t)k.to;
	if ((k.by > 0 ? k.from <= k.to : k.from >= k.to) &&
	    span / (k.by > 0 ? (uint64_t)k.by : 0 - (uint64_t)k.by) >= RANGE_MAX) {
		jl_read_fault(r, node, "a range of more than 10 million items");
		return;
	}
	ret->kind = JL_FOREACH_RANGE;
	ret->from = k.from;
	ret->to = k.to;
	ret->by = k.by;
}

void jl_read_foreach(struct jl_reader *r, const struct jl_yaml *node, struct jl_foreach *ret)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_mtext text;

	if (ret->kind != JL_FOREACH_NONE) {
		jl_read_fault(r, node, "a step has either \"foreach\" or \"matrix\"; take one out");
		return;
	}
	ret->mark = jl_read_mark(r, node);
	if (node->kind == JL_YAML_LIST) {
		read_items(r, node, ret);
	} else if (node->kind == JL_YAML_MAP) {
		read_range(r, node, ret);
	} else if (jl_read_is_empty(node)) {
		jl_read_fault(r, node, "\"foreach\" wants a list, a glob, a range {from: 1, to: 9} or {lines: FILE}");
	} else {
		text = jl_read_copy(r, node);
		ret->kind = JL_FOREACH_GLOB;
		ret->pattern = jl_read_template(r, node, &text, 0, JL_TMPL_VARS, false);
		if (ret->pattern && jl_template_fixed(ret->pattern) &&
		    jl_glob_check(jl_template_fixed(ret->pattern), &err) != JL_OK)
			jl_read_fault(r, node, "%s", err.text);
	}
	/* What could not be read counts as an empty list, so that no ${{ item }} is called unknown on top of it. */
	if (ret->kind == JL_FOREACH_NONE)
		ret->kind = JL_FOREACH_LIST;
}

void jl_read_value(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key, void *target)
{
	char *field = (char *)target + key->offset;

	switch (key->type) {
	case JL_TYPE_TEXT: jl_read_text(r, node, key->name, (struct jl_mtext *)(void *)field); break;
	case JL_TYPE_PATTERN:
		if (node->kind != JL_YAML_SCALAR || jl_read_is_empty(node))
			jl_read_wrong_type(r, node, key->name, "a path");
		else
			*(struct jl_mtext *)(void *)field = jl_read_copy(r, node);
		break;
	case JL_TYPE_NAMES:
	case JL_TYPE_STEP_NAMES:
	case JL_TYPE_ENV_NAMES:
	case JL_TYPE_SECRETS: read_names(r, node, key, (struct jl_mtexts *)(void *)field); break;
	case JL_TYPE_WORDS: read_words(r, node, key->name, (struct jl_mtexts *)(void *)field); break;
	case JL_TYPE_BOOL: read_bool(r, node, key->name, (bool *)field); break;
	case JL_TYPE_INT: read_int(r, node, key->name, (int64_t *)(void *)field); break;
	case JL_TYPE_COUNT:
		if (read_int(r, node, key->name, (int64_t *)(void *)field) && *(int64_t *)(void *)field < 0)
			jl_read_fault(r, node, "\"%s\" cannot be negative", key->name);
		break;
	case JL_TYPE_SIZE: read_size(r, node, key->name, (uint64_t *)(void *)field); break;
	case JL_TYPE_DURATION: read_duration(r, node, key->name, (int64_t *)(void *)field); break;
	case JL_TYPE_PATH:
		((struct jl_step *)target)->workdir_mark = jl_read_mark(r, node);
		read_path(r, node, key, (struct jl_template **)(void *)field);
		break;
	case JL_TYPE_FILE: read_path(r, node, key, (struct jl_template **)(void *)field); break;
	case JL_TYPE_CONDITION:
		read_condition(r, node, key->name, (struct jl_condition *)(void *)field);
		break;
	case JL_TYPE_COMMAND: jl_read_command(r, node, key->name, target); break;
	case JL_TYPE_INPUTS:
	case JL_TYPE_OUTPUTS: jl_read_ports(r, node, key, (struct jl_ports *)(void *)field); break;
	case JL_TYPE_DEPFILE: jl_read_depfile(r, node, key, (struct jl_port *)(void *)field); break;
	case JL_TYPE_KEEP:
		if (node->kind == JL_YAML_SCALAR && node->style == JL_YAML_PLAIN &&
		    (strcmp(node->s, "true") == 0 || strcmp(node->s, "false") == 0))
			((struct jl_step *)target)->keep_all = node->s[0] == 't';
		else
			jl_read_ports(r, node, key, &((struct jl_step *)target)->keep);
		break;
	case JL_TYPE_STDIN:
	case JL_TYPE_STDOUT: jl_read_stream(r, node, key, (struct jl_port *)(void *)field); break;
	case JL_TYPE_REMOTES: jl_read_remotes(r, node, target); break;
	case JL_TYPE_RETRIES: jl_read_retries(r, node, (struct jl_retries *)(void *)field); break;
	case JL_TYPE_VALID_IF:
		*(struct jl_step **)(void *)field = jl_arena_alloc(&r->m->arena, sizeof(struct jl_step));
		memset(*(struct jl_step **)(void *)field, 0, sizeof(struct jl_step));
		jl_read_command(r, node, key->name, *(struct jl_step **)(void *)field);
		break;
	case JL_TYPE_RESOURCES: jl_read_resources(r, node, (struct jl_resources *)(void *)field); break;
	case JL_TYPE_POOLS: jl_read_pools(r, node); break;
	case JL_TYPE_EXECUTORS: jl_read_executors(r, node); break;
	case JL_TYPE_SYNC: read_sync(r, node, key->name, (bool *)field); break;
	case JL_TYPE_HOSTS: jl_read_hosts(r, node, (struct jl_mhosts *)(void *)field); break;
	case JL_TYPE_TOOLS: jl_read_tools(r, node, (struct jl_mtexts *)(void *)field); break;
	case JL_TYPE_ENV:
	case JL_TYPE_VARS: jl_read_vars(r, node, key, (struct jl_vars *)(void *)field); break;
	case JL_TYPE_FOREACH: jl_read_foreach(r, node, (struct jl_foreach *)(void *)field); break;
	case JL_TYPE_MATRIX: jl_read_matrix(r, node, (struct jl_foreach *)(void *)field); break;
	case JL_TYPE_STEPS:
	case JL_TYPE_DEFAULTS:
	case JL_TYPE_STORE:
	case JL_TYPE_INCLUDE:
	}
}

void jl_read_unknown_key(struct jl_reader *r, const struct jl_yaml *key, unsigned where)
{
	struct jl_near near = {.word = key->s};
	unsigned elsewhere = 0;

	for (uint32_t i = 0; i < jl_schema_count(); i++) {
		const struct jl_schema_key *k = jl_schema_at(i);

		if (k->where & where)
			jl_near_offer(&near, k->name);
		else if (strcmp(k->name, key->s) == 0)
			elsewhere |= k->where;
	}
	if (elsewhere)
		jl_read_fault(r, key, "\"%s\" is no key of %s; it belongs to %s", key->s, jl_schema_place(where),
			      jl_schema_place(elsewhere));
	else if (near.best)
		jl_read_fault(r, key, "unknown key \"%s\"; did you mean \"%s\"?", jl_messages_show(r->msgs, key->s),
			      near.best);
	else
		jl_read_fault(r, key, "unknown key \"%s\" in %s; take it out", jl_messages_show(r->msgs, key->s),
			      jl_schema_place(where));
}

uint64_t jl_read_map(struct jl_reader *r, const struct jl_yaml *map, unsigned where, void *target)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < map->n; i++) {
		const struct jl_yaml *name = &map->at[2 * i];
		const struct jl_schema_key *key = jl_schema_find(name->s, where);

		if (!key) {
			jl_read_unknown_key(r, name, where);
			continue;
		}
		set |= UINT64_C(1) << jl_schema_bit(key);
		jl_read_value(r, name + 1, key, target);
	}
	return set;
}
