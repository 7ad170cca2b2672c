/* Commands on other machines: see hosted.h. */
#include "run/hosted.h"

#include "base/near.h"
#include "base/path.h"
#include "exec/host_env.h"
#include "run/elsewhere.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTED "hosts" /* the executor of those that were listed */

/* ---- which ---- */

static void set_where(struct jl_hosted *h, const char *executor)
{
	h->to.where = (struct jl_where){.executor = jl_arena_strdup(&h->texts, executor)};
}

/* "bob*4". */
static int read_host(struct jl_hosted *h, const char *text, size_t len, uint32_t slots, struct jl_table *hosts, struct jl_err *err)
{
	char *name = jl_arena_strndup(&h->texts, text, len), *star = strrchr(name, '*'), *end;
	if (star) {
		unsigned long n = strtoul(star + 1, &end, 10);
		if (star[1] < '0' || star[1] > '9' || *end || n < 1 || n > JL_AGENT_SLOTS_MAX)
			return jl_err_set(err, JL_EINVAL, "\"%s\" wants a number of slots behind the '*', from 1 to %u", name,
					  JL_AGENT_SLOTS_MAX);
		*star = '\0';
		slots = (uint32_t)n;
	}
	if (strcmp(name, ":") == 0) {
		h->here = true;
		h->here_slots = slots;
	} else if (jl_launch_host_ok(name)) {
		*(struct jl_mhost *)jl_table_add(hosts, 1) = (struct jl_mhost){.name = {.s = name}, .slots = slots};
	} else if (strspn(name, "0123456789") > 0 && name[strspn(name, "0123456789")] == '/') {
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no name of a host; slots come behind it: host*4", name);
	} else {
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no name of a host; settings for it belong into ~/.ssh/config", name);
	}
	return JL_OK;
}

int jl_hosted_list(struct jl_hosted *h, const char *const *lists, uint32_t n, uint32_t slots, const char *const *environ,
		   struct jl_err *err)
{
	struct jl_table hosts = JL_TABLE_INIT(struct jl_mhost);
	struct jl_executor x = {.name = {.s = LISTED}, .ssh = true};
	const struct jl_manifest m = {.executors = &x, .n_executors = 1};
	int r = JL_OK;
	for (uint32_t i = 0; i < n && r == JL_OK; i++) {
		const char *at = lists[i];
		for (bool more = true; more && r == JL_OK; at++) {
			size_t len = strcspn(at, ",");
			r = read_host(h, at, len, slots, &hosts, err);
			at += len;
			more = *at == ',';
		}
	}
	x.hosts = (struct jl_mhosts){.at = hosts.data, .n = hosts.len};
	set_where(h, LISTED);
	if (r == JL_OK && hosts.len)
		r = jl_elsewhere_hosts(&h->to, &m, environ, err);
	jl_table_release(&hosts);
	return r;
}

int jl_hosted_executor(struct jl_hosted *h, const struct jl_manifest *m, const char *name, uint32_t slots,
		       const char *const *environ, struct jl_err *err)
{
	struct jl_manifest one = {.n_executors = 1};
	struct jl_near near = {.word = name};
	for (uint32_t i = 0; i < m->n_executors; i++) {
		jl_near_offer(&near, m->executors[i].name.s);
		if (strcmp(m->executors[i].name.s, name) == 0)
			one.executors = &m->executors[i];
	}
	if (!one.executors && near.best)
		return jl_err_set(err, JL_EINVAL, "the manifest has no executor \"%s\"; did you mean \"%s\"?", name, near.best);
	if (!one.executors)
		return jl_err_set(err, JL_EINVAL, "the manifest has no executor \"%s\"", name);
	set_where(h, name);
	int r = jl_elsewhere_hosts(&h->to, &one, environ, err);
	for (uint32_t i = 0; i < h->to.n_hosts; i++) {
		h->to.hosts[i].shared = false; /* there is no workspace that both sides would have */
		if (h->to.hosts[i].slots == 0)
			h->to.hosts[i].slots = slots;
	}
	return r;
}

/* Of here, so that order and times are the same there. */
static bool is_locale(const char *entry)
{
	return strncmp(entry, "LANG=", 5) == 0 || strncmp(entry, "LANGUAGE=", 9) == 0 || strncmp(entry, "LC_", 3) == 0 ||
	       strncmp(entry, "TZ=", 3) == 0;
}

void jl_hosted_env(struct jl_hosted *h, const char *const *names, uint32_t n, const char *const *environ)
{
	h->env.len = 0;
	for (size_t i = 0; environ[i]; i++) {
		size_t len = strcspn(environ[i], "=");
		bool travels = is_locale(environ[i]);
		for (uint32_t k = 0; k < n && !travels; k++)
			travels = strlen(names[k]) == len && strncmp(names[k], environ[i], len) == 0;
		if (travels)
			*(const char **)jl_table_add(&h->env, 1) = environ[i];
	}
	*(const char **)jl_table_add(&h->env, 1) = NULL;
}

void jl_hosted_release(struct jl_hosted *h)
{
	jl_elsewhere_release(&h->to);
	jl_table_release(&h->env);
	jl_arena_release(&h->texts);
}

/* ---- connections ---- */

static void tell(const struct jl_hosted *h, const char *text)
{
	if (h->say)
		h->say(h->ctx, text);
}

/* Where none can be had in the end, that is one line; so those that fail before the first one is up wait for it. */
static void changed(void *ctx, const struct jl_host *host, const char *why)
{
	struct jl_hosted *h = ctx;
	if (why) {
		const char *text = jl_arena_printf(&h->texts, "host \"%s\": %s", host->name, why);
		if (h->up || h->here)
			tell(h, text);
		else
			*(const char **)jl_table_add(&h->failed, 1) = text;
		return;
	}
	h->up = true;
	for (uint32_t i = 0; i < h->failed.len; i++)
		tell(h, *JL_AT(h->failed, const char *, i));
	h->failed.len = 0;
}

int jl_hosted_open(struct jl_hosted *h, const struct jl_local *local, const char *const *environ, const char *workdir,
		   void (*say)(void *ctx, const char *text), void *ctx, struct jl_err *err)
{
	struct jl_elsewhere *w = &h->to;
	h->say = say;
	h->ctx = ctx;
	if (w->n_hosts == 0)
		return JL_OK;
	jl_cargo_init(&w->cargo);
	return jl_exec_hosts_new(&(struct jl_hosts_config){.loop = local->loop,
							   .local = local->exec,
							   .hosts = w->hosts,
							   .n_hosts = w->n_hosts,
							   .agents = w->has_agents ? &w->agents : NULL,
							   .environ = environ,
							   .workdir = workdir,
							   .again = true,
							   .changed = changed,
							   .ctx = h},
				 &w->exec, err);
}

void jl_hosted_close(struct jl_hosted *h)
{
	if (h->to.exec)
		h->to.exec->ops->free(h->to.exec);
	h->to.exec = NULL;
	if (h->to.n_hosts)
		jl_cargo_release(&h->to.cargo);
	jl_table_release(&h->failed);
	if (h->stdin_fd >= 0)
		close(h->stdin_fd);
	h->stdin_fd = -1;
}

uint32_t jl_hosted_most(const struct jl_hosted *h)
{
	return jl_hosts_most(h->to.hosts, h->to.n_hosts);
}

static const struct jl_where *where_of(struct jl_hosted *h, const struct jl_trouble *t)
{
	h->to.where.slots = 1;
	jl_trouble_where(t, &h->to);
	return &h->to.where;
}

bool jl_hosted_room(struct jl_hosted *h, const struct jl_trouble *t)
{
	return h->to.exec && jl_hosts_room(h->to.exec, where_of(h, t));
}

const char *jl_hosted_none(struct jl_hosted *h)
{
	return h->to.exec ? jl_hosts_none(h->to.exec, &h->to.where) : "there are no hosts";
}

/* ---- what travels ---- */

const char *jl_hosted_program(const struct jl_table *words, uint32_t n_shell, size_t *ret_len)
{
	const char *word = *JL_AT(*words, const char *, n_shell);
	size_t len = strlen(word);
	if (n_shell) { /* a script: its first word, if that is plain */
		word += strspn(word, " \t\n");
		len = strcspn(word, " \t\n;&|<>()");
		if (strcspn(word, "'\"\\$`*?[~{#=") < len)
			return NULL;
	}
	*ret_len = len;
	return len && word[0] != '/' && memchr(word, '/', len) ? word : NULL;
}

static int add_program(struct jl_hosted *h, struct jl_call *c, const char *word, size_t len, struct jl_err *err)
{
	const struct jl_project *p = c->e.p;
	struct jl_buf path = JL_BUF_INIT;
	char *text = jl_strndup(word, len);
	int r = jl_path_join(&path, c->o->run.cwd, text);
	free(text);
	size_t root = strcmp(p->root, "/") == 0 ? 0 : strlen(p->root);
	/* One outside is the host's, if anybody's. */
	if (r == JL_OK && jl_path_inside(path.data, p->root) && path.len > root + 1)
		r = jl_cargo_add(&h->to.cargo, &c->e, c->run.inst, path.data + root + 1, err);
	jl_buf_release(&path);
	return r;
}

static int add_stdin(struct jl_hosted *h, struct jl_call *c, struct jl_err *err)
{
	struct stat st;
	int fd, r = jl_feed_file(&c->feed, c->all->tmp_dir, &fd, err);
	if (r != JL_OK || fd < 0)
		return r;
	if (h->stdin_fd >= 0)
		close(h->stdin_fd);
	h->stdin_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (h->stdin_fd < 0 || fstat(h->stdin_fd, &st) != 0)
		return jl_err_sys(err, errno, "cannot read standard input again");
	jl_cargo_stdin(&h->to.cargo, h->stdin_fd, (uint64_t)st.st_size, &c->feed.digest);
	return JL_OK;
}

static int load(struct jl_hosted *h, struct jl_call *c, const struct jl_table *words, uint32_t n_shell, struct jl_job *job,
		struct jl_err *err)
{
	struct jl_cargo_room *room = &h->to.cargo;
	struct jl_spec spec;
	size_t len;
	jl_plan_spec(&c->e.p->plan, jl_engine_inst(&c->e, c->run.inst)->spec, &c->e.starting.argv, &spec);
	int r = jl_cargo_make(room, &c->e, &c->run, spec.workdir, false, err);
	/* Whether an output is a file or a folder is not said. */
	for (uint32_t i = 0; i < room->outs.len; i++)
		JL_AT(room->outs, struct jl_cargo_out, i)->flags |= JL_CARGO_ANY;
	const char *program = jl_hosted_program(words, n_shell, &len);
	if (r == JL_OK && program)
		r = add_program(h, c, program, len, err);
	if (r == JL_OK)
		r = add_stdin(h, c, err);
	job->cargo = &room->cargo;
	job->label = jl_call_label(c); /* texts may have moved */
	return r;
}

int jl_hosted_job(struct jl_hosted *h, const struct jl_trouble *t, struct jl_call *c, const struct jl_table *words,
		  uint32_t n_shell, struct jl_job *job, struct jl_err *err)
{
	job->where = where_of(h, t);
	job->envp = h->env.data;
	job->cargo = NULL;
	job->script = n_shell > 0;
	return c ? load(h, c, words, n_shell, job, err) : JL_OK;
}

bool jl_hosted_again(struct jl_hosted *h, struct jl_trouble *t, const char *label, struct jl_slot_job *job, bool final)
{
	const bool was_lost = job->result.end == JL_JOB_LOST;
	char said[JL_TROUBLE_SAID];
	(void)where_of(h, t);
	if (!jl_trouble_again(t, &h->to, job, final, said))
		return false;
	if (said[0] && !was_lost) { /* the host's loss was told, once for all that ran there */
		struct jl_buf text = JL_BUF_INIT;
		jl_buf_printf(&text, "%s%s%s", label, label[0] ? ": " : "", said);
		tell(h, text.data);
		jl_buf_release(&text);
	}
	return true;
}
