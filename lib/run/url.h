/* An input by URL in the plan: it is a file of the workspace, ".jl/inputs/HASH/NAME", that nobody makes but
 * run/fetching.h. HASH is of the digest that it must have, so that a mirror is as good, or of the URL: so the
 * path, which is in the key, is the same in every checkout. */
#ifndef JL_RUN_URL_H
#define JL_RUN_URL_H

#include "manifest/template.h"
#include "run/project.h"

#define JL_URL_FOLDER ".jl/inputs"

/* Is the port, whose path was evaluated to this, one? */
bool jl_url_is_input(const struct jl_port *port, const struct jl_buf *text);
/* Note it in the plan; its path is appended. JL_EINVAL: there is a message. */
int jl_url_add(struct jl_project *p, const struct jl_port *port, const struct jl_scope *scope, const struct jl_buf *text,
	       struct jl_buf *ret_path) JL_MUST_CHECK;
/* Which of the plan's URLs the file is fetched from; JL_NONE: none. */
uint32_t jl_url_of(struct jl_project *p, uint32_t file);

#endif
