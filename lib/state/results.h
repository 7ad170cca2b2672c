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
	JL_RESULT_DIRTY = 4,   /* of this run only: to be written */
	JL_RESULT_EXIT = 0xff << 8,    /* of a failure: the exit status; with no signal and 0: not known */
	JL_RESULT_SIGNAL = 0x7f << 16, /* of a failure: the signal that ended it; 0: none */
	JL_RESULT_STORED = JL_RESULT_OK | JL_RESULT_FAILED | JL_RESULT_EXIT | JL_RESULT_SIGNAL,
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
	struct jl_table found; /* uint32_t: lists of files that a depfile named, each ended by JL_NONE; the first is empty */
	struct jl_table find;  /* uint32_t by result, as far as some has a list: where that begins in found; 0: none */
	struct jl_map map;     /* made when first needed */
	uint32_t n_dirty;
	struct jl_table dirty; /* uint32_t: ids, n_dirty of them; private */
};

void jl_results_init(struct jl_results *r, struct jl_table *text); /* text is borrowed */
void jl_results_release(struct jl_results *r);
static inline struct jl_result *jl_result_at(const struct jl_results *r, uint32_t id)
{
	return JL_AT(r->at, struct jl_result, id);
}
/* The last try failed, so: fills the flags. The key of the last success stays. */
void jl_result_fail(struct jl_result *r, int exit_code, int sig);
static inline int jl_result_exit(const struct jl_result *r)
{
	return (int)(r->flags >> 8 & 0xff);
}
static inline int jl_result_signal(const struct jl_result *r)
{
	return (int)(r->flags >> 16 & 0x7f);
}
uint32_t jl_results_id(struct jl_results *r, const char *label, size_t len);   /* made when new */
uint32_t jl_results_find(struct jl_results *r, const char *label, size_t len); /* JL_NONE when unknown */
/* The files (ids) that the last success was found to depend on: n of them, good until the next call that sets some. */
const uint32_t *jl_results_found(const struct jl_results *r, uint32_t id, uint32_t *ret_n);
void jl_results_set_found(struct jl_results *r, uint32_t id, const uint32_t *files, uint32_t n); /* the caller touches */
void jl_results_touch(struct jl_results *r, uint32_t id); /* it changed: mark dirty */

#endif
