/* When a command given as one string needs a shell (make's rule), splitting it when it does not, and quoting for sh. */
#ifndef JL_MANIFEST_SHELL_H
#define JL_MANIFEST_SHELL_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Does it hold one of # ; " ' * ? [ ] & | < > ( ) { } $ ` ^ ~ ! \ or a newline, an '=' in its first word, or is its first
 * word a shell builtin or keyword? Templates are looked at with their holes taken out: the caller puts a plain letter for each. */
bool jl_shell_needed(const char *command);
/* Split at blanks and tabs: appends NUL-terminated words; returns how many. */
uint32_t jl_shell_split(const char *command, struct jl_buf *out);
/* Append `value` so that sh reads it as one word: bare when it is only [A-Za-z0-9_@%+=:,./-] and not empty, else in single
 * quotes. */
int jl_shell_quote(struct jl_buf *out, const char *value, size_t len);
/* Which of `n` ascending offsets into a script stand inside quotes, or right behind a backslash? A `$(` inside double
 * quotes begins anew. What a here-document holds, and what is nested deeper than 64 levels, counts as not quoted. */
void jl_shell_quoted(const char *script, size_t len, const uint32_t *offsets, bool *ret_quoted, uint32_t n);
/* Tell each place ("$NAME", "${NAME…") where a script uses a variable that it does not set itself (NAME=, read, for, export …),
 * outside of single quotes, comments and quoted here-documents. `script` is NUL-terminated; templates are passed over. */
typedef void jl_shell_use(void *ctx, const char *name, size_t len, size_t offset);
void jl_shell_uses(const char *script, size_t len, jl_shell_use *use, void *ctx);

#endif
