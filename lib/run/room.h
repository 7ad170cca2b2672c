/* Making room for outputs. Nothing a person made is lost: what the state proves to be jl's own and unchanged is removed, all else
 * is renamed into .jl/trash/RUN/ and told in one line. Part of the engine. */
#ifndef JL_RUN_ROOM_H
#define JL_RUN_ROOM_H

#include "run/engine.h"

/* The folder that `path` is in, opened beneath the workspace; made when missing and `make`. *ret_name is the last component
 * within `path`. The caller closes *ret_fd. */
int jl_room_open_parent(struct jl_engine *e, const char *path, bool make, int *ret_fd, const char **ret_name,
                        struct jl_err *err) JL_MUST_CHECK;
/* Make the folders above a file; JL_EINVAL when a link among them leads out of the workspace. */
int jl_room_make_parents(struct jl_engine *e, uint32_t file, struct jl_err *err) JL_MUST_CHECK;

/* Take away what is there: a file or link; an output port (a folder with all that is in it); what a glob among the outputs
 * matches, but for what `stay` (struct jl_record_output) names. */
int jl_room_dispose_file(struct jl_engine *e, uint32_t id, struct jl_err *err) JL_MUST_CHECK;
int jl_room_dispose_port(struct jl_engine *e, const struct jl_pport *port, struct jl_err *err) JL_MUST_CHECK;
int jl_room_dispose_globbed(struct jl_engine *e, uint32_t inst, const struct jl_pport *port, const struct jl_table *stay,
                            struct jl_err *err) JL_MUST_CHECK;

/* Tell what went to the trash since the last time; `step` may be NULL. */
void jl_room_tell(struct jl_engine *e, const char *step);

#endif
