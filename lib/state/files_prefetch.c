/* The parallel stat: most of the time of a run that changes nothing.
 *
 * By folder, because a stat by last component relative to the folder's descriptor costs two thirds of one by whole
 * path. */
#include "base/pool.h"
#include "state/files_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THREADS_FROM 2000 /* fewer paths are not worth a thread */
#define FOLDER_FROM 3     /* fewer paths in a folder are not worth opening it */

struct prefetch {
	struct jl_files *f;
	const uint32_t *ids; /* ordered by folder */
	_Atomic uint64_t stats;
};

/* Take the set of unseen ids, each once, and order it by folder with a counting sort. Their number; *ret is to be
 * freed. */
static uint32_t by_folder(struct jl_files *f, const uint32_t *ids, uint32_t n, uint32_t **ret)
{
	uint32_t *counts = jl_calloc((size_t)f->at.len + 1, sizeof(*counts)), *sorted, picked = 0, at = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct jl_file *e = jl_file_at(f, ids[i]);

		if (e->flags & (JL_FILE_SEEN | JL_FILE_PICKED))
			continue;
		e->flags |= JL_FILE_PICKED;
		counts[e->dir == JL_NONE ? f->at.len : e->dir]++;
		picked++;
	}
	for (uint32_t d = 0; d <= f->at.len; d++) {
		uint32_t count = counts[d];

		counts[d] = at;
		at += count;
	}
	sorted = jl_alloc((size_t)picked * sizeof(*sorted));
	for (uint32_t i = 0; i < n; i++) {
		struct jl_file *e = jl_file_at(f, ids[i]);

		if (!(e->flags & JL_FILE_PICKED))
			continue;
		e->flags &= ~(uint32_t)JL_FILE_PICKED;
		sorted[counts[e->dir == JL_NONE ? f->at.len : e->dir]++] = ids[i];
	}
	free(counts);
	*ret = sorted;
	return picked;
}

static void look(const struct jl_files *f, struct jl_file *e, int fd, const char *name)
{
	struct jl_stamp now;
	struct stat st;
	int r = f->io->fstatat(f->io, fd, name, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0 && errno != ENOENT && errno != ENOTDIR)
		return;
	now = jl_stamp_of(r < 0 ? NULL : &st);
	jl_file_took(e, &now);
}

static void work(void *ctx, size_t from, size_t to)
{
	struct prefetch *p = ctx;
	struct jl_files *f = p->f;

	while (from < to) {
		uint32_t dir = jl_file_at(f, p->ids[from])->dir;
		size_t end = from + 1;
		int fd = -1;

		while (end < to && jl_file_at(f, p->ids[end])->dir == dir)
			end++;
		if (dir != JL_NONE && end - from >= FOLDER_FROM)
			fd = f->io->openat(f->io, f->root_fd, jl_files_path(f, dir), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		atomic_fetch_add(&p->stats, end - from);
		for (; from < end; from++) {
			struct jl_file *e = jl_file_at(f, p->ids[from]);
			const char *path = jl_text(f->text, e->text);

			look(f, e, fd < 0 ? f->root_fd : fd, fd < 0 ? path : path + e->base);
		}
		if (fd >= 0)
			f->io->close(f->io, fd);
	}
}

void jl_files_prefetch(struct jl_files *f, const uint32_t *ids, uint32_t n, unsigned threads)
{
	struct prefetch p = {.f = f};
	uint32_t *sorted;

	n = by_folder(f, ids, n, &sorted);
	p.ids = sorted;
	jl_pool_each(n < THREADS_FROM ? 1 : threads, n, work, &p);
	f->stats += p.stats;
	free(sorted);
}
