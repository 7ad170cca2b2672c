/* See remotes.h. */
#include "run/remotes.h"

#include "base/file.h"
#include "base/path.h"
#include "memo/record.h"
#include "run/scope.h"

#include <stdio.h>
#include <string.h>

#define KEYS_MAX ((size_t)64 << 10) /* bytes of a file of keys */

/* "$NAME", or a file: of the home, absolute, of the workspace. */
static int read_keys(struct jl_project *p, const char *from, struct jl_sign_keys *ret, struct jl_err *err)
{
	struct jl_buf text, path = JL_BUF_INIT;
	int r;
	if (from[0] == '$') {
		const char *value = jl_scope_getenv(p, from + 1);
		return value ? jl_sign_keys_read(ret, value, strlen(value), err)
			     : jl_err_set(err, JL_EINVAL, "the variable \"%s\" is not set", from + 1);
	}
	const char *home = jl_scope_getenv(p, "HOME");
	if (strncmp(from, "~/", 2) == 0 && home)
		jl_path_join(&path, home, from + 2);
	else
		jl_path_join(&path, p->root, from);
	jl_buf_init(&text, KEYS_MAX);
	r = jl_file_read(&jl_io_system, AT_FDCWD, path.data, &text, err);
	if (r != JL_OK)
		jl_err_add(err, "cannot read \"%s\"", path.data);
	else
		r = jl_sign_keys_read(ret, text.data, text.len, err);
	explicit_bzero(text.data, text.len);
	jl_buf_release(&text);
	jl_buf_release(&path);
	return r;
}

/* One that cannot be used as it should be is not used at all. */
static void add(struct jl_project *p, struct jl_tier *t, const struct jl_remote_settings *s, bool reads,
		void (*tell)(void *ctx, const char *text), void *ctx)
{
	struct jl_tier_remote o = {.name = s->name,
				   .url = s->url,
				   .group = s->group,
				   .reads = reads && s->mode != JL_REMOTE_WRITE,
				   .writes = s->mode != JL_REMOTE_READ,
				   .allow_xxh3 = s->allow_insecure_hash,
				   .keys = JL_SIGN_KEYS_INIT};
	struct jl_err err = JL_ERR_INIT;
	int r = s->sign[0] ? read_keys(p, s->sign, &o.keys, &err) : JL_OK;
	if (r != JL_OK)
		jl_err_add(&err, "remote \"%s\": \"sign\"", s->name);
	if (r == JL_OK)
		r = jl_tier_add(t, &o, &err);
	if (r != JL_OK) {
		char text[JL_ERR_TEXT + 40];
		snprintf(text, sizeof(text), "%s; the remote is not used", err.text);
		tell(ctx, text);
	}
	jl_sign_keys_release(&o.keys);
}

int jl_remotes_connect(struct jl_project *p, struct jl_store *local, bool reads,
		       void (*tell)(void *ctx, const char *text), void *ctx, struct jl_tier **ret, struct jl_err *err)
{
	const char *patience = jl_scope_getenv(p, "JL_REMOTE_PATIENCE");
	struct jl_remote_settings settings;
	struct jl_tier *t;
	int64_t patience_ns = 0;
	int r = patience ? jl_clock_parse(patience, &patience_ns, err) : JL_OK;
	if (r != JL_OK)
		return jl_err_add(err, "$JL_REMOTE_PATIENCE");
	t = jl_tier_new(local, jl_record_contents, patience_ns);
	for (uint32_t i = 0; jl_project_remote(p, i, &settings); i++)
		add(p, t, &settings, reads, tell, ctx);
	r = jl_tier_start(t, err);
	if (r == JL_OK)
		*ret = t;
	else
		jl_tier_free(t);
	return r;
}
