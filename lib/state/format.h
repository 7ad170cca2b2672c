/* The first 24 bytes of both files of the state, the same in every version, so that a newer file can be told from a
 * damaged one: magic (8 bytes), version u32, byte order u32 (0x01020304), XXH3-64 u64 of those 16 bytes.
 *
 * Everything is in the byte order of the machine that wrote it: the tables are memory as it is. */
#ifndef JL_STATE_FORMAT_H
#define JL_STATE_FORMAT_H

#include "base/map.h"

#include <stdint.h>
#include <string.h>

#define JL_STATE_VERSION 2
#define JL_STATE_OLDEST 1 /* that is still read */
#define JL_STATE_ORDER UINT32_C(0x01020304)

struct jl_format {
	char magic[8];
	uint32_t version, order;
	uint64_t sum;
};

enum jl_format_is {
	JL_FORMAT_OURS,
	JL_FORMAT_DAMAGED,
	JL_FORMAT_NEWER,
	JL_FORMAT_OTHER, /* an older version, or another machine's byte order */
};

static inline struct jl_format jl_format_make(const char *magic)
{
	struct jl_format f = {.version = JL_STATE_VERSION, .order = JL_STATE_ORDER};

	memcpy(f.magic, magic, sizeof(f.magic));
	f.sum = jl_hash64(&f, offsetof(struct jl_format, sum));
	return f;
}

static inline enum jl_format_is jl_format_check(const struct jl_format *f, const char *magic)
{
	uint64_t sum = f->sum;
	uint32_t version = f->version;

	if (memcmp(f->magic, magic, sizeof(f->magic)) != 0)
		return JL_FORMAT_DAMAGED;
	if (f->order == __builtin_bswap32(JL_STATE_ORDER)) {
		sum = __builtin_bswap64(sum);
		version = __builtin_bswap32(version);
	}
	if (sum != jl_hash64(f, offsetof(struct jl_format, sum)))
		return JL_FORMAT_DAMAGED;
	if (version > JL_STATE_VERSION)
		return JL_FORMAT_NEWER;
	return version >= JL_STATE_OLDEST && f->order == JL_STATE_ORDER ? JL_FORMAT_OURS : JL_FORMAT_OTHER;
}

#endif
