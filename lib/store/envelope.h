/* What a shared store holds of one key: a record, what its blobs are, the small ones of them whole, and who says so. Pure: no I/O.
 * Grammar: docs/formats/remote.md.
 *
 * Nothing in it is believed before jl_envelope_check(): not who wrote it, not the key. Contents are checked against their digests
 * by the store that takes them in. */
#ifndef JL_STORE_ENVELOPE_H
#define JL_STORE_ENVELOPE_H

#include "base/buf.h"
#include "base/table.h"
#include "digest/digest.h"

#define JL_ENVELOPE_MAX    ((uint64_t)80 << 20)  /* bytes of one at most */
#define JL_ENVELOPE_SMALL  ((uint64_t)128 << 10) /* a content up to here is in it */
#define JL_ENVELOPE_INSIDE ((uint64_t)4 << 20)   /* ... up to so many bytes in all */

/* Keys to sign by: lines "ID SECRET"; the first one signs, each of them is believed. */
struct jl_sign_key {
	char *id;
	uint8_t *secret;
	size_t len;
};
struct jl_sign_keys {
	struct jl_table at; /* struct jl_sign_key */
};
#define JL_SIGN_KEYS_INIT                                                                                              \
	{                                                                                                              \
		.at = JL_TABLE_INIT(struct jl_sign_key)                                                                \
	}
/* JL_EINVAL: says which line is wrong, never what is in it. */
int jl_sign_keys_read(struct jl_sign_keys *k, const char *text, size_t len, struct jl_err *err) JL_MUST_CHECK;
void jl_sign_keys_release(struct jl_sign_keys *k);

struct jl_envelope_blob {
	struct jl_digest digest;
	uint64_t size;
	const void *bytes; /* NULL: it is an object of its own */
};
struct jl_envelope {
	struct jl_digest key;
	const char *group, *signer; /* read: not NUL-terminated */
	size_t group_len, signer_len;
	const void *record;
	size_t record_len;
	struct jl_table blobs; /* struct jl_envelope_blob */
	const uint8_t *mac;    /* read: NULL when it is not signed */
	size_t signed_len;     /* read: bytes that it is over */
};

/* Append it, signed by the first of `keys` unless there is none. group is NUL-terminated here. JL_ELIMIT. */
int jl_envelope_write(const struct jl_envelope *e, const struct jl_sign_keys *keys, struct jl_buf *out,
		      struct jl_err *err) JL_MUST_CHECK;
/* Bytes from anywhere; *ret borrows from them, and has a table to release. JL_ECORRUPT, JL_EUNSUPPORTED. */
int jl_envelope_read(const void *data, size_t len, struct jl_envelope *ret, struct jl_err *err) JL_MUST_CHECK;
void jl_envelope_release(struct jl_envelope *e);
/* May it be used for this key of this namespace? `data`: what it was read from. JL_EINVAL says why not: it is of another key or
 * namespace; there are keys, and it is not signed by one of them. */
int jl_envelope_check(const struct jl_envelope *e, const void *data, const struct jl_digest *key, const char *group,
		      const struct jl_sign_keys *keys, struct jl_err *err) JL_MUST_CHECK;

#endif
