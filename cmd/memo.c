/* jl memo: run one command, or replay its stored result. */
#include "hosted.h"
#include "reports.h"

#include "base/clock.h"
#include "report/term.h"
#include "run/gather.h"
#include "run/memo.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define EXIT_TIMEOUT 124 /* as timeout(1) has it */
#define HEAD         6   /* of a chunk: stream u8, replayed u8, length u32 */
#define AT(field)    offsetof(struct jl_settings, field)

static const struct jl_opt memo_opts[] = {
	{"input", 'i', "PATH", "a file, folder or glob that the result depends on", JL_OPT_LIST, AT(memo.inputs), 0},
	{"output", 'o', "PATH", "a file or folder that the command writes", JL_OPT_LIST, AT(memo.outputs), 0},
	{"env", 'e', "VAR", "a variable that the result depends on", JL_OPT_LIST, AT(memo.env), 0},
	{"tool", 0, "PROGRAM", "a program whose content the result depends on", JL_OPT_LIST, AT(memo.tools), 0},
	{"ignore", 0, "ARG", "leave that word of the command out of the key", JL_OPT_LIST, AT(memo.ignore), 0},
	{"depfile", 0, "FILE", "what the command used besides is in that file, as compilers write it", JL_OPT_TEXT,
	 AT(memo.depfile), 0},
	{"stdin", 0, "auto|yes|no", "read standard input: it joins the key (auto: a pipe, a file at its start)",
	 JL_OPT_CHOICE, AT(memo.feed), 0},
	{"no-stdin", 'n', NULL, "the same as --stdin no", JL_OPT_SET, AT(memo.feed), JL_FEED_NO},
	{"ttl", 0, "DUR", "do not use a result as old as that", JL_OPT_TEXT, AT(memo.ttl), 0},
	{"cache-failures", 0, "DUR", "store failures, too, and use them that long", JL_OPT_TEXT, AT(memo.failures), 0},
	{"check", 0, NULL, "run nothing: exit 0 if a result is stored, 1 if not", JL_OPT_FLAG, AT(memo.check), 0},
	{"force", 0, NULL, "run it, whatever the store knows", JL_OPT_FLAG, AT(force), 0},
	{"shelve", 0, NULL, "print the key in place of the command's output", JL_OPT_FLAG, AT(memo.shelve), 0},
	{"name", 0, "LABEL", "what to call it in messages and the store", JL_OPT_TEXT, AT(memo.label), 0},
	{0},
};
static const struct jl_opt common_opts[] = {
	{"cache", 0, "rw|ro|wo|off", "use and fill the store, or only one of both", JL_OPT_CHOICE, AT(cache), 0},
	{"offline", 0, NULL, "ask no remote, send nothing to one", JL_OPT_FLAG, AT(offline), 0},
	{"timeout", 0, "DUR", "end the command after that time: 90s, 5m, 2h", JL_OPT_DURATION, AT(timeout_ns), 0},
	{"kill-after", 0, "DUR", "from TERM to KILL (default: 10s)", JL_OPT_DURATION, AT(kill_after_ns), 0},
	{"quiet", 'q', NULL, "say nothing unless it failed; then its output", JL_OPT_FLAG, AT(quiet), 0},
	{"verbose", 'v', NULL, "say whether it was run, and the key", JL_OPT_COUNT, AT(verbose), 0},
	{"events", 0, "FILE", "write events as JSON lines; \"-\" is stdout", JL_OPT_TEXT, AT(events), 0},
	{0},
};
static const struct jl_opt *const tables[] = {memo_opts,        jl_opts_executor, jl_opts_store,
                                              jl_opts_max_size, common_opts,      jl_opts_help, NULL};

/* The command's streams to ours, at once. */
struct passer {
	struct jl_sink sink; /* first */
	int out_fd;          /* -1: not shown */
	bool quiet, verbose, safe_out, safe_err;
	volatile int broken; /* SIGPIPE: nobody reads on; SIGTERM: it cannot be written */
	int sys_errno;
	struct jl_buf shown;
	/* quiet: what came, as chunks (HEAD bytes, their own), until it is known how it ended */
	struct jl_gather held;
	struct jl_spill spill;
	struct jl_err held_err; /* why it is not whole; status JL_OK: it is */
	uint8_t head[HEAD];     /* of the chunk that is shown */
	size_t head_len, left;
};

static void write_all(struct passer *p, int fd, const char *data, size_t len)
{
	while (len && !p->broken) {
		ssize_t n = write(fd, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			(void)!poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			p->sys_errno = errno;
			p->broken = errno == EPIPE ? SIGPIPE : SIGTERM;
		}
	}
}

static void show(struct passer *p, int stream, bool replayed, const void *data, size_t len)
{
	const bool out = stream == 1;
	const int fd = out ? p->out_fd : STDERR_FILENO;

	if (fd < 0)
		return;
	/* What was stored must not do anything to the terminal; what a command writes now is as ever. */
	if (replayed && (out ? p->safe_out : p->safe_err)) {
		jl_buf_clear(&p->shown);
		jl_term_safe(&p->shown, data, len);
		write_all(p, fd, p->shown.data, p->shown.len);
	} else {
		write_all(p, fd, data, len);
	}
}

static void hold(struct passer *p, const struct jl_event *ev)
{
	struct jl_buf head = JL_BUF_INIT;

	if (p->held_err.status != JL_OK)
		return;
	jl_buf_u8(&head, (uint8_t)ev->stream);
	jl_buf_u8(&head, ev->replayed);
	jl_buf_u32(&head, (uint32_t)ev->len);
	if (jl_gather_add(&p->held, &p->spill, head.data, head.len, &p->held_err) == JL_OK)
		(void)!jl_gather_add(&p->held, &p->spill, ev->data, ev->len, &p->held_err);
	jl_buf_release(&head);
}

/* A piece of what was held: chunks are cut anywhere. */
static void show_piece(void *ctx, const void *data, size_t len)
{
	struct passer *p = ctx;
	const uint8_t *at = data;

	while (len) {
		size_t n = p->left < len ? p->left : len;

		if (p->left == 0) {
			p->head[p->head_len++] = *at++;
			len--;
			if (p->head_len == HEAD) {
				struct jl_cur cur = {p->head + 2, p->head + HEAD, 0};

				p->left = jl_cur_u32(&cur);
				p->head_len = 0;
			}
			continue;
		}
		show(p, p->head[0], p->head[1], at, n);
		at += n;
		len -= n;
		p->left -= n;
	}
}

/* It is known how the command ended. */
static void show_held(struct passer *p, bool failed)
{
	struct jl_err *err = &p->held_err;

	if (failed && jl_gather_show(&p->held, &p->spill, show_piece, p, err) != JL_OK)
		err->status = JL_EIO;
	if (failed && err->status != JL_OK)
		jl_say("memo: its output is not whole: %s", err->text);
}

static void tell_remote(const struct jl_remote_counts *counts)
{
	struct jl_buf text = JL_BUF_INIT;

	jl_remote_counts_show(&text, counts);
	jl_say("memo: remote %s", text.data);
	jl_buf_release(&text);
}

static void pass(struct jl_sink *s, const struct jl_event *ev)
{
	struct passer *p = (struct passer *)s;

	if (ev->type == JL_EVENT_WARNING && !p->quiet)
		jl_say(ev->step ? "%s: %s" : "%s%s", ev->step ? ev->step : "", ev->text);
	if (ev->type == JL_EVENT_REMOTE && p->verbose && !p->quiet)
		tell_remote(ev->remote);
	if (ev->type != JL_EVENT_STEP_OUTPUT || ev->len == 0)
		return;
	if (p->quiet)
		hold(p, ev);
	else
		show(p, ev->stream, ev->replayed, ev->data, ev->len);
}

static void waiting(void *ctx)
{
	(void)ctx;
	jl_say("memo: waiting for standard input; -n does without it");
}

static void tell(const struct jl_memo_result *r)
{
	struct jl_buf saved = JL_BUF_INIT;
	char key[JL_DIGEST_TEXT];

	jl_clock_show(&saved, r->saved_ns);
	if (r->hit)
		jl_say("memo: from the store, %s (saved %s)", jl_digest_text(&r->key, key), saved.data);
	else
		jl_say("memo: run, %s%s", jl_digest_text(&r->key, key), r->stored ? "" : " (not stored)");
	jl_buf_release(&saved);
}

static int print_key(const struct jl_memo_result *r)
{
	struct jl_buf line = JL_BUF_INIT;
	char key[JL_DIGEST_TEXT];

	jl_buf_printf(&line, "%s\n", jl_digest_text(&r->key, key));
	return jl_print_buf(&line) == JL_EXIT_OK ? JL_EXIT_OK : JL_EXIT_SELF;
}

static int status_of(const struct jl_settings *s, const struct jl_memo_result *r, const struct jl_err *err)
{
	switch (r->end) {
	case JL_MEMO_EXITED:
		if (s->memo.shelve && r->exit_code == 0 && !r->stored) {
			jl_say("memo: nothing is stored that a key could stand for");
			return JL_EXIT_SELF;
		}
		return s->memo.shelve && r->exit_code == 0 ? print_key(r) : r->exit_code;
	case JL_MEMO_NOT_STARTED: jl_say("%s", err->text); return r->exit_code;
	case JL_MEMO_TIMEOUT: jl_say("memo: ended after its --timeout"); return EXIT_TIMEOUT;
	case JL_MEMO_ABSENT: return JL_EXIT_FAILED;
	case JL_MEMO_SIGNALED:
	case JL_MEMO_STOPPED: jl_end_by_signal(r->signal); break;
	}
	return 128 + r->signal;
}

/* The one who asked for quiet has not seen which command it was. */
static void say_failure(const struct jl_settings *s, const struct jl_memo_result *r)
{
	const char *label = s->memo.label ? s->memo.label : s->operands.at[0];

	if (r->end == JL_MEMO_EXITED && r->exit_code)
		jl_say("memo: failed: %s: exit status %d", label, r->exit_code);
	else if (r->end == JL_MEMO_SIGNALED)
		jl_say("memo: failed: %s: ended by signal %d (%s)", label, r->signal, strsignal(r->signal));
}

/* The exit status, once jl_memo() gave `status`. */
static int conclude(struct passer *p, const struct jl_settings *s, const struct jl_memo_result *r, int status,
		    const struct jl_err *err)
{
	if (s->quiet && !s->memo.check)
		show_held(p, status < 0 || r->end != JL_MEMO_EXITED || r->exit_code);
	if (p->broken == SIGPIPE)
		jl_end_by_signal(SIGPIPE);
	if (p->broken || status < 0) {
		jl_say("memo: %s%s", p->broken ? "cannot write the command's output: " : "",
		       p->broken ? strerror(p->sys_errno) : err->text);
		return JL_EXIT_SELF;
	}
	if (s->quiet && !s->memo.check)
		say_failure(s, r);
	else if (s->verbose && !s->memo.check && r->end == JL_MEMO_EXITED)
		tell(r);
	return status_of(s, r, err);
}

static int run(struct jl_settings *s)
{
	struct passer p = {.sink = {.event = pass},
			   .out_fd = STDOUT_FILENO,
			   .quiet = s->quiet,
			   .verbose = s->verbose > 0,
			   .shown = JL_BUF_INIT,
			   .held = JL_GATHER_INIT,
			   .spill = JL_SPILL_INIT,
			   .held_err = JL_ERR_INIT};
	struct jl_reports reports = JL_REPORTS_INIT;
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_memo_result r = {0};
	struct jl_hosted hosted = JL_HOSTED_INIT;
	struct jl_memo_opts o;
	int status = JL_EXIT_SELF;

	if (jl_settings_memo_opts(s, &arena, &o, &err) != JL_OK ||
	    (!s->memo.check && jl_settings_hosted(s, &hosted, &o.hosted, &err) != JL_OK)) {
		jl_say("memo: %s", err.text);
		goto out;
	}
	o.command = (struct jl_memo_list){s->operands.at, s->operands.n};
	o.waiting = s->quiet ? NULL : waiting;
	if (jl_reports_open(&reports, s, "jl memo", NULL) != JL_EXIT_OK)
		goto out;
	/* Whoever reads events on stdout gets nothing else there. */
	p.out_fd = s->memo.shelve ? -1 : reports.on_stdout ? STDERR_FILENO : STDOUT_FILENO;
	p.sink.next = reports.first;
	p.safe_out = isatty(STDOUT_FILENO);
	p.safe_err = isatty(STDERR_FILENO);
	/* When nobody reads on, the command is ended first; then we end as it would have. */
	signal(SIGPIPE, SIG_IGN);
	o.run.sinks = &p.sink;
	o.broken = &p.broken;
	status = jl_memo(&o, &r, &err);
	signal(SIGPIPE, SIG_DFL);
	(void)jl_reports_close(&reports);
	status = conclude(&p, s, &r, status, &err);
out:
	jl_hosted_release(&hosted);
	jl_gather_drop(&p.held, &p.spill, 0);
	jl_spill_release(&p.spill);
	jl_buf_release(&p.shown);
	jl_arena_release(&arena);
	return status;
}

const struct jl_command jl_command_memo = {
	.name = "memo",
	.operands = "[--] COMMAND [ARG ...]",
	.summary = "Run one command, or replay its stored result",
	.about = "The result is what it writes to stdout and stderr, its exit status 0, and the\n"
		 "files given by -o. It depends on the words of the command, its program, standard\n"
		 "input, what -i, -e and --tool name, and, without -i and -o, the current folder.\n"
		 "Exit status: the command's; 124 after --timeout, 125 jl failed, 126 it cannot be\n"
		 "executed, 127 there is no such program.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.prefix = true,
	.run = run,
};
