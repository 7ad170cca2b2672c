/* Small pieces by deflate: see piece.h. By itself, so that a program may have this packer and not the larger one. */
#include "codec/piece.h"

#include "base/err.h"
#include "codec/zlib_lib.h"

#include <stdint.h>

size_t jl_piece_deflate(const void *data, size_t len, void *out, size_t room)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len, .next_out = out,
		      .avail_out = (uInt)(room < len ? room : len)};
	size_t n = 0;

	if (deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		jl_oom();
	if (deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < len)
		n = z.total_out;
	deflateEnd(&z);
	return n;
}

bool jl_piece_inflate(const void *data, size_t len, void *out, size_t room, size_t *ret_len)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len, .next_out = out, .avail_out = (uInt)room};

	if (inflateInit2(&z, -15) != Z_OK)
		jl_oom();
	bool ok = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0;
	*ret_len = z.total_out;
	inflateEnd(&z);
	return ok;
}
