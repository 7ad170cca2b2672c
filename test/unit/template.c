/* manifest/template: evaluation, words, patterns. The faults of parsing are in manifest.c. */
#include "manifest/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALL (JL_TMPL_VARS | JL_TMPL_ITEM | JL_TMPL_PORTS)

static const char *get_env(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "HOME") == 0 ? "/home/x y" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static const char *const ins[] = {"data/a b.csv", "data/c.tar.gz", "it's"};
static const char *const in_names[] = {NULL, "ref", "ref"};
static const char *const outs[] = {"out/"};

struct fixture {
	struct jl_arena arena;
	struct jl_messages msgs;
	struct jl_manifest m;
	struct jl_var vars[2];
	struct jl_value item;
	struct jl_scope scope;
	struct jl_buf out;
};

static struct jl_template *parse_as(struct fixture *f, const char *text, unsigned allow, bool shell)
{
	struct jl_mtext t = {
		.s = text, .len = (uint32_t)strlen(text), .mark = {.file = "m.yaml", .line = 7, .column = 3}};

	return jl_template_parse(&f->arena, &t, NULL, allow, shell, &f->msgs);
}

static struct jl_template *parse(struct fixture *f, const char *text)
{
	struct jl_template *t = parse_as(f, text, ALL, false);

	if (!t)
		fail_msg("%s: %s", text, f->msgs.at[0].text);
	return t;
}

static int setup(void **state)
{
	struct fixture *f = jl_calloc(1, sizeof(*f));

	f->out = (struct jl_buf)JL_BUF_INIT;
	f->vars[0].name = (struct jl_mtext){.s = "level", .len = 5};
	f->vars[0].value = parse(f, "3 4");
	f->vars[1].name = (struct jl_mtext){.s = "both", .len = 4};
	f->vars[1].value = parse(f, "${{ vars.level }}-${{ env.HOME }}");
	f->m.vars.at = f->vars;
	f->m.vars.n = 2;
	f->item.text = (struct jl_mtext){.s = "parts/p q.x", .len = 11};
	f->scope = (struct jl_scope){.manifest = &f->m,
				     .getenv = get_env,
				     .item = &f->item,
				     .step = "clean",
				     .jobs = 8,
				     .inputs = {.at = ins, .names = in_names, .n = 3},
				     .outputs = {.at = outs, .n = 1}};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	jl_messages_release(&f->msgs);
	jl_arena_release(&f->arena);
	jl_buf_release(&f->out);
	free(f);
	return 0;
}

static void expect(struct fixture *f, enum jl_tmpl_quote quote, const char *text, const char *wanted)
{
	jl_buf_clear(&f->out);
	if (jl_template_eval(parse(f, text), &f->scope, quote, &f->out, &f->msgs) != JL_OK)
		fail_msg("%s: %s", text, f->msgs.at[f->msgs.n - 1].text);
	if (strcmp(f->out.data, wanted) != 0)
		fail_msg("%s: wanted %s, got %s", text, wanted, f->out.data);
}

static void plain_values(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"no holes", "no holes"},
		{"${{ item }}", "parts/p q.x"},
		{"${{item}}", "parts/p q.x"},
		{"a${{ item.name }}b", "ap q.xb"},
		{"${{ item.dir }}|${{ item.stem }}|${{ item.ext }}", "parts|p q|.x"},
		{"${{ vars.level }}", "3 4"},
		{"${{ vars.both }}", "3 4-/home/x y"},
		{"${{ env.HOME }}${{ env.EMPTY }}", "/home/x y"},
		{"${{ input }}", "data/a b.csv"},
		{"${{ inputs }}", "data/a b.csv data/c.tar.gz it's"},
		{"${{ inputs[1] }}", "data/c.tar.gz"},
		{"${{ inputs[1].stem }}${{ inputs[1].ext }}", "c.tar.gz"},
		{"${{ inputs[1].stem }}", "c.tar"},
		{"${{ inputs.ref }}", "data/c.tar.gz it's"},
		{"${{ inputs.ref.name }}", "c.tar.gz it's"},
		{"${{ input.name }}", "a b.csv"},
		{"${{ output }}", "out/"},
		{"${{ output.name }}|${{ output.dir }}", "out|."},
		{"${{ outputs }}", "out/"},
		{"${{ step }} ${{ jobs }}", "clean 8"},
		{"${{ raw(item) }} ${{ raw( inputs[0].name ) }}", "parts/p q.x a b.csv"},
		{"$${{ item }} $$ ${ x", "${{ item }} $$ ${ x"},
		{"$${{ x ${{ step }}", "${{ x clean"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(*state, JL_TMPL_PLAIN, cases[i][0], cases[i][1]);
}

static void shell_values(void **state)
{
	static const char *const cases[][2] = {
		{"cat ${{ item }}", "cat 'parts/p q.x'"},
		{"${{ inputs }}", "'data/a b.csv' data/c.tar.gz 'it'\\''s'"},
		{"x${{ inputs.ref }}y", "xdata/c.tar.gz 'it'\\''s'y"},
		{"${{ vars.level }} ${{ raw(vars.level) }}", "'3 4' 3 4"},
		{"${{ env.EMPTY }}", "''"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(*state, JL_TMPL_SHELL, cases[i][0], cases[i][1]);
}

static void parts_of_paths(void **state)
{
	static const char *const cases[][5] = {
		{"a/b.csv", "a", "b.csv", "b", ".csv"}, {"b", ".", "b", "b", ""},      {"/b.c", "/", "b.c", "b", ".c"},
		{"a/.rc", "a", ".rc", ".rc", ""},       {"a/b/", "a", "b", "b", ""},   {"/", "/", "/", "/", ""},
		{"a.b/c", "a.b", "c", "c", ""},         {"a/b.", "a", "b.", "b", "."}, {"", ".", "", "", ""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		f->item.text = (struct jl_mtext){.s = cases[i][0], .len = (uint32_t)strlen(cases[i][0])};
		expect(f, JL_TMPL_PLAIN, "${{ item.dir }}", cases[i][1]);
		expect(f, JL_TMPL_PLAIN, "${{ item.name }}", cases[i][2]);
		expect(f, JL_TMPL_PLAIN, "${{ item.stem }}", cases[i][3]);
		expect(f, JL_TMPL_PLAIN, "${{ item.ext }}", cases[i][4]);
	}
}

static void items_with_keys(void **state)
{
	struct fixture *f = *state;
	struct jl_mtext keys[] = {{.s = "os", .len = 2}, {.s = "name", .len = 4}};
	struct jl_mtext values[] = {{.s = "a/b.c", .len = 5}, {.s = "n", .len = 1}};

	f->item = (struct jl_value){.text = {.s = ""}, .keys = keys, .values = values, .n_keys = 2};
	expect(f, JL_TMPL_PLAIN, "${{ item.os }} ${{ item.name }} ${{ item.os.stem }}", "a/b.c n b");
}

static void faults_of_evaluation(void **state)
{
	static const char *const cases[][2] = {
		{"x ${{ inputs[3] }}", "there is no input 3; the step has 3, counted from 0"},
		{"x ${{ outputs[1] }}", "there is no output 1; the step has 1, counted from 0"},
		{"x ${{ env.NOPE }}", "the environment has no variable \"NOPE\"; set it"},
		{"x ${{ vars.nope }}", "there is no variable \"nope\""},
		{"x ${{ item.nope }}", "an item of step \"clean\" has no \"nope\""},
	};
	struct fixture *f = *state;
	struct jl_value item = {.text = {.s = ""},
				.keys = &(struct jl_mtext){.s = "k", .len = 1},
				.values = &(struct jl_mtext){.s = "v", .len = 1},
				.n_keys = 1};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(jl_template_eval(parse(f, cases[i][0]), &f->scope, JL_TMPL_PLAIN, &f->out, &f->msgs),
				 JL_EINVAL);
		assert_int_equal(f->msgs.n, i + 1);
		assert_string_equal(f->msgs.at[i].text, cases[i][1]);
		assert_int_equal(f->msgs.at[i].mark.line, 7);
		assert_int_equal(f->msgs.at[i].mark.column, 5);
	}
	f->scope.item = &item;
	assert_int_equal(jl_template_eval(parse(f, "${{ item }}"), &f->scope, JL_TMPL_PLAIN, &f->out, &f->msgs),
			 JL_EINVAL);
	assert_string_equal(f->msgs.at[f->msgs.n - 1].text,
			    "the item is a mapping; name one of its keys, as in ${{ item.k }}");
	f->scope.item = NULL;
	assert_int_equal(jl_template_eval(parse(f, "${{ item }}"), &f->scope, JL_TMPL_PLAIN, &f->out, &f->msgs),
			 JL_EINVAL);
	assert_string_equal(f->msgs.at[f->msgs.n - 1].text, "\"item\" has no value here; it needs foreach");
}

static void over_the_cap(void **state)
{
	struct fixture *f = *state;
	struct jl_buf small;

	jl_buf_init(&small, 8);
	assert_int_equal(jl_template_eval(parse(f, "${{ inputs }}"), &f->scope, JL_TMPL_PLAIN, &small, &f->msgs),
			 JL_EINVAL);
	assert_string_equal(f->msgs.at[0].text, "the text becomes longer than 8 bytes here");
	jl_buf_release(&small);
}

/* Words with '|' for the NUL that ends each. */
static void expect_words(struct fixture *f, bool split, const char *text, uint32_t count, const char *wanted)
{
	uint32_t n = 0;

	jl_buf_clear(&f->out);
	assert_int_equal(jl_template_words(parse(f, text), &f->scope, split, &f->out, &n, &f->msgs), JL_OK);
	for (size_t i = 0; i < f->out.len; i++)
		f->out.data[i] = f->out.data[i] ? f->out.data[i] : '|';
	assert_string_equal(f->out.data, wanted);
	assert_int_equal(n, count);
}

static void words(void **state)
{
	struct fixture *f = *state;

	expect_words(f, false, "", 1, "|");
	expect_words(f, false, "a b", 1, "a b|");
	expect_words(f, false, "${{ item }}", 1, "parts/p q.x|");
	expect_words(f, false, "${{ inputs }}", 3, "data/a b.csv|data/c.tar.gz|it's|");
	expect_words(f, false, "${{ inputs.ref }}", 2, "data/c.tar.gz|it's|");
	expect_words(f, false, "-i${{ inputs.ref }}", 1, "-idata/c.tar.gz it's|");
	expect_words(f, true, "-i${{ inputs.ref }}x", 2, "-idata/c.tar.gz|it'sx|");
	expect_words(f, true, "${{ vars.level }}", 1, "3 4|"); /* a blank in a value never splits */
	f->scope.inputs.n = 0;
	expect_words(f, false, "${{ inputs }}", 0, "");
	expect_words(f, true, "${{ inputs }}", 0, "");
	expect_words(f, true, "a${{ inputs }}b", 1, "ab|");
}

static void patterns(void **state)
{
	static const char *const cases[][2] = {
		{"a/*.b", "a/*.b"},
		{"a/${{ item }}.b", "a/**.b"},
		{"a/${{ item.name }}.b", "a/*.b"},
		{"a/${{ item.dir }}/${{ item.key }}", "a/**/**"},
		{"${{ step }}/${{ item.key.stem }}", "*/*"},
		{"x${{ vars.both }}", "x3 4-/home/x y"},
		{"x${{ env.NOPE }}/${{ env.HOME }}", "x**//home/x y"},
		{"x${{ vars.nope }}", "x**"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		jl_buf_clear(&f->out);
		assert_int_equal(jl_template_pattern(parse(f, cases[i][0]), &f->scope, &f->out), JL_OK);
		assert_string_equal(f->out.data, cases[i][1]);
	}
}

static void add_name(void *ctx, const char *name)
{
	jl_buf_printf(ctx, "%s ", name);
}

static void what_it_uses(void **state)
{
	struct fixture *f = *state;

	jl_template_env(parse(f, "${{ env.A }} ${{ item }} ${{ env.B }}"), add_name, &f->out);
	assert_string_equal(f->out.data, "A B ");
	assert_true(jl_template_uses_item(parse(f, "a ${{ item.x }}")));
	assert_false(jl_template_uses_item(parse(f, "a ${{ step }}")));
	assert_true(jl_template_uses_jobs(parse(f, "a ${{ jobs }}")));
	assert_false(jl_template_uses_jobs(parse(f, "a")));
	assert_string_equal(jl_template_first_word(parse_as(f, " ./x.py a; b", ALL, true)), "./x.py");
	assert_null(jl_template_first_word(parse_as(f, "${{ step }} a", ALL, true)));
	assert_null(jl_template_first_word(parse_as(f, "a\"b\" c", ALL, true)));
	assert_null(jl_template_first_word(parse_as(f, "A=b c", ALL, true)));
	assert_null(jl_template_first_word(parse_as(f, "a c", ALL, false)));
	assert_string_equal(jl_template_fixed(parse(f, "a $${{ b")), "a ${{ b");
	assert_null(jl_template_fixed(parse(f, "a ${{ step }}")));
}

static void quotes(void **state)
{
	static const char wrong[] =
		"a template inside quotes; drop the quotes, its value is quoted for the shell already";
	struct fixture *f = *state;

	assert_null(parse_as(f, "echo \"${{ item }}\"", ALL, true));
	assert_null(parse_as(f, "echo ${{ item }} 'a\n ${{ step }}'", ALL, true));
	assert_null(parse_as(f, "echo \\${{ item }}", ALL, true));
	assert_int_equal(f->msgs.n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(f->msgs.at[i].text, wrong);
	assert_int_equal(f->msgs.at[0].mark.column, 9);
	assert_int_equal(f->msgs.at[1].mark.line, 8);
	assert_int_equal(f->msgs.at[1].mark.column, 2);
	assert_non_null(parse_as(f, "echo \"${{ raw(item) }}\" \"$(cat ${{ item }})\"", ALL, true));
	assert_non_null(parse_as(f, "echo \"${{ item }}\"", ALL, false));
}

static void malformed(void **state)
{
	static const char *const cases[] = {
		"${{ item. }}",
		"${{ item[0] }}",
		"${{ item.a.b }}",
		"${{ inputs[] }}",
		"${{ inputs[1 }}",
		"${{ step.x }}",
		"${{ jobs.x }}",
		"${{ raw item }}",
		"${{ raw(item }}",
		"${{ vars.a.b }}",
		"${{ .x }}",
		"${{ input.x }}",
		"${{ inputs.a.x }}",
		"${{ item item }}",
		"${{ inputs[0][1] }}",
		"${{ input[0] }}",
		"${{ item.name.stem.ext }}",
		"${{ inputs[9999999999] }}",
		"${{ raw(raw(item)) }}",
		"${{ raw() }}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t n = f->msgs.n;

		if (parse_as(f, cases[i], ALL, false))
			fail_msg("%s was taken", cases[i]);
		assert_int_equal(f->msgs.n, n + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_values, setup, teardown),
		cmocka_unit_test_setup_teardown(shell_values, setup, teardown),
		cmocka_unit_test_setup_teardown(parts_of_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(items_with_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(faults_of_evaluation, setup, teardown),
		cmocka_unit_test_setup_teardown(over_the_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(words, setup, teardown),
		cmocka_unit_test_setup_teardown(patterns, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_uses, setup, teardown),
		cmocka_unit_test_setup_teardown(quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
