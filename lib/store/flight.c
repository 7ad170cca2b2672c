/* See flight.h. */
#include "store/flight.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>

static int lock(const struct jl_flight *f, int cmd, short type, int64_t at)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
	int r;

	do
		r = f->io->lock(f->io, f->fd, cmd, &l);
	while (r < 0 && errno == EINTR);
	return r;
}

static void find_place(struct jl_flight *f, const char *dir, const struct jl_digest *key)
{
	struct jl_buf path = JL_BUF_INIT;
	uint64_t bits = 0;

	for (int i = 0; i < 8; i++)
		bits = bits << 8 | key->b[i];
	f->at = (int64_t)(bits >> 3 << 1);
	jl_buf_printf(&path, "%s/flight", dir);
	f->fd = f->io->openat(f->io, AT_FDCWD, path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	jl_buf_release(&path);
}

/* Ours: who waits is told apart again. */
static void entered(struct jl_flight *f)
{
	if (f->waits)
		(void)!lock(f, F_OFD_SETLK, F_UNLCK, f->at + 1);
	f->waits = false;
}

bool jl_flight_try(struct jl_flight *f, const struct jl_io *io, const char *dir, const struct jl_digest *key)
{
	f->io = io;
	if (f->fd < 0)
		find_place(f, dir, key);
	if (f->fd < 0)
		return true;
	if (lock(f, F_OFD_SETLK, F_WRLCK, f->at) == 0) {
		entered(f);
		return true;
	}
	if (errno != EAGAIN && errno != EACCES) {
		jl_flight_leave(f);
		return true;
	}
	/* A network file system may grant no shared lock; then the holder does not know of us, and no harm is done. */
	if (!f->waits)
		(void)!lock(f, F_OFD_SETLK, F_RDLCK, f->at + 1);
	f->waits = true;
	return false;
}

void jl_flight_wait(struct jl_flight *f)
{
	if (lock(f, F_OFD_SETLKW, F_WRLCK, f->at) == 0)
		entered(f);
	else
		jl_flight_leave(f);
}

bool jl_flight_awaited(const struct jl_flight *f)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = f->at + 1, .l_len = 1};

	return f->fd >= 0 && f->io->lock(f->io, f->fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

void jl_flight_leave(struct jl_flight *f)
{
	if (f->fd >= 0)
		f->io->close(f->io, f->fd);
	f->fd = -1;
	f->waits = false;
}
