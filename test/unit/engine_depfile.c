/* The engine and what steps are found to use: base and full keys, variants in the order of their last use, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memo/variants.h"
#include "run_help.h"

#include "base/file.h"

static const char manifest[] =
	"steps:\n  a: {command: [cc, \"${{ output }}\", \"${{ input }}\"], inputs: src, outputs: o, depfile: o.d}\n";

/* [cc, OUT, SRC]: a line "use FILE" in SRC is replaced by the file; the depfile is OUT.d. */
static void compile(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	struct world *w = ctx;
	struct jl_buf src = JL_BUF_INIT, out = JL_BUF_INIT, dep = JL_BUF_INIT, name = JL_BUF_INIT;
	const char *const *a = job->argv;
	if (run->end != JL_JOB_EXITED || strcmp(a[0], "cc") != 0) {
		world_play(NULL, job, run);
		return;
	}
	assert_int_equal(jl_file_read(&jl_io_system, w->dir->fd, a[2], &src, NULL), JL_OK);
	jl_buf_printf(&dep, "%s: %s", a[1], a[2]);
	for (char *line = strtok(src.data, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "use ", 4) == 0) {
			jl_buf_printf(&dep, " %s", line + 4);
			(void)!jl_file_read(&jl_io_system, w->dir->fd, line + 4, &out, NULL);
		} else {
			jl_buf_str(&out, line);
		}
	}
	jl_buf_printf(&name, "%s.d", a[1]);
	world_write(w, a[1], out.data);
	world_write(w, name.data, dep.data);
	struct jl_buf *all[] = {&src, &out, &dep, &name};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		jl_buf_release(all[i]);
}

static void run(struct world *w)
{
	world_next(w);
	w->x->fallback.effect = compile;
	w->x->fallback.ctx = w;
	world_run(w);
}

static struct world *header_world(void)
{
	struct world *w = world_new(manifest);
	world_write(w, "src", "use h\nuse inc/g\nuse none\nx\n");
	world_write(w, "h", "1");
	world_write(w, "inc/g", "g");
	run(w);
	world_expect(w, "ran a\n");
	world_holds(w, "o", "1gx");
	assert_int_equal(w->stored, 1);
	assert_string_equal(w->warnings.data, "");
	return w;
}

static void fresh_and_not(void **state)
{
	(void)state;
	struct world *w = header_world();
	for (int i = 0; i < 2; i++) {
		world_write(w, "h", "1"); /* as touch would */
		run(w);
		world_expect(w, "fresh a\n");
	}
	world_write(w, "h", "2");
	run(w);
	world_expect(w, "ran a\n");
	assert_non_null(strstr(w->reasons.data, "a: \"h\", which it used, changed\n"));
	run(w);
	world_expect(w, "fresh a\n");
	world_write(w, "none", "now"); /* it was found to be absent */
	run(w);
	world_expect(w, "ran a\n");
	world_holds(w, "o", "2gnowx");
	world_remove(w, "none");
	world_remove(w, "h");
	run(w);
	world_expect(w, "ran a\n");
	world_write(w, "h", "1");
	run(w);
	world_expect(w, "restored a\n");
	world_holds(w, "o", "1gx");
	world_holds(w, "o.d", "o: src h inc/g none");
	world_free(w);
}

/* A dependency that is no longer one counts no more. */
static void others_than_before(void **state)
{
	(void)state;
	struct world *w = header_world();
	world_write(w, "src", "use h\ny\n");
	run(w);
	world_expect(w, "ran a\n");
	world_write(w, "inc/g", "G");
	run(w);
	world_expect(w, "fresh a\n");
	world_write(w, "src", "use h\nuse inc/g\nuse none\nx\n");
	run(w);
	world_expect(w, "ran a\n");
	world_free(w);
}

static void sixteen_variants(void **state)
{
	(void)state;
	struct world *w = header_world();
	char text[8];
	for (unsigned i = 2; i <= JL_VARIANTS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "%u", i);
		world_write(w, "h", text);
		run(w);
		world_expect(w, "ran a\n");
	}
	world_write(w, "h", "2"); /* the oldest that is left: used now, it is the first */
	run(w);
	world_expect(w, "restored a\n");
	world_write(w, "h", "1"); /* dropped out, and takes the place of 3 */
	run(w);
	world_expect(w, "ran a\n");
	world_write(w, "h", "2");
	run(w);
	world_expect(w, "restored a\n");
	world_write(w, "h", "3");
	run(w);
	world_expect(w, "ran a\n");
	world_free(w);
}

/* A variant whose result is gone is none; nor is what a newer program wrote touched. */
static void without_its_record(void **state)
{
	(void)state;
	struct world *w = header_world();
	struct jl_digest key;
	assert_int_equal(jl_digest_parse(w->key, &key, NULL), JL_OK);
	assert_int_equal(w->store->ops->drop_record(w->store, &key, NULL), JL_OK);
	run(w);
	world_expect(w, "fresh a\n"); /* the state is enough */
	world_remove(w, "o");
	run(w);
	world_expect(w, "ran a\n");
	assert_non_null(strstr(w->reasons.data,
			       "a: its outputs are not as they were left, and the result is not stored\n"));
	world_remove(w, "o");
	run(w);
	world_expect(w, "restored a\n");
	world_free(w);
}

static void planned(void **state)
{
	(void)state;
	struct world *w = header_world();
	world_write(w, "h", "2");
	w->o.mode = JL_MODE_PLAN;
	run(w);
	world_expect(w, "would run a\n");
	w->o.mode = JL_MODE_RUN;
	run(w);
	world_write(w, "h", "1");
	w->o.mode = JL_MODE_PLAN;
	uint64_t put = w->store->stats.records_put;
	run(w);
	world_expect(w, "would be restored a\n");
	assert_int_equal(w->store->stats.records_put, put);
	world_free(w);
}

static void change_header(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	compile(ctx, job, run);
	world_write(ctx, "inc/g", "g"); /* with what was in it: who knows what was read */
}

static void changed_meanwhile(void **state)
{
	(void)state;
	struct world *w = header_world();
	world_write(w, "h", "2");
	world_next(w);
	w->x->fallback = (struct fake_run){.effect = change_header, .ctx = w};
	world_run(w);
	world_expect(w, "ran a\n");
	assert_int_equal(w->stored, 0);
	assert_non_null(strstr(w->warnings.data, "not stored: \"inc/g\", which it used, changed while it ran"));
	run(w);
	world_expect(w, "ran a\n");
	assert_int_equal(w->stored, 1);
	world_free(w);
}

/* What a step before made while this run went on is as good as any other file; who does not wait for it is told. */
static void made_by_steps(void **state)
{
	(void)state;
	struct world *w = world_new(
		"steps:\n"
		"  gen: {command: [put, \"${{ output }}\", g], outputs: inc/g}\n"
		"  a: {command: [cc, \"${{ output }}\", \"${{ input }}\"], inputs: src, outputs: o, depfile: o.d, after: gen}\n"
		"  b: {command: [cc, \"${{ output }}\", \"${{ input }}\"], inputs: src, outputs: p, depfile: \"${{ output }}.d\",\n"
		"      after: a}\n");
	world_write(w, "src", "use inc/g\n");
	run(w);
	world_expect(w, "ran gen\nran a\nran b\n");
	assert_string_equal(w->warnings.data, "");
	assert_int_equal(w->stored, 3);
	run(w);
	world_expect(w, "fresh gen\nfresh a\nfresh b\n");
	world_free(w);
	w = world_new("steps:\n"
		      "  gen: {command: [put, \"${{ output }}\", g], outputs: inc/g}\n"
		      "  a: {command: [cc, \"${{ output }}\", \"${{ input }}\"], inputs: src, outputs: o, depfile: o.d}\n");
	w->o.jobs = 1;
	world_write(w, "src", "use inc/g\n");
	run(w);
	assert_non_null(strstr(w->warnings.data, "it used \"inc/g\", which step \"gen\" makes, without waiting for that"));
	world_free(w);
}

static void left_out(void **state)
{
	(void)state;
	struct world *w = header_world();
	world_manifest(w, "steps:\n  a: {command: [cc, \"${{ output }}\", \"${{ input }}\"], inputs: [src, inc/], outputs: o, "
			  "depfile: o.d}\n");
	run(w);
	world_expect(w, "ran a\n");
	world_write(w, "inc/g", "G"); /* declared: the base key is another */
	run(w);
	world_expect(w, "ran a\n");
	assert_non_null(strstr(w->reasons.data, "a: its inputs or command changed\n"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_and_not),      cmocka_unit_test(others_than_before),
		cmocka_unit_test(sixteen_variants),   cmocka_unit_test(without_its_record),
		cmocka_unit_test(planned),	      cmocka_unit_test(changed_meanwhile),
		cmocka_unit_test(made_by_steps),      cmocka_unit_test(left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
