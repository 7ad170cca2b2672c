/* What changed in a line of words, as `git diff --word-diff` shows it: `sort [--n-]{+-r+} in`. Pure. */
#ifndef JL_MEMO_WORDDIFF_H
#define JL_MEMO_WORDDIFF_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_word {
	const char *at; /* not NUL-terminated */
	size_t len;
	bool quote;     /* one word of an argv: shown in quotes where a shell would need them */
};

/* Append one line that can be shown on a terminal: a few words around each difference, "…" for what is left out. Long words
 * and a long result are cut. Two lists that are equal give their beginning. Cost: words × words of the part that differs, with
 * a cap, beyond which that part is shown as one replaced by the other. */
void jl_worddiff(const struct jl_word *was, uint32_t n_was, const struct jl_word *now, uint32_t n_now, struct jl_buf *out);

/* Append `text` for a terminal, at most about `max` bytes of it: longer, its end with "…" in front, which of a path says most. */
void jl_worddiff_tail(struct jl_buf *out, const char *text, size_t len, size_t max);

#endif
