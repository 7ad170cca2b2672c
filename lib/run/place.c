/* Comparing stored outputs with what lies there, and putting them back: everything is staged beside its target, then renamed,
 * so a crash or a missing blob leaves what was there. */
#include "base/clock.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "run/engine.h"
#include "run/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
		ok = jl_files_stat(files, port->what, NULL) == JL_OK &&
		     jl_file_kind(jl_file_at(files, port->what)) == JL_KIND_ABSENT;
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
		jl_files_set_made(jl_engine_files(e),
				  jl_files_id(jl_engine_files(e), rec->outputs[i].path, strlen(rec->outputs[i].path)),
				  true);
	return true;
}

/* ---- restoring ---- */

/* The present time, as files get it, less a nanosecond. A restored file bears it, and no write gives a file such a time: so what
 * is written to it a moment later is told from its stamp, and it need not be read again (jl_files_trust). */
static void set_time(struct jl_engine *e)
{
	e->placed_ns = jl_clock_coarse_ns() - 1;
}

static int write_content(struct jl_engine *e, const struct jl_record_output *out, int fd, struct jl_err *err)
{
	if (out->content.bytes || out->content.size == 0)
		return jl_file_write_all(&jl_io_system, fd, out->content.bytes, out->content.size, err);
	struct jl_store *store = jl_engine_store(e);
	return store ? store->ops->get_blob(store, &out->content.digest, out->content.size, fd, err) : JL_ENOTFOUND;
}

/* Make one output under a name in a folder. */
static int stage_one(struct jl_engine *e, const struct jl_record_output *out, int dir, const char *name,
		     struct jl_err *err)
{
	const struct timespec mtime = {.tv_sec = e->placed_ns / JL_NS_S, .tv_nsec = e->placed_ns % JL_NS_S};
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
	if (r == JL_OK)
		(void)futimens(fd, (struct timespec[2]){mtime, mtime}); /* without it, it is read again later */
	if (close(fd) != 0 && r == JL_OK)
		r = jl_err_sys(err, errno, "cannot write \"%s\"", out->path);
	return r;
}

/* A whole owned folder under a temporary name. */
static int stage_folder(struct jl_engine *e, const struct jl_record *rec, uint32_t first, uint32_t n, int dir,
			const char *temp, struct jl_err *err)
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
	if (fstatat(files->root_fd, out->path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	jl_files_set(files, id, &st, &out->content.digest, true);
	if ((int64_t)st.st_mtim.tv_sec * JL_NS_S + st.st_mtim.tv_nsec == e->placed_ns)
		jl_files_trust(files, id);
}

/* One declared output put back: staged, what is in the way taken away, renamed. */
struct placing {
	int dir;
	char *name;           /* of the target in dir; own */
	char temp[128];       /* "" : nothing staged */
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
	int r = jl_room_make_parents(e, pl->port->what, err);
	if (r == JL_OK)
		r = jl_room_open_parent(e, jl_files_path(files, pl->port->what), true, &pl->dir, &name, err);
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
	int r = jl_room_dispose_port(e, pl->port, err);
	if (r == JL_OK && pl->temp[0]) {
		if (renameat(pl->dir, pl->temp, pl->dir, pl->name) != 0)
			return jl_err_sys(err, errno, "cannot put \"%s\" in place",
					  jl_files_path(jl_engine_files(e), pl->port->what));
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
	int r = jl_room_dispose_globbed(e, inst, pl->port, &pl->outs, err);
	for (uint32_t i = 0; r == JL_OK && i < pl->outs.len; i++) {
		const struct jl_record_output *out = JL_AT(pl->outs, struct jl_record_output, i);
		char temp[128];
		const char *name;
		int dir = -1;
		uint32_t id = jl_files_id(files, out->path, strlen(out->path));
		if (same_on_disk(e, out))
			continue;
		r = jl_room_make_parents(e, id, err);
		if (r == JL_OK)
			r = jl_room_open_parent(e, out->path, true, &dir, &name, err);
		if (r != JL_OK)
			return r;
		jl_file_temp_name(temp, sizeof(temp));
		r = stage_one(e, out, dir, temp, err);
		if (r == JL_OK)
			r = jl_room_dispose_file(e, id, err);
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
	set_time(e);
	for (uint32_t i = 0; i < t->n_outs; i++)
		at[i] = (struct placing){.dir = -1, .outs = JL_TABLE_INIT(struct jl_record_output)};
	for (uint32_t i = 0; i < rec->n_outputs && r == JL_OK; i++)
		if (!belongs(e, t, &rec->outputs[i]))
			r = jl_err_set(err, JL_ECORRUPT, "the stored result holds \"%s\", which the step does not make",
				       rec->outputs[i].path);
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
	jl_room_tell(e, jl_engine_label(e, inst));
	return r;
}

/* ---- putting back among what is there ---- */

struct merging { /* a file or link on its way */
	const struct jl_record_output *out;
	int dir;
	char *name; /* of the target in dir; own */
	char temp[128];
};

static int stage_merged(struct jl_engine *e, const struct jl_record_output *out, struct jl_table *all,
			struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	const char *name;
	int dir = -1;
	if (same_on_disk(e, out))
		return JL_OK;
	int r = jl_room_make_parents(e, jl_files_id(files, out->path, strlen(out->path)), err);
	if (r == JL_OK)
		r = jl_room_open_parent(e, out->path, true, &dir, &name, err);
	if (r != JL_OK)
		return r;
	struct merging *m = jl_table_add(all, 1);
	*m = (struct merging){.out = out, .dir = dir, .name = jl_strdup(name)};
	if (out->kind == JL_KIND_DIR) { /* at once, for what goes into it; its mode comes last */
		if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
			return jl_err_sys(err, errno, "cannot make folder \"%s\"", out->path);
		jl_files_forget(files, jl_files_id(files, out->path, strlen(out->path)), true);
		return JL_OK;
	}
	jl_file_temp_name(m->temp, sizeof(m->temp));
	return stage_one(e, out, dir, m->temp, err);
}

static int commit_merged(struct jl_engine *e, struct merging *m, struct jl_err *err)
{
	if (m->out->kind == JL_KIND_DIR) {
		if (fchmodat(m->dir, m->name, m->out->mode & 0777, 0) != 0)
			return jl_err_sys(err, errno, "cannot set the mode of \"%s\"", m->out->path);
	} else if (renameat(m->dir, m->temp, m->dir, m->name) != 0) {
		return jl_err_sys(err, errno, "cannot put \"%s\" in place", m->out->path);
	}
	m->temp[0] = '\0';
	note_placed(e, m->out);
	return JL_OK;
}

int jl_place_merge(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, bool *ret_fresh, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_table all = JL_TABLE_INIT(struct merging);
	int r = JL_OK;
	set_time(e);
	for (uint32_t i = 0; i < rec->n_outputs && r == JL_OK; i++)
		if (!belongs(e, t, &rec->outputs[i]))
			r = jl_err_set(err, JL_ECORRUPT, "the stored result holds \"%s\", which was not asked for",
				       rec->outputs[i].path);
	for (uint32_t i = 0; i < rec->n_outputs && r == JL_OK; i++)
		r = stage_merged(e, &rec->outputs[i], &all, err);
	/* From the last to the first: a folder's mode may forbid what is done in it. */
	for (uint32_t i = all.len; r == JL_OK && i-- > 0;)
		r = commit_merged(e, JL_AT(all, struct merging, i), err);
	*ret_fresh = all.len == 0;
	for (uint32_t i = 0; i < all.len; i++) {
		struct merging *m = JL_AT(all, struct merging, i);
		if (m->temp[0])
			unlinkat(m->dir, m->temp, 0);
		close(m->dir);
		free(m->name);
	}
	jl_table_release(&all);
	return r;
}
