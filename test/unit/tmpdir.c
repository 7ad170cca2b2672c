/* A private folder per test. */
#include "tmpdir.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int tmpdir_setup(void **state)
{
	struct tmpdir *t = jl_calloc(1, sizeof(*t));
	const char *base = getenv("TMPDIR");

	snprintf(t->path, sizeof(t->path), "%s/jl-unit-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(t->path))
		return -1;
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return t->fd < 0 ? -1 : 0;
}

int tmpdir_teardown(void **state)
{
	struct tmpdir *t = *state;
	int r = jl_file_remove(&jl_io_system, AT_FDCWD, t->path, NULL);

	close(t->fd);
	free(t);
	return r;
}

void tmpdir_write(const struct tmpdir *t, const char *name, const void *data, size_t len)
{
	int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(jl_file_write_all(&jl_io_system, fd, data, len, NULL), JL_OK);
	assert_int_equal(close(fd), 0);
}

unsigned tmpdir_count(const struct tmpdir *t, const char *name)
{
	int fd = openat(t->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned count = 0;
	struct dirent *d;
	DIR *list;

	assert_true(fd >= 0);
	list = fdopendir(fd);
	assert_non_null(list);
	while ((d = readdir(list)))
		count += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	closedir(list);
	return count;
}
