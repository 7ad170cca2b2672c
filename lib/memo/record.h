/* A record: the stored result of one key. Immutable, self-describing, self-checking.
 *
 * File grammar (little-endian), version 1; every released version stays readable:
 *     record  = magic "jlrec\n\x1a\0", version u32, body length u32, body, check (XXH3-128 of all before it, 16 bytes)
 *     body    = key (algo u8, bytes), created u64 (ns since 1970), wall u64, user u64, sys u64 (ns), max_rss u64 (KiB),
 *               exit i32, signal i32, label bytes, host bytes, manifest bytes (memo/key.h pieces),
 *               output count u32, output*, log, depfile count u32 (0 in version 1)
 *     output  = path bytes, declared u32 (index of the declared output it belongs to), kind u8, mode u32 (0777 bits:
 *               setuid, setgid and sticky are taken out before), size u64, digest (algo u8, bytes), inline u8, content bytes
 *               (inline = 1: a file's content or a link's text is here; else it is blob DIGEST)
 *     log     = size u64, digest, inline u8, content bytes; its content is chunk*: stream u8 (1, 2), bytes;
 *               all zero when nothing was captured
 *     bytes   = length u32, that many bytes
 * Outputs are sorted by path in byte order, so folders come before what they hold; none is below a file or a link.
 * Paths are clean and relative to the workspace.
 */
#ifndef JL_MEMO_RECORD_H
#define JL_MEMO_RECORD_H

#include "base/buf.h"
#include "digest/digest.h"

#define JL_RECORD_INLINE_MAX 4096u
#define JL_RECORD_MAX (64u << 20) /* bytes of an encoded record: refused beyond */

struct jl_table;

struct jl_content {
	uint64_t size;
	struct jl_digest digest;
	const void *bytes; /* the content when it is inline, else NULL */
};

struct jl_record_output {
	const char *path;      /* NUL-terminated */
	uint32_t declared;
	enum jl_kind kind;     /* FILE, DIR, LINK */
	uint32_t mode;         /* permission bits */
	struct jl_content content; /* FILE: content; LINK: text, always inline; DIR: zero */
};

struct jl_record {
	struct jl_digest key;
	int64_t created_ns;
	int64_t wall_ns, user_ns, sys_ns, max_rss_kib;
	int32_t exit_code, signal;
	const char *label, *host;
	const void *manifest; /* encoded pieces */
	size_t manifest_len;
	const struct jl_record_output *outputs;
	uint32_t n_outputs;
	struct jl_content log;
};

/* Append the encoded record. JL_ELIMIT over JL_RECORD_MAX; JL_EINVAL for what jl_record_decode would refuse (outputs
 * out of order, a content that is not its digest's). All pointers in *r are borrowed. */
int jl_record_encode(const struct jl_record *r, struct jl_buf *out, struct jl_err *err) JL_MUST_CHECK;

/* Decode bytes from anywhere: JL_ECORRUPT for damage (any flipped or missing byte), JL_EUNSUPPORTED for a newer
 * version. The result owns copies of everything; free with jl_record_free. Output paths are checked: clean, relative, not
 * escaping, in order, without duplicates. */
int jl_record_decode(const void *data, size_t len, struct jl_record **ret, struct jl_err *err) JL_MUST_CHECK;
void jl_record_free(struct jl_record *r);

/* Append what a record names and does not hold: the digests of its blobs, each once (struct jl_digest). Light: nothing is
 * copied or checked; bytes that are no record give nothing. A store's blobs_of (store/store.h). */
void jl_record_blobs(const void *data, size_t len, struct jl_table *out);
/* The same with their sizes: struct jl_envelope_blob, as a shared store wants them. */
void jl_record_contents(const void *data, size_t len, struct jl_table *out);

#endif
