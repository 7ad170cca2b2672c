/* A whole store as version 1 left it, test/golden/store-v1: every kind of file in it is read by this program. Record, variants,
 * index, state and journal have copies and tests of their own. GOLDEN=write makes this one, which is for formats that were not
 * released yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/stamps.h"
#include "run/tools.h"
#include "state/state.h"
#include "store/evict.h"
#include "store/flight.h"
#include "store_conform.h"
#include "tmpdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN   "test/golden/store-v1"
#define OTHER    "live/.tmp-elsewhere-1234-0123456789abcdef-0"
#define HEADER   "/usr/include/nowhere.h"
#define RECORD   "a record of version 1"
#define TEXT_LEN 6000u
#define USED_NS  (1700000000 * JL_NS_S + 123456789)

static const struct jl_io *const sys = &jl_io_system;

static void text_of(char data[TEXT_LEN], char first)
{
	for (unsigned i = 0; i < TEXT_LEN; i++)
		data[i] = "to be or not to be "[i % 19];
	data[0] = first;
}

static struct jl_digest name(const char *text)
{
	struct jl_digest d;

	jl_digest_bytes(text, strlen(text), &d);
	return d;
}

static struct stat stat_of_golden(void)
{
	struct stat st = {.st_dev = 0x801, .st_ino = 1234567890123, .st_size = 70000, .st_mode = 0100755};

	st.st_mtim = (struct timespec){1700000000, 123456789};
	st.st_ctim = (struct timespec){1700000001, 123456789};
	return st;
}

static char *prog_path(const char *dir)
{
	static char path[400];
	const struct jl_digest d = name("/usr/bin/nowhere");
	char hex[JL_DIGEST_TEXT];

	jl_digest_hex(&d, hex);
	snprintf(path, sizeof(path), "%s/prog/%.2s/%s", dir, hex, hex);
	return path;
}

static struct jl_store *open_store(const char *path)
{
	struct jl_store *s = NULL;
	struct jl_err err = JL_ERR_INIT;

	if (jl_store_local_open(sys, path, false, &s, &err) != JL_OK)
		fail_msg("%s", err.text);
	return s;
}

/* --- making it --------------------------------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *path, const struct jl_buf *b)
{
	char full[400];

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	*strrchr(full, '/') = '\0';
	assert_int_equal(jl_file_mkdirs(sys, AT_FDCWD, full, 0700, NULL), JL_OK);
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	assert_int_equal(jl_file_write(sys, AT_FDCWD, full, b->data, b->len, 0600, false, NULL), JL_OK);
}

static void make_prog(const char *dir)
{
	const struct stat st = stat_of_golden();
	const struct jl_digest d = name("the program");
	struct jl_buf b = JL_BUF_INIT;

	jl_buf_add(&b, "jlprog1\n", 8);
	jl_buf_u64(&b, st.st_dev);
	jl_buf_u64(&b, st.st_ino);
	jl_buf_u64(&b, (uint64_t)st.st_size);
	jl_buf_u64(&b, 1700000000123456789u);
	jl_buf_u64(&b, 1700000001123456789u);
	jl_buf_u64(&b, st.st_mode);
	jl_buf_add(&b, d.b, 16);
	jl_buf_u64(&b, jl_hash64(b.data, b.len));
	write_file(dir, prog_path(dir) + strlen(dir) + 1, &b);
	jl_buf_release(&b);
}

static void make_stamps(const struct tmpdir *t, const char *dir)
{
	const struct jl_digest d = name("a header");
	struct jl_state *s = NULL;
	struct stat st = stat_of_golden();
	uint32_t id;

	st.st_mode = 0100644;
	assert_int_equal(jl_state_open(sys, t->path, true, NULL, 0, &s, NULL), JL_OK);
	id = jl_files_id(&s->files, HEADER, strlen(HEADER));
	jl_files_set(&s->files, id, &st, &d, false);
	jl_stamps_save(&s->files, dir, &id, 1);
	(void)!jl_state_close(s, NULL, NULL, NULL);
}

static void make_golden(const struct tmpdir *t)
{
	const struct jl_digest key = name("key"), blob = name("a blob"), needed = name("needed");
	const struct jl_digest keys[] = {key, name("other")};
	const struct jl_day days[] = {{.day = 19675, .hits = 3, .runs = 1, .saved_ms = 1500}, {19676, 5, 0, 70000}};
	const struct jl_key_set none = {0};
	struct jl_store *s = open_store(GOLDEN);
	struct jl_buf b = JL_BUF_INIT;
	char text[TEXT_LEN];
	struct jl_digest d;

	assert_int_equal(s->ops->put_bytes(s, &blob, "a blob", 6, NULL), JL_OK);
	text_of(text, 'z');
	jl_digest_bytes(text, TEXT_LEN, &d);
	assert_int_equal(s->ops->put_bytes(s, &d, text, TEXT_LEN, NULL), JL_OK);
	assert_int_equal(s->ops->put_record(s, &key, RECORD, strlen(RECORD), NULL), JL_OK);
	assert_int_equal(s->ops->use_keys(s, keys, 2, NULL), JL_OK);
	assert_int_equal(jl_pin_set((struct jl_local *)s, &key, true, NULL), JL_OK);
	for (int i = 0; i < 2; i++)
		(void)jl_uses_note(sys, GOLDEN, &none, &days[i]);
	jl_store_free(s);
	jl_buf_add(&b, &needed, sizeof(needed));
	jl_buf_add(&b, &key, sizeof(key));
	write_file(GOLDEN, OTHER, &b);
	jl_buf_release(&b);
	make_prog(GOLDEN);
	make_stamps(t, GOLDEN);
}

/* --- reading it -------------------------------------------------------------------------------------------------- */

static void copy_tree(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *e;

	assert_non_null(dir);
	assert_int_equal(mkdir(to, 0700), 0);
	while ((e = readdir(dir)) != NULL) {
		char a[600], b[600];
		struct jl_buf data = JL_BUF_INIT;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		if (jl_file_read(sys, AT_FDCWD, a, &data, NULL) == JL_OK)
			assert_int_equal(jl_file_write(sys, AT_FDCWD, b, data.data, data.len, 0600, false, NULL), JL_OK);
		else
			copy_tree(a, b);
		jl_buf_release(&data);
	}
	closedir(dir);
}

static int begin(void **state)
{
	const struct tmpdir *t;
	char to[300];
	int r = tmpdir_setup(state);

	if (r != 0)
		return r;
	t = *state;
	snprintf(to, sizeof(to), "%s/store", t->path);
	copy_tree(GOLDEN, to);
	return 0;
}

static void assert_blob(struct jl_store *s, const char *data, size_t len)
{
	int fd = store_file("", 0);
	struct jl_digest d;

	jl_digest_bytes(data, len, &d);
	assert_int_equal(s->ops->get_blob(s, &d, len, fd, NULL), JL_OK);
	assert_true(store_file_is(fd, data, len));
	close(fd);
}

static void objects(void **state)
{
	const struct tmpdir *t = *state;
	const struct jl_digest key = name("key");
	struct jl_buf out = JL_BUF_INIT;
	char text[TEXT_LEN], path[300];
	struct jl_store *s;

	snprintf(path, sizeof(path), "%s/store", t->path);
	s = open_store(path);
	assert_int_equal(s->ops->get_record(s, &key, &out, NULL), JL_OK);
	assert_string_equal(out.data, RECORD);
	assert_blob(s, "a blob", 6);
	text_of(text, 'z'); /* packed by zstd */
	assert_blob(s, text, TEXT_LEN);
	text_of(text, 'g'); /* packed by gzip */
	assert_blob(s, text, TEXT_LEN);
	assert_int_equal(s->stats.damaged, 0);
	jl_store_free(s);
	jl_buf_release(&out);
}

static void uses_days_live_pins(void **state)
{
	const struct tmpdir *t = *state;
	const struct jl_digest key = name("key"), other = name("other"), needed = name("needed"), none = name("none");
	struct jl_table days = JL_TABLE_INIT(struct jl_day);
	struct jl_key_set set = {0};
	struct jl_day run = {.day = 19677, .hits = 1};
	struct jl_store *s;
	struct jl_local *l;
	char path[300];

	snprintf(path, sizeof(path), "%s/store", t->path);
	jl_key_set_add(&set, &key);
	jl_key_set_add(&set, &other);
	assert_true(jl_uses_note(sys, path, &set, &run)); /* the set is found by its sum */
	s = open_store(path);
	l = (struct jl_local *)s;
	assert_true(jl_uses_look(l));
	assert_true(jl_uses_of(l, &key) > USED_NS && jl_uses_of(l, &key) == jl_uses_of(l, &other));
	assert_int_equal(jl_uses_of(l, &none), 0);
	assert_int_equal(jl_uses_days(l, &days, NULL), JL_OK);
	assert_int_equal(days.len, 3);
	assert_int_equal(JL_AT(days, struct jl_day, 0)->day, 19675);
	assert_int_equal(JL_AT(days, struct jl_day, 0)->runs, 1);
	assert_int_equal(JL_AT(days, struct jl_day, 1)->hits, 5);
	assert_int_equal(JL_AT(days, struct jl_day, 1)->saved_ms, 70000);
	assert_true(jl_hold_look(l));
	assert_true(jl_hold_has(l, &needed) && jl_hold_has(l, &key));
	assert_false(jl_hold_has(l, &none));
	assert_true(jl_pin_has(l, &key));
	assert_false(jl_pin_has(l, &other));
	jl_table_release(&days);
	jl_store_free(s);
}

/* Empty files, locked at places that names give. */
static void owners_and_flight(void **state)
{
	const struct tmpdir *t = *state;
	const struct jl_digest key = name("key");
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct jl_flight f = JL_FLIGHT_NONE;
	char path[300], own[JL_OWNER_NAME], prefix[JL_FILE_TEMP_SIZE], file[JL_OWNER_NAME + 2];
	struct jl_store *s;
	struct jl_local *l;
	int fd;

	snprintf(path, sizeof(path), "%s/store", t->path);
	s = open_store(path);
	l = (struct jl_local *)s;
	/* Of this host, and of a process that lives by its lock alone. */
	jl_file_temp_prefix(prefix, sizeof(prefix), 1234);
	snprintf(own, sizeof(own), "%s0123456789abcdef", prefix);
	snprintf(file, sizeof(file), "%s-0", own);
	assert_true(jl_owner_is_gone(l, file, JL_NS_S));
	fd = openat(l->root_fd, "owners", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	range.l_start = (off_t)(jl_hash64(own, strlen(own)) >> 2);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &range), 0);
	assert_false(jl_owner_is_gone(l, file, JL_NS_S));
	close(fd);
	assert_true(jl_owner_is_gone(l, file, JL_NS_S));

	fd = openat(l->root_fd, "flight", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	range.l_start = 0;
	for (int i = 0; i < 8; i++)
		range.l_start = (off_t)((uint64_t)range.l_start << 8 | key.b[i]);
	range.l_start = (off_t)((uint64_t)range.l_start >> 3) * 2;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &range), 0);
	assert_false(jl_flight_try(&f, sys, path, &key));
	jl_flight_leave(&f);
	close(fd);
	jl_store_free(s);
}

static void programs_and_stamps(void **state)
{
	const struct tmpdir *t = *state;
	const struct stat st = stat_of_golden();
	struct stat another = st;
	struct jl_digest d, want = name("the program");
	struct jl_state *s = NULL;
	const struct jl_file *e;
	char path[300];

	snprintf(path, sizeof(path), "%s/store", t->path);
	assert_true(jl_tools_entry(prog_path(path), JL_DIGEST_XXH3, &st, &d));
	assert_true(jl_digest_equal(&d, &want));
	another.st_ino++;
	assert_false(jl_tools_entry(prog_path(path), JL_DIGEST_XXH3, &another, &d));

	assert_int_equal(jl_state_open(sys, t->path, true, NULL, 0, &s, NULL), JL_OK);
	jl_stamps_load(&s->files, path);
	assert_true(jl_files_find(&s->files, HEADER, strlen(HEADER)) != JL_NONE);
	e = jl_file_at(&s->files, jl_files_find(&s->files, HEADER, strlen(HEADER)));
	assert_int_equal(e->flags & JL_FILE_STORED, JL_FILE_DIGEST);
	assert_int_equal(e->stamp.ino, 1234567890123);
	assert_int_equal(e->stamp.ctime_ns, 1700000001123456789);
	want = name("a header");
	assert_true(jl_digest_equal(&e->digest, &want));
	(void)!jl_state_close(s, NULL, NULL, NULL);
}

static int make(void **state)
{
	if (!getenv("GOLDEN"))
		return 0;
	if (tmpdir_setup(state) != 0)
		return -1;
	make_golden(*state);
	return tmpdir_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(objects, begin, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(uses_days_live_pins, begin, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(owners_and_flight, begin, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(programs_and_stamps, begin, tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, make, NULL);
}
