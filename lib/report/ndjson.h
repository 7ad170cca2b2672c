/* A sink that writes events as JSON, one object a line: `--events`.
 *
 *     {"v":1,"t":0.25,"event":"step_finished","step":"clean[a]","status":"ran",...}
 *
 * "t" and *_s are seconds, max_rss is bytes. A field that is not known is left out. Bytes of an output that are no UTF-8
 * become U+FFFD; long outputs come in several events. Nothing is done for those that are for displays. */
#ifndef JL_REPORT_NDJSON_H
#define JL_REPORT_NDJSON_H

#include "report/out.h"
#include "run/event.h"

struct jl_ndjson {
	struct jl_sink sink; /* first: the engine gives it back */
	struct jl_out out;
};

#define JL_NDJSON_TEXT_MAX ((size_t)64 << 10) /* bytes of output in one event */

/* Append an event's line. An output has at most JL_NDJSON_TEXT_MAX bytes; those from JL_EVENT_PROGRESS on have no line. */
void jl_ndjson_add(struct jl_buf *out, const struct jl_event *e);

void jl_ndjson_init(struct jl_ndjson *n, int fd); /* fd: borrowed */
void jl_ndjson_release(struct jl_ndjson *n);      /* writes what is left; out.sys_errno before it tells how it went */

#endif
