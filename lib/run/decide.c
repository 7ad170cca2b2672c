/* Must it run? The one decision code of run and plan: resolve the inputs, make the key, compare with the state, then with the
 * store. */
#include "base/glob.h"
#include "base/path.h"
#include "memo/key.h"
#include "run/engine.h"
#include "run/expand.h"
#include "run/found.h"
#include "run/move.h"
#include "run/scope.h"
#include "run/secrets.h"
#include "run/shared.h"
#include "run/why.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_DEPTH 40 /* as the kernel's own limit */
#define TREES_MAX  64 /* input folders whose digest is kept: looked through one by one */

bool jl_decide_excluded(const struct jl_engine *e, uint32_t first, uint32_t n, const char *path)
{
	for (uint32_t i = first; i < first + n; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (!(port->flags & JL_PORT_EXCLUDE))
			continue;
		const char *pattern = jl_project_text(e->p, port->what);
		size_t len = strlen(pattern);
		if (len > 0 && pattern[len - 1] == '/' ? strncmp(path, pattern, len) == 0
						       : jl_glob_match(pattern, path))
			return true;
	}
	return false;
}

static bool excluded(const struct jl_engine *e, const struct jl_inst *t, const char *path)
{
	return jl_decide_excluded(e, t->ins, t->n_ins, path);
}

bool jl_decide_own_output(const struct jl_engine *e, uint32_t inst, const struct jl_inst *t, uint32_t file)
{
	const char *path = jl_files_path(jl_engine_files(e), file);
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		if (!(port->flags & JL_PORT_GLOB) ? port->what == file
						  : jl_glob_match(jl_project_text(e->p, port->what), path) &&
							    !jl_decide_excluded(e, t->outs, t->n_outs, path))
			return true;
	}
	return jl_plan_head(&e->p->plan)->has_folders && jl_expand_maker(e->p, file) == inst;
}

static struct jl_job_input *add_input(struct jl_decided *d, uint32_t file, uint32_t port)
{
	struct jl_job_input *in = jl_table_add(&d->inputs, 1);
	in->file = file;
	in->port = port;
	return in;
}

/* The files that the ports mean now, and the command for them. */
static int resolve(struct jl_engine *e, uint32_t inst, struct jl_decided *d, struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	for (uint32_t i = t->ins; i < t->ins + t->n_ins; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (port->flags & JL_PORT_EXCLUDE)
			continue;
		if (!(port->flags & JL_PORT_GLOB)) {
			add_input(d, port->what, i);
			continue;
		}
		e->ids.len = 0;
		int r = jl_files_glob(files, jl_project_text(e->p, port->what), &e->ids, err);
		if (r != JL_OK)
			return r;
		for (uint32_t k = 0; k < e->ids.len; k++) {
			uint32_t file = *JL_AT(e->ids, uint32_t, k);
			if (!excluded(e, t, jl_files_path(files, file)) && !jl_decide_own_output(e, inst, t, file))
				add_input(d, file, i);
		}
	}
	if (!(t->flags & JL_INST_GLOBS))
		return JL_OK;
	struct jl_table ids = JL_TABLE_INIT(uint32_t), ports = JL_TABLE_INIT(uint32_t);
	jl_buf_clear(&e->scratch);
	for (uint32_t i = 0; i < d->inputs.len; i++) {
		const struct jl_job_input *in = JL_AT(d->inputs, struct jl_job_input, i);
		if (jl_plan_port(&e->p->plan, in->port)->flags & (JL_PORT_IMPLIED | JL_PORT_HIDDEN))
			continue;
		*(uint32_t *)jl_table_add(&ids, 1) = in->file;
		*(uint32_t *)jl_table_add(&ports, 1) = in->port;
		const char *path = jl_files_path(files, in->file);
		jl_buf_add(&e->scratch, path, strlen(path) + 1);
	}
	int r = jl_expand_command(e->p, inst, ids.data, ports.data, ids.len, jl_hash64(e->scratch.data, e->scratch.len),
				  err);
	jl_table_release(&ids);
	jl_table_release(&ports);
	return r;
}

/* A folder as an input: the digest over what is in it. */
static int digest_tree(struct jl_engine *e, const struct jl_inst *t, uint32_t folder, struct jl_digest *ret,
		       struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	struct jl_tree_digest tree;
	const char *top = jl_files_path(files, folder);
	size_t root = strcmp(top, ".") == 0 ? 0 : strlen(top) + 1;
	int r = jl_files_tree(files, folder, &ids, err);
	if (r == JL_OK)
		r = jl_files_digest_many(files, ids.data, ids.len, e->threads, err);
	jl_tree_digest_init(&tree, files->algo);
	for (uint32_t i = 0; r == JL_OK && i < ids.len; i++) {
		const struct jl_file *f = jl_file_at(files, *JL_AT(ids, uint32_t, i));
		const char *path = jl_text(files->text, f->text);
		enum jl_kind kind = jl_file_kind(f);
		if (kind == JL_KIND_OTHER)
			r = jl_err_set(err, JL_EINVAL, "input \"%s\" is neither a file nor a folder", path);
		else if (!excluded(e, t, path))
			jl_tree_digest_add(&tree, kind, kind == JL_KIND_FILE && (f->stamp.mode & 0100), path + root,
					   &f->digest);
	}
	jl_tree_digest_end(&tree, ret);
	jl_table_release(&ids);
	return r;
}

/* The same, once for all instances that have the folder, as long as nothing is looked at anew. */
static int look_tree(struct jl_engine *e, const struct jl_inst *t, uint32_t folder, struct jl_digest *ret,
		     struct jl_err *err)
{
	const struct jl_files *files = jl_engine_files(e);
	struct jl_tree_known *k = NULL;
	for (uint32_t i = t->ins; i < t->ins + t->n_ins; i++)
		if (jl_plan_port(&e->p->plan, i)->flags & JL_PORT_EXCLUDE)
			return digest_tree(e, t, folder, ret, err);
	for (uint32_t i = 0; i < e->trees.len && !k; i++)
		if (JL_AT(e->trees, struct jl_tree_known, i)->folder == folder)
			k = JL_AT(e->trees, struct jl_tree_known, i);
	if (k && k->forgets == files->forgets) {
		*ret = k->digest;
		return JL_OK;
	}
	uint64_t forgets = files->forgets;
	int r = digest_tree(e, t, folder, ret, err);
	if (r != JL_OK || (!k && e->trees.len == TREES_MAX))
		return r;
	if (!k)
		k = jl_table_add(&e->trees, 1);
	*k = (struct jl_tree_known){.folder = folder, .forgets = forgets, .digest = *ret};
	return JL_OK;
}

/* What a link points to, as one more digest mixed into its own; a path out of the workspace is followed too. */
static int look_link(struct jl_engine *e, const struct jl_inst *t, uint32_t link, unsigned depth, struct jl_digest *ret,
		     struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	const char *path = jl_files_path(files, link);
	struct jl_buf dir = JL_BUF_INIT, target = JL_BUF_INIT, mix = JL_BUF_INIT;
	char text[4096];
	ssize_t n = readlinkat(files->root_fd, path, text, sizeof(text) - 1);
	int r = JL_OK;
	if (n < 0 || depth == 0) {
		r = n < 0 ? jl_err_sys(err, errno, "cannot read link \"%s\"", path)
			  : jl_err_set(err, JL_EINVAL, "input \"%s\" is a chain of too many links", path);
		goto out;
	}
	text[n] = '\0';
	jl_buf_add(&mix, &jl_file_at(files, link)->digest, sizeof(struct jl_digest));
	jl_buf_add(&dir, path, jl_path_base(path, strlen(path)));
	jl_path_join(&target, dir.len ? dir.data : ".", text);
	uint32_t id = jl_files_id(files, target.data, target.len);
	struct jl_digest there = {0};
	r = jl_files_digest(files, id, err);
	if (r != JL_OK)
		goto out;
	enum jl_kind kind = jl_file_kind(jl_file_at(files, id));
	if (kind == JL_KIND_DIR)
		r = look_tree(e, t, id, &there, err);
	else if (kind == JL_KIND_LINK)
		r = look_link(e, t, id, depth - 1, &there, err);
	else
		there = jl_file_at(files, id)->digest;
	jl_buf_u8(&mix, kind);
	jl_buf_u8(&mix, kind == JL_KIND_FILE && (jl_file_at(files, id)->stamp.mode & 0100));
	jl_buf_add(&mix, &there, sizeof(there));
	jl_digest_bytes_as(files->algo, mix.data, mix.len, ret);
out:
	jl_buf_release(&dir);
	jl_buf_release(&target);
	jl_buf_release(&mix);
	return r;
}

/* What links lead to is looked at anew, too, when the link is. */
static void forget_target(struct jl_engine *e, uint32_t link)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_buf dir = JL_BUF_INIT, target = JL_BUF_INIT;
	for (unsigned depth = 0; depth < LINK_DEPTH && jl_file_kind(jl_file_at(files, link)) == JL_KIND_LINK; depth++) {
		const char *path = jl_files_path(files, link);
		char text[4096];
		ssize_t n = readlinkat(files->root_fd, path, text, sizeof(text) - 1);
		if (n < 0)
			break;
		text[n] = '\0';
		jl_buf_clear(&dir);
		jl_buf_clear(&target);
		jl_buf_add(&dir, path, jl_path_base(path, strlen(path)));
		jl_path_join(&target, dir.len ? dir.data : ".", text);
		link = jl_files_id(files, target.data, target.len);
		jl_files_forget(files, link, true);
	}
	jl_buf_release(&dir);
	jl_buf_release(&target);
}

int jl_decide_look(struct jl_engine *e, const struct jl_inst *t, struct jl_job_input *in, struct jl_err *err)
{
	struct jl_files *files = jl_engine_files(e);
	int r = jl_files_digest(files, in->file, err);
	if (r != JL_OK)
		return r;
	const struct jl_file *f = jl_file_at(files, in->file);
	in->kind = jl_file_kind(f);
	in->executable = in->kind == JL_KIND_FILE && (f->stamp.mode & 0100);
	in->digest = f->digest;
	switch (in->kind) {
	case JL_KIND_DIR: return look_tree(e, t, in->file, &in->digest, err);
	case JL_KIND_LINK: return look_link(e, t, in->file, LINK_DEPTH, &in->digest, err);
	case JL_KIND_OTHER:
		memset(&in->digest, 0, sizeof(in->digest));
		if (in->port == JL_NONE)
			return JL_OK;
		return jl_err_set(err, JL_EINVAL, "input \"%s\" is neither a file nor a folder",
				  jl_files_path(files, in->file));
	case JL_KIND_ABSENT:
		memset(&in->digest, 0, sizeof(in->digest));
		if (in->port == JL_NONE ||
		    jl_plan_port(&e->p->plan, in->port)->flags & (JL_PORT_OPTIONAL | JL_PORT_IMPLIED))
			return JL_OK;
		return jl_err_set(err, JL_ENOTFOUND,
				  "input \"%s\" is missing: %sthere is no such file",
				  jl_files_path(files, in->file), e->p->pieces.len ? "" : "no step makes it and ");
	case JL_KIND_FILE: break;
	}
	return JL_OK;
}

/* A program by its content. */
static int look_tool(struct jl_engine *e, uint32_t name, struct jl_digest *ret, struct jl_err *err)
{
	const char *word = jl_project_text(e->p, name);
	const enum jl_cache_mode cache = e->opts->cache;
	if (!e->tools.dir) {
		jl_tools_init(&e->tools, cache == JL_CACHE_OFF ? NULL : jl_project_store_dir(e->p),
			      e->opts->mode != JL_MODE_PLAN && (cache == JL_CACHE_RW || cache == JL_CACHE_WO),
			      jl_scope_getenv(e->p, "PATH"), e->p->root);
		e->tools.algo = jl_engine_files(e)->algo;
	}
	int r = jl_tools_digest(&e->tools, word, ret, err);
	return r == JL_OK ? r : jl_err_add(err, "tool \"%s\"", word);
}

static int make_key(struct jl_engine *e, uint32_t inst, struct jl_decided *d, struct jl_err *err)
{
	const struct jl_rule *rule = jl_engine_rule(e, inst);
	jl_key_inputs_begin(&e->scratch, &jl_engine_inst(e, inst)->base);
	for (uint32_t i = 0; i < d->inputs.len; i++) {
		const struct jl_job_input *in = JL_AT(d->inputs, struct jl_job_input, i);
		jl_key_input(&e->scratch, in->kind, in->executable, jl_files_path(jl_engine_files(e), in->file),
			     &in->digest);
	}
	for (uint32_t i = 0; i < rule->n_tools; i++) {
		struct jl_digest digest;
		uint32_t name = jl_plan_ref(&e->p->plan, rule->tools + i);
		int r = look_tool(e, name, &digest, err);
		if (r != JL_OK)
			return r;
		jl_key_other(&e->scratch, JL_PIECE_TOOL, jl_project_text(e->p, name), &digest);
	}
	for (uint32_t i = 0; i < rule->n_secrets; i++) {
		struct jl_digest digest;
		const char *name = jl_project_text(e->p, jl_plan_ref(&e->p->plan, rule->secrets + i));
		jl_secrets_digest(e, name, &digest);
		jl_key_other(&e->scratch, JL_PIECE_SECRET, name, &digest);
	}
	jl_key_inputs_end(&e->scratch, &d->key);
	return JL_OK;
}

struct jl_record *jl_decide_record(struct jl_engine *e, uint32_t inst, const struct jl_digest *key)
{
	struct jl_store *store = jl_engine_store(e);
	struct jl_record *rec = NULL;
	struct jl_buf bytes = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	if (!store) {
		jl_shared_missed(e, key);
		return NULL;
	}
	int r = store->ops->get_record(store, key, &bytes, &err);
	if (r == JL_OK) {
		r = jl_record_decode(bytes.data, bytes.len, &rec, &err);
		if (r == JL_OK && !jl_digest_equal(&rec->key, key)) {
			jl_record_free(rec);
			rec = NULL;
			r = jl_err_set(&err, JL_ECORRUPT, "the record is of another key");
		}
		if (r == JL_ECORRUPT) {
			(void)!store->ops->damaged_record(store, key, NULL); /* tells it, too */
		}
	} else if (r == JL_ENOTFOUND) {
		jl_shared_missed(e, key);
	} else {
		jl_engine_warn(e, jl_engine_label(e, inst), "cannot read the store: %s", err.text);
	}
	jl_buf_release(&bytes);
	return rec;
}

/* The step of --from, or behind it: its node hands that on. */
static bool after_from(const struct jl_engine *e, uint32_t inst)
{
	struct jl_node *n = jl_graph_node(&e->graph, *JL_AT(e->node_of, uint32_t, inst));
	n->marked |= jl_engine_is(e, inst, e->opts->from);
	return n->marked;
}

/* What was asked for, not what it needs; and what was named. */
static bool forced(const struct jl_engine *e, uint32_t inst)
{
	if (e->opts->force && jl_engine_asked(e, inst))
		return true;
	for (uint32_t i = 0; i < e->opts->n_force_steps; i++)
		if (jl_engine_is(e, inst, e->opts->force_steps[i]))
			return true;
	return e->opts->from && after_from(e, inst);
}

static void say_why(struct jl_engine *e, uint32_t inst, const struct jl_result *res, struct jl_decided *d)
{
	const struct jl_rule *rule = jl_engine_rule(e, inst);
	const char *why = "not run before";
	if (rule->flags & JL_RULE_ALWAYS)
		why = "has neither inputs nor outputs";
	else if (rule->flags & JL_RULE_NO_CACHE)
		why = rule->flags & JL_RULE_INTERACTIVE ? "interactive" : "cache: false";
	else if (forced(e, inst))
		why = "forced";
	else if (e->opts->cache == JL_CACHE_WO || e->opts->cache == JL_CACHE_OFF)
		why = "the cache is not read";
	else if (res->flags & JL_RESULT_FAILED)
		why = jl_why_failed(res, d->reason, sizeof(d->reason));
	else if (d->same)
		why = jl_why_outputs(e, inst, d->reason, sizeof(d->reason));
	else if (res->flags & JL_RESULT_OK)
		why = jl_why_changed(e, inst, d, d->reason, sizeof(d->reason));
	else if (res->wall_ns)
		why = "its last result does not count";
	if (why != d->reason)
		snprintf(d->reason, sizeof(d->reason), "%s", why);
}

/* Not known when (0) is as old as can be. */
static bool young(const struct jl_rule *rule, int64_t made_ns)
{
	return rule->ttl_ns == 0 || jl_clock_real_ns() - made_ns < rule->ttl_ns;
}

enum jl_decision jl_decide(struct jl_engine *e, uint32_t inst, struct jl_decided *ret, struct jl_record **ret_record)
{
	const struct jl_rule *rule = jl_engine_rule(e, inst);
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest outs;
	*ret_record = NULL;
	ret->inputs.len = ret->found.len = 0;
	ret->later = ret->same = false;
	ret->reason[0] = '\0';
	int r = resolve(e, inst, ret, &err);
	const struct jl_inst *t = jl_engine_inst(e, inst);
	for (uint32_t i = 0; r == JL_OK && i < ret->inputs.len; i++)
		r = jl_decide_look(e, t, JL_AT(ret->inputs, struct jl_job_input, i), &err);
	if (r == JL_OK)
		r = make_key(e, inst, ret, &err);
	if (r != JL_OK) {
		snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)sizeof(ret->reason) - 1, err.text);
		return JL_DECIDE_FAIL;
	}
	ret->base = ret->key;
	const bool depfile = t->flags & JL_INST_DEPFILE;
	const struct jl_result *res = jl_result_at(&e->p->state->results, t->result);
	bool reads = e->opts->cache == JL_CACHE_RW || e->opts->cache == JL_CACHE_RO;
	if ((rule->flags & (JL_RULE_ALWAYS | JL_RULE_NO_CACHE)) || forced(e, inst) || !reads) {
		say_why(e, inst, res, ret);
		return JL_DECIDE_RUN;
	}
	if (jl_move_is(e)) { /* by what is stored alone */
		*ret_record = depfile ? jl_found_lookup(e, inst, ret) : jl_decide_record(e, inst, &ret->key);
		return *ret_record ? JL_DECIDE_HIT : JL_DECIDE_RUN;
	}
	/* What failed last is tried again, though a success of the same key may be stored: somebody forced it. */
	const uint32_t both = JL_RESULT_FAILED | JL_RESULT_OK;
	if ((res->flags & both) == JL_RESULT_FAILED && jl_digest_equal(&res->key, &ret->base)) {
		say_why(e, inst, res, ret);
		return JL_DECIDE_RUN;
	}
	ret->same = (res->flags & JL_RESULT_OK) &&
		    (depfile ? jl_found_fresh(e, inst, ret) : jl_digest_equal(&res->key, &ret->key));
	if (ret->same && young(rule, (int64_t)res->made_s * JL_NS_S) && jl_outputs_hash(e, inst, &outs) &&
	    jl_digest_equal(&res->outs, &outs))
		return JL_DECIDE_FRESH;
	jl_found_reset(ret);
	*ret_record = depfile ? jl_found_lookup(e, inst, ret) : jl_decide_record(e, inst, &ret->key);
	if (*ret_record && young(rule, (*ret_record)->created_ns))
		return JL_DECIDE_HIT;
	if (ret->same || !ret->reason[0] || !(res->flags & JL_RESULT_OK))
		say_why(e, inst, res, ret);
	if (*ret_record)
		snprintf(ret->reason, sizeof(ret->reason), "its result is older than its ttl");
	jl_record_free(*ret_record);
	*ret_record = NULL;
	jl_found_reset(ret);
	return JL_DECIDE_RUN;
}

bool jl_decide_same(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, char *reason, size_t size)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_err err = JL_ERR_INIT;
	for (uint32_t i = 0; i < d->inputs.len; i++) {
		const struct jl_job_input *was = JL_AT(d->inputs, struct jl_job_input, i);
		struct jl_job_input now = *was;
		jl_files_forget(jl_engine_files(e), was->file, was->kind == JL_KIND_DIR);
		if (was->kind == JL_KIND_LINK)
			forget_target(e, was->file);
		int r = jl_decide_look(e, t, &now, &err);
		if (r == JL_OK && now.kind == was->kind && now.executable == was->executable &&
		    jl_digest_equal(&now.digest, &was->digest))
			continue;
		snprintf(reason, size, "input \"%s\" changed while it ran",
			 jl_files_path(jl_engine_files(e), was->file));
		return false;
	}
	return true;
}

void jl_decide_manifest(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, struct jl_buf *out)
{
	struct jl_buf value = JL_BUF_INIT;
	char digest[JL_DIGEST_TEXT];
	const struct jl_rule *rule = jl_engine_rule(e, inst);
	jl_expand_pieces(e->p, inst, out);
	for (uint32_t i = 0; i < rule->n_tools; i++) {
		struct jl_digest tool;
		uint32_t name = jl_plan_ref(&e->p->plan, rule->tools + i);
		if (look_tool(e, name, &tool, NULL) == JL_OK)
			jl_key_piece(out, JL_PIECE_TOOL, jl_project_text(e->p, name), jl_digest_text(&tool, digest),
				     strlen(digest));
	}
	for (uint32_t i = 0; i < rule->n_secrets; i++) {
		struct jl_digest secret;
		const char *name = jl_project_text(e->p, jl_plan_ref(&e->p->plan, rule->secrets + i));
		jl_secrets_digest(e, name, &secret);
		jl_digest_text(&secret, digest);
		jl_key_piece(out, JL_PIECE_SECRET, name, digest, secret.algo ? strlen(digest) : 0);
	}
	for (uint32_t i = 0; i < d->inputs.len + d->found.len; i++) {
		const bool found = i >= d->inputs.len;
		const struct jl_job_input *in = found ? JL_AT(d->found, struct jl_job_input, i - d->inputs.len)
						      : JL_AT(d->inputs, struct jl_job_input, i);
		jl_buf_clear(&value);
		jl_buf_u8(&value, (uint8_t)in->kind);
		jl_buf_u8(&value, in->executable);
		jl_buf_str(&value, jl_digest_text(&in->digest, digest));
		jl_key_piece(out, found ? JL_PIECE_FOUND : JL_PIECE_INPUT, jl_files_path(jl_engine_files(e), in->file),
			     value.data, value.len);
	}
	if (!jl_digest_equal(&d->base, &d->key)) {
		jl_digest_text(&d->base, digest);
		jl_key_piece(out, JL_PIECE_BASE, "", digest, strlen(digest));
	}
	jl_buf_release(&value);
}
