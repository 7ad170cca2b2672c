/* Pools of the manifest, and what a step takes of them, of the processors and of memory. */
#include "base/near.h"
#include "manifest/reader.h"

#include <string.h>

#define POOLS_MAX 62u      /* as many as a set of bits holds, with one for memory */
#define COUNT_MAX 1000000

/* A number from 1 on. */
static bool read_count(struct jl_reader *r, const struct jl_yaml *node, const char *key, int64_t *ret)
{
	struct {
		int64_t v;
	} field = {0};
	const struct jl_schema_key number = {key, 0, JL_TYPE_INT, 0, sizeof(field.v), 0, NULL};
	uint32_t errors = r->msgs->errors;

	jl_read_value(r, node, &number, &field);
	if (r->msgs->errors == errors && (field.v < 1 || field.v > COUNT_MAX))
		jl_read_fault(r, node, "\"%s\" wants a number from 1 to a million", key);
	*ret = field.v;
	return r->msgs->errors == errors;
}

static bool read_pool(struct jl_reader *r, const struct jl_yaml *name, struct jl_pool *ret)
{
	if (!jl_read_is_name(name->s)) {
		jl_read_fault(r, name, "\"%s\" cannot name a pool; use letters, digits, _ . -",
			      jl_messages_show(r->msgs, name->s));
		return false;
	}
	ret->name = jl_read_copy(r, name);
	return read_count(r, name + 1, ret->name.s, &ret->n);
}

static struct jl_pool *find_pool(const struct jl_manifest *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_pools; i++)
		if (strcmp(m->pools[i].name.s, name) == 0)
			return &m->pools[i];
	return NULL;
}

/* Files that a manifest includes may name pools too: one name is one pool. */
void jl_read_pools(struct jl_reader *r, const struct jl_yaml *node)
{
	struct jl_manifest *m = r->m;

	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, "pools", "a mapping of names to sizes");
		return;
	}
	if (!m->pools)
		m->pools = jl_arena_alloc(&m->arena, POOLS_MAX * sizeof(*m->pools));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *name = &node->at[2 * i];
		struct jl_pool pool = {0}, *old;

		if (strcmp(name->s, "cpus") == 0 || strcmp(name->s, "memory") == 0) {
			jl_read_fault(r, name, "\"%s\" is known without a pool; choose another name", name->s);
			continue;
		}
		if (!read_pool(r, name, &pool))
			continue;
		old = find_pool(m, pool.name.s);
		if (old && old->n != pool.n)
			jl_read_fault(r, name, "the pool \"%s\" has %lld elsewhere; write the same number", name->s,
				      (long long)old->n);
		else if (!old && m->n_pools == POOLS_MAX)
			jl_read_fault(r, name, "more than %u pools", POOLS_MAX);
		else if (!old)
			m->pools[m->n_pools++] = pool;
	}
}

void jl_read_resources(struct jl_reader *r, const struct jl_yaml *node, struct jl_resources *ret)
{
	struct jl_resources res = {0};
	struct {
		uint64_t v;
	} size = {0};
	const struct jl_schema_key memory = {"memory", 0, JL_TYPE_SIZE, 0, sizeof(size.v), 0, NULL};

	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, "resources", "a mapping such as {cpus: 4, memory: 8GiB, gpu: 1}");
		return;
	}
	res.pools = jl_arena_alloc(&r->m->arena, (node->n + 1) * sizeof(*res.pools));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *name = &node->at[2 * i];

		if (strcmp(name->s, "cpus") == 0) {
			(void)read_count(r, name + 1, "cpus", &res.cpus);
		} else if (strcmp(name->s, "memory") == 0) {
			jl_read_value(r, name + 1, &memory, &size);
			res.memory = size.v;
		} else {
			res.n_pools += read_pool(r, name, &res.pools[res.n_pools]);
		}
	}
	*ret = res;
}

void jl_read_check_resources(struct jl_reader *r, const struct jl_resources *res)
{
	for (uint32_t i = 0; i < res->n_pools; i++) {
		struct jl_pool *want = &res->pools[i];
		const struct jl_pool *have = find_pool(r->m, want->name.s);
		struct jl_near near = {.word = want->name.s};

		if (want->checked)
			continue;
		want->checked = true;
		for (uint32_t k = 0; k < r->m->n_pools; k++)
			jl_near_offer(&near, r->m->pools[k].name.s);
		if (!have && near.best)
			jl_messages_add(r->msgs, want->name.mark, false, "there is no pool \"%s\"; did you mean \"%s\"?",
					want->name.s, near.best);
		else if (!have)
			jl_messages_add(r->msgs, want->name.mark, false,
					"there is no pool \"%s\"; add it to \"pools\"", want->name.s);
		else if (want->n > have->n)
			jl_messages_add(r->msgs, want->name.mark, false,
					"the pool \"%s\" has %lld, so that %lld can never be had", want->name.s,
					(long long)have->n, (long long)want->n);
	}
}
