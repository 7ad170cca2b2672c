/* A few threads for work that blocks or that splits: parallel stat, hashing and storing large files.
 *
 * jl_pool_each() is the parallel loop: runs work(ctx, from, to) over ranges of [0, count) on up to `threads` threads,
 * the caller's among them, and returns when all is done; with threads <= 1 it is a plain call.
 *
 * struct jl_pool is a queue of tasks: jl_pool_add() never blocks; when work(task) has run on a thread, the task is on
 * the done list and pool->event_fd (an eventfd, level-triggered until drained) becomes readable; jl_pool_drain() then
 * calls done(task) for each on the caller's thread, in the order of their ending. Tasks are owned by the caller. */
#ifndef JL_BASE_POOL_H
#define JL_BASE_POOL_H

#include "base/cpu.h"
#include "base/err.h"

#include <pthread.h>
#include <stddef.h>

/* pthread_create() with all signals blocked in it: they belong to the thread that has the event loop. 0 or an errno. */
int jl_thread_start(pthread_t *ret, void *(*run)(void *), void *ctx);

void jl_pool_each(unsigned threads, size_t count, void (*work)(void *ctx, size_t from, size_t to), void *ctx);

struct jl_task {
	void (*work)(struct jl_task *t); /* on a thread of the pool */
	void (*done)(struct jl_task *t); /* on the thread that drains; may free the task */
	struct jl_task *next;            /* the pool's while it holds the task */
};

struct jl_pool; /* threads are started when first needed, at most `threads` */
int jl_pool_new(unsigned threads, struct jl_pool **ret, struct jl_err *err) JL_MUST_CHECK;
void jl_pool_free(struct jl_pool *p); /* runs what is queued, waits, drains */
void jl_pool_add(struct jl_pool *p, struct jl_task *t);
int jl_pool_event_fd(const struct jl_pool *p);
unsigned jl_pool_drain(struct jl_pool *p); /* how many done() calls were made */

#endif
