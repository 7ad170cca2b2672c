/* See found.h. In order: keys, what is known, taking in what a run found. */
#include "run/found.h"

#include "base/file.h"
#include "base/path.h"
#include "memo/depfile.h"
#include "memo/key.h"
#include "memo/variants.h"
#include "run/elsewhere.h"
#include "run/expand.h"
#include "run/shared.h"
#include "run/stamps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TICK_NS  (20 * JL_NS_MS) /* longer than a tick of any usual clock */
#define WHOLE_NS (2 * JL_NS_S)   /* where stamps have whole seconds only */

/* ---- keys ---- */

static struct jl_job_input *found_at(const struct jl_decided *d, uint32_t i)
{
	return JL_AT(d->found, struct jl_job_input, i);
}

static void full_key(struct jl_engine *e, const struct jl_decided *d, struct jl_digest *ret)
{
	jl_key_inputs_begin(&e->scratch, &d->base);
	for (uint32_t i = 0; i < d->found.len; i++) {
		const struct jl_job_input *in = found_at(d, i);
		jl_key_input(&e->scratch, in->kind, in->executable, jl_files_path(jl_engine_files(e), in->file),
			     &in->digest);
	}
	jl_key_inputs_end(&e->scratch, ret);
}

void jl_found_reset(struct jl_decided *d)
{
	d->key = d->base;
	d->found.len = 0;
	d->later = false;
}

/* ---- what is known ---- */

static const uint32_t *known(const struct jl_engine *e, uint32_t inst, uint32_t *ret_n)
{
	return jl_results_found(&e->p->state->results, jl_engine_inst(e, inst)->result, ret_n);
}

void jl_found_known(const struct jl_engine *e, uint32_t inst, struct jl_table *ids)
{
	uint32_t n;
	const uint32_t *files = known(e, inst, &n);
	if (n)
		memcpy(jl_table_add(ids, n), files, n * sizeof(*files));
}

bool jl_found_fresh(struct jl_engine *e, uint32_t inst, struct jl_decided *d)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_digest key;
	uint32_t n;
	const uint32_t *files = known(e, inst, &n);
	bool ok = true;
	for (uint32_t i = 0; i < n && ok; i++) {
		struct jl_job_input *in = jl_table_add(&d->found, 1);
		*in = (struct jl_job_input){.file = files[i], .port = JL_NONE};
		ok = jl_decide_look(e, t, in, NULL) == JL_OK;
	}
	if (ok)
		full_key(e, d, &key);
	if (!ok || !jl_digest_equal(&key, &jl_result_at(&e->p->state->results, t->result)->key)) {
		d->found.len = 0;
		return false;
	}
	d->key = key;
	return true;
}

/* The variants of a base key; NULL: none that can be used. *ret_keep: what is there is not ours to replace. */
static struct jl_variants *read_variants(struct jl_engine *e, uint32_t inst, const struct jl_digest *base,
					 bool *ret_keep)
{
	struct jl_store *store = jl_engine_store(e);
	struct jl_variants *v = NULL;
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	*ret_keep = false;
	if (!store) {
		jl_shared_missed(e, base);
		return NULL;
	}
	int r = store->ops->get_record(store, base, &bytes, &err);
	if (r == JL_OK) {
		r = jl_variants_decode(bytes.data, bytes.len, &v, &err);
		if (r == JL_OK && !jl_digest_equal(&v->base, base)) {
			jl_variants_free(v);
			v = NULL;
			r = JL_ECORRUPT;
		}
		*ret_keep = r == JL_EUNSUPPORTED;
		if (r == JL_ECORRUPT)
			(void)!store->ops->damaged_record(store, base, NULL); /* tells it, too */
	} else if (r == JL_ENOTFOUND) {
		jl_shared_missed(e, base);
	} else {
		jl_engine_warn(e, jl_engine_label(e, inst), "cannot read the store: %s", err.text);
	}
	jl_buf_release(&bytes);
	return v;
}

struct look {
	struct jl_engine *e;
	const struct jl_inst *t;
	const struct jl_variants *v;
	struct jl_job_input *now; /* by path */
	uint8_t *state;           /* by path: 0 not looked at, 1 looked at, 2 cannot be looked at */
};

/* Is the file now what it was in the variant? Each path is looked at once. */
static bool same_now(struct look *l, const struct jl_variant_file *f)
{
	const char *path = l->v->paths[f->path];
	struct jl_job_input *now = &l->now[f->path];
	if (!l->state[f->path]) {
		*now = (struct jl_job_input){.port = JL_NONE};
		now->file = jl_files_id(jl_engine_files(l->e), path, strlen(path));
		l->state[f->path] = jl_decide_look(l->e, l->t, now, NULL) == JL_OK ? 1 : 2;
	}
	return l->state[f->path] == 1 && now->kind == f->kind && now->executable == f->executable &&
	       jl_digest_equal(&now->digest, &f->digest);
}

/* The place of the first file that differs; the variant's number of files: none does. */
static uint32_t differs_at(struct look *l, const struct jl_variant *at)
{
	uint32_t i = 0;
	while (i < at->n && same_now(l, &l->v->files[at->files[i]]))
		i++;
	return i;
}

struct jl_record *jl_found_lookup(struct jl_engine *e, uint32_t inst, struct jl_decided *d)
{
	bool keep;
	struct jl_variants *v = read_variants(e, inst, &d->base, &keep);
	struct jl_record *rec = NULL;
	if (!v)
		return NULL;
	if (e->stamps)
		jl_stamps_load(jl_engine_files(e), e->stamps);
	struct look l = {.e = e, .t = jl_engine_inst(e, inst), .v = v};
	l.now = jl_calloc(v->n_paths + 1u, sizeof(*l.now));
	l.state = jl_calloc(v->n_paths + 1u, 1);
	for (uint32_t i = 0; i < v->n && !rec; i++) {
		const struct jl_variant *at = &v->at[i];
		uint32_t differs = differs_at(&l, at);
		if (differs < at->n) {
			const char *path = v->paths[v->files[at->files[differs]].path];
			if (i == 0)
				snprintf(d->reason, sizeof(d->reason), "\"%.150s\", which it used, changed", path);
			continue;
		}
		jl_variants_key(v, i, &e->scratch, &d->key);
		rec = jl_decide_record(e, inst, &d->key);
		if (!rec)
			continue;
		for (uint32_t k = 0; k < at->n; k++)
			*(struct jl_job_input *)jl_table_add(&d->found, 1) = l.now[v->files[at->files[k]].path];
		d->later = i > 0;
	}
	if (!rec) {
		jl_shared_missed(e, &d->base); /* others may have found other variants */
		jl_found_reset(d);
	}
	free(l.now);
	free(l.state);
	jl_variants_free(v);
	return rec;
}

void jl_found_publish(struct jl_engine *e, uint32_t inst, const struct jl_decided *d)
{
	struct jl_store *store = jl_engine_store(e);
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest front = {0};
	bool keep;
	if (!store)
		return;
	struct jl_variants *old = read_variants(e, inst, &d->base, &keep);
	if (old && old->n)
		jl_variants_key(old, 0, &e->scratch, &front);
	if (!keep && !jl_digest_equal(&front, &d->key)) {
		const char **paths = jl_alloc((d->found.len + 1u) * sizeof(*paths));
		struct jl_variant_file *files = jl_calloc(d->found.len + 1u, sizeof(*files));
		for (uint32_t i = 0; i < d->found.len; i++) {
			const struct jl_job_input *in = found_at(d, i);
			paths[i] = jl_files_path(jl_engine_files(e), in->file);
			files[i] = (struct jl_variant_file){
				.path = i, .executable = in->executable, .kind = in->kind, .digest = in->digest};
		}
		int r = jl_variants_add(old, &d->base, paths, files, d->found.len, &bytes, &err);
		if (r == JL_OK)
			r = store->ops->put_record(store, &d->base, bytes.data, bytes.len, &err);
		if (r != JL_OK)
			jl_engine_warn(e, jl_engine_label(e, inst), "cannot note in the store what it used: %s",
				       err.text);
		free(paths);
		free(files);
	}
	jl_variants_free(old);
	jl_buf_release(&bytes);
}

/* ---- taking in what a run found ---- */

void jl_found_start(struct jl_engine *e, struct jl_running *r)
{
	struct jl_files *files = jl_engine_files(e);
	int64_t until = jl_clock_coarse_ns() + TICK_NS;
	if (!(jl_engine_inst(e, r->inst)->flags & JL_INST_DEPFILE))
		return;
	r->since_ns = jl_files_now(files);
	while (r->since_ns <= e->began_stamp_ns + files->clock_offset_ns && jl_clock_coarse_ns() < until) {
		nanosleep(&(struct timespec){.tv_nsec = JL_NS_MS / 2}, NULL);
		r->since_ns = jl_files_now(files);
	}
}

struct taking {
	struct jl_engine *e;
	struct jl_running *r;
	const struct jl_inst *t;
	const char *workdir;      /* relative to the workspace */
	struct jl_table ids;      /* uint32_t: files named */
	struct jl_table declared; /* uint32_t, sorted: files of the inputs */
	uint32_t maker;           /* that was asked for last, and whether it is waited for */
	bool waited;
	char *reason;
	size_t size;
};

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int by_path(const void *a, const void *b, void *files)
{
	return strcmp(jl_files_path(files, *(const uint32_t *)a), jl_files_path(files, *(const uint32_t *)b));
}

/* Does the text go up again from a folder that it went into? Where that folder is a link, the clean path means another file. */
static bool goes_back(const char *path)
{
	bool down = false;
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");
		bool parent = len == 2 && at[0] == '.' && at[1] == '.';
		if (parent && down)
			return true;
		down |= len > 0 && !parent && !(len == 1 && at[0] == '.');
		at += len + (at[len] == '/');
	}
	return false;
}

/* A path of the depfile, clean: relative to the workspace if it was relative or leads into it, else absolute. */
static void place(const struct taking *k, const char *text, struct jl_buf *out)
{
	const char *root = k->e->p->root;
	struct jl_buf raw = JL_BUF_INIT;
	struct stat a, b;
	jl_buf_clear(out);
	jl_path_join(out, k->workdir, text);
	if (goes_back(text)) {
		int fd = jl_engine_files(k->e)->root_fd;
		if (text[0] != '/')
			jl_buf_printf(&raw, "%s/%s/", root, k->workdir);
		jl_buf_str(&raw, text);
		char *real = NULL;
		if (stat(raw.data, &a) == 0 && (fstatat(fd, out->data, &b, 0) != 0 || a.st_dev != b.st_dev ||
						a.st_ino != b.st_ino))
			real = realpath(raw.data, NULL);
		if (real) {
			jl_buf_clear(out);
			jl_buf_str(out, real);
		}
		free(real);
	}
	if (out->data[0] == '/' && strcmp(root, "/") != 0 && jl_path_inside(out->data, root)) {
		size_t skip = strlen(root) + (out->data[strlen(root)] == '/');
		jl_buf_clear(&raw);
		jl_buf_str(&raw, skip < out->len ? out->data + skip : ".");
		jl_buf_clear(out);
		jl_buf_str(out, raw.data);
	}
	jl_buf_release(&raw);
}

static bool is_declared(const struct taking *k, uint32_t file)
{
	return k->declared.len &&
	       bsearch(&file, k->declared.data, k->declared.len, sizeof(uint32_t), by_id) != NULL;
}

/* Declared inputs and outputs are no news, nor what lies in a folder that is one. */
static bool is_news(const struct taking *k, uint32_t file)
{
	struct jl_files *files = jl_engine_files(k->e);
	const char *path = jl_files_path(files, file);
	if (is_declared(k, file) || jl_decide_own_output(k->e, k->r->inst, k->t, file))
		return false;
	for (uint32_t dir = jl_file_at(files, file)->dir; dir != JL_NONE; dir = jl_file_at(files, dir)->dir)
		if (is_declared(k, dir) && jl_file_kind(jl_file_at(files, dir)) == JL_KIND_DIR &&
		    !jl_decide_excluded(k->e, k->t->ins, k->t->n_ins, path))
			return false;
	for (uint32_t i = k->t->outs; i < k->t->outs + k->t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&k->e->p->plan, i);
		if ((port->flags & JL_PORT_FOLDER) && !(port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE)) &&
		    jl_path_inside(path, jl_files_path(files, port->what)))
			return false;
	}
	return true;
}

/* Another step makes the file: does this one wait for it? */
static bool waited_for(struct taking *k, uint32_t file)
{
	struct jl_engine *e = k->e;
	uint32_t maker = jl_expand_maker(e->p, file), inst = k->r->inst;
	if (maker == JL_NONE || maker == inst)
		return false;
	if (maker == k->maker)
		return k->waited;
	k->maker = maker;
	k->waited = jl_select_waits(e, inst, maker);
	if (!k->waited)
		jl_engine_warn(e, jl_engine_label(e, inst),
			       "it used \"%s\", which step \"%s\" makes, without waiting for that; name it in \"inputs\" "
			       "or the step in \"after\"",
			       jl_files_path(jl_engine_files(e), file), jl_engine_label(e, maker));
	return k->waited;
}

/* The time of its last change, in terms of the start. */
static bool changed_since(const struct taking *k, uint32_t file)
{
	const struct jl_files *files = jl_engine_files(k->e);
	const struct jl_file *f = jl_file_at(files, file);
	int64_t at = f->stamp.ctime_ns;
	struct stat st;
	if (jl_file_kind(f) == JL_KIND_ABSENT)
		return false;
	if (jl_file_kind(f) == JL_KIND_LINK && fstatat(files->root_fd, jl_files_path(files, file), &st, 0) == 0) {
		int64_t there = st.st_ctim.tv_sec * JL_NS_S + st.st_ctim.tv_nsec;
		at = there > at ? there : at;
	}
	return at + (at % JL_NS_S ? 0 : WHOLE_NS) >= k->r->since_ns;
}

/* Look at one file as it is after the run. */
static bool take_file(struct taking *k, uint32_t file)
{
	struct jl_files *files = jl_engine_files(k->e);
	struct jl_job_input *in = jl_table_add(&k->r->what.found, 1);
	struct jl_err err = JL_ERR_INIT;
	*in = (struct jl_job_input){.file = file, .port = JL_NONE};
	jl_files_forget(files, file, false);
	if (jl_decide_look(k->e, k->t, in, &err) != JL_OK) {
		snprintf(k->reason, k->size, "%.*s", (int)k->size - 1, err.text);
		return false;
	}
	/* What jl made before and is as it was has not changed, however late that was. */
	bool before = waited_for(k, file) && (jl_file_at(files, file)->flags & JL_FILE_MADE);
	if (before || !changed_since(k, file))
		return true;
	snprintf(k->reason, k->size, "\"%.150s\", which it used, changed while it ran", jl_files_path(files, file));
	return false;
}

static bool take_all(struct taking *k)
{
	struct jl_files *files = jl_engine_files(k->e);
	uint32_t n = 0, *ids = k->ids.data;
	bool ok = true;
	if (k->ids.len)
		qsort(ids, k->ids.len, sizeof(*ids), by_id);
	for (uint32_t i = 0; i < k->ids.len; i++)
		if ((i == 0 || ids[i] != ids[i - 1]) && is_news(k, ids[i]))
			ids[n++] = ids[i];
	if (n)
		qsort_r(ids, n, sizeof(*ids), by_path, files);
	for (uint32_t i = 0; i < n && ok; i++)
		ok = take_file(k, ids[i]);
	return ok;
}

/* Does the state of the file here say what the step used? In a folder of its own on another host there are its declared
 * inputs, what it made itself, and the host's own files, none of which is news. In a workspace that the host has, too, what
 * lies outside of it may be the host's own. */
static bool is_ours(const struct taking *k, const char *path)
{
	if (!jl_elsewhere_is(k->e, k->r))
		return true;
	return jl_elsewhere_shared(k->e, k->r->inst) && path[0] != '/' && !jl_path_escapes(path);
}

/* The files that the depfile names, as it was left. */
static bool read_depfile(struct taking *k, const char *path)
{
	struct jl_files *files = jl_engine_files(k->e);
	struct jl_buf text, deps = JL_BUF_INIT, clean = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	uint32_t n = 0;
	jl_buf_init(&text, JL_DEPFILE_MAX);
	int r = jl_file_read(&jl_io_system, files->root_fd, path, &text, &err);
	if (r == JL_ENOTFOUND)
		snprintf(k->reason, k->size, "its depfile \"%.150s\" was not written", path);
	else if (r == JL_OK)
		r = jl_depfile_parse(text.data, text.len, &deps, &n, &err);
	if (r != JL_OK && r != JL_ENOTFOUND)
		snprintf(k->reason, k->size, "its depfile \"%.100s\" cannot be used: %.100s", path, err.text);
	const char *dep = deps.data;
	for (uint32_t i = 0; r == JL_OK && i < n; i++) {
		place(k, dep, &clean);
		if (is_ours(k, clean.data))
			*(uint32_t *)jl_table_add(&k->ids, 1) = jl_files_id(files, clean.data, clean.len);
		dep += strlen(dep) + 1;
	}
	jl_buf_release(&text);
	jl_buf_release(&deps);
	jl_buf_release(&clean);
	return r == JL_OK;
}

bool jl_found_take(struct jl_engine *e, struct jl_running *r, char *reason, size_t size)
{
	const struct jl_inst *t = jl_engine_inst(e, r->inst);
	struct jl_table room = JL_TABLE_INIT(char *);
	struct jl_spec spec;
	struct taking k = {.e = e,
			   .r = r,
			   .t = t,
			   .ids = JL_TABLE_INIT(uint32_t),
			   .declared = JL_TABLE_INIT(uint32_t),
			   .maker = JL_NONE,
			   .reason = reason,
			   .size = size};
	uint32_t port = jl_plan_depfile(&e->p->plan, t);
	bool ok = true;
	if (port == JL_NONE)
		return true;
	jl_found_reset(&r->what);
	jl_plan_spec(&e->p->plan, t->spec, &room, &spec);
	k.workdir = spec.workdir;
	for (uint32_t i = 0; i < r->what.inputs.len; i++)
		*(uint32_t *)jl_table_add(&k.declared, 1) = JL_AT(r->what.inputs, struct jl_job_input, i)->file;
	if (k.declared.len)
		qsort(k.declared.data, k.declared.len, sizeof(uint32_t), by_id);
	char *path = jl_strdup(jl_files_path(jl_engine_files(e), jl_plan_port(&e->p->plan, port)->what));
	ok = read_depfile(&k, path) && take_all(&k);
	if (ok)
		full_key(e, &r->what, &r->what.key);
	else
		jl_found_reset(&r->what);
	free(path);
	jl_table_release(&room);
	jl_table_release(&k.ids);
	jl_table_release(&k.declared);
	return ok;
}
