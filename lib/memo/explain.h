/* struct jl_explain: what makes two keys differ, from the key manifests that they were made of (memo/key.h).
 *
 *     struct jl_explain x;
 *     if (jl_explain(was, was_len, now, now_len, &x, &err) == JL_OK) {
 *             for (uint32_t i = 0; i < x.at.len; i++)
 *                     jl_explain_line(&x, i, &buf);          "input clean.py changed: xxh3:1a2b… → xxh3:9f…"
 *             jl_explain_release(&x);
 *     }
 *
 * The pieces of a command are one difference. Values of pieces of a type that is not known here are never shown: they may be
 * secret. All texts can be shown on a terminal. Pure: no I/O. The lists are borrowed until the release.
 */
#ifndef JL_MEMO_EXPLAIN_H
#define JL_MEMO_EXPLAIN_H

#include "base/table.h"
#include "memo/key.h"

enum jl_change {
	JL_CHANGE_VALUE,
	JL_CHANGE_ADDED,
	JL_CHANGE_GONE,
	JL_CHANGE_ORDER,     /* the same pieces, in another order */
};

struct jl_difference {
	enum jl_piece type;  /* JL_PIECE_ARG: the command */
	enum jl_change change;
	struct jl_piece_view was, now; /* of ADDED only `now`, of GONE only `was`, of ORDER and the command neither */
};

struct jl_explain {
	struct jl_table at;      /* struct jl_difference: inputs first, what a depfile named, then by piece type */
	struct jl_buf command;   /* the word diff of the command, when that is among them */
};

/* JL_ECORRUPT: a list is damaged or of another key format; nothing is to be released then. */
int jl_explain(const void *was, size_t was_len, const void *now, size_t now_len, struct jl_explain *ret,
               struct jl_err *err) JL_MUST_CHECK;
void jl_explain_release(struct jl_explain *x);

/* Append a line about one of them, without a newline. */
void jl_explain_line(const struct jl_explain *x, uint32_t i, struct jl_buf *out);
/* Append all in at most 120 columns: the first, by name alone, and how many more. Nothing when nothing differs. */
void jl_explain_short(const struct jl_explain *x, struct jl_buf *out);

#endif
