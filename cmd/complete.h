/* What can come next on a command line of jl: for completion, made from the tables of the commands.
 *
 * A usage text says what an argument is: words in small letters stand for themselves ("rw|ro"), STEP, @TAG, KEY, PATH, FILE,
 * DIR, PROGRAM, COMMAND, VAR and NAME=VALUE for what there is of that kind, any other in capitals for what nobody can
 * foretell. So an option or a command with such a text is completed without a word more.
 */
#ifndef JL_CMD_COMPLETE_H
#define JL_CMD_COMPLETE_H

#include "cmd.h"

/* Append what the last of the words (those behind "jl", unquoted; at least one) could be, one a line, fields between tabs:
 *
 *     word    TEXT  HELP    the whole word, and one line on it
 *     file    N             a path begins behind the first N bytes of the word
 *     folder  N             the same, folders only
 *     program N             the same, the name of a program
 *     command N             the words from number N on (0 is the first) are a command of its own
 *
 * Nothing is said of what is wrong: without a manifest, or with a broken one, there are no steps. Reads only. */
void jl_complete(const char *const *words, uint32_t n, struct jl_buf *out);

#endif
