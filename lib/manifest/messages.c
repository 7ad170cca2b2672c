/* The list of messages that a reader leaves behind. */
#include "manifest/manifest.h"

#include "base/path.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_BYTES ((size_t)60)
#define SHOWN      20u
/* The reader finds some faults late that stand early in the text, so more are kept than are shown; a cap, because a
 * generated manifest may have one fault a step. */
#define KEPT 2000u

void jl_messages_release(struct jl_messages *m)
{
	free(m->at);
	jl_arena_release(&m->arena);
	*m = (struct jl_messages){0};
}

static void append(struct jl_messages *m, struct jl_mark mark, bool warning, const char *text)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->at = jl_realloc(m->at, m->cap * sizeof(*m->at));
	}
	m->at[m->n++] = (struct jl_message){.mark = mark, .text = text, .warning = warning};
}

void jl_messages_add(struct jl_messages *m, struct jl_mark mark, bool warning, const char *fmt, ...)
{
	char *text;
	va_list ap, again;
	int len;

	if (!m)
		return;
	if (!warning)
		m->errors++;
	if (m->n >= KEPT)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	jl_bug_if(len < 0);
	text = jl_arena_alloc(&m->arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	/* The message outlives the manifest whose file name the mark borrows. */
	if (mark.file) {
		const char *last = m->n > 0 ? m->at[m->n - 1].mark.file : NULL;

		mark.file = last && strcmp(last, mark.file) == 0 ? last : jl_arena_strdup(&m->arena, mark.file);
	}
	append(m, mark, warning, text);
}

/* By file, line, column; what has no place comes last. */
static int compare(const struct jl_mark *a, const struct jl_mark *b)
{
	int rc;

	if (!a->line || !b->line)
		return (a->line == 0) - (b->line == 0);
	rc = strcmp(a->file ? a->file : "", b->file ? b->file : "");
	if (rc)
		return rc;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->column > b->column) - (a->column < b->column);
}

static void merge_sort(struct jl_message *at, struct jl_message *spare, uint32_t n)
{
	uint32_t half = n / 2, i = 0, j = half, k = 0;

	if (n < 2)
		return;
	merge_sort(at, spare, half);
	merge_sort(at + half, spare, n - half);
	memcpy(spare, at, n * sizeof(*at));
	while (i < half || j < n) {
		if (j == n || (i < half && compare(&spare[i].mark, &spare[j].mark) <= 0))
			at[k++] = spare[i++];
		else
			at[k++] = spare[j++];
	}
}

void jl_messages_sort(struct jl_messages *m)
{
	struct jl_message *spare;
	uint32_t n = 0, shown = 0;

	if (m->cut)
		m->n--;
	m->cut = false;
	spare = jl_alloc(m->n * sizeof(*spare));
	merge_sort(m->at, spare, m->n);
	free(spare);
	for (uint32_t i = 0; i < m->n; i++) {
		if (m->at[i].warning || shown < SHOWN) {
			shown += !m->at[i].warning;
			m->at[n++] = m->at[i];
		}
	}
	m->n = n;
	if (m->errors > shown) {
		m->cut = true;
		append(m, (struct jl_mark){0}, false,
		       jl_arena_printf(&m->arena, "%u more %s; mend these first", m->errors - shown,
				       m->errors - shown == 1 ? "error" : "errors"));
	}
}

const char *jl_messages_show(struct jl_messages *m, const char *s)
{
	struct jl_buf b = JL_BUF_INIT;
	size_t len = strlen(s), n = 0;
	const char *ret;

	/* Cut between characters. */
	while (n < len && n < SHOW_BYTES) {
		size_t c = jl_utf8_len(s + n, len - n);

		n += c ? c : 1;
	}
	jl_path_show(&b, s, n);
	ret = jl_arena_printf(&m->arena, "%s%s", b.data, n < len ? "..." : "");
	jl_buf_release(&b);
	return ret;
}
