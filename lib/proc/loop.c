/* The event loop: one epoll, a binary heap of timers, one signalfd. */
#include "proc/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 64 };

struct jl_loop {
	int epoll_fd;
	/* What epoll_wait() gave last. jl_loop_remove() blanks the entries of the watch it takes away, so a callback may
	 * remove (and free) a watch that is also ready in this turn. */
	struct epoll_event batch[BATCH];
	int batch_at, batch_len;
	bool running;

	struct jl_timer **heap; /* heap[1] is the earliest; heap[0] is unused, so that a heap_pos of 0 means "not armed" */
	uint32_t heap_len, heap_cap;

	struct jl_watch signal_watch;
	void (*caught)(void *ctx, const struct signalfd_siginfo *si);
	void *caught_ctx;
	sigset_t child_mask; /* this thread's mask before jl_loop_signals() */
};

int jl_loop_new(struct jl_loop **ret, struct jl_err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot make an epoll descriptor");
	struct jl_loop *l = jl_calloc(1, sizeof(*l));
	l->epoll_fd = fd;
	l->signal_watch.fd = -1;
	pthread_sigmask(SIG_SETMASK, NULL, &l->child_mask);
	*ret = l;
	return JL_OK;
}

void jl_loop_free(struct jl_loop *l)
{
	if (!l)
		return;
	int fd = l->signal_watch.fd;
	if (fd >= 0) {
		jl_loop_remove(l, &l->signal_watch);
		close(fd);
		pthread_sigmask(SIG_SETMASK, &l->child_mask, NULL);
	}
	close(l->epoll_fd);
	free(l->heap);
	free(l);
}

int jl_loop_add(struct jl_loop *l, struct jl_watch *w, int fd, uint32_t epoll_events, struct jl_err *err)
{
	struct epoll_event ev = {.events = epoll_events, .data.ptr = w};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return jl_err_sys(err, errno, "cannot watch descriptor %d", fd);
	w->fd = fd;
	return JL_OK;
}

void jl_loop_remove(struct jl_loop *l, struct jl_watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = l->batch_at; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
	w->fd = -1;
}

/* The heap. */

static void heap_put(struct jl_loop *l, uint32_t pos, struct jl_timer *t)
{
	l->heap[pos] = t;
	t->heap_pos = pos;
}

static void heap_up(struct jl_loop *l, uint32_t pos)
{
	struct jl_timer *t = l->heap[pos];
	for (; pos > 1 && l->heap[pos / 2]->at_ns > t->at_ns; pos /= 2)
		heap_put(l, pos, l->heap[pos / 2]);
	heap_put(l, pos, t);
}

static void heap_down(struct jl_loop *l, uint32_t pos)
{
	struct jl_timer *t = l->heap[pos];
	for (;;) {
		uint32_t child = pos * 2;
		if (child > l->heap_len)
			break;
		if (child < l->heap_len && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
			child++;
		if (l->heap[child]->at_ns >= t->at_ns)
			break;
		heap_put(l, pos, l->heap[child]);
		pos = child;
	}
	heap_put(l, pos, t);
}

void jl_loop_arm(struct jl_loop *l, struct jl_timer *t, int64_t at_ns)
{
	jl_loop_disarm(l, t);
	if (l->heap_len + 1 >= l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 16;
		l->heap = jl_realloc(l->heap, l->heap_cap * sizeof(l->heap[0]));
	}
	t->at_ns = at_ns;
	heap_put(l, ++l->heap_len, t);
	heap_up(l, l->heap_len);
}

void jl_loop_disarm(struct jl_loop *l, struct jl_timer *t)
{
	uint32_t pos = t->heap_pos;
	if (!pos)
		return;
	struct jl_timer *last = l->heap[l->heap_len--];
	t->heap_pos = 0;
	if (last == t)
		return;
	heap_put(l, pos, last);
	heap_up(l, pos);
	heap_down(l, last->heap_pos);
}

/* Signals. */

static void signal_ready(struct jl_watch *w, uint32_t epoll_events)
{
	(void)epoll_events;
	struct jl_loop *l = (struct jl_loop *)((char *)w - offsetof(struct jl_loop, signal_watch));
	struct signalfd_siginfo si[8];
	for (;;) {
		ssize_t n = read(w->fd, si, sizeof(si));
		if (n <= 0)
			return;
		for (size_t i = 0; i < (size_t)n / sizeof(si[0]); i++)
			l->caught(l->caught_ctx, &si[i]);
	}
}

int jl_loop_signals(struct jl_loop *l, const sigset_t *set,
                    void (*caught)(void *ctx, const struct signalfd_siginfo *si), void *ctx, struct jl_err *err)
{
	jl_bug_if(l->signal_watch.fd >= 0);
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot make a signal descriptor");
	l->signal_watch.ready = signal_ready;
	int rc = jl_loop_add(l, &l->signal_watch, fd, EPOLLIN, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	l->caught = caught;
	l->caught_ctx = ctx;
	pthread_sigmask(SIG_BLOCK, set, &l->child_mask);
	return JL_OK;
}

const sigset_t *jl_loop_child_mask(const struct jl_loop *l)
{
	return &l->child_mask;
}

/* Turning. */

/* Milliseconds for epoll_wait(), rounded up: waking early would turn the loop in vain. */
static int wait_ms(int64_t until_ns)
{
	if (until_ns == JL_FOREVER)
		return -1;
	if (until_ns <= 0)
		return 0;
	int64_t left = until_ns - jl_clock_system.now_ns(&jl_clock_system);
	if (left <= 0)
		return 0;
	int64_t ms = (left - 1) / JL_NS_MS + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int run_batch(struct jl_loop *l)
{
	int count = 0;
	for (l->batch_at = 0; l->batch_at < l->batch_len; l->batch_at++) {
		struct jl_watch *w = l->batch[l->batch_at].data.ptr;
		if (!w)
			continue;
		w->ready(w, l->batch[l->batch_at].events);
		count++;
	}
	l->batch_len = 0;
	l->batch_at = 0;
	return count;
}

/* Timers that are due. No more of them than there are now: one that arms itself again at once must not keep the
 * descriptors waiting. */
static int run_timers(struct jl_loop *l)
{
	if (!l->heap_len)
		return 0;
	int64_t now = jl_clock_system.now_ns(&jl_clock_system);
	int count = 0;
	for (uint32_t most = l->heap_len; most && l->heap_len && l->heap[1]->at_ns <= now; most--) {
		struct jl_timer *t = l->heap[1];
		jl_loop_disarm(l, t);
		t->fired(t);
		count++;
	}
	return count;
}

int jl_loop_once(struct jl_loop *l, int64_t until_ns, struct jl_err *err)
{
	jl_bug_if(l->running);
	l->running = true;
	int count = 0, rc = JL_OK;
	for (;;) {
		int64_t wake = l->heap_len && l->heap[1]->at_ns < until_ns ? l->heap[1]->at_ns : until_ns;
		int ms = wait_ms(wake);
		int n = epoll_wait(l->epoll_fd, l->batch, BATCH, ms);
		if (n < 0 && errno != EINTR) {
			rc = jl_err_sys(err, errno, "cannot wait for events");
			break;
		}
		l->batch_len = n < 0 ? 0 : n;
		count = run_batch(l);
		count += run_timers(l);
		if (count || (n == 0 && ms >= 0 && wait_ms(until_ns) == 0))
			break;
	}
	l->running = false;
	return rc < 0 ? rc : count;
}
