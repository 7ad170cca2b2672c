/* jl-store-file: a shared store in a folder, file:///PATH. Objects are files of their names; one that is being written is
 * .tmp-… in the folder itself, so that a reader sees the old one, the new one or none. Speaks docs/formats/helper.md. */
#include "base/file.h"
#include "store/serve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OLD_S (24 * 3600) /* nobody writes one object for that long */

struct request {
	struct request *next;
	uint32_t id;
	int fd;
	bool put;
	uint64_t size, at;
	uint64_t credit; /* GET: bytes that may be sent */
	char name[JL_TALK_NAME + 1];
	char temp[JL_FILE_TEMP_SIZE];
};

struct folder {
	struct jl_serve serve;
	int fd;
	struct request *first;
	char *piece;
};

static int say(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

static struct request *find(struct folder *f, uint32_t id)
{
	struct request *q = f->first;

	while (q && q->id != id)
		q = q->next;
	return q;
}

static void end(struct folder *f, struct request *q)
{
	struct request **at = &f->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	if (q->fd >= 0)
		close(q->fd);
	if (q->temp[0])
		unlinkat(f->fd, q->temp, 0);
	free(q);
}

static int fail(struct folder *f, uint32_t id, int error)
{
	const enum jl_talk_error kind = error == ENOENT || error == ENOTDIR                   ? JL_TALK_NOT_FOUND
					: error == EACCES || error == EPERM || error == EROFS ? JL_TALK_REFUSED
					: error == ENOSPC || error == EDQUOT || error == EINVAL || error == ELOOP ||
							error == EXDEV || error == ECANCELED
						? JL_TALK_PERMANENT
						: JL_TALK_TEMPORARY;

	return jl_serve_fail(&f->serve, id, kind, "%s", strerror(error));
}

static struct request *begin(struct folder *f, const struct jl_talk *m)
{
	struct request *q = jl_calloc(1, sizeof(*q));

	*q = (struct request){.next = f->first, .id = m->id, .fd = -1, .credit = JL_TALK_WINDOW};
	memcpy(q->name, m->name, m->name_len);
	f->first = q;
	return q;
}

/* GET and HEAD. */
static int look(struct folder *f, const struct jl_talk *m)
{
	struct request *q = begin(f, m);
	struct stat st;
	int error = 0, r;

	q->fd = jl_file_open_beneath(f->fd, q->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (q->fd < 0 || fstat(q->fd, &st) < 0)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = ENOENT;
	else if (m->size > (uint64_t)st.st_size)
		error = EINVAL;
	if (error) {
		end(f, q);
		return fail(f, m->id, error);
	}
	q->size = (uint64_t)st.st_size;
	q->at = m->size;
	r = jl_serve_send(&f->serve, &(struct jl_talk){.type = JL_TALK_FOUND, .id = q->id, .size = q->size});
	if (m->type == JL_TALK_HEAD || q->at == q->size) {
		if (r == JL_OK)
			r = jl_serve_send(&f->serve, &(struct jl_talk){.type = JL_TALK_END, .id = q->id});
		end(f, q);
	}
	return r;
}

/* A piece of each answer that may be sent. *ret_sent: there was one. */
static int send_pieces(struct folder *f, bool *ret_sent)
{
	int r = JL_OK;

	*ret_sent = false;
	for (struct request *q = f->first, *next; q && r == JL_OK; q = next) {
		uint64_t room = q->size - q->at;
		ssize_t n;

		next = q->next;
		if (q->put || q->credit == 0)
			continue;
		if (room > q->credit)
			room = q->credit;
		if (room > JL_TALK_PIECE)
			room = JL_TALK_PIECE;
		n = pread(q->fd, f->piece, (size_t)room, (off_t)q->at);
		*ret_sent = true;
		if (n <= 0) { /* shorter than it was: somebody writes there who should not */
			r = fail(f, q->id, n < 0 ? errno : EIO);
			end(f, q);
			continue;
		}
		q->at += (uint64_t)n;
		q->credit -= (uint64_t)n;
		r = jl_serve_send(
			&f->serve,
			&(struct jl_talk){.type = JL_TALK_DATA, .id = q->id, .data = f->piece, .len = (size_t)n});
		if (r == JL_OK && q->at == q->size) {
			r = jl_serve_send(&f->serve, &(struct jl_talk){.type = JL_TALK_END, .id = q->id});
			end(f, q);
		}
	}
	return r;
}

/* What still comes of it is passed over, as that of every id that is not known. */
static int put_failed(struct folder *f, struct request *q, int error)
{
	const uint32_t id = q->id;

	end(f, q);
	return fail(f, id, error);
}

static int put_begin(struct folder *f, const struct jl_talk *m)
{
	struct request *q = begin(f, m);

	q->put = true;
	q->size = m->size;
	jl_file_temp_name(q->temp, sizeof(q->temp));
	q->fd = openat(f->fd, q->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (q->fd >= 0)
		return JL_OK;
	q->temp[0] = '\0';
	return put_failed(f, q, errno);
}

static int put_data(struct folder *f, struct request *q, const struct jl_talk *m)
{
	struct jl_err err = JL_ERR_INIT;
	int r = jl_serve_send(&f->serve,
			      &(struct jl_talk){.type = JL_TALK_CREDIT, .id = q->id, .count = (uint32_t)m->len});

	if (r != JL_OK)
		return r;
	if (m->len > q->size - q->at)
		return put_failed(f, q, EINVAL);
	q->at += m->len;
	if (jl_file_write_all(&jl_io_system, q->fd, m->data, m->len, &err) != JL_OK)
		return put_failed(f, q, err.sys_errno ? err.sys_errno : EIO);
	return JL_OK;
}

static int put_end(struct folder *f, struct request *q)
{
	char *slash = strrchr(q->name, '/');
	struct jl_err err = JL_ERR_INIT;
	int error = 0, fd = q->fd;
	const uint32_t id = q->id;

	q->fd = -1;
	if (close(fd) < 0)
		error = errno;
	else if (q->at != q->size)
		error = EINVAL;
	if (!error && slash) {
		*slash = '\0';
		if (jl_file_mkdirs(&jl_io_system, f->fd, q->name, 0777, &err) != JL_OK)
			error = err.sys_errno ? err.sys_errno : EIO;
		*slash = '/';
	}
	if (!error && renameat(f->fd, q->temp, f->fd, q->name) < 0)
		error = errno;
	if (error)
		return put_failed(f, q, error);
	q->temp[0] = '\0';
	end(f, q);
	return jl_serve_send(&f->serve, &(struct jl_talk){.type = JL_TALK_END, .id = id});
}

static int take(struct folder *f, const struct jl_talk *m)
{
	struct request *q = find(f, m->id);

	if (m->type == JL_TALK_GET || m->type == JL_TALK_HEAD)
		return q ? JL_ECORRUPT : look(f, m);
	if (m->type == JL_TALK_PUT)
		return q ? JL_ECORRUPT : put_begin(f, m);
	if (!q) /* its answer is on its way */
		return JL_OK;
	if (m->type == JL_TALK_CREDIT)
		q->credit += m->count;
	else if (m->type == JL_TALK_DATA && q->put)
		return put_data(f, q, m);
	else if (m->type == JL_TALK_END && q->put)
		return put_end(f, q);
	else if (m->type != JL_TALK_CANCEL)
		return JL_ECORRUPT;
	else
		return put_failed(f, q, ECANCELED);
	return JL_OK;
}

/* What was left by one that was killed. */
static void sweep(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (strncmp(e->d_name, ".tmp-", 5) == 0 && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < time(NULL) - OLD_S)
			unlinkat(fd, e->d_name, 0);
	closedir(dir);
}

/* "file:///PATH": what stands behind the slashes, "%41" being "A". NULL: it is none. */
static char *path_of(const char *url, size_t len)
{
	static const char head[] = "file://";
	char *path = jl_strndup(url, len), *to = path, hex[3] = "";
	const char *from = path + sizeof(head) - 1;

	if (len <= sizeof(head) || strncmp(url, head, sizeof(head) - 1) != 0 || *from != '/') {
		free(path);
		return NULL;
	}
	while (*from) {
		hex[0] = from[0] == '%' ? from[1] : '\0';
		hex[1] = hex[0] ? from[2] : '\0';
		if (hex[1] && strspn(hex, "0123456789abcdefABCDEF") == 2) {
			*to++ = (char)strtol(hex, NULL, 16);
			from += 3;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return path;
}

static int open_folder(const struct jl_talk *hello, struct jl_err *err)
{
	char *path = path_of(hello->name, hello->name_len), *write = jl_talk_setting(hello, "write");
	int r = JL_OK, fd = -1;

	if (!path)
		r = jl_err_set(err, JL_EINVAL, "the URL of a folder is file:///PATH");
	if (r == JL_OK && write)
		r = jl_file_mkdirs(&jl_io_system, AT_FDCWD, path, 0777, err);
	if (r == JL_OK) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			jl_err_sys(err, errno, "cannot open \"%s\"", path);
	}
	if (fd >= 0 && write)
		sweep(fd);
	free(path);
	free(write);
	return fd;
}

static int serve(struct folder *f)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_talk m;
	bool sent = false;
	int r = JL_OK;

	while (r == JL_OK) {
		r = jl_serve_next(&f->serve, !sent, &m, &err);
		if (r == 0 && !sent)
			break;
		if (r >= 0)
			r = r ? take(f, &m) : JL_OK;
		if (r == JL_OK)
			r = send_pieces(f, &sent);
	}
	while (f->first)
		end(f, f->first);
	return r == JL_OK ? 0 : say(err.text[0] ? err.text : "cannot talk to jl");
}

int main(void)
{
	struct folder f = {.fd = -1};
	struct jl_err err = JL_ERR_INIT;
	struct jl_talk hello;
	int status;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* jl ends us when it has had enough */
	if (jl_serve_open(&f.serve, STDIN_FILENO, STDOUT_FILENO, &hello, &err) != JL_OK)
		return say(err.text);
	f.fd = open_folder(&hello, &err);
	if (f.fd < 0) {
		(void)!jl_serve_fail(&f.serve, 0, JL_TALK_PERMANENT, "%s", err.text);
		return say(err.text);
	}
	f.piece = jl_alloc_pages(JL_TALK_PIECE);
	status = jl_serve_welcome(&f.serve, "file", JL_TALK_CAN_PUT | JL_TALK_CAN_RANGE) == JL_OK ? serve(&f) : 1;
	jl_serve_release(&f.serve);
	free(f.piece);
	close(f.fd);
	return status;
}
