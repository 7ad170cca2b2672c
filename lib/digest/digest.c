/* Content digests of memory, streams and open files. */
#include "digest/digest.h"

#include "base/xxh.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#define XXH3_BYTES 16
#define SMALL_FILE ((size_t)64 << 10)
#define PIECE      ((size_t)256 << 10)

bool jl_digest_equal(const struct jl_digest *a, const struct jl_digest *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

size_t jl_digest_len(const struct jl_digest *d)
{
	switch ((enum jl_digest_algo)d->algo) {
	case JL_DIGEST_XXH3: return XXH3_BYTES;
	case JL_DIGEST_SHA256: return 32;
	case JL_DIGEST_NONE: break;
	}
	return 0;
}

const char *jl_digest_hex(const struct jl_digest *d, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = jl_digest_len(d);

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[d->b[i] >> 4];
		out[2 * i + 1] = digits[d->b[i] & 15];
	}
	out[2 * len] = '\0';
	return out;
}

const char *jl_digest_text(const struct jl_digest *d, char *out)
{
	const char *name = d->algo == JL_DIGEST_XXH3 ? "xxh3:" : d->algo == JL_DIGEST_SHA256 ? "sha256:" : "none";

	memcpy(out, name, strlen(name) + 1);
	jl_digest_hex(d, out + strlen(out));
	return out;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int jl_digest_parse(const char *text, struct jl_digest *ret, struct jl_err *err)
{
	const bool xxh3 = strncmp(text, "xxh3:", 5) == 0, sha256 = strncmp(text, "sha256:", 7) == 0;
	const char *hex = xxh3 ? text + 5 : sha256 ? text + 7 : text;
	const size_t len = strlen(hex);
	struct jl_digest d = {.algo = len == 2 * SHA256_DIGEST_SIZE ? JL_DIGEST_SHA256 : JL_DIGEST_XXH3};

	if (len != 2 * jl_digest_len(&d) || (xxh3 && d.algo != JL_DIGEST_XXH3) || (sha256 && d.algo != JL_DIGEST_SHA256))
		goto bad;
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			goto bad;
		d.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = d;
	return JL_OK;
bad:
	return jl_err_set(err, JL_EINVAL, "\"%s\" is not a digest: \"xxh3:\" and 32 digits of 0-9a-f, or \"sha256:\" and 64", text);
}

void jl_digest_bytes(const void *data, size_t len, struct jl_digest *ret)
{
	*ret = (struct jl_digest){.algo = JL_DIGEST_XXH3};
	jl_xxh128(data, len, ret->b);
}

void jl_digest_bytes_as(enum jl_digest_algo algo, const void *data, size_t len, struct jl_digest *ret)
{
	struct sha256_ctx sha;

	jl_bug_if(algo == JL_DIGEST_NONE);
	if (algo == JL_DIGEST_XXH3) {
		jl_digest_bytes(data, len, ret);
		return;
	}
	*ret = (struct jl_digest){.algo = JL_DIGEST_SHA256};
	sha256_init(&sha);
	sha256_update(&sha, len, data);
	sha256_digest(&sha, SHA256_DIGEST_SIZE, ret->b);
}

struct jl_hasher {
	struct jl_xxh *xxh3; /* NULL: SHA-256 */
	struct sha256_ctx sha;
};

struct jl_hasher *jl_hasher_new_as(enum jl_digest_algo algo)
{
	struct jl_hasher *h = jl_alloc(sizeof(*h));

	jl_bug_if(algo == JL_DIGEST_NONE);
	h->xxh3 = algo == JL_DIGEST_XXH3 ? jl_xxh_new() : NULL;
	sha256_init(&h->sha);
	return h;
}

struct jl_hasher *jl_hasher_new(void)
{
	return jl_hasher_new_as(JL_DIGEST_XXH3);
}

void jl_hasher_free(struct jl_hasher *h)
{
	if (h && h->xxh3)
		jl_xxh_free(h->xxh3);
	free(h);
}

void jl_hasher_reset(struct jl_hasher *h)
{
	if (h->xxh3)
		jl_xxh_reset(h->xxh3);
	else
		sha256_init(&h->sha);
}

void jl_hasher_add(struct jl_hasher *h, const void *data, size_t len)
{
	if (h->xxh3)
		jl_xxh_add(h->xxh3, data, len);
	else
		sha256_update(&h->sha, len, data);
}

void jl_hasher_end(const struct jl_hasher *h, struct jl_digest *ret)
{
	struct sha256_ctx sha = h->sha;

	*ret = (struct jl_digest){.algo = h->xxh3 ? JL_DIGEST_XXH3 : JL_DIGEST_SHA256};
	if (h->xxh3)
		jl_xxh_end(h->xxh3, ret->b);
	else
		sha256_digest(&sha, SHA256_DIGEST_SIZE, ret->b);
}

static ssize_t read_at(const struct jl_io *io, int fd, void *data, size_t len, uint64_t at)
{
	ssize_t n;

	do
		n = io->pread(io, fd, data, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

static int digest_stream(enum jl_digest_algo algo, const struct jl_io *io, int fd, struct jl_digest *ret,
			 uint64_t *ret_size, struct jl_err *err)
{
	struct jl_hasher *h = jl_hasher_new_as(algo);
	char *piece = jl_alloc_pages(PIECE);
	uint64_t size = 0;
	int r = JL_OK;

	for (;;) {
		ssize_t n = read_at(io, fd, piece, PIECE, size);

		if (n < 0)
			r = jl_err_sys(err, errno, "cannot read");
		if (n <= 0)
			break;
		jl_hasher_add(h, piece, (size_t)n);
		size += (uint64_t)n;
	}
	if (r == JL_OK) {
		jl_hasher_end(h, ret);
		*ret_size = size;
	}
	free(piece);
	jl_hasher_free(h);
	return r;
}

int jl_digest_fd(const struct jl_io *io, int fd, struct jl_digest *ret, uint64_t *ret_size, struct jl_err *err)
{
	return jl_digest_fd_as(JL_DIGEST_XXH3, io, fd, ret, ret_size, err);
}

int jl_digest_fd_as(enum jl_digest_algo algo, const struct jl_io *io, int fd, struct jl_digest *ret, uint64_t *ret_size,
		    struct jl_err *err)
{
	struct stat st;

	if (io->fstat(io, fd, &st) < 0)
		return jl_err_sys(err, errno, "cannot stat");
	return jl_digest_fd_stat(algo, io, fd, &st, ret, ret_size, err);
}

int jl_digest_fd_stat(enum jl_digest_algo algo, const struct jl_io *io, int fd, const struct stat *st, struct jl_digest *ret,
		      uint64_t *ret_size, struct jl_err *err)
{
	if (!S_ISREG(st->st_mode))
		return jl_err_set(err, JL_EINVAL, "not a regular file");
	if ((uint64_t)st->st_size <= SMALL_FILE) {
		char small[SMALL_FILE + 1];
		ssize_t n = read_at(io, fd, small, (size_t)st->st_size + 1, 0);

		if (n < 0)
			return jl_err_sys(err, errno, "cannot read");
		/* As long as stat said, and no byte after it: that was all. */
		if (n == st->st_size) {
			jl_digest_bytes_as(algo, small, (size_t)n, ret);
			*ret_size = (uint64_t)n;
			return JL_OK;
		}
	}
	return digest_stream(algo, io, fd, ret, ret_size, err);
}
