/* struct jl_written: the outputs of an instance as they were before its command, by stat: did it write them all? */
#ifndef JL_RUN_WRITTEN_H
#define JL_RUN_WRITTEN_H

#include "run/engine.h"

struct jl_written {
	struct jl_table
		ports; /* struct jl_digest, by output: over the stamps of all there is; NONE: nothing was there */
	bool sure;     /* a write after that shows */
};
#define JL_WRITTEN_INIT                                                                                                \
	{                                                                                                              \
		.ports = JL_TABLE_INIT(struct jl_digest), .sure = false                                                \
	}

void jl_written_before(struct jl_written *w, struct jl_engine *e, uint32_t inst);
/* Is there a declared output that looks as it did? Its path goes to *ret_path. */
bool jl_written_missing(struct jl_written *w, struct jl_engine *e, uint32_t inst, const char **ret_path);
/* Does output `out` of the instance look as it did? */
bool jl_written_untouched(struct jl_written *w, struct jl_engine *e, uint32_t inst, uint32_t out);
void jl_written_release(struct jl_written *w);

#endif
