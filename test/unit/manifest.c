/* The manifest's reader: what each key gives, and the exact text and place of each message. */
#include "manifest/manifest.h"
#include "manifest/matrix.h"
#include "manifest/schema.h"
#include "manifest/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Put before a step's keys. */
#define STEP "version: 1\nsteps:\n  s:\n    command: x\n"

static struct jl_manifest *read_ok(const char *text)
{
	struct jl_messages msgs = {0};
	struct jl_manifest *m = NULL;
	int rc = jl_manifest_read("m.yaml", text, strlen(text), NULL, NULL, 0, &m, &msgs);

	if (rc != JL_OK || msgs.n > 0)
		fail_msg("%s\n%u:%u: %s", text, msgs.n ? msgs.at[0].mark.line : 0, msgs.n ? msgs.at[0].mark.column : 0,
			 msgs.n ? msgs.at[0].text : "no message");
	jl_messages_release(&msgs);
	return m;
}

/* All messages, a line each: "LINE:COLUMN: text". */
static char *read_bad(const char *text, size_t len, const struct jl_var_override *overrides, uint32_t n)
{
	struct jl_messages msgs = {0};
	struct jl_manifest *m = NULL;
	struct jl_buf out = JL_BUF_INIT;

	if (jl_manifest_read("m.yaml", text, len, NULL, overrides, n, &m, &msgs) != JL_EINVAL)
		fail_msg("no error in:\n%s", text);
	assert_null(m);
	for (uint32_t i = 0; i < msgs.n; i++) {
		if (msgs.at[i].mark.line) {
			assert_string_equal(msgs.at[i].mark.file, "m.yaml");
			jl_buf_printf(&out, "%u:%u: ", msgs.at[i].mark.line, msgs.at[i].mark.column);
		}
		jl_buf_printf(&out, "%s\n", msgs.at[i].text);
	}
	jl_messages_release(&msgs);
	return jl_buf_detach(&out, NULL);
}

static bool differs(const char *text, size_t len, const char *wanted)
{
	char *got = read_bad(text, len, NULL, 0);
	bool bad = strcmp(got, wanted) != 0;

	if (bad)
		print_error("of:\n%.300s\nwanted:\n%sgot:\n%s\n", text, wanted, got);
	free(got);
	return bad;
}

static void expect_len(const char *text, size_t len, const char *wanted)
{
	assert_false(differs(text, len, wanted));
}

struct fault {
	const char *text, *wanted;
};

static void expect_all(const struct fault *faults, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += differs(faults[i].text, strlen(faults[i].text), faults[i].wanted);
	assert_int_equal(bad, 0);
}
#define EXPECT_ALL(faults) expect_all(faults, sizeof(faults) / sizeof(*(faults)))

static const char *fixed(const struct jl_template *t)
{
	return jl_template_fixed(t);
}

static void structure_faults(void **state)
{
	static const struct fault faults[] = {
		{"", "1:1: nothing in it; begin with \"version: 1\" and \"steps:\"\n"},
		{"# only this\n", "1:1: nothing in it; begin with \"version: 1\" and \"steps:\"\n"},
		{"- a\n", "1:1: a manifest is a mapping with \"version\" and \"steps\", not a list\n"},
		{"text\n", "1:1: a manifest is a mapping with \"version\" and \"steps\", not a text\n"},
		{"--- \n", "2:1: a manifest is a mapping with \"version\" and \"steps\", not nothing\n"},
		{"steps:\n  s: {command: x}\n", "1:1: \"version\" is missing; begin with \"version: 1\"\n"},
		{"version: 2\nsteps: {s: {command: x}}\n",
		 "1:10: version 2 of the format is not known to this program; write \"version: 1\"\n"},
		{"version: \"1\"\nsteps: {s: {command: x}}\n",
		 "1:10: \"version\" wants a whole number in decimal, not \"1\"; drop the quotes\n"},
		{"version: 1.0\nsteps: {s: {command: x}}\n",
		 "1:10: \"version\" wants a whole number in decimal, not \"1.0\"\n"},
		{"version: 01\nsteps: {s: {command: x}}\n",
		 "1:10: \"version\" wants a whole number in decimal, not \"01\"\n"},
		{"version: 0x1\nsteps: {s: {command: x}}\n",
		 "1:10: \"version\" wants a whole number in decimal, not \"0x1\"\n"},
		{"version: [1]\nsteps: {s: {command: x}}\n", "1:10: \"version\" wants a whole number, not a list\n"},
		{"version: 99999999999999999999\nsteps: {s: {command: x}}\n",
		 "1:10: \"version\": the number 99999999999999999999 is too large\n"},
		{"version: 1\n", "1:1: \"steps\" is missing; add a step\n"},
		{"version: 1\nsteps: {}\n", "2:8: \"steps\" is empty; add a step\n"},
		{"version: 1\nsteps:\n", "2:7: \"steps\" is empty; add a step\n"},
		{"version: 1\nsteps: [a]\n", "2:8: \"steps\" wants a mapping of names to steps, not a list\n"},
		{"version: 1\nsteps: text\n", "2:8: \"steps\" wants a mapping of names to steps, not a text\n"},
		{"version: 1\nsteps:\n  s: text\n", "3:6: a step wants a mapping with \"command\", not a text\n"},
		{"version: 1\nsteps:\n  s:\n", "3:5: a step wants a mapping with \"command\", not nothing\n"},
		{"version: 1\nsteps:\n  s: {inputs: a}\n", "3:3: step \"s\" has no command; add \"command\"\n"},
		{"version: 1\nsteps:\n  -s: {command: x}\n  a b: {command: x}\n  .a: {command: x}\n  'a/b': {command: "
		 "x}\n"
		 "  '': {command: x}\n",
		 "3:3: \"-s\" cannot name a step; use letters, digits, _ . - and begin with a letter, a digit or _\n"
		 "4:3: \"a b\" cannot name a step; use letters, digits, _ . - and begin with a letter, a digit or _\n"
		 "5:3: \".a\" cannot name a step; use letters, digits, _ . - and begin with a letter, a digit or _\n"
		 "6:3: \"a/b\" cannot name a step; use letters, digits, _ . - and begin with a letter, a digit or _\n"
		 "7:3: \"\" cannot name a step; use letters, digits, _ . - and begin with a letter, a digit or _\n"},
		{"version: 1\nsteps:\n  s: {command: x}\n  t: {command: x}\n  s: {command: y}\n",
		 "5:3: duplicate key \"s\"; it stands in line 3 already\n"},
		{"version: 1\nsteps:\n  s: {command: x}\nversion: 1\nsteps: {t: {command: x}}\n",
		 "4:1: duplicate key \"version\"; it stands in line 1 already\n"
		 "5:1: duplicate key \"steps\"; it stands in line 2 already\n"},
		{STEP "    tags: a\n    tags: b\n", "6:5: duplicate key \"tags\"; it stands in line 5 already\n"},
		{STEP "    <<: {tags: a}\n",
		 "5:5: merge keys (<<) are not supported; write the keys out, or use \"defaults\"\n"},
		{STEP "<<: {vars: a}\n",
		 "5:1: merge keys (<<) are not supported; write the keys out, or use \"defaults\"\n"},
		{STEP "    [a]: b\n", "5:5: a key must be a text, not a list\n"},
		{STEP "    outputs: !foo\n",
		 "5:14: tag \"!foo\": types come from the key; put a text that begins with ! in quotes\n"
		 "5:14: an empty path; name a file or a folder\n"},
		{STEP "---\nversion: 1\n", "5:1: a second document; a manifest is one document\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void yaml_faults(void **state)
{
	static const struct fault faults[] = {
		{"version: 1\nsteps:\n\ts: {command: x}\n", "3:1: invalid YAML: found character that cannot start any "
							    "token while scanning for the next token; a tab cannot "
							    "indent, use spaces\n"},
		{STEP "    inputs: *.csv\n", "5:14: invalid YAML: did not find expected alphabetic or numeric "
					     "character while scanning an alias; put a text "
					     "that begins with * or & in quotes\n"},
		{STEP "    inputs: *csv\n",
		 "5:13: alias \"*csv\" has no anchor before it; put a text that begins with * in quotes\n"},
		{STEP "    inputs: &a [*a]\n", "5:17: alias \"*a\" stands inside its own anchor\n"},
		{STEP "    inputs: [!*.csv]\n", "5:20: invalid YAML: did not find expected whitespace or line break "
						"while scanning a tag; put a text that begins "
						"with ! in quotes\n"},
		{STEP "    inputs: [a, ${{ item }}b]\n", "5:18: invalid YAML: did not find expected ',' or ']' while "
							 "parsing a flow sequence; inside [ ] and { } a text "
							 "with ${{ }} needs quotes\n"},
		{STEP "    inputs: a: b\n", "5:14: invalid YAML: mapping values are not allowed in this context; put a "
					    "text that holds \": \" in quotes\n"},
		{STEP "    inputs: \"a\n",
		 "6:1: invalid YAML: found unexpected end of stream while scanning a quoted scalar\n"},
		/* What was found before a syntax error is told; what it cut off is not missed. */
		{"vars: {a: 1}\nsteps:\n  s:\n    comand: x\n  t: ]\n",
		 "3:3: step \"s\" has no command; add \"command\"\n"
		 "4:5: unknown key \"comand\"; did you mean \"command\"?\n"
		 "5:6: invalid YAML: did not find expected node content while parsing a block node\n"},
		{"version: 1\nx: \xff\n", "2:4: byte 0xff is not UTF-8; save the file as UTF-8\n"},
		{"version: 1\n\xc3\xbc: \xc3(\n", "2:4: byte 0xc3 is not UTF-8; save the file as UTF-8\n"},
		{"version: \x01\n", "1:10: a control character (byte 0x01); take it out\n"},
		{"version: \xc2\x81\n", "1:10: a control character (byte 0xc2); take it out\n"},
		{STEP "    description: \"a\\0b\"\n", "5:18: a NUL character; take it out\n"},
	};
	static const char nul[] = "version: 1\nx: a\0b\n";

	(void)state;
	EXPECT_ALL(faults);
	expect_len(nul, sizeof(nul) - 1, "2:5: a NUL character; take it out\n");
}

static void unknown_keys(void **state)
{
	static const struct fault faults[] = {
		{STEP "    comand: x\n", "5:5: unknown key \"comand\"; did you mean \"command\"?\n"},
		{STEP "    frobnicate: x\n", "5:5: unknown key \"frobnicate\" in a step; take it out\n"},
		{STEP "step: x\n", "5:1: unknown key \"step\"; did you mean \"steps\"?\n"},
		{STEP "nothing_known: {a: b}\n", "5:1: unknown key \"nothing_known\" in the top level; take it out\n"},
		{STEP "defaults: {command: x}\n",
		 "5:12: \"command\" is no key of \"defaults\"; it belongs to a step\n"},
		{STEP "defaults: {after: x}\n", "5:12: \"after\" is no key of \"defaults\"; it belongs to a step\n"},
		{STEP "defaults: {timeuot: x}\n", "5:12: unknown key \"timeuot\"; did you mean \"timeout\"?\n"},
		{STEP "command: x\n", "5:1: \"command\" is no key of the top level; it belongs to a step\n"},
		{STEP "    vars: {a: b}\n", "5:5: \"vars\" is no key of a step; it belongs to the top level\n"},
		{STEP "store: {size: 1}\n", "5:9: unknown key \"size\" in \"store\"; take it out\n"},
		{STEP "    foreach: {from: 1, too: 2}\n", "5:24: unknown key \"too\"; did you mean \"to\"?\n"},
		{STEP "    inputs: {path: a, optionel: true}\n",
		 "5:23: unknown key \"optionel\"; did you mean \"optional\"?\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void depfile_faults(void **state)
{
	static const struct fault faults[] = {
		{STEP "    depfile: [a]\n", "5:14: \"depfile\" wants a path, not a list\n"},
		{STEP "    depfile:\n", "5:13: \"depfile\" wants a path, not nothing\n"},
		{STEP "    depfile: ''\n", "5:14: \"depfile\" wants a path, not a text\n"},
		{STEP "    depfile: {path: a}\n", "5:14: \"depfile\" wants a path, not a mapping\n"},
		{STEP "    depfile: a/\n", "5:14: \"depfile\" is a file, not a folder; take the last slash out\n"},
		{STEP "    depfile: '*.d'\n", "5:14: \"depfile\" is one file; a pattern cannot stand here\n"},
		{STEP "    depfile: '!a.d'\n", "5:14: \"depfile\" is one file; a pattern cannot stand here\n"},
		{STEP "    depfile: /a.d\n",
		 "5:14: an output cannot be an absolute path; name it relative to the manifest\n"},
		{STEP "    depfile: ../a.d\n",
		 "5:14: an output cannot leave the workspace; name one below the manifest's folder\n"},
		{STEP "    depfile: .jl/a.d\n", "5:14: an output cannot stand in .jl, which is jl's own\n"},
		{STEP "    depfile: ${{ input }}.d\n",
		 "5:14: \"input\" cannot stand here; item, output, outputs, step, vars and env can\n"},
		{STEP "    depfile: ${{ output }}.d\n", "5:14: the step declares no outputs; add \"outputs\"\n"},
		{STEP "    depfile: ${{ item.stem }}.d\n",
		 "5:14: \"item\" has no value without foreach; add \"foreach\" to the step\n"},
		{STEP "defaults: {depfile: a.d}\n",
		 "5:12: \"depfile\" is no key of \"defaults\"; it belongs to a step\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void condition_faults(void **state)
{
	static const struct fault faults[] = {
		{STEP "    if: [a]\n", "5:9: \"if\" wants true, false or a template, not a list\n"},
		{STEP "    if:\n", "5:8: \"if\" wants true, false or a template, not nothing\n"},
		{STEP "    if: yes\n",
		 "5:9: \"if\" wants true, false or a template that gives one of them, not \"yes\"\n"},
		{STEP "    if: ${{ input }}\n", "5:9: \"input\" cannot stand here; item, step, vars and env can\n"},
		{STEP "    if: ${{ vars.no }}\n", "5:9: there is no variable \"no\"; add it to \"vars\"\n"},
		{"defaults: {if: '${{ item }}'}\n" STEP,
		 "1:17: \"item\" has no value without foreach; add \"foreach\" to the step\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void matrix_faults(void **state)
{
	static const struct fault faults[] = {
		{STEP "    foreach: [a]\n    matrix: {a: [b]}\n",
		 "6:13: a step has either \"foreach\" or \"matrix\"; take one out\n"},
		{STEP "    matrix: {a: [b]}\n    foreach: [a]\n",
		 "6:14: a step has either \"foreach\" or \"matrix\"; take one out\n"},
		{STEP "    matrix: [a]\n", "5:13: \"matrix\" wants a mapping of names to lists, not a list\n"},
		{STEP "    matrix: {}\n", "5:13: \"matrix\" wants a mapping of names to lists, not an empty one\n"},
		{STEP "    matrix: {a: b, c: []}\n",
		 "5:17: an axis of a matrix wants a list of values, not a text\n"
		 "5:23: an axis of a matrix wants a list of values, not an empty one\n"},
		{STEP "    matrix: {'d d': [x], e: [[a]], f: [a, a]}\n",
		 "5:14: \"d d\" cannot name an axis; use letters, digits and _\n"
		 "5:30: \"e\" wants a text, not a list\n5:43: the value \"a\" comes twice; take one out\n"},
		{STEP "    matrix: {a: [x], exclude: {a: x}, include: [b, {}]}\n",
		 "5:31: \"exclude\" wants a list of mappings, not a mapping\n"
		 "5:49: an entry of \"include\" is a mapping such as {a: b}, not a text\n"
		 "5:52: an entry of \"include\" is a mapping such as {a: b}, not an empty one\n"},
		{STEP "    matrix: {os: [x], exclude: [{oss: x}, {os: y}]}\n",
		 "5:34: the matrix has no axis \"oss\"; did you mean \"os\"?\n5:48: \"os\" has no value \"y\" to exclude\n"},
		{STEP "    matrix: {a: &l [1,2,3,4,5,6,7,8,9,0], b: *l, c: *l, d: *l, e: *l, f: *l, g: *l, h: *l}\n",
		 "5:13: a matrix of more than 10 million combinations; take values out\n"},
		{STEP "    env: {a: '${{ matrix.os }}'}\n",
		 "5:15: \"matrix\" has no value here; add \"matrix\" to the step\n"},
		{STEP "    matrix: {os: [x]}\n    env: {a: '${{ matrix.so }}', b: '${{ matrix }}', c: '${{ item }}'}\n",
		 "6:15: the matrix has no \"so\"; did you mean \"os\"?\n"
		 "6:38: \"matrix\" alone is no value; name one, as in ${{ matrix.NAME }}\n"
		 "6:58: a step with a matrix has no item; write ${{ matrix.NAME }}\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

/* All combinations, a line each: "a=1,b=2 (c=3)", what does not stand in the name in brackets. */
static char *combinations(const char *matrix)
{
	struct jl_table items = JL_TABLE_INIT(uint32_t), room = JL_TABLE_INIT(struct jl_mtext);
	struct jl_buf out = JL_BUF_INIT;
	char *text = NULL;
	struct jl_manifest *m;

	assert_true(asprintf(&text, STEP "    matrix: %s\n", matrix) > 0);
	m = read_ok(text);
	assert_int_equal(m->steps[0].foreach.kind, JL_FOREACH_MATRIX);
	jl_matrix_items(m->steps[0].foreach.matrix, &items);
	for (uint32_t i = 0; i < items.len; i++) {
		struct jl_value v;

		jl_matrix_value(m->steps[0].foreach.matrix, *JL_AT(items, uint32_t, i), &room, &v);
		for (uint32_t k = 0; k < v.n_keys; k++)
			jl_buf_printf(&out, "%s%s=%s", k == v.n_keys - v.n_unnamed ? " +" : k ? "," : "", v.keys[k].s,
				      v.values[k].s);
		jl_buf_char(&out, '\n');
	}
	jl_manifest_free(m);
	jl_table_release(&items);
	jl_table_release(&room);
	free(text);
	return jl_buf_detach(&out, NULL);
}

static void matrix_combinations(void **state)
{
	static const struct {
		const char *matrix, *wanted;
	} cases[] = {
		{"{a: [1, 2], b: [3.10, no]}", "a=1,b=3.10\na=1,b=no\na=2,b=3.10\na=2,b=no\n"},
		{"{a: [1, 2], b: [x, y], exclude: [{a: 1}]}", "a=2,b=x\na=2,b=y\n"},
		{"{a: [1, 2], b: [x, y], exclude: [{a: 1, b: x}, {b: y, a: 2}]}", "a=1,b=y\na=2,b=x\n"},
		/* The manual's example for GitHub's workflows. */
		{"{fruit: [apple, pear], animal: [cat, dog], include: [{color: green}, {color: pink, animal: cat}, "
		 "{fruit: apple, shape: circle}, {fruit: banana}, {fruit: banana, animal: cat}]}",
		 "fruit=apple,animal=cat +color=pink,shape=circle\nfruit=apple,animal=dog +color=green,shape=circle\n"
		 "fruit=pear,animal=cat +color=pink\nfruit=pear,animal=dog +color=green\n"
		 "fruit=banana\nfruit=banana,animal=cat\n"},
		{"{include: [{a: 1, b: 2}, {a: 3}]}", "a=1,b=2\na=3\n"},
		/* What was excluded is not extended: it comes as one of its own. */
		{"{a: [1, 2], exclude: [{a: 1}], include: [{a: 1, b: 3}]}", "a=2\na=1,b=3\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *got = combinations(cases[i].matrix);

		assert_string_equal(got, cases[i].wanted);
		free(got);
	}
}

static void type_faults(void **state)
{
	static const struct fault faults[] = {
		{"version: 1\nsteps: {s: {command: }}\n", "2:22: the command is empty; say what to run\n"},
		{"version: 1\nsteps: {s: {command: ~}}\n", "2:22: the command is empty; say what to run\n"},
		{"version: 1\nsteps: {s: {command: ''}}\n", "2:22: the command is empty; say what to run\n"},
		{"version: 1\nsteps: {s: {command: ' '}}\n", "2:22: the command is empty; say what to run\n"},
		{"version: 1\nsteps: {s: {command: []}}\n", "2:22: the command is empty; say what to run\n"},
		{"version: 1\nsteps: {s: {command: ['', a]}}\n", "2:23: the command is empty; say what to run\n"},
		{"version: 1\nsteps: {s: {command: {a: b}}}\n",
		 "2:22: \"command\" wants a text or a list of words, not a mapping\n"},
		{"version: 1\nsteps: {s: {command: [a, [b]]}}\n",
		 "2:26: a word of a command must be a text, not a list\n"},
		{STEP "    inputs:\n", "5:12: an empty path; name a file or a folder\n"},
		{STEP "    inputs: [a, '']\n", "5:17: an empty path; name a file or a folder\n"},
		{STEP "    inputs: [a, ~, '!']\n",
		 "5:17: an empty path; name a file or a folder\n5:20: an empty path; name a file or a folder\n"},
		{STEP "    inputs: [[a]]\n", "5:14: \"inputs\" wants a path here, not a list\n"},
		{STEP "    inputs: {a: [b]}\n", "5:17: \"inputs\" wants a path here, not a list\n"},
		{STEP "    inputs: {a b: c}\n", "5:14: \"a b\" cannot be a name here; use letters, digits and _\n"},
		{STEP "    inputs: [{a: b}, {a: c}]\n", "5:23: the name \"a\" is taken; choose another\n"},
		{STEP "    inputs: {a: {b: c}}\n", "5:17: a mapping here needs \"path\", \"glob\" or \"url\"\n"},
		{STEP "    inputs: {optional: true}\n", "5:13: a mapping here needs \"path\", \"glob\" or \"url\"\n"},
		{STEP "    inputs: {path: a, glob: b}\n",
		 "5:13: \"path\" and \"glob\" exclude each other; take one out\n"},
		{STEP "    inputs: {path: [a]}\n", "5:20: \"path\" wants a path, not a list\n"},
		{STEP "    inputs: {path: a, optional: 1}\n",
		 "5:33: \"optional\" wants true or false, not 1; write true\n"},
		{STEP "    outputs: /tmp/x\n",
		 "5:14: an output cannot be an absolute path; name it relative to the manifest\n"},
		{STEP "    outputs: [../x, a/../../b]\n",
		 "5:15: an output cannot leave the workspace; name one below the manifest's folder\n"
		 "5:21: an output cannot leave the workspace; name one below the manifest's folder\n"},
		{STEP "    outputs: [., a/..]\n",
		 "5:15: the workspace itself cannot be an output; name a folder in it\n"
		 "5:18: the workspace itself cannot be an output; name a folder in it\n"},
		{STEP "    outputs: .jl/x\n", "5:14: an output cannot stand in .jl, which is jl's own\n"},
		{STEP "    after: {a: b}\n", "5:12: \"after\" wants a name or a list of names, not a mapping\n"},
		{STEP "    after: [[a]]\n", "5:13: \"after\" wants a text, not a list\n"},
		{STEP "    after: a b\n", "5:12: \"after\" wants names of letters, digits, _ . -, not \"a b\"\n"},
		{STEP "    tags: [a, '@b']\n", "5:15: \"tags\" wants names of letters, digits, _ . -, not \"@b\"\n"},
		{STEP "    foreach:\n",
		 "5:13: \"foreach\" wants a list, a glob, a range {from: 1, to: 9} or {lines: FILE}\n"},
		{STEP "    foreach: [[a]]\n", "5:15: an item of foreach is a text or a mapping, not a list\n"},
		{STEP "    foreach: [{a b: c}]\n",
		 "5:16: \"a b\" cannot be a key of an item of \"foreach\"; use letters, digits and _\n"},
		{STEP "    foreach: [{a: [b]}]\n", "5:19: \"a\" wants a text, not a list\n"},
		{STEP "    foreach: [x, '${{ vars.a }}']\n", "5:19: a template cannot stand in \"foreach\"\n"},
		{STEP "    foreach: {from: 1}\n", "5:14: a range needs an end; write {from: 1, to: 9}\n"},
		{STEP "    foreach: {to: 1}\n", "5:14: a range needs \"from\"; write {from: 1, to: 9}\n"},
		{STEP "    foreach: {from: 1, to: 9, by: 0}\n", "5:35: \"by\" cannot be 0; take it out to go by 1\n"},
		{STEP "    foreach: {from: 1, to: x}\n", "5:28: \"to\" wants a whole number in decimal, not \"x\"\n"},
		{STEP "    foreach: {from: 1, to: 10000001}\n", "5:14: a range of more than 10 million items\n"},
		{STEP "    foreach: {from: -9223372036854775807, to: 9223372036854775807}\n",
		 "5:14: a range of more than 10 million items\n"},
		{STEP "    foreach: {lines: a, to: 1}\n", "5:14: \"lines\" stands alone; take the other keys out\n"},
		{STEP "    foreach: {lines: [a]}\n", "5:22: \"lines\" wants a path, not a list\n"},
		{STEP "    env: [a]\n", "5:10: \"env\" wants a mapping of names to texts, not a list\n"},
		{STEP "    env: {a b: c}\n", "5:11: \"a b\" cannot name a variable; use letters, digits and _\n"},
		{STEP "    env: {a: [b]}\n", "5:14: \"a\" wants a text, not a list\n"},
		{STEP "    pass_env: [A, 1B]\n",
		 "5:19: \"pass_env\" wants names of environment variables, or \"*\", not \"1B\"\n"},
		{STEP "    workdir: []\n", "5:14: \"workdir\" wants a path, not a list\n"},
		{STEP "    workdir:\n", "5:13: \"workdir\" wants a path, not nothing\n"},
		{STEP "    shell: []\n", "5:12: \"shell\" wants a list of words such as [bash, -c], not a list\n"},
		{STEP "    shell: [a, {b: c}]\n", "5:16: \"shell\" wants a text, not a mapping\n"},
		{STEP "    version: [1]\n", "5:14: \"version\" wants a text, not a list\n"},
		{STEP "    version: ${{ vars.x }}\n", "5:14: a template cannot stand in \"version\"\n"},
		{STEP "    description: {a: b}\n", "5:18: \"description\" wants a text, not a mapping\n"},
		{STEP "    manual: yes\n", "5:13: \"manual\" wants true or false, not yes; write true\n"},
		{STEP "    cache: no\n", "5:12: \"cache\" wants true or false, not no; write false\n"},
		{STEP "    portable: \"true\"\n",
		 "5:15: \"portable\" wants true or false, not \"true\"; drop the quotes\n"},
		{STEP "    allow_failure: maybe\n", "5:20: \"allow_failure\" wants true or false, not \"maybe\"\n"},
		{STEP "    allow_failure:\n", "5:19: \"allow_failure\" wants true or false, not nothing\n"},
		{STEP "    keep: {a: b}\n", "5:11: \"keep\" wants a path here, not a mapping\n"},
		{STEP "    timeout: -3s\n", "5:14: \"timeout\" cannot be negative\n"},
		{STEP "    timeout: soon\n", "5:14: \"timeout\": \"soon\" is not a duration: write a number and ms, s, "
					     "m, h or d, as in 500ms or 1.5h\n"},
		{STEP "    timeout: [1s]\n", "5:14: \"timeout\" wants a duration such as 10s, not a list\n"},
		{STEP "vars: [a]\n", "5:7: \"vars\" wants a mapping of names to texts, not a list\n"},
		{STEP "vars: {a: [b]}\n", "5:11: \"a\" wants a text, not a list\n"},
		{STEP "vars: {1a: b}\n", "5:8: \"1a\" cannot name a variable; use letters, digits and _\n"},
		{STEP "defaults: x\n", "5:11: \"defaults\" wants a mapping, not a text\n"},
		{STEP "store: x\n", "5:8: \"store\" wants a mapping, not a text\n"},
		{STEP "store: {dir: }\n", "5:14: an empty path; name a folder\n"},
		{STEP "store: {max_size: 10M}\n",
		 "5:19: \"max_size\": the size \"10M\" has two meanings: write 10MB (10^6) or 10MiB (2^20)\n"},
		{STEP "store: {max_size: [1]}\n", "5:19: \"max_size\" wants a size such as 20GiB, not a list\n"},
		{STEP "store: {max_items: -1}\n", "5:20: \"max_items\" cannot be negative\n"},
		{STEP "store: {max_age: old}\n", "5:18: \"max_age\": \"old\" is not a duration: write a number and ms, "
						 "s, m, h or d, as in 500ms or 1.5h\n"},
		{STEP "store: {compress: [a]}\n", "5:19: \"compress\" wants a text, not a list\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void glob_faults(void **state)
{
	static const struct fault faults[] = {
		{STEP "    inputs: 'a[b'\n", "5:13: glob \"a[b\": '[' without ']' (write \\[ for the byte itself)\n"},
		{STEP "    foreach: 'a[b'\n", "5:14: glob \"a[b\": '[' without ']' (write \\[ for the byte itself)\n"},
		{STEP "    inputs: '!a[b'\n", "5:13: glob \"a[b\": '[' without ']' (write \\[ for the byte itself)\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void template_faults(void **state)
{
	static const struct fault faults[] = {
		{STEP "    env: {a: 'x ${{ foo'}\n",
		 "5:17: \"${{\" is not closed; add \"}}\", or write \"$${{\" for the text itself\n"},
		{STEP "    env: {a: '${{ }}'}\n", "5:15: an empty template; name a value, as in ${{ item }}\n"},
		{STEP "    env: {a: '${{ imput }}'}\n",
		 "5:15: unknown name \"imput\" in a template; did you mean \"input\"?\n"},
		{STEP "    env: {a: '${{ zzzzzz }}'}\n",
		 "5:15: unknown name \"zzzzzz\" in a template; the forms are item, item.name, matrix.X, vars.X, env.X, "
		 "input, inputs, inputs[0], inputs.NAME (outputs likewise), step, jobs, raw(x)\n"},
		{STEP "    env: {a: '${{ inputs[x] }}'}\n",
		 "5:15: cannot understand \"inputs[x]\" in a template; the forms are item, item.name, matrix.X, "
		 "vars.X, env.X, "
		 "input, inputs, inputs[0], inputs.NAME (outputs likewise), step, jobs, raw(x)\n"},
		{STEP "    env: {a: '${{ vars }}'}\n",
		 "5:15: \"vars\" alone is no value; name one, as in ${{ vars.NAME }}\n"},
		{STEP "    env: {a: '${{ vars.level }}'}\n",
		 "5:15: there is no variable \"level\"; add it to \"vars\"\n"},
		{"vars: {level: 3}\n" STEP "    env: {a: '${{ vars.lvel }}'}\n",
		 "6:15: there is no variable \"lvel\"; did you mean \"level\"?\n"},
		{"vars: {a: '${{ vars.b }}', b: '${{ vars.a }}'}\n" STEP, "1:32: variable \"a\" depends on itself\n"},
		{"vars: {a: '${{ item }}'}\n" STEP, "1:12: \"item\" cannot stand here; only vars and env can\n"},
		{STEP "    inputs: ${{ outputs }}\n",
		 "5:13: \"outputs\" cannot stand here; item, step, vars and env can\n"},
		{STEP "    env: {a: '${{ item }}'}\n",
		 "5:15: \"item\" has no value without foreach; add \"foreach\" to the step\n"},
		{STEP "    foreach: [a]\n    env: {a: '${{ item.nam }}'}\n",
		 "6:15: the items are texts and have no \"nam\"; there are .dir, .name, .stem and .ext\n"},
		{STEP "    foreach: a*\n    env: {a: '${{ item.nam }}'}\n",
		 "6:15: the items are texts and have no \"nam\"; there are .dir, .name, .stem and .ext\n"},
		{STEP
		 "    foreach: [{key: a}]\n    env: {a: '${{ item.kye }}', b: '${{ item }}', c: '${{ item.zzz }}'}\n",
		 "6:15: the item in line 5 has no \"kye\"; did you mean \"key\"?\n"
		 "6:37: the items are mappings; name a key, as in ${{ item.key }}\n"
		 "6:55: the item in line 5 has no \"zzz\"\n"},
		{STEP "    env: {a: '${{ input }}', b: '${{ outputs }}'}\n",
		 "5:15: the step declares no inputs; add \"inputs\"\n5:34: the step declares no outputs; add "
		 "\"outputs\"\n"},
		{STEP "    inputs: {data: a}\n    env: {a: '${{ inputs.dat }}', b: '${{ inputs.zzz }}'}\n",
		 "6:15: the step has no input named \"dat\"; did you mean \"data\"?\n"
		 "6:39: the step has no input named \"zzz\"; name it, as in inputs: {zzz: PATH}\n"},
		{"version: 1\nsteps:\n  s:\n    command: echo \"${{ step }}\" > ${{ step }}\n",
		 "4:20: a template inside quotes; drop the quotes, its value is quoted for the shell already\n"},
		/* A default's fault is told once, in the default. */
		{"defaults: {env: {a: '${{ item }}'}}\n" STEP "  t: {command: x}\n",
		 "1:22: \"item\" has no value without foreach; add \"foreach\" to the step\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

/* The hole of the last line's ${{ zz }} by line and column, however the text is written. */
static void places_inside_scalars(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
	} cases[] = {
		{"    env: {a: b}\n    workdir: x/${{ zz }}\n", 6, 16},
		{"    workdir: \xc3\xbc/${{ zz }}\n", 5, 16},
		{"    workdir: 'it''s ${{ zz }}'\n", 5, 21},
		{"    workdir: \"a\\tb\\u00fc\\\"${{ zz }}\"\n", 5, 27},
		{"    workdir: \"a\\\n      b${{ zz }}\"\n", 6, 8},
		{"    workdir: a\n      b ${{ zz }}\n", 6, 9},
		{"    workdir: 'a\n\n      b ${{ zz }}'\n", 7, 9},
		{"    workdir: |\n      a\n\n        b ${{ zz }}\n", 8, 11},
		{"    workdir: |2\n        b ${{ zz }}\n", 6, 11},
		{"    workdir: |-\n\n\n      \xc3\xbc${{ zz }}\n", 8, 8},
		{"    workdir: >\n      a\n      ${{ zz }}\n", 5, 14},
		{"    workdir: &w x/${{ zz }}\n", 5, 19},
		{"    workdir: |\r\n      a\r\n      ${{ zz }}\r\n", 7, 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[300], wanted[60], *got;

		snprintf(text, sizeof(text), STEP "%s", cases[i].text);
		snprintf(wanted, sizeof(wanted), "%u:%u: unknown name", cases[i].line, cases[i].column);
		got = read_bad(text, strlen(text), NULL, 0);
		if (strncmp(got, wanted, strlen(wanted)) != 0)
			fail_msg("of:\n%s\nwanted: %s\ngot: %s", text, wanted, got);
		free(got);
	}
	/* A word of a command that is split. */
	expect_len("version: 1\nsteps:\n  s:\n    command: cp  a ${{ stp }}\n",
		   strlen("version: 1\nsteps:\n  s:\n    command: cp  a ${{ stp }}\n"),
		   "4:20: unknown name \"stp\" in a template; did you mean \"step\"?\n");
}

static void after_faults(void **state)
{
	static const struct fault faults[] = {
		{STEP "    after: [t, zzzz]\n  tt: {command: x}\n",
		 "5:13: there is no step \"t\"\n5:16: there is no step \"zzzz\"\n"},
		{STEP "    after: clen\n  clean: {command: x}\n",
		 "5:12: there is no step \"clen\"; did you mean \"clean\"?\n"},
		{STEP "    after: s\n", "3:3: a cycle of \"after\": s -> s; take one of them out\n"},
		{STEP
		 "    after: t\n  t: {command: x, after: u}\n  u: {command: x, after: [v, t]}\n  v: {command: x}\n",
		 "6:3: a cycle of \"after\": t -> u -> t; take one of them out\n"},
	};

	(void)state;
	EXPECT_ALL(faults);
}

static void overrides(void **state)
{
	static const char text[] = "vars: {level: 3, other: '${{ vars.level }}'}\n" STEP;
	static const struct jl_var_override good = {"level", "${{ x"}, bad[] = {{"levle", "1"}, {"zzzz", "1"}};
	struct jl_messages msgs = {0};
	struct jl_manifest *m = NULL;
	struct jl_scope scope = {0};
	struct jl_buf out = JL_BUF_INIT;
	char *got;

	(void)state;
	assert_int_equal(jl_manifest_read("m.yaml", text, strlen(text), NULL, &good, 1, &m, &msgs), JL_OK);
	assert_string_equal(fixed(m->vars.at[0].value), "${{ x");
	scope.manifest = m;
	assert_int_equal(jl_template_eval(m->vars.at[1].value, &scope, JL_TMPL_PLAIN, &out, &msgs), JL_OK);
	assert_string_equal(out.data, "${{ x");
	jl_buf_release(&out);
	jl_manifest_free(m);
	got = read_bad(text, strlen(text), bad, 2);
	assert_string_equal(got, "--var levle: the manifest has no such variable; did you mean \"level\"?\n"
				 "--var zzzz: the manifest has no such variable; add it to \"vars\"\n");
	free(got);
	jl_messages_release(&msgs);
}

static void at_most_twenty(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	char *got;

	(void)state;
	jl_buf_str(&b, STEP);
	for (int i = 0; i < 30; i++)
		jl_buf_printf(&b, "    zzzzzz%d: x\n", i);
	jl_buf_str(&b, "vars: {a: '${{ vars.zz }}'}\n");
	got = read_bad(b.data, b.len, NULL, 0);
	assert_non_null(strstr(got, "24:5: unknown key \"zzzzzz19\""));
	assert_null(strstr(got, "zzzzzz20"));
	assert_non_null(strstr(got, "\n11 more errors; mend these first\n"));
	free(got);
	jl_buf_release(&b);
}

static void caps(void **state)
{
	struct jl_buf b = JL_BUF_INIT;

	(void)state;
	/* Depth, and quickly: libyaml's own work grows with its square. */
	jl_buf_str(&b, "version: 1\nvars: ");
	for (int i = 0; i < 200000; i++)
		jl_buf_char(&b, '[');
	expect_len(b.data, b.len, "2:70: more than 64 levels deep\n");
	jl_buf_clear(&b);
	/* Ten of ten of ten … */
	jl_buf_str(&b, "version: 1\nvars:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 8; i++) {
		jl_buf_printf(&b, "  a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			jl_buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
		jl_buf_str(&b, "]\n");
	}
	{
		char *got = read_bad(b.data, b.len, NULL, 0);

		assert_non_null(strstr(got, "the aliases expand to more than a million values\n"));
		free(got);
	}
	jl_buf_clear(&b);
	/* Depth through aliases. */
	jl_buf_str(&b, "version: 1\nvars:\n  a0: &a0 [x]\n");
	for (int i = 1; i < 70; i++)
		jl_buf_printf(&b, "  a%d: &a%d [*a%d]\n", i, i, i - 1);
	{
		char *got = read_bad(b.data, b.len, NULL, 0);

		assert_non_null(strstr(got, "more than 64 levels deep\n"));
		free(got);
	}
	jl_buf_release(&b);
	{
		size_t len = ((size_t)64 << 20) + 1;
		char *text = jl_alloc(len);

		memset(text, '\n', len);
		expect_len(text, len,
			   "1:1: over 64 MiB of text; a large list can stand in a file that foreach reads: {lines: "
			   "FILE}\n");
		free(text);
	}
}

static void texts_stay_texts(void **state)
{
	struct jl_manifest *m = read_ok(
		STEP "    version: 1.10\n    env: {A: no, B: 1e3, C: ~, D: , E: null, F: 010}\n    description: 'yes'\n"
		     "    foreach: [no, 1e3, ~, 0x10]\n");
	const struct jl_step *s = &m->steps[0];

	(void)state;
	assert_string_equal(s->version.s, "1.10");
	assert_string_equal(s->description.s, "yes");
	assert_string_equal(fixed(s->env.at[0].value), "no");
	assert_string_equal(fixed(s->env.at[1].value), "1e3");
	assert_string_equal(fixed(s->env.at[2].value), "~");
	assert_string_equal(fixed(s->env.at[3].value), "");
	assert_string_equal(fixed(s->env.at[4].value), "null");
	assert_string_equal(fixed(s->env.at[5].value), "010");
	assert_string_equal(s->foreach.list[0].text.s, "no");
	assert_string_equal(s->foreach.list[2].text.s, "~");
	assert_string_equal(s->foreach.list[3].text.s, "0x10");
	jl_manifest_free(m);
}

static void commands(void **state)
{
	struct jl_manifest *m = read_ok("version: 1\nvars: {f: -x}\nsteps:\n"
					"  a: {command: cc  -o x}\n"
					"  b: {command: cc x > y}\n"
					"  c: {command: [cc, 'a b', '']}\n"
					"  d: {command: 'cc ${{ vars.f }} a${{vars.f}}b'}\n"
					"  e: {command: 'cc ${{ raw(vars.f) }}'}\n"
					"  f: {command: cd x}\n"
					"  g: {command: 'cc $${{ x'}\n"
					"  h: {command: 'A=b cc'}\n"
					"  i:\n    command: |\n      cc\n      dd 'x y'\n");

	(void)state;
	assert_int_equal(m->n_steps, 9);
	assert_int_equal(m->steps[0].n_argv, 3);
	assert_true(m->steps[0].argv_split);
	assert_null(m->steps[0].script);
	assert_string_equal(fixed(m->steps[0].argv[0]), "cc");
	assert_string_equal(fixed(m->steps[0].argv[1]), "-o");
	assert_string_equal(fixed(m->steps[0].argv[2]), "x");
	assert_int_equal(m->steps[0].command_mark.line, 4);
	assert_int_equal(m->steps[0].command_mark.column, 16);
	assert_int_equal(m->steps[1].n_argv, 0);
	assert_string_equal(fixed(m->steps[1].script), "cc x > y");
	assert_string_equal(jl_template_first_word(m->steps[1].script), "cc");
	assert_int_equal(m->steps[2].n_argv, 3);
	assert_false(m->steps[2].argv_split);
	assert_string_equal(fixed(m->steps[2].argv[1]), "a b");
	assert_string_equal(fixed(m->steps[2].argv[2]), "");
	assert_int_equal(m->steps[3].n_argv, 3);
	assert_null(fixed(m->steps[3].argv[1]));
	assert_non_null(m->steps[4].script); /* a raw value may mean something to the shell */
	assert_non_null(m->steps[5].script);
	assert_string_equal(fixed(m->steps[6].script), "cc ${{ x");
	assert_non_null(m->steps[7].script);
	assert_null(jl_template_first_word(m->steps[7].script));
	assert_string_equal(fixed(m->steps[8].script), "cc\ndd 'x y'\n");
	assert_int_equal(m->steps[0].shell.n, 4);
	assert_string_equal(m->steps[0].shell.at[1].s, "-eo");
	jl_manifest_free(m);
}

static void ports(void **state)
{
	struct jl_manifest *m = read_ok(
		STEP "    inputs: [a.csv, data/*.csv, '!data/x*', {n: b/}, {path: c, optional: true}, {glob: d},"
		     " {m: {path: e, optional: true}}, 'f${{ step }}/']\n"
		     "    outputs: {one: out/, two: o/*.x}\n"
		     "    keep: [k/x]\n"
		     "  t: {command: x, inputs: '*', keep: true, outputs: {path: p}}\n");
	const struct jl_port *p = m->steps[0].inputs.at;

	(void)state;
	assert_int_equal(m->steps[0].inputs.n, 8);
	assert_string_equal(p[0].text.s, "a.csv");
	assert_true(!p[0].glob && !p[0].exclude && !p[0].folder && !p[0].optional && !p[0].name);
	assert_int_equal(p[0].text.mark.column, 14);
	assert_true(p[1].glob && !p[1].exclude);
	assert_true(p[2].glob && p[2].exclude);
	assert_string_equal(p[2].text.s, "data/x*");
	assert_string_equal(fixed(p[2].path), "data/x*");
	assert_string_equal(p[3].name, "n");
	assert_true(p[3].folder);
	assert_true(p[4].optional && !p[4].name);
	assert_string_equal(fixed(p[4].path), "c");
	assert_true(p[5].glob);
	assert_string_equal(p[6].name, "m");
	assert_true(p[6].optional);
	assert_true(p[7].folder && !p[7].glob);
	assert_int_equal(m->steps[0].outputs.n, 2);
	assert_string_equal(m->steps[0].outputs.at[0].name, "one");
	assert_true(m->steps[0].outputs.at[0].folder && m->steps[0].outputs.at[1].glob);
	assert_int_equal(m->steps[0].keep.n, 1);
	assert_false(m->steps[0].keep_all);
	assert_true(m->steps[1].keep_all);
	assert_int_equal(m->steps[1].inputs.n, 1);
	assert_string_equal(fixed(m->steps[1].outputs.at[0].path), "p");
	jl_manifest_free(m);
}

static void foreach_kinds(void **state)
{
	struct jl_manifest *m = read_ok("version: 1\nsteps:\n"
					"  a: {command: x, foreach: [p, q*, {k: v, l: w}]}\n"
					"  b: {command: x, foreach: parts/*}\n"
					"  c: {command: x, foreach: plain}\n"
					"  d: {command: x, foreach: {from: 1, to: 9}}\n"
					"  e: {command: x, foreach: {from: 9, to: -9, by: -3}}\n"
					"  f: {command: x, foreach: {lines: list.txt}}\n"
					"  g: {command: x, foreach: {from: 1, to: 10000000}}\n"
					"  h: {command: x, foreach: []}\n"
					"  i: {command: x}\n");

	(void)state;
	assert_int_equal(m->steps[0].foreach.kind, JL_FOREACH_LIST);
	assert_int_equal(m->steps[0].foreach.n, 3);
	assert_string_equal(m->steps[0].foreach.list[1].text.s, "q*");
	assert_null(m->steps[0].foreach.list[1].keys);
	assert_int_equal(m->steps[0].foreach.list[2].n_keys, 2);
	assert_string_equal(m->steps[0].foreach.list[2].keys[1].s, "l");
	assert_string_equal(m->steps[0].foreach.list[2].values[1].s, "w");
	assert_int_equal(m->steps[1].foreach.kind, JL_FOREACH_GLOB);
	assert_string_equal(fixed(m->steps[1].foreach.pattern), "parts/*");
	assert_int_equal(m->steps[2].foreach.kind, JL_FOREACH_GLOB);
	assert_int_equal(m->steps[3].foreach.kind, JL_FOREACH_RANGE);
	assert_int_equal(m->steps[3].foreach.by, 1);
	assert_int_equal(m->steps[4].foreach.to, -9);
	assert_int_equal(m->steps[4].foreach.by, -3);
	assert_int_equal(m->steps[5].foreach.kind, JL_FOREACH_LINES);
	assert_string_equal(fixed(m->steps[5].foreach.pattern), "list.txt");
	assert_int_equal(m->steps[6].foreach.to, 10000000);
	assert_int_equal(m->steps[7].foreach.kind, JL_FOREACH_LIST);
	assert_int_equal(m->steps[8].foreach.kind, JL_FOREACH_NONE);
	jl_manifest_free(m);
}

static void the_other_keys(void **state)
{
	struct jl_manifest *m = read_ok(
		"version: 1\nsteps:\n  s:\n    command: x\n    after: [t]\n    env: {A: '${{ step }}'}\n"
		"    pass_env: ['*', B]\n    workdir: w\n    shell: sh  -c\n    version: v2\n"
		"    tags: [a, b-c]\n    description: 'what ${{ it }} is'\n    manual: true\n    cache: false\n"
		"    portable: true\n    timeout: 1.5h\n    allow_failure: true\n"
		"  t: {command: x, after: [], timeout: 0, shell: [zsh, -c]}\n"
		"store: {dir: ~/x, max_size: 20GiB, max_items: 9, max_age: 7d, compress: auto}\n"
		"vars: {a: '${{ env.HOME }}'}\n");
	const struct jl_step *s = &m->steps[0];

	(void)state;
	assert_string_equal(m->file, "m.yaml");
	assert_string_equal(m->store.dir, "~/x");
	assert_int_equal(m->vars.n, 1);
	assert_string_equal(m->vars.at[0].name.s, "a");
	assert_string_equal(s->name.s, "s");
	assert_int_equal(s->name.mark.line, 3);
	assert_int_equal(s->name.mark.column, 3);
	assert_string_equal(s->after.at[0].s, "t");
	assert_string_equal(s->env.at[0].name.s, "A");
	assert_int_equal(s->pass_env.n, 2);
	assert_string_equal(s->pass_env.at[1].s, "B");
	assert_string_equal(fixed(s->workdir), "w");
	assert_int_equal(s->shell.n, 2);
	assert_string_equal(s->shell.at[1].s, "-c");
	assert_string_equal(s->version.s, "v2");
	assert_int_equal(s->tags.n, 2);
	assert_string_equal(s->description.s, "what ${{ it }} is");
	assert_true(s->manual && !s->cache && s->portable && s->allow_failure);
	assert_int_equal(s->timeout_ns, INT64_C(5400000000000));
	assert_true(!m->steps[1].manual && m->steps[1].cache && !m->steps[1].portable && !m->steps[1].allow_failure);
	assert_int_equal(m->steps[1].timeout_ns, 0);
	assert_string_equal(m->steps[1].shell.at[0].s, "zsh");
	assert_null(m->steps[1].version.s);
	assert_null(m->steps[1].description.s);
	assert_null(m->steps[1].workdir);
	jl_manifest_free(m);
}

static void defaults(void **state)
{
	/* They may stand behind the steps. */
	struct jl_manifest *m = read_ok(
		"version: 1\nsteps:\n"
		"  a: {command: x}\n"
		"  b: {command: x, env: {B: own, C: c}, pass_env: Q, tags: t, workdir: v, cache: true,"
		" timeout: 1s, manual: false, keep: false, shell: [sh], version: '2', portable: false,"
		" allow_failure: false}\n"
		"defaults: {env: {A: a, B: b}, pass_env: [P], tags: [d], workdir: w, cache: false,"
		" timeout: 1h, manual: true, keep: true, shell: [zsh, -c], version: '1', portable: true,"
		" allow_failure: true}\n");
	const struct jl_step *a = &m->steps[0], *b = &m->steps[1];

	(void)state;
	assert_int_equal(a->env.n, 2);
	assert_int_equal(b->env.n, 3);
	assert_string_equal(fixed(b->env.at[0].value), "a");
	assert_string_equal(b->env.at[1].name.s, "B");
	assert_string_equal(fixed(b->env.at[1].value), "own");
	assert_string_equal(b->env.at[2].name.s, "C");
	assert_int_equal(a->pass_env.n, 1);
	assert_int_equal(b->pass_env.n, 2);
	assert_string_equal(b->pass_env.at[0].s, "P");
	assert_string_equal(b->pass_env.at[1].s, "Q");
	assert_int_equal(a->tags.n, 1);
	assert_int_equal(b->tags.n, 2);
	assert_string_equal(fixed(a->workdir), "w");
	assert_string_equal(fixed(b->workdir), "v");
	assert_true(!a->cache && a->manual && a->keep_all && a->portable && a->allow_failure);
	assert_true(b->cache && !b->manual && !b->keep_all && !b->portable && !b->allow_failure);
	assert_int_equal(a->timeout_ns, INT64_C(3600000000000));
	assert_int_equal(b->timeout_ns, INT64_C(1000000000));
	assert_int_equal(a->shell.n, 2);
	assert_int_equal(b->shell.n, 1);
	assert_string_equal(a->version.s, "1");
	assert_string_equal(b->version.s, "2");
	jl_manifest_free(m);
}

static void anchors_and_aliases(void **state)
{
	struct jl_manifest *m = read_ok("version: 1\nvars: {x: &x val}\nsteps:\n"
					"  a: {command: &c [p, *x], env: &e {A: 1}}\n"
					"  b: {command: *c, env: *e}\n"
					"  c: &s {command: q}\n"
					"  d: *s\n");

	(void)state;
	assert_int_equal(m->n_steps, 4);
	assert_string_equal(fixed(m->steps[1].argv[1]), "val");
	assert_string_equal(fixed(m->steps[1].env.at[0].value), "1");
	assert_string_equal(fixed(m->steps[3].argv[0]), "q");
	jl_manifest_free(m);
	m = read_ok("version: 1\nsteps: &s\n  a: {command: q}\n");
	assert_int_equal(m->n_steps, 1);
	jl_manifest_free(m);
	m = read_ok("\xef\xbb\xbfversion: 1\r\nsteps:\r\n  a: {command: q}\r\n");
	jl_manifest_free(m);
}

/* Every duplicate is found by hashing: this would take minutes if it were not. */
static void many_keys_and_steps(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_manifest *m;

	(void)state;
	jl_buf_str(&b, "version: 1\nvars:\n");
	for (int i = 0; i < 100000; i++)
		jl_buf_printf(&b, "  v%d: x\n", i);
	jl_buf_str(&b, "steps:\n");
	for (int i = 0; i < 50000; i++)
		jl_buf_printf(&b, "  s%d: {command: x, after: s%d}\n", i, i + 1);
	jl_buf_str(&b, "  s50000: {command: x}\n");
	m = read_ok(b.data);
	assert_int_equal(m->n_steps, 50001);
	assert_int_equal(m->vars.n, 100000);
	jl_manifest_free(m);
	jl_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structure_faults),
		cmocka_unit_test(yaml_faults),
		cmocka_unit_test(unknown_keys),
		cmocka_unit_test(depfile_faults),
		cmocka_unit_test(condition_faults),
		cmocka_unit_test(matrix_faults),
		cmocka_unit_test(matrix_combinations),
		cmocka_unit_test(type_faults),
		cmocka_unit_test(glob_faults),
		cmocka_unit_test(template_faults),
		cmocka_unit_test(places_inside_scalars),
		cmocka_unit_test(after_faults),
		cmocka_unit_test(overrides),
		cmocka_unit_test(at_most_twenty),
		cmocka_unit_test(caps),
		cmocka_unit_test(texts_stay_texts),
		cmocka_unit_test(commands),
		cmocka_unit_test(ports),
		cmocka_unit_test(foreach_kinds),
		cmocka_unit_test(the_other_keys),
		cmocka_unit_test(defaults),
		cmocka_unit_test(anchors_and_aliases),
		cmocka_unit_test(many_keys_and_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
