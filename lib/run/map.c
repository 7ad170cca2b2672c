/* One command a record: the owner of the slots. See map.h. */
#include "run/map.h"

#include "base/cpu.h"
#include "base/file.h"
#include "run/map_priv.h"
#include "run/result_dir.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define KILL_AFTER_NS (10 * JL_NS_S)
#define ETA_NS        JL_NS_S
#define PERCENT_FROM  3 /* failures: the first of all is 100 % */

static int64_t now_ns(const struct map *m)
{
	return m->slots.clock->now_ns(m->slots.clock);
}

/* ---- telling ---- */

static void emit(struct map *m, struct jl_event *ev)
{
	if (!m->opts->sinks)
		return;
	ev->t_ns = now_ns(m) - m->began_ns;
	ev->counts = &m->counts;
	for (struct jl_sink *s = m->opts->sinks; s; s = s->next)
		s->event(s, ev);
}

/* The values with blanks between: what a job is called. */
static const char *label(struct map *m, const struct map_job *job)
{
	jl_buf_clear(&m->label);
	for (uint32_t i = 0; i < job->args.at.len; i++) {
		size_t len;
		const char *value = jl_args_at(&job->args, i, &len);
		if (i > 0)
			jl_buf_char(&m->label, ' ');
		jl_buf_add(&m->label, value, len);
	}
	return m->label.data;
}

static struct jl_replace_with with(const struct map_job *job)
{
	return (struct jl_replace_with){.args = &job->args, .seq = job->seq, .slot = job->slot.slot + 1};
}

/* The command on one line, good until the next call. */
static const char *command_of(struct map *m, const struct map_job *job)
{
	struct jl_replace_with w = with(job);
	jl_buf_clear(&m->line);
	jl_replace_show(m->replace, &w, &m->command, &m->line);
	return m->line.data;
}

/* Output cannot be kept or written: what runs would run for nothing. */
static void give_up(struct map *m, int status)
{
	map_fail(m, status);
	jl_slots_stop(&m->slots, true);
}

static void wrote(struct map *m, int sys_errno)
{
	if (sys_errno == 0 || m->status != JL_OK || m->slots.signal)
		return;
	if (sys_errno == EPIPE)
		jl_slots_signal(&m->slots, SIGPIPE);
	else
		give_up(m, jl_err_sys(&m->err, sys_errno, "cannot write output"));
}

static bool is_good(const struct jl_job_result *r)
{
	return r->end == JL_JOB_EXITED && r->exit_code == 0;
}

static struct map_job *job_of(struct jl_order_job *out)
{
	return (struct map_job *)((char *)out - offsetof(struct map_job, out));
}

/* The first output of a job that is shown as a group. */
static void begin_group(struct map *m, struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	const bool whole = m->opts->order == JL_ORDER_ENDED || m->opts->order == JL_ORDER_INPUT;
	if (job->grouped || !m->opts->show->group || !whole || (is_good(r) && !m->opts->verbose))
		return;
	job->grouped = true;
	m->opts->show->group(m->opts->show->ctx, label(m, job), r->wall_ns);
}

static void show_output(void *ctx, struct jl_order_job *out, int stream, const void *data, size_t len)
{
	struct map *m = ctx;
	struct map_job *job = job_of(out);
	/* Sinks get what is not shown, too. */
	if (!m->opts->quiet || !is_good(&job->slot.result)) {
		begin_group(m, job);
		wrote(m, m->opts->show->write(m->opts->show->ctx, stream, data, len));
	}
	if (m->opts->sinks) {
		struct jl_event ev = {.type = JL_EVENT_STEP_OUTPUT,
				      .step = label(m, job),
				      .seq = job->seq,
				      .stream = stream,
				      .data = data,
				      .len = len};
		emit(m, &ev);
	}
}

static const char *tag_of(void *ctx, struct jl_order_job *out)
{
	return label(ctx, job_of(out));
}

static void how_it_ended(const struct jl_job_result *r, int64_t timeout_ns, struct jl_buf *out)
{
	switch (r->end) {
	case JL_JOB_TIMEOUT:
		jl_buf_str(out, "timed out after ");
		jl_clock_show(out, timeout_ns);
		break;
	case JL_JOB_SIGNALED: jl_buf_printf(out, "ended by signal %d (%s)", r->signal, strsignal(r->signal)); break;
	case JL_JOB_EXITED: jl_buf_printf(out, "exit status %d", r->exit_code); break;
	default: jl_buf_str(out, r->why ? r->why : "cancelled");
	}
}

static enum jl_step_status status_of(const struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	if (job->dropped)
		return JL_STEP_SKIPPED;
	if (job->cancelled)
		return JL_STEP_CANCELLED;
	if (is_good(r))
		return JL_STEP_RAN;
	return r->end == JL_JOB_TIMEOUT ? JL_STEP_TIMEOUT : JL_STEP_FAILED;
}

static void emit_end(struct map *m, const struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	struct jl_buf reason = JL_BUF_INIT;
	struct jl_event ev = {
		.type = JL_EVENT_STEP_FINISHED, .step = label(m, job), .seq = job->seq, .status = status_of(job)};
	if (job->dropped) {
		jl_buf_str(&reason, "the run ended before");
	} else {
		ev.attempt = job->attempt;
		ev.executor = "local";
		ev.host = r->host;
		ev.command = command_of(m, job);
		ev.exit_code = r->exit_code;
		ev.signal = r->signal;
		ev.wall_ns = r->wall_ns;
		ev.user_ns = r->user_ns;
		ev.sys_ns = r->sys_ns;
		ev.max_rss_kib = r->max_rss_kib;
		if (r->end != JL_JOB_NOT_STARTED) {
			ev.slot = job->slot.slot + 1;
			ev.began_ns = job->slot.began_ns - m->began_ns;
		}
		/* How it ended is in the event; this is for what else there is to say. */
		if (r->end != JL_JOB_EXITED && r->end != JL_JOB_SIGNALED)
			how_it_ended(r, m->opts->timeout_ns, &reason);
	}
	ev.reason = reason.len ? reason.data : NULL;
	emit(m, &ev);
	jl_buf_release(&reason);
}

/* Everything of the job was shown. */
static void job_shown(void *ctx, struct jl_order_job *out)
{
	struct map *m = ctx;
	struct map_job *job = job_of(out);
	if (job->grouped)
		m->opts->show->group(m->opts->show->ctx, NULL, 0);
	job->grouped = false;
	if (m->opts->sinks && !m->opts->dry_run)
		emit_end(m, job);
	map_job_put(m, job);
}

static void say_failure(struct map *m, const struct map_job *job)
{
	struct jl_buf how = JL_BUF_INIT;
	how_it_ended(&job->slot.result, m->opts->timeout_ns, &how);
	m->opts->show->failed(m->opts->show->ctx, label(m, job), command_of(m, job), how.data);
	jl_buf_release(&how);
}

static void show_eta(struct map *m, bool last)
{
	const int64_t now = now_ns(m);
	uint64_t total = jl_values_total(m->values);
	struct jl_buf text = JL_BUF_INIT;
	if (!m->opts->eta || (!last && now < m->eta_ns))
		return;
	m->eta_ns = now + ETA_NS;
	if (total == 0 && m->ended)
		total = m->counts.total;
	else if (m->opts->per_job || m->opts->fill || m->opts->resume != JL_RESUME_NO)
		total = m->ended ? m->counts.total : 0;
	jl_buf_printf(&text, "%llu", (unsigned long long)m->done);
	if (total)
		jl_buf_printf(&text, " of %llu", (unsigned long long)total);
	jl_buf_printf(&text, " done, %u running, %llu failed", m->slots.n_running, (unsigned long long)m->failed);
	if (total >= m->done && total && m->done) {
		jl_buf_str(&text, ", ETA ");
		jl_clock_show(&text,
			      (int64_t)((double)(now - m->began_ns) / (double)m->done * (double)(total - m->done)));
	}
	m->opts->show->progress(m->opts->show->ctx, text.data);
	jl_buf_release(&text);
}

/* ---- what the loop asks ---- */

static void dry_run(struct map *m, struct map_job *job)
{
	const struct jl_map_show *show = m->opts->show;
	command_of(m, job);
	jl_buf_char(&m->line, '\n');
	wrote(m, show->write(show->ctx, 1, m->line.data, m->line.len));
	m->done++;
	if (jl_order_end(&m->order, &job->out, true, &m->err) < 0)
		map_fail(m, m->err.status);
}

static bool work(void *owner)
{
	struct map *m = owner;
	struct map_job *job = NULL;
	enum map_next next = map_next(m, &job);
	if (next == MAP_JOB && m->opts->dry_run)
		dry_run(m, job);
	else if (next == MAP_JOB)
		jl_slots_hold(&m->slots, &job->slot);
	return next != MAP_NONE;
}

static int begin(void *owner, struct jl_slot_job *slot, struct jl_job *ret, struct jl_err *err)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	struct jl_replace_with w = with(job);
	if (m->opts->results) {
		jl_buf_clear(&m->path);
		jl_result_dir_path(&m->path, m->opts->results, &job->args, jl_values_names(m->values));
		int r = jl_result_dir_open(m->path.data, job->files, err);
		if (r != JL_OK)
			return r;
	}
	jl_replace_expand(m->replace, &w, &m->command);
	ret->argv = m->command.argv.data;
	ret->envp = m->opts->environ;
	ret->workdir = m->opts->workdir;
	ret->timeout_ns = m->opts->timeout_ns;
	ret->kill_after_ns = m->opts->kill_after_ns ? m->opts->kill_after_ns : KILL_AFTER_NS;
	if (m->opts->joblog)
		job->start_real_ns = jl_clock_real_ns();
	if (m->opts->delay_ns)
		m->start_after_ns = now_ns(m) + m->opts->delay_ns;
	return JL_OK;
}

static void close_files(struct map_job *job)
{
	for (int i = 0; i < 2; i++) {
		if (job->files[i] >= 0)
			close(job->files[i]);
		job->files[i] = -1;
	}
}

static void begun(void *owner, struct jl_slot_job *slot, bool started)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	if (!started) {
		close_files(job);
		return;
	}
	m->counts.running = m->slots.n_running;
	if (m->opts->verbose)
		m->opts->show->say(m->opts->show->ctx, command_of(m, job));
	if (m->opts->sinks) {
		struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
				      .step = label(m, job),
				      .seq = job->seq,
				      .attempt = job->attempt,
				      .executor = "local",
				      .host = "local",
				      .pid = slot->pid,
				      .command = command_of(m, job)};
		emit(m, &ev);
	}
}

static void output(void *owner, struct jl_slot_job *slot, int stream, const void *data, size_t len)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	int r = JL_OK;
	if (m->status != JL_OK)
		return;
	job->received += stream == 1 ? len : 0;
	if (job->files[stream - 1] >= 0)
		r = jl_file_write_all(&jl_io_system, job->files[stream - 1], data, len, &m->err);
	else
		r = jl_order_add(&m->order, &job->out, stream, data, len, &m->err);
	if (r < 0)
		give_up(m, r);
}

static void note(struct map *m, struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	if (m->opts->joblog) {
		struct jl_job_row row = {.seq = job->seq,
					 .start_real_ns = job->start_real_ns,
					 .wall_ns = r->wall_ns,
					 .received = job->received,
					 .exit_code = r->exit_code,
					 .signal = r->signal,
					 .command = command_of(m, job)};
		if (r->end == JL_JOB_TIMEOUT && !row.signal && !row.exit_code)
			row.exit_code = -1; /* it ended well, but not by itself */
		jl_job_table_add(&m->table, &row);
	}
	if (m->opts->results && r->end != JL_JOB_NOT_STARTED) {
		jl_buf_clear(&m->path);
		jl_result_dir_path(&m->path, m->opts->results, &job->args, jl_values_names(m->values));
		if (jl_result_dir_finish(m->path.data, job->seq, &m->err) < 0)
			map_fail(m, m->err.status);
	}
}

static void check_halt(struct map *m)
{
	const struct jl_map_opts *o = m->opts;
	if (o->halt == JL_HALT_NEVER || m->slots.stopping)
		return;
	if (o->halt_percent ? m->failed >= PERCENT_FROM && m->failed * 100 >= m->done * o->halt_count
			    : m->failed >= o->halt_count)
		jl_slots_stop(&m->slots, o->halt == JL_HALT_NOW);
}

/* It will not run again. */
static void finish(struct map *m, struct map_job *job)
{
	const bool good = is_good(&job->slot.result);
	if (!job->cancelled) {
		m->done++;
		note(m, job);
	}
	if (good) {
		m->counts.ran++;
	} else if (!job->cancelled) {
		m->failed++;
		m->counts.failed++;
		say_failure(m, job);
		check_halt(m);
	}
	const bool show = !job->cancelled && (!good || !m->opts->quiet || m->opts->sinks);
	if (jl_order_end(&m->order, &job->out, show, &m->err) < 0)
		map_fail(m, m->err.status);
}

static void ended(void *owner, struct jl_slot_job *slot)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	const bool good = is_good(&slot->result);
	m->counts.running = m->slots.n_running;
	job->cancelled = slot->result.end == JL_JOB_CANCELLED;
	close_files(job);
	if (!good && !job->cancelled && job->attempt <= m->opts->retries && !m->slots.stopping) {
		job->attempt++;
		job->received = 0;
		jl_order_again(&m->order, &job->out);
		struct map_job **at = &m->again;
		while (*at)
			at = &(*at)->next;
		*at = job;
		job->next = NULL;
		return;
	}
	finish(m, job);
}

static void dropped(void *owner, struct jl_slot_job *slot)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	job->dropped = true;
	m->counts.skipped++;
	if (jl_order_end(&m->order, &job->out, false, &m->err) < 0)
		map_fail(m, m->err.status);
}

static void turn(void *owner, bool idle)
{
	struct map *m = owner;
	if (m->opts->eta)
		show_eta(m, false);
	if (!idle)
		return;
	wrote(m, m->opts->show->flush(m->opts->show->ctx));
	if (jl_job_table_flush(&m->table, &m->err) < 0)
		map_fail(m, m->err.status);
}

static const struct jl_slots_ops slots_ops = {
	.work = work,
	.begin = begin,
	.begun = begun,
	.output = output,
	.ended = ended,
	.dropped = dropped,
	.turn = turn,
};

/* ---- from the beginning to the end ---- */

/* Nobody reads our output any more: known at once, not only with the next write. */
static void reader_gone(struct jl_watch *w, uint32_t epoll_events)
{
	struct map *m = (struct map *)((char *)w - offsetof(struct map, reader));
	jl_loop_remove(m->local.loop, w);
	if (epoll_events & EPOLLERR)
		wrote(m, EPIPE);
}

static int open_all(struct map *m, struct jl_err *err)
{
	const struct jl_map_opts *o = m->opts;
	int r = jl_values_open(&o->values, &m->values, err);
	/* What is wrong with the command is told before anything is read, where that can be known. */
	if (r == JL_OK && !o->values.header)
		r = jl_replace_new(o->words, o->n_words, NULL, o->context || o->per_job > 0, &m->replace, err);
	if (r == JL_OK && o->joblog)
		r = jl_job_table_open(&m->table, o->joblog, o->resume, err);
	if (r == JL_OK)
		r = jl_local_open(&m->local, &m->slots, err);
	if (r != JL_OK)
		return r;
	m->reader.ready = reader_gone;
	if (o->out_fd >= 0 && jl_loop_add(m->local.loop, &m->reader, o->out_fd, 0, NULL) != JL_OK)
		m->reader.fd = -1; /* a regular file has no reader that could go */
	jl_slots_init(&m->slots, m->jobs, m->local.exec, &jl_clock_system, &slots_ops, m);
	return JL_OK;
}

static void free_jobs(struct map_job *job)
{
	while (job) {
		struct map_job *next = job->next;
		jl_order_job_release(&job->out);
		jl_args_release(&job->args);
		free(job);
		job = next;
	}
}

static void release(struct map *m)
{
	if (m->local.loop) {
		jl_loop_remove(m->local.loop, &m->input);
		jl_loop_remove(m->local.loop, &m->reader);
		jl_loop_disarm(m->local.loop, &m->delay);
	}
	jl_order_release(&m->order);
	if (m->building)
		map_job_put(m, m->building);
	jl_slots_release(&m->slots);
	jl_local_close(&m->local);
	free_jobs(m->again);
	free_jobs(m->unused);
	jl_args_release(&m->ahead);
	jl_args_release(&m->rest);
	jl_values_free(m->values);
	jl_replace_free(m->replace);
	jl_replace_out_release(&m->command);
	jl_job_table_release(&m->table);
	jl_buf_release(&m->line);
	jl_buf_release(&m->label);
	jl_buf_release(&m->path);
}

static int run(struct map *m, struct jl_err *err)
{
	char run_id[40];
	snprintf(run_id, sizeof(run_id), "map-%lld-%ld", (long long)time(NULL), (long)getpid());
	struct jl_event ev = {.type = JL_EVENT_RUN_STARTED, .run_id = run_id, .jobs = m->jobs};
	emit(m, &ev);
	int r = jl_slots_loop(&m->slots, err);
	while (m->again) { /* the run was stopped before their next attempt */
		struct map_job *job = m->again;
		m->again = job->next;
		finish(m, job);
	}
	turn(m, true);
	if (m->opts->eta)
		show_eta(m, true);
	if (r == JL_OK && m->status != JL_OK) {
		r = m->status;
		if (err)
			*err = m->err;
	}
	/* After a failure of our own some may wait for a turn that does not come. */
	jl_order_release(&m->order);
	ev = (struct jl_event){.type = JL_EVENT_RUN_FINISHED, .end_signal = m->slots.signal};
	emit(m, &ev);
	return r;
}

int jl_map(const struct jl_map_opts *opts, struct jl_map_summary *ret, struct jl_err *err)
{
	struct map m = {
		.opts = opts,
		.table = JL_JOB_TABLE_INIT,
		.jobs = opts->jobs ? opts->jobs : jl_cpu_count(),
		.ahead = JL_ARGS_INIT,
		.rest = JL_ARGS_INIT,
		.input = {.fd = -1},
		.reader = {.fd = -1},
		.command = JL_REPLACE_OUT_INIT,
		.line = JL_BUF_INIT,
		.label = JL_BUF_INIT,
		.path = JL_BUF_INIT,
	};
	const struct jl_order_opts order = {
		.how = opts->order,
		.write = show_output,
		.tag = opts->tag ? tag_of : NULL,
		.shown = job_shown,
		.ctx = &m,
	};
	m.began_ns = jl_clock_system.now_ns(&jl_clock_system);
	m.eta_ns = m.began_ns + ETA_NS;
	jl_order_init(&m.order, &order);
	int r = open_all(&m, err);
	if (r == JL_OK)
		r = run(&m, err);
	ret->counts = m.counts;
	ret->failed = m.failed;
	ret->signal = m.slots.signal;
	ret->wall_ns = jl_clock_system.now_ns(&jl_clock_system) - m.began_ns;
	release(&m);
	return r;
}
