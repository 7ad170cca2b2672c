/* Packing and unpacking piece by piece, for streams: zstd on several threads, and zlib (RFC 1950: what Python's joblib writes).
 * Memory is bounded: zlib 256 KiB, zstd about 12 MiB and 6 MiB a thread at its default level. */
#ifndef JL_CODEC_STREAM_H
#define JL_CODEC_STREAM_H

#include "codec/codec.h"

struct jl_packer {
	/* Give what `data` becomes to `sink`; `last`: and the end of the stream. */
	int (*pack)(struct jl_packer *p, const void *data, size_t len, bool last, jl_codec_sink *sink, void *ctx,
	            struct jl_err *err);
	void (*free)(struct jl_packer *p);
};
/* level 0: the default. */
struct jl_packer *jl_packer_zlib(int level);
struct jl_packer *jl_packer_zstd(int level, unsigned threads);
void jl_packer_free(struct jl_packer *p); /* NULL is fine */

struct jl_zlib;
struct jl_zlib *jl_zlib_unpacker(void);
void jl_zlib_free(struct jl_zlib *z); /* NULL is fine */
/* Unpack into `out` from the bytes at *data, which are moved past what was used. *ret_len 0: it needs more, or *ret_ended.
 * JL_ECORRUPT for damage. */
int jl_zlib_unpack(struct jl_zlib *z, const void **data, size_t *len, void *out, size_t room, size_t *ret_len,
                   bool *ret_ended, struct jl_err *err) JL_MUST_CHECK;
/* Do these first bytes look like such a stream? */
bool jl_zlib_is(const void *data, size_t len);

#endif
