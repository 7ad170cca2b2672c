/* jl cache: look after the store. What only shows something is in cache_show.c. */
#include "cache.h"

#include "base/clock.h"
#include "memo/variants.h"
#include "run/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct jl_settings, field)

static const struct jl_opt opts[] = {
	{"json", 0, NULL, "stats, ls: as JSON", JL_OPT_FLAG, AT(cache_care.json), 0},
	{"repair", 0, NULL, "verify: set damage aside, take away what is not whole", JL_OPT_FLAG, AT(cache_care.repair), 0},
	{"older-than", 0, "DUR", "rm: what was not used for so long: 12h, 30d", JL_OPT_DURATION, AT(cache_care.older_ns), 0},
	{"dry-run", 'n', NULL, "gc, rm, clear: only say what would be done", JL_OPT_FLAG, AT(dry_run), 0},
	{"yes", 'y', NULL, "rm, clear: do not ask", JL_OPT_FLAG, AT(cache_care.yes), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts,           jl_opts_store, jl_opts_max_size, jl_opts_manifest,
                                              jl_opts_directory, jl_opts_help,  NULL};

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	jl_say("warning: %s", text);
}

/* --- what the words name ----------------------------------------------------------------------------------------- */

static void add_result(struct jl_cache *c, uint32_t inst)
{
	const struct jl_result *r = jl_lookup_result(c->lookup.project, inst);

	if (r && (r->flags & JL_RESULT_OK))
		*(struct jl_digest *)jl_table_add(&c->keys, 1) = r->key;
}

static int add_word(struct jl_cache *c, const char *word, struct jl_err *err)
{
	struct jl_digest key;
	uint32_t rule, inst;
	int r = jl_lookup_word(&c->lookup, word, &rule, &inst, &key, err);

	if (r != JL_OK)
		return r;
	if (rule == JL_NONE) {
		*(struct jl_digest *)jl_table_add(&c->keys, 1) = key;
	} else if (c->by_steps) {
		*(const char **)jl_table_add(&c->steps, 1) = word;
	} else if (inst != JL_NONE) {
		add_result(c, inst);
	} else {
		const struct jl_rule *all = jl_plan_rule(&c->lookup.project->plan, rule);

		for (uint32_t i = all->first; i < all->first + all->n; i++)
			add_result(c, i);
	}
	return JL_OK;
}

static void add_old(void *ctx, const struct jl_care_entry *e)
{
	struct jl_cache *c = ctx;

	if (!e->pinned && jl_clock_real_ns() - e->used_ns > c->s->cache_care.older_ns)
		*(struct jl_digest *)jl_table_add(&c->keys, 1) = e->key;
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

/* Results are taken away only by one who means it. */
static bool agreed(const struct jl_cache *c, uint64_t results)
{
	char answer[16];

	if (c->s->cache_care.yes)
		return true;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		jl_say("cache: this takes away %llu result%s; say --yes if it is meant", (unsigned long long)results,
		       results == 1 ? "" : "s");
		return false;
	}
	fprintf(stderr, "jl: take away %llu result%s? [y/N] ", (unsigned long long)results, results == 1 ? "" : "s");
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int say_removed(const struct jl_cache *c, uint64_t results)
{
	jl_say("%s %llu result%s", c->s->dry_run ? "would take away" : "took away", (unsigned long long)results,
	       results == 1 ? "" : "s");
	return JL_EXIT_OK;
}

static int rm(struct jl_cache *c, struct jl_err *err)
{
	int r = c->s->cache_care.older_ns ? jl_care_each(c->store, add_old, c, err) : JL_OK;

	if (r != JL_OK)
		return jl_say_error(err);
	if (!c->s->dry_run && c->keys.len && !agreed(c, c->keys.len))
		return JL_EXIT_USAGE;
	if (!c->s->dry_run && jl_care_remove(c->store, c->keys.data, c->keys.len, err) != JL_OK)
		return jl_say_error(err);
	return say_removed(c, c->keys.len);
}

struct free_count {
	uint64_t results, pinned;
};

static void count_free(void *ctx, const struct jl_care_entry *e)
{
	struct free_count *n = ctx;

	n->results += !e->pinned;
	n->pinned += e->pinned;
}

static int clear(struct jl_cache *c, struct jl_err *err)
{
	struct free_count n = {0};
	int r = jl_care_each(c->store, count_free, &n, err);

	if (r != JL_OK)
		return jl_say_error(err);
	if (!c->s->dry_run && !agreed(c, n.results))
		return JL_EXIT_USAGE;
	if (!c->s->dry_run && jl_care_clear(c->store, err) != JL_OK)
		return jl_say_error(err);
	if (n.pinned)
		jl_say("%llu pinned: kept", (unsigned long long)n.pinned);
	return say_removed(c, n.results);
}

/* What would go, the longest unused first, until the rest fits; what several share is counted for each, so about. */
struct over {
	const struct jl_store_rules *rules;
	uint64_t bytes, items, results;
};

static void count_over(void *ctx, const struct jl_care_entry *e)
{
	struct over *o = ctx;
	const bool full = (o->rules->max_size && o->bytes > o->rules->max_size) ||
	                  (o->rules->max_items && o->items > o->rules->max_items);
	const bool old = o->rules->max_age_ns && jl_clock_real_ns() - e->used_ns > o->rules->max_age_ns;

	if (e->pinned || (!full && !old))
		return;
	o->bytes -= e->bytes < o->bytes ? e->bytes : o->bytes;
	o->items -= o->items > 0;
	o->results++;
}

static int gc(struct jl_cache *c, struct jl_err *err)
{
	struct jl_care_sums before, after;
	struct jl_buf b = JL_BUF_INIT;
	struct over over = {.rules = &c->rules};
	int r = jl_care_sums(c->store, &before, err);

	if (r == JL_OK && c->s->dry_run) {
		over.bytes = before.record_bytes + before.blob_bytes + before.other_bytes;
		over.items = before.records + before.blobs;
		r = jl_care_each(c->store, count_over, &over, err);
		if (r == JL_OK)
			return say_removed(c, over.results);
	}
	if (r == JL_OK)
		r = jl_care_gc(c->store, err);
	if (r == JL_OK)
		r = jl_care_sums(c->store, &after, err);
	if (r != JL_OK)
		return jl_say_error(err);
	jl_cache_size(&b, after.record_bytes + after.blob_bytes + after.other_bytes);
	jl_say("took away %llu result%s; %s left", (unsigned long long)(before.records - after.records),
	       before.records - after.records == 1 ? "" : "s", b.data);
	jl_buf_release(&b);
	return JL_EXIT_OK;
}

static bool record_ok(const struct jl_digest *key, const void *record, size_t len)
{
	struct jl_variants *v = NULL;
	struct jl_record *r = NULL;
	const bool variants = jl_variants_is(record, len);
	int status = variants ? jl_variants_decode(record, len, &v, NULL) : jl_record_decode(record, len, &r, NULL);
	/* One of a newer program is not ours to judge. */
	bool ok = status == JL_EUNSUPPORTED ||
	          (status == JL_OK && jl_digest_equal(variants ? &v->base : &r->key, key));

	jl_variants_free(v);
	jl_record_free(r);
	return ok;
}

static void told(void *ctx, const char *text)
{
	(void)ctx;
	jl_say("%s", text);
}

static int verify(struct jl_cache *c, struct jl_err *err)
{
	struct jl_care_check check = {.repair = c->s->cache_care.repair, .record_ok = record_ok, .told = told};
	int r = jl_care_verify(c->store, &check, err);

	if (r != JL_OK)
		return jl_say_error(err);
	jl_say("%llu records, %llu blobs: %llu damaged, %llu not whole%s", (unsigned long long)check.records,
	       (unsigned long long)check.blobs, (unsigned long long)check.damaged, (unsigned long long)check.incomplete,
	       check.repair && check.damaged + check.incomplete ? "; repaired" : "");
	return check.damaged + check.incomplete ? JL_EXIT_FAILED : JL_EXIT_OK;
}

static int pin_all(struct jl_cache *c, bool pinned, struct jl_err *err)
{
	for (uint32_t i = 0; i < c->keys.len; i++) {
		if (jl_care_pin(c->store, JL_AT(c->keys, struct jl_digest, i), pinned, err) != JL_OK)
			return jl_say_error(err);
	}
	jl_say("%s %u result%s", pinned ? "pinned" : "unpinned", c->keys.len, c->keys.len == 1 ? "" : "s");
	return JL_EXIT_OK;
}

static int pin(struct jl_cache *c, struct jl_err *err)
{
	return pin_all(c, true, err);
}

static int unpin(struct jl_cache *c, struct jl_err *err)
{
	return pin_all(c, false, err);
}

/* --- the command ------------------------------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*run)(struct jl_cache *c, struct jl_err *err);
	bool words, writes;                       /* takes KEY|STEP; needs a store that may be written */
	bool none;                                /* ... or no word, which means all */
	bool json, repair, older, dry_run, yes;   /* options that mean something to it */
} verbs[] = {
	{.name = "stats", .run = jl_cache_stats, .json = true},
	{.name = "ls", .run = jl_cache_ls, .json = true},
	{.name = "gc", .run = gc, .writes = true, .dry_run = true},
	{.name = "verify", .run = verify, .repair = true},
	{.name = "rm", .run = rm, .words = true, .writes = true, .older = true, .dry_run = true, .yes = true},
	{.name = "clear", .run = clear, .writes = true, .dry_run = true, .yes = true},
	{.name = "pin", .run = pin, .words = true, .writes = true},
	{.name = "unpin", .run = unpin, .words = true, .writes = true},
	{.name = "push", .run = jl_cache_push, .words = true, .writes = true, .none = true},
	{.name = "pull", .run = jl_cache_pull, .words = true, .writes = true, .none = true},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static const char *odd_option(const struct verb *v, const struct jl_settings *s)
{
	return s->cache_care.json && !v->json                                        ? "--json"
	       : s->cache_care.repair && !v->repair                                  ? "--repair"
	       : s->cache_care.older_ns && !v->older                                 ? "--older-than"
	       : s->dry_run && !v->dry_run                                           ? "--dry-run"
	       : s->cache_care.yes && !v->yes                                        ? "--yes"
	                                                                             : NULL;
}

static int check_usage(const struct verb *v, const struct jl_settings *s)
{
	const char *odd;

	if (!v) {
		jl_say("cache: no \"%s\"; there are stats, ls, gc, verify, rm, clear, pin, unpin, push, pull", s->operands.at[0]);
		return JL_EXIT_USAGE;
	}
	odd = odd_option(v, s);
	if (odd)
		jl_say("cache %s: option \"%s\" has no meaning here", v->name, odd);
	else if (!v->words && s->operands.n > 1)
		jl_say("cache %s takes no operand, not \"%s\"", v->name, s->operands.at[1]);
	else if (v->words && !v->none && s->operands.n == 1 && !s->cache_care.older_ns)
		jl_say("cache %s: which result? a STEP or a KEY%s", v->name, v->older ? ", or --older-than" : "");
	else if (s->operands.n > 1 && s->cache_care.older_ns)
		jl_say("cache %s: --older-than or \"%s\", not both", v->name, s->operands.at[1]);
	else
		return JL_EXIT_OK;
	return JL_EXIT_USAGE;
}

static int open_store(struct jl_cache *c, bool writes, struct jl_err *err)
{
	int r = jl_store_local_open(&jl_io_system, jl_lookup_store_dir(&c->lookup), !writes, &c->store, err);

	if (r != JL_OK)
		return r;
	c->store->warn = warn;
	jl_lookup_store_rules(&c->lookup, &c->rules);
	jl_store_local_rules(c->store, &c->rules);
	return JL_OK;
}

static int run(struct jl_settings *s)
{
	const struct verb *v = find_verb(s->operands.at[0]);
	struct jl_cache c = {.s = s, .keys = JL_TABLE_INIT(struct jl_digest), .steps = JL_TABLE_INIT(char *)};
	struct jl_err err = JL_ERR_INIT;
	int status = check_usage(v, s), r;

	if (status != JL_EXIT_OK)
		return status;
	c.by_steps = v->none;
	r = jl_lookup_open(&c.lookup, s, &err);
	if (r != JL_OK)
		return jl_say_error(&err);
	for (uint32_t i = 1; i < s->operands.n && r == JL_OK; i++)
		r = add_word(&c, s->operands.at[i], &err);
	if (r == JL_OK)
		r = open_store(&c, v->writes || s->cache_care.repair, &err);
	status = r == JL_OK ? v->run(&c, &err) : jl_say_error(&err);
	jl_store_free(c.store);
	jl_table_release(&c.keys);
	jl_table_release(&c.steps);
	jl_lookup_close(&c.lookup);
	return status;
}

const struct jl_command jl_command_cache = {
	.name = "cache",
	.operands = "stats|ls|gc|verify|rm|clear|pin|unpin|push|pull [STEP|KEY ...]",
	.summary = "Look after the store",
	.about = "stats: how much there is and what it was good for. ls: every result, the longest\n"
		 "unused first. gc: down to the caps, in order. verify: check every byte. rm: take\n"
		 "results away. clear: all that is not pinned. pin, unpin: keep results whatever the\n"
		 "caps are. push, pull: send results to the remotes, get them from there, by the\n"
		 "keys that the inputs here give; nothing is run or put in place. Exit\n"
		 "status: 0 done, 1 damage found, 2 usage, 3 the store failed.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.run = run,
};
