/* See evict.h. The catalog knows an order that may be behind the truth; the truth is in the files: the time stamp of a
 * record, or of a set that names it. So the first of the order is looked at; if it was used later than known it goes to its
 * right place, and the first that was not is the oldest of all. */
#include "store/evict.h"

#include "base/clock.h"
#include "codec/codec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHARE_NS     (20 * JL_NS_MS)
#define HOUR_NS      (3600 * JL_NS_S)
#define IN_FLIGHT_NS (10 * JL_NS_S)
#define READ_AHEAD   ((uint64_t)512 << 10)

uint64_t jl_evict_blocks(const struct jl_local *l)
{
	const struct jl_index_head *h = &l->index.head;

	return h->blocks + h->aside + h->sets + jl_blocks(h->end);
}

static uint64_t cap_blocks(const struct jl_local *l)
{
	return l->rules.max_size ? l->rules.max_size / JL_BLOCK : UINT64_MAX / 4;
}

uint64_t jl_evict_spare(const struct jl_local *l)
{
	const uint64_t have = jl_evict_blocks(l), cap = cap_blocks(l);

	return have < cap ? cap - have : 0;
}

static uint64_t cap_items(const struct jl_local *l)
{
	return l->rules.max_items ? l->rules.max_items : UINT64_MAX / 4;
}

/* --- the truth about one object ---------------------------------------------------------------------------------- */

enum state { GONE, STAYS, USED };

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * JL_NS_S + st->st_mtim.tv_nsec;
}

static enum state look(struct jl_local *l, const struct jl_object *o, int64_t *ret_used_ns)
{
	char path[JL_LOCAL_PATH];
	const int dirfd = jl_local_object_path(l, (enum jl_object_kind)o->kind, &o->digest, o->form, path);
	struct stat st;
	int64_t of_set_ns;

	*ret_used_ns = o->used_ns;
	if (l->io->fstatat(l->io, dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		const int64_t age_ns = jl_local_real_ns(l) - o->used_ns;

		/* Its frame comes before its name; within the lock, if there is one. */
		return errno == ENOENT && (jl_index_is_exact(&l->index) || age_ns > IN_FLIGHT_NS || age_ns < -IN_FLIGHT_NS)
		               ? GONE
		               : STAYS;
	}
	if (mtime_ns(&st) > *ret_used_ns)
		*ret_used_ns = mtime_ns(&st);
	of_set_ns = o->kind == JL_OBJECT_RECORD ? jl_uses_of(l, &o->digest) : 0;
	if (of_set_ns > *ret_used_ns)
		*ret_used_ns = of_set_ns;
	if (*ret_used_ns > o->used_ns)
		return USED;
	return o->kind == JL_OBJECT_RECORD && jl_hold_has(l, &o->digest) ? STAYS : USED;
}

/* --- taking away ------------------------------------------------------------------------------------------------- */

static void take_file(struct jl_local *l, uint32_t i, bool really)
{
	const struct jl_object o = *jl_catalog_at(&l->index.catalog, i);
	char path[JL_LOCAL_PATH];
	const int dirfd = jl_local_object_path(l, (enum jl_object_kind)o.kind, &o.digest, o.form, path);

	if (really && l->io->unlinkat(l->io, dirfd, path, 0) == 0) {
		char *slash = strchr(path, '/');

		/* A folder that this leaves empty goes; who is just putting something there makes it again. Only what is
		 * small is worth the try. */
		*slash = '\0';
		if (l->index.catalog.items < 512)
			l->io->unlinkat(l->io, dirfd, path, AT_REMOVEDIR);
		jl_store_count(&l->s.stats.evicted, 1);
		jl_store_count(&l->s.stats.bytes_evicted, o.blocks * JL_BLOCK);
	} else if (really && errno != ENOENT) {
		jl_catalog_hold(&l->index.catalog, i); /* cannot be taken: not now */
		return;
	}
	jl_index_gone(&l->index, (enum jl_object_kind)o.kind, &o.digest, o.blocks);
}

uint32_t jl_evict_object(struct jl_local *l, uint32_t object, uint32_t most)
{
	struct jl_catalog *c = &l->index.catalog;
	const struct jl_object o = *jl_catalog_at(c, object);
	uint32_t taken = 1;

	take_file(l, object, true);
	if (jl_catalog_at(c, object)->present)
		return taken;
	for (uint32_t k = o.refs; k < o.refs + o.n_refs && taken < most; k++) {
		const uint32_t blob = *JL_AT(c->refs, uint32_t, k);
		const struct jl_object *b = jl_catalog_at(c, blob);
		enum state state;
		int64_t used_ns;

		if (!b->present || b->users > 0)
			continue;
		/* One that was wanted again since is perhaps of a record that is to come; one that has no name yet is. */
		state = look(l, b, &used_ns);
		if (state == USED && used_ns > o.used_ns) {
			jl_catalog_used(c, blob, used_ns);
		} else if (state != STAYS) {
			take_file(l, blob, state == USED);
			taken++;
		}
	}
	return taken;
}

static void empty_quarantine(struct jl_local *l)
{
	int fd = l->io->openat(l->io, l->root_fd, "quarantine", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char path[512];

	if (!dir && fd >= 0)
		l->io->close(l->io, fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "quarantine/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			l->io->unlinkat(l->io, l->root_fd, path, 0);
	}
	if (dir)
		closedir(dir);
	l->index.head.aside = 0;
	l->index.dirty = true;
}

/* --- shares ------------------------------------------------------------------------------------------------------ */

/* What one share goes by. */
struct share {
	const struct jl_evict *w;
	int64_t aged_ns; /* what was used before goes; 0: nothing for its age */
	int64_t began_ns;
	uint32_t taken;
};

static bool over(const struct jl_local *l, const struct jl_evict *w, unsigned percent)
{
	const uint64_t blocks = cap_blocks(l), items = cap_items(l);

	return jl_evict_blocks(l) + w->blocks > blocks + blocks * percent / 100 ||
	       l->index.head.items + w->items > items + items * percent / 100;
}

/* A clock that was set forward a day or more may be wrong: for an hour nothing is old for it. */
static int64_t aged(const struct jl_local *l, const struct jl_evict *w)
{
	const int64_t now_ns = jl_local_real_ns(l), stepped_ns = l->index.head.stepped_ns;

	if (!l->rules.max_age_ns || (!w->by_hand && stepped_ns && now_ns - stepped_ns < HOUR_NS))
		return 0;
	return now_ns > l->rules.max_age_ns ? now_ns - l->rules.max_age_ns : 0;
}

static bool is_done(const struct share *s, uint32_t looked)
{
	return s->taken >= JL_EVICT_SHARE ||
	       (looked % 16 == 15 && jl_clock_system.now_ns(&jl_clock_system) - s->began_ns > SHARE_NS);
}

static int evict(struct jl_local *l, struct share *s, struct jl_err *err)
{
	struct jl_catalog *c = &l->index.catalog;
	const struct jl_evict *w = s->w;

	for (uint32_t n = 0;; n++) {
		const uint32_t i = jl_catalog_oldest(c);
		int64_t used_ns;

		if (i == JL_NONE || (!over(l, w, 0) && jl_catalog_at(c, i)->used_ns >= s->aged_ns))
			break;
		if (is_done(s, n)) {
			if (w->by_hand || over(l, w, 5))
				return JL_EVICT_AGAIN;
			break;
		}
		switch (look(l, jl_catalog_at(c, i), &used_ns)) {
		case GONE: take_file(l, i, false); break;
		case STAYS: jl_catalog_hold(c, i); break;
		case USED:
			if (used_ns > jl_catalog_at(c, i)->used_ns)
				jl_catalog_used(c, i, used_ns);
			else
				s->taken += jl_evict_object(l, i, JL_EVICT_SHARE - s->taken);
			break;
		}
	}
	while (over(l, w, 5) && jl_uses_drop(l))
		;
	if (over(l, w, 5))
		return jl_err_set(err, JL_ENOSPC, "the store \"%s\" is full of what has to stay", l->dir);
	return JL_OK;
}

int jl_evict_room(struct jl_local *l, struct jl_evict *w, struct jl_err *err)
{
	struct share s = {.w = w, .aged_ns = aged(l, w)};
	int status;

	if (w->blocks > cap_blocks(l) || w->items > cap_items(l))
		return jl_err_set(err, JL_ENOSPC, "it is larger than the store \"%s\" may be", l->dir);
	if (over(l, w, 0) && l->index.head.aside > 0)
		empty_quarantine(l);
	if (!over(l, w, 0) && !w->by_hand && !(s.aged_ns && w->blocks == 0))
		return JL_OK;
	s.began_ns = jl_clock_system.now_ns(&jl_clock_system);
	status = jl_index_load(&l->index, err);
	if (status != JL_OK)
		return status;
	if (jl_uses_look(l))
		jl_uses_count(l);
	/* What had to stay is not looked at again in later shares: else they might all begin with the same. */
	if (jl_hold_look(l) && w->shares == 0)
		jl_catalog_free_held(&l->index.catalog);
	w->shares++;
	return evict(l, &s, err);
}

void jl_evict_pause(void)
{
	nanosleep(&(struct timespec){.tv_nsec = JL_NS_MS}, NULL);
}

int jl_evict_enter(struct jl_local *l, struct jl_evict *w, struct jl_err *err)
{
	struct jl_index *x = &l->index;
	int status;

	for (bool read = false;;) {
		status = jl_index_enter(x, err);
		if (status != JL_OK)
			return status;
		status = JL_EVICT_AGAIN;
		/* What is long is read without the lock, but for what comes meanwhile. */
		if (read || !over(l, w, 0) || x->head.end < x->at + READ_AHEAD)
			status = jl_evict_room(l, w, err);
		if (status != JL_EVICT_AGAIN)
			return status;
		status = jl_index_leave(x, err);
		if (status != JL_OK)
			return status;
		if (!read) {
			jl_index_read_some(x, UINT64_MAX / 2);
			(void)jl_uses_look(l);
			read = true;
			continue;
		}
		pthread_mutex_unlock(&l->index_lock);
		jl_evict_pause();
		pthread_mutex_lock(&l->index_lock);
	}
}
