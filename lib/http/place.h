/* struct jl_place: where the objects of a URL are, and who asks for them: http://, https:// and s3://BUCKET[/PREFIX]
 * (http/s3.h).
 *
 * Secrets come from the environment, $JL_REMOTE_NAME_… with the remote's name in capitals (joblib.yaml(5)), for S3 as aws.h says,
 * and are sent to the host of the URL alone. Those that are asked for somewhere are not there at once, and change: so nothing is
 * started before jl_place_is_ready(). */
#ifndef JL_HTTP_PLACE_H
#define JL_HTTP_PLACE_H

#include "http/login.h"

struct jl_place {
	char *name;                 /* the remote's, for variables; "" for none */
	char *base;                 /* the URL below which object names are, with no slash at its end */
	char *hosts;                /* "a,b": where redirects may lead beside the base's host; NULL: nowhere */
	char *ca;                   /* a file of certificates to believe; NULL: the system's */
	bool post;                  /* objects are put by POST */
	struct jl_transfer_who who; /* its strings are the place's, or the login's */
	struct jl_login login;      /* S3 */
};

/* JL_EINVAL: the URL is none of these, or credentials are missing. */
int jl_place_open(struct jl_place *p, const char *url, const char *name, struct jl_err *err) JL_MUST_CHECK;
void jl_place_release(struct jl_place *p);

/* See to it that it is, and stays, known who asks. */
void jl_place_turn(struct jl_place *p, struct jl_transport *transport);
bool jl_place_is_ready(const struct jl_place *p);
/* Why it is not; NULL: it will be. */
const char *jl_place_fault(const struct jl_place *p);

/* Who asks at this URL: NULL, nobody, at another host than the place's. Of now: what is borrowed may go with the next turn. */
const struct jl_transfer_who *jl_place_who(struct jl_place *p, const char *url);

#endif
