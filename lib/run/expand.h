/* From a rule to its instances: the item list, paths, labels, commands. */
#ifndef JL_RUN_EXPAND_H
#define JL_RUN_EXPAND_H

#include "run/project.h"

/* Expand a rule, or find that its last expansion still holds (then nothing is parsed). What the items' source is must be
 * there: a late rule is settled when the rules it waits for are done. Instances that left are noted in p->gone. New
 * instances stand at the plan's end. Faults go to p->msgs and give JL_EINVAL. */
int jl_expand_rule(struct jl_project *p, uint32_t rule, struct jl_err *err) JL_MUST_CHECK;

/* The instance's command, environment and base digest for the list of files that its inputs are now (file indices in the
 * order of the ports; `port_of` gives the port of each). Sets JL_INST_READY; keeps what it has if `list_hash` is the same. */
int jl_expand_command(struct jl_project *p, uint32_t inst, const uint32_t *files, const uint32_t *port_of, uint32_t n,
                      uint64_t list_hash, struct jl_err *err) JL_MUST_CHECK;

/* The pieces of the instance's key without the inputs, as they are stored in a record. */
void jl_expand_pieces(struct jl_project *p, uint32_t inst, struct jl_buf *out);

/* Instances from `first` on: note the late rules that make an input, or might if nobody does so far. Called when all that
 * can be expanded by then is. */
void jl_expand_waits(struct jl_project *p, uint32_t first);

struct jl_item_room {            /* holds an item */
	struct jl_value value;
	struct jl_buf text;
	struct jl_table texts;   /* struct jl_mtext */
};
#define JL_ITEM_ROOM_INIT {.text = JL_BUF_INIT, .texts = JL_TABLE_INIT(struct jl_mtext)}
void jl_item_room_release(struct jl_item_room *room);
/* An instance's item as templates see it, until `room` is used again; NULL without a foreach. */
const struct jl_value *jl_expand_item(const struct jl_project *p, const struct jl_step *s, uint32_t item,
                                      struct jl_item_room *room);

/* Who makes a file, directly or as part of an owned folder: an instance, or JL_NONE. */
uint32_t jl_expand_maker(const struct jl_project *p, uint32_t file);

#endif
