/* What can come next on a command line: the tables, the manifest and the store, asked in that order. */
#include "complete.h"

#include "lookup.h"
#include "store/find.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The word that is asked for, and what is known of the words before it. */
struct ask {
	struct jl_buf *out;
	const char *word;         /* all of it */
	const char *typed;        /* what is to be completed: the word, or what stands behind "--name=" or "-x" in it */
	struct jl_settings s;     /* as far as the words before say */
	struct jl_lookup lookup;
	enum { CLOSED, OPEN, NONE } state; /* of lookup */
	bool files, folders;      /* were offered */
};

static void offer(struct ask *a, const char *text, const char *help)
{
	const size_t len = strlen(text);

	if (strncmp(text, a->typed, strlen(a->typed)) != 0)
		return;
	/* A line is a candidate: one with a newline or a tab in it cannot be told. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return;
	jl_buf_str(a->out, "word\t");
	jl_buf_add(a->out, a->word, (size_t)(a->typed - a->word));
	jl_buf_printf(a->out, "%s\t", text);
	for (; *help; help++)
		jl_buf_char(a->out, (unsigned char)*help < ' ' ? ' ' : *help);
	jl_buf_char(a->out, '\n');
}

static void offer_kind(struct ask *a, const char *kind)
{
	jl_buf_printf(a->out, "%s\t%zu\n", kind, (size_t)(a->typed - a->word));
}

/* --- what the workspace and the store know ---------------------------------------------------------------------------- */

static struct jl_lookup *lookup(struct ask *a)
{
	if (a->state == CLOSED) {
		const bool there = !a->s.directory || chdir(a->s.directory) == 0;

		a->state = there && jl_lookup_open(&a->lookup, &a->s, NULL) == JL_OK ? OPEN : NONE;
	}
	return a->state == OPEN ? &a->lookup : NULL;
}

static const struct jl_project *project(struct ask *a)
{
	const struct jl_lookup *l = lookup(a);

	return l ? l->project : NULL;
}

static void offer_steps(struct ask *a)
{
	const struct jl_project *p = project(a);
	const char *bracket = strchr(a->typed, '[');

	for (uint32_t i = 0; p && i < p->plan.rules.len; i++) {
		const struct jl_rule *rule = jl_plan_rule(&p->plan, i);
		const char *name = jl_project_text(p, rule->name);

		if (!bracket) {
			offer(a, name, jl_project_text(p, rule->description));
			continue;
		}
		/* One of thousands is asked for by its step. */
		if (!(rule->flags & JL_RULE_FOREACH) || strlen(name) != (size_t)(bracket - a->typed) ||
		    strncmp(name, a->typed, strlen(name)) != 0)
			continue;
		for (uint32_t k = rule->first; k < rule->first + rule->n; k++)
			offer(a, jl_project_text(p, jl_plan_inst(&p->plan, k)->label), "");
	}
}

static bool tagged_before(const struct jl_project *p, uint32_t rules, const char *tag)
{
	for (uint32_t i = 0; i < rules; i++) {
		const struct jl_rule *rule = jl_plan_rule(&p->plan, i);

		for (uint32_t k = 0; k < rule->n_tags; k++)
			if (strcmp(jl_project_text(p, jl_plan_ref(&p->plan, rule->tags + k)), tag) == 0)
				return true;
	}
	return false;
}

static void offer_tags(struct ask *a)
{
	const struct jl_project *p = project(a);
	struct jl_buf word = JL_BUF_INIT;

	for (uint32_t i = 0; p && i < p->plan.rules.len; i++) {
		const struct jl_rule *rule = jl_plan_rule(&p->plan, i);

		for (uint32_t k = 0; k < rule->n_tags; k++) {
			const char *tag = jl_project_text(p, jl_plan_ref(&p->plan, rule->tags + k));

			jl_buf_clear(&word);
			jl_buf_printf(&word, "@%s", tag);
			if (!tagged_before(p, i, tag))
				offer(a, word.data, "steps with this tag");
		}
	}
	jl_buf_release(&word);
}

static void offer_key(void *ctx, const char *key)
{
	offer(ctx, key, "a stored result");
}

static void offer_keys(struct ask *a)
{
	const struct jl_lookup *l = lookup(a);

	if (l)
		jl_store_local_each_key(jl_lookup_store_dir(l), a->typed, offer_key, a);
}

static void offer_vars(struct ask *a)
{
	struct jl_lookup *l = lookup(a);
	struct jl_buf word = JL_BUF_INIT;
	struct jl_manifest *m;

	if (!l || !l->project || jl_project_ast(l->project, &m, NULL) != JL_OK)
		return;
	for (uint32_t i = 0; i < m->n_files; i++) {
		const struct jl_mfile *f = m->files[i];

		for (uint32_t k = 0; k < f->vars.n; k++) {
			jl_buf_clear(&word);
			jl_buf_printf(&word, "%s%.*s=", f->prefix, (int)f->vars.at[k].name.len, f->vars.at[k].name.s);
			offer(a, word.data, "a variable of the manifest");
		}
	}
	jl_buf_release(&word);
}

static void offer_environment(struct ask *a)
{
	struct jl_buf word = JL_BUF_INIT;

	for (char **at = environ; *at; at++) {
		jl_buf_clear(&word);
		jl_buf_add(&word, *at, strcspn(*at, "="));
		offer(a, word.data, "");
	}
	jl_buf_release(&word);
}

static void offer_commands(struct ask *a)
{
	for (const struct jl_command *const *c = jl_commands; *c; c++)
		offer(a, (*c)->name, (*c)->summary);
}

/* --- what a usage text stands for ----------------------------------------------------------------------------------- */

static void offer_files(struct ask *a, bool folders)
{
	if (!a->files && !folders)
		offer_kind(a, "file");
	else if (!a->files && !a->folders)
		offer_kind(a, "folder");
	a->files |= !folders;
	a->folders |= folders;
}

/* One of the words of a text such as "STEP|KEY". */
static void offer_one(struct ask *a, const char *at, size_t len)
{
	char name[32];

	if (len == 0 || len >= sizeof(name))
		return;
	memcpy(name, at, len);
	name[len] = '\0';
	if (strcmp(name, "STEP") == 0)
		offer_steps(a);
	else if (strcmp(name, "@TAG") == 0)
		offer_tags(a);
	else if (strcmp(name, "KEY") == 0)
		offer_keys(a);
	else if (strcmp(name, "COMMAND") == 0)
		offer_commands(a);
	else if (strcmp(name, "VAR") == 0)
		offer_environment(a);
	else if (strcmp(name, "NAME=VALUE") == 0)
		offer_vars(a);
	else if (strcmp(name, "PROGRAM") == 0)
		offer_kind(a, "program");
	else if (strcmp(name, "FILE") == 0 || strcmp(name, "PATH") == 0 || strcmp(name, "TEMPLATE") == 0)
		offer_files(a, false);
	else if (strcmp(name, "DIR") == 0)
		offer_files(a, true);
	else if (name[0] < 'A' || name[0] > 'Z')
		offer(a, name, "");
}

static void offer_any(struct ask *a, const char *text)
{
	while (*text) {
		const size_t len = strcspn(text, "|][ ");

		offer_one(a, text, len);
		if (text[len] != '|')
			break;
		text += len + 1;
	}
}

static void offer_argument(struct ask *a, const struct jl_opt *o)
{
	offer_any(a, o->arg[0] == '[' ? o->arg + 2 : o->arg);
}

/* Operand number `n` of a usage text: "STEP|KEY ...", "KEY|STEP [PATH]", "ls|rm [STEP ...]". */
static void offer_operand(struct ask *a, const char *usage, uint32_t n)
{
	for (uint32_t i = 0; *usage; i++) {
		const char *text = usage + (usage[0] == '[');
		bool repeated;

		usage += strcspn(usage, " ");
		usage += *usage == ' ';
		repeated = strncmp(usage, "...", 3) == 0;
		if (n == i || repeated) {
			offer_any(a, text);
			return;
		}
	}
}

/* --- the word --------------------------------------------------------------------------------------------------------- */

static void offer_options(struct ask *a, const struct jl_opt *const *tables)
{
	struct jl_buf word = JL_BUF_INIT;

	for (; *tables; tables++) {
		for (const struct jl_opt *o = *tables; o->name; o++) {
			jl_buf_clear(&word);
			jl_buf_printf(&word, "-%c", o->letter);
			if (o->letter && !a->word[1])
				offer(a, word.data, o->help);
			jl_buf_clear(&word);
			jl_buf_printf(&word, "--%s", o->name);
			offer(a, word.data, o->help);
		}
	}
	jl_buf_release(&word);
}

static void dashed(struct ask *a, const struct jl_opt *const *tables)
{
	const char *equals = strchr(a->word, '=');
	const struct jl_opt *o;

	if (a->word[1] == '-' && equals) {
		o = jl_opt_long(tables, a->word + 2, (size_t)(equals - a->word) - 2);
		a->typed = equals + 1;
	} else if (a->word[1] && a->word[1] != '-') {
		o = jl_opt_letter(tables, a->word[1]);
		if (o && (!o->arg || o->arg[0] == '['))
			o = NULL;
		a->typed = a->word + 2;
	} else {
		offer_options(a, tables);
		return;
	}
	if (o && o->arg)
		offer_argument(a, o);
}

/* Behind ::: and its kind stand values, not words of the command. */
static bool among_values(const char *const *words, int n)
{
	while (n-- > 0)
		if (strncmp(words[n], ":::", 3) == 0)
			return true;
	return false;
}

static void complete_for(struct ask *a, const struct jl_command *c, const char *const *words, int n)
{
	struct jl_opt_place place;
	struct jl_err err = JL_ERR_INIT;

	jl_opt_place(c->tables, c->prefix, n, words, &place);
	/* Of a line with a fault what stands before it counts. */
	if ((c->prefix ? jl_opt_parse_prefix(c->tables, n, words, &a->s, &a->s.operands, &err)
	               : jl_opt_parse(c->tables, n, words, &a->s, &a->s.operands, &err)) != JL_OK)
		jl_err_clear(&err);
	if (place.option)
		offer_argument(a, place.option);
	else if (!place.ended && a->word[0] == '-')
		dashed(a, c->tables);
	else if (!c->prefix)
		offer_operand(a, c->operands, place.operands);
	else if (among_values(words, n))
		offer_files(a, false);
	else /* the words of jl itself count: the command's name is the first */
		jl_buf_printf(a->out, "command\t%d\n", (place.operands ? place.first : n) + 1);
}

void jl_complete(const char *const *words, uint32_t n, struct jl_buf *out)
{
	struct ask a = {.out = out, .word = words[n - 1], .typed = words[n - 1]};
	const struct jl_command *c = n > 1 ? jl_command_find(words[0]) : NULL;

	if (c) {
		complete_for(&a, c, words + 1, (int)n - 2);
	} else if (n == 1 && a.word[0] == '-') {
		offer_options(&a, jl_opts_main_tables);
	} else if (n == 1) {
		offer_commands(&a);
	}
	if (a.state == OPEN)
		jl_lookup_close(&a.lookup);
	jl_settings_release(&a.s);
}
