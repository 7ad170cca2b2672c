/* What a node of the engine's graph is: an instance, the expansion of a late rule, or the end of a rule. Two bits of kind, the
 * index in the rest. */
#ifndef JL_RUN_NODE_H
#define JL_RUN_NODE_H

#include <stdint.h>

enum jl_node_kind { JL_NODE_INST = 0, JL_NODE_SETTLE = 1, JL_NODE_BARRIER = 2 };

#define JL_NODE(kind, index) ((uint32_t)(kind) << 30 | (index))
#define JL_NODE_KIND(what) ((enum jl_node_kind)((what) >> 30))
#define JL_NODE_INDEX(what) ((what) & 0x3fffffffu)

#endif
