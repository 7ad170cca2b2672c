/* Jobs of a remote executor: what goes along, what comes back. See remote.h. */
#include "exec/remote_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "exec/host_env.h"
#include "exec/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INLINE_TOTAL (48u << 10) /* bytes of contents that go along with one START */

void jl_remote_say(struct remote *m, const struct jl_msg *msg)
{
	/* Nothing that is said here is longer than a message may be. */
	if (m->state == JL_REMOTE_UP)
		jl_bug_if(jl_link_send(&m->link, JL_LANE_CONTROL, msg, NULL) != JL_OK);
}

static void job_over(struct remote *m, struct remote_job *j, enum jl_job_end end, const char *why)
{
	j->result.end = end;
	j->result.exit_code = end == JL_JOB_NOT_STARTED ? 126 : 0;
	snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, why);
	j->over = true;
	jl_loop_arm(m->loop, &m->soon, 0);
}

void jl_remote_job_free(struct remote *m, struct remote_job *j)
{
	struct remote_job **at = &m->jobs;
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	m->n_jobs--;
	m->n_waiting -= !j->began;
	jl_sends_drop(&m->sends, j->wire);
	jl_landing_release(&j->landing);
	jl_arena_release(&j->arena);
	jl_buf_release(&j->start);
	free(j);
}

void jl_remote_job_end(struct remote *m, struct remote_job *j)
{
	struct jl_job_result r = j->result;
	char why[sizeof(j->why)];
	uint64_t id = j->id;
	r.host = m->config.name;
	memcpy(why, j->why, sizeof(why));
	r.why = why[0] ? why : NULL;
	if (j->ended)
		jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_FORGET, .id = j->wire});
	jl_remote_job_free(m, j);
	m->exec.events.done(m->exec.events.ctx, id, &r);
}

void jl_remote_jobs_lost(struct remote *m, const char *why)
{
	uint32_t there = 0;
	for (const struct remote_job *j = m->jobs; j; j = j->next)
		there += j->sent_ns && !j->ended;
	for (struct remote_job *j = m->jobs; j; j = j->next) { /* the oldest is the last */
		/* The word that it began may not have come: those that had a slot may have, and may be why the agent is gone. */
		there -= j->sent_ns && !j->ended;
		bool began = j->began || (j->sent_ns && there < m->slots);
		if (!j->over)
			job_over(m, j, j->cancel ? JL_JOB_CANCELLED : began ? JL_JOB_LOST : JL_JOB_TAKEN_BACK,
				 j->cancel ? "" : why);
		j->ended = false;
		jl_landing_release(&j->landing);
	}
	jl_sends_release(&m->sends);
}

/* ---- starting ---- */

static void copy_cargo(struct remote_job *j, const struct jl_cargo *from)
{
	struct jl_cargo_in *ins = jl_arena_alloc(&j->arena, from->n_ins * sizeof(*ins));
	struct jl_cargo_out *outs = jl_arena_alloc(&j->arena, from->n_outs * sizeof(*outs));
	j->cargo = *from;
	for (uint32_t i = 0; i < from->n_ins; i++) {
		ins[i] = from->ins[i];
		ins[i].path = jl_arena_strdup(&j->arena, ins[i].path);
		ins[i].text = NULL;
	}
	for (uint32_t i = 0; i < from->n_outs; i++) {
		outs[i] = from->outs[i];
		outs[i].path = jl_arena_strdup(&j->arena, outs[i].path);
	}
	j->cargo.ins = ins;
	j->cargo.outs = outs;
	memset(j->cargo.stream, 0, sizeof(j->cargo.stream));
}

static int open_input(const struct remote_job *j, const struct jl_cargo_in *in, struct jl_err *err)
{
	int fd = in->fd > 0 ? fcntl(in->fd, F_DUPFD_CLOEXEC, 3) : openat(j->cargo.root_fd, in->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot read input \"%s\"", in->path);
	return fd;
}

static int read_inline(struct remote_job *j, const struct jl_cargo_in *in, const void **ret, struct jl_err *err)
{
	char *bytes = jl_arena_alloc(&j->arena, (size_t)in->size + 1);
	int fd = open_input(j, in, err);
	if (fd < 0)
		return fd;
	ssize_t n = pread(fd, bytes, (size_t)in->size + 1, 0);
	close(fd);
	if (n != (ssize_t)in->size)
		return jl_err_set(err, JL_ECHANGED, "input \"%s\" changed while it was sent", in->path);
	*ret = bytes;
	return JL_OK;
}

/* What of a job's environment travels. */
static const char *const *travelling(const struct remote *m, struct remote_job *j, const char *const *envp)
{
	size_t n = 0, at = 0;
	while (envp[n])
		n++;
	const char **env = jl_arena_alloc(&j->arena, (n + 1) * sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (!jl_host_env_own(envp[i], m->config.environ))
			env[at++] = envp[i];
	return env;
}

static int write_start(struct remote *m, struct remote_job *j, const struct jl_job *job, struct jl_err *err)
{
	static const struct jl_cargo nothing = {.root_fd = -1, .workdir = "."};
	const struct jl_cargo *c = job->cargo ? job->cargo : &nothing;
	struct jl_msg_in *ins = jl_arena_alloc(&j->arena, c->n_ins * sizeof(*ins));
	uint64_t total = 0;
	int r = JL_OK;
	for (uint32_t i = 0; r == JL_OK && i < c->n_ins; i++) {
		ins[i].in = c->ins[i];
		if (c->shared || c->ins[i].kind != JL_KIND_FILE || c->ins[i].size > JL_MSG_INLINE_MAX ||
		    total + c->ins[i].size > INLINE_TOTAL)
			continue;
		total += c->ins[i].size;
		r = read_inline(j, &c->ins[i], &ins[i].bytes, err);
	}
	if (r != JL_OK)
		return r;
	return jl_msg_put(&j->start,
			  &(struct jl_msg){.type = JL_MSG_START,
					   .id = j->wire,
					   .start = {.label = job->label,
						     .shared = c->shared,
						     .workdir = c->workdir,
						     .argv = job->argv,
						     .envp = travelling(m, j, job->envp),
						     .stream = {c->stream[0], c->stream[1], c->stream[2]},
						     .script = job->script,
						     .algo = c->algo ? c->algo : JL_DIGEST_XXH3,
						     .timeout_ns = job->timeout_ns,
						     .kill_after_ns = job->kill_after_ns,
						     .slots = job->where ? job->where->slots : 0,
						     .memory = job->where ? job->where->memory : 0,
						     .ins = ins,
						     .outs = c->outs,
						     .n_ins = c->n_ins,
						     .n_outs = c->n_outs}},
			  err);
}

int jl_remote_job_start(struct remote *m, const struct jl_job *job, struct jl_err *err)
{
	struct jl_err why = JL_ERR_INIT;
	struct remote_job *j = jl_calloc(1, sizeof(*j));
	*j = (struct remote_job){.next = m->jobs, .id = job->id, .wire = ++m->last_wire, .start = JL_BUF_INIT};
	jl_landing_release(&j->landing); /* empty */
	if (job->cargo)
		copy_cargo(j, job->cargo);
	else
		j->cargo.root_fd = -1;
	m->jobs = j;
	m->n_jobs++;
	m->n_waiting++;
	int r = write_start(m, j, job, &why);
	if (r != JL_OK && why.sys_errno == EMFILE) {
		jl_remote_job_free(m, j);
		return jl_err_set(err, JL_EBUSY, "%s", why.text);
	}
	if (r != JL_OK)
		job_over(m, j, JL_JOB_NOT_STARTED, why.text);
	else if (m->state == JL_REMOTE_UP)
		jl_remote_jobs_send(m);
	else if (m->state == JL_REMOTE_DOWN && jl_remote_connect(&m->exec, &why) != JL_OK)
		job_over(m, j, JL_JOB_TAKEN_BACK, why.text);
	return JL_OK;
}

/* In the order in which they came: the list begins with the last. */
static void send_start(struct remote *m, struct remote_job *j)
{
	if (!j)
		return;
	if (j->next && j->next->start.len)
		send_start(m, j->next);
	if (j->start.len == 0 || j->over)
		return;
	jl_link_raw(&m->link, j->start.data, j->start.len);
	jl_buf_release(&j->start);
	j->sent_ns = jl_clock_system.now_ns(&jl_clock_system);
}

void jl_remote_jobs_send(struct remote *m)
{
	send_start(m, m->jobs);
}

void jl_remote_job_cancel(struct remote *m, struct remote_job *j, enum jl_cancel how)
{
	if (j->over || j->ended)
		return;
	j->cancel = true;
	if (j->start.len == 0)
		jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_CANCEL, .id = j->wire, .cancel = (uint8_t)how});
	/* Who kills does not wait for a host that may be gone. */
	if (j->start.len || m->state != JL_REMOTE_UP || how == JL_CANCEL_KILL)
		job_over(m, j, JL_JOB_CANCELLED, "");
}

bool jl_remote_job_recall(struct remote *m, struct remote_job *j)
{
	if (j->over || j->ended || j->began || j->asked || j->recalled || j->cancel)
		return false;
	j->recalled = true;
	jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_CANCEL, .id = j->wire, .cancel = JL_MSG_RECALL});
	return true;
}

/* ---- what the agent says of a job ---- */

static struct remote_job *find(const struct remote *m, uint64_t wire)
{
	struct remote_job *j = m->jobs;
	while (j && j->wire != wire)
		j = j->next;
	return j && !j->over && j->start.len == 0 ? j : NULL;
}

static void take_started(struct remote *m, struct remote_job *j)
{
	m->n_waiting -= !j->began;
	j->began = true;
}

static int take_need(struct remote *m, struct remote_job *j, const struct jl_msg *msg, struct jl_err *err)
{
	for (uint32_t i = 0; i < msg->want.n; i++) {
		const struct jl_msg_want *w = &msg->want.at[i];
		const struct jl_cargo_in *in = w->index < j->cargo.n_ins ? &j->cargo.ins[w->index] : NULL;
		struct stat st;
		if (!in || in->kind != JL_KIND_FILE)
			return jl_err_set(err, JL_ECORRUPT, "the agent asked for what is no input");
		int fd = open_input(j, in, NULL);
		if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == in->size && S_ISREG(st.st_mode)) {
			jl_sends_add(&m->sends, j->wire, w->index, fd, in->size, w->from);
			continue;
		}
		jl_sends_fail(&m->link.lane[JL_LANE_ORDERED], j->wire, w->index);
		if (fd >= 0)
			close(fd);
	}
	return JL_OK;
}

static void take_output(struct remote *m, struct remote_job *j, const struct jl_msg *msg)
{
	uint64_t wire = j->wire;
	j->unsaid += msg->output.len;
	if (j->unsaid >= JL_MSG_OUTPUT_WINDOW / 2) {
		jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_CREDIT,
						  .id = wire,
						  .credit = {.index = JL_NONE, .bytes = j->unsaid}});
		j->unsaid = 0;
	}
	m->exec.events.output(m->exec.events.ctx, j->id, msg->output.stream, msg->output.bytes, msg->output.len);
}

/* All that it left is here. */
static void landed(struct remote *m, struct remote_job *j)
{
	struct jl_err err = JL_ERR_INIT;
	if (jl_landing_commit(&j->landing, &err) != JL_OK) {
		j->result.end = JL_JOB_NOT_STARTED;
		j->result.exit_code = 126;
		snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, err.text);
	}
	jl_remote_job_end(m, j);
}

static void not_landed(struct remote *m, struct remote_job *j, const struct jl_err *err)
{
	jl_sends_drop(&m->sends, j->wire);
	j->result.end = JL_JOB_NOT_STARTED;
	j->result.exit_code = 126;
	snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, err->text);
	jl_remote_job_end(m, j);
}

static int take_ended(struct remote *m, struct remote_job *j, const struct jl_msg_ended *e, struct jl_err *err)
{
	struct jl_table wants = JL_TABLE_INIT(struct jl_msg_want);
	struct jl_err why = JL_ERR_INIT;
	if (j->ended)
		return jl_err_set(err, JL_ECORRUPT, "a job ended twice");
	j->ended = true;
	j->result = (struct jl_job_result){.end = (enum jl_job_end)e->end,
					   .exit_code = e->exit_code,
					   .signal = e->signal,
					   .pipe_held = e->pipe_held,
					   .wall_ns = e->wall_ns,
					   .user_ns = e->user_ns,
					   .sys_ns = e->sys_ns,
					   .max_rss_kib = e->max_rss_kib};
	snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, e->why);
	for (uint32_t i = 0; j->cargo.shared && i < j->cargo.n_outs; i++)
		jl_same_look(j->cargo.root_fd, j->cargo.outs[i].path);
	if (e->n_outs == 0) {
		jl_remote_job_end(m, j);
		return JL_OK;
	}
	int r = jl_landing_begin(&j->landing, &j->cargo, e, &why);
	if (r == JL_EINVAL)
		return jl_err_set(err, JL_ECORRUPT, "%s", why.text);
	if (r != JL_OK) {
		not_landed(m, j, &why);
	} else if (j->landing.n_missing == 0) {
		landed(m, j);
	} else {
		jl_landing_missing(&j->landing, &wants);
		jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_FETCH,
						  .id = j->wire,
						  .want = {.at = wants.data, .n = wants.len}});
	}
	jl_table_release(&wants);
	return JL_OK;
}

static int take_data(struct remote *m, struct remote_job *j, const struct jl_msg *msg, struct jl_err *err)
{
	struct jl_err why = JL_ERR_INIT;
	uint64_t credit;
	int r = jl_landing_data(&j->landing, msg, &credit, &why);
	if (r == JL_ECORRUPT)
		return jl_err_set(err, r, "%s", why.text);
	if (r < 0)
		not_landed(m, j, &why);
	else if (r == 1 && j->landing.n_missing == 0)
		landed(m, j);
	else if (credit)
		jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_CREDIT,
						  .id = msg->id,
						  .credit = {.index = msg->data.index, .bytes = credit}});
	return JL_OK;
}

int jl_remote_job_message(struct remote *m, const struct jl_msg *msg, struct jl_err *err)
{
	struct remote_job *j = find(m, msg->id);
	if (!j && msg->type == JL_MSG_ENDED) /* it was given up */
		jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_FORGET, .id = msg->id});
	if (!j)
		return JL_OK;
	switch (msg->type) {
	case JL_MSG_STARTED: take_started(m, j); return JL_OK;
	case JL_MSG_NEED: j->asked = true; return take_need(m, j, msg, err);
	case JL_MSG_OUTPUT:
		if (!j->ended)
			take_output(m, j, msg);
		return JL_OK;
	case JL_MSG_ENDED: return take_ended(m, j, &msg->ended, err);
	case JL_MSG_DATA: return take_data(m, j, msg, err);
	case JL_MSG_CREDIT: jl_sends_credit(&m->sends, msg->id, msg->credit.index, msg->credit.bytes); return JL_OK;
	default: return jl_err_set(err, JL_ECORRUPT, "not a message of an agent");
	}
}
