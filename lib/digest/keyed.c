/* See keyed.h. */
#include "digest/keyed.h"

#include <nettle/hmac.h>

void jl_digest_keyed(const void *key, size_t key_len, const void *data, size_t len, struct jl_digest *ret)
{
	struct hmac_sha256_ctx h;
	*ret = (struct jl_digest){.algo = JL_DIGEST_SHA256};
	hmac_sha256_set_key(&h, key_len, key);
	hmac_sha256_update(&h, len, data);
	hmac_sha256_digest(&h, SHA256_DIGEST_SIZE, ret->b);
}
