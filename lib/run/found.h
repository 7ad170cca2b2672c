/* Found dependencies: what the depfile of an instance (JL_INST_DEPFILE) names besides its declared inputs and outputs. Its key
 * has two halves: the base key, of all that is declared, by which the store lists what was found before (memo/variants.h), and
 * the full key, of the base and the files found, by which the result is stored.
 *
 * What ran on another host has no found dependencies but in a workspace that is that host's, too: its headers are not these.
 *
 * The state keeps each instance's list of files, so that `fresh` needs no store. A file that is gone is as good as one
 * that changed: never an error.
 */
#ifndef JL_RUN_FOUND_H
#define JL_RUN_FOUND_H

#include "run/engine.h"

/* Are the files of the last success what they were? Then `d` gets them and the full key; else it stays as it is. */
bool jl_found_fresh(struct jl_engine *e, uint32_t inst, struct jl_decided *d);
/* The stored result of the first variant whose files are now what they were then, for the caller to free; `d` gets the files
 * and the full key. NULL: none; d->reason says what is not as the last used one has it, "" where there is none. */
struct jl_record *jl_found_lookup(struct jl_engine *e, uint32_t inst, struct jl_decided *d);
/* Back to the base key: what was found will not be used. */
void jl_found_reset(struct jl_decided *d);
/* Append the files of the last success. */
void jl_found_known(const struct jl_engine *e, uint32_t inst, struct jl_table *ids);

/* Right before it is executed: note the time. Sleeps for up to a tick of the clock (some ms) if the run began within the same
 * one, so that what was written before the run is told from what changes while it goes on. */
void jl_found_start(struct jl_engine *e, struct jl_running *r);
/* It succeeded: read the depfile, look at what it names; r->what gets the files and the full key. false: `reason` says why
 * nothing may be concluded from this run. Warns of files that another step makes without being waited for. */
bool jl_found_take(struct jl_engine *e, struct jl_running *r, char *reason, size_t size);
/* Put what was found in front of the variants of the base key. Another process that does so at the same time may win: a
 * variant that gets lost is a miss, no more. */
void jl_found_publish(struct jl_engine *e, uint32_t inst, const struct jl_decided *d);

#endif
