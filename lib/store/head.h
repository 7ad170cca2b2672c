/* The head of the index: sums of what a store holds. Bytes to struct and back; no file. */
#ifndef JL_STORE_HEAD_H
#define JL_STORE_HEAD_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define JL_HEAD_LEN 96u /* bytes in the file */

struct jl_index_head {
	uint64_t generation; /* of the file: another one each time it is written anew; 0: replaced by another file */
	uint64_t end;        /* bytes that count */
	uint64_t blocks, items; /* of records and blobs; may be too high, never too low */
	uint64_t aside;      /* blocks in quarantine */
	uint64_t sets;       /* blocks of sets of keys (uses.h) */
	int64_t last_ns;     /* the latest time that was given to anything put: the store's clock does not go back behind it */
	int64_t stepped_ns;  /* when that went a day forward at once for the last time */
	uint64_t written;    /* `end` when the file was written anew */
};

void jl_head_put(struct jl_buf *b, const struct jl_index_head *h); /* append */
/* false: they are no head, or damaged. */
bool jl_head_get(const uint8_t data[JL_HEAD_LEN], struct jl_index_head *ret);

#endif
