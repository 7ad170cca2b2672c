/* From manifest to plan: clean paths, who waits for whom, who may claim which output, and when a plan is used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_help.h"

#include "run/compile.h"
#include "run/expand.h"
#include "run/project.h"

static void test_compile_path(void **state)
{
	(void)state;
	const struct {
		const char *in, *out;
		bool folder;
	} paths[] = {{"a", "a", false},         {"a/", "a", true},
		     {"./a//b/", "a/b", true},  {"a/../b", "b", false},
		     {".", ".", true},          {"./", ".", true},
		     {"../x", "../x", false},   {"/abs/x/", "/abs/x", true},
		     {"a/*.c", "a/*.c", false}, {"a/../../b", "../b", false}};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct jl_buf out = JL_BUF_INIT;
		bool folder = !paths[i].folder;
		assert_int_equal(jl_compile_path(&out, "", paths[i].in, false, &folder), JL_OK);
		assert_string_equal(out.data, paths[i].out);
		assert_int_equal(folder, paths[i].folder);
		jl_buf_release(&out);
	}
	struct jl_buf out = JL_BUF_INIT;
	bool folder;
	assert_int_equal(jl_compile_path(&out, "", "", false, &folder), JL_EINVAL);
	jl_buf_release(&out);
}

static struct jl_project *open_project(struct world *w)
{
	struct jl_project *p = NULL;
	jl_messages_release(&w->msgs);
	if (jl_project_open(&w->o, true, &p, &w->msgs, &w->err) != JL_OK)
		fail_msg("%s %s", w->err.text, w->msgs.n ? w->msgs.at[0].text : "");
	return p;
}

static void close_project(struct jl_project *p)
{
	assert_int_equal(jl_project_close(p, NULL), JL_OK);
}

/* "NAME:after ...:waits ...\n" a rule. */
static void links(const struct jl_project *p, struct jl_buf *out)
{
	jl_buf_clear(out);
	for (uint32_t i = 0; i < p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&p->plan, i);
		jl_buf_printf(out, "%s:", jl_project_text(p, r->name));
		for (uint32_t k = 0; k < r->n_after; k++)
			jl_buf_printf(
				out, " %s",
				jl_project_text(p, jl_plan_rule(&p->plan, jl_plan_ref(&p->plan, r->after + k))->name));
		jl_buf_char(out, ':');
		for (uint32_t k = 0; k < r->n_waits; k++)
			jl_buf_printf(
				out, " %s",
				jl_project_text(p, jl_plan_rule(&p->plan, jl_plan_ref(&p->plan, r->waits + k))->name));
		assert_int_equal(r->n_waits > 0, (r->flags & JL_RULE_LATE) != 0);
		jl_buf_char(out, '\n');
	}
}

static void expect_links(const char *manifest, const char *want)
{
	struct jl_buf got = JL_BUF_INIT;
	struct world *w = world_new(manifest);
	struct jl_project *p = open_project(w);
	links(p, &got);
	assert_string_equal(got.data, want);
	close_project(p);
	world_free(w);
	jl_buf_release(&got);
}

#define X "command: [x]"

/* A glob waits for all that could make what it matches: a hole of an output is "*", or "**" where it may hold a slash. */
static void test_waits(void **state)
{
	(void)state;
	expect_links("steps:\n"
		     "  a: {" X ", outputs: out/a.csv}\n"
		     "  b: {" X ", outputs: out/b.txt}\n"
		     "  d: {" X ", outputs: tree/}\n"
		     "  e: {" X ", inputs: \"out/*.csv\", outputs: e}\n"
		     "  f: {" X ", inputs: \"tree/**/*.c\", outputs: f}\n"
		     "  g: {" X ", inputs: [\"**\", \"!out\"], outputs: g}\n"
		     "  h: {" X ", inputs: \"other/*\", after: [b], outputs: h}\n",
		     "a::\nb::\nd::\ne: a:\nf: d:\ng: a b d e f h:\nh: b:\n");
	expect_links("vars: {v: x}\nsteps:\n"
		     "  a: {foreach: [1, 2], " X ", outputs: \"o/${{ item.name }}.csv\"}\n"
		     "  b: {foreach: [1, 2], " X ", outputs: \"p/${{ item }}.csv\"}\n"
		     "  c: {foreach: [1, 2], " X ", outputs: \"${{ vars.v }}/${{ item.stem }}\"}\n"
		     "  d: {" X ", inputs: \"o/*/*\", outputs: d}\n"
		     "  e: {" X ", inputs: \"p/*/*\", outputs: e}\n"
		     "  f: {" X ", inputs: \"x/1\", outputs: f}\n"
		     "  g: {" X ", inputs: \"x/?\", outputs: g}\n",
		     "a::\nb::\nc::\nd::\ne: b:\nf::\ng: c:\n");
}

static void test_late_rules(void **state)
{
	(void)state;
	expect_links("steps:\n"
		     "  s: {" X ", outputs: parts/}\n"
		     "  n: {" X ", outputs: names}\n"
		     "  a: {foreach: \"parts/*\", " X ", inputs: \"${{ item }}\", outputs: \"a/${{ item.name }}\"}\n"
		     "  b: {foreach: {lines: names}, " X ", outputs: \"b/${{ item }}\"}\n"
		     "  c: {foreach: \"src/*\", " X ", outputs: \"c/${{ item.name }}\"}\n"
		     "  d: {foreach: \"a/*\", " X ", outputs: \"d/${{ item.name }}\"}\n",
		     "s::\nn::\na:: s\nb:: n\nc::\nd:: a\n");
}

static void test_reuse(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  a: {foreach: \"src/*\", command: [x, \"${{ env.V }}\"], "
				    "outputs: \"o/${{ item.name }}\"}\n");
	w->o.environ = (const char *const[]){"V=1", NULL};
	world_write(w, "src/1", "");
	struct jl_project *p = open_project(w);
	assert_true(p->compiled);
	assert_int_equal(p->plan.insts.len, 1);
	close_project(p);
	p = open_project(w);
	assert_false(p->compiled);
	assert_null(p->ast); /* nothing is parsed */
	assert_int_equal(p->plan.insts.len, 1);
	close_project(p);
	/* One more item: expanded anew, the former instances are dead. */
	world_write(w, "src/2", "");
	p = open_project(w);
	assert_false(p->compiled);
	assert_non_null(p->ast);
	assert_int_equal(jl_plan_rule(&p->plan, 0)->n, 2);
	assert_true(jl_plan_inst(&p->plan, 0)->flags & JL_INST_DEAD);
	close_project(p);
	/* Another value of what a template reads, another override, another text: compiled anew. */
	w->o.environ = (const char *const[]){"V=2", NULL};
	p = open_project(w);
	assert_true(p->compiled);
	assert_int_equal(p->plan.insts.len, 2);
	close_project(p);
	w->o.environ = (const char *const[]){"V=2", "W=3", NULL};
	p = open_project(w);
	assert_false(p->compiled);
	close_project(p);
	world_manifest(w, "steps:\n  a: {command: [x]}\n");
	p = open_project(w);
	assert_true(p->compiled);
	assert_int_equal(p->plan.insts.len, 1);
	close_project(p);
	world_free(w);
}

/* A manifest that was edited: its plan is packed when the project is closed, and holds for the next run. */
static void test_packed(void **state)
{
	(void)state;
	static const char *const manifests[] = {
		"store: {remotes: [{name: r, url: \"file:///r\", mode: write}, {name: s, url: \"s3://b\", namespace: n}]}\n"
		"steps:\n  a: {command: [x]}\n",
		"store: {remotes: [{name: r, url: \"file:///r\", mode: write}, {name: s, url: \"s3://b\", namespace: n}]}\n"
		"steps:\n  b: {command: [y], tags: [t]}\n"};
	struct world *w = world_new(manifests[0]);
	struct jl_remote_settings r;
	struct jl_project *p;
	for (int i = 0; i < 2; i++) {
		world_manifest(w, manifests[i]);
		p = open_project(w);
		assert_true(p->compiled);
		close_project(p);
	}
	p = open_project(w);
	assert_false(p->compiled);
	assert_true(jl_project_remote(p, 0, &r));
	assert_string_equal(r.url, "file:///r");
	assert_int_equal(r.mode, JL_REMOTE_WRITE);
	assert_true(jl_project_remote(p, 1, &r));
	assert_string_equal(r.url, "s3://b");
	assert_string_equal(r.group, "n");
	assert_false(jl_project_remote(p, 2, &r));
	close_project(p);
	world_free(w);
}

static void expect_fault(const char *manifest, uint32_t line, const char *part)
{
	struct world *w = world_new(manifest);
	struct jl_project *p = NULL;
	world_write(w, "in", "");
	assert_int_equal(jl_project_open(&w->o, true, &p, &w->msgs, &w->err), JL_EINVAL);
	assert_true(w->msgs.errors > 0);
	if (!strstr(w->msgs.at[0].text, part) || w->msgs.at[0].mark.line != line)
		fail_msg("%u: %s", w->msgs.at[0].mark.line, w->msgs.at[0].text);
	assert_int_equal(w->msgs.errors, 1);
	world_free(w);
}

/* The place is the later output's in the text, whichever was claimed first. Line 1 is the version's. */
static void test_overlaps(void **state)
{
	(void)state;
	expect_fault("steps:\n  a: {" X ", outputs: o}\n  b: {" X ", outputs: ./o}\n", 4,
		     "overlaps \"o\" of step \"a\" (line 3)");
	expect_fault("steps:\n  a: {" X ", outputs: d/}\n  b: {" X ", outputs: d/x/y}\n", 4,
		     "overlaps \"d\" of step \"a\"");
	expect_fault("steps:\n  a: {" X ", outputs: d/x/y}\n  b: {" X ", outputs: d/}\n", 4, "overlaps");
	expect_fault("steps:\n  a: {" X ", outputs: [d/, d/x]}\n", 3, "twice or within another");
	expect_fault("steps:\n  a: {" X ", outputs: [d/x, d/]}\n", 3, "twice or within another");
	expect_fault("steps:\n  a: {foreach: [1, 2], " X ", outputs: same}\n", 3, "overlaps");
	expect_fault("steps:\n  a: {" X ", outputs: d}\n  b: {" X ", outputs: d/x}\n", 4, "overlaps");
	expect_fault("steps:\n  a: {" X ", outputs: d/x}\n  b: {" X ", outputs: d}\n", 4, "overlaps");
	expect_fault("steps:\n  a: {" X ", inputs: d/in, outputs: d/}\n", 3, "holds its input \"d/in\"");
	expect_fault("steps:\n  a: {" X ", inputs: in, outputs: in}\n", 3, "holds its input \"in\"");
	expect_fault("steps:\n  a: {" X ", outputs: joblib.yaml}\n", 3, "is the manifest itself");
	expect_fault("steps:\n  a: {foreach: [.jl], " X ", outputs: \"${{ item }}/x\"}\n", 3, "never writes to");
	expect_fault("steps:\n  a: {foreach: [..], " X ", outputs: \"${{ item }}/x\"}\n", 3, "outside the workspace");
	expect_fault("steps:\n  a: {foreach: [x, x], " X "}\n", 3, "comes twice");
	/* These only look alike. */
	struct world *w = world_new("steps:\n  a: {" X ", outputs: [d/, d.x, d-x/]}\n  b: {" X
				    ", outputs: [dd, d.y/z]}\n"
				    "  c: {" X ", inputs: d/x, outputs: e}\n");
	struct jl_project *p = open_project(w);
	uint32_t file = jl_files_id(&p->state->files, "d/x/y", 5);
	assert_int_equal(jl_expand_maker(p, file), 0);
	assert_int_equal(jl_expand_maker(p, jl_files_id(&p->state->files, "dd", 2)), 1);
	assert_int_equal(jl_expand_maker(p, jl_files_id(&p->state->files, "d.y", 3)), JL_NONE);
	close_project(p);
	world_free(w);
}

static void test_find(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  clean: {foreach: [a, b], " X "}\n  cleaner: {" X "}\n");
	struct jl_project *p = open_project(w);
	uint32_t rule = 9, inst = 9;
	assert_int_equal(jl_project_find(p, "cleaner", &rule, &inst, NULL), JL_OK);
	assert_int_equal(rule, 1);
	assert_int_equal(inst, JL_NONE);
	assert_int_equal(jl_project_find(p, "clean[b]", &rule, &inst, NULL), JL_OK);
	assert_int_equal(rule, 0);
	assert_string_equal(jl_project_text(p, jl_plan_inst(&p->plan, inst)->label), "clean[b]");
	assert_int_equal(jl_project_find(p, "clean[c]", &rule, &inst, &w->err), JL_EINVAL);
	assert_int_equal(jl_project_find(p, "claen", &rule, &inst, &w->err), JL_EINVAL);
	assert_non_null(strstr(w->err.text, "did you mean \"clean\""));
	close_project(p);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compile_path), cmocka_unit_test(test_waits),    cmocka_unit_test(test_late_rules),
		cmocka_unit_test(test_reuse),    cmocka_unit_test(test_packed),   cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
