/* Errors as values, and the allocators that never return NULL. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Copy at most what fits; an ellipsis tells the reader that there was more. */
static void put_text(struct jl_err *err, size_t at, const char *s)
{
	size_t room = sizeof(err->text) - at, len = strlen(s);

	if (len < room) {
		memcpy(err->text + at, s, len + 1);
		return;
	}
	memcpy(err->text + at, s, room - 1);
	memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

int jl_err_set(struct jl_err *err, int status, const char *fmt, ...)
{
	char text[JL_ERR_TEXT + 1]; /* an argument may point into err->text */
	va_list ap;

	if (!err)
		return status;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->status = status;
	err->sys_errno = 0;
	put_text(err, 0, text);
	return status;
}

static int status_of(int sys_errno)
{
	switch (sys_errno) {
	case ENOSPC:
	case EDQUOT: return JL_ENOSPC;
	case ENOENT:
	case ENOTDIR: return JL_ENOTFOUND;
	default: return JL_EIO;
	}
}

int jl_err_sys(struct jl_err *err, int sys_errno, const char *fmt, ...)
{
	char text[JL_ERR_TEXT + 1], why[128];
	int status = status_of(sys_errno);
	va_list ap;

	if (!err)
		return status;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->status = status;
	err->sys_errno = status == JL_ENOTFOUND ? 0 : sys_errno;
	put_text(err, 0, text);
	put_text(err, strlen(err->text), ": ");
	put_text(err, strlen(err->text), strerror_r(sys_errno, why, sizeof(why)));
	return status;
}

int jl_err_add(struct jl_err *err, const char *fmt, ...)
{
	char text[JL_ERR_TEXT + 1], old[JL_ERR_TEXT];
	va_list ap;

	if (!err)
		return JL_EIO;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof(old));
	put_text(err, 0, text);
	put_text(err, strlen(err->text), ": ");
	put_text(err, strlen(err->text), old);
	return err->status;
}

void jl_err_clear(struct jl_err *err)
{
	err->status = JL_OK;
	err->sys_errno = 0;
	err->text[0] = '\0';
}

static void say(const char *s)
{
	/* Nothing can be done about a failed write on the way out. */
	if (write(STDERR_FILENO, s, strlen(s)) < 0)
		return;
}

void jl_oom(void)
{
	say("jl: out of memory\n");
	_exit(3);
}

void *jl_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		jl_oom();
	return p;
}

void *jl_alloc_pages(size_t size)
{
	const size_t page = 4096;
	void *p = aligned_alloc(page, (size + page - 1) / page * page);

	if (!p)
		jl_oom();
	return p;
}

void *jl_calloc(size_t count, size_t size)
{
	void *p = count && size ? calloc(count, size) : calloc(1, 1);

	if (!p)
		jl_oom();
	return p;
}

void *jl_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		jl_oom();
	return p;
}

char *jl_strdup(const char *s)
{
	return jl_strndup(s, strlen(s));
}

char *jl_strndup(const char *s, size_t len)
{
	char *p = jl_alloc(len + 1);

	if (len)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

void jl_bug(const char *file, int line, const char *what)
{
	char text[500];

	snprintf(text, sizeof(text), "jl: bug at %s:%d: %s\n", file, line, what);
	say(text);
	abort();
}
