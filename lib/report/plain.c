/* Lines for people. */
#include "report/plain.h"

#include "base/clock.h"
#include "base/path.h"
#include "report/cause.h"
#include "report/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAW_EVERY_NS (100 * JL_NS_MS)
#define HELD_MAX ((size_t)20 << 20) /* what is kept of a step at most (16 MiB), cut into the smallest chunks */

struct jl_plain_held {
	struct jl_plain_held *next;
	char *step;
	struct jl_buf chunks; /* stream u8, replayed u8, bytes */
	bool cut;
};

/* Where the cursor is, for a stream: two streams on one terminal, or in one log, have one cursor. */
static bool *mid_line(struct jl_plain *p, int stream)
{
	const bool one = (p->opts.out_tty && p->opts.err_tty) || p->out.fd == p->err.fd || p->opts.ci;

	return &p->mid_line[one ? 1 : stream - 1];
}

static void erase_progress(struct jl_plain *p)
{
	if (!p->drawn)
		return;
	jl_out_add(&p->err, "\r\033[K", 4);
	jl_out_flush(&p->err);
	p->drawn = false;
}

/* Our own lines begin at the left, whatever a step left behind. */
static void begin_line(struct jl_plain *p, int stream)
{
	bool *mid = mid_line(p, stream);

	erase_progress(p);
	if (*mid)
		jl_out_add(stream == 1 ? &p->out : &p->err, "\n", 1);
	*mid = false;
}

static void add_shown(struct jl_out *o, const char *text)
{
	jl_path_show(&o->buf, text, strlen(text));
}

static void add_duration(struct jl_out *o, const char *before, int64_t ns, const char *after)
{
	jl_out_printf(o, "%s", before);
	jl_clock_show(&o->buf, ns);
	jl_out_printf(o, "%s", after);
}

static void show_output(struct jl_plain *p, int stream, bool replayed, const void *data, size_t len)
{
	struct jl_out *o = stream == 1 ? &p->out : &p->err;
	const bool tty = stream == 1 ? p->opts.out_tty : p->opts.err_tty;

	if (len == 0)
		return;
	erase_progress(p);
	if (tty && replayed) {
		jl_term_safe(&o->buf, data, len);
		jl_out_spill(o);
	} else {
		jl_out_add(o, data, len);
	}
	jl_out_flush(o);
	*mid_line(p, stream) = ((const char *)data)[len - 1] != '\n';
}

/* The place of what is held for the step, or of the NULL at the end. */
static struct jl_plain_held **find_held(struct jl_plain *p, const char *step)
{
	struct jl_plain_held **at = &p->held;

	while (*at && strcmp((*at)->step, step) != 0)
		at = &(*at)->next;
	return at;
}

static void hold_output(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_plain_held **at = find_held(p, e->step);

	if (!*at) {
		*at = jl_calloc(1, sizeof(**at));
		(*at)->step = jl_strdup(e->step);
		jl_buf_init(&(*at)->chunks, HELD_MAX);
	}
	if ((*at)->cut || (*at)->chunks.len + e->len + 6 > HELD_MAX) {
		(*at)->cut = true;
		return;
	}
	jl_buf_u8(&(*at)->chunks, (uint8_t)e->stream);
	jl_buf_u8(&(*at)->chunks, e->replayed);
	jl_buf_bytes(&(*at)->chunks, e->data, e->len);
}

/* In a CI system's log, what is shown next can be folded. */
static void group(struct jl_plain *p, const struct jl_event *e, bool begin)
{
	begin_line(p, 2);
	if (begin)
		jl_ci_begin(p->opts.ci, &p->err.buf, e->step, ++p->groups, e->attempt ? e->wall_ns : 0);
	else
		jl_ci_end(p->opts.ci, &p->err.buf, p->groups);
	jl_out_flush(&p->err);
}

static void show_held(struct jl_plain *p, const struct jl_plain_held *h)
{
	struct jl_cur c = {(const uint8_t *)h->chunks.data, (const uint8_t *)h->chunks.data + h->chunks.len, 0};

	while (c.at < c.end && !c.bad) {
		int stream = jl_cur_u8(&c);
		bool replayed = jl_cur_u8(&c);
		size_t len;
		const char *data = jl_cur_bytes(&c, &len);

		show_output(p, stream, replayed, data, len);
	}
	if (h->cut) {
		begin_line(p, 2);
		jl_out_printf(&p->err, "jl: there is more of this in the log\n");
	}
}

static void free_held(struct jl_plain_held *h)
{
	free(h->step);
	jl_buf_release(&h->chunks);
	free(h);
}

/* The step has ended: what is held for it is shown or dropped. */
static void release_held(struct jl_plain *p, const struct jl_event *e, bool failed)
{
	struct jl_plain_held **at = find_held(p, e->step), *h = *at;
	const bool grouped = p->opts.ci && (failed || p->opts.verbose);

	if (!h)
		return;
	if (failed || !p->opts.quiet) {
		if (grouped)
			group(p, e, true);
		show_held(p, h);
		if (grouped)
			group(p, e, false);
	}
	*at = h->next;
	free_held(h);
}

/* One word of sh that can also be read: plain, in quotes, or as $'...' where it holds what a terminal would obey. */
static void add_quoted(struct jl_buf *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
	const size_t len = strlen(word), start = out->len;

	if (len && strspn(word, safe) == len) {
		jl_buf_str(out, word);
		return;
	}
	jl_path_show(out, word, len);
	if (out->len - start == len) {
		jl_buf_truncate(out, start);
		jl_buf_char(out, '\'');
		for (const char *s = word; *s; s++)
			*s == '\'' ? jl_buf_str(out, "'\\''") : jl_buf_char(out, *s);
		jl_buf_char(out, '\'');
		return;
	}
	jl_buf_truncate(out, start);
	jl_buf_str(out, "$'");
	for (const char *s = word; *s; s++) {
		if (*s == '\'' || *s == '\\')
			jl_buf_printf(out, "\\%c", *s);
		else if (*s >= 0x20 && *s < 0x7f)
			jl_buf_char(out, *s);
		else
			jl_buf_printf(out, "\\x%02x", (unsigned char)*s);
	}
	jl_buf_char(out, '\'');
}

/* A command that says more about a step, or repeats it: can be pasted. */
static void add_command(struct jl_out *o, const char *what, const char *command, const char *step)
{
	if (!command)
		return;
	jl_out_printf(o, "  %s: %s ", what, command);
	add_quoted(&o->buf, step);
	jl_out_printf(o, "\n");
}

/* A mark at the failure in the log of a CI system. */
static void annotate(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_buf text = JL_BUF_INIT;

	if (p->opts.ci == JL_CI_NONE)
		return;
	jl_buf_printf(&text, "%s failed: ", e->step);
	jl_cause_show(&text, e);
	jl_ci_error(p->opts.ci, &p->err.buf, e->step, text.data);
	jl_buf_release(&text);
}

static void show_failure(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_out *o = &p->err;
	const char *on = p->opts.color ? "\033[31m" : "", *off = p->opts.color ? "\033[0m" : "";

	begin_line(p, 2);
	jl_out_printf(o, "%sjl: ", on);
	add_shown(o, e->step);
	jl_out_printf(o, " failed: ");
	jl_cause_show(&o->buf, e);
	add_duration(o, " (", e->wall_ns, ")");
	jl_out_printf(o, "%s\n", off);
	if (e->command) {
		jl_out_printf(o, "  command: ");
		add_shown(o, e->command);
		jl_out_printf(o, "\n");
	}
	if (e->log) {
		jl_out_printf(o, "  log: ");
		add_shown(o, e->log);
		jl_out_printf(o, "\n");
	}
	if (p->opts.quiet && e->log)
		add_command(o, "more", p->opts.more, e->step);
	add_command(o, "again", p->opts.again, e->step);
	annotate(p, e);
	jl_out_flush(o);
}

/* `STATUS  STEP  REASON  (DURATION)`: of a plan to its output, without the duration. */
static void show_step(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_out *o = p->opts.plan ? &p->out : &p->err;

	begin_line(p, p->opts.plan ? 1 : 2);
	jl_out_printf(o, "%s  ", jl_step_status_name(e->status));
	add_shown(o, e->step);
	if (e->reason) {
		jl_out_printf(o, "  ");
		add_shown(o, e->reason);
	}
	if (!p->opts.plan && e->status == JL_STEP_RAN)
		add_duration(o, "  (", e->wall_ns, ")");
	jl_out_printf(o, "\n");
	if (!p->opts.plan)
		jl_out_flush(o);
}

static void show_finished(struct jl_plain *p, const struct jl_event *e)
{
	const bool failed = e->status == JL_STEP_FAILED || e->status == JL_STEP_TIMEOUT;

	if (p->held)
		release_held(p, e, failed);
	if (failed)
		show_failure(p, e);
	else if (p->opts.plan || (p->opts.verbose && !p->opts.quiet))
		show_step(p, e);
}

static void show_warning(struct jl_plain *p, const struct jl_event *e)
{
	if (p->opts.quiet)
		return;
	begin_line(p, 2);
	jl_out_printf(&p->err, "jl: %swarning:%s ", p->opts.color ? "\033[33m" : "", p->opts.color ? "\033[0m" : "");
	if (e->step) {
		add_shown(&p->err, e->step);
		jl_out_printf(&p->err, ": ");
	}
	add_shown(&p->err, e->text);
	jl_out_printf(&p->err, "\n");
	jl_out_flush(&p->err);
}

static void draw_progress(struct jl_plain *p, const struct jl_event *e)
{
	const struct jl_counts *c = e->counts;
	struct jl_buf line = JL_BUF_INIT;
	unsigned width;

	if (!p->opts.progress || !p->opts.err_tty || e->t_ns - p->drawn_ns < DRAW_EVERY_NS)
		return;
	p->drawn_ns = e->t_ns;
	begin_line(p, 2);
	width = jl_term_width(p->err.fd);
	jl_buf_printf(&line, "[%*u/%u] %u running", snprintf(NULL, 0, "%u", c->total),
	              c->ran + c->fresh + c->restored + c->failed + c->skipped, c->total, c->running);
	if (c->failed)
		jl_buf_printf(&line, ", %u failed", c->failed);
	jl_buf_printf(&line, ", %u restored, %u fresh", c->restored, c->fresh);
	if (p->now.len)
		jl_buf_printf(&line, "  %s", p->now.data);
	jl_out_add(&p->err, "\r", 1);
	/* The last column stays free: there a terminal would begin a new line. */
	jl_out_add(&p->err, line.data, jl_term_cut(line.data, line.len, width - 1));
	jl_out_flush(&p->err);
	jl_buf_release(&line);
	p->drawn = true;
}

static void event(struct jl_sink *s, const struct jl_event *e)
{
	struct jl_plain *p = (struct jl_plain *)s;

	switch (e->type) {
	case JL_EVENT_STEP_FINISHED:
		/* 100,000 of them in a run that does nothing else. */
		if (e->status == JL_STEP_FRESH && p->opts.verbose < (p->opts.plan ? 1 : 2))
			return;
		show_finished(p, e);
		break;
	case JL_EVENT_STEP_STARTED:
		if (e->terminal) {
			erase_progress(p);
			return;
		}
		jl_buf_clear(&p->now);
		jl_path_show(&p->now, e->step, strlen(e->step));
		break;
	case JL_EVENT_STEP_OUTPUT:
		if (!p->opts.quiet && !p->opts.ci)
			show_output(p, e->stream, e->replayed, e->data, e->len);
		else if (!p->opts.quiet || !e->replayed)
			hold_output(p, e);
		break;
	case JL_EVENT_WARNING:
		show_warning(p, e);
		break;
	case JL_EVENT_RUN_FINISHED:
		erase_progress(p);
		jl_out_flush(&p->out);
		return;
	case JL_EVENT_RUN_STARTED:
	case JL_EVENT_PROGRESS:
		break;
	}
	draw_progress(p, e);
}

void jl_plain_init(struct jl_plain *p, const struct jl_plain_opts *opts)
{
	*p = (struct jl_plain){
		.sink = {.event = event},
		.opts = *opts,
		.out = JL_OUT_INIT(opts->out_fd),
		.err = JL_OUT_INIT(opts->err_fd),
		.now = JL_BUF_INIT,
	};
	p->opts.progress = opts->progress && !opts->quiet;
}

void jl_plain_summary(struct jl_plain *p, const struct jl_counts *c, int64_t wall_ns)
{
	struct jl_out *o = &p->err;

	jl_out_flush(&p->out);
	if (p->opts.quiet && c->failed == 0)
		return;
	begin_line(p, 2);
	jl_out_printf(o, "%u step%s: ", c->total, c->total == 1 ? "" : "s");
	if (p->opts.plan) {
		jl_out_printf(o, "%u would run, %u would be restored, %u fresh, %u maybe", c->would_run,
		              c->would_restore, c->fresh, c->maybe);
		if (c->skipped)
			jl_out_printf(o, ", %u skipped", c->skipped);
		jl_out_printf(o, "\n");
	} else {
		jl_out_printf(o, "%u ran, %u fresh, %u restored, %u failed", c->ran, c->fresh, c->restored, c->failed);
		if (c->skipped)
			jl_out_printf(o, ", %u skipped", c->skipped);
		add_duration(o, " in ", wall_ns, "");
		if (c->saved_ns > 0)
			add_duration(o, " (saved ", c->saved_ns, ")");
		jl_out_printf(o, "\n");
	}
	jl_out_flush(o);
}

int jl_plain_errno(const struct jl_plain *p)
{
	return p->out.sys_errno;
}

void jl_plain_release(struct jl_plain *p)
{
	erase_progress(p);
	while (p->held) {
		struct jl_plain_held *next = p->held->next;

		free_held(p->held);
		p->held = next;
	}
	jl_out_release(&p->out);
	jl_out_release(&p->err);
	jl_buf_release(&p->now);
}
