/* Many hosts as one executor, from the inside: each host (host.c), and the jobs on them (hosts.c). For these two only. */
#ifndef JL_EXEC_HOSTS_PRIV_H
#define JL_EXEC_HOSTS_PRIV_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/table.h"
#include "exec/blame.h"
#include "exec/hosts.h"
#include "proc/loop.h"

#define JL_AHEAD_NS   (200 * JL_NS_MS)
#define JL_AHEAD_MOST 8u               /* jobs a slot */

struct jl_member {
	const struct jl_host *host;
	struct jl_hosts *hosts;
	struct jl_exec *x;
	struct jl_timer again;         /* while it waits to be tried again */
	uint32_t tries;                /* in a row that failed */
	bool waits, aside, was_up;
	bool told;                     /* that it is lost */
	char why[200];                 /* it was set aside though it is up */
	uint32_t load;                 /* slots taken */
	uint64_t memory;               /* bytes that its jobs are said to need */
	int64_t average_ns;            /* of its jobs; 0: none yet */
	int64_t spare;                 /* slots, while jobs are taken back for it */
	struct jl_blame blame;
};

struct jl_hosts {
	struct jl_exec exec;           /* first */
	struct jl_hosts_config config;
	struct jl_member *members;
	struct jl_table running;
	struct jl_table kinds;         /* struct jl_where: the different ones, of which there are few; executor and tags only */
	struct jl_arena texts;         /* of these */
	struct jl_timer soon, balance;
	bool balancing;                /* `balance` is set */
	char why[600];                 /* of those that are refused */
};


static inline int64_t jl_hosts_now_ns(void)
{
	return jl_clock_system.now_ns(&jl_clock_system);
}

/* host.c */
int jl_member_open(struct jl_member *m, struct jl_hosts *h, const struct jl_host *host, struct jl_err *err) JL_MUST_CHECK;
void jl_member_close(struct jl_member *m); /* when all of them have been told to hang up */
/* Has it the executor's name and the tags? */
bool jl_member_fits(const struct jl_member *m, const struct jl_where *w);
bool jl_member_avoided(const struct jl_member *m, const struct jl_host *const *avoid, uint32_t n);
/* May it run there? With `shun`, not where it is to be avoided. */
bool jl_member_takes(const struct jl_member *m, const struct jl_where *w, bool shun);
enum jl_remote_state jl_member_state(const struct jl_member *m, uint32_t *ret_slots); /* at least 1; may be NULL */
/* Slots that are free, those ahead included; negative when it has more than it can take. */
int64_t jl_member_free_slots(const struct jl_member *m);
bool jl_member_has_memory(const struct jl_member *m, uint64_t memory);
/* Launch it, if that is not done, or to be done later, or in vain. */
void jl_member_connect(struct jl_member *m);
/* No more jobs for it. The owner is told why. */
void jl_member_set_aside(struct jl_member *m, const char *why);

#endif
