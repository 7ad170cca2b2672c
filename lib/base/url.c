/* See url.h. */
#include "base/url.h"

#include "base/path.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool jl_url_is(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 || strncmp(text, "s3://", 5) == 0;
}

static const char *authority(const char *url, size_t *ret_len)
{
	const char *at = strchr(url, ':');

	at = !at ? url + strlen(url) : strncmp(at, "://", 3) == 0 ? at + 3 : at + 1;
	*ret_len = strcspn(at, "/?#");
	return at;
}

/* "%41" is "A"; in place. */
static char *decode(char *text)
{
	char *to = text, hex[3] = "";

	for (const char *from = text; *from; to++) {
		hex[0] = from[0] == '%' ? from[1] : '\0';
		hex[1] = hex[0] ? from[2] : '\0';
		if (hex[1] && strspn(hex, "0123456789abcdefABCDEF") == 2) {
			*to = (char)strtol(hex, NULL, 16);
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return text;
}

char *jl_url_query(const char *url, const char *name)
{
	const size_t len = strlen(name);
	const char *query = strchr(url, '?');

	query = query ? query + 1 : NULL;
	while (query && *query) {
		const char *end = strchrnul(query, '&');

		if (strncmp(query, name, len) == 0 && query[len] == '=')
			return decode(jl_strndup(query + len + 1, (size_t)(end - query) - len - 1));
		query = *end ? end + 1 : end;
	}
	return NULL;
}

static bool is_open_to_all(const char *url)
{
	static const char *const loopback[] = {"localhost", "127.", "[::1]"};

	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
		const char *host = url + 7;
		size_t len = strlen(loopback[i]);

		if (strncmp(host, loopback[i], len) != 0)
			continue;
		if (loopback[i][len - 1] != '.' ? strchr(":/", host[len]) != NULL
						: strspn(host, "0123456789.") == strcspn(host, ":/?#"))
			return false;
	}
	return true;
}

bool jl_url_is_open_to_all(const char *url)
{
	char *endpoint = strncmp(url, "s3://", 5) == 0 ? jl_url_query(url, "endpoint") : NULL;
	const bool open = is_open_to_all(endpoint ? endpoint : url);

	free(endpoint);
	return open;
}

bool jl_url_has_user(const char *url)
{
	size_t len;
	const char *at = authority(url, &len);

	return memchr(at, '@', len) != NULL;
}

const char *jl_url_fault(const char *url)
{
	size_t len;
	const char *host = authority(url, &len);

	if (strlen(url) > JL_URL_MAX)
		return "is longer than 16 KiB";
	for (const char *s = url; *s; s++) {
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return "holds a blank or another character that no URL has; write it as %20 and the like";
	}
	if (jl_url_has_user(url))
		return "holds a user or password; they come from variables or ~/.netrc";
	if (len == 0 || *host == ':')
		return "names no host";
	return host[len] == '/' || strncmp(url, "s3://", 5) != 0 ? NULL : "names no object of the bucket";
}

void jl_url_split(const char *url, struct jl_buf *site, struct jl_buf *path)
{
	size_t len;
	const char *host = authority(url, &len), *rest = host + len;
	const size_t plain = strcspn(rest, "?#"), all = strcspn(rest, "#");
	const bool s3 = strncmp(url, "s3://", 5) == 0; /* whose query is of the bucket */

	jl_buf_add(site, url, (size_t)(rest - url));
	if (s3)
		jl_buf_add(site, rest + plain, all - plain);
	if (*rest != '/')
		jl_buf_char(path, '/');
	jl_buf_add(path, rest, s3 ? plain : all);
}

void jl_url_host(const char *url, struct jl_buf *out)
{
	size_t len;
	const char *host = authority(url, &len);
	const char *port = memrchr(host, ':', len);

	jl_buf_add(out, host, port && !memchr(port, ']', len - (size_t)(port - host)) ? (size_t)(port - host) : len);
}

void jl_url_name(const char *url, struct jl_buf *out)
{
	size_t len;
	const char *host = authority(url, &len), *rest = host + len;
	const char *end = rest + strcspn(rest, "?#"), *slash = memrchr(rest, '/', (size_t)(end - rest));
	const char *name = slash ? slash + 1 : end;
	struct jl_buf text = JL_BUF_INIT;

	/* "%20" stays as it is: it is a name that no shell trips over. */
	for (; name < end; name++)
		jl_buf_char(&text, *name == '%' ? '_' : *name);
	jl_path_escape(out, text.len ? text.data : "content");
	jl_buf_release(&text);
}

void jl_url_show(struct jl_buf *out, const char *url)
{
	const size_t len = strcspn(url, "?#");

	jl_path_show(out, url, len);
	if (url[len] == '?')
		jl_buf_str(out, "?...");
}
