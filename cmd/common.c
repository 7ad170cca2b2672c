/* Options that several commands take, and what they and the environment come to. */
#include "cmd.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct jl_settings, field)

#define CONFIG_MAX ((size_t)1 << 20)

const struct jl_opt jl_opts_help[] = {
	{"help", 'h', NULL, "show this and exit", JL_OPT_FLAG, AT(help), 0},
	{0},
};

const struct jl_opt jl_opts_directory[] = {
	{"directory", 'C', "DIR", "work as if started in DIR", JL_OPT_TEXT, AT(directory), 0},
	{0},
};

const struct jl_opt jl_opts_manifest[] = {
	{"file", 'f', "FILE", "the manifest (default: joblib.yaml here or above)", JL_OPT_TEXT, AT(manifest), 0},
	{"var", 0, "NAME=VALUE", "override a variable of the manifest", JL_OPT_LIST, AT(vars), 0},
	{0},
};

const struct jl_opt jl_opts_store[] = {
	{"store", 0, "DIR", "the store (default: $JL_STORE, else ~/.cache/jl)", JL_OPT_TEXT, AT(store), 0},
	{0},
};

const struct jl_opt jl_opts_max_size[] = {
	{"max-size", 0, "SIZE", "what the store may take (default: $JL_MAX_SIZE, else 10GiB)", JL_OPT_TEXT, AT(max_size), 0},
	{0},
};

const struct jl_opt jl_opts_common[] = {
	{"jobs", 'j', "N", "run N steps at once: 4, 50%, -1 (all), -2, auto", JL_OPT_JOBS, AT(jobs), 0},
	{"cache", 0, "rw|ro|wo|off", "use and fill the store, or only one of both", JL_OPT_CHOICE, AT(cache), 0},
	{"timeout", 0, "DUR", "end a step after that time: 90s, 5m, 2h", JL_OPT_DURATION, AT(timeout_ns), 0},
	{"kill-after", 0, "DUR", "from TERM to KILL (default: 10s)", JL_OPT_DURATION, AT(kill_after_ns), 0},
	{"retries", 0, "N", "after a failure try so many times more", JL_OPT_NUMBER, AT(retries), 0},
	{"progress", 0, "auto|bar|plain|none", "how to show that it goes on", JL_OPT_CHOICE, AT(progress), 0},
	{"quiet", 'q', NULL, "say nothing unless something failed", JL_OPT_FLAG, AT(quiet), 0},
	{"verbose", 'v', NULL, "say each step; twice: fresh ones too", JL_OPT_COUNT, AT(verbose), 0},
	{"color", 0, "auto|always|never", "colours (default: on a terminal, unless $NO_COLOR)", JL_OPT_CHOICE, AT(color), 0},
	{"events", 0, "FILE", "write events as JSON lines; \"-\" is stdout", JL_OPT_TEXT, AT(events), 0},
	{0},
};

const struct jl_opt jl_opts_reports[] = {
	{"junit", 0, "FILE", "write what came of each as JUnit XML", JL_OPT_TEXT, AT(junit), 0},
	{"trace", 0, "FILE", "write when each ran as a Chrome trace", JL_OPT_TEXT, AT(trace), 0},
	{0},
};

void jl_settings_release(struct jl_settings *s)
{
	jl_opt_list_release(&s->operands);
	jl_opt_list_release(&s->vars);
	jl_opt_list_release(&s->force_steps);
	jl_opt_list_release(&s->map.files);
	jl_opt_list_release(&s->map.hosts);
	jl_opt_list_release(&s->memo.inputs);
	jl_opt_list_release(&s->memo.outputs);
	jl_opt_list_release(&s->memo.env);
	jl_opt_list_release(&s->memo.tools);
	jl_opt_list_release(&s->memo.ignore);
}

static int absolute(struct jl_arena *arena, const char *cwd, const char *path, const char **ret, struct jl_err *err)
{
	struct jl_buf b = JL_BUF_INIT;

	if (jl_path_join(&b, cwd, path) != JL_OK) {
		jl_buf_release(&b);
		return jl_err_set(err, JL_ELIMIT, "the path \"%.40s...\" is too long", path);
	}
	*ret = jl_arena_strndup(arena, b.data, b.len);
	jl_buf_release(&b);
	return JL_OK;
}

static const char *home_dir(void)
{
	const char *home = getenv("HOME");

	if (!home || home[0] != '/') {
		/* cppcheck-suppress getpwuidCalled ; before any thread is started */
		const struct passwd *user = getpwuid(geteuid());

		home = user ? user->pw_dir : NULL;
	}
	return home && home[0] == '/' ? home : NULL;
}

/* $XDG_CONFIG_HOME/jl/config.yaml, else ~/.config/jl/config.yaml; one that is not there says nothing. */
static int read_config(struct jl_arena *arena, struct jl_run_opts *o, struct jl_err *err)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = home_dir(), *path;
	struct jl_messages msgs = {0};
	struct jl_buf text;
	int r;

	if (config && config[0] == '/')
		path = jl_arena_printf(arena, "%s/jl/config.yaml", config);
	else if (home)
		path = jl_arena_printf(arena, "%s/.config/jl/config.yaml", home);
	else
		return JL_OK;
	jl_buf_init(&text, CONFIG_MAX);
	r = jl_file_read(&jl_io_system, AT_FDCWD, path, &text, err);
	if (r == JL_OK)
		r = jl_config_read(path, text.data, text.len, arena, &msgs, &o->config);
	else
		r = r == JL_ENOTFOUND ? JL_OK : jl_err_add(err, "the settings \"%s\"", path);
	if (msgs.errors)
		r = jl_err_set(err, JL_EINVAL, "%s:%u:%u: %s", path, msgs.at[0].mark.line, msgs.at[0].mark.column, msgs.at[0].text);
	if (r == JL_OK && o->config.dir && strncmp(o->config.dir, "~/", 2) == 0 && home)
		o->config.dir = jl_arena_printf(arena, "%s%s", home, o->config.dir + 1);
	else if (r == JL_OK && o->config.dir && o->config.dir[0] != '/')
		r = jl_err_set(err, JL_EINVAL, "%s: \"dir\" wants an absolute path, not \"%s\"", path, o->config.dir);
	jl_messages_release(&msgs);
	jl_buf_release(&text);
	return r;
}

static int max_size(const struct jl_settings *s, struct jl_run_opts *o, struct jl_err *err)
{
	const char *text = s->max_size ? s->max_size : getenv("JL_MAX_SIZE");

	if (!text || (!s->max_size && !text[0]))
		return JL_OK;
	o->has_max_size = true;
	if (jl_size_parse(text, &o->max_size, err) == JL_OK)
		return JL_OK;
	return jl_err_add(err, s->max_size ? "option \"--max-size\"" : "$JL_MAX_SIZE");
}

/* The settings', else $XDG_CACHE_HOME/jl, else ~/.cache/jl. A cache home that is not absolute does not count, as its
 * specification says. */
static int default_store(struct jl_arena *arena, struct jl_run_opts *o, struct jl_err *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = home_dir(), **ret = &o->default_store_dir;

	if (o->config.dir) {
		*ret = o->config.dir;
		return JL_OK;
	}
	if (cache && cache[0] == '/') {
		*ret = jl_arena_printf(arena, "%s/jl", cache);
		return JL_OK;
	}
	if (!home)
		return jl_err_set(err, JL_EIO, "no place for the store: set HOME or JL_STORE, or give --store");
	*ret = jl_arena_printf(arena, "%s/.cache/jl", home);
	return JL_OK;
}

static int overrides(const struct jl_settings *s, struct jl_arena *arena, struct jl_run_opts *o, struct jl_err *err)
{
	struct jl_var_override *vars = jl_arena_alloc(arena, ((size_t)s->vars.n + 1) * sizeof(*vars));

	for (uint32_t i = 0; i < s->vars.n; i++) {
		const char *text = s->vars.at[i], *equals = strchr(text, '=');

		if (!equals || equals == text)
			return jl_err_set(err, JL_EINVAL, "option \"--var\": \"%s\" is not NAME=VALUE", text);
		vars[i].name = jl_arena_strndup(arena, text, (size_t)(equals - text));
		vars[i].value = equals + 1;
	}
	o->vars = vars;
	o->n_vars = s->vars.n;
	return JL_OK;
}

int jl_settings_run_opts(const struct jl_settings *s, struct jl_arena *arena, struct jl_run_opts *ret,
                         struct jl_err *err)
{
	const char *store = s->store ? s->store : getenv("JL_STORE");
	struct jl_run_opts o = {
		.manifest = s->manifest,
		.targets = s->operands.at,
		.n_targets = s->operands.n,
		.jobs = s->jobs,
		.cache = (enum jl_cache_mode)s->cache,
		.fail = (enum jl_fail_mode)s->fail,
		.force = s->force,
		.from = s->from,
		.shuffle = s->shuffle,
		.executor = s->executor,
		.max_load = s->max_load,
		.min_memory = s->min_memory,
		.no_wait = s->no_wait,
		.offline = s->offline,
		.retries = s->retries,
		.timeout_ns = s->timeout_ns,
		.kill_after_ns = s->kill_after_ns,
		.environ = (const char *const *)environ,
		.command_line = s->command_line,
	};
	char *cwd = getcwd(NULL, 0);
	int r;

	/* `--force` alone stands in the list as NULL. */
	const char **steps = jl_arena_alloc(arena, ((size_t)s->force_steps.n + 1) * sizeof(*steps));

	o.force_steps = steps;
	for (uint32_t i = 0; i < s->force_steps.n; i++) {
		if (s->force_steps.at[i])
			steps[o.n_force_steps++] = s->force_steps.at[i];
		else
			o.force = true;
	}

	if (!cwd)
		return jl_err_sys(err, errno, "cannot tell the current folder");
	o.cwd = jl_arena_strdup(arena, cwd);
	free(cwd);
	if (s->store && !s->store[0])
		return jl_err_set(err, JL_EINVAL, "option \"--store\" needs the name of a folder");
	r = overrides(s, arena, &o, err);
	if (r == JL_OK)
		r = read_config(arena, &o, err);
	if (r == JL_OK)
		r = max_size(s, &o, err);
	if (r == JL_OK && store && store[0])
		r = absolute(arena, o.cwd, store, &o.store_dir, err);
	if (r == JL_OK)
		r = default_store(arena, &o, err);
	/* One named store is enough: without a home there is then nothing to complain of. */
	if (r == JL_EIO && o.store_dir) {
		o.default_store_dir = o.store_dir;
		jl_err_clear(err);
		r = JL_OK;
	}
	if (r == JL_OK)
		*ret = o;
	return r;
}

static int duration(const char *name, const char *text, int64_t *ret, struct jl_err *err)
{
	*ret = -1;
	if (text && jl_clock_parse(text, ret, err) != JL_OK)
		return jl_err_add(err, "option \"--%s\"", name);
	return JL_OK;
}

int jl_settings_memo_opts(const struct jl_settings *s, struct jl_arena *arena, struct jl_memo_opts *ret,
                          struct jl_err *err)
{
	*ret = (struct jl_memo_opts){
		.inputs = {s->memo.inputs.at, s->memo.inputs.n},
		.outputs = {s->memo.outputs.at, s->memo.outputs.n},
		.env = {s->memo.env.at, s->memo.env.n},
		.tools = {s->memo.tools.at, s->memo.tools.n},
		.ignore = {s->memo.ignore.at, s->memo.ignore.n},
		.depfile = s->memo.depfile,
		.feed = (enum jl_feed_mode)s->memo.feed,
		.stdin_fd = STDIN_FILENO,
		.check = s->memo.check,
		.label = s->memo.label,
	};
	int r = duration("ttl", s->memo.ttl, &ret->ttl_ns, err);

	if (r == JL_OK)
		r = duration("cache-failures", s->memo.failures, &ret->failures_ns, err);
	if (r == JL_OK && ret->depfile && ret->failures_ns >= 0)
		r = jl_err_set(err, JL_EINVAL,
		               "--depfile and --cache-failures exclude each other: what a failure depended on is not "
		               "known; take one out");
	return r == JL_OK ? jl_settings_run_opts(s, arena, &ret->run, err) : r;
}
