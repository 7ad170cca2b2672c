/* From values to jobs: how many go into one, waiting for input, what is skipped. */
#include "run/map_priv.h"

#include "run/result_dir.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* As xargs has it; what the kernel takes is more, but not for one word of a script. */
#define COMMAND_MAX ((size_t)128 << 10)

struct map_job *map_job_get(struct map *m)
{
	struct map_job *job = m->unused;
	if (job) {
		m->unused = job->next;
		return job;
	}
	job = jl_alloc(sizeof(*job));
	/* cppcheck-suppress unknownEvaluationOrder ; constants */
	*job = (struct map_job){.out = JL_ORDER_JOB_INIT, .args = JL_ARGS_INIT, .files = {-1, -1}};
	return job;
}

/* Its memory is used again: a job costs no allocation once as many were made as run at a time. */
void map_job_put(struct map *m, struct map_job *job)
{
	if (job->args.text.cap > 64 << 10)
		jl_buf_release(&job->args.text);
	jl_args_clear(&job->args);
	job->next = m->unused;
	m->unused = job;
}

void map_fail(struct map *m, int status)
{
	if (m->status == JL_OK)
		m->status = status;
	m->ended = true;
	jl_slots_stop(&m->slots, false);
}

/* ---- waiting ---- */

static void input_ready(struct jl_watch *w, uint32_t epoll_events)
{
	struct map *m = (struct map *)((char *)w - offsetof(struct map, input));
	(void)epoll_events;
	jl_loop_remove(m->local.loop, w);
	m->slots.waiting = false;
}

static void delay_over(struct jl_timer *t)
{
	struct map *m = (struct map *)((char *)t - offsetof(struct map, delay));
	m->slots.waiting = false;
}

static enum map_next wait_for_input(struct map *m)
{
	m->input.ready = input_ready;
	/* What epoll does not take (a regular file) is always ready. */
	if (jl_loop_add(m->local.loop, &m->input, jl_values_fd(m->values), EPOLLIN, NULL) != JL_OK)
		return MAP_AGAIN;
	m->slots.waiting = true;
	return MAP_NONE;
}

static bool too_early(struct map *m)
{
	if (m->slots.clock->now_ns(m->slots.clock) >= m->start_after_ns)
		return false;
	m->delay.fired = delay_over;
	jl_loop_arm(m->local.loop, &m->delay, m->start_after_ns);
	m->slots.waiting = true;
	return true;
}

/* ---- how much goes into a job ---- */

/* Names of columns are known with the first record, and the command can be read. */
static int read_command(struct map *m)
{
	if (m->replace)
		return JL_OK;
	return map_read_command(m, &m->err);
}

static size_t size_of(const struct map *m, const struct jl_args *args)
{
	size_t size = 0;
	for (uint32_t i = 0; i < args->at.len; i++) {
		size_t len;
		const char *value = jl_args_at(args, i, &len);
		size += jl_replace_value_size(m->replace, value, len);
	}
	return size;
}

static void move_args(struct jl_args *to, const struct jl_args *from, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n && i < from->at.len; i++) {
		size_t len;
		const char *value = jl_args_at(from, i, &len);
		jl_args_add(to, value, len);
	}
}

/* The record ahead joins the job if it fits; false: the job is whole without it. */
static bool take_ahead(struct map *m)
{
	size_t more = size_of(m, &m->ahead);
	if (m->records > 0 && m->size + more > COMMAND_MAX)
		return false;
	m->size = (m->records > 0 ? m->size : jl_replace_base_size(m->replace)) + more;
	move_args(&m->building->args, &m->ahead, 0, m->ahead.at.len);
	jl_args_clear(&m->ahead);
	m->has_ahead = false;
	m->records++;
	return true;
}

/* The input has ended within a job that took all it could: its values are spread over the slots. */
static void spread(struct map *m)
{
	struct jl_args values = m->building->args;
	m->building->args = m->rest;
	m->rest = values;
	m->rest_at = 0;
	m->share = (m->records + m->jobs - 1) / m->jobs * (values.at.len / m->records);
}

/* Values for m->building: JL_VALUES_ONE when it has all of its own. */
static int collect(struct map *m)
{
	const uint32_t most = m->opts->per_job ? m->opts->per_job : m->opts->fill ? UINT32_MAX : 1;
	int r = JL_VALUES_ONE;
	while (r == JL_VALUES_ONE && m->records < most) {
		struct jl_args *to = m->opts->fill ? &m->ahead : &m->building->args;
		r = m->has_ahead ? JL_VALUES_ONE : jl_values_next(m->values, to, &m->err);
		if (r == JL_VALUES_ONE || r == JL_VALUES_END) {
			int read = read_command(m);
			if (read < 0)
				return read;
		}
		if (r != JL_VALUES_ONE)
			break;
		m->has_ahead = m->opts->fill;
		if (!m->opts->fill)
			m->records++;
		else if (!take_ahead(m))
			return JL_VALUES_ONE;
	}
	if (r != JL_VALUES_END)
		return r;
	m->ended = true;
	if (m->opts->fill && m->records > 0 && m->jobs > 1)
		spread(m);
	return m->records > 0 ? JL_VALUES_ONE : JL_VALUES_END;
}

static bool is_done(struct map *m, const struct map_job *job)
{
	if (m->opts->resume == JL_RESUME_NO)
		return false;
	if (m->opts->joblog)
		return jl_job_table_done(&m->table, job->seq);
	jl_buf_clear(&m->path);
	jl_result_dir_path(&m->path, m->opts->results, &job->args, jl_values_names(m->values));
	return jl_result_dir_done(m->path.data);
}

static enum map_next whole(struct map *m, struct map_job **ret)
{
	struct map_job *job = m->building;
	m->building = NULL;
	m->records = 0;
	job->seq = ++m->seq;
	job->attempt = 1;
	job->received = 0;
	job->cancelled = job->dropped = job->flooded = job->stored = job->kept = false;
	job->far = job->here = false;
	job->trouble = (struct jl_trouble){0};
	job->status = JL_STEP_RAN;
	job->key.algo = JL_DIGEST_NONE;
	if (is_done(m, job)) {
		map_job_put(m, job);
		return MAP_AGAIN;
	}
	m->counts.total++;
	jl_order_begin(&m->order, &job->out);
	*ret = job;
	return MAP_JOB;
}

enum map_next map_next(struct map *m, struct map_job **ret)
{
	if (m->slots.stopping || (m->slots.waiting && !m->again)) /* what is to run again needs no input */
		return MAP_NONE;
	if ((m->again || !m->ended || m->rest_at < m->rest.at.len) && m->opts->delay_ns && too_early(m))
		return MAP_NONE;
	if (m->again) {
		*ret = m->again;
		m->again = (*ret)->next;
		return MAP_JOB;
	}
	if (jl_order_full(&m->order) || map_memo_full(m))
		return MAP_NONE;
	if (m->ended && m->rest_at >= m->rest.at.len)
		return MAP_NONE;
	if (!m->building)
		m->building = map_job_get(m);
	if (!m->ended) {
		int r = collect(m);
		if (r == JL_VALUES_WAIT)
			return wait_for_input(m);
		if (r < 0)
			map_fail(m, r);
		if (r != JL_VALUES_ONE)
			return MAP_NONE;
	}
	if (m->share > 0) {
		move_args(&m->building->args, &m->rest, m->rest_at, m->share);
		m->rest_at += m->share;
	}
	return whole(m, ret);
}
