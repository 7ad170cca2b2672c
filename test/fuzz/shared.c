/* Fuzz target: what comes from a helper and from a shared store: messages one after the other, and an envelope. */
#include "store/envelope.h"
#include "store/talk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is written as it was. */
static void same_again(const struct jl_talk *m, const uint8_t *data, size_t len)
{
	struct jl_buf again = JL_BUF_INIT;
	struct jl_talk copy = *m;
	char *name = m->name ? jl_strndup(m->name, m->name_len) : NULL;

	copy.name = name;
	if (!name || strlen(name) == m->name_len) {
		jl_talk_put(&again, &copy);
		jl_bug_if(again.len != len || memcmp(again.data, data, len) != 0);
	}
	free(name);
	jl_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jl_sign_keys keys = JL_SIGN_KEYS_INIT;
	struct jl_envelope e;
	struct jl_talk m;
	size_t at = 0;
	int64_t n;

	while ((n = jl_talk_take(data + at, size - at, &m)) > 0) {
		if (m.type == JL_TALK_HELLO)
			free(jl_talk_setting(&m, "write"));
		same_again(&m, data + at, (size_t)n);
		at += (size_t)n;
	}
	if (jl_envelope_read(data, size, &e, NULL) == JL_OK) {
		jl_bug_if(jl_envelope_check(&e, data, &e.key, "x", &keys, NULL) == JL_OK && e.group_len != 1);
		jl_envelope_release(&e);
	}
	if (jl_sign_keys_read(&keys, (const char *)data, size, NULL) == JL_OK)
		jl_bug_if(keys.at.len == 0);
	jl_sign_keys_release(&keys);
	return 0;
}
