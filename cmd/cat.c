/* jl cat: a stored output. */
#include "lookup.h"

#include "base/path.h"
#include "memo/key.h"

#include <string.h>

static const struct jl_opt *const tables[] = {jl_opts_manifest, jl_opts_directory, jl_opts_store, jl_opts_help, NULL};

static int key_of(struct jl_lookup *l, const char *word, struct jl_digest *ret, struct jl_err *err)
{
	const struct jl_result *result;
	uint32_t rule, inst;
	int r = jl_lookup_word(l, word, &rule, &inst, ret, err);

	if (r != JL_OK || rule == JL_NONE)
		return r;
	if (inst == JL_NONE) {
		const struct jl_rule *at = jl_plan_rule(&l->project->plan, rule);

		if (at->flags & JL_RULE_FOREACH)
			return jl_err_set(err, JL_EINVAL, "\"%s\" is many; name one, as in \"%s\"", word,
			                  at->n ? jl_project_text(l->project, jl_plan_inst(&l->project->plan, at->first)->label)
			                        : "STEP[ITEM]");
		if (at->n == 0)
			return jl_err_set(err, JL_ENOTFOUND, "\"%s\" never ran here", word);
		inst = at->first;
	}
	result = jl_lookup_result(l->project, inst);
	if (!result || !(result->flags & JL_RESULT_OK))
		return jl_err_set(err, JL_ENOTFOUND, "\"%s\" has no result yet", word);
	*ret = result->key;
	return JL_OK;
}

static const struct jl_record_output *find(const struct jl_record *r, const char *path)
{
	for (uint32_t i = 0; i < r->n_outputs; i++)
		if (strcmp(r->outputs[i].path, path) == 0)
			return &r->outputs[i];
	return NULL;
}

/* By its path in the workspace, or as it is called from the current folder. */
static const struct jl_record_output *find_output(const struct jl_lookup *l, const struct jl_record *r, const char *path)
{
	const struct jl_record_output *o;
	struct jl_buf clean = JL_BUF_INIT;

	jl_path_join(&clean, "", path);
	o = find(r, clean.data);
	if (!o && l->project) {
		jl_buf_clear(&clean);
		jl_path_join(&clean, l->opts.cwd, path);
		if (jl_path_inside(clean.data, l->project->root))
			o = find(r, clean.data + strlen(l->project->root) + (strcmp(l->project->root, "/") != 0));
	}
	jl_buf_release(&clean);
	return o;
}

/* A depfile that is no output by declaration: it is not what somebody wants who names no path. */
static bool is_depfile(const struct jl_record *r, const char *path)
{
	struct jl_cur cur = {r->manifest, (const uint8_t *)r->manifest + r->manifest_len, 0};
	struct jl_piece_view v;

	while (jl_key_next(&cur, &v)) {
		if (v.type == JL_PIECE_OUTPUT && v.value_len == 7 && memcmp(v.value, "depfile", 7) == 0 &&
		    v.name_len == strlen(path) && memcmp(v.name, path, v.name_len) == 0)
			return true;
	}
	return false;
}

/* Without a path: the one file there is. NULL with *ret_n == 0: there is none. */
static const struct jl_record_output *only_output(const struct jl_record *r, uint32_t *ret_n)
{
	const struct jl_record_output *only = NULL;

	*ret_n = 0;
	for (uint32_t i = 0; i < r->n_outputs; i++) {
		if (r->outputs[i].kind == JL_KIND_DIR || is_depfile(r, r->outputs[i].path))
			continue;
		only = &r->outputs[i];
		++*ret_n;
	}
	return *ret_n == 1 ? only : NULL;
}

static int many(const struct jl_record *r, uint32_t n, struct jl_err *err)
{
	struct jl_buf names = JL_BUF_INIT;
	int status;

	for (uint32_t i = 0; i < r->n_outputs && names.len < 500; i++)
		if (r->outputs[i].kind != JL_KIND_DIR)
			jl_buf_printf(&names, " %s", r->outputs[i].path);
	status = jl_err_set(err, JL_EINVAL, "there are %u outputs; name one:%s", n, names.data);
	jl_buf_release(&names);
	return status;
}

static int show(struct jl_lookup *l, const struct jl_record *r, const char *path, struct jl_err *err)
{
	const struct jl_record_output *o;
	struct jl_bytes b = {0};
	uint32_t n = 1;
	int status;

	o = path ? find_output(l, r, path) : only_output(r, &n);
	if (!o && path)
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no output of this result", path);
	if (!o && n)
		return many(r, n, err);
	if (!o)
		return jl_lookup_show_log(l, r, true, err);
	if (o->kind == JL_KIND_DIR)
		return jl_err_set(err, JL_EINVAL, "\"%s\" is a folder; name a file in it", path);
	status = jl_lookup_content(l, &o->content, &b, err);
	if (status == JL_OK)
		status = jl_print(b.data, b.len, err);
	jl_bytes_release(&b);
	return status;
}

static int run(struct jl_settings *s)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_record *record = NULL;
	struct jl_digest key;
	struct jl_lookup l;
	int r = jl_lookup_open(&l, s, &err);

	if (r == JL_OK)
		r = key_of(&l, s->operands.at[0], &key, &err);
	if (r == JL_OK)
		r = jl_lookup_record(&l, &key, &record, &err);
	if (r == JL_OK)
		r = show(&l, record, s->operands.n > 1 ? s->operands.at[1] : NULL, &err);
	jl_record_free(record);
	jl_lookup_close(&l);
	return r == JL_OK ? JL_EXIT_OK : jl_say_error(&err);
}

const struct jl_command jl_command_cat = {
	.name = "cat",
	.operands = "KEY|STEP [PATH]",
	.summary = "Write a stored output (or stdout) to stdout",
	.about = "Without PATH: the only output file, or what the step printed on stdout if it has\n"
		 "no outputs. KEY is at least the first 8 digits of a key.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = 2,
	.run = run,
};
