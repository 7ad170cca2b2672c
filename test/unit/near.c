/* base/near: distances and the nearest word. */
#include "base/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void distances(void **state)
{
	(void)state;
	assert_int_equal(jl_near_distance("", "", 3), 0);
	assert_int_equal(jl_near_distance("command", "command", 3), 0);
	assert_int_equal(jl_near_distance("comand", "command", 3), 1);
	assert_int_equal(jl_near_distance("commandd", "command", 3), 1);
	assert_int_equal(jl_near_distance("cammand", "command", 3), 1);
	assert_int_equal(jl_near_distance("ocmmand", "command", 3), 1); /* neighbours swapped */
	assert_int_equal(jl_near_distance("kitten", "sitting", 3), 3);
	assert_int_equal(jl_near_distance("kitten", "sitting", 2), 3); /* max + 1 */
	assert_int_equal(jl_near_distance("", "abc", 3), 3);
	assert_int_equal(jl_near_distance("", "abcd", 3), 4);
	assert_int_equal(jl_near_distance("abcdefgh", "zyxwvuts", 2), 3);
}

static void long_words_are_near_nothing(void **state)
{
	char word[70];

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[64] = '\0';
	assert_int_equal(jl_near_distance(word, word, 3), 0);
	word[64] = 'a';
	word[65] = '\0';
	assert_int_equal(jl_near_distance(word, word, 3), 4);
}

static const char *nearest(const char *word, const char *const *offers)
{
	struct jl_near near = {.word = word};

	for (; *offers; offers++)
		jl_near_offer(&near, *offers);
	return near.best;
}

static void the_nearest(void **state)
{
	static const char *const keys[] = {"inputs", "outputs", "input", "command", "if", NULL};

	(void)state;
	assert_string_equal(nearest("output", keys), "outputs");
	assert_string_equal(nearest("inptus", keys), "inputs");
	assert_string_equal(nearest("inputs", keys), "inputs");
	assert_string_equal(nearest("fi", keys), "if");
	assert_null(nearest("of_no_kind", keys));
	assert_null(nearest("x", keys)); /* a letter is near to nothing */
	assert_null(nearest("", keys));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(long_words_are_near_nothing),
		cmocka_unit_test(the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
