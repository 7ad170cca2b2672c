/* A private folder per test, as cmocka's setup and teardown. *state is a struct tmpdir. */
#ifndef TEST_TMPDIR_H
#define TEST_TMPDIR_H

#include <stddef.h>

struct tmpdir {
	char path[256];
	int fd;
};

int tmpdir_setup(void **state);
int tmpdir_teardown(void **state);
/* Write a file in it; folders of `name` must be there. */
void tmpdir_write(const struct tmpdir *t, const char *name, const void *data, size_t len);
/* How many names a folder of it holds ("." for itself). */
unsigned tmpdir_count(const struct tmpdir *t, const char *name);

#endif
