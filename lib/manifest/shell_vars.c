/* Which variables a shell script uses without setting them. A reading by the eye, not a shell's: what it takes for set may be
 * more than is. */
#include "manifest/shell.h"

#include <string.h>

#define DEEPEST 64u
#define LONGEST ((size_t)32 << 10) /* bytes: each use is looked for in the whole script */

struct scan {
	const char *s;
	size_t len, i;
	bool in_double[DEEPEST]; /* by depth of $( ) */
	uint32_t depth;
};

static bool is_first(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_len(const struct scan *c, size_t i)
{
	size_t n = 0;

	if (i >= c->len || !is_first(c->s[i]))
		return 0;
	while (i + n < c->len && (is_first(c->s[i + n]) || (c->s[i + n] >= '0' && c->s[i + n] <= '9')))
		n++;
	return n;
}

static bool at_word(const struct scan *c, size_t i)
{
	return i == 0 || strchr(" \t\n;&|(){}`", c->s[i - 1]);
}

/* Does one of the words that set what follows stand before the name, on the same line? */
static bool follows_setter(const struct scan *c, size_t i)
{
	static const char *const setters[] = {"for",     "select",   "read",    "export",    "local", "declare",
					      "typeset", "readonly", "mapfile", "readarray", "unset", "getopts"};
	size_t from = i;

	while (from > 0 && !strchr("\n;&|(){}`", c->s[from - 1]))
		from--;
	while (from < i) {
		size_t n;

		from += strspn(c->s + from, " \t");
		n = strcspn(c->s + from, " \t\n");
		for (size_t k = 0; from + n <= i && k < sizeof(setters) / sizeof(*setters); k++) {
			if (strlen(setters[k]) == n && memcmp(c->s + from, setters[k], n) == 0)
				return true;
		}
		from += n ? n : 1;
	}
	return false;
}

/* Is it set anywhere in the script: NAME=, NAME+=, ${NAME=, ${NAME:=, or named by a word that sets? */
static bool is_set(const struct scan *c, const char *name, size_t len)
{
	for (const char *at = c->s; (at = memmem(at, c->len - (size_t)(at - c->s), name, len)) != NULL; at += len) {
		size_t i = (size_t)(at - c->s), end = i + len;
		const char *next = c->s + end;

		if (name_len(c, i) != len || (i > 0 && (is_first(c->s[i - 1]) || c->s[i - 1] == '$')))
			continue;
		if (i > 1 && c->s[i - 1] == '{' && c->s[i - 2] == '$') {
			if (next[0] == '=' || (next[0] == ':' && next[1] == '='))
				return true;
			continue;
		}
		if (at_word(c, i) && (next[0] == '=' || (next[0] == '+' && next[1] == '=') || follows_setter(c, i)))
			return true;
	}
	return false;
}

/* Behind "<<" with a quoted word: the document is no shell text. The rest of the line is, but seldom names variables. */
static void skip_quoted_document(struct scan *c)
{
	size_t i = c->i + 2, n;
	const char *word, *line;

	i += i < c->len && c->s[i] == '-';
	while (i < c->len && (c->s[i] == ' ' || c->s[i] == '\t'))
		i++;
	c->i += 2;
	if (i >= c->len || !strchr("'\"\\", c->s[i]))
		return;
	word = c->s + i + 1;
	n = strcspn(word, "'\"\n \t;&|<>()");
	for (line = strchr(word, '\n'); line && n > 0; line = strchr(line + 1, '\n')) {
		const char *text = line + 1 + strspn(line + 1, "\t");

		if (strncmp(text, word, n) == 0 && (text[n] == '\n' || text[n] == '\0')) {
			c->i = (size_t)(text + n - c->s);
			return;
		}
	}
	c->i = c->len;
}

static void skip_to(struct scan *c, char end, bool escapes)
{
	while (c->i < c->len && c->s[c->i] != end)
		c->i += escapes && c->s[c->i] == '\\' ? 2 : 1;
	c->i++;
}

/* At a '$'. */
static void take_dollar(struct scan *c, jl_shell_use *use, void *ctx)
{
	char next = c->s[c->i + 1];
	size_t at = c->i + 1, n;

	if (next == '\'' && !c->in_double[c->depth]) {
		c->i += 2;
		skip_to(c, '\'', true);
		return;
	}
	if (next == '(') {
		c->i += 2;
		if (c->depth + 1 < DEEPEST)
			c->in_double[++c->depth] = false;
		return;
	}
	if (next == '{' && c->s[at + 1] == '{') { /* a template */
		const char *close = memmem(c->s + at, c->len - at, "}}", 2);

		c->i = close ? (size_t)(close + 2 - c->s) : c->len;
		return;
	}
	if (next == '{') {
		at++;
		at += at < c->len && (c->s[at] == '#' || c->s[at] == '!');
	}
	n = name_len(c, at);
	if (n > 0 && !is_set(c, c->s + at, n))
		use(ctx, c->s + at, n, c->i);
	c->i = n > 0 ? at + n : c->i + 1;
}

void jl_shell_uses(const char *script, size_t len, jl_shell_use *use, void *ctx)
{
	struct scan c = {.s = script, .len = len};

	while (c.i < len && len <= LONGEST) {
		char a = script[c.i];
		bool *in_double = &c.in_double[c.depth];

		if (a == '\\') {
			c.i += 2;
		} else if (a == '$') {
			take_dollar(&c, use, ctx);
		} else if (a == '"') {
			*in_double = !*in_double;
			c.i++;
		} else if (*in_double) {
			c.i++;
		} else if (a == '\'') {
			c.i++;
			skip_to(&c, '\'', false);
		} else if (a == '#' && at_word(&c, c.i)) {
			skip_to(&c, '\n', false);
		} else if (a == '<' && c.i + 1 < len && script[c.i + 1] == '<') {
			skip_quoted_document(&c);
		} else {
			c.depth -= a == ')' && c.depth > 0;
			c.i++;
		}
	}
}
