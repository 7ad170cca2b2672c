/* The key of a step: what its result depends on, and nothing else.
 *
 * A key manifest is a list of pieces, each (type, name, value). It is kept whole in the record, so that `why` can
 * compare. The key is the digest of the base digest (over all pieces but the inputs, which a compiled plan stores
 * ready made) followed by the input pieces: so a no-op recomputes a key from 16 bytes and its inputs' digests.
 *
 *     base = digest(manifest)                       manifest = format piece (type 0, "", u32 LE JL_KEY_FORMAT), piece*
 *                                                   in the order they were added
 *     key  = digest(base, input*)                   inputs in the order the manifest names them, globs in byte order
 *     full = digest(key, input*)                    of a step with a depfile: key is its base key (memo/variants.h), the
 *                                                   inputs are what the depfile named, in byte order of the paths
 *     piece = type u8, name bytes (u32 LE length), value bytes (u32 LE length)
 *     key  = digest(base, input*, other*)           where there are others: tools, secrets
 *     input = kind u8, executable u8, path bytes (u32 LE length), algo u8, digest bytes
 *     other = 0x80 + piece type u8, name bytes (u32 LE length), algo u8, digest bytes
 *
 * Pure: no I/O, no clock.
 */
#ifndef JL_MEMO_KEY_H
#define JL_MEMO_KEY_H

#include "base/buf.h"
#include "digest/digest.h"

#define JL_KEY_FORMAT 1 /* raised when the meaning of a key changes: old results are then simply not found */

enum jl_piece {
	JL_PIECE_ARG = 1,     /* one argv word; value */
	JL_PIECE_SHELL = 2,   /* one word of the shell in front of a script */
	JL_PIECE_SCRIPT = 3,  /* the script a shell gets */
	JL_PIECE_WORKDIR = 4,
	JL_PIECE_ENV = 5,     /* name, value */
	JL_PIECE_STDIN = 6,   /* value: digest text */
	JL_PIECE_OUTPUT = 7,  /* name: path (a folder ends in '/'), value: "", "optional", "exclude", "depfile" (of one that
	                         is not declared otherwise) or "declared depfile" */
	JL_PIECE_TOOL = 8,    /* name, value: digest text */
	JL_PIECE_VERSION = 9,
	JL_PIECE_PLATFORM = 10, /* value: "linux-x86_64" */
	JL_PIECE_INPUT = 11,  /* name: path, value: kind u8, executable u8, digest text; only in a stored manifest */
	JL_PIECE_FOUND = 12,  /* the same of a file that the depfile named: only in the stored manifest of a full key */
	JL_PIECE_BASE = 13,   /* value: digest text of the base key; only in the stored manifest of a full key */
	JL_PIECE_SECRET = 14, /* name, value: digest text of the keyed hash of its value; "" when it is not set */
};

/* The base: a jl_buf of encoded pieces. jl_key_begin empties the buffer and writes the format version. Input pieces,
 * for the stored manifest, are added after the base was taken. */
void jl_key_begin(struct jl_buf *pieces);
void jl_key_piece(struct jl_buf *pieces, enum jl_piece type, const char *name, const char *value, size_t value_len);
void jl_key_base(const struct jl_buf *pieces, enum jl_digest_algo algo, struct jl_digest *ret);

/* The key: begin with the base, add the inputs, end. Uses the buffer as scratch (cleared first). It is of the algorithm of
 * the base. */
void jl_key_inputs_begin(struct jl_buf *scratch, const struct jl_digest *base);
void jl_key_input(struct jl_buf *scratch, enum jl_kind kind, bool executable, const char *path,
                  const struct jl_digest *content);
/* What is no file of the workspace and may change while the plan stays: after the inputs. */
void jl_key_other(struct jl_buf *scratch, enum jl_piece type, const char *name, const struct jl_digest *content);
void jl_key_inputs_end(const struct jl_buf *scratch, struct jl_digest *ret_key);

/* Walk an encoded key manifest (pieces as above, inputs as JL_PIECE_INPUT) from its start: false at the end, or at
 * damage or another format version (cur->bad). The format piece is not shown; an unknown type is given as it is. */
struct jl_piece_view {
	enum jl_piece type;
	const char *name, *value;
	size_t name_len, value_len;
};
bool jl_key_next(struct jl_cur *cur, struct jl_piece_view *ret);

#endif
