/* HMAC-SHA256: a digest that says nothing to those who do not have the key. */
#ifndef JL_DIGEST_KEYED_H
#define JL_DIGEST_KEYED_H

#include "digest/digest.h"

/* The algorithm of *ret is JL_DIGEST_SHA256. */
void jl_digest_keyed(const void *key, size_t key_len, const void *data, size_t len, struct jl_digest *ret);

#endif
