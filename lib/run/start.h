/* The start of an instance that has a slot: room for its outputs, what it is executed with, and the event of it. */
#ifndef JL_RUN_START_H
#define JL_RUN_START_H

#include "run/engine.h"

/* begin() and begun() of struct jl_slots_ops; the owner is the engine, the job a struct jl_running. */
int jl_start_begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err) JL_MUST_CHECK;
void jl_start_begun(void *owner, struct jl_slot_job *job, bool started);

#endif
