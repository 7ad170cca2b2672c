/* Frames: messages over any byte stream, between jl and its agents (docs/formats/agent.md).
 *
 * A frame is at most 64 KiB, so that what matters never waits long behind bulk. A longer message is several frames, one
 * directly after the other. Pure: buffers in, messages out.
 */
#ifndef JL_EXEC_WIRE_H
#define JL_EXEC_WIRE_H

#include "base/buf.h"

#include <stdbool.h>

#define JL_WIRE_MAX   65536u                         /* bytes of a frame, its head included */
#define JL_WIRE_HEAD  8u
#define JL_MESSAGE_MAX (64u << 20)                    /* bytes of a message: refused beyond */

/* Append a message as one frame or several. `len` is at most JL_MESSAGE_MAX (the caller's to see to). */
void jl_wire_put(struct jl_buf *out, uint8_t type, const void *data, size_t len);
/* Append the head of a message that is one frame, whose `len` bytes the caller appends. */
void jl_wire_head(struct jl_buf *out, uint8_t type, size_t len);

struct jl_wire_in {
	struct jl_buf bytes; /* fed; from `at` on not used yet */
	size_t at;
	struct jl_buf whole; /* frames of one message so far */
	bool more;           /* ... which goes on */
	uint8_t type;
};
void jl_wire_in_init(struct jl_wire_in *f);
void jl_wire_in_release(struct jl_wire_in *f);
void jl_wire_feed(struct jl_wire_in *f, const void *data, size_t len);
/* The next whole message, borrowed until the next call of any of these. JL_ENOTFOUND: more bytes are needed; JL_ECORRUPT,
 * JL_ELIMIT: this is no stream of frames, or too long a message; nothing more can be had from it. */
int jl_wire_next(struct jl_wire_in *f, uint8_t *ret_type, const void **ret_data, size_t *ret_len,
                  struct jl_err *err) JL_MUST_CHECK;

#endif
