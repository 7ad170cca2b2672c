/* Fuzz target: what comes from the other side, as both jl and its agents read it. What is read must be written back as the
 * bytes it came from. */
#include "exec/wire.h"
#include "exec/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Encoded and decoded again it is the same message: its second encoding is the first. */
static void there_and_back(const struct jl_msg *m)
{
	struct jl_buf once = JL_BUF_INIT, twice = JL_BUF_INIT;
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_wire_in in;
	struct jl_msg again;
	const void *data;
	size_t len;
	uint8_t type;

	jl_wire_in_init(&in);
	jl_bug_if(jl_msg_put(&once, m, NULL) != JL_OK);
	jl_wire_feed(&in, once.data, once.len);
	jl_bug_if(jl_wire_next(&in, &type, &data, &len, NULL) != JL_OK);
	jl_bug_if(jl_msg_read(type, data, len, &arena, &again, NULL) != JL_OK);
	jl_bug_if(jl_msg_put(&twice, &again, NULL) != JL_OK);
	jl_bug_if(once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0);
	jl_arena_release(&arena);
	jl_wire_in_release(&in);
	jl_buf_release(&once);
	jl_buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jl_wire_in in;
	size_t at = 0;
	bool sound = true;

	jl_wire_in_init(&in);
	while (sound && at < size) {
		size_t piece = 1 + (size_t)data[at] * 7 % 300; /* as it comes */
		piece = piece < size - at ? piece : size - at;
		jl_wire_feed(&in, data + at, piece);
		at += piece;
		for (;;) {
			struct jl_arena arena = JL_ARENA_INIT;
			struct jl_err err = JL_ERR_INIT;
			struct jl_msg m;
			const void *body;
			size_t len;
			uint8_t type;
			int r = jl_wire_next(&in, &type, &body, &len, &err);

			if (r == JL_ENOTFOUND)
				break;
			if (r == JL_OK)
				r = jl_msg_read(type, body, len, &arena, &m, &err);
			if (r == JL_OK)
				there_and_back(&m);
			else
				jl_bug_if(err.text[0] == '\0');
			jl_arena_release(&arena);
			sound = r == JL_OK;
			if (!sound)
				break;
		}
	}
	jl_wire_in_release(&in);
	return 0;
}
