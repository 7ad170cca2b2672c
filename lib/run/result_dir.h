/* The folder of --results, in GNU parallel's layout: DIR/1/VALUE/2/VALUE/ with stdout, stderr and seq; the columns' names, where
 * there are any, in place of their numbers. */
#ifndef JL_RUN_RESULT_DIR_H
#define JL_RUN_RESULT_DIR_H

#include "run/values.h"

/* Append a job's folder. In a value "/" becomes "\_", "\" "\\", a tab "\t"; an empty one is "\e", "." and ".." are "\." and "\..",
 * so that none leaves its place. */
void jl_result_dir_path(struct jl_buf *out, const char *dir, const struct jl_args *args, const struct jl_args *names);
/* Make the folder and its files anew; ret_fds: stdout, stderr. */
int jl_result_dir_open(const char *path, int ret_fds[2], struct jl_err *err) JL_MUST_CHECK;
/* Was a job done there? Its seq is written when it has ended. */
bool jl_result_dir_done(const char *path);
int jl_result_dir_finish(const char *path, uint64_t seq, struct jl_err *err) JL_MUST_CHECK;

#endif
