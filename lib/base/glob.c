/* Globs: matching by the two-pointer method, meeting of two globs by dynamic programming. */
#include "base/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the element at p[at]: `\x`, `[...]` or one byte. An unclosed '[' and a '\' at the end stand for
 * themselves. */
static size_t element_len(const char *p, size_t len, size_t at)
{
	size_t i = at + 1;

	if (p[at] == '\\')
		return at + 1 < len ? 2 : 1;
	if (p[at] != '[')
		return 1;
	if (i < len && p[i] == '!')
		i++;
	/* A ']' that comes first is a member. */
	for (size_t first = i; i < len && (p[i] != ']' || i == first); i++) {
		if (p[i] == '\\')
			i++;
	}
	return i < len ? i + 1 - at : 1;
}

/* Does the class between p ("[") and p + len hold `c`? */
static bool class_holds(const char *p, size_t len, unsigned char c)
{
	size_t i = 1, end = len - 1;
	bool negated = p[1] == '!', held = false;

	if (negated)
		i++;
	while (i < end) {
		unsigned char from, to;

		i += p[i] == '\\';
		from = to = (unsigned char)p[i++];
		if (i + 1 < end && p[i] == '-') {
			i++;
			i += p[i] == '\\';
			to = (unsigned char)p[i++];
		}
		held |= c >= from && c <= to;
	}
	return held != negated;
}

/* One element (no star) against one byte. */
static bool element_holds(const char *p, size_t len, char c)
{
	if (p[0] == '?')
		return true;
	if (len > 1)
		return p[0] == '\\' ? p[1] == c : class_holds(p, len, (unsigned char)c);
	return p[0] == c;
}

bool jl_glob_is(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (*text == '*' || *text == '?' || *text == '[')
			return true;
	}
	return false;
}

bool jl_glob_match_name(const char *pattern, size_t pattern_len, const char *name, size_t name_len)
{
	size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;

	while (n < name_len) {
		if (p < pattern_len && pattern[p] == '*') {
			star = ++p;
			star_n = n;
			continue;
		}
		if (p < pattern_len) {
			size_t len = element_len(pattern, pattern_len, p);

			if (element_holds(pattern + p, len, name[n])) {
				p += len;
				n++;
				continue;
			}
		}
		if (star == SIZE_MAX)
			return false;
		/* The last star takes one byte more; earlier ones never need to. */
		p = star;
		n = ++star_n;
	}
	while (p < pattern_len && pattern[p] == '*')
		p++;
	return p == pattern_len;
}

/* A component of a pattern or path; `next` is the one after it, or NULL. */
struct part {
	const char *at;
	size_t len;
	const char *next;
};

static struct part part_at(const char *s)
{
	size_t len = strcspn(s, "/");

	return (struct part){s, len, s[len] ? s + len + 1 : NULL};
}

static bool is_double_star(const struct part *p)
{
	return p->len == 2 && p->at[0] == '*' && p->at[1] == '*';
}

/* Does a pattern's component begin with a literal dot? */
static bool has_dot(const struct part *p)
{
	return p->len && (p->at[0] == '.' || (p->len > 1 && p->at[0] == '\\' && p->at[1] == '.'));
}

static bool never_matched(const struct part *name)
{
	return (name->len == 3 && memcmp(name->at, ".jl", 3) == 0) ||
	       (name->len == 4 && memcmp(name->at, ".git", 4) == 0);
}

static bool part_matches(const struct part *pattern, const struct part *name)
{
	if (never_matched(name) || (name->len && name->at[0] == '.' && !has_dot(pattern)))
		return false;
	return jl_glob_match_name(pattern->at, pattern->len, name->at, name->len);
}

bool jl_glob_match(const char *pattern, const char *path)
{
	const char *star = NULL, *star_path = NULL, *p = pattern, *s = path;

	if ((pattern[0] == '/') != (path[0] == '/'))
		return false;
	if (p[0] == '/') {
		p++;
		s++;
	}
	/* The same two pointers as in a name, over components. A "**" cannot take names with a dot, and still its first
	 * choice is the best one: a later place of what follows it would have to skip the same names. */
	while (s) {
		struct part name = part_at(s), want;

		if (p) {
			want = part_at(p);
			if (is_double_star(&want)) {
				p = star = want.next;
				star_path = s;
				if (!star)
					star = ""; /* at the end: takes all the rest */
				continue;
			}
			if (part_matches(&want, &name)) {
				p = want.next;
				s = name.next;
				continue;
			}
		}
		if (!star)
			return false;
		name = part_at(star_path);
		if (name.len && name.at[0] == '.')
			return false;
		s = star_path = name.next;
		p = *star ? star : NULL;
	}
	while (p) {
		struct part want = part_at(p);

		if (!is_double_star(&want))
			return false;
		p = want.next;
	}
	return true;
}

/* Is there a byte that both elements hold? */
static bool elements_meet(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len == 1 && a[0] != '?')
		return element_holds(b, b_len, a[0]);
	if (b_len == 1 && b[0] != '?')
		return element_holds(a, a_len, b[0]);
	for (int c = 1; c < 256; c++) {
		if (c != '/' && element_holds(a, a_len, (char)c) && element_holds(b, b_len, (char)c))
			return true;
	}
	return false;
}

/* Is there a name that both components match? now[j]: can the first i bytes of `a` and the first j of `b`, both whole
 * elements, stand for the same text? Every step goes forward in one of them, so rows are done in order. */
static bool names_meet(const struct part *a, const struct part *b)
{
	size_t width = b->len + 1, a_step = 1, b_step;
	bool *rows = jl_calloc(2, width), *now = rows, *next = rows + width, meet;

	now[0] = true;
	for (size_t i = 0;; i += a_step) {
		bool a_end = i == a->len, a_star = !a_end && a->at[i] == '*';

		if (!a_end)
			a_step = element_len(a->at, a->len, i);
		memset(next, 0, width);
		for (size_t j = 0; j < width; j += b_step) {
			bool b_end = j == b->len, b_star = !b_end && b->at[j] == '*';

			b_step = b_end ? 1 : element_len(b->at, b->len, j);
			if (!now[j])
				continue;
			/* A star stands for nothing, or takes an element of the other side. */
			if (!b_end && (a_star || b_star))
				now[j + b_step] = true;
			if (!a_end && (a_star || b_star))
				next[j] = true;
			else if (!a_end && !b_end && elements_meet(a->at + i, a_step, b->at + j, b_step))
				next[j + b_step] = true;
		}
		if (a_end)
			break;
		bool *swap = now;
		now = next;
		next = swap;
	}
	meet = now[b->len];
	free(rows);
	return meet;
}

static bool is_plain(const struct part *p)
{
	for (size_t i = 0; i < p->len; i++) {
		if (strchr("*?[\\", p->at[i]))
			return false;
	}
	return p->len > 0;
}

static bool parts_meet(const struct part *a, const struct part *b)
{
	if (has_dot(a) != has_dot(b))
		return false;
	/* A name without globs is most often one side, and that needs no table. */
	if (is_plain(a))
		return jl_glob_match_name(b->at, b->len, a->at, a->len);
	if (is_plain(b))
		return jl_glob_match_name(a->at, a->len, b->at, b->len);
	return names_meet(a, b);
}

/* A trailing "/" or "**" takes whatever is below. */
static bool is_cover(const struct part *p)
{
	return !p->next && (p->len == 0 || is_double_star(p));
}

static size_t count_parts(const char *s)
{
	size_t n = 0;

	for (; s; s = part_at(s).next)
		n++;
	return n;
}

static bool is_up(const struct part *p)
{
	return p->len == 2 && p->at[0] == '.' && p->at[1] == '.';
}

/* What names_meet() does, over the components a and b (NULL: none left), where "**" is the star. A star does not take a
 * name with a dot, a cover does. */
static bool paths_meet(const char *a, const char *b)
{
	size_t width = count_parts(b) + 1;
	bool *rows = jl_calloc(2, width), *now = rows, *next = rows + width, meet = false;

	now[0] = true;
	for (const char *s = a; !meet; s = part_at(s).next) {
		struct part x = s ? part_at(s) : (struct part){0};
		bool x_star = s && is_double_star(&x), x_cover = s && is_cover(&x);
		const char *t = b;

		memset(next, 0, width);
		for (size_t j = 0; j < width && !meet; j++) {
			struct part y = t ? part_at(t) : (struct part){0};
			bool y_star = t && is_double_star(&y), y_cover = t && is_cover(&y);

			if (now[j]) {
				meet = (!s && !t) || (x_cover && !is_up(&y)) || (y_cover && !is_up(&x));
				if (t && (y_star || (x_star && !has_dot(&y))))
					now[j + 1] = true;
				if (s && (x_star || (y_star && !has_dot(&x))))
					next[j] = true;
				if (s && t && !x_star && !y_star && parts_meet(&x, &y))
					next[j + 1] = true;
			}
			t = y.next;
		}
		if (!s)
			break;
		bool *swap = now;
		now = next;
		next = swap;
	}
	free(rows);
	return meet;
}

bool jl_glob_overlap(const char *a, const char *b)
{
	if ((a[0] == '/') != (b[0] == '/'))
		return false;
	a += a[0] == '/' ? 1 : strncmp(a, "./", 2) == 0 ? 2 : 0;
	b += b[0] == '/' ? 1 : strncmp(b, "./", 2) == 0 ? 2 : 0;
	/* Plain folders in front decide most pairs. */
	while (a && b) {
		struct part x = part_at(a), y = part_at(b);

		if (!is_plain(&x) || !is_plain(&y))
			break;
		if (x.len != y.len || memcmp(x.at, y.at, x.len) != 0)
			return false;
		a = x.next;
		b = y.next;
	}
	return (!a && !b) || paths_meet(a, b);
}

int jl_glob_check(const char *pattern, struct jl_err *err)
{
	for (const char *s = pattern; s;) {
		struct part p = part_at(s);

		for (size_t i = 0, len; i < p.len; i += len) {
			len = element_len(p.at, p.len, i);
			if (len > 1)
				continue;
			if (p.at[i] == '[')
				return jl_err_set(err, JL_EINVAL,
						  "glob \"%s\": '[' without ']' (write \\[ for the byte itself)",
						  pattern);
			if (p.at[i] == '\\')
				return jl_err_set(err, JL_EINVAL,
						  "glob \"%s\": nothing after '\\' (write \\\\ for the byte itself)",
						  pattern);
			if (p.len > 2 && p.at[i] == '*' && i + 1 < p.len && p.at[i + 1] == '*')
				return jl_err_set(err, JL_EINVAL,
						  "glob \"%s\": \"**\" must be a whole component, as in a/**/*.c",
						  pattern);
		}
		s = p.next;
	}
	return JL_OK;
}

size_t jl_glob_fixed_dir(const char *pattern)
{
	const char *end = pattern;

	/* The last component is never a folder here; one with an escape is not its own text. */
	for (const char *s = pattern + (pattern[0] == '/'); s;) {
		struct part p = part_at(s);

		if (!p.next || !is_plain(&p))
			break;
		end = p.at + p.len;
		s = p.next;
	}
	return end == pattern ? pattern[0] == '/' : (size_t)(end - pattern);
}
