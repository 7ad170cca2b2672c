/* struct jl_values: where the values of `jl map` come from, read as they are needed.
 *
 * Sources (words, files, descriptor 0) make groups: a source that is `linked` goes in step with the one before it, the shortest
 * of a group ends it; groups make their cross product, the last one turning fastest. The first group is never held: memory does
 * not grow with it. Those after it are, since they are gone through again and again.
 *
 * A value ends with a newline (or NUL); the last one may lack it. With `colsep` each value is cut into columns.
 */
#ifndef JL_RUN_VALUES_H
#define JL_RUN_VALUES_H

#include "base/buf.h"
#include "base/table.h"

#include <stdbool.h>

#define JL_VALUE_MAX ((size_t)16 << 20) /* bytes of one value */

/* Values of one record: NUL-terminated texts, one behind the other. */
struct jl_args {
	struct jl_buf text;
	struct jl_table at; /* uint32_t: offset of each */
};
#define JL_ARGS_INIT {.text = JL_BUF_INIT, .at = JL_TABLE_INIT(uint32_t)}
void jl_args_clear(struct jl_args *a);
void jl_args_release(struct jl_args *a);
void jl_args_add(struct jl_args *a, const char *value, size_t len);
static inline const char *jl_args_at(const struct jl_args *a, uint32_t i, size_t *ret_len)
{
	uint32_t from = *JL_AT(a->at, uint32_t, i);
	size_t end = i + 1 < a->at.len ? *JL_AT(a->at, uint32_t, i + 1) : a->text.len;
	*ret_len = end - from - 1;
	return a->text.data + from;
}

struct jl_values_source {
	const char *const *words; /* NULL: a file */
	uint32_t n_words;
	const char *path;         /* "-" is descriptor 0 */
	bool linked;
};

struct jl_values_opts {
	const struct jl_values_source *sources; /* borrowed for the life of the values, as all here */
	uint32_t n_sources;
	char end;                 /* of a value in a file: '\n' or '\0' */
	const char *colsep;       /* an extended regular expression, also with \t and \n; NULL: none */
	bool header;              /* the first value of each source names its columns */
	bool skip_blank;          /* leave out values with nothing but blanks */
};

enum jl_values_got {
	JL_VALUES_END = 0,
	JL_VALUES_ONE = 1,
	JL_VALUES_WAIT = 2, /* nothing to be read yet from jl_values_fd() */
};

struct jl_values;
int jl_values_open(const struct jl_values_opts *opts, struct jl_values **ret, struct jl_err *err) JL_MUST_CHECK;
void jl_values_free(struct jl_values *v);
/* Append the next record's values to `args`: an enum jl_values_got, or negative. Reads only what is there. */
int jl_values_next(struct jl_values *v, struct jl_args *args, struct jl_err *err) JL_MUST_CHECK;
/* The columns' names; none without a header. Complete once jl_values_next() has given JL_VALUES_ONE or END. */
const struct jl_args *jl_values_names(const struct jl_values *v);
/* What to wait for after JL_VALUES_WAIT. */
int jl_values_fd(const struct jl_values *v);
/* Records in all where that is known without reading (words only, no colsep); else 0. */
uint64_t jl_values_total(const struct jl_values *v);

#endif
