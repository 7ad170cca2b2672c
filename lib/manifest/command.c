/* `command`: a list of words, or a text that make's rule sends to the shell or splits. */
#include "manifest/reader.h"
#include "manifest/shell.h"

#include <stdlib.h>
#include <string.h>

#define ALL (JL_TMPL_VARS | JL_TMPL_ITEM | JL_TMPL_PORTS)

/* The text with each hole as letters, so that blanks and brackets inside holes do not count. NULL if a hole asks for raw(),
 * whose value may mean something to a shell, or is not closed. */
static char *mask_holes(const struct jl_mtext *text)
{
	char *masked = jl_strndup(text->s, text->len), *at = masked;

	while ((at = strstr(at, "${{")) != NULL) {
		char *close = strstr(at, "}}"), *name = at + 3;

		if (at > masked && at[-1] == '$') {
			at += 3;
			continue;
		}
		name += strspn(name, " \t\n");
		if (!close || strncmp(name, "raw", 3) == 0) {
			free(masked);
			return NULL;
		}
		memset(at, 'x', (size_t)(close + 2 - at));
		at = close + 2;
	}
	return masked;
}

static void add_word(struct jl_reader *r, const struct jl_yaml *node, const struct jl_mtext *text, size_t base,
		     struct jl_step *step)
{
	struct jl_template *t = jl_read_template(r, node, text, base, ALL, false);

	if (t)
		step->argv[step->n_argv++] = t;
}

struct uses {
	struct jl_reader *r;
	const struct jl_yaml *node;
	struct jl_mtexts *list;
	uint32_t cap;
};

static void add_use(void *ctx, const char *name, size_t len, size_t offset)
{
	struct uses *u = ctx;
	struct jl_mtexts *list = u->list;

	for (uint32_t i = 0; i < list->n; i++) {
		if (list->at[i].len == len && memcmp(list->at[i].s, name, len) == 0)
			return;
	}
	if (list->n == u->cap) {
		struct jl_mtext *at = jl_arena_alloc(&u->r->m->arena, (u->cap = u->cap ? u->cap * 2 : 4) * sizeof(*at));

		if (list->n > 0)
			memcpy(at, list->at, list->n * sizeof(*at));
		list->at = at;
	}
	list->at[list->n++] = (struct jl_mtext){.s = jl_arena_strndup(&u->r->m->arena, name, len),
						.len = (uint32_t)len,
						.mark = jl_yaml_place(u->r->doc, u->node, offset)};
}

static void read_text(struct jl_reader *r, const struct jl_yaml *node, struct jl_step *step)
{
	struct jl_mtext text = jl_read_copy(r, node);
	char *masked = mask_holes(&text), *s;
	uint32_t words = 0;

	if (!masked || jl_shell_needed(masked)) {
		struct uses uses = {.r = r, .node = node, .list = &step->uses};

		step->script = jl_read_template(r, node, &text, 0, ALL, true);
		jl_shell_uses(text.s, text.len, add_use, &uses);
		free(masked);
		return;
	}
	for (s = masked; *(s += strspn(s, " \t")); s += strcspn(s, " \t"))
		words++;
	step->argv = jl_arena_alloc(&r->m->arena, words * sizeof(*step->argv));
	step->argv_split = true;
	s = masked;
	while (*(s += strspn(s, " \t"))) {
		size_t from = (size_t)(s - masked), len = strcspn(s, " \t");
		struct jl_mtext word = {.s = text.s + from, .len = (uint32_t)len, .mark = text.mark};

		/* The copy is ours: its blanks become the ends of the words. */
		((char *)(uintptr_t)text.s)[from + len] = '\0';
		add_word(r, node, &word, from, step);
		s += len;
	}
	free(masked);
}

void jl_read_command(struct jl_reader *r, const struct jl_yaml *node, const char *key, struct jl_step *step)
{
	const char *s = node->kind == JL_YAML_SCALAR ? node->s : "";

	step->command_mark = jl_read_mark(r, node);
	if (node->kind == JL_YAML_MAP) {
		jl_read_wrong_type(r, node, key, "a text or a list of words");
		return;
	}
	if (node->kind == JL_YAML_SCALAR && !jl_read_is_empty(node) && s[strspn(s, " \t\n")] != '\0') {
		read_text(r, node, step);
		return;
	}
	if (node->n == 0 || node->kind == JL_YAML_SCALAR) {
		jl_read_fault(r, node, "the command is empty; say what to run");
		return;
	}
	step->argv = jl_arena_alloc(&r->m->arena, node->n * sizeof(*step->argv));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *word = &node->at[i];
		struct jl_mtext text;

		if (word->kind != JL_YAML_SCALAR) {
			jl_read_fault(r, word, "a word of a command must be a text, not %s", jl_yaml_what(word));
			continue;
		}
		if (i == 0 && jl_read_is_empty(word)) {
			jl_read_fault(r, word, "the command is empty; say what to run");
			continue;
		}
		text = jl_read_copy(r, word);
		add_word(r, word, &text, 0, step);
	}
}
