/* See power_io.h. */
#include "power_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512u

static const struct jl_io *const sys = &jl_io_system;

struct unsynced {
	dev_t dev;
	ino_t ino;
	int fd;
	char *before; /* its content when it was last synced */
	size_t len;
};

struct renamed {
	int old_dir, new_dir; /* old_dir -1: a name was removed */
	char old[300], new_path[300], shadow[16]; /* shadow: where what had the new name is; "": nothing had it */
};

static uint64_t draw(struct power_io *p, uint64_t below)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random % below;
}

/* --- what the power cut leaves ----------------------------------------------------------------------------------- */

static void must(bool ok)
{
	if (!ok)
		_exit(1);
}

static char *content(int fd, size_t *ret_len)
{
	struct stat st;
	char *data;

	must(fstat(fd, &st) == 0);
	*ret_len = (size_t)st.st_size;
	data = malloc(*ret_len + 1);
	must(data && pread(fd, data, *ret_len, 0) == (ssize_t)*ret_len);
	return data;
}

static void lose_content(struct power_io *p, const struct unsynced *u)
{
	const uint64_t fate = draw(p, 4); /* 0: all of it is there */
	size_t now_len, len = 0;
	char *now = content(u->fd, &now_len);

	if (fate == 1) { /* nothing of it */
		must(ftruncate(u->fd, 0) == 0 && pwrite(u->fd, u->before, u->len, 0) == (ssize_t)u->len);
	} else if (fate == 2) { /* cut */
		const size_t low = u->len < now_len ? u->len : now_len, high = u->len > now_len ? u->len : now_len;

		must(ftruncate(u->fd, (off_t)(low + draw(p, high - low + 1))) == 0);
	} else if (fate == 3) { /* of the right length, sectors missing */
		for (size_t at = 0; at < now_len; at += len) {
			len = now_len - at < SECTOR ? now_len - at : SECTOR;
			if (draw(p, 2))
				continue;
			memset(now + at, 0, len);
			if (at < u->len)
				memcpy(now + at, u->before + at, u->len - at < len ? u->len - at : len);
		}
		must(pwrite(u->fd, now, now_len, 0) == (ssize_t)now_len);
	}
	free(now);
}

/* The latest first, so that each finds what it left, if that is left. */
static void lose_name(struct power_io *p, const struct renamed *r)
{
	if (draw(p, 2))
		return;
	if (r->old_dir < 0) {
		(void)!linkat(p->shadow_fd, r->shadow, r->new_dir, r->new_path, 0);
		return;
	}
	if (renameat(r->new_dir, r->new_path, r->old_dir, r->old) == 0 && r->shadow[0])
		(void)!linkat(p->shadow_fd, r->shadow, r->new_dir, r->new_path, 0);
}

void power_io_cut(struct power_io *p)
{
	for (uint32_t i = p->names.len; i > 0; i--)
		lose_name(p, JL_AT(p->names, struct renamed, i - 1));
	for (uint32_t i = 0; i < p->files.len; i++)
		lose_content(p, JL_AT(p->files, struct unsynced, i));
	_exit(0);
}

/* --- what is done until then ------------------------------------------------------------------------------------- */

static struct power_io *changes(const struct jl_io *io)
{
	struct power_io *p = io->ctx;

	if (++p->calls == p->cut_at)
		power_io_cut(p);
	return p;
}

static uint32_t find(const struct power_io *p, int fd)
{
	struct stat st;

	must(fstat(fd, &st) == 0);
	for (uint32_t i = 0; i < p->files.len; i++) {
		const struct unsynced *u = JL_AT(p->files, struct unsynced, i);

		if (u->dev == st.st_dev && u->ino == st.st_ino)
			return i;
	}
	return JL_NONE;
}

/* About to be written: what it is now may be what is left. */
static void note_write(struct power_io *p, int fd)
{
	char path[40];
	struct unsynced *u;
	struct stat st;

	if (find(p, fd) != JL_NONE)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	u = jl_table_add(&p->files, 1);
	must(fstat(fd, &st) == 0);
	u->dev = st.st_dev;
	u->ino = st.st_ino;
	u->fd = open(path, O_RDWR | O_CLOEXEC);
	must(u->fd >= 0);
	u->before = content(u->fd, &u->len);
}

static ssize_t p_write(const struct jl_io *io, int fd, const void *data, size_t len)
{
	note_write(changes(io), fd);
	return sys->write(sys, fd, data, len);
}

static ssize_t p_pwrite(const struct jl_io *io, int fd, const void *data, size_t len, off_t at)
{
	note_write(changes(io), fd);
	return sys->pwrite(sys, fd, data, len, at);
}

static int p_ftruncate(const struct jl_io *io, int fd, off_t len)
{
	note_write(changes(io), fd);
	return sys->ftruncate(sys, fd, len);
}

static int p_reflink(const struct jl_io *io, int dst_fd, int src_fd)
{
	note_write(changes(io), dst_fd);
	return sys->reflink(sys, dst_fd, src_fd);
}

static int p_fsync(const struct jl_io *io, int fd)
{
	struct power_io *p = changes(io);
	const uint32_t i = find(p, fd);

	if (i != JL_NONE) {
		struct unsynced *u = JL_AT(p->files, struct unsynced, i);

		close(u->fd);
		free(u->before);
		*u = *JL_AT(p->files, struct unsynced, p->files.len - 1);
		p->files.len--;
	}
	return sys->fsync(sys, fd);
}

/* Keep what has the name, which is about to go. */
static struct renamed *note_name(struct power_io *p, int dir, const char *path)
{
	struct renamed *r = jl_table_add(&p->names, 1);

	r->old_dir = -1;
	r->new_dir = dir;
	snprintf(r->new_path, sizeof(r->new_path), "%s", path);
	snprintf(r->shadow, sizeof(r->shadow), "%u", p->names.len);
	if (linkat(dir, path, p->shadow_fd, r->shadow, 0) < 0)
		r->shadow[0] = '\0';
	return r;
}

static int p_renameat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path)
{
	struct power_io *p = changes(io);
	struct renamed *r = note_name(p, newdir, new_path);
	int done = sys->renameat(sys, olddir, old, newdir, new_path), e = errno;

	if (done < 0) {
		p->names.len--;
		if (r->shadow[0])
			unlinkat(p->shadow_fd, r->shadow, 0);
		errno = e;
	} else {
		r->old_dir = olddir;
		snprintf(r->old, sizeof(r->old), "%s", old);
	}
	return done;
}

static int p_unlinkat(const struct jl_io *io, int dirfd, const char *path, int flags)
{
	struct power_io *p = changes(io);

	if (!(flags & AT_REMOVEDIR))
		(void)note_name(p, dirfd, path);
	return sys->unlinkat(sys, dirfd, path, flags);
}

void power_io_init(struct power_io *p, uint64_t seed, unsigned cut_at, int shadow_fd)
{
	*p = (struct power_io){
		.io = jl_io_system,
		.random = seed * 0x9e3779b97f4a7c15u | 1,
		.cut_at = cut_at,
		.shadow_fd = shadow_fd,
		.files = JL_TABLE_INIT(struct unsynced),
		.names = JL_TABLE_INIT(struct renamed),
	};
	p->io.write = p_write;
	p->io.pwrite = p_pwrite;
	p->io.ftruncate = p_ftruncate;
	p->io.reflink = p_reflink;
	p->io.fsync = p_fsync;
	p->io.renameat = p_renameat;
	p->io.unlinkat = p_unlinkat;
	p->io.ctx = p;
}
