/* The same folder here and there: see same.h. */
#include "exec/same.h"

#include "base/file.h"
#include "base/path.h"
#include "exec/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(JL_SAME_TEXT == JL_NONCE, "a nonce is what the file holds");

int jl_same_offer(struct jl_same *s, const char *root, struct jl_err *err)
{
	char name[JL_FILE_TEMP_SIZE];
	jl_same_withdraw(s);
	jl_launch_nonce(s->text);
	jl_file_temp_name(name, sizeof(name));
	jl_buf_printf(&s->path, "%s/.jl", root);
	int r = jl_file_mkdirs(&jl_io_system, AT_FDCWD, s->path.data, 0777, err);
	jl_buf_printf(&s->path, "/%s", name);
	if (r == JL_OK)
		r = jl_file_write(&jl_io_system, AT_FDCWD, s->path.data, s->text, strlen(s->text), 0600, false, err);
	if (r != JL_OK)
		jl_buf_release(&s->path);
	return r;
}

void jl_same_withdraw(struct jl_same *s)
{
	if (s->path.len)
		unlink(s->path.data);
	jl_buf_release(&s->path);
}

void jl_same_read(const char *path, char ret[JL_SAME_TEXT])
{
	size_t len = 0;
	ssize_t n;
	int fd = path[0] == '/' ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	while (fd >= 0 && (n = read(fd, ret + len, JL_SAME_TEXT - 1 - len)) != 0 && (n > 0 || errno == EINTR))
		len += n > 0 ? (size_t)n : 0;
	if (fd >= 0)
		close(fd);
	ret[len] = '\0';
	if (strspn(ret, "0123456789abcdef") != len)
		ret[0] = '\0';
}

static void ask(int root_fd, const char *path, int flags)
{
	int fd = openat(root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
	if (fd >= 0)
		close(fd);
}

void jl_same_look(int root_fd, const char *path)
{
	size_t base = jl_path_base(path, strlen(path));
	char *dir = base > 1 ? jl_strndup(path, base - 1) : jl_strdup(".");
	ask(root_fd, dir, O_DIRECTORY); /* names that were not there a moment ago */
	ask(root_fd, path, 0);          /* what is known of the file itself */
	free(dir);
}
