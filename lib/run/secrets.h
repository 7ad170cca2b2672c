/* What `secret_env` names: values that the commands see and nobody else. A key holds their keyed hash; in what a command
 * writes they are masked, also where reads cut them in two.
 *
 *     DIR/secret   32 random bytes, 0600: the key of the hashes of this store; $JL_SECRET_KEY takes its place
 */
#ifndef JL_RUN_SECRETS_H
#define JL_RUN_SECRETS_H

#include "run/engine.h"

/* The values of all steps' secrets, for masking. Once, before anything is run. */
void jl_secrets_open(struct jl_engine *e);
void jl_secrets_release(struct jl_engine *e);
/* The keyed hash of a variable's value; all zero when it is not set. */
void jl_secrets_digest(struct jl_engine *e, const char *name, struct jl_digest *ret);

/* Bytes of a stream on their way to the log. What could be the beginning of a secret waits in r->masking for the rest; `end`:
 * nothing follows. */
void jl_secrets_mask(struct jl_engine *e, struct jl_running *r, int stream, const void *data, size_t len, bool end);

#endif
