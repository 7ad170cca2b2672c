/* The frame around a stored body, the same for all that stands in a store's ac/ folder:
 *
 *     frame = magic (8 bytes), version u32, body length u32, body, check (XXH3-128 of all before it, 16 bytes)
 *
 * The check covers the version, too, so that a flipped bit of it is damage and not a "newer version".
 */
#ifndef JL_MEMO_FRAME_H
#define JL_MEMO_FRAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "digest/digest.h"

#include <stdbool.h>

#define JL_FRAME_MAGIC 8
#define JL_FRAME_ROOM (8 + 4 + 4 + 16) /* bytes besides the body */

struct jl_frame {
	const char *magic; /* JL_FRAME_MAGIC bytes */
	uint32_t version;
	size_t max;       /* bytes of frame and body */
	const char *what; /* for messages: "record" */
};

/* Append the head for a body of `body_len` bytes, which the caller then appends; the check over what stands behind `start`. */
void jl_frame_begin(const struct jl_frame *f, size_t body_len, struct jl_buf *out);
void jl_frame_end(struct jl_buf *out, size_t start);
/* Where the body is, if these bytes begin and are long as a frame: nothing else is checked. */
bool jl_frame_body(const struct jl_frame *f, const void *data, size_t len, struct jl_cur *ret_body);
/* The body. JL_ECORRUPT: damage; JL_EUNSUPPORTED: of another version. */
int jl_frame_open(const struct jl_frame *f, const void *data, size_t len, struct jl_cur *ret_body,
                  struct jl_err *err) JL_MUST_CHECK;

/* What bodies are made of. A digest is its algorithm u8 and its bytes; a text is `bytes` without a NUL, which would make it
 * mean something else to the next reader. What does not fit makes the cursor bad. */
void jl_frame_put_digest(struct jl_buf *b, const struct jl_digest *d);
void jl_frame_get_digest(struct jl_cur *c, struct jl_digest *ret);
const char *jl_frame_get_text(struct jl_cur *c, struct jl_arena *a); /* "" when bad */

#endif
