/* struct jl_report_file: a report that is written while a run goes on and takes its place as a whole when it has ended.
 *
 *     r = jl_report_file_open(&f, "junit.xml", err);         before anything runs
 *     jl_out_add(&f.out, ...);
 *     r = jl_report_file_close(&f, true, err);               false: FILE stays as it was
 *
 * It is written to a temporary beside FILE (".tmp-HOST-PID-..."), which is renamed; where FILE is a link, beside what it leads
 * to. Memory does not grow with the report. */
#ifndef JL_REPORT_FILE_H
#define JL_REPORT_FILE_H

#include "report/out.h"

#include <stdbool.h>

struct jl_report_file {
	struct jl_out out; /* out.fd -1: not open */
	char *path, *temp;
};
#define JL_REPORT_FILE_INIT {.out = JL_OUT_INIT(-1)}

/* JL_EINVAL when FILE is something that no file can take the place of (a folder, a device, "-"); else why it cannot be
 * written. */
int jl_report_file_open(struct jl_report_file *f, const char *path, struct jl_err *err) JL_MUST_CHECK;
/* Write over the beginning, within what was written before. */
void jl_report_file_patch(struct jl_report_file *f, const void *data, size_t len);
/* `keep`: it takes FILE's place, if all of it could be written; else it is dropped. Frees everything; a file that is not
 * open is fine. */
int jl_report_file_close(struct jl_report_file *f, bool keep, struct jl_err *err) JL_MUST_CHECK;

#endif
