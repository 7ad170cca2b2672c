/* Any bytes as a manifest: messages or a manifest whose templates can be worked out, never a crash. */
#include "manifest/manifest.h"
#include "manifest/template.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get_env(void *ctx, const char *name)
{
	(void)ctx;
	return name[0] == 'N' ? NULL : name;
}

static void evaluate(const struct jl_template *t, const struct jl_scope *scope, struct jl_messages *msgs)
{
	struct jl_buf out;
	uint32_t n = 0;

	if (!t)
		return;
	jl_buf_init(&out, (size_t)1 << 20);
	(void)!jl_template_eval(t, scope, JL_TMPL_SHELL, &out, msgs);
	jl_buf_clear(&out);
	(void)!jl_template_words(t, scope, true, &out, &n, msgs);
	jl_buf_clear(&out);
	jl_template_pattern(t, scope, &out);
	jl_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = {"a/b.c", "it's"};
	static const struct jl_var_override override = {"level", "9"};
	struct jl_messages msgs = {0};
	struct jl_manifest *m = NULL;
	struct jl_scope scope = {.getenv = get_env,
				 .step = "s",
				 .jobs = 2,
				 .inputs = {.at = words, .n = 2},
				 .outputs = {.at = words, .n = 1}};
	uint32_t n_overrides = size > 0 && data[0] == '#';
	int rc = jl_manifest_read("m.yaml", (const char *)data, size, NULL, &override, n_overrides, &m, &msgs);

	jl_bug_if((rc == JL_OK) != (m != NULL) || (rc != JL_OK && msgs.errors == 0) || msgs.n > 21);
	for (uint32_t i = 0; m && i < m->n_steps && i < 100; i++) {
		const struct jl_step *s = &m->steps[i];

		scope.manifest = m;
		scope.item = s->foreach.n ? s->foreach.list : NULL;
		for (uint32_t k = 0; k < s->n_argv && k < 100; k++)
			evaluate(s->argv[k], &scope, &msgs);
		evaluate(s->script, &scope, &msgs);
		evaluate(s->workdir, &scope, &msgs);
		for (uint32_t k = 0; k < s->inputs.n && k < 100; k++)
			evaluate(s->inputs.at[k].path, &scope, &msgs);
		for (uint32_t k = 0; k < s->env.n && k < 100; k++)
			evaluate(s->env.at[k].value, &scope, &msgs);
	}
	jl_manifest_free(m);
	jl_messages_release(&msgs);
	return 0;
}
