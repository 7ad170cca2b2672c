/* What is kept of a run for its report. */
#include "report/last_run.h"

#include "base/utf8.h"
#include "report/ndjson.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX ((size_t)16 << 10) /* of a failure: its end */
#define OUTPUT_ALL ((size_t)4 << 20)  /* of all failures */
#define FRAME      5u                 /* bytes before those of a piece */

/* ---- output until its step ends ---- */

static void drop_output(struct jl_last_run *l)
{
	jl_buf_clear(&l->output);
	free(l->step);
	l->step = NULL;
	l->lost = 0;
}

/* All pieces but the last ones, which hold OUTPUT_MAX bytes or more. */
static void drop_early(struct jl_last_run *l)
{
	struct jl_cur c = {(const uint8_t *)l->output.data, (const uint8_t *)l->output.data + l->output.len, 0};
	const uint8_t *from = c.at;
	size_t len;

	while (c.at < c.end && (size_t)(c.end - from) > OUTPUT_MAX + FRAME) {
		jl_cur_u8(&c);
		jl_cur_bytes(&c, &len);
		if ((size_t)(c.end - c.at) < OUTPUT_MAX)
			break;
		from = c.at;
		l->lost += len;
	}
	len = (size_t)(c.end - from);
	memmove(l->output.data, from, len);
	jl_buf_truncate(&l->output, len);
}

/* Only the end tells why it failed; what is before it goes, not each time a little comes. */
static void hold_output(struct jl_last_run *l, const struct jl_event *e)
{
	const size_t skip = e->len > OUTPUT_MAX ? e->len - OUTPUT_MAX : 0;

	if (l->step && strcmp(l->step, e->step) != 0)
		drop_output(l);
	if (!l->step)
		l->step = jl_strdup(e->step);
	l->lost += skip;
	jl_buf_u8(&l->output, (uint8_t)e->stream);
	jl_buf_bytes(&l->output, (const char *)e->data + skip, e->len - skip);
	if (l->output.len > 4 * OUTPUT_MAX)
		drop_early(l);
}

static void put_output(struct jl_last_run *l, const struct jl_event *end)
{
	struct jl_cur c = {(const uint8_t *)l->output.data, (const uint8_t *)l->output.data + l->output.len, 0};
	struct jl_event e = {.type = JL_EVENT_STEP_OUTPUT, .t_ns = end->t_ns, .step = end->step};
	struct jl_buf note = JL_BUF_INIT;
	size_t room = OUTPUT_ALL - l->all < OUTPUT_MAX ? OUTPUT_ALL - l->all : OUTPUT_MAX;

	while (c.at < c.end) {
		const size_t left = (size_t)(c.end - c.at) - FRAME; /* and a few bytes for the frames of later pieces */
		size_t len, skip;

		e.stream = jl_cur_u8(&c);
		e.data = jl_cur_bytes(&c, &len);
		skip = left > room ? left - room : 0;
		if (skip >= len) {
			l->lost += len;
			continue;
		}
		skip = jl_utf8_cut_after(e.data, len, skip);
		l->lost += skip;
		if (l->lost) {
			jl_buf_printf(&note, "[%llu bytes before this are left out]\n", (unsigned long long)l->lost);
			jl_buf_add(&note, (const char *)e.data + skip, len - skip);
			e.data = note.data;
			e.len = note.len;
		} else {
			e.len = len;
		}
		jl_ndjson_add(&l->file.out.buf, &e);
		jl_buf_clear(&note);
		l->lost = 0;
		l->all += len - skip;
	}
	jl_buf_release(&note);
}

/* ---- events ---- */

static bool is_open(const struct jl_last_run *l)
{
	return l->file.out.fd >= 0;
}

static void begin(struct jl_last_run *l)
{
	if (l->refused)
		return;
	if (jl_report_file_open(&l->file, l->path, &l->err) != JL_OK) {
		l->refused = true;
		return;
	}
	jl_out_add(&l->file.out, l->early.data, l->early.len);
	jl_buf_release(&l->early);
}

static void finished(struct jl_last_run *l, const struct jl_event *e)
{
	const bool failed = e->status == JL_STEP_FAILED || e->status == JL_STEP_TIMEOUT;

	if (!is_open(l) && e->status != JL_STEP_SKIPPED) /* by its `if`, say: that is nothing done */
		begin(l);
	if (is_open(l) && failed && l->step && strcmp(l->step, e->step) == 0)
		put_output(l, e);
	drop_output(l);
}

static void event(struct jl_sink *s, const struct jl_event *e)
{
	struct jl_last_run *l = (struct jl_last_run *)s;

	if (e->type >= JL_EVENT_PROGRESS || e->type == JL_EVENT_STEP_STARTED || e->type == JL_EVENT_FETCH ||
	    (e->type == JL_EVENT_STEP_FINISHED && e->status == JL_STEP_FRESH))
		return;
	if (e->type == JL_EVENT_RUN_STARTED && e->workspace) {
		struct jl_buf path = JL_BUF_INIT;

		jl_buf_str(&path, e->workspace);
		jl_buf_str(&path, JL_LAST_RUN_PATH);
		l->path = jl_buf_detach(&path, NULL);
	}
	/* What is told before the run begins (that the state starts anew) is no part of it. */
	if (!l->path || l->refused)
		return;
	if (e->type == JL_EVENT_STEP_OUTPUT) {
		if (!e->replayed && e->len)
			hold_output(l, e);
		return;
	}
	if (e->type == JL_EVENT_STEP_FINISHED)
		finished(l, e);
	jl_ndjson_add(is_open(l) ? &l->file.out.buf : &l->early, e);
	if (is_open(l))
		jl_out_spill(&l->file.out);
	l->ended |= e->type == JL_EVENT_RUN_FINISHED;
}

void jl_last_run_init(struct jl_last_run *l)
{
	*l = (struct jl_last_run){.sink = {.event = event},
				  .file = JL_REPORT_FILE_INIT,
				  .early = JL_BUF_INIT,
				  .output = JL_BUF_INIT};
}

int jl_last_run_close(struct jl_last_run *l, struct jl_err *err)
{
	int r = jl_report_file_close(&l->file, l->ended, err);

	if (l->refused)
		r = jl_err_set(err, l->err.status, "%s", l->err.text);
	drop_output(l);
	jl_buf_release(&l->output);
	jl_buf_release(&l->early);
	free(l->path);
	l->path = NULL;
	return r;
}
