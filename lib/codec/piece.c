/* Unpacking small pieces. By itself, so that a program which only unpacks (the agent) is linked with that half of zstd. */
#include "codec/piece.h"

#include "codec/zstd_lib.h"

bool jl_piece_unpack(const void *data, size_t len, void *out, size_t room, size_t *ret_len)
{
	size_t n = ZSTD_decompress(out, room, data, len);

	if (ZSTD_isError(n))
		return false;
	*ret_len = n;
	return true;
}
