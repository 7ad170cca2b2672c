/* URLs as text: what can be told of them without asking anybody. Those of http, https and s3 (store/s3.h). */
#ifndef JL_BASE_URL_H
#define JL_BASE_URL_H

#include "base/buf.h"

#include <stdbool.h>

#define JL_URL_MAX ((size_t)16 << 10) /* bytes of one that is fetched */

/* Does the text begin as one that can be fetched: "http://", "https://", "s3://"? */
bool jl_url_is(const char *text);
/* The value of NAME behind "?", decoded; free() it. NULL: it is not there. */
char *jl_url_query(const char *url, const char *name);
/* Plain http to another machine, by an s3 URL's "endpoint", too: anybody on the way may answer. */
bool jl_url_is_open_to_all(const char *url);
/* A user or a password stands in it. */
bool jl_url_has_user(const char *url);
/* Why it cannot be fetched, as the end of a sentence; NULL: it can. */
const char *jl_url_fault(const char *url);

/* Append what all URLs of one server have in common ("https://host:8443", "s3://bucket?region=eu"), and what is asked for there
 * ("/data/a.csv?v=2", "/data/a.csv"). */
void jl_url_split(const char *url, struct jl_buf *site, struct jl_buf *path);
/* Append the host, or the bucket: "host". */
void jl_url_host(const char *url, struct jl_buf *out);
/* Append a name for a file of its content: the last part of the path; never empty, and with no dot before it. */
void jl_url_name(const char *url, struct jl_buf *out);
/* Append it for a person: without the query, in which signatures and tokens may stand. */
void jl_url_show(struct jl_buf *out, const char *url);

#endif
