/* What the remotes were good for, kept beside the results: sums, damage, a file that has grown long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/traffic.h"
#include "tmpdir.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY 128

static void note(const struct tmpdir *dir, const char *name, uint64_t hits)
{
	struct jl_traffic t = {.hits = hits, .bytes_in = hits * 1000};

	memcpy(t.name, name, strnlen(name, JL_TRAFFIC_NAME));
	jl_traffic_note(&jl_io_system, dir->path, &t, 1);
}

static struct jl_table sums(const struct tmpdir *dir)
{
	struct jl_table all = JL_TABLE_INIT(struct jl_traffic);

	assert_int_equal(jl_traffic_sums(&jl_io_system, dir->path, &all, NULL), JL_OK);
	return all;
}

static uint64_t hits_of(const struct tmpdir *dir, const char *name)
{
	struct jl_table all = sums(dir);
	uint64_t hits = 0;

	for (uint32_t i = 0; i < all.len; i++)
		if (strcmp(JL_AT(all, struct jl_traffic, i)->name, name) == 0)
			hits += JL_AT(all, struct jl_traffic, i)->hits;
	jl_table_release(&all);
	return hits;
}

static off_t size_of(const struct tmpdir *dir)
{
	struct stat st;

	assert_int_equal(fstatat(dir->fd, "remotes", &st, 0), 0);
	return st.st_size;
}

static void runs_are_summed_up(void **state)
{
	const struct tmpdir *dir = *state;
	struct jl_traffic both[2] = {{.name = "b", .hits = 1, .waited_ms = 5}, {.name = "a", .refused = 2}};
	struct jl_table all = sums(dir);

	assert_int_equal(all.len, 0);
	jl_traffic_note(&jl_io_system, dir->path, both, 2);
	jl_traffic_note(&jl_io_system, dir->path, both, 2);
	jl_traffic_note(&jl_io_system, dir->path, both, 0);
	all = sums(dir);
	assert_int_equal(all.len, 2);
	assert_string_equal(JL_AT(all, struct jl_traffic, 0)->name, "a");
	assert_int_equal(JL_AT(all, struct jl_traffic, 0)->refused, 4);
	assert_int_equal(JL_AT(all, struct jl_traffic, 1)->waited_ms, 10);
	assert_int_equal(size_of(dir), 4 * ENTRY);
	jl_table_release(&all);
}

static void a_long_name_is_cut(void **state)
{
	struct jl_table all;
	char name[60];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	note(*state, name, 1);
	all = sums(*state);
	assert_int_equal(strlen(JL_AT(all, struct jl_traffic, 0)->name), JL_TRAFFIC_NAME);
	jl_table_release(&all);
}

/* A flipped byte costs its entry; a piece of one, which a full disk left, nothing. */
static void damage_costs_what_is_damaged(void **state)
{
	const struct tmpdir *dir = *state;
	int fd;

	assert_int_equal(mkdirat(dir->fd, "tmp", 0700), 0);
	for (int i = 0; i < 3; i++)
		note(dir, "ci", 10);
	fd = openat(dir->fd, "remotes", O_WRONLY);
	assert_true(pwrite(fd, "X", 1, ENTRY + 60) == 1);
	assert_int_equal(hits_of(dir, "ci"), 20);
	assert_int_equal(ftruncate(fd, 3 * ENTRY - 50), 0);
	close(fd);
	assert_int_equal(hits_of(dir, "ci"), 10);
	note(dir, "ci", 5);
	assert_int_equal(hits_of(dir, "ci"), 15);
	assert_int_equal(size_of(dir), 2 * ENTRY);
}

static void it_does_not_grow_for_ever(void **state)
{
	const struct tmpdir *dir = *state;

	assert_int_equal(mkdirat(dir->fd, "tmp", 0700), 0);
	for (int i = 0; i < 1200; i++)
		note(dir, i % 2 ? "a" : "b", 1);
	assert_true(size_of(dir) <= 520 * ENTRY);
	assert_int_equal(hits_of(dir, "a"), 600);
	assert_int_equal(hits_of(dir, "b"), 600);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(runs_are_summed_up),
		IN_FOLDER(a_long_name_is_cut),
		IN_FOLDER(damage_costs_what_is_damaged),
		IN_FOLDER(it_does_not_grow_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
