/* Memory freed at once: a list of blocks, the newest first. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK   ((size_t)4096)
#define LARGEST_BLOCK ((size_t)1 << 20)

struct jl_arena_block {
	struct jl_arena_block *next;
	size_t used, cap; /* of data */
	_Alignas(16) unsigned char data[];
};

/* calloc, so that large blocks come zeroed from the kernel and are not touched before they are used. */
static struct jl_arena_block *new_block(size_t cap)
{
	struct jl_arena_block *k = jl_calloc(1, sizeof(*k) + cap);

	k->cap = cap;
	return k;
}

void *jl_arena_alloc(struct jl_arena *a, size_t size)
{
	struct jl_arena_block *k = a->head;
	void *p;

	if (size > SIZE_MAX / 2)
		jl_oom();
	size = (size + 15) & ~(size_t)15;
	if (!k || k->cap - k->used < size) {
		size_t cap = !k ? FIRST_BLOCK : k->cap < LARGEST_BLOCK / 2 ? k->cap * 2 : LARGEST_BLOCK;

		if (k && size > cap / 4) {
			/* A big one gets a block of its own behind the head, whose rest stays in use. */
			k = new_block(size);
			k->next = a->head->next;
			a->head->next = k;
		} else {
			k = new_block(cap < size ? size : cap);
			k->next = a->head;
			a->head = k;
		}
	}
	p = k->data + k->used;
	k->used += size;
	a->used += size;
	return p;
}

char *jl_arena_strndup(struct jl_arena *a, const char *s, size_t len)
{
	char *p = jl_arena_alloc(a, len + 1);

	if (len)
		memcpy(p, s, len);
	return p;
}

char *jl_arena_strdup(struct jl_arena *a, const char *s)
{
	return jl_arena_strndup(a, s, strlen(s));
}

char *jl_arena_printf(struct jl_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	jl_bug_if(n < 0);
	p = jl_arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

void jl_arena_release(struct jl_arena *a)
{
	for (struct jl_arena_block *k = a->head, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	*a = (struct jl_arena)JL_ARENA_INIT;
}
