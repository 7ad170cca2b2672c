/* A job's folder: inputs put there, outputs found there. See job.h. All paths are opened beneath the folder, and links are made
 * last, so that nothing of it leads outside. */
#include "agent/job.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "exec/same.h"
#include "manifest/shell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUTS_MOST 4000000u
#define DEPTH_MOST   200u

/* ---- before ---- */

static int make_parents(const struct jl_far_job *j, const char *path, struct jl_err *err)
{
	size_t base = jl_path_base(path, strlen(path));
	if (base <= 1)
		return JL_OK;
	char *dir = jl_strndup(path, base - 1);
	int r = jl_file_mkdirs(&jl_io_system, j->root_fd, dir, 0777, err);
	free(dir);
	return r;
}

static int new_file(const struct jl_far_job *j, const struct jl_cargo_in *in, int *ret_fd, struct jl_err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int r = make_parents(j, in->path, err);
	if (r != JL_OK)
		return r;
	*ret_fd = jl_file_open_beneath(j->root_fd, in->path, flags, 0600);
	if (*ret_fd < 0 || fchmod(*ret_fd, in->mode) != 0)
		return jl_err_sys(err, errno, "cannot make input \"%s\"", in->path);
	return JL_OK;
}

static int write_inline(const struct jl_far_job *j, const struct jl_msg_in *one, struct jl_err *err)
{
	struct jl_digest is;
	int fd = -1;
	jl_digest_bytes_as((enum jl_digest_algo)one->in.digest.algo, one->bytes, (size_t)one->in.size, &is);
	if (!jl_digest_equal(&is, &one->in.digest))
		return jl_err_set(err, JL_ECHANGED, "input \"%s\" changed while it was sent", one->in.path);
	int r = new_file(j, &one->in, &fd, err);
	if (r == JL_OK)
		r = jl_file_write_all(&jl_io_system, fd, one->bytes, (size_t)one->in.size, err);
	if (fd >= 0)
		close(fd);
	return r;
}

static int copy_all(int from, int to, struct jl_err *err)
{
	char room[65536];
	off_t at = 0;
	ssize_t n;
	while ((n = pread(from, room, sizeof(room), at)) > 0) {
		int r = jl_file_write_all(&jl_io_system, to, room, (size_t)n, err);
		if (r != JL_OK)
			return r;
		at += n;
	}
	return n < 0 ? jl_err_sys(err, errno, "cannot read an input") : JL_OK;
}

/* By its new name, without a copy; false: it lies on another file system. */
static bool move_in(const struct jl_far_job *j, const struct jl_home *h, const struct jl_cargo_in *in, const char *name, int fd)
{
	struct jl_err err = JL_ERR_INIT;
	if (make_parents(j, in->path, &err) != JL_OK)
		return false;
	size_t base = jl_path_base(in->path, strlen(in->path));
	char *dir = base > 1 ? jl_strndup(in->path, base - 1) : jl_strdup(".");
	int to = jl_file_open_beneath(j->root_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	free(dir);
	bool ok = to >= 0 && fchmod(fd, in->mode) == 0 &&
		  renameat2(h->dir_fd, name, to, in->path + base, RENAME_NOREPLACE) == 0;
	if (to >= 0)
		close(to);
	return ok;
}

int jl_far_job_place(struct jl_far_job *j, struct jl_home *h, uint32_t index, const char *name, int fd, struct jl_err *err)
{
	const struct jl_cargo_in *in = &j->start.ins[index].in;
	int to = -1, r = JL_OK;
	if (!name || !move_in(j, h, in, name, fd)) {
		r = new_file(j, in, &to, err);
		if (r == JL_OK)
			r = copy_all(fd, to, err);
		if (to >= 0)
			close(to);
	}
	for (uint32_t i = 0; i < j->missing.len; i++) {
		if (*JL_AT(j->missing, uint32_t, i) == index) {
			*JL_AT(j->missing, uint32_t, i) = *JL_AT(j->missing, uint32_t, j->missing.len - 1);
			j->missing.len--;
			break;
		}
	}
	return r;
}

/* From what the home has; JL_ENOTFOUND: it has not. */
static int place_kept(struct jl_far_job *j, struct jl_home *h, const struct jl_cargo_in *in, struct jl_err *err)
{
	int fd = -1;
	if (!jl_home_has(h, &in->digest))
		return JL_ENOTFOUND;
	int r = new_file(j, in, &fd, err);
	if (r != JL_OK)
		return r;
	r = jl_home_get(h, &in->digest, in->size, fd, err);
	close(fd);
	if (r == JL_OK)
		return JL_OK;
	jl_err_clear(err);
	(void)!jl_file_remove(&jl_io_system, j->root_fd, in->path, NULL);
	return JL_ENOTFOUND;
}

static int place_input(struct jl_far_job *j, struct jl_home *h, uint32_t index, struct jl_err *err)
{
	const struct jl_msg_in *one = &j->start.ins[index];
	int r = JL_OK;
	if (one->in.kind == JL_KIND_DIR)
		return jl_file_mkdirs(&jl_io_system, j->root_fd, one->in.path, 0777, err);
	if (one->in.kind != JL_KIND_FILE)
		return JL_OK;
	if (one->bytes)
		return write_inline(j, one, err);
	r = place_kept(j, h, &one->in, err);
	if (r == JL_ENOTFOUND) {
		*(uint32_t *)jl_table_add(&j->missing, 1) = index;
		r = JL_OK;
	}
	return r;
}

/* An input in the folder that both sides have: what changed there is seen here, or the job does not run. */
static int look_shared(const struct jl_far_job *j, const struct jl_cargo_in *in, struct jl_err *err)
{
	struct stat st;
	jl_same_look(j->root_fd, in->path);
	bool there = fstatat(j->root_fd, in->path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	bool same = there && (in->kind == JL_KIND_FILE ? S_ISREG(st.st_mode) && (uint64_t)st.st_size == in->size
			      : in->kind == JL_KIND_DIR ? S_ISDIR(st.st_mode) : S_ISLNK(st.st_mode));
	if (same)
		return JL_OK;
	return jl_err_set(err, JL_ECHANGED, "\"sync: shared\", and input \"%s\" is %s", in->path,
			  there ? "another there" : "not there");
}

static int set_up_shared(struct jl_far_job *j, struct jl_err *err)
{
	int r = JL_OK;
	j->root_fd = open(j->start.shared, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->root_fd < 0)
		return jl_err_sys(err, errno, "cannot open \"%s\"", j->start.shared);
	for (uint32_t i = 0; r == JL_OK && i < j->start.n_ins; i++)
		r = look_shared(j, &j->start.ins[i].in, err);
	return r;
}

/* Does anything but the job itself put something into its folder, or look for it there? */
static bool is_plain(const struct jl_msg_start *m)
{
	return m->n_ins == 0 && m->n_outs == 0 && !m->stream[0] && !m->stream[1] && !m->stream[2] && strcmp(m->workdir, ".") == 0;
}

int jl_far_job_set_up(struct jl_far_job *j, struct jl_home *h, struct jl_err *err)
{
	char work[40];
	int r = jl_folders_take(&h->folders, &j->folder, err);
	if (r == JL_OK && j->start.shared)
		return set_up_shared(j, err);
	if (r != JL_OK || is_plain(&j->start))
		return r;
	snprintf(work, sizeof(work), "%s/w", j->folder->name);
	j->root_fd = openat(h->run_fd, work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (j->root_fd < 0)
		return jl_err_sys(err, errno, "cannot open the job's folder");
	for (uint32_t i = 0; r == JL_OK && i < j->start.n_ins; i++)
		r = place_input(j, h, i, err);
	return r;
}

/* A script that is longer than an argument may be lies in a file of its own beside the folder, and the shell is told to read
 * that. */
static int shorten_script(struct jl_far_job *j, const struct jl_home *h, struct jl_err *err)
{
	const size_t one_most = (size_t)32 * (size_t)sysconf(_SC_PAGESIZE);
	struct jl_buf path = JL_BUF_INIT, word = JL_BUF_INIT;
	size_t n = 0;
	while (j->start.argv[n])
		n++;
	const char *script = j->start.argv[n - 1];
	if (!j->start.script || strlen(script) < one_most)
		return JL_OK;
	jl_buf_printf(&path, "%s/script", j->folder->name);
	int r = jl_file_write(&jl_io_system, h->run_fd, path.data, script, strlen(script), 0600, false, err);
	if (r == JL_OK) {
		const char **argv = jl_arena_alloc(&j->arena, (n + 1) * sizeof(*argv));
		memcpy(argv, j->start.argv, (n - 1) * sizeof(*argv));
		jl_buf_clear(&path);
		jl_buf_printf(&path, "%s/run/%s/%s/script", h->dir, h->name, j->folder->name);
		jl_buf_str(&word, ". ");
		jl_shell_quote(&word, path.data, path.len);
		argv[n - 1] = jl_arena_strdup(&j->arena, word.data);
		j->start.argv = argv;
	}
	jl_buf_release(&path);
	jl_buf_release(&word);
	return r;
}

/* What is only its stdin leaves its folder. */
static int put_stdin_aside(const struct jl_far_job *j, const struct jl_home *h, struct jl_err *err)
{
	char aside[48];
	if (!j->start.stream[0] || strcmp(j->start.stream[0], JL_CARGO_STDIN) != 0)
		return JL_OK;
	snprintf(aside, sizeof(aside), "%s/stdin", j->folder->name);
	return renameat(j->root_fd, JL_CARGO_STDIN, h->run_fd, aside) == 0 ? JL_OK
									  : jl_err_sys(err, errno, "cannot make its stdin");
}

int jl_far_job_finish(struct jl_far_job *j, const struct jl_home *h, struct jl_err *err)
{
	int r = shorten_script(j, h, err);
	if (j->start.shared)
		return r;
	if (r == JL_OK)
		r = put_stdin_aside(j, h, err);
	if (r == JL_OK && strcmp(j->start.workdir, ".") != 0)
		r = jl_file_mkdirs(&jl_io_system, j->root_fd, j->start.workdir, 0777, err);
	for (uint32_t i = 0; r == JL_OK && i < j->start.n_outs; i++) {
		const struct jl_cargo_out *out = &j->start.outs[i];
		if (out->flags & (JL_CARGO_GLOB | JL_CARGO_EXCLUDE))
			continue;
		r = out->flags & JL_CARGO_FOLDER ? jl_file_mkdirs(&jl_io_system, j->root_fd, out->path, 0777, err)
						 : make_parents(j, out->path, err);
	}
	for (uint32_t i = 0; r == JL_OK && i < j->start.n_ins; i++)
		if (j->start.ins[i].in.kind == JL_KIND_LINK)
			r = make_parents(j, j->start.ins[i].in.path, err);
	for (uint32_t i = 0; r == JL_OK && i < j->start.n_ins; i++) {
		const struct jl_cargo_in *in = &j->start.ins[i].in;
		if (in->kind == JL_KIND_LINK && symlinkat(in->text, j->root_fd, in->path) != 0)
			r = jl_err_sys(err, errno, "cannot make input \"%s\"", in->path);
	}
	return r;
}

/* ---- after ---- */

static bool excluded(const struct jl_far_job *j, const char *path)
{
	for (uint32_t i = 0; i < j->start.n_outs; i++)
		if (j->start.outs[i].flags & JL_CARGO_EXCLUDE && jl_glob_match(j->start.outs[i].path, path))
			return true;
	return false;
}

static bool is_input(const struct jl_far_job *j, const char *path)
{
	for (uint32_t i = 0; i < j->start.n_ins; i++)
		if (strcmp(j->start.ins[i].in.path, path) == 0)
			return true;
	return false;
}

static int read_small(int fd, struct jl_far_job *j, struct jl_msg_out *out, struct jl_err *err)
{
	char *bytes = jl_arena_alloc(&j->arena, (size_t)out->size + 1);
	ssize_t n = pread(fd, bytes, (size_t)out->size + 1, 0);
	if (n < 0)
		return jl_err_sys(err, errno, "cannot read output \"%s\"", out->path);
	if ((uint64_t)n != out->size)
		return jl_err_set(err, JL_ECHANGED, "output \"%s\" changes after the step has ended", out->path);
	jl_digest_bytes_as(j->start.algo, bytes, (size_t)n, &out->digest);
	out->bytes = bytes;
	return JL_OK;
}

static int read_link(struct jl_far_job *j, struct jl_msg_out *out, struct jl_err *err)
{
	char text[JL_MSG_INLINE_MAX];
	ssize_t n = readlinkat(j->root_fd, out->path, text, sizeof(text));
	if (n <= 0 || n == (ssize_t)sizeof(text))
		return jl_err_sys(err, n < 0 ? errno : ENAMETOOLONG, "cannot read link \"%s\"", out->path);
	out->kind = JL_KIND_LINK;
	out->size = (uint64_t)n;
	out->bytes = jl_arena_strndup(&j->arena, text, (size_t)n);
	jl_digest_bytes_as(j->start.algo, text, (size_t)n, &out->digest);
	return JL_OK;
}

/* One path as it was left; nothing there is no error, neither is what is no file: the other side says what it thinks of it. */
static int collect_one(struct jl_far_job *j, uint32_t declared, const char *path, struct jl_err *err)
{
	struct jl_msg_out out = {.declared = declared, .path = jl_arena_strdup(&j->arena, path)};
	struct stat st;
	uint64_t size;
	int r = JL_OK, fd = jl_file_open_beneath(j->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (j->outs.len >= OUTPUTS_MOST)
		r = jl_err_set(err, JL_ELIMIT, "more than %u outputs", OUTPUTS_MOST);
	else if (fd < 0 && errno == ELOOP)
		r = read_link(j, &out, err);
	else if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ENXIO || errno == EXDEV))
		return JL_OK;
	else if (fd < 0 || fstat(fd, &st) != 0)
		r = jl_err_sys(err, errno, "cannot look at output \"%s\"", path);
	if (r == JL_OK && fd >= 0) {
		out.kind = S_ISDIR(st.st_mode) ? JL_KIND_DIR : S_ISREG(st.st_mode) ? JL_KIND_FILE : JL_KIND_OTHER;
		out.mode = st.st_mode & 0777;
		out.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
		if (out.kind == JL_KIND_FILE && out.size <= JL_MSG_INLINE_MAX)
			r = read_small(fd, j, &out, err);
		else if (out.kind == JL_KIND_FILE)
			r = jl_digest_fd_stat(j->start.algo, &jl_io_system, fd, &st, &out.digest, &size, err);
	}
	if (fd >= 0)
		close(fd);
	if (r == JL_OK && out.kind != JL_KIND_OTHER)
		*(struct jl_msg_out *)jl_table_add(&j->outs, 1) = out;
	return r;
}

struct walk {
	struct jl_far_job *j;
	uint32_t declared;
	const char *pattern; /* NULL: everything */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(int dir_fd, struct jl_table *names, struct jl_err *err)
{
	DIR *dir = fdopendir(dir_fd);
	if (!dir) {
		int e = errno;
		close(dir_fd);
		return jl_err_sys(err, e, "cannot list a folder of outputs");
	}
	for (struct dirent *d; (d = readdir(dir));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			*(char **)jl_table_add(names, 1) = jl_strdup(d->d_name);
	closedir(dir);
	if (names->len)
		qsort(names->data, names->len, sizeof(char *), by_name);
	return JL_OK;
}

static int walk_below(const struct walk *w, const char *dir, unsigned depth, struct jl_err *err)
{
	struct jl_table names = JL_TABLE_INIT(char *);
	struct jl_buf path = JL_BUF_INIT;
	struct stat st;
	int fd = jl_file_open_beneath(w->j->root_fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? JL_OK : jl_err_sys(err, errno, "cannot open folder \"%s\"", dir);
	int r = depth > DEPTH_MOST ? jl_err_set(err, JL_ELIMIT, "folders are nested too deep") : list(fd, &names, err);
	for (uint32_t i = 0; i < names.len; i++) {
		char *name = *JL_AT(names, char *, i);
		jl_buf_clear(&path);
		if (strcmp(dir, ".") != 0)
			jl_buf_printf(&path, "%s/", dir);
		jl_buf_str(&path, name);
		free(name);
		if (r != JL_OK || fstatat(w->j->root_fd, path.data, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		bool is_dir = S_ISDIR(st.st_mode);
		bool mine = w->pattern ? !is_dir && jl_glob_match(w->pattern, path.data) && !is_input(w->j, path.data) : true;
		if (mine && !excluded(w->j, path.data))
			r = collect_one(w->j, w->declared, path.data, err);
		if (r == JL_OK && is_dir)
			r = walk_below(w, path.data, depth + 1, err);
	}
	jl_table_release(&names);
	jl_buf_release(&path);
	return r;
}

int jl_far_job_collect(struct jl_far_job *j, struct jl_err *err)
{
	int r = JL_OK;
	if (j->start.shared)
		return r;
	for (uint32_t i = 0; r == JL_OK && i < j->start.n_outs; i++) {
		const struct jl_cargo_out *out = &j->start.outs[i];
		struct walk w = {.j = j, .declared = i};
		if (out->flags & JL_CARGO_EXCLUDE)
			continue;
		if (out->flags & JL_CARGO_GLOB) {
			size_t fixed = jl_glob_fixed_dir(out->path);
			char *dir = fixed ? jl_strndup(out->path, fixed) : jl_strdup(".");
			w.pattern = out->path;
			r = walk_below(&w, dir, 0, err);
			free(dir);
			continue;
		}
		r = collect_one(j, i, out->path, err);
		if (r == JL_OK && out->flags & (JL_CARGO_FOLDER | JL_CARGO_ANY))
			r = walk_below(&w, out->path, 0, err);
	}
	return r;
}

void jl_far_job_keep(struct jl_far_job *j, struct jl_home *h)
{
	for (uint32_t i = 0; i < j->outs.len; i++) {
		const struct jl_msg_out *out = JL_AT(j->outs, struct jl_msg_out, i);
		if (out->kind != JL_KIND_FILE || out->bytes || jl_home_has(h, &out->digest))
			continue;
		int fd = jl_file_open_beneath(j->root_fd, out->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd < 0)
			continue;
		(void)!jl_home_put(h, &out->digest, out->size, fd, NULL);
		close(fd);
	}
}

void jl_far_job_free(struct jl_far_job *j, struct jl_home *h)
{
	if (j->folder)
		jl_folders_give(&h->folders, j->folder, j->alone, j->root_fd >= 0 && !j->start.shared, j->began_ns);
	if (j->root_fd >= 0)
		close(j->root_fd);
	jl_table_release(&j->missing);
	jl_table_release(&j->outs);
	jl_arena_release(&j->arena);
	free(j);
}
