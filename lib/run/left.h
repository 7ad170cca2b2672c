/* What a run leaves that is killed with -9. Its commands end with it (PR_SET_PDEATHSIG); what they had put in the background
 * does not. So each command has a variable, JL_RUN, that says of which run it is, and as long as a run has commands `.jl/running`
 * holds the same:
 *
 *     ID PID DEVICE:INODE HOST\n      ID: the value of JL_RUN; PID: jl's; device and inode of the workspace's folder
 *
 * A run that finds it (and has the workspace's lock) comes after one that was killed. A copy of the workspace has another
 * inode: the run that it names may well live.
 */
#ifndef JL_RUN_LEFT_H
#define JL_RUN_LEFT_H

#include "run/engine.h"

/* Before the first decision: end and tell what the run before left, if it was killed. Blocks for a bounded time. */
void jl_left_clear(struct jl_engine *e);
/* Before a command is started: name the run and note that it has commands, once. Best effort. */
void jl_left_mark(struct jl_engine *e);
/* All commands have ended. */
void jl_left_unmark(struct jl_engine *e);

#endif
