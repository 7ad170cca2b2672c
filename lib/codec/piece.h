/* Small pieces packed each by itself, in memory, at the fastest level: for what goes over a connection. */
#ifndef JL_CODEC_PIECE_H
#define JL_CODEC_PIECE_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes of `out` it took; 0: it does not get smaller. */
size_t jl_piece_pack(const void *data, size_t len, void *out, size_t room);
/* false: no such piece, or more than `room`. */
bool jl_piece_unpack(const void *data, size_t len, void *out, size_t room, size_t *ret_len);
/* The same by deflate: five times slower, and a tenth of the program. */
size_t jl_piece_deflate(const void *data, size_t len, void *out, size_t room);
bool jl_piece_inflate(const void *data, size_t len, void *out, size_t room, size_t *ret_len);

#endif
