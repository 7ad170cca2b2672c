/* The engine with a store: what is not run again, what is put back, what must not be stored, and steps that come to be while
 * others run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_help.h"

#define CAT "command: [cat, \"${{ output }}\", \"${{ inputs }}\"]"

static const char chain[] = "steps:\n"
			    "  a: {" CAT ", inputs: [in, more], outputs: a.out}\n"
			    "  b: {" CAT ", inputs: a.out, outputs: b.out}\n"
			    "  c: {" CAT ", inputs: b.out, outputs: c.out}\n";

static struct world *chain_world(void)
{
	struct world *w = world_new(chain);
	world_write(w, "in", "x");
	world_write(w, "more", "yz");
	world_run(w);
	world_expect(w, "ran a\nran b\nran c\n");
	assert_int_equal(w->stored, 3);
	return w;
}

static void test_fresh(void **state)
{
	(void)state;
	struct world *w = chain_world();
	for (int i = 0; i < 2; i++) {
		world_write(w, "in", "x"); /* as touch would */
		world_run(w);
		world_expect(w, "fresh a\nfresh b\nfresh c\n");
		assert_int_equal(w->x->started, 0);
		assert_true(w->sum.counts.saved_ns >= 3 * JL_NS_MS);
	}
	world_free(w);
}

/* The producer runs and makes the same bytes: nothing behind it runs. */
static void test_early_cutoff(void **state)
{
	(void)state;
	struct world *w = chain_world();
	world_write(w, "in", "xy");
	world_write(w, "more", "z");
	world_run(w);
	world_expect(w, "ran a\nfresh b\nfresh c\n");
	assert_non_null(strstr(w->reasons.data, "a: its inputs or command changed\n"));
	world_write(w, "more", "w");
	world_run(w);
	world_expect(w, "ran a\nran b\nran c\n");
	world_holds(w, "c.out", "xyw");
	/* Back to what once was: all is there, nothing runs. */
	world_write(w, "in", "x");
	world_write(w, "more", "yz");
	world_run(w);
	world_expect(w, "restored a\nrestored b\nrestored c\n");
	world_holds(w, "c.out", "xyz");
	world_free(w);
}

static void test_restore(void **state)
{
	(void)state;
	struct world *w = chain_world();
	struct stat st;
	assert_int_equal(fchmodat(w->dir->fd, "b.out", 0600, 0), 0);
	world_remove(w, "a.out");
	world_write(w, "c.out", "edited");
	world_run(w);
	world_expect(w, "restored a\nrestored b\nrestored c\n");
	world_holds(w, "a.out", "xyz");
	world_holds(w, "c.out", "xyz");
	assert_int_equal(fstatat(w->dir->fd, "b.out", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(w->x->started, 0);
	/* The edit is in the trash, and told. */
	assert_non_null(strstr(w->warnings.data, ".jl/trash/"));
	assert_int_equal(tmpdir_count(w->dir, ".jl/trash"), 1);
	/* A new state knows nothing, the store knows all. */
	world_remove(w, ".jl");
	world_run(w);
	world_expect(w, "fresh a\nfresh b\nfresh c\n");
	/* Without the store it must run. */
	world_remove(w, "b.out");
	jl_store_free(w->store);
	w->o.store = w->store = jl_store_mem_new();
	world_run(w);
	world_expect(w, "fresh a\nran b\nfresh c\n");
	assert_non_null(
		strstr(w->reasons.data, "b: its outputs are not as they were left, and the result is not stored\n"));
	world_free(w);
}

/* An owned folder is put back exactly: nothing missing, nothing that does not belong. */
static void test_restore_folder(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  a: {command: [split, \"${{ output }}\", p, q], outputs: d/}\n");
	world_run(w);
	world_write(w, "d/stray", "mine");
	world_remove(w, "d/q");
	world_run(w);
	world_expect(w, "restored a\n");
	world_holds(w, "d/q", "q");
	assert_int_equal(tmpdir_count(w->dir, "d"), 2);
	assert_non_null(strstr(w->warnings.data, "\"d/stray\""));
	/* Before it runs anew the folder is empty. */
	world_manifest(w, "steps:\n  a: {command: [split, \"${{ output }}\", r], outputs: d/}\n");
	world_run(w);
	world_expect(w, "ran a\n");
	assert_int_equal(tmpdir_count(w->dir, "d"), 1);
	assert_string_equal(w->warnings.data, "");
	world_free(w);
}

static void change_input(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	world_play(NULL, job, run);
	world_write(ctx, "more", "changed");
}

static void test_input_changes(void **state)
{
	(void)state;
	struct world *w = world_new(chain);
	world_write(w, "in", "x");
	world_write(w, "more", "yz");
	fake_exec_on(w->x, "a", &(struct fake_run){.effect = change_input, .ctx = w});
	world_run(w);
	world_expect(w, "ran a\nran b\nran c\n");
	assert_int_equal(w->stored, 2);
	assert_non_null(strstr(w->warnings.data, "not stored: input \"more\" changed while it ran"));
	/* Even if the input is as it was by the next time, nothing may be concluded. */
	world_write(w, "more", "yz");
	world_run(w);
	world_expect(w, "ran a\nfresh b\nfresh c\n");
	world_free(w);
}

static void test_cache_modes(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  a: {command: [put, \"${{ output }}\", a], outputs: a}\n"
				    "  n: {command: [put, \"${{ output }}\", n], outputs: n, cache: false}\n"
				    "  z: {command: [x]}\n");
	w->o.cache = JL_CACHE_RO;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 3);
	assert_int_equal(w->store->stats.records_put, 0);
	w->o.cache = JL_CACHE_OFF;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 3);
	w->o.cache = JL_CACHE_WO;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 3);
	assert_int_equal(w->store->stats.records_put, 1);
	w->o.cache = JL_CACHE_RW;
	world_run(w); /* what is not cached, or has nothing to tell whether it changed, always runs */
	assert_int_equal(w->sum.counts.ran, 2);
	assert_int_equal(w->sum.counts.fresh, 1);
	assert_int_equal(w->store->stats.records_put, 1);
	world_free(w);
}

/* A store of its own with one record of the old one, changed by `damage` bytes at its end, and no blob. */
static void only_record(struct world *w, size_t damage)
{
	struct jl_store *store = jl_store_mem_new();
	struct jl_buf rec = JL_BUF_INIT;
	struct jl_digest key;
	assert_int_equal(jl_digest_parse(w->key, &key, NULL), JL_OK);
	assert_int_equal(w->store->ops->get_record(w->store, &key, &rec, NULL), JL_OK);
	for (size_t i = 0; i < damage; i++)
		rec.data[rec.len - 1 - i] ^= 1;
	assert_int_equal(store->ops->put_record(store, &key, rec.data, rec.len, NULL), JL_OK);
	jl_buf_release(&rec);
	jl_store_free(w->store);
	w->o.store = w->store = store;
}

/* Outputs and logs too large for the record are blobs; a record without its blob is a miss, a damaged one too. */
static void test_blobs(void **state)
{
	(void)state;
	struct jl_buf big = JL_BUF_INIT;
	for (int i = 0; i < 3000; i++)
		jl_buf_str(&big, "word");
	struct world *w = world_new("steps:\n  a: {" CAT ", inputs: in, outputs: a}\n");
	world_write(w, "in", big.data);
	fake_exec_on(w->x, "a", &(struct fake_run){.out = big.data, .effect = world_play});
	world_run(w);
	assert_int_equal(w->store->stats.blobs_put, 2); /* the output, and the log with its frame */
	world_remove(w, "a");
	world_run(w);
	world_expect(w, "restored a\n");
	world_holds(w, "a", big.data);
	assert_int_equal(w->output.len, strlen("a 1 1: ") + big.len);
	world_write(w, "a", "edited");
	only_record(w, 0);
	world_run(w);
	world_expect(w, "ran a\n");
	assert_non_null(strstr(w->reasons.data, "a: its stored result is not whole\n"));
	world_holds(w, "a", big.data);
	world_remove(w, "a");
	only_record(w, 1);
	world_run(w);
	world_expect(w, "ran a\n");
	assert_int_equal(w->store->stats.damaged, 1);
	jl_buf_release(&big);
	world_free(w);
}

/* ---- growth ---- */

static void expect_made(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	(void)run;
	assert_true(world_exists(ctx, "d/a/x"));
	assert_true(world_exists(ctx, "d/b/x"));
	world_write(ctx, job->argv[1], "made");
}

static const char dynamic[] = "steps:\n"
			      "  split: {foreach: {lines: names}, command: [put, \"${{ output }}\", \"${{ item }}\"], "
			      "outputs: \"parts/${{ item }}\"}\n"
			      "  up: {foreach: \"parts/*\", " CAT
			      ", inputs: \"${{ item }}\", outputs: \"up/${{ item.name }}\"}\n"
			      "  all: {" CAT ", inputs: \"up/*\", outputs: all.out}\n";

static void test_growth(void **state)
{
	(void)state;
	struct world *w = world_new(dynamic);
	w->o.jobs = 1;
	world_write(w, "names", "x\ny\n");
	world_run(w);
	world_expect(w, "ran split[x]\nran split[y]\nran up[parts/x]\nran up[parts/y]\nran all\n");
	world_holds(w, "all.out", "xy");
	world_run(w);
	world_expect(w, "fresh split[x]\nfresh split[y]\nfresh up[parts/x]\nfresh up[parts/y]\nfresh all\n");
	/* One more item: its own steps and the join. */
	world_write(w, "names", "x\nz\ny\n");
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 3);
	assert_int_equal(w->sum.counts.fresh, 4);
	world_holds(w, "all.out", "xyz");
	world_free(w);
}

/* What an item that left had made is gone before any glob is read, so no trace of it is in the join. */
static void test_departed(void **state)
{
	(void)state;
	struct world *w = world_new(dynamic);
	world_write(w, "names", "x\ny\nz\n");
	world_run(w);
	world_holds(w, "all.out", "xyz");
	world_write(w, "names", "x\nz\n");
	world_run(w);
	assert_false(world_exists(w, "parts/y"));
	assert_false(world_exists(w, "up/y"));
	world_holds(w, "all.out", "xz");
	assert_int_equal(w->sum.counts.ran, 1);
	assert_string_equal(w->warnings.data, "");
	/* Changed by hand it is not taken away for good. */
	world_write(w, "up/z", "mine");
	world_write(w, "names", "x\n");
	world_run(w);
	world_holds(w, "all.out", "x");
	assert_non_null(strstr(w->warnings.data, "\"up/z\""));
	/* An item that comes back is taken from the store. */
	world_write(w, "names", "x\ny\nz\n");
	world_run(w);
	world_holds(w, "all.out", "xyz");
	assert_int_equal(w->sum.counts.ran, 0);
	assert_int_equal(w->x->started, 0);
	world_free(w);
}

/* A list in the manifest: the plan is compiled anew, and its former instances are still known. */
static void test_departed_list(void **state)
{
	(void)state;
	const char *one = "steps:\n  s: {foreach: [p, q], command: [put, \"${{ output }}\", \"${{ item }}\"], "
			  "outputs: \"o/${{ item }}\"}\n  all: {" CAT ", inputs: \"o/*\", outputs: all}\n";
	const char *two = "steps:\n  s: {foreach: [q], command: [put, \"${{ output }}\", \"${{ item }}\"], "
			  "outputs: \"o/${{ item }}\"}\n  all: {" CAT ", inputs: \"o/*\", outputs: all}\n";
	struct world *w = world_new(one);
	world_run(w);
	world_holds(w, "all", "pq");
	world_manifest(w, two);
	world_run(w);
	assert_false(world_exists(w, "o/p"));
	world_holds(w, "all", "q");
	world_free(w);
}

/* A folder that another step fills, as the items: one more level, a plan that says "maybe". */
static void test_foreach_over_folder(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  split: {command: [split, \"${{ output }}\", b, a], inputs: in, outputs: parts/}\n"
		"  up: {foreach: \"parts/*\", " CAT ", inputs: \"${{ item }}\", outputs: \"up/${{ item.name }}\"}\n"
		"  one: {" CAT ", inputs: up/a, outputs: one.out}\n");
	world_write(w, "in", "");
	w->o.mode = JL_MODE_PLAN;
	world_run(w);
	world_expect(w, "would run split\nmaybe up\nmaybe one\n");
	w->o.mode = JL_MODE_RUN;
	w->o.jobs = 1;
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 4);
	world_holds(w, "one.out", "a");
	/* Only what one needs of the items that are to come. */
	world_remove(w, "up");
	world_remove(w, "parts");
	w->o.targets = (const char *const[]){"up[parts/b]"};
	w->o.n_targets = 1;
	world_run(w);
	world_expect(w, "restored split\nrestored up[parts/b]\n");
	assert_false(world_exists(w, "up/a"));
	world_free(w);
}

/* A folder as an input waits for all that is made in it, by other steps and by the step's other items. */
static void test_folder_input(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  use: {foreach: [1, 2], " CAT ", inputs: {d: d/, in: in}, outputs: \"u/${{ item }}\"}\n"
		"  plain: {command: [line, \"${{ output }}\", x], inputs: d, outputs: p}\n"
		"  make: {foreach: [a, b], command: [put, \"${{ output }}\", 1], outputs: \"d/${{ item }}/x\"}\n"
		"  own: {foreach: [{n: c, i: in}, {n: e, i: o/c/}], command: [put, \"${{ output }}\", 1], "
		"inputs: \"${{ item.i }}\", outputs: \"o/${{ item.n }}/x\"}\n");
	world_write(w, "in", "");
	w->o.targets = (const char *const[]){"own[n=e,i=o/c/]", "plain", "use[2]"};
	w->o.n_targets = 3;
	w->o.jobs = 1;
	for (uint32_t label = 0; label < 2; label++)
		fake_exec_on(w->x, label ? "use[2]" : "plain", &(struct fake_run){.effect = expect_made, .ctx = w});
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 6);
	assert_int_equal(w->sum.counts.total, 6);
	char *first = strstr(w->ends.data, "own[n=c,i=in]"), *second = strstr(w->ends.data, "own[n=e,i=o/c/]");
	assert_true(first && second && first < second);
	world_free(w);
}

/* A rule that cannot be expanded while the run goes on: a failure of that step; the plan is not kept. */
static void test_late_fault(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  list: {command: [line, \"${{ output }}\", x, y, x], inputs: in, outputs: names}\n"
		"  each: {foreach: {lines: names}, command: [put, \"${{ output }}\", 1], outputs: \"o/${{ item }}\"}\n"
		"  all: {" CAT ", inputs: \"o/*\", outputs: all.out}\n"
		"  free: {command: [put, \"${{ output }}\", 1], outputs: free.out}\n");
	world_write(w, "in", "");
	w->o.fail = JL_FAIL_KEEP_GOING;
	for (int i = 0; i < 2; i++) {
		world_run(w);
		assert_int_equal(w->sum.counts.failed, 1);
		assert_int_equal(w->sum.counts.skipped, 1);
		assert_non_null(strstr(w->ends.data, "failed each\n"));
		assert_non_null(strstr(w->reasons.data, "comes twice"));
		assert_true(world_exists(w, "free.out"));
	}
	world_manifest(
		w,
		"steps:\n"
		"  list: {command: [line, \"${{ output }}\", x, y], inputs: in, outputs: names}\n"
		"  each: {foreach: {lines: names}, command: [put, \"${{ output }}\", 1], outputs: \"o/${{ item }}\"}\n"
		"  all: {" CAT ", inputs: \"o/*\", outputs: all.out}\n");
	world_run(w);
	assert_int_equal(w->sum.counts.ran, 4);
	world_holds(w, "all.out", "11");
	world_free(w);
}

/* The items need what waits for all of them: seen when they come to be. */
static void test_late_cycle(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n"
				    "  list: {command: [line, \"${{ output }}\", x], inputs: in, outputs: names}\n"
				    "  each: {foreach: {lines: names}, " CAT
				    ", inputs: all.out, outputs: \"o/${{ item }}\"}\n"
				    "  all: {" CAT ", inputs: \"o/*\", outputs: all.out}\n");
	world_write(w, "in", "");
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_int_equal(w->msgs.errors, 1);
	assert_non_null(strstr(w->msgs.at[0].text, "steps wait for each other"));
	world_free(w);
}

static void test_cycle(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n"
				    "  a: {" CAT ", inputs: c.out, outputs: a.out}\n"
				    "  b: {" CAT ", inputs: a.out, outputs: b.out}\n"
				    "  c: {" CAT ", inputs: b.out, outputs: c.out}\n");
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_int_equal(w->msgs.errors, 1);
	/* Each is named before what waits for it. */
	assert_non_null(strstr(w->msgs.at[0].text, "\"a\" → \"b\""));
	assert_non_null(strstr(w->msgs.at[0].text, "\"b\" → \"c\""));
	assert_non_null(strstr(w->msgs.at[0].text, "\"c\" → \"a\""));
	assert_int_equal(w->kinds.len, 0);
	world_free(w);
}

static void test_missing_input(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  ok: {command: [put, \"${{ output }}\", 1], outputs: ok}\n"
				    "  a: {" CAT ", inputs: [nowhere, ok], outputs: a.out}\n");
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_int_equal(w->msgs.errors, 1);
	assert_int_equal(w->msgs.at[0].mark.line, 4);
	assert_int_equal(w->x->started, 0);
	assert_false(world_exists(w, "ok"));
	world_free(w);
}

/* Without -k: after the failure of one, the join is skipped and its former output stands. */
static void test_join_after_failure(void **state)
{
	(void)state;
	struct world *w = world_new(dynamic);
	world_write(w, "names", "x\ny\n");
	world_run(w);
	world_write(w, "names", "x\ny\nz\n");
	fake_exec_on((world_next(w), w->x), "up[parts/z]", &(struct fake_run){.exit_code = 1});
	world_run(w);
	assert_non_null(strstr(w->ends.data, "failed up[parts/z]\nskipped all\n"));
	world_holds(w, "all.out", "xy");
	world_run(w);
	world_holds(w, "all.out", "xyz");
	assert_int_equal(w->sum.counts.ran, 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_early_cutoff),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_restore_folder),
		cmocka_unit_test(test_input_changes),
		cmocka_unit_test(test_cache_modes),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_departed),
		cmocka_unit_test(test_departed_list),
		cmocka_unit_test(test_foreach_over_folder),
		cmocka_unit_test(test_folder_input),
		cmocka_unit_test(test_late_fault),
		cmocka_unit_test(test_late_cycle),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_missing_input),
		cmocka_unit_test(test_join_after_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
