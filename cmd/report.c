/* jl report: one page about the last run, or about what a file of events tells. */
#include "cmd.h"

#include "report/account.h"
#include "report/file.h"
#include "report/last_run.h"
#include "report/page.h"
#include "run/project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct jl_settings, field)
#define DEFAULT_NAME "/.jl/report.html" /* below the workspace */

static const struct jl_opt opts[] = {
	{"output", 'o', "FILE", "write the page to FILE; \"-\" is stdout", JL_OPT_TEXT, AT(report.output), 0},
	{"from", 0, "FILE", "about the run that --events wrote; \"-\" is stdin", JL_OPT_TEXT, AT(report.from), 0},
	{"file", 'f', "FILE", "the manifest (default: joblib.yaml here or above)", JL_OPT_TEXT, AT(manifest), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts, jl_opts_directory, jl_opts_help, NULL};

static char *join(const char *a, const char *b)
{
	struct jl_buf path = JL_BUF_INIT;

	jl_buf_str(&path, a);
	jl_buf_str(&path, b);
	return jl_buf_detach(&path, NULL);
}

static int read_from(const char *name, struct jl_account *a, struct jl_err *err)
{
	const bool standard = strcmp(name, "-") == 0;
	const int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return jl_err_sys(err, errno, "cannot read \"%s\"", name);
	r = jl_account_read(a, fd, standard ? "standard input" : name, err);
	if (!standard)
		close(fd);
	return r;
}

/* `ret_root`: the workspace, for the caller to free. */
static int read_last(const struct jl_settings *s, struct jl_account *a, char **ret_root, struct jl_err *err)
{
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_run_opts o;
	char *path = NULL;
	int r = jl_settings_run_opts(s, &arena, &o, err);

	if (r == JL_OK)
		r = jl_project_where(&o, ret_root, err);
	if (r == JL_OK) {
		path = join(*ret_root, JL_LAST_RUN_PATH);
		if (access(path, F_OK) < 0 && errno == ENOENT)
			r = jl_err_set(err, JL_ENOTFOUND,
				       "nothing has been run here yet; --from reads what --events wrote elsewhere");
		else
			r = read_from(path, a, err);
	}
	free(path);
	jl_arena_release(&arena);
	return r;
}

static int write_page(const struct jl_account *a, const struct jl_page_opts *o, const char *path, struct jl_err *err)
{
	struct jl_report_file f;
	int r;

	if (strcmp(path, "-") == 0) {
		struct jl_out out = JL_OUT_INIT(STDOUT_FILENO);

		jl_page_write(&out, a, o);
		jl_out_release(&out);
		return out.sys_errno ? jl_err_sys(err, out.sys_errno, "cannot write to standard output") : JL_OK;
	}
	r = jl_report_file_open(&f, path, err);
	if (r != JL_OK)
		return r;
	jl_page_write(&f.out, a, o);
	return jl_report_file_close(&f, true, err);
}

static int run(struct jl_settings *s)
{
	struct jl_account account = JL_ACCOUNT_INIT;
	struct jl_err err = JL_ERR_INIT;
	char *root = NULL, *path = NULL;
	struct jl_page_opts o;
	int r;

	if (s->report.from && !s->report.output && isatty(STDOUT_FILENO)) {
		jl_say("report: where is the page of \"%s\" to go? -o FILE says it", s->report.from);
		return JL_EXIT_USAGE;
	}
	r = s->report.from ? read_from(s->report.from, &account, &err) : read_last(s, &account, &root, &err);
	if (r != JL_OK)
		goto out;
	jl_account_link(&account);
	o = (struct jl_page_opts){.title = root ? root : s->report.from, .again = root != NULL};
	path = s->report.output       ? jl_strdup(s->report.output)
	       : isatty(STDOUT_FILENO) ? join(root, DEFAULT_NAME)
				       : jl_strdup("-");
	r = write_page(&account, &o, path, &err);
	if (r == JL_OK && !s->report.output && root && strcmp(path, "-") != 0)
		jl_say("wrote %s", path);
out:
	free(path);
	free(root);
	jl_account_release(&account);
	return r == JL_OK ? JL_EXIT_OK : jl_say_error(&err);
}

const struct jl_command jl_command_report = {
	.name = "report",
	.operands = "",
	.summary = "Write an HTML page about the last run",
	.about = "About the last run here that did anything, or with --from about any run whose\n"
		 "events were written. The page needs nothing but itself. It goes to stdout, or if\n"
		 "that is a terminal to .jl/report.html, unless -o says where.\n",
	.tables = tables,
	.run = run,
};
