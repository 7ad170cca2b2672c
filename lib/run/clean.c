/* Taking outputs away on request: see jl_project_clean in project.h. Only what the state proves jl made and nobody changed. */
#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "run/expand.h"
#include "run/ports.h"
#include "run/project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct clean {
	struct jl_project *p;
	bool dry_run;
	void (*removed)(void *ctx, const char *path, bool kept);
	void *ctx;
	struct jl_table folders; /* uint32_t: to be taken away when they are empty, deepest last */
};

static int clean_file(struct clean *c, uint32_t id, struct jl_err *err)
{
	struct jl_files *files = &c->p->state->files;
	const char *path = jl_files_path(files, id);
	if (jl_files_dropped(files, id)) /* it is not on the disk */
		return JL_OK;
	bool was_made = jl_file_at(files, id)->flags & JL_FILE_MADE;
	int fd, r = jl_files_digest(files, id, err);
	if (r != JL_OK)
		return r;
	enum jl_kind kind = jl_file_kind(jl_file_at(files, id));
	if (kind == JL_KIND_DIR) {
		if (!c->dry_run)
			jl_ports_make_writable(files, id);
		*(uint32_t *)jl_table_add(&c->folders, 1) = id;
		return JL_OK;
	}
	if (kind == JL_KIND_ABSENT)
		return JL_OK;
	if (!(jl_file_at(files, id)->flags & JL_FILE_MADE) || kind == JL_KIND_OTHER) {
		if (was_made || kind != JL_KIND_OTHER)
			c->removed(c->ctx, path, true);
		return JL_OK;
	}
	if (!c->dry_run) {
		size_t base = jl_path_base(path, strlen(path));
		char *dir = base > 1 ? jl_strndup(path, base - 1) : jl_strdup(".");
		fd = jl_file_open_beneath(files->root_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		free(dir);
		if (fd < 0 || (unlinkat(fd, path + base, 0) != 0 && errno != ENOENT))
			r = jl_err_sys(err, errno, "cannot remove \"%s\"", path);
		if (fd >= 0)
			close(fd);
		jl_files_set_made(files, id, false);
		jl_files_forget(files, id, false);
	}
	if (r == JL_OK)
		c->removed(c->ctx, path, false);
	return r;
}

static int clean_inst(struct clean *c, uint32_t inst, struct jl_err *err)
{
	struct jl_project *p = c->p;
	struct jl_files *files = &p->state->files;
	const struct jl_inst t = *jl_plan_inst(&p->plan, inst);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	int r = JL_OK;
	for (uint32_t i = t.outs; i < t.outs + t.n_outs && r == JL_OK; i++) {
		const struct jl_pport port = *jl_plan_port(&p->plan, i);
		ids.len = 0;
		if (port.flags & JL_PORT_EXCLUDE)
			continue;
		if (port.flags & JL_PORT_GLOB)
			r = jl_files_glob(files, jl_project_text(p, port.what), &ids, err);
		else
			r = clean_file(c, port.what, err);
		if (r == JL_OK && (port.flags & JL_PORT_FOLDER))
			r = jl_files_tree(files, port.what, &ids, err);
		for (uint32_t k = 0; k < ids.len && r == JL_OK; k++)
			r = clean_file(c, *JL_AT(ids, uint32_t, k), err);
	}
	jl_table_release(&ids);
	return r;
}

/* What a step made whose `if` is false for now is no orphan. */
static bool of_off_rule(const struct jl_project *p, const char *path)
{
	for (uint32_t i = 0; i < p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&p->plan, i);
		for (uint32_t k = 0; (r->flags & (JL_RULE_OFF | JL_RULE_SOME_OFF)) && k < r->n_makes; k++)
			if (jl_glob_match(jl_project_text(p, jl_plan_ref(&p->plan, r->makes + k)), path))
				return true;
	}
	return false;
}

static int clean_orphans(struct clean *c, struct jl_err *err)
{
	struct jl_project *p = c->p;
	int r = JL_OK;
	for (uint32_t id = 0, n = p->state->files.at.len; id < n && r == JL_OK; id++)
		if ((jl_file_at(&p->state->files, id)->flags & JL_FILE_MADE) && jl_expand_maker(p, id) == JL_NONE &&
		    !of_off_rule(p, jl_files_path(&p->state->files, id)))
			r = clean_file(c, id, err);
	return r;
}

static int clean_word(struct clean *c, const char *word, struct jl_err *err)
{
	uint32_t rule = JL_NONE, inst = JL_NONE;
	int r = jl_project_find(c->p, word, &rule, &inst, err);
	if (r != JL_OK || inst != JL_NONE)
		return r == JL_OK ? clean_inst(c, inst, err) : r;
	const struct jl_rule rl = *jl_plan_rule(&c->p->plan, rule);
	for (uint32_t i = rl.first; i < rl.first + rl.n && r == JL_OK; i++)
		r = clean_inst(c, i, err);
	return r;
}

int jl_project_clean(struct jl_project *p, const char *const *words, uint32_t n_words, bool orphans, bool dry_run,
		     void (*removed)(void *ctx, const char *path, bool kept), void *ctx, struct jl_err *err)
{
	struct clean c = {
		.p = p, .dry_run = dry_run, .removed = removed, .ctx = ctx, .folders = JL_TABLE_INIT(uint32_t)};
	int r = JL_OK;
	/* Late rules: their last expansion is what they made. */
	for (uint32_t i = 0; i < p->plan.rules.len && r == JL_OK; i++)
		if (jl_plan_rule(&p->plan, i)->flags & JL_RULE_LATE &&
		    jl_plan_rule(&p->plan, i)->flags & JL_RULE_EXPANDED)
			r = jl_ports_claim(p, i, false);
	if (r == JL_OK && orphans)
		r = clean_orphans(&c, err);
	for (uint32_t i = 0; i < n_words && r == JL_OK; i++)
		r = clean_word(&c, words[i], err);
	for (uint32_t i = 0; !orphans && n_words == 0 && i < p->plan.insts.len && r == JL_OK; i++)
		if (!(jl_plan_inst(&p->plan, i)->flags & JL_INST_DEAD))
			r = clean_inst(&c, i, err);
	/* Folders that are empty by now: deepest first, as they were listed from the top. */
	for (uint32_t i = c.folders.len; i-- > 0 && !dry_run;)
		unlinkat(p->state->root_fd, jl_files_path(&p->state->files, *JL_AT(c.folders, uint32_t, i)),
			 AT_REMOVEDIR);
	jl_table_release(&c.folders);
	return r;
}
