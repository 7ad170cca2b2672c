/* See depfile.h. */
#include "memo/depfile.h"

#include <stdbool.h>
#include <string.h>

struct parse {
	const char *at, *end;
	uint32_t line, rules, n;
	bool target; /* of this line's rule: there is one */
	bool deps;   /* its colon was passed */
	struct jl_buf *out;
	struct jl_err *err;
};

/* How many bytes the end of a line takes here: 0 for none. */
static size_t newline(const struct parse *p, const char *at)
{
	if (at < p->end && *at == '\n')
		return 1;
	return p->end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool word_ends(const struct parse *p)
{
	return p->at == p->end || blank(*p->at) || *p->at == '#' || newline(p, p->at) || (*p->at == ':' && !p->deps);
}

static void put(struct parse *p, const char *bytes, size_t len)
{
	p->target |= len > 0;
	if (p->deps)
		jl_buf_add(p->out, bytes, len);
}

/* A run of backslashes and what it does to the byte behind it. true: the word ends here. */
static bool backslashes(struct parse *p)
{
	const char *first = p->at;
	while (p->at < p->end && *p->at == '\\')
		p->at++;
	size_t n = (size_t)(p->at - first), line_end = newline(p, p->at);
	char c = p->at < p->end ? *p->at : '\0';
	bool separator = c == ':' && !p->deps && (p->end - p->at == 1 || blank(p->at[1]) || newline(p, p->at + 1));
	if (line_end) {
		put(p, first, n - 1);
		p->at += line_end;
		p->line++;
		return true;
	}
	if (blank(c) && n % 2 == 1)
		put(p, first, n / 2);
	else if ((c == '#' || c == ':') && !separator)
		put(p, first, n - 1);
	else
		put(p, first, n);
	if ((blank(c) && n % 2 == 1) || ((c == '#' || c == ':') && !separator))
		put(p, p->at++, 1);
	return false;
}

static int word(struct parse *p)
{
	size_t start = p->out->len;
	bool ended = false;
	while (!ended && !word_ends(p)) {
		if (*p->at == '\0')
			return jl_err_set(p->err, JL_EINVAL, "line %u: a NUL byte", p->line);
		if (*p->at == '\\') {
			ended = backslashes(p);
		} else {
			put(p, p->at, 1);
			p->at += *p->at == '$' && p->end - p->at > 1 && p->at[1] == '$' ? 2 : 1;
		}
		if (p->out->len - start > JL_DEPFILE_PATH_MAX)
			return jl_err_set(p->err, JL_ELIMIT, "line %u: a path of more than %u bytes", p->line,
					  JL_DEPFILE_PATH_MAX);
	}
	if (!p->deps || p->out->len == start)
		return JL_OK;
	if (p->n == JL_DEPFILE_DEPS_MAX)
		return jl_err_set(p->err, JL_ELIMIT, "more than %u dependencies", JL_DEPFILE_DEPS_MAX);
	p->n++;
	return jl_buf_char(p->out, '\0');
}

static int end_line(struct parse *p)
{
	if (p->target && !p->deps)
		return jl_err_set(p->err, JL_EINVAL, "line %u: no \":\" behind the target", p->line);
	p->rules += p->deps;
	p->target = p->deps = false;
	return JL_OK;
}

static int colon(struct parse *p)
{
	if (!p->target)
		return jl_err_set(p->err, JL_EINVAL, "line %u: no target before the \":\"", p->line);
	p->deps = true;
	p->at += p->end - p->at > 1 && p->at[1] == ':' ? 2 : 1;
	return JL_OK;
}

int jl_depfile_parse(const char *text, size_t len, struct jl_buf *out, uint32_t *ret_n, struct jl_err *err)
{
	struct parse p = {.at = text, .end = text + len, .line = 1, .out = out, .err = err};
	int r = JL_OK;
	while (r == JL_OK && p.at < p.end) {
		size_t line_end = newline(&p, p.at);
		if (line_end) {
			r = end_line(&p);
			p.at += line_end;
			p.line++;
		} else if (blank(*p.at)) {
			p.at++;
		} else if (*p.at == '#') {
			while (p.at < p.end && *p.at != '\n')
				p.at++;
		} else if (*p.at == ':' && !p.deps) {
			r = colon(&p);
		} else {
			r = word(&p);
		}
	}
	if (r == JL_OK)
		r = end_line(&p);
	if (r == JL_OK && p.rules == 0)
		r = jl_err_set(err, JL_EINVAL, "it holds no rule");
	if (r == JL_OK)
		*ret_n = p.n;
	return r;
}
