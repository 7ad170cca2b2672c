/* Reading and writing the frames of the journal. */
#include "state/journal.h"

#include "base/file.h"
#include "state/files_priv.h"
#include "state/format.h"

#define MAGIC "jljourn\n"
#define FRAME_HEAD 12       /* length and sum */
#define FRAME_ROOM 256      /* bytes a frame may have besides its name and listing */
#define LABEL_CAP (1 << 20)
#define FOUND_MIN 5         /* bytes of a path in a list */

enum frame {
	FRAME_FILE = 1,
	FRAME_RESULT = 2,
};

struct begin {
	struct jl_format format;
	uint64_t generation, sum;
};

void jl_journal_begin(struct jl_buf *out, uint64_t generation)
{
	struct begin b = {.format = jl_format_make(MAGIC), .generation = generation};

	b.sum = jl_hash64(&b.generation, sizeof(b.generation));
	jl_buf_add(out, &b, sizeof(b));
}

static void put_digest(struct jl_buf *b, const struct jl_digest *d)
{
	jl_buf_u8(b, d->algo);
	jl_buf_add(b, d->b, sizeof(d->b));
}

static void get_digest(struct jl_cur *c, struct jl_digest *d)
{
	const uint8_t *b;

	d->algo = jl_cur_u8(c);
	b = jl_cur_take(c, sizeof(d->b));
	if (b)
		memcpy(d->b, b, sizeof(d->b));
}

static void put_file(struct jl_buf *b, const struct jl_files *f, uint32_t id)
{
	const struct jl_file *e = jl_file_at(f, id);
	const char *path = jl_files_path(f, id);

	jl_buf_u8(b, FRAME_FILE);
	jl_buf_bytes(b, path, strlen(path));
	jl_buf_u32(b, e->flags & JL_FILE_STORED);
	jl_buf_u64(b, e->stamp.dev);
	jl_buf_u64(b, e->stamp.ino);
	jl_buf_u64(b, (uint64_t)e->stamp.size);
	jl_buf_u64(b, (uint64_t)e->stamp.mtime_ns);
	jl_buf_u64(b, (uint64_t)e->stamp.ctime_ns);
	jl_buf_u32(b, e->stamp.mode);
	put_digest(b, &e->digest);
	if (e->flags & JL_FILE_LIST)
		jl_buf_bytes(b, e->list_len ? JL_AT(f->lists, char, e->list) : "", e->list_len);
}

/* The name in a frame: one that the tables could hold. */
static const char *get_name(struct jl_cur *c, size_t cap, size_t *ret_len)
{
	const char *name = jl_cur_bytes(c, ret_len);

	if (c->bad || *ret_len == 0 || *ret_len > cap || memchr(name, '\0', *ret_len)) {
		c->bad = 1;
		return NULL;
	}
	return name;
}

static bool get_file(struct jl_cur *c, struct jl_files *f)
{
	struct jl_file new = {0}, *e;
	size_t len, list_len = 0;
	const char *path = get_name(c, JL_PATH_CAP, &len), *list = "";
	uint32_t id;

	new.flags = jl_cur_u32(c);
	new.stamp.dev = jl_cur_u64(c);
	new.stamp.ino = jl_cur_u64(c);
	new.stamp.size = (int64_t)jl_cur_u64(c);
	new.stamp.mtime_ns = (int64_t)jl_cur_u64(c);
	new.stamp.ctime_ns = (int64_t)jl_cur_u64(c);
	new.stamp.mode = jl_cur_u32(c);
	get_digest(c, &new.digest);
	if (new.flags & JL_FILE_LIST)
		list = jl_cur_bytes(c, &list_len);
	if (c->bad || c->at != c->end || new.flags & ~(uint32_t)JL_FILE_STORED ||
	    !jl_file_list_ok(list, (uint32_t)list_len))
		return false;
	id = jl_files_id(f, path, len);
	if (new.flags & JL_FILE_LIST)
		jl_files_keep_list(f, id, list, (uint32_t)list_len);
	e = jl_file_at(f, id);
	e->flags = new.flags;
	e->stamp = new.stamp;
	e->digest = new.digest;
	return true;
}

static void put_result(struct jl_buf *b, const struct jl_files *f, const struct jl_results *r, uint32_t id)
{
	const struct jl_result *e = jl_result_at(r, id);
	const char *label = jl_text(r->text, e->label);
	uint32_t n;
	const uint32_t *found = jl_results_found(r, id, &n);

	jl_buf_u8(b, FRAME_RESULT);
	jl_buf_bytes(b, label, strlen(label));
	jl_buf_u32(b, e->flags & JL_RESULT_STORED);
	put_digest(b, &e->key);
	put_digest(b, &e->outs);
	jl_buf_u64(b, (uint64_t)e->wall_ns);
	jl_buf_u64(b, (uint64_t)e->when_ns);
	jl_buf_u32(b, e->made_s);
	jl_buf_u32(b, n);
	for (uint32_t i = 0; i < n; i++) {
		const char *path = jl_files_path(f, found[i]);

		jl_buf_bytes(b, path, strlen(path));
	}
}

/* The files it was found to depend on, to the end of the frame. */
static bool get_found(struct jl_cur *c, struct jl_files *f, struct jl_table *ids)
{
	uint32_t n = jl_cur_u32(c);

	if (c->bad || n > (size_t)(c->end - c->at) / FOUND_MIN)
		return false;
	jl_table_reserve(ids, n);
	for (uint32_t i = 0; i < n; i++) {
		size_t len;
		const char *path = get_name(c, JL_PATH_CAP, &len);

		if (!path)
			return false;
		*(uint32_t *)jl_table_add(ids, 1) = jl_files_id(f, path, len);
	}
	return c->at == c->end;
}

static bool get_result(struct jl_cur *c, struct jl_files *f, struct jl_results *r)
{
	struct jl_table found = JL_TABLE_INIT(uint32_t);
	struct jl_result new = {0}, *e;
	uint32_t id;
	size_t len;
	const char *label = get_name(c, LABEL_CAP, &len);

	new.flags = jl_cur_u32(c);
	get_digest(c, &new.key);
	get_digest(c, &new.outs);
	new.wall_ns = (int64_t)jl_cur_u64(c);
	new.when_ns = (int64_t)jl_cur_u64(c);
	if (c->at != c->end) /* version 1 has no more */
		new.made_s = jl_cur_u32(c);
	if (c->bad || new.flags & ~(uint32_t)JL_RESULT_STORED || (c->at != c->end && !get_found(c, f, &found))) {
		jl_table_release(&found);
		return false;
	}
	id = jl_results_id(r, label, len);
	e = jl_result_at(r, id);
	new.label = e->label;
	*e = new;
	jl_results_set_found(r, id, found.data, found.len);
	jl_table_release(&found);
	return true;
}

/* Fill in length and sum of the frame that begins at `start`. */
static void end_frame(struct jl_buf *b, size_t start)
{
	struct jl_buf head = JL_BUF_INIT;
	size_t len = b->len - start - FRAME_HEAD;

	jl_buf_u32(&head, (uint32_t)len);
	jl_buf_u64(&head, jl_hash64(b->data + start + FRAME_HEAD, len));
	memcpy(b->data + start, head.data, FRAME_HEAD);
	jl_buf_release(&head);
}

static size_t found_size(const struct jl_files *files, const struct jl_results *results, uint32_t id)
{
	uint32_t n;
	const uint32_t *found = jl_results_found(results, id, &n);
	size_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += 4 + strlen(jl_files_path(files, found[i]));
	return sum;
}

int jl_journal_frames(struct jl_buf *out, const struct jl_files *files, const struct jl_results *results)
{
	static const char head[FRAME_HEAD];

	for (uint32_t i = 0; i < files->dirty.len; i++) {
		uint32_t id = *JL_AT(files->dirty, uint32_t, i);
		size_t start = out->len;

		if (out->max - out->len < FRAME_ROOM + strlen(jl_files_path(files, id)) + jl_file_at(files, id)->list_len)
			return JL_ELIMIT;
		jl_buf_add(out, head, sizeof(head));
		put_file(out, files, id);
		end_frame(out, start);
	}
	for (uint32_t i = 0; i < results->dirty.len; i++) {
		uint32_t id = *JL_AT(results->dirty, uint32_t, i);
		size_t start = out->len;

		if (out->max - out->len < FRAME_ROOM + strlen(jl_text(results->text, jl_result_at(results, id)->label)) +
						  found_size(files, results, id))
			return JL_ELIMIT;
		jl_buf_add(out, head, sizeof(head));
		put_result(out, files, results, id);
		end_frame(out, start);
	}
	return JL_OK;
}

static bool replay_frame(struct jl_cur *all, struct jl_files *files, struct jl_results *results)
{
	uint32_t len = jl_cur_u32(all);
	uint64_t sum = jl_cur_u64(all);
	const uint8_t *payload = jl_cur_take(all, len);
	struct jl_cur c;

	if (all->bad || jl_hash64(payload, len) != sum)
		return false;
	c = (struct jl_cur){.at = payload, .end = payload + len};
	switch (jl_cur_u8(&c)) {
	case FRAME_FILE:
		return get_file(&c, files);
	case FRAME_RESULT:
		return get_result(&c, files, results);
	default:
		return false;
	}
}

int jl_journal_replay(const struct jl_io *io, int dirfd, const char *name, uint64_t generation, struct jl_files *files,
                      struct jl_results *results, uint64_t *ret_bytes, struct jl_err *err)
{
	struct jl_buf b = JL_BUF_INIT;
	enum jl_format_is is;
	struct begin begin;
	struct jl_cur c;
	int r = JL_OK;

	*ret_bytes = 0;
	if (jl_file_read(io, dirfd, name, &b, NULL) != JL_OK || b.len < sizeof(begin))
		goto out;
	memcpy(&begin, b.data, sizeof(begin));
	is = jl_format_check(&begin.format, MAGIC);
	if (is == JL_FORMAT_NEWER)
		r = jl_err_set(err, JL_EUNSUPPORTED, "the workspace state was written by a newer version");
	if (is != JL_FORMAT_OURS || begin.generation != generation ||
	    begin.sum != jl_hash64(&begin.generation, sizeof(begin.generation)))
		goto out;
	c = (struct jl_cur){.at = (const uint8_t *)b.data + sizeof(begin), .end = (const uint8_t *)b.data + b.len};
	do {
		*ret_bytes = (uint64_t)(c.at - (const uint8_t *)b.data);
	} while (c.at < c.end && replay_frame(&c, files, results));
out:
	jl_buf_release(&b);
	return r;
}
