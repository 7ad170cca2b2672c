/* A shell script that is longer than the kernel lets one argument be (128 KiB): it goes to a private file, and the shell is told
 * to read that. Keys are made of the script itself, so they do not know. On another host the agent does the same
 * (struct jl_job.script).
 */
#ifndef JL_RUN_SCRIPT_H
#define JL_RUN_SCRIPT_H

#include "run/engine.h"

/* Is the last word a text for a shell of the sh family? */
bool jl_script_is(const struct jl_spec *spec);
/* Change the last of st->argv (which `spec` points into) if it is such a script of a shell of the sh family; else leave all as
 * it is. The file is below .jl, until jl_script_remove(). */
int jl_script_shorten(struct jl_engine *e, struct jl_running *r, const struct jl_spec *spec, struct jl_err *err) JL_MUST_CHECK;
void jl_script_remove(struct jl_running *r); /* fine without one */

#endif
