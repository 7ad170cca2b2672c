/* struct jl_serve: a store helper's end of the wire (docs/formats/helper.md): messages in, messages out, how much of a request's
 * content may still be sent.
 *
 *     jl_serve_open(&s, STDIN_FILENO, STDOUT_FILENO, &hello, &err);     blocks until jl has said hello
 *     jl_serve_welcome(&s, "file", JL_TALK_CAN_PUT);
 *     while ((r = jl_serve_next(&s, &m, wait, &err)) >= 0) ...
 */
#ifndef JL_STORE_SERVE_H
#define JL_STORE_SERVE_H

#include "store/talk.h"

struct jl_serve {
	int in, out;
	struct jl_buf got; /* bytes that came; messages up to `at` were given out */
	size_t at;
	struct jl_buf sent; /* what is to go out */
	bool ended;         /* no more will come */
};

/* *ret_hello borrows until the next call. JL_EUNSUPPORTED: of a version that this program does not know. */
int jl_serve_open(struct jl_serve *s, int in, int out, struct jl_talk *ret_hello, struct jl_err *err) JL_MUST_CHECK;
void jl_serve_release(struct jl_serve *s); /* closes nothing */

/* 1: a message, which borrows until the next call; 0: none now (`wait`: none ever); JL_ECORRUPT, JL_EIO. */
int jl_serve_next(struct jl_serve *s, bool wait, struct jl_talk *ret, struct jl_err *err) JL_MUST_CHECK;

/* It goes out with what is kept back, up to 256 KiB: most answers, or several, are one write. Blocks: jl reads whatever happens.
 * JL_EIO: jl has gone. */
int jl_serve_send(struct jl_serve *s, const struct jl_talk *m) JL_MUST_CHECK;
/* What is kept back goes out: to be called before waiting for anything. jl_serve_next() does so before it waits. */
int jl_serve_flush(struct jl_serve *s) JL_MUST_CHECK;
int jl_serve_welcome(struct jl_serve *s, const char *name, uint32_t abilities) JL_MUST_CHECK;
int jl_serve_fail(struct jl_serve *s, uint32_t id, enum jl_talk_error kind, const char *fmt, ...) JL_PRINTF(4, 5);

#endif
