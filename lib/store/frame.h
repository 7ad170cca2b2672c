/* A frame of the index: that an object was put, or has gone. Bytes to catalog and back; no file. */
#ifndef JL_STORE_FRAME_H
#define JL_STORE_FRAME_H

#include "base/buf.h"
#include "store/catalog.h"

#define JL_FRAME_GONE 0x80u /* with an object's kind */

/* Append one. `n` blobs of a record, all of the algorithm of `d`. */
void jl_frame_put(struct jl_buf *b, uint8_t kind, const struct jl_digest *d, uint8_t form, uint64_t blocks,
                  int64_t used_ns, const struct jl_digest *blobs, uint32_t n);
/* Take the first of these bytes into the catalog: its length; 0: it is not whole, or not right. */
uint32_t jl_frame_take(struct jl_catalog *c, const uint8_t *data, size_t len);

#endif
