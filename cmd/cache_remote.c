/* jl cache push, pull: results to and from the shared stores by hand. */
#include "cache.h"

#include "base/clock.h"
#include "run/remotes.h"

#include <poll.h>
#include <stdlib.h>

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	jl_say("warning: %s", text);
}

/* Without words: what each step of the workspace gave last. */
static void add_all(struct jl_cache *c)
{
	struct jl_project *p = c->lookup.project;

	for (uint32_t i = 0; c->s->operands.n == 1 && i < p->plan.insts.len; i++) {
		const struct jl_result *r = jl_lookup_result(p, i);

		if (r && (r->flags & JL_RESULT_OK))
			*(struct jl_digest *)jl_table_add(&c->keys, 1) = r->key;
	}
}

static int connect_all(struct jl_cache *c, struct jl_tier **ret, struct jl_err *err)
{
	struct jl_remote_settings settings;

	if (!c->lookup.project)
		return jl_err_set(err, JL_EINVAL, "%s",
				  c->lookup.fault.text[0] ? c->lookup.fault.text : "there is no workspace here");
	if (!jl_project_remote(c->lookup.project, 0, &settings))
		return jl_err_set(err, JL_EINVAL,
				  "there are no remotes: name them in \"store\" of the manifest or of the settings");
	add_all(c);
	return jl_remotes_connect(c->lookup.project, c->store, true, warn, NULL, ret, err);
}

int jl_cache_push(struct jl_cache *c, struct jl_err *err)
{
	struct jl_tier *t = NULL;
	uint64_t unsent, kept = 0;

	if (connect_all(c, &t, err) != JL_OK)
		return jl_say_error(err);
	for (uint32_t i = 0; i < c->keys.len; i++)
		jl_tier_offer(t, JL_AT(c->keys, struct jl_digest, i));
	unsent = jl_tier_finish(t, 365 * 24 * 3600 * JL_NS_S);
	jl_tier_tell(t, warn, NULL);
	for (uint32_t i = 0;; i++) {
		struct jl_tier_stats st;

		if (!jl_tier_stats(t, i, &st))
			break;
		kept += st.unsent;
		if (st.sent)
			jl_say("%s: %llu result%s sent", st.name, (unsigned long long)st.sent, st.sent == 1 ? "" : "s");
	}
	jl_tier_free(t);
	if (unsent)
		jl_say("%llu result%s not sent", (unsigned long long)unsent, unsent == 1 ? " was" : "s were");
	return unsent + kept ? JL_EXIT_MACHINE : JL_EXIT_OK;
}

int jl_cache_pull(struct jl_cache *c, struct jl_err *err)
{
	struct jl_tier *t = NULL;
	struct jl_tier_ask *asks, *one;
	uint32_t found = 0, open = 0;

	if (connect_all(c, &t, err) != JL_OK)
		return jl_say_error(err);
	asks = jl_calloc(c->keys.len + 1u, sizeof(*asks));
	for (uint32_t i = 0; i < c->keys.len; i++) {
		asks[i].key = *JL_AT(c->keys, struct jl_digest, i);
		jl_tier_ask(t, &asks[i]);
		open++;
	}
	while (open > 0) {
		struct pollfd p = {.fd = jl_tier_fd(t), .events = POLLIN};

		poll(&p, 1, -1);
		while ((one = jl_tier_taken(t))) {
			found += one->found;
			open--;
		}
	}
	(void)!jl_tier_finish(t, 0);
	jl_tier_tell(t, warn, NULL);
	jl_tier_free(t);
	free(asks);
	jl_say("fetched %u of %u result%s", found, c->keys.len, c->keys.len == 1 ? "" : "s");
	return JL_EXIT_OK;
}
