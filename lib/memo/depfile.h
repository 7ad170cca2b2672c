/* A depfile: rules in Makefile syntax, as compilers write them beside their output (gcc -MD and its like), to say what else
 * was read. Only the dependencies are wanted; targets are passed over, rules without dependencies (-MP) too.
 *
 *     depfile = (rule | "#" to the end of the line | empty line)*
 *     rule    = target+ ":" dependency*            to the end of the line, CR LF or LF
 * Words stand between blanks; a backslash before the end of a line joins the next one. In a word `\ ` is a blank (2n+1
 * backslashes: n of them, then the blank), `\#` is `#`, `\:` is `:`, `$$` is `$`; any other backslash is itself.
 *
 * Pure: no I/O. What is read may be anything: it is bounded, and a fault is told with its line.
 */
#ifndef JL_MEMO_DEPFILE_H
#define JL_MEMO_DEPFILE_H

#include "base/buf.h"

#define JL_DEPFILE_MAX ((size_t)16 << 20) /* bytes of text that a caller should read at most */
#define JL_DEPFILE_DEPS_MAX 100000u
#define JL_DEPFILE_PATH_MAX 4095u

/* Append the dependencies to `out` as they are written, each with its NUL, in order and as often as they come; *ret_n says
 * how many. JL_EINVAL: not a depfile, or one without any rule; JL_ELIMIT: more than the bounds above. */
int jl_depfile_parse(const char *text, size_t len, struct jl_buf *out, uint32_t *ret_n, struct jl_err *err) JL_MUST_CHECK;

#endif
