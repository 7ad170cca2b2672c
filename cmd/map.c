/* jl map: one command for each value. */
#include "hosted.h"
#include "reports.h"

#include "base/clock.h"
#include "base/path.h"
#include "report/screen.h"
#include "run/map.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct jl_settings, field)

static const struct jl_opt input_opts[] = {
	{"arg-file", 'a', "FILE", "values are the lines of FILE (default: standard input)", JL_OPT_LIST, AT(map.files),
	 0},
	{"null", '0', NULL, "values end with NUL, not with a newline", JL_OPT_FLAG, AT(map.null), 0},
	{"colsep", 0, "RE", "cut values into columns {1} {2} ... at RE", JL_OPT_TEXT, AT(map.colsep), 0},
	{"header", 0, ":", "the first value of each source names its columns", JL_OPT_TEXT, AT(map.header), 0},
	{"no-run-if-empty", 'r', NULL, "leave out blank values", JL_OPT_FLAG, AT(map.skip_blank), 0},
	{"max-replace-args", 'N', "N", "N values a job: {1} to {N}", JL_OPT_NUMBER, AT(map.per_job), 1},
	{"xargs", 'm', NULL, "as many values a job as fit", JL_OPT_FLAG, AT(map.fill), 0},
	{"context", 'X', NULL, "the same, with the word around {} for each", JL_OPT_FLAG, AT(map.context), 0},
	{0},
};
static const struct jl_opt job_opts[] = {
	{"jobs", 'j', "N", "run N jobs at once: 4, 50%, -1 (all), -2, auto", JL_OPT_JOBS, AT(jobs), 0},
	{"timeout", 0, "DUR", "end a job after that time: 90s, 5m, 2h", JL_OPT_DURATION, AT(timeout_ns), 0},
	{"kill-after", 0, "DUR", "from TERM to KILL (default: 10s)", JL_OPT_DURATION, AT(kill_after_ns), 0},
	{"retries", 0, "N", "run a job that failed up to N times again", JL_OPT_NUMBER, AT(map.retries), 0},
	{"delay", 0, "DUR", "let that time pass between two starts", JL_OPT_DURATION, AT(map.delay_ns), 0},
	{"halt", 0, "WHEN,fail=N", "after N (or N%) failures start no more (soon) or end all (now)", JL_OPT_TEXT,
	 AT(map.halt), 0},
	{"wd", 0, "DIR", "run the jobs in DIR", JL_OPT_TEXT, AT(map.workdir), 0},
	{"env", 'e', "VAR", "pass a variable on to hosts; jobs here see them all", JL_OPT_LIST, AT(memo.env), 0},
	{"dry-run", 'n', NULL, "only print the commands", JL_OPT_FLAG, AT(dry_run), 0},
	{0},
};
static const struct jl_opt host_opts[] = {
	{"hosts", 'S', "HOST[*N],...", "run the jobs on these hosts by ssh, N at once; \":\" is this one", JL_OPT_LIST,
	 AT(map.hosts), 0},
	{0},
};
static const struct jl_opt memo_opts[] = {
	{"memo", 0, NULL, "run no job whose result is stored, as jl memo", JL_OPT_FLAG, AT(map.memo), 0},
	{"input", 'i', "TEMPLATE", "a path that a job depends on, sent to its host: -i '{}'", JL_OPT_LIST, AT(memo.inputs), 0},
	{"output", 'o', "TEMPLATE", "a path that a job writes, brought back: -o '{.}.png'", JL_OPT_LIST, AT(memo.outputs), 0},
	{"tool", 0, "PROGRAM", "with --memo: a program that results depend on", JL_OPT_LIST, AT(memo.tools), 0},
	{"ignore", 0, "ARG", "with --memo: leave that word out of the key", JL_OPT_LIST, AT(memo.ignore), 0},
	{"ttl", 0, "DUR", "with --memo: do not use a result as old as that", JL_OPT_TEXT, AT(memo.ttl), 0},
	{"cache-failures", 0, "DUR", "with --memo: store failures, too, for that long", JL_OPT_TEXT, AT(memo.failures), 0},
	{"offline", 0, NULL, "with --memo: ask no remote, send nothing to one", JL_OPT_FLAG, AT(offline), 0},
	{"cache", 0, "rw|ro|wo|off", "with --memo: use and fill the store, or only one of both", JL_OPT_CHOICE, AT(cache),
	 0},
	{"force", 0, NULL, "with --memo: run all, whatever the store knows", JL_OPT_FLAG, AT(force), 0},
	{0},
};
static const struct jl_opt output_opts[] = {
	{"keep-order", 'k', NULL, "show output in the order of the values", JL_OPT_FLAG, AT(map.keep_order), 0},
	{"line-buffer", 0, NULL, "show output by whole lines as they come", JL_OPT_FLAG, AT(map.line_buffer), 0},
	{"ungroup", 'u', NULL, "pass output straight on", JL_OPT_FLAG, AT(map.ungroup), 0},
	{"tag", 0, NULL, "put the value and a tab before each line", JL_OPT_FLAG, AT(map.tag), 0},
	{"joblog", 0, "FILE", "write a line for each job that has ended", JL_OPT_TEXT, AT(map.joblog), 0},
	{"resume", 0, NULL, "leave out what --joblog or --results has", JL_OPT_FLAG, AT(map.resume), 0},
	{"resume-failed", 0, NULL, "the same, but run again what failed", JL_OPT_FLAG, AT(map.resume_failed), 0},
	{"results", 0, "DIR", "keep output in DIR/1/VALUE/stdout and stderr", JL_OPT_TEXT, AT(map.results), 0},
	{"eta", 0, NULL, "tell how far it is and when it will end", JL_OPT_FLAG, AT(map.eta), 0},
	{"progress", 0, "auto|bar|plain|none", "how to show that it goes on", JL_OPT_CHOICE, AT(progress), 0},
	{"quiet", 'q', NULL, "say nothing unless a job failed; then its output", JL_OPT_FLAG, AT(quiet), 0},
	{"verbose", 'v', NULL, "say each command as it starts", JL_OPT_COUNT, AT(verbose), 0},
	{"color", 0, "auto|always|never", "colours (default: on a terminal, unless $NO_COLOR)", JL_OPT_CHOICE, AT(color), 0},
	{"events", 0, "FILE", "write events as JSON lines; \"-\" is stdout", JL_OPT_TEXT, AT(events), 0},
	{0},
};
static const struct jl_opt *const tables[] = {
	input_opts,    job_opts,    host_opts,       jl_opts_executor,  memo_opts,
	jl_opts_store, output_opts, jl_opts_reports, jl_opts_directory, jl_opts_help, NULL};

/* Where output and messages go; as a sink it feeds the display. */
struct shown {
	struct jl_sink sink; /* first: jl_map() gives it back */
	struct jl_screen screen;
	bool color;
	enum jl_ci ci;
	unsigned groups; /* folded in the log of a CI system */
};

#define COMMAND_SHOWN 300

static int write_output(void *ctx, int stream, const void *data, size_t len, bool stored)
{
	struct shown *s = ctx;

	jl_screen_text(&s->screen, stream, stored, data, len);
	return jl_screen_errno(&s->screen);
}

static int flush_output(void *ctx)
{
	struct shown *s = ctx;

	jl_screen_flush(&s->screen);
	return jl_screen_errno(&s->screen);
}

static void say(void *ctx, const char *text)
{
	struct shown *s = ctx;
	struct jl_out *o = jl_screen_line(&s->screen, 2);

	jl_out_printf(o, "jl: ");
	jl_path_show(&o->buf, text, strlen(text));
	jl_out_printf(o, "\n");
	jl_screen_flush(&s->screen);
}

static void failed(void *ctx, const char *label, const char *command, const char *how)
{
	struct shown *s = ctx;
	const size_t len = strlen(command);
	struct jl_buf text = JL_BUF_INIT;
	struct jl_out *o = jl_screen_line(&s->screen, 2);

	jl_buf_printf(&text, "failed: %.*s%s: %s", (int)(len > COMMAND_SHOWN ? COMMAND_SHOWN : len), command,
		      len > COMMAND_SHOWN ? "..." : "", how);
	jl_out_printf(o, "%sjl: ", s->color ? "\033[31m" : "");
	jl_path_show(&o->buf, text.data, text.len);
	jl_out_printf(o, "%s\n", s->color ? "\033[0m" : "");
	jl_ci_error(s->ci, &o->buf, label[0] ? label : "job", text.data);
	jl_screen_flush_now(&s->screen);
	jl_buf_release(&text);
}

static void group(void *ctx, const char *label, int64_t wall_ns)
{
	struct shown *s = ctx;
	struct jl_buf *out = &jl_screen_line(&s->screen, 2)->buf;

	if (label)
		jl_ci_begin(s->ci, out, label[0] ? label : "job", ++s->groups, wall_ns);
	else
		jl_ci_end(s->ci, out, s->groups);
	jl_screen_flush(&s->screen);
}

static void event(struct jl_sink *sink, const struct jl_event *e)
{
	struct shown *s = (struct shown *)sink;

	jl_screen_event(&s->screen, e);
	sink->wake_ns = s->screen.wake_ns;
}

/* ---- what was typed ---- */

static const struct {
	const char *word;
	bool files, linked;
} marks[] = {{":::", false, false}, {"::::", true, false}, {":::+", false, true}, {"::::+", true, true}};

static int mark_of(const char *word)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(marks[i].word, word) == 0)
			return i;
	return -1;
}

/* -a FILE first, then what stands behind the marks; nothing of it: standard input. `ret` has room for all words. */
static uint32_t find_sources(const struct jl_settings *s, uint32_t from, struct jl_values_source *ret)
{
	uint32_t n = 0, i = from;

	for (uint32_t f = 0; f < s->map.files.n; f++)
		ret[n++] = (struct jl_values_source){.path = s->map.files.at[f]};
	while (i < s->operands.n) {
		const int mark = mark_of(s->operands.at[i++]);
		const uint32_t first = i;

		while (i < s->operands.n && mark_of(s->operands.at[i]) < 0)
			i++;
		if (!marks[mark].files)
			ret[n++] = (struct jl_values_source){
				.words = s->operands.at + first, .n_words = i - first, .linked = marks[mark].linked};
		for (uint32_t f = first; f < i && marks[mark].files; f++)
			ret[n++] = (struct jl_values_source){.path = s->operands.at[f], .linked = marks[mark].linked};
	}
	if (n == 0)
		ret[n++] = (struct jl_values_source){.path = "-"};
	return n;
}

/* `never`, or `now` or `soon`, a comma, `fail=`, a number, maybe `%`. */
static int read_halt(const char *text, struct jl_map_opts *o, struct jl_err *err)
{
	const char *at = text;
	uint64_t n = 0;

	if (strcmp(text, "never") == 0)
		return JL_OK;
	o->halt = strncmp(text, "now,", 4) == 0 ? JL_HALT_NOW : JL_HALT_SOON;
	at += o->halt == JL_HALT_NOW ? 4 : strncmp(text, "soon,", 5) == 0 ? 5 : 0;
	if (at > text && strncmp(at, "fail=", 5) == 0) {
		for (at += 5; *at >= '0' && *at <= '9' && n < UINT32_MAX; at++)
			n = n * 10 + (uint64_t)(*at - '0');
		o->halt_percent = *at == '%';
		at += o->halt_percent;
	}
	if (n == 0 || *at || n >= UINT32_MAX || (o->halt_percent && n > 100))
		return jl_err_set(err, JL_EINVAL, "option \"--halt\": \"%s\" is not now,fail=N or soon,fail=N (or N%%)",
				  text);
	o->halt_count = (uint32_t)n;
	return JL_OK;
}

static bool has_hosts(const struct jl_settings *s)
{
	return s->map.hosts.n || s->executor;
}

static int check(const struct jl_settings *s, uint32_t n_words, struct jl_err *err)
{
	const int orders = s->map.keep_order + s->map.line_buffer + s->map.ungroup;

	if (n_words == 0)
		return jl_err_set(err, JL_EINVAL, "no command; to run commands that are values: jl map sh -c {}");
	if (orders > 1)
		return jl_err_set(err, JL_EINVAL, "-k, --line-buffer and -u exclude each other");
	if (s->quiet && (s->map.line_buffer || s->map.ungroup))
		return jl_err_set(err, JL_EINVAL,
				  "-q shows output when it is known that a job failed: not with --line-buffer or -u");
	if (s->map.header && strcmp(s->map.header, ":") != 0)
		return jl_err_set(err, JL_EINVAL, "option \"--header\": only \":\" is known, one line of names");
	if (s->map.resume && !s->map.joblog && !s->map.results)
		return jl_err_set(err, JL_EINVAL, "--resume needs --joblog or --results");
	if (s->map.resume_failed && !s->map.joblog)
		return jl_err_set(err, JL_EINVAL, "--resume-failed needs --joblog");
	for (uint32_t i = 0; i < s->memo.env.n; i++)
		if (!s->memo.env.at[i][0] || strchr(s->memo.env.at[i], '='))
			return jl_err_set(err, JL_EINVAL, "option \"--env\": \"%s\" is no name of a variable",
					  s->memo.env.at[i]);
	if (!s->map.memo && (s->memo.tools.n || s->memo.ignore.n || s->memo.ttl || s->memo.failures || s->cache || s->force ||
			     s->store || s->offline))
		return jl_err_set(err, JL_EINVAL, "--tool, --ignore, --ttl, --cache-failures, --cache, --force, --store and "
						  "--offline need --memo");
	if (!s->map.memo && !has_hosts(s) && (s->memo.inputs.n || s->memo.outputs.n))
		return jl_err_set(err, JL_EINVAL, "-i and -o need --memo, --hosts or --executor");
	return JL_OK;
}

/* What lasts as long as the run. */
struct room {
	struct jl_values_source *sources;
	struct jl_buf workdir;
	struct jl_arena arena;
	struct jl_memo_opts memo;
	struct jl_hosted hosted;
};

static int make_workdir(const char *given, struct jl_buf *ret, struct jl_err *err)
{
	char *cwd = getcwd(NULL, 0);
	int r;

	if (!cwd)
		return jl_err_sys(err, errno, "cannot tell the current folder");
	r = jl_path_join(ret, cwd, given);
	free(cwd);
	if (r == JL_OK && access(ret->data, X_OK) < 0)
		r = jl_err_sys(err, errno, "option \"--wd\": \"%s\"", given);
	return r;
}

static int make_memo(const struct jl_settings *s, struct room *room, struct jl_err *err)
{
	int r = jl_settings_memo_opts(s, &room->arena, &room->memo, err);

	room->memo.feed = JL_FEED_NO;
	room->memo.stdin_fd = -1;
	if (!s->map.memo) {
		room->memo.transfer = true;
		room->memo.run.cache = JL_CACHE_OFF;
	}
	if (s->map.workdir)
		room->memo.run.cwd = room->workdir.data;
	return r;
}

/* With -u, bytes pass as they come: no display could stay below them. */
static bool wants_bar(const struct jl_settings *s)
{
	return !s->map.ungroup && !s->dry_run && jl_reports_bar(s, !s->map.eta);
}

static int make_opts(const struct jl_settings *s, struct room *room, struct jl_map_opts *ret, struct jl_err *err)
{
	struct jl_map_opts o = {
		.words = s->operands.at,
		.values = {.sources = room->sources,
			   .end = s->map.null ? '\0' : '\n',
			   .colsep = s->map.colsep,
			   .header = s->map.header != NULL,
			   .skip_blank = s->map.skip_blank},
		.jobs = s->jobs,
		.per_job = s->map.per_job,
		.fill = s->map.fill || s->map.context,
		.context = s->map.context,
		.order = s->map.keep_order    ? JL_ORDER_INPUT
			 : s->map.line_buffer ? JL_ORDER_LINES
			 : s->map.ungroup     ? JL_ORDER_MIXED
					      : JL_ORDER_ENDED,
		.tag = s->map.tag,
		.dry_run = s->dry_run,
		.eta = s->map.eta && s->progress != JL_PROGRESS_NONE && !wants_bar(s),
		.quiet = s->quiet,
		.verbose = s->verbose > 0,
		.delay_ns = s->map.delay_ns,
		.timeout_ns = s->timeout_ns,
		.kill_after_ns = s->kill_after_ns,
		.retries = s->map.retries,
		.joblog = s->map.joblog,
		.results = s->map.results,
		.resume = s->map.resume_failed ? JL_RESUME_FAILED
			  : s->map.resume      ? JL_RESUME
					       : JL_RESUME_NO,
		.environ = (const char *const *)environ,
	};
	int r;

	while (o.n_words < s->operands.n && mark_of(s->operands.at[o.n_words]) < 0)
		o.n_words++;
	o.values.n_sources = find_sources(s, o.n_words, room->sources);
	r = check(s, o.n_words, err);
	if (r == JL_OK && s->map.halt)
		r = read_halt(s->map.halt, &o, err);
	if (r == JL_OK && s->map.workdir) {
		r = make_workdir(s->map.workdir, &room->workdir, err);
		o.workdir = room->workdir.data;
	}
	if (r == JL_OK)
		r = jl_settings_hosted(s, &room->hosted, &o.hosted, err);
	if (r == JL_OK && (s->map.memo || has_hosts(s))) {
		r = make_memo(s, room, err);
		o.memo = &room->memo;
	}
	*ret = o;
	return r;
}

/* ---- the run ---- */

/* The command as it was typed, without its values. */
static char *command_text(const struct jl_map_opts *o)
{
	struct jl_buf b = JL_BUF_INIT;

	for (uint32_t i = 0; i < o->n_words; i++)
		jl_buf_printf(&b, "%s%s", i ? " " : "", o->words[i]);
	return jl_buf_detach(&b, NULL);
}

static void open_shown(struct shown *shown, const struct jl_settings *s, bool stdout_taken)
{
	const bool tty = isatty(STDERR_FILENO);
	/* Whoever reads events on stdout gets nothing else there. */
	const int out_fd = stdout_taken ? STDERR_FILENO : STDOUT_FILENO;

	*shown = (struct shown){.sink = {.event = event}, .color = jl_reports_color(s, tty), .ci = jl_reports_ci(s)};
	jl_screen_init(&shown->screen, &(struct jl_screen_opts){.out_fd = out_fd,
								.err_fd = STDERR_FILENO,
								.out_tty = isatty(out_fd),
								.err_tty = tty,
								.bar = wants_bar(s),
								.one = shown->ci != JL_CI_NONE,
								.color = shown->color});
}

/* The one who asked for quiet has seen nothing of how it went. */
static void say_summary(const struct jl_map_summary *sum)
{
	struct jl_buf wall = JL_BUF_INIT;

	jl_clock_show(&wall, sum->wall_ns);
	jl_say("%llu of %u jobs failed in %s", (unsigned long long)sum->failed, sum->counts.total, wall.data);
	jl_buf_release(&wall);
}

static int run_map(struct jl_map_opts *o, const struct jl_settings *s, struct jl_err *err)
{
	struct jl_reports reports = JL_REPORTS_INIT;
	struct shown shown;
	struct jl_map_show show = {
		.write = write_output, .flush = flush_output, .say = say, .failed = failed, .ctx = &shown};
	struct jl_map_summary sum = {0};
	char *command = command_text(o);
	bool written;
	int r = jl_reports_open(&reports, s, "jl map", command);

	free(command);
	if (r != JL_EXIT_OK)
		return JL_EXIT_SELF;
	open_shown(&shown, s, reports.on_stdout);
	show.group = shown.ci ? group : NULL;
	o->sinks = reports.first;
	if (wants_bar(s)) {
		shown.sink.next = reports.first;
		o->sinks = &shown.sink;
	}
	/* cppcheck-suppress autoVariables ; taken back below */
	o->show = &show;
	o->out_fd = STDOUT_FILENO;
	/* A closed stdout is told as an error of writing, so that what runs can be ended first. */
	signal(SIGPIPE, SIG_IGN);
	r = jl_map(o, &sum, err);
	o->show = NULL;
	o->sinks = NULL;
	jl_screen_release(&shown.screen);
	written = jl_reports_close(&reports);
	if (sum.signal)
		jl_end_by_signal(sum.signal);
	if (r != JL_OK) {
		jl_say_error(err);
		return JL_EXIT_SELF;
	}
	if (!written)
		return JL_EXIT_SELF;
	if (s->quiet && sum.failed)
		say_summary(&sum);
	return sum.failed > 100 ? 101 : (int)sum.failed;
}

static int map(struct jl_settings *s)
{
	struct room room = {.workdir = JL_BUF_INIT, .arena = JL_ARENA_INIT, .hosted = JL_HOSTED_INIT};
	struct jl_map_opts o;
	struct jl_err err = JL_ERR_INIT;
	int status = JL_EXIT_SELF;

	room.sources = jl_calloc((size_t)s->operands.n + s->map.files.n + 1, sizeof(*room.sources));
	if (make_opts(s, &room, &o, &err) == JL_OK)
		status = run_map(&o, s, &err);
	else
		jl_say("map: %s", err.text);
	jl_hosted_release(&room.hosted);
	jl_buf_release(&room.workdir);
	jl_arena_release(&room.arena);
	free(room.sources);
	return status;
}

const struct jl_command jl_command_map = {
	.name = "map",
	.operands = "[--] COMMAND [ARG ...] [::: VALUE ...]",
	.summary = "Run one command for each line of input or value",
	.about = "Values come from ::: (words), :::: or -a (files), :::+ and ::::+ (in step with the\n"
		 "source before), else from the lines of standard input. {} {.} {/} {//} {/.} stand\n"
		 "for the value, its parts, {1} {2.} for one of several, {#} for the job's number,\n"
		 "{%} for its slot. Several words are executed as they are; one word is a command\n"
		 "for the shell where it needs one. Options end at the first operand.\n"
		 "Exit status: how many jobs failed, 101 for more than 100, 125 if jl failed.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.run = map,
	.prefix = true,
};
