/* See care.h. */
#include "store/care.h"

#include "base/clock.h"
#include "base/file.h"
#include "codec/codec.h"
#include "store/evict.h"
#include "store/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX   ((size_t)65 << 20)
#define WEEK_NS      (7 * 24 * 3600 * JL_NS_S)
#define IN_FLIGHT_NS (10 * JL_NS_S)

static struct jl_local *local_of(struct jl_store *s)
{
	return (struct jl_local *)s;
}

/* --- sums -------------------------------------------------------------------------------------------------------- */

static void add_up(void *ctx, const struct jl_scan_file *f)
{
	struct jl_care_sums *sums = ctx;
	const uint64_t bytes = jl_blocks(f->size) * JL_BLOCK;

	switch (f->what) {
	case JL_SCAN_RECORD:
		sums->records++;
		sums->record_bytes += bytes;
		break;
	case JL_SCAN_BLOB:
		sums->blobs++;
		sums->blob_bytes += bytes;
		break;
	default: sums->other_bytes += bytes;
	}
}

int jl_care_sums(struct jl_store *s, struct jl_care_sums *ret, struct jl_err *err)
{
	struct jl_local *l = local_of(s);
	struct jl_index_head head;

	*ret = (struct jl_care_sums){0};
	if (l->root_fd >= 0 && jl_index_peek(l->io, l->root_fd, &head))
		ret->index_bytes = (head.blocks + head.aside + head.sets + jl_blocks(head.end)) * JL_BLOCK;
	return jl_scan(l, add_up, ret, err);
}

/* --- entries ----------------------------------------------------------------------------------------------------- */

/* A catalog of what the files say, for a store that may be one to read only. */
static void into_catalog(void *ctx, const struct jl_scan_file *f)
{
	struct jl_local *l = ctx;
	struct jl_table blobs = JL_TABLE_INIT(struct jl_digest);

	if (f->what == JL_SCAN_RECORD)
		jl_scan_blobs(l, f, &blobs);
	if (f->what == JL_SCAN_RECORD || f->what == JL_SCAN_BLOB)
		jl_catalog_put(&l->index.catalog, f->what == JL_SCAN_RECORD ? JL_OBJECT_RECORD : JL_OBJECT_BLOB, &f->digest,
		               f->form, jl_blocks(f->size), f->mtime_ns, blobs.data, blobs.len);
	jl_table_release(&blobs);
}

static int by_use(const void *a, const void *b)
{
	const struct jl_care_entry *x = a, *y = b;

	if (x->used_ns != y->used_ns)
		return x->used_ns < y->used_ns ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void list_records(struct jl_local *l, struct jl_table *out)
{
	const struct jl_catalog *c = &l->index.catalog;

	for (uint32_t i = 0; i < c->objects.len; i++) {
		const struct jl_object *o = jl_catalog_at(c, i);
		const int64_t of_set_ns = jl_uses_of(l, &o->digest);
		struct jl_care_entry *e;

		if (!o->present || o->kind != JL_OBJECT_RECORD)
			continue;
		e = jl_table_add(out, 1);
		e->key = o->digest;
		e->bytes = o->blocks * JL_BLOCK;
		e->used_ns = of_set_ns > o->used_ns ? of_set_ns : o->used_ns;
		e->pinned = jl_pin_has(l, &o->digest);
		for (uint32_t k = o->refs; k < o->refs + o->n_refs; k++)
			e->bytes += jl_catalog_at(c, *JL_AT(c->refs, uint32_t, k))->blocks * JL_BLOCK;
	}
	if (out->len)
		qsort(out->data, out->len, out->size, by_use);
}

int jl_care_each(struct jl_store *s, void (*each)(void *ctx, const struct jl_care_entry *e), void *ctx, struct jl_err *err)
{
	struct jl_table entries = JL_TABLE_INIT(struct jl_care_entry);
	struct jl_local *l = local_of(s);
	int status;

	jl_catalog_release(&l->index.catalog);
	jl_catalog_init(&l->index.catalog);
	status = jl_scan(l, into_catalog, l, err);
	if (l->root_fd >= 0)
		(void)jl_uses_look(l);
	list_records(l, &entries);
	for (uint32_t i = 0; i < entries.len; i++) {
		struct jl_care_entry *e = JL_AT(entries, struct jl_care_entry, i);
		char path[JL_LOCAL_PATH];
		struct jl_buf b;

		jl_buf_init(&b, RECORD_MAX);
		jl_local_path(&e->key, "", path);
		if (jl_file_read(l->io, l->ac_fd, path, &b, NULL) != JL_OK)
			jl_buf_clear(&b);
		e->record = b.data;
		e->len = b.len;
		each(ctx, e);
		jl_buf_release(&b);
	}
	jl_table_release(&entries);
	jl_catalog_release(&l->index.catalog);
	jl_catalog_init(&l->index.catalog);
	l->index.loaded = false;
	l->index.at = 0;
	return status;
}

/* --- taking away ------------------------------------------------------------------------------------------------- */

static int enter(struct jl_local *l, struct jl_err *err)
{
	int status;

	if (l->root_fd < 0 || atomic_load(&l->read_only))
		return jl_err_set(err, JL_EIO, "the store \"%s\" is not writable", l->dir);
	status = jl_index_enter_loaded(&l->index, err);
	if (status == JL_LOCAL_READ_ONLY)
		return jl_err_set(err, JL_EIO, "the store \"%s\" is not writable", l->dir);
	return status;
}

/* Others come in between two shares of what is taken away. */
static int breathe(struct jl_local *l, uint32_t *taken, struct jl_err *err)
{
	int status;

	if (*taken < JL_EVICT_SHARE)
		return JL_OK;
	*taken = 0;
	status = jl_index_leave(&l->index, err);
	if (status != JL_OK)
		return status;
	jl_evict_pause();
	return enter(l, err);
}

static int leave(struct jl_local *l, int status, struct jl_err *err)
{
	int left = l->index.locked ? jl_index_leave(&l->index, status == JL_OK ? err : NULL) : JL_OK;

	return status == JL_OK ? left : status;
}

int jl_care_remove(struct jl_store *s, const struct jl_digest *keys, uint32_t n, struct jl_err *err)
{
	struct jl_local *l = local_of(s);
	char path[JL_LOCAL_PATH];
	int status = enter(l, err);
	uint32_t taken = 0;

	for (uint32_t k = 0; k < n && status == JL_OK; k++) {
		const uint32_t i = jl_catalog_find(&l->index.catalog, JL_OBJECT_RECORD, &keys[k]);

		if (i != JL_NONE && jl_catalog_at(&l->index.catalog, i)->present)
			taken += jl_evict_object(l, i, UINT32_MAX);
		else if (l->io->unlinkat(l->io, l->ac_fd, (jl_local_path(&keys[k], "", path), path), 0) < 0 && errno != ENOENT)
			status = jl_err_sys(err, errno, "cannot remove %s", path);
		if (status == JL_OK)
			status = breathe(l, &taken, err);
	}
	return leave(l, status, err);
}

static void drop_folder(struct jl_local *l, const char *folder, int64_t older_ns)
{
	const int64_t now_ns = jl_clock_real_ns();
	int fd = l->io->openat(l->io, l->root_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir && fd >= 0)
		l->io->close(l->io, fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    l->io->fstatat(l->io, dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (now_ns - (int64_t)st.st_mtim.tv_sec * JL_NS_S >= older_ns)
			(void)!jl_file_remove(l->io, dirfd(dir), entry->d_name, NULL);
	}
	if (dir)
		closedir(dir);
}

int jl_care_clear(struct jl_store *s, struct jl_err *err)
{
	struct jl_local *l = local_of(s);
	int status = enter(l, err);
	const int64_t until_ns = jl_local_stamp_ns(l);
	uint32_t i, taken = 0;

	while (status == JL_OK && (i = jl_catalog_oldest(&l->index.catalog)) != JL_NONE) {
		const struct jl_object *o = jl_catalog_at(&l->index.catalog, i);

		if (o->used_ns > until_ns)
			break; /* put meanwhile: others may do that all the time */
		if (o->kind == JL_OBJECT_RECORD && jl_pin_has(l, &o->digest))
			jl_catalog_hold(&l->index.catalog, i);
		else
			taken += jl_evict_object(l, i, UINT32_MAX);
		status = breathe(l, &taken, err);
	}
	jl_catalog_free_held(&l->index.catalog);
	if (status == JL_OK) {
		drop_folder(l, "quarantine", INT64_MIN);
		l->index.head.aside = 0;
		l->index.dirty = true;
		(void)jl_uses_look(l);
		while (jl_uses_drop(l))
			;
		drop_folder(l, "prog", INT64_MIN);
	}
	return leave(l, status, err);
}

int jl_care_gc(struct jl_store *s, struct jl_err *err)
{
	struct jl_local *l = local_of(s);
	struct jl_err room = JL_ERR_INIT;
	struct jl_evict w = {.by_hand = true};
	int status = leave(l, enter(l, err), err);

	jl_local_sweep(l, l->tmp_fd);
	jl_local_sweep(l, l->root_fd); /* of small files that stand in the store itself */
	l->hold.looked_ns = 0;
	(void)jl_hold_look(l); /* and what the dead needed goes */
	drop_folder(l, "quarantine", WEEK_NS);
	if (status == JL_OK)
		status = jl_index_rebuild(&l->index, err);
	if (status != JL_OK)
		return status;
	pthread_mutex_lock(&l->index_lock);
	status = jl_evict_enter(l, &w, &room);
	if (status == JL_ENOSPC && room.sys_errno == 0)
		status = JL_OK; /* what is pinned or needed is more than the cap */
	else if (status != JL_OK && err)
		*err = room;
	status = leave(l, status, err);
	pthread_mutex_unlock(&l->index_lock);
	jl_uses_trim_days(l);
	return status;
}

/* --- checking ---------------------------------------------------------------------------------------------------- */

struct checking {
	struct jl_local *l;
	struct jl_care_check *c;
	struct jl_table damaged; /* struct jl_object: to be set aside when all was looked at */
};

static void tell(const struct jl_care_check *c, const char *what, const char *path, const char *fault)
{
	char text[300];

	snprintf(text, sizeof(text), "%s %s %s", what, path, fault);
	c->told(c->ctx, text);
}

struct unpacked {
	struct jl_hasher *hasher;
	uint64_t size;
};

static int hash_piece(void *ctx, const void *data, size_t len, struct jl_err *err)
{
	struct unpacked *u = ctx;

	(void)err;
	jl_hasher_add(u->hasher, data, len);
	u->size += len;
	return JL_OK;
}

/* How large it is unpacked stands in its records; here it is found out by a first unpacking. The second one tells whether
 * the file ends where it should. */
static bool packed_ok(struct jl_local *l, int fd, const struct jl_codec *codec, const struct jl_digest *digest)
{
	struct unpacked u = {.hasher = jl_hasher_new_as(digest->algo)};
	struct jl_digest d;
	bool ok;

	(void)!codec->unpack(l->io, fd, UINT64_MAX / 2, hash_piece, &u, NULL);
	jl_hasher_end(u.hasher, &d);
	ok = jl_digest_equal(&d, digest) && lseek(fd, 0, SEEK_SET) == 0 &&
	     codec->unpack(l->io, fd, u.size, hash_piece, &u, NULL) == JL_OK;
	jl_hasher_free(u.hasher);
	return ok;
}

static bool blob_ok(struct jl_local *l, const struct jl_scan_file *f)
{
	struct jl_digest d = {0};
	uint64_t size;
	int fd = l->io->openat(l->io, l->root_fd, f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	bool ok = fd >= 0;

	if (ok && f->form == JL_CODEC_RAW) {
		ok = jl_digest_fd_as(f->digest.algo, l->io, fd, &d, &size, NULL) == JL_OK && jl_digest_equal(&d, &f->digest);
	} else if (ok) {
		ok = packed_ok(l, fd, jl_codec_get((enum jl_codec_id)f->form), &f->digest);
	}
	if (fd >= 0)
		l->io->close(l->io, fd);
	return ok;
}

static bool record_is_ok(struct checking *k, const struct jl_scan_file *f)
{
	struct jl_buf b;
	bool ok;

	jl_buf_init(&b, RECORD_MAX);
	ok = jl_file_read(k->l->io, k->l->root_fd, f->path, &b, NULL) == JL_OK && k->c->record_ok(&f->digest, b.data, b.len);
	jl_buf_release(&b);
	return ok;
}

static void check_file(void *ctx, const struct jl_scan_file *f)
{
	struct checking *k = ctx;
	const bool record = f->what == JL_SCAN_RECORD;
	struct jl_object *o;

	if (!record && f->what != JL_SCAN_BLOB)
		return;
	k->c->records += record;
	k->c->blobs += !record;
	k->c->bytes += f->size;
	if (record ? record_is_ok(k, f) : blob_ok(k->l, f)) {
		into_catalog(k->l, f);
		return;
	}
	k->c->damaged++;
	tell(k->c, record ? "record" : "blob", f->path, "is damaged");
	o = jl_table_add(&k->damaged, 1);
	o->kind = record ? JL_OBJECT_RECORD : JL_OBJECT_BLOB;
	o->digest = f->digest;
	o->form = f->form;
}

/* Records that name what is not there, blobs that nobody names (both may be on their way). */
static void check_names(struct checking *k, struct jl_table *incomplete)
{
	const struct jl_catalog *c = &k->l->index.catalog;
	const int64_t since_ns = jl_clock_real_ns() - IN_FLIGHT_NS;
	char path[JL_LOCAL_PATH];

	for (uint32_t i = 0; i < c->objects.len; i++) {
		const struct jl_object *o = jl_catalog_at(c, i);
		bool whole = true;

		k->c->left += o->present && o->kind == JL_OBJECT_BLOB && o->users == 0 && o->used_ns < since_ns;
		for (uint32_t r = o->refs; o->present && r < o->refs + o->n_refs; r++)
			whole &= jl_catalog_at(c, *JL_AT(c->refs, uint32_t, r))->present;
		if (whole)
			continue;
		k->c->incomplete++;
		jl_local_path(&o->digest, "", path);
		tell(k->c, "record", path, "names a blob that is not there");
		*(struct jl_digest *)jl_table_add(incomplete, 1) = o->digest;
	}
}

int jl_care_verify(struct jl_store *s, struct jl_care_check *check, struct jl_err *err)
{
	struct checking k = {.l = local_of(s), .c = check, .damaged = JL_TABLE_INIT(struct jl_object)};
	struct jl_table incomplete = JL_TABLE_INIT(struct jl_digest);
	int status;

	jl_catalog_release(&k.l->index.catalog);
	jl_catalog_init(&k.l->index.catalog);
	status = jl_scan(k.l, check_file, &k, err);
	check_names(&k, &incomplete);
	jl_catalog_release(&k.l->index.catalog);
	jl_catalog_init(&k.l->index.catalog);
	k.l->index.loaded = false;
	k.l->index.at = 0;
	for (uint32_t i = 0; status == JL_OK && check->repair && i < k.damaged.len; i++) {
		const struct jl_object *o = JL_AT(k.damaged, struct jl_object, i);

		jl_local_damaged(k.l, (enum jl_object_kind)o->kind, &o->digest, o->form, -1);
	}
	for (uint32_t i = 0; status == JL_OK && check->repair && i < incomplete.len; i++)
		status = s->ops->drop_record(s, JL_AT(incomplete, struct jl_digest, i), err);
	if (status == JL_OK && check->repair)
		status = jl_index_rebuild(&k.l->index, err);
	jl_table_release(&k.damaged);
	jl_table_release(&incomplete);
	return status;
}

int jl_care_pin(struct jl_store *s, const struct jl_digest *key, bool pinned, struct jl_err *err)
{
	return jl_pin_set(local_of(s), key, pinned, err);
}

int jl_care_days(struct jl_store *s, struct jl_table *out, struct jl_err *err)
{
	return jl_uses_days(local_of(s), out, err);
}
