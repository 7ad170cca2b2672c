/* The declared paths of instances: what may be an output, who claims what, where a command runs. */
#ifndef JL_RUN_PORTS_H
#define JL_RUN_PORTS_H

#include "manifest/template.h"
#include "run/project.h"

/* Refuse an output path that leaves the workspace or holds what must not be touched (.jl, .git, the manifest): adds the
 * message and returns true. */
bool jl_ports_refuse_output(struct jl_project *p, const char *path, bool folder, struct jl_mark mark);

/* Where a port of the rule stands in the manifest (the AST is there); the step's name for one that is not of it. */
struct jl_mark jl_ports_mark(const struct jl_project *p, uint32_t rule, const struct jl_pport *port, bool output);

/* Enter the outputs of a rule's instances into p->maker. `check`: they are new: two makers of one path, one within the
 * other's folder, an input within an own output folder are errors (the AST is there for their places). */
int jl_ports_claim(struct jl_project *p, uint32_t rule, bool check) JL_MUST_CHECK;

/* The step's workdir, clean and relative to the workspace ("." by default). JL_EINVAL, and a message (`msgs` may be NULL), for one
 * outside of it. */
int jl_ports_workdir(const struct jl_step *s, const struct jl_scope *scope, struct jl_buf *out, struct jl_messages *msgs);

/* A folder that goes with all that is in it: its own mode must not stand in the way. Failing is told by what needs it. */
void jl_ports_make_writable(const struct jl_files *files, uint32_t id);

#endif
