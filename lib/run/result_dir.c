/* --results: a folder a job. */
#include "run/result_dir.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_name(struct jl_buf *out, const char *s, size_t len)
{
	jl_buf_char(out, '/');
	if (len == 0)
		jl_buf_str(out, "\\e");
	if ((len == 1 || len == 2) && memcmp(s, "..", len) == 0)
		jl_buf_char(out, '\\');
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '/')
			jl_buf_str(out, "\\_");
		else if (s[i] == '\\')
			jl_buf_str(out, "\\\\");
		else if (s[i] == '\t')
			jl_buf_str(out, "\\t");
		else
			jl_buf_char(out, s[i]);
	}
}

void jl_result_dir_path(struct jl_buf *out, const char *dir, const struct jl_args *args, const struct jl_args *names)
{
	jl_buf_str(out, dir);
	for (uint32_t i = 0; i < args->at.len; i++) {
		size_t len;
		const char *s;
		if (i < names->at.len) {
			s = jl_args_at(names, i, &len);
			add_name(out, s, len);
		} else {
			jl_buf_printf(out, "/%u", i + 1);
		}
		s = jl_args_at(args, i, &len);
		add_name(out, s, len);
	}
}

static int open_in(int dir_fd, const char *path, const char *name, int *ret, struct jl_err *err)
{
	*ret = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return *ret < 0 ? jl_err_sys(err, errno, "cannot write \"%s/%s\"", path, name) : JL_OK;
}

int jl_result_dir_open(const char *path, int ret_fds[2], struct jl_err *err)
{
	int fds[2] = {-1, -1}, dir_fd = -1;
	int r = jl_file_mkdirs(&jl_io_system, AT_FDCWD, path, 0777, err);
	if (r != JL_OK)
		return r;
	dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return jl_err_sys(err, errno, "cannot open \"%s\"", path);
	unlinkat(dir_fd, "seq", 0);
	r = open_in(dir_fd, path, "stdout", &fds[0], err);
	if (r == JL_OK)
		r = open_in(dir_fd, path, "stderr", &fds[1], err);
	close(dir_fd);
	if (r != JL_OK && fds[0] >= 0)
		close(fds[0]);
	if (r == JL_OK)
		memcpy(ret_fds, fds, sizeof(fds));
	return r;
}

static void seq_path(struct jl_buf *out, const char *path)
{
	jl_buf_str(out, path);
	jl_buf_str(out, "/seq");
}

bool jl_result_dir_done(const char *path)
{
	struct jl_buf name = JL_BUF_INIT;
	seq_path(&name, path);
	bool done = access(name.data, F_OK) == 0;
	jl_buf_release(&name);
	return done;
}

int jl_result_dir_finish(const char *path, uint64_t seq, struct jl_err *err)
{
	struct jl_buf name = JL_BUF_INIT;
	char text[24];
	seq_path(&name, path);
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
	int r = jl_file_write(&jl_io_system, AT_FDCWD, name.data, text, (size_t)len, 0666, false, err);
	jl_buf_release(&name);
	return r;
}
