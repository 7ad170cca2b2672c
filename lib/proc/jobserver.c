/* See jobserver.h. */
#include "proc/jobserver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char auth_option[] = "--jobserver-auth=", fds_option[] = "--jobserver-fds=";

/* ---- MAKEFLAGS ---- */

struct word {
	const char *at;
	size_t len;
};

/* The next word from *at on. Blanks are escaped by a backslash. */
static bool next_word(const char **at, struct word *ret)
{
	const char *from = *at + strspn(*at, " \t"), *to = from;
	while (*to && *to != ' ' && *to != '\t')
		to += *to == '\\' && to[1] ? 2 : 1;
	*at = to;
	*ret = (struct word){from, (size_t)(to - from)};
	return to > from;
}

static bool is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

/* What stands behind `option` at the start of the word; NULL: another word. */
static const char *value_of(const struct word *w, const char *option)
{
	const size_t len = strlen(option);
	return w->len >= len && memcmp(w->at, option, len) == 0 ? w->at + len : NULL;
}

/* -j, -jN; *ret stays what it was if that is no number. */
static bool is_jobs(const struct word *w, uint32_t *ret)
{
	if (w->len < 2 || w->at[0] != '-' || w->at[1] != 'j')
		return false;
	uint64_t n = 0;
	for (size_t i = 2; i < w->len; i++) {
		if (w->at[i] < '0' || w->at[i] > '9')
			return false;
		n = n < UINT32_MAX ? n * 10 + (uint64_t)(w->at[i] - '0') : n;
	}
	*ret = n <= UINT16_MAX ? (uint32_t)n : UINT16_MAX;
	return true;
}

static const char *auth_of(const struct word *w)
{
	const char *value = value_of(w, auth_option);
	return value ? value : value_of(w, fds_option);
}

bool jl_jobserver_find(const char *makeflags, struct jl_jobserver_auth *ret)
{
	struct jl_jobserver_auth found = {0};
	struct word w;
	/* Behind "--" stand variables. */
	while (makeflags && next_word(&makeflags, &w) && !is(&w, "--")) {
		const char *value = auth_of(&w);
		if (value) {
			found.at = value;
			found.len = (size_t)(w.at + w.len - value);
		} else {
			is_jobs(&w, &found.jobs);
		}
	}
	if (found.at)
		*ret = found;
	return found.at != NULL;
}

static void add_word(struct jl_buf *out, const struct word *w)
{
	/* A first word without a dash is single letters: ours must not come to stand there. */
	if (out->len || w->at[0] == '-')
		jl_buf_char(out, ' ');
	jl_buf_add(out, w->at, w->len);
}

void jl_jobserver_flags(const struct jl_jobserver *j, const char *makeflags, struct jl_buf *out)
{
	struct word w;
	uint32_t jobs;
	bool more = false;
	jl_buf_clear(out);
	while (makeflags && !more && next_word(&makeflags, &w)) {
		more = is(&w, "--");
		if (!more && !auth_of(&w) && !is_jobs(&w, &jobs))
			add_word(out, &w);
	}
	jl_buf_str(out, " -j");
	if (j->jobs)
		jl_buf_printf(out, "%u", j->jobs);
	jl_buf_printf(out, " %s%s", auth_option, j->auth.data);
	if (more)
		jl_buf_printf(out, " --%s", makeflags);
}

/* ---- client ---- */

/* A value as it was before make wrote it down: a backslash escapes, a dollar is doubled. */
static void decode(const struct jl_jobserver_auth *auth, struct jl_buf *out)
{
	for (size_t i = 0; i < auth->len; i++) {
		const char c = auth->at[i];
		if (i + 1 < auth->len && (c == '\\' || (c == '$' && auth->at[i + 1] == '$')))
			i++;
		jl_buf_char(out, auth->at[i]);
	}
}

static int join_fifo(struct jl_jobserver *j, const char *path, struct jl_err *err)
{
	struct stat st;
	/* For both, so that it never looks closed to us when nobody else has it open. */
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return jl_err_set(err, JL_EIO, "cannot open \"%s\": %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no fifo", path);
	}
	j->read_fd = j->write_fd = fd;
	return JL_OK;
}

static bool inherited(int fd, int mode)
{
	struct stat st;
	const int flags = fcntl(fd, F_GETFD), how = fcntl(fd, F_GETFL);
	return flags >= 0 && !(flags & FD_CLOEXEC) && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && how >= 0 &&
	       ((how & O_ACCMODE) == mode || (how & O_ACCMODE) == O_RDWR);
}

/* An open file of our own on the pipe that `fd` reads. */
static int open_again(int fd, int *ret, struct jl_err *err)
{
	char path[40];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return *ret < 0 ? jl_err_set(err, JL_EIO, "cannot open \"%s\": %s", path, strerror(errno)) : JL_OK;
}

static int join_pipe(struct jl_jobserver *j, const char *text, struct jl_err *err)
{
	char *end;
	long fds[2];
	fds[0] = strtol(text, &end, 10);
	if (end == text || *end != ',')
		return jl_err_set(err, JL_EINVAL, "\"%s\" is neither fifo:PATH nor two descriptors", text);
	text = end + 1;
	fds[1] = strtol(text, &end, 10);
	if (end == text || *end)
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no descriptor", text);
	/* Below 3 is what a child gets of its own. */
	for (int i = 0; i < 2; i++)
		if (fds[i] < 3 || fds[i] > INT32_MAX || !inherited((int)fds[i], i ? O_WRONLY : O_RDONLY))
			return jl_err_set(err, JL_ENOTFOUND, "descriptor %ld is not open", fds[i]);
	int r = open_again((int)fds[0], &j->read_fd, err);
	if (r != JL_OK)
		return r;
	j->write_fd = (int)fds[1];
	j->keep_fds[0] = (int)fds[0];
	j->keep_fds[1] = (int)fds[1];
	return JL_OK;
}

int jl_jobserver_join(struct jl_jobserver *j, const struct jl_jobserver_auth *auth, struct jl_err *err)
{
	static const char fifo[] = "fifo:";
	struct jl_buf text = JL_BUF_INIT;
	jl_bug_if(j->read_fd >= 0);
	decode(auth, &text);
	int r = strncmp(text.data, fifo, sizeof(fifo) - 1) == 0 ? join_fifo(j, text.data + sizeof(fifo) - 1, err)
								: join_pipe(j, text.data, err);
	jl_buf_release(&text);
	if (r != JL_OK)
		return r;
	j->jobs = auth->jobs;
	jl_buf_add(&j->auth, auth->at, auth->len);
	return JL_OK;
}

/* ---- server ---- */

int jl_jobserver_offer(struct jl_jobserver *j, uint32_t jobs, struct jl_err *err)
{
	char bytes[JL_JOBSERVER_MOST];
	jl_bug_if(j->read_fd >= 0 || jobs < 2 || jobs > JL_JOBSERVER_MOST);
	if (pipe2(j->pipe, O_CLOEXEC) < 0)
		return jl_err_set(err, JL_EBUSY, "cannot make a pipe: %s", strerror(errno));
	memset(bytes, '+', jobs - 1);
	int r = open_again(j->pipe[0], &j->read_fd, err);
	if (r == JL_OK && write(j->pipe[1], bytes, jobs - 1) != (ssize_t)jobs - 1)
		r = jl_err_sys(err, errno, "cannot fill a pipe");
	if (r != JL_OK) {
		jl_jobserver_close(j);
		return r;
	}
	j->write_fd = j->pipe[1];
	j->keep_fds[0] = j->pipe[0];
	j->keep_fds[1] = j->pipe[1];
	j->jobs = jobs;
	jl_buf_printf(&j->auth, "%d,%d", j->pipe[0], j->pipe[1]);
	return JL_OK;
}

/* ---- both ---- */

bool jl_jobserver_take(struct jl_jobserver *j)
{
	char byte;
	ssize_t n;
	do
		n = read(j->read_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 && jl_buf_char(&j->taken, byte) == JL_OK;
}

void jl_jobserver_give(struct jl_jobserver *j)
{
	const char byte = j->taken.data[j->taken.len - 1];
	jl_buf_truncate(&j->taken, j->taken.len - 1);
	/* There is room for what came out of it; should the pipe be broken there is nobody left who would want it. */
	while (write(j->write_fd, &byte, 1) < 0 && errno == EINTR)
		continue;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void jl_jobserver_close(struct jl_jobserver *j)
{
	while (j->taken.len && j->write_fd >= 0)
		jl_jobserver_give(j);
	close_fd(&j->read_fd);
	close_fd(&j->pipe[0]);
	close_fd(&j->pipe[1]);
	jl_buf_release(&j->auth);
	jl_buf_release(&j->taken);
	*j = (struct jl_jobserver)JL_JOBSERVER_INIT;
}
