/* jl cache push, pull: results to and from the shared stores by hand. Those of steps are the engine's business (run/move.h), which
 * works out their keys; a key that is given is sent or fetched as it is. */
#include "cache.h"

#include "base/clock.h"
#include "run/remotes.h"
#include "run/run.h"

#include <poll.h>
#include <stdlib.h>

struct totals {
	struct jl_sink sink; /* first */
	uint64_t unsent;
};

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	jl_say("warning: %s", text);
}

static void tell_sent(void *ctx, const struct jl_remote_counts *counts)
{
	struct totals *t = ctx;

	t->unsent += counts->unsent;
	if (counts->sent)
		jl_say("%s: %llu result%s sent", counts->name, (unsigned long long)counts->sent,
		       counts->sent == 1 ? "" : "s");
	if (counts->unsent)
		jl_say("%s: %llu result%s not sent", counts->name, (unsigned long long)counts->unsent,
		       counts->unsent == 1 ? " was" : "s were");
}

static void event(struct jl_sink *s, const struct jl_event *e)
{
	if (e->type == JL_EVENT_WARNING)
		jl_say(e->step ? "warning: %s: %s" : "warning: %s%s", e->step ? e->step : "", e->text);
	else if (e->type == JL_EVENT_STEP_FINISHED && e->status == JL_STEP_FAILED)
		jl_say("%s: %s", e->step, e->reason ? e->reason : "failed");
	else if (e->type == JL_EVENT_REMOTE)
		tell_sent(s, e->remote);
}

static int check(const struct jl_cache *c, struct jl_err *err)
{
	struct jl_remote_settings settings;

	if (!c->lookup.project)
		return jl_err_set(err, JL_EINVAL, "%s",
				  c->lookup.fault.text[0] ? c->lookup.fault.text : "there is no workspace here");
	if (!jl_project_remote(c->lookup.project, 0, &settings))
		return jl_err_set(err, JL_EINVAL,
				  "there are no remotes: name them in \"store\" of the manifest or of the settings");
	return JL_OK;
}

/* The steps that are named, or all. An exit status; JL_EXIT_OK: go on. */
static int move_steps(struct jl_cache *c, enum jl_run_mode mode, struct totals *t, struct jl_counts *ret)
{
	struct jl_run_opts o = c->lookup.opts;
	struct jl_messages msgs = {0};
	struct jl_run_summary sum = {0};
	struct jl_err err = JL_ERR_INIT;
	int status = JL_EXIT_OK;

	if (c->s->operands.n > 1 && !c->steps.len)
		return status;
	o.mode = mode;
	o.targets = c->steps.data;
	o.n_targets = c->steps.len;
	o.sinks = &t->sink;
	if (jl_run(&o, &sum, &msgs, &err) != JL_OK)
		status = jl_say_fault(&msgs, &err);
	if (sum.signal)
		jl_end_by_signal(sum.signal);
	*ret = sum.counts;
	jl_messages_release(&msgs);
	return status;
}

int jl_cache_push(struct jl_cache *c, struct jl_err *err)
{
	struct totals t = {.sink = {.event = event}};
	struct jl_counts counts = {0};
	struct jl_tier *tier = NULL;
	int status;

	if (check(c, err) != JL_OK)
		return jl_say_error(err);
	status = move_steps(c, JL_MODE_PUSH, &t, &counts);
	if (status != JL_EXIT_OK || !c->keys.len)
		return status == JL_EXIT_OK && t.unsent ? JL_EXIT_MACHINE : status;
	if (jl_remotes_connect(c->lookup.project, c->store, false, warn, NULL, &tier, err) != JL_OK)
		return jl_say_error(err);
	for (uint32_t i = 0; i < c->keys.len; i++)
		jl_tier_offer(tier, JL_AT(c->keys, struct jl_digest, i));
	(void)!jl_tier_finish(tier, 365 * 24 * 3600 * JL_NS_S);
	jl_tier_tell(tier, warn, NULL);
	jl_remotes_account(tier, jl_lookup_store_dir(&c->lookup), tell_sent, &t);
	jl_tier_free(tier);
	return t.unsent ? JL_EXIT_MACHINE : JL_EXIT_OK;
}

static void tell_nothing(void *ctx, const struct jl_remote_counts *counts)
{
	(void)ctx;
	(void)counts;
}

/* Those that were given as keys. How many were fetched. */
static int pull_keys(struct jl_cache *c, uint32_t *ret_found, struct jl_err *err)
{
	struct jl_tier *t = NULL;
	struct jl_tier_ask *asks, *one;
	uint32_t open = 0;

	if (!c->keys.len)
		return JL_OK;
	if (jl_remotes_connect(c->lookup.project, c->store, true, warn, NULL, &t, err) != JL_OK)
		return err->status;
	asks = jl_calloc(c->keys.len, sizeof(*asks));
	for (uint32_t i = 0; i < c->keys.len; i++) {
		asks[i].key = *JL_AT(c->keys, struct jl_digest, i);
		jl_tier_ask(t, &asks[i]);
		open++;
	}
	while (open > 0) {
		struct pollfd p = {.fd = jl_tier_fd(t), .events = POLLIN};

		poll(&p, 1, -1);
		while ((one = jl_tier_taken(t))) {
			*ret_found += one->found;
			open--;
		}
	}
	(void)!jl_tier_finish(t, 0);
	jl_tier_tell(t, warn, NULL);
	jl_remotes_account(t, jl_lookup_store_dir(&c->lookup), tell_nothing, NULL);
	jl_tier_free(t);
	free(asks);
	return JL_OK;
}

int jl_cache_pull(struct jl_cache *c, struct jl_err *err)
{
	struct totals t = {.sink = {.event = event}};
	struct jl_counts counts = {0};
	struct jl_buf text = JL_BUF_INIT;
	uint32_t found = 0;
	int status;

	if (check(c, err) != JL_OK)
		return jl_say_error(err);
	status = move_steps(c, JL_MODE_PULL, &t, &counts);
	if (status != JL_EXIT_OK)
		return status;
	if (pull_keys(c, &found, err) != JL_OK)
		return jl_say_error(err);
	counts.would_run += c->keys.len - found;
	found += counts.restored;
	jl_buf_printf(&text, "fetched %u result%s", found, found == 1 ? "" : "s");
	if (counts.fresh)
		jl_buf_printf(&text, "; %u here already", counts.fresh);
	if (counts.would_run)
		jl_buf_printf(&text, "; %u nowhere", counts.would_run);
	if (counts.maybe)
		jl_buf_printf(&text, "; %u not known before others are made", counts.maybe);
	jl_say("%s", text.data);
	jl_buf_release(&text);
	return JL_EXIT_OK;
}
