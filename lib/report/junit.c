/* JUnit XML. */
#include "report/junit.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/utf8.h"
#include "report/cause.h"
#include "report/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTPUT_MAX ((size_t)64 << 10) /* of a failed step: its end */
#define NAME_MAX_BYTES 300
/* Room for the head with the largest numbers; what it does not take is blanks, which XML allows there. */
#define COUNTS_MAX 200

struct jl_junit_held {
	struct jl_junit_held *next;
	char *step;
	uint64_t seq;
	struct jl_buf text;
	uint64_t lost; /* bytes before it */
};

/* ---- XML ---- */

/* Text that XML 1.0 can hold. In an attribute a newline would become a blank; there it is shown like any control byte. */
static void add_text(struct jl_buf *out, const char *s, size_t len, bool attribute)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = jl_term_color_len(s + i, len - i);
		if (n && !attribute)
			continue;
		n = jl_utf8_len(s + i, len - i);
		if (!attribute && s[i] == '\r') {
			/* A line of its own for each step of a progress bar; none for CR LF. */
			if (i + 1 < len && s[i + 1] != '\n')
				jl_buf_char(out, '\n');
		} else if (s[i] == '<') {
			jl_buf_str(out, "&lt;");
		} else if (s[i] == '>') {
			jl_buf_str(out, "&gt;");
		} else if (s[i] == '&') {
			jl_buf_str(out, "&amp;");
		} else if (s[i] == '"') {
			jl_buf_str(out, "&quot;");
		} else if (!attribute && (s[i] == '\n' || s[i] == '\t')) {
			jl_buf_char(out, s[i]);
		} else if (n == 3 && memcmp(s + i, "\xef\xbf\xbe", 2) == 0 && (unsigned char)s[i + 2] >= 0xbe) {
			/* U+FFFE and U+FFFF are characters to UTF-8 and none to XML. */
			jl_buf_printf(out, "\\xef\\xbf\\x%02x", (unsigned char)s[i + 2]);
		} else {
			n = n ? n : 1;
			jl_path_show(out, s + i, n);
		}
	}
}

static void add_attribute(struct jl_buf *out, const char *name, const char *value)
{
	jl_buf_printf(out, " %s=\"", name);
	add_text(out, value, strlen(value), true);
	jl_buf_char(out, '"');
}

/* By integers: printf's point depends on the locale. */
static void add_seconds(struct jl_buf *out, int64_t ns)
{
	const int64_t ms = (ns < 0 ? 0 : ns) / JL_NS_MS;

	jl_buf_printf(out, " time=\"%lld.%03d\"", (long long)(ms / 1000), (int)(ms % 1000));
}

static void add_counts(const struct jl_junit *j, struct jl_buf *out)
{
	const size_t from = out->len;

	jl_buf_printf(out, " tests=\"%llu\" failures=\"%llu\" errors=\"0\" skipped=\"%llu\"", (unsigned long long)j->tests,
	              (unsigned long long)j->failures, (unsigned long long)j->skipped);
	add_seconds(out, j->end_ns);
	jl_buf_char(out, '>');
	jl_buf_printf(out, "%*s\n", (int)(COUNTS_MAX - (out->len - from)), "");
}

/* The same length whatever the counts are. */
static void add_head(const struct jl_junit *j, struct jl_buf *out)
{
	const time_t began = (time_t)(j->began_ns / JL_NS_S);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&began, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	jl_buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	add_attribute(out, "name", j->suite);
	add_counts(j, out);
	jl_buf_str(out, "<testsuite");
	add_attribute(out, "name", j->suite);
	add_attribute(out, "timestamp", when);
	add_counts(j, out);
}

/* ---- output until its step ends ---- */

/* The place of what is held for the step, or of the NULL at the end. */
static struct jl_junit_held **find_held(struct jl_junit *j, const struct jl_event *e)
{
	struct jl_junit_held **at = &j->held;

	while (*at && ((*at)->seq != e->seq || strcmp((*at)->step, e->step) != 0))
		at = &(*at)->next;
	return at;
}

static void free_held(struct jl_junit_held *h)
{
	free(h->step);
	jl_buf_release(&h->text);
	free(h);
}

/* The end of an output tells why it failed: what is before the last 64 KiB goes, not each time a little comes. */
static void hold_output(struct jl_junit *j, const struct jl_event *e)
{
	struct jl_junit_held **at = find_held(j, e), *h = *at;
	const char *data = e->data;
	size_t len = e->len;

	if (!h) {
		h = *at = jl_calloc(1, sizeof(*h));
		h->step = jl_strdup(e->step);
		h->seq = e->seq;
		jl_buf_init(&h->text, 2 * OUTPUT_MAX + 1);
	}
	if (len > OUTPUT_MAX) {
		h->lost += len - OUTPUT_MAX;
		data += len - OUTPUT_MAX;
		len = OUTPUT_MAX;
	}
	if (h->text.len + len > 2 * OUTPUT_MAX) {
		const size_t drop = h->text.len - OUTPUT_MAX;

		h->lost += drop;
		memmove(h->text.data, h->text.data + drop, OUTPUT_MAX);
		jl_buf_truncate(&h->text, OUTPUT_MAX);
	}
	jl_buf_add(&h->text, data, len);
}

static void add_output(struct jl_buf *out, const struct jl_junit_held *h)
{
	size_t from = h->text.len > OUTPUT_MAX ? h->text.len - OUTPUT_MAX : 0;

	from = jl_utf8_cut_after(h->text.data, h->text.len, from);
	if (h->lost + from)
		jl_buf_printf(out, "[%llu bytes before this are left out]\n", (unsigned long long)(h->lost + from));
	add_text(out, h->text.data + from, h->text.len - from, false);
}

/* ---- cases ---- */

static void add_name(struct jl_junit *j, const struct jl_event *e)
{
	size_t len = strlen(e->step), class_len = strcspn(e->step, "[");

	jl_buf_str(&j->text, "<testcase classname=\"");
	if (j->classname)
		add_text(&j->text, j->classname, strlen(j->classname), true);
	else
		add_text(&j->text, e->step, class_len ? class_len : len, true);
	jl_buf_str(&j->text, "\" name=\"");
	/* Whole: it tells the cases of a report apart. */
	if (len)
		add_text(&j->text, e->step, len, true);
	else
		jl_buf_printf(&j->text, "%llu", (unsigned long long)e->seq);
	jl_buf_char(&j->text, '"');
	/* A result that is used again took no time here, whatever it once took. */
	add_seconds(&j->text, e->attempt ? e->wall_ns : 0);
	jl_buf_char(&j->text, '>');
}

static void add_failure(struct jl_junit *j, const struct jl_event *e, const struct jl_junit_held *h)
{
	struct jl_buf cause = JL_BUF_INIT;

	jl_cause_show(&cause, e);
	j->failures++;
	jl_buf_str(&j->text, "<failure");
	add_attribute(&j->text, "message", cause.data);
	add_attribute(&j->text, "type", jl_step_status_name(e->status));
	jl_buf_char(&j->text, '>');
	add_text(&j->text, cause.data, cause.len, false);
	jl_buf_char(&j->text, '\n');
	if (e->command) {
		jl_buf_str(&j->text, "command: ");
		add_text(&j->text, e->command, strlen(e->command), false);
		jl_buf_char(&j->text, '\n');
	}
	if (h)
		add_output(&j->text, h);
	jl_buf_str(&j->text, "</failure>");
	jl_buf_release(&cause);
}

static void add_mark(struct jl_junit *j, const struct jl_event *e)
{
	jl_buf_printf(&j->text,
	              "<properties><property name=\"jl.status\" value=\"%s\"/></properties>\n<system-out>%s</system-out>",
	              jl_step_status_name(e->status),
	              e->status == JL_STEP_FRESH ? "fresh: not run again, its outputs are what they would become"
	                                         : "restored: not run again, its outputs come from the store");
}

static void finished(struct jl_junit *j, const struct jl_event *e)
{
	struct jl_junit_held **at = find_held(j, e), *h = *at;

	jl_buf_clear(&j->text);
	j->tests++;
	add_name(j, e);
	switch (e->status) {
	case JL_STEP_FAILED:
	case JL_STEP_TIMEOUT:
		add_failure(j, e, h);
		break;
	case JL_STEP_FRESH:
	case JL_STEP_RESTORED:
		add_mark(j, e);
		break;
	case JL_STEP_RAN:
		break;
	default:
		j->skipped++;
		jl_buf_str(&j->text, "<skipped");
		add_attribute(&j->text, "message", e->reason ? e->reason : jl_step_status_name(e->status));
		jl_buf_str(&j->text, "/>");
	}
	jl_buf_str(&j->text, "</testcase>\n");
	jl_out_add(&j->file.out, j->text.data, j->text.len);
	if (h) {
		*at = h->next;
		free_held(h);
	}
}

static void started(struct jl_junit *j)
{
	j->began_ns = jl_clock_real_ns();
	jl_buf_clear(&j->text);
	add_head(j, &j->text);
	jl_out_add(&j->file.out, j->text.data, j->text.len);
}

static void event(struct jl_sink *s, const struct jl_event *e)
{
	struct jl_junit *j = (struct jl_junit *)s;

	if (j->ended || (!j->began_ns && e->type != JL_EVENT_RUN_STARTED))
		return;
	switch (e->type) {
	case JL_EVENT_RUN_STARTED:
		started(j);
		break;
	case JL_EVENT_STEP_OUTPUT:
		if (!e->replayed)
			hold_output(j, e);
		break;
	case JL_EVENT_STEP_FINISHED:
		finished(j, e);
		break;
	case JL_EVENT_RUN_FINISHED:
		j->ended = true;
		j->end_ns = e->t_ns;
		break;
	case JL_EVENT_STEP_STARTED:
	case JL_EVENT_WARNING:
	case JL_EVENT_FETCH:
	case JL_EVENT_REMOTE:
	case JL_EVENT_HOST:
	case JL_EVENT_PROGRESS:
	case JL_EVENT_PAUSED:
	case JL_EVENT_SCREEN:
		break;
	}
}

/* A command may be a whole script. */
static char *short_name(const char *name)
{
	const size_t len = strlen(name);

	return jl_strndup(name, len <= NAME_MAX_BYTES ? len : jl_utf8_cut_before(name, len, NAME_MAX_BYTES));
}

int jl_junit_open(struct jl_junit *j, const char *path, const char *suite, const char *classname, struct jl_err *err)
{
	*j = (struct jl_junit){.sink = {.event = event}, .text = JL_BUF_INIT};
	if (jl_report_file_open(&j->file, path, err) != JL_OK)
		return jl_err_add(err, "option \"--junit\"");
	j->suite = short_name(suite);
	j->classname = classname ? short_name(classname) : NULL;
	return JL_OK;
}

int jl_junit_close(struct jl_junit *j, struct jl_err *err)
{
	int r;

	if (j->ended) {
		jl_out_printf(&j->file.out, "</testsuite>\n</testsuites>\n");
		jl_buf_clear(&j->text);
		add_head(j, &j->text);
		jl_report_file_patch(&j->file, j->text.data, j->text.len);
	}
	while (j->held) {
		struct jl_junit_held *next = j->held->next;

		free_held(j->held);
		j->held = next;
	}
	r = jl_report_file_close(&j->file, j->ended, err);
	free(j->suite);
	free(j->classname);
	jl_buf_release(&j->text);
	return r == JL_OK ? r : jl_err_add(err, "option \"--junit\"");
}
