/* The journal: what was appended comes back up to the first byte that does not check. */
#include "state/journal.h"

#include "fault_io.h"
#include "state/format.h"
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

#define FILES 4
#define RESULTS 3

/* A workspace whose journal holds FILES files, a folder's listing and RESULTS results, and no snapshot. */
static void make_journal(const struct tmpdir *t)
{
	struct jl_state *s = state_open(t, NULL);
	const char *list;
	uint32_t len;

	state_clock(s, LATER_NS);
	assert_int_equal(mkdirat(t->fd, "d", 0777), 0);
	for (int i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d/f%d", i);
		tmpdir_write(t, name, name, strlen(name));
		assert_int_equal(jl_files_digest(&s->files, state_id(s, name), NULL), JL_OK);
	}
	assert_int_equal(jl_files_list(&s->files, state_id(s, "d"), &list, &len, NULL), JL_OK);
	for (int i = 0; i < RESULTS; i++) {
		char label[16];
		uint32_t id;

		snprintf(label, sizeof(label), "step%d", i);
		id = jl_results_id(&s->results, label, 5);
		jl_digest_bytes(label, 5, &jl_result_at(&s->results, id)->key);
		jl_result_at(&s->results, id)->flags |= JL_RESULT_OK;
		jl_results_touch(&s->results, id);
	}
	state_close(s);
}

/* All that the state knows is right; how many entries it knows. */
static unsigned check(struct jl_state *s)
{
	unsigned n = 0;
	uint32_t d;

	for (int i = 0; i < FILES; i++) {
		struct jl_digest want;
		char name[16];
		uint32_t id;

		snprintf(name, sizeof(name), "d/f%d", i);
		id = jl_files_find(&s->files, name, strlen(name));
		if (id == JL_NONE)
			continue;
		jl_digest_bytes(name, strlen(name), &want);
		assert_int_equal(jl_file_at(&s->files, id)->flags, JL_FILE_DIGEST);
		assert_true(jl_digest_equal(&jl_file_at(&s->files, id)->digest, &want));
		n++;
	}
	d = jl_files_find(&s->files, "d", 1);
	if (d != JL_NONE && jl_file_at(&s->files, d)->flags) {
		const struct jl_file *e = jl_file_at(&s->files, d);

		assert_int_equal(e->flags, JL_FILE_LIST);
		assert_int_equal(e->list_len, FILES * 4);
		assert_memory_equal(JL_AT(s->files.lists, char, e->list), "\1f0\0\1f1\0\1f2\0\1f3", FILES * 4);
		n++;
	}
	for (int i = 0; i < RESULTS; i++) {
		struct jl_digest want;
		char label[16];
		uint32_t id;

		snprintf(label, sizeof(label), "step%d", i);
		id = jl_results_find(&s->results, label, 5);
		if (id == JL_NONE)
			continue;
		jl_digest_bytes(label, 5, &want);
		assert_int_equal(jl_result_at(&s->results, id)->flags, JL_RESULT_OK);
		assert_true(jl_digest_equal(&jl_result_at(&s->results, id)->key, &want));
		n++;
	}
	return n;
}

static void every_flipped_byte_and_every_length(void **state)
{
	struct tmpdir *t = *state;
	unsigned known, last = 0;
	struct jl_state *s;
	size_t len;
	char *all;

	make_journal(t);
	all = state_slurp(t, ".jl/journal", &len);
	for (size_t i = 0; i <= len; i++) {
		tmpdir_write(t, ".jl/journal", all, i);
		s = state_open(t, NULL);
		known = check(s);
		assert_true(known >= last && known <= last + 1);
		last = known;
		jl_state_drop(s);
	}
	assert_int_equal(last, FILES + RESULTS + 1);
	for (size_t i = 0; i < len; i++) {
		all[i] ^= 0x10;
		tmpdir_write(t, ".jl/journal", all, len);
		s = state_open(t, NULL);
		assert_true(check(s) < last);
		jl_state_drop(s);
		all[i] ^= 0x10;
	}
	free(all);
}

/* S03 */
static void a_torn_tail_is_cut_and_the_next_run_goes_on(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s;
	size_t len, now;
	char *all;
	uint32_t id;

	make_journal(t);
	all = state_slurp(t, ".jl/journal", &len);
	tmpdir_write(t, ".jl/journal", all, len - 1);
	free(all);
	s = state_open(t, NULL);
	assert_int_equal(check(s), FILES + RESULTS);
	id = jl_results_id(&s->results, "later", 5);
	jl_results_touch(&s->results, id);
	state_close(s);
	s = state_open(t, NULL);
	assert_int_equal(check(s), FILES + RESULTS);
	assert_int_not_equal(jl_results_find(&s->results, "later", 5), JL_NONE);
	all = state_slurp(t, ".jl/journal", &now);
	assert_int_equal(s->journal_bytes, now);
	free(all);
	state_close(s);
}

static void of_another_generation(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s;
	size_t len;
	char *all;

	make_journal(t);
	all = state_slurp(t, ".jl/journal", &len);
	s = state_open(t, NULL);
	jl_state_plan_changed(s);
	state_close(s);
	/* The snapshot has it all, and the journal is gone. It comes back, as after a crash between the two. */
	assert_int_equal(faccessat(t->fd, ".jl/journal", F_OK, 0), -1);
	tmpdir_write(t, ".jl/journal", all, len);
	s = state_open(t, NULL);
	assert_int_equal(s->journal_bytes, 0);
	assert_int_equal(check(s), FILES + RESULTS + 1);
	jl_results_touch(&s->results, jl_results_id(&s->results, "later", 5));
	state_close(s);
	s = state_open(t, NULL);
	assert_int_not_equal(jl_results_find(&s->results, "later", 5), JL_NONE);
	assert_true(s->journal_bytes > 0 && s->journal_bytes < len);
	state_close(s);
	free(all);
}

static void a_newer_one_is_left_alone(void **state)
{
	struct tmpdir *t = *state;
	struct jl_format f = jl_format_make("jljourn\n");
	struct jl_err err = JL_ERR_INIT;
	struct jl_state *s = NULL;
	size_t len;
	char *all;

	f.version++;
	f.sum = jl_hash64(&f, 16);
	assert_int_equal(mkdirat(t->fd, ".jl", 0777), 0);
	tmpdir_write(t, ".jl/journal", "", 0);
	all = jl_calloc(1, 100);
	memcpy(all, &f, sizeof(f));
	tmpdir_write(t, ".jl/journal", all, 100);
	free(all);
	assert_int_equal(jl_state_open(&jl_io_system, t->path, false, NULL, 0, &s, &err), JL_EUNSUPPORTED);
	assert_null(s);
	all = state_slurp(t, ".jl/journal", &len);
	assert_int_equal(len, 100);
	free(all);
}

/* Frames that check but hold what no table could. */
static void frames_that_lie(void **state)
{
	struct tmpdir *t = *state;
	static const struct {
		const char *path;
		uint32_t len, flags;
		const char *list;
		uint32_t list_len;
	} lies[] = {
		{"", 0, 0, NULL, 0},
		{"a\0b", 3, 0, NULL, 0},
		{"a", 1, JL_FILE_SEEN, NULL, 0},
		{"a", 1, JL_FILE_LIST, "\1x", 2},    /* no NUL */
		{"a", 1, JL_FILE_LIST, "\1x\0\1", 4}, /* no name */
		{"a", 1, JL_FILE_LIST, "\1\0", 2},   /* an empty name */
		{"a", 1, JL_FILE_LIST, "\7x\0", 3},  /* no such kind */
		{"a", 1, JL_FILE_LIST, NULL, 0},     /* no listing at all */
	};

	assert_int_equal(mkdirat(t->fd, ".jl", 0777), 0);
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct jl_buf b = JL_BUF_INIT, p = JL_BUF_INIT;
		static const char zeros[8 * 5 + 4 + 33];
		struct jl_state *s;

		jl_buf_u8(&p, 1);
		jl_buf_bytes(&p, lies[i].path, lies[i].len);
		jl_buf_u32(&p, lies[i].flags);
		jl_buf_add(&p, zeros, sizeof(zeros));
		if (lies[i].list)
			jl_buf_bytes(&p, lies[i].list, lies[i].list_len);
		jl_journal_begin(&b, 0);
		jl_buf_u32(&b, (uint32_t)p.len);
		jl_buf_u64(&b, jl_hash64(p.data, p.len));
		jl_buf_add(&b, p.data, p.len);
		tmpdir_write(t, ".jl/journal", b.data, b.len);
		s = state_open(t, NULL);
		assert_int_equal(s->files.at.len, 0);
		assert_int_equal(s->journal_bytes, b.len - p.len - 12);
		jl_state_drop(s);
		jl_buf_release(&b);
		jl_buf_release(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_flipped_byte_and_every_length, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_torn_tail_is_cut_and_the_next_run_goes_on, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(of_another_generation, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_newer_one_is_left_alone, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(frames_that_lie, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
