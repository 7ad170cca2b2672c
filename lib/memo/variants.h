/* A variants record: what runs of one base key were found to depend on, besides what was declared. It is stored under the
 * base key; the result of a variant stands in an ordinary record under its full key:
 *
 *     full key = digest(base key, input*)       input as in memo/key.h, in byte order of the paths
 *
 * Up to JL_VARIANTS_MAX, the last used one first. Paths and states of files are written once, however many variants have
 * them, so that a reader looks at each file once.
 *
 * File grammar (little-endian), version 1, in a frame (memo/frame.h) with magic "jlvar\n\x1a\0":
 *     body    = base key digest, path count u32, path text*, file count u32, file*, variant count u32, variant*
 *     file    = path u32 (index), kind u8, executable u8, digest
 *     variant = count u32, file u32 (index)*, of paths in byte order, none twice
 * Paths are clean: relative to the key's root (they may begin with ".." ), or absolute.
 */
#ifndef JL_MEMO_VARIANTS_H
#define JL_MEMO_VARIANTS_H

#include "base/buf.h"
#include "digest/digest.h"

#include <stdbool.h>

#define JL_VARIANTS_MAX 16u
#define JL_VARIANTS_BYTES_MAX ((size_t)16 << 20) /* older variants go rather than that a record gets larger */

struct jl_variant_file {         /* what a file was: its digest as that of an input */
	uint32_t path;           /* index in paths */
	bool executable;
	enum jl_kind kind;
	struct jl_digest digest;
};
struct jl_variant {
	const uint32_t *files;   /* indices in files */
	uint32_t n;
};
struct jl_variants {
	struct jl_digest base;
	const char *const *paths;
	const struct jl_variant_file *files;
	uint32_t n_paths, n_files, n;
	struct jl_variant at[JL_VARIANTS_MAX];
};

/* Does it begin as such a record does? No more than that. */
bool jl_variants_is(const void *data, size_t len);
/* Bytes from anywhere. JL_ECORRUPT: damage; JL_EUNSUPPORTED: a newer version. Free with jl_variants_free(). */
int jl_variants_decode(const void *data, size_t len, struct jl_variants **ret, struct jl_err *err) JL_MUST_CHECK;
void jl_variants_free(struct jl_variants *v); /* NULL is fine */

/* Append the record that has this variant in front, and behind it those of `old` (NULL: none) that are not equal to it, as
 * many as may be. `files`: n of them, their `path` an index in `paths`, in byte order of the paths, none twice. JL_ELIMIT:
 * the new one alone is too large. */
int jl_variants_add(const struct jl_variants *old, const struct jl_digest *base, const char *const *paths,
                    const struct jl_variant_file *files, uint32_t n, struct jl_buf *out, struct jl_err *err) JL_MUST_CHECK;
/* Append the record of the variants of both, which are of one base key: one of each in turn, `a`'s first, as many as may be.
 * Returns whether `a` has one that `b` lacks; false: nothing is appended. */
bool jl_variants_merge(const struct jl_variants *a, const struct jl_variants *b, struct jl_buf *out);
/* The full key of a variant; scratch is used for it. */
void jl_variants_key(const struct jl_variants *v, uint32_t variant, struct jl_buf *scratch, struct jl_digest *ret);

#endif
