/* Making room for outputs and putting stored ones back. Every path is reached through its folder opened beneath the workspace
 * (openat2), so a link planted in between leads nowhere else; everything is staged beside its target, then renamed. */
#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "run/engine.h"
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
static int open_parent(struct jl_engine *e, const char *path, bool make, int *ret_fd, const char **ret_name, struct jl_err *err)
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
static int make_parents(struct jl_engine *e, uint32_t file, struct jl_err *err)
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
		r = open_parent(e, path, false, &fd, &name, err);
	if (r == JL_OK && renameat(fd, name, root, to.data) != 0 && errno != ENOENT)
		r = jl_err_sys(err, errno, "cannot move \"%s\" out of the way", path);
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
static void tell_trash(struct jl_engine *e, const char *step)
{
	if (e->trash.n == 1)
		jl_engine_warn(e, step, "\"%s\" is not as jl made it: moved to \"%s\"", e->trash.first.data, e->trash.to.data);
	else if (e->trash.n > 1)
		jl_engine_warn(e, step, "\"%s\" and %u more are not as jl made them: moved to \".jl/trash/%s/\"", e->trash.first.data,
		               e->trash.n - 1, e->run_id);
	e->trash.n = 0;
}

/* Take one file or link away: removed if jl made it and nobody changed it, else to the trash. */
static int dispose_file(struct jl_engine *e, uint32_t id, struct jl_err *err)
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
		r = open_parent(e, jl_files_path(files, id), false, &fd, &name, err);
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
	int fd = -1, r = open_parent(e, path, false, &fd, &name, err);
	if (r == JL_OK && unlinkat(fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		r = errno == ENOTEMPTY ? to_trash(e, path, err) : jl_err_sys(err, errno, "cannot remove folder \"%s\"", path);
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
		return dispose_file(e, id, err);
	r = jl_files_tree(files, id, &ids, err);
	if (r == JL_OK)
		r = jl_files_digest_many(files, ids.data, ids.len, e->threads, err);
	jl_ports_make_writable(files, id);
	for (uint32_t i = 0; r == JL_OK && i < ids.len; i++)
		jl_ports_make_writable(files, *JL_AT(ids, uint32_t, i));
	for (uint32_t i = ids.len; r == JL_OK && i-- > 0;) { /* from the deepest up */
		uint32_t at = *JL_AT(ids, uint32_t, i);
		if (jl_file_kind(jl_file_at(files, at)) != JL_KIND_DIR)
			r = dispose_file(e, at, err);
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

static int dispose_port(struct jl_engine *e, const struct jl_pport *port, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	/* Looked at just now: what somebody put there since the run began is not lost either. */
	jl_files_forget(files, port->what, false);
	int r = jl_files_stat(files, port->what, err);
	if (r != JL_OK)
		return r;
	return jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_DIR ? dispose_tree(e, port->what, err)
	                                                                 : dispose_file(e, port->what, err);
}

static bool kept(const struct jl_engine *e, uint32_t inst, const char *path)
{
	const struct jl_rule *r = jl_engine_rule(e, inst);
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
static int dispose_globbed(struct jl_engine *e, uint32_t inst, const struct jl_pport *port, const struct jl_table *stay,
                           struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	int r = jl_outputs_globbed(e, inst, port, &ids, err);
	for (uint32_t i = 0; r == JL_OK && i < ids.len; i++) {
		uint32_t id = *JL_AT(ids, uint32_t, i);
		if (stay ? in_record(stay, jl_files_path(files, id)) : kept(e, inst, jl_files_path(files, id)))
			continue;
		jl_files_forget(files, id, false);
		r = dispose_file(e, id, err);
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
			r = dispose_globbed(e, inst, port, NULL, err);
			if (r != JL_OK)
				return r;
			continue;
		}
		r = make_parents(e, port->what, err);
		if (r == JL_OK && !kept(e, inst, jl_files_path(files, port->what)))
			r = dispose_port(e, port, err);
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
	tell_trash(e, jl_engine_label(e, inst));
	return r;
}

/* ---- comparing ---- */

static bool belongs(const struct jl_engine *e, const struct jl_inst *t, const struct jl_record_output *out)
{
	if (out->declared >= t->n_outs)
		return false;
	const struct jl_pport *port = jl_plan_port(&e->p->plan, t->outs + out->declared);
	if (port->flags & JL_PORT_GLOB)
		return jl_glob_match(jl_project_text(e->p, port->what), out->path);
	const char *path = jl_files_path(jl_engine_files(e), port->what);
	return port->flags & JL_PORT_FOLDER ? jl_path_inside(out->path, path) : strcmp(out->path, path) == 0;
}

static bool same_on_disk(struct jl_engine *e, const struct jl_record_output *out)
{
	struct jl_files *files = jl_engine_files(e);
	uint32_t id = jl_files_id(files, out->path, strlen(out->path));
	if (jl_files_digest(files, id, NULL) != JL_OK)
		return false;
	const struct jl_file *f = jl_file_at(files, id);
	if (jl_file_kind(f) != out->kind)
		return false;
	if (out->kind != JL_KIND_LINK && (f->stamp.mode & 0777) != (out->mode & 0777))
		return false;
	return out->kind == JL_KIND_DIR || jl_digest_equal(&f->digest, &out->content.digest);
}

/* How many there are on disk of what the record could have for a port: more than the record has means strangers. */
static bool no_strangers(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, uint32_t declared)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	const struct jl_pport *port = jl_plan_port(&e->p->plan, t->outs + declared);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	uint32_t n = 0;
	bool ok = true;
	if (port->flags & JL_PORT_EXCLUDE)
		return true;
	for (uint32_t i = 0; i < rec->n_outputs; i++)
		n += rec->outputs[i].declared == declared;
	if (port->flags & JL_PORT_GLOB)
		ok = jl_outputs_globbed(e, inst, port, &ids, NULL) == JL_OK && ids.len == n;
	else if (n == 0)
		ok = jl_files_stat(files, port->what, NULL) == JL_OK && jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_ABSENT;
	else if (port->flags & JL_PORT_FOLDER) {
		ok = jl_files_tree(files, port->what, &ids, NULL) == JL_OK;
		jl_outputs_exclude(e, t, &ids, 0);
		ok = ok && ids.len == n - 1;
	}
	jl_table_release(&ids);
	return ok;
}

bool jl_place_matches(struct jl_engine *e, uint32_t inst, const struct jl_record *rec)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	for (uint32_t i = 0; i < rec->n_outputs; i++)
		if (!belongs(e, t, &rec->outputs[i]) || !same_on_disk(e, &rec->outputs[i]))
			return false;
	for (uint32_t i = 0; i < t->n_outs; i++)
		if (!no_strangers(e, inst, rec, i))
			return false;
	/* Exactly what the store has: as good as made by jl. */
	for (uint32_t i = 0; i < rec->n_outputs; i++)
		jl_files_set_made(jl_engine_files(e), jl_files_id(jl_engine_files(e), rec->outputs[i].path, strlen(rec->outputs[i].path)), true);
	return true;
}

/* ---- restoring ---- */

static int write_content(struct jl_engine *e, const struct jl_record_output *out, int fd, struct jl_err *err)
{
	if (out->content.bytes || out->content.size == 0)
		return jl_file_write_all(&jl_io_system, fd, out->content.bytes, out->content.size, err);
	struct jl_store *store = jl_engine_store(e);
	return store ? store->ops->get_blob(store, &out->content.digest, out->content.size, fd, err) : JL_ENOTFOUND;
}

/* Make one output under a name in a folder. */
static int stage_one(struct jl_engine *e, const struct jl_record_output *out, int dir, const char *name, struct jl_err *err)
{
	int r = JL_OK, fd;
	if (out->kind == JL_KIND_LINK) {
		char *text = jl_strndup(out->content.bytes, out->content.size);
		if (symlinkat(text, dir, name) != 0)
			r = jl_err_sys(err, errno, "cannot make link \"%s\"", out->path);
		free(text);
		return r;
	}
	if (out->kind == JL_KIND_DIR) {
		if (mkdirat(dir, name, 0700) != 0)
			return jl_err_sys(err, errno, "cannot make folder \"%s\"", out->path);
		return JL_OK; /* its mode comes last: it may forbid writing */
	}
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot write \"%s\"", out->path);
	r = write_content(e, out, fd, err);
	if (r == JL_OK && fchmod(fd, out->mode & 0777) != 0)
		r = jl_err_sys(err, errno, "cannot set the mode of \"%s\"", out->path);
	if (close(fd) != 0 && r == JL_OK)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", out->path);
	return r;
}

/* A whole owned folder under a temporary name. */
static int stage_folder(struct jl_engine *e, const struct jl_record *rec, uint32_t first, uint32_t n, int dir, const char *temp,
                        struct jl_err *err)
{
	size_t root = strlen(rec->outputs[first].path);
	struct jl_buf name = JL_BUF_INIT;
	int r = JL_OK;
	for (uint32_t i = first; r == JL_OK && i < first + n; i++) {
		jl_buf_clear(&name);
		jl_buf_str(&name, temp);
		jl_buf_str(&name, rec->outputs[i].path + root);
		r = stage_one(e, &rec->outputs[i], dir, name.data, err);
	}
	for (uint32_t i = first + n; r == JL_OK && i-- > first;) {
		if (rec->outputs[i].kind != JL_KIND_DIR)
			continue;
		jl_buf_clear(&name);
		jl_buf_str(&name, temp);
		jl_buf_str(&name, rec->outputs[i].path + root);
		if (fchmodat(dir, name.data, rec->outputs[i].mode & 0777, 0) != 0)
			r = jl_err_sys(err, errno, "cannot set the mode of \"%s\"", rec->outputs[i].path);
	}
	jl_buf_release(&name);
	return r;
}

/* Outputs of one declared port stand together where it is a folder: the record is sorted by path, and a folder's content
 * sorts behind it with only such names between as "dir.x" or "dir-x", which belong to other ports. So gather by index. */
static void gather(const struct jl_record *rec, uint32_t declared, struct jl_table *out)
{
	out->len = 0;
	for (uint32_t i = 0; i < rec->n_outputs; i++)
		if (rec->outputs[i].declared == declared)
			*(struct jl_record_output *)jl_table_add(out, 1) = rec->outputs[i];
}

static void note_placed(struct jl_engine *e, const struct jl_record_output *out)
{
	struct jl_files *files = jl_engine_files(e);
	uint32_t id = jl_files_id(files, out->path, strlen(out->path));
	struct stat st;
	jl_files_forget(files, id, false);
	if (fstatat(files->root_fd, out->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		jl_files_set(files, id, &st, &out->content.digest, true);
}

/* One declared output put back: staged, what is in the way taken away, renamed. */
struct placing {
	int dir;
	char *name;       /* of the target in dir; own */
	char temp[128];   /* "" : nothing staged */
	struct jl_table outs; /* struct jl_record_output */
	const struct jl_pport *port;
};

static int stage_port(struct jl_engine *e, uint32_t declared, const struct jl_record *rec, const struct jl_inst *t,
                      struct placing *pl, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	const char *name;
	pl->port = jl_plan_port(&e->p->plan, t->outs + declared);
	gather(rec, declared, &pl->outs);
	if (pl->outs.len == 0 || (pl->port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE)))
		return JL_OK;
	const struct jl_record_output *out = pl->outs.data;
	if (!(pl->port->flags & JL_PORT_FOLDER) && same_on_disk(e, out)) {
		pl->outs.len = 0;
		pl->port = NULL; /* right already */
		jl_files_set_made(files, jl_files_id(files, out->path, strlen(out->path)), true);
		return JL_OK;
	}
	int r = make_parents(e, pl->port->what, err);
	if (r == JL_OK)
		r = open_parent(e, jl_files_path(files, pl->port->what), true, &pl->dir, &name, err);
	if (r != JL_OK)
		return r;
	pl->name = jl_strdup(name); /* the text table moves as paths are found */
	jl_file_temp_name(pl->temp, sizeof(pl->temp));
	if (!(pl->port->flags & JL_PORT_FOLDER))
		return stage_one(e, out, pl->dir, pl->temp, err);
	struct jl_record part = {.outputs = pl->outs.data, .n_outputs = pl->outs.len};
	return stage_folder(e, &part, 0, pl->outs.len, pl->dir, pl->temp, err);
}

static int commit_port(struct jl_engine *e, struct placing *pl, struct jl_err *err)
{
	if (!pl->port)
		return JL_OK;
	int r = dispose_port(e, pl->port, err);
	if (r == JL_OK && pl->temp[0]) {
		if (renameat(pl->dir, pl->temp, pl->dir, pl->name) != 0)
			return jl_err_sys(err, errno, "cannot put \"%s\" in place", jl_files_path(jl_engine_files(e), pl->port->what));
		pl->temp[0] = '\0';
		for (uint32_t i = 0; i < pl->outs.len; i++)
			note_placed(e, JL_AT(pl->outs, struct jl_record_output, i));
	}
	return r;
}

/* Outputs of a glob port: each a file of its own; done one after the other, each staged. */
static int place_globbed(struct jl_engine *e, uint32_t inst, struct placing *pl, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	int r = dispose_globbed(e, inst, pl->port, &pl->outs, err);
	for (uint32_t i = 0; r == JL_OK && i < pl->outs.len; i++) {
		const struct jl_record_output *out = JL_AT(pl->outs, struct jl_record_output, i);
		char temp[128];
		const char *name;
		int dir = -1;
		uint32_t id = jl_files_id(files, out->path, strlen(out->path));
		if (same_on_disk(e, out))
			continue;
		r = make_parents(e, id, err);
		if (r == JL_OK)
			r = open_parent(e, out->path, true, &dir, &name, err);
		if (r != JL_OK)
			return r;
		jl_file_temp_name(temp, sizeof(temp));
		r = stage_one(e, out, dir, temp, err);
		if (r == JL_OK)
			r = dispose_file(e, id, err);
		if (r == JL_OK && renameat(dir, temp, dir, name) != 0)
			r = jl_err_sys(err, errno, "cannot put \"%s\" in place", out->path);
		if (r != JL_OK)
			unlinkat(dir, temp, 0);
		else
			note_placed(e, out);
		close(dir);
	}
	return r;
}

int jl_place_restore(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct placing *at = jl_calloc(t->n_outs + 1, sizeof(*at));
	int r = JL_OK;
	for (uint32_t i = 0; i < t->n_outs; i++)
		at[i] = (struct placing){.dir = -1, .outs = JL_TABLE_INIT(struct jl_record_output)};
	for (uint32_t i = 0; i < rec->n_outputs && r == JL_OK; i++)
		if (!belongs(e, t, &rec->outputs[i]))
			r = jl_err_set(err, JL_ECORRUPT, "the stored result holds \"%s\", which the step does not make", rec->outputs[i].path);
	for (uint32_t i = 0; i < t->n_outs && r == JL_OK; i++)
		r = stage_port(e, i, rec, t, &at[i], err);
	for (uint32_t i = 0; i < t->n_outs && r == JL_OK; i++) {
		if (at[i].port && (at[i].port->flags & JL_PORT_EXCLUDE))
			continue;
		if (at[i].port && (at[i].port->flags & JL_PORT_GLOB))
			r = place_globbed(e, inst, &at[i], err);
		else
			r = commit_port(e, &at[i], err);
	}
	for (uint32_t i = 0; i < t->n_outs; i++) {
		if (at[i].temp[0] && at[i].dir >= 0)
			(void)!jl_file_remove(&jl_io_system, at[i].dir, at[i].temp, NULL);
		if (at[i].dir >= 0)
			close(at[i].dir);
		jl_table_release(&at[i].outs);
		free(at[i].name);
	}
	free(at);
	tell_trash(e, jl_engine_label(e, inst));
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
		    open_parent(e, path, false, &fd, &name, NULL) == JL_OK) {
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
		if (jl_expand_maker(e->p, g->file) == JL_NONE && dispose_port(e, &port, &err) != JL_OK)
			jl_engine_warn(e, NULL, "an output of a step that is no more stays: %s", err.text);
		if (res->flags & JL_RESULT_OK) {
			res->flags &= ~(uint32_t)JL_RESULT_OK;
			jl_results_touch(&e->p->state->results, g->result);
		}
	}
	e->p->gone.len = 0;
	tell_trash(e, NULL);
}
