/* Records: encoding and decoding. See record.h for the grammar.
 *
 * What is decoded may come from anywhere, so nothing in it is believed before it was checked: the checksum first, then
 * every length against the bytes that are left, then the meaning of every field. */
#include "memo/record.h"

#include "base/arena.h"
#include "base/table.h"
#include "memo/frame.h"
#include "store/envelope.h"

#include <stdlib.h>
#include <string.h>

/* The least an output takes: what bounds how many of them so many bytes can hold. */
#define OUTPUT_MIN (4 + 4 + 1 + 4 + 8 + 1 + 1 + 4)
#define OUTPUT_PATH_MAX 4095

static const struct jl_frame frame = {"jlrec\n\x1a", 1, JL_RECORD_MAX, "record"};

struct owned {
	struct jl_record r; /* first: what the caller has is a pointer to this */
	struct jl_arena arena;
};

/* A path that stays beneath the workspace as text alone: no empty, "." or ".." component. */
static bool path_ok(const char *path)
{
	const char *at = path;

	if (strlen(path) > OUTPUT_PATH_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(at, "/");

		if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		if (at[len] == '\0')
			return true;
		at += len + 1;
	}
}

static const char *content_fault(const struct jl_content *c)
{
	struct jl_digest d;

	if (c->digest.algo != JL_DIGEST_XXH3 && c->digest.algo != JL_DIGEST_SHA256)
		return "a content without digest";
	if (c->bytes) {
		jl_digest_bytes_as(c->digest.algo, c->bytes, (size_t)c->size, &d);
		if (!jl_digest_equal(&d, &c->digest))
			return "a content that is not its digest's";
	}
	return NULL;
}

static const char *output_fault(const struct jl_record_output *o)
{
	const struct jl_content *c = &o->content;

	if (!path_ok(o->path))
		return "an unsafe output path";
	if (o->mode & ~0777u)
		return "special mode bits";
	switch (o->kind) {
	case JL_KIND_DIR:
		return c->bytes || c->size || c->digest.algo != JL_DIGEST_NONE ? "a folder with content" : NULL;
	case JL_KIND_LINK:
		if (!c->bytes || c->size == 0 || c->size > OUTPUT_PATH_MAX || memchr(c->bytes, 0, (size_t)c->size))
			return "a bad link text";
		return content_fault(c);
	case JL_KIND_FILE:
		return content_fault(c);
	case JL_KIND_ABSENT:
	case JL_KIND_OTHER:
		break;
	}
	return "an output of no known kind";
}

/* Which of the first n outputs has this path? They are sorted. */
static const struct jl_record_output *find_output(const struct jl_record_output *all, uint32_t n, const char *path,
                                                  size_t len)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int order = strncmp(all[mid].path, path, len);

		if (order == 0 && all[mid].path[len] != '\0')
			order = 1;
		if (order == 0)
			return &all[mid];
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* What is wrong with the outputs as a whole, or NULL. An output below a link or a file is refused here, so that a
 * record can never lead a restore through a link of its own. */
static const char *outputs_fault(const struct jl_record_output *all, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *fault = output_fault(&all[i]);

		if (fault)
			return fault;
		if (i > 0 && strcmp(all[i - 1].path, all[i].path) >= 0)
			return "outputs out of order";
		for (const char *slash = strchr(all[i].path, '/'); slash; slash = strchr(slash + 1, '/')) {
			const struct jl_record_output *above =
				find_output(all, i, all[i].path, (size_t)(slash - all[i].path));

			if (above && above->kind != JL_KIND_DIR)
				return "an output below one that is no folder";
		}
	}
	return NULL;
}

static const char *log_fault(const struct jl_content *log)
{
	if (log->digest.algo == JL_DIGEST_NONE && log->size == 0 && !log->bytes)
		return NULL; /* nothing was captured */
	return content_fault(log);
}

static const char *record_fault(const struct jl_record *r)
{
	const char *fault;

	if (r->key.algo == JL_DIGEST_NONE)
		return "no key";
	fault = log_fault(&r->log);
	return fault ? fault : outputs_fault(r->outputs, r->n_outputs);
}

static uint64_t digest_size(const struct jl_digest *d)
{
	return 1 + jl_digest_len(d);
}

static uint64_t content_size(const struct jl_content *c)
{
	return 8 + digest_size(&c->digest) + 1 + 4 + (c->bytes ? c->size : 0);
}

static uint64_t encoded_size(const struct jl_record *r)
{
	uint64_t sum = JL_FRAME_ROOM + digest_size(&r->key) + 5 * 8 + 2 * 4 + 3 * 4 + 4 + 4;

	sum += strlen(r->label) + strlen(r->host) + r->manifest_len + content_size(&r->log);
	for (uint32_t i = 0; i < r->n_outputs && sum <= JL_RECORD_MAX; i++)
		sum += 4 + strlen(r->outputs[i].path) + 4 + 1 + 4 + content_size(&r->outputs[i].content);
	return sum;
}

/* The room was reserved, so the calls below cannot fail. */
static void put_content(struct jl_buf *b, const struct jl_content *c)
{
	jl_buf_u64(b, c->size);
	jl_frame_put_digest(b, &c->digest);
	jl_buf_u8(b, c->bytes ? 1 : 0);
	jl_buf_bytes(b, c->bytes ? c->bytes : "", c->bytes ? (size_t)c->size : 0);
}

static void put_body(struct jl_buf *b, const struct jl_record *r)
{
	jl_frame_put_digest(b, &r->key);
	jl_buf_u64(b, (uint64_t)r->created_ns);
	jl_buf_u64(b, (uint64_t)r->wall_ns);
	jl_buf_u64(b, (uint64_t)r->user_ns);
	jl_buf_u64(b, (uint64_t)r->sys_ns);
	jl_buf_u64(b, (uint64_t)r->max_rss_kib);
	jl_buf_u32(b, (uint32_t)r->exit_code);
	jl_buf_u32(b, (uint32_t)r->signal);
	jl_buf_bytes(b, r->label, strlen(r->label));
	jl_buf_bytes(b, r->host, strlen(r->host));
	jl_buf_bytes(b, r->manifest_len ? r->manifest : "", r->manifest_len);
	jl_buf_u32(b, r->n_outputs);
	for (uint32_t i = 0; i < r->n_outputs; i++) {
		const struct jl_record_output *o = &r->outputs[i];

		jl_buf_bytes(b, o->path, strlen(o->path));
		jl_buf_u32(b, o->declared);
		jl_buf_u8(b, (uint8_t)o->kind);
		jl_buf_u32(b, o->mode);
		put_content(b, &o->content);
	}
	put_content(b, &r->log);
	jl_buf_u32(b, 0);
}

int jl_record_encode(const struct jl_record *r, struct jl_buf *out, struct jl_err *err)
{
	const uint64_t size = encoded_size(r);
	const size_t start = out->len;
	const char *fault;
	char *room;

	if (size > JL_RECORD_MAX)
		return jl_err_set(err, JL_ELIMIT, "the record would be over %u bytes", JL_RECORD_MAX);
	fault = record_fault(r);
	if (fault)
		return jl_err_set(err, JL_EINVAL, "cannot write a record with %s", fault);
	if (jl_buf_reserve(out, (size_t)size, &room) != JL_OK)
		return jl_err_set(err, JL_ELIMIT, "no room for a record of %llu bytes", (unsigned long long)size);
	jl_frame_begin(&frame, size - JL_FRAME_ROOM, out);
	put_body(out, r);
	jl_frame_end(out, start);
	jl_bug_if(out->len - start != size);
	return JL_OK;
}

static void get_content(struct jl_cur *c, struct jl_arena *a, struct jl_content *ret)
{
	const char *bytes;
	uint8_t is_inline;
	size_t len;

	ret->size = jl_cur_u64(c);
	jl_frame_get_digest(c, &ret->digest);
	is_inline = jl_cur_u8(c);
	bytes = jl_cur_bytes(c, &len);
	ret->bytes = NULL;
	if (c->bad || is_inline > 1 || len != (is_inline ? ret->size : 0)) {
		c->bad = 1;
		return;
	}
	if (is_inline) {
		char *copy = jl_arena_alloc(a, len + 1);

		memcpy(copy, bytes, len);
		ret->bytes = copy;
	}
}

static void get_outputs(struct jl_cur *c, struct owned *o)
{
	struct jl_record_output *all;
	uint32_t n = jl_cur_u32(c);

	if (c->bad || n > (size_t)(c->end - c->at) / OUTPUT_MIN) {
		c->bad = 1;
		return;
	}
	all = jl_arena_alloc(&o->arena, ((size_t)n + 1) * sizeof(*all));
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		all[i].path = jl_frame_get_text(c, &o->arena);
		all[i].declared = jl_cur_u32(c);
		all[i].kind = (enum jl_kind)jl_cur_u8(c);
		all[i].mode = jl_cur_u32(c);
		get_content(c, &o->arena, &all[i].content);
	}
	o->r.outputs = all;
	o->r.n_outputs = n;
}

static void get_body(struct jl_cur *c, struct owned *o)
{
	struct jl_record *r = &o->r;
	const char *manifest;
	char *copy;

	jl_frame_get_digest(c, &r->key);
	r->created_ns = (int64_t)jl_cur_u64(c);
	r->wall_ns = (int64_t)jl_cur_u64(c);
	r->user_ns = (int64_t)jl_cur_u64(c);
	r->sys_ns = (int64_t)jl_cur_u64(c);
	r->max_rss_kib = (int64_t)jl_cur_u64(c);
	r->exit_code = (int32_t)jl_cur_u32(c);
	r->signal = (int32_t)jl_cur_u32(c);
	r->label = jl_frame_get_text(c, &o->arena);
	r->host = jl_frame_get_text(c, &o->arena);
	manifest = jl_cur_bytes(c, &r->manifest_len);
	copy = jl_arena_alloc(&o->arena, r->manifest_len + 1);
	memcpy(copy, manifest, r->manifest_len);
	r->manifest = copy;
	get_outputs(c, o);
	get_content(c, &o->arena, &r->log);
	if (jl_cur_u32(c) != 0 || c->at != c->end) /* version 1 has no depfile entries, and nothing after them */
		c->bad = 1;
}

int jl_record_decode(const void *data, size_t len, struct jl_record **ret, struct jl_err *err)
{
	struct jl_cur body;
	struct owned *o;
	const char *fault;
	int status = jl_frame_open(&frame, data, len, &body, err);

	if (status != JL_OK)
		return status;
	o = jl_calloc(1, sizeof(*o));
	get_body(&body, o);
	fault = body.bad ? "fields that do not fit" : record_fault(&o->r);
	if (fault) {
		jl_record_free(&o->r);
		return jl_err_set(err, JL_ECORRUPT, "damaged record: %s", fault);
	}
	*ret = &o->r;
	return JL_OK;
}

void jl_record_free(struct jl_record *r)
{
	struct owned *o = (struct owned *)r;

	if (!r)
		return;
	jl_arena_release(&o->arena);
	free(o);
}

static void pass_content(struct jl_cur *c, struct jl_table *out, uint32_t first)
{
	struct jl_envelope_blob *blob;
	const uint64_t size = jl_cur_u64(c);
	struct jl_digest d;
	uint8_t is_inline;
	size_t len;

	jl_frame_get_digest(c, &d);
	is_inline = jl_cur_u8(c);
	jl_cur_bytes(c, &len);
	if (c->bad || is_inline || size == 0 || d.algo == JL_DIGEST_NONE)
		return;
	for (uint32_t i = first; i < out->len; i++) {
		if (jl_digest_equal(&JL_AT(*out, struct jl_envelope_blob, i)->digest, &d))
			return;
	}
	blob = jl_table_add(out, 1);
	*blob = (struct jl_envelope_blob){.digest = d, .size = size};
}

void jl_record_contents(const void *data, size_t len, struct jl_table *out)
{
	const uint32_t first = out->len;
	struct jl_digest key;
	struct jl_cur c;
	uint32_t n;
	size_t skip;

	if (!jl_frame_body(&frame, data, len, &c))
		return;
	jl_frame_get_digest(&c, &key);
	jl_cur_take(&c, 5 * 8 + 2 * 4); /* times, memory, exit, signal */
	for (int i = 0; i < 3; i++) /* label, host, manifest */
		jl_cur_bytes(&c, &skip);
	n = jl_cur_u32(&c);
	for (uint32_t i = 0; i < n && !c.bad; i++) {
		jl_cur_bytes(&c, &skip);
		jl_cur_take(&c, 4 + 1 + 4);
		pass_content(&c, out, first);
	}
	if (!c.bad)
		pass_content(&c, out, first);
}

void jl_record_blobs(const void *data, size_t len, struct jl_table *out)
{
	struct jl_table all = JL_TABLE_INIT(struct jl_envelope_blob);

	jl_record_contents(data, len, &all);
	for (uint32_t i = 0; i < all.len; i++)
		*(struct jl_digest *)jl_table_add(out, 1) = JL_AT(all, struct jl_envelope_blob, i)->digest;
	jl_table_release(&all);
}
