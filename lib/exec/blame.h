/* struct jl_blame: is a host to blame for what fails there? The book that is kept of one host in a run. Pure.
 *
 * A failure is the job's own, as a rule: it is not run twice. It is doubted, and the job tried once on another host, when
 *   - others of the executor have succeeded, and this host has not yet, or has failed so often in a row (3); or
 *   - the exit status says that a program was not found or could not be run (126, 127): each host has a PATH of its own.
 * When it fails elsewhere, too, it was the job. The host is believed from then on, and doubted after twice as many in a row;
 * after three times of it 126 and 127 are failures like any other. When it succeeds elsewhere, that is held against the host,
 * which is set aside if that was its third failure in a row at least. What its agent says it could not do, whatever the job is,
 * is no failure of the job; else it counts alike.
 */
#ifndef JL_EXEC_BLAME_H
#define JL_EXEC_BLAME_H

#include <stdbool.h>
#include <stdint.h>

struct jl_blame {
	bool succeeded;      /* something did there */
	uint32_t row;        /* failures since the last success */
	uint32_t cleared;    /* times that what failed there failed elsewhere, too */
};

void jl_blame_succeeded(struct jl_blame *b);
/* A job failed, with this exit status (0: another way). `others`: other hosts do succeed. true: it is doubted. */
bool jl_blame_failed(struct jl_blame *b, int exit_code, bool others);
void jl_blame_unable(struct jl_blame *b);
/* A job that had failed there has failed elsewhere, too. */
void jl_blame_cleared(struct jl_blame *b);
/* It has succeeded elsewhere. true: the host is to be set aside. */
bool jl_blame_proved(const struct jl_blame *b);

#endif
