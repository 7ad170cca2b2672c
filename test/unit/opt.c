/* Options: parsing by tables, suggestions, help. cmd/ is no library, so its file is taken in whole. */
#include "../../cmd/opt.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct target {
	bool flag, other;
	unsigned count;
	int set, choice;
	const char *text;
	struct jl_opt_list list;
	int64_t duration;
	uint32_t jobs;
	struct jl_opt_list operands;
	struct jl_err err;
};

#define AT(field) offsetof(struct target, field)

static const struct jl_opt first[] = {
	{"keep-going", 'k', NULL, "a flag", JL_OPT_FLAG, AT(flag), 0},
	{"verbose", 'v', NULL, "a count", JL_OPT_COUNT, AT(count), 0},
	{"fail-fast", 0, "[=soon|now]", "may have an argument", JL_OPT_SET, AT(set), 5},
	{"slow", 's', NULL, "sets a value", JL_OPT_SET, AT(set), 9},
	{0},
};
static const struct jl_opt second[] = {
	{"cache", 0, "rw|ro|off", "a choice", JL_OPT_CHOICE, AT(choice), 0},
	{"file", 'f', "FILE", "a text", JL_OPT_TEXT, AT(text), 0},
	{"var", 0, "NAME=VALUE", "a list", JL_OPT_LIST, AT(list), 0},
	{"timeout", 0, "DUR", "a duration", JL_OPT_DURATION, AT(duration), 0},
	{"jobs", 'j', "N", "slots", JL_OPT_JOBS, AT(jobs), 0},
	{"help", 'h', NULL, "a flag", JL_OPT_FLAG, AT(other), 0},
	{0},
};
static const struct jl_opt *const both[] = {first, second, NULL};

static void forget(struct target *t)
{
	jl_opt_list_release(&t->list);
	jl_opt_list_release(&t->operands);
	*t = (struct target){0};
}

static int parse(struct target *t, const char *const *words)
{
	int n = 0;

	forget(t);
	while (words[n])
		n++;
	return jl_opt_parse(both, n, words, t, &t->operands, &t->err);
}
#define PARSE(t, ...) parse(t, (const char *const[]){__VA_ARGS__, NULL})

static void options_and_operands_mix(void **state)
{
	struct target t = {0};

	(void)state;
	assert_int_equal(PARSE(&t, "a", "-k", "b", "--file", "x", "-", "--", "-v", "--", "--nothing"), JL_OK);
	assert_true(t.flag);
	assert_string_equal(t.text, "x");
	assert_int_equal(t.count, 0);
	assert_int_equal(t.operands.n, 6);
	assert_string_equal(t.operands.at[0], "a");
	assert_string_equal(t.operands.at[1], "b");
	assert_string_equal(t.operands.at[2], "-");
	assert_string_equal(t.operands.at[3], "-v");
	assert_string_equal(t.operands.at[4], "--");
	assert_string_equal(t.operands.at[5], "--nothing");
	forget(&t);
}

static void one_option_has_many_forms(void **state)
{
	struct target t = {0};

	(void)state;
	assert_int_equal(PARSE(&t, "-j4"), JL_OK);
	assert_int_equal(t.jobs, 4);
	assert_int_equal(PARSE(&t, "-j", "4"), JL_OK);
	assert_int_equal(t.jobs, 4);
	assert_int_equal(PARSE(&t, "--jobs=4"), JL_OK);
	assert_int_equal(t.jobs, 4);
	assert_int_equal(PARSE(&t, "--jobs", "4"), JL_OK);
	assert_int_equal(t.jobs, 4);
	assert_int_equal(PARSE(&t, "-vkvj4", "-f-", "x"), JL_OK);
	assert_int_equal(t.count, 2);
	assert_true(t.flag);
	assert_int_equal(t.jobs, 4);
	assert_string_equal(t.text, "-");
	assert_int_equal(t.operands.n, 1);
	/* What looks like an option is the argument of the one before it. */
	assert_int_equal(PARSE(&t, "-f", "-k", "--file=", "--var", "a=1", "--var=b=2"), JL_OK);
	assert_false(t.flag);
	assert_string_equal(t.text, "");
	assert_int_equal(t.list.n, 2);
	assert_string_equal(t.list.at[0], "a=1");
	assert_string_equal(t.list.at[1], "b=2");
	forget(&t);
}

static void values_are_checked(void **state)
{
	struct target t = {0};

	(void)state;
	assert_int_equal(PARSE(&t, "--cache", "off", "--timeout=1500ms"), JL_OK);
	assert_int_equal(t.choice, 2);
	assert_int_equal(t.duration, 1500 * JL_NS_MS);
	assert_int_equal(PARSE(&t, "--fail-fast", "now"), JL_OK);
	assert_int_equal(t.set, 5);
	assert_int_equal(t.operands.n, 1);
	assert_int_equal(PARSE(&t, "--fail-fast=now"), JL_OK);
	assert_int_equal(t.set, 6);
	assert_int_equal(PARSE(&t, "--fail-fast", "-s"), JL_OK);
	assert_int_equal(t.set, 9);
	assert_int_equal(PARSE(&t, "--cache=r"), JL_EINVAL);
	assert_string_equal(t.err.text, "option \"--cache\": \"r\" must be one of rw|ro|off");
	assert_int_equal(PARSE(&t, "--cache="), JL_EINVAL);
	assert_int_equal(PARSE(&t, "--cache=rw|ro"), JL_EINVAL);
	assert_int_equal(PARSE(&t, "--fail-fast=never"), JL_EINVAL);
	assert_string_equal(t.err.text, "option \"--fail-fast\": \"never\" must be one of soon|now");
	assert_int_equal(PARSE(&t, "--timeout=soon"), JL_EINVAL);
	assert_int_equal(PARSE(&t, "--keep-going=yes"), JL_EINVAL);
	assert_string_equal(t.err.text, "option \"--keep-going\" takes no argument");
	assert_int_equal(PARSE(&t, "--file"), JL_EINVAL);
	assert_string_equal(t.err.text, "option \"--file\" needs an argument: FILE");
	assert_int_equal(PARSE(&t, "-kf"), JL_EINVAL);
	assert_string_equal(t.err.text, "option \"-f\" needs an argument: FILE");
	forget(&t);
}

static void unknown_options_name_the_nearest(void **state)
{
	struct target t = {0};

	(void)state;
	assert_int_equal(PARSE(&t, "--job=3"), JL_EINVAL);
	assert_string_equal(t.err.text, "unknown option \"--job\"; did you mean \"--jobs\"?");
	assert_int_equal(PARSE(&t, "--ceap-going"), JL_EINVAL);
	assert_string_equal(t.err.text, "unknown option \"--ceap-going\"; did you mean \"--keep-going\"?");
	assert_int_equal(PARSE(&t, "--something-else"), JL_EINVAL);
	assert_string_equal(t.err.text, "unknown option \"--something-else\"; --help lists them");
	assert_int_equal(PARSE(&t, "-vK"), JL_EINVAL);
	assert_string_equal(t.err.text, "unknown option \"-K\"; did you mean \"-k\" (--keep-going)?");
	assert_int_equal(PARSE(&t, "-v-"), JL_EINVAL);
	assert_string_equal(t.err.text, "unknown option \"--\"; --help lists them");
	assert_int_equal(PARSE(&t, "- "), JL_EINVAL);
	assert_int_equal(PARSE(&t, "---jobs=3"), JL_EINVAL);
	forget(&t);
}

static void jobs_are_numbers_shares_or_what_to_leave(void **state)
{
	static const struct {
		const char *text;
		unsigned cpus;
		uint32_t want;
	} good[] = {{"1", 8, 1},   {"65536", 8, 65536}, {"50%", 8, 4},  {"10%", 4, 1},  {"200%", 8, 16},
	            {"100%", 3, 3}, {"-1", 8, 8},        {"-2", 8, 7},   {"-8", 8, 1},   {"-9", 8, 1},
	            {"-2", 1, 1},   {"auto", 8, 0},      {"65536%", 65536, 65536}};
	static const char *const bad[] = {"", "0", "-", "-0", "0%", "%", "x", "4x", "+4", " 4", "65537", "-50%", "50%%",
	                                  "4294967297", "99999999999999999999999", "automatic"};
	struct jl_err err = JL_ERR_INIT;
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(jl_opt_jobs(good[i].text, good[i].cpus, &n, &err), JL_OK);
		assert_int_equal(n, good[i].want);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(jl_opt_jobs(bad[i], 8, &n, &err), JL_EINVAL);
}

static void help_shows_every_row(void **state)
{
	struct jl_buf out = JL_BUF_INIT;

	(void)state;
	jl_opt_help(both, &out);
	assert_string_equal(out.data, "  -k, --keep-going          a flag\n"
	                              "  -v, --verbose             a count\n"
	                              "      --fail-fast[=soon|now]\n"
	                              "                            may have an argument\n"
	                              "  -s, --slow                sets a value\n"
	                              "      --cache rw|ro|off     a choice\n"
	                              "  -f, --file FILE           a text\n"
	                              "      --var NAME=VALUE      a list\n"
	                              "      --timeout DUR         a duration\n"
	                              "  -j, --jobs N              slots\n"
	                              "  -h, --help                a flag\n");
	jl_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_mix),
		cmocka_unit_test(one_option_has_many_forms),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(unknown_options_name_the_nearest),
		cmocka_unit_test(jobs_are_numbers_shares_or_what_to_leave),
		cmocka_unit_test(help_shows_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
