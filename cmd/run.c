/* jl run, jl plan, jl adopt: one engine, three modes. */
#include "reports.h"

#include "manifest/shell.h"
#include "report/last_run.h"
#include "report/plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct jl_settings, field)

static const struct jl_opt run_opts[] = {
	{"keep-going", 'k', NULL, "after a failure run all that does not need it", JL_OPT_SET, AT(fail),
         JL_FAIL_KEEP_GOING},
	{"fail-fast", 0, "[=soon|now]", "after a failure start none (default), or end all now", JL_OPT_SET, AT(fail),
         JL_FAIL_SOON},
	{"dry-run", 'n', NULL, "only list what would be done, as jl plan does", JL_OPT_FLAG, AT(dry_run), 0},
	{"force", 0, "[=STEP]", "run what was asked for, or STEP, whatever the store knows", JL_OPT_LIST, AT(force_steps),
         0},
	{"from", 0, "STEP", "run STEP, and all that depends on it", JL_OPT_TEXT, AT(from), 0},
	{"shuffle", 0, "SEED", "run ready steps in an order by chance, made from SEED", JL_OPT_TEXT, AT(shuffle), 0},
	{"load", 0, "N", "start nothing while the load is N or more", JL_OPT_LOAD, AT(max_load), 0},
	{"memfree", 0, "SIZE", "start nothing while less memory is free", JL_OPT_SIZE, AT(min_memory), 0},
	{"offline", 0, NULL, "ask no remote, send nothing to one", JL_OPT_FLAG, AT(offline), 0},
	{"executor", 0, "NAME", "run all steps on that executor of the manifest, or local", JL_OPT_TEXT,
         AT(executor), 0},
	{"no-wait", 0, NULL, "fail rather than wait for another run here", JL_OPT_FLAG, AT(no_wait), 0},
	{0},
};
static const struct jl_opt plan_opts[] = {
	{"force", 0, "[=STEP]", "as if run was told so", JL_OPT_LIST, AT(force_steps), 0},
	{"from", 0, "STEP", "as if run was told so", JL_OPT_TEXT, AT(from), 0},
	{"offline", 0, NULL, "as if run was told so", JL_OPT_FLAG, AT(offline), 0},
	{0},
};
static const struct jl_opt adopt_opts[] = {
	{"no-wait", 0, NULL, "fail rather than wait for another run here", JL_OPT_FLAG, AT(no_wait), 0},
	{0},
};
static const struct jl_opt *const run_tables[] = {run_opts,      jl_opts_manifest, jl_opts_directory,
                                                  jl_opts_store, jl_opts_max_size, jl_opts_common,
                                                  jl_opts_reports, jl_opts_help,   NULL};
static const struct jl_opt *const plan_tables[] = {plan_opts,      jl_opts_manifest, jl_opts_directory, jl_opts_store,
                                                   jl_opts_common, jl_opts_help,     NULL};
static const struct jl_opt *const adopt_tables[] = {adopt_opts,    jl_opts_manifest, jl_opts_directory,
                                                    jl_opts_store, jl_opts_max_size, jl_opts_common,
                                                    jl_opts_help,  NULL};

/* The sinks of one run. */
struct sinks {
	struct jl_plain plain;
	struct jl_reports reports;
	struct jl_last_run last;
	char *again, *more;
};

static void add_quoted(struct jl_buf *out, const char *option, const char *value)
{
	jl_buf_printf(out, " %s ", option);
	jl_shell_quote(out, value, strlen(value));
}

/* A command about a step, without its name: what it is, and the options that say which manifest. */
static char *about_step(const struct jl_settings *s, const char *command)
{
	struct jl_buf b = JL_BUF_INIT;

	jl_buf_str(&b, command);
	if (s->directory)
		add_quoted(&b, "-C", s->directory);
	if (s->manifest)
		add_quoted(&b, "-f", s->manifest);
	if (s->store)
		add_quoted(&b, "--store", s->store);
	for (uint32_t i = 0; i < s->vars.n; i++)
		add_quoted(&b, "--var", s->vars.at[i]);
	return jl_buf_detach(&b, NULL);
}

static int open_sinks(const struct jl_settings *s, enum jl_run_mode mode, struct sinks *k)
{
	const bool plan = mode == JL_MODE_PLAN;
	const bool err_tty = isatty(STDERR_FILENO);
	struct jl_plain_opts o = {
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.out_tty = isatty(STDOUT_FILENO),
		.err_tty = err_tty,
		.bar = jl_reports_bar(s, false),
		.color = jl_reports_color(s, err_tty),
		.quiet = s->quiet,
		.verbose = s->verbose,
		.plan = plan,
		.ci = plan ? JL_CI_NONE : jl_reports_ci(s),
	};
	int status = jl_reports_open(&k->reports, s, plan ? "jl plan" : "jl run", NULL);

	if (status != JL_EXIT_OK)
		return status;
	/* Whoever reads events on stdout gets nothing else there. */
	if (k->reports.on_stdout) {
		o.out_fd = STDERR_FILENO;
		o.out_tty = err_tty;
	}
	o.again = k->again = about_step(s, "jl run");
	o.more = k->more = about_step(s, "jl log");
	jl_plain_init(&k->plain, &o);
	k->plain.sink.next = k->reports.first;
	jl_last_run_init(&k->last);
	if (mode == JL_MODE_RUN) {
		k->last.sink.next = k->reports.first;
		k->plain.sink.next = &k->last.sink;
	}
	return JL_EXIT_OK;
}

/* Exit status of writing: a run whose output got lost is not done. */
static int close_sinks(struct sinks *k)
{
	const int out_errno = jl_plain_errno(&k->plain);
	bool written = jl_reports_close(&k->reports);
	struct jl_err err = JL_ERR_INIT;

	jl_plain_release(&k->plain);
	free(k->again);
	free(k->more);
	if (out_errno && out_errno != EPIPE) /* that is a signal, by which jl ends */
		jl_say("cannot write to standard output: %s", strerror(out_errno));
	/* The run itself is done, whether it can be told later or not. */
	if (jl_last_run_close(&k->last, &err) != JL_OK)
		jl_say("%s; \"jl report\" will not know of this run", err.text);
	return out_errno || !written ? JL_EXIT_MACHINE : JL_EXIT_OK;
}

static void waiting(void *ctx, const char *holder)
{
	(void)ctx;
	jl_say("waiting for another run in this workspace: %s", holder);
}

static int run_mode(struct jl_settings *s, enum jl_run_mode mode)
{
	struct sinks sinks = {.reports = JL_REPORTS_INIT};
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_run_summary sum = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_run_opts o;
	int status, written;

	if (jl_settings_run_opts(s, &arena, &o, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	o.mode = mode;
	if (mode == JL_MODE_PLAN || s->verbose)
		o.why = JL_WHY_PIECE;
	o.waiting = s->quiet ? NULL : waiting;
	status = open_sinks(s, mode, &sinks);
	if (status != JL_EXIT_OK)
		goto out;
	o.sinks = &sinks.plain.sink;
	if (jl_run(&o, &sum, &msgs, &err) == JL_OK) {
		if (!s->quiet)
			jl_say_messages(&msgs);
		jl_plain_summary(&sinks.plain, &sum.counts, sum.wall_ns);
		status = sum.counts.failed ? JL_EXIT_FAILED : JL_EXIT_OK;
	} else {
		jl_plain_end(&sinks.plain);
		status = jl_say_fault(&msgs, &err);
	}
	written = close_sinks(&sinks);
	if (status == JL_EXIT_OK)
		status = written;
	if (sum.signal)
		jl_end_by_signal(sum.signal);
out:
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return status;
}

static int run(struct jl_settings *s)
{
	return run_mode(s, s->dry_run ? JL_MODE_PLAN : JL_MODE_RUN);
}

static int plan(struct jl_settings *s)
{
	return run_mode(s, JL_MODE_PLAN);
}

static int adopt(struct jl_settings *s)
{
	return run_mode(s, JL_MODE_ADOPT);
}

const struct jl_command jl_command_run = {
	.name = "run",
	.operands = "[STEP|PATH|@TAG ...]",
	.summary = "Run what the manifest describes, skipping what the store already knows",
	.about = "Without operands: every step that is not \"manual: true\". STEP[ITEM] is one\n"
		 "instance of a step. Exit status: 0 done, 1 a step failed, 2 usage or manifest\n"
		 "error, 3 the store or the machine failed.\n",
	.tables = run_tables,
	.max_operands = UINT32_MAX,
	.run = run,
};

const struct jl_command jl_command_plan = {
	.name = "plan",
	.operands = "[STEP|PATH|@TAG ...]",
	.summary = "List what run would do and why, changing nothing",
	.about = "One line for each instance that would run or be restored; with -v the fresh ones\n"
		 "too. \"maybe\" depends on what a step that would run makes.\n",
	.tables = plan_tables,
	.max_operands = UINT32_MAX,
	.run = plan,
};

const struct jl_command jl_command_adopt = {
	.name = "adopt",
	.operands = "STEP ...",
	.summary = "Accept the outputs on disk as a step's result without running it",
	.tables = adopt_tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.run = adopt,
};
