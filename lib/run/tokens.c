/* See tokens.h. */
#include "run/tokens.h"

#include "base/cpu.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define OFFER_CPUS UINT32_MAX /* as many as there are processors: counted when something starts */

static const char name[] = "MAKEFLAGS=";

static bool is_makeflags(const char *entry)
{
	return strncmp(entry, name, sizeof(name) - 1) == 0;
}

static const char *makeflags_of(const char *const *env)
{
	for (; env && *env; env++)
		if (is_makeflags(*env))
			return *env + sizeof(name) - 1;
	return NULL;
}

uint32_t jl_tokens_auto(const char *const *environ)
{
	struct jl_jobserver_auth auth;
	return jl_jobserver_find(makeflags_of(environ), &auth) && auth.jobs ? auth.jobs : jl_cpu_count();
}

static void there_is_one(struct jl_watch *w, uint32_t epoll_events)
{
	struct jl_tokens *t = (struct jl_tokens *)((char *)w - offsetof(struct jl_tokens, watch));
	(void)epoll_events;
	/* Whoever reads first gets it: waited for anew if that is not us. */
	jl_loop_remove(t->loop, w);
	t->none = false;
}

int jl_tokens_open(struct jl_tokens *t, struct jl_loop *loop, uint32_t jobs, const char *const *environ,
		   struct jl_err *err)
{
	struct jl_jobserver_auth auth;
	*t = (struct jl_tokens){.loop = loop,
				.pool = JL_JOBSERVER_INIT,
				.watch = {.ready = there_is_one, .fd = -1},
				.entry = JL_BUF_INIT,
				.env = JL_TABLE_INIT(char *)};
	if (jobs <= 1 && jl_jobserver_find(makeflags_of(environ), &auth)) {
		int r = jl_jobserver_join(&t->pool, &auth, err);
		if (r == JL_OK)
			return r;
		/* make's own word on it: it has closed the pool to a recipe that does not seem to call make. */
		if (r == JL_ENOTFOUND && err)
			jl_err_set(err, r, "make does not share its jobs with this recipe, so one job runs at a time; "
					   "begin the recipe's line with \"+\", or say -j N");
		else
			jl_err_add(err, "make's jobs cannot be shared, so one job runs at a time");
		return r;
	}
	t->offer = jobs ? jobs : OFFER_CPUS;
	return JL_OK;
}

void jl_tokens_close(struct jl_tokens *t)
{
	if (!t->loop)
		return;
	jl_loop_remove(t->loop, &t->watch);
	jl_jobserver_close(&t->pool);
	jl_buf_release(&t->entry);
	jl_table_release(&t->env);
	free(t->makeflags);
	*t = (struct jl_tokens){0};
}

bool jl_tokens_allow(struct jl_tokens *t, uint32_t running, uint32_t more)
{
	const uint32_t needed = running + more - 1;
	if (t->pool.read_fd < 0)
		return true;
	while (jl_jobserver_taken(&t->pool) < needed && !t->none)
		t->none = !jl_jobserver_take(&t->pool);
	return running == 0 || jl_jobserver_taken(&t->pool) >= needed;
}

/* MAKEFLAGS for a child that would have `makeflags`: the same for most, so made once. */
static const char *entry_for(struct jl_tokens *t, const char *makeflags)
{
	bool same = t->entry.len && (t->makeflags ? makeflags && strcmp(makeflags, t->makeflags) == 0 : !makeflags);
	if (same)
		return t->entry.data;
	struct jl_buf flags = JL_BUF_INIT;
	jl_jobserver_flags(&t->pool, makeflags, &flags);
	jl_buf_clear(&t->entry);
	jl_buf_printf(&t->entry, "%s%s", name, flags.data);
	jl_buf_release(&flags);
	free(t->makeflags);
	t->makeflags = makeflags ? jl_strdup(makeflags) : NULL;
	return t->entry.data;
}

void jl_tokens_pass(struct jl_tokens *t, struct jl_job *job)
{
	const char *makeflags = makeflags_of(job->envp);
	const uint32_t offer = t->offer == OFFER_CPUS ? jl_cpu_count() : t->offer;
	if (offer > 1 && offer <= JL_JOBSERVER_MOST) /* no descriptors left: then without, and not tried again */
		(void)!jl_jobserver_offer(&t->pool, offer, NULL);
	t->offer = 0;
	if (t->pool.read_fd < 0)
		return;
	t->env.len = 0;
	for (const char *const *e = job->envp; *e; e++)
		if (!is_makeflags(*e))
			*(const char **)jl_table_add(&t->env, 1) = *e;
	*(const char **)jl_table_add(&t->env, 1) = entry_for(t, makeflags);
	*(const char **)jl_table_add(&t->env, 1) = NULL;
	job->envp = t->env.data;
	job->keep_fds = t->pool.keep_fds;
}

void jl_tokens_settle(struct jl_tokens *t, uint32_t running, uint32_t wanted)
{
	/* Those that are kept while one waits for more are no deadlock: what runs here ends, and then it starts with what it
	 * has. */
	const uint32_t needed = running ? running - 1 + (t->none ? wanted : 0) : 0;
	while (jl_jobserver_taken(&t->pool) > needed)
		jl_jobserver_give(&t->pool);
	if (!wanted || !t->none)
		jl_loop_remove(t->loop, &t->watch);
	else if (t->watch.fd < 0 && jl_loop_add(t->loop, &t->watch, t->pool.read_fd, EPOLLIN, NULL) != JL_OK)
		t->none = false; /* not to be watched: asked again with the next turn */
}
