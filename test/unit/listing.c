/* struct jl_files: listings, globs and trees. */
#include "fault_io.h"
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

static void dir(const struct tmpdir *t, const char *name)
{
	assert_int_equal(mkdirat(t->fd, name, 0777), 0);
}

/* "fNAME dNAME ..." */
static void assert_list(struct jl_state *s, const char *path, const char *want)
{
	char got[4096] = "";
	const char *p;
	uint32_t len;

	assert_int_equal(jl_files_list(&s->files, state_id(s, path), &p, &len, NULL), JL_OK);
	for (const char *end = p + len; p < end; p += strlen(p) + 1) {
		size_t at = strlen(got);

		snprintf(got + at, sizeof(got) - at, "%s%c%s", at ? " " : "", "afdlo"[(int)*p], p + 1);
	}
	assert_string_equal(got, want);
}

static void assert_paths(struct jl_state *s, const struct jl_table *ids, const char *want)
{
	char got[4096] = "";

	for (uint32_t i = 0; i < ids->len; i++) {
		size_t at = strlen(got);

		snprintf(got + at, sizeof(got) - at, "%s%s", at ? " " : "", jl_files_path(&s->files, *JL_AT(*ids, uint32_t, i)));
	}
	assert_string_equal(got, want);
}

static void assert_glob(struct jl_state *s, const char *pattern, const char *want)
{
	struct jl_table ids = JL_TABLE_INIT(uint32_t);

	assert_int_equal(jl_files_glob(&s->files, pattern, &ids, NULL), JL_OK);
	assert_paths(s, &ids, want);
	jl_table_release(&ids);
}

static void listing(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	const char *list;
	uint32_t len;

	dir(t, "d");
	assert_list(s, "d", "");
	put(t, "d/b");
	put(t, "d/a.x");
	put(t, "d/\xff");
	dir(t, "d/a");
	assert_int_equal(symlinkat("x", t->fd, "d/l"), 0);
	assert_int_equal(mkfifoat(t->fd, "d/o", 0600), 0);
	assert_list(s, "d", ""); /* seen already */
	jl_files_forget(&s->files, state_id(s, "d/b"), false);
	assert_list(s, "d", "da fa.x fb ll oo f\xff");
	assert_int_equal(jl_files_list(&s->files, state_id(s, "d/b"), &list, &len, NULL), JL_ENOTFOUND);
	assert_int_equal(jl_files_list(&s->files, state_id(s, "d/none"), &list, &len, NULL), JL_ENOTFOUND);
	state_close(s);
}

static void a_cached_listing_costs_one_stat(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	struct fault_io io;

	dir(t, "d");
	put(t, "d/f");
	state_clock(s, LATER_NS);
	assert_list(s, "d", "ff");
	state_close(s);
	for (int i = 0; i < 2; i++) { /* from the journal, then from a snapshot */
		fault_io_init(&io, 0, 0);
		s = state_open(t, &io.io);
		io.calls = 0;
		assert_list(s, "d", "ff");
		assert_glob(s, "d/*", "d/f");
		assert_int_equal(io.calls, 1);
		jl_state_plan_changed(s);
		state_close(s);
	}
	put(t, "d/g");
	s = state_open(t, NULL);
	assert_list(s, "d", "ff fg");
	state_close(s);
}

static void many_lists_regain_their_room(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);

	dir(t, "d");
	for (int i = 0; i < 50; i++) {
		char name[16];
		const char *list;
		uint32_t len;

		snprintf(name, sizeof(name), "d/%d", i);
		put(t, name);
		jl_files_forget(&s->files, state_id(s, name), false);
		assert_int_equal(jl_files_list(&s->files, state_id(s, "d"), &list, &len, NULL), JL_OK);
	}
	jl_state_plan_changed(s);
	state_close(s);
	s = state_open(t, NULL);
	assert_int_equal(s->files.lists.len, jl_file_at(&s->files, state_id(s, "d"))->list_len);
	state_close(s);
}

static void globbing(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s;

	dir(t, ".jl");
	dir(t, "a");
	dir(t, "a/sub");
	dir(t, "a/.hid");
	dir(t, "a/.git");
	dir(t, "real");
	dir(t, "real/in");
	put(t, "a.c");
	put(t, "a/1.c");
	put(t, "a/2.h");
	put(t, "a/.c");
	put(t, "a/.git/x.c");
	put(t, "a/.hid/h.c");
	put(t, "a/sub/3.c");
	put(t, "a/st*r.c");
	put(t, "real/r.c");
	put(t, "real/in/deep.c");
	put(t, ".jl/j.c");
	assert_int_equal(symlinkat("real", t->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", t->fd, "a/dead.c"), 0);
	s = state_open(t, NULL);
	assert_glob(s, "*.c", "a.c");
	{
		struct jl_table ids = JL_TABLE_INIT(uint32_t);

		s->files.glob_max = 2;
		assert_int_equal(jl_files_glob(&s->files, "a/*.c", &ids, NULL), JL_ELIMIT);
		assert_int_equal(jl_files_glob(&s->files, "a/*.h", &ids, NULL), JL_OK);
		s->files.glob_max = 0;
		jl_table_release(&ids);
	}
	assert_glob(s, "a/*.c", "a/1.c a/dead.c a/st*r.c");
	assert_glob(s, "a/?.[!h]", "a/1.c");
	assert_glob(s, "a/st\\*r.c", "a/st*r.c");
	assert_glob(s, "a/1.c", "a/1.c");
	assert_glob(s, "a/none.c", "");
	assert_glob(s, "none/*.c", "");
	assert_glob(s, "a/.*", "a/.c");
	assert_glob(s, "**/*.c", "a.c a/1.c a/dead.c a/st*r.c a/sub/3.c real/in/deep.c real/r.c");
	assert_glob(s, "**/**/sub/**/*.c", "a/sub/3.c");
	assert_glob(s, "a/**", "a/1.c a/2.h a/dead.c a/st*r.c a/sub/3.c");
	assert_glob(s, "*/", "a real");
	assert_glob(s, "**/", "a a/sub real real/in");
	assert_glob(s, "a/.hid/*.c", "a/.hid/h.c");
	assert_glob(s, ".jl/*", "");
	/* A link to a folder: by name and by star, not by `**`. */
	assert_glob(s, "link/*.c", "link/r.c");
	assert_glob(s, "link/in/*.c", "link/in/deep.c");
	assert_glob(s, "l*/*.c", "link/r.c");
	state_close(s);
}

static void a_glob_lists_only_what_it_can_reach(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s;
	char pattern[400];

	dir(t, "a");
	dir(t, "a/b");
	dir(t, "z");
	put(t, "a/b/f");
	s = state_open(t, NULL);
	assert_glob(s, "a/b/*", "a/b/f");
	assert_false(jl_file_at(&s->files, state_id(s, "."))->flags & JL_FILE_LIST);
	assert_false(jl_file_at(&s->files, state_id(s, "a"))->flags & JL_FILE_LIST);
	assert_glob(s, "a/*/f", "a/b/f");
	assert_int_equal(jl_files_find(&s->files, "z", 1), JL_NONE);
	snprintf(pattern, sizeof(pattern), "%s/*", t->path);
	assert_glob(s, pattern, "");
	snprintf(pattern, sizeof(pattern), "%s/a/b/*", t->path);
	{
		char want[400];

		snprintf(want, sizeof(want), "%s/a/b/f", t->path);
		assert_glob(s, pattern, want);
	}
	memset(pattern, 0, sizeof(pattern));
	for (int i = 0; i < 64; i++)
		memcpy(pattern + 2 * i, "*/", 2);
	{
		struct jl_table ids = JL_TABLE_INIT(uint32_t);

		assert_int_equal(jl_files_glob(&s->files, pattern, &ids, NULL), JL_EINVAL);
	}
	state_close(s);
}

static void trees(void **state)
{
	struct tmpdir *t = *state;
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	struct jl_state *s;

	dir(t, "d");
	dir(t, "d/a");
	dir(t, "d/e");
	put(t, "d/a/x");
	put(t, "d/a.b");
	put(t, "d/.dot");
	dir(t, "d/.git");
	assert_int_equal(symlinkat("d", t->fd, "d/loop"), 0);
	s = state_open(t, NULL);
	assert_int_equal(jl_files_tree(&s->files, state_id(s, "d"), &ids, NULL), JL_OK);
	assert_paths(s, &ids, "d/.dot d/.git d/a d/a.b d/a/x d/e d/loop");
	ids.len = 0;
	assert_int_equal(jl_files_tree(&s->files, state_id(s, "none"), &ids, NULL), JL_OK);
	assert_int_equal(jl_files_tree(&s->files, state_id(s, "d/a/x"), &ids, NULL), JL_OK);
	assert_int_equal(ids.len, 0);
	assert_int_equal(jl_files_tree(&s->files, state_id(s, "."), &ids, NULL), JL_OK);
	assert_paths(s, &ids, "d d/.dot d/.git d/a d/a.b d/a/x d/e d/loop");
	jl_table_release(&ids);
	state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listing, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_cached_listing_costs_one_stat, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(many_lists_regain_their_room, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(globbing, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_glob_lists_only_what_it_can_reach, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(trees, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
