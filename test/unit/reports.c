/* The sinks that write files, and the marks of CI systems: fed by hand. */
#include "base/clock.h"
#include "report/ci.h"
#include "report/junit.h"
#include "report/last_run.h"
#include "report/plain.h"
#include "report/trace.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct jl_counts none;

static void send(struct jl_sink *s, struct jl_event e)
{
	e.counts = &none;
	s->event(s, &e);
}

static void begin(struct jl_sink *s)
{
	send(s, (struct jl_event){.type = JL_EVENT_RUN_STARTED, .run_id = "r", .jobs = 2});
}

static void end(struct jl_sink *s)
{
	send(s, (struct jl_event){.type = JL_EVENT_RUN_FINISHED, .t_ns = 1500 * JL_NS_MS});
}

static void output(struct jl_sink *s, const char *step, uint64_t seq, const void *data, size_t len)
{
	send(s, (struct jl_event){
			.type = JL_EVENT_STEP_OUTPUT, .step = step, .seq = seq, .stream = 1, .data = data, .len = len});
}

static void finish(struct jl_sink *s, const char *step, uint64_t seq, enum jl_step_status status, int exit_code)
{
	send(s, (struct jl_event){.type = JL_EVENT_STEP_FINISHED,
				  .step = step,
				  .seq = seq,
				  .status = status,
				  .exit_code = exit_code,
				  .attempt = status != JL_STEP_FRESH && status != JL_STEP_RESTORED,
				  .wall_ns = 250 * JL_NS_MS});
}

static char *content(const char *path)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	close(fd);
	text[n] = '\0';
	return text;
}

/* The current folder is a new one. */
static int setup(void **state)
{
	if (tmpdir_setup(state) != 0)
		return 1;
	return fchdir(((struct tmpdir *)*state)->fd);
}

static int teardown(void **state)
{
	return chdir("/") | tmpdir_teardown(state);
}

static void junit_holds_each_end(void **state)
{
	static const char *const want[] = {
		"<testsuites name=\"jl run\" tests=\"6\" failures=\"2\" errors=\"0\" skipped=\"1\" time=\"1.500\"> ",
		"<testcase classname=\"clean\" name=\"clean[a&lt;b]\" time=\"0.250\"></testcase>\n",
		"<testcase classname=\"bad\" name=\"bad\" time=\"0.250\"><failure message=\"exit 3\" type=\"failed\">exit 3\n"
		"one\ntwo\n</failure></testcase>\n",
		"<failure message=\"timed out\" type=\"timeout\">",
		"name=\"old\" time=\"0.000\"><properties><property name=\"jl.status\" value=\"fresh\"/></properties>\n"
		"<system-out>fresh: ",
		"<property name=\"jl.status\" value=\"restored\"/>",
		"<skipped message=\"skipped\"/></testcase>\n</testsuite>\n</testsuites>\n",
	};
	struct jl_junit j;
	const char *at;

	assert_int_equal(jl_junit_open(&j, "j.xml", "jl run", NULL, NULL), JL_OK);
	begin(&j.sink);
	finish(&j.sink, "clean[a<b]", 0, JL_STEP_RAN, 0);
	output(&j.sink, "bad", 0, "one\n", 4);
	output(&j.sink, "good", 0, "not shown", 9);
	output(&j.sink, "bad", 0, "two\n", 4);
	finish(&j.sink, "bad", 0, JL_STEP_FAILED, 3);
	finish(&j.sink, "slow", 0, JL_STEP_TIMEOUT, 0);
	finish(&j.sink, "old", 0, JL_STEP_FRESH, 0);
	finish(&j.sink, "older", 0, JL_STEP_RESTORED, 0);
	finish(&j.sink, "later", 0, JL_STEP_SKIPPED, 0);
	assert_int_equal(access("j.xml", F_OK), -1);
	end(&j.sink);
	finish(&j.sink, "after the end", 0, JL_STEP_SKIPPED, 0);
	assert_int_equal(jl_junit_close(&j, NULL), JL_OK);
	at = content("j.xml");
	assert_null(strstr(at, "not shown"));
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		at = strstr(at, want[i]);
		if (!at)
			fail_msg("no %s in %s", want[i], content("j.xml"));
	}
	assert_int_equal(tmpdir_count(*state, "."), 1);
}

static void junit_makes_any_bytes_harmless(void **state)
{
	static const char in[] = "a\0b\x1b[31mred\x1b[0m\x1b]0;t\a]]>\xff<&\">\r\n10%\r20%\r\xef\xbf\xbf\xef\xbf\xbd\xc2\x85\t\n";
	struct jl_junit j;
	const char *text;

	(void)state;
	assert_int_equal(jl_junit_open(&j, "j.xml", "x\"\n<y", "c\x1b[31m", NULL), JL_OK);
	begin(&j.sink);
	output(&j.sink, "s\n\"<", 1, in, sizeof(in) - 1);
	finish(&j.sink, "s\n\"<", 1, JL_STEP_FAILED, 1);
	end(&j.sink);
	assert_int_equal(jl_junit_close(&j, NULL), JL_OK);
	text = content("j.xml");
	assert_non_null(strstr(text, "<testsuites name=\"x&quot;\\x0a&lt;y\""));
	assert_non_null(strstr(text, "<testcase classname=\"c\\x1b[31m\" name=\"s\\x0a&quot;&lt;\""));
	assert_non_null(strstr(text, "a\\x00bred\\x1b]0;t\\x07]]&gt;\\xff&lt;&amp;&quot;&gt;\n10%\n20%\n\\xef\\xbf\\xbf"
				     "\xef\xbf\xbd\\xc2\\x85\t\n</failure>"));
}

/* What is told of a failure is its end, and equal names do not mix. */
static void junit_caps_output(void **state)
{
	enum { PIECE = 10007 };
	char *piece = malloc(PIECE);
	struct jl_junit j;
	struct stat st;
	const char *text;

	(void)state;
	memset(piece, 'x', PIECE);
	assert_int_equal(jl_junit_open(&j, "j.xml", "jl map", "cmd", NULL), JL_OK);
	begin(&j.sink);
	for (unsigned i = 0; i < 1000; i++) {
		output(&j.sink, "v", 1, piece, PIECE);
		output(&j.sink, "v", 2, "y", 1);
	}
	output(&j.sink, "v", 1, "the end", 7);
	finish(&j.sink, "v", 1, JL_STEP_FAILED, 1);
	finish(&j.sink, "v", 2, JL_STEP_FAILED, 1);
	end(&j.sink);
	assert_int_equal(jl_junit_close(&j, NULL), JL_OK);
	assert_int_equal(stat("j.xml", &st), 0);
	assert_in_range(st.st_size, 65536, 70000);
	text = content("j.xml");
	assert_non_null(strstr(text, "[9941471 bytes before this are left out]\nxxx"));
	assert_non_null(strstr(text, "xthe end</failure>"));
	assert_null(strstr(text, "xy"));
	assert_null(strstr(text, "yx"));
	free(piece);
}

static size_t held_bytes(const struct jl_out *o)
{
	return o->buf.cap;
}

/* A million cases go to the disk as they come. */
static void reports_do_not_grow_in_memory(void **state)
{
	struct jl_junit j;
	struct jl_trace t;

	(void)state;
	assert_int_equal(jl_junit_open(&j, "j.xml", "jl map", "cmd", NULL), JL_OK);
	assert_int_equal(jl_trace_open(&t, "t.json", NULL), JL_OK);
	j.sink.next = &t.sink;
	for (struct jl_sink *s = &j.sink; s; s = s->next) {
		begin(s);
		for (uint64_t i = 1; i <= 100000; i++) {
			output(s, "value", i, "text", 4);
			finish(s, "value", i, i % 2 ? JL_STEP_RAN : JL_STEP_FAILED, 1);
		}
		end(s);
	}
	assert_in_range(held_bytes(&j.file.out), 1, 256 << 10);
	assert_in_range(held_bytes(&t.file.out), 1, 256 << 10);
	assert_null(j.held);
	assert_int_equal(jl_junit_close(&j, NULL), JL_OK);
	assert_int_equal(jl_trace_close(&t, NULL), JL_OK);
	assert_non_null(strstr(content("j.xml"), " tests=\"100000\" failures=\"50000\" "));
}

static void reports_take_their_place_whole_or_not_at_all(void **state)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_junit j;
	struct jl_trace t;

	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(jl_junit_open(&j, "d", "s", NULL, &err), JL_EINVAL);
	assert_non_null(strstr(err.text, "option \"--junit\": cannot write \"d\": "));
	assert_int_equal(jl_trace_open(&t, "-", &err), JL_EINVAL);
	assert_int_equal(jl_trace_open(&t, "no/such", &err), JL_ENOTFOUND);
	assert_string_equal(err.text, "option \"--trace\": cannot write \"no/such\": No such file or directory");
	assert_int_equal(jl_trace_open(&t, "/dev/null", &err), JL_EINVAL);
	/* A run that did not begin leaves the file as it was. */
	tmpdir_write(*state, "d/f", "old", 3);
	assert_int_equal(symlink("d/f", "link"), 0);
	assert_int_equal(jl_junit_open(&j, "link", "s", NULL, &err), JL_OK);
	assert_int_equal(jl_junit_close(&j, &err), JL_OK);
	assert_string_equal(content("d/f"), "old");
	/* What a link leads to is replaced, not the link. */
	assert_int_equal(jl_trace_open(&t, "link", &err), JL_OK);
	begin(&t.sink);
	end(&t.sink);
	assert_int_equal(jl_trace_close(&t, &err), JL_OK);
	assert_string_equal(content("d/f"), "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{\"name\":\"thread_name\",\"ph\":\"M\","
					    "\"pid\":1,\"tid\":0,\"args\":{\"name\":\"not executed\"}}\n]}\n");
	assert_int_equal(tmpdir_count(*state, "."), 2);
}

static void traces_cut_to_microseconds(void **state)
{
	struct jl_trace t;
	const char *text;

	(void)state;
	assert_int_equal(jl_trace_open(&t, "t.json", NULL), JL_OK);
	begin(&t.sink);
	send(&t.sink, (struct jl_event){.type = JL_EVENT_STEP_FINISHED, .step = "a\"", .t_ns = 9999999, .slot = 2,
					.began_ns = 1999, .wall_ns = 3999, .exit_code = 1, .status = JL_STEP_FAILED});
	finish(&t.sink, "b", 0, JL_STEP_FRESH, 0);
	end(&t.sink);
	assert_int_equal(jl_trace_close(&t, NULL), JL_OK);
	text = content("t.json");
	assert_non_null(strstr(text, "\"args\":{\"name\":\"slot 2\"}},\n{\"name\":\"a\\\"\",\"cat\":\"failed\",\"ph\":\"X\","
				     "\"pid\":1,"
				     "\"tid\":2,\"ts\":1,\"dur\":3,\"args\":{\"status\":\"failed\",\"exit\":1,"));
	assert_non_null(strstr(text, ",\n{\"name\":\"b\",\"cat\":\"fresh\",\"ph\":\"X\",\"pid\":1,\"tid\":0,\"ts\":0,\"dur\":0,"));
}

static void github_gets_escaped_commands(void **state)
{
	struct jl_buf b = JL_BUF_INIT;

	(void)state;
	jl_ci_begin(JL_CI_GITHUB, &b, "a\n::error::x%", 1, 0);
	jl_ci_end(JL_CI_GITHUB, &b, 1);
	jl_ci_error(JL_CI_GITHUB, &b, "a:b,c\r", "x:y,\n%");
	assert_string_equal(b.data, "::group::a%0A::error::x%25\n::endgroup::\n::error title=a%3Ab%2Cc%0D::x:y,%0A%25\n");
	jl_buf_clear(&b);
	jl_ci_begin(JL_CI_NONE, &b, "a", 1, 0);
	jl_ci_error(JL_CI_NONE, &b, "a", "b");
	jl_ci_error(JL_CI_GITLAB, &b, "a", "b");
	assert_int_equal(b.len, 0);
	jl_buf_release(&b);
}

/* Only what failed is folded, or with verbose all; the rest is shown as ever, and nothing is lost. */
static void plain_folds_what_failed(void **state)
{
	int fd = memfd_create("both", MFD_CLOEXEC);
	char got[4096];
	ssize_t n;

	(void)state;
	for (unsigned verbose = 0; verbose < 2; verbose++) {
		struct jl_plain p;

		jl_plain_init(&p, &(struct jl_plain_opts){
			.out_fd = fd, .err_fd = fd, .ci = JL_CI_GITHUB, .verbose = verbose, .again = "jl run", .more = "jl log"});
		output(&p.sink, "good", 0, "fine", 4);
		output(&p.sink, "bad", 0, "oh", 2);
		finish(&p.sink, "good", 0, JL_STEP_RAN, 0);
		finish(&p.sink, "bad", 0, JL_STEP_FAILED, 1);
		jl_plain_release(&p);
		n = pread(fd, got, sizeof(got) - 1, 0);
		assert_true(n > 0);
		got[n] = '\0';
		assert_string_equal(got, verbose ? "::group::good\nfine\n::endgroup::\nran  good  (250ms)\n"
						   "::group::bad\noh\n::endgroup::\njl: bad failed: exit 1 (250ms)\n"
						   "  again: jl run bad\n::error title=bad::bad failed: exit 1\n"
						 : "fine\n::group::bad\noh\n::endgroup::\njl: bad failed: exit 1 (250ms)\n"
						   "  again: jl run bad\n::error title=bad::bad failed: exit 1\n");
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	}
	close(fd);
}

/* The record of a run in this folder. */
static void begin_last(struct jl_last_run *l)
{
	mkdir(".jl", 0777);
	jl_last_run_init(l);
	send(&l->sink, (struct jl_event){.type = JL_EVENT_RUN_STARTED, .run_id = "r", .jobs = 2, .workspace = "."});
}

static void last_run_is_begun_when_something_is_done(void **state)
{
	struct jl_last_run l;

	begin_last(&l);
	finish(&l.sink, "old", 0, JL_STEP_FRESH, 0);
	finish(&l.sink, "off", 0, JL_STEP_SKIPPED, 0);
	send(&l.sink, (struct jl_event){.type = JL_EVENT_WARNING, .text = "look"});
	end(&l.sink);
	assert_int_equal(jl_last_run_close(&l, NULL), JL_OK);
	assert_int_equal(tmpdir_count(*state, ".jl"), 0);
	/* Its end did not come. */
	begin_last(&l);
	finish(&l.sink, "new", 0, JL_STEP_RAN, 0);
	assert_int_equal(jl_last_run_close(&l, NULL), JL_OK);
	assert_int_equal(tmpdir_count(*state, ".jl"), 0);
	begin_last(&l);
	finish(&l.sink, "off", 0, JL_STEP_SKIPPED, 0);
	finish(&l.sink, "old", 0, JL_STEP_FRESH, 0);
	send(&l.sink, (struct jl_event){.type = JL_EVENT_STEP_STARTED, .step = "new", .executor = "x", .host = "h"});
	output(&l.sink, "new", 0, "words", 5);
	finish(&l.sink, "new", 0, JL_STEP_RAN, 0);
	end(&l.sink);
	send(&l.sink, (struct jl_event){.type = JL_EVENT_WARNING, .text = "after the end"});
	assert_int_equal(jl_last_run_close(&l, NULL), JL_OK);
	assert_int_equal(tmpdir_count(*state, ".jl"), 1);
	const char *at = content(".jl/last-run");
	assert_non_null(at = strstr(at, "\"run_started\",\"run\":\"r\""));
	assert_non_null(at = strstr(at, "\"step\":\"off\",\"status\":\"skipped\""));
	assert_non_null(at = strstr(at, "\"step\":\"new\",\"status\":\"ran\""));
	assert_non_null(strstr(at, "\"run_finished\""));
	assert_null(strstr(content(".jl/last-run"), "words"));
	assert_null(strstr(content(".jl/last-run"), "\"old\""));
}

/* Bytes of output in the record. */
static size_t kept(void)
{
	size_t n = 0;

	for (const char *at = content(".jl/last-run"); (at = strstr(at, "\"text\":\"")) != NULL; at += 8)
		n += strcspn(at + 8, "\"");
	return n;
}

static void last_run_keeps_the_ends_of_failures(void **state)
{
	static char block[40000];
	struct jl_last_run l;
	const char *text;

	(void)state;
	memset(block, 'x', sizeof(block));
	begin_last(&l);
	output(&l.sink, "good", 0, block, 5000);
	finish(&l.sink, "good", 0, JL_STEP_RAN, 0);
	output(&l.sink, "bad", 0, block, sizeof(block));
	for (int i = 0; i < 100; i++)
		send(&l.sink, (struct jl_event){.type = JL_EVENT_STEP_OUTPUT,
						.step = "bad",
						.stream = 1 + i % 2,
						.data = block,
						.len = 1000});
	output(&l.sink, "bad", 0, "the end", 7);
	finish(&l.sink, "bad", 0, JL_STEP_FAILED, 3);
	end(&l.sink);
	assert_int_equal(jl_last_run_close(&l, NULL), JL_OK);
	assert_in_range(kept(), 15000, 16500);
	text = content(".jl/last-run");
	assert_non_null(text = strstr(text, "bytes before this are left out]\\nxxx"));
	assert_non_null(text = strstr(text, "\"stream\":\"stderr\",\"text\":\"xxx"));
	assert_non_null(strstr(text, "\"text\":\"the end\""));
}

static void last_run_is_bounded(void **state)
{
	static char block[16 << 10];
	struct jl_last_run l;
	struct stat st;
	char name[16];

	(void)state;
	memset(block, 'x', sizeof(block));
	begin_last(&l);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "bad%d", i);
		output(&l.sink, name, 0, block, sizeof(block));
		finish(&l.sink, name, 0, JL_STEP_FAILED, 3);
	}
	end(&l.sink);
	assert_int_equal(jl_last_run_close(&l, NULL), JL_OK);
	assert_int_equal(stat(".jl/last-run", &st), 0);
	assert_in_range(st.st_size, 4 << 20, 9 << 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(junit_holds_each_end, setup, teardown),
		cmocka_unit_test_setup_teardown(junit_makes_any_bytes_harmless, setup, teardown),
		cmocka_unit_test_setup_teardown(junit_caps_output, setup, teardown),
		cmocka_unit_test_setup_teardown(reports_do_not_grow_in_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(reports_take_their_place_whole_or_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(last_run_is_begun_when_something_is_done, setup, teardown),
		cmocka_unit_test_setup_teardown(last_run_keeps_the_ends_of_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(last_run_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(traces_cut_to_microseconds, setup, teardown),
		cmocka_unit_test(github_gets_escaped_commands),
		cmocka_unit_test(plain_folds_what_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
