/* Blobs packed by gzip: one member. */
#include "codec/codec.h"

#include <stdlib.h>
#include <zlib.h>

#define PIECE       ((size_t)128 << 10)
#define GZIP_WINDOW (15 + 16) /* zlib: 32 KiB window, gzip header and trailer */

static int gzip_pack(const struct jl_io *io, int fd, int level, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	unsigned char *in = jl_alloc(PIECE), *out = jl_alloc(PIECE);
	z_stream z = {0};
	size_t len = 0;
	int r;

	if (deflateInit2(&z, level ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK) {
		r = jl_err_set(err, JL_EINVAL, "gzip cannot start at level %d", level);
		goto out;
	}
	do {
		r = jl_codec_read(io, fd, in, PIECE, &len, err);
		if (r != JL_OK)
			break;
		z.next_in = in;
		z.avail_in = (uInt)len;
		do {
			z.next_out = out;
			z.avail_out = PIECE;
			deflate(&z, len ? Z_NO_FLUSH : Z_FINISH); /* cannot fail between a good start and the end */
			if (z.avail_out < PIECE)
				r = sink(ctx, out, PIECE - z.avail_out, err);
		} while (r >= 0 && z.avail_out == 0);
	} while (r >= 0 && len);
	deflateEnd(&z);
out:
	free(out);
	free(in);
	return r < 0 ? r : JL_OK;
}

/* One member of exactly `size` bytes, and nothing after it. */
static int unpack_member(const struct jl_io *io, int fd, uint64_t size, z_stream *z, unsigned char *in,
			 unsigned char *out, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	uint64_t total = 0;
	size_t len = 0;
	int r, state = Z_OK;

	for (;;) {
		r = jl_codec_read(io, fd, in, PIECE, &len, err);
		if (r != JL_OK)
			return r;
		if (!len)
			break;
		z->next_in = in;
		z->avail_in = (uInt)len;
		do {
			size_t n;

			if (state == Z_STREAM_END)
				return jl_err_set(err, JL_ECORRUPT, "bytes after the end of the gzip member");
			z->next_out = out;
			z->avail_out = PIECE;
			state = inflate(z, Z_NO_FLUSH);
			/* Z_BUF_ERROR: nothing left to do with this piece of input. */
			if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
				return jl_err_set(err, JL_ECORRUPT, "gzip cannot unpack: %s",
						  z->msg ? z->msg : zError(state));
			n = PIECE - z->avail_out;
			if (n > size - total)
				return jl_err_set(err, JL_ECORRUPT, "longer than the %llu bytes it should have",
						  (unsigned long long)size);
			if (n && (r = sink(ctx, out, n, err)) < 0)
				return r;
			total += n;
		} while (z->avail_in || (z->avail_out == 0 && state != Z_STREAM_END));
	}
	if (state != Z_STREAM_END || total != size)
		return jl_err_set(err, JL_ECORRUPT, "ends after %llu of %llu bytes", (unsigned long long)total,
				  (unsigned long long)size);
	return JL_OK;
}

static int gzip_unpack(const struct jl_io *io, int fd, uint64_t size, jl_codec_sink *sink, void *ctx,
		       struct jl_err *err)
{
	unsigned char *in, *out;
	z_stream z = {0};
	int r;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		jl_oom();
	in = jl_alloc(PIECE);
	out = jl_alloc(PIECE);
	r = unpack_member(io, fd, size, &z, in, out, sink, ctx, err);
	free(out);
	free(in);
	inflateEnd(&z);
	return r;
}

const struct jl_codec jl_codec_gzip = {JL_CODEC_GZIP, "gzip", ".gz", gzip_pack, gzip_unpack};
