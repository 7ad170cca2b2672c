/* See conditions.h. */
#include "http/conditions.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void jl_conditions_take(struct jl_conditions *c, const struct jl_talk *get)
{
	char *any = jl_talk_setting(get, "any-host");

	*c = (struct jl_conditions){.fetch = get->len > 0,
				    .any_host = any && strcmp(any, "1") == 0,
				    .have_etag = jl_talk_setting(get, "have-etag"),
				    .have_modified = jl_talk_setting(get, "have-modified"),
				    .part_etag = jl_talk_setting(get, "part-etag"),
				    .part_modified = jl_talk_setting(get, "part-modified")};
	free(any);
}

void jl_conditions_release(struct jl_conditions *c)
{
	free(c->have_etag);
	free(c->have_modified);
	free(c->part_etag);
	free(c->part_modified);
	*c = (struct jl_conditions){0};
}

void jl_conditions_headers(const struct jl_conditions *c, bool part,
			   void (*add)(void *ctx, const char *name, const char *value), void *ctx)
{
	/* A weak ETag says nothing of bytes. */
	const bool strong = c->part_etag && strncmp(c->part_etag, "W/", 2) != 0;
	const char *const headers[][2] = {
		{"If-None-Match", c->have_etag},
		{"If-Modified-Since", c->have_etag ? NULL : c->have_modified},
		{"If-Range", !part    ? NULL
			     : strong ? c->part_etag
				      : c->part_modified},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (headers[i][1])
			add(ctx, headers[i][0], headers[i][1]);
	}
}

bool jl_conditions_begins(const char *range, uint64_t from)
{
	char *end;

	return !range || (strncasecmp(range, "bytes ", 6) == 0 && isdigit((unsigned char)range[6]) &&
			  strtoull(range + 6, &end, 10) == from && *end == '-');
}
