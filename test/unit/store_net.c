/* The local store on file systems that lack things: those of the network (S19), and where a link or a rename is refused (S18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fault_io.h"
#include "store/local.h"
#include "store_conform.h"
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096u
#define LEN   9000u

static unsigned warnings;
static int64_t now_ns;

static int64_t driven(void)
{
	return now_ns;
}

static void on_warn(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
	warnings++;
}

static struct jl_store *open_store(const struct tmpdir *t, const struct jl_io *io, uint64_t max_blocks)
{
	struct jl_store_rules rules = {.max_size = max_blocks * BLOCK, .bare = true, .real_ns = driven};
	struct jl_err err = JL_ERR_INIT;
	struct jl_store *s = NULL;
	char path[300];

	now_ns = jl_clock_real_ns();
	warnings = 0;
	snprintf(path, sizeof(path), "%s/store", t->path);
	if (jl_store_local_open(io, path, false, &s, &err) != JL_OK)
		fail_msg("%s", err.text);
	jl_store_local_rules(s, &rules);
	s->warn = on_warn;
	return s;
}

static void content(unsigned n, char data[LEN], struct jl_digest *ret)
{
	memset(data, (int)n, LEN);
	snprintf(data, LEN, "content %u", n);
	jl_digest_bytes(data, LEN, ret);
}

static int put(struct jl_store *s, unsigned n)
{
	char data[LEN];
	struct jl_digest d;
	int status;

	content(n, data, &d);
	status = s->ops->put_bytes(s, &d, data, LEN, NULL);
	return status == JL_OK ? s->ops->put_record(s, &d, data, LEN, NULL) : status;
}

/* How many of record and blob are there: each right or a miss, never an error. */
static unsigned get(struct jl_store *s, unsigned n)
{
	struct jl_buf out = JL_BUF_INIT;
	char data[LEN];
	struct jl_digest d;
	unsigned there = 0;
	int fd = store_file("", 0), status;

	content(n, data, &d);
	status = s->ops->get_record(s, &d, &out, NULL);
	assert_true(status == JL_OK || status == JL_ENOTFOUND);
	if (status == JL_OK) {
		assert_int_equal(out.len, LEN);
		assert_memory_equal(out.data, data, LEN);
		there++;
	}
	status = s->ops->get_blob(s, &d, LEN, fd, NULL);
	assert_true(status == JL_OK || status == JL_ENOTFOUND);
	assert_true(store_file_is(fd, data, status == JL_OK ? LEN : 0));
	there += status == JL_OK;
	close(fd);
	jl_buf_release(&out);
	return there;
}

static void init(struct fault_io *f, int error)
{
	fault_io_init(f, 0, error);
	f->network = true;
	f->no_locks = true;
}

/* S19: two hosts in turns, no locks: found out, used, held, and kept within the cap. */
static void s19_no_locks(void **state)
{
	struct fault_io f;
	struct jl_store *a, *b;
	struct jl_digest key;
	char data[LEN];

	init(&f, 0);
	a = open_store(*state, &f.io, 62);
	b = open_store(*state, &f.io, 62);
	assert_int_equal(put(a, 0), JL_OK);
	assert_true(jl_local_is_remote((struct jl_local *)a));
	assert_true(((struct jl_local *)a)->index.no_lock);
	content(0, data, &key);
	assert_int_equal(b->ops->use_record(b, &key, NULL), JL_OK);
	for (unsigned n = 1; n < 40; n++) {
		now_ns += JL_NS_S;
		assert_int_equal(put(n % 2 ? a : b, n), JL_OK);
		assert_int_equal(get(n % 2 ? b : a, n), 2);
	}
	/* What a living process uses is told by its host and pid where no lock can. */
	assert_true(get(a, 0) >= 1);
	assert_int_equal(get(a, 1), 0);
	assert_int_equal(jl_index_enter(&((struct jl_local *)a)->index, NULL), JL_OK);
	assert_true(((struct jl_local *)a)->index.head.blocks <= 65);
	assert_int_equal(jl_index_leave(&((struct jl_local *)a)->index, NULL), JL_OK);
	assert_int_equal(warnings, 0);
	jl_store_free(b);
	jl_store_free(a);
	assert_int_equal(tmpdir_count(*state, "store/live"), 0);
}

/* Every file's stamps are long past. */
static int long_past(const struct jl_io *io, int fd, struct stat *st)
{
	(void)io;
	if (fstat(fd, st) < 0)
		return -1;
	st->st_ctim.tv_sec -= 1000;
	return 0;
}

/* S19: a stat comes from this host's memory of the file and proves nothing: each clone is read and hashed. */
static void s19_stamps_prove_nothing(void **state)
{
	for (int network = 0; network < 2; network++) {
		struct fault_io f;
		struct jl_store *s;

		init(&f, 0);
		f.network = network;
		f.clone = true;
		f.io.fstat = long_past;
		f.ops = FAULT_READ;
		s = open_store(*state, &f.io, 0);
		assert_int_equal(put(s, 7), JL_OK);
		for (int i = 0; i < 3; i++) {
			char data[LEN];
			struct jl_digest d;
			int fd = store_file("", 0);

			content(7, data, &d);
			f.calls = 0;
			assert_int_equal(s->ops->get_blob(s, &d, LEN, fd, NULL), JL_OK);
			assert_int_equal(f.calls > 0, network || i == 0);
			close(fd);
		}
		jl_store_free(s);
	}
}

/* S19: a stale handle at any call of a look is a miss: no error, no damage, and there again at the next look. */
static void s19_stale_is_a_miss(void **state)
{
	const unsigned ops[] = {FAULT_OPEN, FAULT_READ, FAULT_STAT};
	struct fault_io f;
	struct jl_store *s;
	unsigned misses = 0;

	init(&f, ESTALE);
	s = open_store(*state, &f.io, 0);
	assert_int_equal(put(s, 1), JL_OK);
	for (size_t op = 0; op < sizeof(ops) / sizeof(*ops); op++) {
		f.ops = ops[op];
		for (unsigned n = 1;; n++) {
			struct jl_digest d;
			char data[LEN];

			f.calls = f.failed = 0;
			f.fail_at = n;
			content(1, data, &d);
			misses += get(s, 1) < 2;
			assert_true(s->ops->has_blob(s, &d, NULL) >= 0);
			f.fail_at = 0;
			assert_int_equal(get(s, 1), 2);
			if (!f.failed)
				break;
		}
	}
	assert_true(misses >= 4);
	assert_int_equal(warnings, 0);
	assert_int_equal(s->stats.damaged, 0);
	jl_store_free(s);
}

/* S18: no clone across file systems, or none more of this file: the bytes are copied. */
static void s18_no_link(void **state)
{
	const int errors[] = {EXDEV, EMLINK, EOPNOTSUPP, EINVAL};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct fault_io f;
		struct jl_store *s;
		char data[LEN];
		struct jl_digest d;
		int src;

		fault_io_init(&f, 1, errors[i]);
		f.ops = FAULT_REFLINK | FAULT_LINK;
		f.sticky = true;
		s = open_store(*state, &f.io, 0);
		content(100 + (unsigned)i, data, &d);
		src = store_file(data, LEN);
		assert_int_equal(s->ops->put_blob(s, &d, LEN, src, NULL), JL_OK);
		assert_int_equal(put(s, 100 + (unsigned)i), JL_OK);
		assert_int_equal(get(s, 100 + (unsigned)i), 2);
		assert_true(f.failed >= 2);
		assert_int_equal(warnings, 0);
		close(src);
		jl_store_free(s);
	}
}

/* S18: a rename that is refused costs that object alone, and leaves nothing of it; what is damaged goes all the same. */
static void s18_no_rename(void **state)
{
	const int errors[] = {EXDEV, EMLINK};
	const struct tmpdir *t = *state;

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		const unsigned n = 10 * (unsigned)i;
		char data[LEN], hex[JL_DIGEST_TEXT], path[300];
		struct jl_digest d;
		struct fault_io f;
		struct jl_store *s;

		fault_io_init(&f, 0, errors[i]);
		f.ops = FAULT_RENAME;
		s = open_store(t, &f.io, 0);
		assert_int_equal(put(s, n), JL_OK);
		f.fail_at = 1;
		f.calls = 0;
		f.sticky = true;
		assert_true(put(s, n + 1) < 0);
		assert_int_equal(tmpdir_count(t, "store/tmp"), 0);
		assert_int_equal(get(s, n + 1), 0);
		assert_int_equal(get(s, n), 2);
		content(n, data, &d);
		jl_digest_hex(&d, hex);
		snprintf(path, sizeof(path), "store/cas/%.2s/%s", hex, hex);
		data[5] = '!';
		tmpdir_write(t, path, data, LEN);
		assert_int_equal(get(s, n), 1);
		assert_int_equal(faccessat(t->fd, path, F_OK, 0), -1);
		assert_int_equal(warnings, 1);
		f.fail_at = 0;
		assert_int_equal(put(s, n), JL_OK);
		assert_int_equal(put(s, n + 1), JL_OK);
		assert_int_equal(get(s, n) + get(s, n + 1), 4);
		jl_store_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s19_no_locks, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s19_stamps_prove_nothing, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s19_stale_is_a_miss, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s18_no_link, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s18_no_rename, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
