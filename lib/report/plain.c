/* Lines for people. */
#include "report/plain.h"

#include "base/clock.h"
#include "base/path.h"
#include "report/cause.h"
#include "report/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FETCH_NS (10 * JL_NS_S) /* between lines that say how far downloads are */
#define HELD_MAX ((size_t)20 << 20) /* what is kept of a step at most (16 MiB), cut into the smallest chunks */

struct jl_plain_held {
	struct jl_plain_held *next;
	char *step;
	struct jl_buf chunks; /* stream u8, replayed u8, bytes */
	bool cut;
};

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
	struct jl_buf *out = &jl_screen_line(&p->screen, 2)->buf;

	if (begin)
		jl_ci_begin(p->opts.ci, out, e->step, ++p->groups, e->attempt ? e->wall_ns : 0);
	else
		jl_ci_end(p->opts.ci, out, p->groups);
}

static void show_held(struct jl_plain *p, const struct jl_plain_held *h)
{
	struct jl_cur c = {(const uint8_t *)h->chunks.data, (const uint8_t *)h->chunks.data + h->chunks.len, 0};

	while (c.at < c.end && !c.bad) {
		int stream = jl_cur_u8(&c);
		bool replayed = jl_cur_u8(&c);
		size_t len;
		const char *data = jl_cur_bytes(&c, &len);

		jl_screen_text(&p->screen, stream, replayed, data, len);
	}
	if (h->cut)
		jl_out_printf(jl_screen_line(&p->screen, 2), "jl: there is more of this in the log\n");
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

/* A command that says more about a step, or repeats it: can be pasted. */
static void add_command(struct jl_out *o, const char *what, const char *command, const char *step)
{
	if (!command)
		return;
	jl_out_printf(o, "  %s: %s ", what, command);
	jl_term_word(&o->buf, step);
	jl_out_printf(o, "\n");
}

/* A mark at the failure in the log of a CI system. */
static void annotate(const struct jl_plain *p, struct jl_out *o, const struct jl_event *e)
{
	struct jl_buf text = JL_BUF_INIT;

	if (p->opts.ci == JL_CI_NONE)
		return;
	jl_buf_printf(&text, "%s failed: ", e->step);
	jl_cause_show(&text, e);
	jl_ci_error(p->opts.ci, &o->buf, e->step, text.data);
	jl_buf_release(&text);
}

static void show_failure(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_out *o = jl_screen_line(&p->screen, 2);
	const char *on = p->opts.color ? "\033[31m" : "", *off = p->opts.color ? "\033[0m" : "";

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
	annotate(p, o, e);
	jl_screen_flush_now(&p->screen);
}

/* `STATUS  STEP  REASON  (DURATION)`: of a plan to its output, without the duration. */
static void show_step(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_out *o = jl_screen_line(&p->screen, p->opts.plan ? 1 : 2);

	jl_out_printf(o, "%s  ", jl_step_status_name(e->status));
	add_shown(o, e->step);
	if (e->reason) {
		jl_out_printf(o, "  ");
		add_shown(o, e->reason);
	}
	if (!p->opts.plan && e->status == JL_STEP_RAN)
		add_duration(o, "  (", e->wall_ns, ")");
	jl_out_printf(o, "\n");
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
	struct jl_out *o;

	if (p->opts.quiet)
		return;
	o = jl_screen_line(&p->screen, 2);
	jl_out_printf(o, "jl: %swarning:%s ", p->opts.color ? "\033[33m" : "", p->opts.color ? "\033[0m" : "");
	if (e->step) {
		add_shown(o, e->step);
		jl_out_printf(o, ": ");
	}
	add_shown(o, e->text);
	jl_out_printf(o, "\n");
}

static void show_remote(struct jl_plain *p, const struct jl_remote_counts *c)
{
	struct jl_out *o = jl_screen_line(&p->screen, 2);

	jl_out_printf(o, "remote ");
	jl_remote_counts_show(&o->buf, c);
	jl_out_printf(o, "\n");
}

static bool is_told(struct jl_plain *p, const struct jl_event *e)
{
	if (p->opts.quiet || p->opts.plan)
		return false;
	if (e->fetch == JL_FETCH_GOES_ON) { /* the lines of the display say so all the time */
		if (p->screen.live || e->t_ns - p->fetch_told_ns < FETCH_NS || e->wall_ns < FETCH_NS)
			return false;
		p->fetch_told_ns = e->t_ns;
	}
	return e->fetch == JL_FETCH_GOES_ON || e->fetch == JL_FETCH_DONE || (e->fetch == JL_FETCH_UNCHANGED && p->opts.verbose);
}

static void add_bytes(struct jl_out *o, const char *before, uint64_t bytes)
{
	if (bytes < 1000)
		jl_out_printf(o, "%s%u bytes", before, (unsigned)bytes);
	else
		jl_out_printf(o, "%s%.1f %s", before, (double)bytes / (bytes < 1000000 ? 1e3 : 1e6), bytes < 1000000 ? "kB" : "MB");
}

static void show_fetch(struct jl_plain *p, const struct jl_event *e)
{
	struct jl_out *o;

	if (!is_told(p, e))
		return;
	o = jl_screen_line(&p->screen, 2);
	jl_out_printf(o, "%s  %s", jl_fetch_status_name(e->fetch), e->url);
	if (e->fetch != JL_FETCH_UNCHANGED)
		add_bytes(o, "  (", e->bytes);
	if (e->fetch == JL_FETCH_GOES_ON && e->total)
		add_bytes(o, " of ", e->total);
	if (e->fetch != JL_FETCH_UNCHANGED)
		add_duration(o, " in ", e->wall_ns, ")");
	jl_out_printf(o, "\n");
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
	case JL_EVENT_STEP_OUTPUT:
		if (!p->opts.quiet && !p->opts.ci)
			jl_screen_text(&p->screen, e->stream, e->replayed, e->data, e->len);
		else if (!p->opts.quiet || !e->replayed)
			hold_output(p, e);
		break;
	case JL_EVENT_WARNING:
		show_warning(p, e);
		break;
	case JL_EVENT_FETCH:
		show_fetch(p, e);
		break;
	case JL_EVENT_HOST:
		break; /* what matters of it is a warning */
	case JL_EVENT_REMOTE:
		if (p->opts.verbose && !p->opts.quiet)
			show_remote(p, e->remote);
		break;
	case JL_EVENT_RUN_FINISHED:
		jl_screen_flush_now(&p->screen);
		break;
	case JL_EVENT_RUN_STARTED:
	case JL_EVENT_STEP_STARTED:
	case JL_EVENT_PROGRESS:
	case JL_EVENT_PAUSED:
	case JL_EVENT_SCREEN:
		break;
	}
	/* A plan is one text, in few writes. */
	if (!p->opts.plan)
		jl_screen_flush(&p->screen);
	jl_screen_event(&p->screen, e);
	s->wake_ns = p->screen.wake_ns;
}

void jl_plain_init(struct jl_plain *p, const struct jl_plain_opts *opts)
{
	*p = (struct jl_plain){.sink = {.event = event}, .opts = *opts};
	jl_screen_init(&p->screen, &(struct jl_screen_opts){.out_fd = opts->out_fd,
							    .err_fd = opts->err_fd,
							    .out_tty = opts->out_tty,
							    .err_tty = opts->err_tty,
							    .bar = opts->bar && !opts->quiet && !opts->plan,
							    .one = opts->ci != JL_CI_NONE,
							    .color = opts->color});
}

void jl_plain_summary(struct jl_plain *p, const struct jl_counts *c, int64_t wall_ns)
{
	struct jl_out *o;

	jl_screen_flush_now(&p->screen);
	if (p->opts.quiet && c->failed == 0)
		return;
	o = jl_screen_line(&p->screen, 2);
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
	jl_screen_flush_now(&p->screen);
}

void jl_plain_end(struct jl_plain *p)
{
	jl_screen_end(&p->screen);
}

int jl_plain_errno(const struct jl_plain *p)
{
	return jl_screen_errno(&p->screen);
}

void jl_plain_release(struct jl_plain *p)
{
	while (p->held) {
		struct jl_plain_held *next = p->held->next;

		free_held(p->held);
		p->held = next;
	}
	jl_screen_release(&p->screen);
}
