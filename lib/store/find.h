/* Finding a record by the first digits of its key: what a person types. */
#ifndef JL_STORE_FIND_H
#define JL_STORE_FIND_H

#include "base/err.h"
#include "digest/digest.h"

#define JL_FIND_DIGITS_MIN 8

/* Is it 8 to 32 digits of 0-9a-f, with or without "xxh3:" before them? */
bool jl_store_is_prefix(const char *text);

/* The one key in the local store at `dir` that begins so. JL_ENOTFOUND: none; JL_EINVAL: no such digits, or several keys.
 * Reads one folder; nothing is opened, locked or checked. */
int jl_store_local_find_key(const char *dir, const char *text, struct jl_digest *ret, struct jl_err *err) JL_MUST_CHECK;

/* Call `each` for every key there that begins with these digits, at least two of 0-9a-f, in no order. Reads one folder; one
 * that cannot be read has none. */
void jl_store_local_each_key(const char *dir, const char *hex, void (*each)(void *ctx, const char *key), void *ctx);

#endif
