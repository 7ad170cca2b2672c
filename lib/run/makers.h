/* struct jl_makers: patterns of what rules make, found by what could overlap them. A manifest may have very many rules, and most
 * globs can mean what few of them make: a pattern is compared only with those that lie along its fixed folders and end alike.
 *
 *     jl_makers_add(&m, "parts/p.?", rule); …; jl_makers_ready(&m); jl_makers_find(&m, "parts/p.0", …);
 */
#ifndef JL_RUN_MAKERS_H
#define JL_RUN_MAKERS_H

#include "base/arena.h"
#include "base/table.h"

#include <stdbool.h>

struct jl_makers {
	struct jl_arena arena;
	struct jl_table by_prefix, by_tail; /* struct entry, private */
};
#define JL_MAKERS_INIT {.arena = JL_ARENA_INIT, .by_prefix = {.size = JL_MAKERS_ENTRY}, .by_tail = {.size = JL_MAKERS_ENTRY}}
#define JL_MAKERS_ENTRY 32u
void jl_makers_release(struct jl_makers *m);

void jl_makers_add(struct jl_makers *m, const char *pattern, uint32_t rule); /* copies the pattern */
void jl_makers_ready(struct jl_makers *m); /* after the last one is added, before the first is looked for */

/* Append to `out` (uint32_t) the rules of all patterns that overlap (base/glob.h) this one and that `keep` wants; those appended
 * are in ascending order, each once. */
void jl_makers_find(const struct jl_makers *m, const char *pattern,
                    bool (*keep)(void *ctx, uint32_t rule, const char *makes), void *ctx, struct jl_table *out);

#endif
