/* See look_hosts.h. */
#include "run/look_hosts.h"

#include "base/clock.h"
#include "proc/loop.h"
#include "proc/spawn.h"
#include "run/elsewhere.h"

#include <stdlib.h>

static void changed(void *ctx, struct jl_exec *x, const char *why)
{
	(void)ctx;
	if (!why)
		jl_remote_ping(x);
}

/* It is down, or up and has answered a ping. */
static bool settled(const struct jl_exec *x)
{
	struct jl_remote_info info;
	jl_remote_info(x, &info);
	return info.state == JL_REMOTE_DOWN || (info.state == JL_REMOTE_UP && info.round_trip_ns > 0);
}

static bool all_settled(struct jl_exec *const *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (x[i] && !settled(x[i]))
			return false;
	return true;
}

static int open_all(struct jl_elsewhere *w, const struct jl_project *p, struct jl_loop *loop, struct jl_exec **x,
		    struct jl_err *err)
{
	int r = JL_OK;
	for (uint32_t i = 0; r == JL_OK && i < w->n_hosts; i++) {
		const struct jl_host *h = &w->hosts[i];
		const struct jl_remote_config config = {.name = h->name,
							.argv = h->argv,
							.way = h->way,
							.agents = w->has_agents ? &w->agents : NULL,
							.environ = p->opts->environ,
							.workdir = p->root,
							.shared = h->shared,
							.slots = h->slots,
							.silence_ns = h->silence_ns,
							.connect_ns = h->connect_ns,
							.changed = changed};
		r = jl_exec_remote_new(loop, &config, &x[i], err);
		if (r == JL_OK)
			r = jl_remote_connect(x[i], err);
	}
	return r;
}

int jl_look_hosts(struct jl_project *p, void (*tell)(void *ctx, const struct jl_look_hosts *one), void *ctx, uint32_t *ret_n,
		  struct jl_err *err)
{
	struct jl_elsewhere w = {0};
	struct jl_manifest *m = NULL;
	struct jl_loop *loop = NULL;
	struct jl_exec **x = NULL;
	int r = jl_project_ast(p, &m, err);
	if (r == JL_OK)
		r = jl_elsewhere_hosts(&w, m, p->opts->environ, err);
	if (r == JL_OK)
		r = jl_spawn_setup(err);
	if (r == JL_OK)
		r = jl_loop_new(&loop, err);
	x = jl_calloc(w.n_hosts + 1, sizeof(struct jl_exec *));
	if (r == JL_OK)
		r = open_all(&w, p, loop, x, err);
	while (r == JL_OK && !all_settled(x, w.n_hosts)) {
		for (uint32_t i = 0; i < w.n_hosts; i++)
			jl_remote_flush(x[i]);
		r = jl_loop_once(loop, JL_FOREVER, err) < 0 ? JL_EIO : JL_OK;
	}
	for (uint32_t i = 0; r == JL_OK && i < w.n_hosts; i++) {
		struct jl_look_hosts one = {.host = &w.hosts[i]};
		jl_remote_info(x[i], &one.info);
		one.up = one.info.state == JL_REMOTE_UP;
		tell(ctx, &one);
	}
	*ret_n = w.n_hosts;
	for (uint32_t i = 0; i < w.n_hosts; i++)
		if (x[i])
			jl_remote_hang_up(x[i]);
	for (uint32_t i = 0; i < w.n_hosts; i++)
		if (x[i])
			x[i]->ops->free(x[i]);
	if (loop)
		jl_loop_free(loop);
	free(x);
	jl_elsewhere_release(&w);
	return r;
}
