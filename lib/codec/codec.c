/* The table of codecs, and the one that does nothing. */
#include "codec/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)128 << 10)

int jl_codec_read(const struct jl_io *io, int fd, void *data, size_t size, size_t *ret_len, struct jl_err *err)
{
	ssize_t n;

	do
		n = io->read(io, fd, data, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return jl_err_sys(err, errno, "cannot read");
	*ret_len = (size_t)n;
	return JL_OK;
}

/* `size` bounds what may come out; UINT64_MAX for no bound. */
static int copy(const struct jl_io *io, int fd, uint64_t size, uint64_t *ret_size, jl_codec_sink *sink, void *ctx,
		struct jl_err *err)
{
	char *piece = jl_alloc_pages(PIECE);
	uint64_t total = 0;
	size_t n = 0;
	int r;

	while ((r = jl_codec_read(io, fd, piece, PIECE, &n, err)) == JL_OK && n) {
		if (n > size - total) {
			r = jl_err_set(err, JL_ECORRUPT, "longer than the %llu bytes it should have",
				       (unsigned long long)size);
			break;
		}
		r = sink(ctx, piece, n, err);
		if (r < 0)
			break;
		total += n;
	}
	free(piece);
	*ret_size = total;
	return r;
}

static int raw_pack(const struct jl_io *io, int fd, int level, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	uint64_t total;

	(void)level;
	return copy(io, fd, UINT64_MAX, &total, sink, ctx, err);
}

static int raw_unpack(const struct jl_io *io, int fd, uint64_t size, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	uint64_t total = 0;
	int r = copy(io, fd, size, &total, sink, ctx, err);

	if (r == JL_OK && total != size)
		r = jl_err_set(err, JL_ECORRUPT, "ends after %llu of %llu bytes", (unsigned long long)total,
			       (unsigned long long)size);
	return r;
}

const struct jl_codec jl_codec_raw = {JL_CODEC_RAW, "raw", "", raw_pack, raw_unpack};

const struct jl_codec *jl_codec_get(enum jl_codec_id id)
{
	switch (id) {
	case JL_CODEC_RAW: return &jl_codec_raw;
	case JL_CODEC_ZSTD: return &jl_codec_zstd;
	case JL_CODEC_GZIP: return &jl_codec_gzip;
	}
	return NULL;
}
