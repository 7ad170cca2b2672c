/* A step's matrix: every combination of the values of its axes, less those that `exclude` matches, plus those that `include`
 * adds. As in GitHub's workflows: an entry of `include` that contradicts no combination of the axes adds its further keys to
 * each that it fits; one that fits none is a combination of its own.
 *
 * A combination is known by a number: below `product` by the positions of its values (the last axis turns fastest), above by
 * the position of its entry in `include`. Nothing is listed before somebody asks.
 */
#ifndef JL_MANIFEST_MATRIX_H
#define JL_MANIFEST_MATRIX_H

#include "base/table.h"
#include "manifest/manifest.h"

#define JL_MATRIX_MAX 10000000u /* combinations */

struct jl_matrix_axis {
	struct jl_mtext name;
	struct jl_mtexts values;
};

#define JL_MATRIX_ANY   UINT32_MAX
#define JL_MATRIX_OTHER (UINT32_MAX - 1) /* a value that the axis does not have */

struct jl_matrix_entry {             /* of exclude or include */
	struct jl_value value;       /* as written */
	uint32_t *picks;             /* by axis: the position of its value, or one of the two above */
};

struct jl_matrix {
	struct jl_matrix_axis *axes;
	uint32_t n_axes, product;    /* 0 without axes */
	struct jl_matrix_entry *exclude, *include;
	uint32_t n_exclude, n_include;
	uint32_t width;              /* the most keys that a combination can have */
};

/* The numbers of all combinations, in order, appended to `out` (uint32_t). */
void jl_matrix_items(const struct jl_matrix *m, struct jl_table *out);
/* One of them as templates see it; `room` (struct jl_mtext) holds what it points to and is cleared first. */
void jl_matrix_value(const struct jl_matrix *m, uint32_t item, struct jl_table *room, struct jl_value *ret);
/* Can `${{ matrix.NAME }}` have a value? */
bool jl_matrix_has(const struct jl_matrix *m, const char *name);

#endif
