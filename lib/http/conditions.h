/* struct jl_conditions: what a GET that fetches says of what jl has already (docs/formats/helper.md, "Fetching"), as headers. */
#ifndef JL_HTTP_CONDITIONS_H
#define JL_HTTP_CONDITIONS_H

#include "store/talk.h"

struct jl_conditions {
	bool fetch;                                                  /* it is one */
	bool any_host;                                               /* redirects may lead anywhere */
	char *have_etag, *have_modified, *part_etag, *part_modified; /* NULL: none */
};

/* Its settings; all zero for a plain GET. */
void jl_conditions_take(struct jl_conditions *c, const struct jl_talk *get);
void jl_conditions_release(struct jl_conditions *c);
/* Give the headers. part: a part of the content is asked for. */
void jl_conditions_headers(const struct jl_conditions *c, bool part,
			   void (*add)(void *ctx, const char *name, const char *value), void *ctx);

/* Does the value of Content-Range begin at that byte? NULL, as of some stores: it is taken to. */
bool jl_conditions_begins(const char *range, uint64_t from);

#endif
