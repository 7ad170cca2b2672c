/* The table of last results. */
#include "state/results.h"

#include "base/clock.h"

#include <string.h>

static const char *key_of(const void *owner, uint32_t id, size_t *ret_len)
{
	const struct jl_results *r = owner;
	const char *label = jl_text(r->text, jl_result_at(r, id)->label);

	*ret_len = strlen(label);
	return label;
}

void jl_results_init(struct jl_results *r, struct jl_table *text)
{
	*r = (struct jl_results){
		.text = text,
		.at = JL_TABLE_INIT(struct jl_result),
		.found = JL_TABLE_INIT(uint32_t),
		.find = JL_TABLE_INIT(uint32_t),
		.dirty = JL_TABLE_INIT(uint32_t),
	};
	jl_map_init(&r->map, key_of, r);
}

void jl_results_release(struct jl_results *r)
{
	jl_table_release(&r->at);
	jl_table_release(&r->found);
	jl_table_release(&r->find);
	jl_table_release(&r->dirty);
	jl_map_release(&r->map);
}

static void need_map(struct jl_results *r)
{
	if (r->map.len || !r->at.len)
		return;
	jl_map_reserve(&r->map, r->at.len);
	for (uint32_t id = 0; id < r->at.len; id++) {
		size_t len;
		const char *label = key_of(r, id, &len);

		jl_map_put(&r->map, label, len, id);
	}
}

uint32_t jl_results_find(struct jl_results *r, const char *label, size_t len)
{
	need_map(r);
	return jl_map_get(&r->map, label, len);
}

uint32_t jl_results_id(struct jl_results *r, const char *label, size_t len)
{
	uint32_t id = jl_results_find(r, label, len), text;
	struct jl_result *e;

	if (id != JL_NONE)
		return id;
	text = jl_text_add(r->text, label, len);
	id = r->at.len;
	e = jl_table_add(&r->at, 1);
	e->label = text;
	jl_map_put(&r->map, jl_text(r->text, text), len, id);
	return id;
}

const uint32_t *jl_results_found(const struct jl_results *r, uint32_t id, uint32_t *ret_n)
{
	uint32_t first = id < r->find.len ? *JL_AT(r->find, uint32_t, id) : 0, n = 0;

	while (first && *JL_AT(r->found, uint32_t, first + n) != JL_NONE)
		n++;
	*ret_n = n;
	return n ? JL_AT(r->found, uint32_t, first) : NULL;
}

void jl_results_set_found(struct jl_results *r, uint32_t id, const uint32_t *files, uint32_t n)
{
	uint32_t n_old, *at;
	const uint32_t *old = jl_results_found(r, id, &n_old);

	if (n == n_old && (n == 0 || memcmp(old, files, n * sizeof(*files)) == 0))
		return;
	if (id >= r->find.len)
		jl_table_add(&r->find, id + 1 - r->find.len);
	*JL_AT(r->find, uint32_t, id) = 0;
	if (n == 0)
		return;
	if (r->found.len == 0)
		*(uint32_t *)jl_table_add(&r->found, 1) = JL_NONE;
	*JL_AT(r->find, uint32_t, id) = r->found.len;
	at = jl_table_add(&r->found, n + 1);
	memcpy(at, files, n * sizeof(*files));
	at[n] = JL_NONE;
}

void jl_result_fail(struct jl_result *r, int exit_code, int sig)
{
	r->flags &= ~(uint32_t)(JL_RESULT_EXIT | JL_RESULT_SIGNAL);
	r->flags |= JL_RESULT_FAILED | (uint32_t)(exit_code & 0xff) << 8 | (uint32_t)(sig & 0x7f) << 16;
}

void jl_results_touch(struct jl_results *r, uint32_t id)
{
	struct jl_result *e = jl_result_at(r, id);

	e->when_ns = jl_clock_real_ns();
	if (e->flags & JL_RESULT_DIRTY)
		return;
	e->flags |= JL_RESULT_DIRTY;
	*(uint32_t *)jl_table_add(&r->dirty, 1) = id;
	r->n_dirty++;
}
