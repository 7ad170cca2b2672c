/* The local store within its caps: what goes, in which order, and what stays. The order is compared with a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "fault_io.h"
#include "store/index.h"
#include "store/local.h"
#include "store/store.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 4096u

static uint64_t evicted; /* by all stores that were closed */
static int64_t now_ns; /* of the driven clock; far ahead of what the files' own times are */

static int64_t driven(void)
{
	return now_ns;
}

/* A record of these tests: digests of blobs, one after the other, then anything. */
static void blobs_of(const void *record, size_t len, struct jl_table *out)
{
	const uint8_t *at = record;

	for (size_t i = 0; len > 0 && i < at[0]; i++)
		memcpy(jl_table_add(out, 1), at + 1 + i * sizeof(struct jl_digest), sizeof(struct jl_digest));
}

static struct jl_store *open_store(const struct tmpdir *t, uint64_t max_blocks, uint64_t max_items)
{
	struct jl_store_rules rules = {.max_size = max_blocks * BLOCK,
	                               .max_items = max_items,
	                               .bare = true,
	                               .blobs_of = blobs_of,
	                               .real_ns = driven};
	struct jl_store *s = NULL;
	struct jl_err err = JL_ERR_INIT;
	char path[300];

	snprintf(path, sizeof(path), "%s/store", t->path);
	if (jl_store_local_open(&jl_io_system, path, false, &s, &err) != JL_OK)
		fail_msg("%s", err.text);
	jl_store_local_rules(s, &rules);
	return s;
}

static int start(void **state)
{
	now_ns = jl_clock_real_ns() + 3650 * 24 * 3600 * JL_NS_S;
	return tmpdir_setup(state);
}

static void name(unsigned n, char kind, struct jl_digest *ret)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%c%u", kind, n);

	jl_digest_bytes(text, (size_t)len, ret);
}

/* --- one thing at a time ----------------------------------------------------------------------------------------- */

static int put(struct jl_store *s, unsigned n, size_t blocks)
{
	char *data = calloc(blocks, BLOCK);
	struct jl_digest key;
	int status;

	name(n, 'k', &key);
	status = s->ops->put_record(s, &key, data, blocks * BLOCK, NULL);
	free(data);
	return status;
}

static bool has(struct jl_store *s, unsigned n)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_digest key;
	int status;

	name(n, 'k', &key);
	status = s->ops->get_record(s, &key, &out, NULL);
	jl_buf_release(&out);
	return status == JL_OK;
}

static void use(struct jl_store *s, unsigned n)
{
	struct jl_digest key;

	name(n, 'k', &key);
	assert_int_equal(s->ops->use_record(s, &key, NULL), JL_OK);
}

static void the_oldest_goes(void **state)
{
	struct jl_store *s = open_store(*state, 41, 0); /* one block is the index's */

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	assert_true(has(s, 0)); /* a look is no use */
	assert_int_equal(put(s, 4, 10), JL_OK);
	assert_false(has(s, 0));
	jl_store_free(s);
	s = open_store(*state, 41, 0); /* another process */
	use(s, 1);
	jl_store_free(s);
	s = open_store(*state, 41, 0);
	assert_int_equal(put(s, 5, 10), JL_OK);
	assert_true(has(s, 1));
	assert_false(has(s, 2));
	assert_int_equal(s->stats.evicted, 1);
	jl_store_free(s);
}

static void a_set_of_keys_is_one_use(void **state)
{
	struct jl_store *s = open_store(*state, 100, 0);
	struct jl_digest keys[3];

	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	for (unsigned i = 0; i < 3; i++)
		name(i, 'k', &keys[i]);
	assert_int_equal(s->ops->use_keys(s, keys, 3, NULL), JL_OK);
	jl_store_free(s);
	s = open_store(*state, 100, 0);
	for (unsigned i = 9; i < 14; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	for (unsigned i = 0; i < 14; i++)
		assert_int_equal(has(s, i), i < 3 || i > 7);
	jl_store_free(s);
}

/* There are 64 sets; what the longest unused of them says is not lost with it, however many keys it has. */
static void a_set_that_goes_leaves_its_times(void **state)
{
	struct jl_store *s = open_store(*state, 400, 0);
	struct jl_digest *keys = calloc(3000, sizeof(*keys));

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	name(1, 'k', &keys[0]);
	for (unsigned i = 1; i < 3000; i++)
		name(i, 'u', &keys[i]);
	now_ns += JL_NS_S;
	assert_int_equal(s->ops->use_keys(s, keys, 3000, NULL), JL_OK);
	for (unsigned i = 0; i < 70; i++) {
		now_ns += JL_NS_S;
		name(i, 'v', &keys[0]);
		name(i, 'w', &keys[1]);
		assert_int_equal(s->ops->use_keys(s, keys, 2, NULL), JL_OK);
	}
	assert_int_equal(tmpdir_count(*state, "store/uses"), 64);
	jl_store_free(s);
	s = open_store(*state, 64 + 41 + 3, 0); /* the sets and the index take a block each, or some */
	for (unsigned i = 4; i < 7; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(has(s, i), i == 1 || i > 3);
	jl_store_free(s);
	free(keys);
}

/* What sets take is found out by a look, whatever the index says. */
static void sets_are_counted_anew(void **state)
{
	struct jl_store *s = open_store(*state, 41, 0);
	struct jl_local *l = (struct jl_local *)s;
	char set[20000] = "not a set";

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	assert_int_equal(mkdirat(((struct tmpdir *)*state)->fd, "store/uses", 0700), 0);
	tmpdir_write(*state, "store/uses/00000000000000000000000000000000", set, sizeof(set));
	for (unsigned i = 3; i < 9; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	assert_int_equal(l->index.head.sets, 5);
	jl_store_free(s);
}

/* A store in which nothing is put any more does not grow by the runs that find all in it fresh. */
static void days_do_not_grow(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_store *s = open_store(t, 41, 0);
	struct jl_day run = {.hits = 3, .saved_ms = 5};
	struct jl_table days = JL_TABLE_INIT(struct jl_day);
	const struct jl_key_set none = {0};
	uint64_t hits = 0;
	char path[300];
	struct stat st;

	assert_int_equal(put(s, 1, 1), JL_OK);
	snprintf(path, sizeof(path), "%s/store", t->path);
	for (unsigned i = 0; i < 2000; i++)
		(void)jl_uses_note(&jl_io_system, path, &none, &run);
	assert_int_equal(fstatat(t->fd, "store/days", &st, 0), 0);
	assert_true(st.st_size < 17000);
	assert_int_equal(jl_uses_days((struct jl_local *)s, &days, NULL), JL_OK);
	for (uint32_t i = 0; i < days.len; i++)
		hits += JL_AT(days, struct jl_day, i)->hits;
	assert_int_equal(hits, 6000);
	assert_int_equal(tmpdir_count(t, "store/tmp"), 0);
	jl_table_release(&days);
	jl_store_free(s);
}

static void items_have_a_cap(void **state)
{
	struct jl_store *s = open_store(*state, 0, 5);

	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(put(s, i, 1), JL_OK);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(has(s, i), i >= 4);
	jl_store_free(s);
}

static unsigned warnings;

static void on_warn(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
	warnings++;
}

/* S12: what is larger than the cap is not kept, that is said once, and nothing else goes for it. */
static void s12_larger_than_the_cap(void **state)
{
	struct jl_store *s = open_store(*state, 20, 0);

	s->warn = on_warn;
	warnings = 0;
	assert_int_equal(put(s, 1, 10), JL_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(s, 2, 30), JL_ENOSPC);
	assert_int_equal(warnings, 1);
	assert_int_equal(s->stats.evicted, 0);
	assert_true(has(s, 1));
	jl_store_free(s);
}

/* What a process uses stays while it lives, whoever writes; then it may go. */
static void what_is_used_stays(void **state)
{
	struct jl_store *user = open_store(*state, 41, 0), *s = open_store(*state, 41, 0);

	assert_int_equal(put(s, 1, 30), JL_OK);
	use(user, 1);
	now_ns += JL_NS_S;
	assert_int_equal(put(s, 2, 10), JL_OK);
	for (unsigned i = 3; i < 9; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	assert_true(has(s, 1));
	assert_int_equal(put(s, 9, 20), JL_ENOSPC);
	jl_store_free(user);
	jl_store_free(s);
	s = open_store(*state, 41, 0);
	assert_int_equal(put(s, 10, 20), JL_OK);
	assert_false(has(s, 1));
	jl_store_free(s);
}

/* S02: one that was killed holds nothing, and leaves nothing that has to be mended by hand. */
static void s02_the_dead_hold_nothing(void **state)
{
	struct jl_store *s = open_store(*state, 41, 0);
	int status;
	pid_t pid;

	assert_int_equal(put(s, 1, 30), JL_OK);
	jl_store_free(s);
	pid = fork();
	if (pid == 0) {
		s = open_store(*state, 41, 0);
		use(s, 1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	s = open_store(*state, 41, 0);
	assert_int_equal(put(s, 2, 30), JL_OK);
	assert_false(has(s, 1));
	assert_int_equal(tmpdir_count(*state, "store/live"), 0);
	jl_store_free(s);
}

static void pinned_stays(void **state)
{
	struct jl_store *s = open_store(*state, 41, 0);
	struct jl_digest key;

	assert_int_equal(put(s, 1, 10), JL_OK);
	name(1, 'k', &key);
	assert_int_equal(jl_pin_set((struct jl_local *)s, &key, true, NULL), JL_OK);
	for (unsigned i = 2; i < 20; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	assert_true(has(s, 1));
	assert_int_equal(jl_pin_set((struct jl_local *)s, &key, false, NULL), JL_OK);
	assert_int_equal(put(s, 20, 20), JL_OK);
	assert_false(has(s, 1));
	jl_store_free(s);
}

/* S15: after a jump of the clock, either way, the order is still that of use, and nothing goes for its age at once. */
static void s15_the_clock_jumps(void **state)
{
	struct jl_store_rules rules = {.max_size = 61 * BLOCK, .max_age_ns = 3600 * JL_NS_S, .real_ns = driven};
	const int64_t year_ns = 365 * 24 * 3600 * JL_NS_S;
	struct jl_store *s = open_store(*state, 61, 0);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	now_ns += year_ns;
	jl_store_local_rules(s, &rules);
	assert_int_equal(put(s, 3, 10), JL_OK);
	jl_store_free(s);
	s = open_store(*state, 61, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_true(has(s, i));
	now_ns -= 2 * year_ns;
	use(s, 0);
	jl_store_free(s);
	s = open_store(*state, 61, 0);
	for (unsigned i = 4; i < 7; i++)
		assert_int_equal(put(s, i, 10), JL_OK);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(has(s, i), i != 1);
	jl_store_free(s);
}

static void old_ones_go(void **state)
{
	struct jl_store_rules rules = {.max_age_ns = 3600 * JL_NS_S, .real_ns = driven};
	struct jl_store *s = open_store(*state, 0, 0);

	assert_int_equal(put(s, 1, 1), JL_OK);
	now_ns += 3000 * JL_NS_S;
	assert_int_equal(put(s, 2, 1), JL_OK);
	now_ns += 1000 * JL_NS_S;
	jl_store_local_rules(s, &rules);
	assert_int_equal(put(s, 3, 1), JL_OK);
	jl_store_free(s);
	s = open_store(*state, 0, 0);
	assert_false(has(s, 1));
	assert_true(has(s, 2));
	jl_store_free(s);
}

/* S04: an index that is cut, flipped or gone is made anew from the files, which lose nothing by it. */
static void s04_damaged_index(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_index_head head;

	for (unsigned fault = 0; fault < 4; fault++) {
		struct jl_store *s = open_store(t, 1000, 0);
		char path[300], byte = 0x55;
		int fd;

		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(put(s, i, 2), JL_OK);
		jl_store_free(s);
		snprintf(path, sizeof(path), "%s/store/index", t->path);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		if (fault == 0)
			assert_int_equal(unlink(path), 0);
		else if (fault == 1)
			assert_int_equal(pwrite(fd, &byte, 1, 40), 1);
		else if (fault == 2)
			assert_int_equal(pwrite(fd, &byte, 1, 130), 1);
		else
			assert_int_equal(ftruncate(fd, 200), 0);
		close(fd);
		s = open_store(t, 12, 0);
		assert_int_equal(put(s, 100 + fault, 2), JL_OK);
		assert_true(has(s, 4));
		assert_true(has(s, 100 + fault));
		jl_store_free(s);
		fd = open(t->path, O_PATH);
		char store[300];
		snprintf(store, sizeof(store), "%s/store", t->path);
		close(fd);
		fd = open(store, O_PATH);
		assert_true(jl_index_peek(&jl_io_system, fd, &head));
		assert_int_equal(head.blocks, 2 * head.items);
		assert_true(head.blocks + jl_blocks(head.end) <= 12);
		close(fd);
		s = open_store(t, 1000, 0);
		jl_store_free(s);
	}
}

/* The index as version 1 wrote it: a record with a blob, one without, one that has gone. GOLDEN=write makes it. */
static void golden_index(void **state)
{
	const struct tmpdir *t = *state;
	const char *source = getenv("JL_SOURCE");
	struct jl_store *s = open_store(t, 0, 0);
	struct jl_local *l = (struct jl_local *)s;
	char golden[400], path[300], data[100] = {1};
	struct jl_buf b = JL_BUF_INIT;
	struct jl_digest blob, key;
	uint32_t i;

	snprintf(golden, sizeof(golden), "%s/test/golden/index-v1.bin", source ? source : ".");
	snprintf(path, sizeof(path), "%s/store/index", t->path);
	jl_digest_bytes("a blob", 6, &blob);
	if (getenv("GOLDEN")) {
		memcpy(data + 1, &blob, sizeof(blob));
		name(1, 'k', &key);
		assert_int_equal(s->ops->put_bytes(s, &blob, "a blob", 6, NULL), JL_OK);
		assert_int_equal(s->ops->put_record(s, &key, data, sizeof(data), NULL), JL_OK);
		assert_int_equal(put(s, 2, 3), JL_OK);
		assert_int_equal(put(s, 3, 2), JL_OK);
		name(3, 'k', &key);
		assert_int_equal(s->ops->drop_record(s, &key, NULL), JL_OK);
		assert_int_equal(jl_file_read(&jl_io_system, AT_FDCWD, path, &b, NULL), JL_OK);
		assert_int_equal(jl_file_write(&jl_io_system, AT_FDCWD, golden, b.data, b.len, 0644, false, NULL), JL_OK);
		jl_buf_clear(&b);
	}
	assert_int_equal(jl_file_read(&jl_io_system, AT_FDCWD, golden, &b, NULL), JL_OK);
	assert_int_equal(jl_file_write(&jl_io_system, AT_FDCWD, path, b.data, b.len, 0600, false, NULL), JL_OK);
	jl_store_free(s);
	s = open_store(t, 0, 0);
	l = (struct jl_local *)s;
	assert_int_equal(jl_index_enter(&l->index, NULL), JL_OK);
	assert_int_equal(jl_index_load(&l->index, NULL), JL_OK);
	assert_int_equal(l->index.head.items, 3);
	assert_int_equal(l->index.head.blocks, 1 + 1 + 3);
	name(1, 'k', &key);
	i = jl_catalog_find(&l->index.catalog, JL_OBJECT_RECORD, &key);
	assert_true(i != JL_NONE && jl_catalog_at(&l->index.catalog, i)->n_refs == 1);
	assert_int_equal(jl_catalog_oldest(&l->index.catalog), i);
	i = jl_catalog_find(&l->index.catalog, JL_OBJECT_BLOB, &blob);
	assert_true(i != JL_NONE && jl_catalog_at(&l->index.catalog, i)->users == 1);
	name(3, 'k', &key);
	i = jl_catalog_find(&l->index.catalog, JL_OBJECT_RECORD, &key);
	assert_true(i != JL_NONE && !jl_catalog_at(&l->index.catalog, i)->present);
	assert_int_equal(jl_index_leave(&l->index, NULL), JL_OK);
	jl_buf_release(&b);
	jl_store_free(s);
}

/* --- the model --------------------------------------------------------------------------------------------------- */

#define RECORDS 60
#define BLOBS   30
#define CAP     200

struct model_record {
	bool present;
	int64_t used, put; /* what was used at the same time goes as it came */
	unsigned blocks, n, blob[3];
};
struct model_blob {
	bool present;
	int64_t used;
	unsigned blocks;
};
struct model {
	struct model_record record[RECORDS];
	struct model_blob blob[BLOBS];
	int64_t last;
	unsigned overhead; /* blocks of the index and the sets, as they are when something is put */
};

static int64_t stamp(struct model *m)
{
	m->last = now_ns > m->last ? now_ns : m->last + 1;
	return m->last;
}

static unsigned users(const struct model *m, unsigned blob)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RECORDS; i++) {
		for (unsigned k = 0; m->record[i].present && k < m->record[i].n; k++)
			n += m->record[i].blob[k] == blob;
	}
	return n;
}

static unsigned total(const struct model *m)
{
	unsigned n = m->overhead;

	for (unsigned i = 0; i < RECORDS; i++)
		n += m->record[i].present ? m->record[i].blocks : 0;
	for (unsigned i = 0; i < BLOBS; i++)
		n += m->blob[i].present ? m->blob[i].blocks : 0;
	return n;
}

static void drop_oldest(struct model *m)
{
	struct model_record *r = NULL;
	struct model_blob *b = NULL;
	int64_t oldest = INT64_MAX;

	for (unsigned i = 0; i < RECORDS; i++) {
		if (m->record[i].present &&
		    (m->record[i].used < oldest || (r && m->record[i].used == oldest && m->record[i].put < r->put))) {
			r = &m->record[i];
			oldest = r->used;
		}
	}
	for (unsigned i = 0; i < BLOBS; i++) {
		if (m->blob[i].present && m->blob[i].used < oldest && users(m, i) == 0) {
			b = &m->blob[i];
			oldest = b->used;
		}
	}
	assert_true(r || b);
	if (b) {
		b->present = false;
		return;
	}
	r->present = false;
	for (unsigned k = 0; k < r->n; k++) {
		if (users(m, r->blob[k]) == 0 && m->blob[r->blob[k]].used <= r->used)
			m->blob[r->blob[k]].present = false;
	}
}

static void read_overhead(struct model *m, const struct tmpdir *t)
{
	struct jl_index_head h = {0};
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/store", t->path);
	fd = open(path, O_PATH);
	m->overhead = jl_index_peek(&jl_io_system, fd, &h) ? (unsigned)(h.sets + jl_blocks(h.end)) : 1;
	close(fd);
}

static void model_put(struct model *m, const struct tmpdir *t, unsigned blocks)
{
	read_overhead(m, t);
	while (total(m) + blocks > CAP)
		drop_oldest(m);
}

static void fill(char *data, unsigned blob, unsigned blocks)
{
	memset(data, 0, (size_t)blocks * BLOCK);
	snprintf(data, BLOCK, "blob %u", blob);
}

static void put_both(struct jl_store *s, struct model *m, const struct tmpdir *t, unsigned r)
{
	static char data[32 * BLOCK];
	struct model_record *mr = &m->record[r];
	struct jl_digest key, digests[3];
	unsigned n = (unsigned)rand() % 4, blob[3], blocks = 1 + (unsigned)rand() % 3;

	for (unsigned k = 0; k < n; k++) {
		blob[k] = (unsigned)rand() % BLOBS;
		fill(data, blob[k], 1 + blob[k] % 20);
		jl_digest_bytes(data, (size_t)(1 + blob[k] % 20) * BLOCK, &digests[k]);
		if (m->blob[blob[k]].present) {
			m->blob[blob[k]].used = stamp(m);
		} else {
			model_put(m, t, 1 + blob[k] % 20);
			m->blob[blob[k]] = (struct model_blob){true, stamp(m), 1 + blob[k] % 20};
		}
		assert_int_equal(s->ops->put_bytes(s, &digests[k], data, (size_t)(1 + blob[k] % 20) * BLOCK, NULL), JL_OK);
	}
	memset(data, 0, sizeof(data));
	data[0] = (char)n;
	memcpy(data + 1, digests, n * sizeof(*digests));
	name(r, 'k', &key);
	model_put(m, t, blocks);
	*mr = (struct model_record){.present = true, .used = stamp(m), .put = m->last, .blocks = blocks, .n = n};
	memcpy(mr->blob, blob, n * sizeof(*blob));
	assert_int_equal(s->ops->put_record(s, &key, data, (size_t)blocks * BLOCK, NULL), JL_OK);
}

static void compare(struct jl_store *s, const struct model *m, unsigned step)
{
	static char data[32 * BLOCK];
	struct jl_digest d;

	for (unsigned i = 0; i < RECORDS; i++) {
		if (has(s, i) != m->record[i].present)
			fail_msg("step %u: record %u should be %s", step, i, m->record[i].present ? "there" : "gone");
	}
	for (unsigned i = 0; i < BLOBS; i++) {
		fill(data, i, 1 + i % 20);
		jl_digest_bytes(data, (size_t)(1 + i % 20) * BLOCK, &d);
		if (s->ops->has_blob(s, &d, NULL) != m->blob[i].present)
			fail_msg("step %u: blob %u should be %s", step, i, m->blob[i].present ? "there" : "gone");
	}
}

static void use_some(struct jl_store *s, struct model *m)
{
	struct jl_digest keys[RECORDS];
	unsigned which[RECORDS];
	uint32_t n = 0;
	int64_t t;

	for (unsigned i = 0; i < RECORDS; i++) {
		if (m->record[i].present && rand() % 4 == 0) {
			which[n] = i;
			name(i, 'k', &keys[n++]);
		}
	}
	if (n == 0)
		return;
	t = stamp(m);
	for (uint32_t i = 0; i < n; i++)
		m->record[which[i]].used = t;
	assert_int_equal(s->ops->use_keys(s, keys, n, NULL), JL_OK);
}

static void as_the_model(void **state)
{
	const unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 1, rounds = getenv("SEED") ? 20000 : 1500;
	struct jl_store *s = open_store(*state, CAP, 0);
	struct model m = {0};

	srand(seed);
	for (unsigned step = 0; step < rounds; step++) {
		unsigned r = (unsigned)rand() % RECORDS, what = (unsigned)rand() % 20;

		now_ns += rand() % 3;
		if (what < 10 && !m.record[r].present) {
			put_both(s, &m, *state, r);
		} else if (what < 14 && m.record[r].present) {
			/* What is used stays while its process lives: the next one goes on. */
			use(s, r);
			m.record[r].used = stamp(&m);
			evicted += s->stats.evicted;
			jl_store_free(s);
			s = open_store(*state, CAP, 0);
		} else if (what == 14) {
			use_some(s, &m);
		} else if (what == 15) {
			evicted += s->stats.evicted;
			jl_store_free(s);
			s = open_store(*state, CAP, 0);
		} else if (what == 16) {
			now_ns -= rand() % 50; /* the clock is set back a little */
		}
		compare(s, &m, step);
	}
	assert_true(evicted > rounds / 10);
	jl_store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_goes, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_set_of_keys_is_one_use, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_set_that_goes_leaves_its_times, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(sets_are_counted_anew, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(days_do_not_grow, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(items_have_a_cap, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s12_larger_than_the_cap, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(what_is_used_stays, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s02_the_dead_hold_nothing, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(pinned_stays, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s15_the_clock_jumps, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(old_ones_go, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s04_damaged_index, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(golden_index, start, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(as_the_model, start, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
