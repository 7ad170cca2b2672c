/* struct jl_results: the last result of every instance, by its label ("clean[parts/p.00]"). */
#ifndef JL_STATE_RESULTS_H
#define JL_STATE_RESULTS_H

#include "base/map.h"
#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

enum jl_result_flag {
	JL_RESULT_OK = 1,      /* key and outs are of a success whose outputs were in place */
	JL_RESULT_FAILED = 2,  /* the last try failed */
	JL_RESULT_STORED = 3,  /* all of the above */
	JL_RESULT_DIRTY = 4,   /* of this run only: to be written */
};

struct jl_result {
	uint32_t label;        /* in the text table */
	uint32_t flags;
	struct jl_digest key;  /* of the last success */
	struct jl_digest outs; /* over the outputs as they were left: equal means untouched */
	uint8_t pad[2];
	uint32_t made_s;       /* when that success was computed, in seconds since 1970; 0: not known */
	int64_t wall_ns;       /* duration of the last real execution; 0: never ran */
	int64_t when_ns;       /* real time of the last change of this entry */
};

struct jl_results {
	struct jl_table *text; /* shared */
	struct jl_table at;    /* struct jl_result */
	struct jl_map map;     /* made when first needed */
	uint32_t n_dirty;
	struct jl_table dirty; /* uint32_t: ids, n_dirty of them; private */
};

static inline struct jl_result *jl_result_at(const struct jl_results *r, uint32_t id)
{
	return JL_AT(r->at, struct jl_result, id);
}
uint32_t jl_results_id(struct jl_results *r, const char *label, size_t len);   /* made when new */
uint32_t jl_results_find(struct jl_results *r, const char *label, size_t len); /* JL_NONE when unknown */
void jl_results_touch(struct jl_results *r, uint32_t id); /* it changed: mark dirty */

#endif
