/* What a node of the engine's graph is: an instance, the expansion of a late rule, the end of a rule; of temp outputs (run/temp.h):
 * the dropping of an instance's, the making of them once more, and the end of those who use a rule's. Three bits of kind, the
 * index (of an instance or a rule) in the rest. */
#ifndef JL_RUN_NODE_H
#define JL_RUN_NODE_H

#include <stdint.h>

enum jl_node_kind { JL_NODE_INST = 0, JL_NODE_SETTLE = 1, JL_NODE_BARRIER = 2, JL_NODE_DROP = 3, JL_NODE_REMAKE = 4,
		    JL_NODE_USERS = 5 };

#define JL_NODE(kind, index) ((uint32_t)(kind) << 29 | (index))
#define JL_NODE_KIND(what) ((enum jl_node_kind)((what) >> 29))
#define JL_NODE_INDEX(what) ((what) & 0x1fffffffu)

#endif
