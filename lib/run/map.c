/* One command a record: the owner of the slots. See map.h. */
#include "run/map.h"

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
#define PERCENT_FROM  3 /* failures: the first of all is 100 % */

struct jl_replace_with map_with(const struct map_job *job)
{
	return (struct jl_replace_with){.args = &job->args, .seq = job->seq, .slot = job->slot.slot + 1};
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

static struct map_job *job_of(struct jl_order_job *out)
{
	return (struct map_job *)((char *)out - offsetof(struct map_job, out));
}

/* The first output of a job that is shown as a group. */
static void begin_group(struct map *m, struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	const bool whole = m->opts->order == JL_ORDER_ENDED || m->opts->order == JL_ORDER_INPUT;
	if (job->grouped || !m->opts->show->group || !whole || (map_is_good(r) && !m->opts->verbose))
		return;
	job->grouped = true;
	m->opts->show->group(m->opts->show->ctx, map_label(m, job), r->wall_ns);
}

static void show_output(void *ctx, struct jl_order_job *out, int stream, const void *data, size_t len)
{
	struct map *m = ctx;
	struct map_job *job = job_of(out);
	/* Sinks get what is not shown, too. */
	if (!m->opts->quiet || !map_is_good(&job->slot.result)) {
		begin_group(m, job);
		wrote(m, m->opts->show->write(m->opts->show->ctx, stream, data, len, job->stored));
	}
	if (m->opts->sinks) {
		struct jl_event ev = {.type = JL_EVENT_STEP_OUTPUT,
				      .step = map_label(m, job),
				      .seq = job->seq,
				      .replayed = job->stored,
				      .stream = stream,
				      .data = data,
				      .len = len};
		map_emit(m, &ev);
	}
}

static const char *tag_of(void *ctx, struct jl_order_job *out)
{
	return map_label(ctx, job_of(out));
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
		map_tell_end(m, job);
	map_job_put(m, job);
}

/* ---- what the loop asks ---- */

static void dry_run(struct map *m, struct map_job *job)
{
	const struct jl_map_show *show = m->opts->show;
	map_command(m, job);
	jl_buf_char(&m->line, '\n');
	wrote(m, show->write(show->ctx, 1, m->line.data, m->line.len, false));
	m->done++;
	if (jl_order_end(&m->order, &job->out, true, &m->err) < 0)
		map_fail(m, m->err.status);
}

static bool work(void *owner)
{
	struct map *m = owner;
	if (m->hosts.parked)
		return map_hosts_again(m);
	struct map_job *job = map_memo_again(m);
	enum map_next next = job ? MAP_JOB : map_next(m, &job);
	if (next == MAP_NONE)
		map_memo_wait(m);
	else if (next == MAP_JOB && m->opts->dry_run)
		dry_run(m, job);
	else if (next == MAP_JOB && !map_memo_find(m, job))
		map_hosts_hold(m, job);
	return next != MAP_NONE;
}

int map_open_results(struct map *m, struct map_job *job, struct jl_err *err)
{
	if (!m->opts->results || job->files[0] >= 0)
		return JL_OK;
	jl_buf_clear(&m->path);
	jl_result_dir_path(&m->path, m->opts->results, &job->args, jl_values_names(m->values));
	return jl_result_dir_open(m->path.data, job->files, err);
}

static int begin(void *owner, struct jl_slot_job *slot, struct jl_job *ret, struct jl_err *err)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	int r = map_memo_begin(m, job, ret, err);
	if (r == JL_OK)
		r = map_open_results(m, job, err);
	if (r != JL_OK)
		return r;
	if (!job->memo) {
		struct jl_replace_with w = map_with(job);
		jl_replace_expand(m->replace, &w, &m->command);
		ret->argv = m->command.argv.data;
		ret->envp = m->opts->environ;
		ret->workdir = m->opts->workdir;
		ret->timeout_ns = m->opts->timeout_ns;
		ret->kill_after_ns = m->opts->kill_after_ns ? m->opts->kill_after_ns : KILL_AFTER_NS;
	}
	r = map_hosts_begin(m, job, ret, err);
	if (r != JL_OK)
		return r;
	if (m->opts->joblog)
		job->start_real_ns = jl_clock_real_ns();
	if (m->opts->delay_ns)
		m->start_after_ns = map_now_ns(m) + m->opts->delay_ns;
	return JL_OK;
}

void map_close_results(struct map_job *job)
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
	if (job->memo)
		jl_call_begun(&job->memo->call);
	if (!started) {
		map_close_results(job);
		return;
	}
	map_hosts_begun(m, job);
	m->counts.running = m->slots.n_running;
	if (m->opts->verbose)
		m->opts->show->say(m->opts->show->ctx, map_command(m, job));
	if (m->opts->sinks) {
		struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
				      .step = map_label(m, job),
				      .seq = job->seq,
				      .attempt = job->attempt,
				      .executor = map_hosts_executor(m, job),
				      .host = job->far ? jl_hosts_of(m->slots.exec, slot->slot + 1) : "local",
				      .pid = slot->pid,
				      .command = map_command(m, job)};
		map_emit(m, &ev);
	}
}

static uint64_t spilled(const struct map_job *job)
{
	return jl_gather_spilled(&job->out.out[0]) + jl_gather_spilled(&job->out.out[1]);
}

/* There is no more room for output that waits: the running job that has the most of it is ended, as one that never stops
 * writing would take all there is, and the others go on. */
static void end_loudest(struct map *m, struct map_job *job)
{
	for (uint32_t i = 0; i < m->slots.n; i++) {
		struct map_job *other = (struct map_job *)m->slots.running[i];
		if (other && !other->flooded && spilled(other) > spilled(job))
			job = other;
	}
	job->flooded = true;
	jl_order_again(&m->order, &job->out);
	if (!job->stored)
		m->slots.exec->ops->cancel(m->slots.exec, job->slot.slot + 1, JL_CANCEL_TERM);
}

static void keep_output(struct map *m, struct map_job *job, int stream, const void *data, size_t len)
{
	struct jl_err err = JL_ERR_INIT;
	int r = JL_ENOSPC;
	while (r == JL_ENOSPC && !job->flooded) {
		r = jl_order_add(&m->order, &job->out, stream, data, len, &err);
		if (r == JL_ENOSPC)
			end_loudest(m, job);
	}
	if (r < 0 && r != JL_ENOSPC) {
		m->err = err;
		give_up(m, r);
	}
}

void map_output(struct map *m, struct map_job *job, int stream, const void *data, size_t len)
{
	if (m->status != JL_OK || job->flooded)
		return;
	job->received += stream == 1 ? len : 0;
	int r = job->stored ? map_open_results(m, job, &m->err) : JL_OK;
	if (r < 0) {
		give_up(m, r);
		return;
	}
	if (job->files[stream - 1] >= 0)
		r = jl_file_write_all(&jl_io_system, job->files[stream - 1], data, len, &m->err);
	else
		keep_output(m, job, stream, data, len);
	if (r < 0)
		give_up(m, r);
}

static void output(void *owner, struct jl_slot_job *slot, int stream, const void *data, size_t len)
{
	struct map_job *job = (struct map_job *)slot;
	if (job->memo && !job->flooded)
		jl_call_output(&job->memo->call, stream, data, len);
	map_output(owner, job, stream, data, len);
}

static void note(struct map *m, struct map_job *job)
{
	const struct jl_job_result *r = &job->slot.result;
	if (m->opts->joblog) {
		struct jl_job_row row = {.seq = job->seq,
					 .start_real_ns = job->start_real_ns,
					 .wall_ns = job->stored ? 0 : r->wall_ns,
					 .received = job->received,
					 .stored = job->stored,
					 .host = job->far && r->host && r->host[0] ? r->host : NULL,
					 .exit_code = r->exit_code,
					 .signal = r->signal,
					 .command = map_command(m, job)};
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
void map_finish(struct map *m, struct map_job *job)
{
	if (job->flooded) {
		job->slot.result.end = JL_JOB_EXITED;
		job->slot.result.exit_code = 125;
		job->slot.result.signal = 0;
		job->slot.result.why = "no room in $TMPDIR for its output until it ends; --line-buffer, -u and --results need none";
	}
	const bool good = map_is_good(&job->slot.result);
	map_memo_put(m, job);
	map_close_results(job);
	if (!job->cancelled) {
		m->done++;
		note(m, job);
	}
	if (good) {
		m->counts.ran += job->status == JL_STEP_RAN;
		m->counts.fresh += job->status == JL_STEP_FRESH;
		m->counts.restored += job->status == JL_STEP_RESTORED;
	} else if (!job->cancelled) {
		m->failed++;
		m->counts.failed++;
		map_tell_failure(m, job);
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
	const bool lost = map_hosts_ended(m, job);
	const bool again = (lost || job->attempt <= m->opts->retries) && !m->slots.stopping && !job->flooded;
	m->counts.running = m->slots.n_running;
	job->cancelled = slot->result.end == JL_JOB_CANCELLED && !job->flooded;
	map_close_results(job);
	if (!job->cancelled && !job->flooded && (map_is_good(&slot->result) || !again))
		map_memo_ended(m, job);
	if (!map_is_good(&slot->result) && !job->cancelled && again) {
		map_memo_retry(m, job);
		map_tell_progress(m, job, false);
		job->attempt += !lost;
		job->received = 0;
		jl_order_again(&m->order, &job->out);
		struct map_job **at = &m->again;
		while (*at)
			at = &(*at)->next;
		*at = job;
		job->next = NULL;
		return;
	}
	if (m->opts->order == JL_ORDER_INPUT)
		map_tell_progress(m, job, false);
	map_finish(m, job);
}

static void dropped(void *owner, struct jl_slot_job *slot)
{
	struct map *m = owner;
	struct map_job *job = (struct map_job *)slot;
	job->dropped = true;
	map_memo_put(m, job);
	m->counts.skipped++;
	if (jl_order_end(&m->order, &job->out, false, &m->err) < 0)
		map_fail(m, m->err.status);
}

static void turn(void *owner, bool idle)
{
	struct map *m = owner;
	if (m->opts->eta)
		map_tell_eta(m, false);
	map_tell_progress(m, NULL, idle);
	if (!idle)
		return;
	wrote(m, m->opts->show->flush(m->opts->show->ctx));
	if (jl_job_table_flush(&m->table, &m->err) < 0)
		map_fail(m, m->err.status);
}

static void terminal(void *owner, int sig)
{
	struct jl_event ev = {.type = sig == SIGTSTP ? JL_EVENT_PAUSED : JL_EVENT_SCREEN};
	map_emit(owner, &ev);
}

static const struct jl_slots_ops slots_ops = {
	.work = work,
	.begin = begin,
	.begun = begun,
	.output = output,
	.ended = ended,
	.dropped = dropped,
	.turn = turn,
	.terminal = terminal,
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
	map_memo_open(m);
	int r = jl_values_open(&o->values, &m->values, err);
	/* What is wrong with the command is told before anything is read, where that can be known. */
	if (r == JL_OK && !o->values.header)
		r = map_read_command(m, err);
	if (r == JL_OK && o->joblog)
		r = jl_job_table_open(&m->table, o->joblog, o->resume, err);
	if (r == JL_OK)
		r = jl_local_open(&m->local, &m->slots, o->jobs, o->environ, err);
	if (r != JL_OK)
		return r;
	if (m->local.hint.text[0] && !o->dry_run)
		o->show->say(o->show->ctx, m->local.hint.text);
	uint32_t slots;
	m->jobs = m->local.alone ? 1 : m->jobs;
	r = map_hosts_open(m, &slots, err);
	if (r != JL_OK)
		return r;
	m->reader.ready = reader_gone;
	if (o->out_fd >= 0 && jl_loop_add(m->local.loop, &m->reader, o->out_fd, 0, NULL) != JL_OK)
		m->reader.fd = -1; /* a regular file has no reader that could go */
	struct jl_exec *exec = map_hosts_exec(m);
	jl_slots_init(&m->slots, slots, exec, &jl_clock_system, &slots_ops, m);
	m->slots.tokens = exec == m->local.exec ? &m->local.tokens : NULL; /* what runs elsewhere takes none of make's */
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
	map_memo_release(m);
	jl_slots_release(&m->slots);
	map_hosts_close(m);
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
	map_emit(m, &ev);
	int r = jl_slots_loop(&m->slots, err);
	while (m->again) { /* the run was stopped before their next attempt */
		struct map_job *job = m->again;
		m->again = job->next;
		map_finish(m, job);
	}
	jl_slots_stop(&m->slots, false);
	for (struct map_job *job = map_memo_again(m); job; job = map_memo_again(m))
		dropped(m, &job->slot);
	turn(m, true);
	if (m->opts->eta)
		map_tell_eta(m, true);
	if (r == JL_OK && m->status != JL_OK) {
		r = m->status;
		if (err)
			*err = m->err;
	}
	/* After a failure of our own some may wait for a turn that does not come. */
	jl_order_release(&m->order);
	map_memo_finish(m);
	ev = (struct jl_event){.type = JL_EVENT_RUN_FINISHED, .end_signal = m->slots.signal};
	map_emit(m, &ev);
	return r;
}

int jl_map(const struct jl_map_opts *opts, struct jl_map_summary *ret, struct jl_err *err)
{
	struct map m = {
		.opts = opts,
		.table = JL_JOB_TABLE_INIT,
		.jobs = opts->jobs ? opts->jobs : jl_tokens_auto(opts->environ),
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
	m.eta_ns = m.began_ns + JL_NS_S;
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
