/* See url.h. */
#include "run/url.h"

#include "base/url.h"

#include <string.h>

#define HASH_DIGITS 32

bool jl_url_is_input(const struct jl_port *port, const struct jl_buf *text)
{
	return !port->exclude && (port->url || (text->data && jl_url_is(text->data)));
}

static const char *file_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_project *p = owner;
	*ret_len = sizeof(uint32_t);
	return (const char *)&jl_plan_url(&p->plan, index)->file;
}

uint32_t jl_url_of(struct jl_project *p, uint32_t file)
{
	if (p->plan.urls.len == 0)
		return JL_NONE;
	if (!p->urls.key_of) {
		jl_map_init(&p->urls, file_key, p);
		for (uint32_t i = 0; i < p->plan.urls.len; i++)
			jl_map_put(&p->urls, (const char *)&jl_plan_url(&p->plan, i)->file, sizeof(file), i);
	}
	return jl_map_get(&p->urls, (const char *)&file, sizeof(file));
}

/* The last part of its name is for the command: what it is is often told by that. */
static void place(const char *url, const struct jl_digest *digest, struct jl_buf *out)
{
	struct jl_digest hash = *digest;
	char hex[JL_DIGEST_TEXT];
	if (hash.algo == JL_DIGEST_NONE)
		jl_digest_bytes_as(JL_DIGEST_SHA256, url, strlen(url), &hash);
	jl_buf_printf(out, JL_URL_FOLDER "/%.*s/", HASH_DIGITS, jl_digest_hex(&hash, hex));
	jl_url_name(url, out);
}

int jl_url_add(struct jl_project *p, const struct jl_port *port, const struct jl_scope *scope, const struct jl_buf *text,
	       struct jl_buf *ret_path)
{
	struct jl_buf digest = JL_BUF_INIT;
	struct jl_purl new = {.max_age_ns = port->max_age_ns};
	int r = JL_OK;
	if (port->digest)
		r = jl_template_eval(port->digest, scope, JL_TMPL_PLAIN, &digest, p->msgs);
	if (r == JL_OK && !jl_port_url_check(port, text->data ? text->data : "",
					     port->digest ? (digest.data ? digest.data : "") : NULL, &new.digest, p->msgs))
		r = JL_EINVAL;
	jl_buf_release(&digest);
	if (r != JL_OK)
		return r;
	place(text->data, &new.digest, ret_path);
	new.file = jl_files_id(&p->state->files, ret_path->data, ret_path->len);
	uint32_t old = jl_url_of(p, new.file);
	if (old != JL_NONE) {
		struct jl_purl *u = jl_plan_url(&p->plan, old);
		u->max_age_ns = new.max_age_ns < u->max_age_ns ? new.max_age_ns : u->max_age_ns;
		return JL_OK;
	}
	new.url = jl_text_add(&p->state->text, text->data, text->len);
	*(struct jl_purl *)jl_table_add(&p->plan.urls, 1) = new;
	if (p->urls.key_of)
		jl_map_put(&p->urls, (const char *)&new.file, sizeof(new.file), p->plan.urls.len - 1);
	return JL_OK;
}
