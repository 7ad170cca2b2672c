/* Whose fault a failure is: see blame.h. */
#include "exec/blame.h"

#define ROW          3u
#define CLEARED_MOST 3u

void jl_blame_succeeded(struct jl_blame *b)
{
	b->succeeded = true;
	b->row = 0;
}

bool jl_blame_failed(struct jl_blame *b, int exit_code, bool others)
{
	const uint32_t times = b->cleared < CLEARED_MOST * 4 ? b->cleared : CLEARED_MOST * 4;
	const bool believed = b->succeeded || b->cleared > 0;
	b->row++;
	return ((exit_code == 126 || exit_code == 127) && b->cleared < CLEARED_MOST) ||
	       (others && (!believed || b->row >= ROW << times));
}

void jl_blame_unable(struct jl_blame *b)
{
	b->row++;
}

void jl_blame_cleared(struct jl_blame *b)
{
	b->cleared++;
	b->row = 0;
}

bool jl_blame_proved(const struct jl_blame *b)
{
	return b->row >= ROW;
}
