/* How an instance ends: told as an event, counted, noted in the state, and its followers in the graph let go or not. */
#ifndef JL_RUN_ENDED_H
#define JL_RUN_ENDED_H

#include "run/engine.h"

struct jl_result *jl_ended_result(struct jl_engine *e, uint32_t inst);
/* Emit step_finished; the rest of the event is the caller's. */
void jl_ended_tell(struct jl_engine *e, uint32_t inst, struct jl_event *ev);
/* The command as a person would type it, on one line as far as it was. */
void jl_ended_command(struct jl_engine *e, uint32_t inst, struct jl_buf *out);
/* What the command or a restore wrote is looked at anew: the outputs themselves, and the listings they stand in. */
void jl_ended_forget(struct jl_engine *e, uint32_t inst);
/* The result of this key, with what was found, computed then, is what now lies on disk. */
void jl_ended_settled(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, int64_t made_ns);
/* Count and tell that it is fresh; the graph is the caller's. */
void jl_ended_fresh(struct jl_engine *e, uint32_t inst, const struct jl_digest *key);
/* A node that is not gone into: blocked, or the run ended before. */
void jl_ended_skip(struct jl_engine *e, uint32_t node, const char *reason);
/* Its `if` is false: skipped, and those that need it go on with what lies on disk. */
void jl_ended_off(struct jl_engine *e, uint32_t inst, uint32_t node);
void jl_ended_failed(struct jl_engine *e, uint32_t inst, uint32_t node, struct jl_event *ev);
/* It was executed (or adopted): look at what it left, store it, tell it. Frees `r`. */
void jl_ended_take_in(struct jl_engine *e, struct jl_running *r);
/* is_good() of struct jl_slots_ops: are the outputs there? Only a look, so that nothing is started after a failure. */
bool jl_ended_is_good(void *owner, struct jl_slot_job *job);
/* The run ended while it waited for another attempt: its last one was its end. Frees `r`. */
void jl_ended_give_up(struct jl_engine *e, struct jl_running *r);
void jl_ended_free(struct jl_running *r);

#endif
