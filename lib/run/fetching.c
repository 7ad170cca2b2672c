/* See fetching.h. */
#include "run/fetching.h"

#include "base/url.h"
#include "run/again.h"
#include "run/copy.h"
#include "run/ended.h"
#include "run/shared.h"
#include "run/url.h"
#include "store/talk.h"
#include "store/tier.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MAX  512u    /* downloads at once: each has a folder open */
#define TELL_NS   JL_NS_S

struct fetching {
	struct jl_tier_get get;      /* first */
	struct fetching *next;
	uint32_t url;
	struct jl_buf site, host, path, shown;
	struct jl_about copy;
	bool has_copy;
	int dir_fd;
	int64_t began_ns, told_ns;
};

static struct jl_fetched *fetched_of(struct jl_engine *e, uint32_t url)
{
	struct jl_table *t = &e->fetching.of;
	if (t->len <= url)
		memset(jl_table_add(t, url + 1 - t->len), 0, (url + 1 - t->len) * sizeof(struct jl_fetched));
	return JL_AT(*t, struct jl_fetched, url);
}

/* ---- telling ---- */

static void emit(struct jl_engine *e, const struct fetching *f, enum jl_fetch_status status, const char *reason)
{
	struct jl_event ev = {.type = JL_EVENT_FETCH,
			      .url = f->shown.data,
			      .fetch = status,
			      .bytes = f->get.got,
			      .total = f->get.size == JL_TALK_UNKNOWN ? 0 : f->get.size,
			      .wall_ns = e->clock->now_ns(e->clock) - f->began_ns,
			      .reason = reason};
	jl_engine_emit(e, &ev);
}

void jl_fetching_tell(struct jl_engine *e)
{
	if (!e->fetching.open)
		return;
	const int64_t now = e->clock->now_ns(e->clock);
	for (struct fetching *f = e->fetching.open; f; f = f->next) {
		if (now - f->told_ns < TELL_NS)
			continue;
		f->told_ns = now;
		emit(e, f, JL_FETCH_GOES_ON, NULL);
	}
}

/* ---- one URL ---- */

static void add_age(struct jl_buf *out, int64_t asked_ns)
{
	const int64_t age_s = (jl_clock_real_ns() - asked_ns) / JL_NS_S;
	jl_clock_show(out, (age_s > 0 ? age_s : 0) * JL_NS_S);
}

static void not_here(struct jl_engine *e, uint32_t url, const char *shown, const char *why)
{
	struct jl_buf text = JL_BUF_INIT;
	jl_buf_printf(&text, "cannot fetch \"%s\": %s", shown, why);
	fetched_of(e, url)->state = JL_FETCHED_NOT;
	fetched_of(e, url)->why = jl_buf_detach(&text, NULL);
}

static void free_fetching(struct fetching *f)
{
	jl_buf_release(&f->site);
	jl_buf_release(&f->host);
	jl_buf_release(&f->path);
	jl_buf_release(&f->shown);
	jl_about_release(&f->copy);
	free(f->get.etag);
	free(f->get.modified);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	free(f);
}

/* Good as it is, without asking anybody. */
static bool is_enough(const struct jl_engine *e, const struct jl_purl *u, const struct jl_about *copy)
{
	const int64_t age = jl_clock_real_ns() - copy->asked_ns;
	return u->digest.algo != JL_DIGEST_NONE || e->opts->offline || (age >= 0 && age < u->max_age_ns);
}

static void ask(struct jl_engine *e, struct fetching *f, const struct jl_purl *u)
{
	const char *text = jl_project_text(e->p, u->url);
	const bool keep = (e->opts->cache == JL_CACHE_RW || e->opts->cache == JL_CACHE_WO) && jl_engine_store(e);
	struct jl_tier *tier = jl_shared_tier(e);
	if (!tier) {
		not_here(e, f->url, f->shown.data, "nobody can be asked");
		free_fetching(f);
		return;
	}
	jl_url_split(text, &f->site, &f->path);
	jl_url_host(text, &f->host);
	f->get = (struct jl_tier_get){.site = f->site.data,
				      .host = f->host.data,
				      .path = f->path.data,
				      .have_etag = f->has_copy ? f->copy.etag : NULL,
				      .have_modified = f->has_copy ? f->copy.modified : NULL,
				      .any_host = u->digest.algo != JL_DIGEST_NONE,
				      .dir_fd = f->dir_fd,
				      .want = u->digest,
				      .algo = jl_engine_files(e)->algo,
				      .keep = keep,
				      .size = JL_TALK_UNKNOWN};
	f->began_ns = f->told_ns = e->clock->now_ns(e->clock);
	f->next = e->fetching.open;
	e->fetching.open = f;
	e->fetching.n_open++;
	fetched_of(e, f->url)->state = JL_FETCHED_ASKED;
	jl_tier_get(tier, &f->get);
}

/* Look for it, and see to it. */
static void begin(struct jl_engine *e, uint32_t url)
{
	const struct jl_purl *u = jl_plan_url(&e->p->plan, url);
	struct fetching *f = jl_calloc(1, sizeof(*f));
	struct jl_err err = JL_ERR_INIT;
	*f = (struct fetching){
		.url = url, .dir_fd = -1, .site = JL_BUF_INIT, .host = JL_BUF_INIT, .path = JL_BUF_INIT, .shown = JL_BUF_INIT};
	jl_url_show(&f->shown, jl_project_text(e->p, u->url));
	f->has_copy = jl_copy_look(e, u, &f->copy);
	if (f->has_copy && (is_enough(e, u, &f->copy) || e->opts->mode == JL_MODE_PLAN)) {
		fetched_of(e, url)->state = JL_FETCHED_HERE;
	} else if (e->opts->mode == JL_MODE_PLAN) {
		fetched_of(e, url)->state = JL_FETCHED_NOT;
	} else if (jl_copy_folder(e, u, &f->dir_fd, &err) != JL_OK) {
		not_here(e, url, f->shown.data, err.text);
	} else {
		if (!f->has_copy)
			f->has_copy = jl_copy_restore(e, u, f->dir_fd, &f->copy);
		if (f->has_copy && is_enough(e, u, &f->copy)) {
			fetched_of(e, url)->state = JL_FETCHED_HERE;
		} else if (!e->opts->offline) {
			ask(e, f, u); /* which has it now */
			return;
		} else {
			not_here(e, url, f->shown.data, "it was not fetched before, and --offline asks nobody");
		}
	}
	free_fetching(f);
}

/* ---- answers ---- */

/* Since when it is known to be this is worth a write only where somebody asks for that. */
static void confirm(struct jl_engine *e, struct fetching *f)
{
	const struct jl_purl *u = jl_plan_url(&e->p->plan, f->url);
	f->copy.asked_ns = jl_clock_real_ns();
	if (u->max_age_ns)
		(void)!jl_about_write(f->dir_fd, ".about", &f->copy, NULL);
	fetched_of(e, f->url)->state = JL_FETCHED_HERE;
	emit(e, f, JL_FETCH_UNCHANGED, NULL);
}

static void place(struct jl_engine *e, struct fetching *f)
{
	struct jl_about about = {.etag = f->get.etag,
				 .modified = f->get.modified,
				 .digest = f->get.digest,
				 .size = f->get.size,
				 .asked_ns = jl_clock_real_ns()};
	struct jl_err err = JL_ERR_INIT;
	int r = jl_copy_place(e, jl_plan_url(&e->p->plan, f->url), f->dir_fd, ".part", &about, f->get.keep, &err);
	if (r == JL_OK) {
		unlinkat(f->dir_fd, ".part-of", 0);
		fetched_of(e, f->url)->state = JL_FETCHED_HERE;
		emit(e, f, JL_FETCH_DONE, NULL);
	} else {
		not_here(e, f->url, f->shown.data, err.text);
		emit(e, f, JL_FETCH_FAILED, err.text);
	}
}

/* An answer that says no is an error; without one, what is there is used. */
static void failed(struct jl_engine *e, struct fetching *f)
{
	const bool silent = f->get.status == JL_EIO || f->get.status == JL_EBUSY;
	if (silent && f->has_copy) {
		struct jl_buf age = JL_BUF_INIT;
		add_age(&age, f->copy.asked_ns);
		fetched_of(e, f->url)->state = JL_FETCHED_HERE;
		emit(e, f, JL_FETCH_COPY, f->get.err.text);
		jl_engine_warn(e, NULL, "cannot ask whether \"%s\" changed: %s; the copy of %s ago is used", f->shown.data,
			       f->get.err.text, age.data);
		jl_buf_release(&age);
		return;
	}
	not_here(e, f->url, f->shown.data, f->get.err.text);
	emit(e, f, JL_FETCH_FAILED, f->get.err.text);
}

static void wake(struct jl_engine *e, uint32_t url)
{
	struct jl_table *t = &e->fetching.waiters;
	uint32_t n = 0;
	for (uint32_t i = 0; i < t->len; i++) {
		struct jl_fetch_waiter w = *JL_AT(*t, struct jl_fetch_waiter, i);
		if (w.url == url)
			jl_engine_again(e, w.node);
		else
			*JL_AT(*t, struct jl_fetch_waiter, n++) = w;
	}
	t->len = n;
}

static void take_one(struct jl_engine *e, struct fetching *f)
{
	struct fetching **at = &e->fetching.open;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	e->fetching.n_open--;
	if (f->get.status == JL_OK && f->get.unchanged)
		confirm(e, f);
	else if (f->get.status == JL_OK)
		place(e, f);
	else
		failed(e, f);
	wake(e, f->url);
	free_fetching(f);
}

void jl_fetching_take(struct jl_engine *e)
{
	struct jl_tier_get *g;
	while (e->fetching.n_open && (g = jl_tier_gotten(e->shared.tier)))
		take_one(e, (struct fetching *)g);
}

/* Where no loop runs: what `jl adopt` needs is waited for. */
static void wait_here(struct jl_engine *e)
{
	while (e->fetching.n_open && !e->local.loop) {
		struct pollfd p = {.fd = jl_tier_fd(e->shared.tier), .events = POLLIN};
		poll(&p, 1, -1);
		(void)jl_tier_taken(e->shared.tier); /* none was asked: it clears the descriptor */
		jl_fetching_take(e);
	}
}

/* ---- nodes ---- */

static void fail(struct jl_engine *e, uint32_t inst, uint32_t node, uint32_t url)
{
	if (e->opts->mode == JL_MODE_PLAN) {
		struct jl_event ev = {.status = JL_STEP_MAYBE, .reason = "an input by URL is not here; it is fetched when it runs"};
		e->counts.maybe++;
		jl_ended_tell(e, inst, &ev);
		jl_graph_done(&e->graph, node, false);
		return;
	}
	struct jl_event ev = {.status = JL_STEP_FAILED, .reason = fetched_of(e, url)->why};
	jl_ended_failed(e, inst, node, &ev);
}

bool jl_fetching_waits(struct jl_engine *e, uint32_t inst, uint32_t node)
{
	if (e->p->plan.urls.len == 0)
		return false;
	const struct jl_inst t = *jl_engine_inst(e, inst);
	uint32_t asked = JL_NONE;
	/* All of them are asked for before one is waited for. */
	for (uint32_t i = t.ins; i < t.ins + t.n_ins; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		uint32_t url = port->flags & JL_PORT_URL ? jl_url_of(e->p, port->what) : JL_NONE;
		if (url != JL_NONE && fetched_of(e, url)->state == JL_FETCHED_NOT_YET)
			begin(e, url);
		wait_here(e);
		if (url != JL_NONE && fetched_of(e, url)->state == JL_FETCHED_NOT) {
			fail(e, inst, node, url);
			return true;
		}
		if (url != JL_NONE && fetched_of(e, url)->state == JL_FETCHED_ASKED)
			asked = url;
	}
	if (asked == JL_NONE)
		return false;
	*(struct jl_fetch_waiter *)jl_table_add(&e->fetching.waiters, 1) = (struct jl_fetch_waiter){.url = asked, .node = node};
	jl_again_wake(e);
	return true;
}

bool jl_fetching_full(const struct jl_engine *e)
{
	return e->fetching.n_open >= OPEN_MAX;
}

bool jl_fetching_is(const struct jl_engine *e)
{
	return e->fetching.waiters.len > 0;
}

bool jl_fetching_drop(struct jl_engine *e, uint32_t *ret_node)
{
	struct jl_table *t = &e->fetching.waiters;
	if (t->len == 0)
		return false;
	*ret_node = JL_AT(*t, struct jl_fetch_waiter, --t->len)->node;
	jl_again_wake(e);
	return true;
}

void jl_fetching_release(struct jl_engine *e)
{
	while (e->fetching.open) {
		struct fetching *f = e->fetching.open;
		e->fetching.open = f->next;
		free_fetching(f);
	}
	for (uint32_t i = 0; i < e->fetching.of.len; i++)
		free(JL_AT(e->fetching.of, struct jl_fetched, i)->why);
	jl_table_release(&e->fetching.of);
	jl_table_release(&e->fetching.waiters);
}
