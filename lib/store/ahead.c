/* See ahead.h. A ring of pieces goes round between the two threads. */
#include "store/ahead.h"

#include "base/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define PIECE  ((size_t)256 << 10)
#define PIECES 4u

struct piece {
	struct jl_task task; /* first */
	struct jl_ahead *a;
	char *data;
	ssize_t len;
	int error;
	bool ready;
};

struct jl_ahead {
	const struct jl_io *io;
	int fd;
	struct jl_hasher *hasher;
	struct jl_pool *pool; /* one thread: pieces are read in the order in which they were added */
	struct piece piece[PIECES];
	unsigned next;
	bool given; /* the one before `next` is with the caller */
	bool ended; /* the thread's: nothing is read behind the end, or a failure */
};

static void read_piece(struct jl_task *t)
{
	struct piece *p = (struct piece *)t;
	struct jl_ahead *a = p->a;

	p->len = 0;
	if (a->ended)
		return;
	do
		p->len = a->io->read(a->io, a->fd, p->data, PIECE);
	while (p->len < 0 && errno == EINTR);
	p->error = errno;
	a->ended = p->len <= 0;
	if (p->len > 0)
		jl_hasher_add(a->hasher, p->data, (size_t)p->len);
}

static void is_read(struct jl_task *t)
{
	((struct piece *)t)->ready = true;
}

static void want(struct jl_ahead *a, struct piece *p)
{
	p->ready = false;
	jl_pool_add(a->pool, &p->task);
}

struct jl_ahead *jl_ahead_new(const struct jl_io *io, int fd, struct jl_hasher *hasher)
{
	struct jl_ahead *a = jl_calloc(1, sizeof(*a));

	*a = (struct jl_ahead){.io = io, .fd = fd, .hasher = hasher};
	if (jl_pool_new(1, &a->pool, NULL) != JL_OK) {
		free(a);
		return NULL;
	}
	for (unsigned i = 0; i < PIECES; i++) {
		a->piece[i] = (struct piece){.task = {.work = read_piece, .done = is_read}, .a = a, .data = jl_alloc_pages(PIECE)};
		want(a, &a->piece[i]);
	}
	return a;
}

ssize_t jl_ahead_next(struct jl_ahead *a, const char **ret)
{
	struct piece *p = &a->piece[a->next];
	struct pollfd wait = {.fd = jl_pool_event_fd(a->pool), .events = POLLIN};

	if (a->given)
		want(a, &a->piece[(a->next + PIECES - 1) % PIECES]);
	while (!p->ready) {
		if (jl_pool_drain(a->pool) == 0)
			(void)poll(&wait, 1, -1);
	}
	a->given = true;
	a->next = (a->next + 1) % PIECES;
	*ret = p->data;
	errno = p->error;
	return p->len;
}

void jl_ahead_free(struct jl_ahead *a)
{
	jl_pool_free(a->pool);
	for (unsigned i = 0; i < PIECES; i++)
		free(a->piece[i].data);
	free(a);
}
