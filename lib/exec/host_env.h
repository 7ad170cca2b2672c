/* Which variables are a host's own: its PATH, HOME and the like are not those of the machine that sends a job. */
#ifndef JL_EXEC_HOST_ENV_H
#define JL_EXEC_HOST_ENV_H

#include "base/table.h"

#include <stdbool.h>

/* Is the entry ("NAME=VALUE") of a variable that each host has a value of its own for, and the one that `environ` holds? Or does it
 * hand on make's jobserver, which is of this machine? Then it does not travel: a value that the step itself declares does. */
bool jl_host_env_own(const char *entry, const char *const *environ);
/* Append the host's own variables that `sent` does not have, then all of `sent` (const char *, borrowed). TMPDIR is left out: each
 * job has one. */
void jl_host_env(const char *const *environ, const char *const *sent, struct jl_table *out);

#endif
