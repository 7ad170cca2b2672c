/* See place.h. */
#include "http/place.h"

#include "http/s3.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* $JL_REMOTE_NAME_WHAT; NULL: not set. */
static char *variable(const struct jl_place *p, const char *what)
{
	char name[200];
	const char *value;

	snprintf(name, sizeof(name), "JL_REMOTE_%s_%s", p->name, what);
	for (char *s = name; *s; s++)
		*s = isalnum((unsigned char)*s) ? (char)toupper((unsigned char)*s) : '_';
	value = getenv(name);
	return value && value[0] ? jl_strdup(value) : NULL;
}

/* What the URL and the environment say of a bucket. */
static int open_s3(struct jl_place *p, const char *url, struct jl_err *err)
{
	struct jl_s3 at;
	int r = jl_s3_open(url, &at, err);

	if (r != JL_OK)
		return r;
	p->base = at.base;
	p->who.sign = at.sign;
	p->who.user = at.user;
	p->who.password = at.password;
	p->who.session = at.session;
	return JL_OK;
}

/* libcurl looks for it at each request. */
static bool has_netrc(void)
{
	const char *home = getenv("HOME");
	char path[4096];

	return home && snprintf(path, sizeof(path), "%s/.netrc", home) < (int)sizeof(path) && access(path, F_OK) == 0;
}

int jl_place_open(struct jl_place *p, const char *url, const char *name, struct jl_err *err)
{
	int r = JL_OK;

	*p = (struct jl_place){.name = jl_strdup(name)};
	p->hosts = variable(p, "HOSTS");
	p->ca = variable(p, "CACERT");
	p->who.cert = variable(p, "CERT");
	p->who.key = variable(p, "KEY");
	if (strncmp(url, "s3://", 5) == 0) {
		r = open_s3(p, url, err);
	} else if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
		p->base = jl_strdup(url);
		p->who.token = variable(p, "TOKEN");
		p->who.user = variable(p, "USER");
		p->who.password = variable(p, "PASSWORD");
		p->who.netrc = has_netrc();
	} else {
		r = jl_err_set(err, JL_EINVAL, "the URL begins with http://, https:// or s3://");
	}
	for (size_t n = p->base ? strlen(p->base) : 0; n > 0 && p->base[n - 1] == '/';)
		p->base[--n] = '\0';
	if (r != JL_OK)
		jl_place_release(p);
	return r;
}

void jl_place_release(struct jl_place *p)
{
	const struct jl_transfer_who *w = &p->who;
	const char *all[] = {p->name,  p->base,     p->hosts, p->ca,      w->user, w->password,
			     w->token, w->sign,     w->cert,  w->session, w->key};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free((char *)all[i]);
	*p = (struct jl_place){0};
}

const struct jl_transfer_who *jl_place_who(const struct jl_place *p, const char *url)
{
	return jl_url_same_origin(p->base, url) ? &p->who : NULL;
}
