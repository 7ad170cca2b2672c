/* A JSON writer. */
#include "base/json.h"

#include "base/utf8.h"

#include <string.h>

/* In front of every value, key and bracket. */
static void comma(struct jl_json *j)
{
	if (j->need_comma)
		jl_buf_char(j->out, ',');
	j->need_comma = true;
}

void jl_json_begin(struct jl_json *j, char bracket)
{
	comma(j);
	jl_buf_char(j->out, bracket);
	j->need_comma = false;
}

void jl_json_end(struct jl_json *j, char bracket)
{
	jl_buf_char(j->out, bracket);
	j->need_comma = true;
}

static void escape(struct jl_buf *out, unsigned char c)
{
	static const char letters[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
	const char *at = c ? strchr(letters, c) : NULL;

	if (at)
		jl_buf_printf(out, "\\%c", names[at - letters]);
	else
		jl_buf_printf(out, "\\u%04x", c);
}

static void quote(struct jl_buf *out, const char *s, size_t len)
{
	size_t from = 0, i = 0;

	jl_buf_char(out, '"');
	while (i < len) {
		unsigned char c = (unsigned char)s[i];
		size_t n = jl_utf8_len(s + i, len - i);

		if (n > 1 || (n == 1 && c >= 0x20 && c != 0x7f && c != '"' && c != '\\')) {
			i += n;
			continue;
		}
		jl_buf_add(out, s + from, i - from);
		if (n)
			escape(out, c);
		else
			jl_buf_str(out, "\xef\xbf\xbd");
		from = ++i;
	}
	jl_buf_add(out, s + from, len - from);
	jl_buf_char(out, '"');
}

void jl_json_key(struct jl_json *j, const char *key)
{
	comma(j);
	quote(j->out, key, strlen(key));
	jl_buf_char(j->out, ':');
	j->need_comma = false;
}

void jl_json_str(struct jl_json *j, const char *s)
{
	jl_json_strn(j, s, strlen(s));
}

void jl_json_strn(struct jl_json *j, const char *s, size_t len)
{
	comma(j);
	quote(j->out, s, len);
}

void jl_json_int(struct jl_json *j, int64_t v)
{
	comma(j);
	jl_buf_printf(j->out, "%lld", (long long)v);
}

void jl_json_num(struct jl_json *j, double v)
{
	double size = v < 0 ? -v : v;
	unsigned long long millionths;

	comma(j);
	/* By integers: printf's point depends on the locale. JSON has no infinity and no NaN. */
	if (!(size <= 1.7976931348623157e308)) {
		jl_buf_str(j->out, "null");
	} else if (size >= 9e12) {
		jl_buf_printf(j->out, "%.0f", v);
	} else {
		char part[8];
		size_t len = 6;

		millionths = (unsigned long long)(size * 1e6 + 0.5);
		for (size_t i = 6; i-- > 0;) {
			part[i] = (char)('0' + millionths % 10);
			millionths /= 10;
		}
		while (len && part[len - 1] == '0')
			len--;
		jl_buf_printf(j->out, "%s%llu", v < 0 && (millionths || len) ? "-" : "", millionths);
		if (len) {
			jl_buf_char(j->out, '.');
			jl_buf_add(j->out, part, len);
		}
	}
}

void jl_json_bool(struct jl_json *j, bool v)
{
	comma(j);
	jl_buf_str(j->out, v ? "true" : "false");
}

void jl_json_put_str(struct jl_json *j, const char *key, const char *value)
{
	if (!value)
		return;
	jl_json_key(j, key);
	jl_json_str(j, value);
}

void jl_json_put_int(struct jl_json *j, const char *key, int64_t value)
{
	jl_json_key(j, key);
	jl_json_int(j, value);
}

void jl_json_put_num(struct jl_json *j, const char *key, double value)
{
	jl_json_key(j, key);
	jl_json_num(j, value);
}
