/* Contents on their way over a link: those that go (struct jl_sends) and one that comes (struct jl_receive). Used by both sides.
 *
 * Each goes in pieces of at most JL_MSG_DATA_MAX bytes, in turns, each piece packed where a sample of the file says that it pays
 * (by deflate: where its first piece says so, and the way is slow);
 * no more than a window ahead of what the other side has taken.
 */
#ifndef JL_EXEC_TRANSFER_H
#define JL_EXEC_TRANSFER_H

#include "base/buf.h"
#include "exec/message.h"

struct jl_send;
struct jl_sends {
	struct jl_send *first, *last; /* whose turn it is; a ring as a list */
	uint64_t bytes;               /* of content, sent */
	bool deflates;                /* the sender's: it has the slow packer only, which is used where the way is slower still */
	bool slow;                    /* ... as it was found to be: the first CREDIT of a content took its time */
};
/* Send `size` bytes of a regular file from offset `from` on as the content `index` of job `id`. Takes the descriptor. */
void jl_sends_add(struct jl_sends *s, uint64_t id, uint32_t index, int fd, uint64_t size, uint64_t from);
/* The other side cannot have it. */
void jl_sends_fail(struct jl_buf *out, uint64_t id, uint32_t index);
void jl_sends_credit(struct jl_sends *s, uint64_t id, uint32_t index, uint64_t bytes);
void jl_sends_drop(struct jl_sends *s, uint64_t id); /* all of a job */
void jl_sends_release(struct jl_sends *s);
/* Append the next piece as a frame; false: there is none, or no credit. */
bool jl_sends_pull(struct jl_sends *s, struct jl_buf *out);

struct jl_receive {
	int fd;            /* borrowed: where it is written */
	uint64_t size, at; /* of the whole; bytes that are there */
	uint64_t credited; /* up to where the other side may send */
};
void jl_receive_init(struct jl_receive *r, int fd, uint64_t size, uint64_t at);
/* Take a DATA message in. 1: it is complete; 0: more will come. *ret_credit: bytes to give the other side, or 0. JL_ECHANGED: the
 * other side cannot send it. JL_ECORRUPT: more than was said, or not to be unpacked. Else the disk's failure. */
int jl_receive_data(struct jl_receive *r, const struct jl_msg *m, uint64_t *ret_credit, struct jl_err *err) JL_MUST_CHECK;

#endif
