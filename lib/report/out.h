/* struct jl_out: a descriptor written through a buffer. Bytes leave when 64 KiB have come together, or by jl_out_flush().
 *
 * Waits for a descriptor that somebody made non-blocking. After the first failed write nothing more is written and
 * `sys_errno` says why: a run does not end because nobody can be told of it. */
#ifndef JL_REPORT_OUT_H
#define JL_REPORT_OUT_H

#include "base/buf.h"

struct jl_out {
	int fd;            /* borrowed */
	int sys_errno;     /* of the first failed write; 0: none failed */
	struct jl_buf buf; /* to be written; may be added to directly, followed by jl_out_spill() */
};
#define JL_OUT_INIT(descriptor) {.fd = (descriptor), .sys_errno = 0, .buf = JL_BUF_INIT}

void jl_out_add(struct jl_out *o, const void *data, size_t len);
void jl_out_printf(struct jl_out *o, const char *fmt, ...) JL_PRINTF(2, 3);
void jl_out_spill(struct jl_out *o); /* flush if 64 KiB are reached */
void jl_out_flush(struct jl_out *o);
void jl_out_release(struct jl_out *o); /* flushes; does not close */

#endif
