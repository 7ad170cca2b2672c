/* struct jl_loop: the one event loop. epoll over descriptors (pipes, pidfds, eventfds), timers on a heap driven by one
 * timeout, signals by signalfd. Single-threaded: every call is from the thread that runs it.
 *
 * A watch is embedded in its owner. Remove a watch before its descriptor is closed (a descriptor that a vfork child
 * still holds would otherwise keep reporting). Callbacks may add and remove any watch or timer, their own too.
 */
#ifndef JL_PROC_LOOP_H
#define JL_PROC_LOOP_H

#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>

struct jl_watch {
	void (*ready)(struct jl_watch *w, uint32_t epoll_events);
	int fd;      /* -1 while not added */
};

struct jl_timer {
	void (*fired)(struct jl_timer *t);
	int64_t at_ns;     /* monotonic */
	uint32_t heap_pos; /* the loop's; 0 while not armed */
};

struct jl_loop;
int jl_loop_new(struct jl_loop **ret, struct jl_err *err) JL_MUST_CHECK;
void jl_loop_free(struct jl_loop *l);

int jl_loop_add(struct jl_loop *l, struct jl_watch *w, int fd, uint32_t epoll_events, struct jl_err *err) JL_MUST_CHECK;
void jl_loop_remove(struct jl_loop *l, struct jl_watch *w); /* does not close; fine when not added */

void jl_loop_arm(struct jl_loop *l, struct jl_timer *t, int64_t at_ns); /* re-arming moves it */
void jl_loop_disarm(struct jl_loop *l, struct jl_timer *t);             /* fine when not armed */

/* Block these signals in this thread and hand each to `caught` from the loop instead; jl_loop_free() restores the mask.
 * Children get the mask as it was before (jl_loop_child_mask). Call before any thread is started. */
int jl_loop_signals(struct jl_loop *l, const sigset_t *set,
                    void (*caught)(void *ctx, const struct signalfd_siginfo *si), void *ctx,
                    struct jl_err *err) JL_MUST_CHECK;
const sigset_t *jl_loop_child_mask(const struct jl_loop *l);

/* Wait for something, at most until `until_ns` (JL_FOREVER: as long as it takes; 0: do not wait), and run what is
 * ready. Returns the number of callbacks run, or a negative status. */
int jl_loop_once(struct jl_loop *l, int64_t until_ns, struct jl_err *err) JL_MUST_CHECK;

#endif
