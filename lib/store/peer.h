/* struct jl_peer: one shared store, reached through its helper (docs/formats/helper.md), which is started with the first call and
 * kept. Objects with names and bytes; what they mean is tier.h's business. Many calls at once; single-threaded: every function
 * and callback is on the thread that runs jl_peer_turn().
 *
 * A remote must never hold up a run. A temporary error is tried again, three times in all, after growing delays. When for
 * `patience_ns` nothing was answered and little was moved (64 KiB) though calls wait, when calls fail one after the other, when
 * the helper ends: then the remote is left alone for good, which is told once, and every call ends with JL_EBUSY at once.
 */
#ifndef JL_STORE_PEER_H
#define JL_STORE_PEER_H

#include "proc/helper.h"
#include "store/talk.h"

#include <poll.h>
#include <sys/types.h>

struct jl_peer_call {
	/* The owner's, filled in before jl_peer_start() and valid until done(). */
	enum jl_talk_type op; /* JL_TALK_GET, HEAD or PUT */
	char name[JL_TALK_NAME + 1];
	uint64_t size; /* PUT: of the object; GET: more than so many bytes are refused */
	void (*restart)(struct jl_peer_call
				*c); /* it begins (again): forget what came, give from the start; NULL: nothing to do */
	/* GET: what came. Not JL_OK: no more of it, and that is how the call ends. */
	int (*data)(struct jl_peer_call *c, const void *data, size_t len, struct jl_err *err);
	/* PUT: fill in the next bytes, from `at` on; how many, or a negative status. */
	ssize_t (*more)(struct jl_peer_call *c, uint64_t at, void *room, size_t len, struct jl_err *err);
	/* It is over: JL_OK, JL_ENOTFOUND, JL_EINVAL (refused), JL_EBUSY (left alone), JL_EIO, JL_ELIMIT, or what data() or more()
	 * said. `found`: the size of the object, if it was told. May start further calls, and free this one. */
	void (*done)(struct jl_peer_call *c, int status, const struct jl_err *err);
	uint64_t found;
	/* GET of a helper that can fetch (docs/formats/helper.md): restart() may set the first byte wanted and the settings,
	 * which it lends; about(): the answer's settings, and `from` is the first byte that comes. NULL: a plain GET. A
	 * download that moved a good deal before it was cut is tried again as if for the first time. `unchanged`: there is
	 * nothing new. */
	uint64_t from;
	const struct jl_buf *settings;
	int (*about)(struct jl_peer_call *c, const struct jl_talk *found, struct jl_err *err);
	bool unchanged;
	/* private */
	struct jl_peer_call *next;
	uint32_t id;
	unsigned tries;
	uint64_t at, began_at, credit;
	uint32_t taken; /* GET: since the last CREDIT */
	int64_t due_ns;
	bool more_wanted;
};

struct jl_peer_list {
	struct jl_peer_call *first, **last;
};

struct jl_peer {
	char *name, *url;
	bool write; /* objects will be put */
	int64_t patience_ns;
	bool lenient; /* calls that fail one after the other do not end it */
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
	uint64_t bytes_in, bytes_out, calls; /* of content; calls that were begun, with every try */
	/* private */
	struct jl_helper helper;
	bool started, welcome, dead;
	struct jl_err end; /* why it is left alone */
	uint32_t abilities, last_id;
	unsigned n_running, failures;
	struct jl_peer_list waiting, later, running; /* not begun; to be begun again at due_ns; on the wire */
	struct jl_buf in, out;
	size_t in_at, out_at;
	int64_t progress_ns;
	uint64_t moved; /* content since then */
	uint32_t seed;
};

/* Strings are copied. Nothing is started. */
void jl_peer_init(struct jl_peer *r, const char *name, const char *url, bool write, int64_t patience_ns);
void jl_peer_release(struct jl_peer *r); /* ends the helper; no call may be open */

void jl_peer_start(struct jl_peer *r, struct jl_peer_call *c);
bool jl_peer_busy(const struct jl_peer *r); /* some call is open */
/* Leave it alone from now on; `why`: told, NULL: not. Ends all calls. */
void jl_peer_give_up(struct jl_peer *r, const char *why);

/* Up to two descriptors to wait for, and until when at most (JL_FOREVER: nothing is due). */
unsigned jl_peer_poll(struct jl_peer *r, struct pollfd *ret, int64_t *until_ns);
/* Read, write, begin what is due. */
void jl_peer_turn(struct jl_peer *r);

#endif
