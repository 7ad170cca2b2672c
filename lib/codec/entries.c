/* Files as a plain stream: see entries.h. */
#include "codec/entries.h"

#include "base/file.h"
#include "codec/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)64 << 10)

static const char magic[8] = "jlent1\n";

/* ---- sending ---- */

void jl_entries_start(struct jl_entries_out *o, const struct jl_io *io, int fd)
{
	*o = (struct jl_entries_out){.io = io, .fd = fd, .head = JL_BUF_INIT};
	jl_buf_add(&o->head, magic, sizeof(magic));
}

static int flush(struct jl_entries_out *o, struct jl_err *err)
{
	int r = o->head.len ? jl_file_write_all(o->io, o->fd, o->head.data, o->head.len, err) : JL_OK;

	jl_buf_clear(&o->head);
	return r;
}

int jl_entries_begin(struct jl_entries_out *o, const struct jl_entry *entry, struct jl_err *err)
{
	const size_t path = strlen(entry->path), target = strlen(entry->target);

	jl_bug_if(o->left > 0);
	if (path > JL_ENTRY_TEXT_MAX || target > JL_ENTRY_TEXT_MAX)
		return jl_err_set(err, JL_ELIMIT, "a name of more than %u bytes", JL_ENTRY_TEXT_MAX);
	jl_buf_u8(&o->head, (uint8_t)entry->kind);
	jl_buf_u32(&o->head, entry->mode);
	jl_buf_u64(&o->head, (uint64_t)entry->mtime_s);
	jl_buf_u64(&o->head, entry->size);
	jl_buf_bytes(&o->head, entry->path, path);
	jl_buf_bytes(&o->head, entry->target, target);
	o->left = entry->size;
	return o->head.len < ROOM ? JL_OK : flush(o, err);
}

int jl_entries_data(struct jl_entries_out *o, const void *data, size_t len, struct jl_err *err)
{
	int r;

	jl_bug_if(len > o->left);
	o->left -= len;
	if (o->head.len + len <= ROOM) {
		jl_buf_add(&o->head, data, len);
		return JL_OK;
	}
	r = flush(o, err);
	return r == JL_OK ? jl_file_write_all(o->io, o->fd, data, len, err) : r;
}

int jl_entries_finish(struct jl_entries_out *o, struct jl_err *err)
{
	jl_bug_if(o->left > 0);
	jl_buf_u8(&o->head, 'E');
	return flush(o, err);
}

void jl_entries_out_release(struct jl_entries_out *o)
{
	jl_buf_release(&o->head);
}

/* ---- receiving ---- */

void jl_entries_open(struct jl_entries_in *in, const struct jl_io *io, int fd)
{
	*in = (struct jl_entries_in){
		.io = io, .fd = fd, .room = jl_alloc_pages(ROOM), .path = JL_BUF_INIT, .target = JL_BUF_INIT};
}

void jl_entries_in_release(struct jl_entries_in *in)
{
	free(in->room);
	jl_buf_release(&in->path);
	jl_buf_release(&in->target);
}

static int cut(struct jl_err *err)
{
	return jl_err_set(err, JL_ECORRUPT, "it ends too early");
}

static int fill(struct jl_entries_in *in, struct jl_err *err)
{
	in->at = in->len = 0;
	return jl_codec_read(in->io, in->fd, in->room, ROOM, &in->len, err);
}

static int take(struct jl_entries_in *in, void *data, size_t len, struct jl_err *err)
{
	for (char *to = data; len > 0;) {
		size_t n = in->len - in->at;

		if (n == 0) {
			int r = fill(in, err);

			if (r != JL_OK)
				return r;
			if (in->len == 0)
				return cut(err);
			continue;
		}
		n = n < len ? n : len;
		memcpy(to, in->room + in->at, n);
		in->at += n;
		to += n;
		len -= n;
	}
	return JL_OK;
}

static int take_text(struct jl_entries_in *in, struct jl_buf *out, struct jl_err *err)
{
	uint8_t raw[4];
	char *to = NULL;
	int r = take(in, raw, sizeof(raw), err);
	size_t len = raw[0] | (size_t)raw[1] << 8 | (size_t)raw[2] << 16 | (size_t)raw[3] << 24;

	jl_buf_clear(out);
	if (r == JL_OK && len > JL_ENTRY_TEXT_MAX)
		r = jl_err_set(err, JL_ECORRUPT, "a name of more than %u bytes", JL_ENTRY_TEXT_MAX);
	if (r == JL_OK)
		r = jl_buf_reserve(out, len, &to);
	if (r == JL_OK)
		r = take(in, to, len, err);
	if (r != JL_OK)
		return r;
	out->len = len;
	out->data[len] = '\0';
	return strlen(out->data) == len ? JL_OK : jl_err_set(err, JL_ECORRUPT, "a name with a NUL in it");
}

static int pass_over(struct jl_entries_in *in, struct jl_err *err)
{
	char bytes[4096];
	size_t n;
	int r = JL_OK;

	while (r == JL_OK && in->left > 0)
		r = jl_entries_read(in, bytes, sizeof(bytes), &n, err);
	return r;
}

static int start(struct jl_entries_in *in, struct jl_err *err)
{
	char seen[sizeof(magic)];
	int r = take(in, seen, sizeof(seen), err);

	in->started = 1;
	if (r == JL_OK && memcmp(seen, magic, sizeof(magic)) != 0)
		r = jl_err_set(err, JL_ECORRUPT, "it is no stream of entries");
	return r;
}

int jl_entries_next(struct jl_entries_in *in, struct jl_entry *ret, struct jl_err *err)
{
	uint8_t head[21];
	struct jl_cur c = {head + 1, head + sizeof(head), 0};
	int r = in->started ? pass_over(in, err) : start(in, err);

	if (r == JL_OK)
		r = take(in, head, 1, err);
	if (r == JL_OK && head[0] == 'E')
		return JL_ENOTFOUND;
	if (r == JL_OK)
		r = take(in, head + 1, sizeof(head) - 1, err);
	if (r == JL_OK)
		r = take_text(in, &in->path, err);
	if (r == JL_OK)
		r = take_text(in, &in->target, err);
	if (r != JL_OK)
		return r;
	ret->kind = (enum jl_entry_kind)head[0];
	ret->mode = jl_cur_u32(&c);
	ret->mtime_s = (int64_t)jl_cur_u64(&c);
	ret->size = jl_cur_u64(&c);
	ret->path = in->path.data;
	ret->target = in->target.data;
	if (!strchr("FDL", head[0]) || (ret->mode & ~0777u) || (ret->size && ret->kind != JL_ENTRY_FILE) ||
	    (in->target.len > 0) != (ret->kind == JL_ENTRY_LINK))
		return jl_err_set(err, JL_ECORRUPT, "an entry that cannot be");
	in->left = ret->size;
	return JL_OK;
}

int jl_entries_read(struct jl_entries_in *in, void *data, size_t len, size_t *ret_len, struct jl_err *err)
{
	size_t n = in->len - in->at;
	int r = JL_OK;

	*ret_len = 0;
	if (len > in->left)
		len = (size_t)in->left;
	if (len == 0)
		return JL_OK;
	if (n > 0) {
		n = n < len ? n : len;
		memcpy(data, in->room + in->at, n);
		in->at += n;
	} else {
		r = jl_codec_read(in->io, in->fd, data, len, &n, err);
	}
	if (r == JL_OK && n == 0)
		return cut(err);
	if (r == JL_OK) {
		in->left -= n;
		*ret_len = n;
	}
	return r;
}
