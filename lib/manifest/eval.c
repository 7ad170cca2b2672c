/* Evaluating templates. */
#include "manifest/hole.h"
#include "manifest/shell.h"

#include <stdio.h>
#include <string.h>

#define DEEPEST_VAR 64u /* a variable that names a variable …; the reader refuses more */

struct eval {
	const struct jl_scope *scope;
	enum jl_tmpl_quote quote;
	char sep;        /* between the values of a list: ' ', or '\0' to end a word */
	uint32_t seps;   /* how many were written as '\0' */
	uint32_t values; /* how many values the holes had */
	uint32_t depth;
	struct jl_buf *out;
	struct jl_messages *msgs;
};

static int eval_template(struct eval *e, const struct jl_template *t);

/* The part of a path that `field` names. */
static const char *part_of(const char *s, enum jl_hole_field field, size_t *len)
{
	const char *slash, *dot;
	size_t n = *len;

	if (field == JL_FIELD_WHOLE)
		return s;
	while (n > 1 && s[n - 1] == '/')
		n--;
	slash = memrchr(s, '/', n);
	if (field == JL_FIELD_DIR) {
		*len = !slash ? 1 : slash == s ? 1 : (size_t)(slash - s);
		return slash ? s : ".";
	}
	if (slash && n > 1) {
		n -= (size_t)(slash + 1 - s);
		s = slash + 1;
	}
	dot = memrchr(s, '.', n);
	if (dot == s) /* ".rc" has no suffix */
		dot = NULL;
	*len = n;
	if (field == JL_FIELD_STEM && dot)
		*len = (size_t)(dot - s);
	if (field == JL_FIELD_EXT) {
		*len = dot ? n - (size_t)(dot - s) : 0;
		return dot ? dot : s + n;
	}
	return s;
}

static int too_long(struct eval *e, const struct jl_template *t, const struct jl_hole *h)
{
	jl_messages_add(e->msgs, jl_hole_mark(t, h), false, "the text becomes longer than %zu bytes here", e->out->max);
	return JL_EINVAL;
}

static int emit(struct eval *e, const struct jl_template *t, const struct jl_hole *h, const char *s, size_t len,
		uint32_t nth)
{
	int rc = JL_OK;

	if (nth > 0) {
		rc = jl_buf_char(e->out, e->sep);
		e->seps += e->sep == '\0';
	}
	s = part_of(s, (enum jl_hole_field)h->field, &len);
	if (rc == JL_OK && e->quote == JL_TMPL_SHELL && !h->raw)
		rc = jl_shell_quote(e->out, s, len);
	else if (rc == JL_OK)
		rc = jl_buf_add(e->out, s, len);
	return rc == JL_OK ? JL_OK : too_long(e, t, h);
}

static int eval_ports(struct eval *e, const struct jl_template *t, const struct jl_hole *h)
{
	bool in = h->kind == JL_HOLE_INPUTS;
	const struct jl_words *w = in ? &e->scope->inputs : &e->scope->outputs;
	uint32_t index = h->pick == JL_PICK_INDEX ? h->index : 0, n = 0;
	int rc;

	if (h->pick == JL_PICK_FIRST || h->pick == JL_PICK_INDEX) {
		if (index < w->n)
			return emit(e, t, h, w->at[index], strlen(w->at[index]), 0);
		jl_messages_add(e->msgs, jl_hole_mark(t, h), false,
				"there is no %s %u; the step has %u, counted from 0", in ? "input" : "output", index,
				w->n);
		return JL_EINVAL;
	}
	for (uint32_t i = 0; i < w->n; i++) {
		if (h->pick == JL_PICK_NAME && !(w->names && w->names[i] && strcmp(w->names[i], h->s) == 0))
			continue;
		rc = emit(e, t, h, w->at[i], strlen(w->at[i]), n++);
		if (rc != JL_OK)
			return rc;
	}
	e->values += n;
	return JL_OK;
}

static int eval_item(struct eval *e, const struct jl_template *t, const struct jl_hole *h)
{
	const struct jl_value *item = e->scope->item;
	struct jl_hole field = *h;

	if (!item) {
		jl_messages_add(e->msgs, jl_hole_mark(t, h), false, "\"item\" has no value here; it needs foreach");
		return JL_EINVAL;
	}
	if (!item->keys) {
		if (h->s)
			field.field = (uint8_t)jl_hole_field(h->s, h->len);
		if (!h->s || (field.field != JL_FIELD_WHOLE && h->field == JL_FIELD_WHOLE))
			return emit(e, t, &field, item->text.s, item->text.len, 0);
	}
	for (uint32_t i = 0; h->s && i < item->n_keys; i++) {
		if (strcmp(item->keys[i].s, h->s) == 0)
			return emit(e, t, h, item->values[i].s, item->values[i].len, 0);
	}
	if (h->s)
		jl_messages_add(e->msgs, jl_hole_mark(t, h), false, "%s of step \"%s\" has no \"%s\"",
				h->kind == JL_HOLE_MATRIX ? "a combination" : "an item", e->scope->step ? e->scope->step : "",
				h->s);
	else
		jl_messages_add(e->msgs, jl_hole_mark(t, h), false,
				"the item is a mapping; name one of its keys, as in ${{ item.%s }}",
				item->n_keys ? item->keys[0].s : "KEY");
	return JL_EINVAL;
}

static const struct jl_var *find_var(const struct eval *e, const struct jl_hole *h)
{
	const struct jl_manifest *m = e->scope->manifest;

	if (h->var)
		return h->var;
	for (uint32_t i = 0; m && i < m->vars.n; i++) {
		if (strcmp(m->vars.at[i].name.s, h->s) == 0)
			return &m->vars.at[i];
	}
	return NULL;
}

static int eval_var(struct eval *e, const struct jl_template *t, const struct jl_hole *h)
{
	const struct jl_var *var = find_var(e, h);
	struct jl_buf value = JL_BUF_INIT;
	struct eval inner = {.scope = e->scope,
			     .quote = JL_TMPL_PLAIN,
			     .sep = ' ',
			     .depth = e->depth + 1,
			     .out = &value,
			     .msgs = e->msgs};
	int rc = JL_EINVAL;

	if (!var || e->depth >= DEEPEST_VAR) {
		jl_messages_add(e->msgs, jl_hole_mark(t, h), false,
				var ? "variable \"%s\" depends on too many others" : "there is no variable \"%s\"",
				h->s);
		return JL_EINVAL;
	}
	if (var->value->n == 0)
		return emit(e, t, h, var->value->text, var->value->len, 0);
	value.max = e->out->max;
	rc = eval_template(&inner, var->value);
	if (rc == JL_OK)
		rc = emit(e, t, h, value.data, value.len, 0);
	jl_buf_release(&value);
	return rc;
}

static int eval_hole(struct eval *e, const struct jl_template *t, const struct jl_hole *h)
{
	const char *value;
	char number[16];

	switch ((enum jl_hole_kind)h->kind) {
	case JL_HOLE_LITERAL: return jl_buf_add(e->out, h->s, h->len) == JL_OK ? JL_OK : too_long(e, t, h);
	case JL_HOLE_ITEM:
	case JL_HOLE_MATRIX: return eval_item(e, t, h);
	case JL_HOLE_VAR: return eval_var(e, t, h);
	case JL_HOLE_ENV:
		value = e->scope->getenv ? e->scope->getenv(e->scope->getenv_ctx, h->s) : NULL;
		if (value)
			return emit(e, t, h, value, strlen(value), 0);
		jl_messages_add(e->msgs, jl_hole_mark(t, h), false, "the environment has no variable \"%s\"; set it",
				h->s);
		return JL_EINVAL;
	case JL_HOLE_INPUTS:
	case JL_HOLE_OUTPUTS: return eval_ports(e, t, h);
	case JL_HOLE_STEP:
		return emit(e, t, h, e->scope->step ? e->scope->step : "", e->scope->step ? strlen(e->scope->step) : 0,
			    0);
	case JL_HOLE_JOBS:
		snprintf(number, sizeof(number), "%u", e->scope->jobs);
		return emit(e, t, h, number, strlen(number), 0);
	}
	return JL_EINVAL;
}

static int eval_template(struct eval *e, const struct jl_template *t)
{
	int rc = JL_OK;

	if (t->n == 0)
		return jl_buf_add(e->out, t->text, t->len) == JL_OK ? JL_OK : too_long(e, t, &(struct jl_hole){0});
	for (uint32_t i = 0; i < t->n && rc == JL_OK; i++)
		rc = eval_hole(e, t, &t->holes[i]);
	return rc;
}

int jl_template_eval(const struct jl_template *t, const struct jl_scope *scope, enum jl_tmpl_quote quote,
		     struct jl_buf *out, struct jl_messages *msgs)
{
	struct eval e = {.scope = scope, .quote = quote, .sep = ' ', .out = out, .msgs = msgs};

	return eval_template(&e, t);
}

int jl_template_words(const struct jl_template *t, const struct jl_scope *scope, bool split, struct jl_buf *out,
		      uint32_t *n, struct jl_messages *msgs)
{
	bool list = t->n == 1 && jl_hole_is_list(&t->holes[0]);
	struct eval e = {
		.scope = scope, .quote = JL_TMPL_PLAIN, .sep = split || list ? '\0' : ' ', .out = out, .msgs = msgs};
	size_t old = out->len;
	int rc = eval_template(&e, t);

	if (rc == JL_OK && list && e.values == 0)
		return JL_OK;
	if (rc == JL_OK && jl_buf_char(out, '\0') != JL_OK)
		rc = too_long(&e, t, &(struct jl_hole){0});
	if (rc != JL_OK) {
		jl_buf_truncate(out, old);
		return rc;
	}
	*n += e.seps + 1;
	return JL_OK;
}

/* A hole whose value is known before the item is, or what it may become. */
static int pattern_hole(struct eval *e, const struct jl_template *t, const struct jl_hole *h)
{
	enum jl_hole_field field = (enum jl_hole_field)h->field;
	const struct jl_var *var;

	if (h->kind == JL_HOLE_ITEM && h->s && field == JL_FIELD_WHOLE)
		field = jl_hole_field(h->s, h->len);
	switch ((enum jl_hole_kind)h->kind) {
	case JL_HOLE_LITERAL: return jl_buf_add(e->out, h->s, h->len);
	case JL_HOLE_VAR:
		var = find_var(e, h);
		if (var && e->depth < DEEPEST_VAR) {
			struct eval inner = *e;
			int rc = JL_OK;

			inner.depth++;
			if (var->value->n == 0)
				return jl_buf_add(e->out, var->value->text, var->value->len);
			for (uint32_t i = 0; i < var->value->n && rc == JL_OK; i++)
				rc = pattern_hole(&inner, var->value, &var->value->holes[i]);
			return rc;
		}
		break;
	case JL_HOLE_ENV:
		if (e->scope->getenv && e->scope->getenv(e->scope->getenv_ctx, h->s))
			return eval_hole(e, t, h);
		break;
	case JL_HOLE_OUTPUTS:
		if (field == JL_FIELD_WHOLE && e->scope->outputs.n)
			return eval_hole(e, t, h);
		/* fall through */
	default:
		if (h->kind == JL_HOLE_STEP || h->kind == JL_HOLE_JOBS || field >= JL_FIELD_NAME)
			return jl_buf_char(e->out, '*');
	}
	return jl_buf_str(e->out, "**");
}

int jl_template_pattern(const struct jl_template *t, const struct jl_scope *scope, struct jl_buf *out)
{
	struct eval e = {.scope = scope, .quote = JL_TMPL_PLAIN, .sep = ' ', .out = out};
	int rc = JL_OK;

	if (t->n == 0)
		return jl_buf_add(out, t->text, t->len);
	for (uint32_t i = 0; i < t->n && rc == JL_OK; i++)
		rc = pattern_hole(&e, t, &t->holes[i]);
	return rc;
}

void jl_template_env(const struct jl_template *t, void (*name)(void *ctx, const char *env_name), void *ctx)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->holes[i].kind == JL_HOLE_ENV)
			name(ctx, t->holes[i].s);
		else if (t->holes[i].kind == JL_HOLE_VAR && t->holes[i].var)
			jl_template_env(t->holes[i].var->value, name, ctx);
	}
}
