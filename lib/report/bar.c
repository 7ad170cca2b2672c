/* How far a run is, in lines: see bar.h. */
#include "report/bar.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/path.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX  10u  /* named at once */
#define NAME_KEPT  512u /* bytes of a longer name, of its beginning and of its end */
#define NAME_LEAST 12u  /* columns: with fewer, what stands behind it goes first */
#define TIME_WIDTH 6u   /* "59m59s", "23h59m" */
#define GRAPH_MOST 30u
#define GRAPH_LEAST 10u

struct jl_bar_step {
	uint64_t hash, seq;  /* of the whole name */
	char *name, *host;   /* as they can be shown; host NULL: local */
	int64_t since_s;     /* second of the run */
	int64_t expected_ns; /* 0: not known */
};

/* A part of the first line: the lower its rank, the longer it stays when there is less room. */
struct part {
	char text[48];
	unsigned width, rank;
	bool red, taken;
};
enum { P_DONE, P_RUNNING, P_FAILED, P_HITS, P_TIME, P_ETA, N_PARTS };

void jl_bar_init(struct jl_bar *b)
{
	*b = (struct jl_bar){.running = JL_TABLE_INIT(struct jl_bar_step), .at_s = -1};
	jl_columns_init(&b->columns);
}

static void free_step(struct jl_bar_step *s)
{
	free(s->name);
	free(s->host);
}

void jl_bar_release(struct jl_bar *b)
{
	for (uint32_t i = 0; i < b->running.len; i++)
		free_step(JL_AT(b->running, struct jl_bar_step, i));
	jl_table_release(&b->running);
	jl_columns_release(&b->columns);
}

/* ---- what happens ---- */

/* A name without control characters, and bounded: values of a map may be megabytes. */
static char *shown(const char *name)
{
	struct jl_buf b = JL_BUF_INIT;
	size_t len = strlen(name), head = len, tail = len;

	if (len > 2 * NAME_KEPT) {
		head = jl_utf8_cut_before(name, len, NAME_KEPT);
		tail = jl_utf8_cut_after(name, len, len - NAME_KEPT);
	}
	jl_path_show(&b, name, head);
	jl_path_show(&b, name + tail, len - tail);
	return jl_buf_detach(&b, NULL);
}

static uint32_t find(const struct jl_bar *b, const struct jl_event *e)
{
	const uint64_t hash = jl_hash64(e->step, strlen(e->step));
	uint32_t i = 0;

	for (; i < b->running.len; i++) {
		const struct jl_bar_step *s = JL_AT(b->running, struct jl_bar_step, i);

		if (s->hash == hash && s->seq == e->seq)
			break;
	}
	return i;
}

static void drop(struct jl_bar *b, const struct jl_event *e)
{
	const uint32_t i = e->step ? find(b, e) : b->running.len;
	struct jl_bar_step *s;

	if (i == b->running.len)
		return;
	s = JL_AT(b->running, struct jl_bar_step, i);
	free_step(s);
	memmove(s, s + 1, (b->running.len - i - 1) * sizeof(*s));
	b->running.len--;
}

/* A download stands among the steps, under what of it is there. */
static void take_fetch(struct jl_bar *b, const struct jl_event *e)
{
	const struct jl_event as_step = {.step = e->url};
	uint32_t i = find(b, &as_step);
	struct jl_buf name = JL_BUF_INIT;
	struct jl_bar_step *s;

	if (e->fetch != JL_FETCH_GOES_ON) {
		drop(b, &as_step);
		return;
	}
	if (i == b->running.len)
		*(struct jl_bar_step *)jl_table_add(&b->running, 1) =
			(struct jl_bar_step){.hash = jl_hash64(e->url, strlen(e->url)),
					     .since_s = (e->t_ns - e->wall_ns) / JL_NS_S};
	s = JL_AT(b->running, struct jl_bar_step, i);
	jl_buf_printf(&name, "%.1f", (double)e->bytes / 1e6);
	if (e->total)
		jl_buf_printf(&name, " of %.1f", (double)e->total / 1e6);
	jl_buf_printf(&name, " MB %s", e->url);
	free(s->name);
	s->name = shown(name.data);
	jl_buf_release(&name);
}

void jl_bar_event(struct jl_bar *b, const struct jl_event *e)
{
	struct jl_bar_step *s;

	b->counts = *e->counts;
	switch (e->type) {
	case JL_EVENT_STEP_STARTED:
		drop(b, e);
		s = jl_table_add(&b->running, 1);
		*s = (struct jl_bar_step){.hash = jl_hash64(e->step, strlen(e->step)),
					  .seq = e->seq,
					  .name = shown(e->step),
					  .since_s = e->t_ns / JL_NS_S,
					  .expected_ns = e->expected_ns};
		if (e->host && strcmp(e->host, "local") != 0)
			s->host = shown(e->host);
		break;
	case JL_EVENT_STEP_FINISHED:
		drop(b, e);
		break;
	case JL_EVENT_FETCH:
		take_fetch(b, e);
		break;
	case JL_EVENT_PROGRESS:
		drop(b, e);
		b->total = e->total;
		b->eta_ns = e->eta_ns;
		break;
	default:
		break;
	}
}

/* ---- the lines ---- */

static void add_seconds(struct jl_buf *out, int64_t s)
{
	if (s < 60)
		jl_buf_printf(out, "%llds", (long long)(s < 0 ? 0 : s));
	else
		jl_clock_show(out, s * JL_NS_S);
}

static void set_part(struct part *p, unsigned rank, const char *before, uint64_t n, const char *after)
{
	*p = (struct part){.rank = rank};
	snprintf(p->text, sizeof(p->text), "%s%llu%s", before, (unsigned long long)n, after);
	p->width = (unsigned)strlen(p->text);
}

static void set_time(struct part *p, unsigned rank, const char *before, int64_t s)
{
	struct jl_buf text = JL_BUF_INIT;

	add_seconds(&text, s);
	*p = (struct part){.rank = rank};
	snprintf(p->text, sizeof(p->text), "%s%s", before, text.data);
	p->width = (unsigned)strlen(p->text);
	jl_buf_release(&text);
}

/* The parts there are; others have no width. */
static void set_parts(const struct jl_bar *b, int64_t now_s, uint64_t done, struct part *p)
{
	const struct jl_counts *c = &b->counts;
	const uint64_t hits = (uint64_t)c->fresh + c->restored;
	char of[24];

	memset(p, 0, N_PARTS * sizeof(*p));
	snprintf(of, sizeof(of), "/%llu", (unsigned long long)b->total);
	set_part(&p[P_DONE], 0, "", done, b->total ? of : " done");
	if (c->running)
		set_part(&p[P_RUNNING], 3, "", c->running, " running");
	if (c->failed)
		set_part(&p[P_FAILED], 1, "", c->failed, " failed");
	p[P_FAILED].red = true;
	if (hits)
		set_part(&p[P_HITS], 4, "", hits, hits == 1 ? " hit" : " hits");
	set_time(&p[P_TIME], 5, "", now_s);
	if (b->eta_s > 0)
		set_time(&p[P_ETA], 2, "ETA ", b->eta_s);
}

/* Take parts by rank as long as they fit; returns the columns that are left. */
static unsigned take_parts(struct part *p, unsigned columns)
{
	unsigned left = columns;

	for (unsigned rank = 0; rank < N_PARTS; rank++) {
		for (unsigned i = 0; i < N_PARTS; i++) {
			const unsigned need = p[i].width + (left < columns ? 2 : 0);

			if (p[i].rank != rank || !p[i].width || need > left)
				continue;
			p[i].taken = true;
			left -= need;
		}
	}
	return left;
}

/* "[====>     ] ", if there is room for it. */
static void add_graph(struct jl_buf *out, uint64_t done, uint64_t total, unsigned room)
{
	unsigned width, full;

	if (!total || room < GRAPH_LEAST + 3)
		return;
	width = room - 3 < GRAPH_MOST ? room - 3 : GRAPH_MOST;
	full = done < total ? (unsigned)(done * width / total) : width;
	jl_buf_char(out, '[');
	for (unsigned i = 0; i < width; i++)
		jl_buf_char(out, i < full ? '=' : i == full && full ? '>' : ' ');
	jl_buf_str(out, "] ");
}

static void add_status(struct jl_bar *b, int64_t now_s, unsigned columns, bool color, struct jl_buf *out)
{
	const struct jl_counts *c = &b->counts;
	const uint64_t done = (uint64_t)c->ran + c->fresh + c->restored + c->failed + c->skipped;
	struct part p[N_PARTS];
	bool first = true;
	unsigned left;

	set_parts(b, now_s, done, p);
	left = take_parts(p, columns);
	add_graph(out, done, b->total, left);
	for (unsigned i = 0; i < N_PARTS; i++) {
		const bool red = color && p[i].red;

		if (!p[i].taken)
			continue;
		jl_buf_printf(out, "%s%s%s%s", first ? "" : ", ", red ? "\033[31m" : "", p[i].text, red ? "\033[0m" : "");
		first = false;
	}
}

static void add_step(struct jl_bar *b, const struct jl_bar_step *s, int64_t now_s, unsigned columns, struct jl_buf *out)
{
	struct jl_buf time = JL_BUF_INIT, more = JL_BUF_INIT;
	const unsigned name = jl_columns_of(&b->columns, s->name, strlen(s->name)), least = name < NAME_LEAST ? name : NAME_LEAST;
	unsigned left, width;

	add_seconds(&time, now_s - s->since_s);
	if (s->expected_ns >= JL_NS_S) {
		jl_buf_str(&more, " (~");
		add_seconds(&more, s->expected_ns / JL_NS_S);
		jl_buf_char(&more, ')');
	}
	if (s->host)
		jl_buf_printf(&more, " on %s", s->host);
	jl_buf_printf(out, "%*s ", (int)TIME_WIDTH, time.data);
	left = columns - TIME_WIDTH - 1;
	width = jl_columns_of(&b->columns, more.data, more.len);
	if (width + least > left)
		jl_buf_clear(&more);
	else
		left -= width;
	jl_columns_fit(&b->columns, out, s->name, strlen(s->name), left);
	jl_columns_fit(&b->columns, out, more.data, more.len, columns);
	jl_buf_release(&time);
	jl_buf_release(&more);
}

static void add_more(const struct jl_bar *b, uint32_t n, unsigned columns, struct jl_buf *out)
{
	char text[32];

	snprintf(text, sizeof(text), "and %u more", n);
	jl_buf_printf(out, "\n%*s ", (int)TIME_WIDTH, "");
	jl_columns_fit(&b->columns, out, text, strlen(text), columns - TIME_WIDTH - 1);
}

unsigned jl_bar_lines(struct jl_bar *b, int64_t now_ns, unsigned columns, unsigned rows, bool color, struct jl_buf *out)
{
	const int64_t now_s = now_ns / JL_NS_S;
	const uint32_t n = b->running.len;
	uint32_t most = rows ? rows - 1 : 0, named;

	if (now_s != b->at_s || b->eta_ns == 0)
		b->eta_s = b->eta_ns / JL_NS_S;
	b->at_s = now_s;
	add_status(b, now_s, columns, color, out);
	if (columns < TIME_WIDTH + 2)
		return 1;
	most = most < STEPS_MAX ? most : STEPS_MAX;
	named = n <= most ? n : most ? most - 1 : 0;
	for (uint32_t i = 0; i < named; i++) {
		jl_buf_char(out, '\n');
		add_step(b, JL_AT(b->running, struct jl_bar_step, i), now_s, columns, out);
	}
	if (named == n || !most)
		return 1 + named;
	add_more(b, n - named, columns, out);
	return 2 + named;
}
