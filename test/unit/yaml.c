/* manifest/yaml: trees, walking mappings key by key, places in all styles. Faults by text are in manifest.c. */
#include "manifest/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct jl_messages msgs;
	struct jl_yaml_doc *doc;
};

static void open_doc(struct fixture *f, const char *text)
{
	*f = (struct fixture){0};
	assert_int_equal(jl_yaml_open("m.yaml", text, strlen(text), &f->msgs, &f->doc), JL_OK);
}

static void close_doc(struct fixture *f)
{
	jl_yaml_close(f->doc);
	jl_messages_release(&f->msgs);
}

static void a_tree_with_marks(void **state)
{
	struct fixture f;
	struct jl_yaml root, key, value;
	bool entered, more;

	(void)state;
	open_doc(&f, "k: [a, 'b', {c: \"d\"}]\n\xc3\xbc: |\n  e\n");
	assert_int_equal(jl_yaml_enter(f.doc, &root, &entered), JL_OK);
	assert_true(entered);
	assert_int_equal(root.line, 1);
	assert_int_equal(jl_yaml_key(f.doc, &key, &more), JL_OK);
	assert_true(more);
	assert_string_equal(key.s, "k");
	assert_int_equal(jl_yaml_value(f.doc, &value), JL_OK);
	assert_int_equal(value.kind, JL_YAML_LIST);
	assert_int_equal(value.n, 3);
	assert_int_equal(value.weight, 6);
	assert_int_equal(value.height, 2);
	assert_int_equal(value.column, 4);
	assert_string_equal(value.at[0].s, "a");
	assert_int_equal(value.at[0].style, JL_YAML_PLAIN);
	assert_int_equal(value.at[1].style, JL_YAML_SINGLE);
	assert_int_equal(value.at[1].column, 8);
	assert_int_equal(value.at[2].kind, JL_YAML_MAP);
	assert_int_equal(value.at[2].n, 1);
	assert_string_equal(value.at[2].at[0].s, "c");
	assert_string_equal(value.at[2].at[1].s, "d");
	assert_int_equal(value.at[2].at[1].style, JL_YAML_DOUBLE);
	assert_int_equal(jl_yaml_key(f.doc, &key, &more), JL_OK);
	assert_string_equal(key.s, "\xc3\xbc");
	assert_int_equal(jl_yaml_value(f.doc, &value), JL_OK);
	assert_int_equal(value.style, JL_YAML_LITERAL);
	assert_string_equal(value.s, "e\n");
	assert_int_equal(value.column, 4);  /* in characters */
	assert_int_equal(value.source, 26); /* in bytes */
	assert_int_equal(jl_yaml_key(f.doc, &key, &more), JL_OK);
	assert_false(more);
	assert_int_equal(f.msgs.n, 0);
	close_doc(&f);
}

static void nested_walks(void **state)
{
	struct fixture f;
	struct jl_yaml node;
	bool entered, more;

	(void)state;
	open_doc(&f, "a: {b: c}\nd: &x {e: f}\ng: *x\nh: text\n");
	assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
	assert_true(entered);
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_string_equal(node.s, "b");
	assert_int_equal(jl_yaml_value(f.doc, &node), JL_OK);
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_false(more);
	jl_yaml_forget(f.doc);
	/* With an anchor, by an alias: whole. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
		assert_true(more);
		assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
		assert_false(entered);
		assert_int_equal(node.kind, JL_YAML_MAP);
		assert_string_equal(node.at[0].s, "e");
		jl_yaml_forget(f.doc);
	}
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
	assert_false(entered);
	assert_string_equal(node.s, "text");
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_false(more);
	close_doc(&f);
}

static void faults_are_dropped(void **state)
{
	struct fixture f;
	struct jl_yaml node;
	bool entered, more;

	(void)state;
	open_doc(&f, "a: {b: 1, b: 2, <<: x, [y]: z, c: 3}\n");
	assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_int_equal(jl_yaml_value(f.doc, &node), JL_OK);
	assert_int_equal(node.n, 2);
	assert_string_equal(node.at[1].s, "1");
	assert_string_equal(node.at[2].s, "c");
	assert_int_equal(f.msgs.errors, 3);
	close_doc(&f);
}

static void after_a_fault_nothing_comes(void **state)
{
	struct fixture f;
	struct jl_yaml node;
	bool entered, more;

	(void)state;
	open_doc(&f, "a: ]\n");
	assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
	assert_int_equal(jl_yaml_value(f.doc, &node), JL_EINVAL);
	assert_int_equal(jl_yaml_value(f.doc, &node), JL_EINVAL);
	assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_EINVAL);
	assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_EINVAL);
	assert_int_equal(f.msgs.n, 1);
	close_doc(&f);
}

/* The place of 'X' in each text. */
static void places(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
	} cases[] = {
		{"k: aX\n", 1, 5},
		{"k: a\n  b\n  X\n", 3, 3},
		{"k: a\n\n\n  X\n", 4, 3},
		{"k: 'a''X'\n", 1, 8},
		{"k: 'a\n   X'\n", 2, 4},
		{"k: \"\\x41\\u00fc\\U0001F600\\n\\NX\"\n", 1, 29},
		{"k: \"a  \n\n  bX\"\n", 3, 4},
		{"k: |\n a\n  X\n", 3, 3},
		{"k: |+\n\n\n a\n\n X\n", 6, 2},
		{"k: |1\n   X\n", 2, 4},
		{"k: | # note 3\n   a\n   X\n", 3, 4},
		{"k: >\n a\n X\n", 1, 4},
		{"k: &a X\n", 1, 7},
		{"k: !t 'X'\n", 1, 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture f;
		struct jl_yaml node;
		struct jl_mark mark;
		bool entered, more;

		open_doc(&f, cases[i].text);
		assert_int_equal(jl_yaml_enter(f.doc, &node, &entered), JL_OK);
		assert_int_equal(jl_yaml_key(f.doc, &node, &more), JL_OK);
		assert_int_equal(jl_yaml_value(f.doc, &node), JL_OK);
		mark = jl_yaml_place(f.doc, &node, (size_t)(strchr(node.s, 'X') - node.s));
		if (mark.line != cases[i].line || mark.column != cases[i].column)
			fail_msg("%s: %u:%u", cases[i].text, mark.line, mark.column);
		close_doc(&f);
	}
}

static void what_it_is(void **state)
{
	(void)state;
	assert_string_equal(jl_yaml_what(&(struct jl_yaml){.kind = JL_YAML_LIST}), "a list");
	assert_string_equal(jl_yaml_what(&(struct jl_yaml){.kind = JL_YAML_MAP}), "a mapping");
	assert_string_equal(jl_yaml_what(&(struct jl_yaml){.s = "", .n = 0}), "nothing");
	assert_string_equal(jl_yaml_what(&(struct jl_yaml){.s = "", .n = 0, .style = JL_YAML_SINGLE}), "a text");
	assert_string_equal(jl_yaml_what(&(struct jl_yaml){.s = "x", .n = 1}), "a text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_with_marks),
		cmocka_unit_test(nested_walks),
		cmocka_unit_test(faults_are_dropped),
		cmocka_unit_test(after_a_fault_nothing_comes),
		cmocka_unit_test(places),
		cmocka_unit_test(what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
