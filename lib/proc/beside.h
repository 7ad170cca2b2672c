/* What was built or installed together with this program: helpers, data. It lies below the program's own folder (as in the
 * build folder) or beside that folder (as in PREFIX/bin). */
#ifndef JL_PROC_BESIDE_H
#define JL_PROC_BESIDE_H

#include "base/err.h"

#include <limits.h>

/* The absolute path of `name`, such as "libexec/jl/jl-archive". JL_ENOTFOUND: it is in neither place. JL_EUNSUPPORTED: where
 * the program itself lies cannot be told. */
int jl_beside_find(const char *name, char ret_path[PATH_MAX], struct jl_err *err) JL_MUST_CHECK;

#endif
