/* struct jl_login: keeps the credentials of S3 (aws.h) fresh: asks the container's endpoint, if they come from one, at first and
 * before they expire. Requests wait until they are there, and go on with the old ones while new ones are on their way. */
#ifndef JL_HTTP_LOGIN_H
#define JL_HTTP_LOGIN_H

#include "http/aws.h"
#include "http/transport.h"

struct jl_login {
	struct jl_aws aws;
	char fault[300]; /* why there are none; "": there are, or they are asked for */
	/* private */
	struct jl_transfer transfer;
	bool asking;
	const char *header; /* while it is started */
	struct jl_buf answer;
	unsigned tries;
	int64_t due_ns; /* not before */
};

int jl_login_open(struct jl_login *l, struct jl_err *err) JL_MUST_CHECK;
void jl_login_release(struct jl_login *l);
/* Ask, if it is time to. */
void jl_login_turn(struct jl_login *l, struct jl_transport *transport);
bool jl_login_is_good(const struct jl_login *l);

#endif
