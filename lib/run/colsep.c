/* Cutting values into columns. */
#include "run/colsep.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct jl_colsep {
	char byte;  /* the pattern is this one byte: no expression needed; NUL: it is an expression */
	regex_t re;
};

/* The one byte that the pattern means, or NUL. */
static char plain_byte(const char *p)
{
	if (p[0] && !p[1] && !strchr(".[]()*+?{}|^$\\", p[0]))
		return p[0];
	if (p[0] == '\\' && p[1] && !p[2]) {
		if (p[1] == 't')
			return '\t';
		if (p[1] == 'n')
			return '\n';
		if (strchr(".[]()*+?{}|^$\\", p[1]))
			return p[1];
	}
	return '\0';
}

static void translate(struct jl_buf *out, const char *p)
{
	for (; *p; p++) {
		if (*p == '\\' && (p[1] == 't' || p[1] == 'n')) {
			jl_buf_char(out, p[1] == 't' ? '\t' : '\n');
			p++;
		} else {
			jl_buf_char(out, *p);
			if (*p == '\\' && p[1])
				jl_buf_char(out, *++p);
		}
	}
}

int jl_colsep_new(const char *pattern, struct jl_colsep **ret, struct jl_err *err)
{
	struct jl_colsep *c = jl_calloc(1, sizeof(*c));
	c->byte = plain_byte(pattern);
	if (!c->byte) {
		struct jl_buf text = JL_BUF_INIT;
		char why[200];
		translate(&text, pattern);
		int failed = text.len ? regcomp(&c->re, text.data, REG_EXTENDED) : REG_BADPAT;
		jl_buf_release(&text);
		if (failed) {
			regerror(failed, NULL, why, sizeof(why));
			free(c);
			return jl_err_set(err, JL_EINVAL, "the column separator \"%s\" is no regular expression: %s", pattern, why);
		}
	}
	*ret = c;
	return JL_OK;
}

void jl_colsep_free(struct jl_colsep *c)
{
	if (!c)
		return;
	if (!c->byte)
		regfree(&c->re);
	free(c);
}

void jl_colsep_split(const struct jl_colsep *c, const char *value, size_t len, struct jl_args *out)
{
	const char *end = value + len, *from = value, *look = value;
	while (look < end) {
		regmatch_t m;
		if (c->byte) {
			const char *hit = memchr(look, c->byte, (size_t)(end - look));
			if (!hit)
				break;
			m = (regmatch_t){.rm_so = (regoff_t)(hit - look), .rm_eo = (regoff_t)(hit - look) + 1};
		} else if (regexec(&c->re, look, 1, &m, look > value ? REG_NOTBOL : 0) != 0) {
			break;
		}
		if (m.rm_eo == m.rm_so) { /* an empty match separates nothing */
			look += m.rm_so + 1;
			continue;
		}
		jl_args_add(out, from, (size_t)(look + m.rm_so - from));
		from = look = look + m.rm_eo;
	}
	jl_args_add(out, from, (size_t)(end - from));
}
