/* Errors are values.
 *
 * A function that can fail returns int: JL_OK (0) or a negative enum jl_status, and takes a `struct jl_err *` as its
 * last parameter, which may be NULL. The place that notices a failure calls jl_err_set() or jl_err_sys(); each level
 * on the way up may put context in front with jl_err_add(), so that the user reads one line from the general to the
 * particular: `step "clean": cannot read "data/a.csv": Permission denied`. Texts have no newline at the end.
 *
 *     if (fd < 0)
 *             return jl_err_sys(err, errno, "cannot open \"%s\"", path);
 */
#ifndef JL_BASE_ERR_H
#define JL_BASE_ERR_H

#include <stddef.h>

enum jl_status {
	JL_OK = 0,
	JL_EIO = -1,          /* the system failed: see sys_errno */
	JL_EINVAL = -2,       /* bad input from the user: option, manifest, argument */
	JL_ENOTFOUND = -3,    /* no such thing; for a store this is a miss, not an error */
	JL_ECORRUPT = -4,     /* stored bytes that do not check */
	JL_ENOSPC = -5,       /* no space, quota or inode left */
	JL_EBUSY = -6,        /* held by somebody else */
	JL_ELIMIT = -7,       /* over a cap of ours, refused before memory was asked for */
	JL_ECHANGED = -8,     /* it changed while it was looked at */
	JL_EUNSUPPORTED = -9, /* a newer format, a missing facility */
	JL_ECANCELED = -10,   /* ended on request */
};

#define JL_ERR_TEXT 1000

struct jl_err {
	int status;      /* enum jl_status; JL_OK while nothing was set */
	int sys_errno;   /* errno of a JL_EIO or JL_ENOSPC, else 0 */
	char text[JL_ERR_TEXT]; /* NUL-terminated, cut with "..." when longer */
};

#define JL_ERR_INIT {0}
#define JL_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define JL_MUST_CHECK __attribute__((warn_unused_result))

/* Fill *err (if not NULL) and return `status`. */
int jl_err_set(struct jl_err *err, int status, const char *fmt, ...) JL_PRINTF(3, 4);

/* The same for a failed system call: appends ": " and strerror(sys_errno); returns JL_ENOSPC for ENOSPC and EDQUOT,
 * JL_ENOTFOUND for ENOENT and ENOTDIR, else JL_EIO. */
int jl_err_sys(struct jl_err *err, int sys_errno, const char *fmt, ...) JL_PRINTF(3, 4);

/* Put "context: " in front of what is there; returns err->status (JL_EIO when err is NULL). */
int jl_err_add(struct jl_err *err, const char *fmt, ...) JL_PRINTF(2, 3);

void jl_err_clear(struct jl_err *err);

/* Out of memory ends the program with a line on stderr and status 3: the one documented way in which lib/ may end it,
 * besides jl_bug(). These never return NULL; a size of 0 gives a pointer that may be freed. */
void *jl_alloc(size_t size);
/* Room to read files into, of 64 KiB or more: at a page's start. The kernel copies to elsewhere at a quarter of the speed. */
void *jl_alloc_pages(size_t size);
void *jl_calloc(size_t count, size_t size);
void *jl_realloc(void *old, size_t size);
char *jl_strdup(const char *s);
char *jl_strndup(const char *s, size_t len);
_Noreturn void jl_oom(void); /* what they do then */

/* A broken invariant of our own: says where, then aborts. */
#define jl_bug_if(cond) ((cond) ? jl_bug(__FILE__, __LINE__, #cond) : (void)0)
_Noreturn void jl_bug(const char *file, int line, const char *what);

#endif
