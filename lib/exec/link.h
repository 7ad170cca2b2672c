/* struct jl_link: one connection to the other side: frames in and out of two descriptors, on the loop.
 *
 * What is sent goes by three lanes, the first with something to say first: control, ordered (a job's output and its end, in the
 * order they were sent), and bulk, for which pull() is asked when there is nothing else. Nothing blocks. Both jl and its agents
 * use it.
 */
#ifndef JL_EXEC_LINK_H
#define JL_EXEC_LINK_H

#include "exec/wire.h"
#include "exec/message.h"
#include "proc/loop.h"

enum jl_lane { JL_LANE_CONTROL, JL_LANE_ORDERED };

struct jl_link;
struct jl_link_ops {
	/* Bytes before the first frame: how many of them to drop. *ret_done: frames begin behind those. NULL: at once. Negative:
	 * this will not become a conversation. */
	int64_t (*greeting)(struct jl_link *l, const char *data, size_t len, bool *ret_done, struct jl_err *err);
	/* Texts and tables of *m are in *arena, which may be taken over (an empty one left in its place); bytes are borrowed.
	 * Negative: the other side does what it must not. */
	int (*message)(struct jl_link *l, const struct jl_msg *m, struct jl_arena *arena, struct jl_err *err);
	/* Append one frame of bulk; false: none now. */
	bool (*pull)(struct jl_link *l, struct jl_buf *out);
	/* It is over, by the other side or by what it sent; called once, from jl_link_flush() or the loop. The descriptors are
	 * closed. */
	void (*closed)(struct jl_link *l, const char *why);
};

struct jl_link {
	struct jl_loop *loop;
	const struct jl_link_ops *ops;
	struct jl_watch in, out;   /* .fd of in: -1 when closed */
	int in_fd, out_fd;         /* owned; -1: closed */
	bool greeted, blocked;     /* blocked: the out descriptor took no more */
	bool no_socket;            /* the out descriptor is a pipe */
	struct jl_wire_in frames;
	struct jl_buf head;        /* bytes of the greeting so far */
	struct jl_buf lane[2];     /* by enum jl_lane; whole frames */
	struct jl_buf now;         /* what is being written, from now_at on */
	size_t now_at;
	int64_t heard_ns;          /* when something came last */
	uint64_t sent, received;   /* bytes */
};

/* Takes both descriptors, which become non-blocking. */
int jl_link_open(struct jl_link *l, struct jl_loop *loop, const struct jl_link_ops *ops, int in_fd, int out_fd,
                 struct jl_err *err) JL_MUST_CHECK;
void jl_link_close(struct jl_link *l); /* without closed(); fine when closed */
void jl_link_release(struct jl_link *l); /* and free what it holds */
static inline bool jl_link_is_open(const struct jl_link *l)
{
	return l->in_fd >= 0;
}

/* Queue a message. JL_ELIMIT: it is too long. Nothing is written before jl_link_flush() or the loop's turn. */
int jl_link_send(struct jl_link *l, enum jl_lane lane, const struct jl_msg *m, struct jl_err *err) JL_MUST_CHECK;
/* Queue bytes before any frame. */
void jl_link_raw(struct jl_link *l, const void *data, size_t len);
/* Write what can be written now: before waiting for the loop. */
void jl_link_flush(struct jl_link *l);

#endif
