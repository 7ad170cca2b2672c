/* See owner.h. */
#include "store/owner.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A process of this host that is gone may be of another container that shares the host's name: a minute without a write
 * shows that it is not at work. */
#define DEAD_AGE_NS (60 * JL_NS_S)
#define OLD_AGE_NS (24 * 3600 * JL_NS_S)
/* A process of this host that lives keeps its temporaries, whatever the clock jumped to; the end is for reused pids. */
#define ALIVE_AGE_NS (7 * OLD_AGE_NS)

static int lock(const struct jl_io *io, int fd, int cmd, const char *name, size_t len, struct flock *range)
{
	*range = (struct flock){.l_type = F_WRLCK,
	                        .l_whence = SEEK_SET,
	                        .l_start = (off_t)(jl_hash64(name, len) >> 2),
	                        .l_len = 1};
	return io->lock(io, fd, cmd, range);
}

void jl_owner_init(struct jl_owner *o, bool read_only)
{
	*o = (struct jl_owner){.fd = -1};
	pthread_mutex_init(&o->lock, NULL);
	/* One name with host, pid and random bits a store, and a count: asking the kernel for them each time would cost as
	 * much as the write. */
	if (!read_only)
		jl_file_temp_name(o->name, sizeof(o->name) - 16);
}

void jl_owner_release(struct jl_local *l)
{
	if (l->owner.fd >= 0)
		l->io->close(l->io, l->owner.fd);
	pthread_mutex_destroy(&l->owner.lock);
}

static void open_file(struct jl_local *l)
{
	struct jl_owner *o = &l->owner;

	if (o->fd < 0)
		o->fd = l->io->openat(l->io, l->root_fd, "owners", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

void jl_owner_file(struct jl_local *l, char name[JL_OWNER_NAME])
{
	struct jl_owner *o = &l->owner;
	struct flock range;

	if (!atomic_load(&o->claimed)) {
		pthread_mutex_lock(&o->lock);
		if (!atomic_load(&o->claimed)) {
			open_file(l);
			if (o->fd >= 0)
				(void)lock(l->io, o->fd, F_OFD_SETLK, o->name, strlen(o->name), &range);
			atomic_store(&o->claimed, true);
		}
		pthread_mutex_unlock(&o->lock);
	}
	snprintf(name, JL_OWNER_NAME, "%s-%x", o->name, atomic_fetch_add(&o->count, 1));
}

/* The process that a file's name gives: its pid if it is of our host, else 0. */
static pid_t pid_of(const struct jl_owner *o, const char *name)
{
	const size_t head = strlen(".tmp-");
	const char *host_end = strlen(o->name) > head ? strchr(o->name + head, '-') : NULL;
	size_t len;
	long pid;

	if (!host_end)
		return 0;
	len = (size_t)(host_end - o->name) + 1;
	if (strncmp(name, o->name, len) != 0)
		return 0;
	pid = strtol(name + len, NULL, 10);
	return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

bool jl_owner_is_old(const struct jl_local *l, const char *name, int64_t age_ns)
{
	const pid_t pid = pid_of(&l->owner, name);

	if (pid == 0)
		return age_ns > OLD_AGE_NS;
	if (kill(pid, 0) == 0 || errno != ESRCH)
		return age_ns > ALIVE_AGE_NS;
	return age_ns > DEAD_AGE_NS;
}

bool jl_owner_is_gone(struct jl_local *l, const char *name, int64_t age_ns)
{
	struct jl_owner *o = &l->owner;
	const char *count = strrchr(name, '-');
	struct flock range;
	size_t len;

	if (pid_of(o, name) == 0 || jl_local_is_remote(l))
		return jl_owner_is_old(l, name, age_ns);
	len = (size_t)(count - name);
	if (len == strlen(o->name) && memcmp(name, o->name, len) == 0)
		return false;
	pthread_mutex_lock(&o->lock);
	open_file(l);
	pthread_mutex_unlock(&o->lock);
	if (o->fd < 0 || lock(l->io, o->fd, F_OFD_GETLK, name, len, &range) < 0)
		return jl_owner_is_old(l, name, age_ns);
	return range.l_type == F_UNLCK;
}
