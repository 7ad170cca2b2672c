/* Paths that count as there though they were taken off the disk: JL_FILE_DROPPED keeps the stamp and the digest of what it was, and
 * a stat that finds nothing leaves them (jl_file_took). The folders above are marked for this run, so that a listing knows where
 * to look for names that the disk no longer has; they count as there too, should somebody have tidied them away. */
#include "state/files_priv.h"

#include <stdlib.h>
#include <string.h>

static void hold_above(struct jl_files *f, uint32_t id)
{
	for (id = jl_file_at(f, id)->dir; id != JL_NONE && !(jl_file_at(f, id)->flags & JL_FILE_HOLDS);
	     id = jl_file_at(f, id)->dir)
		jl_file_at(f, id)->flags |= JL_FILE_HOLDS;
}

void jl_files_drop_begin(struct jl_files *f)
{
	for (uint32_t id = 0; id < f->at.len; id++) {
		if (!(jl_file_at(f, id)->flags & JL_FILE_DROPPED))
			continue;
		f->any_dropped = true;
		hold_above(f, id);
	}
}

void jl_files_drop(struct jl_files *f, uint32_t id)
{
	jl_files_forget(f, id, false);
	/* It was looked at, and is gone: no later write can be missed. */
	jl_file_at(f, id)->flags &= ~(uint32_t)(JL_FILE_RACY | JL_FILE_WAS_RACY | JL_FILE_CHANGED | JL_FILE_LIST);
	jl_file_at(f, id)->flags |= JL_FILE_DROPPED | JL_FILE_SEEN;
	jl_files_dirty(f, id);
	f->any_dropped = true;
	hold_above(f, id);
}

void jl_files_pretend(struct jl_files *f, uint32_t id, enum jl_kind kind, uint32_t mode, uint64_t size,
		      const struct jl_digest *digest)
{
	const uint32_t type = kind == JL_KIND_DIR ? S_IFDIR : kind == JL_KIND_LINK ? S_IFLNK : S_IFREG;
	struct jl_file *e;

	jl_files_drop(f, id);
	e = jl_file_at(f, id);
	e->stamp = (struct jl_stamp){.mode = type | (mode & 0777), .size = (int64_t)size};
	e->digest = (struct jl_digest){0};
	e->flags &= ~(uint32_t)(JL_FILE_DIGEST | JL_FILE_MADE);
	if (kind != JL_KIND_DIR) {
		e->digest = *digest;
		e->flags |= JL_FILE_DIGEST;
	}
}

bool jl_files_dropped(struct jl_files *f, uint32_t id)
{
	return f->any_dropped && jl_files_stat(f, id, NULL) == JL_OK && (jl_file_at(f, id)->flags & JL_FILE_DROPPED);
}

static void undrop_one(struct jl_files *f, uint32_t id)
{
	struct jl_file *e = jl_file_at(f, id);

	e->flags &= ~(uint32_t)(JL_FILE_HOLDS | JL_FILE_SEEN);
	if (!(e->flags & JL_FILE_DROPPED))
		return;
	e->flags &= ~(uint32_t)(JL_FILE_DROPPED | JL_FILE_DIGEST | JL_FILE_LIST | JL_FILE_RACY | JL_FILE_MADE);
	e->stamp = (struct jl_stamp){0};
	e->digest = (struct jl_digest){0};
	jl_files_dirty(f, id);
}

void jl_files_undrop(struct jl_files *f, uint32_t id, bool below)
{
	if (!f->any_dropped)
		return;
	jl_files_forget(f, id, false);
	undrop_one(f, id);
	if (below)
		jl_files_each_below(f, id, undrop_one);
}

/* ---- listings ---- */

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct jl_files *f = ctx;
	const struct jl_file *x = jl_file_at(f, *(const uint32_t *)a), *y = jl_file_at(f, *(const uint32_t *)b);

	return strcmp(jl_text(f->text, x->text) + x->base, jl_text(f->text, y->text) + y->base);
}

int jl_files_list_dropped(struct jl_files *f, uint32_t id, struct jl_buf *out, struct jl_err *err)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	struct jl_err inner = JL_ERR_INIT;
	const char *list = "";
	uint32_t len = 0, at = 0;
	int r = jl_files_dropped(f, id) ? JL_OK : jl_files_list(f, id, &list, &len, &inner);

	if (r != JL_OK && r != JL_ENOTFOUND) {
		if (err)
			*err = inner;
		return r;
	}
	for (uint32_t c = jl_files_next_below(f, id, JL_NONE); c != JL_NONE; c = jl_files_next_below(f, id, c)) {
		if (jl_file_at(f, c)->flags & (JL_FILE_DROPPED | JL_FILE_HOLDS))
			*(uint32_t *)jl_table_add(&ids, 1) = c;
	}
	if (ids.len)
		qsort_r(ids.data, ids.len, sizeof(uint32_t), by_name, f);
	for (const char *p = list, *end = list + len; p < end || at < ids.len;) {
		const struct jl_file *e = at < ids.len ? jl_file_at(f, *JL_AT(ids, uint32_t, at)) : NULL;
		const char *name = e ? jl_text(f->text, e->text) + e->base : NULL;
		int c = p == end ? 1 : !e ? -1 : strcmp(p + 1, name);

		if (c <= 0) { /* what is there is as it is */
			size_t n = strlen(p + 1) + 2;
			jl_buf_add(out, p, n);
			p += n;
		} else {
			jl_buf_u8(out, e->flags & JL_FILE_DROPPED ? jl_file_kind(e) : JL_KIND_DIR);
			jl_buf_add(out, name, strlen(name) + 1);
		}
		at += c >= 0;
	}
	jl_table_release(&ids);
	return JL_OK;
}
