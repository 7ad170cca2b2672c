/* Folders of jobs: one that was used is given out again only if nothing tells it from a new one. */
#include "agent/folder.h"

#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct jl_folders folders;
static int run_fd;

static int set_up(void **state)
{
	int r = tmpdir_setup(state);
	run_fd = ((struct tmpdir *)*state)->fd;
	jl_folders_init(&folders, run_fd);
	return r;
}

static int tear_down(void **state)
{
	jl_folders_release(&folders);
	return tmpdir_teardown(state);
}

static void needs_proof(void)
{
	if (!folders.stamps_count || folders.children_fd < 0)
		skip(); /* nothing is ever kept on such a system */
}

/* Until the clock of stamps has gone past what this one has. */
static int64_t rest(const struct jl_folder *one)
{
	int64_t now = jl_folders_now();
	for (int part = 0; part < JL_FOLDER_PARTS; part++)
		while (now <= one->stamps[part].changed_ns)
			now = jl_folders_now();
	return now;
}

static struct jl_folder *take(void)
{
	struct jl_folder *one;
	struct jl_err err = JL_ERR_INIT;
	if (jl_folders_take(&folders, &one, &err) != JL_OK)
		fail_msg("%s", err.text);
	return one;
}

static const char *at(const struct jl_folder *one, const char *below)
{
	static char path[64];
	snprintf(path, sizeof(path), "%s/%s", one->name, below);
	return path;
}

static ino_t inode(const struct jl_folder *one, const char *below)
{
	struct stat st;
	assert_int_equal(fstatat(run_fd, at(one, below), &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

static void write_in(const struct jl_folder *one, const char *below)
{
	int fd = openat(run_fd, at(one, below), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool is_new(const struct tmpdir *t, const struct jl_folder *one)
{
	struct stat st;
	char name[64];
	bool ok = fstatat(run_fd, at(one, "w"), &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & 0700) == 0700;
	snprintf(name, sizeof(name), "%s", one->name);
	ok &= tmpdir_count(t, name) == 2 && tmpdir_count(t, at(one, "w")) == 0 && tmpdir_count(t, at(one, "tmp")) == 0;
	return ok;
}

static void test_untouched_is_used_again(void **state)
{
	needs_proof();
	struct jl_folder *one = take();
	assert_true(is_new(*state, one));
	ino_t was = inode(one, "w");
	for (int i = 0; i < 3; i++) {
		jl_folders_give(&folders, one, true, false, rest(one));
		assert_ptr_equal(take(), one);
		assert_true(inode(one, "w") == was);
		assert_true(is_new(*state, one));
	}
	jl_folders_give(&folders, one, true, false, rest(one));
}

/* What is done within a tick of the clock leaves no stamp of its own on older systems. */
static void test_young_is_made_anew(void **state)
{
	needs_proof();
	struct jl_folder *one = take();
	char name[24];
	memcpy(name, one->name, sizeof(name));
	jl_folders_give(&folders, one, true, false, one->stamps[JL_FOLDER_ITSELF].changed_ns);
	rest(one);
	one = take();
	assert_string_not_equal(one->name, name);
	assert_true(is_new(*state, one));
	jl_folders_give(&folders, one, true, false, rest(one));
}

static void change_nothing(const struct jl_folder *one) { (void)one; }
static void change_work(const struct jl_folder *one) { write_in(one, "w/x"); }
static void change_tmp(const struct jl_folder *one) { write_in(one, "tmp/x"); }
static void change_above(const struct jl_folder *one) { write_in(one, "x"); }
static void change_mode(const struct jl_folder *one) { assert_int_equal(fchmodat(run_fd, at(one, "w"), 0500, 0), 0); }
static void change_and_back(const struct jl_folder *one)
{
	write_in(one, "w/x");
	assert_int_equal(unlinkat(run_fd, at(one, "w/x"), 0), 0);
}
static void remove_work(const struct jl_folder *one) { assert_int_equal(unlinkat(run_fd, at(one, "w"), AT_REMOVEDIR), 0); }
static void deep(const struct jl_folder *one)
{
	assert_int_equal(mkdirat(run_fd, at(one, "w/d"), 0700), 0);
	write_in(one, "w/d/x");
	assert_int_equal(fchmodat(run_fd, at(one, "w/d"), 0500, 0), 0);
}

/* Nothing of it is seen by the next, and what was touched is another than before. */
static void test_what_was_touched_is_made_anew(void **state)
{
	static const struct {
		void (*change)(const struct jl_folder *one);
		bool written, same_work, same_tmp;
	} cases[] = {
		{change_nothing, true, false, true}, {change_work, false, false, true}, {change_tmp, false, true, false},
		{change_above, false, false, false}, {change_mode, false, false, true}, {change_and_back, false, false, true},
		{remove_work, false, false, false},  {deep, false, false, true},
	};
	needs_proof();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jl_folder *one = take();
		char name[24];
		ino_t work = inode(one, "w"), tmp = inode(one, "tmp");
		memcpy(name, one->name, sizeof(name));
		int64_t began = rest(one);
		cases[i].change(one);
		jl_folders_give(&folders, one, true, cases[i].written, began);
		rest(one);
		one = take();
		assert_true(is_new(*state, one));
		if (cases[i].same_work)
			assert_true(inode(one, "w") == work);
		if (cases[i].same_tmp)
			assert_true(inode(one, "tmp") == tmp && strcmp(one->name, name) == 0);
		if (!cases[i].same_work && !cases[i].same_tmp)
			assert_string_not_equal(one->name, name);
		jl_folders_give(&folders, one, true, false, rest(one));
		assert_int_equal(tmpdir_count(*state, "."), 1);
	}
}

static void test_nobody_is_left(void **state)
{
	(void)state;
	int ends[2];
	char byte;
	if (folders.children_fd < 0)
		skip();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(jl_folders_alone(&folders, NULL, 0));
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	pid_t others[] = {1, pid};
	assert_false(jl_folders_alone(&folders, NULL, 0));
	assert_false(jl_folders_alone(&folders, others, 1));
	assert_true(jl_folders_alone(&folders, others, 2));
	close(ends[1]);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(jl_folders_alone(&folders, NULL, 0));
}

/* Whoever is left may still write to where he was: not into what others get. */
static void test_not_alone(void **state)
{
	needs_proof();
	struct jl_folder *one = take();
	char name[24];
	memcpy(name, one->name, sizeof(name));
	int old = openat(run_fd, at(one, "w"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	jl_folders_give(&folders, one, false, false, rest(one));
	assert_int_equal(openat(old, "late", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, ENOENT);
	close(old);
	rest(one);
	one = take();
	assert_string_not_equal(one->name, name);
	assert_true(is_new(*state, one));
	jl_folders_give(&folders, one, true, false, rest(one));
}

/* More than a few are not kept, and nothing is where nothing can be proven. */
static void test_bounds(void **state)
{
	struct jl_folder *many[100];
	for (size_t i = 0; i < 100; i++)
		many[i] = take();
	for (size_t i = 0; i < 100; i++)
		jl_folders_give(&folders, many[i], true, false, rest(many[i]));
	assert_true(tmpdir_count(*state, ".") <= 64);
	assert_int_equal(tmpdir_count(*state, "."), folders.n_spare);
	folders.stamps_count = false;
	struct jl_folder *one = take();
	unsigned before = tmpdir_count(*state, ".");
	jl_folders_give(&folders, one, true, false, rest(one));
	assert_int_equal(tmpdir_count(*state, "."), before - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_untouched_is_used_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_young_is_made_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_touched_is_made_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
