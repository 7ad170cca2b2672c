/* The outputs of an instance: what they are now, what a command left, storing them. Paths are opened beneath the workspace:
 * nothing outside of it is ever looked at as an output. */
#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "memo/key.h"
#include "run/engine.h"
#include "run/expand.h"
#include "run/found.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Take out of `ids`, from index `from` on, what an exclusion among the outputs names. */
void jl_outputs_exclude(const struct jl_engine *e, const struct jl_inst *t, struct jl_table *ids, uint32_t from)
{
	uint32_t n = from;
	for (uint32_t i = from; i < ids->len; i++) {
		uint32_t id = *JL_AT(*ids, uint32_t, i);
		if (!jl_decide_excluded(e, t->outs, t->n_outs, jl_files_path(jl_engine_files(e), id)))
			*JL_AT(*ids, uint32_t, n++) = id;
	}
	ids->len = n;
}

int jl_outputs_globbed(struct jl_engine *e, uint32_t inst, const struct jl_pport *port, struct jl_table *ids,
		       struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	uint32_t from = ids->len, n = from;
	int r = jl_files_glob(files, jl_project_text(e->p, port->what), ids, err);
	jl_outputs_exclude(e, t, ids, from);
	for (uint32_t i = from; i < ids->len; i++) {
		uint32_t id = *JL_AT(*ids, uint32_t, i), maker = jl_expand_maker(e->p, id);
		bool other = (maker != JL_NONE && maker != inst) ||
			     jl_project_is_manifest(e->p, id);
		/* One that stands as an output of its own is not two. */
		for (uint32_t k = t->outs; k < t->outs + t->n_outs && !other; k++)
			other = (jl_plan_port(&e->p->plan, k)->flags & JL_PORT_DEPFILE) &&
				jl_plan_port(&e->p->plan, k)->what == id;
		for (uint32_t k = t->ins; k < t->ins + t->n_ins && !other; k++) {
			const struct jl_pport *in = jl_plan_port(&e->p->plan, k);
			other = !(in->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE)) && in->what == id;
		}
		if (!other)
			*JL_AT(*ids, uint32_t, n++) = id;
	}
	ids->len = n;
	return r;
}

int jl_outputs_list(struct jl_engine *e, uint32_t inst, struct jl_table *ids, struct jl_table *ports, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		uint32_t from = ids->len;
		int r = JL_OK;
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		if (port->flags & JL_PORT_GLOB) {
			r = jl_outputs_globbed(e, inst, port, ids, err);
		} else {
			*(uint32_t *)jl_table_add(ids, 1) = port->what;
			if (port->flags & JL_PORT_FOLDER)
				r = jl_files_tree(files, port->what, ids, err);
		}
		if (r != JL_OK)
			return r;
		if (port->flags & JL_PORT_FOLDER)
			jl_outputs_exclude(e, t, ids, from);
		for (; from < ids->len; from++)
			*(uint32_t *)jl_table_add(ports, 1) = i - t->outs;
	}
	return JL_OK;
}

bool jl_outputs_hash(struct jl_engine *e, uint32_t inst, struct jl_digest *ret)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t), ports = JL_TABLE_INIT(uint32_t);
	bool ok = jl_outputs_list(e, inst, &ids, &ports, NULL) == JL_OK;
	if (ok && ids.len > 64)
		ok = jl_files_digest_many(files, ids.data, ids.len, e->threads, NULL) == JL_OK;
	jl_buf_clear(&e->scratch);
	for (uint32_t i = 0; ok && i < ids.len; i++) {
		uint32_t id = *JL_AT(ids, uint32_t, i);
		const struct jl_pport *port = jl_plan_port(&e->p->plan, t->outs + *JL_AT(ports, uint32_t, i));
		ok = jl_files_digest(files, id, NULL) == JL_OK;
		const struct jl_file *f = jl_file_at(files, id);
		enum jl_kind kind = jl_file_kind(f);
		const char *path = jl_files_path(files, id);
		if (kind == JL_KIND_ABSENT && (port->flags & JL_PORT_OPTIONAL))
			continue;
		if (kind == JL_KIND_ABSENT || kind == JL_KIND_OTHER ||
		    (kind != JL_KIND_DIR && (port->flags & JL_PORT_FOLDER) && id == port->what))
			ok = false;
		jl_buf_u8(&e->scratch, kind);
		jl_buf_u32(&e->scratch, kind == JL_KIND_LINK ? 0 : f->stamp.mode & 0777);
		jl_buf_bytes(&e->scratch, path, strlen(path));
		if (kind != JL_KIND_DIR)
			jl_buf_add(&e->scratch, &f->digest, sizeof(f->digest));
	}
	if (ok)
		jl_digest_bytes(e->scratch.data, e->scratch.len, ret);
	jl_table_release(&ids);
	jl_table_release(&ports);
	return ok;
}

/* ---- collecting ---- */

void jl_outputs_release(struct jl_outputs *o)
{
	jl_table_release(&o->at);
	jl_arena_release(&o->arena);
}

static int collect_link(struct jl_engine *e, uint32_t file, struct jl_outputs *o, struct jl_record_output *out,
			struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	char text[4096];
	struct stat st;
	ssize_t n = readlinkat(files->root_fd, out->path, text, sizeof(text) - 1);
	if (n < 0 || fstatat(files->root_fd, out->path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return jl_err_sys(err, errno, "cannot read link \"%s\"", out->path);
	text[n] = '\0';
	if (!jl_path_link_inward(out->path, text))
		return jl_err_set(
			err, JL_EINVAL,
			"output \"%s\" is a link out of the workspace (to \"%s\"); make it a file or a relative "
			"link within",
			out->path, text);
	out->kind = JL_KIND_LINK;
	out->content.size = (uint64_t)n;
	out->content.bytes = jl_arena_strndup(&o->arena, text, (size_t)n);
	jl_digest_bytes_as(files->algo, text, (size_t)n, &out->content.digest);
	jl_files_set(files, file, &st, &out->content.digest, true);
	return JL_OK;
}

static int collect_file(struct jl_engine *e, uint32_t file, int fd, const struct stat *st, struct jl_outputs *o,
			struct jl_record_output *out, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	uint64_t size = 0;
	int r = JL_OK;
	out->kind = JL_KIND_FILE;
	if ((uint64_t)st->st_size <= JL_RECORD_INLINE_MAX) {
		char *bytes = jl_arena_alloc(&o->arena, (size_t)st->st_size + 1);
		ssize_t n = pread(fd, bytes, (size_t)st->st_size + 1, 0);
		if (n < 0)
			return jl_err_sys(err, errno, "cannot read output \"%s\"", out->path);
		size = (uint64_t)n;
		if (n == st->st_size) {
			out->content.bytes = bytes;
			jl_digest_bytes_as(files->algo, bytes, size, &out->content.digest);
		}
	} else {
		r = jl_digest_fd_as(files->algo, files->io, fd, &out->content.digest, &size, err);
	}
	if (r == JL_OK && size != (uint64_t)st->st_size)
		return jl_err_set(err, JL_ECHANGED, "output \"%s\" changes after the step has ended", out->path);
	if (r == JL_OK) {
		out->content.size = size;
		jl_files_set(files, file, st, &out->content.digest, true);
	}
	return r;
}

/* One path as it was left. Absent and optional: *ret_n stays. */
static int collect_one(struct jl_engine *e, uint32_t file, uint32_t declared, uint32_t flags, struct jl_outputs *o,
		       struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_record_output out = {.declared = declared};
	struct stat st;
	int r = JL_OK, fd;
	out.path = jl_arena_strdup(&o->arena, jl_files_path(files, file));
	fd = jl_file_open_beneath(files->root_fd, out.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 && errno == ELOOP) {
		r = collect_link(e, file, o, &out, err);
	} else if (fd < 0 && errno == EXDEV) {
		r = jl_err_set(err, JL_EINVAL, "output \"%s\" leads out of the workspace through a link", out.path);
	} else if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		if (flags & JL_PORT_OPTIONAL)
			return JL_OK;
		r = jl_err_set(err, JL_ENOTFOUND, "output \"%s\" was not made", out.path);
	} else if (fd < 0 && (errno == ENXIO || errno == EOPNOTSUPP)) {
		r = jl_err_set(err, JL_EINVAL, "output \"%s\" is neither a file nor a folder nor a link", out.path);
	} else if (fd < 0 || fstat(fd, &st) != 0) {
		r = jl_err_sys(err, errno, "cannot look at output \"%s\"", out.path);
	} else if (S_ISREG(st.st_mode) && !(flags & JL_PORT_FOLDER)) {
		out.mode = st.st_mode & 0777;
		r = collect_file(e, file, fd, &st, o, &out, err);
	} else if (S_ISDIR(st.st_mode)) {
		out.kind = JL_KIND_DIR;
		out.mode = st.st_mode & 0777;
		jl_files_set(files, file, &st, &(struct jl_digest){0}, true);
	} else if (S_ISREG(st.st_mode)) {
		r = jl_err_set(err, JL_EINVAL, "output \"%s/\" is a file, not a folder", out.path);
	} else {
		r = jl_err_set(err, JL_EINVAL, "output \"%s\" is neither a file nor a folder nor a link", out.path);
	}
	if (fd >= 0)
		close(fd);
	if (r == JL_OK)
		*(struct jl_record_output *)jl_table_add(&o->at, 1) = out;
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct jl_record_output *)a)->path, ((const struct jl_record_output *)b)->path);
}

int jl_outputs_collect(struct jl_engine *e, uint32_t inst, struct jl_outputs *ret, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	int r = JL_OK;
	*ret = (struct jl_outputs){.at = JL_TABLE_INIT(struct jl_record_output), .arena = JL_ARENA_INIT};
	for (uint32_t i = t->outs; i < t->outs + t->n_outs && r == JL_OK; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		ids.len = 0;
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		if (port->flags & JL_PORT_GLOB) {
			r = jl_outputs_globbed(e, inst, port, &ids, err);
			for (uint32_t k = 0; r == JL_OK && k < ids.len; k++)
				r = collect_one(e, *JL_AT(ids, uint32_t, k), i - t->outs, 0, ret, err);
			if (r == JL_OK && ids.len == 0 && !(port->flags & JL_PORT_OPTIONAL))
				r = jl_err_set(err, JL_ENOTFOUND, "no output \"%s\" was made",
					       jl_project_text(e->p, port->what));
			continue;
		}
		uint32_t before = ret->at.len;
		r = collect_one(e, port->what, i - t->outs, port->flags, ret, err);
		bool dir = r == JL_OK && ret->at.len > before &&
			   JL_AT(ret->at, struct jl_record_output, before)->kind == JL_KIND_DIR;
		if (dir && !(port->flags & JL_PORT_FOLDER))
			r = jl_err_set(err, JL_EINVAL, "output \"%s\" is a folder; declare it with a trailing slash",
				       jl_files_path(files, port->what));
		if (r == JL_OK && dir)
			r = jl_files_tree(files, port->what, &ids, err);
		jl_outputs_exclude(e, t, &ids, 0);
		for (uint32_t k = 0; r == JL_OK && k < ids.len; k++)
			r = collect_one(e, *JL_AT(ids, uint32_t, k), i - t->outs, 0, ret, err);
	}
	if (ret->at.len)
		qsort(ret->at.data, ret->at.len, sizeof(struct jl_record_output), by_path);
	jl_table_release(&ids);
	return r;
}

/* ---- storing ---- */

static int store_blob(struct jl_engine *e, const struct jl_record_output *out, struct jl_err *err)
{
	struct jl_store *store = e->store;
	int fd = jl_file_open_beneath(jl_engine_files(e)->root_fd, out->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot read output \"%s\"", out->path);
	int r = store->ops->put_blob(store, &out->content.digest, out->content.size, fd, err);
	close(fd);
	return r;
}

int jl_outputs_store(struct jl_engine *e, const struct jl_running *run, const struct jl_outputs *o,
		     const struct jl_content *log, int log_fd, struct jl_err *err)
{
	struct jl_store *store = jl_engine_store(e);
	struct jl_buf manifest = JL_BUF_INIT, bytes = JL_BUF_INIT;
	int r = store ? JL_OK : JL_EIO;
	for (uint32_t i = 0; r == JL_OK && i < o->at.len; i++) {
		const struct jl_record_output *out = JL_AT(o->at, struct jl_record_output, i);
		if (out->kind == JL_KIND_FILE && !out->content.bytes)
			r = store_blob(e, out, err);
	}
	/* Others may read it, to whom "local" says nothing. */
	const char *host = run->job.result.host;
	if (!host || strcmp(host, "local") == 0)
		host = e->p->host;
	struct jl_record rec = {
		.key = run->what.key,
		.created_ns = jl_clock_real_ns(),
		.wall_ns = run->job.result.wall_ns,
		.user_ns = run->job.result.user_ns,
		.sys_ns = run->job.result.sys_ns,
		.max_rss_kib = run->job.result.max_rss_kib,
		.label = jl_engine_label(e, run->inst),
		.host = host,
		.outputs = o->at.data,
		.n_outputs = o->at.len,
		.exit_code = run->job.result.exit_code,
		.log = *log,
	};
	if (r == JL_OK && !log->bytes) {
		r = store->ops->put_blob(store, &log->digest, log->size, log_fd, err);
	} else if (r == JL_OK && log->size > JL_RECORD_INLINE_MAX) {
		rec.log.bytes = NULL;
		r = store->ops->put_bytes(store, &log->digest, log->bytes, log->size, err);
	}
	if (r == JL_OK) {
		jl_decide_manifest(e, run->inst, &run->what, &manifest);
		rec.manifest = manifest.data;
		rec.manifest_len = manifest.len;
		r = jl_record_encode(&rec, &bytes, err);
	}
	if (r == JL_OK)
		r = store->ops->put_record(store, &rec.key, bytes.data, bytes.len, err);
	if (r == JL_OK && rec.exit_code == 0 && jl_engine_inst(e, run->inst)->flags & JL_INST_DEPFILE)
		jl_found_publish(e, run->inst, &run->what);
	jl_buf_release(&manifest);
	jl_buf_release(&bytes);
	return r;
}
