/* What a terminal needs: its width, and text that cannot do anything to it. */
#ifndef JL_REPORT_TERM_H
#define JL_REPORT_TERM_H

#include "base/buf.h"

/* Columns of the terminal at `fd`; 80 when it does not say. */
unsigned jl_term_width(int fd);

/* Append output of a command so that a terminal shows it and obeys nothing of it but colours: UTF-8 text, tabs, newlines
 * and colour sequences (ESC [ digits m) stay, a CR before a newline goes, any other control byte and what is not UTF-8
 * becomes \xNN. After colours, the last thing is their end. */
int jl_term_safe(struct jl_buf *out, const void *data, size_t len);

/* Length of the colour sequence (ESC [ digits m) that `s` begins with, 0 if there is none. */
size_t jl_term_color_len(const char *s, size_t len);

/* How many of the bytes make up at most `columns` UTF-8 characters. */
size_t jl_term_cut(const char *text, size_t len, unsigned columns);

#endif
