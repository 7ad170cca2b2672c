/* How objects come into the local store and go from it, as far as the index is concerned; and how their use is noted. */
#include "store/evict.h"

#include "base/clock.h"
#include "base/file.h"
#include "codec/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>

#define READ_AHEAD ((uint64_t)512 << 10)

int64_t jl_local_real_ns(const struct jl_local *l)
{
	return l->rules.real_ns ? l->rules.real_ns() : jl_clock_real_ns();
}

int64_t jl_local_stamp_ns(struct jl_local *l)
{
	int64_t now_ns = jl_local_real_ns(l);

	/* A clock that was set back must not make what is used now look old. */
	if (now_ns <= l->index.head.last_ns)
		now_ns = l->index.head.last_ns + 1;
	if (now_ns <= l->used_ns)
		now_ns = l->used_ns + 1;
	l->used_ns = now_ns;
	return now_ns;
}

int jl_local_stamp(struct jl_local *l, int dirfd, const char *path, int64_t used_ns)
{
	struct timespec t[2] = {{.tv_sec = used_ns / JL_NS_S, .tv_nsec = used_ns % JL_NS_S}};

	t[1] = t[0];
	return l->io->utimensat(l->io, dirfd, path, t, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

void jl_local_stamp_record(struct jl_local *l, const struct jl_digest *key, int64_t used_ns)
{
	char path[JL_LOCAL_PATH];
	struct stat st;

	jl_local_path(key, "", path);
	if (l->io->fstatat(l->io, l->ac_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (int64_t)st.st_mtim.tv_sec * JL_NS_S + st.st_mtim.tv_nsec >= used_ns)
		return;
	(void)jl_local_stamp(l, l->ac_fd, path, used_ns);
}

bool jl_local_is_remote(struct jl_local *l)
{
	/* As linux/magic.h and statfs(2) have them: afs, ceph, cifs, coda, fuse (sshfs), gpfs, lustre, ncp, nfs, smb, smb2, 9p. */
	static const uint32_t kinds[] = {0x5346414f, 0x00c36400, 0xff534d42, 0x73757245, 0x65735546, 0x47504653,
	                                 0x0bd00bd0, 0x564c,     0x6969,     0x517b,     0xfe534d42, 0x01021997};
	struct statfs fs;

	if (l->network < 0) {
		l->network = 0;
		if (l->root_fd >= 0 && l->io->fstatfs(l->io, l->cas_fd >= 0 ? l->cas_fd : l->root_fd, &fs) == 0) {
			for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
				l->network |= (uint32_t)fs.f_type == kinds[i];
		}
	}
	return l->network > 0;
}

int jl_local_object_path(const struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form,
                         char path[JL_LOCAL_PATH])
{
	const struct jl_codec *codec = jl_codec_get((enum jl_codec_id)form);

	jl_local_path(digest, kind == JL_OBJECT_BLOB && codec ? codec->suffix : "", path);
	return kind == JL_OBJECT_RECORD ? l->ac_fd : l->cas_fd;
}

/* --- in ---------------------------------------------------------------------------------------------------------- */

/* Once: every later output of the run would say the same. */
static void tell_full(struct jl_local *l, const struct jl_err *why)
{
	if (!atomic_exchange(&l->full_told, true))
		jl_store_warn(&l->s, "not stored: %s; a larger max_size keeps more", why->text);
}

int jl_local_too_large(struct jl_local *l, struct jl_err *err)
{
	struct jl_err room = JL_ERR_INIT;
	int status = jl_err_set(&room, JL_ENOSPC, "it is larger than the store \"%s\" may be", l->dir);

	tell_full(l, &room);
	if (err)
		*err = room;
	return status;
}

/* Its file is there; `note` it: a power cut may have taken what the index said of it. */
static bool is_there(struct jl_local *l, const struct jl_digest *blob, bool note)
{
	char path[JL_LOCAL_PATH];
	struct stat st;

	for (int form = JL_CODEC_RAW; form <= JL_CODEC_GZIP; form++) {
		const int dirfd = jl_local_object_path(l, JL_OBJECT_BLOB, blob, (uint8_t)form, path);

		if (l->io->fstatat(l->io, dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (note)
			jl_index_put(&l->index, JL_OBJECT_BLOB, blob, (uint8_t)form, jl_blocks((uint64_t)st.st_size),
			             jl_local_stamp_ns(l), NULL, 0);
		return true;
	}
	return false;
}

/* Within the index. A record without its blobs is of no use: they may have gone for one another where the cap is below what
 * one step makes, or for what others put. */
static int check_whole(struct jl_local *l, const struct jl_local_object *o, bool *ret_tell, struct jl_err *err)
{
	struct jl_index *x = &l->index;
	uint64_t blocks = jl_blocks(o->bytes);
	bool missing = false;
	int status = JL_OK;

	/* What others put since it was read counts, too. */
	if (x->loaded && o->n_blobs && x->at < x->head.end)
		status = jl_index_load(x, err);
	for (uint32_t i = 0; status == JL_OK && i < o->n_blobs; i++) {
		uint32_t blob = x->loaded ? jl_catalog_find(&x->catalog, JL_OBJECT_BLOB, &o->blobs[i]) : JL_NONE;

		if (blob != JL_NONE)
			blocks += jl_catalog_at(&x->catalog, blob)->blocks;
		if ((blob == JL_NONE || !jl_catalog_at(&x->catalog, blob)->present) && !is_there(l, &o->blobs[i], x->loaded))
			missing = true;
	}
	if (missing)
		status = jl_err_set(err, JL_ENOSPC, "what one step makes is larger than the store \"%s\" may be", l->dir);
	/* Where it would fit, the rest went for what others put meanwhile: no fault of the cap's. */
	*ret_tell = blocks * JL_BLOCK > l->rules.max_size;
	return status;
}

static int make_room(struct jl_local *l, const struct jl_local_object *o, struct jl_err *err)
{
	struct jl_evict w = {.blocks = jl_blocks(o->bytes), .items = 1};
	int status = jl_evict_enter(l, &w, err);
	bool tell = true;

	if (status == JL_OK)
		status = check_whole(l, o, &tell, err);
	if (status == JL_ENOSPC && err->sys_errno == 0 && tell)
		tell_full(l, err);
	return status;
}

/* Within the index. It is told of first, and gets its name then: what dies in between leaves sums that are too high, which is
 * found out, and never too low. Nobody who is in can take it for gone. */
static int put_name(struct jl_local *l, const struct jl_local_object *o, const char *name, int from_fd, struct jl_err *err)
{
	char path[JL_LOCAL_PATH];
	const int dirfd = jl_local_object_path(l, o->kind, o->digest, o->form, path);
	int status;

	jl_index_put(&l->index, o->kind, o->digest, o->form, jl_blocks(o->bytes), jl_local_stamp_ns(l), o->blobs, o->n_blobs);
	status = jl_index_flush(&l->index, err);
	if (status != JL_OK) {
		l->io->unlinkat(l->io, from_fd, name, 0);
		return status;
	}
	status = jl_local_temp_rename(l, from_fd, name, dirfd, path, err);
	if (status != JL_OK)
		jl_index_gone(&l->index, o->kind, o->digest, jl_blocks(o->bytes));
	return status;
}

static int admit(struct jl_local *l, const struct jl_local_object *o, const char *name, int from_fd, struct jl_err *err)
{
	struct jl_err room = JL_ERR_INIT;
	int left, status = make_room(l, o, &room);
	bool near;

	if (status == JL_OK) {
		status = put_name(l, o, name, from_fd, err);
	} else {
		l->io->unlinkat(l->io, from_fd, name, 0);
		if (err)
			*err = room;
	}
	if (!l->index.locked)
		return status;
	near = l->rules.max_size && jl_evict_blocks(l) * JL_BLOCK > l->rules.max_size / 8 * 7;
	left = jl_index_leave(&l->index, NULL);
	if (status != JL_OK)
		return status;
	l->noted = true;
	/* Who will have to make room soon reads the index by and by, not all at once when it is so far. */
	if (near && !l->index.loaded)
		jl_index_read_some(&l->index, READ_AHEAD);
	else if (left == JL_OK && l->index.loaded)
		(void)!jl_index_rewrite(&l->index, false, NULL);
	return JL_OK;
}

int jl_local_put_object(struct jl_local *l, int fd, const char *name, const struct jl_local_object *o, struct jl_err *err)
{
	const int dirfd = o->kind == JL_OBJECT_RECORD ? l->ac_fd : l->cas_fd;
	int *apart_fd = o->kind == JL_OBJECT_RECORD ? &l->ac_tmp_fd : &l->cas_tmp_fd;
	int status = jl_local_temp_close(l, fd, name, err);

	for (bool apart = false; status == JL_OK; apart = true) {
		if (apart)
			status = jl_local_temp_bring(l, name, dirfd, apart_fd, err);
		if (status != JL_OK)
			break;
		pthread_mutex_lock(&l->index_lock);
		status = admit(l, o, name, apart ? *apart_fd : l->tmp_fd, err);
		pthread_mutex_unlock(&l->index_lock);
		if (status != JL_LOCAL_APART)
			break;
		status = JL_OK;
	}
	return status;
}

int jl_local_remove(struct jl_local *l, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form)
{
	char path[JL_LOCAL_PATH];
	const int dirfd = jl_local_object_path(l, kind, digest, form, path);
	struct stat st;
	bool entered;
	int e;

	if (l->io->fstatat(l->io, dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	pthread_mutex_lock(&l->index_lock);
	entered = jl_index_enter(&l->index, NULL) == JL_OK;
	e = l->io->unlinkat(l->io, dirfd, path, 0) < 0 ? errno : 0;
	if (!e && entered)
		jl_index_gone(&l->index, kind, digest, jl_blocks((uint64_t)st.st_size));
	if (entered)
		(void)!jl_index_leave(&l->index, NULL);
	pthread_mutex_unlock(&l->index_lock);
	return e;
}

bool jl_local_free_disk(struct jl_local *l, uint64_t bytes)
{
	const uint64_t evicted = l->s.stats.bytes_evicted, blocks = jl_blocks(bytes + bytes / 8);
	struct jl_evict w = {.by_hand = true};
	uint64_t have;

	pthread_mutex_lock(&l->index_lock);
	if (jl_index_enter(&l->index, NULL) == JL_OK) {
		/* As if the cap were lower by as much; some more, since others write too. */
		have = jl_evict_blocks(l);
		w.blocks = jl_evict_spare(l) + (blocks < have ? blocks : have);
		(void)!jl_index_leave(&l->index, NULL);
		(void)!jl_evict_enter(l, &w, NULL);
		if (l->index.locked)
			(void)!jl_index_leave(&l->index, NULL);
	}
	pthread_mutex_unlock(&l->index_lock);
	return l->s.stats.bytes_evicted > evicted;
}

/* --- uses -------------------------------------------------------------------------------------------------------- */

/* The time of a use by one who need not enter the index. */
static int64_t stamp_outside(struct jl_local *l)
{
	if (!l->index.head.generation)
		(void)jl_index_peek(l->io, l->root_fd, &l->index.head);
	return jl_local_stamp_ns(l);
}

void jl_local_want(struct jl_local *l, const char *path)
{
	pthread_mutex_lock(&l->index_lock);
	(void)jl_local_stamp(l, l->cas_fd, path, stamp_outside(l));
	pthread_mutex_unlock(&l->index_lock);
}

int jl_local_use_record(struct jl_store *s, const struct jl_digest *key, struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;

	(void)err;
	if (l->ac_fd < 0)
		return JL_OK;
	pthread_mutex_lock(&l->index_lock);
	jl_local_stamp_record(l, key, stamp_outside(l));
	if (!atomic_load(&l->read_only))
		jl_hold_key(l, key);
	pthread_mutex_unlock(&l->index_lock);
	return JL_OK;
}

void jl_local_keep_record(struct jl_store *s, const struct jl_digest *key)
{
	struct jl_local *l = (struct jl_local *)s;

	pthread_mutex_lock(&l->index_lock);
	if (!atomic_load(&l->read_only))
		jl_hold_key(l, key);
	pthread_mutex_unlock(&l->index_lock);
}

int jl_local_use_keys(struct jl_store *s, const struct jl_digest *keys, uint32_t n, struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	int status;

	if (n == 0 || atomic_load(&l->read_only) || l->root_fd < 0)
		return JL_OK;
	pthread_mutex_lock(&l->index_lock);
	status = jl_index_enter(&l->index, err);
	if (status == JL_OK) {
		jl_uses_put(l, keys, n, jl_local_stamp_ns(l));
		jl_index_used(&l->index, l->used_ns);
		status = jl_index_leave(&l->index, err);
		jl_uses_retire(l);
	}
	pthread_mutex_unlock(&l->index_lock);
	return status == JL_LOCAL_READ_ONLY ? JL_OK : status;
}
