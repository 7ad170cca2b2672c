/* Frames and messages: what is put is read again, in whatever pieces it comes; what is no message is refused. */
#include "exec/message.h"
#include "exec/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct jl_wire_in in;
static struct jl_arena arena;

/* Feed it byte by byte, then read it. */
static struct jl_msg there(const struct jl_msg *m)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_msg ret;
	const void *data;
	uint8_t type;
	size_t len;
	int r = JL_ENOTFOUND;
	assert_int_equal(jl_msg_put(&out, m, NULL), JL_OK);
	for (size_t i = 0; i < out.len; i++) {
		jl_wire_feed(&in, out.data + i, 1);
		r = jl_wire_next(&in, &type, &data, &len, NULL);
		assert_int_equal(r, i + 1 < out.len ? JL_ENOTFOUND : JL_OK);
	}
	assert_int_equal(jl_msg_read(type, data, len, &arena, &ret, NULL), JL_OK);
	assert_int_equal(ret.type, m->type);
	assert_int_equal(ret.id, m->id);
	jl_buf_release(&out);
	return ret;
}

static void test_start(void **state)
{
	(void)state;
	const struct jl_msg_in ins[] = {
		{.in = {.path = "in/x", .kind = JL_KIND_FILE, .mode = 0755, .size = 3, .digest = {JL_DIGEST_XXH3, {1, 2}}},
		 .bytes = "abc"},
		{.in = {.path = "big", .kind = JL_KIND_FILE, .size = UINT64_C(1) << 40, .digest = {JL_DIGEST_XXH3, {3}}}},
		{.in = {.path = "d", .kind = JL_KIND_DIR}},
		{.in = {.path = "l", .kind = JL_KIND_LINK, .text = "/anywhere"}},
	};
	const struct jl_cargo_out outs[] = {{.path = "out", .flags = JL_CARGO_FOLDER}, {.path = "*.o", .flags = JL_CARGO_GLOB}};
	const struct jl_msg m = {.type = JL_MSG_START,
				 .id = UINT64_MAX - 1,
				 .start = {.label = "clean[a]",
					   .script = true,
					   .algo = JL_DIGEST_SHA256,
					   .workdir = "sub",
					   .argv = (const char *const[]){"sh", "-c", "", NULL},
					   .envp = (const char *const[]){"A=1", NULL},
					   .stream = {"in/x", NULL, "err"},
					   .timeout_ns = 5,
					   .kill_after_ns = INT64_MAX,
					   .ins = ins,
					   .outs = outs,
					   .n_ins = 4,
					   .n_outs = 2}};
	struct jl_msg r = there(&m);
	assert_string_equal(r.start.label, "clean[a]");
	assert_string_equal(r.start.argv[2], "");
	assert_null(r.start.argv[3]);
	assert_string_equal(r.start.envp[0], "A=1");
	assert_string_equal(r.start.stream[0], "in/x");
	assert_true(r.start.script);
	assert_int_equal(r.start.algo, JL_DIGEST_SHA256);
	assert_null(r.start.stream[1]);
	assert_int_equal(r.start.kill_after_ns, INT64_MAX);
	assert_int_equal(r.start.n_ins, 4);
	assert_memory_equal(r.start.ins[0].bytes, "abc", 3);
	assert_int_equal(r.start.ins[0].in.mode, 0755);
	assert_true(jl_digest_equal(&r.start.ins[1].in.digest, &ins[1].in.digest));
	assert_true(r.start.ins[1].in.size == UINT64_C(1) << 40);
	assert_string_equal(r.start.ins[3].in.text, "/anywhere");
	assert_string_equal(r.start.outs[1].path, "*.o");
	assert_int_equal(r.start.outs[1].flags, JL_CARGO_GLOB);
}

static void test_long(void **state)
{
	(void)state;
	struct jl_msg_want *wants = calloc(20000, sizeof(*wants));
	for (uint32_t i = 0; i < 20000; i++)
		wants[i] = (struct jl_msg_want){.index = i, .from = i * UINT64_C(3)};
	struct jl_msg r = there(&(struct jl_msg){.type = JL_MSG_NEED, .id = 1, .want = {.at = wants, .n = 20000}});
	assert_int_equal(r.want.n, 20000);
	assert_memory_equal(r.want.at, wants, 20000 * sizeof(*wants));
	free(wants);
	/* Nothing of it stays for the next. */
	assert_int_equal(there(&(struct jl_msg){.type = JL_MSG_PING, .id = 2}).id, 2);
}

static void test_too_long(void **state)
{
	(void)state;
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	char *text = calloc(1, JL_MESSAGE_MAX + 1);
	memset(text, 'x', JL_MESSAGE_MAX);
	assert_int_equal(jl_msg_put(&out, &(struct jl_msg){.type = JL_MSG_FAULT, .fault = text}, &err), JL_ELIMIT);
	assert_int_equal(out.len, 0);
	free(text);
	/* And a sender that does not stop is refused. */
	char piece[JL_WIRE_MAX - JL_WIRE_HEAD] = {0};
	const void *data;
	uint8_t type;
	size_t len;
	int r = JL_ENOTFOUND;
	for (unsigned i = 0; i < JL_MESSAGE_MAX / sizeof(piece) + 2 && r == JL_ENOTFOUND; i++) {
		jl_buf_clear(&out);
		jl_wire_head(&out, JL_MSG_FAULT, sizeof(piece));
		out.data[5] = 1;
		jl_wire_feed(&in, out.data, out.len);
		jl_wire_feed(&in, piece, sizeof(piece));
		r = jl_wire_next(&in, &type, &data, &len, &err);
	}
	assert_int_equal(r, JL_ELIMIT);
	jl_buf_release(&out);
}

static int read_as(enum jl_msg_type type, const void *data, size_t len)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_msg m;
	int r = jl_msg_read((uint8_t)type, data, len, &arena, &m, &err);
	if (r != JL_OK)
		assert_true(err.text[0] != '\0');
	return r;
}

/* S40: a result whose path leaves its folder, in each form. */
static void test_paths(void **state)
{
	(void)state;
	static const char *const bad[] = {"../x", "/etc/passwd", "a/../../x", "a//b", "./a", "", ".", "a/", ".."};
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const struct jl_msg_out out = {.path = i ? bad[i - 1] : "a/x", .kind = JL_KIND_DIR};
		struct jl_buf b = JL_BUF_INIT;
		const struct jl_msg m = {.type = JL_MSG_ENDED, .ended = {.why = "", .outs = &out, .n_outs = 1}};
		assert_int_equal(jl_msg_put(&b, &m, NULL), JL_OK);
		assert_int_equal(read_as(JL_MSG_ENDED, b.data + JL_WIRE_HEAD, b.len - JL_WIRE_HEAD), i ? JL_ECORRUPT : JL_OK);
		jl_buf_release(&b);
	}
}

/* S40: cut anywhere, or with more behind, it is no message; a content that is not its digest's neither. */
static void test_hostile(void **state)
{
	(void)state;
	const struct jl_msg_out out = {.path = "a", .kind = JL_KIND_FILE, .mode = 0644, .size = 1,
				       .digest = {JL_DIGEST_XXH3, {9}}, .bytes = "x"};
	const struct jl_msg m[] = {
		{.type = JL_MSG_HELLO,
		 .hello = {.version = 1, .slots = 1, .arch = "a", .host = "h", .boot_id = "b", .program = "p"}},
		{.type = JL_MSG_CALL, .call = {.nonce = "n"}},
		{.type = JL_MSG_CREDIT, .credit = {.index = 1, .bytes = 2}},
		{.type = JL_MSG_ENDED, .ended = {.why = "", .outs = &out, .n_outs = 1}},
	};
	for (size_t k = 0; k < sizeof(m) / sizeof(m[0]); k++) {
		struct jl_buf b = JL_BUF_INIT;
		assert_int_equal(jl_msg_put(&b, &m[k], NULL), JL_OK);
		const char *body = b.data + JL_WIRE_HEAD;
		size_t len = b.len - JL_WIRE_HEAD;
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(read_as(m[k].type, body, cut), JL_ECORRUPT);
		assert_int_equal(read_as(m[k].type, body, len), k < 3 ? JL_OK : JL_ECORRUPT);
		jl_buf_char(&b, 'x');
		assert_int_equal(read_as(m[k].type, b.data + JL_WIRE_HEAD, len + 1), JL_ECORRUPT);
		jl_buf_release(&b);
	}
}

static int set_up(void **state)
{
	(void)state;
	jl_wire_in_init(&in);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	jl_wire_in_release(&in);
	jl_arena_release(&arena);
	arena = (struct jl_arena)JL_ARENA_INIT;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
