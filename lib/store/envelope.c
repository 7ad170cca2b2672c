/* See envelope.h. */
#include "store/envelope.h"

#include "digest/keyed.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VERSION    1u
#define MAC        32u
#define SECRET_MIN 16u
#define ID_MAX     64u
#define BLOBS_MAX  10000000u

static const char magic[8] = {'j', 'l', 's', 'h', 'a', 'r', 'e', '\n'};

/* ---- keys ---- */

static bool is_id(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      c == '-' || c == '.'))
			return false;
	}
	return len > 0 && len <= ID_MAX;
}

int jl_sign_keys_read(struct jl_sign_keys *k, const char *text, size_t len, struct jl_err *err)
{
	const char *end = text + len;

	for (unsigned line = 1; text < end; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text)), *blank;
		struct jl_sign_key *key;
		size_t secret;

		stop = stop ? stop : end;
		while (text < stop && (*text == ' ' || *text == '\t'))
			text++;
		for (blank = text; blank < stop && *blank != ' ' && *blank != '\t';)
			blank++;
		for (secret = 0; blank + secret < stop && (blank[secret] == ' ' || blank[secret] == '\t');)
			secret++;
		if (text < stop && *text != '#' && *text != '\r') {
			size_t n = (size_t)(stop - blank) - secret;

			while (n && (blank[secret + n - 1] == '\r' || blank[secret + n - 1] == ' '))
				n--;
			if (!is_id(text, (size_t)(blank - text)) || n < SECRET_MIN)
				return jl_err_set(
					err, JL_EINVAL,
					"line %u of the keys is not \"ID SECRET\" with at least %u characters", line,
					SECRET_MIN);
			key = jl_table_add(&k->at, 1);
			key->id = jl_strndup(text, (size_t)(blank - text));
			key->secret = jl_alloc(n);
			memcpy(key->secret, blank + secret, n);
			key->len = n;
		}
		text = stop + 1;
	}
	return k->at.len ? JL_OK : jl_err_set(err, JL_EINVAL, "there is no key in it; a line is \"ID SECRET\"");
}

void jl_sign_keys_release(struct jl_sign_keys *k)
{
	for (uint32_t i = 0; i < k->at.len; i++) {
		struct jl_sign_key *key = JL_AT(k->at, struct jl_sign_key, i);

		explicit_bzero(key->secret, key->len);
		free(key->secret);
		free(key->id);
	}
	jl_table_release(&k->at);
}

/* ---- writing ---- */

static void put_digest(struct jl_buf *b, const struct jl_digest *d)
{
	jl_buf_u8(b, d->algo);
	jl_buf_add(b, d->b, jl_digest_len(d));
}

int jl_envelope_write(const struct jl_envelope *e, const struct jl_sign_keys *keys, struct jl_buf *out,
		      struct jl_err *err)
{
	const struct jl_sign_key *key = keys->at.len ? JL_AT(keys->at, struct jl_sign_key, 0) : NULL;
	const size_t start = out->len;
	struct jl_digest mac;

	jl_buf_add(out, magic, sizeof(magic));
	jl_buf_u32(out, VERSION);
	put_digest(out, &e->key);
	jl_buf_bytes(out, e->group, strlen(e->group));
	jl_buf_bytes(out, key ? key->id : "", key ? strlen(key->id) : 0);
	jl_buf_bytes(out, e->record, e->record_len);
	jl_buf_u32(out, e->blobs.len);
	for (uint32_t i = 0; i < e->blobs.len; i++) {
		const struct jl_envelope_blob *b = JL_AT(e->blobs, struct jl_envelope_blob, i);

		put_digest(out, &b->digest);
		jl_buf_u64(out, b->size);
		jl_buf_u8(out, 0);
		jl_buf_u8(out, b->bytes != NULL);
		if (b->bytes)
			jl_buf_add(out, b->bytes, (size_t)b->size);
	}
	if (out->len - start > JL_ENVELOPE_MAX - MAC) {
		jl_buf_truncate(out, start);
		return jl_err_set(err, JL_ELIMIT, "the result has too many outputs to be shared");
	}
	if (key) {
		jl_digest_keyed(key->secret, key->len, out->data + start, out->len - start, &mac);
		jl_buf_add(out, mac.b, MAC);
	}
	return JL_OK;
}

/* ---- reading ---- */

static void get_digest(struct jl_cur *c, struct jl_digest *ret)
{
	const uint8_t *bytes;

	*ret = (struct jl_digest){.algo = jl_cur_u8(c)};
	c->bad |= ret->algo != JL_DIGEST_XXH3 && ret->algo != JL_DIGEST_SHA256;
	bytes = c->bad ? NULL : jl_cur_take(c, jl_digest_len(ret));
	if (bytes)
		memcpy(ret->b, bytes, jl_digest_len(ret));
}

static void get_blobs(struct jl_cur *c, struct jl_table *out)
{
	uint32_t n = jl_cur_u32(c);

	if (n > BLOBS_MAX)
		c->bad = 1;
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		struct jl_envelope_blob *b = jl_table_add(out, 1);
		uint8_t form, inside;

		get_digest(c, &b->digest);
		b->size = jl_cur_u64(c);
		form = jl_cur_u8(c);
		inside = jl_cur_u8(c);
		c->bad |= form != 0 || inside > 1 || (inside && b->size > JL_ENVELOPE_MAX);
		if (inside && !c->bad)
			b->bytes = jl_cur_take(c, (size_t)b->size);
	}
}

int jl_envelope_read(const void *data, size_t len, struct jl_envelope *ret, struct jl_err *err)
{
	struct jl_cur c = {data, (const uint8_t *)data + len, 0};
	struct jl_envelope e = {.blobs = JL_TABLE_INIT(struct jl_envelope_blob)};
	const uint8_t *head = jl_cur_take(&c, sizeof(magic));

	if (!head || memcmp(head, magic, sizeof(magic)) != 0)
		return jl_err_set(err, JL_ECORRUPT, "it is no result of jl");
	if (jl_cur_u32(&c) > VERSION && !c.bad)
		return jl_err_set(err, JL_EUNSUPPORTED, "it is of a newer version");
	get_digest(&c, &e.key);
	e.group = jl_cur_bytes(&c, &e.group_len);
	e.signer = jl_cur_bytes(&c, &e.signer_len);
	e.record = jl_cur_bytes(&c, &e.record_len);
	get_blobs(&c, &e.blobs);
	e.signed_len = (size_t)(c.at - (const uint8_t *)data);
	if (!c.bad && e.signer_len)
		e.mac = jl_cur_take(&c, MAC);
	if (c.bad || c.at != c.end) {
		jl_envelope_release(&e);
		return jl_err_set(err, JL_ECORRUPT, "it is damaged");
	}
	*ret = e;
	return JL_OK;
}

void jl_envelope_release(struct jl_envelope *e)
{
	jl_table_release(&e->blobs);
}

/* In a time that does not tell where they differ. */
static bool same_mac(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < MAC; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

int jl_envelope_check(const struct jl_envelope *e, const void *data, const struct jl_digest *key, const char *group,
		      const struct jl_sign_keys *keys, struct jl_err *err)
{
	bool known = false;

	if (keys->at.len && !e->mac)
		return jl_err_set(err, JL_EINVAL, "it is not signed");
	for (uint32_t i = 0; i < keys->at.len; i++) {
		const struct jl_sign_key *k = JL_AT(keys->at, struct jl_sign_key, i);
		struct jl_digest mac;

		if (strlen(k->id) != e->signer_len || memcmp(k->id, e->signer, e->signer_len) != 0)
			continue;
		known = true;
		jl_digest_keyed(k->secret, k->len, data, e->signed_len, &mac);
		if (same_mac(mac.b, e->mac))
			goto signed_well;
	}
	if (keys->at.len)
		return jl_err_set(err, JL_EINVAL,
				  known ? "its signature is wrong" : "it is signed by a key that is not known");
signed_well:
	if (!jl_digest_equal(&e->key, key))
		return jl_err_set(err, JL_EINVAL, "it is of another key");
	if (e->group_len != strlen(group) || memcmp(e->group, group, e->group_len) != 0)
		return jl_err_set(err, JL_EINVAL, "it is of another namespace");
	return JL_OK;
}
