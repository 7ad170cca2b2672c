/* Globs: the input is a path, a newline, a pattern, a newline and another pattern. What a pattern matches lies below its fixed
 * folders, and two patterns that match one path overlap, in whatever order they are asked. */
#include "base/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only clean paths are ever compared: no component is empty, "." or "..". */
static bool is_clean(const char *path)
{
	for (const char *s = path + (path[0] == '/'); s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL) {
		size_t len = strcspn(s, "/");

		if (len == 0 || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
			return false;
	}
	return true;
}

static bool is_good(const char *pattern)
{
	struct jl_err err = JL_ERR_INIT;
	int rc = jl_glob_check(pattern, &err);

	jl_bug_if(rc != JL_OK && (rc != JL_EINVAL || err.text[0] == '\0'));
	return rc == JL_OK && is_clean(pattern);
}

static bool holds(const char *pattern, const char *path)
{
	size_t dir = jl_glob_fixed_dir(pattern);
	bool match = jl_glob_match(pattern, path);

	jl_bug_if(dir > strlen(pattern));
	jl_bug_if(match && strncmp(pattern, path, dir) != 0);
	/* What is no pattern matches itself, but for what is never matched. */
	jl_bug_if(match && !jl_glob_is(pattern) && !strchr(pattern, '\\') && strcmp(pattern, path) != 0);
	return match;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path, *a, *b;

	if (size > 4096 || memchr(data, '\0', size))
		return 0;
	path = jl_calloc(1, size + 1);
	memcpy(path, data, size);
	a = strchr(path, '\n');
	b = a ? strchr(a + 1, '\n') : NULL;
	if (b) {
		*a++ = *b++ = '\0';
		if (is_good(a) && is_good(b) && is_clean(path)) {
			bool overlap = jl_glob_overlap(a, b), first = holds(a, path);

			jl_bug_if(overlap != jl_glob_overlap(b, a));
			jl_bug_if(holds(b, path) && first && !overlap);
		}
	}
	free(path);
	return 0;
}
