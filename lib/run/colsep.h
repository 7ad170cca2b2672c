/* struct jl_colsep: what cuts a value into columns: an extended regular expression, in which \t and \n also mean those. */
#ifndef JL_RUN_COLSEP_H
#define JL_RUN_COLSEP_H

#include "run/values.h"

struct jl_colsep;
int jl_colsep_new(const char *pattern, struct jl_colsep **ret, struct jl_err *err) JL_MUST_CHECK;
void jl_colsep_free(struct jl_colsep *c);
/* Append the columns of `value` (NUL-terminated), empty ones too. */
void jl_colsep_split(const struct jl_colsep *c, const char *value, size_t len, struct jl_args *out);

#endif
