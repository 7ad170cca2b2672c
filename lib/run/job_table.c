/* --joblog: rows out, and in again. */
#include "run/job_table.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEQ_MAX UINT64_C(1000000000) /* 125 MB of bits */

static const char header[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

static void mark(struct jl_job_table *t, uint64_t seq, bool done)
{
	if (seq >= t->n_done) {
		uint64_t n = (seq + 1) * 2 < 8192 ? 8192 : (seq + 1) * 2;
		n = (n + 7) / 8 * 8;
		t->done = jl_realloc(t->done, n / 8);
		memset(t->done + t->n_done / 8, 0, (n - t->n_done) / 8);
		t->n_done = n;
	}
	if (done)
		t->done[seq / 8] |= (uint8_t)(1u << (seq % 8));
	else
		t->done[seq / 8] &= (uint8_t)~(1u << (seq % 8));
}

bool jl_job_table_done(const struct jl_job_table *t, uint64_t seq)
{
	return seq < t->n_done && (t->done[seq / 8] >> (seq % 8)) & 1;
}

/* A whole line without its newline; what is no row (the header) says nothing. */
static int take_row(struct jl_job_table *t, const char *line, enum jl_resume resume, struct jl_err *err)
{
	unsigned long long seq;
	int exit_code, signal;
	if (sscanf(line, "%llu\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%d\t%d\t", &seq, &exit_code, &signal) != 3)
		return JL_OK;
	if (seq > SEQ_MAX)
		return jl_err_set(err, JL_EINVAL, "%llu is no number of a job", seq);
	mark(t, seq, resume == JL_RESUME || (exit_code == 0 && signal == 0));
	return JL_OK;
}

static int read_rows(struct jl_job_table *t, FILE *f, enum jl_resume resume, bool *ret_empty, bool *ret_cut, struct jl_err *err)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int r = JL_OK;
	*ret_empty = true;
	*ret_cut = false;
	while (r == JL_OK && (len = getline(&line, &cap, f)) > 0) {
		*ret_empty = false;
		*ret_cut = line[len - 1] != '\n'; /* written when jl was killed: the job counts as not done */
		if (!*ret_cut)
			r = take_row(t, line, resume, err);
	}
	if (r == JL_OK && ferror(f))
		r = jl_err_sys(err, errno, "cannot read it");
	free(line);
	return r;
}

int jl_job_table_open(struct jl_job_table *t, const char *path, enum jl_resume resume, struct jl_err *err)
{
	bool empty = true, cut = false;
	int r = JL_OK;
	if (resume != JL_RESUME_NO) {
		FILE *f = fopen(path, "re");
		if (f) {
			r = read_rows(t, f, resume, &empty, &cut, err);
			fclose(f);
		} else if (errno != ENOENT) {
			r = jl_err_sys(err, errno, "cannot read it");
		}
	}
	if (r != JL_OK)
		return jl_err_add(err, "job log \"%s\"", path);
	t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (resume == JL_RESUME_NO ? O_TRUNC : 0), 0666);
	if (t->fd < 0)
		return jl_err_sys(err, errno, "cannot write the job log \"%s\"", path);
	if (cut)
		jl_buf_char(&t->buf, '\n');
	if (empty)
		jl_buf_str(&t->buf, header);
	return jl_job_table_flush(t, err);
}

static void add_seconds(struct jl_buf *out, int64_t ns)
{
	jl_buf_printf(out, "\t%10.3f", (double)ns / (double)JL_NS_S);
}

void jl_job_table_add(struct jl_job_table *t, const struct jl_job_row *row)
{
	if (t->fd < 0)
		return;
	jl_buf_printf(&t->buf, "%llu\t%s", (unsigned long long)row->seq, row->stored ? "store" : row->host ? row->host : ":");
	add_seconds(&t->buf, row->start_real_ns);
	add_seconds(&t->buf, row->wall_ns);
	jl_buf_printf(&t->buf, "\t0\t%llu\t%d\t%d\t", (unsigned long long)row->received, row->exit_code, row->signal);
	/* A row is a line: a newline becomes NUL, as GNU parallel has it. */
	size_t from = t->buf.len;
	jl_buf_str(&t->buf, row->command);
	for (; from < t->buf.len; from++)
		if (t->buf.data[from] == '\n')
			t->buf.data[from] = '\0';
	jl_buf_char(&t->buf, '\n');
}

int jl_job_table_flush(struct jl_job_table *t, struct jl_err *err)
{
	if (t->fd < 0 || t->buf.len == 0)
		return JL_OK;
	int r = jl_file_write_all(&jl_io_system, t->fd, t->buf.data, t->buf.len, err);
	jl_buf_clear(&t->buf);
	return r == JL_OK ? r : jl_err_add(err, "job log");
}

void jl_job_table_release(struct jl_job_table *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	jl_buf_release(&t->buf);
	free(t->done);
	t->done = NULL;
	t->n_done = 0;
}
