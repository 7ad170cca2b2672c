/* Terminals: size and harmless text. */
#include "report/term.h"

#include "base/path.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

void jl_term_size(int fd, unsigned *ret_columns, unsigned *ret_rows)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size.ws_col = 0;
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_rows = size.ws_col && size.ws_row ? size.ws_row : 24;
}

size_t jl_term_color_len(const char *s, size_t len)
{
	size_t i = 2;

	if (len < 3 || s[0] != '\033' || s[1] != '[')
		return 0;
	while (i < len && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';' || s[i] == ':'))
		i++;
	return i < len && s[i] == 'm' ? i + 1 : 0;
}

int jl_term_safe(struct jl_buf *out, const void *data, size_t len)
{
	const char *s = data;
	bool colored = false;
	size_t n;
	int r = JL_OK;

	for (size_t i = 0; i < len && r == JL_OK; i += n) {
		n = jl_term_color_len(s + i, len - i);
		if (n) {
			colored = true;
			r = jl_buf_add(out, s + i, n);
			continue;
		}
		n = 1;
		if (s[i] == '\n' || s[i] == '\t') {
			r = jl_buf_char(out, s[i]);
		} else if (s[i] != '\r' || i + 1 >= len || s[i + 1] != '\n') {
			n = jl_utf8_len(s + i, len - i);
			n = n ? n : 1;
			r = jl_path_show(out, s + i, n);
		}
	}
	if (colored && r == JL_OK)
		r = jl_buf_str(out, "\033[0m");
	return r;
}

void jl_term_word(struct jl_buf *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
	const size_t len = strlen(word), start = out->len;

	if (len && strspn(word, safe) == len) {
		jl_buf_str(out, word);
		return;
	}
	jl_path_show(out, word, len);
	if (out->len - start == len) {
		jl_buf_truncate(out, start);
		jl_buf_char(out, '\'');
		for (const char *s = word; *s; s++)
			*s == '\'' ? jl_buf_str(out, "'\\''") : jl_buf_char(out, *s);
		jl_buf_char(out, '\'');
		return;
	}
	jl_buf_truncate(out, start);
	jl_buf_str(out, "$'");
	for (const char *s = word; *s; s++) {
		if (*s == '\'' || *s == '\\')
			jl_buf_printf(out, "\\%c", *s);
		else if (*s >= 0x20 && *s < 0x7f)
			jl_buf_char(out, *s);
		else
			jl_buf_printf(out, "\\x%02x", (unsigned char)*s);
	}
	jl_buf_char(out, '\'');
}
