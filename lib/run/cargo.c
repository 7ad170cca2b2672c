/* What travels with an instance: see cargo.h. */
#include "run/cargo.h"

#include "base/path.h"
#include "run/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MOST 40u /* one behind the other, as the kernel has it */

void jl_cargo_init(struct jl_cargo_room *c)
{
	*c = (struct jl_cargo_room){.ins = JL_TABLE_INIT(struct jl_cargo_in),
				    .outs = JL_TABLE_INIT(struct jl_cargo_out),
				    .seen = JL_TABLE_INIT(uint8_t),
				    .marked = JL_TABLE_INIT(uint32_t),
				    .arena = JL_ARENA_INIT};
}

void jl_cargo_release(struct jl_cargo_room *c)
{
	jl_table_release(&c->ins);
	jl_table_release(&c->outs);
	jl_table_release(&c->seen);
	jl_table_release(&c->marked);
	jl_arena_release(&c->arena);
}

/* Is it new? Folders above are not looked at: making a file makes them. */
static bool mark(struct jl_cargo_room *c, uint32_t file)
{
	if (c->seen.len <= file)
		jl_table_add(&c->seen, file + 1 - c->seen.len);
	uint8_t *seen = JL_AT(c->seen, uint8_t, file);
	if (*seen)
		return false;
	*seen = 1;
	*(uint32_t *)jl_table_add(&c->marked, 1) = file;
	return true;
}

static int add_file(struct jl_cargo_room *c, struct jl_engine *e, const struct jl_inst *t, uint32_t file, unsigned links,
		    struct jl_err *err);

static int add_link(struct jl_cargo_room *c, struct jl_engine *e, const struct jl_inst *t, struct jl_cargo_in *in, unsigned links,
		    struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_buf dir = JL_BUF_INIT, target = JL_BUF_INIT;
	char text[4096];
	ssize_t n = readlinkat(files->root_fd, in->path, text, sizeof(text) - 1);
	if (n < 0)
		return jl_err_sys(err, errno, "cannot read link \"%s\"", in->path);
	text[n] = '\0';
	in->text = jl_arena_strdup(&c->arena, text);
	*(struct jl_cargo_in *)jl_table_add(&c->ins, 1) = *in;
	jl_buf_add(&dir, in->path, jl_path_base(in->path, strlen(in->path)));
	jl_path_join(&target, dir.len ? dir.data : ".", text);
	int r = JL_OK;
	if (links == 0)
		r = jl_err_set(err, JL_EINVAL, "input \"%s\" is a chain of too many links", in->path);
	else
		r = add_file(c, e, t, jl_files_id(files, target.data, target.len), links - 1, err);
	jl_buf_release(&dir);
	jl_buf_release(&target);
	return r;
}

/* One file, link (and what it leads to) or folder (and all that is in it). */
static int add_file(struct jl_cargo_room *c, struct jl_engine *e, const struct jl_inst *t, uint32_t file, unsigned links,
		    struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	int r = jl_files_digest(files, file, err);
	if (r != JL_OK || !mark(c, file))
		return r;
	const struct jl_file *f = jl_file_at(files, file);
	struct jl_cargo_in in = {.path = jl_arena_strdup(&c->arena, jl_files_path(files, file)),
				 .kind = jl_file_kind(f),
				 .mode = f->stamp.mode & 0777,
				 .size = (uint64_t)f->stamp.size,
				 .digest = f->digest};
	if (in.kind == JL_KIND_ABSENT)
		return JL_OK;
	if (jl_path_escapes(in.path) && c->cargo.shared)
		return JL_OK; /* there it is what it is there */
	if (jl_path_escapes(in.path))
		return jl_err_set(err, JL_EINVAL,
				  "input \"%s\" lies outside of the workspace and cannot be brought to another host; "
				  "\"executor: local\" runs the step here", in.path);
	if (in.kind == JL_KIND_LINK)
		return add_link(c, e, t, &in, links, err);
	if (in.kind == JL_KIND_FILE || strcmp(in.path, ".") != 0)
		*(struct jl_cargo_in *)jl_table_add(&c->ins, 1) = in;
	if (in.kind != JL_KIND_DIR)
		return JL_OK;
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	r = jl_files_tree(files, file, &ids, err);
	for (uint32_t i = 0; r == JL_OK && i < ids.len; i++) {
		uint32_t id = *JL_AT(ids, uint32_t, i);
		if (jl_decide_excluded(e, t->ins, t->n_ins, jl_files_path(files, id)))
			continue;
		r = jl_files_digest(files, id, err);
		if (r == JL_OK && jl_file_kind(jl_file_at(files, id)) == JL_KIND_DIR) {
			/* Its files stand in the same list. */
			if (mark(c, id))
				*(struct jl_cargo_in *)jl_table_add(&c->ins, 1) = (struct jl_cargo_in){
					.path = jl_arena_strdup(&c->arena, jl_files_path(files, id)), .kind = JL_KIND_DIR};
		} else if (r == JL_OK) {
			r = add_file(c, e, t, id, links, err);
		}
	}
	jl_table_release(&ids);
	return r;
}

static void add_outputs(struct jl_cargo_room *c, struct jl_engine *e, const struct jl_inst *t)
{
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		bool text = port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE);
		const char *path = text ? jl_project_text(e->p, port->what) : jl_files_path(jl_engine_files(e), port->what);
		struct jl_cargo_out out = {.path = jl_arena_strdup(&c->arena, path)};
		out.flags = (port->flags & JL_PORT_FOLDER ? JL_CARGO_FOLDER : 0) |
			    (port->flags & JL_PORT_GLOB ? JL_CARGO_GLOB : 0) |
			    (port->flags & JL_PORT_EXCLUDE ? JL_CARGO_EXCLUDE : 0);
		*(struct jl_cargo_out *)jl_table_add(&c->outs, 1) = out;
		if (port->flags & JL_PORT_STDOUT)
			c->cargo.stream[1] = out.path;
		if (port->flags & JL_PORT_STDERR)
			c->cargo.stream[2] = out.path;
	}
}

/* An output that the store has need not come over. */
static int have(void *ctx, const struct jl_digest *digest, uint64_t size, int dst_fd)
{
	struct jl_engine *e = ctx;
	struct jl_store *store = jl_engine_store(e);
	if (!store || e->opts->cache == JL_CACHE_WO)
		return JL_ENOTFOUND;
	int r = store->ops->has_blob(store, digest, NULL);
	return r == 1 ? store->ops->get_blob(store, digest, size, dst_fd, NULL) : JL_ENOTFOUND;
}

static void set_ins(struct jl_cargo_room *c)
{
	c->cargo.ins = c->ins.data;
	c->cargo.n_ins = c->ins.len;
}

int jl_cargo_make(struct jl_cargo_room *c, struct jl_engine *e, const struct jl_running *run, const char *workdir,
		  bool shared, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, run->inst);
	int r = JL_OK;
	for (uint32_t i = 0; i < c->marked.len; i++)
		*JL_AT(c->seen, uint8_t, *JL_AT(c->marked, uint32_t, i)) = 0;
	c->marked.len = c->ins.len = c->outs.len = 0;
	jl_arena_release(&c->arena);
	c->cargo = (struct jl_cargo){.root_fd = jl_engine_files(e)->root_fd,
				     .algo = jl_engine_files(e)->algo,
				     .shared = shared ? e->p->root : NULL,
				     .have = have,
				     .have_ctx = e};
	for (uint32_t i = 0; r == JL_OK && i < run->what.inputs.len; i++) {
		const struct jl_job_input *in = JL_AT(run->what.inputs, struct jl_job_input, i);
		r = add_file(c, e, t, in->file, LINKS_MOST, err);
		if (r == JL_OK && jl_plan_port(&e->p->plan, in->port)->flags & JL_PORT_STDIN)
			c->cargo.stream[0] = jl_arena_strdup(&c->arena, jl_files_path(jl_engine_files(e), in->file));
	}
	add_outputs(c, e, t);
	c->cargo.workdir = jl_arena_strdup(&c->arena, workdir[0] ? workdir : ".");
	set_ins(c);
	c->cargo.outs = c->outs.data;
	c->cargo.n_outs = c->outs.len;
	return r;
}

int jl_cargo_add(struct jl_cargo_room *c, struct jl_engine *e, uint32_t inst, const char *path, struct jl_err *err)
{
	uint32_t file = jl_files_id(jl_engine_files(e), path, strlen(path));
	int r = add_file(c, e, jl_engine_inst(e, inst), file, LINKS_MOST, err);
	set_ins(c);
	return r;
}

void jl_cargo_stdin(struct jl_cargo_room *c, int fd, uint64_t size, const struct jl_digest *digest)
{
	*(struct jl_cargo_in *)jl_table_add(&c->ins, 1) = (struct jl_cargo_in){.path = JL_CARGO_STDIN,
									       .kind = JL_KIND_FILE,
									       .mode = 0600,
									       .size = size,
									       .digest = *digest,
									       .fd = fd};
	c->cargo.stream[0] = JL_CARGO_STDIN;
	set_ins(c);
}
