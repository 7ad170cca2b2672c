/* Why an instance is not fresh: the few words that plan and run give, the whole story that `jl why` tells. Reads the state, the
 * outputs and, unless the run is content with the kind of the reason (JL_WHY_KIND), the record of the last result here.
 *
 * The functions that fill `room` (JL_WHY_MAX bytes do for each) return it, or a static text; it fits a line.
 */
#ifndef JL_RUN_WHY_H
#define JL_RUN_WHY_H

#include "run/engine.h"

#define JL_WHY_MAX 200

/* It failed when it was tried last. */
const char *jl_why_failed(const struct jl_result *res, char *room, size_t size);
/* Its key is not that of the last result here. */
const char *jl_why_changed(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, char *room, size_t size);
/* The key is the same, and what lies there is not the result, which is not stored. */
const char *jl_why_outputs(struct jl_engine *e, uint32_t inst, char *room, size_t size);
/* The result is stored, and does not lie there. */
const char *jl_why_restore(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, const struct jl_record *rec,
			   char *room, size_t size);
/* The node is blocked: by what, in the end. */
const char *jl_why_waits(const struct jl_engine *e, uint32_t node, char *room, size_t size);

/* Append all there is to say of an instance that was just decided (e->deciding) or skipped, lines each with its newline. */
void jl_why_detail(struct jl_engine *e, uint32_t inst, const struct jl_event *ev, struct jl_buf *out);

#endif
