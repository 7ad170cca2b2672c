/* Helpers: programs of jl's own for what would make jl itself heavy to start (archives, later stores by HTTP). A helper NAME
 * is libexec/jl/NAME beside jl, or beside the folder that jl is in: so in the build folder, so where it is installed; else it
 * is looked for in PATH, so that others can bring their own. It talks by its standard streams and says what went wrong by one
 * line on stderr and an exit status other than 0.
 *
 *     jl_helper_start(&h, "jl-archive", (const char *const[]){"unpack", NULL}, fd, -1, &err);
 *     … read h.out …
 *     r = jl_helper_end(&h, &err);
 */
#ifndef JL_PROC_HELPER_H
#define JL_PROC_HELPER_H

#include "base/err.h"

#include <sys/types.h>

struct jl_helper {
	char name[32];
	int in;         /* its stdin, for writing; -1: not a pipe of ours */
	int out;        /* its stdout, for reading; -1: the same */
	int errors;     /* its stderr */
	int pidfd;      /* -1: it has ended */
	int signal;     /* after jl_helper_end(): the signal that ended it, or 0 */
};

/* Start it with `args` (NULL-terminated, without the name). stdin_fd, stdout_fd: what it gets, or -1 for a pipe to us. It
 * ends with us. JL_ENOTFOUND: it is not installed. JL_EUNSUPPORTED: where jl itself lies cannot be told. The caller ignores
 * SIGPIPE while it writes to h->in. */
int jl_helper_start(struct jl_helper *h, const char *name, const char *const *args, int stdin_fd, int stdout_fd,
                    struct jl_err *err) JL_MUST_CHECK;
/* Close what is open to it (h->in first: it sees the end), wait until it has ended. JL_EIO with its line when it failed. */
int jl_helper_end(struct jl_helper *h, struct jl_err *err) JL_MUST_CHECK;
/* End it at once, whatever it does; nothing for what has ended already. */
void jl_helper_kill(struct jl_helper *h);

#endif
