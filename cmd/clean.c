/* jl clean: take away outputs that jl made and nobody changed. */
#include "cmd.h"

#include "base/path.h"
#include "run/project.h"

#include <string.h>

#define AT(field) offsetof(struct jl_settings, field)

static const struct jl_opt opts[] = {
	{"orphans", 0, NULL, "those that belong to no step of the manifest any more", JL_OPT_FLAG, AT(orphans), 0},
	{"dry-run", 'n', NULL, "only say what would be done", JL_OPT_FLAG, AT(dry_run), 0},
	{"no-wait", 0, NULL, "fail rather than wait for another run here", JL_OPT_FLAG, AT(no_wait), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts, jl_opts_manifest, jl_opts_directory, jl_opts_help, NULL};

struct told {
	struct jl_buf out;
	bool dry_run;
};

static void removed(void *ctx, const char *path, bool kept)
{
	struct told *t = ctx;

	jl_buf_str(&t->out, kept ? "kept, as it was changed: " : t->dry_run ? "would remove " : "removed ");
	jl_path_show(&t->out, path, strlen(path));
	jl_buf_char(&t->out, '\n');
}

static void waiting(void *ctx, const char *holder)
{
	(void)ctx;
	jl_say("waiting for another run in this workspace: %s", holder);
}

static int run(struct jl_settings *s)
{
	struct told told = {.out = JL_BUF_INIT, .dry_run = s->dry_run};
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_project *p = NULL;
	struct jl_run_opts o;
	int status, printed;

	if (s->orphans && s->operands.n) {
		jl_say("clean: --orphans belong to no step: name none, not \"%s\"", s->operands.at[0]);
		return JL_EXIT_USAGE;
	}
	if (jl_settings_run_opts(s, &arena, &o, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	o.waiting = waiting;
	if (jl_project_open(&o, !s->dry_run, &p, &msgs, &err) != JL_OK) {
		p = NULL;
		status = jl_say_fault(&msgs, &err);
		goto out;
	}
	jl_say_messages(&msgs);
	status = JL_EXIT_OK;
	if (jl_project_clean(p, s->operands.at, s->operands.n, s->orphans, s->dry_run, removed, &told, &err) != JL_OK)
		status = jl_say_error(&err);
	printed = jl_print_buf(&told.out);
	if (status == JL_EXIT_OK)
		status = printed;
out:
	if (jl_project_close(p, &err) != JL_OK)
		status = jl_say_error(&err);
	jl_buf_release(&told.out);
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return status;
}

const struct jl_command jl_command_clean = {
	.name = "clean",
	.operands = "[STEP ...]",
	.summary = "Take away outputs that jl made and nobody changed",
	.about = "Of the steps named, of all without one. What somebody changed stays and is told;\n"
		 "so do the results in the store: the next run restores them.\n",
	.tables = tables,
	.max_operands = UINT32_MAX,
	.run = run,
};
