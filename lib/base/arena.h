/* struct jl_arena: memory that lives as long as one thing (a manifest, say) and is freed at once.
 * Blocks grow from 4 KiB; nothing is freed singly. Not safe for several threads. */
#ifndef JL_BASE_ARENA_H
#define JL_BASE_ARENA_H

#include "base/err.h"

#include <stddef.h>

struct jl_arena {
	struct jl_arena_block *head;
	size_t used;  /* bytes handed out, for statistics and caps */
};
#define JL_ARENA_INIT {0}

void *jl_arena_alloc(struct jl_arena *a, size_t size); /* zeroed, aligned to 16 */
char *jl_arena_strndup(struct jl_arena *a, const char *s, size_t len);
char *jl_arena_strdup(struct jl_arena *a, const char *s);
char *jl_arena_printf(struct jl_arena *a, const char *fmt, ...) JL_PRINTF(2, 3);
void jl_arena_release(struct jl_arena *a);

#endif
