/* From the parsed manifest to the plan's rules: what waits for what, what could make what. Part of opening a project. */
#ifndef JL_RUN_COMPILE_H
#define JL_RUN_COMPILE_H

#include "run/project.h"

/* Make p->plan anew from p->ast: head and rules, nothing expanded; head's `source` is the caller's. Faults go to p->msgs; the
 * plan is of use only if there are none. */
void jl_compile(struct jl_project *p);

/* Put the pattern of all that a port of the manifest could name, whatever its item is, into `out`: as jl_glob_overlap() reads
 * it. */
void jl_compile_pattern(struct jl_project *p, const struct jl_port *port, const struct jl_step *step, struct jl_buf *out);

/* A clean path (`glob`: pattern) out of text that a template gave, relative to `dir`, the folder of the step's file: as seen
 * from the workspace, without a trailing slash (*ret_folder says there was one). JL_EINVAL when it is empty. */
int jl_compile_path(struct jl_buf *out, const char *dir, const char *text, bool glob, bool *ret_folder);

#endif
