/* Reports that appear whole or not at all. */
#include "report/file.h"

#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMP_NAME 96

int jl_report_file_open(struct jl_report_file *f, const char *path, struct jl_err *err)
{
	struct jl_buf temp = JL_BUF_INIT;
	char name[TEMP_NAME];
	struct stat st;

	*f = (struct jl_report_file)JL_REPORT_FILE_INIT;
	if (!path[0] || strcmp(path, "-") == 0)
		return jl_err_set(err, JL_EINVAL, "cannot write \"%s\": give the name of a file", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return jl_err_set(err, JL_EINVAL, "cannot write \"%s\": there is something that is no regular file", path);
	/* What is there stays until the end: whether it may be written is what is asked of a file, and what a rename would
	 * not ask. */
	if (access(path, W_OK) < 0 && errno != ENOENT)
		return jl_err_sys(err, errno, "cannot write \"%s\"", path);
	f->path = realpath(path, NULL);
	if (!f->path)
		f->path = jl_strdup(path);
	jl_file_temp_name(name, sizeof(name));
	jl_buf_add(&temp, f->path, jl_path_base(f->path, strlen(f->path)));
	jl_buf_str(&temp, name);
	f->temp = jl_buf_detach(&temp, NULL);
	f->out.fd = open(f->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (f->out.fd >= 0)
		return JL_OK;
	jl_err_sys(err, errno, "cannot write \"%s\"", path);
	free(f->path);
	free(f->temp);
	*f = (struct jl_report_file)JL_REPORT_FILE_INIT;
	return err ? err->status : JL_EIO;
}

void jl_report_file_patch(struct jl_report_file *f, const void *data, size_t len)
{
	const char *at = data;
	off_t to = 0;

	jl_out_flush(&f->out);
	while (len && !f->out.sys_errno) {
		ssize_t n = pwrite(f->out.fd, at, len, to);

		if (n < 0 && errno != EINTR)
			f->out.sys_errno = errno;
		if (n <= 0)
			continue;
		at += n;
		to += n;
		len -= (size_t)n;
	}
}

int jl_report_file_close(struct jl_report_file *f, bool keep, struct jl_err *err)
{
	int sys_errno, r = JL_OK;

	if (f->out.fd < 0)
		return JL_OK;
	jl_out_release(&f->out);
	sys_errno = f->out.sys_errno;
	/* A network file system may tell of a full disk here only. */
	if (close(f->out.fd) < 0 && !sys_errno)
		sys_errno = errno;
	if (keep && !sys_errno && rename(f->temp, f->path) < 0)
		sys_errno = errno;
	if (!keep || sys_errno)
		unlink(f->temp);
	if (keep && sys_errno)
		r = jl_err_sys(err, sys_errno, "cannot write \"%s\"", f->path);
	free(f->path);
	free(f->temp);
	*f = (struct jl_report_file)JL_REPORT_FILE_INIT;
	return r;
}
