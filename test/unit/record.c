/* Records: round trips, the released format, damage and hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "memo/key.h"
#include "memo/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "test/golden/record-v1.bin"

static struct jl_content inlined(const char *bytes, size_t len)
{
	struct jl_content c = {.size = len, .bytes = bytes};

	jl_digest_bytes(bytes, len, &c.digest);
	return c;
}

/* One of everything: what the golden file holds. */
struct sample {
	struct jl_record r;
	struct jl_record_output outputs[6];
	struct jl_buf manifest;
};

static void sample_init(struct sample *s)
{
	struct jl_digest d;

	memset(s, 0, sizeof(*s));
	jl_buf_init(&s->manifest, JL_BUF_MAX);
	jl_key_begin(&s->manifest);
	jl_key_piece(&s->manifest, JL_PIECE_ARG, "", "cp", 2);
	jl_key_piece(&s->manifest, JL_PIECE_PLATFORM, "", "linux-x86_64", 12);
	jl_digest_bytes("big", 3, &d);
	s->outputs[0] = (struct jl_record_output){"big", 0, JL_KIND_FILE, 0755, {5000000000, d, NULL}};
	s->outputs[1] = (struct jl_record_output){"dir", 1, JL_KIND_DIR, 0700, {0}};
	s->outputs[2] = (struct jl_record_output){"dir.x", 2, JL_KIND_FILE, 0, inlined("", 0)};
	s->outputs[3] = (struct jl_record_output){"dir/a \n\xff", 1, JL_KIND_FILE, 0644, inlined("a\0b\n", 4)};
	s->outputs[4] = (struct jl_record_output){"dir/empty", 1, JL_KIND_DIR, 0755, {0}};
	s->outputs[5] = (struct jl_record_output){"link", 3, JL_KIND_LINK, 0777, inlined("../elsewhere", 12)};
	s->r = (struct jl_record){
		.created_ns = 1700000000123456789,
		.wall_ns = 1240000000,
		.user_ns = 900000000,
		.sys_ns = 100000000,
		.max_rss_kib = 12345,
		.exit_code = 0,
		.signal = 0,
		.label = "clean[a.csv]",
		.host = "example",
		.manifest = s->manifest.data,
		.manifest_len = s->manifest.len,
		.outputs = s->outputs,
		.n_outputs = 6,
		.log = inlined("\1\5\0\0\0hello\2\3\0\0\0oh\n", 18),
	};
	jl_digest_bytes("key", 3, &s->r.key);
}

static void assert_content(const struct jl_content *a, const struct jl_content *b)
{
	assert_int_equal(a->size, b->size);
	assert_true(jl_digest_equal(&a->digest, &b->digest));
	assert_int_equal(a->bytes != NULL, b->bytes != NULL);
	if (a->bytes)
		assert_memory_equal(a->bytes, b->bytes, a->size);
}

static void assert_record(const struct jl_record *a, const struct jl_record *b)
{
	assert_true(jl_digest_equal(&a->key, &b->key));
	assert_true(a->created_ns == b->created_ns && a->wall_ns == b->wall_ns && a->user_ns == b->user_ns);
	assert_true(a->sys_ns == b->sys_ns && a->max_rss_kib == b->max_rss_kib);
	assert_int_equal(a->exit_code, b->exit_code);
	assert_int_equal(a->signal, b->signal);
	assert_string_equal(a->label, b->label);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->manifest_len, b->manifest_len);
	assert_memory_equal(a->manifest, b->manifest, a->manifest_len);
	assert_int_equal(a->n_outputs, b->n_outputs);
	for (uint32_t i = 0; i < a->n_outputs; i++) {
		assert_string_equal(a->outputs[i].path, b->outputs[i].path);
		assert_int_equal(a->outputs[i].declared, b->outputs[i].declared);
		assert_int_equal(a->outputs[i].kind, b->outputs[i].kind);
		assert_int_equal(a->outputs[i].mode, b->outputs[i].mode);
		assert_content(&a->outputs[i].content, &b->outputs[i].content);
	}
	assert_content(&a->log, &b->log);
}

static void round_trip(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_record *back = NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.r.exit_code = -1;
	s.r.signal = 9;
	s.r.created_ns = -5;
	jl_buf_str(&b, "before");
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_OK);
	assert_memory_equal(b.data, "before", 6);
	assert_int_equal(jl_record_decode(b.data + 6, b.len - 6, &back, NULL), JL_OK);
	assert_record(back, &s.r);
	jl_record_free(back);

	/* The least there can be. */
	s.r = (struct jl_record){.key = s.r.key, .label = "", .host = ""};
	jl_buf_clear(&b);
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_OK);
	assert_int_equal(jl_record_decode(b.data, b.len, &back, NULL), JL_OK);
	assert_int_equal(back->n_outputs, 0);
	assert_int_equal(back->log.digest.algo, JL_DIGEST_NONE);
	jl_record_free(back);
	jl_record_free(NULL);
	jl_buf_release(&s.manifest);
	jl_buf_release(&b);
}

/* The file is as it was written by version 1; it must stay readable, and this version must still write it so. */
static void golden(void **state)
{
	struct jl_buf file = JL_BUF_INIT, b = JL_BUF_INIT;
	struct jl_record *r = NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_OK);
	assert_int_equal(jl_file_read(&jl_io_system, AT_FDCWD, GOLDEN, &file, NULL), JL_OK);
	assert_int_equal(jl_record_decode(file.data, file.len, &r, NULL), JL_OK);
	assert_record(r, &s.r);
	assert_int_equal(file.len, b.len);
	assert_memory_equal(file.data, b.data, b.len);
	jl_record_free(r);
	jl_buf_release(&s.manifest);
	jl_buf_release(&file);
	jl_buf_release(&b);
}

/* S04: every flipped bit, every truncation, and bytes too many. */
static void damage(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_record *r = NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_OK);
	for (size_t i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(jl_record_decode(b.data, b.len, &r, &err), JL_ECORRUPT);
		b.data[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t len = 0; len < b.len; len++) {
		char *cut = malloc(len ? len : 1);

		memcpy(cut, b.data, len);
		assert_int_equal(jl_record_decode(cut, len, &r, &err), JL_ECORRUPT);
		free(cut);
	}
	jl_buf_char(&b, 0);
	assert_int_equal(jl_record_decode(b.data, b.len, &r, &err), JL_ECORRUPT);
	assert_null(r);
	jl_buf_release(&s.manifest);
	jl_buf_release(&b);
}

/* Make the check at the end match again after an edit. */
static void seal(struct jl_buf *b)
{
	struct jl_digest d;

	jl_digest_bytes(b->data, b->len - 16, &d);
	memcpy(b->data + b->len - 16, d.b, 16);
}

static void newer_version(void **state)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_record *r = NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_OK);
	b.data[8] = 2;
	seal(&b);
	assert_int_equal(jl_record_decode(b.data, b.len, &r, NULL), JL_EUNSUPPORTED);
	jl_buf_release(&s.manifest);
	jl_buf_release(&b);
}

/* Every byte of the body set to a few values under a matching check: refused or read, never a fault. A count of outputs
 * that so few bytes cannot hold must be refused before memory is asked for. */
static void hostile(void **state)
{
	static const unsigned char values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
	struct jl_buf b = JL_BUF_INIT;
	struct jl_record *r = NULL;
	struct sample s;
	unsigned refused = 0;

	(void)state;
	sample_init(&s);
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_OK);
	for (size_t i = 16; i < b.len - 16; i++) {
		char old = b.data[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			b.data[i] = (char)values[v];
			seal(&b);
			if (jl_record_decode(b.data, b.len, &r, NULL) == JL_OK)
				jl_record_free(r);
			else
				refused++;
		}
		b.data[i] = old;
	}
	assert_true(refused > b.len);
	jl_buf_release(&s.manifest);
	jl_buf_release(&b);
}

static int encode_outputs(struct jl_record_output *o, uint32_t n)
{
	struct jl_buf b = JL_BUF_INIT;
	struct sample s;
	int status;

	sample_init(&s);
	s.r.outputs = o;
	s.r.n_outputs = n;
	status = jl_record_encode(&s.r, &b, NULL);
	jl_buf_release(&s.manifest);
	jl_buf_release(&b);
	return status;
}

static void unsafe_outputs(void **state)
{
	static const char *const paths[] = {"",      ".",    "..",    "/abs", "a/",  "a//b", "./a",
	                                    "../a", "a/..", "a/../b", "a/.", "a/./b"};
	struct jl_content x = inlined("x", 1);
	struct jl_record_output o[3];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		o[0] = (struct jl_record_output){paths[i], 0, JL_KIND_FILE, 0644, x};
		assert_int_equal(encode_outputs(o, 1), JL_EINVAL);
	}
	o[0] = (struct jl_record_output){"..a/...", 0, JL_KIND_FILE, 0644, x};
	assert_int_equal(encode_outputs(o, 1), JL_OK);
	o[0].mode = 04755;
	assert_int_equal(encode_outputs(o, 1), JL_EINVAL); /* S33 */
	o[0].mode = 0755;
	o[0].kind = JL_KIND_OTHER;
	assert_int_equal(encode_outputs(o, 1), JL_EINVAL);

	/* Order, duplicates, and something below a link. */
	o[0] = (struct jl_record_output){"a", 0, JL_KIND_LINK, 0777, x};
	o[1] = (struct jl_record_output){"a-", 0, JL_KIND_FILE, 0644, x};
	o[2] = (struct jl_record_output){"a/b", 0, JL_KIND_FILE, 0644, x};
	assert_int_equal(encode_outputs(o, 2), JL_OK);
	assert_int_equal(encode_outputs(o, 3), JL_EINVAL);
	o[0] = (struct jl_record_output){"a", 0, JL_KIND_DIR, 0755, {0}};
	assert_int_equal(encode_outputs(o, 3), JL_OK);
	o[1].path = "a";
	assert_int_equal(encode_outputs(o, 3), JL_EINVAL);
	o[1].path = "b";
	assert_int_equal(encode_outputs(o, 3), JL_EINVAL);
	o[0].content = x; /* a folder with content */
	assert_int_equal(encode_outputs(o, 1), JL_EINVAL);
	o[0] = (struct jl_record_output){"a", 0, JL_KIND_FILE, 0644, x};
	o[0].content.bytes = "y"; /* not the digest's */
	assert_int_equal(encode_outputs(o, 1), JL_EINVAL);
}

static void too_large(void **state)
{
	const size_t len = JL_RECORD_MAX;
	char *huge = calloc(1, len);
	struct jl_buf b = JL_BUF_INIT;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.r.manifest = huge;
	s.r.manifest_len = len;
	assert_int_equal(jl_record_encode(&s.r, &b, NULL), JL_ELIMIT);
	assert_int_equal(b.len, 0);
	free(huge);
	jl_buf_release(&s.manifest);
	jl_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(golden),
		cmocka_unit_test(damage),
		cmocka_unit_test(newer_version),
		cmocka_unit_test(hostile),
		cmocka_unit_test(unsafe_outputs),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
