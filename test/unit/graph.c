/* The dependency graph: what becomes ready when, what blocks, growth, urgency, cycles, and the heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"

static struct jl_graph graph(uint32_t n)
{
	struct jl_graph g = JL_GRAPH_INIT;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(jl_graph_add(&g, 100 + i, 1), i);
	return g;
}

static void expect_next(struct jl_graph *g, uint32_t want)
{
	uint32_t node = JL_NONE;
	assert_true(jl_graph_next(g, &node));
	assert_int_equal(node, want);
	assert_int_equal(jl_graph_node(g, node)->state, JL_NODE_TAKEN);
}

static void expect_none(struct jl_graph *g)
{
	uint32_t node = 77;
	assert_false(jl_graph_next(g, &node));
	assert_int_equal(node, 77);
}

/* 0 → 1 → 3, 0 → 2 → 3: each once, in the order of becoming ready. */
static void test_diamond(void **state)
{
	(void)state;
	struct jl_graph g = graph(4);
	jl_graph_edge(&g, 0, 1);
	jl_graph_edge(&g, 0, 2);
	jl_graph_edge(&g, 1, 3);
	jl_graph_edge(&g, 2, 3);
	expect_none(&g); /* not started */
	jl_graph_start(&g, 0);
	expect_next(&g, 0);
	expect_none(&g);
	jl_graph_done(&g, 0, true);
	uint32_t a, b;
	assert_true(jl_graph_next(&g, &a));
	assert_true(jl_graph_next(&g, &b));
	assert_int_equal(a + b, 3);
	jl_graph_done(&g, b, true);
	expect_none(&g);
	assert_false(jl_graph_finished(&g));
	jl_graph_done(&g, a, true);
	expect_next(&g, 3);
	assert_false(jl_graph_node(&g, 3)->blocked);
	assert_int_equal(jl_graph_node(&g, 3)->last, a);
	assert_int_equal(jl_graph_node(&g, a)->last, 0);
	assert_int_equal(jl_graph_node(&g, 0)->last, JL_NONE);
	assert_int_equal(jl_graph_node(&g, 3)->what, 103);
	jl_graph_done(&g, 3, true);
	assert_true(jl_graph_finished(&g));
	jl_graph_release_all(&g);
	assert_true(jl_graph_finished(&g));
}

static void test_ready_in_order_of_index(void **state)
{
	(void)state;
	struct jl_graph g = graph(50);
	jl_graph_start(&g, 0);
	for (uint32_t i = 0; i < 50; i++)
		expect_next(&g, i);
	expect_none(&g);
	for (uint32_t i = 50; i-- > 0;)
		jl_graph_done(&g, i, true);
	assert_true(jl_graph_finished(&g));
	jl_graph_release_all(&g);
}

/* A failure blocks what follows, through as many steps as pass it on, and nothing else. */
static void test_blocked(void **state)
{
	(void)state;
	struct jl_graph g = graph(5);
	jl_graph_edge(&g, 0, 2);
	jl_graph_edge(&g, 1, 2);
	jl_graph_edge(&g, 2, 3);
	jl_graph_edge(&g, 1, 4);
	jl_graph_start(&g, 0);
	expect_next(&g, 0);
	expect_next(&g, 1);
	jl_graph_done(&g, 0, false);
	expect_none(&g); /* blocked, but not before its last predecessor has ended */
	jl_graph_done(&g, 1, true);
	for (int i = 0; i < 2; i++) {
		uint32_t node;
		assert_true(jl_graph_next(&g, &node));
		assert_true(node == 2 || node == 4);
		assert_int_equal(jl_graph_node(&g, node)->blocked, node == 2);
		jl_graph_done(&g, node, node != 2);
	}
	expect_next(&g, 3);
	assert_true(jl_graph_node(&g, 3)->blocked);
	jl_graph_done(&g, 3, true); /* the owner may forgive */
	uint32_t late = jl_graph_add(&g, 0, 1);
	jl_graph_edge(&g, 3, late);
	jl_graph_start(&g, late);
	expect_next(&g, late);
	assert_false(jl_graph_node(&g, late)->blocked);
	jl_graph_release_all(&g);
}

/* Nodes come while others run; an edge from a node that is done counts as met, or as blocked when it failed. */
static void test_growth(void **state)
{
	(void)state;
	struct jl_graph g = graph(3);
	jl_graph_start(&g, 0);
	expect_next(&g, 0);
	expect_next(&g, 1);
	jl_graph_done(&g, 0, true);
	jl_graph_done(&g, 1, false);
	uint32_t good = jl_graph_add(&g, 0, 1), bad = jl_graph_add(&g, 0, 1), waits = jl_graph_add(&g, 0, 1);
	jl_graph_edge(&g, 0, good);
	jl_graph_edge(&g, 0, bad);
	jl_graph_edge(&g, 1, bad);
	jl_graph_edge(&g, 2, waits); /* ready, not done */
	jl_graph_edge(&g, 0, waits);
	assert_int_equal(jl_graph_node(&g, good)->pending, 0);
	assert_int_equal(jl_graph_node(&g, waits)->pending, 1);
	jl_graph_start(&g, good);
	expect_next(&g, 2);
	expect_next(&g, good);
	expect_next(&g, bad);
	assert_false(jl_graph_node(&g, good)->blocked);
	assert_true(jl_graph_node(&g, bad)->blocked);
	expect_none(&g);
	jl_graph_done(&g, 2, true);
	expect_next(&g, waits);
	jl_graph_start(&g, 0); /* starting twice makes nothing ready twice */
	expect_none(&g);
	jl_graph_release_all(&g);
}

/* An edge that is told twice is waited for twice, and met twice. */
static void test_double_edge(void **state)
{
	(void)state;
	struct jl_graph g = graph(2);
	jl_graph_edge(&g, 0, 1);
	jl_graph_edge(&g, 0, 1);
	jl_graph_start(&g, 0);
	assert_int_equal(jl_graph_measure(&g, NULL), 0);
	expect_next(&g, 0);
	jl_graph_done(&g, 0, true);
	expect_next(&g, 1);
	expect_none(&g);
	jl_graph_release_all(&g);
}

static void test_urgency(void **state)
{
	(void)state;
	struct jl_graph g = JL_GRAPH_INIT;
	const uint32_t weight[] = {10, 5, 100, 1, 7};
	for (uint32_t i = 0; i < 5; i++)
		jl_graph_add(&g, i, weight[i]);
	/* 0 → 1 → 3, 0 → 2 → 3; 4 alone */
	jl_graph_edge(&g, 0, 1);
	jl_graph_edge(&g, 0, 2);
	jl_graph_edge(&g, 1, 3);
	jl_graph_edge(&g, 2, 3);
	assert_false(g.measured);
	assert_int_equal(jl_graph_measure(&g, NULL), 0);
	assert_true(g.measured);
	const uint32_t want[] = {111, 6, 101, 1, 7};
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(jl_graph_node(&g, i)->urgency, want[i]);
	/* Growth: a tail behind 3 makes all before it more urgent. What is done keeps out of it. */
	jl_graph_start(&g, 0);
	expect_next(&g, 0);
	jl_graph_done(&g, 0, true);
	uint32_t tail = jl_graph_add(&g, 9, UINT32_MAX - 50);
	assert_false(g.measured);
	jl_graph_edge(&g, 3, tail);
	assert_int_equal(jl_graph_measure(&g, NULL), 0);
	assert_int_equal(jl_graph_node(&g, 0)->urgency, 111);
	assert_int_equal(jl_graph_node(&g, 1)->urgency, UINT32_MAX - 44);
	assert_int_equal(jl_graph_node(&g, 2)->urgency, UINT32_MAX); /* the sum stops there */
	jl_graph_release_all(&g);
}

/* The cycle's nodes, each followed by one that waits for it, the last by the first. */
static void expect_cycle(const struct jl_table *cycle, const uint32_t *ring, uint32_t n)
{
	assert_int_equal(cycle->len, n);
	uint32_t at = 0;
	while (at < n && ring[at] != *JL_AT(*cycle, uint32_t, 0))
		at++;
	assert_true(at < n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(*JL_AT(*cycle, uint32_t, i), ring[(at + i) % n]);
}

static void test_cycles(void **state)
{
	(void)state;
	struct jl_table cycle = JL_TABLE_INIT(uint32_t);
	/* 0 → 1; 5 → 2 → 4 → 5 is the ring; 3 behind it, 0 before it */
	struct jl_graph g = graph(6);
	jl_graph_edge(&g, 0, 1);
	jl_graph_edge(&g, 0, 2);
	jl_graph_edge(&g, 5, 2);
	jl_graph_edge(&g, 2, 4);
	jl_graph_edge(&g, 4, 5);
	jl_graph_edge(&g, 4, 3);
	assert_int_equal(jl_graph_measure(&g, &cycle), 4);
	expect_cycle(&cycle, (const uint32_t[]){5, 2, 4}, 3);
	assert_int_equal(jl_graph_node(&g, 0)->urgency, 2); /* the rest is measured */
	jl_graph_release_all(&g);

	cycle.len = 0;
	g = graph(2);
	jl_graph_edge(&g, 1, 1);
	assert_int_equal(jl_graph_measure(&g, &cycle), 1);
	expect_cycle(&cycle, (const uint32_t[]){1}, 1);
	jl_graph_release_all(&g);

	/* Two rings: one of them is named, all are counted. */
	cycle.len = 0;
	g = graph(4);
	jl_graph_edge(&g, 0, 1);
	jl_graph_edge(&g, 1, 0);
	jl_graph_edge(&g, 2, 3);
	jl_graph_edge(&g, 3, 2);
	assert_int_equal(jl_graph_measure(&g, NULL), 4);
	assert_int_equal(jl_graph_measure(&g, &cycle), 4);
	assert_int_equal(cycle.len, 2);
	jl_graph_start(&g, 0);
	expect_none(&g);
	assert_false(jl_graph_finished(&g));
	jl_graph_release_all(&g);
	jl_table_release(&cycle);
}

static void test_what_is_left(void **state)
{
	(void)state;
	struct jl_graph g = JL_GRAPH_INIT;
	jl_graph_add(&g, 0, 10);
	jl_graph_add(&g, 1, 100);
	jl_graph_add(&g, 2, 1000);
	jl_graph_guessed(&g, 1);
	assert_int_equal(g.left_ms, 1010);
	assert_int_equal(g.n_guessed, 1);
	jl_graph_start(&g, 0);
	expect_next(&g, 0);
	jl_graph_done(&g, 0, true);
	assert_int_equal(g.left_ms, 1000);
	expect_next(&g, 1);
	jl_graph_done(&g, 1, false);
	assert_int_equal(g.left_ms, 1000);
	assert_int_equal(g.n_guessed, 0);
	expect_next(&g, 2);
	jl_graph_done(&g, 2, true);
	assert_int_equal(g.left_ms, 0);
	jl_graph_release_all(&g);
}

/* Only the long ring far behind many done nodes is left. */
static void test_cycle_after_progress(void **state)
{
	(void)state;
	struct jl_table cycle = JL_TABLE_INIT(uint32_t);
	struct jl_graph g = graph(10);
	for (uint32_t i = 0; i < 9; i++)
		jl_graph_edge(&g, i, i + 1);
	jl_graph_edge(&g, 9, 4);
	jl_graph_start(&g, 0);
	for (uint32_t i = 0; i < 4; i++) {
		expect_next(&g, i);
		jl_graph_done(&g, i, true);
	}
	expect_none(&g);
	assert_int_equal(jl_graph_measure(&g, &cycle), 6);
	expect_cycle(&cycle, (const uint32_t[]){4, 5, 6, 7, 8, 9}, 6);
	jl_graph_release_all(&g);
	jl_table_release(&cycle);
}

static void test_heap(void **state)
{
	(void)state;
	enum { N = 1000 };
	struct jl_graph g = JL_GRAPH_INIT;
	struct jl_urgent u = JL_URGENT_INIT;
	uint32_t seed = 1, node;
	assert_false(jl_urgent_pop(&u, &g, &node));
	for (uint32_t i = 0; i < N; i++) {
		seed = seed * 1103515245 + 12345;
		jl_graph_add(&g, i, (seed >> 16) % 50); /* many ties */
	}
	assert_int_equal(jl_graph_measure(&g, NULL), 0);
	for (uint32_t i = N; i-- > 0;)
		jl_urgent_push(&u, &g, i);
	for (uint32_t round = 0; round < 2; round++) {
		uint32_t last = JL_NONE;
		for (uint32_t i = 0; i < N / 2; i++) {
			assert_true(jl_urgent_pop(&u, &g, &node));
			if (last != JL_NONE) {
				uint32_t a = jl_graph_node(&g, last)->urgency, b = jl_graph_node(&g, node)->urgency;
				assert_true(a > b || (a == b && last < node));
			}
			last = node;
		}
		/* The other way round for the second half. */
		for (uint32_t i = 0; i < N; i++)
			jl_graph_node(&g, i)->weight = 50 - jl_graph_node(&g, i)->weight;
		jl_graph_measure(&g, NULL);
		jl_urgent_rebuild(&u, &g);
	}
	assert_false(jl_urgent_pop(&u, &g, &node));
	jl_table_release(&u.heap);
	jl_graph_release_all(&g);
}

/* 100,000 nodes, each with edges to its next three and to one node that all precede: each is handed out once, and the
 * tables hold one entry a node or edge. A quadratic step in here would not end within the test's time limit. */
static void test_large(void **state)
{
	(void)state;
	enum { N = 100000 };
	struct jl_graph g = graph(N + 1);
	uint8_t *seen = jl_calloc(N + 1, 1);
	uint32_t node, n = 0;
	for (uint32_t i = 0; i < N; i++) {
		for (uint32_t k = 1; k <= 3 && i + k < N; k++)
			jl_graph_edge(&g, i, i + k);
		jl_graph_edge(&g, i, N);
	}
	assert_int_equal(g.edges.len, 4 * N - 6);
	assert_int_equal(jl_graph_measure(&g, NULL), 0);
	assert_int_equal(jl_graph_node(&g, 0)->urgency, N + 1);
	jl_graph_start(&g, 0);
	while (jl_graph_next(&g, &node)) {
		assert_false(seen[node]);
		seen[node] = 1;
		n++;
		jl_graph_done(&g, node, true);
	}
	assert_int_equal(n, N + 1);
	assert_true(jl_graph_finished(&g));
	assert_true(g.ready.cap < N); /* the queue starts anew when it runs empty */
	free(seen);
	jl_graph_release_all(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diamond),
		cmocka_unit_test(test_ready_in_order_of_index),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_double_edge),
		cmocka_unit_test(test_urgency),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_what_is_left),
		cmocka_unit_test(test_cycle_after_progress),
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
