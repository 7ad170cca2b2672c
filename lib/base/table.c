/* A growing array of fixed-size elements. */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

void jl_table_reserve(struct jl_table *t, uint32_t cap)
{
	if (cap <= t->cap)
		return;
	t->data = jl_realloc(t->data, (size_t)cap * t->size);
	t->cap = cap;
}

void *jl_table_add(struct jl_table *t, uint32_t count)
{
	uint64_t need = (uint64_t)t->len + count;
	char *at;

	jl_bug_if(need > JL_NONE - 1);
	if (need > t->cap || !t->data) {
		uint64_t cap = t->cap < 8 ? 16 : (uint64_t)t->cap * 2;

		if (cap < need)
			cap = need;
		jl_table_reserve(t, cap > JL_NONE - 1 ? JL_NONE - 1 : (uint32_t)cap);
	}
	at = (char *)t->data + (size_t)t->len * t->size;
	memset(at, 0, (size_t)count * t->size);
	t->len = (uint32_t)need;
	return at;
}

void jl_table_release(struct jl_table *t)
{
	free(t->data);
	*t = (struct jl_table){.size = t->size};
}

uint32_t jl_text_add(struct jl_table *text, const char *s, size_t len)
{
	uintptr_t from = (uintptr_t)text->data, at = (uintptr_t)s;
	size_t own = text->data && at >= from && at < from + text->len ? at - from : SIZE_MAX;
	uint32_t offset = text->len;
	char *to;

	jl_bug_if(text->size != 1 || len >= JL_NONE - 1);
	to = jl_table_add(text, (uint32_t)len + 1);
	/* `s` may be text of this very table, which has just moved. */
	if (own != SIZE_MAX)
		s = (const char *)text->data + own;
	if (len)
		memcpy(to, s, len);
	return offset;
}
