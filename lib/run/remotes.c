/* See remotes.h. */
#include "run/remotes.h"

#include "base/file.h"
#include "base/path.h"
#include "memo/record.h"
#include "memo/variants.h"
#include "run/scope.h"
#include "store/traffic.h"

#include <stdio.h>
#include <string.h>

#define KEYS_MAX  ((size_t)64 << 10) /* bytes of a file of keys */
#define FINISH_NS (30 * JL_NS_S)

/* "$NAME", or a file: of the home, absolute, of the workspace. */
static int read_keys(struct jl_project *p, const char *from, struct jl_sign_keys *ret, struct jl_err *err)
{
	struct jl_buf text, path = JL_BUF_INIT;
	int r;
	if (from[0] == '$') {
		const char *value = jl_scope_getenv(p, from + 1);
		return value && value[0] ? jl_sign_keys_read(ret, value, strlen(value), err)
			     : jl_err_set(err, JL_EINVAL, "\"sign\": the variable \"%s\" is not set", from + 1);
	}
	const char *home = jl_scope_getenv(p, "HOME");
	if (strncmp(from, "~/", 2) == 0 && home)
		jl_path_join(&path, home, from + 2);
	else
		jl_path_join(&path, p->root, from);
	jl_buf_init(&text, KEYS_MAX);
	r = jl_file_read(&jl_io_system, AT_FDCWD, path.data, &text, err);
	if (r != JL_OK)
		jl_err_add(err, "\"sign\": cannot read \"%s\"", path.data);
	else
		r = jl_sign_keys_read(ret, text.data, text.len, err);
	explicit_bzero(text.data, text.len);
	jl_buf_release(&text);
	jl_buf_release(&path);
	return r;
}

/* What may be done there: as $JL_REMOTE_NAME_MODE says, for who cannot write into the manifest, such as a CI system's job that may
 * fill the store; else as the settings do. */
static int find_mode(struct jl_project *p, const struct jl_remote_settings *s, bool *ret_reads, bool *ret_writes,
		     struct jl_err *err)
{
	char name[200];
	snprintf(name, sizeof(name), "JL_REMOTE_%s_MODE", s->name);
	for (char *c = name; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A')
		     : (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ? *c
									     : '_';
	const char *value = jl_scope_getenv(p, name);
	*ret_reads = s->mode != JL_REMOTE_WRITE;
	*ret_writes = s->mode != JL_REMOTE_READ;
	if (!value || !value[0])
		return JL_OK;
	const bool both = strcmp(value, "readwrite") == 0;
	*ret_reads = both || strcmp(value, "read") == 0;
	*ret_writes = both || strcmp(value, "write") == 0;
	return *ret_reads || *ret_writes || strcmp(value, "off") == 0
		       ? JL_OK
		       : jl_err_set(err, JL_EINVAL, "$%s is to be read, write, readwrite or off", name);
}

/* One that cannot be used as it should be is not used at all. */
static void add(struct jl_project *p, struct jl_tier *t, const struct jl_remote_settings *s, bool reads,
		void (*tell)(void *ctx, const char *text), void *ctx)
{
	struct jl_tier_remote o = {.name = s->name,
				   .url = s->url,
				   .group = s->group,
				   .allow_xxh3 = s->allow_insecure_hash,
				   .keys = JL_SIGN_KEYS_INIT};
	struct jl_err err = JL_ERR_INIT;
	int r = find_mode(p, s, &o.reads, &o.writes, &err);
	o.reads &= reads;
	if (r == JL_OK && !o.reads && !o.writes)
		return;
	if (r == JL_OK && s->sign[0])
		r = read_keys(p, s->sign, &o.keys, &err);
	if (r != JL_OK)
		jl_err_add(&err, "remote \"%s\"", s->name);
	if (r == JL_OK)
		r = jl_tier_add(t, &o, &err);
	if (r != JL_OK) {
		char text[JL_ERR_TEXT + 40];
		snprintf(text, sizeof(text), "%s; the remote is not used", err.text);
		tell(ctx, text);
	}
	jl_sign_keys_release(&o.keys);
}

/* Lists of variants (run/found.h): whoever ran the step has his own to add. */
static int merge(const void *new, size_t new_len, const void *old, size_t old_len, struct jl_buf *out)
{
	struct jl_variants *a = NULL, *b = NULL;
	int r = jl_variants_decode(new, new_len, &a, NULL);
	if (r == JL_OK)
		r = jl_variants_decode(old, old_len, &b, NULL);
	if (r == JL_EUNSUPPORTED) /* a later program's: it stays as it is */
		r = JL_ENOTFOUND;
	else if (r != JL_OK || !jl_digest_equal(&a->base, &b->base))
		r = JL_ECORRUPT;
	else
		r = jl_variants_merge(a, b, out) ? JL_OK : JL_ENOTFOUND;
	jl_variants_free(a);
	jl_variants_free(b);
	return r;
}

int jl_remotes_connect(struct jl_project *p, struct jl_store *local, bool reads,
		       void (*tell)(void *ctx, const char *text), void *ctx, struct jl_tier **ret, struct jl_err *err)
{
	static const struct jl_tier_records records = {
		.contents_of = jl_record_contents, .is_list = jl_variants_is, .merge = merge};
	const char *patience = jl_scope_getenv(p, "JL_REMOTE_PATIENCE");
	struct jl_remote_settings settings;
	struct jl_tier *t;
	int64_t patience_ns = 0;
	int r = patience ? jl_clock_parse(patience, &patience_ns, err) : JL_OK;
	if (r != JL_OK)
		return jl_err_add(err, "$JL_REMOTE_PATIENCE");
	const char *finish = jl_scope_getenv(p, "JL_REMOTE_FINISH");
	int64_t finish_ns;
	if (finish && jl_clock_parse(finish, &finish_ns, err) != JL_OK)
		return jl_err_add(err, "$JL_REMOTE_FINISH");
	t = jl_tier_new(local, &records, patience_ns);
	for (uint32_t i = 0; local && jl_project_remote(p, i, &settings); i++)
		add(p, t, &settings, reads, tell, ctx);
	r = jl_tier_start(t, err);
	if (r == JL_OK)
		*ret = t;
	else
		jl_tier_free(t);
	return r;
}

bool jl_remotes_read(struct jl_project *p)
{
	struct jl_remote_settings settings;
	bool reads, writes, some = false;
	for (uint32_t i = 0; jl_project_remote(p, i, &settings); i++)
		some |= find_mode(p, &settings, &reads, &writes, NULL) == JL_OK && reads;
	return some;
}

int64_t jl_remotes_finish_ns(struct jl_project *p)
{
	const char *text = jl_scope_getenv(p, "JL_REMOTE_FINISH");
	int64_t ns;
	return text && jl_clock_parse(text, &ns, NULL) == JL_OK ? ns : FINISH_NS;
}

void jl_remotes_account(const struct jl_tier *t, const char *dir,
			void (*tell)(void *ctx, const struct jl_remote_counts *counts), void *ctx)
{
	struct jl_table all = JL_TABLE_INIT(struct jl_traffic);
	struct jl_tier_stats st;
	for (uint32_t i = 0; jl_tier_stats(t, i, &st); i++) {
		const struct jl_remote_counts c = {.name = st.name,
						   .hits = st.hits,
						   .misses = st.misses,
						   .refused = st.refused,
						   .failed = st.failed,
						   .sent = st.sent,
						   .unsent = st.unsent,
						   .bytes_in = st.bytes_in,
						   .bytes_out = st.bytes_out,
						   .waited_ns = st.waited_ns};
		if (!(c.hits | c.misses | c.refused | c.failed | c.sent | c.unsent))
			continue;
		struct jl_traffic *one = jl_table_add(&all, 1);
		*one = (struct jl_traffic){.hits = c.hits,
					   .misses = c.misses,
					   .refused = c.refused,
					   .failed = c.failed,
					   .sent = c.sent,
					   .unsent = c.unsent,
					   .bytes_in = c.bytes_in,
					   .bytes_out = c.bytes_out,
					   .waited_ms = (uint64_t)(c.waited_ns / JL_NS_MS)};
		snprintf(one->name, sizeof(one->name), "%s", c.name);
		(*tell)(ctx, &c);
	}
	if (dir)
		jl_traffic_note(&jl_io_system, dir, all.data, all.len);
	jl_table_release(&all);
}

static void show_size(struct jl_buf *out, uint64_t bytes, const char *way)
{
	if (bytes >= 1 << 20)
		jl_buf_printf(out, ", %.1f MiB %s", (double)bytes / (1 << 20), way);
	else if (bytes)
		jl_buf_printf(out, ", %.1f KiB %s", (double)bytes / (1 << 10), way);
}

void jl_remote_counts_show(struct jl_buf *out, const struct jl_remote_counts *c)
{
	const struct {
		uint64_t n;
		const char *one, *many;
	} parts[] = {{c->hits, "hit", "hits"},	     {c->misses, "miss", "misses"},
		     {c->refused, "refused", "refused"}, {c->failed, "without an answer", "without an answer"},
		     {c->sent, "sent", "sent"},		     {c->unsent, "not sent", "not sent"}};
	const char *comma = ": ";
	jl_buf_str(out, c->name);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].n)
			continue;
		jl_buf_printf(out, "%s%llu %s", comma, (unsigned long long)parts[i].n,
			      parts[i].n == 1 ? parts[i].one : parts[i].many);
		comma = ", ";
	}
	show_size(out, c->bytes_in, "in");
	show_size(out, c->bytes_out, "out");
	if (c->waited_ns) {
		jl_buf_str(out, ", waited ");
		jl_clock_show(out, c->waited_ns);
	}
}
