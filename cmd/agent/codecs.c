/* In the place of the codecs of lib/codec: the agent must be small, so it keeps contents bare. It unpacks what
 * comes to it packed, and packs what it sends by deflate (codec/piece.h): the other packer alone would be a third of it. */
#include "codec/codec.h"
#include "codec/piece.h"

static int no_pack(const struct jl_io *io, int fd, int level, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	(void)io, (void)fd, (void)level, (void)sink, (void)ctx;
	return jl_err_set(err, JL_EUNSUPPORTED, "the agent does not pack");
}

static int no_unpack(const struct jl_io *io, int fd, uint64_t size, jl_codec_sink *sink, void *ctx, struct jl_err *err)
{
	(void)io, (void)fd, (void)size, (void)sink, (void)ctx;
	return jl_err_set(err, JL_EUNSUPPORTED, "the agent does not unpack files");
}

const struct jl_codec jl_codec_zstd = {JL_CODEC_ZSTD, "zstd", ".zst", no_pack, no_unpack};
const struct jl_codec jl_codec_gzip = {JL_CODEC_GZIP, "gzip", ".gz", no_pack, no_unpack};

bool jl_codec_sample(const struct jl_io *io, int fd, uint64_t size)
{
	(void)io, (void)fd, (void)size;
	return false;
}

size_t jl_piece_pack(const void *data, size_t len, void *out, size_t room)
{
	(void)data, (void)len, (void)out, (void)room;
	return 0;
}
