/* struct jl_about: what is known of a content that came from a server, beside it in a small file of lines "NAME
 * VALUE\n": which content it is by the server's words and by its digests, and when that was last asked. A file
 * that is none of these counts as missing. */
#ifndef JL_STORE_ABOUT_H
#define JL_STORE_ABOUT_H

#include "digest/digest.h"

struct jl_about {
	char *etag, *modified; /* NULL: not told */
	char *boot;            /* of a part: since when the kernel runs that has its bytes; NULL: not known */
	struct jl_digest digest; /* of the content, of the workspace's algorithm; none of a part */
	uint64_t size;
	int64_t asked_ns;        /* since 1970: the server said then that it is this */
};

void jl_about_release(struct jl_about *a);
/* JL_ENOTFOUND: there is none that can be used; *ret is empty then. */
int jl_about_read(int dir_fd, const char *name, struct jl_about *ret) JL_MUST_CHECK;
int jl_about_write(int dir_fd, const char *name, const struct jl_about *a, struct jl_err *err) JL_MUST_CHECK;
/* The name of the kernel's present life, for the caller to free; NULL: not known. What it wrote and a power cut took
 * is not there in another. */
char *jl_about_boot(void);

#endif
