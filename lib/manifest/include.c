/* `include`: which files are read behind the present one, and under which prefix. */
#include "manifest/reader.h"

#include "base/path.h"

#include <string.h>

#define FILES_MAX 1000u /* each may be included under several names, so that few files can mean very many */

static void add(struct jl_reader *r, const struct jl_mtext *file, const struct jl_mtext *as)
{
	struct jl_include *inc = jl_table_add(&r->includes, 1);

	*inc = (struct jl_include){.file = *file, .by = r->file};
	if (as)
		inc->as = *as;
}

static void read_mapping(struct jl_reader *r, const struct jl_yaml *node)
{
	struct jl_include_keys keys = {0};
	uint32_t errors = r->msgs->errors;

	jl_read_map(r, node, JL_IN_INCLUDE, &keys);
	if (r->msgs->errors > errors)
		return;
	if (!keys.file.s || keys.file.len == 0) {
		jl_read_fault(r, node, "an include needs a file; write {file: PATH, as: NAME}");
		return;
	}
	if (keys.as.s && !jl_read_is_name(keys.as.s)) {
		jl_messages_add(r->msgs, keys.as.mark, false,
				"\"as\" wants a name of letters, digits, _ . -, not \"%s\"",
				jl_messages_show(r->msgs, keys.as.s));
		return;
	}
	add(r, &keys.file, keys.as.s ? &keys.as : NULL);
}

void jl_read_include(struct jl_reader *r, const struct jl_yaml *node)
{
	const struct jl_yaml *at = node->kind == JL_YAML_LIST ? node->at : node;
	uint32_t n = node->kind == JL_YAML_LIST ? node->n : 1;
	struct jl_mtext text;

	for (uint32_t i = 0; i < n; i++) {
		if (at[i].kind == JL_YAML_MAP)
			read_mapping(r, &at[i]);
		else if (at[i].kind == JL_YAML_LIST || jl_read_is_empty(&at[i]))
			jl_read_wrong_type(r, &at[i], "include", "files, or {file: PATH, as: NAME}");
		else if (jl_read_text(r, &at[i], "include", &text))
			add(r, &text, NULL);
	}
}

static bool in_cycle(struct jl_reader *r, const struct jl_include *inc, const char *path)
{
	for (const struct jl_mfile *f = inc->by; f; f = f->by) {
		if (strcmp(f->path, path) != 0)
			continue;
		jl_messages_add(r->msgs, inc->file.mark, false, "\"%s\" includes itself%s; take one of them out",
				jl_messages_show(r->msgs, path), f == inc->by ? "" : " by way of others");
		return true;
	}
	return false;
}

/* Two files may include a third: it is there once for each prefix. */
static bool is_there(const struct jl_reader *r, const char *path, const char *prefix)
{
	for (uint32_t i = 0; i < r->files.len; i++) {
		const struct jl_mfile *f = *JL_AT(r->files, struct jl_mfile *, i);

		if (strcmp(f->path, path) == 0 && strcmp(f->prefix, prefix) == 0)
			return true;
	}
	return false;
}

static struct jl_mfile *make_file(struct jl_reader *r, const struct jl_include *inc, const char *path)
{
	struct jl_mfile *file = jl_arena_alloc(&r->m->arena, sizeof(*file));
	struct jl_buf b = JL_BUF_INIT;
	size_t base = jl_path_base(path, strlen(path));

	file->by = inc->by;
	file->path = jl_arena_strdup(&r->m->arena, path);
	file->dir = base > 1 ? jl_arena_strndup(&r->m->arena, path, base - 1) : "";
	file->prefix = inc->as.s ? jl_arena_printf(&r->m->arena, "%s%s:", inc->by->prefix, inc->as.s) : inc->by->prefix;
	/* Named from where the user named the top. */
	jl_buf_add(&b, r->m->file, jl_path_base(r->m->file, strlen(r->m->file)));
	jl_buf_str(&b, path);
	file->name = jl_arena_strdup(&r->m->arena, b.data);
	jl_buf_release(&b);
	return file;
}

static struct jl_mfile *take(struct jl_reader *r, const struct jl_include *inc, const struct jl_manifest_source *source,
			     struct jl_buf *text)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf path = JL_BUF_INIT;
	struct jl_mfile *file = NULL;
	const char *shown;
	int rc;

	jl_path_join(&path, inc->by->dir, inc->file.s);
	shown = jl_messages_show(r->msgs, path.data);
	if (jl_path_escapes(path.data) || !source) {
		jl_messages_add(r->msgs, inc->file.mark, false,
				"cannot include \"%s\": it is outside the workspace, the folder of the first manifest",
				shown);
		goto out;
	}
	if (in_cycle(r, inc, path.data))
		goto out;
	file = make_file(r, inc, path.data);
	if (is_there(r, file->path, file->prefix)) {
		file = NULL;
		goto out;
	}
	jl_buf_clear(text);
	rc = source->read(source->ctx, file->path, text, &err);
	if (rc != JL_OK) {
		jl_messages_add(r->msgs, inc->file.mark, false, "cannot include \"%s\": %s", shown,
				rc == JL_ENOTFOUND ? "there is no such file" : err.text);
		file = NULL;
	}
out:
	jl_buf_release(&path);
	return file;
}

bool jl_read_next_include(struct jl_reader *r, const struct jl_manifest_source *source, struct jl_mfile **ret,
			  struct jl_buf *text)
{
	while (r->next_include < r->includes.len) {
		struct jl_include inc = *JL_AT(r->includes, struct jl_include, r->next_include++);
		struct jl_mfile *file;

		if (r->files.len == FILES_MAX) {
			jl_messages_add(r->msgs, inc.file.mark, false, "more than 1000 files are included");
			return false;
		}
		file = take(r, &inc, source, text);
		if (file) {
			*ret = file;
			return true;
		}
	}
	return false;
}
