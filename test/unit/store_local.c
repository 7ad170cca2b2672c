/* The local store: the suite for every store, then its files: layout, damage, failing calls, several processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "fault_io.h"
#include "memo/record.h"
#include "store/local.h"
#include "store_conform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct jl_io *const sys = &jl_io_system;

/* A store in a folder of its own. */
struct place {
	char root[4096], dir[4200];
	unsigned warnings;
	char warned[1000];
};

static void place_init(struct place *p)
{
	const char *tmp = getenv("TMPDIR");

	memset(p, 0, sizeof(*p));
	snprintf(p->root, sizeof(p->root), "%s/jl-store-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(p->root));
	snprintf(p->dir, sizeof(p->dir), "%s/a/store", p->root);
}

static void place_release(struct place *p)
{
	assert_int_equal(jl_file_remove(sys, AT_FDCWD, p->root, NULL), JL_OK);
}

static void on_warn(void *ctx, const char *text)
{
	struct place *p = ctx;

	p->warnings++;
	snprintf(p->warned, sizeof(p->warned), "%s", text);
}

static struct jl_store *open_with(struct place *p, const struct jl_io *io, bool read_only)
{
	struct jl_store *s = NULL;
	struct jl_err err = JL_ERR_INIT;

	if (jl_store_local_open(io, p->dir, read_only, &s, &err) != JL_OK)
		fail_msg("%s", err.text);
	s->warn = on_warn;
	s->warn_ctx = p;
	return s;
}

static char *path_of(const struct place *p, const char *kind, const struct jl_digest *d, const char *suffix)
{
	static char path[8192];
	char hex[JL_DIGEST_TEXT];

	jl_digest_hex(d, hex);
	if (strcmp(kind, "ac") == 0 || strcmp(kind, "cas") == 0)
		snprintf(path, sizeof(path), "%s/%s/%.2s/%s%s", p->dir, kind, hex, hex, suffix);
	else
		snprintf(path, sizeof(path), "%s/quarantine/%s-%s%s", p->dir, kind, hex, suffix);
	return path;
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void write_path(const char *path, const void *data, size_t len)
{
	assert_int_equal(jl_file_write(sys, AT_FDCWD, path, data, len, 0600, false, NULL), JL_OK);
}

static unsigned entries(const struct place *p, const char *folder)
{
	char path[8192];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", p->dir, folder);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.' || strncmp(e->d_name, ".tmp-", 5) == 0;
	if (d)
		closedir(d);
	return n;
}

/* --- the suite, and opening --------------------------------------------- */

static struct jl_store *open_fresh(void *ctx)
{
	struct place *p = ctx;

	assert_int_equal(jl_file_remove(sys, AT_FDCWD, p->dir, NULL), JL_OK);
	return open_with(p, sys, false);
}

static void conforms(void **state)
{
	struct place p;

	(void)state;
	place_init(&p);
	store_conform(open_fresh, &p);
	assert_int_equal(entries(&p, "tmp"), 0);
	place_release(&p);
}

static struct jl_store *open_short(void *ctx)
{
	static struct fault_io f;

	fault_io_init(&f, 0, 0);
	f.short_io = true;
	f.clone = true;
	assert_int_equal(jl_file_remove(sys, AT_FDCWD, ((struct place *)ctx)->dir, NULL), JL_OK);
	return open_with(ctx, &f.io, false);
}

static void conforms_with_short_reads_and_clones(void **state)
{
	struct place p;

	(void)state;
	place_init(&p);
	store_conform(open_short, &p);
	place_release(&p);
}

static void layout(void **state)
{
	struct jl_buf text = JL_BUF_INIT;
	struct jl_store *s;
	struct jl_digest d;
	char path[8192];
	struct stat st;
	struct place p;

	(void)state;
	place_init(&p);
	s = open_with(&p, sys, false);
	jl_digest_bytes("x", 1, &d);
	assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
	assert_int_equal(s->ops->put_bytes(s, &d, "x", 1, NULL), JL_OK);
	jl_store_free(s);
	s = open_with(&p, sys, false); /* again, as it is */
	assert_int_equal(s->ops->has_blob(s, &d, NULL), 1);
	assert_int_equal(s->ops->get_record(s, &d, &text, NULL), JL_OK);
	jl_store_free(s);
	assert_true(there(path_of(&p, "ac", &d, "")));
	assert_true(there(path_of(&p, "cas", &d, "")));
	for (const char *const *name = (const char *const[]){"", "ac", "cas", "tmp", NULL}; *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", p.dir, *name);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
	}
	snprintf(path, sizeof(path), "%s/version", p.dir);
	jl_buf_clear(&text);
	assert_int_equal(jl_file_read(sys, AT_FDCWD, path, &text, NULL), JL_OK);
	assert_string_equal(text.data, "jl store 1\n");
	jl_buf_release(&text);
	place_release(&p);
}

static int open_status(const struct place *p, bool read_only)
{
	struct jl_store *s = NULL;
	int status = jl_store_local_open(sys, p->dir, read_only, &s, NULL);

	jl_store_free(s);
	return status;
}

static void refuses_what_is_no_store(void **state)
{
	struct place p;
	char path[8192];

	(void)state;
	place_init(&p);
	assert_int_equal(jl_file_mkdirs(sys, AT_FDCWD, p.dir, 0755, NULL), JL_OK);
	snprintf(path, sizeof(path), "%s/thesis.tex", p.dir);
	write_path(path, "x", 1);
	assert_int_equal(open_status(&p, false), JL_EINVAL);
	assert_int_equal(open_status(&p, true), JL_EINVAL);
	assert_int_equal(entries(&p, "."), 1); /* and nothing was left there */
	unlink(path);
	snprintf(path, sizeof(path), "%s/version", p.dir);
	write_path(path, "jl store 2\n", 11);
	assert_int_equal(open_status(&p, false), JL_EUNSUPPORTED);
	write_path(path, "something else\n", 15);
	assert_int_equal(open_status(&p, false), JL_EINVAL);
	write_path(path, "jl store one\n", 13);
	assert_int_equal(open_status(&p, false), JL_EINVAL);
	write_path(path, "", 0); /* S01 */
	assert_int_equal(open_status(&p, true), JL_OK);
	assert_int_equal(open_status(&p, false), JL_OK);
	assert_int_equal(open_status(&p, false), JL_OK);
	/* Root may not, where nobody else is mapped into its namespace. */
	if (geteuid() == 0 && chown(p.dir, 1, 1) == 0) {
		assert_int_equal(open_status(&p, false), JL_EINVAL);
		assert_int_equal(open_status(&p, true), JL_EINVAL);
	}
	place_release(&p);
}

static void reading_only_makes_nothing(void **state)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;
	int fd = store_file("", 0);

	(void)state;
	place_init(&p);
	jl_digest_bytes("x", 1, &d);
	for (int i = 0; i < 2; i++) {
		s = open_with(&p, sys, true);
		assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
		assert_int_equal(s->ops->put_bytes(s, &d, "x", 1, NULL), JL_OK);
		assert_int_equal(s->ops->drop_record(s, &d, NULL), JL_OK);
		assert_int_equal(s->ops->damaged_record(s, &d, NULL), JL_OK);
		assert_int_equal(s->ops->get_record(s, &d, &out, NULL), JL_ENOTFOUND);
		assert_int_equal(s->ops->get_blob(s, &d, 1, fd, NULL), JL_ENOTFOUND);
		assert_int_equal(s->ops->has_blob(s, &d, NULL), 0);
		jl_store_free(s);
		if (i == 0) {
			assert_false(there(p.dir));
			assert_int_equal(jl_file_mkdirs(sys, AT_FDCWD, p.dir, 0700, NULL), JL_OK);
		}
	}
	assert_int_equal(entries(&p, "."), 0);
	close(fd);
	place_release(&p);
}

/* S20: EROFS at the first write, then reads go on. */
static void becomes_read_only_by_itself(void **state)
{
	struct jl_buf out = JL_BUF_INIT;
	struct fault_io f;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;
	unsigned calls;

	(void)state;
	place_init(&p);
	jl_digest_bytes("x", 1, &d);
	fault_io_init(&f, 0, EROFS);
	s = open_with(&p, &f.io, false);
	assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
	f.fail_at = f.calls + 1;
	assert_int_equal(s->ops->put_record(s, &d, "new", 3, NULL), JL_OK);
	assert_int_equal(f.failed, 1);
	calls = f.calls;
	assert_int_equal(s->ops->put_record(s, &d, "new", 3, NULL), JL_OK);
	assert_int_equal(s->ops->put_bytes(s, &d, "x", 1, NULL), JL_OK);
	assert_int_equal(f.calls, calls);
	assert_int_equal(p.warnings, 1);
	assert_non_null(strstr(p.warned, "not writable"));
	assert_int_equal(s->ops->get_record(s, &d, &out, NULL), JL_OK);
	assert_string_equal(out.data, "r");
	assert_int_equal(s->stats.records_put, 1);
	jl_store_free(s);

	/* The same where the folders cannot even be made. */
	assert_int_equal(jl_file_remove(sys, AT_FDCWD, p.dir, NULL), JL_OK);
	assert_int_equal(jl_file_mkdirs(sys, AT_FDCWD, p.dir, 0700, NULL), JL_OK);
	fault_io_init(&f, 1, EACCES);
	f.ops = FAULT_MKDIR;
	p.warnings = 0;
	s = open_with(&p, &f.io, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
	assert_int_equal(p.warnings, 1);
	jl_store_free(s);
	jl_buf_release(&out);
	place_release(&p);
}

/* --- damage --------------------------------------------- */

static void encode_small(struct jl_digest *ret_key, struct jl_buf *out)
{
	struct jl_record r = {.label = "step", .host = "h", .exit_code = 0};

	jl_digest_bytes("key", 3, &r.key);
	*ret_key = r.key;
	assert_int_equal(jl_record_encode(&r, out, NULL), JL_OK);
}

/* As the engine does it: a hit only if the record decodes. */
static bool record_hit(struct jl_store *s, const struct jl_digest *key)
{
	struct jl_buf got = JL_BUF_INIT;
	struct jl_record *r;
	int status = s->ops->get_record(s, key, &got, NULL);

	if (status == JL_OK) {
		status = jl_record_decode(got.data, got.len, &r, NULL);
		if (status == JL_OK)
			jl_record_free(r);
		else
			assert_int_equal(s->ops->damaged_record(s, key, NULL), JL_OK);
	}
	jl_buf_release(&got);
	return status == JL_OK;
}

/* S01 S04: any damage to a record is a miss, one warning, and the file is out of the way. */
static void damaged_record(void **state)
{
	struct jl_buf good = JL_BUF_INIT;
	struct jl_digest key;
	struct jl_store *s;
	struct place p;
	char *bad;

	(void)state;
	place_init(&p);
	s = open_with(&p, sys, false);
	encode_small(&key, &good);
	bad = malloc(good.len);
	assert_int_equal(s->ops->put_record(s, &key, good.data, good.len, NULL), JL_OK);
	assert_true(record_hit(s, &key));
	for (size_t i = 0; i < 2 * good.len; i++) {
		memcpy(bad, good.data, good.len);
		if (i < good.len)
			bad[i] ^= (char)(1 << i % 8);
		write_path(path_of(&p, "ac", &key, ""), bad, i < good.len ? good.len : i - good.len);
		p.warnings = 0;
		assert_false(record_hit(s, &key));
		assert_int_equal(p.warnings, 1);
		assert_false(there(path_of(&p, "ac", &key, "")));
		assert_true(there(path_of(&p, "record", &key, "")));
		assert_false(record_hit(s, &key));
		assert_int_equal(p.warnings, 1);
	}
	assert_int_equal(s->stats.damaged, 2 * good.len);
	assert_int_equal(entries(&p, "quarantine"), 1);
	assert_int_equal(s->ops->put_record(s, &key, good.data, good.len, NULL), JL_OK);
	assert_true(record_hit(s, &key));
	/* What is no file at all: a folder, a fifo, a link. */
	for (int i = 0; i < 3; i++) {
		const char *path = path_of(&p, "ac", &key, "");

		unlink(path_of(&p, "record", &key, ""));
		assert_int_equal(unlink(path_of(&p, "ac", &key, "")), i == 0 ? 0 : -1);
		assert_int_equal(i == 0 ? mkdir(path, 0700) : i == 1 ? mkfifo(path, 0600) : symlink("/", path), 0);
		assert_false(record_hit(s, &key));
		assert_int_equal(rmdir(path_of(&p, "record", &key, "")), i == 0 ? 0 : -1);
	}
	free(bad);
	jl_store_free(s);
	jl_buf_release(&good);
	place_release(&p);
}

/* S04 S17: the same for a blob, bare and packed; then good content repairs it. Some bits of a packed file mean nothing:
 * there the right bytes may still come out. */
static void damaged_blob(const char *content, size_t len, const char *suffix)
{
	struct jl_buf good = JL_BUF_INIT;
	struct jl_digest d;
	struct jl_store *s;
	struct place p;
	unsigned missed = 0;
	char *bad;

	place_init(&p);
	s = open_with(&p, sys, false);
	jl_digest_bytes(content, len, &d);
	assert_int_equal(s->ops->put_bytes(s, &d, content, len, NULL), JL_OK);
	assert_int_equal(jl_file_read(sys, AT_FDCWD, path_of(&p, "cas", &d, suffix), &good, NULL), JL_OK);
	bad = malloc(good.len);
	for (size_t i = 0; i < 2 * good.len; i++) {
		int fd = store_file("", 0), status;

		memcpy(bad, good.data, good.len);
		if (i < good.len)
			bad[i] ^= (char)(1 << i % 8);
		write_path(path_of(&p, "cas", &d, suffix), bad, i < good.len ? good.len : i - good.len);
		p.warnings = 0;
		status = s->ops->get_blob(s, &d, len, fd, NULL);
		if (status == JL_OK) {
			assert_true(suffix[0] && i < good.len);
			assert_true(store_file_is(fd, content, len));
		} else {
			missed++;
			assert_int_equal(status, JL_ENOTFOUND);
			assert_true(store_file_is(fd, "", 0));
			assert_int_equal(p.warnings, 1);
			assert_false(there(path_of(&p, "cas", &d, suffix)));
			assert_true(there(path_of(&p, "blob", &d, suffix)));
			assert_int_equal(s->ops->has_blob(s, &d, NULL), 0);
		}
		close(fd);
	}
	assert_true(missed >= 2 * good.len - 8);
	assert_int_equal(s->stats.damaged, missed);

	for (int i = 0; i < 2; i++) { /* quarantined; then torn, and not seen by a reader yet */
		int fd = store_file("", 0);

		assert_int_equal(s->ops->put_bytes(s, &d, content, len, NULL), JL_OK);
		assert_int_equal(s->ops->get_blob(s, &d, len, fd, NULL), JL_OK);
		assert_true(store_file_is(fd, content, len));
		write_path(path_of(&p, "cas", &d, suffix), bad, 0);
		close(fd);
	}
	free(bad);
	jl_store_free(s);
	jl_buf_release(&good);
	place_release(&p);
}

static void damaged_blobs(void **state)
{
	char text[6000];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "to be or not to be "[i % 19];
	damaged_blob("a small content", 15, "");
	damaged_blob(text, sizeof(text), ".zst");
}

/* S19: what another host replaced is a miss, and not damage. */
static void stale_is_a_miss(void **state)
{
	struct jl_buf out = JL_BUF_INIT;
	struct fault_io f;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;

	(void)state;
	place_init(&p);
	jl_digest_bytes("x", 1, &d);
	fault_io_init(&f, 0, ESTALE);
	s = open_with(&p, &f.io, false);
	assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
	assert_int_equal(s->ops->put_bytes(s, &d, "x", 1, NULL), JL_OK);
	for (unsigned op = 0; op < 3; op++) {
		int fd = store_file("", 0);

		f.ops = (unsigned[]){FAULT_READ, FAULT_OPEN, FAULT_STAT}[op];
		f.fail_at = f.calls + 1;
		assert_int_equal(s->ops->get_record(s, &d, &out, NULL), op == 2 ? JL_OK : JL_ENOTFOUND);
		f.fail_at = f.calls + 1;
		assert_int_equal(s->ops->get_blob(s, &d, 1, fd, NULL), JL_ENOTFOUND);
		assert_true(store_file_is(fd, "", 0));
		close(fd);
	}
	f.fail_at = 0;
	assert_int_equal(s->ops->has_blob(s, &d, NULL), 1);
	assert_int_equal(p.warnings, 0);
	jl_store_free(s);
	jl_buf_release(&out);
	place_release(&p);
}

/* --- failing calls --------------------------------------------- */

struct fault_case {
	int error;
	bool half_write, clone;
	const char *content;
	size_t len;
};

/* Open, put, get with call n failing: true while there was a call n. Never a wrong byte, never a temporary left. */
static bool one_fault(const struct fault_case *c, unsigned n)
{
	struct jl_buf record = JL_BUF_INIT, out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_store *s = NULL;
	struct jl_digest d, key;
	struct fault_io f;
	struct place p;
	int src = store_file(c->content, c->len), dst = store_file("", 0);
	int puts[2], gets[2] = {JL_EIO, JL_EIO};

	place_init(&p);
	jl_digest_bytes(c->content, c->len, &d);
	encode_small(&key, &record);
	fault_io_init(&f, n, c->error);
	f.half_write = c->half_write;
	f.clone = c->clone;
	if (jl_store_local_open(&f.io, p.dir, false, &s, &err) == JL_OK) {
		puts[0] = s->ops->put_blob(s, &d, c->len, src, &err);
		puts[1] = s->ops->put_record(s, &key, record.data, record.len, &err);
		if (c->error == ENOSPC)
			assert_true((puts[0] == JL_OK || puts[0] == JL_ENOSPC) && (puts[1] == JL_OK || puts[1] == JL_ENOSPC));
		if (puts[0] != JL_OK || puts[1] != JL_OK)
			assert_true(f.failed && err.text[0] != '\0' && puts[0] != JL_ENOTFOUND && puts[1] != JL_ENOTFOUND);
		gets[0] = s->ops->get_blob(s, &d, c->len, dst, &err);
		gets[1] = s->ops->get_record(s, &key, &out, &err);
		assert_true(gets[0] != JL_OK || (puts[0] == JL_OK && store_file_is(dst, c->content, c->len)));
		assert_true(gets[1] != JL_OK || (out.len == record.len && !memcmp(out.data, record.data, out.len)));
		assert_true(gets[0] == JL_OK || f.failed);
		assert_true(gets[1] == JL_OK || f.failed);
		/* A failed call is not damage, and the next one works. */
		f.fail_at = 0;
		assert_int_equal(s->stats.damaged, 0);
		assert_int_equal(s->ops->put_blob(s, &d, c->len, src, &err), JL_OK);
		assert_int_equal(ftruncate(dst, 0), 0);
		assert_int_equal(lseek(dst, 0, SEEK_SET), 0);
		assert_int_equal(s->ops->get_blob(s, &d, c->len, dst, &err), JL_OK);
		assert_true(store_file_is(dst, c->content, c->len));
	} else {
		assert_true(f.failed && err.text[0] != '\0');
	}
	jl_store_free(s);
	assert_int_equal(entries(&p, "tmp"), 0);
	close(src);
	close(dst);
	jl_buf_release(&record);
	jl_buf_release(&out);
	place_release(&p);
	return f.failed > 0;
}

/* S05 S06 S07 */
static void every_call_fails_once(void **state)
{
	static char text[10000];
	const struct fault_case cases[] = {
		{EIO, false, false, "content", 7},    {EIO, false, true, "content", 7}, {ENOSPC, true, false, "content", 7},
		{EMFILE, false, false, "content", 7}, {EIO, true, false, text, 10000},  {ENOENT, false, false, "content", 7},
	};

	(void)state;
	memset(text, 't', sizeof(text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned n = 1;

		while (one_fault(&cases[i], n))
			n++;
		assert_true(n > 30);
	}
}

/* The calls of the hot path, which do not depend on the machine: no mkdir, no sync, nothing that grows with the store. */
static void few_calls(void **state)
{
	struct jl_buf out = JL_BUF_INIT;
	struct fault_io f;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;
	unsigned before;

	(void)state;
	place_init(&p);
	fault_io_init(&f, 0, 0);
	s = open_with(&p, &f.io, false);
	jl_digest_bytes("x", 1, &d);
	f.fsyncs = 0;
	assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
	before = f.calls;
	assert_int_equal(s->ops->put_record(s, &d, "r", 1, NULL), JL_OK);
	assert_int_equal(f.calls - before, 4 + 5); /* the file's own, the index's: lock, read, append, head, unlock */
	before = f.calls;
	assert_int_equal(s->ops->get_record(s, &d, &out, NULL), JL_OK);
	assert_int_equal(f.calls - before, 4);
	assert_int_equal(s->ops->put_bytes(s, &d, "x", 1, NULL), JL_OK);
	before = f.calls;
	assert_int_equal(s->ops->put_bytes(s, &d, "x", 1, NULL), JL_OK);
	assert_int_equal(f.calls - before, 2); /* it is there; it is wanted */
	assert_int_equal(f.fsyncs, 0);
	jl_store_free(s);
	jl_buf_release(&out);
	place_release(&p);
}

/* --- clones --------------------------------------------- */

/* Stamps long past, so that a check may be remembered. */
static int long_past(const struct jl_io *io, int fd, struct stat *st)
{
	int r = sys->fstat(sys, fd, st);

	(void)io;
	st->st_ctim.tv_sec -= 1000;
	return r;
}

/* What will be asked for soon is kept in memory until then, once, if it is not large; and only if its bytes were looked at. */
static void soon_asked_for(void **state)
{
	static char large[JL_RECENT_MAX + 1];
	struct fault_io f;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;
	int fd;

	(void)state;
	place_init(&p);
	fault_io_init(&f, 0, 0);
	f.ops = FAULT_READ;
	s = open_with(&p, &f.io, false);
	s->soon = true;
	jl_digest_bytes("content", 7, &d);
	assert_int_equal(s->ops->put_bytes(s, &d, "CONTENT", 7, NULL), JL_ECHANGED);
	assert_int_equal(s->ops->put_bytes(s, &d, "content", 7, NULL), JL_OK);
	assert_int_equal(s->ops->put_bytes(s, &d, "CONTENT", 7, NULL), JL_OK); /* it is there, so they are not even read */
	for (int i = 0; i < 2; i++) {
		f.calls = 0;
		fd = store_file("", 0);
		assert_int_equal(s->ops->get_blob(s, &d, 7, fd, NULL), JL_OK);
		assert_true(store_file_is(fd, "content", 7));
		assert_true(i ? f.calls > 0 : f.calls == 0);
		close(fd);
	}
	jl_digest_bytes(large, sizeof(large), &d);
	assert_int_equal(s->ops->put_bytes(s, &d, large, sizeof(large), NULL), JL_OK);
	f.calls = 0;
	fd = store_file("", 0);
	assert_int_equal(s->ops->get_blob(s, &d, sizeof(large), fd, NULL), JL_OK);
	assert_true(f.calls > 0);
	close(fd);
	jl_store_free(s);
	place_release(&p);
}

/* More than there is room for: the oldest is read from its file. */
static void soon_asked_for_has_a_bound(void **state)
{
	struct fault_io f;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;

	(void)state;
	place_init(&p);
	fault_io_init(&f, 0, 0);
	f.ops = FAULT_READ;
	s = open_with(&p, &f.io, false);
	s->soon = true;
	for (uint32_t i = 0; i < JL_RECENT_SLOTS + 1; i++) {
		jl_digest_bytes(&i, sizeof(i), &d);
		assert_int_equal(s->ops->put_bytes(s, &d, &i, sizeof(i), NULL), JL_OK);
	}
	f.calls = 0;
	for (uint32_t i = JL_RECENT_SLOTS + 1; i-- > 0;) {
		int fd = store_file("", 0);

		assert_int_equal(f.calls, 0);
		jl_digest_bytes(&i, sizeof(i), &d);
		assert_int_equal(s->ops->get_blob(s, &d, sizeof(i), fd, NULL), JL_OK);
		assert_true(store_file_is(fd, (char *)&i, sizeof(i)));
		close(fd);
	}
	assert_true(f.calls > 0);
	jl_store_free(s);
	place_release(&p);
}

static void clones_are_checked(void **state)
{
	struct fault_io f;
	struct jl_store *s;
	struct jl_digest d;
	struct place p;
	int fd, src = store_file("content", 7), changed = store_file("CONTENT", 7);

	(void)state;
	place_init(&p);
	jl_digest_bytes("content", 7, &d);
	fault_io_init(&f, 0, 0);
	f.clone = true;
	f.ops = FAULT_READ;
	f.io.fstat = long_past;
	s = open_with(&p, &f.io, false);
	assert_int_equal(s->ops->put_blob(s, &d, 7, changed, NULL), JL_ECHANGED);
	assert_int_equal(s->ops->has_blob(s, &d, NULL), 0);
	assert_int_equal(s->ops->put_blob(s, &d, 7, src, NULL), JL_OK);
	assert_int_equal(f.writes, 1 + 2 + 2); /* the version, the new index, what was put; the blob was cloned */
	for (int i = 0; i < 3; i++) {
		f.calls = 0;
		fd = store_file("", 0);
		assert_int_equal(s->ops->get_blob(s, &d, 7, fd, NULL), JL_OK);
		assert_true(store_file_is(fd, "content", 7));
		assert_int_equal(f.calls, i == 0 ? 1 : 0); /* hashed once, then trusted by its stat */
		close(fd);
	}
	assert_int_equal(f.reflinks, 5);
	write_path(path_of(&p, "cas", &d, ""), "CONTENT", 7);
	fd = store_file("", 0);
	assert_int_equal(s->ops->get_blob(s, &d, 7, fd, NULL), JL_ENOTFOUND);
	assert_true(store_file_is(fd, "", 0));
	assert_true(there(path_of(&p, "blob", &d, "")));
	close(fd);
	close(src);
	close(changed);
	jl_store_free(s);
	place_release(&p);
}

/* --- other processes --------------------------------------------- */

/* What one of many does: 1 for anything wrong. */
static int work_along(struct jl_store *s)
{
	struct jl_buf out = JL_BUF_INIT;
	char text[9000];

	for (int i = 0; i < 300; i++) {
		size_t len = i % 3 ? 20 : sizeof(text);
		struct jl_digest d;
		int fd = store_file("", 0);

		memset(text, ' ', sizeof(text));
		snprintf(text, sizeof(text), "content %d", i % 30);
		jl_digest_bytes(text, len, &d);
		if (s->ops->put_bytes(s, &d, text, len, NULL) != JL_OK ||
		    s->ops->put_record(s, &d, text, len, NULL) != JL_OK)
			return 1;
		jl_buf_clear(&out);
		if (s->ops->get_record(s, &d, &out, NULL) != JL_OK || out.len != len || memcmp(out.data, text, len) != 0)
			return 1;
		if (s->ops->get_blob(s, &d, len, fd, NULL) != JL_OK || !store_file_is(fd, text, len))
			return 1;
		close(fd);
	}
	jl_buf_release(&out);
	return s->stats.damaged != 0;
}

/* S09, as far as the store goes: eight at once, opening an absent store too; half of them share an open one. */
static void eight_processes(void **state)
{
	struct jl_store *shared = NULL;
	struct place p;
	pid_t pids[8];

	(void)state;
	place_init(&p);
	for (int i = 0; i < 8; i++) {
		if (i == 4)
			shared = open_with(&p, sys, false);
		pids[i] = fork();
		if (pids[i] == 0) {
			struct jl_store *s = shared ? shared : open_with(&p, sys, false);

			_exit(work_along(s));
		}
		assert_true(pids[i] > 0);
	}
	for (int i = 0; i < 8; i++) {
		int status = -1;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	jl_store_free(shared);
	assert_int_equal(entries(&p, "tmp"), 0);
	place_release(&p);
}

/* A temporary of a process, last written so long ago. */
static void make_temp(const struct place *p, const char *host, long pid, long age_s, char path[8192])
{
	struct timespec times[2];

	snprintf(path, 8192, "%s/tmp/.tmp-%s-%ld-%lx-0", p->dir, host, pid, age_s);
	write_path(path, "torn", 4);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_only_entry(const struct place *p, char path[8192])
{
	DIR *d;

	snprintf(path, 8192, "%s/tmp", p->dir);
	d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (strncmp(e->d_name, ".tmp-", 5) == 0)
			snprintf(path, 8192, "%s/tmp/%s", p->dir, e->d_name);
	}
	closedir(d);
}

/* S02: where there are no locks, what a killed process left goes by its age; what one at work has stays. */
static void old_temporaries_go(void **state)
{
	const struct {
		bool here; /* this host */
		int whose; /* 0: a dead process, 1: this one */
		long age_s;
		bool stays, stays_locked;
	} cases[] = {
		{true, 0, 5, true, false},          {true, 0, 300, false, false},         {true, 1, 2 * 86400, true, false},
		{true, 1, 9 * 86400, false, false}, {false, 0, 3600, true, true},         {false, 0, 2 * 86400, false, false},
		{true, 0, -100 * 86400, true, false},
	};
	enum { N = sizeof(cases) / sizeof(cases[0]) };
	char paths[N][8192], name[128], *host, *end;
	struct fault_io f;
	struct place p;
	pid_t dead;

	(void)state;
	fault_io_init(&f, 0, 0);
	place_init(&p);
	jl_store_free(open_with(&p, sys, false));
	jl_file_temp_name(name, sizeof(name));
	host = name + strlen(".tmp-");
	end = strchr(host, '-');
	assert_non_null(end);
	*end = '\0';
	dead = fork();
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	for (int locked = 0; locked < 2; locked++) {
		f.no_locks = !locked;
		for (int i = 0; i < N; i++)
			make_temp(&p, cases[i].here ? host : "elsewhere", cases[i].whose ? getpid() : dead, cases[i].age_s,
			          paths[i]);
		jl_store_free(open_with(&p, &f.io, true));
		assert_int_equal(entries(&p, "tmp"), N);
		jl_store_free(open_with(&p, &f.io, false));
		for (int i = 0; i < N; i++)
			assert_int_equal(there(paths[i]), locked ? cases[i].stays_locked : cases[i].stays);
	}
	place_release(&p);
}

/* S02: what a process is writing stays, however old; once it is killed it is gone with the next that comes. */
static void s02_temporaries_of_the_killed_go_at_once(void **state)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char path[8192], byte;
	struct place p;
	int ready[2];
	pid_t pid;

	(void)state;
	place_init(&p);
	jl_store_free(open_with(&p, sys, false));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct jl_local *l = (struct jl_local *)open_with(&p, sys, false);
		char name[JL_LOCAL_TEMP];
		int fd;

		if (jl_local_temp_open(l, &fd, name, NULL) == JL_OK && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	the_only_entry(&p, path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	jl_store_free(open_with(&p, sys, false));
	assert_true(there(path));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	jl_store_free(open_with(&p, sys, false));
	assert_false(there(path));
	close(ready[0]);
	close(ready[1]);
	place_release(&p);
}

/* S02: the folder into which a killed `jl load` took results goes with all that is in it; one at work stays. */
static void s02_old_staging_folders_go(void **state)
{
	const struct timespec old = {.tv_sec = time(NULL) - 300};
	char name[128], dead_dir[8192], own_dir[8192], path[8300];
	struct place p;
	pid_t dead;

	(void)state;
	place_init(&p);
	jl_store_free(open_with(&p, sys, false));
	dead = fork();
	if (dead == 0) {
		jl_file_temp_name(name, sizeof(name));
		snprintf(path, sizeof(path), "%s/tmp/%s", p.dir, name);
		if (mkdir(path, 0700) == 0 && strlen(name) > 5)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	assert_int_equal(entries(&p, "tmp"), 1);
	the_only_entry(&p, dead_dir);
	jl_file_temp_name(name, sizeof(name));
	snprintf(own_dir, sizeof(own_dir), "%s/tmp/%s", p.dir, name);
	assert_int_equal(mkdir(own_dir, 0700), 0);
	for (int own = 0; own < 2; own++) {
		snprintf(path, sizeof(path), "%s/one.ac", own ? own_dir : dead_dir);
		write_path(path, "staged", 6);
	}
	jl_store_free(open_with(&p, sys, false));
	assert_true(there(dead_dir)); /* a minute ago somebody wrote there */
	for (int own = 0; own < 2; own++)
		assert_int_equal(utimensat(AT_FDCWD, own ? own_dir : dead_dir, (struct timespec[2]){old, old}, 0), 0);
	jl_store_free(open_with(&p, sys, false));
	assert_false(there(dead_dir));
	assert_true(there(own_dir));
	place_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conforms),
		cmocka_unit_test(conforms_with_short_reads_and_clones),
		cmocka_unit_test(layout),
		cmocka_unit_test(refuses_what_is_no_store),
		cmocka_unit_test(reading_only_makes_nothing),
		cmocka_unit_test(becomes_read_only_by_itself),
		cmocka_unit_test(damaged_record),
		cmocka_unit_test(damaged_blobs),
		cmocka_unit_test(stale_is_a_miss),
		cmocka_unit_test(every_call_fails_once),
		cmocka_unit_test(few_calls),
		cmocka_unit_test(clones_are_checked),
		cmocka_unit_test(soon_asked_for),
		cmocka_unit_test(soon_asked_for_has_a_bound),
		cmocka_unit_test(eight_processes),
		cmocka_unit_test(old_temporaries_go),
		cmocka_unit_test(s02_temporaries_of_the_killed_go_at_once),
		cmocka_unit_test(s02_old_staging_folders_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
