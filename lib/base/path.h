/* Paths as text: no system call here. A path is a byte string without NUL; separators are '/'. "Clean" means: no
 * empty, "." or inner ".." component, no trailing slash, "." for the empty relative path; leading ".." stay. */
#ifndef JL_BASE_PATH_H
#define JL_BASE_PATH_H

#include "base/buf.h"

#include <stdbool.h>

/* Append the clean form of `path` taken relative to `base` ("" or "." for none; an absolute path ignores base). */
int jl_path_join(struct jl_buf *out, const char *base, const char *path);
/* Offset of the last component ("a/b" → 2; "b" → 0; "/" → 0). Clean paths only. */
size_t jl_path_base(const char *path, size_t len);
/* Is the clean path `path` the clean folder `dir` or below it? "." holds every relative path that does not begin with
 * "..". */
bool jl_path_inside(const char *path, const char *dir);
/* Does a clean relative path leave its root (".." first) or is it absolute? */
bool jl_path_escapes(const char *path);
/* Does a link at clean relative `path` with this text lead to somewhere within the root? */
bool jl_path_link_inward(const char *path, const char *text);
/* Append how to name clean `path` from inside clean `from` (both relative to the same root): "../parts/x". An absolute
 * path stays as it is. JL_EINVAL where the text cannot tell: from an absolute folder, or from "../x" to what is
 * beside. */
int jl_path_relative(struct jl_buf *out, const char *from, const char *path);
/* Append `name` as one safe file name: bytes other than [A-Za-z0-9._=,@+-] as %XX, a leading dot too, at most 200
 * bytes (longer: cut, then '~' and 16 hex digits of its hash); "%" for the empty name. */
int jl_path_escape(struct jl_buf *out, const char *name);
/* Append `text` so that a person can read it on one line of a terminal: control bytes, and bytes that are not UTF-8,
 * as \xNN. */
int jl_path_show(struct jl_buf *out, const char *text, size_t len);

#endif
