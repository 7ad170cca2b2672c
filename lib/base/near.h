/* The nearest known word, for messages about an unknown key, option or command.
 *
 *     struct jl_near near = {.word = "comand"};
 *     for (each known name)
 *             jl_near_offer(&near, name);
 *     if (near.best) … did you mean near.best?
 */
#ifndef JL_BASE_NEAR_H
#define JL_BASE_NEAR_H

#include <stddef.h>

struct jl_near {
	const char *word;
	const char *best;  /* NULL while nothing offered is near enough; borrowed from the offer */
	unsigned distance; /* of best */
};

/* Remember the candidate if it is nearer than what was offered before (the first of equals stays). Near enough is one
 * change in a word of up to 3 bytes, two up to 8, three beyond; words over 64 bytes are near nothing. */
void jl_near_offer(struct jl_near *n, const char *candidate);

/* Changes (insert, delete, replace, swap of neighbours) that make `b` of `a`; max + 1 when they are more than `max` or a
 * word is over 64 bytes. */
unsigned jl_near_distance(const char *a, const char *b, unsigned max);

#endif
