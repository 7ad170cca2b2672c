/* `matrix`: reading it, and its combinations: see matrix.h. */
#include "manifest/matrix.h"

#include "base/near.h"
#include "manifest/reader.h"

#include <stdlib.h>
#include <string.h>

/* ---- combinations ---- */

static uint32_t position(const struct jl_matrix *m, uint32_t item, uint32_t axis)
{
	for (uint32_t a = m->n_axes - 1; a > axis; a--)
		item /= m->axes[a].values.n;
	return item % m->axes[axis].values.n;
}

/* Does the entry contradict none of the combination's values? */
static bool fits(const struct jl_matrix *m, const struct jl_matrix_entry *e, uint32_t item)
{
	for (uint32_t a = m->n_axes; a > 0; a--) {
		uint32_t n = m->axes[a - 1].values.n;

		if (e->picks[a - 1] != JL_MATRIX_ANY && e->picks[a - 1] != item % n)
			return false;
		item /= n;
	}
	return true;
}

static bool is_excluded(const struct jl_matrix *m, uint32_t item)
{
	for (uint32_t i = 0; i < m->n_exclude; i++) {
		if (fits(m, &m->exclude[i], item))
			return true;
	}
	return false;
}

void jl_matrix_items(const struct jl_matrix *m, struct jl_table *out)
{
	bool *used = jl_calloc(m->n_include + 1, sizeof(*used));

	for (uint32_t i = 0; i < m->product; i++) {
		if (is_excluded(m, i))
			continue;
		*(uint32_t *)jl_table_add(out, 1) = i;
		for (uint32_t k = 0; k < m->n_include; k++)
			used[k] = used[k] || fits(m, &m->include[k], i);
	}
	for (uint32_t k = 0; k < m->n_include; k++) {
		if (!used[k])
			*(uint32_t *)jl_table_add(out, 1) = m->product + k;
	}
	free(used);
}

static uint32_t axis_of(const struct jl_matrix *m, const char *name)
{
	for (uint32_t a = 0; a < m->n_axes; a++) {
		if (strcmp(m->axes[a].name.s, name) == 0)
			return a;
	}
	return JL_NONE;
}

/* A key that an entry adds; a later one's value counts. */
static void add_extra(struct jl_mtext *keys, struct jl_mtext *values, uint32_t first, uint32_t *n,
		      const struct jl_mtext *key, const struct jl_mtext *value)
{
	uint32_t at = first;

	while (at < *n && strcmp(keys[at].s, key->s) != 0)
		at++;
	keys[at] = *key;
	values[at] = *value;
	if (at == *n)
		++*n;
}

void jl_matrix_value(const struct jl_matrix *m, uint32_t item, struct jl_table *room, struct jl_value *ret)
{
	struct jl_mtext *keys, *values;
	uint32_t n = m->n_axes;

	if (item >= m->product) {
		jl_bug_if(item - m->product >= m->n_include);
		*ret = m->include[item - m->product].value;
		return;
	}
	room->len = 0;
	keys = jl_table_add(room, 2 * m->width);
	values = keys + m->width;
	for (uint32_t a = 0; a < n; a++) {
		keys[a] = m->axes[a].name;
		values[a] = m->axes[a].values.at[position(m, item, a)];
	}
	for (uint32_t i = 0; i < m->n_include; i++) {
		const struct jl_value *v = &m->include[i].value;

		if (!fits(m, &m->include[i], item))
			continue;
		for (uint32_t k = 0; k < v->n_keys; k++) {
			if (axis_of(m, v->keys[k].s) == JL_NONE)
				add_extra(keys, values, m->n_axes, &n, &v->keys[k], &v->values[k]);
		}
	}
	*ret = (struct jl_value){
		.text = {.s = ""}, .keys = keys, .values = values, .n_keys = n, .n_unnamed = n - m->n_axes};
}

bool jl_matrix_has(const struct jl_matrix *m, const char *name)
{
	bool has = axis_of(m, name) != JL_NONE;

	for (uint32_t i = 0; i < m->n_include && !has; i++) {
		for (uint32_t k = 0; k < m->include[i].value.n_keys && !has; k++)
			has = strcmp(m->include[i].value.keys[k].s, name) == 0;
	}
	return has;
}

/* ---- reading ---- */

static void read_axis(struct jl_reader *r, const struct jl_yaml *key, struct jl_matrix *m)
{
	struct jl_matrix_axis *axis = &m->axes[m->n_axes];
	const struct jl_yaml *list = key + 1;

	if (!jl_read_is_word(key->s)) {
		jl_read_fault(r, key, "\"%s\" cannot name an axis; use letters, digits and _",
			      jl_messages_show(r->msgs, key->s));
		return;
	}
	if (list->kind != JL_YAML_LIST || list->n == 0) {
		jl_read_fault(r, list, "an axis of a matrix wants a list of values, not %s",
			      list->kind == JL_YAML_LIST ? "an empty one" : jl_yaml_what(list));
		return;
	}
	axis->name = jl_read_copy(r, key);
	axis->values.at = jl_arena_alloc(&r->m->arena, list->n * sizeof(*axis->values.at));
	for (uint32_t i = 0; i < list->n; i++) {
		struct jl_mtext *value = &axis->values.at[axis->values.n];

		if (!jl_read_text(r, &list->at[i], axis->name.s, value))
			continue;
		for (uint32_t k = 0; k < axis->values.n && list->n < 1000; k++) {
			if (strcmp(axis->values.at[k].s, value->s) == 0)
				jl_read_fault(r, &list->at[i], "the value \"%s\" comes twice; take one out",
					      jl_messages_show(r->msgs, value->s));
		}
		axis->values.n++;
	}
	m->n_axes += axis->values.n > 0;
}

/* The position of an entry's value among the axis's; a list of thousands is seldom, and gone through once an entry. */
static uint32_t pick(const struct jl_matrix_axis *axis, const char *value)
{
	for (uint32_t i = 0; i < axis->values.n; i++) {
		if (strcmp(axis->values.at[i].s, value) == 0)
			return i;
	}
	return JL_MATRIX_OTHER;
}

static void read_entry(struct jl_reader *r, const struct jl_yaml *node, struct jl_matrix *m, bool exclude,
		       struct jl_matrix_entry *ret)
{
	ret->picks = jl_arena_alloc(&r->m->arena, (m->n_axes + 1) * sizeof(*ret->picks));
	for (uint32_t a = 0; a < m->n_axes; a++)
		ret->picks[a] = JL_MATRIX_ANY;
	jl_read_item(r, node, "matrix", &ret->value);
	for (uint32_t k = 0; k < ret->value.n_keys; k++) {
		const struct jl_mtext *key = &ret->value.keys[k], *value = &ret->value.values[k];
		uint32_t a = axis_of(m, key->s);
		struct jl_near near = {.word = key->s};

		if (a != JL_NONE)
			ret->picks[a] = pick(&m->axes[a], value->s);
		if (!exclude) {
			m->width += a == JL_NONE;
			continue;
		}
		for (uint32_t i = 0; i < m->n_axes; i++)
			jl_near_offer(&near, m->axes[i].name.s);
		if (a == JL_NONE)
			jl_messages_add(r->msgs, key->mark, false, "the matrix has no axis \"%s\"%s%s%s", key->s,
					near.best ? "; did you mean \"" : "", near.best ? near.best : "",
					near.best ? "\"?" : "");
		else if (ret->picks[a] == JL_MATRIX_OTHER)
			jl_messages_add(r->msgs, value->mark, false, "\"%s\" has no value \"%s\" to exclude", key->s,
					jl_messages_show(r->msgs, value->s));
	}
}

static void read_entries(struct jl_reader *r, const struct jl_yaml *node, struct jl_matrix *m, bool exclude,
			 struct jl_matrix_entry **ret, uint32_t *ret_n)
{
	const char *what = exclude ? "exclude" : "include";

	if (node->kind != JL_YAML_LIST) {
		jl_read_wrong_type(r, node, what, "a list of mappings");
		return;
	}
	*ret = jl_arena_alloc(&r->m->arena, (node->n + 1) * sizeof(**ret));
	for (uint32_t i = 0; i < node->n; i++) {
		if (node->at[i].kind != JL_YAML_MAP || node->at[i].n == 0) {
			jl_read_fault(r, &node->at[i], "an entry of \"%s\" is a mapping such as {a: b}, not %s", what,
				      node->at[i].kind == JL_YAML_MAP ? "an empty one" : jl_yaml_what(&node->at[i]));
			continue;
		}
		(*ret)[*ret_n] = (struct jl_matrix_entry){0};
		read_entry(r, &node->at[i], m, exclude, &(*ret)[(*ret_n)++]);
	}
}

/* The number of combinations, or the cap and one when it is over. */
static uint32_t count(const struct jl_matrix *m)
{
	uint64_t n = m->n_axes > 0;

	for (uint32_t a = 0; a < m->n_axes && n <= JL_MATRIX_MAX; a++)
		n *= m->axes[a].values.n;
	return n + m->n_include > JL_MATRIX_MAX ? JL_MATRIX_MAX + 1 : (uint32_t)n;
}

void jl_read_matrix(struct jl_reader *r, const struct jl_yaml *node, struct jl_foreach *ret)
{
	struct jl_matrix *m = jl_arena_alloc(&r->m->arena, sizeof(*m));
	uint32_t errors = r->msgs->errors;

	if (ret->kind != JL_FOREACH_NONE) {
		jl_read_fault(r, node, "a step has either \"foreach\" or \"matrix\"; take one out");
		return;
	}
	ret->mark = jl_read_mark(r, node);
	ret->kind = JL_FOREACH_MATRIX;
	ret->matrix = m;
	if (node->kind != JL_YAML_MAP || node->n == 0) {
		jl_read_fault(r, node, "\"matrix\" wants a mapping of names to lists, not %s",
			      node->kind == JL_YAML_MAP ? "an empty one" : jl_yaml_what(node));
		return;
	}
	m->axes = jl_arena_alloc(&r->m->arena, node->n * sizeof(*m->axes));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *key = &node->at[2 * i];

		m->axes[m->n_axes] = (struct jl_matrix_axis){0};
		if (strcmp(key->s, "exclude") != 0 && strcmp(key->s, "include") != 0)
			read_axis(r, key, m);
	}
	m->width = m->n_axes;
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *key = &node->at[2 * i];

		if (strcmp(key->s, "exclude") == 0)
			read_entries(r, key + 1, m, true, &m->exclude, &m->n_exclude);
		else if (strcmp(key->s, "include") == 0)
			read_entries(r, key + 1, m, false, &m->include, &m->n_include);
	}
	m->product = count(m);
	if (r->msgs->errors == errors && m->product > JL_MATRIX_MAX)
		jl_read_fault(r, node, "a matrix of more than 10 million combinations; take values out");
}
