/* See makers.h.
 *
 * Of each pattern two things are known without glob characters: its folders up to the first of these (the whole path if there is
 * none), and the end of its last component behind the last of these. Patterns that overlap have folders of which one holds the
 * other, and ends of which one is the other's end. Both are sorted by: once by folders and then by the end read backwards, once
 * by that end alone. */
#include "run/makers.h"

#include "base/glob.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_MAX 16u /* of an end more would not tell apart better */
#define FEW      32u

struct entry {
	const char *pattern, *prefix, *tail; /* tail: backwards */
	uint32_t rule;
};
_Static_assert(sizeof(struct entry) == JL_MAKERS_ENTRY, "the header says how large it is");

static const char special[] = "*?[]\\";

/* The fixed folders, with room for one more byte; "./" in front and a slash at the end mean nothing. */
static char *prefix_of(struct jl_arena *arena, const char *pattern, size_t *ret_len)
{
	pattern += strncmp(pattern, "./", 2) == 0 ? 2 : 0;
	size_t len = strcspn(pattern, special);
	if (pattern[len] != '\0') /* of the component that it stands in, nothing counts */
		while (len > 0 && pattern[len] != '/')
			len--;
	while (len > 0 && pattern[len - 1] == '/')
		len--;
	char *prefix = jl_arena_alloc(arena, len + 2);
	memcpy(prefix, pattern, len);
	*ret_len = len;
	return prefix;
}

static void copy_tail(const char *pattern, char *out)
{
	const char *end = pattern + strlen(pattern), *s = end;
	uint32_t n = 0;
	while (s > pattern && s[-1] != '/' && !strchr(special, s[-1]) && n < TAIL_MAX)
		out[n++] = *--s;
	out[n] = '\0';
}

void jl_makers_release(struct jl_makers *m)
{
	jl_arena_release(&m->arena);
	jl_table_release(&m->by_prefix);
	jl_table_release(&m->by_tail);
}

void jl_makers_add(struct jl_makers *m, const char *pattern, uint32_t rule)
{
	struct entry *e = jl_table_add(&m->by_prefix, 1);
	char tail[TAIL_MAX + 1];
	size_t len;
	copy_tail(pattern, tail);
	*e = (struct entry){.pattern = jl_arena_strdup(&m->arena, pattern),
			    .prefix = prefix_of(&m->arena, pattern, &len),
			    .tail = jl_arena_strdup(&m->arena, tail),
			    .rule = rule};
}

static int compare(const struct entry *e, const char *prefix, const char *tail)
{
	int c = prefix ? strcmp(e->prefix, prefix) : 0;
	return c ? c : strcmp(e->tail, tail);
}

static int by_prefix(const void *a, const void *b)
{
	const struct entry *y = b;
	return compare(a, y->prefix, y->tail);
}

static int by_tail(const void *a, const void *b)
{
	return compare(a, NULL, ((const struct entry *)b)->tail);
}

void jl_makers_ready(struct jl_makers *m)
{
	uint32_t n = m->by_prefix.len;
	if (n == 0)
		return;
	memcpy(jl_table_add(&m->by_tail, n), m->by_prefix.data, n * sizeof(struct entry));
	qsort(m->by_prefix.data, n, sizeof(struct entry), by_prefix);
	qsort(m->by_tail.data, n, sizeof(struct entry), by_tail);
}

/* The first that is not before (prefix, tail); prefix NULL: in the order of the ends. */
static uint32_t lower(const struct jl_table *t, const char *prefix, const char *tail)
{
	uint32_t lo = 0, hi = t->len;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (compare(JL_AT(*t, const struct entry, mid), prefix, tail) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct find {
	const char *pattern;
	char tail[TAIL_MAX + 1];
	bool (*keep)(void *ctx, uint32_t rule, const char *makes);
	void *ctx;
	struct jl_table *out;
};

static void offer(const struct find *f, const struct entry *e)
{
	if (jl_glob_overlap(f->pattern, e->pattern) && f->keep(f->ctx, e->rule, e->pattern))
		*(uint32_t *)jl_table_add(f->out, 1) = e->rule;
}

/* Those of one prefix (NULL: of all) whose end begins, backwards, with the wanted one or is the beginning of it. At most `max`
 * are offered, and their number returned; NULL for `f` only counts. */
static uint32_t with_tail(const struct jl_table *t, const char *prefix, const char *tail, uint32_t max,
			  const struct find *f)
{
	char shorter[TAIL_MAX + 1];
	size_t len = strlen(tail);
	uint32_t n = 0;
	for (size_t k = 0; k <= len; k++) {
		memcpy(shorter, tail, k);
		shorter[k] = '\0';
		for (uint32_t i = lower(t, prefix, shorter); i < t->len && n < max; i++, n++) {
			const struct entry *e = JL_AT(*t, const struct entry, i);
			bool same = k == len ? strncmp(e->tail, shorter, k) == 0 : strcmp(e->tail, shorter) == 0;
			if (!same || (prefix && strcmp(e->prefix, prefix) != 0))
				break;
			if (f)
				offer(f, e);
		}
	}
	return n;
}

/* Those in folders below the prefix: all of them, or all that end alike, whichever are fewer. */
static void find_below(const struct jl_makers *m, char *prefix, size_t len, const struct find *f)
{
	uint32_t first = 0, end = m->by_prefix.len;
	if (len > 0) {
		prefix[len] = '/';
		prefix[len + 1] = '\0';
		first = lower(&m->by_prefix, prefix, "");
		prefix[len] = '/' + 1;
		end = lower(&m->by_prefix, prefix, "");
		prefix[len] = '\0';
	}
	if (end - first > FEW && with_tail(&m->by_tail, NULL, f->tail, end - first, NULL) < end - first) {
		(void)with_tail(&m->by_tail, NULL, f->tail, UINT32_MAX, f);
		return;
	}
	for (uint32_t i = first; i < end; i++)
		offer(f, JL_AT(m->by_prefix, const struct entry, i));
}

static int by_rule(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

void jl_makers_find(const struct jl_makers *m, const char *pattern,
		    bool (*keep)(void *ctx, uint32_t rule, const char *makes), void *ctx, struct jl_table *out)
{
	struct find f = {.pattern = pattern, .keep = keep, .ctx = ctx, .out = out};
	uint32_t from = out->len, n = from;
	struct jl_arena arena = JL_ARENA_INIT;
	size_t len;
	char *prefix = prefix_of(&arena, pattern, &len);
	copy_tail(pattern, f.tail);
	find_below(m, prefix, len, &f);
	/* In the same folder, and along those above it. */
	for (;;) {
		char *slash = strrchr(prefix, '/');
		(void)with_tail(&m->by_prefix, prefix, f.tail, UINT32_MAX, &f);
		if (!prefix[0])
			break;
		*(slash ? slash : prefix) = '\0';
	}
	jl_arena_release(&arena);
	if (out->len > from)
		qsort(JL_AT(*out, uint32_t, from), out->len - from, sizeof(uint32_t), by_rule);
	for (uint32_t i = from; i < out->len; i++)
		if (n == from || *JL_AT(*out, uint32_t, n - 1) != *JL_AT(*out, uint32_t, i))
			*JL_AT(*out, uint32_t, n++) = *JL_AT(*out, uint32_t, i);
	out->len = n;
}
