/* The local store after a power cut (S01): of what was not synced any part may be missing. What it still gives is right, the
 * rest is a miss, and it can be used on as if nothing had been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "power_io.h"
#include "store/care.h"
#include "store/store.h"
#include "store_conform.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK    4096u
#define STEPS    24u
#define BLOBS    2u
#define BLOB_MAX 30000u
#define ROUNDS   4u
#define SEEDS    8u
#define CALLS    300u /* a process that is cut off makes fewer */

static int64_t now_ns;
static unsigned warnings;

static int64_t driven(void)
{
	return now_ns;
}

/* --- what is stored ---------------------------------------------------------------------------------------------- */

static size_t blob_of(unsigned n, unsigned which, char data[BLOB_MAX], struct jl_digest *ret)
{
	/* A small one, one that does not pack, one that does; some that several steps have. */
	const unsigned what = n % 5 == 0 ? 1000 + which : n * BLOBS + which, kind = what % 3;
	const size_t len = kind == 0 ? 100 + n : kind == 1 ? 9000 + n : BLOB_MAX;
	uint64_t x = what + 1;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = kind == 2 ? "words, and words again "[(i + what) % 23] : (char)x;
	}
	jl_digest_bytes(data, len, ret);
	return len;
}

/* A record: how many blobs, their digests, a version, some bytes, the sum of all before it. */
#define RECORD_LEN (1 + BLOBS * sizeof(struct jl_digest) + 1 + 700 + 8)

static void record_of(unsigned n, unsigned version, char data[RECORD_LEN], struct jl_digest *ret_key)
{
	static char blob[BLOB_MAX];
	char name[20];
	uint64_t sum;

	memset(data, (int)(n + version), RECORD_LEN);
	data[0] = BLOBS;
	for (unsigned i = 0; i < BLOBS; i++) {
		struct jl_digest d = {0};

		blob_of(n, i, blob, &d);
		memcpy(data + 1 + i * sizeof(d), &d, sizeof(d));
	}
	data[1 + BLOBS * sizeof(struct jl_digest)] = (char)version;
	sum = jl_hash64(data, RECORD_LEN - 8);
	memcpy(data + RECORD_LEN - 8, &sum, 8);
	jl_digest_bytes(name, (size_t)snprintf(name, sizeof(name), "step %u", n), ret_key);
}

static bool decodes(const void *record, size_t len)
{
	const char *data = record;
	uint64_t sum;

	if (len != RECORD_LEN)
		return false;
	memcpy(&sum, data + RECORD_LEN - 8, 8);
	return sum == jl_hash64(data, RECORD_LEN - 8);
}

static void blobs_of(const void *record, size_t len, struct jl_table *out)
{
	for (unsigned i = 0; decodes(record, len) && i < BLOBS; i++)
		memcpy(jl_table_add(out, 1), (const char *)record + 1 + i * sizeof(struct jl_digest), sizeof(struct jl_digest));
}

/* --- the store --------------------------------------------------------------------------------------------------- */

static void on_warn(void *ctx, const char *text)
{
	(void)ctx;
	assert_null(strstr(text, "not stored"));
	warnings++;
}

static struct jl_store *open_store(const struct tmpdir *t, const struct jl_io *io, uint64_t max_blocks)
{
	struct jl_store_rules rules = {.max_size = max_blocks * BLOCK, .blobs_of = blobs_of, .real_ns = driven};
	struct jl_err err = JL_ERR_INIT;
	struct jl_store *s = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/store", t->path);
	if (jl_store_local_open(io, path, false, &s, &err) != JL_OK)
		fail_msg("%s", err.text);
	jl_store_local_rules(s, &rules);
	s->warn = on_warn;
	return s;
}

static int put(struct jl_store *s, unsigned n, unsigned version, struct jl_err *err)
{
	static char blob[BLOB_MAX], record[RECORD_LEN];
	struct jl_digest d, key;
	int status = JL_OK;

	for (unsigned i = 0; i < BLOBS && status == JL_OK; i++) {
		size_t len = blob_of(n, i, blob, &d);

		status = s->ops->put_bytes(s, &d, blob, len, err);
	}
	record_of(n, version, record, &key);
	return status == JL_OK ? s->ops->put_record(s, &key, record, sizeof(record), err) : status;
}

/* As a caller does: the record, whether it decodes, then its blobs. false: something of it is a miss. What is given is right. */
static bool get(struct jl_store *s, unsigned n)
{
	static char blob[BLOB_MAX], record[RECORD_LEN];
	struct jl_buf out = JL_BUF_INIT;
	struct jl_digest d, key;
	bool whole = true;
	int status;

	record_of(n, 0, record, &key);
	status = s->ops->get_record(s, &key, &out, NULL);
	assert_true(status == JL_OK || status == JL_ENOTFOUND);
	if (status == JL_OK && decodes(out.data, out.len)) {
		record_of(n, (unsigned char)out.data[1 + BLOBS * sizeof(d)], record, &key);
		assert_memory_equal(out.data, record, sizeof(record));
	} else if (status == JL_OK) {
		assert_int_equal(s->ops->damaged_record(s, &key, NULL), JL_OK);
	}
	whole = status == JL_OK && decodes(out.data, out.len);
	for (unsigned i = 0; i < BLOBS; i++) {
		size_t len = blob_of(n, i, blob, &d);
		int fd = store_file("", 0);

		status = s->ops->get_blob(s, &d, len, fd, NULL);
		assert_true(status == JL_OK || status == JL_ENOTFOUND);
		assert_true(store_file_is(fd, blob, status == JL_OK ? len : 0));
		whole &= status == JL_OK;
		close(fd);
	}
	jl_buf_release(&out);
	return whole;
}

/* --- the cut ----------------------------------------------------------------------------------------------------- */

/* A process that works until the power goes. */
static void work(const struct tmpdir *t, uint64_t seed, uint64_t max_blocks, int shadow_fd)
{
	struct power_io p;
	struct jl_store *s;
	unsigned n = (unsigned)seed;
	struct jl_digest key;
	static char record[RECORD_LEN];

	power_io_init(&p, seed, 1 + (unsigned)(seed * 7919 % CALLS), shadow_fd);
	s = open_store(t, &p.io, max_blocks);
	for (unsigned i = 0; i < 2 * STEPS; i++) {
		n = (n * 5 + 7) % STEPS;
		record_of(n, 0, record, &key);
		if (i % 4 == 3)
			(void)s->ops->use_record(s, &key, NULL);
		else if (i % 7 == 6)
			(void)s->ops->drop_record(s, &key, NULL);
		else
			(void)!put(s, n, i % 3, NULL);
		if (i % 8 == 7)
			(void)s->ops->use_keys(s, &key, 1, NULL);
	}
	jl_store_free(s);
	power_io_cut(&p);
}

static void lose_power(const struct tmpdir *t, uint64_t seed, uint64_t max_blocks)
{
	int shadow_fd, status = -1;
	pid_t pid;

	assert_int_equal(mkdirat(t->fd, "shadow", 0700), 0);
	shadow_fd = openat(t->fd, "shadow", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(shadow_fd >= 0);
	pid = fork();
	if (pid == 0)
		work(t, seed, max_blocks, shadow_fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(shadow_fd);
	assert_int_equal(jl_file_remove(&jl_io_system, t->fd, "shadow", NULL), JL_OK);
	now_ns += 3600 * JL_NS_S;
}

static bool record_ok(const struct jl_digest *key, const void *record, size_t len)
{
	(void)key;
	return decodes(record, len);
}

static void told(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void repair(struct jl_store *s)
{
	struct jl_care_check check = {.repair = true, .record_ok = record_ok, .told = told};

	assert_int_equal(jl_care_verify(s, &check, NULL), JL_OK);
	check = (struct jl_care_check){.record_ok = record_ok, .told = told};
	assert_int_equal(jl_care_verify(s, &check, NULL), JL_OK);
	assert_int_equal(check.damaged, 0);
	assert_int_equal(check.incomplete, 0);
}

/* What was a miss comes back as it is put again; damage is told once, and aside from then on. */
static void use_on(const struct tmpdir *t, uint64_t max_blocks, uint64_t seed)
{
	struct jl_store *s = open_store(t, &jl_io_system, max_blocks);
	struct jl_err err = JL_ERR_INIT;
	unsigned told_before;
	struct jl_care_sums sums;

	for (unsigned n = 0; n < STEPS; n++)
		(void)get(s, n);
	told_before = warnings;
	for (unsigned n = 0; n < STEPS; n++)
		(void)get(s, n);
	assert_int_equal(warnings, told_before);
	if (seed % 2)
		repair(s);
	for (unsigned n = 0; n < STEPS; n++) {
		if (put(s, n, n % 3, &err) != JL_OK)
			fail_msg("seed %u, step %u: %s", (unsigned)seed, n, err.text);
		if (!get(s, n))
			fail_msg("seed %u: step %u was put and is not there", (unsigned)seed, n);
	}
	for (unsigned n = 0; !max_blocks && n < STEPS; n++)
		assert_true(get(s, n));
	assert_int_equal(warnings, told_before);
	repair(s);
	jl_store_free(s);
	s = open_store(t, &jl_io_system, max_blocks);
	assert_int_equal(put(s, 0, 0, NULL), JL_OK);
	assert_int_equal(jl_care_sums(s, &sums, NULL), JL_OK);
	assert_true(sums.index_bytes >= sums.record_bytes + sums.blob_bytes);
	assert_true(!max_blocks || sums.index_bytes <= max_blocks * BLOCK / 100 * 105);
	jl_store_free(s);
}

static void cut_and_use(const struct tmpdir *t, uint64_t max_blocks)
{
	now_ns = jl_clock_real_ns() + 3650 * 24 * 3600 * JL_NS_S;
	warnings = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		for (unsigned round = 0; round < ROUNDS; round++) {
			lose_power(t, seed * ROUNDS + round, max_blocks);
			if (round % 2)
				use_on(t, max_blocks, seed);
		}
		assert_int_equal(jl_file_remove(&jl_io_system, t->fd, "store", NULL), JL_OK);
	}
	assert_true(warnings > SEEDS); /* something was torn, and found out */
}

static void s01_power_cut(void **state)
{
	cut_and_use(*state, 0);
}

/* With a cap, what goes and what the index says of it are lost in part, too. */
static void s01_power_cut_within_a_cap(void **state)
{
	cut_and_use(*state, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s01_power_cut, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s01_power_cut_within_a_cap, tmpdir_setup, tmpdir_teardown),
	};

	/* The model is the disk: a real one is only slow. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
