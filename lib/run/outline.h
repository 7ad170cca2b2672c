/* The graph of a manifest's steps as a run would follow it, without hashing or running anything: what `jl graph` draws. */
#ifndef JL_RUN_OUTLINE_H
#define JL_RUN_OUTLINE_H

#include "graph/outline.h"
#include "run/run.h"

/* Fill `ret` (empty, the caller's to release) with what opts->targets name and all that it needs. A step is one node, in the
 * order of the manifest; with `instances` each of its instances is. A late rule is one node always: its instances are known
 * when what its items come from has run. Reads the workspace's state and the stamps of inputs; changes nothing. Errors as of
 * jl_run(). */
int jl_outline_make(const struct jl_run_opts *opts, bool instances, struct jl_outline *ret, struct jl_messages *msgs,
                    struct jl_err *err) JL_MUST_CHECK;

#endif
