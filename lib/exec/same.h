/* struct jl_same: is a folder of this machine the same one on a host, under the same name? That is found out, not believed:
 * this side puts a file with a new name and a random text into it, the agent says what it reads there. And how a folder that
 * several machines write is looked at: network file systems answer a stat from memory, for up to a minute, but ask when
 * something is opened. */
#ifndef JL_EXEC_SAME_H
#define JL_EXEC_SAME_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

#define JL_SAME_TEXT 33 /* hex digits and a NUL */

struct jl_same {
	struct jl_buf path;      /* absolute, of the file; empty: there is none now */
	char text[JL_SAME_TEXT]; /* what is in it */
};

/* Put the file into ROOT/.jl, which is made if it is missing. `root` is absolute. */
int jl_same_offer(struct jl_same *s, const char *root, struct jl_err *err) JL_MUST_CHECK;
void jl_same_withdraw(struct jl_same *s); /* take the file away; fine without one */
/* The agent's part: what is in the file; "" when it cannot be read. */
void jl_same_read(const char *path, char ret[JL_SAME_TEXT]);

/* Have the file system ask anew what is at the path and in the folder above it, beneath root_fd; nothing there is fine. */
void jl_same_look(int root_fd, const char *path);

#endif
