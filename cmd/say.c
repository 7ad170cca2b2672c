/* Messages, output and exit statuses of the commands. */
#include "cmd.h"

#include "base/near.h"
#include "base/path.h"
#include "report/out.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes the buffer. A failed write of a message has nobody left to be told. */
static void say_line(const struct jl_buf *line)
{
	struct jl_out out = {.fd = STDERR_FILENO, .buf = *line};

	jl_buf_char(&out.buf, '\n');
	jl_out_release(&out);
}

void jl_say(const char *fmt, ...)
{
	struct jl_buf line = JL_BUF_INIT;
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		jl_oom();
	jl_buf_str(&line, "jl: ");
	/* File names stand in messages: nothing of them may move the cursor. */
	jl_path_show(&line, text, (size_t)len);
	free(text);
	say_line(&line);
}

static int exit_of(int status)
{
	switch (status) {
	case JL_OK:
		return JL_EXIT_OK;
	case JL_EINVAL:
	case JL_ENOTFOUND:
		return JL_EXIT_USAGE;
	default:
		return JL_EXIT_MACHINE;
	}
}

int jl_say_error(const struct jl_err *err)
{
	jl_say("%s", err->text[0] ? err->text : "failed for a reason unknown");
	return err->status == JL_OK ? JL_EXIT_MACHINE : exit_of(err->status);
}

void jl_say_messages(const struct jl_messages *msgs)
{
	for (uint32_t i = 0; i < msgs->n; i++) {
		const struct jl_message *m = &msgs->at[i];
		const char *kind = m->warning ? "warning: " : "";
		struct jl_buf line = JL_BUF_INIT;

		if (m->mark.line == 0) {
			jl_say("%s%s", kind, m->text);
			continue;
		}
		jl_path_show(&line, m->mark.file, strlen(m->mark.file));
		jl_buf_printf(&line, ":%u:%u: %s", m->mark.line, m->mark.column, kind);
		jl_path_show(&line, m->text, strlen(m->text));
		say_line(&line);
	}
}

int jl_say_fault(const struct jl_messages *msgs, const struct jl_err *err)
{
	jl_say_messages(msgs);
	if (msgs->errors)
		return JL_EXIT_USAGE;
	return jl_say_error(err);
}

int jl_print(const void *data, size_t len, struct jl_err *err)
{
	struct jl_out out = JL_OUT_INIT(STDOUT_FILENO);

	jl_out_add(&out, data, len);
	jl_out_release(&out);
	return out.sys_errno ? jl_err_sys(err, out.sys_errno, "cannot write to standard output") : JL_OK;
}

int jl_print_buf(struct jl_buf *out)
{
	struct jl_err err = JL_ERR_INIT;
	int r = jl_print(out->data, out->len, &err);

	jl_buf_release(out);
	if (r == JL_OK)
		return JL_EXIT_OK;
	jl_say_error(&err);
	return JL_EXIT_MACHINE;
}

void jl_end_by_signal(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
}

const struct jl_command *jl_command_find(const char *name)
{
	for (const struct jl_command *const *c = jl_commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

int jl_command_unknown(const char *name)
{
	struct jl_near near = {.word = name};

	for (const struct jl_command *const *c = jl_commands; *c; c++)
		jl_near_offer(&near, (*c)->name);
	if (near.best)
		jl_say("unknown command \"%s\"; did you mean \"%s\"?", name, near.best);
	else
		jl_say("unknown command \"%s\"; \"jl help\" lists them", name);
	return JL_EXIT_USAGE;
}
