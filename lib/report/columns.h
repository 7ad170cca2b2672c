/* struct jl_columns: how many columns of a terminal a text takes, and text cut to so many.
 *
 *     struct jl_columns c;
 *     jl_columns_init(&c);
 *     jl_columns_fit(&c, &line, "clean[parts/a-very-long-name.csv]", 33, 20);   "clean[par...me.csv]"
 *     jl_columns_release(&c);
 *
 * Widths are the C library's wcwidth() in the locale C.UTF-8, whatever the user's is; where there is no such locale, each
 * character but those of Latin counts as two. Where terminals disagree (flags, joined emoji, characters newer than the library)
 * the larger width counts: a line may be shorter than it could be, and never wraps. Text is that of jl_path_show(): valid UTF-8
 * without control characters. */
#ifndef JL_REPORT_COLUMNS_H
#define JL_REPORT_COLUMNS_H

#include "base/buf.h"

#include <locale.h>

struct jl_columns {
	locale_t utf8; /* 0: there is none */
};

void jl_columns_init(struct jl_columns *c);
void jl_columns_release(struct jl_columns *c);

unsigned jl_columns_of(const struct jl_columns *c, const char *text, size_t len);
/* Append the text, or if it is wider than `columns`, its beginning and its end with "..." between them. What would change the
 * direction of writing or end a line becomes U+FFFD. */
void jl_columns_fit(const struct jl_columns *c, struct jl_buf *out, const char *text, size_t len, unsigned columns);

#endif
