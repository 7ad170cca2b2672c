/* struct jl_aws: by whose name S3 is asked. The first of these that is there:
 *   - $AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY and $AWS_SESSION_TOKEN,
 *   - the section $AWS_PROFILE (default) of $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials,
 *   - what the endpoint of a container says, which is asked again before it expires: $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI at
 *     169.254.170.2, or $AWS_CONTAINER_CREDENTIALS_FULL_URI, which is https, or http on this machine or at the places that
 *     clouds have for it; with the Authorization of $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or …_TOKEN.
 * No I/O but reading files: who asks the endpoint is place.c. */
#ifndef JL_HTTP_AWS_H
#define JL_HTTP_AWS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_aws {
	char *user, *secret, *session; /* NULL: not known yet; session: NULL, too, if there is none */
	int64_t expires_s, asked_s;    /* seconds since 1970; 0: never */
	char *url;                     /* the endpoint to ask; NULL: nobody */
};

/* JL_EINVAL: nothing of it is there, or the endpoint is one that must not be asked. */
int jl_aws_open(struct jl_aws *a, struct jl_err *err) JL_MUST_CHECK;
void jl_aws_release(struct jl_aws *a);

bool jl_aws_is_good(const struct jl_aws *a, int64_t now_s); /* may be used now */
bool jl_aws_is_due(const struct jl_aws *a, int64_t now_s);  /* the endpoint is to be asked (again) */
/* What to say to the endpoint as Authorization, for the caller to free; NULL: none. Read anew each time. */
int jl_aws_header(char **ret, struct jl_err *err) JL_MUST_CHECK;
/* What it answered. JL_ECORRUPT: no credentials are in there; nothing changes. */
int jl_aws_take(struct jl_aws *a, const char *json, int64_t now_s, struct jl_err *err) JL_MUST_CHECK;

#endif
