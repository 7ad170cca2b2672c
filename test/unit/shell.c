/* manifest/shell: make's rule, splitting, quoting, what stands inside quotes. */
#include "manifest/shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void needs_a_shell(void **state)
{
	static const char special[] = "#;\"'*?[]&|<>(){}$`^~!\\\n";
	static const char *const yes[] = {"A=b cmd", "cd x", "  cd x",    "if x", "source x", "exit",
					  ". x",     ": x",  "test -f x", "a=b",  "export\tX"};
	static const char *const no[] = {"cc -o x y", "cc a=b", "",     "   ",  "echo x",
					 "printf x",  "cdx y",  "./cd", "x cd", "tar -c a,b:c@d%e+f"};

	(void)state;
	for (const char *c = special; *c; c++) {
		char text[] = "cat x?y";

		text[5] = *c;
		assert_true(jl_shell_needed(text));
	}
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		assert_true(jl_shell_needed(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		assert_false(jl_shell_needed(no[i]));
}

static void splits_at_blanks(void **state)
{
	struct jl_buf b = JL_BUF_INIT;

	(void)state;
	assert_int_equal(jl_shell_split(" a  bc\td ", &b), 3);
	assert_int_equal(b.len, 7);
	assert_memory_equal(b.data, "a\0bc\0d", 7);
	jl_buf_clear(&b);
	assert_int_equal(jl_shell_split(" \t", &b), 0);
	assert_int_equal(b.len, 0);
	jl_buf_release(&b);
}

static void quotes_what_needs_it(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", "''"},       {"a b", "'a b'"},           {"it's", "'it'\\''s'"},
		{"'", "''\\'''"}, {"a/b-c_d.e", "a/b-c_d.e"}, {"@%+=:,", "@%+=:,"},
		{"~", "'~'"},     {"\xc3\xbc", "'\xc3\xbc'"}, {"a\n", "'a\n'"},
	};
	struct jl_buf b = JL_BUF_INIT, small;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		jl_buf_clear(&b);
		assert_int_equal(jl_shell_quote(&b, cases[i].in, strlen(cases[i].in)), JL_OK);
		assert_string_equal(b.data, cases[i].out);
	}
	jl_buf_release(&b);
	/* Over the cap nothing is left half written. */
	jl_buf_init(&small, 6);
	jl_buf_str(&small, "ab");
	assert_int_equal(jl_shell_quote(&small, "c d e", 5), JL_ELIMIT);
	assert_string_equal(small.data, "ab");
	jl_buf_release(&small);
}

/* What /bin/sh makes of `printf '%s\0' WORDS…`. */
static void through_sh(const char *script, struct jl_buf *out)
{
	int fds[2], status;
	char bytes[65536];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], bytes, sizeof(bytes))) > 0)
		jl_buf_add(out, bytes, (size_t)n);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void quoting_round_trips(void **state)
{
	struct jl_buf script = JL_BUF_INIT, wanted = JL_BUF_INIT, got = JL_BUF_INIT;
	uint64_t random = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 8; round++) {
		jl_buf_clear(&script);
		jl_buf_clear(&wanted);
		jl_buf_clear(&got);
		jl_buf_str(&script, "printf '%s\\0'");
		for (int word = 0; word < 200; word++) {
			char value[40];
			size_t len;

			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			len = random % sizeof(value);
			for (size_t i = 0; i < len; i++) {
				random ^= random << 13, random ^= random >> 7, random ^= random << 17;
				/* Half of them from what means something to a shell. */
				value[i] = random & 256 ? (char)(random % 255 + 1) : "'\"\\$`\n !*"[random / 512 % 9];
			}
			jl_buf_char(&script, ' ');
			jl_shell_quote(&script, value, len);
			jl_buf_add(&wanted, value, len);
			jl_buf_char(&wanted, '\0');
		}
		through_sh(script.data, &got);
		assert_int_equal(got.len, wanted.len);
		assert_memory_equal(got.data, wanted.data, wanted.len);
	}
	jl_buf_release(&script);
	jl_buf_release(&wanted);
	jl_buf_release(&got);
}

/* In the cases 'Q' is a place inside quotes, 'U' one outside. */
static void knows_quotes(void **state)
{
	static const char *const cases[] = {
		"echo U",
		"echo 'Q' U",
		"echo \"Q\" U",
		"echo \"a\\\"Q\" U",
		"echo 'a\\' U",
		"echo a\\'U",
		"echo \\Q U",
		"echo \"\\Q\"",
		"echo \"$(cat U)\" U",
		"echo \"$(cat 'Q' U \"Q\" U)Q\" U",
		"echo \"`cat U`Q\" U",
		"echo `cat \"Q\"` U",
		"echo \"$(echo \"$(cat U 'Q')Q\")Q\"",
		"echo $(case x in (x) cat U;; esac) U",
		"(cd U && cat \"Q\") > U",
		"echo ${x:-U} \"${x:-Q}\"",
		"echo \"${x:-it's Q}\" U",
		"echo ${x:-'Q'} U",
		"# it's a comment\ncat U",
		"echo a#b'Q' U",
		"cat <<EOF\nit's U\nEOF\ncat U 'Q'",
		"cat <<-'E F'\n\tit's U\n\tE F\ncat U \"Q\"",
		"cat <<A <<B\n'\nA\n\"\nB\ncat U",
		"cat <<<'Q' U",
		"echo $((1<<x)) 'Q' U",
		"((x = 1 << y))\ncat U 'Q'",
		"echo $'it\\'s Q' U",
		"echo \"$'Q\" U",
		"echo 'unclosed Q",
		"echo \"unclosed Q",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t offsets[16], n = 0;
		bool quoted[16];

		for (uint32_t k = 0; cases[i][k]; k++) {
			if (cases[i][k] == 'Q' || cases[i][k] == 'U')
				offsets[n++] = k;
		}
		jl_shell_quoted(cases[i], strlen(cases[i]), offsets, quoted, n);
		for (uint32_t k = 0; k < n; k++) {
			if (quoted[k] != (cases[i][offsets[k]] == 'Q'))
				fail_msg("%s: offset %u", cases[i], offsets[k]);
		}
	}
}

static void deep_nesting_counts_as_not_quoted(void **state)
{
	char script[400] = "";
	uint32_t offset;
	bool quoted = true;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(script, "\"$(");
	strcat(script, "'x'");
	offset = (uint32_t)strlen(script) - 2;
	jl_shell_quoted(script, strlen(script), &offset, &quoted, 1);
	assert_false(quoted);
}

static void add_name(void *ctx, const char *name, size_t len, size_t offset)
{
	jl_buf_printf(ctx, "%.*s@%zu ", (int)len, name, offset);
}

static void uses_of_variables(void **state)
{
	static const struct {
		const char *script, *wanted;
	} cases[] = {
		{"echo $FOO ${BAR} \"$BAZ ${QUX:-x}\"", "FOO@5 BAR@10 BAZ@18 QUX@23 "},
		{"echo '$FOO' \\$BAR $'\\'$BAZ'", ""},
		{"echo \"'$FOO'\" \"\\$BAR\"", "FOO@7 "},
		{"FOO=1; echo $FOO $FOOD", "FOOD@17 "},
		{"FOO+=1 x; echo $FOO", ""},
		{"export FOO=1 BAR=2; echo $FOO $BAR", ""},
		{"for f in *; do echo $f $g; done", "g@23 "},
		{"while read -r a b; do echo $a $b $c; done", "c@33 "},
		{"echo ${FOO:=1} $FOO ${BAR=2} $BAR", ""},
		{"echo ${#FOO} ${!BAR}", "FOO@5 BAR@13 "},
		{"x # $FOO\n$BAR", "BAR@9 "},
		{"echo a#$FOO", "FOO@7 "},
		{"echo \"$(echo '$FOO' $BAR)\" $BAZ", "BAR@20 BAZ@27 "},
		{"cat <<'END'\n$FOO\nEND\necho $BAR", "BAR@26 "},
		{"cat <<END\n$FOO\nEND\n", "FOO@10 "},
		{"echo ${{ env.FOO }} $BAR", "BAR@20 "},
		{"awk '{print $NF}' $1 $@ $? $", ""},
		{"echo --level=$LEVEL LEVEL", "LEVEL@13 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct jl_buf out = JL_BUF_INIT;

		jl_shell_uses(cases[i].script, strlen(cases[i].script), add_name, &out);
		if (strcmp(out.data, cases[i].wanted) != 0)
			fail_msg("%s\nwanted %s\ngot    %s", cases[i].script, cases[i].wanted, out.data);
		jl_buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_a_shell),        cmocka_unit_test(splits_at_blanks),
		cmocka_unit_test(quotes_what_needs_it), cmocka_unit_test(quoting_round_trips),
		cmocka_unit_test(knows_quotes),         cmocka_unit_test(deep_nesting_counts_as_not_quoted),
		cmocka_unit_test(uses_of_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
