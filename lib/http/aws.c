/* See aws.h. */
#include "http/aws.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EARLY_S   300 /* so long before they expire others are asked for */
#define AGAIN_S   30  /* not more often than that, while they are good */
#define TOKEN_MAX 16384

static char *from_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? jl_strdup(value) : NULL;
}

static void forget(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

/* "KEY = VALUE" of a section of an AWS credentials file. */
static void read_profile(struct jl_aws *a)
{
	const char *profile = getenv("AWS_PROFILE"), *home = getenv("HOME");
	char *path = from_env("AWS_SHARED_CREDENTIALS_FILE"), line[2048], section[256] = "", own[4096];
	FILE *f;

	snprintf(own, sizeof(own), "%s/.aws/credentials", home ? home : "");
	f = fopen(path ? path : own, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char key[128], value[1024];

		if (sscanf(line, " [%255[^]]]", section) == 1 ||
		    strcmp(section, profile && profile[0] ? profile : "default") != 0 ||
		    sscanf(line, " %127[A-Za-z0-9_] = %1023s", key, value) != 2)
			continue;
		if (strcmp(key, "aws_access_key_id") == 0 && !a->user)
			a->user = jl_strdup(value);
		else if (strcmp(key, "aws_secret_access_key") == 0 && !a->secret)
			a->secret = jl_strdup(value);
		else if (strcmp(key, "aws_session_token") == 0 && !a->session)
			a->session = jl_strdup(value);
	}
	if (f)
		fclose(f);
	explicit_bzero(line, sizeof(line));
	free(path);
}

/* Whoever answers there is believed, and sees our token: over http only where nobody else can listen. */
static bool is_private(const char *url)
{
	static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
	const char *host = url + strlen("http://");
	size_t len;

	if (strncmp(url, "https://", 8) == 0)
		return true;
	if (strncmp(url, "http://", 7) != 0)
		return false;
	len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#@");
	if (!strchr(":/?", host[len])) /* the end is one of them, too */
		return false;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (len == strlen(hosts[i]) && strncasecmp(host, hosts[i], len) == 0)
			return true;
	return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

static int open_endpoint(struct jl_aws *a, struct jl_err *err)
{
	char *relative = from_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	struct jl_buf b = JL_BUF_INIT;

	if (relative) {
		jl_buf_printf(&b, "http://169.254.170.2%s%s", relative[0] == '/' ? "" : "/", relative);
		a->url = jl_buf_detach(&b, NULL);
		free(relative);
		return JL_OK;
	}
	a->url = from_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!a->url)
		return jl_err_set(err, JL_EINVAL,
				  "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write "
				  "~/.aws/credentials");
	if (!is_private(a->url))
		return jl_err_set(err, JL_EINVAL,
				  "AWS_CONTAINER_CREDENTIALS_FULL_URI over http is for this machine alone; use https");
	return JL_OK;
}

int jl_aws_open(struct jl_aws *a, struct jl_err *err)
{
	int r;

	*a = (struct jl_aws){.user = from_env("AWS_ACCESS_KEY_ID"), .secret = from_env("AWS_SECRET_ACCESS_KEY")};
	if (a->user && a->secret) {
		a->session = from_env("AWS_SESSION_TOKEN");
		return JL_OK;
	}
	forget(&a->user);
	forget(&a->secret);
	read_profile(a);
	if (a->user && a->secret)
		return JL_OK;
	jl_aws_release(a);
	r = open_endpoint(a, err);
	if (r != JL_OK)
		jl_aws_release(a);
	return r;
}

void jl_aws_release(struct jl_aws *a)
{
	forget(&a->user);
	forget(&a->secret);
	forget(&a->session);
	free(a->url);
	*a = (struct jl_aws){0};
}

bool jl_aws_is_good(const struct jl_aws *a, int64_t now_s)
{
	return a->user && (!a->expires_s || now_s < a->expires_s);
}

bool jl_aws_is_due(const struct jl_aws *a, int64_t now_s)
{
	if (!a->url)
		return false;
	return !jl_aws_is_good(a, now_s) ||
	       (a->expires_s && now_s >= a->expires_s - EARLY_S && now_s >= a->asked_s + AGAIN_S);
}

int jl_aws_header(char **ret, struct jl_err *err)
{
	char *path = from_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), text[TOKEN_MAX + 1] = "";
	char *token = path ? NULL : from_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct jl_buf b = JL_BUF_INIT;
	FILE *f = path ? fopen(path, "re") : NULL;
	int r = JL_OK;

	*ret = NULL;
	if (path && !f) {
		r = jl_err_sys(err, errno, "cannot read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	} else if (f) {
		text[fread(text, 1, TOKEN_MAX, f)] = '\0';
		fclose(f);
	}
	if (r == JL_OK && (token || text[0])) {
		const char *at = token ? token : text;

		jl_buf_printf(&b, "%.*s", (int)strcspn(at, "\r\n"), at);
		*ret = jl_buf_detach(&b, NULL);
	}
	explicit_bzero(text, sizeof(text));
	forget(&token);
	free(path);
	return r;
}

/* The text of a member of an object whose members are texts, of which none is longer than credentials are. NULL: not there. */
static char *member(const char *json, const char *name)
{
	struct jl_buf b = JL_BUF_INIT;
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	at = strstr(json, quoted);
	if (!at)
		return NULL;
	at += strlen(quoted);
	at += strspn(at, " \t\r\n");
	if (*at != ':')
		return NULL;
	at++;
	at += strspn(at, " \t\r\n");
	if (*at++ != '"')
		return NULL;
	for (; *at && *at != '"'; at++) {
		if (*at == '\\' && (!*++at || !strchr("\\/\"", *at)))
			break;
		jl_buf_char(&b, *at);
	}
	if (*at != '"' || !b.len) {
		jl_buf_release(&b);
		return NULL;
	}
	return jl_buf_detach(&b, NULL);
}

int jl_aws_take(struct jl_aws *a, const char *json, int64_t now_s, struct jl_err *err)
{
	char *user = member(json, "AccessKeyId"), *secret = member(json, "SecretAccessKey"),
	     *session = member(json, "Token"), *expires = member(json, "Expiration");
	struct tm when = {0};
	const char *end = expires ? strptime(expires, "%Y-%m-%dT%H:%M:%S", &when) : NULL;
	const bool bad = !user || !secret || (expires && !end);

	if (!bad) {
		forget(&a->user);
		forget(&a->secret);
		forget(&a->session);
		a->user = user;
		a->secret = secret;
		a->session = session;
		a->expires_s = expires ? (int64_t)timegm(&when) : 0;
		a->asked_s = now_s;
		free(expires);
		return JL_OK;
	}
	forget(&user);
	forget(&secret);
	forget(&session);
	free(expires);
	return jl_err_set(err, JL_ECORRUPT, "what the endpoint says is no credentials");
}
