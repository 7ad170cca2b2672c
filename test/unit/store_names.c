/* The local store: the names of objects and what the index says of them change together, whatever comes between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_io.h"
#include "store/care.h"
#include "store/evict.h"
#include "store/local.h"
#include "store/store.h"
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 4096u
#define CAP   200u

/* A struct jl_io that does something before an object's name comes or goes. */
struct names_io {
	struct jl_io io;
	const struct tmpdir *t;
	void (*before)(struct names_io *n, const char *path);
	const struct jl_io *others; /* of who comes between */
	unsigned seen, came_in;
	unsigned unlinks, most_unlinks; /* since the lock was taken; the most */
	int store_dev;                  /* a descriptor of tmp: renames from there are refused */
	unsigned folders;               /* that were opened below cas; */
	void (*at_folder)(struct names_io *n);
};

static int n_openat(const struct jl_io *io, int dirfd, const char *path, int flags, mode_t mode)
{
	struct names_io *n = io->ctx;

	if (n->at_folder && strncmp(path, "cas/", 4) == 0) {
		n->folders++;
		n->at_folder(n);
	}
	return openat(dirfd, path, flags, mode);
}

static bool is_object(const char *path)
{
	return path[0] != '.' && path[0] != '\0' && path[1] != '\0' && path[2] == '/';
}

static int n_renameat(const struct jl_io *io, int olddir, const char *old, int newdir, const char *new_path)
{
	struct names_io *n = io->ctx;

	if (n->before && (is_object(old) || is_object(new_path))) {
		n->seen++;
		n->before(n, is_object(old) ? old : new_path);
	}
	if (n->store_dev >= 0 && is_object(new_path)) {
		struct stat a, b;

		assert_int_equal(fstat(olddir, &a) | fstat(n->store_dev, &b), 0);
		if (a.st_ino == b.st_ino) {
			errno = EXDEV;
			return -1;
		}
	}
	return renameat(olddir, old, newdir, new_path);
}

static int n_unlinkat(const struct jl_io *io, int dirfd, const char *path, int flags)
{
	struct names_io *n = io->ctx;

	if (n->before && is_object(path)) {
		n->seen++;
		n->before(n, path);
	}
	n->unlinks += is_object(path);
	if (n->unlinks > n->most_unlinks)
		n->most_unlinks = n->unlinks;
	return unlinkat(dirfd, path, flags);
}

static int n_lock(const struct jl_io *io, int fd, int cmd, struct flock *range)
{
	struct names_io *n = io->ctx;

	if (range->l_start == 0)
		n->unlinks = 0;
	return jl_io_system.lock(&jl_io_system, fd, cmd, range);
}

static void names_io_init(struct names_io *n, const struct tmpdir *t, void (*before)(struct names_io *, const char *))
{
	*n = (struct names_io){.io = jl_io_system, .t = t, .before = before, .others = &jl_io_system, .store_dev = -1};
	n->io.openat = n_openat;
	n->io.renameat = n_renameat;
	n->io.unlinkat = n_unlinkat;
	n->io.lock = n_lock;
	n->io.ctx = n;
}

/* A record of these tests: how many blobs, their digests, then anything. */
static void blobs_of(const void *record, size_t len, struct jl_table *out)
{
	const uint8_t *at = record;

	for (size_t i = 0; len > 0 && i < at[0]; i++)
		memcpy(jl_table_add(out, 1), at + 1 + i * sizeof(struct jl_digest), sizeof(struct jl_digest));
}

static struct jl_store *open_store(const struct tmpdir *t, const struct jl_io *io, uint64_t max_blocks)
{
	struct jl_store_rules rules = {.max_size = max_blocks * BLOCK, .bare = true, .blobs_of = blobs_of};
	struct jl_store *s = NULL;
	struct jl_err err = JL_ERR_INIT;
	char path[300];

	snprintf(path, sizeof(path), "%s/store", t->path);
	if (jl_store_local_open(io, path, false, &s, &err) != JL_OK)
		fail_msg("%s", err.text);
	jl_store_local_rules(s, &rules);
	return s;
}

static void make_blob(unsigned n, char data[BLOCK], struct jl_digest *ret)
{
	memset(data, 0, BLOCK);
	snprintf(data, BLOCK, "blob %u", n);
	jl_digest_bytes(data, BLOCK, ret);
}

/* A record and its blob. */
static int put(struct jl_store *s, unsigned n)
{
	char blob[BLOCK], record[BLOCK] = {1};
	struct jl_digest d, key;
	int status;

	make_blob(n, blob, &d);
	memcpy(record + 1, &d, sizeof(d));
	jl_digest_bytes(&n, sizeof(n), &key);
	status = s->ops->put_bytes(s, &d, blob, BLOCK, NULL);
	return status == JL_OK ? s->ops->put_record(s, &key, record, BLOCK, NULL) : status;
}

/* What the index tells is what is there. */
static void assert_counted(const struct tmpdir *t)
{
	struct jl_store *s = open_store(t, &jl_io_system, 0);
	struct jl_local *l = (struct jl_local *)s;
	struct jl_care_sums sums;

	assert_int_equal(jl_index_enter(&l->index, NULL), JL_OK);
	assert_int_equal(jl_index_load(&l->index, NULL), JL_OK);
	assert_int_equal(jl_index_leave(&l->index, NULL), JL_OK);
	assert_int_equal(jl_care_sums(s, &sums, NULL), JL_OK);
	assert_int_equal(l->index.head.items, sums.records + sums.blobs);
	assert_int_equal(l->index.head.blocks * BLOCK, sums.record_bytes + sums.blob_bytes);
	jl_store_free(s);
}

/* --- others come in between -------------------------------------------------------------------------------------- */

/* Another process that comes as soon as the lock lets it, and takes away all there is. */
static void another_clears(struct names_io *n, const char *path)
{
	void (*before)(struct names_io *, const char *) = n->before;
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	struct jl_store *s;
	char index[300];
	int fd;

	(void)path;
	snprintf(index, sizeof(index), "%s/store/index", n->t->path);
	fd = open(index, O_RDWR | O_CLOEXEC);
	if (fd < 0 || (n->others == &jl_io_system && fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	close(fd);
	n->came_in++;
	n->before = NULL;
	s = open_store(n->t, n->others, CAP);
	assert_int_equal(jl_care_clear(s, NULL), JL_OK);
	jl_store_free(s);
	n->before = before;
}

/* S10: names of objects come and go within the lock of the index; so nobody takes for gone what is on its way, nor for there
 * what goes. */
static void s10_nobody_comes_between(void **state)
{
	const struct tmpdir *t = *state;
	char blob[BLOCK], hex[JL_DIGEST_TEXT], path[300];
	struct jl_digest d, key;
	struct names_io n;
	struct jl_store *s;
	int dst = open(t->path, O_TMPFILE | O_RDWR, 0600);

	names_io_init(&n, t, another_clears);
	s = open_store(t, &n.io, CAP);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(put(s, i), JL_OK);
	assert_true(n.seen >= 10);
	for (unsigned i = 1; i < 3; i++) {
		jl_digest_bytes(&i, sizeof(i), &key);
		assert_int_equal(i == 1 ? s->ops->drop_record(s, &key, NULL) : s->ops->damaged_record(s, &key, NULL), JL_OK);
	}
	make_blob(3, blob, &d);
	jl_digest_hex(&d, hex);
	snprintf(path, sizeof(path), "store/cas/%.2s/%s", hex, hex);
	blob[7] ^= 1;
	tmpdir_write(t, path, blob, BLOCK);
	assert_int_equal(s->ops->get_blob(s, &d, BLOCK, dst, NULL), JL_ENOTFOUND);
	assert_true(n.seen >= 13);
	assert_int_equal(n.came_in, 0);
	jl_store_free(s);
	assert_counted(t);
	close(dst);
}

/* What is being looked at is not what was looked at a moment ago. */
static void another_works(struct names_io *n)
{
	const unsigned at = 100 + n->folders, old = n->folders;
	struct jl_store *s;
	struct jl_digest key;

	if (n->folders > 20)
		return;
	s = open_store(n->t, &jl_io_system, 0);
	assert_int_equal(put(s, at), JL_OK);
	jl_digest_bytes(n->folders % 2 ? &old : &at, sizeof(old), &key);
	assert_int_equal(jl_care_remove(s, &key, 1, NULL), JL_OK);
	jl_store_free(s);
	n->came_in++;
}

/* gc looks at all files while others work, and knows in the end what they did. */
static void others_work_during_gc(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_index_head head;
	struct names_io n;
	struct jl_store *s;
	int fd;

	names_io_init(&n, t, NULL);
	s = open_store(t, &n.io, 0);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(put(s, i), JL_OK);
	tmpdir_write(t, "store/.tmp-elsewhere-1-2-3", "x", 1);
	assert_int_equal(utimensat(t->fd, "store/.tmp-elsewhere-1-2-3", (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
	assert_int_equal(utimensat(t->fd, "store/version", (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
	n.at_folder = another_works;
	assert_int_equal(jl_care_gc(s, NULL), JL_OK);
	n.at_folder = NULL;
	assert_int_equal(faccessat(t->fd, "store/.tmp-elsewhere-1-2-3", F_OK, 0), -1);
	assert_int_equal(faccessat(t->fd, "store/version", F_OK, 0), 0);
	assert_int_equal(n.came_in, 20);
	jl_store_free(s);
	assert_counted(t);
	fd = openat(t->fd, "store", O_PATH);
	assert_true(jl_index_peek(&jl_io_system, fd, &head));
	/* 30, and of 20 steps each odd one puts one more and takes one of the old ones away. */
	assert_int_equal(head.items, 2 * 30);
	close(fd);
}

static void another_removes_the_record(struct names_io *n, const char *path)
{
	struct jl_store *s;
	struct jl_digest key;
	unsigned one = 1;

	(void)path;
	if (n->came_in++)
		return;
	s = open_store(n->t, n->others, CAP);
	jl_digest_bytes(&one, sizeof(one), &key);
	assert_int_equal(jl_care_remove(s, &key, 1, NULL), JL_OK);
	jl_store_free(s);
}

/* S19: where there are no locks, a blob that is on its way stays in the index when the last record that names it goes. */
static void s19_on_its_way_without_locks(void **state)
{
	const struct tmpdir *t = *state;
	char blob[BLOCK], hex[JL_DIGEST_TEXT], path[300];
	struct fault_io f;
	struct names_io n;
	struct jl_store *s;
	struct jl_digest d;

	fault_io_init(&f, 0, 0);
	f.no_locks = true;
	names_io_init(&n, t, NULL);
	n.others = &f.io;
	s = open_store(t, &f.io, CAP);
	assert_int_equal(put(s, 1), JL_OK);
	jl_store_free(s);
	/* Its file goes, and another process puts it again. */
	make_blob(1, blob, &d);
	jl_digest_hex(&d, hex);
	snprintf(path, sizeof(path), "store/cas/%.2s/%s", hex, hex);
	assert_int_equal(unlinkat(t->fd, path, 0), 0);
	s = open_store(t, &n.io, CAP);
	((struct jl_local *)s)->index.no_lock = true;
	n.before = another_removes_the_record;
	assert_int_equal(s->ops->put_bytes(s, &d, blob, BLOCK, NULL), JL_OK);
	assert_true(n.came_in > 0);
	n.before = NULL;
	jl_store_free(s);
	assert_counted(t);
}

/* --- killed in between ------------------------------------------------------------------------------------------- */

static void killed(struct names_io *n, const char *path)
{
	(void)path;
	if (n->seen == 3)
		raise(SIGKILL);
}

/* S02: one that dies between the two leaves sums that are too high, and that until somebody has to make room. */
static void s02_killed_in_between(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_store *s;
	struct names_io n;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		names_io_init(&n, t, killed);
		s = open_store(t, &n.io, CAP);
		(void)!put(s, 1);
		(void)!put(s, 2);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	s = open_store(t, &jl_io_system, 20);
	for (unsigned i = 10; i < 30; i++)
		assert_int_equal(put(s, i), JL_OK);
	jl_store_free(s);
	assert_counted(t);
}

/* --- shares ------------------------------------------------------------------------------------------------------ */

/* However much has to go, nobody waits for more than a share of it. */
static void a_share_is_small(void **state)
{
	const struct tmpdir *t = *state;
	const unsigned many = JL_EVICT_SHARE;
	struct names_io n;
	struct jl_store *s;

	names_io_init(&n, t, NULL);
	for (int way = 0; way < 3; way++) {
		s = open_store(t, &n.io, 0);
		for (unsigned i = 0; i < many; i++)
			assert_int_equal(put(s, i), JL_OK);
		jl_store_free(s);
		s = open_store(t, &n.io, 100); /* the cap comes down, and all at once is too much */
		n.most_unlinks = 0;
		if (way == 0)
			assert_int_equal(put(s, many), JL_OK);
		else
			assert_int_equal(way == 1 ? jl_care_gc(s, NULL) : jl_care_clear(s, NULL), JL_OK);
		assert_true(n.most_unlinks > 0 && n.most_unlinks <= JL_EVICT_SHARE + 2);
		jl_store_free(s);
		assert_counted(t);
	}
}

/* --- several file systems ---------------------------------------------------------------------------------------- */

/* S18: where blobs or records are on a file system of their own, objects get there by a copy. */
static void s18_apart(void **state)
{
	const struct tmpdir *t = *state;
	struct jl_buf out = JL_BUF_INIT;
	struct jl_digest d, key;
	char blob[BLOCK], back[BLOCK];
	struct names_io n;
	struct jl_store *s = open_store(t, &jl_io_system, CAP);
	int dst = open(t->path, O_TMPFILE | O_RDWR, 0600);
	unsigned last = 59;

	jl_store_free(s);
	names_io_init(&n, t, NULL);
	n.store_dev = openat(t->fd, "store/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(n.store_dev >= 0 && dst >= 0);
	/* What one that was killed left there. */
	assert_int_equal(mkdirat(t->fd, "store/cas/tmp", 0700), 0);
	tmpdir_write(t, "store/cas/tmp/.tmp-elsewhere-1-2-3", "x", 1);
	assert_int_equal(utimensat(t->fd, "store/cas/tmp/.tmp-elsewhere-1-2-3", (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
	s = open_store(t, &n.io, CAP);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(put(s, i), JL_OK);
	make_blob(last, blob, &d);
	assert_int_equal(s->ops->get_blob(s, &d, BLOCK, dst, NULL), JL_OK);
	assert_int_equal(pread(dst, back, BLOCK, 0), BLOCK);
	assert_memory_equal(back, blob, BLOCK);
	jl_digest_bytes(&last, sizeof(last), &key);
	assert_int_equal(s->ops->get_record(s, &key, &out, NULL), JL_OK);
	assert_int_equal(tmpdir_count(t, "store/tmp") + tmpdir_count(t, "store/cas/tmp") + tmpdir_count(t, "store/ac/tmp"), 0);
	jl_store_free(s);
	jl_buf_release(&out);
	assert_counted(t);
	close(dst);
	close(n.store_dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s10_nobody_comes_between, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(others_work_during_gc, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s19_on_its_way_without_locks, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s02_killed_in_between, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(a_share_is_small, tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(s18_apart, tmpdir_setup, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
