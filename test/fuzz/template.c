/* Any text as a template, in a place with everything that a template may name. The first byte says where it stands; what it
 * gives must fit together. A faulty text must be refused with a message. */
#include "base/map.h"
#include "manifest/template.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(text) {.s = (text), .len = sizeof(text) - 1}

static const char *get_env(void *ctx, const char *name)
{
	(void)ctx;
	return name[0] == 'N' ? NULL : name;
}

static const char *var_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_var *vars = owner;

	*ret_len = vars[index].name.len;
	return vars[index].name.s;
}

static void count_env(void *ctx, const char *name)
{
	*(size_t *)ctx += strlen(name) > 0;
}

static uint32_t count_words(const struct jl_buf *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < out->len; i++)
		n += out->data[i] == '\0';
	return n;
}

static void evaluate(const struct jl_template *t, const struct jl_scope *scope, struct jl_messages *msgs)
{
	const char *fixed = jl_template_fixed(t);
	struct jl_buf out;
	uint32_t n = 0;
	size_t names = 0;

	jl_buf_init(&out, (size_t)1 << 20);
	if (jl_template_eval(t, scope, JL_TMPL_PLAIN, &out, msgs) == JL_OK)
		jl_bug_if(fixed && (out.len != strlen(fixed) || memcmp(out.data, fixed, out.len) != 0));
	else
		jl_bug_if(fixed || msgs->errors == 0);
	jl_buf_clear(&out);
	(void)!jl_template_eval(t, scope, JL_TMPL_SHELL, &out, msgs);
	for (int split = 0; split < 2; split++) {
		jl_buf_clear(&out);
		n = 0;
		if (jl_template_words(t, scope, split, &out, &n, msgs) == JL_OK)
			jl_bug_if(count_words(&out) != n);
	}
	jl_buf_clear(&out);
	(void)!jl_template_pattern(t, scope, &out);
	jl_template_env(t, count_env, &names);
	jl_bug_if(fixed && (names || jl_template_uses_item(t) || jl_template_uses_jobs(t)));
	(void)jl_template_first_word(t);
	jl_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ins[] = {"data/a b.csv", "it's", ".x"}, *const in_names[] = {NULL, "ref", "ref"};
	static const char *const outs[] = {"out/"};
	static struct jl_mtext keys[] = {TEXT("name"), TEXT("day")}, values[] = {TEXT("a/b.c"), TEXT("$(x)")};
	static struct jl_value items[] = {{.text = TEXT("parts/p q.x")}, {.keys = keys, .values = values, .n_keys = 2}};
	struct jl_arena arena = {0};
	struct jl_messages msgs = {0};
	struct jl_var vars[] = {{.name = TEXT("level")}, {.name = TEXT("both")}};
	struct jl_scope scope = {.getenv = get_env,
				 .step = "s",
				 .jobs = 2,
				 .inputs = {.at = ins, .names = in_names, .n = 3},
				 .outputs = {.at = outs, .n = 1}};
	struct jl_mtext level = TEXT("3 4"), both = TEXT("${{ vars.level }}-${{ env.HOME }}"), text;
	struct jl_vars list = {.at = vars, .n = 2};
	struct jl_map by_name;
	struct jl_template *t;
	unsigned mode;
	char *copy;

	if (size == 0 || memchr(data, '\0', size))
		return 0;
	mode = *data++;
	size--;
	copy = jl_calloc(1, size + 1);
	memcpy(copy, data, size);
	jl_map_init(&by_name, var_key, vars);
	for (uint32_t i = 0; i < 2; i++)
		jl_map_put(&by_name, vars[i].name.s, vars[i].name.len, i);
	vars[0].value = jl_template_parse(&arena, &level, NULL, JL_TMPL_VARS, false, &msgs);
	vars[1].value = jl_template_parse(&arena, &both, NULL, JL_TMPL_VARS, false, &msgs);
	jl_bug_if(!jl_template_check(vars[1].value, &list, &by_name, NULL, &msgs) || msgs.errors);

	text = (struct jl_mtext){.s = copy, .len = (uint32_t)size, .mark = {.file = "m.yaml", .line = 1, .column = 1}};
	t = jl_template_parse(&arena, &text, NULL, mode & 7, mode & 8, &msgs);
	jl_bug_if(!t && msgs.errors == 0);
	if (t && jl_template_check(t, &list, &by_name, NULL, &msgs)) {
		scope.item = mode & JL_TMPL_ITEM ? &items[mode >> 4 & 1] : NULL;
		evaluate(t, &scope, &msgs);
	}
	jl_map_release(&by_name);
	jl_arena_release(&arena);
	jl_messages_release(&msgs);
	free(copy);
	return 0;
}
