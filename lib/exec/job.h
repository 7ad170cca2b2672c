/* Copies of struct jl_job: the engine lends its own only until start() returns. */
#ifndef JL_EXEC_JOB_H
#define JL_EXEC_JOB_H

#include "exec/exec.h"

/* Copy all that `from` points to, its stdin too (a duplicate, close-on-exec). JL_EBUSY when out of descriptors. */
int jl_job_copy(const struct jl_job *from, struct jl_job *ret, struct jl_err *err) JL_MUST_CHECK;
void jl_job_release(struct jl_job *copy); /* free what a copy owns */

#endif
