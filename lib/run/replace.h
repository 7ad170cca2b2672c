/* struct jl_replace: the command of `jl map` with its replacement strings:
 *
 *     {}  all values   {.}  without extension   {/}  last component   {//}  folder   {/.}  both of {/} and {.}
 *     {#}  number of the job   {%}  its slot   {2} {2.} {2/} ...  of the second value   {-1}  of the last   {NAME} {NAME.} ...
 *
 * Several words are executed as they are. One word goes to a shell by make's rule (manifest/shell.h), with every value quoted;
 * otherwise it is split at blanks. Without any replacement string the values are appended.
 */
#ifndef JL_RUN_REPLACE_H
#define JL_RUN_REPLACE_H

#include "base/buf.h"
#include "base/table.h"
#include "run/values.h"

#include <stdbool.h>

struct jl_replace_with {
	const struct jl_args *args;
	uint64_t seq;      /* from 1 */
	uint32_t slot;     /* from 1 */
};

/* What came of it; cleared by each expansion, so that its memory is used again. */
struct jl_replace_out {
	struct jl_buf text;
	struct jl_table argv;  /* const char *; the NULL at its end is counted */
};
#define JL_REPLACE_OUT_INIT {.text = JL_BUF_INIT, .argv = JL_TABLE_INIT(const char *)}
void jl_replace_out_release(struct jl_replace_out *out);

struct jl_replace_opts {
	const struct jl_args *names; /* of the columns, or NULL; borrowed for the call */
	bool context;                /* of several values each gets a copy of the whole word that {} stands in (-X), else they
	                                are put in its place one behind the other (-m) */
	bool paths;                  /* no command: each word is a template of its own, without shell, blanks or anything
	                                appended */
	bool no_slot;                /* {%} is an error */
	const char *const *shell;    /* NULL-terminated, borrowed for good; NULL: /bin/sh -c */
};

struct jl_replace;
/* The words are borrowed for the call. */
int jl_replace_new(const char *const *words, uint32_t n, const struct jl_replace_opts *opts, struct jl_replace **ret,
                   struct jl_err *err) JL_MUST_CHECK;
/* How many of argv are a shell's, in front of a script. */
uint32_t jl_replace_n_shell(const struct jl_replace *r);
void jl_replace_free(struct jl_replace *r);
void jl_replace_expand(const struct jl_replace *r, const struct jl_replace_with *with, struct jl_replace_out *out);
/* The command on one line as it could be typed into a shell, appended. */
void jl_replace_show(const struct jl_replace *r, const struct jl_replace_with *with, struct jl_replace_out *scratch,
                     struct jl_buf *text);
/* At most so many bytes of arguments come with no value, and more with each. */
size_t jl_replace_base_size(const struct jl_replace *r);
size_t jl_replace_value_size(const struct jl_replace *r, const char *value, size_t len);

#endif
