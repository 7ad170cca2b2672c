/* A struct jl_io whose machine loses power: at the chosen call the process ends, and of what was not synced by then only a
 * random part is left on the disk.
 *
 *     pid = fork();
 *     if (pid == 0) {
 *             power_io_init(&p, seed, cut_at, shadow_fd);
 *             … work with &p.io …
 *             power_io_cut(&p);
 *     }
 *     … wait, then look at what is left with another table …
 *
 * A file that was written and not synced is whole, or what it was before, or torn: of any length between, or some sectors
 * old and some new. A rename, or the removal of a name, happened or not, each for itself: harsher than a journal, which
 * loses a tail of them only. What holds here holds on every file system. */
#ifndef TEST_POWER_IO_H
#define TEST_POWER_IO_H

#include "base/io.h"
#include "base/table.h"

#include <stdint.h>

struct power_io {
	struct jl_io io;      /* what the code under test gets */
	uint64_t random;
	unsigned cut_at;      /* which call that changes something is the last one, from 1; 0: none */
	unsigned calls;       /* so far */
	int shadow_fd;        /* a folder of the same file system: names that were removed or replaced */
	struct jl_table files; /* struct unsynced */
	struct jl_table names; /* struct renamed, in order */
};

/* `shadow_fd` is an empty folder. */
void power_io_init(struct power_io *p, uint64_t seed, unsigned cut_at, int shadow_fd);
/* Now. Ends the process, with status 0; 1 if the disk could not be brought into that state. */
_Noreturn void power_io_cut(struct power_io *p);

#endif
