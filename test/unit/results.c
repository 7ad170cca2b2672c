/* struct jl_results: last results by label. */
#include "state/results.h"

#include "state_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void by_label(void **state)
{
	struct jl_state *s = state_open(*state, NULL);
	struct jl_results *r = &s->results;
	uint32_t a, b;

	assert_int_equal(jl_results_find(r, "clean[a]", 8), JL_NONE);
	a = jl_results_id(r, "clean[a]", 8);
	b = jl_results_id(r, "clean[b]", 8);
	assert_int_not_equal(a, b);
	assert_int_equal(jl_results_id(r, "clean[a]", 8), a);
	assert_int_equal(jl_results_find(r, "clean[b]", 8), b);
	/* A label alone is nothing to write. */
	assert_int_equal(r->n_dirty, 0);
	jl_results_touch(r, b);
	jl_results_touch(r, b);
	assert_int_equal(r->n_dirty, 1);
	assert_true(jl_result_at(r, b)->when_ns > 0);
	state_close(s);
}

static void results_come_back(void **state)
{
	for (int way = 0; way < 2; way++) { /* by the journal, by a snapshot */
		struct jl_state *s = state_open(*state, NULL);
		struct jl_result want, *e;
		uint32_t id = jl_results_id(&s->results, "step", 4);

		e = jl_result_at(&s->results, id);
		jl_digest_bytes("key", 3, &e->key);
		jl_digest_bytes("outs", 4, &e->outs);
		e->flags = JL_RESULT_OK | JL_RESULT_FAILED;
		e->wall_ns = 12345 + way;
		jl_results_touch(&s->results, id);
		want = *jl_result_at(&s->results, id);
		if (way)
			jl_state_plan_changed(s);
		state_close(s);

		s = state_open(*state, NULL);
		id = jl_results_find(&s->results, "step", 4);
		assert_int_not_equal(id, JL_NONE);
		e = jl_result_at(&s->results, id);
		assert_int_equal(e->flags, JL_RESULT_OK | JL_RESULT_FAILED);
		assert_true(jl_digest_equal(&e->key, &want.key));
		assert_true(jl_digest_equal(&e->outs, &want.outs));
		assert_int_equal(e->wall_ns, want.wall_ns);
		assert_int_equal(e->when_ns, want.when_ns);
		assert_int_equal(s->results.n_dirty, 0);
		state_close(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_label, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(results_come_back, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
