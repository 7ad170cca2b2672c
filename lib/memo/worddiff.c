/* See worddiff.h: the longest common subsequence of what differs, then one line of it. */
#include "memo/worddiff.h"

#include "base/path.h"
#include "manifest/shell.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_MAX ((size_t)1 << 20) /* 4 MiB of lengths */
#define AROUND    3                 /* words shown beside a difference */
#define WHOLE_MAX 24                /* words of a line that is shown without leaving any out */
#define WORD_MAX  200               /* bytes shown of a word */
#define LINE_MAX  2000

enum op { KEEP, GONE, NEW };

struct diff {
	const struct jl_word *was, *now;
	uint32_t n_was, n_now;
	uint8_t *ops; /* enum op */
	uint32_t n;
};

static bool same(const struct jl_word *a, const struct jl_word *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

static void put(struct diff *d, enum op op, uint32_t times)
{
	memset(d->ops + d->n, op, times);
	d->n += times;
}

/* The part that differs: was[from ..  from + n), now[from .. from + m). */
static void middle(struct diff *d, uint32_t from, uint32_t n, uint32_t m)
{
	const size_t width = (size_t)m + 1;
	uint32_t i = 0, k = 0;

	if (n == 0 || m == 0 || (size_t)n * m > CELLS_MAX) {
		put(d, GONE, n);
		put(d, NEW, m);
		return;
	}
	uint32_t *len = jl_calloc((n + 1) * width, sizeof(*len)); /* of what is common to was[i..] and now[k..] */
	for (i = n; i-- > 0;)
		for (k = m; k-- > 0;) {
			uint32_t skip = len[(i + 1) * width + k], skip_new = len[i * width + k + 1];

			len[i * width + k] = same(&d->was[from + i], &d->now[from + k]) ? len[(i + 1) * width + k + 1] + 1
					     : skip > skip_new                          ? skip
											: skip_new;
		}
	for (i = k = 0; i < n && k < m;) {
		if (same(&d->was[from + i], &d->now[from + k])) {
			put(d, KEEP, 1);
			i++;
			k++;
		} else if (len[(i + 1) * width + k] >= len[i * width + k + 1]) {
			put(d, GONE, 1);
			i++;
		} else {
			put(d, NEW, 1);
			k++;
		}
	}
	put(d, GONE, n - i);
	put(d, NEW, m - k);
	free(len);
}

static void compare(struct diff *d)
{
	const uint32_t least = d->n_was < d->n_now ? d->n_was : d->n_now;
	uint32_t front = 0, back = 0;

	while (front < least && same(&d->was[front], &d->now[front]))
		front++;
	while (back < least - front && same(&d->was[d->n_was - 1 - back], &d->now[d->n_now - 1 - back]))
		back++;
	put(d, KEEP, front);
	middle(d, front, d->n_was - front - back, d->n_now - front - back);
	put(d, KEEP, back);
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void jl_worddiff_tail(struct jl_buf *out, const char *text, size_t len, size_t max)
{
	struct jl_buf shown = JL_BUF_INIT;

	jl_path_show(&shown, text, len);
	size_t from = shown.len > max ? shown.len - max : 0;
	while (from > 0 && continues(shown.data[from]))
		from++;
	jl_buf_printf(out, "%s%s", from ? "…" : "", shown.data + from);
	jl_buf_release(&shown);
}

static void show_word(struct jl_buf *out, const struct jl_word *w)
{
	struct jl_buf quoted = JL_BUF_INIT;
	size_t len = w->len;

	if (len > WORD_MAX) {
		for (len = WORD_MAX; len > 0 && continues(w->at[len]); len--)
			;
		jl_path_show(out, w->at, len);
		jl_buf_str(out, "…");
	} else if (len == 1 && w->at[0] == '\n') {
		jl_buf_str(out, "\\n");
	} else if (w->quote) {
		jl_shell_quote(&quoted, w->at, len);
		jl_path_show(out, quoted.data, quoted.len);
	} else {
		jl_path_show(out, w->at, len);
	}
	jl_buf_release(&quoted);
}

/* Is there a difference within AROUND operations of this one? */
static bool near_change(const struct diff *d, uint32_t at)
{
	uint32_t from = at > AROUND ? at - AROUND : 0;

	if (d->n <= WHOLE_MAX)
		return true;
	for (uint32_t i = from; i < d->n && i <= at + AROUND; i++)
		if (d->ops[i] != KEEP)
			return true;
	return false;
}

static void show(const struct diff *d, bool equal, struct jl_buf *out)
{
	static const char *const begin[] = {"", "[-", "{+"}, *const end[] = {"", "-]", "+}"};
	const size_t start = out->len;
	const char *between = "";
	uint32_t was = 0, now = 0;

	for (uint32_t i = 0; i < d->n; i++) {
		const enum op op = d->ops[i];
		const struct jl_word *w = op == NEW ? &d->now[now] : &d->was[was];
		const bool first = op == KEEP || i == 0 || d->ops[i - 1] != op;

		was += op != NEW;
		now += op != GONE;
		if (op == KEEP && !equal && !near_change(d, i)) {
			between = out->len > start ? " … " : "… ";
			continue;
		}
		if (out->len - start > LINE_MAX) {
			jl_buf_str(out, " …");
			return;
		}
		/* One in place of the other stands close to it. */
		if (op == NEW && i > 0 && d->ops[i - 1] == GONE)
			between = "";
		jl_buf_printf(out, "%s%s", between, first ? begin[op] : "");
		show_word(out, w);
		if (op != KEEP && (i + 1 == d->n || d->ops[i + 1] != op))
			jl_buf_str(out, end[op]);
		between = " ";
	}
	if (strcmp(between, " … ") == 0)
		jl_buf_str(out, " …");
}

void jl_worddiff(const struct jl_word *was, uint32_t n_was, const struct jl_word *now, uint32_t n_now, struct jl_buf *out)
{
	struct diff d = {.was = was, .now = now, .n_was = n_was, .n_now = n_now};

	d.ops = jl_alloc((size_t)n_was + n_now + 1);
	compare(&d);
	show(&d, memchr(d.ops, GONE, d.n) == NULL && memchr(d.ops, NEW, d.n) == NULL, out);
	free(d.ops);
}
