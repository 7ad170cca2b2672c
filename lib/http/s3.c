/* See s3.h. */
#include "http/s3.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *from_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? jl_strdup(value) : NULL;
}

/* "%41" is "A"; in place. */
static char *decode(char *text)
{
	char *to = text, hex[3] = "";

	for (const char *from = text; *from; to++) {
		hex[0] = from[0] == '%' ? from[1] : '\0';
		hex[1] = hex[0] ? from[2] : '\0';
		if (hex[1] && strspn(hex, "0123456789abcdefABCDEF") == 2) {
			*to = (char)strtol(hex, NULL, 16);
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* The value of NAME in "a=b&c=d"; NULL: not there. */
static char *query_value(const char *query, const char *name)
{
	const size_t len = strlen(name);

	while (query && *query) {
		const char *end = strchrnul(query, '&');

		if (strncmp(query, name, len) == 0 && query[len] == '=')
			return decode(jl_strndup(query + len + 1, (size_t)(end - query) - len - 1));
		query = *end ? end + 1 : end;
	}
	return NULL;
}

int jl_s3_open(const char *url, struct jl_s3 *ret, struct jl_err *err)
{
	struct jl_s3 all = {0}, *h = &all;
	char *rest = jl_strdup(url + strlen("s3://")), *query = strchr(rest, '?'), *prefix;
	char *endpoint = query ? query_value(query + 1, "endpoint") : NULL;
	char *region = query ? query_value(query + 1, "region") : NULL,
	     *style = query ? query_value(query + 1, "style") : NULL;
	struct jl_buf b = JL_BUF_INIT;
	bool host;
	int r = JL_OK;

	if (query)
		*query = '\0';
	prefix = strchr(rest, '/');
	if (prefix)
		*prefix++ = '\0';
	endpoint = endpoint ? endpoint : from_env("AWS_ENDPOINT_URL");
	region = region ? region : from_env("AWS_REGION");
	region = region ? region : from_env("AWS_DEFAULT_REGION");
	region = region ? region : jl_strdup("us-east-1");
	host = style ? strcmp(style, "host") == 0 : !endpoint;
	if (!endpoint) {
		jl_buf_printf(&b, "https://s3.%s.amazonaws.com", region);
		endpoint = jl_buf_detach(&b, NULL);
	}
	if (!rest[0] || !strstr(endpoint, "://"))
		r = jl_err_set(err, JL_EINVAL, "a bucket is s3://BUCKET/PREFIX?endpoint=URL&region=NAME");
	if (r == JL_OK && host)
		jl_buf_printf(&b, "%.*s://%s.%s", (int)strcspn(endpoint, ":"), endpoint, rest,
			      strstr(endpoint, "://") + 3);
	else if (r == JL_OK)
		jl_buf_printf(&b, "%s/%s", endpoint, rest);
	if (prefix && prefix[0])
		jl_buf_printf(&b, "/%s", prefix);
	h->base = jl_buf_detach(&b, NULL);
	jl_buf_printf(&b, "aws:amz:%s:s3", region);
	h->sign = jl_buf_detach(&b, NULL);
	free(rest);
	free(endpoint);
	free(region);
	free(style);
	if (r == JL_OK)
		*ret = all;
	else
		jl_s3_release(&all);
	return r;
}

void jl_s3_release(struct jl_s3 *s)
{
	free(s->base);
	free(s->sign);
}
