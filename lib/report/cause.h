/* Why a step failed, in one line for a person. */
#ifndef JL_REPORT_CAUSE_H
#define JL_REPORT_CAUSE_H

#include "base/buf.h"
#include "run/event.h"

/* Append how the step ended ("exit 3", "signal 9 (SIGKILL)", "timed out"), unless its reason says that itself, and the
 * reason. Control bytes are shown as \xNN. */
void jl_cause_show(struct jl_buf *out, const struct jl_event *e);

#endif
