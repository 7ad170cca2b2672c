/* The files that tell of a run. */
#include "reports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_events(struct jl_reports *r, const char *path)
{
	if (strcmp(path, "-") == 0) {
		r->events_fd = STDOUT_FILENO;
		r->on_stdout = true;
	} else {
		r->events_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (r->events_fd < 0) {
			jl_say("cannot write events to \"%s\": %s", path, strerror(errno));
			return JL_EXIT_USAGE;
		}
	}
	jl_ndjson_init(&r->events, r->events_fd);
	r->first = &r->events.sink;
	return JL_EXIT_OK;
}

static void push(struct jl_reports *r, struct jl_sink *sink)
{
	sink->next = r->first;
	r->first = sink;
}

int jl_reports_open(struct jl_reports *r, const struct jl_settings *s, const char *suite, const char *classname)
{
	struct jl_err err = JL_ERR_INIT;

	*r = (struct jl_reports)JL_REPORTS_INIT;
	if (s->junit) {
		if (jl_junit_open(&r->junit, s->junit, suite, classname, &err) != JL_OK)
			goto failed;
		r->has_junit = true;
		push(r, &r->junit.sink);
	}
	if (s->trace) {
		if (jl_trace_open(&r->trace, s->trace, &err) != JL_OK)
			goto failed;
		r->has_trace = true;
		push(r, &r->trace.sink);
	}
	/* Last: opening empties the file. */
	if (s->events) {
		struct jl_sink *others = r->first;

		if (open_events(r, s->events) != JL_EXIT_OK)
			goto out;
		r->events.sink.next = others;
	}
	return JL_EXIT_OK;
failed:
	jl_say("%s", err.text);
out:
	jl_reports_close(r);
	return JL_EXIT_USAGE;
}

static bool close_events(struct jl_reports *r)
{
	int sys_errno;

	if (r->events_fd < 0)
		return true;
	jl_out_flush(&r->events.out);
	sys_errno = r->events.out.sys_errno;
	jl_ndjson_release(&r->events);
	if (!r->on_stdout && close(r->events_fd) < 0 && !sys_errno)
		sys_errno = errno;
	r->events_fd = -1;
	if (sys_errno)
		jl_say("cannot write events: %s", strerror(sys_errno));
	return sys_errno == 0;
}

bool jl_reports_close(struct jl_reports *r)
{
	struct jl_err err = JL_ERR_INIT;
	bool ok = close_events(r);

	if (r->has_junit && jl_junit_close(&r->junit, &err) != JL_OK) {
		jl_say("%s", err.text);
		ok = false;
	}
	if (r->has_trace && jl_trace_close(&r->trace, &err) != JL_OK) {
		jl_say("%s", err.text);
		ok = false;
	}
	*r = (struct jl_reports)JL_REPORTS_INIT;
	return ok;
}

enum jl_ci jl_reports_ci(const struct jl_settings *s)
{
	const char *github = getenv("GITHUB_ACTIONS"), *gitlab = getenv("GITLAB_CI");

	if (s->progress == JL_PROGRESS_BAR || s->progress == JL_PROGRESS_NONE)
		return JL_CI_NONE;
	/* A terminal is a person, whatever the variables say. */
	if (s->progress == JL_PROGRESS_AUTO && isatty(STDERR_FILENO))
		return JL_CI_NONE;
	if (github && strcmp(github, "true") == 0)
		return JL_CI_GITHUB;
	return gitlab && strcmp(gitlab, "true") == 0 ? JL_CI_GITLAB : JL_CI_NONE;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

bool jl_reports_bar(const struct jl_settings *s, bool filter)
{
	const char *term = getenv("TERM"), *ci = getenv("CI");

	if (s->quiet || s->progress > JL_PROGRESS_BAR || !isatty(STDERR_FILENO))
		return false;
	/* It cannot be told to go back. */
	if (!term || !term[0] || strcmp(term, "dumb") == 0)
		return false;
	if (s->progress == JL_PROGRESS_BAR)
		return true;
	if (ci && ci[0] && strcmp(ci, "false") != 0 && strcmp(ci, "0") != 0)
		return false;
	return !filter || !is_pipe(STDOUT_FILENO);
}

bool jl_reports_color(const struct jl_settings *s, bool tty)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (s->color != JL_COLOR_AUTO)
		return s->color == JL_COLOR_ALWAYS;
	return tty && !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0);
}
