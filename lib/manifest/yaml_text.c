/* The characters of a document, before libyaml sees them. */
#include "base/utf8.h"
#include "manifest/yaml_doc.h"

#include <string.h>

/* Where byte `at` of the text stands. */
static struct jl_mark mark_of_byte(const struct jl_yaml_doc *doc, size_t at)
{
	struct jl_mark mark = {.file = doc->file, .line = 1, .column = 1};

	for (size_t i = 0; i < at; i++) {
		mark.column += ((unsigned char)doc->text[i] & 0xc0) != 0x80;
		if (doc->text[i] == '\n') {
			mark.line++;
			mark.column = 1;
		}
	}
	return mark;
}

/* Is the character of `n` bytes, none of them ASCII, one that YAML allows? */
static bool is_allowed(const char *s, size_t n)
{
	if (n == 2 && s[0] == '\xc2') /* C1 controls, but for NEL */
		return (unsigned char)s[1] >= 0xa0 || s[1] == '\x85';
	return n != 3 || (memcmp(s, "\xef\xbb\xbf", 3) != 0 && memcmp(s, "\xef\xbf\xbe", 3) != 0 &&
			  memcmp(s, "\xef\xbf\xbf", 3) != 0);
}

int jl_yaml_check_text(const struct jl_yaml_doc *doc, bool *ret_ascii)
{
	bool ascii = true;

	for (size_t i = 0; i < doc->len;) {
		unsigned char c = (unsigned char)doc->text[i];
		size_t n = 1;

		if ((c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r') {
			i++;
			continue;
		}
		if (c >= 0x80) {
			ascii = false;
			n = jl_utf8_len(doc->text + i, doc->len - i);
			if (n > 0 && is_allowed(doc->text + i, n)) {
				i += n;
				continue;
			}
		}
		if (n == 0)
			jl_messages_add(doc->msgs, mark_of_byte(doc, i), false,
					"byte 0x%02x is not UTF-8; save the file as UTF-8", c);
		else if (c == 0)
			jl_messages_add(doc->msgs, mark_of_byte(doc, i), false, "a NUL character; take it out");
		else
			jl_messages_add(doc->msgs, mark_of_byte(doc, i), false,
					"a control character (byte 0x%02x); take it out", c);
		return JL_EINVAL;
	}
	*ret_ascii = ascii;
	return JL_OK;
}
