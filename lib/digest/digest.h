/* Content digests. A digest carries its algorithm; the text form is "xxh3:" and 32 hex digits (XXH3-128, canonical
 * big-endian form, seed 0, as `xxhsum -H2` prints it), or "sha256:" and 64. XXH3 is a checksum, not a defence: it is
 * for a store that one user writes; what others may write to uses SHA-256. */
#ifndef JL_DIGEST_DIGEST_H
#define JL_DIGEST_DIGEST_H

#include "base/err.h"
#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jl_digest_algo {
	JL_DIGEST_NONE = 0, /* no digest: all bytes zero */
	JL_DIGEST_XXH3 = 1, /* 16 bytes */
	JL_DIGEST_SHA256 = 2, /* 32 bytes */
};

#define JL_DIGEST_MAX 32
#define JL_DIGEST_TEXT 80 /* room for the text form and its NUL */

struct jl_digest {
	uint8_t algo;              /* enum jl_digest_algo */
	uint8_t b[JL_DIGEST_MAX];  /* the rest is zero, so that memcmp compares */
};

bool jl_digest_equal(const struct jl_digest *a, const struct jl_digest *b);
size_t jl_digest_len(const struct jl_digest *d); /* 0, 16 or 32 */
/* Hex only (a file name in the store), or "algo:hex". `out` has JL_DIGEST_TEXT bytes; returned. */
const char *jl_digest_hex(const struct jl_digest *d, char *out);
const char *jl_digest_text(const struct jl_digest *d, char *out);
/* "xxh3:…", "sha256:…", or 32 or 64 hex digits alone; JL_EINVAL. */
int jl_digest_parse(const char *text, struct jl_digest *ret, struct jl_err *err) JL_MUST_CHECK;

/* One shot over memory. What does not name an algorithm (`_as`) means XXH3. */
void jl_digest_bytes(const void *data, size_t len, struct jl_digest *ret);
void jl_digest_bytes_as(enum jl_digest_algo algo, const void *data, size_t len, struct jl_digest *ret);

/* Streaming. */
struct jl_hasher;
struct jl_hasher *jl_hasher_new(void);
struct jl_hasher *jl_hasher_new_as(enum jl_digest_algo algo);
void jl_hasher_free(struct jl_hasher *h);
void jl_hasher_reset(struct jl_hasher *h);
void jl_hasher_add(struct jl_hasher *h, const void *data, size_t len);
void jl_hasher_end(const struct jl_hasher *h, struct jl_digest *ret);

/* The content of an open regular file from its start (pread in 256 KiB pieces; a file up to 64 KiB by one read and the
 * one-shot form). *ret_size is the number of bytes read. Blocks; safe on several threads. */
int jl_digest_fd(const struct jl_io *io, int fd, struct jl_digest *ret, uint64_t *ret_size, struct jl_err *err)
	JL_MUST_CHECK;
int jl_digest_fd_as(enum jl_digest_algo algo, const struct jl_io *io, int fd, struct jl_digest *ret, uint64_t *ret_size,
                    struct jl_err *err) JL_MUST_CHECK;
/* The same for a caller that has just had fstat() on it: one system call less. */
int jl_digest_fd_stat(enum jl_digest_algo algo, const struct jl_io *io, int fd, const struct stat *st, struct jl_digest *ret,
                      uint64_t *ret_size, struct jl_err *err) JL_MUST_CHECK;

/* What an entry of a tree is. */
enum jl_kind {
	JL_KIND_ABSENT = 0,
	JL_KIND_FILE = 1,
	JL_KIND_DIR = 2,
	JL_KIND_LINK = 3,  /* digest: of the link's text */
	JL_KIND_OTHER = 4, /* fifo, socket, device: never an input or output */
};

/* A tree digest: the digest over its entries, sorted by path in byte order, each as
 *     kind u8, executable bit u8, path length u32 LE, path, digest algo u8, digest bytes (none for a folder).
 * Paths are relative to the tree's root; folders are entries too (so empty ones count); other permission bits do not.
 * The builder checks the order. */
struct jl_tree_digest {
	struct jl_hasher *hasher;
	char *last; /* previous path, for the order check */
};
void jl_tree_digest_init(struct jl_tree_digest *t, enum jl_digest_algo algo);
void jl_tree_digest_add(struct jl_tree_digest *t, enum jl_kind kind, bool executable, const char *path,
			const struct jl_digest *content);
void jl_tree_digest_end(struct jl_tree_digest *t, struct jl_digest *ret); /* also releases */

/* The digest of a file, a link (its text) or a folder (tree digest) by path, without any cache: what `jl hash` prints.
 * `threads` > 1 hashes the files of a folder in parallel. JL_ENOTFOUND if it is absent, JL_EINVAL for
 * JL_KIND_OTHER there or anywhere below; the error names the path. *ret_kind and *ret are set on success only. */
int jl_digest_path(const struct jl_io *io, int dirfd, const char *path, unsigned threads, enum jl_kind *ret_kind,
                   struct jl_digest *ret, struct jl_err *err) JL_MUST_CHECK;

#endif
