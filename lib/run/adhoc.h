/* A workspace for one command: no manifest, no `.jl`, nothing remembered. Its root is the nearest folder that holds
 * the current folder and all inputs and outputs, so that their paths are clean and lead inward, and so that a
 * result is the same in another checkout of the same tree. The plan has one rule and one instance.
 */
#ifndef JL_RUN_ADHOC_H
#define JL_RUN_ADHOC_H

#include "run/memo.h"
#include "run/project.h"

/* The words to be executed: the command's own, or a shell's in front of a script. `scratch` and `at` (const char *)
 * hold them; returns how many are the shell's. */
extern const char *const jl_adhoc_shell[]; /* NULL-terminated */
uint32_t jl_adhoc_words(const struct jl_memo_list *command, struct jl_buf *scratch, struct jl_table *at);

/* tools: the digests of words[0] and of o->tools, in this order. Close with jl_project_close(). */
int jl_adhoc_open(const struct jl_memo_opts *o, const struct jl_table *words, uint32_t n_shell,
		  const struct jl_digest *tools, const struct jl_digest *input, struct jl_project **ret,
		  struct jl_err *err) JL_MUST_CHECK;

#endif
