/* The page of a run: see page.h. What is here can be read without scripts. */
#include "report/page.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/utf8.h"
#include "report/cause.h"
#include "report/term.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SLOWEST     15u
#define PATH_SHOWN  200u /* steps of the critical path; a chain may have thousands */
#define OPEN_SHOWN  5u   /* failures whose output is unfolded */
#define NS_US       INT64_C(1000)

/* Files of the source folder, as they are. */
#define EMBED(symbol, path) \
	__asm__(".section .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" path "\"\n.byte 0\n.previous\n")
EMBED(jl_page_css, "lib/report/page.css");
EMBED(jl_page_js, "lib/report/page.js");
extern const char jl_page_css[], jl_page_js[];

struct page {
	struct jl_out *out;
	const struct jl_account *a;
	const struct jl_page_opts *o;
};

/* ---- text ---- */

static void put(struct page *p, const char *html)
{
	jl_out_add(p->out, html, strlen(html));
}

/* Colours go, other control bytes but newline and tab are shown as \xNN. */
static void put_text(struct page *p, const char *s, size_t len)
{
	struct jl_buf *b = &p->out->buf;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = jl_term_color_len(s + i, len - i);
		if (n)
			continue;
		n = jl_utf8_len(s + i, len - i);
		n = n ? n : 1;
		if (s[i] == '<')
			jl_buf_str(b, "&lt;");
		else if (s[i] == '>')
			jl_buf_str(b, "&gt;");
		else if (s[i] == '&')
			jl_buf_str(b, "&amp;");
		else if (s[i] == '"')
			jl_buf_str(b, "&quot;");
		else if (s[i] == '\n' || s[i] == '\t')
			jl_buf_char(b, s[i]);
		else if (s[i] == '\r' && i + 1 < len)
			jl_buf_str(b, s[i + 1] == '\n' ? "" : "\n"); /* a line for each step of a progress bar */
		else
			jl_path_show(b, s + i, n);
		jl_out_spill(p->out);
	}
}

static void put_str(struct page *p, const char *s)
{
	put_text(p, s, strlen(s));
}

static void put_duration(struct page *p, int64_t ns)
{
	jl_clock_show(&p->out->buf, ns);
}

static const char *text(const struct page *p, uint32_t t)
{
	return jl_account_text(p->a, t);
}

static const char *status_name(uint32_t status)
{
	return status == JL_ACCOUNT_OPEN ? "not ended" : jl_step_status_name((enum jl_step_status)status);
}

/* The jobs of a map may have no name. */
static void put_name(struct page *p, const struct jl_account_step *s)
{
	if (s->seq)
		jl_out_printf(p->out, "<span class=\"seq\">%llu</span> ", (unsigned long long)s->seq);
	put_str(p, text(p, s->name));
}

/* ---- the parts ---- */

/* "20261123T024317Z-4924" says when it began. */
static void put_when(struct page *p)
{
	const char *run = text(p, p->a->run);
	unsigned y, mo, d, h, mi, s;

	if (sscanf(run, "%4u%2u%2uT%2u%2u%2uZ", &y, &mo, &d, &h, &mi, &s) == 6)
		jl_out_printf(p->out, "<time datetime=\"%04u-%02u-%02uT%02u:%02u:%02uZ\">%04u-%02u-%02u %02u:%02u:%02u UTC</time>",
			      y, mo, d, h, mi, s, y, mo, d, h, mi, s);
	else
		put_str(p, run);
}

static void put_head(struct page *p)
{
	unsigned char bytes[16] = {0};
	char nonce[2 * sizeof(bytes) + 1];

	/* Chosen when all that the page shows is there already: none of it can know it. */
	(void)!getrandom(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	jl_out_printf(p->out,
		      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'nonce-%s'; "
		      "style-src 'nonce-%s'; base-uri 'none'; form-action 'none'\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
		      nonce, nonce);
	put_str(p, p->o->title);
	jl_out_printf(p->out, " - jl report</title>\n<style nonce=\"%s\">\n", nonce);
	put(p, jl_page_css);
	/* Begun here so that nothing jumps; it waits for the rest of the page itself. */
	jl_out_printf(p->out, "</style>\n<script nonce=\"%s\">\n", nonce);
	put(p, jl_page_js);
	put(p, "</script>\n</head>\n<body>\n");
}

static void put_figure(struct page *p, const char *label, const char *class)
{
	jl_out_printf(p->out, "<div%s%s%s><dt>%s</dt><dd>", class[0] ? " class=\"" : "", class, class[0] ? "\"" : "", label);
}

static void put_count(struct page *p, const char *label, uint32_t n, const char *class)
{
	if (n == 0 && class[0] == '?')
		return;
	put_figure(p, label, n ? class + (class[0] == '?') : "");
	jl_out_printf(p->out, "%u</dd></div>\n", n);
}

static void put_summary(struct page *p)
{
	const struct jl_account *a = p->a;
	const struct jl_counts *c = &a->counts;
	const int64_t work = jl_account_work(a);

	put(p, "<header>\n<h1>");
	put_str(p, p->o->title);
	put(p, "</h1>\n<p>");
	put_when(p);
	if (!a->ended)
		put(p, " <strong class=\"bad\">was killed, or goes on: there is no end of it</strong>");
	else if (a->signal)
		jl_out_printf(p->out, " <strong class=\"bad\">ended by signal %d</strong>", a->signal);
	else if (c->failed)
		put(p, " <strong class=\"bad\">failed</strong>");
	else
		put(p, " <strong class=\"good\">succeeded</strong>");
	put(p, "</p>\n</header>\n<section id=\"summary\">\n<dl class=\"figures\">\n");
	put_count(p, "ran", c->ran, "ran");
	put_count(p, "fresh", c->fresh, "fresh");
	put_count(p, "restored", c->restored, "restored");
	put_count(p, "failed", c->failed, "failed");
	put_count(p, "skipped", c->skipped, "?skipped");
	put_count(p, "would run", c->would_run, "?ran");
	put_count(p, "would be restored", c->would_restore, "?restored");
	put_count(p, "maybe", c->maybe, "?skipped");
	put_figure(p, "took", "");
	put_duration(p, a->wall_ns);
	put(p, "</dd></div>\n");
	put_figure(p, "saved by the cache", "");
	put_duration(p, c->saved_ns);
	put(p, "</dd></div>\n");
	put_figure(p, "time of all commands", "");
	put_duration(p, work);
	put(p, "</dd></div>\n");
	if (a->wall_ns > 0 && work > 0) {
		put_figure(p, "ran at once, of slots", "");
		jl_out_printf(p->out, "%.1f of %u</dd></div>\n", (double)work / (double)a->wall_ns, a->jobs);
	}
	put(p, "</dl>\n");
	for (uint32_t i = 0; i < a->warnings.len; i++) {
		put(p, "<p class=\"warning\">");
		put_str(p, text(p, *JL_AT(a->warnings, uint32_t, i)));
		put(p, "</p>\n");
	}
	put(p, "</section>\n");
}

static void put_cause(struct page *p, const struct jl_account_step *s)
{
	struct jl_buf cause = JL_BUF_INIT;

	jl_cause_show(&cause, &(struct jl_event){.type = JL_EVENT_STEP_FINISHED,
						 .status = (enum jl_step_status)s->status,
						 .exit_code = s->exit_code,
						 .signal = s->signal,
						 .attempt = s->attempt,
						 .reason = s->reason ? text(p, s->reason) : NULL});
	put_text(p, cause.data, cause.len);
	jl_buf_release(&cause);
}

static void put_failure(struct page *p, const struct jl_account_step *s, uint32_t index, bool open)
{
	jl_out_printf(p->out, "<details data-i=\"%u\"%s><summary><b>", index, open ? " open" : "");
	put_name(p, s);
	put(p, "</b> <span class=\"bad\">");
	put_cause(p, s);
	put(p, "</span> <span class=\"dim\">");
	put_duration(p, s->wall_ns);
	put(p, "</span></summary>\n<dl>");
	if (s->command) {
		put(p, "<dt>command</dt><dd><code>");
		put_str(p, text(p, s->command));
		put(p, "</code></dd>");
	}
	if (p->o->again && s->name) {
		struct jl_buf word = JL_BUF_INIT;

		jl_term_word(&word, text(p, s->name));
		put(p, "<dt>again</dt><dd><code>jl run ");
		put_text(p, word.data, word.len);
		put(p, "</code></dd>");
		jl_buf_release(&word);
	}
	if (s->log) {
		put(p, "<dt>log</dt><dd><code>");
		put_str(p, text(p, s->log));
		put(p, "</code></dd>");
	}
	put(p, "</dl>\n");
	if (s->output != JL_NONE) {
		const struct jl_buf *b = JL_AT(p->a->outputs, struct jl_buf, s->output);

		put(p, "<pre>");
		put_text(p, b->data, b->len);
		put(p, "</pre>\n");
	}
	put(p, "</details>\n");
}

static void put_failures(struct page *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->a->steps.len; i++) {
		const struct jl_account_step *s = jl_account_step(p->a, i);

		if (!jl_account_failed(s))
			continue;
		if (n++ == 0)
			put(p, "<section id=\"failures\">\n<h2>Failures</h2>\n");
		put_failure(p, s, i, n <= OPEN_SHOWN);
	}
	if (n)
		put(p, "</section>\n");
}

/* A table of some steps: when each began, how long it took, what share of `whole_ns` that is. */
static void put_steps(struct page *p, const struct jl_table *steps, uint32_t max, int64_t whole_ns, bool with_start)
{
	jl_out_printf(p->out,
		      "<table class=\"short\"><thead><tr><th>step</th>%s<th class=\"n\">took</th><th></th></tr></thead>\n"
		      "<tbody>\n",
		      with_start ? "<th class=\"n\">began at</th>" : "");
	for (uint32_t i = 0; i < steps->len && i < max; i++) {
		const uint32_t index = *JL_AT(*steps, uint32_t, i);
		const struct jl_account_step *s = jl_account_step(p->a, index);
		const int64_t wall_ns = s->slot ? s->wall_ns : 0;

		jl_out_printf(p->out, "<tr data-i=\"%u\"><td>", index);
		put_name(p, s);
		if (s->status != JL_STEP_RAN)
			jl_out_printf(p->out, " <span class=\"dim\">%s</span>", status_name(s->status));
		put(p, "</td>");
		if (with_start) {
			put(p, "<td class=\"n\">");
			put_duration(p, s->slot ? s->began_ns : s->ended_ns);
			put(p, "</td>");
		}
		put(p, "<td class=\"n\">");
		put_duration(p, wall_ns);
		jl_out_printf(p->out, "</td><td><meter max=\"1000\" value=\"%.0f\"></meter></td></tr>\n",
			      whole_ns > 0 ? 1000 * (double)wall_ns / (double)whole_ns : 0.0);
	}
	put(p, "</tbody></table>\n");
	if (steps->len > max)
		jl_out_printf(p->out, "<p class=\"dim\">and %u more</p>\n", steps->len - max);
}

static void put_paths(struct page *p, const struct jl_table *path)
{
	struct jl_table slowest = JL_TABLE_INIT(uint32_t);
	int64_t sum = 0;

	jl_account_slowest(p->a, SLOWEST, &slowest);
	for (uint32_t i = 0; i < path->len; i++) {
		const struct jl_account_step *s = jl_account_step(p->a, *JL_AT(*path, uint32_t, i));

		if (s->slot && __builtin_add_overflow(sum, s->wall_ns, &sum))
			sum = INT64_MAX;
	}
	put(p, "<div class=\"two\">\n");
	if (path->len) {
		put(p, "<section id=\"path\">\n<h2>Critical path</h2>\n"
		       "<p class=\"dim\">Each waited for the one before it. Their commands took ");
		put_duration(p, sum);
		put(p, " of the run's ");
		put_duration(p, p->a->wall_ns);
		put(p, "; more slots could save the rest at most.</p>\n");
		put_steps(p, path, PATH_SHOWN, p->a->wall_ns, true);
		put(p, "</section>\n");
	}
	if (slowest.len) {
		put(p, "<section id=\"slowest\">\n<h2>Slowest steps</h2>\n");
		put_steps(p, &slowest, SLOWEST, jl_account_step(p->a, *JL_AT(slowest, uint32_t, 0))->wall_ns, false);
		put(p, "</section>\n");
	}
	put(p, "</div>\n");
	jl_table_release(&slowest);
}

/* ---- data for the script ---- */

typedef void put_value(struct page *p, struct jl_json *j, const struct jl_account_step *s);

/* One array of each column: names of members stand there once. */
static void put_column(struct page *p, const char *key, put_value *value)
{
	struct jl_buf line = JL_BUF_INIT;
	struct jl_json j = {.out = &line};

	jl_out_printf(p->out, ",\n\"%s\":[", key);
	for (uint32_t i = 0; i < p->a->steps.len; i++) {
		jl_buf_clear(&line);
		j.need_comma = i > 0;
		value(p, &j, jl_account_step(p->a, i));
		/* Within a script element: neither its end nor a comment may stand there. "<" and U+2028 are in texts only. */
		for (size_t k = 0; k < line.len; k++) {
			if (line.data[k] == '<')
				jl_buf_str(&p->out->buf, "\\u003c");
			else if (k + 2 < line.len && memcmp(line.data + k, "\xe2\x80", 2) == 0 &&
				 ((unsigned char)line.data[k + 2] & 0xfe) == 0xa8)
				jl_buf_printf(&p->out->buf, "\\u202%x", (unsigned)line.data[(k += 2)] & 0xfu);
			else
				jl_buf_char(&p->out->buf, line.data[k]);
		}
		jl_out_spill(p->out);
	}
	put(p, "]");
	jl_buf_release(&line);
}

#define COLUMN(name, call) \
	static void name(struct page *p, struct jl_json *j, const struct jl_account_step *s) \
	{ \
		(void)p; \
		call; \
	}
COLUMN(put_names, jl_json_str(j, text(p, s->name)))
COLUMN(put_seqs, jl_json_int(j, (int64_t)s->seq))
COLUMN(put_statuses, jl_json_int(j, s->status))
COLUMN(put_slots, jl_json_int(j, s->slot))
COLUMN(put_hosts, jl_json_str(j, text(p, s->host)))
COLUMN(put_begins, jl_json_int(j, (s->slot ? s->began_ns : s->ended_ns) / NS_US))
COLUMN(put_walls, jl_json_int(j, s->wall_ns / NS_US))
COLUMN(put_cpus, jl_json_int(j, (s->user_ns + s->sys_ns) / NS_US))
COLUMN(put_rss, jl_json_int(j, s->max_rss))
COLUMN(put_exits, jl_json_int(j, s->signal ? -s->signal : s->exit_code))
COLUMN(put_attempts, jl_json_int(j, s->attempt))
COLUMN(put_waits, jl_json_int(j, s->waited == JL_NONE ? -1 : (int64_t)s->waited))
COLUMN(put_keys, jl_json_str(j, text(p, s->key)))
COLUMN(put_reasons, jl_json_str(j, text(p, s->reason)))

static void put_data(struct page *p, const struct jl_table *path)
{
	static const struct {
		const char *key;
		put_value *value;
	} columns[] = {{"name", put_names},     {"seq", put_seqs},         {"status", put_statuses}, {"slot", put_slots},
		       {"host", put_hosts},     {"began", put_begins},     {"wall", put_walls},      {"cpu", put_cpus},
		       {"rss", put_rss},        {"exit", put_exits},       {"attempt", put_attempts}, {"waited", put_waits},
		       {"key", put_keys},       {"reason", put_reasons}};

	/* Not executed, so the policy lets it stand. */
	jl_out_printf(p->out, "<script type=\"application/json\" id=\"data\">\n{\"took\":%lld,\"fresh\":%u,\"statuses\":[",
		      (long long)(p->a->wall_ns / NS_US), p->a->counts.fresh);
	for (uint32_t i = 0; i <= JL_ACCOUNT_OPEN; i++)
		jl_out_printf(p->out, "%s\"%s\"", i ? "," : "", status_name(i));
	put(p, "],\"path\":[");
	for (uint32_t i = 0; i < path->len; i++)
		jl_out_printf(p->out, "%s%u", i ? "," : "", *JL_AT(*path, uint32_t, i));
	put(p, "]");
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		put_column(p, columns[i].key, columns[i].value);
	put(p, "}\n</script>\n");
}

void jl_page_write(struct jl_out *out, const struct jl_account *a, const struct jl_page_opts *o)
{
	struct page p = {.out = out, .a = a, .o = o};
	struct jl_table path = JL_TABLE_INIT(uint32_t);

	jl_account_path(a, &path);
	put_head(&p);
	put_summary(&p);
	put_failures(&p);
	put_paths(&p, &path);
	put(&p, "<noscript><p class=\"dim\">With scripts there are a timeline and a list of all steps here.</p></noscript>\n"
		"<div id=\"app\"></div>\n");
	put_data(&p, &path);
	put(&p, "</body>\n</html>\n");
	jl_table_release(&path);
}
