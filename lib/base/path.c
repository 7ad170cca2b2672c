/* Paths as text. */
#include "base/path.h"

#include "base/map.h"
#include "base/utf8.h"

#include <string.h>

#define NAME_MAX_BYTES 200

/* Does the component at `p` equal ".."? */
static bool is_up(const char *p)
{
	return p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0');
}

static size_t part_len(const char *p)
{
	return strcspn(p, "/");
}

static int add_part(struct jl_buf *out, size_t start, const char *part, size_t len)
{
	if (out->len > start && out->data[out->len - 1] != '/' && jl_buf_char(out, '/') != JL_OK)
		return JL_ELIMIT;
	return jl_buf_add(out, part, len);
}

/* Take the last component off, or add ".." where there is none to take; "/" stays. */
static int go_up(struct jl_buf *out, size_t start)
{
	size_t last = out->len, root = out->len > start && out->data[start] == '/';

	while (last > start && out->data[last - 1] != '/')
		last--;
	if (out->len == start || is_up(out->data + last))
		return add_part(out, start, "..", 2);
	if (last > start + root)
		last--; /* the separator before it */
	jl_buf_truncate(out, last);
	return JL_OK;
}

static int add_clean(struct jl_buf *out, size_t start, const char *path)
{
	int r = JL_OK;

	if (path[0] == '/' && out->len == start)
		r = jl_buf_char(out, '/');
	while (*path && r == JL_OK) {
		size_t len = part_len(path);

		if (len == 2 && is_up(path))
			r = go_up(out, start);
		else if (len && !(len == 1 && path[0] == '.'))
			r = add_part(out, start, path, len);
		path += len;
		path += *path == '/';
	}
	return r;
}

int jl_path_join(struct jl_buf *out, const char *base, const char *path)
{
	size_t start = out->len;
	int r = JL_OK;

	if (path[0] != '/')
		r = add_clean(out, start, base);
	if (r == JL_OK)
		r = add_clean(out, start, path);
	if (r == JL_OK && out->len == start)
		r = jl_buf_char(out, '.');
	if (r != JL_OK)
		jl_buf_truncate(out, start);
	return r;
}

size_t jl_path_base(const char *path, size_t len)
{
	size_t at = len;

	if (len == 1 && path[0] == '/')
		return 0;
	while (at > 0 && path[at - 1] != '/')
		at--;
	return at;
}

bool jl_path_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path[0] == '/';
	if (strcmp(dir, ".") == 0)
		return !jl_path_escapes(path);
	if (strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/'))
		return !is_up(dir + jl_path_base(dir, len)) || path[len] == '\0' || !is_up(path + len + 1);
	/* A folder above holds every relative path that climbs less than it does. */
	if (path[0] == '/')
		return false;
	while (is_up(dir) && is_up(path)) {
		dir += dir[2] ? 3 : 2;
		path += path[2] ? 3 : 2;
	}
	if (!is_up(dir))
		return false;
	while (is_up(dir))
		dir += dir[2] ? 3 : 2;
	return *dir == '\0';
}

bool jl_path_escapes(const char *path)
{
	return path[0] == '/' || is_up(path);
}

int jl_path_relative(struct jl_buf *out, const char *from, const char *path)
{
	size_t start = out->len;
	int r = JL_OK;

	if (path[0] == '/')
		return jl_buf_str(out, path);
	if (from[0] == '/')
		return JL_EINVAL;
	if (strcmp(from, ".") == 0)
		from = "";
	if (strcmp(path, ".") == 0)
		path = "";
	while (*from && part_len(from) == part_len(path) && memcmp(from, path, part_len(from)) == 0) {
		from += part_len(from);
		from += *from == '/';
		path += part_len(path);
		path += *path == '/';
	}
	while (*from && r == JL_OK) {
		/* The way back down from a ".." has a name that the text does not tell. */
		r = is_up(from) ? JL_EINVAL : add_part(out, start, "..", 2);
		from += part_len(from);
		from += *from == '/';
	}
	if (r == JL_OK && *path)
		r = add_part(out, start, path, strlen(path));
	if (r == JL_OK && out->len == start)
		r = jl_buf_char(out, '.');
	if (r != JL_OK)
		jl_buf_truncate(out, start);
	return r;
}

static bool is_safe(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._=,@+-", c));
}

int jl_path_escape(struct jl_buf *out, const char *name)
{
	size_t start = out->len, cut = out->len, len = strlen(name);

	if (!len)
		return jl_buf_char(out, '%'); /* no other name gives it */
	for (size_t i = 0; i < len && out->len - start <= NAME_MAX_BYTES; i++) {
		bool plain = is_safe(name[i]) && (i || name[i] != '.');
		int r = plain ? jl_buf_char(out, name[i]) : jl_buf_printf(out, "%%%02X", (unsigned char)name[i]);

		if (r != JL_OK) {
			jl_buf_truncate(out, start);
			return r;
		}
		if (out->len - start <= NAME_MAX_BYTES - 17)
			cut = out->len;
	}
	if (out->len - start <= NAME_MAX_BYTES)
		return JL_OK;
	jl_buf_truncate(out, cut);
	return jl_buf_printf(out, "~%016llx", (unsigned long long)jl_hash64(name, len));
}

int jl_path_show(struct jl_buf *out, const char *text, size_t len)
{
	size_t start = out->len, n;
	int r = JL_OK;

	for (size_t i = 0; i < len && r == JL_OK; i += n) {
		unsigned char c = (unsigned char)text[i];

		n = jl_utf8_len(text + i, len - i);
		/* U+0080 to U+009F are control characters too: terminals obey them. */
		if (n > 1 && !(c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)) {
			r = jl_buf_add(out, text + i, n);
		} else if (n == 1 && c >= 0x20 && c != 0x7f) {
			r = jl_buf_char(out, text[i]);
		} else {
			n = 1;
			r = jl_buf_printf(out, "\\x%02x", c);
		}
	}
	if (r != JL_OK)
		jl_buf_truncate(out, start);
	return r;
}

bool jl_path_link_inward(const char *path, const char *text)
{
	struct jl_buf dir = JL_BUF_INIT, to = JL_BUF_INIT;
	bool inward;

	jl_buf_add(&dir, path, jl_path_base(path, strlen(path)));
	jl_path_join(&to, dir.len ? dir.data : ".", text);
	inward = text[0] != '/' && !jl_path_escapes(to.data);
	jl_buf_release(&dir);
	jl_buf_release(&to);
	return inward;
}
