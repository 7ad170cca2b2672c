/* Where commands of map and memo run, by --hosts and --executor. */
#include "hosted.h"

#include "run/project.h"

#include <string.h>

#define AT(field) offsetof(struct jl_settings, field)

const struct jl_opt jl_opts_executor[] = {
	{"executor", 0, "NAME", "run on the hosts of that executor of the manifest, or local", JL_OPT_TEXT, AT(executor), 0},
	{0},
};

/* The executors are those of the manifest that jl run would find here. */
static int of_manifest(const struct jl_settings *s, struct jl_hosted *h, struct jl_err *err)
{
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_project *p = NULL;
	struct jl_manifest *m;
	struct jl_run_opts o;
	int r = jl_settings_run_opts(s, &arena, &o, err);

	o.n_targets = 0;
	if (r == JL_OK)
		r = jl_project_open(&o, false, &p, &msgs, err);
	if (r == JL_OK)
		r = jl_project_ast(p, &m, err);
	if (r == JL_OK)
		r = jl_hosted_executor(h, m, s->executor, s->jobs, (const char *const *)environ, err);
	else if (msgs.errors)
		r = jl_err_set(err, JL_EINVAL, "%s:%u:%u: %s", msgs.at[0].mark.file, msgs.at[0].mark.line,
			       msgs.at[0].mark.column, msgs.at[0].text);
	if (jl_project_close(p, r == JL_OK ? err : NULL) != JL_OK && r == JL_OK)
		r = err->status;
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return r == JL_OK ? r : jl_err_add(err, "option \"--executor\"");
}

int jl_settings_hosted(const struct jl_settings *s, struct jl_hosted *h, struct jl_hosted **ret, struct jl_err *err)
{
	const char *const *env = (const char *const *)environ;
	int r = JL_OK;

	*ret = NULL;
	if (s->executor && s->map.hosts.n)
		return jl_err_set(err, JL_EINVAL, "--hosts and --executor exclude each other");
	if (s->map.hosts.n) {
		r = jl_hosted_list(h, s->map.hosts.at, s->map.hosts.n, s->jobs, env, err);
		if (r != JL_OK)
			return jl_err_add(err, "option \"--hosts\"");
	} else if (s->executor && strcmp(s->executor, "local") != 0) {
		r = of_manifest(s, h, err);
	} else {
		return JL_OK;
	}
	jl_hosted_env(h, s->memo.env.at, s->memo.env.n, env);
	*ret = h;
	return r;
}
