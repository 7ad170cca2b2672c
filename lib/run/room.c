/* See room.h. Every path is reached through its folder opened beneath the workspace (openat2), so a link planted in between leads
 * nowhere else. */
#include "run/room.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "run/elsewhere.h"
#include "run/expand.h"
#include "run/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- folders ---- */

/* The folder that `path` is in, opened; made when missing. *ret_name is the last component within `path`. */
int jl_room_open_parent(struct jl_engine *e, const char *path, bool make, int *ret_fd, const char **ret_name,
			struct jl_err *err)
{
	int root = jl_engine_files(e)->root_fd;
	size_t base = jl_path_base(path, strlen(path));
	char *dir = base > 1 ? jl_strndup(path, base - 1) : jl_strdup(".");
	int flags = O_PATH | O_DIRECTORY | O_CLOEXEC, r = JL_OK;
	int fd = jl_file_open_beneath(root, dir, flags, 0);
	if (fd < 0 && errno == ENOENT && make) {
		r = jl_file_mkdirs(&jl_io_system, root, dir, 0777, err);
		if (r == JL_OK)
			fd = jl_file_open_beneath(root, dir, flags, 0);
	}
	if (r == JL_OK && fd < 0) {
		if (errno == EXDEV || errno == ELOOP)
			r = jl_err_set(err, JL_EINVAL, "folder \"%s\" leads out of the workspace through a link", dir);
		else
			r = jl_err_sys(err, errno, "cannot open folder \"%s\"", dir);
	}
	free(dir);
	if (r != JL_OK)
		return r;
	*ret_fd = fd;
	*ret_name = path + base;
	return JL_OK;
}

/* mkdirs follows links, so look first that each folder that is there already lies beneath. */
int jl_room_make_parents(struct jl_engine *e, uint32_t file, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	uint32_t dir = jl_file_at(files, file)->dir, up = dir;
	if (dir == JL_NONE)
		return JL_OK;
	if (dir < e->safe.len && *JL_AT(e->safe, uint8_t, dir))
		return JL_OK;
	struct jl_buf path = JL_BUF_INIT;
	int fd = -1, r = JL_OK;
	for (;;) { /* the nearest folder that exists */
		jl_buf_clear(&path);
		jl_buf_str(&path, jl_files_path(files, up));
		fd = jl_file_open_beneath(files->root_fd, path.data, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd >= 0 || errno != ENOENT || jl_file_at(files, up)->dir == JL_NONE)
			break;
		up = jl_file_at(files, up)->dir;
	}
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		r = jl_err_set(err, JL_EINVAL, "folder \"%s\" leads out of the workspace through a link", path.data);
	else if (fd < 0)
		r = jl_err_sys(err, errno, "cannot make a folder below \"%s\"", path.data);
	else if (up != dir)
		r = jl_file_mkdirs(&jl_io_system, files->root_fd, jl_files_path(files, dir), 0777, err);
	if (fd >= 0)
		close(fd);
	if (r == JL_OK) {
		if (up != dir)
			jl_files_forget(files, up, true);
		if (dir >= e->safe.len)
			jl_table_add(&e->safe, files->at.len - e->safe.len);
		*JL_AT(e->safe, uint8_t, dir) = 1;
	}
	jl_buf_release(&path);
	return r;
}

/* ---- making room ---- */

/* A file, or a link's text, from one file system to another. The copy is on the disk before the original goes. */
static int copy_content(int from, int to_dir, const char *to, struct jl_err *err)
{
	char piece[65536];
	struct stat st;
	int r = JL_OK, fd = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n = 0;
	if (fd < 0 || fstat(from, &st) != 0)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", to);
	while (r == JL_OK && (n = read(from, piece, sizeof(piece))) > 0)
		r = jl_file_write_all(&jl_io_system, fd, piece, (size_t)n, err);
	if (r == JL_OK && n < 0)
		r = jl_err_sys(err, errno, "cannot read what is in the way");
	if (r == JL_OK && (fchmod(fd, st.st_mode & 07777) != 0 ||
			   futimens(fd, (struct timespec[2]){st.st_atim, st.st_mtim}) != 0 || fsync(fd) != 0))
		r = jl_err_sys(err, errno, "cannot write \"%s\"", to);
	if (fd >= 0)
		close(fd);
	return r;
}

static int move_across(int dir, const char *name, int to_dir, const char *to, struct jl_err *err)
{
	char text[4096];
	ssize_t len = readlinkat(dir, name, text, sizeof(text) - 1);
	int r = JL_OK, fd = -1;
	if (len >= 0) {
		text[len] = '\0';
		if (symlinkat(text, to_dir, to) != 0)
			r = jl_err_sys(err, errno, "cannot make link \"%s\"", to);
	} else {
		struct stat st;
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) != 0)
			return jl_err_sys(err, errno, "cannot move \"%s\" to another file system", name);
		r = S_ISREG(st.st_mode) ? copy_content(fd, to_dir, to, err)
					: jl_err_sys(err, EXDEV, "cannot move \"%s\" to another file system", name);
		close(fd);
	}
	if (r == JL_OK && unlinkat(dir, name, 0) != 0)
		r = jl_err_sys(err, errno, "cannot remove \"%s\"", name);
	if (r != JL_OK)
		unlinkat(to_dir, to, 0);
	return r;
}

static int to_trash(struct jl_engine *e, const char *path, struct jl_err *err)
{
	int root = jl_engine_files(e)->root_fd;
	struct jl_buf to = JL_BUF_INIT;
	struct stat st;
	int fd = -1, r;
	const char *name;
	jl_buf_printf(&to, ".jl/trash/%s/%s", e->run_id, path);
	for (unsigned i = 1; fstatat(root, to.data, &st, AT_SYMLINK_NOFOLLOW) == 0; i++) {
		jl_buf_clear(&to);
		jl_buf_printf(&to, ".jl/trash/%s/%s.%u", e->run_id, path, i);
	}
	char *dir = jl_strndup(to.data, jl_path_base(to.data, to.len) - 1);
	r = jl_file_mkdirs(&jl_io_system, root, dir, 0777, err);
	free(dir);
	if (r == JL_OK)
		r = jl_room_open_parent(e, path, false, &fd, &name, err);
	if (r == JL_OK && renameat(fd, name, root, to.data) != 0 && errno != ENOENT) {
		r = errno == EXDEV ? move_across(fd, name, root, to.data, err) : jl_err_sys(err, errno, "cannot rename");
		if (r != JL_OK)
			jl_err_add(err, "cannot move \"%s\" out of the way", path);
	}
	if (r == JL_OK && e->trash.n++ == 0) {
		jl_buf_clear(&e->trash.first);
		jl_buf_clear(&e->trash.to);
		jl_buf_str(&e->trash.first, path);
		jl_buf_str(&e->trash.to, to.data);
	}
	if (fd >= 0)
		close(fd);
	jl_buf_release(&to);
	return r;
}

/* One line for all that one step had in its way. */
void jl_room_tell(struct jl_engine *e, const char *step)
{
	if (e->trash.n == 1)
		jl_engine_warn(e, step, "\"%s\" is not as jl made it: moved to \"%s\"", e->trash.first.data,
			       e->trash.to.data);
	else if (e->trash.n > 1)
		jl_engine_warn(e, step, "\"%s\" and %u more are not as jl made them: moved to \".jl/trash/%s/\"",
			       e->trash.first.data, e->trash.n - 1, e->run_id);
	e->trash.n = 0;
}

/* Take one file or link away: removed if jl made it and nobody changed it, else to the trash. */
int jl_room_dispose_file(struct jl_engine *e, uint32_t id, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	int r = jl_files_digest(files, id, err), fd = -1;
	const char *name;
	if (r != JL_OK)
		return r;
	const struct jl_file *f = jl_file_at(files, id);
	enum jl_kind kind = jl_file_kind(f);
	if (kind == JL_KIND_ABSENT)
		return JL_OK;
	if ((kind == JL_KIND_FILE || kind == JL_KIND_LINK) && (f->flags & JL_FILE_MADE)) {
		r = jl_room_open_parent(e, jl_files_path(files, id), false, &fd, &name, err);
		if (r == JL_OK && unlinkat(fd, name, 0) != 0 && errno != ENOENT)
			r = jl_err_sys(err, errno, "cannot remove \"%s\"", jl_files_path(files, id));
		if (fd >= 0)
			close(fd);
	} else {
		r = to_trash(e, jl_files_path(files, id), err);
	}
	jl_files_set_made(files, id, false);
	jl_files_forget(files, id, true);
	return r;
}

/* A folder that should be empty by now; what came into it meanwhile goes to the trash with it. */
static int remove_folder(struct jl_engine *e, const char *path, struct jl_err *err)
{
	const char *name;
	int fd = -1, r = jl_room_open_parent(e, path, false, &fd, &name, err);
	if (r == JL_OK && unlinkat(fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		r = errno == ENOTEMPTY ? to_trash(e, path, err)
				       : jl_err_sys(err, errno, "cannot remove folder \"%s\"", path);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Empty a folder and take it away; what is not proven to be jl's goes to the trash, file by file. */
static int dispose_tree(struct jl_engine *e, uint32_t id, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	jl_files_forget(files, id, true);
	int r = jl_files_digest(files, id, err);
	if (r != JL_OK || jl_file_kind(jl_file_at(files, id)) == JL_KIND_ABSENT)
		return r;
	if (jl_file_kind(jl_file_at(files, id)) != JL_KIND_DIR)
		return jl_room_dispose_file(e, id, err);
	r = jl_files_tree(files, id, &ids, err);
	if (r == JL_OK)
		r = jl_files_digest_many(files, ids.data, ids.len, e->threads, err);
	jl_ports_make_writable(files, id);
	for (uint32_t i = 0; r == JL_OK && i < ids.len; i++)
		jl_ports_make_writable(files, *JL_AT(ids, uint32_t, i));
	for (uint32_t i = ids.len; r == JL_OK && i-- > 0;) { /* from the deepest up */
		uint32_t at = *JL_AT(ids, uint32_t, i);
		if (jl_file_kind(jl_file_at(files, at)) != JL_KIND_DIR)
			r = jl_room_dispose_file(e, at, err);
	}
	for (uint32_t i = ids.len; r == JL_OK && i-- > 0;) {
		uint32_t at = *JL_AT(ids, uint32_t, i);
		if (jl_file_kind(jl_file_at(files, at)) == JL_KIND_DIR)
			r = remove_folder(e, jl_files_path(files, at), err);
	}
	if (r == JL_OK)
		r = remove_folder(e, jl_files_path(files, id), err);
	jl_table_release(&ids);
	jl_files_forget(files, id, true);
	return r;
}

int jl_room_dispose_port(struct jl_engine *e, const struct jl_pport *port, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	jl_files_undrop(files, port->what, port->flags & JL_PORT_FOLDER);
	/* Looked at just now: what somebody put there since the run began is not lost either. */
	jl_files_forget(files, port->what, false);
	int r = jl_files_stat(files, port->what, err);
	if (r != JL_OK)
		return r;
	return jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_DIR ? dispose_tree(e, port->what, err)
									  : jl_room_dispose_file(e, port->what, err);
}

static bool kept(const struct jl_engine *e, uint32_t inst, const char *path)
{
	const struct jl_rule *r = jl_engine_rule(e, inst);
	if (jl_elsewhere_apart(e, inst))
		return false; /* it is not there where the step runs */
	if (r->flags & JL_RULE_KEEP_ALL)
		return true;
	for (uint32_t i = 0; i < r->n_keep; i++)
		if (jl_glob_match(jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->keep + i)), path))
			return true;
	return false;
}

static bool in_record(const struct jl_table *outs, const char *path)
{
	for (uint32_t i = 0; outs && i < outs->len; i++)
		if (strcmp(JL_AT(*outs, struct jl_record_output, i)->path, path) == 0)
			return true;
	return false;
}

/* What a glob among the outputs means now makes room as any other output does; but for `stay` (struct jl_record_output). */
int jl_room_dispose_globbed(struct jl_engine *e, uint32_t inst, const struct jl_pport *port,
			    const struct jl_table *stay, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	int r = jl_outputs_globbed(e, inst, port, &ids, err);
	for (uint32_t i = 0; r == JL_OK && i < ids.len; i++) {
		uint32_t id = *JL_AT(ids, uint32_t, i);
		if (stay ? in_record(stay, jl_files_path(files, id)) : kept(e, inst, jl_files_path(files, id)))
			continue;
		jl_files_forget(files, id, false);
		r = jl_room_dispose_file(e, id, err);
	}
	jl_table_release(&ids);
	return r;
}

static int prepare(struct jl_engine *e, uint32_t inst, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		int r = JL_OK;
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		if (port->flags & JL_PORT_GLOB) {
			r = jl_room_dispose_globbed(e, inst, port, NULL, err);
			if (r != JL_OK)
				return r;
			continue;
		}
		r = jl_room_make_parents(e, port->what, err);
		/* An old depfile would tell of another run. */
		if (r == JL_OK && ((port->flags & JL_PORT_DEPFILE) || !kept(e, inst, jl_files_path(files, port->what))))
			r = jl_room_dispose_port(e, port, err);
		if (r == JL_OK && (port->flags & JL_PORT_FOLDER)) {
			r = jl_file_mkdirs(&jl_io_system, files->root_fd, jl_files_path(files, port->what), 0777, err);
			jl_files_forget(files, port->what, true);
		}
		if (r != JL_OK)
			return r;
	}
	return JL_OK;
}

int jl_place_prepare(struct jl_engine *e, uint32_t inst, struct jl_err *err)
{
	int r = prepare(e, inst, err);
	jl_room_tell(e, jl_engine_label(e, inst));
	return r;
}

/* ---- failures and those that left ---- */

void jl_place_failed(struct jl_engine *e, uint32_t inst)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	struct jl_buf base = JL_BUF_INIT, to = JL_BUF_INIT;
	bool fresh = false;
	jl_buf_str(&base, ".jl/failed/");
	jl_path_escape(&base, jl_engine_label(e, inst));
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		const char *name;
		int fd = -1;
		if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			continue;
		const char *path = jl_files_path(files, port->what);
		jl_files_forget(files, port->what, true);
		if (kept(e, inst, path) || jl_files_stat(files, port->what, NULL) != JL_OK ||
		    jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_ABSENT)
			continue;
		if (!fresh)
			(void)!jl_file_remove(&jl_io_system, files->root_fd, base.data, NULL);
		fresh = true;
		jl_buf_clear(&to);
		jl_buf_printf(&to, "%s/%s", base.data, path);
		char *dir = jl_strndup(to.data, jl_path_base(to.data, to.len) - 1);
		if (jl_file_mkdirs(&jl_io_system, files->root_fd, dir, 0777, NULL) == JL_OK &&
		    jl_room_open_parent(e, path, false, &fd, &name, NULL) == JL_OK) {
			(void)!renameat(fd, name, files->root_fd, to.data);
			close(fd);
		}
		free(dir);
		jl_files_set_made(files, port->what, false);
		jl_files_forget(files, port->what, true);
	}
	jl_buf_release(&base);
	jl_buf_release(&to);
}

void jl_place_gone(struct jl_engine *e)
{
	struct jl_err err = JL_ERR_INIT;
	for (uint32_t i = 0; i < e->p->gone.len; i++) {
		struct jl_gone *g = JL_AT(e->p->gone, struct jl_gone, i);
		struct jl_result *res = jl_result_at(&e->p->state->results, g->result);
		struct jl_pport port = {.what = g->file, .flags = g->flags};
		if (jl_expand_maker(e->p, g->file) == JL_NONE && jl_room_dispose_port(e, &port, &err) != JL_OK)
			jl_engine_warn(e, NULL, "an output of a step that is no more stays: %s", err.text);
		if (res->flags & JL_RESULT_OK) {
			res->flags &= ~(uint32_t)JL_RESULT_OK;
			jl_results_touch(&e->p->state->results, g->result);
		}
	}
	e->p->gone.len = 0;
	jl_room_tell(e, NULL);
}
