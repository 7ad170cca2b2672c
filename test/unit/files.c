/* struct jl_files: digests that are those of the content, at the price of one stat. */
#include "state/files.h"

#include "base/file.h"
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

static void put(const struct tmpdir *t, const char *name, const char *text)
{
	tmpdir_write(t, name, text, strlen(text));
}

static void assert_digest(const struct jl_state *s, uint32_t id, const char *text)
{
	struct jl_digest want;

	jl_digest_bytes(text, strlen(text), &want);
	assert_true(jl_digest_equal(&jl_file_at(&s->files, id)->digest, &want));
}

static void digest(struct jl_state *s, uint32_t id)
{
	assert_int_equal(jl_files_digest(&s->files, id, NULL), JL_OK);
}

static uint32_t flags_of(const struct jl_state *s, uint32_t id)
{
	return jl_file_at(&s->files, id)->flags;
}

static void kinds_and_digests(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t file = state_id(s, "file"), link = state_id(s, "link"), gone = state_id(s, "no/such"), dir = state_id(s, ".");
	uint32_t fifo = state_id(s, "fifo");
	static const struct jl_digest none;

	put(t, "file", "content");
	assert_int_equal(symlinkat("to/nothing", t->fd, "link"), 0);
	assert_int_equal(mkfifoat(t->fd, "fifo", 0600), 0);
	digest(s, file);
	digest(s, link);
	digest(s, gone);
	digest(s, dir);
	digest(s, fifo);
	assert_int_equal(jl_file_kind(jl_file_at(&s->files, file)), JL_KIND_FILE);
	assert_digest(s, file, "content");
	assert_int_equal(jl_file_kind(jl_file_at(&s->files, link)), JL_KIND_LINK);
	assert_digest(s, link, "to/nothing");
	assert_int_equal(jl_file_kind(jl_file_at(&s->files, gone)), JL_KIND_ABSENT);
	assert_int_equal(jl_file_kind(jl_file_at(&s->files, dir)), JL_KIND_DIR);
	assert_int_equal(jl_file_kind(jl_file_at(&s->files, fifo)), JL_KIND_OTHER);
	assert_true(jl_digest_equal(&jl_file_at(&s->files, gone)->digest, &none));
	assert_true(jl_digest_equal(&jl_file_at(&s->files, fifo)->digest, &none));
	state_close(s);
}

static void folders_come_before_what_is_in_them(void **state)
{
	struct jl_state *s = state_open(*state, NULL);
	uint32_t c = state_id(s, "a/b/c"), up = state_id(s, "../x"), abs = state_id(s, "/usr/lib");

	assert_int_equal(state_id(s, "a/b/c"), c);
	assert_string_equal(jl_files_path(&s->files, jl_file_at(&s->files, c)->dir), "a/b");
	assert_string_equal(jl_files_path(&s->files, jl_file_at(&s->files, up)->dir), "..");
	assert_string_equal(jl_files_path(&s->files, jl_file_at(&s->files, abs)->dir), "/usr");
	for (uint32_t i = 0; i < s->files.at.len; i++) {
		const struct jl_file *e = jl_file_at(&s->files, i);

		assert_true(e->dir == JL_NONE || e->dir < i);
	}
	assert_int_equal(jl_files_find(&s->files, "a/b/d", 5), JL_NONE);
	/* A path that stands in the text table, which moves meanwhile. */
	for (int i = 0; i < 100; i++) {
		char text[64];
		uint32_t at;

		snprintf(text, sizeof(text), "p%d/q%d/r%d", i, i, i);
		at = jl_text_add(&s->text, text, strlen(text));
		at = jl_files_id(&s->files, jl_text(&s->text, at), strlen(text));
		assert_string_equal(jl_files_path(&s->files, at), text);
	}
	state_close(s);
}

/* S14 */
static void same_size_in_the_same_tick(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t id = state_id(s, "file");

	for (int i = 0; i < 2000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%08d", i);
		put(t, "file", text);
		jl_files_forget(&s->files, id, false);
		digest(s, id);
		assert_digest(s, id, text);
	}
	state_close(s);
	/* Also by the next run. */
	put(t, "file", "abcdefgh");
	s = state_open(t, NULL);
	id = state_id(s, "file");
	digest(s, id);
	assert_digest(s, id, "abcdefgh");
	state_close(s);
}

static void a_trusted_digest_costs_one_stat(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	struct fault_io io;
	uint32_t id;

	put(t, "file", "content");
	state_clock(s, LATER_NS);
	digest(s, state_id(s, "file"));
	state_close(s);
	fault_io_init(&io, 0, 0);
	s = state_open(t, &io.io);
	id = state_id(s, "file");
	io.calls = io.writes = 0;
	digest(s, id);
	digest(s, id);
	assert_int_equal(io.calls, 1);
	assert_digest(s, id, "content");
	assert_int_equal(s->files.hashes, 0);
	jl_files_forget(&s->files, id, false);
	digest(s, id);
	assert_int_equal(io.calls, 2);
	assert_int_equal(s->files.n_dirty, 0);
	state_close(s);
	assert_int_equal(io.writes, 0);
}

static void a_racy_digest_is_read_again_and_written_once(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t id = state_id(s, "file");

	put(t, "file", "content");
	state_clock(s, -LATER_NS);
	digest(s, id);
	assert_true(flags_of(s, id) & JL_FILE_RACY);
	state_close(s);

	/* Still too new: read again, nothing to write. */
	s = state_open(t, NULL);
	id = state_id(s, "file");
	state_clock(s, -LATER_NS);
	digest(s, id);
	assert_int_equal(s->files.hashes, 1);
	assert_int_equal(s->files.n_dirty, 0);
	state_close(s);

	s = state_open(t, NULL);
	id = state_id(s, "file");
	state_clock(s, LATER_NS);
	digest(s, id);
	assert_int_equal(s->files.hashes, 1);
	assert_int_equal(s->files.n_dirty, 1);
	assert_false(flags_of(s, id) & JL_FILE_RACY);
	state_close(s);

	s = state_open(t, NULL);
	digest(s, state_id(s, "file"));
	assert_int_equal(s->files.hashes, 0);
	state_close(s);
}

static void settling(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t kept = state_id(s, "kept"), edited = state_id(s, "edited"), gone = state_id(s, "gone"), dir;
	const char *list;
	uint32_t len;

	assert_int_equal(mkdirat(t->fd, "dir", 0777), 0);
	dir = state_id(s, "dir");
	put(t, "kept", "1");
	put(t, "edited", "1");
	put(t, "gone", "1");
	state_clock(s, -JL_NS_S); /* all racy for a second */
	digest(s, kept);
	digest(s, edited);
	digest(s, gone);
	assert_int_equal(jl_files_list(&s->files, dir, &list, &len, NULL), JL_OK);
	jl_files_set_made(&s->files, edited, true);
	assert_int_equal(jl_state_flush(s, NULL), JL_OK);
	s->files.hashes = 0;
	jl_files_settle(&s->files, 0);
	assert_int_equal(s->files.hashes, 0);
	assert_int_equal(s->files.n_dirty, 0);
	put(t, "edited", "2");
	assert_int_equal(unlinkat(t->fd, "gone", 0), 0);
	state_clock(s, LATER_NS);
	jl_files_settle(&s->files, 0);
	assert_int_equal(flags_of(s, kept) & JL_FILE_STORED, JL_FILE_DIGEST);
	assert_int_equal(flags_of(s, dir) & JL_FILE_STORED, JL_FILE_LIST);
	assert_digest(s, edited, "2");
	assert_false(flags_of(s, edited) & JL_FILE_MADE);
	assert_int_equal(jl_file_kind(jl_file_at(&s->files, gone)), JL_KIND_ABSENT);
	assert_int_equal(s->files.n_dirty, 4);
	assert_int_equal(s->files.racy.len, 0);
	/* Nothing is left to do. */
	s->files.stats = 0;
	jl_files_settle(&s->files, JL_FOREVER);
	assert_int_equal(s->files.stats, 0);
	state_close(s);
}

static void settling_waits_for_the_youngest(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t ids[1200];

	for (uint32_t i = 0; i < 1200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		put(t, name, name);
		ids[i] = state_id(s, name);
	}
	assert_int_equal(jl_files_digest_many(&s->files, ids, 1200, 2, NULL), JL_OK);
	jl_files_settle(&s->files, JL_FOREVER);
	for (uint32_t i = 0; i < 1200; i++)
		assert_int_equal(flags_of(s, ids[i]) & JL_FILE_STORED, JL_FILE_DIGEST);
	state_close(s);
}

static void a_stamp_of_the_future_holds_up_nothing(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t id = state_id(s, "file");

	put(t, "file", "1");
	state_clock(s, -1000 * JL_NS_S);
	digest(s, id);
	jl_files_settle(&s->files, JL_FOREVER);
	assert_true(flags_of(s, id) & JL_FILE_RACY);
	state_close(s);
}

static void made_stays_with_the_content(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t id = state_id(s, "file");
	struct jl_digest d;
	struct stat st;

	put(t, "file", "content");
	jl_digest_bytes("content", 7, &d);
	assert_int_equal(fstatat(t->fd, "file", &st, 0), 0);
	jl_files_set(&s->files, id, &st, &d, true);
	assert_int_equal(flags_of(s, id) & JL_FILE_STORED, JL_FILE_DIGEST | JL_FILE_RACY | JL_FILE_MADE);
	digest(s, id);
	assert_int_equal(s->files.hashes, 0);
	assert_int_equal(jl_state_flush(s, NULL), JL_OK);
	/* Another inode, the same content. */
	put(t, "new", "content");
	assert_int_equal(renameat(t->fd, "new", t->fd, "file"), 0);
	jl_files_forget(&s->files, id, false);
	digest(s, id);
	assert_int_equal(s->files.hashes, 1);
	assert_true(flags_of(s, id) & JL_FILE_MADE);
	assert_int_equal(s->files.n_dirty, 1);
	put(t, "file", "CONTENT");
	jl_files_forget(&s->files, id, false);
	digest(s, id);
	assert_false(flags_of(s, id) & JL_FILE_MADE);
	/* Deleted, then put back by somebody else. */
	assert_int_equal(fstatat(t->fd, "file", &st, 0), 0);
	jl_digest_bytes("CONTENT", 7, &d);
	jl_files_set(&s->files, id, &st, &d, true);
	assert_int_equal(unlinkat(t->fd, "file", 0), 0);
	jl_files_forget(&s->files, id, false);
	digest(s, id);
	assert_int_equal(flags_of(s, id) & JL_FILE_STORED, 0);
	put(t, "file", "CONTENT");
	jl_files_forget(&s->files, id, false);
	digest(s, id);
	assert_false(flags_of(s, id) & JL_FILE_MADE);
	state_close(s);
}

/* S14 its time was given to it and is before its last change: a write shows, however soon it comes. */
static void a_time_that_no_write_gives_is_trusted(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t id = state_id(s, "file");
	struct jl_digest d;
	struct stat st;

	put(t, "file", "content");
	jl_digest_bytes("content", 7, &d);
	assert_int_equal(fstatat(t->fd, "file", &st, 0), 0);
	jl_files_set(&s->files, id, &st, &d, true);
	jl_files_trust(&s->files, id);
	assert_true(flags_of(s, id) & JL_FILE_RACY);
	st.st_mtim.tv_sec--;
	assert_int_equal(utimensat(t->fd, "file", (struct timespec[2]){st.st_mtim, st.st_mtim}, 0), 0);
	assert_int_equal(fstatat(t->fd, "file", &st, 0), 0);
	jl_files_set(&s->files, id, &st, &d, true);
	jl_files_trust(&s->files, id);
	assert_int_equal(flags_of(s, id) & JL_FILE_STORED, JL_FILE_DIGEST | JL_FILE_MADE);
	jl_files_settle(&s->files, JL_FOREVER);
	assert_int_equal(s->files.hashes, 0);
	put(t, "file", "CONTENT");
	jl_files_forget(&s->files, id, false);
	digest(s, id);
	assert_int_equal(s->files.hashes, 1);
	assert_false(flags_of(s, id) & JL_FILE_MADE);
	state_close(s);
}

static void made_outlives_a_run_that_only_looked(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t id = state_id(s, "file");

	put(t, "file", "content");
	digest(s, id);
	jl_files_set_made(&s->files, id, true);
	state_close(s);
	put(t, "file", "edited");
	/* A stat alone, and a snapshot: the next run must still find out. */
	s = state_open(t, NULL);
	assert_int_equal(jl_files_stat(&s->files, state_id(s, "file"), NULL), JL_OK);
	jl_state_plan_changed(s);
	state_close(s);
	s = state_open(t, NULL);
	id = state_id(s, "file");
	digest(s, id);
	assert_digest(s, id, "edited");
	assert_false(flags_of(s, id) & JL_FILE_MADE);
	state_close(s);
}

static void forgetting(void **state)
{
	struct jl_state *s = state_open(*state, NULL);
	static const char *const paths[] = {"a/b/c", "a/b/d/e", "a/b/d/f", "a/x", "b/y"};
	static const char *const below[] = {"a/b/c", "a/b/d", "a/b/d/e", "a/b/d/f", "a/b/late"};
	uint32_t b;

	for (size_t i = 0; i < 5; i++)
		state_id(s, paths[i]);
	b = state_id(s, "a/b");
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < s->files.at.len; i++)
			assert_int_equal(jl_files_stat(&s->files, i, NULL), JL_OK);
		jl_files_forget(&s->files, b, true);
		for (size_t i = 0; i < (round ? 5 : 4); i++)
			assert_false(flags_of(s, state_id(s, below[i])) & JL_FILE_SEEN);
		assert_false(flags_of(s, b) & JL_FILE_SEEN);
		assert_false(flags_of(s, state_id(s, "a")) & JL_FILE_SEEN);
		assert_true(flags_of(s, state_id(s, "a/x")) & JL_FILE_SEEN);
		assert_true(flags_of(s, state_id(s, "b/y")) & JL_FILE_SEEN);
		state_id(s, "a/b/late");
	}
	jl_files_forget_all(&s->files);
	assert_false(flags_of(s, state_id(s, "b/y")) & JL_FILE_SEEN);
	state_close(s);
}

static void prefetching(void **state)
{
	struct tmpdir *t = *state;
	struct jl_state *s = state_open(t, NULL);
	uint32_t ids[5000], n = 0;

	for (int d = 0; d < 4; d++) {
		char name[32];

		snprintf(name, sizeof(name), "d%d", d);
		assert_int_equal(mkdirat(t->fd, name, 0777), 0);
		for (int i = 0; i < 600; i++) {
			snprintf(name, sizeof(name), "d%d/f%d", d, i);
			if (i % 3)
				put(t, name, name);
			ids[n++] = state_id(s, name);
		}
	}
	ids[n++] = state_id(s, "nothing/a");
	ids[n++] = state_id(s, "nothing/b");
	ids[n++] = state_id(s, "nothing/c");
	ids[n++] = state_id(s, ".");
	ids[n++] = state_id(s, "/");
	memcpy(ids + n, ids, n * sizeof(*ids));
	jl_files_prefetch(&s->files, ids, 2 * n, 2);
	assert_int_equal(s->files.stats, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct jl_file *e = jl_file_at(&s->files, ids[i]);
		struct stat st;
		bool there = fstatat(t->fd, jl_files_path(&s->files, ids[i]), &st, AT_SYMLINK_NOFOLLOW) == 0;

		assert_true(e->flags & JL_FILE_SEEN);
		assert_int_equal(e->stamp.ino, there ? st.st_ino : 0);
	}
	jl_files_prefetch(&s->files, ids, 2 * n, 2);
	assert_int_equal(s->files.stats, n);
	state_close(s);
}

static void a_failed_stat_is_told_by_the_single_look(void **state)
{
	struct tmpdir *t = *state;
	struct jl_err err = JL_ERR_INIT;
	struct jl_state *s;
	struct fault_io io;
	uint32_t id;

	fault_io_init(&io, 0, EIO);
	s = state_open(t, &io.io);
	id = state_id(s, "file");
	put(t, "file", "x");
	io.ops = FAULT_STAT;
	io.sticky = true;
	io.fail_at = io.calls + 1;
	jl_files_prefetch(&s->files, &id, 1, 2);
	assert_false(flags_of(s, id) & JL_FILE_SEEN);
	assert_int_equal(jl_files_digest(&s->files, id, &err), JL_EIO);
	assert_non_null(strstr(err.text, "\"file\""));
	io.fail_at = 0;
	digest(s, id);
	assert_digest(s, id, "x");
	state_close(s);
}

static void many_digests(void **state)
{
	struct tmpdir *t = *state;
	struct jl_err err = JL_ERR_INIT;
	struct jl_state *s = state_open(t, NULL);
	uint32_t ids[300];

	for (uint32_t i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i % 150);
		put(t, name, name);
		ids[i] = state_id(s, name);
	}
	assert_int_equal(jl_files_digest_many(&s->files, ids, 300, 2, &err), JL_OK);
	assert_int_equal(s->files.hashes, 150);
	for (uint32_t i = 0; i < 300; i++)
		assert_digest(s, ids[i], jl_files_path(&s->files, ids[i]));
	jl_files_forget_all(&s->files);
	/* One that cannot be read: told, and the others are hashed all the same. */
	assert_int_equal(symlinkat("loop", t->fd, "loop"), 0);
	ids[7] = state_id(s, "loop/x");
	put(t, "f9", "new");
	assert_int_equal(jl_files_digest_many(&s->files, ids, 300, 2, &err), JL_EIO);
	assert_non_null(strstr(err.text, "loop/x"));
	assert_digest(s, ids[9], "new");
	state_close(s);
}

static ssize_t restless_pread(const struct jl_io *io, int fd, void *data, size_t len, off_t at)
{
	const struct tmpdir *t = io->ctx;
	ssize_t n = jl_io_system.pread(io, fd, data, len, at);
	int out = openat(t->fd, "file", O_WRONLY | O_APPEND);

	assert_true(out >= 0);
	assert_int_equal(write(out, "more", 4), 4);
	close(out);
	return n;
}

static void a_file_that_changes_while_it_is_read(void **state)
{
	struct tmpdir *t = *state;
	struct jl_err err = JL_ERR_INIT;
	struct jl_io io = jl_io_system;
	struct jl_state *s;
	uint32_t id;

	put(t, "file", "some");
	io.pread = restless_pread;
	io.ctx = t;
	s = state_open(t, &io);
	id = state_id(s, "file");
	assert_int_equal(jl_files_digest(&s->files, id, &err), JL_ECHANGED);
	assert_false(flags_of(s, id) & (JL_FILE_DIGEST | JL_FILE_SEEN));
	io.pread = jl_io_system.pread;
	digest(s, id);
	assert_true(flags_of(s, id) & JL_FILE_DIGEST);
	state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kinds_and_digests, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(folders_come_before_what_is_in_them, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(same_size_in_the_same_tick, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_trusted_digest_costs_one_stat, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_racy_digest_is_read_again_and_written_once, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(settling, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(settling_waits_for_the_youngest, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_stamp_of_the_future_holds_up_nothing, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(made_stays_with_the_content, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_time_that_no_write_gives_is_trusted, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(made_outlives_a_run_that_only_looked, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(forgetting, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(prefetching, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_failed_stat_is_told_by_the_single_look, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(many_digests, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_file_that_changes_while_it_is_read, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
