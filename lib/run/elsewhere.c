/* Steps on other machines: see elsewhere.h. */
#include "run/elsewhere.h"

#include "run/cargo.h"
#include "run/ended.h"
#include "run/needs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the hosts ---- */

static const char *const *words_of(struct jl_arena *arena, const struct jl_mtexts *texts)
{
	const char **words = jl_arena_alloc(arena, (texts->n + 1) * sizeof(*words));
	for (uint32_t i = 0; i < texts->n; i++)
		words[i] = jl_arena_strdup(arena, texts->at[i].s);
	return words;
}

static const char *const *ssh_words(struct jl_arena *arena, const char *const *environ)
{
	const char *value = "ssh";
	for (size_t i = 0; environ && environ[i]; i++)
		if (strncmp(environ[i], "JL_SSH=", 7) == 0 && environ[i][7])
			value = environ[i] + 7;
	const char **words = jl_arena_alloc(arena, (strlen(value) / 2 + 2) * sizeof(*words));
	char *text = jl_arena_strdup(arena, value), *save = NULL;
	size_t n = 0;
	for (char *w = strtok_r(text, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
		words[n++] = w;
	return words;
}

static void add_hosts(struct jl_elsewhere *w, const struct jl_executor *x, const char *const *ssh, struct jl_table *hosts)
{
	const char *const *launch = x->ssh ? ssh : words_of(&w->arena, &x->launch);
	const enum jl_launch_way way = x->ssh ? JL_LAUNCH_SSH : jl_launch_way_of(launch);
	for (uint32_t i = 0; i < x->hosts.n; i++) {
		const struct jl_mhost *h = &x->hosts.at[i];
		*(struct jl_host *)jl_table_add(hosts, 1) =
			(struct jl_host){.executor = jl_arena_strdup(&w->arena, x->name.s),
					 .name = jl_arena_strdup(&w->arena, h->name.s),
					 .argv = launch,
					 .way = way,
					 .shared = x->shared,
					 .slots = (uint32_t)h->slots,
					 .tags = words_of(&w->arena, &h->tags),
					 .n_tags = h->tags.n,
					 .silence_ns = x->silence_ns,
					 .connect_ns = x->connect_ns};
	}
}

int jl_elsewhere_hosts(struct jl_elsewhere *w, const struct jl_manifest *m, const char *const *environ, struct jl_err *err)
{
	struct jl_table hosts = JL_TABLE_INIT(struct jl_host);
	const char *const *ssh = ssh_words(&w->arena, environ);
	bool by_shell = false;
	int r = JL_OK;
	for (uint32_t i = 0; i < m->n_executors; i++) {
		add_hosts(w, &m->executors[i], ssh, &hosts);
	}
	w->hosts = hosts.data;
	w->n_hosts = hosts.len;
	for (uint32_t i = 0; i < w->n_hosts; i++)
		by_shell |= w->hosts[i].way != JL_LAUNCH_AGENT;
	if (by_shell)
		r = jl_agent_files_find(&w->agents, err);
	w->has_agents = by_shell && r == JL_OK;
	return r;
}

static void changed(void *ctx, const struct jl_host *host, const char *why)
{
	struct jl_engine *e = ctx;
	enum jl_host_state now = jl_hosts_state(e->elsewhere.exec, host);
	struct jl_event ev = {.type = JL_EVENT_HOST,
			      .executor = host->executor,
			      .host = host->name,
			      .text = now == JL_HOST_ASIDE ? "aside" : why ? "lost" : "up",
			      .reason = why};
	e->needs.stuck = false;
	jl_engine_emit(e, &ev);
	if (why)
		jl_engine_warn(e, NULL, "host \"%s\" of \"%s\": %s", host->name, host->executor, why);
}

/* Is there a step for another machine? */
static bool is_used(const struct jl_engine *e)
{
	if (e->opts->executor)
		return strcmp(e->opts->executor, "local") != 0;
	for (uint32_t i = 0; i < e->p->plan.rules.len; i++) {
		uint32_t name = jl_plan_rule(&e->p->plan, i)->executor;
		if (name && strcmp(jl_project_text(e->p, name), "local") != 0)
			return true;
	}
	return false;
}

int jl_elsewhere_open(struct jl_engine *e, uint32_t *ret_more, struct jl_err *err)
{
	struct jl_elsewhere *w = &e->elsewhere;
	struct jl_manifest *m = NULL;
	*ret_more = 0;
	w->troubles = (struct jl_table)JL_TABLE_INIT(struct jl_trouble);
	if (!is_used(e) || !e->local.loop)
		return JL_OK;
	int r = jl_project_ast(e->p, &m, err);
	if (r == JL_OK)
		r = jl_elsewhere_hosts(w, m, e->opts->environ, err);
	bool known = !e->opts->executor;
	for (uint32_t i = 0; i < w->n_hosts; i++)
		known |= e->opts->executor && strcmp(w->hosts[i].executor, e->opts->executor) == 0;
	if (r == JL_OK && !known)
		r = jl_err_set(err, JL_EINVAL, "--executor: the manifest has no executor \"%s\"", e->opts->executor);
	if (r == JL_OK)
		r = jl_exec_hosts_new(&(struct jl_hosts_config){.loop = e->local.loop,
								.local = e->local.exec,
								.hosts = w->hosts,
								.n_hosts = w->n_hosts,
								.agents = w->has_agents ? &w->agents : NULL,
								.environ = e->opts->environ,
								.workdir = e->p->root,
								.again = true,
								.changed = changed,
								.ctx = e},
				      &w->exec, err);
	if (r != JL_OK)
		return r;
	jl_cargo_init(&w->cargo);
	*ret_more = jl_hosts_most(w->hosts, w->n_hosts);
	e->exec = w->exec;
	return JL_OK;
}

void jl_elsewhere_close(struct jl_engine *e)
{
	struct jl_elsewhere *w = &e->elsewhere;
	if (w->exec) {
		w->exec->ops->free(w->exec);
		jl_cargo_release(&w->cargo);
	}
	jl_table_release(&w->troubles);
	jl_table_release(&w->tags);
	jl_elsewhere_release(w);
	*w = (struct jl_elsewhere){0};
}

void jl_elsewhere_release(struct jl_elsewhere *w)
{
	if (w->has_agents)
		jl_agent_files_release(&w->agents);
	free(w->hosts);
	jl_arena_release(&w->arena);
}

/* ---- a step ---- */

const char *jl_elsewhere_of(const struct jl_engine *e, uint32_t inst)
{
	const struct jl_rule *r = jl_engine_rule(e, inst);
	const char *name = e->opts->executor ? e->opts->executor : jl_project_text(e->p, r->executor);
	return r->flags & JL_RULE_INTERACTIVE || strcmp(name, "local") == 0 ? "" : name;
}

bool jl_elsewhere_shared(const struct jl_engine *e, uint32_t inst)
{
	const struct jl_elsewhere *w = &e->elsewhere;
	const char *name = jl_elsewhere_of(e, inst);
	for (uint32_t i = 0; i < w->n_hosts; i++)
		if (strcmp(w->hosts[i].executor, name) == 0)
			return w->hosts[i].shared;
	return false;
}

bool jl_elsewhere_apart(const struct jl_engine *e, uint32_t inst)
{
	return e->elsewhere.exec && jl_elsewhere_of(e, inst)[0] && !jl_elsewhere_shared(e, inst);
}

static const struct jl_where *where_of(struct jl_engine *e, uint32_t inst)
{
	struct jl_elsewhere *w = &e->elsewhere;
	const struct jl_rule *r = jl_engine_rule(e, inst);
	const char *name = jl_elsewhere_of(e, inst);
	bool tagged = !e->opts->executor;
	w->tags.size = sizeof(const char *);
	w->tags.len = 0;
	for (uint32_t i = 0; tagged && i < r->n_hosts; i++)
		*(const char **)jl_table_add(&w->tags, 1) = jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->hosts + i));
	w->where = (struct jl_where){.executor = name[0] ? name : NULL,
				     .tags = w->tags.data,
				     .n_tags = w->tags.len,
				     .slots = r->cpus,
				     .memory = r->memory};
	if (inst < w->troubles.len)
		jl_trouble_where(JL_AT(w->troubles, struct jl_trouble, inst), w);
	return &w->where;
}

bool jl_elsewhere_picky(const struct jl_engine *e, uint32_t inst)
{
	const struct jl_table *t = &e->elsewhere.troubles;
	return inst < t->len && JL_AT(*t, struct jl_trouble, inst)->n_avoid > 0;
}

bool jl_elsewhere_room(struct jl_engine *e, uint32_t inst)
{
	if (!e->elsewhere.exec || !jl_elsewhere_of(e, inst)[0])
		return true;
	return jl_hosts_room(e->elsewhere.exec, where_of(e, inst));
}

int jl_elsewhere_job(struct jl_engine *e, struct jl_running *r, const char *workdir, struct jl_job *job, struct jl_err *err)
{
	struct jl_elsewhere *w = &e->elsewhere;
	int status = jl_cargo_make(&w->cargo, e, r, workdir, jl_elsewhere_shared(e, r->inst), err);
	if (status != JL_OK)
		return status;
	job->cargo = &w->cargo.cargo;
	job->where = where_of(e, r->inst);
	return JL_OK;
}

/* ---- a step that did not end by itself ---- */

static struct jl_trouble *trouble_of(struct jl_engine *e, uint32_t inst)
{
	struct jl_elsewhere *w = &e->elsewhere;
	if (w->troubles.len <= inst)
		jl_table_add(&w->troubles, e->p->plan.insts.len - w->troubles.len);
	return JL_AT(w->troubles, struct jl_trouble, inst);
}

bool jl_elsewhere_again(struct jl_engine *e, struct jl_running *r)
{
	char said[JL_TROUBLE_SAID];
	(void)where_of(e, r->inst);
	if (!jl_trouble_again(trouble_of(e, r->inst), &e->elsewhere, &r->job, e->slots.stopping, said))
		return false;
	if (said[0])
		jl_engine_warn(e, jl_engine_label(e, r->inst), "%s", said);
	if (r->job.result.doubted || jl_elsewhere_shared(e, r->inst))
		jl_place_failed(e, r->inst); /* what it left */
	jl_ended_forget(e, r->inst);
	jl_needs_give(e, r);
	e->needs.turn = JL_NONE; /* it may have to wait for a host now */
	jl_engine_progress(e, jl_engine_label(e, r->inst));
	jl_engine_again(e, r->node);
	jl_ended_free(r);
	return true;
}
