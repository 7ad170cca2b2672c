/* The manifest compiled to rules: see compile.h. */
#include "run/compile.h"

#include "base/arena.h"
#include "base/glob.h"
#include "base/map.h"
#include "base/path.h"
#include "manifest/template.h"
#include "run/makers.h"
#include "run/scope.h"
#include "run/uses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters of a name that a pattern would read otherwise. */
static void add_escaped(struct jl_buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", s[i]))
			jl_buf_char(out, '\\');
		jl_buf_char(out, s[i]);
	}
}

int jl_compile_path(struct jl_buf *out, const char *dir, const char *text, bool glob, bool *ret_folder)
{
	struct jl_buf escaped = JL_BUF_INIT;
	size_t len = strlen(text);
	if (len == 0)
		return JL_EINVAL;
	*ret_folder = text[len - 1] == '/' || strcmp(text, ".") == 0;
	if (glob)
		add_escaped(&escaped, dir, strlen(dir));
	int r = jl_path_join(out, glob ? escaped.data : dir, text);
	jl_buf_release(&escaped);
	return r;
}

static uint32_t add_text(struct jl_project *p, const char *s)
{
	return s && *s ? jl_text_add(&p->state->text, s, strlen(s)) : 0;
}

static uint32_t add_texts(struct jl_project *p, const struct jl_mtexts *texts)
{
	struct jl_table refs = JL_TABLE_INIT(uint32_t);
	for (uint32_t i = 0; i < texts->n; i++)
		*(uint32_t *)jl_table_add(&refs, 1) = add_text(p, texts->at[i].s);
	uint32_t first = jl_plan_add_refs(&p->plan, refs.data, refs.len);
	jl_table_release(&refs);
	return first;
}

/* Text of a pattern as jl_glob_overlap reads it: clean, a component with "**" inside a longer one cut to "**" alone (a value
 * may hold slashes), a folder as all that is below it. */
static void pattern_text(struct jl_buf *out, const char *dir, const char *raw, bool literal)
{
	struct jl_buf clean = JL_BUF_INIT;
	bool folder = false;
	if (jl_compile_path(&clean, dir, raw, !literal, &folder) != JL_OK)
		jl_buf_str(&clean, "**");
	jl_buf_clear(out);
	for (const char *s = clean.data; *s;) {
		size_t len = strcspn(s, "/");
		const char *stars = memmem(s, len, "**", 2);
		if (stars && len > 2 && !literal) {
			jl_buf_str(out, "**");
			folder = false;
			break;
		}
		if (literal)
			add_escaped(out, s, len);
		else
			jl_buf_add(out, s, len);
		s += len;
		if (*s == '/')
			jl_buf_char(out, *s++);
	}
	if (folder)
		jl_buf_str(out, "/**");
	jl_buf_release(&clean);
}

void jl_compile_pattern(struct jl_project *p, const struct jl_port *port, const struct jl_step *step,
			struct jl_buf *out)
{
	struct jl_buf raw = JL_BUF_INIT;
	struct jl_scope scope;
	jl_scope_init(&scope, p, step);
	const char *fixed = jl_template_fixed(port->path);
	if (fixed)
		jl_buf_str(&raw, fixed);
	else
		jl_template_pattern(port->path, &scope, &raw);
	pattern_text(out, step->from->dir, raw.data, fixed && !port->glob);
	jl_buf_release(&raw);
}

/* The same of the depfile, whose template may name the outputs: those are patterns here. */
static void depfile_pattern(struct jl_project *p, const struct jl_step *step, struct jl_buf *out)
{
	struct jl_table words = JL_TABLE_INIT(char *), names = JL_TABLE_INIT(char *);
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_buf raw = JL_BUF_INIT;
	struct jl_scope scope;
	jl_scope_init(&scope, p, step);
	for (uint32_t i = 0; i < step->outputs.n; i++) {
		const struct jl_port *port = &step->outputs.at[i];
		if (port->glob || port->exclude)
			continue;
		jl_buf_clear(&raw);
		jl_template_pattern(port->path, &scope, &raw);
		*(const char **)jl_table_add(&words, 1) = jl_arena_strdup(&arena, raw.data);
		*(const char **)jl_table_add(&names, 1) = port->name;
	}
	scope.outputs = (struct jl_words){.at = words.data, .names = names.data, .n = words.len};
	jl_buf_clear(&raw);
	jl_template_pattern(step->depfile.path, &scope, &raw);
	pattern_text(out, step->from->dir, raw.data, jl_template_fixed(step->depfile.path));
	jl_buf_release(&raw);
	jl_arena_release(&arena);
	jl_table_release(&words);
	jl_table_release(&names);
}

/* A secret's value would stand in a command line, in a key and in the state. */
static void refuse_secret(struct jl_project *p, const char *name)
{
	for (uint32_t i = 0; i < p->ast->n_steps; i++) {
		const struct jl_mtexts *secrets = &p->ast->steps[i].secret_env;
		for (uint32_t k = 0; k < secrets->n; k++) {
			if (strcmp(secrets->at[k].s, name) != 0)
				continue;
			jl_messages_add(p->msgs, secrets->at[k].mark, false,
					"\"%s\" is secret, but a template reads it as ${{ env.%s }}; the command sees "
					"it as $%s",
					name, name, name);
			return;
		}
	}
}

static void add_env_name(void *ctx, const char *name)
{
	struct jl_project *p = ctx;
	struct jl_buf b = JL_BUF_INIT;
	const char *value = jl_scope_getenv(p, name);
	size_t len = strlen(name);
	struct jl_plan_head *h = jl_plan_head(&p->plan);
	bool there = false;
	for (uint32_t i = 0; i < h->n_env && !there; i++) {
		const char *old = jl_project_text(p, jl_plan_ref(&p->plan, h->env + i));
		there = strncmp(old, name, len) == 0 && (old[len] == '=' || old[len] == '\0');
	}
	if (!there) {
		refuse_secret(p, name);
		jl_buf_str(&b, name);
		if (value) {
			jl_buf_char(&b, '=');
			jl_buf_str(&b, value);
		}
		/* Collected before any other ref is added, so they stand together. */
		uint32_t text = jl_text_add(&p->state->text, b.data, b.len);
		uint32_t at = jl_plan_add_refs(&p->plan, &text, 1);
		if (h->n_env++ == 0)
			h->env = at;
		jl_buf_release(&b);
	}
}

static void ports_env(struct jl_project *p, const struct jl_ports *ports)
{
	for (uint32_t i = 0; i < ports->n; i++) {
		jl_template_env(ports->at[i].path, add_env_name, p);
		if (ports->at[i].digest)
			jl_template_env(ports->at[i].digest, add_env_name, p);
	}
}

/* What of the environment the templates read: the plan is of these values. TZ is in every key. */
static void collect_env(struct jl_project *p)
{
	add_env_name(p, "TZ");
	for (uint32_t i = 0; i < p->ast->n_steps; i++) {
		const struct jl_step *s = &p->ast->steps[i];
		for (uint32_t k = 0; k < s->n_argv; k++)
			jl_template_env(s->argv[k], add_env_name, p);
		if (s->script)
			jl_template_env(s->script, add_env_name, p);
		for (uint32_t k = 0; s->valid_if && k < s->valid_if->n_argv; k++)
			jl_template_env(s->valid_if->argv[k], add_env_name, p);
		if (s->valid_if && s->valid_if->script)
			jl_template_env(s->valid_if->script, add_env_name, p);
		if (s->workdir)
			jl_template_env(s->workdir, add_env_name, p);
		if (s->when.t)
			jl_template_env(s->when.t, add_env_name, p);
		if (s->foreach.pattern)
			jl_template_env(s->foreach.pattern, add_env_name, p);
		for (uint32_t k = 0; k < s->env.n; k++)
			jl_template_env(s->env.at[k].value, add_env_name, p);
		ports_env(p, &s->inputs);
		ports_env(p, &s->outputs);
		if (s->depfile.path)
			jl_template_env(s->depfile.path, add_env_name, p);
	}
	for (uint32_t i = 0; i < p->ast->n_files; i++)
		for (uint32_t k = 0; k < p->ast->files[i]->vars.n; k++)
			jl_template_env(p->ast->files[i]->vars.at[k].value, add_env_name, p);
	/* The number of jobs counts as one more variable if any template may hold it. */
	char jobs[32];
	snprintf(jobs, sizeof(jobs), "\1jobs=%u", p->jobs);
	for (uint32_t i = 0; i < p->ast->n_steps; i++) {
		const struct jl_step *s = &p->ast->steps[i];
		bool used = s->script && jl_template_uses_jobs(s->script);
		for (uint32_t k = 0; k < s->n_argv && !used; k++)
			used = jl_template_uses_jobs(s->argv[k]);
		for (uint32_t k = 0; k < s->env.n && !used; k++)
			used = jl_template_uses_jobs(s->env.at[k].value);
		if (!used)
			continue;
		uint32_t text = jl_text_add(&p->state->text, jobs, strlen(jobs));
		jl_plan_add_refs(&p->plan, &text, 1);
		jl_plan_head(&p->plan)->n_env++;
		break;
	}
}

static uint32_t rule_flags(const struct jl_step *s)
{
	uint32_t flags = s->manual ? JL_RULE_MANUAL : 0;
	flags |= s->cache ? 0 : JL_RULE_NO_CACHE;
	flags |= s->allow_failure ? JL_RULE_ALLOW_FAILURE : 0;
	flags |= s->portable ? JL_RULE_PORTABLE : 0;
	flags |= s->interactive ? JL_RULE_INTERACTIVE | JL_RULE_NO_CACHE : 0;
	flags |= s->keep_all ? JL_RULE_KEEP_ALL : 0;
	flags |= s->temp ? JL_RULE_TEMP : 0;
	flags |= s->foreach.kind != JL_FOREACH_NONE ? JL_RULE_FOREACH : 0;
	flags |= s->inputs.n == 0 && s->outputs.n == 0 && !s->depfile.path ? JL_RULE_ALWAYS : 0;
	return flags;
}

/* Whose outputs may be taken away when an item leaves: manifest, name, foreach as evaluated, outputs as written, vars. */
static uint64_t ident_of(const struct jl_project *p, const struct jl_step *s, const char *items)
{
	struct jl_buf b = JL_BUF_INIT;
	jl_buf_bytes(&b, p->manifest_name, strlen(p->manifest_name)); /* two manifests may share a folder */
	jl_buf_bytes(&b, s->name.s, s->name.len);
	jl_buf_u32(&b, s->foreach.kind);
	jl_buf_bytes(&b, items, strlen(items));
	for (uint32_t i = 0; i < s->outputs.n; i++)
		jl_buf_bytes(&b, s->outputs.at[i].text.s, s->outputs.at[i].text.len);
	if (s->depfile.path)
		jl_buf_bytes(&b, s->depfile.text.s, s->depfile.text.len);
	for (uint32_t i = 0; i < p->opts->n_vars; i++) {
		jl_buf_bytes(&b, p->opts->vars[i].name, strlen(p->opts->vars[i].name));
		jl_buf_bytes(&b, p->opts->vars[i].value, strlen(p->opts->vars[i].value));
	}
	uint64_t h = jl_hash64(b.data, b.len);
	jl_buf_release(&b);
	return h;
}

/* A condition that is about no item decides on the rule as a whole, before its items are looked for. */
static bool is_off(struct jl_project *p, const struct jl_step *s)
{
	struct jl_scope scope;
	bool holds;
	jl_scope_init(&scope, p, s);
	return s->when.t && !jl_template_uses_item(s->when.t) && jl_scope_holds(p, s, &scope, &holds) == JL_OK && !holds;
}

/* The source of a foreach that is looked up: a glob, or the name of a file of lines. */
static void compile_items(struct jl_project *p, const struct jl_step *s, struct jl_buf *out)
{
	struct jl_buf raw = JL_BUF_INIT;
	struct jl_scope scope;
	bool folder;
	jl_scope_init(&scope, p, s);
	if (jl_template_eval(s->foreach.pattern, &scope, JL_TMPL_PLAIN, &raw, p->msgs) == JL_OK) {
		if (jl_compile_path(out, s->from->dir, raw.data, s->foreach.kind == JL_FOREACH_GLOB, &folder) != JL_OK)
			jl_messages_add(p->msgs, s->foreach.mark, false,
					"foreach names nothing; give a glob or a list");
		else if (folder)
			jl_buf_char(out, '/');
	}
	jl_buf_release(&raw);
}

/* What it takes of each pool, as pairs. */
static uint32_t add_takes(struct jl_project *p, const struct jl_resources *res)
{
	struct jl_table refs = JL_TABLE_INIT(uint32_t);
	for (uint32_t i = 0; i < res->n_pools; i++) {
		uint32_t *pair = jl_table_add(&refs, 2);
		while (strcmp(p->ast->pools[pair[0]].name.s, res->pools[i].name.s) != 0)
			pair[0]++;
		pair[1] = (uint32_t)res->pools[i].n;
	}
	uint32_t first = jl_plan_add_refs(&p->plan, refs.data, refs.len);
	jl_table_release(&refs);
	return first;
}

static void add_pools(struct jl_project *p)
{
	for (uint32_t i = 0; i < p->ast->n_pools; i++) {
		uint32_t size = (uint32_t)p->ast->pools[i].n, at = jl_plan_add_refs(&p->plan, &size, 1);
		if (i == 0)
			jl_plan_head(&p->plan)->pools = at;
	}
	jl_plan_head(&p->plan)->n_pools = p->ast->n_pools;
}

static void compile_rule(struct jl_project *p, const struct jl_step *s)
{
	struct jl_table makes = JL_TABLE_INIT(uint32_t), keep = JL_TABLE_INIT(uint32_t);
	struct jl_buf b = JL_BUF_INIT, items = JL_BUF_INIT;
	struct jl_rule r = {.flags = rule_flags(s), .items_kind = s->foreach.kind, .timeout_ns = s->timeout_ns,
			    .ttl_ns = s->ttl_ns, .retries = (int32_t)s->retries.times,
			    .retry_delay_ns = s->retries.delay_ns};
	if (s->temp)
		jl_plan_head(&p->plan)->has_temp = 1;
	if (is_off(p, s)) {
		r.flags = (r.flags & ~(uint32_t)JL_RULE_FOREACH) | JL_RULE_OFF;
		r.items_kind = JL_FOREACH_NONE;
	}
	r.name = add_text(p, s->name.s);
	r.description = add_text(p, s->description.s);
	r.version = add_text(p, s->version.s);
	r.tags = add_texts(p, &s->tags);
	r.n_tags = s->tags.n;
	r.pass_env = add_texts(p, &s->pass_env);
	r.n_pass_env = s->pass_env.n;
	r.tools = add_texts(p, &s->tools);
	r.n_tools = s->tools.n;
	r.secrets = add_texts(p, &s->secret_env);
	r.n_secrets = s->secret_env.n;
	r.executor = add_text(p, s->executor.s);
	r.hosts = add_texts(p, &s->hosts);
	r.n_hosts = s->hosts.n;
	r.cpus = (uint32_t)s->resources.cpus;
	r.memory = s->resources.memory;
	r.takes = add_takes(p, &s->resources);
	r.n_takes = s->resources.n_pools;
	for (uint32_t i = 0; i < s->outputs.n; i++) {
		jl_compile_pattern(p, &s->outputs.at[i], s, &b);
		*(uint32_t *)jl_table_add(&makes, 1) = add_text(p, b.data);
		const struct jl_port *o = &s->outputs.at[i];
		if (o->folder || o->glob)
			jl_plan_head(&p->plan)->has_folders = 1;
	}
	if (s->depfile.path) {
		depfile_pattern(p, s, &b);
		*(uint32_t *)jl_table_add(&makes, 1) = add_text(p, b.data);
	}
	for (uint32_t i = 0; i < s->keep.n; i++) {
		jl_compile_pattern(p, &s->keep.at[i], s, &b);
		*(uint32_t *)jl_table_add(&keep, 1) = add_text(p, b.data);
	}
	r.makes = jl_plan_add_refs(&p->plan, makes.data, makes.len);
	r.n_makes = makes.len;
	r.keep = jl_plan_add_refs(&p->plan, keep.data, keep.len);
	r.n_keep = keep.len;
	if (s->foreach.pattern && !(r.flags & JL_RULE_OFF)) {
		compile_items(p, s, &items);
		r.items_text = add_text(p, items.data);
	}
	jl_uses_compile(p, s, &r);
	r.ident = ident_of(p, s, items.data);
	*(struct jl_rule *)jl_table_add(&p->plan.rules, 1) = r;
	jl_buf_release(&b);
	jl_buf_release(&items);
	jl_table_release(&makes);
	jl_table_release(&keep);
}

/* Does one of the exclusions name all that an output pattern could? Only what is plain to see: an output without wildcards,
 * or one below a folder that is excluded whole. */
static bool all_excluded(const struct jl_table *excludes, const char *makes)
{
	for (uint32_t i = 0; i < excludes->len; i++) {
		const char *pattern = *JL_AT(*excludes, const char *, i);
		size_t len = strlen(pattern);
		bool whole = len > 2 && strcmp(pattern + len - 3, "/**") == 0 && !memchr(pattern, '*', len - 2);
		if ((whole || !strpbrk(makes, "*?[\\")) && jl_glob_match(pattern, makes))
			return true;
	}
	return false;
}

static bool makes_by_glob(const struct jl_step *s)
{
	for (uint32_t i = 0; i < s->outputs.n; i++)
		if (s->outputs.at[i].glob)
			return true;
	return false;
}

struct connecting {
	const struct jl_map *names;
	struct jl_makers makers;
	bool globs_made; /* some step has a glob among its outputs */
};

static void index_makes(const struct jl_project *p, struct jl_makers *out)
{
	for (uint32_t i = 0; i < p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&p->plan, i);
		for (uint32_t k = 0; k < r->n_makes && !(r->flags & JL_RULE_OFF); k++)
			jl_makers_add(out, jl_project_text(p, jl_plan_ref(&p->plan, r->makes + k)), i);
	}
	jl_makers_ready(out);
}

struct wanted {
	const struct jl_project *p;
	uint32_t self;
	bool by_glob;
	const struct jl_table *excludes;
};

static bool is_wanted(void *ctx, uint32_t rule, const char *makes)
{
	const struct wanted *w = ctx;
	return rule != w->self && (!w->by_glob || makes_by_glob(&w->p->ast->steps[rule])) &&
	       !all_excluded(w->excludes, makes);
}

/* Rules other than `self` that could make what the pattern means; `by_glob`: those only whose outputs nobody knows before. */
static void makers(const struct jl_project *p, const struct connecting *c, uint32_t self, const char *pattern,
		   bool by_glob, const struct jl_table *excludes, struct jl_table *out)
{
	struct wanted w = {.p = p, .self = self, .by_glob = by_glob, .excludes = excludes};
	jl_makers_find(&c->makers, pattern, is_wanted, &w, out);
}

static const char *name_of(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_project *p = owner;
	*ret_len = p->ast->steps[index].name.len;
	return p->ast->steps[index].name.s;
}

/* Now that all rules are known: who waits for whom. */
static void connect(struct jl_project *p, uint32_t rule, const struct connecting *c)
{
	const struct jl_step *s = &p->ast->steps[rule];
	struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	struct jl_table after = JL_TABLE_INIT(uint32_t), waits = JL_TABLE_INIT(uint32_t);
	struct jl_buf b = JL_BUF_INIT;
	if (r->flags & JL_RULE_OFF)
		return;
	for (uint32_t i = 0; i < s->after.n; i++)
		*(uint32_t *)jl_table_add(&after, 1) = jl_map_get(c->names, s->after.at[i].s, s->after.at[i].len);
	struct jl_table excludes = JL_TABLE_INIT(char *);
	struct jl_arena arena = JL_ARENA_INIT;
	for (uint32_t i = 0; i < s->inputs.n; i++) {
		if (!s->inputs.at[i].exclude)
			continue;
		jl_compile_pattern(p, &s->inputs.at[i], s, &b);
		*(const char **)jl_table_add(&excludes, 1) = jl_arena_strdup(&arena, b.data);
	}
	for (uint32_t i = 0; i < s->inputs.n; i++) {
		const struct jl_port *in = &s->inputs.at[i];
		if (in->exclude || in->url || !(in->glob || in->folder || c->globs_made))
			continue;
		jl_compile_pattern(p, in, s, &b);
		makers(p, c, rule, b.data, !(in->glob || in->folder), &excludes, &after);
	}
	excludes.len = 0; /* they are about inputs */
	if (s->foreach.pattern) {
		pattern_text(&b, "", jl_project_text(p, r->items_text), s->foreach.kind == JL_FOREACH_LINES);
		makers(p, c, rule, b.data, false, &excludes, &waits);
	}
	r->after = jl_plan_add_refs(&p->plan, after.data, after.len);
	r->n_after = after.len;
	r->waits = jl_plan_add_refs(&p->plan, waits.data, waits.len);
	r->n_waits = waits.len;
	if (waits.len)
		r->flags |= JL_RULE_LATE;
	jl_table_release(&after);
	jl_table_release(&waits);
	jl_table_release(&excludes);
	jl_arena_release(&arena);
	jl_buf_release(&b);
}

/* The files that the manifest takes in: the plan is of their content too. */
static void add_includes(struct jl_project *p)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	for (uint32_t i = 1; i < p->ast->n_files; i++) {
		const char *path = p->ast->files[i]->path;
		*(uint32_t *)jl_table_add(&ids, 1) = jl_files_id(&p->state->files, path, strlen(path));
	}
	uint32_t first = jl_plan_add_refs(&p->plan, ids.data, ids.len);
	jl_plan_head(&p->plan)->includes = first;
	jl_plan_head(&p->plan)->n_includes = ids.len;
	jl_table_release(&ids);
}

static void add_remotes(struct jl_project *p)
{
	const struct jl_store_settings *store = &p->ast->store;
	for (uint32_t i = 0; i < store->n_remotes; i++) {
		const struct jl_remote_settings *r = &store->remotes[i];
		const uint32_t refs[JL_PLAN_REMOTE] = {add_text(p, r->name),  add_text(p, r->url),      add_text(p, r->group),
						       add_text(p, r->sign), (uint32_t)r->mode, r->allow_insecure_hash};
		uint32_t at = jl_plan_add_refs(&p->plan, refs, JL_PLAN_REMOTE);
		if (i == 0)
			jl_plan_head(&p->plan)->remotes = at;
	}
	jl_plan_head(&p->plan)->n_remotes = store->n_remotes;
}

void jl_compile(struct jl_project *p)
{
	struct jl_plan_head *h = jl_table_add(&p->plan.head, 1);
	struct jl_map names;
	struct connecting c = {.names = &names, .makers = JL_MAKERS_INIT};
	h->format = JL_PLAN_FORMAT;
	h->manifest = add_text(p, p->manifest_name);
	collect_env(p);
	add_pools(p);
	add_remotes(p);
	jl_plan_head(&p->plan)->algo = p->state->files.algo;
	jl_plan_head(&p->plan)->store_dir = 0;
	add_includes(p);
	struct jl_plan_head *head = jl_plan_head(&p->plan);
	const struct jl_store_settings *store = &p->ast->store;
	head->max_size = store->max_size;
	head->max_items = store->max_items;
	head->max_age_ns = store->max_age_ns;
	head->store_keys = (store->has_size ? JL_STORE_SIZE : 0) | (store->has_items ? JL_STORE_ITEMS : 0) |
			   (store->has_age ? JL_STORE_AGE : 0) | (store->has_compress ? JL_STORE_COMPRESS : 0) |
			   (store->bare ? JL_STORE_BARE : 0);
	if (store->dir) {
		struct jl_buf dir = JL_BUF_INIT;
		jl_path_join(&dir, p->root, store->dir);
		jl_plan_head(&p->plan)->store_dir = add_text(p, dir.data);
		jl_buf_release(&dir);
	}
	jl_table_reserve(&p->plan.rules, p->ast->n_steps);
	jl_map_init(&names, name_of, p);
	jl_map_reserve(&names, p->ast->n_steps);
	for (uint32_t i = 0; i < p->ast->n_steps; i++) {
		jl_map_put(&names, p->ast->steps[i].name.s, p->ast->steps[i].name.len, i);
		compile_rule(p, &p->ast->steps[i]);
		c.globs_made |= makes_by_glob(&p->ast->steps[i]);
	}
	index_makes(p, &c.makers);
	for (uint32_t i = 0; i < p->ast->n_steps && !p->msgs->errors; i++)
		connect(p, i, &c);
	jl_makers_release(&c.makers);
	jl_map_release(&names);
}
