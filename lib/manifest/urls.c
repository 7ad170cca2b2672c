/* Inputs by URL: what can be said of one before it is asked for. */
#include "base/url.h"
#include "digest/digest.h"
#include "manifest/manifest.h"

#include <string.h>

static bool is_sha256(const char *text, struct jl_digest *ret)
{
	return strncmp(text, "sha256:", 7) == 0 && jl_digest_parse(text, ret, NULL) == JL_OK && ret->algo == JL_DIGEST_SHA256;
}

bool jl_port_url_check(const struct jl_port *port, const char *url, const char *digest, struct jl_digest *ret,
		       struct jl_messages *msgs)
{
	const char *fault = jl_url_is(url) ? jl_url_fault(url) : "does not begin with http://, https:// or s3://";
	struct jl_buf shown = JL_BUF_INIT;

	*ret = (struct jl_digest){0};
	if (digest && !is_sha256(digest, ret)) {
		jl_messages_add(msgs, port->digest_text.mark, false,
				"\"digest\" wants sha256: and 64 hexadecimal digits, not \"%s\"", jl_messages_show(msgs, digest));
		return false;
	}
	if (!fault && !digest && jl_url_is_open_to_all(url))
		fault = "comes over plain http, where anybody on the way can change it; give it a \"digest\", or use https";
	if (!fault)
		return true;
	if (!jl_url_has_user(url)) /* else it would be told to all who read what we say */
		jl_url_show(&shown, url);
	jl_messages_add(msgs, port->text.mark, false, "the URL%s%s%s %s", shown.len ? " \"" : "",
			shown.len ? jl_messages_show(msgs, shown.data) : "", shown.len ? "\"" : "", fault);
	jl_buf_release(&shown);
	return false;
}
