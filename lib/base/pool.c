/* Threads: the parallel loop and the queue of tasks. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Chunks a thread gets on average: enough to even out slow ones, few enough to cost nothing. */
#define CHUNKS_PER_THREAD 8

int jl_thread_start(pthread_t *ret, void *(*run)(void *), void *ctx)
{
	sigset_t all, old;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(ret, NULL, run, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e;
}

struct each {
	void (*work)(void *ctx, size_t from, size_t to);
	void *ctx;
	size_t count, chunk;
	atomic_size_t next;
};

static void *run_each(void *arg)
{
	struct each *e = arg;

	for (;;) {
		size_t from = atomic_fetch_add(&e->next, e->chunk);

		if (from >= e->count)
			return NULL;
		e->work(e->ctx, from, e->count - from < e->chunk ? e->count : from + e->chunk);
	}
}

void jl_pool_each(unsigned threads, size_t count, void (*work)(void *ctx, size_t from, size_t to), void *ctx)
{
	struct each e = {.work = work, .ctx = ctx, .count = count};
	pthread_t *ids;
	unsigned started = 0;

	if (threads > count)
		threads = (unsigned)count;
	if (threads <= 1) {
		if (count)
			work(ctx, 0, count);
		return;
	}
	e.chunk = count / ((size_t)threads * CHUNKS_PER_THREAD);
	if (!e.chunk)
		e.chunk = 1;
	ids = jl_calloc(threads, sizeof(*ids));
	/* Fewer threads than asked for is slower, not wrong. */
	while (started < threads - 1 && jl_thread_start(&ids[started], run_each, &e) == 0)
		started++;
	run_each(&e);
	while (started > 0)
		pthread_join(ids[--started], NULL);
	free(ids);
}

struct queue {
	struct jl_task *first, **last;
};

struct jl_pool {
	pthread_mutex_t lock; /* guards what follows, up to the empty line */
	pthread_cond_t more;  /* there is a task, or the end */
	struct queue todo, finished;
	unsigned idle;   /* threads that wait for a task */
	unsigned queued; /* length of todo */
	bool end;

	pthread_t *ids;
	unsigned started, threads;
	int event_fd;
};

static void push(struct queue *q, struct jl_task *t)
{
	t->next = NULL;
	*q->last = t;
	q->last = &t->next;
}

static void empty(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

/* With the lock held. The descriptor is written for the first one only: it stays readable until drained. */
static void finish(struct jl_pool *p, struct jl_task *t)
{
	uint64_t one = 1;
	bool first = !p->finished.first;

	push(&p->finished, t);
	while (first && write(p->event_fd, &one, sizeof(one)) < 0)
		jl_bug_if(errno != EINTR);
}

static void *run_tasks(void *arg)
{
	struct jl_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct jl_task *t = p->todo.first;

		if (t) {
			p->todo.first = t->next;
			if (!t->next)
				empty(&p->todo);
			p->queued--;
			pthread_mutex_unlock(&p->lock);
			t->work(t);
			pthread_mutex_lock(&p->lock);
			finish(p, t);
		} else if (p->end) {
			break;
		} else {
			p->idle++;
			pthread_cond_wait(&p->more, &p->lock);
			p->idle--;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int jl_pool_new(unsigned threads, struct jl_pool **ret, struct jl_err *err)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct jl_pool *p;

	if (fd < 0)
		return jl_err_sys(err, errno, "cannot make an event descriptor");
	p = jl_calloc(1, sizeof(*p));
	p->threads = threads ? threads : 1;
	p->ids = jl_calloc(p->threads, sizeof(*p->ids));
	p->event_fd = fd;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	empty(&p->todo);
	empty(&p->finished);
	*ret = p;
	return JL_OK;
}

void jl_pool_free(struct jl_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->end = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	while (p->started > 0)
		pthread_join(p->ids[--p->started], NULL);
	/* Should done() add a task now, it runs on this thread. */
	while (jl_pool_drain(p) > 0)
		;
	close(p->event_fd);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->ids);
	free(p);
}

void jl_pool_add(struct jl_pool *p, struct jl_task *t)
{
	bool here;

	pthread_mutex_lock(&p->lock);
	if (!p->end && p->queued >= p->idle && p->started < p->threads &&
	    jl_thread_start(&p->ids[p->started], run_tasks, p) == 0)
		p->started++;
	/* No thread at all to be had: late is better than never. */
	here = !p->started;
	if (!here) {
		push(&p->todo, t);
		p->queued++;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	if (here) {
		t->work(t);
		pthread_mutex_lock(&p->lock);
		finish(p, t);
		pthread_mutex_unlock(&p->lock);
	}
}

int jl_pool_event_fd(const struct jl_pool *p)
{
	return p->event_fd;
}

unsigned jl_pool_drain(struct jl_pool *p)
{
	struct jl_task *t, *next;
	unsigned count = 0;
	uint64_t value;

	pthread_mutex_lock(&p->lock);
	t = p->finished.first;
	empty(&p->finished);
	if (t && read(p->event_fd, &value, sizeof(value)) < 0)
		jl_bug_if(errno != EAGAIN && errno != EINTR);
	pthread_mutex_unlock(&p->lock);
	for (; t; t = next, count++) {
		next = t->next;
		t->done(t);
	}
	return count;
}
