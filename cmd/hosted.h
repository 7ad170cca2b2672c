/* Other machines for `jl map` and `jl memo`: what --hosts and --executor say. */
#ifndef JL_CMD_HOSTED_H
#define JL_CMD_HOSTED_H

#include "cmd.h"

#include "run/hosted.h"

extern const struct jl_opt jl_opts_executor[]; /* --executor */

/* *ret: `h`, which is JL_HOSTED_INIT before and to be released in any case, or NULL for this machine alone. JL_EINVAL,
 * JL_ENOTFOUND: no such host, executor or manifest. */
int jl_settings_hosted(const struct jl_settings *s, struct jl_hosted *h, struct jl_hosted **ret,
                       struct jl_err *err) JL_MUST_CHECK;

#endif
