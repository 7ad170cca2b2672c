/* Edit distance with swaps (optimal string alignment), three rows at a time. */
#include "base/near.h"

#include <string.h>

#define WORD_MAX ((size_t)64)

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned jl_near_distance(const char *a, const char *b, unsigned max)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t a_len = strnlen(a, WORD_MAX + 1), b_len = strnlen(b, WORD_MAX + 1);

	if (a_len > WORD_MAX || b_len > WORD_MAX || (a_len > b_len ? a_len - b_len : b_len - a_len) > max)
		return max + 1;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		unsigned best = now[0] = (unsigned)i;

		for (size_t j = 1; j <= b_len; j++) {
			unsigned d = last[j - 1] + (a[i - 1] != b[j - 1]);

			d = least(d, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = least(d, before[j - 2] + 1);
			now[j] = d;
			best = least(best, d);
		}
		if (best > max)
			return max + 1;
	}
	return least(rows[a_len % 3][b_len], max + 1);
}

void jl_near_offer(struct jl_near *n, const char *candidate)
{
	size_t len = strlen(n->word);
	unsigned max = len <= 3 ? 1 : len <= 8 ? 2 : 3, d;

	if (n->best) {
		if (n->distance == 0)
			return;
		max = n->distance - 1;
	}
	d = jl_near_distance(n->word, candidate, max);
	/* A word whose every byte would change resembles nothing. */
	if (d > max || d >= len)
		return;
	n->best = candidate;
	n->distance = d;
}
