/* Globs: `*` and `?` within a component, `[a-z]` and `[!a-z]` (byte ranges), `**` as a whole component for any number
 * of components (also none), `\` takes the next byte as it is. A component that begins with a dot is matched only by
 * a pattern component that begins with a literal dot; `.jl` and `.git` never are. Byte order everywhere.
 * No recursion that a hostile pattern could make exponential: matching is O(pattern × text) (the two-pointer method
 * with one backtrack point per star, a component at a time). */
#ifndef JL_BASE_GLOB_H
#define JL_BASE_GLOB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Does the text hold an unescaped glob character (* ? [)? */
bool jl_glob_is(const char *text);
/* One component against one name. Rules for dotfiles are the caller's (jl_glob_match does them). */
bool jl_glob_match_name(const char *pattern, size_t pattern_len, const char *name, size_t name_len);
/* A whole clean pattern against a whole clean path. */
bool jl_glob_match(const char *pattern, const char *path);
/* Is there a path that both patterns could match? May say yes wrongly (it is used to decide what waits for what), never
 * no wrongly. Plain paths are patterns too. A trailing "/" or "/" plus "**" on one side covers all below it. */
bool jl_glob_overlap(const char *a, const char *b);
/* JL_EINVAL for an unclosed '[' or "**" inside a longer component, with advice. */
int jl_glob_check(const char *pattern, struct jl_err *err) JL_MUST_CHECK;
/* Length of the leading folders that hold no glob character: "a/b/c*.x" → 3 ("a/b"), "*.x" → 0. */
size_t jl_glob_fixed_dir(const char *pattern);

#endif
