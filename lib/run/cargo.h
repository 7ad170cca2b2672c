/* struct jl_cargo_room: what travels with an instance that runs on another host: its inputs as they were when its key was made, all
 * that is in input folders, what links lead to; the outputs it declares. */
#ifndef JL_RUN_CARGO_H
#define JL_RUN_CARGO_H

#include "base/arena.h"
#include "base/table.h"
#include "exec/cargo.h"

struct jl_engine;
struct jl_running;

struct jl_cargo_room {
	struct jl_cargo cargo;
	struct jl_table ins, outs;   /* struct jl_cargo_in, struct jl_cargo_out */
	struct jl_table seen;        /* uint8_t by file: it is among them */
	struct jl_table marked;      /* uint32_t: those of `seen` that are set */
	struct jl_arena arena;
};
void jl_cargo_init(struct jl_cargo_room *c);
void jl_cargo_release(struct jl_cargo_room *c);
/* `workdir` is relative to the workspace. `shared`: it runs in the workspace itself, and nothing is sent. JL_EINVAL: an input lies
 * outside of it. */
int jl_cargo_make(struct jl_cargo_room *c, struct jl_engine *e, const struct jl_running *r, const char *workdir,
                  bool shared, struct jl_err *err) JL_MUST_CHECK;
/* Behind that: one input more, with all that belongs to it, unless it is absent or among them; a stdin that is no file of the
 * workspace, as of struct jl_cargo_in. */
int jl_cargo_add(struct jl_cargo_room *c, struct jl_engine *e, uint32_t inst, const char *path, struct jl_err *err) JL_MUST_CHECK;
void jl_cargo_stdin(struct jl_cargo_room *c, int fd, uint64_t size, const struct jl_digest *digest);

#endif
