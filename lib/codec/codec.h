/* Compression of blobs behind one table: raw, zstd, gzip. Streams, in bounded memory.
 *
 * A blob is packed only where it pays: jl_codec_sample() tries 64 KiB from the middle at the fastest level and says
 * whether the whole would lose an eighth or more. Decoding stops with JL_ECORRUPT when the output would go past the
 * expected size, or ends short of it. */
#ifndef JL_CODEC_CODEC_H
#define JL_CODEC_CODEC_H

#include "base/err.h"
#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jl_codec_id { JL_CODEC_RAW = 0, JL_CODEC_ZSTD = 1, JL_CODEC_GZIP = 2 };

/* Called with each piece of output, in order; a negative return ends the work and is returned. */
typedef int jl_codec_sink(void *ctx, const void *data, size_t len, struct jl_err *err);

struct jl_codec {
	enum jl_codec_id id;
	const char *name;   /* "raw", "zstd", "gzip" */
	const char *suffix; /* of a blob's file name: "", ".zst", ".gz" */
	/* Read `fd` from its present place to its end, give the packed bytes to `sink`. `level` 0 is the default. */
	int (*pack)(const struct jl_io *io, int fd, int level, jl_codec_sink *sink, void *ctx, struct jl_err *err);
	/* The reverse; exactly `size` bytes must come out. */
	int (*unpack)(const struct jl_io *io, int fd, uint64_t size, jl_codec_sink *sink, void *ctx,
		      struct jl_err *err);
};

extern const struct jl_codec jl_codec_raw, jl_codec_zstd, jl_codec_gzip;
const struct jl_codec *jl_codec_get(enum jl_codec_id id); /* NULL for an id from a newer format */

/* read() that goes on after a signal; says "cannot read" on failure. For the codecs themselves. */
int jl_codec_read(const struct jl_io *io, int fd, void *data, size_t size, size_t *ret_len, struct jl_err *err)
	JL_MUST_CHECK;

/* Would zstd make these `size` bytes at least an eighth smaller? Files under 4 KiB: never. */
bool jl_codec_sample(const struct jl_io *io, int fd, uint64_t size);

#endif
