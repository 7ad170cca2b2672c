/* Blobs packed by gzip: one member; and zlib streams. */
#include "codec/codec.h"
#include "codec/stream.h"
#include "codec/zlib_lib.h"

#include <stdint.h>
#include <stdlib.h>

#define PIECE       ((size_t)128 << 10)
#define GZIP_WINDOW (15 + 16) /* zlib: 32 KiB window, gzip header and trailer */

static int gzip_pack(const struct jl_io *io, int fd, int level, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	unsigned char *in = jl_alloc_pages(PIECE), *out = jl_alloc_pages(PIECE);
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
	in = jl_alloc_pages(PIECE);
	out = jl_alloc_pages(PIECE);
	r = unpack_member(io, fd, size, &z, in, out, sink, ctx, err);
	free(out);
	free(in);
	inflateEnd(&z);
	return r;
}

const struct jl_codec jl_codec_gzip = {JL_CODEC_GZIP, "gzip", ".gz", gzip_pack, gzip_unpack};

/* ---- streams, piece by piece ---- */

struct zlib_packer {
	struct jl_packer p; /* first */
	z_stream z;
	unsigned char out[PIECE];
};

static int zlib_pack(struct jl_packer *p, const void *data, size_t len, bool last, jl_codec_sink *sink, void *ctx,
		     struct jl_err *err)
{
	struct zlib_packer *k = (struct zlib_packer *)p;
	int r = JL_OK;

	jl_bug_if(len > UINT32_MAX);
	k->z.next_in = (Bytef *)data; /* zlib reads it only */
	k->z.avail_in = (uInt)len;
	do {
		k->z.next_out = k->out;
		k->z.avail_out = PIECE;
		deflate(&k->z, last ? Z_FINISH : Z_NO_FLUSH); /* cannot fail between a good start and the end */
		if (k->z.avail_out < PIECE)
			r = sink(ctx, k->out, PIECE - k->z.avail_out, err);
	} while (r >= 0 && k->z.avail_out == 0);
	return r < 0 ? r : JL_OK;
}

static void zlib_packer_free(struct jl_packer *p)
{
	deflateEnd(&((struct zlib_packer *)p)->z);
	free(p);
}

struct jl_packer *jl_packer_zlib(int level)
{
	struct zlib_packer *k = jl_calloc(1, sizeof(*k));

	k->p = (struct jl_packer){zlib_pack, zlib_packer_free};
	if (deflateInit(&k->z, level ? level : Z_DEFAULT_COMPRESSION) != Z_OK)
		jl_oom();
	return &k->p;
}

struct jl_zlib {
	z_stream z;
};

struct jl_zlib *jl_zlib_unpacker(void)
{
	struct jl_zlib *z = jl_calloc(1, sizeof(*z));

	if (inflateInit(&z->z) != Z_OK)
		jl_oom();
	return z;
}

void jl_zlib_free(struct jl_zlib *z)
{
	if (z)
		inflateEnd(&z->z);
	free(z);
}

int jl_zlib_unpack(struct jl_zlib *z, const void **data, size_t *len, void *out, size_t room, size_t *ret_len,
		   bool *ret_ended, struct jl_err *err)
{
	const uInt n = *len < UINT32_MAX ? (uInt)*len : UINT32_MAX;
	int state;

	z->z.next_in = (Bytef *)*data; /* zlib reads it only */
	z->z.avail_in = n;
	z->z.next_out = out;
	z->z.avail_out = (uInt)room;
	state = inflate(&z->z, Z_NO_FLUSH);
	if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
		return jl_err_set(err, JL_ECORRUPT, "zlib cannot unpack: %s", z->z.msg ? z->z.msg : zError(state));
	*data = (const char *)*data + (n - z->z.avail_in);
	*len -= n - z->z.avail_in;
	*ret_len = room - z->z.avail_out;
	*ret_ended = state == Z_STREAM_END;
	return JL_OK;
}

bool jl_zlib_is(const void *data, size_t len)
{
	const unsigned char *b = data;

	/* Deflate with a window of at most 32 KiB, a check that fits, no preset dictionary. */
	return len >= 2 && (b[0] & 0x0f) == 8 && b[0] >> 4 <= 7 && (b[0] * 256 + b[1]) % 31 == 0 && !(b[1] & 0x20);
}
