/* struct jl_extract: files put in place all together, or none. They are staged in a folder beside, under numbers; at the
 * end each is compared with what lies in its place, and only when nothing of somebody else's is in the way (or that was
 * allowed) are all renamed. Paths come from a stranger: each must be clean and lead beneath the root, opened so that no
 * link leads out of it; links must lead inward; permission bits only.
 */
#ifndef JL_RUN_EXTRACT_H
#define JL_RUN_EXTRACT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_extract {
	int root_fd;         /* borrowed */
	int stage_fd;        /* -1: nothing staged yet */
	char stage[128];     /* its name beneath the root */
	struct jl_arena arena;
	struct jl_table at;  /* struct item, private */
};

void jl_extract_init(struct jl_extract *x, int root_fd);
/* A path that may be put in place? JL_EINVAL says what is wrong with it. */
int jl_extract_check(const char *path, struct jl_err *err) JL_MUST_CHECK;
int jl_extract_dir(struct jl_extract *x, const char *path, uint32_t mode, struct jl_err *err) JL_MUST_CHECK;
int jl_extract_link(struct jl_extract *x, const char *path, const char *target, struct jl_err *err) JL_MUST_CHECK;
/* *ret_fd: the empty staged file, to be written and closed by the caller. */
int jl_extract_file(struct jl_extract *x, const char *path, uint32_t mode, int *ret_fd, struct jl_err *err) JL_MUST_CHECK;
/* Compare all with what lies in its place: once, before the commit. Is something else in the way of any? JL_EBUSY names the
 * first. */
int jl_extract_look(struct jl_extract *x, struct jl_err *err) JL_MUST_CHECK;
/* Put all in place, over what lies there. What was found to be the same stays as it is. *ret_n: how many were put. */
int jl_extract_commit(struct jl_extract *x, uint32_t *ret_n, struct jl_err *err) JL_MUST_CHECK;
/* Also takes the stage away. */
void jl_extract_release(struct jl_extract *x);

#endif
