/* Outlines: what each format makes of names, kinds and order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/outline.h"

static void draw(const struct jl_outline *o, void (*as)(const struct jl_outline *o, struct jl_buf *out), const char *want)
{
	struct jl_buf b = JL_BUF_INIT;
	as(o, &b);
	assert_string_equal(b.data, want);
	jl_buf_release(&b);
}

static void has(const struct jl_outline *o, void (*as)(const struct jl_outline *o, struct jl_buf *out), const char *part)
{
	struct jl_buf b = JL_BUF_INIT;
	as(o, &b);
	if (!strstr(b.data, part))
		fail_msg("no %s in\n%s", part, b.data);
	jl_buf_release(&b);
}

static void test_empty(void **state)
{
	struct jl_outline o = JL_OUTLINE_INIT;
	(void)state;
	jl_outline_sort(&o);
	draw(&o, jl_outline_mermaid, "flowchart LR\n");
	draw(&o, jl_outline_json, "{\"v\":1,\"nodes\":[],\"edges\":[]}\n");
	has(&o, jl_outline_dot, "digraph jl {\n");
	jl_outline_release(&o);
}

static void test_each_edge_once(void **state)
{
	struct jl_outline o = JL_OUTLINE_INIT;
	(void)state;
	uint32_t a = jl_outline_add(&o, "a", 1, 0), b = jl_outline_add(&o, "b", 3, JL_OUTLINE_FOREACH),
		 c = jl_outline_add(&o, "c", 0, JL_OUTLINE_FOREACH | JL_OUTLINE_LATE),
		 d = jl_outline_add(&o, "b", 1, JL_OUTLINE_ALL);
	jl_outline_edge(&o, b, c, JL_EDGE_AFTER);
	jl_outline_edge(&o, b, c, JL_EDGE_DATA);
	jl_outline_edge(&o, b, c, JL_EDGE_ITEMS);
	jl_outline_edge(&o, d, a, JL_EDGE_AFTER);
	jl_outline_edge(&o, a, b, JL_EDGE_AFTER);
	jl_outline_edge(&o, a, b, JL_EDGE_DATA);
	jl_outline_edge(&o, a, b, JL_EDGE_DATA);
	jl_outline_sort(&o);
	draw(&o, jl_outline_mermaid,
	     "flowchart LR\n"
	     "\tn1[\"a\"]\n"
	     "\tn2[\"b<br>\xc3\x97 3\"]\n"
	     "\tn3[\"c<br>foreach, items known later\"]\n"
	     "\tstyle n3 stroke-dasharray:5\n"
	     "\tn4([\"all of b\"])\n"
	     "\tn1 --> n2\n"
	     "\tn2 -->|items| n3\n"
	     "\tn4 -.-> n1\n");
	draw(&o, jl_outline_json,
	     "{\"v\":1,\"nodes\":[\n"
	     "{\"id\":1,\"name\":\"a\"},\n"
	     "{\"id\":2,\"name\":\"b\",\"instances\":3,\"of\":3,\"foreach\":true},\n"
	     "{\"id\":3,\"name\":\"c\",\"foreach\":true,\"late\":true},\n"
	     "{\"id\":4,\"name\":\"b\",\"all\":true}],\"edges\":[\n"
	     "{\"from\":1,\"to\":2,\"kind\":\"data\"},\n"
	     "{\"from\":2,\"to\":3,\"kind\":\"items\"},\n"
	     "{\"from\":4,\"to\":1,\"kind\":\"after\"}]}\n");
	has(&o, jl_outline_dot, "\tn1 -> n2;\n\tn2 -> n3 [label=\"items\"];\n\tn4 -> n1 [style=dashed];\n}\n");
	jl_outline_release(&o);
}

static void test_notes(void **state)
{
	struct jl_outline o = JL_OUTLINE_INIT;
	(void)state;
	jl_outline_add(&o, "a", 2, JL_OUTLINE_FOREACH | JL_OUTLINE_MANUAL);
	JL_AT(o.nodes, struct jl_outline_node, 0)->of = 10;
	jl_outline_add(&o, "b", 1, JL_OUTLINE_OFF);
	has(&o, jl_outline_dot, "\tn1 [label=\"a\\n\xc3\x97 2 of 10, manual\"];\n");
	has(&o, jl_outline_dot, "\tn2 [label=\"b\\noff\", style=\"rounded,dotted\"];\n");
	jl_outline_release(&o);
}

static void test_hostile_names(void **state)
{
	struct jl_outline o = JL_OUTLINE_INIT;
	(void)state;
	jl_outline_add(&o, "q\"b\\", 1, 0);
	jl_outline_add(&o, "x[a\nb\x1b]", 1, 0);
	jl_outline_add(&o, "#;&amp;<b>`", 1, 0);
	jl_outline_add(&o, "\xc3\xa9\xe2\x80\xa8\xff", 1, 0);
	has(&o, jl_outline_dot, "[label=\"q\\\"b\\\\\"]");
	has(&o, jl_outline_dot, "[label=\"x[a\\\\x0ab\\\\x1b]\"]");
	has(&o, jl_outline_dot, "[label=\"#;&amp;amp;<b>`\"]");
	has(&o, jl_outline_dot, "\xc3\xa9");
	has(&o, jl_outline_dot, "\\\\xff\"]");
	has(&o, jl_outline_mermaid, "n1[\"q#34;b#92;\"]\n");
	has(&o, jl_outline_mermaid, "n2[\"x#91;a#92;x0ab#92;x1b#93;\"]\n");
	has(&o, jl_outline_mermaid, "n3[\"#35;#59;#38;amp#59;#60;b#62;#96;\"]\n");
	has(&o, jl_outline_json, "\"name\":\"q\\\"b\\\\\"");
	has(&o, jl_outline_json, "\"name\":\"x[a\\nb\\u001b]\"");
	has(&o, jl_outline_json, "\xef\xbf\xbd\"");
	jl_outline_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_each_edge_once),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_hostile_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
