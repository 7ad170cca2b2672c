/* See s3.h. */
#include "http/s3.h"

#include "base/buf.h"
#include "base/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *from_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? jl_strdup(value) : NULL;
}

int jl_s3_open(const char *url, struct jl_s3 *ret, struct jl_err *err)
{
	struct jl_s3 all = {0}, *h = &all;
	char *rest = jl_strdup(url + strlen("s3://")), *query = strchr(rest, '?'), *prefix;
	char *endpoint = jl_url_query(url, "endpoint");
	char *region = jl_url_query(url, "region"), *style = jl_url_query(url, "style");
	struct jl_buf b = JL_BUF_INIT;
	bool host, open_to_all = false;
	int r = JL_OK;

	if (query)
		*query = '\0';
	prefix = strchr(rest, '/');
	if (prefix)
		*prefix++ = '\0';
	if (!endpoint) {
		endpoint = from_env("AWS_ENDPOINT_URL");
		open_to_all = endpoint && jl_url_is_open_to_all(endpoint);
	}
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
	if (r == JL_OK && open_to_all) /* who asks for signatures over plain http sees the URL alone */
		r = jl_err_set(err, JL_EINVAL, "$AWS_ENDPOINT_URL is plain http to another machine: use https, or say "
					       "\"?endpoint=URL\" where the bucket is named");
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
