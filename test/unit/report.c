/* The sinks, fed with events by hand: what they write, byte for byte. */
#include "base/clock.h"
#include "report/ndjson.h"
#include "report/plain.h"
#include "report/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Two streams in files without a name. */
struct streams {
	int out, err;
};

static int setup(void **state)
{
	struct streams *s = malloc(sizeof(*s));

	s->out = memfd_create("out", MFD_CLOEXEC);
	s->err = memfd_create("err", MFD_CLOEXEC);
	*state = s;
	return s->out < 0 || s->err < 0;
}

static int teardown(void **state)
{
	struct streams *s = *state;

	close(s->out);
	close(s->err);
	free(s);
	return 0;
}

/* What was written since the last time. */
static void assert_written(int fd, const char *want)
{
	char got[8192];
	ssize_t n = pread(fd, got, sizeof(got) - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_string_equal(got, want);
}

static const struct jl_counts none;

static void output(struct jl_sink *s, const char *step, int stream, bool replayed, const char *data)
{
	struct jl_event e = {.type = JL_EVENT_STEP_OUTPUT, .counts = &none, .step = step, .stream = stream,
	                     .replayed = replayed, .data = data, .len = strlen(data)};

	s->event(s, &e);
}

static void finished(struct jl_sink *s, const char *step, enum jl_step_status status, const char *reason, int64_t wall_ns)
{
	struct jl_event e = {.type = JL_EVENT_STEP_FINISHED, .counts = &none, .step = step, .status = status,
	                     .reason = reason, .wall_ns = wall_ns};

	s->event(s, &e);
}

static void failed(struct jl_sink *s, const char *step, int exit_code, int sig, const char *reason)
{
	struct jl_event e = {.type = JL_EVENT_STEP_FINISHED, .counts = &none, .step = step, .status = JL_STEP_FAILED,
	                     .exit_code = exit_code, .signal = sig, .reason = reason, .wall_ns = 200 * JL_NS_MS,
	                     .command = "./clean.py a\tb", .log = ".jl/logs/clean.log"};

	s->event(s, &e);
}

static void warning(struct jl_sink *s, const char *step, const char *text)
{
	struct jl_event e = {.type = JL_EVENT_WARNING, .counts = &none, .step = step, .text = text};

	s->event(s, &e);
}

static void ended(struct jl_sink *s)
{
	struct jl_event e = {.type = JL_EVENT_RUN_FINISHED, .counts = &none};

	s->event(s, &e);
}

static void plain_keeps_streams_apart_and_bytes_as_they_are(void **state)
{
	struct streams *s = *state;
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err, .again = "jl run"});
	output(&p.sink, "a", 1, false, "one\x1b[2J\r\xff\n");
	output(&p.sink, "a", 2, true, "two\x1b[2J");
	finished(&p.sink, "a", JL_STEP_RAN, "new command", JL_NS_S);
	finished(&p.sink, "b", JL_STEP_FRESH, NULL, 0);
	warning(&p.sink, NULL, "the store is read-only");
	warning(&p.sink, "b\n", "odd");
	ended(&p.sink);
	assert_written(s->out, "one\x1b[2J\r\xff\n");
	assert_written(s->err, "two\x1b[2J\njl: warning: the store is read-only\njl: warning: b\\x0a: odd\n");
	jl_plain_release(&p);
	assert_written(s->err, "");
}

static void plain_tells_a_failure_with_what_repeats_it(void **state)
{
	struct streams *s = *state;
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err, .again = "jl run -f x"});
	output(&p.sink, "clean[it's]", 1, false, "partial");
	failed(&p.sink, "clean[it's]", 3, 0, NULL);
	assert_written(s->out, "partial");
	assert_written(s->err, "jl: clean[it's] failed: exit 3 (200ms)\n"
	                       "  command: ./clean.py a\\x09b\n"
	                       "  log: .jl/logs/clean.log\n"
	                       "  again: jl run -f x 'clean[it'\\''s]'\n");
	jl_plain_release(&p);
}

static void plain_names_every_cause(void **state)
{
	static const struct {
		int exit_code, sig;
		const char *reason, *want;
	} cases[] = {
		{141, 0, "141 is SIGPIPE", "jl: a failed: exit 141: 141 is SIGPIPE (200ms)\n"},
		{3, 0, "exit 3", "jl: a failed: exit 3 (200ms)\n"},
		{0, 9, NULL, "jl: a failed: signal 9 (SIGKILL) (200ms)\n"},
		{0, 0, "it did not make \"x\"", "jl: a failed: it did not make \"x\" (200ms)\n"},
		{0, 0, NULL, "jl: a failed: exit 0 (200ms)\n"},
	};
	struct streams *s = *state;
	struct jl_event e = {.type = JL_EVENT_STEP_FINISHED, .counts = &none, .step = "a", .wall_ns = 200 * JL_NS_MS};
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err});
	e.status = JL_STEP_FAILED;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		e.exit_code = cases[i].exit_code;
		e.signal = cases[i].sig;
		e.reason = cases[i].reason;
		p.sink.event(&p.sink, &e);
		assert_written(s->err, cases[i].want);
	}
	e.status = JL_STEP_TIMEOUT;
	e.signal = 15;
	e.reason = NULL;
	p.sink.event(&p.sink, &e);
	assert_written(s->err, "jl: a failed: timed out (200ms)\n");
	jl_plain_release(&p);
}

static void again_can_be_pasted(void **state)
{
	static const char *const cases[][2] = {
		{"clean", "clean"}, {"a b", "'a b'"}, {"", "''"}, {"\xc3\xa4", "'\xc3\xa4'"}, {"a\n'\\", "$'a\\x0a\\'\\\\'"},
		{"\xff", "$'\\xff'"},
	};
	struct streams *s = *state;
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err, .again = "jl run"});
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char got[512];
		const char *again;
		ssize_t n;

		finished(&p.sink, cases[i][0], JL_STEP_FAILED, NULL, 0);
		n = pread(s->err, got, sizeof(got) - 1, 0);
		assert_true(n > 0);
		got[n - 1] = '\0';
		again = strstr(got, "again: jl run ");
		assert_non_null(again);
		assert_string_equal(again + strlen("again: jl run "), cases[i][1]);
		assert_int_equal(ftruncate(s->err, 0), 0);
		assert_int_equal(lseek(s->err, 0, SEEK_SET), 0);
	}
	jl_plain_release(&p);
}

static void verbose_says_each_step(void **state)
{
	struct streams *s = *state;
	struct jl_plain p;

	for (unsigned verbose = 1; verbose <= 2; verbose++) {
		jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err, .verbose = verbose});
		finished(&p.sink, "a", JL_STEP_RAN, "new command", 1240 * JL_NS_MS);
		finished(&p.sink, "b[x\n]", JL_STEP_RESTORED, NULL, 0);
		finished(&p.sink, "c", JL_STEP_FRESH, NULL, 0);
		finished(&p.sink, "d", JL_STEP_SKIPPED, "a failed", 0);
		jl_plain_release(&p);
		assert_written(s->err, verbose == 1 ? "ran  a  new command  (1.24s)\nrestored  b[x\\x0a]\nskipped  d  a failed\n"
		                                    : "ran  a  new command  (1.24s)\nrestored  b[x\\x0a]\nfresh  c\n"
		                                      "skipped  d  a failed\n");
		assert_written(s->out, "");
	}
}

static void quiet_shows_failures_only(void **state)
{
	struct streams *s = *state;
	struct jl_counts c = {.total = 2, .ran = 1};
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err, .quiet = true, .verbose = 2});
	output(&p.sink, "good", 1, false, "good\n");
	output(&p.sink, "bad", 1, false, "bad out\n");
	output(&p.sink, "bad", 2, false, "bad err\n");
	output(&p.sink, "old", 1, true, "old\n");
	finished(&p.sink, "old", JL_STEP_RESTORED, NULL, 0);
	finished(&p.sink, "good", JL_STEP_RAN, NULL, 0);
	warning(&p.sink, NULL, "odd");
	assert_written(s->out, "");
	jl_plain_summary(&p, &c, 0);
	assert_written(s->err, "");
	finished(&p.sink, "bad", JL_STEP_FAILED, "exit 1", 0);
	assert_written(s->out, "bad out\n");
	assert_written(s->err, "bad err\njl: bad failed: exit 1 (0ms)\n");
	c.failed = 1;
	jl_plain_summary(&p, &c, 0);
	assert_written(s->err, "2 steps: 1 ran, 0 fresh, 0 restored, 1 failed in 0ms\n");
	output(&p.sink, "never ended", 1, false, "lost\n");
	jl_plain_release(&p);
	assert_written(s->out, "");
}

static void summaries(void **state)
{
	struct streams *s = *state;
	struct jl_counts c = {.total = 12, .ran = 3, .fresh = 7, .restored = 2, .saved_ns = 192 * JL_NS_S};
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err});
	jl_plain_summary(&p, &c, 1240 * JL_NS_MS);
	assert_written(s->err, "12 steps: 3 ran, 7 fresh, 2 restored, 0 failed in 1.24s (saved 3m12s)\n");
	c = (struct jl_counts){.total = 1, .failed = 1, .skipped = 4};
	jl_plain_summary(&p, &c, 20 * JL_NS_MS);
	assert_written(s->err, "1 step: 0 ran, 0 fresh, 0 restored, 1 failed, 4 skipped in 20ms\n");
	jl_plain_release(&p);
	c = (struct jl_counts){.total = 12, .would_run = 3, .would_restore = 1, .fresh = 8};
	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = s->out, .err_fd = s->err, .plan = true});
	finished(&p.sink, "clean[parts/p.00]", JL_STEP_WOULD_RUN, "new command", 0);
	finished(&p.sink, "b", JL_STEP_WOULD_RESTORE, NULL, 0);
	finished(&p.sink, "c", JL_STEP_FRESH, NULL, 0);
	finished(&p.sink, "d", JL_STEP_MAYBE, "waits for b", 0);
	jl_plain_summary(&p, &c, 0);
	assert_written(s->out, "would run  clean[parts/p.00]  new command\nwould be restored  b\nmaybe  d  waits for b\n");
	assert_written(s->err, "12 steps: 3 would run, 1 would be restored, 8 fresh, 0 maybe\n");
	jl_plain_release(&p);
}

static void replays_on_a_terminal_are_harmless(void **state)
{
	struct streams *s = *state;
	struct jl_plain p;

	jl_plain_init(&p, &(struct jl_plain_opts){
		.out_fd = s->out, .err_fd = s->err, .out_tty = true, .err_tty = true, .color = true});
	output(&p.sink, "b", 1, true, "x\x1b[2J\x1b[31mred\r\n");
	assert_written(s->out, "x\\x1b[2J\x1b[31mred\n\x1b[0m");
	output(&p.sink, "b", 1, false, "live\x1b[2J");
	assert_written(s->out, "live\x1b[2J");
	/* One cursor: a line of our own begins on a line of its own. */
	failed(&p.sink, "b", 1, 0, NULL);
	assert_written(s->err, "\n\033[31mjl: b failed: exit 1 (200ms)\033[0m\n  command: ./clean.py a\\x09b\n"
	                       "  log: .jl/logs/clean.log\n");
	ended(&p.sink);
	jl_plain_release(&p);
	assert_written(s->err, "");
}

static void safe_text_obeys_nothing_but_colours(void **state)
{
	static const char *const cases[][2] = {
		{"plain\ttext\n", "plain\ttext\n"},
		{"a\rb\r\nc\r", "a\\x0db\nc\\x0d"},
		{"\x1b[1;31mx", "\x1b[1;31mx\x1b[0m"},
		{"\x1b[m", "\x1b[m\x1b[0m"},
		{"\x1b[", "\\x1b["},
		{"\x1b[3", "\\x1b[3"},
		{"\x1b[3A\x1b]0;t\a", "\\x1b[3A\\x1b]0;t\\x07"},
		{"\xc2\x9b" "2J\x9b\xff", "\\xc2\\x9b2J\\x9b\\xff"},
		{"\xe2\x82\xac\x7f", "\xe2\x82\xac\\x7f"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct jl_buf out = JL_BUF_INIT;

		assert_int_equal(jl_term_safe(&out, cases[i][0], strlen(cases[i][0])), JL_OK);
		assert_string_equal(out.data, cases[i][1]);
		jl_buf_release(&out);
	}
}

static void events_are_json_lines(void **state)
{
	struct streams *s = *state;
	struct jl_counts c = {.total = 3, .ran = 1, .fresh = 1, .failed = 1, .saved_ns = 1500 * JL_NS_MS};
	struct jl_event e = {.type = JL_EVENT_RUN_STARTED, .counts = &c, .run_id = "r7", .jobs = 4};
	struct jl_ndjson n;

	jl_ndjson_init(&n, s->out);
	n.sink.event(&n.sink, &e);
	e = (struct jl_event){.type = JL_EVENT_STEP_STARTED, .t_ns = 250 * JL_NS_MS, .counts = &c, .step = "a[\"]",
	                      .attempt = 1, .executor = "local", .host = "local", .pid = 77};
	n.sink.event(&n.sink, &e);
	e = (struct jl_event){.type = JL_EVENT_PROGRESS, .counts = &c};
	n.sink.event(&n.sink, &e);
	output(&n.sink, "a", 2, false, "x\xff\n");
	e = (struct jl_event){.type = JL_EVENT_STEP_FINISHED, .t_ns = JL_NS_S, .counts = &c, .step = "a",
	                      .status = JL_STEP_RAN, .key = "xxh3:00", .wall_ns = 750 * JL_NS_MS, .user_ns = JL_NS_MS,
	                      .max_rss_kib = 2, .host = "local", .attempt = 1, .reason = "new command", .stored = true};
	n.sink.event(&n.sink, &e);
	warning(&n.sink, NULL, "odd");
	e = (struct jl_event){.type = JL_EVENT_RUN_FINISHED, .t_ns = 2 * JL_NS_S, .counts = &c};
	n.sink.event(&n.sink, &e);
	assert_written(s->out,
	               "{\"v\":1,\"t\":0,\"event\":\"run_started\",\"run\":\"r7\",\"steps\":3,\"jobs\":4}\n"
	               "{\"v\":1,\"t\":0.25,\"event\":\"step_started\",\"step\":\"a[\\\"]\",\"attempt\":1,"
	               "\"executor\":\"local\",\"host\":\"local\",\"pid\":77}\n"
	               "{\"v\":1,\"t\":0,\"event\":\"step_output\",\"step\":\"a\",\"stream\":\"stderr\","
	               "\"text\":\"x\xef\xbf\xbd\\n\"}\n"
	               "{\"v\":1,\"t\":1,\"event\":\"step_finished\",\"step\":\"a\",\"status\":\"ran\",\"key\":\"xxh3:00\","
	               "\"exit\":0,\"signal\":0,\"wall_s\":0.75,\"user_s\":0.001,\"sys_s\":0,\"max_rss\":2048,"
	               "\"host\":\"local\",\"attempt\":1,\"reason\":\"new command\",\"stored\":true}\n"
	               "{\"v\":1,\"t\":0,\"event\":\"warning\",\"text\":\"odd\"}\n"
	               "{\"v\":1,\"t\":2,\"event\":\"run_finished\",\"ran\":1,\"fresh\":1,\"restored\":0,\"failed\":1,"
	               "\"skipped\":0,\"wall_s\":2,\"saved_s\":1.5}\n");
	jl_ndjson_release(&n);
}

/* A long output is split between characters. */
static void long_output_is_split_between_characters(void **state)
{
	enum { CHARS = 70000 };
	struct streams *s = *state;
	char *text = malloc(2 * CHARS + 2), *got = malloc(1 << 20);
	struct jl_ndjson n;
	unsigned lines = 0;
	ssize_t len;

	text[0] = 'x';
	for (size_t i = 0; i < CHARS; i++)
		memcpy(text + 1 + 2 * i, "\xc3\xa4", 2);
	text[2 * CHARS + 1] = '\0';
	jl_ndjson_init(&n, s->out);
	output(&n.sink, "a", 1, false, text);
	jl_ndjson_release(&n);
	len = pread(s->out, got, (1 << 20) - 1, 0);
	assert_true(len > 2 * CHARS);
	got[len] = '\0';
	assert_null(strstr(got, "\xef\xbf\xbd"));
	for (const char *at = got; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 3);
	free(text);
	free(got);
}

/* A no-op run costs no system call in either sink until there is a buffer full. */
static void fresh_steps_cost_next_to_nothing(void **state)
{
	struct streams *s = *state;
	struct jl_plain p;
	struct jl_ndjson n;

	jl_plain_init(&p, &(struct jl_plain_opts){
		.out_fd = -1, .err_fd = -1, .err_tty = true, .bar = true});
	jl_ndjson_init(&n, s->out);
	for (int i = 0; i < 100; i++) {
		finished(&p.sink, "a", JL_STEP_FRESH, NULL, 0);
		finished(&n.sink, "a", JL_STEP_FRESH, NULL, 0);
	}
	assert_int_equal(p.screen.err.buf.cap + p.screen.out.buf.cap, 0);
	assert_int_equal(lseek(s->out, 0, SEEK_END), 0);
	assert_true(n.out.buf.len > 0);
	jl_plain_release(&p);
	jl_ndjson_release(&n);
	assert_true(lseek(s->out, 0, SEEK_END) > 0);
}

static void a_failed_write_is_remembered_and_ends_writing(void **state)
{
	struct jl_plain p;

	(void)state;
	jl_plain_init(&p, &(struct jl_plain_opts){.out_fd = -1, .err_fd = -1});
	assert_int_equal(jl_plain_errno(&p), 0);
	output(&p.sink, "a", 1, false, "x");
	assert_int_not_equal(jl_plain_errno(&p), 0);
	output(&p.sink, "a", 1, false, "y");
	jl_plain_release(&p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(plain_keeps_streams_apart_and_bytes_as_they_are),
		TEST(plain_tells_a_failure_with_what_repeats_it),
		TEST(plain_names_every_cause),
		TEST(again_can_be_pasted),
		TEST(verbose_says_each_step),
		TEST(quiet_shows_failures_only),
		TEST(summaries),
		TEST(replays_on_a_terminal_are_harmless),
		TEST(safe_text_obeys_nothing_but_colours),
		TEST(events_are_json_lines),
		TEST(long_output_is_split_between_characters),
		TEST(fresh_steps_cost_next_to_nothing),
		TEST(a_failed_write_is_remembered_and_ends_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
