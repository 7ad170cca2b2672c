/* Which places of a shell script stand inside quotes. */
#include "manifest/shell.h"

#include <string.h>

#define DEEPEST  64u
#define HEREDOCS 8u

enum state {
	COMMAND,    /* at the top or in $( ) or ( ) */
	ARITHMETIC, /* in (( )) */
	BACKTICK,   /* a command in ` ` */
	DOUBLE,     /* in " " */
	BRACE,      /* in ${ } */
};

struct heredoc {
	const char *word;
	size_t len;
	bool tabs; /* <<- */
};

struct scan {
	const char *s;
	size_t len, i;
	enum state stack[DEEPEST];
	uint32_t depth; /* of the stack; 0: too deep, everything counts as unquoted */
	struct heredoc docs[HEREDOCS];
	uint32_t n_docs;
	const uint32_t *offsets;
	bool *quoted;
	uint32_t n, next;
};

static char at(const struct scan *c, size_t i)
{
	return i < c->len ? c->s[i] : '\0';
}

static bool is_command(enum state s)
{
	return s == COMMAND || s == BACKTICK;
}

/* Go on `n` bytes; offsets among them are (not) quoted. */
static void advance(struct scan *c, size_t n, bool quoted)
{
	size_t end = c->i + n < c->len ? c->i + n : c->len;

	while (c->next < c->n && c->offsets[c->next] < end)
		c->quoted[c->next++] = quoted;
	c->i = end;
}

static void push(struct scan *c, enum state s)
{
	if (c->depth < DEEPEST)
		c->stack[c->depth++] = s;
	else
		c->depth = 0;
}

/* Everything up to and with the closing quote; `escapes`: a backslash keeps it open, as in $'...'. */
static void skip_quoted(struct scan *c, bool escapes)
{
	size_t end = c->i;

	while (end < c->len && c->s[end] != '\'')
		end += escapes && c->s[end] == '\\' ? 2 : 1;
	advance(c, end - c->i, true);
	advance(c, 1, false);
}

static void skip_line(struct scan *c)
{
	const char *nl = memchr(c->s + c->i, '\n', c->len - c->i);

	advance(c, nl ? (size_t)(nl - (c->s + c->i)) : c->len - c->i, false);
}

/* Behind "<<": remember the word that ends the document. */
static void begin_heredoc(struct scan *c)
{
	struct heredoc doc = {.tabs = at(c, c->i) == '-'};
	size_t i = c->i + doc.tabs;
	char quote;

	while (at(c, i) == ' ' || at(c, i) == '\t')
		i++;
	quote = at(c, i);
	if (quote == '\'' || quote == '"' || quote == '\\')
		i++;
	doc.word = c->s + i;
	while (i < c->len && !strchr(quote == '\'' || quote == '"' ? "'\"\n" : " \t\n;&|<>()", c->s[i])) {
		doc.len++;
		i++;
	}
	if (quote == '\'' || quote == '"')
		i++;
	if (doc.len > 0 && c->n_docs < HEREDOCS)
		c->docs[c->n_docs++] = doc;
	if (i > c->i)
		advance(c, i - c->i, false);
}

/* Behind the newline after which the pending documents stand. */
static void skip_heredocs(struct scan *c)
{
	for (uint32_t d = 0; d < c->n_docs; d++) {
		const struct heredoc *doc = &c->docs[d];
		bool end = false;

		while (c->i < c->len && !end) {
			size_t from = c->i;

			skip_line(c);
			while (doc->tabs && from < c->i && c->s[from] == '\t')
				from++;
			end = c->i - from == doc->len && memcmp(c->s + from, doc->word, doc->len) == 0;
			advance(c, 1, false);
		}
	}
	c->n_docs = 0;
}

/* What means the same in a command and inside double quotes or braces. True if something was taken. */
static bool scan_expansion(struct scan *c, bool quoted)
{
	char a = at(c, c->i), b = at(c, c->i + 1);

	if (a == '\\') {
		advance(c, 1, quoted);
		advance(c, 1, true);
	} else if (a == '$' && b == '(') {
		bool arithmetic = at(c, c->i + 2) == '(';

		advance(c, arithmetic ? 3 : 2, quoted);
		push(c, arithmetic ? ARITHMETIC : COMMAND);
		if (arithmetic && c->depth > 0)
			push(c, ARITHMETIC);
	} else if (a == '$' && b == '{') {
		advance(c, 2, quoted);
		push(c, BRACE);
	} else if (a == '`') {
		bool closes = false;

		for (uint32_t i = c->depth; i > 0 && !closes; i--) {
			closes = c->stack[i - 1] == BACKTICK;
			if (closes)
				c->depth = i - 1;
		}
		advance(c, 1, quoted);
		if (!closes)
			push(c, BACKTICK);
	} else {
		return false;
	}
	return true;
}

static void scan_command(struct scan *c, enum state state)
{
	char a = at(c, c->i), before = c->i > 0 ? c->s[c->i - 1] : '\n';

	if (a == '\'' || (a == '$' && at(c, c->i + 1) == '\'')) {
		advance(c, a == '$' ? 2 : 1, false);
		skip_quoted(c, a == '$');
	} else if (a == '"') {
		advance(c, 1, false);
		push(c, DOUBLE);
	} else if (a == '(') {
		bool arithmetic = state == ARITHMETIC || at(c, c->i + 1) == '(';

		push(c, arithmetic ? ARITHMETIC : COMMAND);
		advance(c, 1, false);
	} else if (a == ')') {
		if (c->depth > 1 && (state == COMMAND || state == ARITHMETIC))
			c->depth--;
		advance(c, 1, false);
	} else if (a == '#' && is_command(state) && strchr(" \t\n;&|()", before)) {
		skip_line(c);
	} else if (a == '<' && at(c, c->i + 1) == '<' && is_command(state)) {
		bool here_string = at(c, c->i + 2) == '<';

		advance(c, here_string ? 3 : 2, false);
		if (!here_string)
			begin_heredoc(c);
	} else if (a == '\n' && c->n_docs > 0) {
		advance(c, 1, false);
		skip_heredocs(c);
	} else {
		advance(c, 1, false);
	}
}

/* In " " and in ${ }: what closes it, what opens something. Inside ${ } a quote opens only when no double quotes are
 * around: in "${x:-it's}" it is a letter. */
static void scan_inside(struct scan *c, enum state state)
{
	bool in_double = false;
	char a = at(c, c->i);

	for (uint32_t i = c->depth; i > 0 && (c->stack[i - 1] == DOUBLE || c->stack[i - 1] == BRACE); i--)
		in_double |= c->stack[i - 1] == DOUBLE;
	if (state == BRACE && a == '}') {
		c->depth--;
		advance(c, 1, in_double);
	} else if (a == '"') {
		advance(c, 1, true);
		if (state == DOUBLE)
			c->depth--;
		else
			push(c, DOUBLE);
	} else if (a == '\'' && !in_double) {
		advance(c, 1, false);
		skip_quoted(c, false);
	} else {
		advance(c, 1, in_double);
	}
}

void jl_shell_quoted(const char *script, size_t len, const uint32_t *offsets, bool *ret_quoted, uint32_t n)
{
	struct scan c = {.s = script,
			 .len = len,
			 .depth = 1,
			 .stack = {COMMAND},
			 .offsets = offsets,
			 .quoted = ret_quoted,
			 .n = n};

	while (c.i < c.len && c.depth > 0 && c.next < n) {
		enum state state = c.stack[c.depth - 1];
		bool inside = state == DOUBLE || state == BRACE;

		if (scan_expansion(&c, inside))
			continue;
		if (inside)
			scan_inside(&c, state);
		else
			scan_command(&c, state);
	}
	while (c.next < n)
		ret_quoted[c.next++] = false;
}
