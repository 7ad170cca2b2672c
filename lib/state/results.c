/* The table of last results. */
#include "state/results.h"

#include "base/clock.h"
#include "state/results_priv.h"

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
	*r = (struct jl_results){.text = text, .at = JL_TABLE_INIT(struct jl_result), .dirty = JL_TABLE_INIT(uint32_t)};
	jl_map_init(&r->map, key_of, r);
}

void jl_results_release(struct jl_results *r)
{
	jl_table_release(&r->at);
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
