/* Looking a key up by its first digits. */
#include "store/find.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define HEX_LEN 32

static const char *digits_of(const char *text)
{
	return strncmp(text, "xxh3:", 5) == 0 ? text + 5 : text;
}

bool jl_store_is_prefix(const char *text)
{
	const char *hex = digits_of(text);
	const size_t len = strlen(hex);

	return len >= JL_FIND_DIGITS_MIN && len <= HEX_LEN && strspn(hex, "0123456789abcdef") == len;
}

static int scan(DIR *d, const char *hex, struct jl_digest *ret, struct jl_err *err)
{
	struct jl_digest found = {0}, key;
	const struct dirent *e;

	for (errno = 0; (e = readdir(d)) != NULL; errno = 0) {
		if (strncmp(e->d_name, hex, strlen(hex)) != 0 || jl_digest_parse(e->d_name, &key, NULL) != JL_OK)
			continue;
		if (found.algo != JL_DIGEST_NONE)
			return jl_err_set(err, JL_EINVAL, "several keys begin with \"%s\"; give more digits", hex);
		found = key;
	}
	if (errno)
		return jl_err_sys(err, errno, "cannot look for the key \"%s\"", hex);
	if (found.algo == JL_DIGEST_NONE)
		return jl_err_set(err, JL_ENOTFOUND, "the store has no result whose key begins with \"%s\"", hex);
	*ret = found;
	return JL_OK;
}

void jl_store_local_each_key(const char *dir, const char *hex, void (*each)(void *ctx, const char *key), void *ctx)
{
	struct jl_buf path = JL_BUF_INIT;
	struct jl_digest key;
	const struct dirent *e;
	DIR *d;

	if (strspn(hex, "0123456789abcdef") < 2)
		return;
	jl_buf_printf(&path, "%s/ac/%.2s", dir, hex);
	d = opendir(path.data);
	jl_buf_release(&path);
	while (d && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, hex, strlen(hex)) == 0 && jl_digest_parse(e->d_name, &key, NULL) == JL_OK)
			each(ctx, e->d_name);
	}
	if (d)
		closedir(d);
}

int jl_store_local_find_key(const char *dir, const char *text, struct jl_digest *ret, struct jl_err *err)
{
	const char *hex = digits_of(text);
	struct jl_buf path = JL_BUF_INIT;
	DIR *d;
	int r;

	if (!jl_store_is_prefix(text))
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no key: 8 to 32 digits of 0-9a-f", text);
	jl_buf_printf(&path, "%s/ac/%.2s", dir, hex);
	d = opendir(path.data);
	jl_buf_release(&path);
	if (!d && errno != ENOENT)
		return jl_err_sys(err, errno, "cannot look for the key \"%s\"", hex);
	if (!d)
		return jl_err_set(err, JL_ENOTFOUND, "the store has no result whose key begins with \"%s\"", hex);
	r = scan(d, hex, ret, err);
	closedir(d);
	return r;
}
