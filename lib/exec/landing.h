/* Outputs that come from elsewhere: staged beside their places under other names, and put in place together when all are there.
 *
 * All paths are opened beneath the root: a link planted meanwhile leads nowhere. What is not declared is refused.
 */
#ifndef JL_EXEC_LANDING_H
#define JL_EXEC_LANDING_H

#include "base/arena.h"
#include "base/table.h"
#include "exec/cargo.h"
#include "exec/message.h"
#include "exec/transfer.h"

struct jl_landing {
	int root_fd;           /* borrowed */
	struct jl_table at;    /* struct jl_landed, in the order of the message */
	struct jl_arena arena;
	uint32_t n_missing;    /* files whose content has yet to come */
};

struct jl_landed {
	const char *path;
	enum jl_kind kind;
	uint32_t mode;
	uint64_t size;
	struct jl_digest digest;
	const char *text;      /* of a link */
	const char *temp;      /* staged under this path; NULL: not */
	int fd;                /* of it while its content comes; else -1 */
	struct jl_receive rx;
};

/* Look at what an agent says there is, against what was declared; stage what came along and what is at hand. JL_EINVAL: it says
 * what it must not. */
int jl_landing_begin(struct jl_landing *l, const struct jl_cargo *cargo, const struct jl_msg_ended *m,
                     struct jl_err *err) JL_MUST_CHECK;
/* Append what has to be fetched (struct jl_msg_want). */
void jl_landing_missing(const struct jl_landing *l, struct jl_table *wants);
/* A piece has come. 1: that file is whole. *ret_credit as jl_receive_data(). */
int jl_landing_data(struct jl_landing *l, const struct jl_msg *m, uint64_t *ret_credit, struct jl_err *err) JL_MUST_CHECK;
/* All is there: put everything in place. */
int jl_landing_commit(struct jl_landing *l, struct jl_err *err) JL_MUST_CHECK;
void jl_landing_release(struct jl_landing *l); /* what is staged goes */

#endif
