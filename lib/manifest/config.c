/* How the store is kept: `store:` of a manifest, and the user's own settings, which hold nothing else. */
#include "manifest/reader.h"

#include <string.h>

static bool has(uint64_t set, const char *key)
{
	return set >> jl_schema_bit(jl_schema_find(key, JL_IN_STORE)) & 1;
}

void jl_read_store(struct jl_reader *r, const struct jl_yaml *node, struct jl_store_settings *ret)
{
	struct jl_store_keys keys = {0};
	uint64_t set;

	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, "store", "a mapping");
		return;
	}
	set = jl_read_map(r, node, JL_IN_STORE, &keys);
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *value = &node->at[2 * i + 1];

		if (strcmp(node->at[2 * i].s, "dir") == 0 && jl_read_is_empty(value))
			jl_read_fault(r, value, "an empty path; name a folder");
		if (strcmp(node->at[2 * i].s, "compress") == 0 && keys.compress.s && strcmp(keys.compress.s, "auto") != 0 &&
		    strcmp(keys.compress.s, "none") != 0)
			jl_read_fault(r, value, "\"compress\" wants auto or none, not \"%s\"",
				      jl_messages_show(r->msgs, keys.compress.s));
	}
	*ret = (struct jl_store_settings){.dir = keys.dir.s,
					  .max_size = keys.max_size,
					  .max_items = (uint64_t)keys.max_items,
					  .max_age_ns = keys.max_age_ns,
					  .bare = keys.compress.s && strcmp(keys.compress.s, "none") == 0,
					  .has_size = has(set, "max_size"),
					  .has_items = has(set, "max_items"),
					  .has_age = has(set, "max_age"),
					  .has_compress = has(set, "compress"),
					  .remotes = keys.remotes.at,
					  .n_remotes = keys.remotes.n};
}

static int read_keys(struct jl_reader *r, struct jl_store_settings *ret)
{
	struct jl_yaml root, name, value;
	bool entered, more, seen = false;
	int rc = jl_yaml_enter(r->doc, &root, &entered);

	if (rc == JL_OK && !entered && !(root.kind == JL_YAML_SCALAR && root.n == 0))
		jl_read_fault(r, &root, "settings are a mapping with \"store\", not %s", jl_yaml_what(&root));
	while (rc == JL_OK && entered) {
		rc = jl_yaml_key(r->doc, &name, &more);
		if (rc != JL_OK || !more)
			break;
		rc = jl_yaml_value(r->doc, &value);
		if (rc != JL_OK)
			break;
		if (strcmp(name.s, "store") != 0)
			jl_read_fault(r, &name, "unknown key \"%s\"; the settings know \"store\"",
				      jl_messages_show(r->msgs, name.s));
		else if (seen)
			jl_read_fault(r, &name, "duplicate key \"store\"");
		else
			jl_read_store(r, &value, ret);
		seen |= strcmp(name.s, "store") == 0;
	}
	return rc;
}

static const struct jl_remote_settings *copy_remotes(struct jl_arena *arena, const struct jl_store_settings *from)
{
	struct jl_remote_settings *to = jl_arena_alloc(arena, (from->n_remotes + 1u) * sizeof(*to));

	for (uint32_t i = 0; i < from->n_remotes; i++) {
		to[i] = from->remotes[i];
		to[i].name = jl_arena_strdup(arena, to[i].name);
		to[i].url = jl_arena_strdup(arena, to[i].url);
		to[i].group = jl_arena_strdup(arena, to[i].group);
		to[i].sign = jl_arena_strdup(arena, to[i].sign);
	}
	return to;
}

/* Blanks and comments only: settings that say nothing. */
static bool is_blank(const char *text, size_t len)
{
	bool comment = false;

	for (size_t i = 0; i < len; i++) {
		comment = text[i] == '#' || (comment && text[i] != '\n');
		if (!comment && !strchr(" \t\r\n", text[i]))
			return false;
	}
	return true;
}

int jl_config_read(const char *file, const char *text, size_t len, struct jl_arena *arena, struct jl_messages *msgs,
		   struct jl_store_settings *ret)
{
	struct jl_mfile top = {.name = file, .dir = "", .prefix = "", .path = file};
	struct jl_reader r = {.m = jl_calloc(1, sizeof(*r.m)), .msgs = msgs, .file = &top};
	struct jl_store_settings settings = {0};
	const uint32_t errors = msgs->errors;
	int rc;

	if (is_blank(text, len)) {
		jl_manifest_free(r.m);
		*ret = settings;
		return JL_OK;
	}
	r.m->file = file;
	rc = jl_yaml_open(file, text, len, msgs, &r.doc);
	if (rc == JL_OK)
		rc = read_keys(&r, &settings);
	if (msgs->errors > errors)
		rc = JL_EINVAL;
	if (rc == JL_OK) {
		*ret = settings;
		ret->dir = settings.dir ? jl_arena_strdup(arena, settings.dir) : NULL;
		ret->remotes = copy_remotes(arena, &settings);
	}
	jl_yaml_close(r.doc);
	jl_manifest_free(r.m);
	jl_messages_sort(msgs);
	return rc;
}
