/* Opening a workspace: find the manifest, load the state, have a plan that is of this manifest: see project.h. */
#include "run/project.h"

#include "base/file.h"
#include "base/map.h"
#include "base/near.h"
#include "base/path.h"
#include "base/pool.h"
#include "memo/record.h"
#include "run/compact.h"
#include "run/compile.h"
#include "run/expand.h"
#include "run/temp.h"
#include "run/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MANIFEST_MAX ((size_t)64 << 20)
#define STORE_MAX    ((uint64_t)10 << 30) /* unless somebody says otherwise */

/* The manifest as git would look for it. What a search finds in a parent folder must be the caller's or root's: a command
 * must not be run because somebody else put a file into /tmp. */
static int search(const char *cwd, struct jl_buf *ret, struct jl_err *err)
{
	struct jl_buf dir = JL_BUF_INIT;
	struct stat st;
	int r = JL_ENOTFOUND;
	jl_buf_str(&dir, cwd);
	for (bool here = true;; here = false) {
		jl_buf_clear(ret);
		jl_path_join(ret, dir.data, "joblib.yaml");
		if (stat(ret->data, &st) == 0) {
			r = JL_OK;
			if (!here && st.st_uid != geteuid() && st.st_uid != 0)
				r = jl_err_set(err, JL_EINVAL, "%s belongs to another user; name it with -f to use it",
					       ret->data);
			break;
		}
		size_t base = jl_path_base(dir.data, dir.len);
		if (dir.len <= 1) {
			r = jl_err_set(err, JL_EINVAL,
				       "no joblib.yaml here or in a folder above; \"jl init\" writes one, "
				       "-f names another file");
			break;
		}
		jl_buf_truncate(&dir, base > 1 ? base - 1 : 1);
	}
	jl_buf_release(&dir);
	return r;
}

static int locate(struct jl_project *p, struct jl_err *err)
{
	struct jl_buf path = JL_BUF_INIT, shown = JL_BUF_INIT;
	int r = JL_OK;
	if (p->opts->manifest)
		jl_path_join(&path, p->opts->cwd, p->opts->manifest);
	else
		r = search(p->opts->cwd, &path, err);
	if (r == JL_OK) {
		size_t base = jl_path_base(path.data, path.len);
		p->manifest_name = jl_strdup(path.data + base);
		p->root = base > 1 ? jl_strndup(path.data, base - 1) : jl_strdup("/");
		if (p->opts->manifest)
			jl_buf_str(&shown, p->opts->manifest);
		else
			jl_path_relative(&shown, p->opts->cwd, path.data);
		/* Both absolute: jl_path_relative leaves an absolute path, so cut the common folder by hand. */
		size_t cwd_len = strlen(p->opts->cwd);
		const char *s = shown.data;
		if (!p->opts->manifest && strncmp(s, p->opts->cwd, cwd_len) == 0 && s[cwd_len] == '/')
			s += cwd_len + 1;
		p->manifest_shown = jl_strdup(s);
	}
	jl_buf_release(&path);
	jl_buf_release(&shown);
	return r;
}

int jl_project_where(const struct jl_run_opts *opts, char **ret_root, struct jl_err *err)
{
	struct jl_project p = {.opts = opts};
	int r = locate(&p, err);
	if (r == JL_OK)
		*ret_root = p.root;
	free(p.manifest_name);
	free(p.manifest_shown);
	return r;
}

/* A manifest behind a symlink is read through it: its digest is of the link's text, so the plan is not trusted then. */
static bool is_plain(const struct jl_project *p, uint32_t file)
{
	return jl_file_kind(jl_file_at(&p->state->files, file)) == JL_KIND_FILE;
}

/* What others may write to is named by a digest that nobody can make collide. */
static enum jl_digest_algo wanted_algo(const struct jl_remote_settings *remotes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!remotes[i].allow_insecure_hash)
			return JL_DIGEST_SHA256;
	return JL_DIGEST_XXH3;
}

enum jl_digest_algo jl_run_algo(const struct jl_run_opts *opts)
{
	return wanted_algo(opts->config.remotes, opts->config.n_remotes);
}

/* The source digest covers all that the rules are made from, but for the environment, which the plan lists by name. False:
 * one of the files cannot be looked at, or has no content of its own. */
static bool source_digest(struct jl_project *p, uint32_t manifest, const struct jl_plan *plan, struct jl_digest *ret)
{
	struct jl_files *files = &p->state->files;
	const struct jl_plan_head *h = jl_plan_head(plan);
	bool good = is_plain(p, manifest);
	struct jl_buf b = JL_BUF_INIT;
	jl_buf_u32(&b, JL_PLAN_FORMAT);
	jl_buf_bytes(&b, p->platform, strlen(p->platform)); /* several machines may share the workspace */
	jl_buf_u8(&b, (uint8_t)jl_run_algo(p->opts));
	jl_buf_bytes(&b, p->manifest_name, strlen(p->manifest_name));
	jl_buf_add(&b, &jl_file_at(files, manifest)->digest, sizeof(struct jl_digest));
	for (uint32_t i = 0; i < h->n_includes && good; i++) {
		uint32_t id = jl_plan_ref(plan, h->includes + i);
		good = jl_files_digest(files, id, NULL) == JL_OK && is_plain(p, id);
		jl_buf_add(&b, &jl_file_at(files, id)->digest, sizeof(struct jl_digest));
	}
	for (uint32_t i = 0; i < p->opts->n_vars; i++) {
		jl_buf_bytes(&b, p->opts->vars[i].name, strlen(p->opts->vars[i].name));
		jl_buf_bytes(&b, p->opts->vars[i].value, strlen(p->opts->vars[i].value));
	}
	jl_digest_bytes(b.data, b.len, ret);
	jl_buf_release(&b);
	return good;
}

/* "NAME=VALUE" as the environment has it now, "NAME" when unset; "\1jobs=N" for the number of jobs. */
static bool env_holds(const struct jl_project *p, const char *ref)
{
	char jobs[32];
	if (ref[0] == '\1') {
		snprintf(jobs, sizeof(jobs), "\1jobs=%u", p->jobs);
		return strcmp(ref, jobs) == 0;
	}
	size_t len = strcspn(ref, "=");
	for (const char *const *e = p->opts->environ; e && *e; e++)
		if (strncmp(*e, ref, len) == 0 && (*e)[len] == '=')
			return strcmp(*e, ref) == 0;
	return ref[len] == '\0';
}

static bool plan_holds(struct jl_project *p, uint32_t manifest)
{
	const struct jl_plan *plan = &p->plan;
	struct jl_digest source;
	if (!jl_plan_check(plan, p->state->files.at.len, p->state->results.at.len, p->state->text.len))
		return false;
	const struct jl_plan_head *h = jl_plan_head(plan);
	if (!source_digest(p, manifest, plan, &source) || !jl_digest_equal(&h->source, &source))
		return false;
	for (uint32_t i = 0; i < h->n_env; i++)
		if (!env_holds(p, jl_project_text(p, jl_plan_ref(plan, h->env + i))))
			return false;
	return true;
}

bool jl_project_is_manifest(const struct jl_project *p, uint32_t file)
{
	const struct jl_plan_head *h = jl_plan_head(&p->plan);
	for (uint32_t i = 0; i < h->n_includes; i++)
		if (jl_plan_ref(&p->plan, h->includes + i) == file)
			return true;
	return strcmp(jl_files_path(&p->state->files, file), p->manifest_name) == 0;
}

/* What a manifest takes in must be the caller's, root's, or its own owner's. */
static int read_included(void *ctx, const char *path, struct jl_buf *out, struct jl_err *err)
{
	struct jl_project *p = ctx;
	struct stat st, own;
	uint32_t id = jl_files_id(&p->state->files, path, strlen(path));
	/* Digested before it is read: a change in between is noticed by the next run. */
	int r = jl_files_digest(&p->state->files, id, err);
	if (r != JL_OK)
		return r;
	if (fstatat(p->state->root_fd, path, &st, 0) != 0)
		return errno == ENOENT || errno == ENOTDIR ? JL_ENOTFOUND : jl_err_sys(err, errno, "cannot look at it");
	if (fstatat(p->state->root_fd, p->manifest_name, &own, 0) != 0)
		return jl_err_sys(err, errno, "cannot look at the manifest");
	if (!S_ISREG(st.st_mode))
		return jl_err_set(err, JL_EINVAL, "it is no file");
	if (st.st_uid != geteuid() && st.st_uid != 0 && st.st_uid != own.st_uid)
		return jl_err_set(err, JL_EINVAL, "it belongs to another user");
	return jl_file_read(&jl_io_system, p->state->root_fd, path, out, err);
}

int jl_project_ast(struct jl_project *p, struct jl_manifest **ret, struct jl_err *err)
{
	const struct jl_manifest_source source = {.read = read_included, .ctx = p};
	struct jl_buf text;
	int r = JL_OK;
	if (!p->ast) {
		jl_buf_init(&text, MANIFEST_MAX);
		r = jl_file_read(&jl_io_system, p->state->root_fd, p->manifest_name, &text, err);
		if (r == JL_OK)
			r = jl_manifest_read(p->manifest_shown, text.data, text.len, &source, p->opts->vars,
					     p->opts->n_vars, &p->ast, p->msgs);
		else if (r == JL_ENOTFOUND)
			r = jl_err_set(err, JL_EINVAL, "no manifest \"%s\"", p->manifest_shown);
		else
			r = jl_err_add(err, "cannot read \"%s\"", p->manifest_shown);
		jl_buf_release(&text);
	}
	if (r == JL_OK && ret)
		*ret = p->ast;
	return r;
}

static int compile(struct jl_project *p, uint32_t manifest, struct jl_err *err)
{
	/* What the stored plan's instances left behind is compared rule by rule when they are expanded. */
	if (jl_plan_check(&p->plan, p->state->files.at.len, p->state->results.at.len, p->state->text.len))
		p->old = p->plan;
	else
		jl_plan_release(&p->plan);
	p->plan = (struct jl_plan)JL_PLAN_INIT;
	jl_map_release(&p->urls); /* of the plan before */
	p->compiled = true;
	int r = jl_project_ast(p, NULL, err);
	if (r != JL_OK)
		return r;
	const struct jl_store_settings *store = &p->ast->store;
	p->state->files.algo = wanted_algo(store->remotes, store->n_remotes);
	if (p->state->files.algo == JL_DIGEST_XXH3)
		p->state->files.algo = jl_run_algo(p->opts);
	r = jl_files_digest(&p->state->files, manifest, err); /* which may be of the other algorithm */
	if (r != JL_OK)
		return r;
	jl_compile(p);
	(void)!source_digest(p, manifest, &p->plan, &jl_plan_head(&p->plan)->source); /* asked again when it is used */
	jl_state_plan_changed(p->state);
	return p->msgs->errors ? jl_err_set(err, JL_EINVAL, "the manifest has errors") : JL_OK;
}

static int load(struct jl_project *p, bool write, struct jl_err *err)
{
	struct jl_state_extra extra[JL_PLAN_TABLES] = {
		{"PHEA", &p->plan.head},  {"PRUL", &p->plan.rules}, {"PINS", &p->plan.insts},
		{"PPOR", &p->plan.ports}, {"PREF", &p->plan.refs},  {"PSPE", &p->plan.spec},
		{"PURL", &p->plan.urls},
	};
	char holder[256] = "";
	int r = JL_OK;
	if (write) {
		r = jl_state_lock(p->root, false, p->opts->command_line, holder, sizeof(holder), &p->lock_fd, err);
		if (r == JL_EBUSY && p->opts->no_wait)
			return jl_err_set(err, JL_EBUSY, "another run is in this workspace (%s)", holder);
		if (r == JL_EBUSY) {
			if (p->opts->waiting)
				p->opts->waiting(p->opts->waiting_ctx, holder);
			r = jl_state_lock(p->root, true, p->opts->command_line, holder, sizeof(holder), &p->lock_fd,
					  err);
		}
		if (r != JL_OK)
			return r;
	}
	return jl_state_open(&jl_io_system, p->root, !write, extra, JL_PLAN_TABLES, &p->state, err);
}

/* Expand all that can be before anything runs, and know who makes what. */
static int settle(struct jl_project *p, struct jl_err *err)
{
	uint32_t first = p->plan.insts.len;
	if (p->compiled)
		jl_temp_purge(p, NULL, false);
	if (jl_plan_head(&p->plan)->has_temp)
		jl_files_drop_begin(&p->state->files);
	for (uint32_t i = 0; i < p->plan.rules.len; i++) {
		if (jl_plan_rule(&p->plan, i)->flags & JL_RULE_LATE)
			continue;
		int r = jl_expand_rule(p, i, err);
		if (r != JL_OK && (r != JL_EINVAL || !p->msgs->errors))
			return r;
	}
	if (p->msgs->errors)
		return jl_err_set(err, JL_EINVAL, "the manifest has errors");
	jl_expand_waits(p, first);
	if (p->compiled)
		jl_temp_purge(p, NULL, true);
	return JL_OK;
}

int jl_project_open(const struct jl_run_opts *opts, bool write, struct jl_project **ret, struct jl_messages *msgs,
		    struct jl_err *err)
{
	struct jl_project *p = jl_calloc(1, sizeof(*p));
	int r;
	*p = (struct jl_project){.opts = opts,
				 .msgs = msgs,
				 .lock_fd = -1,
				 .plan = JL_PLAN_INIT,
				 .old = JL_PLAN_INIT,
				 .maker = JL_TABLE_INIT(uint32_t),
				 .below = JL_TABLE_INIT(uint8_t),
				 .gone = JL_TABLE_INIT(struct jl_gone),
				 .pieces = JL_BUF_INIT};
	p->jobs = opts->jobs ? opts->jobs : jl_tokens_auto(opts->environ);
	struct utsname machine;
	if (uname(&machine) == 0) {
		snprintf(p->platform, sizeof(p->platform), "linux-%s", machine.machine);
		snprintf(p->host, sizeof(p->host), "%s", machine.nodename);
	}
	r = locate(p, err);
	if (r == JL_OK)
		r = load(p, write, err);
	if (r != JL_OK)
		goto out;
	if (jl_plan_check(&p->plan, p->state->files.at.len, p->state->results.at.len, p->state->text.len))
		p->state->files.algo = (enum jl_digest_algo)jl_plan_head(&p->plan)->algo;
	uint32_t id = jl_files_id(&p->state->files, p->manifest_name, strlen(p->manifest_name));
	r = jl_files_digest(&p->state->files, id, err);
	if (r != JL_OK)
		goto out;
	const struct jl_file *f = jl_file_at(&p->state->files, id);
	if (jl_file_kind(f) == JL_KIND_ABSENT || jl_file_kind(f) == JL_KIND_DIR) {
		r = jl_err_set(err, JL_EINVAL, "no manifest \"%s\"", p->manifest_shown);
		goto out;
	}
	if (!plan_holds(p, id))
		r = compile(p, id, err);
	if (r == JL_OK)
		r = settle(p, err);
out:
	if (r != JL_OK) {
		jl_project_abandon(p);
		return r;
	}
	*ret = p;
	return JL_OK;
}

void jl_project_abandon(struct jl_project *p)
{
	if (p->state)
		jl_state_drop(p->state);
	p->state = NULL;
	(void)!jl_project_close(p, NULL);
}

int jl_project_close(struct jl_project *p, struct jl_err *err)
{
	int r = JL_OK;
	if (!p)
		return JL_OK;
	if (p->state && p->state->read_only) {
		jl_state_drop(p->state);
	} else if (p->state) {
		if (jl_plan_head(&p->plan) && jl_compact_due(p))
			jl_compact(p);
		r = jl_state_close(p->state, NULL, NULL, err);
	}
	if (p->lock_fd >= 0)
		close(p->lock_fd);
	jl_manifest_free(p->ast);
	jl_plan_release(&p->plan);
	jl_plan_release(&p->old);
	jl_table_release(&p->maker);
	jl_table_release(&p->below);
	jl_table_release(&p->gone);
	jl_buf_release(&p->pieces);
	jl_map_release(&p->names);
	jl_map_release(&p->urls);
	free(p->root);
	free(p->manifest_name);
	free(p->manifest_shown);
	free(p);
	return r;
}

const char *jl_project_store_dir(const struct jl_project *p)
{
	if (p->opts->store_dir)
		return p->opts->store_dir;
	uint32_t own = jl_plan_head(&p->plan)->store_dir;
	return own ? jl_project_text(p, own) : p->opts->default_store_dir;
}

bool jl_project_remote(const struct jl_project *p, uint32_t i, struct jl_remote_settings *ret)
{
	const struct jl_plan_head *h = p->plan.head.len ? jl_plan_head(&p->plan) : NULL;
	const uint32_t own = h ? h->n_remotes : 0;
	if (i >= own) {
		i -= own;
		if (i < p->opts->config.n_remotes)
			*ret = p->opts->config.remotes[i];
		return i < p->opts->config.n_remotes;
	}
	const uint32_t at = h->remotes + i * JL_PLAN_REMOTE;
	*ret = (struct jl_remote_settings){.name = jl_project_text(p, jl_plan_ref(&p->plan, at)),
					   .url = jl_project_text(p, jl_plan_ref(&p->plan, at + 1)),
					   .group = jl_project_text(p, jl_plan_ref(&p->plan, at + 2)),
					   .sign = jl_project_text(p, jl_plan_ref(&p->plan, at + 3)),
					   .mode = (enum jl_remote_mode)jl_plan_ref(&p->plan, at + 4),
					   .allow_insecure_hash = jl_plan_ref(&p->plan, at + 5)};
	return true;
}

void jl_run_store_rules(const struct jl_run_opts *opts, struct jl_store_rules *ret)
{
	const struct jl_store_settings *config = &opts->config;
	*ret = (struct jl_store_rules){.max_size = config->has_size ? config->max_size : STORE_MAX,
				       .max_items = config->max_items,
				       .max_age_ns = config->max_age_ns,
				       .bare = config->bare,
				       .blobs_of = jl_record_blobs};
	if (opts->has_max_size)
		ret->max_size = opts->max_size;
}

void jl_project_store_rules(const struct jl_project *p, struct jl_store_rules *ret)
{
	const struct jl_plan_head *h = jl_plan_head(&p->plan);
	/* One project must not evict the others': its caps are for the folder that it names. */
	const bool own = h->store_dir && !p->opts->store_dir;
	jl_run_store_rules(p->opts, ret);
	if (own && (h->store_keys & JL_STORE_SIZE) && !p->opts->has_max_size)
		ret->max_size = h->max_size;
	if (own && (h->store_keys & JL_STORE_ITEMS))
		ret->max_items = h->max_items;
	if (own && (h->store_keys & JL_STORE_AGE))
		ret->max_age_ns = h->max_age_ns;
	if (h->store_keys & JL_STORE_COMPRESS)
		ret->bare = h->store_keys & JL_STORE_BARE;
}

/* ---- names ---- */

static const char *rule_name(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_project *p = owner;
	const char *name = jl_project_text(p, jl_plan_rule(&p->plan, index)->name);
	*ret_len = strlen(name);
	return name;
}

/* By a map, made when first asked for: a user may name every step. */
static uint32_t find_rule(struct jl_project *p, const char *name, size_t len)
{
	if (p->names.len == 0) {
		jl_map_init(&p->names, rule_name, p);
		jl_map_reserve(&p->names, p->plan.rules.len);
		for (uint32_t i = 0; i < p->plan.rules.len; i++) {
			size_t n;
			const char *own = rule_name(p, i, &n);
			jl_map_put(&p->names, own, n, i);
		}
	}
	return jl_map_get(&p->names, name, len);
}

int jl_project_find(struct jl_project *p, const char *word, uint32_t *ret_rule, uint32_t *ret_inst, struct jl_err *err)
{
	size_t len = strcspn(word, "[");
	uint32_t rule = find_rule(p, word, len);
	*ret_inst = JL_NONE;
	if (rule == JL_NONE) {
		struct jl_near near = {.word = word};
		for (uint32_t i = 0; i < p->plan.rules.len; i++)
			jl_near_offer(&near, jl_project_text(p, jl_plan_rule(&p->plan, i)->name));
		return jl_err_set(err, JL_EINVAL, "no step \"%s\"%s%s%s", word, near.best ? "; did you mean \"" : "",
				  near.best ? near.best : "", near.best ? "\"?" : "");
	}
	*ret_rule = rule;
	if (word[len] == '\0')
		return JL_OK;
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	for (uint32_t i = r->first; i < r->first + r->n; i++) {
		if (strcmp(jl_project_text(p, jl_plan_inst(&p->plan, i)->label), word) == 0) {
			*ret_inst = i;
			return JL_OK;
		}
	}
	if (r->flags & JL_RULE_LATE)
		return JL_OK;
	return jl_err_set(err, JL_EINVAL, "step \"%.*s\" has no item \"%s\"", (int)len, word, word + len);
}
