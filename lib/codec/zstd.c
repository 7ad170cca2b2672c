/* Blobs packed by zstd: one frame with its checksum. */
#include "codec/codec.h"
#include "codec/piece.h"
#include "codec/stream.h"
#include "codec/zstd_lib.h"

#include <errno.h>
#include <stdlib.h>

#define JOB            (1 << 20) /* bytes that one thread packs: what a thread costs in memory follows from it */
#define SAMPLE         ((size_t)64 << 10)
#define SAMPLE_SURE    ((size_t)16 << 10)
#define SAMPLE_LEAST   4096
#define SAMPLE_TABLE   12
#define NOISE_SAMPLE   4096
#define NOISE          (6 * 23)
#define WINDOW_LOG_MAX 27 /* 128 MiB: what a frame may ask for while it is unpacked */

static int zstd_pack(const struct jl_io *io, int fd, int level, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	size_t in_size = ZSTD_CStreamInSize(), out_size = ZSTD_CStreamOutSize(), len = 0, left;
	ZSTD_CCtx *c = ZSTD_createCCtx();
	char *in, *out;
	int r;

	if (!c)
		jl_oom();
	in = jl_alloc_pages(in_size);
	out = jl_alloc(out_size);
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level ? level : ZSTD_CLEVEL_DEFAULT);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	do {
		ZSTD_inBuffer from = {in, 0, 0};

		r = jl_codec_read(io, fd, in, in_size, &len, err);
		from.size = len;
		left = 1;
		while (r >= 0 && (from.pos < from.size || (!len && left))) {
			ZSTD_outBuffer to = {out, out_size, 0};

			left = ZSTD_compressStream2(c, &to, &from, len ? ZSTD_e_continue : ZSTD_e_end);
			if (ZSTD_isError(left))
				r = jl_err_set(err, JL_EIO, "zstd cannot pack: %s", ZSTD_getErrorName(left));
			else if (to.pos)
				r = sink(ctx, out, to.pos, err);
		}
	} while (r >= 0 && len);
	free(out);
	free(in);
	ZSTD_freeCCtx(c);
	return r < 0 ? r : JL_OK;
}

/* One frame of exactly `size` bytes, and nothing after it. */
static int unpack_frame(const struct jl_io *io, int fd, uint64_t size, ZSTD_DCtx *d, char *in, char *out,
			jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	size_t out_size = ZSTD_DStreamOutSize(), len = 0, left = 1;
	uint64_t total = 0;
	int r;

	for (;;) {
		ZSTD_inBuffer from = {in, 0, 0};
		bool full;

		r = jl_codec_read(io, fd, in, ZSTD_DStreamInSize(), &len, err);
		if (r != JL_OK)
			return r;
		if (!len)
			break;
		from.size = len;
		do {
			ZSTD_outBuffer to = {out, out_size, 0};

			if (!left)
				return jl_err_set(err, JL_ECORRUPT, "bytes after the end of the zstd frame");
			left = ZSTD_decompressStream(d, &to, &from);
			if (ZSTD_isError(left))
				return jl_err_set(err, JL_ECORRUPT, "zstd cannot unpack: %s", ZSTD_getErrorName(left));
			if (to.pos > size - total)
				return jl_err_set(err, JL_ECORRUPT, "longer than the %llu bytes it should have",
						  (unsigned long long)size);
			if (to.pos && (r = sink(ctx, out, to.pos, err)) < 0)
				return r;
			total += to.pos;
			full = to.pos == out_size;
		} while (from.pos < from.size || (full && left));
	}
	if (left || total != size)
		return jl_err_set(err, JL_ECORRUPT, "ends after %llu of %llu bytes", (unsigned long long)total,
				  (unsigned long long)size);
	return JL_OK;
}

static int zstd_unpack(const struct jl_io *io, int fd, uint64_t size, jl_codec_sink *sink, void *ctx,
		       struct jl_err *err)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	char *in, *out;
	int r;

	if (!d)
		jl_oom();
	in = jl_alloc_pages(ZSTD_DStreamInSize());
	out = jl_alloc(ZSTD_DStreamOutSize());
	ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	r = unpack_frame(io, fd, size, d, in, out, sink, ctx, err);
	free(out);
	free(in);
	ZSTD_freeDCtx(d);
	return r;
}

const struct jl_codec jl_codec_zstd = {JL_CODEC_ZSTD, "zstd", ".zst", zstd_pack, zstd_unpack};

/* How much of it tells: a quarter, but so much that something can repeat. */
static size_t sample_of(uint64_t size)
{
	const uint64_t want = size / 4 > SAMPLE_SURE ? size / 4 : SAMPLE_SURE;

	return (size_t)(want > size ? size : want > SAMPLE ? SAMPLE : want);
}

/* All bytes are as frequent as chance has it, as in what is packed or ciphered already: nothing will pay, and a try would cost more
 * than this look. By the chi-squared test: 255 is what chance gives, with a deviation of 23; less has some order in it. */
static bool is_noise(const uint8_t *data, size_t len)
{
	uint32_t seen[256] = {0};
	uint64_t squares = 0;

	for (size_t i = 0; i < len; i++)
		seen[data[i]]++;
	for (size_t i = 0; i < 256; i++)
		squares += (uint64_t)seen[i] * seen[i];
	squares = squares * 256 / len - len;
	return squares > 255 - NOISE && squares < 255 + NOISE;
}

bool jl_codec_sample(const struct jl_io *io, int fd, uint64_t size)
{
	const size_t want = sample_of(size), bound = ZSTD_compressBound(want);
	size_t packed;
	char *in, *out;
	bool pays = false;
	ZSTD_CCtx *c;
	ssize_t n;

	if (size < SAMPLE_LEAST)
		return false;
	in = jl_alloc(want);
	out = jl_alloc(bound);
	do
		n = io->pread(io, fd, in, want, (off_t)((size - want) / 2));
	while (n < 0 && errno == EINTR);
	if (n > 0 && !is_noise((uint8_t *)in, (size_t)n < NOISE_SAMPLE ? (size_t)n : NOISE_SAMPLE)) {
		c = ZSTD_createCCtx();
		if (!c)
			jl_oom();
		/* A small table: as this is done for each content, making room for a large one would be most of it. */
		ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 1);
		ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, SAMPLE_TABLE);
		packed = ZSTD_compress2(c, out, bound, in, (size_t)n);
		pays = !ZSTD_isError(packed) && packed <= (size_t)n / 8 * 7;
		ZSTD_freeCCtx(c);
	}
	free(out);
	free(in);
	return pays;
}

/* ---- streams, piece by piece ---- */

struct zstd_packer {
	struct jl_packer p; /* first */
	ZSTD_CCtx *c;
	size_t room;
	char *out;
};

static int zstd_pack_piece(struct jl_packer *p, const void *data, size_t len, bool last, jl_codec_sink *sink, void *ctx,
			   struct jl_err *err)
{
	struct zstd_packer *k = (struct zstd_packer *)p;
	ZSTD_inBuffer from = {data, len, 0};
	size_t left = 1;
	int r = JL_OK;

	while (r >= 0 && (from.pos < from.size || (last && left))) {
		ZSTD_outBuffer to = {k->out, k->room, 0};

		left = ZSTD_compressStream2(k->c, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			r = jl_err_set(err, JL_EIO, "zstd cannot pack: %s", ZSTD_getErrorName(left));
		else if (to.pos)
			r = sink(ctx, k->out, to.pos, err);
	}
	return r < 0 ? r : JL_OK;
}

static void zstd_packer_free(struct jl_packer *p)
{
	struct zstd_packer *k = (struct zstd_packer *)p;

	ZSTD_freeCCtx(k->c);
	free(k->out);
	free(k);
}

struct jl_packer *jl_packer_zstd(int level, unsigned threads)
{
	struct zstd_packer *k = jl_calloc(1, sizeof(*k));

	k->p = (struct jl_packer){zstd_pack_piece, zstd_packer_free};
	k->c = ZSTD_createCCtx();
	if (!k->c)
		jl_oom();
	k->room = ZSTD_CStreamOutSize();
	k->out = jl_alloc(k->room);
	ZSTD_CCtx_setParameter(k->c, ZSTD_c_compressionLevel, level ? level : ZSTD_CLEVEL_DEFAULT);
	ZSTD_CCtx_setParameter(k->c, ZSTD_c_checksumFlag, 1);
	/* Without threads in the library this is refused, and it packs on one. */
	ZSTD_CCtx_setParameter(k->c, ZSTD_c_nbWorkers, (int)threads);
	ZSTD_CCtx_setParameter(k->c, ZSTD_c_jobSize, JOB);
	return &k->p;
}

void jl_packer_free(struct jl_packer *p)
{
	if (p)
		p->free(p);
}

size_t jl_piece_pack(const void *data, size_t len, void *out, size_t room)
{
	size_t n = ZSTD_compress(out, room, data, len, 1);

	return ZSTD_isError(n) || n >= len ? 0 : n;
}
