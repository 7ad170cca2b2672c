/* struct jl_trouble: what a job met on hosts that need not be its own doing, and whether it is started again for it. Of steps and
 * of commands without a manifest alike; the book that is kept of a host itself is exec/blame.h.
 *
 * It is started again when
 *   - its host took it back, or was lost before it began;
 *   - its host was lost while it ran: at most twice. After the second time it has a host for itself, so that what runs beside it
 *     is not taken along again; at the third it has failed, for it may be what ends them. No host is set aside for that;
 *   - its host could not, or it failed and its host may be to blame: then it runs once more on another one, if one is up.
 */
#ifndef JL_RUN_TROUBLE_H
#define JL_RUN_TROUBLE_H

#include "exec/hosts.h"
#include "run/slots.h"

struct jl_elsewhere;

struct jl_trouble {            /* zeros: none yet */
	uint8_t losses;          /* hosts that were lost while it ran */
	uint8_t returns;         /* ... before it began */
	uint8_t n_avoid;         /* hosts that may be to blame, by their number */
	bool doubted;            /* it failed on one of them */
	uint32_t avoid[JL_AVOID_MOST];
};

#define JL_TROUBLE_SAID 400

/* Add to w->where, which says where the job may run, what follows from its troubles. */
void jl_trouble_where(const struct jl_trouble *t, struct jl_elsewhere *w);
/* It has ended on a host; w->where is as at its start. true: it is to be started again, and `said` is what a user may hear of it,
 * or empty. false: it has ended as it says, such as a job of this machine may; its `why` tells more if it was any of these.
 * `final`: nothing is started any more. */
bool jl_trouble_again(struct jl_trouble *t, struct jl_elsewhere *w, struct jl_slot_job *job, bool final,
                      char said[JL_TROUBLE_SAID]);

#endif
