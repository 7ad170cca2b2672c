/* Temp outputs (`temp: true`): taken off the disk when all in this run who use them are done. Part of the engine.
 *
 * What was dropped counts as there (state/files.h), so keys, globs and freshness go on as if it lay on the disk, and a run that
 * changes nothing touches nothing. Users are the instances that wait for a temp one, by an input or by `after`. In the graph
 * a temp instance with users has a DROP node behind them; where users wait for a whole rule, one USERS node stands between them
 * and its instances' DROP nodes; and while late rules are to be expanded, which may turn out to be users, all of these wait for
 * the gate. A user that failed or was skipped blocks the DROP node: the outputs stay.
 *
 * Before a user runs, what it needs of dropped outputs gets a REMAKE node, for which it waits: there the instance is decided
 * again with nothing counting as there, so that it is restored, or run if the store lacks it. */
#ifndef JL_RUN_TEMP_H
#define JL_RUN_TEMP_H

#include "run/engine.h"

void jl_temp_init(struct jl_engine *e);
void jl_temp_release(struct jl_engine *e);

/* While the graph is made: the node `user` uses an instance, or a whole rule; a rule will be expanded by the node `settle`;
 * the instances of a rule that was expanded have their nodes. */
void jl_temp_user(struct jl_engine *e, uint32_t user, uint32_t inst);
void jl_temp_user_of_rule(struct jl_engine *e, uint32_t user, uint32_t rule);
void jl_temp_late(struct jl_engine *e, uint32_t settle);
void jl_temp_settled(struct jl_engine *e, uint32_t rule);

/* Some output of the instance was dropped. */
bool jl_temp_is_dropped(struct jl_engine *e, uint32_t inst);
/* It was dropped, and now the user names it: it is to lie on the disk. */
bool jl_temp_is_wanted(struct jl_engine *e, uint32_t inst);
/* Nothing that it makes counts as there any more without being so. */
void jl_temp_forget(struct jl_engine *e, uint32_t inst);
/* Of a fresh instance: is it too early to tell so, as its outputs may yet be needed on the disk? Then jl_temp_tell does. */
bool jl_temp_holds_back(struct jl_engine *e, uint32_t inst);
/* Is told whatever was held back. */
void jl_temp_tell(struct jl_engine *e);

/* Something that an instance needs, or that a late rule is expanded from, is being made once more and may be half there: the taken
 * node waits for it, and will be ready again. */
bool jl_temp_waits(struct jl_engine *e, uint32_t inst, uint32_t node);
bool jl_temp_rule_waits(struct jl_engine *e, uint32_t rule, uint32_t node);
/* The taken node is about to run an instance, or to read a file of an instance's: true if it waits for something to be made
 * once more, and will be ready again. */
bool jl_temp_bring(struct jl_engine *e, uint32_t inst, uint32_t node);
bool jl_temp_bring_file(struct jl_engine *e, uint32_t file, uint32_t node);
/* The same in a plan: tell of what would be brought. */
void jl_temp_plan(struct jl_engine *e, uint32_t inst);

/* Visit a DROP node. */
void jl_temp_drop(struct jl_engine *e, uint32_t inst, uint32_t node);

/* What earlier runs dropped of what no temp step makes now does not count as there. `expanded`: the rules that can be are, and of
 * the late ones those that `rs` says (NULL: none); else go by what rules could make. */
void jl_temp_purge(struct jl_project *p, const struct jl_rule_state *rs, bool expanded);

#endif
