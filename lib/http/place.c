/* See place.h. */
#include "http/place.h"

#include "http/s3.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_MAX 16384

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

/* $JL_REMOTE_NAME_TOKEN, or the first line of the file $JL_REMOTE_NAME_TOKEN_FILE. */
static int read_token(struct jl_place *p, struct jl_err *err)
{
	char *path = variable(p, "TOKEN_FILE"), line[TOKEN_MAX + 1] = "";
	FILE *f;

	p->who.token = variable(p, "TOKEN");
	if (!path || p->who.token) {
		free(path);
		return JL_OK;
	}
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		p->who.token = jl_strdup(line);
	}
	if (f)
		fclose(f);
	explicit_bzero(line, sizeof(line));
	if (!p->who.token)
		jl_err_set(err, JL_EINVAL, "no token in \"%s\" (JL_REMOTE_%s_TOKEN_FILE)", path, p->name);
	free(path);
	return p->who.token ? JL_OK : JL_EINVAL;
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
	return jl_login_open(&p->login, err);
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
		r = read_token(p, err);
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
	const char *all[] = {p->name, p->base, p->hosts, p->ca, w->token, w->sign, w->cert, w->key};

	if (w->sign) {
		jl_login_release(&p->login);
	} else {
		free((char *)w->user);
		free((char *)w->password);
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free((char *)all[i]);
	*p = (struct jl_place){0};
}

void jl_place_turn(struct jl_place *p, struct jl_transport *transport)
{
	if (p->who.sign)
		jl_login_turn(&p->login, transport);
}

bool jl_place_is_ready(const struct jl_place *p)
{
	return !p->who.sign || jl_login_is_good(&p->login);
}

const char *jl_place_fault(const struct jl_place *p)
{
	return p->who.sign && p->login.fault[0] ? p->login.fault : NULL;
}

const struct jl_transfer_who *jl_place_who(struct jl_place *p, const char *url)
{
	if (p->who.sign) {
		p->who.user = p->login.aws.user;
		p->who.password = p->login.aws.secret;
		p->who.session = p->login.aws.session;
	}
	return jl_url_same_origin(p->base, url) ? &p->who : NULL;
}
