/* Text and a display on one terminal: see screen.h. */
#include "report/screen.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "report/term.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME_NS  (100 * JL_NS_MS)
#define CLEAR     "\r\033[J" /* from the left, all that is below, too */
#define CARRY_MAX 32u        /* a longer colour sequence is none */

static bool same_device(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_rdev == sb.st_rdev;
}

void jl_screen_init(struct jl_screen *s, const struct jl_screen_opts *opts)
{
	*s = (struct jl_screen){
		.opts = *opts,
		.out = JL_OUT_INIT(opts->out_fd),
		.err = JL_OUT_INIT(opts->err_fd),
		.carry = {JL_BUF_INIT, JL_BUF_INIT},
		.live = opts->bar && opts->err_tty,
		.lines = JL_BUF_INIT,
		.drawn = JL_BUF_INIT,
	};
	s->same = opts->out_tty && opts->err_tty && same_device(opts->out_fd, opts->err_fd);
	jl_bar_init(&s->bar);
}

/* Does the stream go to the terminal of the display? */
static bool below(const struct jl_screen *s, int stream)
{
	return s->live && (stream == 2 || s->same);
}

static struct jl_out *out_of(struct jl_screen *s, int stream)
{
	return stream == 1 && !below(s, 1) ? &s->out : &s->err;
}

/* Where the cursor is, for a stream: two streams on one terminal, or in one log, have one cursor. */
static bool *mid_line(struct jl_screen *s, int stream)
{
	const bool one = s->same || s->opts.out_fd == s->opts.err_fd || s->opts.one;

	return &s->mid_line[one ? 1 : stream - 1];
}

static void erase(struct jl_screen *s)
{
	if (s->shown)
		jl_out_add(&s->err, CLEAR, strlen(CLEAR));
	s->shown = false;
}

/* What goes to the other stream goes first, so that both on one terminal or file keep their order. */
static struct jl_out *begin(struct jl_screen *s, int stream)
{
	struct jl_out *o = out_of(s, stream), *other = o == &s->out ? &s->err : &s->out;

	if (below(s, stream))
		erase(s);
	if (other->buf.len && !s->live)
		jl_out_flush(other);
	return o;
}

/* Bytes at the end that mean something only together with what follows: part of a character, of a colour, of CR LF. */
static size_t open_end(const char *data, size_t len)
{
	size_t from = len > CARRY_MAX ? len - CARRY_MAX : 0;

	for (size_t i = len; i-- > from;) {
		if (data[i] == '\033' && !jl_term_color_len(data + i, len - i) &&
		    strspn(data + i + 1, "[0123456789;:") >= len - i - 1)
			return len - i;
	}
	if (len && data[len - 1] == '\r')
		return 1;
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		const unsigned char c = (unsigned char)data[len - back];

		if (c >= 0xc0)
			return back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? back : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

/* Harmless, and in whole characters: the last may come in pieces. */
static void add_safe(struct jl_screen *s, struct jl_out *o, int stream, const void *data, size_t len)
{
	struct jl_buf *carry = &s->carry[stream - 1];
	size_t open;

	if (carry->len) {
		jl_buf_add(carry, data, len);
		data = carry->data;
		len = carry->len;
	}
	open = open_end(data, len);
	jl_term_safe(&o->buf, data, len - open);
	jl_out_spill(o);
	if (data == carry->data) {
		memmove(carry->data, carry->data + len - open, open);
		jl_buf_truncate(carry, open);
	} else {
		jl_buf_add(carry, (const char *)data + len - open, open);
	}
}

/* Its rest does not come. */
static void end_carry(struct jl_screen *s, int stream)
{
	struct jl_buf *carry = &s->carry[stream - 1];
	struct jl_out *o;

	if (!carry->len)
		return;
	o = begin(s, stream);
	jl_term_safe(&o->buf, carry->data, carry->len);
	jl_buf_clear(carry);
}

void jl_screen_text(struct jl_screen *s, int stream, bool stored, const void *data, size_t len)
{
	const bool tty = stream == 1 ? s->opts.out_tty : s->opts.err_tty;
	struct jl_out *o;

	if (len == 0)
		return;
	end_carry(s, 3 - stream);
	o = begin(s, stream);
	if (tty && (stored || below(s, stream)))
		add_safe(s, o, stream, data, len);
	else
		jl_out_add(o, data, len);
	*mid_line(s, stream) = ((const char *)data)[len - 1] != '\n';
}

struct jl_out *jl_screen_line(struct jl_screen *s, int stream)
{
	bool *mid = mid_line(s, stream);
	struct jl_out *o;

	end_carry(s, 1);
	end_carry(s, 2);
	o = begin(s, stream);
	if (*mid)
		jl_out_add(o, "\n", 1);
	*mid = false;
	return o;
}

void jl_screen_flush_now(struct jl_screen *s)
{
	if (s->out.buf.len)
		jl_out_flush(&s->out);
	if (s->err.buf.len)
		jl_out_flush(&s->err);
}

void jl_screen_flush(struct jl_screen *s)
{
	if (!s->live || s->given)
		jl_screen_flush_now(s);
	else if (s->out.buf.len)
		jl_out_flush(&s->out);
}

/* ---- the display ---- */

/* Does it take something at once? A terminal that was stopped must not stop the run. */
static bool takes(const struct jl_screen *s)
{
	struct pollfd p = {.fd = s->err.fd, .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

/* Another job has the terminal: a shell, usually. */
static bool in_background(const struct jl_screen *s)
{
	const pid_t group = tcgetpgrp(s->err.fd);

	return group > 0 && group != getpgrp();
}

/* The lines one below the other, and back to the first. */
static void add_display(struct jl_screen *s, unsigned n)
{
	struct jl_buf *out = &s->err.buf;
	const char *at = s->lines.data;

	for (unsigned i = 0; i < n; i++) {
		const char *end = strchrnul(at, '\n');

		jl_buf_add(out, at, (size_t)(end - at));
		jl_buf_str(out, i + 1 < n ? "\r\n" : "\r");
		at = *end ? end + 1 : end;
	}
	if (n > 1)
		jl_buf_printf(out, "\033[%uA", n - 1);
}

static void draw(struct jl_screen *s, int64_t now_ns)
{
	unsigned columns, rows, n;

	jl_term_size(s->err.fd, &columns, &rows);
	jl_buf_clear(&s->lines);
	/* The last column stays free, as there a terminal would begin a new line; and so does half of the window. */
	n = jl_bar_lines(&s->bar, now_ns, columns - 1, rows > 3 ? rows / 2 : 1, s->opts.color, &s->lines);
	if (s->shown && s->lines.len == s->drawn.len && memcmp(s->lines.data, s->drawn.data, s->lines.len) == 0)
		return;
	(void)jl_screen_line(s, 2);
	add_display(s, n);
	jl_buf_clear(&s->drawn);
	jl_buf_add(&s->drawn, s->lines.data, s->lines.len);
	s->shown = true;
}

/* The old display away, what came since, the new display: one write. */
static void frame(struct jl_screen *s, int64_t now_ns)
{
	if (now_ns - s->frame_ns < FRAME_NS) {
		s->wake_ns = s->frame_ns + FRAME_NS;
		return;
	}
	s->frame_ns = now_ns;
	s->wake_ns = (now_ns / JL_NS_S + 1) * JL_NS_S;
	if (!takes(s)) {
		s->wake_ns = now_ns + FRAME_NS;
		return;
	}
	if (in_background(s)) {
		jl_screen_flush_now(s);
		return;
	}
	draw(s, now_ns);
	jl_screen_flush_now(s);
}

static void give(struct jl_screen *s, const char *step)
{
	erase(s);
	jl_screen_flush_now(s);
	s->given = jl_strdup(step);
}

void jl_screen_event(struct jl_screen *s, const struct jl_event *e)
{
	if (!s->live)
		return;
	jl_bar_event(&s->bar, e);
	switch (e->type) {
	case JL_EVENT_STEP_STARTED:
		if (e->terminal)
			give(s, e->step);
		break;
	case JL_EVENT_STEP_OUTPUT:
		return; /* more of it may follow */
	case JL_EVENT_STEP_FINISHED:
		if (s->given && strcmp(s->given, e->step) == 0) {
			free(s->given);
			s->given = NULL;
		}
		break;
	case JL_EVENT_PAUSED:
		erase(s);
		jl_screen_flush_now(s);
		return;
	case JL_EVENT_SCREEN:
		erase(s);
		break;
	case JL_EVENT_RUN_FINISHED:
		jl_screen_end(s);
		return;
	case JL_EVENT_RUN_STARTED:
	case JL_EVENT_WARNING:
	case JL_EVENT_FETCH:
	case JL_EVENT_REMOTE:
	case JL_EVENT_HOST:
	case JL_EVENT_PROGRESS:
		break;
	}
	if (s->given)
		s->wake_ns = 0;
	else
		frame(s, e->t_ns);
}

void jl_screen_end(struct jl_screen *s)
{
	end_carry(s, 1);
	end_carry(s, 2);
	erase(s);
	jl_screen_flush_now(s);
	s->live = false;
	s->wake_ns = 0;
}

int jl_screen_errno(const struct jl_screen *s)
{
	return s->opts.bar && s->same && s->err.sys_errno ? s->err.sys_errno : s->out.sys_errno;
}

void jl_screen_release(struct jl_screen *s)
{
	jl_screen_end(s);
	jl_out_release(&s->out);
	jl_out_release(&s->err);
	for (int i = 0; i < 2; i++)
		jl_buf_release(&s->carry[i]);
	jl_buf_release(&s->lines);
	jl_buf_release(&s->drawn);
	jl_bar_release(&s->bar);
	free(s->given);
}
