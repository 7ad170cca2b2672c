/* Variants records: written, read, bounded; what is not as it should be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "memo/variants.h"

#include <fcntl.h>

#define GOLDEN "test/golden/variants-v1.bin"

static struct jl_digest digest(const char *text)
{
	struct jl_digest d;
	jl_digest_bytes(text, strlen(text), &d);
	return d;
}

/* A variant: words "path=content" in order of the paths; "path=" is absent. */
struct some {
	char names[8][40];
	const char *paths[8];
	struct jl_variant_file files[8];
	uint32_t n;
};

static void some(struct some *s, const char *words)
{
	*s = (struct some){.n = 0};
	for (; *words; words += strspn(words, " ")) {
		size_t len = strcspn(words, " "), name = strcspn(words, "=");
		struct jl_variant_file *f = &s->files[s->n];
		snprintf(s->names[s->n], sizeof(s->names[0]), "%.*s", (int)name, words);
		s->paths[s->n] = s->names[s->n];
		f->path = s->n++;
		f->kind = len > name + 1 ? JL_KIND_FILE : JL_KIND_ABSENT;
		if (f->kind == JL_KIND_FILE)
			jl_digest_bytes(words + name + 1, len - name - 1, &f->digest);
		words += len;
	}
}

static struct jl_variants *decode(const struct jl_buf *b)
{
	struct jl_variants *v = NULL;
	struct jl_err err = JL_ERR_INIT;
	int r = jl_variants_decode(b->data, b->len, &v, &err);
	if (r != JL_OK)
		print_message("%s\n", err.text);
	assert_int_equal(r, JL_OK);
	return v;
}

/* Add to the record in `b`, or begin one. */
static void add(struct jl_buf *b, const char *words)
{
	struct jl_variants *old = b->len ? decode(b) : NULL;
	struct jl_digest base = digest("base");
	struct some s;
	some(&s, words);
	jl_buf_clear(b);
	assert_int_equal(jl_variants_add(old, &base, s.paths, s.files, s.n, b, NULL), JL_OK);
	jl_variants_free(old);
}

static void show(const struct jl_buf *b, struct jl_buf *out)
{
	struct jl_variants *v = decode(b);
	jl_buf_clear(out);
	for (uint32_t i = 0; i < v->n; i++) {
		for (uint32_t k = 0; k < v->at[i].n; k++) {
			const struct jl_variant_file *f = &v->files[v->at[i].files[k]];
			jl_buf_printf(out, "%s%s%s", k ? " " : "", v->paths[f->path], f->kind ? "" : "-");
		}
		jl_buf_str(out, ";");
	}
	jl_variants_free(v);
}

static void expect(const struct jl_buf *b, const char *wanted)
{
	struct jl_buf out = JL_BUF_INIT;
	show(b, &out);
	assert_string_equal(out.data, wanted);
	jl_buf_release(&out);
}

static void order(void **state)
{
	(void)state;
	struct jl_buf b = JL_BUF_INIT;
	add(&b, "a=1 b=1");
	assert_true(jl_variants_is(b.data, b.len));
	add(&b, "a=2");
	add(&b, "");
	add(&b, "a=2 b=");
	expect(&b, "a b-;;a;a b;");
	add(&b, "a=2"); /* used again */
	expect(&b, "a;a b-;;a b;");
	struct jl_variants *v = decode(&b);
	assert_int_equal(v->n_paths, 2); /* each once */
	assert_int_equal(v->n_files, 4);
	jl_variants_free(v);
	jl_buf_release(&b);
}

static void the_oldest_drops_out(void **state)
{
	(void)state;
	struct jl_buf b = JL_BUF_INIT;
	char words[40];
	for (unsigned i = 0; i < JL_VARIANTS_MAX + 3; i++) {
		snprintf(words, sizeof(words), "p%02u=x", i);
		add(&b, words);
	}
	struct jl_variants *v = decode(&b);
	assert_int_equal(v->n, JL_VARIANTS_MAX);
	assert_int_equal(v->n_paths, JL_VARIANTS_MAX); /* what nobody has any more is gone */
	assert_string_equal(v->paths[v->files[v->at[0].files[0]].path], "p18");
	assert_string_equal(v->paths[v->files[v->at[15].files[0]].path], "p03");
	jl_variants_free(v);
	jl_buf_release(&b);
}

static void keys(void **state)
{
	(void)state;
	struct jl_buf b = JL_BUF_INIT, scratch = JL_BUF_INIT;
	struct jl_digest one, two, none;
	add(&b, "");
	add(&b, "a=1");
	add(&b, "a=2");
	struct jl_variants *v = decode(&b);
	jl_variants_key(v, 0, &scratch, &two);
	jl_variants_key(v, 1, &scratch, &one);
	jl_variants_key(v, 2, &scratch, &none);
	assert_false(jl_digest_equal(&one, &two));
	assert_false(jl_digest_equal(&one, &none));
	assert_false(jl_digest_equal(&none, &v->base));
	jl_variants_free(v);
	jl_buf_release(&b);
	jl_buf_release(&scratch);
}

/* `wanted`: "" where a has nothing that b lacks. */
static void expect_merged(const struct jl_buf *a, const struct jl_buf *b, const char *wanted)
{
	struct jl_variants *x = decode(a), *y = decode(b);
	struct jl_buf out = JL_BUF_INIT;
	assert_int_equal(jl_variants_merge(x, y, &out), wanted[0] != '\0');
	if (wanted[0])
		expect(&out, wanted);
	else
		assert_int_equal(out.len, 0);
	jl_variants_free(x);
	jl_variants_free(y);
	jl_buf_release(&out);
}

static void two_lists_become_one(void **state)
{
	(void)state;
	struct jl_buf a = JL_BUF_INIT, b = JL_BUF_INIT, many = JL_BUF_INIT, others = JL_BUF_INIT;
	add(&a, "both=1");
	add(&a, "a=2");
	add(&a, "a=1");
	add(&b, "b=1");
	add(&b, "both=1");
	expect_merged(&a, &b, "a;both;a;b;");
	expect_merged(&b, &a, "both;a;b;a;");
	expect_merged(&a, &a, "");
	add(&b, "a=1");
	add(&b, "a=2");
	expect_merged(&a, &b, "");
	expect_merged(&b, &a, "a;a;both;b;");
	/* Each side keeps its newest. */
	for (unsigned i = 0; i < JL_VARIANTS_MAX; i++) {
		char words[40];
		snprintf(words, sizeof(words), "m%02u=x", i);
		add(&many, words);
		snprintf(words, sizeof(words), "o%02u=x", i);
		add(&others, words);
	}
	expect_merged(&many, &others, "m15;o15;m14;o14;m13;o13;m12;o12;m11;o11;m10;o10;m09;o09;m08;o08;");
	jl_buf_release(&a);
	jl_buf_release(&b);
	jl_buf_release(&many);
	jl_buf_release(&others);
}

static void too_large(void **state)
{
	(void)state;
	const uint32_t n = 6000;
	char *text = jl_alloc((size_t)n * 4000);
	const char **paths = jl_alloc(n * sizeof(*paths));
	struct jl_variant_file *files = jl_calloc(n, sizeof(*files));
	struct jl_digest base = digest("base");
	struct jl_buf b = JL_BUF_INIT, next = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	for (uint32_t i = 0; i < n; i++) {
		char *path = text + (size_t)i * 4000;
		snprintf(path, 4000, "%08u%03900d", i, 0);
		paths[i] = path;
		files[i] = (struct jl_variant_file){.path = i};
	}
	assert_int_equal(jl_variants_add(NULL, &base, paths, files, n, &b, &err), JL_ELIMIT);
	assert_int_equal(b.len, 0);
	/* Two that fit alone do not fit together: the old one goes. */
	assert_int_equal(jl_variants_add(NULL, &base, paths, files, n / 2, &b, &err), JL_OK);
	struct jl_variants *v = decode(&b);
	for (uint32_t i = 0; i < n / 2; i++)
		files[i].path = n / 2 + i;
	assert_int_equal(jl_variants_add(v, &base, paths, files, n / 2, &next, &err), JL_OK);
	jl_variants_free(v);
	v = decode(&next);
	assert_int_equal(v->n, 1);
	jl_variants_free(v);
	jl_buf_release(&b);
	jl_buf_release(&next);
	free(text);
	free(paths);
	free(files);
}

/* The last 16 bytes are made right again, so that what is refused is what the test put in. */
static int decode_mended(struct jl_buf *b)
{
	struct jl_variants *v = NULL;
	struct jl_digest check;
	jl_digest_bytes(b->data, b->len - 16, &check);
	memcpy(b->data + b->len - 16, check.b, 16);
	int r = jl_variants_decode(b->data, b->len, &v, NULL);
	jl_variants_free(v);
	return r;
}

static void damage(void **state)
{
	(void)state;
	struct jl_buf b = JL_BUF_INIT, bad = JL_BUF_INIT;
	struct jl_variants *v = NULL;
	unsigned mended = 0;
	add(&b, "/usr/x.h=1 a=1 b=");
	add(&b, "../c=2 a=2");
	for (size_t i = 0; i < b.len; i++) { /* every flipped byte, every cut */
		jl_buf_clear(&bad);
		jl_buf_add(&bad, b.data, b.len);
		bad.data[i] ^= 0x41;
		assert_int_equal(jl_variants_decode(bad.data, bad.len, &v, NULL), JL_ECORRUPT);
		assert_int_equal(jl_variants_decode(b.data, i, &v, NULL), JL_ECORRUPT);
		mended += decode_mended(&bad) == JL_OK;
	}
	assert_true(mended > 0); /* a digest may be any */
	bad.data[8] = 2;
	jl_buf_clear(&bad);
	jl_buf_add(&bad, b.data, b.len);
	bad.data[8] = 2;
	assert_int_equal(decode_mended(&bad), JL_EUNSUPPORTED);
	jl_buf_release(&b);
	jl_buf_release(&bad);
}

static void bad_paths(void **state)
{
	static const char *const paths[] = {"a//b=1", "./a=1", "a/../b=1", "/../a=1", "../a/../b=1", "a/=1", "b=1 a=1",
					    "a=1 a=2"};
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct jl_digest base = digest("base");
		struct jl_buf b = JL_BUF_INIT;
		struct jl_variants *v = NULL;
		struct some s;
		some(&s, paths[i]);
		assert_int_equal(jl_variants_add(NULL, &base, s.paths, s.files, s.n, &b, NULL), JL_OK);
		assert_int_equal(jl_variants_decode(b.data, b.len, &v, NULL), JL_ECORRUPT);
		jl_buf_release(&b);
	}
}

/* What is in test/golden is what this program writes, and it reads it. */
static void golden(void **state)
{
	(void)state;
	struct jl_buf b = JL_BUF_INIT, file = JL_BUF_INIT;
	add(&b, "../up.h=1 /usr/include/x.h=1 gone.h= inc/a.h=1");
	add(&b, "../up.h=1 inc/a.h=2");
	assert_int_equal(jl_file_read(&jl_io_system, AT_FDCWD, GOLDEN, &file, NULL), JL_OK);
	assert_int_equal(file.len, b.len);
	assert_memory_equal(file.data, b.data, b.len);
	expect(&file, "../up.h inc/a.h;../up.h /usr/include/x.h gone.h- inc/a.h;");
	jl_buf_release(&b);
	jl_buf_release(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),   cmocka_unit_test(the_oldest_drops_out), cmocka_unit_test(keys),
		cmocka_unit_test(two_lists_become_one), cmocka_unit_test(too_large), cmocka_unit_test(damage),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(golden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
