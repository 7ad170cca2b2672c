/* Options: reading them by their tables, and showing the tables. */
#include "opt.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/near.h"

#include <stdlib.h>
#include <string.h>

#define JOBS_MAX 65536
#define HELP_COLUMN 28

void jl_opt_list_add(struct jl_opt_list *l, const char *text)
{
	l->at = jl_realloc(l->at, ((size_t)l->n + 1) * sizeof(*l->at));
	l->at[l->n++] = text;
}

void jl_opt_list_release(struct jl_opt_list *l)
{
	free(l->at);
	*l = (struct jl_opt_list){0};
}

static bool arg_optional(const struct jl_opt *o)
{
	return o->arg && o->arg[0] == '[';
}

const struct jl_opt *jl_opt_long(const struct jl_opt *const *tables, const char *name, size_t len)
{
	for (; *tables; tables++)
		for (const struct jl_opt *o = *tables; o->name; o++)
			if (strncmp(o->name, name, len) == 0 && o->name[len] == '\0')
				return o;
	return NULL;
}

const struct jl_opt *jl_opt_letter(const struct jl_opt *const *tables, char letter)
{
	for (; *tables; tables++)
		for (const struct jl_opt *o = *tables; o->name; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static int unknown_long(const struct jl_opt *const *tables, const char *name, size_t len, struct jl_err *err)
{
	char *word = jl_strndup(name, len);
	struct jl_near near = {.word = word};
	int r;

	for (; *tables; tables++)
		for (const struct jl_opt *o = *tables; o->name; o++)
			jl_near_offer(&near, o->name);
	if (near.best)
		r = jl_err_set(err, JL_EINVAL, "unknown option \"--%s\"; did you mean \"--%s\"?", word, near.best);
	else
		r = jl_err_set(err, JL_EINVAL, "unknown option \"--%s\"; --help lists them", word);
	free(word);
	return r;
}

static int unknown_letter(const struct jl_opt *const *tables, const char *letter, struct jl_err *err)
{
	/* The nearest letter is the other case of the same. */
	const struct jl_opt *o = jl_opt_letter(tables, (char)(*letter ^ 0x20));

	if (o && ((*letter | 0x20) >= 'a' && (*letter | 0x20) <= 'z'))
		return jl_err_set(err, JL_EINVAL, "unknown option \"-%c\"; did you mean \"-%c\" (--%s)?", *letter,
		                  o->letter, o->name);
	if (*letter > ' ' && *letter < 0x7f)
		return jl_err_set(err, JL_EINVAL, "unknown option \"-%c\"; --help lists them", *letter);
	return jl_err_set(err, JL_EINVAL, "unknown option \"-%s\"; --help lists them", letter);
}

int jl_opt_jobs(const char *text, unsigned cpus, uint32_t *ret, struct jl_err *err)
{
	const bool negative = text[0] == '-';
	const char *digits = text + negative, *at = digits;
	uint64_t n = 0;

	if (strcmp(text, "auto") == 0) {
		*ret = 0;
		return JL_OK;
	}
	for (; *at >= '0' && *at <= '9' && n <= JOBS_MAX; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	if (at == digits || n == 0 || n > JOBS_MAX)
		goto bad;
	if (*at == '%' && !at[1] && !negative) {
		n = n * cpus / 100;
		n = n > JOBS_MAX ? JOBS_MAX : n;
	} else if (*at) {
		goto bad;
	} else if (negative) {
		n = n > cpus ? 0 : cpus + 1 - n;
	}
	*ret = n ? (uint32_t)n : 1;
	return JL_OK;
bad:
	return jl_err_set(err, JL_EINVAL, "\"%s\" is no number of slots; write 4, 50%%, -1 (all), -2 (all but one) or auto",
	                  text);
}

/* The place of `text` in a list "a|b|c" that ends at NUL or ']'; -1 if it is not in it. */
static int choice_of(const char *list, const char *text)
{
	const size_t len = strlen(text);
	int place = 0;

	for (;;) {
		size_t word = strcspn(list, "|]");

		if (word == len && memcmp(list, text, len) == 0)
			return place;
		if (list[word] != '|')
			return -1;
		list += word + 1;
		place++;
	}
}

static int take_choice(const struct jl_opt *o, const char *text, int *ret, struct jl_err *err)
{
	const char *list = arg_optional(o) ? o->arg + 2 : o->arg;
	int place = choice_of(list, text);

	if (place < 0)
		return jl_err_set(err, JL_EINVAL, "\"%s\" must be one of %.*s", text, (int)strcspn(list, "]"), list);
	*ret = o->value + place;
	return JL_OK;
}

static int take_number(const struct jl_opt *o, const char *text, uint32_t *ret, struct jl_err *err)
{
	uint64_t n = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && n <= UINT32_MAX; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	if (at == text || *at || n > UINT32_MAX || n < (uint64_t)o->value)
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no number from %d on", text, o->value);
	*ret = (uint32_t)n;
	return JL_OK;
}

static int take_load(const char *text, double *ret, struct jl_err *err)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v > 0 && v < 1e6))
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no load; write a number such as 4 or 2.5", text);
	*ret = v;
	return JL_OK;
}

static int take(const struct jl_opt *o, const char *text, void *target, struct jl_err *err)
{
	void *at = (char *)target + o->target;

	switch (o->kind) {
	case JL_OPT_FLAG:
		*(bool *)at = true;
		break;
	case JL_OPT_COUNT:
		++*(unsigned *)at;
		break;
	case JL_OPT_SET:
		*(int *)at = o->value;
		return text ? take_choice(o, text, at, err) : JL_OK;
	case JL_OPT_CHOICE:
		return take_choice(o, text, at, err);
	case JL_OPT_TEXT:
		*(const char **)at = text;
		break;
	case JL_OPT_LIST:
		jl_opt_list_add(at, text);
		break;
	case JL_OPT_DURATION:
		return jl_clock_parse(text, at, err);
	case JL_OPT_JOBS:
		return jl_opt_jobs(text, jl_cpu_count(), at, err);
	case JL_OPT_SIZE:
		return jl_size_parse(text, at, err);
	case JL_OPT_LOAD:
		return take_load(text, at, err);
	case JL_OPT_NUMBER:
		return take_number(o, text, at, err);
	}
	return JL_OK;
}

struct words {
	const char *const *at, *const *end;
};

/* `--name`, `--name=value`, `--name value`; `word` is without the dashes. */
static int parse_long(const struct jl_opt *const *tables, const char *word, struct words *rest, void *target,
                      struct jl_err *err)
{
	const size_t len = strcspn(word, "=");
	const struct jl_opt *o = jl_opt_long(tables, word, len);
	const char *text = word[len] ? word + len + 1 : NULL;

	if (!o)
		return unknown_long(tables, word, len, err);
	if (text && !o->arg)
		return jl_err_set(err, JL_EINVAL, "option \"--%s\" takes no argument", o->name);
	if (!text && o->arg && !arg_optional(o)) {
		if (rest->at == rest->end)
			return jl_err_set(err, JL_EINVAL, "option \"--%s\" needs an argument: %s", o->name, o->arg);
		text = *rest->at++;
	}
	if (take(o, text, target, err) != JL_OK)
		return jl_err_add(err, "option \"--%s\"", o->name);
	return JL_OK;
}

/* `-k`, `-vk`, `-j4`, `-vj 4`; `word` is without the dash. */
static int parse_letters(const struct jl_opt *const *tables, const char *word, struct words *rest, void *target,
                         struct jl_err *err)
{
	for (; *word; word++) {
		const struct jl_opt *o = jl_opt_letter(tables, *word);
		const char *text = NULL;

		if (!o)
			return unknown_letter(tables, word, err);
		if (o->arg && !arg_optional(o)) {
			text = word[1] ? word + 1 : NULL;
			if (!text && rest->at == rest->end)
				return jl_err_set(err, JL_EINVAL, "option \"-%c\" needs an argument: %s", o->letter, o->arg);
			if (!text)
				text = *rest->at++;
		}
		if (take(o, text, target, err) != JL_OK)
			return jl_err_add(err, "option \"-%c\"", o->letter);
		if (text)
			break;
	}
	return JL_OK;
}

static int parse_words(const struct jl_opt *const *tables, int argc, const char *const *argv, bool prefix, void *target,
                       struct jl_opt_list *ret_operands, struct jl_err *err)
{
	struct words rest = {argv, argv + argc};
	bool ended = false;

	while (rest.at < rest.end) {
		const char *word = *rest.at++;
		int r = JL_OK;

		if (ended || word[0] != '-' || !word[1]) {
			jl_opt_list_add(ret_operands, word);
			ended |= prefix;
		} else if (strcmp(word, "--") == 0) {
			ended = true;
		} else if (word[1] == '-') {
			r = parse_long(tables, word + 2, &rest, target, err);
		} else {
			r = parse_letters(tables, word + 1, &rest, target, err);
		}
		if (r != JL_OK)
			return r;
	}
	return JL_OK;
}

int jl_opt_parse(const struct jl_opt *const *tables, int argc, const char *const *argv, void *target,
                 struct jl_opt_list *ret_operands, struct jl_err *err)
{
	return parse_words(tables, argc, argv, false, target, ret_operands, err);
}

int jl_opt_parse_prefix(const struct jl_opt *const *tables, int argc, const char *const *argv, void *target,
                        struct jl_opt_list *ret_operands, struct jl_err *err)
{
	return parse_words(tables, argc, argv, true, target, ret_operands, err);
}

/* The option of a cluster of letters whose argument is the next word, or NULL. */
static const struct jl_opt *left_open(const struct jl_opt *const *tables, const char *word)
{
	for (; *word; word++) {
		const struct jl_opt *o = jl_opt_letter(tables, *word);

		if (!o)
			return NULL;
		if (o->arg && !arg_optional(o))
			return word[1] ? NULL : o;
	}
	return NULL;
}

void jl_opt_place(const struct jl_opt *const *tables, bool prefix, int argc, const char *const *argv,
                  struct jl_opt_place *ret)
{
	*ret = (struct jl_opt_place){.first = -1};
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];

		if (ret->option) {
			ret->option = NULL;
		} else if (ret->ended || word[0] != '-' || !word[1]) {
			if (ret->operands++ == 0)
				ret->first = i;
			ret->ended |= prefix;
		} else if (strcmp(word, "--") == 0) {
			ret->ended = true;
		} else if (word[1] != '-') {
			ret->option = left_open(tables, word + 1);
		} else if (!strchr(word, '=')) {
			ret->option = jl_opt_long(tables, word + 2, strlen(word + 2));
			if (ret->option && (!ret->option->arg || arg_optional(ret->option)))
				ret->option = NULL;
		}
	}
}

void jl_opt_help(const struct jl_opt *const *tables, struct jl_buf *out)
{
	for (; *tables; tables++) {
		for (const struct jl_opt *o = *tables; o->name; o++) {
			const size_t start = out->len;

			if (o->letter)
				jl_buf_printf(out, "  -%c, --%s", o->letter, o->name);
			else
				jl_buf_printf(out, "      --%s", o->name);
			if (o->arg)
				jl_buf_printf(out, "%s%s", arg_optional(o) ? "" : " ", o->arg);
			if (out->len - start + 2 > HELP_COLUMN)
				jl_buf_printf(out, "\n%*s", HELP_COLUMN, "");
			else
				jl_buf_printf(out, "%*s", (int)(HELP_COLUMN - (out->len - start)), "");
			jl_buf_printf(out, "%s\n", o->help);
		}
	}
}
