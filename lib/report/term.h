/* What a terminal needs: its size, and text that cannot do anything to it. */
#ifndef JL_REPORT_TERM_H
#define JL_REPORT_TERM_H

#include "base/buf.h"

/* Of the terminal at `fd`; 80 by 24 when it does not say. */
void jl_term_size(int fd, unsigned *ret_columns, unsigned *ret_rows);

/* Append output of a command so that a terminal shows it and obeys nothing of it but colours: UTF-8 text, tabs, newlines
 * and colour sequences (ESC [ digits m) stay, a CR before a newline goes, any other control byte and what is not UTF-8
 * becomes \xNN. After colours, the last thing is their end. */
int jl_term_safe(struct jl_buf *out, const void *data, size_t len);

/* Length of the colour sequence (ESC [ digits m) that `s` begins with, 0 if there is none. */
size_t jl_term_color_len(const char *s, size_t len);

/* Append one word of sh that can also be read: plain, in quotes, or as $'...' where it holds what a terminal would obey. */
void jl_term_word(struct jl_buf *out, const char *word);

#endif
