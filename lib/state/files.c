/* The table of paths: names, stamps, what is trusted. */
#include "state/files.h"

#include "base/clock.h"
#include "base/path.h"
#include "state/files_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A stamp is trusted when it is older than this: five ticks of the slowest usual kernel clock (250 Hz). */
#define RACY_NS (20 * JL_NS_MS)
/* Whole seconds only: some file systems have steps of two. */
#define RACY_WHOLE_NS (2 * JL_NS_S)
/* Between the stat of a file that the caller wrote and our hearing of it. */
#define SET_DELAY_NS JL_NS_S

struct below { /* of one path: the first path in it, and the next one in the same folder; JL_NONE at the end */
	uint32_t first, next;
};

static const char *key_of(const void *owner, uint32_t id, size_t *ret_len)
{
	const char *path = jl_files_path(owner, id);

	*ret_len = strlen(path);
	return path;
}

void jl_files_init(struct jl_files *f, const struct jl_io *io, int root_fd, int clock_fd, struct jl_table *text)
{
	*f = (struct jl_files){.io = io, .root_fd = root_fd, .algo = JL_DIGEST_XXH3, .clock_fd = clock_fd, .text = text};
	f->at.size = sizeof(struct jl_file);
	f->lists.size = 1;
	f->dirty.size = f->racy.size = sizeof(uint32_t);
	f->below.size = sizeof(struct below);
	jl_map_init(&f->map, key_of, f);
}

void jl_files_release(struct jl_files *f)
{
	jl_table_release(&f->at);
	jl_table_release(&f->lists);
	jl_table_release(&f->dirty);
	jl_table_release(&f->racy);
	jl_table_release(&f->below);
	jl_map_release(&f->map);
}

const char *jl_files_path(const struct jl_files *f, uint32_t id)
{
	return jl_text(f->text, jl_file_at(f, id)->text);
}

enum jl_kind jl_file_kind(const struct jl_file *e)
{
	if (!e->stamp.mode)
		return JL_KIND_ABSENT;
	if (S_ISREG(e->stamp.mode))
		return JL_KIND_FILE;
	if (S_ISDIR(e->stamp.mode))
		return JL_KIND_DIR;
	return S_ISLNK(e->stamp.mode) ? JL_KIND_LINK : JL_KIND_OTHER;
}

static void need_map(struct jl_files *f)
{
	if (f->map.len || !f->at.len)
		return;
	jl_map_reserve(&f->map, f->at.len);
	for (uint32_t id = 0; id < f->at.len; id++) {
		size_t len;
		const char *path = key_of(f, id, &len);

		jl_map_put(&f->map, path, len, id);
	}
}

uint32_t jl_files_find(struct jl_files *f, const char *path, size_t len)
{
	need_map(f);
	return jl_map_get(&f->map, path, len);
}

/* The folder a path of the text table is in. */
static uint32_t folder_of(struct jl_files *f, uint32_t text, size_t len, size_t base)
{
	const char *path = jl_text(f->text, text);

	if (len == 1 && (path[0] == '.' || path[0] == '/'))
		return JL_NONE;
	if (base == 0)
		return jl_files_id(f, ".", 1);
	return jl_files_id(f, path, base == 1 ? 1 : base - 1);
}

static void link_below(struct jl_files *f, uint32_t id)
{
	struct below *at = f->below.data, *b = &at[id];
	uint32_t dir = jl_file_at(f, id)->dir;

	b->first = b->next = JL_NONE;
	if (dir != JL_NONE) {
		b->next = at[dir].first;
		at[dir].first = id;
	}
}

uint32_t jl_files_id(struct jl_files *f, const char *path, size_t len)
{
	uint32_t id, text, dir;
	struct jl_file *e;
	size_t base;

	jl_bug_if(len == 0);
	id = jl_files_find(f, path, len);
	if (id != JL_NONE)
		return id;
	base = jl_path_base(path, len);
	/* The text first: `path` may stand in the text table itself, which moves as folders are added. */
	text = jl_text_add(f->text, path, len);
	dir = folder_of(f, text, len, base);
	id = f->at.len;
	e = jl_table_add(&f->at, 1);
	e->text = text;
	e->base = (uint32_t)base;
	e->dir = dir;
	if (f->below.len) {
		jl_table_add(&f->below, 1);
		link_below(f, id);
	}
	jl_map_put(&f->map, jl_text(f->text, text), len, id);
	return id;
}

struct jl_stamp jl_stamp_of(const struct stat *st)
{
	if (!st)
		return (struct jl_stamp){0};
	return (struct jl_stamp){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = st->st_size,
		.mtime_ns = st->st_mtim.tv_sec * JL_NS_S + st->st_mtim.tv_nsec,
		.ctime_ns = st->st_ctim.tv_sec * JL_NS_S + st->st_ctim.tv_nsec,
		.mode = st->st_mode,
	};
}

bool jl_stamp_equal(const struct jl_stamp *a, const struct jl_stamp *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int64_t jl_stamp_ripe_ns(const struct jl_stamp *s)
{
	return s->ctime_ns + (s->ctime_ns % JL_NS_S ? RACY_NS : RACY_WHOLE_NS);
}

/* A touch tells how far the file system's clock (a server's, maybe) is from ours. */
static void find_offset(struct jl_files *f)
{
	int64_t before = jl_clock_coarse_ns(), after, stamp;
	struct stat st;
	int fd = f->clock_fd;

	f->clock_fd = -1;
	if (futimens(fd, NULL) < 0 || f->io->fstat(f->io, fd, &st) < 0)
		return;
	after = jl_clock_real_ns();
	stamp = st.st_mtim.tv_sec * JL_NS_S + st.st_mtim.tv_nsec;
	/* A stamp of whole seconds only is behind the clock that it is of, by up to two. */
	if (stamp < before - (stamp % JL_NS_S ? 0 : RACY_WHOLE_NS) || stamp > after)
		f->clock_offset_ns = stamp - after;
}

int64_t jl_files_now(struct jl_files *f)
{
	if (f->clock_fd >= 0)
		find_offset(f);
	return jl_clock_coarse_ns() + f->clock_offset_ns;
}

void jl_file_took(struct jl_file *e, const struct jl_stamp *now)
{
	if (!now->mode && (e->flags & (JL_FILE_DROPPED | JL_FILE_HOLDS))) {
		if (!(e->flags & JL_FILE_DROPPED) && jl_file_kind(e) != JL_KIND_DIR) {
			e->stamp = (struct jl_stamp){.mode = S_IFDIR | 0777};
			e->flags &= ~(uint32_t)(JL_FILE_DIGEST | JL_FILE_MADE);
		}
		e->flags &= ~(uint32_t)(JL_FILE_LIST | JL_FILE_RACY);
		e->flags |= JL_FILE_SEEN;
		return;
	}
	e->flags &= ~(uint32_t)JL_FILE_DROPPED;
	if (!jl_stamp_equal(&e->stamp, now)) {
		enum jl_kind old = jl_file_kind(e);

		e->stamp = *now;
		if (jl_file_kind(e) != old) {
			e->digest = (struct jl_digest){0};
			e->flags &= ~(uint32_t)JL_FILE_MADE;
		}
		e->flags &= ~(uint32_t)(JL_FILE_DIGEST | JL_FILE_LIST | JL_FILE_RACY | JL_FILE_WAS_RACY);
		e->flags |= JL_FILE_CHANGED;
	} else if (e->flags & JL_FILE_RACY) {
		e->flags &= ~(uint32_t)(JL_FILE_DIGEST | JL_FILE_LIST | JL_FILE_RACY);
		e->flags |= JL_FILE_WAS_RACY;
	}
	e->flags |= JL_FILE_SEEN;
}

int jl_files_stat(struct jl_files *f, uint32_t id, struct jl_err *err)
{
	struct jl_file *e = jl_file_at(f, id);
	const char *path = jl_files_path(f, id);
	struct jl_stamp now;
	struct stat st;
	int r;

	if (e->flags & JL_FILE_SEEN)
		return JL_OK;
	f->stats++;
	r = f->io->fstatat(f->io, f->root_fd, path, &st, AT_SYMLINK_NOFOLLOW);
	if (r < 0 && errno != ENOENT && errno != ENOTDIR)
		return jl_err_sys(err, errno, "cannot look at \"%s\"", path);
	now = jl_stamp_of(r < 0 ? NULL : &st);
	jl_file_took(e, &now);
	return JL_OK;
}

void jl_files_dirty(struct jl_files *f, uint32_t id)
{
	struct jl_file *e = jl_file_at(f, id);

	if (e->flags & JL_FILE_DIRTY)
		return;
	e->flags |= JL_FILE_DIRTY;
	*(uint32_t *)jl_table_add(&f->dirty, 1) = id;
	f->n_dirty++;
}

static void mark_racy(struct jl_files *f, uint32_t id)
{
	jl_file_at(f, id)->flags |= JL_FILE_RACY;
	*(uint32_t *)jl_table_add(&f->racy, 1) = id;
}

void jl_files_read_at(struct jl_files *f, uint32_t id, enum jl_file_flag what, bool same, int64_t now)
{
	struct jl_file *e = jl_file_at(f, id);
	bool racy = now <= jl_stamp_ripe_ns(&e->stamp);

	if (!(e->flags & JL_FILE_WAS_RACY) || !racy || !same)
		jl_files_dirty(f, id);
	e->flags &= ~(uint32_t)(JL_FILE_CHANGED | JL_FILE_WAS_RACY | JL_FILE_RACY);
	e->flags |= what;
	if (racy)
		mark_racy(f, id);
}

static void forget_above(struct jl_files *f, uint32_t id)
{
	for (; id != JL_NONE; id = jl_file_at(f, id)->dir)
		jl_file_at(f, id)->flags &= ~(uint32_t)JL_FILE_SEEN;
}

/* The first of what is known in each folder, and what follows it there. */
static const struct below *need_below(struct jl_files *f)
{
	if (!f->below.len && f->at.len) {
		jl_table_add(&f->below, f->at.len);
		for (uint32_t id = 0; id < f->at.len; id++)
			link_below(f, id);
	}
	return f->below.data;
}

uint32_t jl_files_next_below(struct jl_files *f, uint32_t folder, uint32_t id)
{
	const struct below *at = need_below(f);

	return id == JL_NONE ? at[folder].first : at[id].next;
}

void jl_files_each_below(struct jl_files *f, uint32_t top, void (*each)(struct jl_files *f, uint32_t id))
{
	const struct below *at = need_below(f);
	uint32_t id = at[top].first;

	/* Depth first without a stack: down to the first, along the next ones, up by the folder. */
	while (id != JL_NONE) {
		each(f, id);
		if (at[id].first != JL_NONE) {
			id = at[id].first;
			continue;
		}
		while (id != top && at[id].next == JL_NONE)
			id = jl_file_at(f, id)->dir;
		id = id == top ? JL_NONE : at[id].next;
	}
}

static void forget_one(struct jl_files *f, uint32_t id)
{
	jl_file_at(f, id)->flags &= ~(uint32_t)JL_FILE_SEEN;
}

void jl_files_forget(struct jl_files *f, uint32_t id, bool below)
{
	f->forgets++;
	forget_above(f, id);
	if (below)
		jl_files_each_below(f, id, forget_one);
}

void jl_files_forget_all(struct jl_files *f)
{
	f->forgets++;
	for (uint32_t id = 0; id < f->at.len; id++)
		jl_file_at(f, id)->flags &= ~(uint32_t)JL_FILE_SEEN;
}

void jl_files_set(struct jl_files *f, uint32_t id, const struct stat *st, const struct jl_digest *digest, bool made)
{
	struct jl_file *e = jl_file_at(f, id);
	struct jl_stamp now = jl_stamp_of(st);
	uint32_t what = digest ? JL_FILE_DIGEST : 0;
	bool same;

	f->forgets++;
	forget_above(f, id);
	jl_file_took(e, &now);
	same = !digest || jl_digest_equal(&e->digest, digest);
	if (digest)
		e->digest = *digest;
	else
		e->digest = (struct jl_digest){0};
	jl_files_set_made(f, id, made);
	if (digest && same && (e->flags & JL_FILE_DIGEST))
		return;
	/* A write may have come between that stat and this call: a stamp is trusted at once only if it is much older. */
	if (what)
		jl_files_read_at(f, id, JL_FILE_DIGEST, same, jl_files_now(f) - SET_DELAY_NS);
	else if (e->flags & JL_FILE_CHANGED)
		jl_files_dirty(f, id);
	e->flags &= ~(uint32_t)JL_FILE_CHANGED;
}

void jl_files_trust(struct jl_files *f, uint32_t id)
{
	struct jl_file *e = jl_file_at(f, id);

	if (!(e->flags & JL_FILE_RACY) || e->stamp.mtime_ns >= e->stamp.ctime_ns)
		return;
	e->flags &= ~(uint32_t)JL_FILE_RACY;
	jl_files_dirty(f, id);
}

void jl_files_set_made(struct jl_files *f, uint32_t id, bool made)
{
	struct jl_file *e = jl_file_at(f, id);

	if (made == !!(e->flags & JL_FILE_MADE))
		return;
	e->flags ^= JL_FILE_MADE;
	jl_files_dirty(f, id);
}
