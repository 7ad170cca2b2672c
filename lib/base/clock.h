/* Time. All durations and points are int64_t nanoseconds; the monotonic clock for durations, the real-time one for
 * stamps only. struct jl_clock lets tests drive the engine. */
#ifndef JL_BASE_CLOCK_H
#define JL_BASE_CLOCK_H

#include "base/buf.h"

#include <stdint.h>

#define JL_NS_MS INT64_C(1000000)
#define JL_NS_S INT64_C(1000000000)
#define JL_FOREVER INT64_MAX

struct jl_clock {
	int64_t (*now_ns)(const struct jl_clock *c); /* monotonic */
	void *ctx;
};

extern const struct jl_clock jl_clock_system;

int64_t jl_clock_real_ns(void);   /* CLOCK_REALTIME */
int64_t jl_clock_coarse_ns(void); /* CLOCK_REALTIME_COARSE: what a local file system stamps with */

/* "1.24s", "350ms", "3m12s", "2h05m", "1d03h": for people. */
int jl_clock_show(struct jl_buf *out, int64_t duration_ns);
/* `500ms`, `10s`, `5m`, `2h`, `7d`, `1.5h`; a bare number is seconds. JL_EINVAL with advice. */
int jl_clock_parse(const char *text, int64_t *ret_ns, struct jl_err *err) JL_MUST_CHECK;
/* `10MB` (10^6), `10MiB` (2^20), `10M` as MiB is not taken (ambiguous: says which to write); a bare number is bytes. */
int jl_size_parse(const char *text, uint64_t *ret_bytes, struct jl_err *err) JL_MUST_CHECK;

#endif
