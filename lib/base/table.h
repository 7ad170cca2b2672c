/* struct jl_table: a growing array of fixed-size elements that can be written to a file as it is.
 *
 * Elements are plain structs without pointers (they refer to each other by 32-bit index), so a table read back from a
 * snapshot is ready at once. Pointers into a table are good until the next add. New elements are zeroed.
 *
 *     struct jl_table t = JL_TABLE_INIT(struct thing);
 *     struct thing *x = jl_table_add(&t, 1);
 *     struct thing *y = JL_AT(t, struct thing, 0);
 */
#ifndef JL_BASE_TABLE_H
#define JL_BASE_TABLE_H

#include "base/err.h"

#include <stdint.h>

#define JL_NONE UINT32_MAX /* "no index" */

struct jl_table {
	void *data;
	uint32_t size; /* bytes of an element */
	uint32_t len;  /* elements in use */
	uint32_t cap;
};

#define JL_TABLE_INIT(type) {.data = NULL, .size = sizeof(type), .len = 0, .cap = 0}
#define JL_AT(t, type, i) (&((type *)(t).data)[i])

/* Add `count` zeroed elements at the end and return the first. Aborts beyond UINT32_MAX - 1 elements. */
void *jl_table_add(struct jl_table *t, uint32_t count);
/* Room for `cap` elements in all, so that a known number does not reallocate. */
void jl_table_reserve(struct jl_table *t, uint32_t cap);
void jl_table_release(struct jl_table *t); /* empty again, size kept */

/* Text in a table of bytes: NUL-terminated strings, named by their offset. */
uint32_t jl_text_add(struct jl_table *text, const char *s, size_t len);
static inline const char *jl_text(const struct jl_table *text, uint32_t offset)
{
	return (const char *)text->data + offset;
}

#endif
