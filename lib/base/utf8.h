/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef JL_BASE_UTF8_H
#define JL_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1 to 4) of the valid character at `s`, 0 if there is none. `len` is at least 1. */
size_t jl_utf8_len(const char *s, size_t len);
/* The code point of that character of n bytes. */
uint32_t jl_utf8_char(const char *s, size_t n);
/* Where to cut a text of `len` bytes at `at` (at most len) or a little after, or before, so that no character is cut in two. A
 * text that is no UTF-8 is cut within three bytes of it. */
size_t jl_utf8_cut_after(const char *s, size_t len, size_t at);
size_t jl_utf8_cut_before(const char *s, size_t len, size_t at);

#endif
