/* struct jl_job_table: the file of --joblog, one line a job, in GNU parallel's form:
 *
 *     Seq Host Starttime JobRuntime Send Receive Exitval Signal Command     (separated by tabs)
 *
 * and what an earlier one says is done, for --resume.
 */
#ifndef JL_RUN_JOB_TABLE_H
#define JL_RUN_JOB_TABLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum jl_resume { JL_RESUME_NO, JL_RESUME, JL_RESUME_FAILED };

struct jl_job_table {
	int fd;            /* -1: none */
	struct jl_buf buf; /* not written yet */
	uint8_t *done;     /* bits by number of the job */
	uint64_t n_done;   /* of them */
};
#define JL_JOB_TABLE_INIT {.fd = -1, .buf = JL_BUF_INIT}

struct jl_job_row {
	uint64_t seq;
	int64_t start_real_ns, wall_ns;
	uint64_t received; /* bytes of its stdout */
	bool stored;       /* it was not run: Host is "store" */
	const char *host;  /* NULL: this machine, ":" */
	int exit_code, signal;
	const char *command;
};

/* Without JL_RESUME_NO what the file holds counts, and rows are added to it; else it starts anew. */
int jl_job_table_open(struct jl_job_table *t, const char *path, enum jl_resume resume, struct jl_err *err) JL_MUST_CHECK;
bool jl_job_table_done(const struct jl_job_table *t, uint64_t seq);
void jl_job_table_add(struct jl_job_table *t, const struct jl_job_row *row);
int jl_job_table_flush(struct jl_job_table *t, struct jl_err *err) JL_MUST_CHECK;
void jl_job_table_release(struct jl_job_table *t);

#endif
