/* See marked.h. A process is found through /proc/PID/environ and told by its pidfd: a number may be taken anew at any time, so
 * it is looked at once more when the pidfd is there. */
#include "proc/marked.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/table.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
	ROUNDS = 5,
	NAMES = 3,      /* how many are named */
	NAME_MAX_LEN = 60,
};
#define TEXT_MAX ((size_t)8 << 20) /* of an environment: the kernel's limit is a quarter of the stack's */

static bool read_of(pid_t pid, const char *what, struct jl_buf *out)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	jl_buf_clear(out);
	return jl_file_read(&jl_io_system, AT_FDCWD, path, out, NULL) == JL_OK;
}

/* Others' processes cannot be read; those of an ended one are empty. */
static bool carries(pid_t pid, const char *entry, struct jl_buf *room)
{
	const size_t len = strlen(entry) + 1;
	if (!read_of(pid, "environ", room))
		return false;
	for (size_t at = 0; at + len <= room->len; at += strlen(room->data + at) + 1)
		if (memcmp(room->data + at, entry, len) == 0)
			return true;
	return false;
}

/* Its command on one line, without what a terminal would act upon. */
static void add_name(pid_t pid, struct jl_buf *room, struct jl_buf *names)
{
	if (!read_of(pid, "cmdline", room) || room->len == 0)
		return;
	size_t n = room->len - 1 < NAME_MAX_LEN ? room->len - 1 : NAME_MAX_LEN;
	if (names->len)
		jl_buf_str(names, ", ");
	for (size_t i = 0; i < n; i++)
		jl_buf_char(names, room->data[i] == '\0'                  ? ' '
				   : isprint((unsigned char)room->data[i]) ? room->data[i]
									   : '?');
}

/* The pidfds (struct pollfd) of all that carry the entry. */
static void find(const char *entry, struct jl_table *fds, struct jl_buf *names, unsigned *n_named)
{
	struct jl_buf room;
	DIR *proc = opendir("/proc");
	jl_buf_init(&room, TEXT_MAX);
	for (struct dirent *d; proc && (d = readdir(proc));) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
		if (pid <= 0 || pid == getpid() || !carries(pid, entry, &room))
			continue;
		int fd = pidfd_open(pid, 0);
		if (fd < 0)
			continue;
		if (!carries(pid, entry, &room)) {
			close(fd);
			continue;
		}
		*(struct pollfd *)jl_table_add(fds, 1) = (struct pollfd){.fd = fd, .events = POLLIN};
		if (++*n_named <= NAMES)
			add_name(pid, &room, names);
		else if (*n_named == NAMES + 1)
			jl_buf_str(names, ", ...");
	}
	if (proc)
		closedir(proc);
	jl_buf_release(&room);
}

/* A signal to all that are open. */
static void tell(struct jl_table *fds, int sig)
{
	for (uint32_t i = 0; i < fds->len; i++) {
		int fd = JL_AT(*fds, struct pollfd, i)->fd;
		if (fd < 0 || pidfd_send_signal(fd, sig, NULL, 0) != 0 || sig == SIGKILL)
			continue;
		pidfd_send_signal(fd, SIGCONT, NULL, 0); /* a stopped one would not get to its signal */
	}
}

/* Until all have ended or the time is over; how many ended. Those are closed. */
static unsigned await(struct jl_table *fds, int64_t wait_ns)
{
	const int64_t until_ns = jl_clock_system.now_ns(&jl_clock_system) + wait_ns;
	unsigned ended = 0, open = 0;
	for (uint32_t i = 0; i < fds->len; i++)
		open += JL_AT(*fds, struct pollfd, i)->fd >= 0;
	while (open > 0) {
		int64_t rest_ns = until_ns - jl_clock_system.now_ns(&jl_clock_system);
		int n = poll(fds->data, fds->len, rest_ns > 0 ? (int)(rest_ns / JL_NS_MS) + 1 : 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		for (uint32_t i = 0; n > 0 && i < fds->len; i++) {
			struct pollfd *p = JL_AT(*fds, struct pollfd, i);
			if (p->fd < 0 || !p->revents)
				continue;
			close(p->fd);
			p->fd = -1; /* which poll() passes over */
			ended++;
			open--;
		}
	}
	return ended;
}

void jl_marked_end(const char *entry, int64_t wait_ns, struct jl_marked *ret)
{
	struct jl_table fds = JL_TABLE_INIT(struct pollfd);
	unsigned n_named = 0;
	*ret = (struct jl_marked){.names = JL_BUF_INIT};
	for (int round = 0; round < ROUNDS && ret->left == 0; round++) {
		fds.len = 0;
		find(entry, &fds, &ret->names, &n_named);
		if (fds.len == 0)
			break;
		tell(&fds, SIGTERM);
		unsigned ended = await(&fds, wait_ns);
		tell(&fds, SIGKILL);
		ended += await(&fds, wait_ns);
		ret->ended += ended;
		ret->left = fds.len - ended;
		for (uint32_t i = 0; i < fds.len; i++)
			if (JL_AT(fds, struct pollfd, i)->fd >= 0)
				close(JL_AT(fds, struct pollfd, i)->fd);
	}
	jl_table_release(&fds);
}
