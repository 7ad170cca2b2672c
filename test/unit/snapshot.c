/* The snapshot file: what was written comes back, or nothing does. */
#include "state/snapshot.h"

#include "fault_io.h"
#include "state/format.h"
#include "state_help.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define N 3

struct set {
	struct jl_table a, b, c;
	struct jl_snapshot_table tables[N];
};

static void set_init(struct set *s)
{
	s->a = (struct jl_table)JL_TABLE_INIT(char);
	s->b = (struct jl_table)JL_TABLE_INIT(uint64_t);
	s->c = (struct jl_table)JL_TABLE_INIT(uint32_t);
	s->tables[0] = (struct jl_snapshot_table){"aaaa", &s->a};
	s->tables[1] = (struct jl_snapshot_table){"bbbb", &s->b};
	s->tables[2] = (struct jl_snapshot_table){"cccc", &s->c};
}

static void set_fill(struct set *s, uint32_t n)
{
	set_init(s);
	for (uint32_t i = 0; i < n; i++) {
		*(char *)jl_table_add(&s->a, 1) = (char)i;
		*(uint64_t *)jl_table_add(&s->b, 1) = i * UINT64_C(0x9e3779b97f4a7c15);
	}
}

static void set_release(struct set *s)
{
	for (int i = 0; i < N; i++)
		jl_table_release(s->tables[i].table);
}

static void assert_same(const struct set *x, const struct set *y)
{
	for (int i = 0; i < N; i++) {
		const struct jl_table *a = x->tables[i].table, *b = y->tables[i].table;

		assert_int_equal(a->len, b->len);
		if (a->len)
			assert_memory_equal(a->data, b->data, (size_t)a->len * a->size);
	}
}

static int read_set(const struct tmpdir *t, const struct jl_io *io, struct set *s, struct jl_snapshot_info *info)
{
	int r;

	set_init(s);
	r = jl_snapshot_read(io, t->fd, "snap", s->tables, N, 2, info, NULL);
	for (int i = 0; r != JL_OK && i < N; i++)
		assert_int_equal(s->tables[i].table->len, 0);
	return r;
}

static void write_set(const struct tmpdir *t, struct set *s, uint64_t generation)
{
	uint64_t bytes;

	assert_int_equal(jl_snapshot_write(&jl_io_system, t->fd, "snap", s->tables, N, generation, &bytes, NULL), JL_OK);
}

static void round_trips(void **state)
{
	static const uint32_t sizes[] = {0, 1, 1000, 32768, 32769, 2000000};
	struct tmpdir *t = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct jl_snapshot_info info;
		struct set s, back;

		set_fill(&s, sizes[i]);
		write_set(t, &s, 7 + i);
		assert_int_equal(read_set(t, &jl_io_system, &back, &info), JL_OK);
		assert_same(&s, &back);
		assert_int_equal(info.generation, 7 + i);
		assert_true(info.all);
		set_release(&s);
		set_release(&back);
	}
	assert_int_equal(tmpdir_count(t, "."), 1);
}

static void absent(void **state)
{
	struct jl_snapshot_info info;
	struct set s;

	assert_int_equal(read_set(*state, &jl_io_system, &s, &info), JL_ENOTFOUND);
}

static void every_flipped_byte_and_every_length(void **state)
{
	struct tmpdir *t = *state;
	struct jl_snapshot_info info;
	struct set s, back;
	size_t len;
	char *all;

	set_fill(&s, 30);
	write_set(t, &s, 7);
	all = state_slurp(t, "snap", &len);
	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			all[i] ^= (char)(1 << bit);
			tmpdir_write(t, "snap", all, len);
			assert_int_equal(read_set(t, &jl_io_system, &back, &info), JL_ECORRUPT);
			assert_non_null(info.why);
			all[i] ^= (char)(1 << bit);
		}
		tmpdir_write(t, "snap", all, i);
		assert_int_equal(read_set(t, &jl_io_system, &back, &info), JL_ECORRUPT);
	}
	all = realloc(all, len + 1);
	assert_non_null(all);
	all[len] = 0;
	tmpdir_write(t, "snap", all, len + 1);
	assert_int_equal(read_set(t, &jl_io_system, &back, &info), JL_ECORRUPT);
	free(all);
	set_release(&s);
}

static void other_versions(void **state)
{
	struct tmpdir *t = *state;
	struct jl_snapshot_info info;
	struct jl_format f = jl_format_make("jlstate\n");
	struct set s;

	/* All that is known of a newer file is its first bytes. */
	f.version++;
	f.sum = jl_hash64(&f, 16);
	tmpdir_write(t, "snap", &f, sizeof(f));
	assert_int_equal(read_set(t, &jl_io_system, &s, &info), JL_EUNSUPPORTED);
	f.version = 0;
	f.sum = jl_hash64(&f, 16);
	tmpdir_write(t, "snap", &f, sizeof(f));
	assert_int_equal(read_set(t, &jl_io_system, &s, &info), JL_ECORRUPT);
	/* Another machine's byte order. */
	f.version = __builtin_bswap32(JL_STATE_VERSION);
	f.order = __builtin_bswap32(f.order);
	f.sum = __builtin_bswap64(jl_hash64(&f, 16));
	tmpdir_write(t, "snap", &f, sizeof(f));
	assert_int_equal(read_set(t, &jl_io_system, &s, &info), JL_ECORRUPT);
	f.version = __builtin_bswap32(JL_STATE_VERSION + 1);
	f.sum = __builtin_bswap64(jl_hash64(&f, 16));
	tmpdir_write(t, "snap", &f, sizeof(f));
	assert_int_equal(read_set(t, &jl_io_system, &s, &info), JL_EUNSUPPORTED);
}

static void optional_tables_come_all_or_none(void **state)
{
	struct tmpdir *t = *state;
	struct jl_snapshot_info info;
	struct set s, back;

	set_fill(&s, 10);
	jl_table_add(&s.c, 5);
	write_set(t, &s, 7);
	set_init(&back);
	back.c.size = 8;
	assert_int_equal(jl_snapshot_read(&jl_io_system, t->fd, "snap", back.tables, N, 2, &info, NULL), JL_OK);
	assert_int_equal(back.a.len, 10);
	assert_int_equal(back.c.len, 0);
	assert_false(info.all);
	set_release(&back);
	set_init(&back);
	back.b.size = 4;
	assert_int_equal(jl_snapshot_read(&jl_io_system, t->fd, "snap", back.tables, N, 2, &info, NULL), JL_ECORRUPT);
	assert_int_equal(back.a.len, 0);
	set_release(&s);
}

static void every_failing_call(void **state)
{
	struct tmpdir *t = *state;
	struct jl_snapshot_info info;
	struct set old, new, back;
	struct fault_io io;
	uint64_t bytes;
	int r;

	set_fill(&old, 10);
	set_fill(&new, 20);
	for (unsigned n = 1;; n++) {
		write_set(t, &old, 7);
		fault_io_init(&io, n, ENOSPC);
		io.half_write = true;
		r = jl_snapshot_write(&io.io, t->fd, "snap", new.tables, N, 8, &bytes, NULL);
		if (!io.failed)
			break;
		assert_int_equal(r, JL_ENOSPC);
		assert_int_equal(read_set(t, &jl_io_system, &back, &info), JL_OK);
		assert_same(&old, &back);
		set_release(&back);
		assert_int_equal(tmpdir_count(t, "."), 1);
	}
	assert_int_equal(r, JL_OK);
	for (unsigned n = 1;; n++) {
		fault_io_init(&io, n, EIO);
		r = read_set(t, &io.io, &back, &info);
		if (r == JL_OK)
			assert_same(&new, &back);
		else
			assert_int_equal(r, JL_ECORRUPT);
		set_release(&back);
		if (!io.failed)
			break;
	}
	assert_int_equal(r, JL_OK);
	fault_io_init(&io, 0, 0);
	io.short_io = true;
	assert_int_equal(read_set(t, &io.io, &back, &info), JL_OK);
	assert_same(&new, &back);
	set_release(&back);
	set_release(&old);
	set_release(&new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trips, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(absent, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(every_flipped_byte_and_every_length, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(other_versions, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(optional_tables_come_all_or_none, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(every_failing_call, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
