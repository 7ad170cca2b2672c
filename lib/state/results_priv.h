/* What struct jl_state needs of struct jl_results beyond state/results.h. */
#ifndef JL_STATE_RESULTS_PRIV_H
#define JL_STATE_RESULTS_PRIV_H

#include "state/results.h"

void jl_results_init(struct jl_results *r, struct jl_table *text);
void jl_results_release(struct jl_results *r);

#endif
