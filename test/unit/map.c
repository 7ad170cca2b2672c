/* Maps against a plain array as the model. */
#include "base/map.h"

#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *key_of(const void *owner, uint32_t index, size_t *ret_len)
{
	const char(*keys)[16] = owner;

	*ret_len = strlen(keys[index]);
	return keys[index];
}

static void stores_and_finds(void **state)
{
	static char keys[3][16] = {"a", "", "a"};
	struct jl_map m;

	(void)state;
	jl_map_init(&m, key_of, keys);
	assert_int_equal(jl_map_get(&m, "a", 1), JL_NONE);
	assert_false(jl_map_del(&m, "a", 1));
	assert_int_equal(jl_map_put(&m, "a", 1, 0), 0);
	assert_int_equal(jl_map_put(&m, "", 0, 1), 1);
	assert_int_equal(jl_map_put(&m, "a", 1, 2), 0);
	assert_int_equal(m.len, 2);
	assert_int_equal(jl_map_get(&m, "a", 1), 0);
	assert_int_equal(jl_map_get(&m, NULL, 0), 1);
	assert_true(jl_map_del(&m, "a", 1));
	assert_int_equal(jl_map_get(&m, "a", 1), JL_NONE);
	jl_map_release(&m);
	assert_int_equal(jl_map_get(&m, "", 0), JL_NONE);
}

/* Random puts, removals and look-ups in a small full map, where clusters wrap around its end. */
static void agrees_with_a_model(void **state)
{
	static char keys[600][16];
	bool in[600] = {false};
	struct jl_map m;
	uint32_t len = 0;
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 600; i++)
		snprintf(keys[i], sizeof(keys[i]), "key%d", i);
	jl_map_init(&m, key_of, keys);
	for (int round = 0; round < 60000; round++) {
		/* The range of keys swings, so that the map fills and empties. */
		uint32_t i = (uint32_t)rand_r(&seed) % (round / 10000 % 2 ? 600 : 12);
		size_t n = strlen(keys[i]);

		switch (rand_r(&seed) % 3) {
		case 0:
			assert_int_equal(jl_map_put(&m, keys[i], n, i), i);
			len += !in[i];
			in[i] = true;
			break;
		case 1:
			assert_int_equal(jl_map_del(&m, keys[i], n), in[i]);
			len -= in[i];
			in[i] = false;
			break;
		default: assert_int_equal(jl_map_get(&m, keys[i], n), in[i] ? i : JL_NONE);
		}
		assert_int_equal(m.len, len);
		if (round % 1000)
			continue;
		for (uint32_t k = 0; k < 600; k++)
			assert_int_equal(jl_map_get(&m, keys[k], strlen(keys[k])), in[k] ? k : JL_NONE);
	}
	jl_map_release(&m);
}

static void reserves_once(void **state)
{
	static char keys[1000][16];
	struct jl_map m;
	uint32_t cap;

	(void)state;
	jl_map_init(&m, key_of, keys);
	jl_map_reserve(&m, 1000);
	cap = m.cap;
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%u", i);
		jl_map_put(&m, keys[i], strlen(keys[i]), i);
	}
	assert_int_equal(m.cap, cap);
	jl_map_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_and_finds),
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(reserves_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
