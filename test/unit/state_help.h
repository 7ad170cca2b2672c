/* Short ways to a workspace state in a test's private folder. */
#ifndef TEST_STATE_HELP_H
#define TEST_STATE_HELP_H

#include "state/state.h"
#include "tmpdir.h"

#include "base/clock.h"

/* Long after any stamp of the test: everything is trusted. */
#define LATER_NS (10 * JL_NS_S)

struct jl_state *state_open(const struct tmpdir *t, const struct jl_io *io); /* io: NULL for the system's */
void state_close(struct jl_state *s);
uint32_t state_id(struct jl_state *s, const char *path);
/* Pretend that the file system's clock is this far from ours. */
void state_clock(struct jl_state *s, int64_t offset_ns);
/* Whole file of the test's folder, to be freed. */
char *state_slurp(const struct tmpdir *t, const char *name, size_t *ret_len);

#endif
