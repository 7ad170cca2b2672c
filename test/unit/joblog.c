/* Captured output: how it is framed for the record, what lies in the live file, what is shown, where it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "run_help.h"

#include "run/engine.h"

struct fixture {
	struct world *w;
	struct jl_project *p;
	struct jl_engine e;
	struct jl_joblog *log;
};

static int setup(void **state)
{
	struct fixture *f = jl_calloc(1, sizeof(*f));
	f->w = world_new("steps:\n  \"a.b\": {command: [x]}\n");
	assert_int_equal(jl_project_open(&f->w->o, true, &f->p, &f->w->msgs, &f->w->err), JL_OK);
	f->e = (struct jl_engine){.p = f->p, .opts = &f->w->o, .clock = &f->w->clock};
	f->log = jl_joblog_new(&f->e, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	jl_joblog_free(f->log);
	assert_int_equal(jl_project_close(f->p, NULL), JL_OK);
	world_free(f->w);
	free(f);
	return 0;
}

static void add(struct fixture *f, int stream, const char *text)
{
	jl_joblog_add(f->log, stream, text, strlen(text));
}

static void test_silent(void **state)
{
	struct fixture *f = *state;
	jl_joblog_add(f->log, 1, "", 0);
	jl_joblog_close(f->log);
	assert_null(jl_joblog_path(f->log));
	assert_int_equal(jl_joblog_framed(f->log)->len, 0);
	assert_false(world_exists(f->w, ".jl/logs"));
	jl_joblog_free(NULL);
}

/* How the bytes came is chance: one chunk for a run of one stream, so that the same output is the same record. */
static void test_framing(void **state)
{
	struct fixture *f = *state;
	add(f, 1, "a");
	add(f, 1, "bc");
	add(f, 2, "x");
	add(f, 1, "d");
	jl_joblog_close(f->log);
	static const char want[] = "\1\3\0\0\0abc\2\1\0\0\0x\1\1\0\0\0d";
	assert_int_equal(jl_joblog_framed(f->log)->len, sizeof(want) - 1);
	assert_memory_equal(jl_joblog_framed(f->log)->data, want, sizeof(want) - 1);
	assert_string_equal(jl_joblog_path(f->log), ".jl/logs/a.b.log");
	world_holds(f->w, ".jl/logs/a.b.log", "abcxd");
}

static void test_show(void **state)
{
	struct fixture *f = *state;
	add(f, 2, "to stderr\n");
	add(f, 1, "to stdout\n");
	const struct jl_buf *framed = jl_joblog_framed(f->log);
	jl_joblog_show(&f->e, "a.b", framed->data, framed->len, true);
	assert_string_equal(f->w->output.data, "a.b 2 1: to stderr\na.b 1 1: to stdout\n");
	/* A log that breaks off, or holds what no step could write, shows what is whole and nothing else. */
	for (size_t len = 0; len < framed->len; len++) {
		jl_buf_clear(&f->w->output);
		char *part = jl_alloc(len); /* so that a read beyond it is noticed */
		memcpy(part, framed->data, len);
		jl_joblog_show(&f->e, "a.b", part, len, true);
		free(part);
		assert_string_equal(f->w->output.data, len < 15 ? "" : "a.b 2 1: to stderr\n");
	}
	jl_buf_clear(&f->w->output);
	jl_joblog_show(&f->e, "a.b", "\7\1\0\0\0x\1\xff\xff\xff\xffy", 11, false);
	assert_string_equal(f->w->output.data, "");
}

/* More than is kept: the record says so in its last chunk, the file goes on. */
static void test_cut(void **state)
{
	struct fixture *f = *state;
	enum { MIB = 1 << 20 };
	char *block = jl_alloc(MIB + 1);
	memset(block, 'x', MIB);
	block[MIB] = '\0';
	for (int i = 0; i < 17; i++)
		add(f, 1, block);
	add(f, 2, "the end");
	jl_joblog_close(f->log);
	const struct jl_buf *framed = jl_joblog_framed(f->log);
	assert_true(framed->len < 17 * (size_t)MIB);
	static const char note[] = "jl: more output came than is kept: 17825799 bytes, of them 17825799 in the log file\n";
	assert_string_equal(framed->data + framed->len - strlen(note), note);
	assert_null(memmem(framed->data, framed->len, "the end", 7));
	struct stat st;
	assert_int_equal(fstatat(f->w->dir->fd, jl_joblog_path(f->log), &st, 0), 0);
	assert_int_equal(st.st_size, 17 * MIB + 7);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_framing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_show, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
