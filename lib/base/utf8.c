/* Single UTF-8 characters: which bytes are one, where a text may be cut. */
#include "base/utf8.h"

#include <stdbool.h>

size_t jl_utf8_len(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c, least;
	size_t n;

	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc0 && u[0] < 0xe0) {
		n = 2, c = u[0] & 0x1f, least = 0x80;
	} else if (u[0] >= 0xe0 && u[0] < 0xf0) {
		n = 3, c = u[0] & 0x0f, least = 0x800;
	} else if (u[0] >= 0xf0 && u[0] < 0xf8) {
		n = 4, c = u[0] & 0x07, least = 0x10000;
	} else {
		return 0;
	}
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	return c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

uint32_t jl_utf8_char(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c = n == 1 ? u[0] : u[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

static bool is_within(const char *s, size_t len, size_t at)
{
	return at > 0 && at < len && ((unsigned char)s[at] & 0xc0) == 0x80;
}

size_t jl_utf8_cut_after(const char *s, size_t len, size_t at)
{
	for (unsigned i = 0; i < 3 && is_within(s, len, at); i++)
		at++;
	return at;
}

size_t jl_utf8_cut_before(const char *s, size_t len, size_t at)
{
	for (unsigned i = 0; i < 3 && is_within(s, len, at); i++)
		at--;
	return at;
}
