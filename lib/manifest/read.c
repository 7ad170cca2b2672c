/* The walk over a manifest's documents: top level, defaults, steps, file after file. */
#include "base/near.h"
#include "manifest/reader.h"

#include <stdlib.h>
#include <string.h>

static const char *step_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *steps = owner;
	const struct jl_step *step = JL_AT(*steps, const struct jl_step, index);

	*ret_len = step->name.len;
	return step->name.s;
}

static const char *var_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_vars *vars = owner;

	*ret_len = vars->at[index].name.len;
	return vars->at[index].name.s;
}

/* The name as all files know it. */
static void add_prefix(struct jl_reader *r, struct jl_mtext *name)
{
	if (!r->file->prefix[0])
		return;
	name->s = jl_arena_printf(&r->m->arena, "%s%s", r->file->prefix, name->s);
	name->len = (uint32_t)strlen(name->s);
}

static void fault_twice(struct jl_reader *r, const struct jl_yaml *name, const struct jl_mark *old)
{
	if (strcmp(old->file, r->file->name) == 0)
		jl_read_fault(r, name, "duplicate key \"%s\"; it stands in line %u already",
			      jl_messages_show(r->msgs, name->s), old->line);
	else
		jl_read_fault(r, name,
			      "step \"%s\" stands in %s:%u already; rename one, or include its file with \"as\"",
			      jl_messages_show(r->msgs, name->s), old->file, old->line);
}

static void read_step(struct jl_reader *r, const struct jl_yaml *name, const struct jl_yaml *value)
{
	struct jl_mtext full = jl_read_copy(r, name);
	uint32_t index = r->steps.len, old;
	struct jl_step *step;
	uint64_t set;

	add_prefix(r, &full);
	old = jl_map_get(&r->by_name, full.s, full.len);
	if (old != JL_NONE) {
		fault_twice(r, name, &JL_AT(r->steps, struct jl_step, old)->name.mark);
		return;
	}
	if (!jl_read_is_name(name->s))
		jl_read_fault(
			r, name,
			"\"%s\" cannot name a step; use letters, digits, _ . - and begin with a letter, a digit or _",
			jl_messages_show(r->msgs, name->s));
	step = jl_table_add(&r->steps, 1);
	step->name = full;
	step->from = r->file;
	step->cache = true;
	step->retries.times = -1;
	jl_map_put(&r->by_name, step->name.s, step->name.len, index);
	*(uint64_t *)jl_table_add(&r->set, 1) = 0;
	if (value->kind != JL_YAML_MAP) {
		jl_read_fault(r, value, "a step wants a mapping with \"command\", not %s", jl_yaml_what(value));
		return;
	}
	set = jl_read_map(r, value, JL_IN_STEP, step);
	*JL_AT(r->set, uint64_t, index) = set;
	for (uint32_t i = 0; i < step->after.n; i++)
		add_prefix(r, &step->after.at[i]);
	if (!(set >> jl_schema_bit(jl_schema_find("command", JL_IN_STEP)) & 1))
		jl_read_fault(r, name, "step \"%s\" has no command; add \"command\"",
			      jl_messages_show(r->msgs, name->s));
}

/* One at a time: a tree lives only as long as its step is read. */
static int read_steps(struct jl_reader *r)
{
	struct jl_yaml tree, name, value;
	bool entered, more;
	uint32_t n = 0;
	int rc = jl_yaml_enter(r->doc, &tree, &entered);

	if (rc != JL_OK)
		return rc;
	if (!entered && (tree.kind == JL_YAML_LIST || (tree.kind == JL_YAML_SCALAR && tree.n > 0))) {
		jl_read_wrong_type(r, &tree, "steps", "a mapping of names to steps");
		return JL_OK;
	}
	if (!entered && tree.kind == JL_YAML_MAP) {
		for (; n < tree.n; n++)
			read_step(r, &tree.at[2 * n], &tree.at[2 * n + 1]);
	}
	while (entered) {
		rc = jl_yaml_key(r->doc, &name, &more);
		if (rc != JL_OK)
			return rc;
		if (!more)
			break;
		rc = jl_yaml_value(r->doc, &value);
		if (rc != JL_OK)
			return rc;
		read_step(r, &name, &value);
		jl_yaml_forget(r->doc);
		n++;
	}
	if (n == 0)
		jl_read_fault(r, &tree, "\"steps\" is empty; add a step");
	return JL_OK;
}

static void read_version(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key)
{
	struct {
		int64_t v;
	} field = {0};
	uint32_t errors = r->msgs->errors;

	jl_read_value(r, node, key, &field);
	if (r->msgs->errors == errors && field.v != 1)
		jl_read_fault(r, node, "version %lld of the format is not known to this program; write \"version: 1\"",
			      (long long)field.v);
}

static void read_top_value(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key)
{
	switch (key->type) {
	case JL_TYPE_INT: read_version(r, node, key); break;
	case JL_TYPE_STORE: {
		struct jl_store_settings store = {0};

		jl_read_store(r, node, &store);
		if (!r->file->by) /* an included file may be a manifest of its own, with a store for when it is the top */
			r->m->store = store;
		break;
	}
	case JL_TYPE_INCLUDE: jl_read_include(r, node); break;
	case JL_TYPE_VARS: jl_read_value(r, node, key, r->file); break;
	case JL_TYPE_DEFAULTS:
		if (node->kind == JL_YAML_MAP)
			r->defaults_set = jl_read_map(r, node, JL_IN_DEFAULTS, &r->defaults);
		else
			jl_read_wrong_type(r, node, "defaults", "a mapping");
		r->defaults_mark = jl_read_mark(r, node);
		break;
	default: jl_read_value(r, node, key, r->m);
	}
}

static bool reads_top_key(struct jl_reader *r, const struct jl_yaml *name, const struct jl_schema_key *key,
			  uint64_t *set, uint32_t *lines)
{
	uint32_t row;

	if (!key) {
		jl_read_unknown_key(r, name, JL_IN_TOP);
		return false;
	}
	row = jl_schema_bit(key);
	if (*set >> row & 1) {
		jl_read_fault(r, name, "duplicate key \"%s\"; it stands in line %u already", name->s, lines[row]);
		return false;
	}
	*set |= UINT64_C(1) << row;
	lines[row] = name->line;
	return true;
}

static int read_top(struct jl_reader *r)
{
	struct jl_yaml root, name, value;
	uint32_t lines[64] = {0};
	uint64_t set = 0;
	bool entered, more;
	int rc = jl_yaml_enter(r->doc, &root, &entered);

	if (rc != JL_OK)
		return rc;
	if (!entered) {
		jl_read_fault(r, &root, "a manifest is a mapping with \"version\" and \"steps\", not %s",
			      root.kind == JL_YAML_MAP ? "one with an anchor" : jl_yaml_what(&root));
		return JL_EINVAL;
	}
	for (;;) {
		const struct jl_schema_key *key;

		rc = jl_yaml_key(r->doc, &name, &more);
		if (rc != JL_OK)
			return rc;
		if (!more)
			break;
		key = jl_schema_find(name.s, JL_IN_TOP);
		if (!reads_top_key(r, &name, key, &set, lines)) {
			rc = jl_yaml_value(r->doc, &value);
		} else if (key->type == JL_TYPE_STEPS) {
			rc = read_steps(r);
		} else {
			rc = jl_yaml_value(r->doc, &value);
			if (rc == JL_OK)
				read_top_value(r, &value, key);
		}
		if (rc != JL_OK)
			return rc;
	}
	if (!(set >> jl_schema_bit(jl_schema_find("version", JL_IN_TOP)) & 1))
		jl_read_fault(r, &root, "\"version\" is missing; begin with \"version: 1\"");
	if (!(set >> jl_schema_bit(jl_schema_find("steps", JL_IN_TOP)) & 1) &&
	    !(set >> jl_schema_bit(jl_schema_find("include", JL_IN_TOP)) & 1))
		jl_read_fault(r, &root, "\"steps\" is missing; add a step");
	return JL_OK;
}

/* Does the override mean a variable of this file? "etl:level" is level of a file with the prefix "etl:". */
static bool is_of_file(const struct jl_mfile *file, const char *name, const char **ret_own)
{
	const char *colon = strrchr(name, ':');
	size_t len = colon ? (size_t)(colon + 1 - name) : 0;

	*ret_own = name + len;
	return strlen(file->prefix) == len && memcmp(file->prefix, name, len) == 0;
}

static void override_vars(struct jl_reader *r, const struct jl_var_override *overrides, uint32_t n, bool *used)
{
	const char *name;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at;
		struct jl_mtext text;
		struct jl_var *var;

		if (!is_of_file(r->file, overrides[i].name, &name))
			continue;
		at = jl_map_get(&r->vars_by_name, name, strlen(name));
		if (at == JL_NONE)
			continue;
		var = &r->file->vars.at[at];
		text = (struct jl_mtext){.s = jl_arena_strdup(&r->m->arena, overrides[i].value),
					 .len = (uint32_t)strlen(overrides[i].value),
					 .mark = var->name.mark};
		var->value = jl_template_literal(&r->m->arena, &text);
		used[i] = true;
	}
}

static void check_overrides(struct jl_reader *r, const struct jl_var_override *overrides, uint32_t n, const bool *used)
{
	struct jl_buf full = JL_BUF_INIT;

	for (uint32_t i = 0; i < n; i++) {
		struct jl_near near = {.word = overrides[i].name};
		const char *best = NULL;

		for (uint32_t f = 0; f < r->files.len && !used[i]; f++) {
			const struct jl_mfile *file = *JL_AT(r->files, struct jl_mfile *, f);

			for (uint32_t k = 0; k < file->vars.n; k++) {
				jl_buf_clear(&full);
				jl_buf_printf(&full, "%s%s", file->prefix, file->vars.at[k].name.s);
				jl_near_offer(&near, full.data);
				if (near.best == full.data) /* the buffer changes */
					near.best = best = jl_arena_strdup(&r->m->arena, full.data);
			}
		}
		if (used[i])
			continue;
		jl_messages_add(r->msgs, (struct jl_mark){0}, false,
				best ? "--var %s: the manifest has no such variable; did you mean \"%s\"?"
				     : "--var %s: the manifest has no such variable; add it to \"vars\"%s",
				jl_messages_show(r->msgs, overrides[i].name), best ? best : "");
	}
	jl_buf_release(&full);
}

/* One file from its text to steps with their defaults. */
static int read_file(struct jl_reader *r, struct jl_mfile *file, const char *text, size_t len,
		     const struct jl_var_override *overrides, uint32_t n_overrides, bool *used)
{
	int rc;

	r->file = file;
	*(struct jl_mfile **)jl_table_add(&r->files, 1) = file;
	r->first_step = r->steps.len;
	r->defaults = (struct jl_step){.cache = true, .retries = {.times = -1}};
	r->defaults_set = 0;
	jl_map_init(&r->vars_by_name, var_key, &file->vars);
	rc = jl_yaml_open(file->name, text, len, r->msgs, &r->doc);
	if (rc == JL_OK)
		rc = read_top(r);
	/* What a syntax error cut off cannot be missed. */
	if (rc == JL_OK) {
		for (uint32_t i = 0; i < file->vars.n; i++)
			jl_map_put(&r->vars_by_name, file->vars.at[i].name.s, file->vars.at[i].name.len, i);
		override_vars(r, overrides, n_overrides, used);
		jl_read_check_file(r);
		jl_read_merge_defaults(r);
	}
	jl_yaml_close(r->doc);
	r->doc = NULL;
	jl_map_release(&r->vars_by_name);
	return rc;
}

static int read_all(struct jl_reader *r, const char *text, size_t len, const struct jl_manifest_source *source,
		    const struct jl_var_override *overrides, uint32_t n_overrides)
{
	bool *used = jl_calloc(n_overrides + 1, sizeof(*used));
	struct jl_mfile *file = jl_arena_alloc(&r->m->arena, sizeof(*file));
	struct jl_buf included;
	int rc, rc2;

	*file = (struct jl_mfile){.name = r->m->file, .dir = "", .prefix = ""};
	file->path = strrchr(r->m->file, '/') ? strrchr(r->m->file, '/') + 1 : r->m->file;
	rc = read_file(r, file, text, len, overrides, n_overrides, used);
	jl_buf_init(&included, JL_YAML_MAX_BYTES);
	while (jl_read_next_include(r, source, &file, &included)) {
		rc2 = read_file(r, file, included.data, included.len, overrides, n_overrides, used);
		rc = rc == JL_OK ? rc2 : rc;
	}
	jl_buf_release(&included);
	if (rc == JL_OK)
		check_overrides(r, overrides, n_overrides, used);
	if (rc == JL_OK)
		jl_read_check_after(r);
	free(used);
	return rc;
}

int jl_manifest_read(const char *file, const char *text, size_t len, const struct jl_manifest_source *source,
		     const struct jl_var_override *overrides, uint32_t n_overrides, struct jl_manifest **ret,
		     struct jl_messages *msgs)
{
	struct jl_reader r = {.m = jl_calloc(1, sizeof(*r.m)),
			      .msgs = msgs,
			      .steps = JL_TABLE_INIT(struct jl_step),
			      .set = JL_TABLE_INIT(uint64_t),
			      .files = JL_TABLE_INIT(struct jl_mfile *),
			      .includes = JL_TABLE_INIT(struct jl_include)};
	uint32_t errors = msgs->errors;
	int rc;

	r.m->file = jl_arena_strdup(&r.m->arena, file);
	jl_map_init(&r.by_name, step_key, &r.steps);
	rc = read_all(&r, text, len, source, overrides, n_overrides);
	r.m->steps = r.steps.data;
	r.m->n_steps = r.steps.len;
	r.m->files = r.files.data;
	r.m->n_files = r.files.len;
	r.m->vars = r.m->files[0]->vars;
	if (msgs->errors > errors)
		rc = JL_EINVAL;
	if (rc == JL_OK)
		*ret = r.m;
	else
		jl_manifest_free(r.m);
	jl_table_release(&r.set);
	jl_table_release(&r.includes);
	jl_map_release(&r.by_name);
	jl_messages_sort(msgs);
	return rc;
}

void jl_manifest_free(struct jl_manifest *m)
{
	if (!m)
		return;
	/* Steps are one growing array, not in the arena, so that reading never holds two of them. */
	free(m->steps);
	free(m->files);
	jl_arena_release(&m->arena);
	free(m);
}
