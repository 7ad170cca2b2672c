/* Columns of text: see columns.h. */
#include "report/columns.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>
#include <wchar.h>

#define CUT       "..."
#define CUT_WIDTH 3u
#define CUT_FROM  8u /* columns; with fewer a beginning says more than two ends */

void jl_columns_init(struct jl_columns *c)
{
	c->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void jl_columns_release(struct jl_columns *c)
{
	if (c->utf8)
		freelocale(c->utf8);
	c->utf8 = (locale_t)0;
}

/* Marks of direction would turn the rest of the line around; two characters are ends of lines. */
static bool is_hostile(uint32_t ch)
{
	return (ch >= 0x200e && ch <= 0x200f) || (ch >= 0x2028 && ch <= 0x202e) || (ch >= 0x2066 && ch <= 0x2069);
}

static unsigned width_of(const struct jl_columns *c, uint32_t ch)
{
	locale_t before;
	int width;

	if (ch < 0x300 || is_hostile(ch))
		return 1;
	/* Half a flag; and what asks for the wide form of the character before it. */
	if (ch >= 0x1f1e6 && ch <= 0x1f1ff)
		return 2;
	if (ch == 0xfe0f)
		return 1;
	if (!c->utf8)
		return 2;
	before = uselocale(c->utf8);
	width = wcwidth((wchar_t)ch);
	uselocale(before);
	return width < 0 ? 2 : (unsigned)width;
}

/* The character at `text`; *ret_len gets its bytes. */
static uint32_t next(const char *text, size_t len, size_t *ret_len)
{
	const size_t n = jl_utf8_len(text, len);

	*ret_len = n ? n : 1;
	return n ? jl_utf8_char(text, n) : (unsigned char)*text;
}

unsigned jl_columns_of(const struct jl_columns *c, const char *text, size_t len)
{
	unsigned width = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n)
		width += width_of(c, next(text + i, len - i, &n));
	return width;
}

static void add(struct jl_buf *out, const char *text, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		if (is_hostile(next(text + i, len - i, &n)))
			jl_buf_str(out, "\xef\xbf\xbd");
		else
			jl_buf_add(out, text + i, n);
	}
}

/* Bytes of the longest beginning that is no wider; with what combines with its last character. */
static size_t head_len(const struct jl_columns *c, const char *text, size_t len, unsigned columns)
{
	size_t i = 0, n;

	for (; i < len; i += n) {
		const unsigned width = width_of(c, next(text + i, len - i, &n));

		if (width > columns)
			break;
		columns -= width;
	}
	return i;
}

/* Where the longest end that is no wider begins. */
static size_t tail_at(const struct jl_columns *c, const char *text, size_t len, unsigned total, unsigned columns)
{
	size_t i = 0, n;

	for (; i < len; i += n) {
		const unsigned width = width_of(c, next(text + i, len - i, &n));

		if (total <= columns && width > 0)
			break;
		total -= width;
	}
	return i;
}

void jl_columns_fit(const struct jl_columns *c, struct jl_buf *out, const char *text, size_t len, unsigned columns)
{
	const unsigned total = jl_columns_of(c, text, len);
	unsigned room;
	size_t at;

	if (total <= columns) {
		add(out, text, len);
	} else if (columns < CUT_FROM) {
		add(out, text, head_len(c, text, len, columns));
	} else {
		room = columns - CUT_WIDTH;
		add(out, text, head_len(c, text, len, room - room / 2));
		jl_buf_str(out, CUT);
		at = tail_at(c, text, len, total, room / 2);
		add(out, text + at, len - at);
	}
}
