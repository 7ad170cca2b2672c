/* Accounts: what lines of events come to; and the page made of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "report/account.h"
#include "report/page.h"

#define START  "{\"v\":1,\"t\":0,\"event\":\"run_started\",\"run\":\"20260102T030405Z-7\",\"steps\":4,\"jobs\":2}\n"
#define FINISH "{\"v\":1,\"t\":9.5,\"event\":\"run_finished\",\"ran\":3,\"fresh\":5,\"restored\":1,\"failed\":1,\"skipped\":0," \
	       "\"wall_s\":9.5,\"saved_s\":61}\n"
/* began, took, slot, what it waited for last */
#define RAN(step, began, wall, slot, more) \
	"{\"v\":1,\"t\":9,\"event\":\"step_finished\",\"step\":\"" step "\",\"status\":\"ran\",\"exit\":0,\"signal\":0," \
	"\"wall_s\":" wall ",\"user_s\":0.5,\"sys_s\":0.25,\"max_rss\":1024,\"host\":\"local\",\"attempt\":1,\"slot\":" slot \
	",\"began_s\":" began more ",\"stored\":true}\n"
#define FAILED(step, more) \
	"{\"v\":1,\"t\":3,\"event\":\"step_finished\",\"step\":\"" step "\",\"status\":\"failed\",\"exit\":3," \
	"\"signal\":0,\"wall_s\":1,\"user_s\":0,\"sys_s\":0,\"max_rss\":0,\"attempt\":1" more ",\"stored\":false}\n"
#define OUTPUT(step, text) \
	"{\"v\":1,\"t\":2,\"event\":\"step_output\",\"step\":\"" step "\",\"stream\":\"stdout\",\"text\":\"" text "\"}\n"

static int read_text(struct jl_account *a, const char *text, size_t len, struct jl_err *err)
{
	int fd = memfd_create("events", MFD_CLOEXEC), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	r = jl_account_read(a, fd, "ev", err);
	close(fd);
	if (r == JL_OK)
		jl_account_link(a);
	return r;
}

static void read_good(struct jl_account *a, const char *text)
{
	struct jl_err err = JL_ERR_INIT;

	if (read_text(a, text, strlen(text), &err) != JL_OK)
		fail_msg("%s", err.text);
}

static void refuse(const char *text, const char *want)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	struct jl_err err = JL_ERR_INIT;

	assert_int_not_equal(read_text(&a, text, strlen(text), &err), JL_OK);
	assert_non_null(strstr(err.text, want));
	jl_account_release(&a);
}

static const struct jl_account_step *find(const struct jl_account *a, const char *name)
{
	for (uint32_t i = 0; i < a->steps.len; i++)
		if (strcmp(jl_account_text(a, jl_account_step(a, i)->name), name) == 0)
			return jl_account_step(a, i);
	fail_msg("no step %s", name);
	return NULL;
}

static void test_what_is_told(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	const struct jl_account_step *s;

	(void)state;
	read_good(&a, START "{\"v\":1,\"t\":1,\"event\":\"warning\",\"step\":\"x\",\"text\":\"look\"}\n"
			      RAN("a", "0.5", "2.000001", "2", "") OUTPUT("b", "one\\n") OUTPUT("b", "two\\u0000")
				      FAILED("b", ",\"command\":\"c\",\"log\":\"l\",\"reason\":\"r\"")
				      "{\"v\":1,\"t\":4,\"event\":\"step_started\",\"step\":\"c\",\"attempt\":1,"
				      "\"executor\":\"local\",\"host\":\"h\",\"pid\":1}\n"
				      "{\"v\":1,\"t\":5,\"event\":\"step_started\",\"step\":\"d\",\"attempt\":1}\n" FAILED("d", "")
				      "{\"v\":1,\"t\":4,\"event\":\"something_new\",\"x\":[1]}\n" FINISH);
	assert_string_equal(jl_account_text(&a, a.run), "20260102T030405Z-7");
	assert_int_equal(a.jobs, 2);
	assert_true(a.ended);
	assert_int_equal(a.wall_ns, 9500 * JL_NS_MS);
	assert_int_equal(a.counts.fresh, 5);
	assert_int_equal(a.counts.saved_ns, 61 * JL_NS_S);
	assert_int_equal(a.steps.len, 4);
	assert_int_equal(a.warnings.len, 1);
	assert_string_equal(jl_account_text(&a, *JL_AT(a.warnings, uint32_t, 0)), "x: look");
	s = find(&a, "a");
	assert_int_equal(s->status, JL_STEP_RAN);
	assert_int_equal(s->slot, 2);
	assert_int_equal(s->began_ns, 500 * JL_NS_MS);
	assert_int_equal(s->wall_ns, 2000001000);
	assert_int_equal(jl_account_end(s), 2500001000);
	assert_int_equal(s->max_rss, 1024);
	s = find(&a, "b");
	assert_true(jl_account_failed(s));
	assert_int_equal(s->exit_code, 3);
	assert_string_equal(jl_account_text(&a, s->command), "c");
	assert_string_equal(jl_account_text(&a, s->log), "l");
	assert_string_equal(jl_account_text(&a, s->reason), "r");
	assert_int_equal(JL_AT(a.outputs, struct jl_buf, s->output)->len, 8);
	assert_memory_equal(JL_AT(a.outputs, struct jl_buf, s->output)->data, "one\ntwo\0", 8);
	assert_int_equal(find(&a, "c")->status, JL_ACCOUNT_OPEN);
	assert_int_equal(find(&a, "d")->slot, 1);
	assert_int_equal(find(&a, "d")->began_ns, 5 * JL_NS_S);
	jl_account_release(&a);
}

static void test_killed_and_repeated(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;

	(void)state;
	/* The last line is torn; counts are those of what was told. */
	read_good(&a, START RAN("a", "0", "1", "1", "") FAILED("b", "") "{\"v\":1,\"t\":4,\"eve");
	assert_false(a.ended);
	assert_int_equal(a.counts.ran, 1);
	assert_int_equal(a.counts.failed, 1);
	jl_account_release(&a);
	/* Of several runs the last counts. */
	read_good(&a, START RAN("a", "0", "1", "1", "") FINISH START RAN("b", "0", "1", "1", "") "");
	assert_int_equal(a.steps.len, 1);
	assert_false(a.ended);
	jl_account_release(&a);
	/* Jobs of a map may have the same name. */
	read_good(&a, START RAN("a", "0", "1", "1", ",\"seq\":1") RAN("a", "0", "1", "2", ",\"seq\":2") FINISH);
	assert_int_equal(a.steps.len, 2);
	jl_account_release(&a);
}

static void test_refused(void **state)
{
	(void)state;
	refuse("", "ev: there is no run in it");
	refuse(RAN("a", "0", "1", "1", ""), "ev: there is no run in it");
	refuse(START "nothing\n" FINISH, "ev:2: no JSON");
	refuse(START "[1]\n", "ev:2: no event of jl");
	refuse("{\"v\":2,\"event\":\"run_started\"}\n", "ev:1: events of version 2");
	refuse("{\"v\":\"1\",\"event\":\"run_started\"}\n", "ev:1: no event of jl");
}

static char *page_of(const struct jl_account *a)
{
	int fd = memfd_create("page", MFD_CLOEXEC);
	struct jl_out out = JL_OUT_INIT(fd);
	off_t len;
	char *text;

	jl_page_write(&out, a, &(struct jl_page_opts){.title = "<here> & \"there\"", .again = true});
	jl_out_release(&out);
	assert_int_equal(out.sys_errno, 0);
	len = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)len + 1);
	assert_int_equal(pread(fd, text, (size_t)len, 0), len);
	close(fd);
	return text;
}

static void test_odd_values(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	const struct jl_account_step *s;

	(void)state;
	read_good(&a, START "{\"v\":1,\"t\":-5,\"event\":\"step_finished\",\"step\":7,\"status\":null,\"exit\":-1,\"signal\":1e99,"
			      "\"wall_s\":1e300,\"slot\":99999999999,\"began_s\":-1,\"attempt\":\"x\",\"max_rss\":-3}\n" FINISH);
	s = jl_account_step(&a, 0);
	assert_int_equal(s->exit_code, 0);
	assert_int_equal(s->began_ns, 0);
	assert_int_equal(s->wall_ns, INT64_C(3000000000000000000));
	assert_int_equal(s->slot, UINT32_MAX - 1);
	assert_true(jl_account_end(s) > 0);
	jl_account_release(&a);
	read_good(&a, START RAN("a", "3e9", "3e9", "1", "") RAN("b", "3e9", "3e9", "1", ",\"waited_for\":\"a\"")
			      RAN("c", "3e9", "3e9", "1", "") RAN("d", "3e9", "3e9", "1", ",\"waited_for\":\"c\"") FINISH);
	assert_int_equal(jl_account_work(&a), INT64_MAX);
	free(page_of(&a));
	jl_account_release(&a);
}

static void test_long_output(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	struct jl_buf text = JL_BUF_INIT;
	const struct jl_buf *out;
	char line[1001];

	(void)state;
	memset(line, 'x', 1000);
	line[1000] = '\0';
	jl_buf_str(&text, START);
	for (int i = 0; i < 200; i++)
		jl_buf_printf(&text, OUTPUT("a", "%s"), line);
	jl_buf_str(&text, OUTPUT("a", "end") FAILED("a", "") FINISH);
	read_good(&a, text.data);
	out = JL_AT(a.outputs, struct jl_buf, jl_account_step(&a, 0)->output);
	assert_in_range(out->len, 16 << 10, 17 << 10);
	assert_memory_equal(out->data, "[what is before", 15);
	assert_memory_equal(out->data + out->len - 4, "xend", 4);
	jl_account_release(&a);
	jl_buf_release(&text);
}

static void test_path(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	struct jl_table path = JL_TABLE_INIT(uint32_t), slow = JL_TABLE_INIT(uint32_t);
	static const char *const want[] = {"a", "c", "e"};

	(void)state;
	read_good(&a, START RAN("a", "0", "1", "1", "") RAN("b", "0", "5", "2", "")
			      RAN("c", "1", "2", "1", ",\"waited_for\":\"a\"") RAN("e", "5", "1", "1", ",\"waited_for\":\"c\"")
			      RAN("d", "5", "0.5", "2", ",\"waited_for\":\"gone\"") FINISH);
	jl_account_path(&a, &path);
	assert_int_equal(path.len, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(jl_account_text(&a, jl_account_step(&a, *JL_AT(path, uint32_t, i))->name), want[i]);
	jl_account_slowest(&a, 3, &slow);
	assert_int_equal(slow.len, 3);
	assert_string_equal(jl_account_text(&a, jl_account_step(&a, *JL_AT(slow, uint32_t, 0))->name), "b");
	assert_string_equal(jl_account_text(&a, jl_account_step(&a, *JL_AT(slow, uint32_t, 1))->name), "c");
	assert_string_equal(jl_account_text(&a, jl_account_step(&a, *JL_AT(slow, uint32_t, 2))->name), "a");
	assert_int_equal(jl_account_work(&a), 9500 * JL_NS_MS);
	jl_account_release(&a);
	path.len = 0;
	/* Round in a circle, as no run would tell it. */
	read_good(&a, START RAN("a", "0", "1", "1", ",\"waited_for\":\"b\"")
			      RAN("b", "1", "1", "1", ",\"waited_for\":\"a\"") FINISH);
	jl_account_path(&a, &path);
	assert_int_equal(path.len, 2);
	jl_account_release(&a);
	path.len = 0;
	/* Nobody waited for anybody, or nobody tells. */
	read_good(&a, START RAN("a", "0", "1", "1", "") RAN("b", "1", "1", "1", "") FINISH);
	jl_account_path(&a, &path);
	assert_int_equal(path.len, 0);
	jl_account_release(&a);
	jl_table_release(&path);
	jl_table_release(&slow);
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

static void test_page_escapes(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	char *page, *data;

	(void)state;
	read_good(&a, START OUTPUT("</script><!--\\\"'&\\u2028\\u2029", "\\u001b[31mred</pre><img src=x>\\u0007\\n")
			      FAILED("</script><!--\\\"'&\\u2028\\u2029", ",\"command\":\"<c>\",\"reason\":\"<r>\"")
				      RAN("\\u00e9\xf0\x9f\x98\x80\\n]]>", "0", "1", "1", "") FINISH);
	page = page_of(&a);
	assert_int_equal(count(page, "</script>"), 2);
	assert_int_equal(count(page, "<script"), 2);
	assert_int_equal(count(page, "<!--"), 0);
	assert_int_equal(count(page, "<img"), 0);
	assert_int_equal(count(page, "</pre>"), 1);
	assert_non_null(strstr(page, "<title>&lt;here&gt; &amp; &quot;there&quot; - jl report</title>"));
	assert_non_null(strstr(page, "<pre>red&lt;/pre&gt;&lt;img src=x&gt;\\x07\n</pre>"));
	assert_non_null(strstr(page, "<code>&lt;c&gt;</code>"));
	assert_non_null(strstr(page, "default-src 'none'"));
	assert_null(strstr(page, "http://"));
	assert_null(strstr(page, "https://"));
	data = strstr(page, "id=\"data\">");
	assert_non_null(data);
	assert_memory_equal(strchr(data, '<'), "</script>\n</body>", 17);
	assert_null(strstr(data, "\xe2\x80\xa8"));
	assert_non_null(strstr(data, "\"\\u003c/script>\\u003c!--\\\"'&\\u2028\\u2029\""));
	free(page);
	jl_account_release(&a);
}

static void test_page_of_nothing(void **state)
{
	struct jl_account a = JL_ACCOUNT_INIT;
	char *page;

	(void)state;
	read_good(&a, START);
	page = page_of(&a);
	assert_non_null(strstr(page, "there is no end of it"));
	assert_null(strstr(page, "<h2>"));
	assert_non_null(strstr(page, "\"name\":[]"));
	assert_non_null(strstr(page, "<time datetime=\"2026-01-02T03:04:05Z\">"));
	free(page);
	jl_account_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_told), cmocka_unit_test(test_killed_and_repeated),
		cmocka_unit_test(test_refused),      cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_long_output),  cmocka_unit_test(test_path),
		cmocka_unit_test(test_page_escapes), cmocka_unit_test(test_page_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
