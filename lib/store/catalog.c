/* See catalog.h. The order is a binary heap whose members know their places. */
#include "store/catalog.h"

#include <stddef.h>
#include <string.h>

#define NAME_LEN (offsetof(struct jl_object, digest) + sizeof(struct jl_digest))

static const char *name_of(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *objects = owner;

	*ret_len = NAME_LEN;
	return (const char *)JL_AT(*objects, struct jl_object, index);
}

void jl_catalog_init(struct jl_catalog *c)
{
	*c = (struct jl_catalog){.objects = JL_TABLE_INIT(struct jl_object),
	                         .refs = JL_TABLE_INIT(uint32_t),
	                         .order = JL_TABLE_INIT(uint32_t),
	                         .held = JL_TABLE_INIT(uint32_t)};
	jl_map_init(&c->map, name_of, &c->objects);
}

void jl_catalog_release(struct jl_catalog *c)
{
	jl_map_release(&c->map);
	jl_table_release(&c->objects);
	jl_table_release(&c->refs);
	jl_table_release(&c->order);
	jl_table_release(&c->held);
}

/* --- the order --------------------------------------------------------------------------------------------------- */

static bool before(const struct jl_catalog *c, uint32_t a, uint32_t b)
{
	const struct jl_object *x = jl_catalog_at(c, a), *y = jl_catalog_at(c, b);

	return x->used_ns != y->used_ns ? x->used_ns < y->used_ns : x->seq < y->seq;
}

static uint32_t *slot(const struct jl_catalog *c, uint32_t place)
{
	return JL_AT(c->order, uint32_t, place);
}

static void set(struct jl_catalog *c, uint32_t place, uint32_t i)
{
	*slot(c, place) = i;
	jl_catalog_at(c, i)->place = place;
}

static void settle(struct jl_catalog *c, uint32_t place)
{
	const uint32_t i = *slot(c, place);

	while (place > 0 && before(c, i, *slot(c, (place - 1) / 2))) {
		set(c, place, *slot(c, (place - 1) / 2));
		place = (place - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= c->order.len)
			break;
		if (child + 1 < c->order.len && before(c, *slot(c, child + 1), *slot(c, child)))
			child++;
		if (!before(c, *slot(c, child), i))
			break;
		set(c, place, *slot(c, child));
		place = child;
	}
	set(c, place, i);
}

static void leave(struct jl_catalog *c, uint32_t i)
{
	struct jl_object *o = jl_catalog_at(c, i);
	const uint32_t place = o->place;

	if (place == JL_NONE)
		return;
	o->place = JL_NONE;
	c->order.len--;
	if (place < c->order.len) {
		set(c, place, *slot(c, c->order.len));
		settle(c, place);
	}
}

/* In the order belongs what is present, not held and, of blobs, not named by a record. */
static void order(struct jl_catalog *c, uint32_t i)
{
	struct jl_object *o = jl_catalog_at(c, i);

	if (!o->present || o->held || (o->kind == JL_OBJECT_BLOB && o->users > 0)) {
		leave(c, i);
		return;
	}
	if (o->place == JL_NONE) {
		*(uint32_t *)jl_table_add(&c->order, 1) = i;
		o->place = c->order.len - 1;
	}
	settle(c, o->place);
}

uint32_t jl_catalog_oldest(const struct jl_catalog *c)
{
	return c->order.len ? *slot(c, 0) : JL_NONE;
}

/* --- what is there ----------------------------------------------------------------------------------------------- */

uint32_t jl_catalog_find(const struct jl_catalog *c, enum jl_object_kind kind, const struct jl_digest *digest)
{
	struct jl_object o = {.kind = (uint8_t)kind, .digest = *digest};

	return jl_map_get(&c->map, (const char *)&o, NAME_LEN);
}

static uint32_t known(struct jl_catalog *c, enum jl_object_kind kind, const struct jl_digest *digest)
{
	uint32_t i = jl_catalog_find(c, kind, digest);
	struct jl_object *o;

	if (i != JL_NONE)
		return i;
	i = c->objects.len;
	o = jl_table_add(&c->objects, 1);
	o->kind = (uint8_t)kind;
	o->digest = *digest;
	o->place = JL_NONE;
	jl_map_put(&c->map, (const char *)o, NAME_LEN, i);
	return i;
}

static void drop_refs(struct jl_catalog *c, uint32_t i)
{
	const uint32_t from = jl_catalog_at(c, i)->refs, n = jl_catalog_at(c, i)->n_refs;

	jl_catalog_at(c, i)->n_refs = 0;
	for (uint32_t k = from; k < from + n; k++) {
		uint32_t blob = *JL_AT(c->refs, uint32_t, k);

		jl_catalog_at(c, blob)->users--;
		order(c, blob);
	}
}

static void add_refs(struct jl_catalog *c, uint32_t i, const struct jl_digest *blobs, uint32_t n)
{
	const uint32_t from = c->refs.len;

	jl_catalog_at(c, i)->refs = from;
	jl_catalog_at(c, i)->n_refs = n;
	if (n == 0)
		return;
	jl_table_add(&c->refs, n);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t blob = known(c, JL_OBJECT_BLOB, &blobs[k]);

		*JL_AT(c->refs, uint32_t, from + k) = blob;
		jl_catalog_at(c, blob)->users++;
		order(c, blob);
	}
}

uint32_t jl_catalog_put(struct jl_catalog *c, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form,
                        uint64_t blocks, int64_t used_ns, const struct jl_digest *blobs, uint32_t n_blobs)
{
	const uint32_t i = known(c, kind, digest);
	struct jl_object *o = jl_catalog_at(c, i);
	const uint32_t old = o->refs, n_old = o->n_refs;

	c->blocks += blocks - (o->present ? o->blocks : 0);
	c->items += !o->present;
	o->present = true;
	o->form = form;
	o->blocks = blocks;
	o->used_ns = used_ns;
	o->seq = ++c->seq;
	/* The new ones first, so that what both name is not without a user in between. */
	add_refs(c, i, blobs, n_blobs);
	for (uint32_t k = old; k < old + n_old; k++) {
		uint32_t blob = *JL_AT(c->refs, uint32_t, k);

		jl_catalog_at(c, blob)->users--;
		order(c, blob);
	}
	order(c, i);
	return i;
}

void jl_catalog_gone(struct jl_catalog *c, uint32_t i)
{
	struct jl_object *o = jl_catalog_at(c, i);

	if (!o->present)
		return;
	c->blocks -= o->blocks;
	c->items--;
	o->present = false;
	o->held = false;
	order(c, i);
	drop_refs(c, i);
}

void jl_catalog_used(struct jl_catalog *c, uint32_t i, int64_t used_ns)
{
	jl_catalog_at(c, i)->used_ns = used_ns;
	order(c, i);
}

void jl_catalog_hold(struct jl_catalog *c, uint32_t i)
{
	jl_catalog_at(c, i)->held = true;
	*(uint32_t *)jl_table_add(&c->held, 1) = i;
	order(c, i);
}

void jl_catalog_free_held(struct jl_catalog *c)
{
	for (uint32_t k = 0; k < c->held.len; k++) {
		uint32_t i = *JL_AT(c->held, uint32_t, k);

		jl_catalog_at(c, i)->held = false;
		order(c, i);
	}
	c->held.len = 0;
}
