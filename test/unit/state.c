/* struct jl_state: opened, flushed, closed, locked, and never in the way. */
#include "state/state.h"

#include "base/file.h"
#include "fault_io.h"
#include "state/format.h"
#include "state/snapshot.h"
#include "state_help.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const struct tmpdir *t, const char *name)
{
	tmpdir_write(t, name, name, strlen(name));
}

/* A workspace with 100 known files and results, all trusted, in a snapshot or a journal. */
static void make(const struct tmpdir *t, bool snapshot)
{
	struct jl_state *s = state_open(t, NULL);

	state_clock(s, LATER_NS);
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put(t, name);
		assert_int_equal(jl_files_digest(&s->files, state_id(s, name), NULL), JL_OK);
		jl_results_touch(&s->results, jl_results_id(&s->results, name, strlen(name)));
	}
	if (snapshot)
		jl_state_plan_changed(s);
	state_close(s);
}

static void a_run_that_changes_nothing_writes_nothing(void **state)
{
	struct tmpdir *t = *state;
	uint32_t ids[101];
	struct fault_io io;
	struct jl_state *s;

	for (int way = 0; way < 2; way++) {
		uint32_t n = 0;

		make(t, way);
		fault_io_init(&io, 0, 0);
		s = state_open(t, &io.io);
		if (way) {
			/* A snapshot, and no map. */
			assert_int_equal(s->files.map.cap, 0);
			assert_int_equal(s->results.map.cap, 0);
		}
		for (; n < s->files.at.len; n++)
			ids[n] = n;
		assert_int_equal(n, 101);
		io.ops = FAULT_ALL;
		io.calls = 0;
		jl_files_prefetch(&s->files, ids, n, 2);
		assert_int_equal(jl_files_digest_many(&s->files, ids, n, 2, NULL), JL_OK);
		/* A stat each, and the folder opened and closed. */
		assert_int_equal(io.calls, 101 + 2);
		assert_int_equal(s->files.hashes, 0);
		if (way)
			assert_int_equal(s->files.map.cap, 0);
		assert_int_equal(jl_state_flush(s, NULL), JL_OK);
		assert_int_equal(s->bytes_written, 0);
		io.ops = FAULT_ALL & ~FAULT_CLOSE;
		io.calls = 0;
		state_close(s);
		assert_int_equal(io.calls, 0);
	}
}

static void first_open(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = NULL;

	/* Read-only makes nothing. */
	assert_int_equal(jl_state_open(&jl_io_system, t->path, true, NULL, 0, &s, NULL), JL_OK);
	assert_int_equal(s->dir_fd, -1);
	jl_results_touch(&s->results, jl_results_id(&s->results, "x", 1));
	state_close(s);
	assert_int_equal(tmpdir_count(t, "."), 0);
	s = state_open(t, NULL);
	assert_null(s->why_empty);
	assert_int_equal(tmpdir_count(t, ".jl"), 0);
	state_close(s);
	assert_int_equal(tmpdir_count(t, ".jl"), 0);
	assert_int_equal(jl_state_open(&jl_io_system, "/no/such/folder", false, NULL, 0, &s, NULL), JL_ENOTFOUND);
}

static void a_damaged_one_starts_empty_and_is_replaced(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s;

	make(t, true);
	put(t, ".jl/state");
	s = state_open(t, NULL);
	assert_non_null(s->why_empty);
	assert_int_equal(s->files.at.len, 0);
	jl_results_touch(&s->results, jl_results_id(&s->results, "x", 1));
	state_close(s);
	s = state_open(t, NULL);
	assert_null(s->why_empty);
	assert_int_equal(s->results.at.len, 1);
	state_close(s);
}

static void a_newer_one_is_left_alone(void **state)
{
	struct tmpdir *t = *state;
	struct jl_format f = jl_format_make("jlstate\n");
	struct jl_err err = JL_ERR_INIT;
	struct jl_state *s = NULL;
	size_t len;

	make(t, true);
	f.version++;
	f.sum = jl_hash64(&f, 16);
	tmpdir_write(t, ".jl/state", &f, sizeof(f));
	assert_int_equal(jl_state_open(&jl_io_system, t->path, false, NULL, 0, &s, &err), JL_EUNSUPPORTED);
	assert_non_null(strstr(err.text, "newer"));
	free(state_slurp(t, ".jl/state", &len));
	assert_int_equal(len, sizeof(f));
}

/* Tables that check but whose indices lead out of them. */
static void indices_that_lie(void **state)
{
	struct tmpdir *t = *state;

	for (int lie = 0; lie < 9; lie++) {
		struct jl_state *s;
		struct jl_file *e;
		uint64_t bytes;

		make(t, true);
		s = state_open(t, NULL);
		e = jl_file_at(&s->files, 5);
		switch (lie) {
		case 0: e->text = s->text.len; break;
		case 1: e->base = s->text.len; break;
		case 2: e->dir = 5; break;
		case 3: e->list = 1; break;
		case 4: e->list_len = 1; break;
		case 5: e->flags |= JL_FILE_SEEN; break;
		case 6: jl_result_at(&s->results, 3)->label = s->text.len; break;
		case 7: *JL_AT(s->text, char, s->text.len - 1) = 'x'; break;
		default: s->text.len = 0; break;
		}
		{
			struct jl_snapshot_table tables[] = {
				{"text", &s->text}, {"file", &s->files.at}, {"list", &s->files.lists}, {"rslt", &s->results.at},
			};

			assert_int_equal(jl_snapshot_write(&jl_io_system, s->dir_fd, "state", tables, 4, 1, &bytes, NULL), JL_OK);
		}
		jl_state_drop(s);
		s = state_open(t, NULL);
		assert_non_null(s->why_empty);
		assert_int_equal(s->files.at.len + s->results.at.len, 0);
		jl_state_drop(s);
	}
}

static void tables_of_the_caller(void **state)
{
	struct tmpdir *t = *state;
	struct jl_table a = JL_TABLE_INIT(uint32_t), b = JL_TABLE_INIT(uint64_t);
	struct jl_state_extra extra[] = {{"plna", &a}, {"plnb", &b}};
	uint8_t keep[3] = {1, 1, 1};
	struct jl_state *s;

	assert_int_equal(jl_state_open(&jl_io_system, t->path, false, extra, 2, &s, NULL), JL_OK);
	*(uint32_t *)jl_table_add(&a, 1) = state_id(s, "x/y");
	*(uint64_t *)jl_table_add(&b, 1) = 42;
	jl_state_plan_changed(s);
	state_close(s);
	jl_table_release(&a);
	jl_table_release(&b);
	/* Others leave them out and read the rest. */
	s = state_open(t, NULL);
	assert_int_not_equal(jl_files_find(&s->files, "x/y", 3), JL_NONE);
	state_close(s);
	for (int way = 0; way < 3; way++) {
		a.size = way == 1 ? 8 : 4;
		assert_int_equal(jl_state_open(&jl_io_system, t->path, false, extra, 2, &s, NULL), JL_OK);
		assert_int_equal(s->files.at.len, 3);
		assert_int_equal(a.len, way == 1 ? 0 : 1);
		assert_int_equal(b.len, way == 1 ? 0 : 1);
		if (way != 1)
			assert_string_equal(jl_files_path(&s->files, *JL_AT(a, uint32_t, 0)), "x/y");
		assert_int_equal(jl_state_close(s, way == 2 ? keep : NULL, NULL, NULL), JL_OK);
		jl_table_release(&a);
		jl_table_release(&b);
	}
	/* Packed: the caller's indices are gone. */
	assert_int_equal(jl_state_open(&jl_io_system, t->path, false, extra, 2, &s, NULL), JL_OK);
	assert_int_equal(s->files.at.len, 3);
	assert_int_equal(a.len + b.len, 0);
	state_close(s);
	jl_table_release(&a);
	jl_table_release(&b);
}

static void packing(void **state)
{
	struct tmpdir *t = *state;
	uint8_t *files, *results;
	struct jl_digest want;
	struct jl_state *s;
	const char *list;
	uint32_t id, len;

	make(t, true);
	s = state_open(t, NULL);
	state_clock(s, LATER_NS);
	assert_int_equal(mkdirat(t->fd, "d", 0777), 0);
	put(t, "d/x");
	assert_int_equal(jl_files_digest(&s->files, state_id(s, "d/x"), NULL), JL_OK);
	assert_int_equal(jl_files_list(&s->files, state_id(s, "d"), &list, &len, NULL), JL_OK);
	jl_text_add(&s->text, "text of an old plan", 19);
	files = jl_calloc(s->files.at.len, 1);
	results = jl_calloc(s->results.at.len, 1);
	files[state_id(s, "f7")] = 1;
	files[state_id(s, "d/x")] = 1;
	results[jl_results_find(&s->results, "f9", 2)] = 1;
	assert_int_equal(jl_state_close(s, files, results, NULL), JL_OK);
	free(files);
	free(results);
	s = state_open(t, NULL);
	assert_int_equal(s->files.at.len, 4);
	assert_int_equal(s->results.at.len, 1);
	assert_int_equal(s->text.len, strlen("...f7.d.d/x.f9."));
	assert_int_equal(jl_results_find(&s->results, "f9", 2), 0);
	id = jl_files_find(&s->files, "d/x", 3);
	assert_string_equal(jl_files_path(&s->files, jl_file_at(&s->files, id)->dir), "d");
	jl_digest_bytes("d/x", 3, &want);
	assert_true(jl_digest_equal(&jl_file_at(&s->files, id)->digest, &want));
	assert_int_equal(jl_files_list(&s->files, state_id(s, "d"), &list, &len, NULL), JL_OK);
	assert_int_equal(len, 3);
	assert_int_equal(s->files.hashes, 0);
	state_close(s);
}

static void the_journal_grows_into_a_snapshot(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s;

	make(t, false);
	assert_int_equal(faccessat(t->fd, ".jl/journal", F_OK, 0), 0);
	assert_int_equal(faccessat(t->fd, ".jl/state", F_OK, 0), -1);
	s = state_open(t, NULL);
	for (int i = 0; i < 1000; i++) {
		char label[16];

		snprintf(label, sizeof(label), "s%d", i);
		jl_results_touch(&s->results, jl_results_id(&s->results, label, strlen(label)));
		if (i % 100 == 0)
			assert_int_equal(jl_state_flush(s, NULL), JL_OK);
	}
	state_close(s);
	assert_int_equal(faccessat(t->fd, ".jl/journal", F_OK, 0), -1);
	s = state_open(t, NULL);
	assert_int_equal(s->results.at.len, 1100);
	assert_int_equal(s->files.at.len, 101);
	state_close(s);
}

/* Whatever call fails, at the next open all is as it was before or after, and what was flushed is there. */
static void every_failing_call(void **state)
{
	struct tmpdir *t = *state;

	for (int snapshot = 0; snapshot < 2; snapshot++) {
		for (unsigned n = 1;; n++) {
			struct jl_state *s = NULL;
			struct fault_io io;
			bool flushed = false, closed;
			uint32_t at;

			assert_int_equal(jl_file_remove(&jl_io_system, t->fd, ".jl", NULL), JL_OK);
			make(t, snapshot);
			fault_io_init(&io, n, ENOSPC);
			io.half_write = true;
			if (jl_state_open(&io.io, t->path, false, NULL, 0, &s, NULL) == JL_OK) {
				at = s->results.at.len;
				jl_results_touch(&s->results, jl_results_id(&s->results, "new", 3));
				flushed = jl_state_flush(s, NULL) == JL_OK;
				jl_results_touch(&s->results, jl_results_id(&s->results, "newer", 5));
				flushed = jl_state_flush(s, NULL) == JL_OK || flushed;
				if (snapshot)
					jl_state_plan_changed(s);
				closed = jl_state_close(s, NULL, NULL, NULL) == JL_OK;
				s = state_open(t, NULL);
				assert_null(s->why_empty);
				assert_true(s->results.at.len >= at);
				if (flushed)
					assert_int_not_equal(jl_results_find(&s->results, "new", 3), JL_NONE);
				if (closed)
					assert_int_not_equal(jl_results_find(&s->results, "newer", 5), JL_NONE);
				for (uint32_t i = 0; i < s->files.at.len; i++)
					assert_int_equal(jl_files_digest(&s->files, i, NULL), JL_OK);
				jl_state_drop(s);
			}
			if (!io.failed)
				break;
		}
	}
}

static void locking(void **state)
{
	struct tmpdir *t = *state;
	char holder[200] = "", want[64];
	int fd = -1, other = -1;

	assert_int_equal(jl_state_lock(t->path, false, "jl run\nx", holder, sizeof(holder), &fd, NULL), JL_OK);
	assert_int_equal(jl_state_lock(t->path, false, "jl run", holder, sizeof(holder), &other, NULL), JL_EBUSY);
	snprintf(want, sizeof(want), "pid %ld, jl run x, since ", (long)getpid());
	assert_memory_equal(holder, want, strlen(want));
	assert_null(strchr(holder, '\n'));
	assert_int_equal(other, -1);
	close(fd);
	assert_int_equal(jl_state_lock(t->path, true, "jl run", holder, sizeof(holder), &fd, NULL), JL_OK);
	close(fd);
}

static void expect_found(struct jl_state *s, const char *label, const char *first, const char *second)
{
	uint32_t n;
	const uint32_t *found = jl_results_found(&s->results, jl_results_find(&s->results, label, strlen(label)), &n);

	assert_int_equal(n, first ? 2 : 0);
	if (!first)
		return;
	assert_string_equal(jl_files_path(&s->files, found[0]), first);
	assert_string_equal(jl_files_path(&s->files, found[1]), second);
}

/* Read with what is in test/golden: state-vN.bin and the journal that follows it. The second one is the first with lists of
 * files, one in each. */
static void golden(struct tmpdir *t, int version)
{
	const char *const names[] = {".jl/state", ".jl/journal"};
	const struct jl_file *e;
	const struct jl_result *r;
	struct jl_digest want;
	struct jl_state *s;

	if (*(const uint8_t *)&(uint32_t){JL_STATE_ORDER} != 4)
		skip(); /* they are of a little-endian machine */
	assert_int_equal(mkdirat(t->fd, ".jl", 0777), 0);
	for (int i = 0; i < 2; i++) {
		struct jl_buf b = JL_BUF_INIT, name = JL_BUF_INIT;

		jl_buf_printf(&name, "test/golden/state-v%d.%s", version, i ? "journal" : "bin");
		assert_int_equal(jl_file_read(&jl_io_system, AT_FDCWD, name.data, &b, NULL), JL_OK);
		tmpdir_write(t, names[i], b.data, b.len);
		jl_buf_release(&b);
		jl_buf_release(&name);
	}
	assert_int_equal(jl_state_open(&jl_io_system, t->path, true, NULL, 0, &s, NULL), JL_OK);
	assert_null(s->why_empty);
	assert_int_equal(s->files.at.len, version == 1 ? 5 : 9);
	e = jl_file_at(&s->files, jl_files_find(&s->files, "data/a.csv", 10));
	assert_int_equal(e->flags, JL_FILE_DIGEST);
	assert_int_equal(e->stamp.dev, 0x801);
	assert_int_equal(e->stamp.ino, 1234567890123);
	assert_int_equal(e->stamp.size, 42);
	assert_int_equal(e->stamp.mtime_ns, 1700000000123456789);
	assert_int_equal(e->stamp.ctime_ns, 1700000001123456789);
	assert_int_equal(e->stamp.mode, 0100644);
	jl_digest_bytes("a", 1, &want);
	assert_true(jl_digest_equal(&e->digest, &want));
	e = jl_file_at(&s->files, e->dir);
	assert_int_equal(e->flags, JL_FILE_LIST);
	assert_int_equal(e->list_len, 7);
	assert_memory_equal(JL_AT(s->files.lists, char, e->list), "\1a.csv", 7);
	e = jl_file_at(&s->files, jl_files_find(&s->files, "out/x", 5));
	assert_int_equal(e->flags, JL_FILE_DIGEST | JL_FILE_RACY | JL_FILE_MADE);
	r = jl_result_at(&s->results, jl_results_find(&s->results, "clean[a]", 8));
	assert_int_equal(r->flags, JL_RESULT_OK);
	assert_int_equal(r->made_s, version == 1 ? 0 : 1700000002);
	assert_int_equal(r->wall_ns, 1500000000);
	assert_int_equal(r->when_ns, 1700000002000000000);
	jl_digest_bytes("k", 1, &want);
	assert_true(jl_digest_equal(&r->key, &want));
	r = jl_result_at(&s->results, jl_results_find(&s->results, "late", 4));
	assert_int_equal(r->flags, JL_RESULT_FAILED);
	expect_found(s, "clean[a]", version == 1 ? NULL : "data/a.csv", "out/x");
	expect_found(s, "late", version == 1 ? NULL : "/usr/include/x.h", "out/x");
	state_close(s);
}

static void golden_1(void **state)
{
	golden(*state, 1);
}

static void golden_2(void **state)
{
	golden(*state, 2);
}

/* Lists come back from snapshot and journal, the last one of each result counts, and those of nobody are not kept. */
static void lists_of_found_files(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t a = jl_results_id(&s->results, "a", 1), b = jl_results_id(&s->results, "b", 1), n;
	uint32_t h[3] = {state_id(s, "h"), state_id(s, "/usr/i.h"), state_id(s, "../up.h")};
	uint8_t keep_files[16] = {0}, keep_results[2] = {0};

	jl_results_set_found(&s->results, b, h, 2);
	jl_results_touch(&s->results, a);
	jl_results_touch(&s->results, b);
	assert_int_equal(jl_state_flush(s, NULL), JL_OK);
	jl_results_set_found(&s->results, a, h + 1, 2);
	jl_results_touch(&s->results, a);
	state_close(s);
	s = state_open(t, NULL); /* from the journal */
	expect_found(s, "a", "/usr/i.h", "../up.h");
	expect_found(s, "b", "h", "/usr/i.h");
	h[0] = state_id(s, "other");
	h[1] = state_id(s, "h");
	jl_results_set_found(&s->results, a, h, 2);
	jl_results_set_found(&s->results, b, NULL, 0);
	jl_state_plan_changed(s);
	state_close(s);
	s = state_open(t, NULL); /* from the snapshot */
	expect_found(s, "a", "other", "h");
	expect_found(s, "b", NULL, NULL);
	assert_int_equal(s->results.found.len, 1 + 3);
	/* Nothing but b is asked for, and nothing that it was found to use. */
	h[0] = state_id(s, "h");
	h[1] = state_id(s, "deep/er/x");
	jl_results_set_found(&s->results, jl_results_find(&s->results, "b", 1), h, 2);
	keep_results[jl_results_find(&s->results, "b", 1)] = 1;
	assert_true(s->files.at.len <= sizeof(keep_files));
	assert_int_equal(jl_state_close(s, keep_files, keep_results, NULL), JL_OK);
	s = state_open(t, NULL);
	assert_int_equal(s->results.at.len, 1);
	expect_found(s, "b", "h", "deep/er/x");
	assert_int_equal(jl_files_find(&s->files, "other", 5), JL_NONE);
	/* No byte of the file may lead out of a table. */
	h[0] = 1000;
	jl_results_set_found(&s->results, 0, h, 1);
	assert_int_equal(jl_results_found(&s->results, 0, &n)[0], 1000);
	jl_state_plan_changed(s);
	state_close(s);
	s = state_open(t, NULL);
	assert_string_equal(s->why_empty, "it is damaged");
	state_close(s);
}



int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_run_that_changes_nothing_writes_nothing, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(first_open, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_one_starts_empty_and_is_replaced, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_newer_one_is_left_alone, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(indices_that_lie, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(tables_of_the_caller, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(packing, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(the_journal_grows_into_a_snapshot, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(every_failing_call, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(locking, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(golden_1, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(golden_2, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(lists_of_found_files, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
