/* struct jl_buf: a growing byte string with a cap.
 *
 * Invariants: data is always NUL-terminated at data[len] (data is never NULL after init); len < cap unless empty;
 * len never exceeds max. The NUL is not counted and the content may hold NULs. A write that would go over `max`
 * writes nothing and returns JL_ELIMIT; a buffer made with JL_BUF_INIT has a max of 1 GiB.
 *
 *     struct jl_buf b = JL_BUF_INIT;
 *     jl_buf_str(&b, "hello");
 *     jl_buf_printf(&b, " %d", 42);
 *     write(1, b.data, b.len);
 *     jl_buf_release(&b);
 *
 * The appending functions return JL_OK or JL_ELIMIT; callers that bound their input beforehand may ignore it.
 */
#ifndef JL_BASE_BUF_H
#define JL_BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct jl_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
};

extern char jl_buf_empty[1]; /* what data points to while nothing is allocated; never written */

#define JL_BUF_MAX ((size_t)1 << 30)
#define JL_BUF_INIT {.data = jl_buf_empty, .len = 0, .cap = 0, .max = JL_BUF_MAX}

void jl_buf_init(struct jl_buf *b, size_t max);
void jl_buf_release(struct jl_buf *b); /* frees and makes it empty again */
void jl_buf_clear(struct jl_buf *b);   /* empties, keeps the memory */
int jl_buf_add(struct jl_buf *b, const void *data, size_t len);
int jl_buf_str(struct jl_buf *b, const char *s);
int jl_buf_char(struct jl_buf *b, char c);
int jl_buf_printf(struct jl_buf *b, const char *fmt, ...) JL_PRINTF(2, 3);
/* Make room for `extra` more bytes; *ret points at data + len. The caller fills and adds to len itself. */
int jl_buf_reserve(struct jl_buf *b, size_t extra, char **ret);
void jl_buf_truncate(struct jl_buf *b, size_t len);  /* len <= b->len */
char *jl_buf_detach(struct jl_buf *b, size_t *ret_len); /* owned by the caller (free); the buffer is empty again */

/* Little-endian integers, as every binary format of ours writes them, and length-prefixed bytes (u32 length). */
int jl_buf_u8(struct jl_buf *b, uint8_t v);
int jl_buf_u32(struct jl_buf *b, uint32_t v);
int jl_buf_u64(struct jl_buf *b, uint64_t v);
int jl_buf_bytes(struct jl_buf *b, const void *data, size_t len);

/* The reading side: a cursor over borrowed bytes. After any failed read `bad` is true, every later read gives 0 or an
 * empty string, and nothing is ever read past `end`: a parser may check once at its end. */
struct jl_cur {
	const uint8_t *at, *end;
	int bad;
};
uint8_t jl_cur_u8(struct jl_cur *c);
uint32_t jl_cur_u32(struct jl_cur *c);
uint64_t jl_cur_u64(struct jl_cur *c);
/* A length-prefixed string; the bytes are borrowed and not NUL-terminated. */
const char *jl_cur_bytes(struct jl_cur *c, size_t *ret_len);
const uint8_t *jl_cur_take(struct jl_cur *c, size_t len); /* exactly len bytes, NULL when there are fewer */

#endif
