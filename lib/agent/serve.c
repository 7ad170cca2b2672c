/* An agent's conversation: see serve.h. */
#include "agent/serve.h"

#include "agent/serve_priv.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/machine.h"
#include "exec/host_env.h"
#include "exec/same.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SILENCE_NS  (60 * JL_NS_S)
#define CALL_WAIT_NS (60 * JL_NS_S) /* until somebody speaks at all */
#define OUTPUT_PAUSE ((uint64_t)JL_MSG_OUTPUT_WINDOW)

static void end_with(struct jl_serve *s, const char *why)
{
	if (!s->over)
		snprintf(s->why, sizeof(s->why), "%s", why);
	s->over = true;
}

void jl_serve_say(struct jl_serve *s, enum jl_lane lane, const struct jl_msg *m)
{
	struct jl_err err = JL_ERR_INIT;
	if (jl_link_send(&s->link, lane, m, &err) != JL_OK)
		end_with(s, err.text);
}

static struct jl_far_job *find(struct jl_serve *s, uint64_t id)
{
	struct jl_far_job *j = s->jobs;
	while (j && j->id != id)
		j = j->next;
	return j;
}

/* ---- the end of a job ---- */

static void say_ended(struct jl_serve *s, struct jl_far_job *j, const struct jl_job_result *r, const char *why)
{
	j->phase = JL_FAR_ENDED;
	jl_serve_say(s, JL_LANE_ORDERED,
	    &(struct jl_msg){.type = JL_MSG_ENDED,
			     .id = j->id,
			     .ended = {.end = (uint8_t)r->end,
				       .pipe_held = r->pipe_held,
				       .exit_code = r->exit_code,
				       .signal = r->signal,
				       .wall_ns = r->wall_ns,
				       .user_ns = r->user_ns,
				       .sys_ns = r->sys_ns,
				       .max_rss_kib = r->max_rss_kib,
				       .why = why ? why : "",
				       .outs = j->outs.data,
				       .n_outs = j->outs.len}});
}

/* What no job can help. */
static bool is_ours(int sys_errno)
{
	static const int of_hosts[] = {ENOSPC, EDQUOT, EROFS, EIO, ENOMEM, ENFILE, EMFILE, EAGAIN, EACCES, EPERM};
	for (size_t i = 0; i < sizeof(of_hosts) / sizeof(of_hosts[0]); i++)
		if (sys_errno == of_hosts[i])
			return true;
	return false;
}

static void say_unable(struct jl_serve *s, struct jl_far_job *j, const char *why)
{
	j->outs.len = 0;
	say_ended(s, j, &(struct jl_job_result){.end = JL_JOB_UNABLE, .exit_code = 126}, why);
}

void jl_serve_refuse(struct jl_serve *s, struct jl_far_job *j, const struct jl_err *why)
{
	if (is_ours(why->sys_errno))
		say_unable(s, j, why->text);
	else
		say_ended(s, j, &(struct jl_job_result){.end = JL_JOB_NOT_STARTED, .exit_code = 126}, why->text);
}

static uint32_t slots_of(const struct jl_serve *s, const struct jl_far_job *j)
{
	uint32_t n = j->start.slots ? j->start.slots : 1;
	return n < s->slots ? n : s->slots;
}

/* Is nobody there but what runs for others? */
static bool is_alone(struct jl_serve *s, const struct jl_far_job *ended)
{
	struct jl_table pids = JL_TABLE_INIT(pid_t);
	for (const struct jl_far_job *j = s->jobs; j; j = j->next)
		if (j != ended && j->phase == JL_FAR_RUNNING)
			*(pid_t *)jl_table_add(&pids, 1) = j->pid;
	bool alone = jl_folders_alone(&s->home.folders, pids.data, pids.len);
	jl_table_release(&pids);
	return alone;
}

static void done(void *ctx, uint64_t id, const struct jl_job_result *r)
{
	struct jl_serve *s = ctx;
	struct jl_far_job *j = find(s, id);
	struct jl_err err = JL_ERR_INIT;
	s->running--;
	j->alone = is_alone(s, j);
	s->used -= slots_of(s, j);
	s->claimed -= j->start.memory;
	if (r->end == JL_JOB_LOST || (r->end == JL_JOB_NOT_STARTED && r->sys_errno != EACCES &&
				      (r->sys_errno == ENOEXEC || is_ours(r->sys_errno)))) {
		say_unable(s, j, r->why);
		return;
	}
	if ((r->end == JL_JOB_EXITED ? r->exit_code != 0 : r->end == JL_JOB_SIGNALED) && jl_home_full(&s->home)) {
		say_unable(s, j, "its disk is full");
		return;
	}
	int status = r->end == JL_JOB_NOT_STARTED ? JL_OK : jl_far_job_collect(j, &err);
	if (status != JL_OK) {
		j->outs.len = 0;
		say_ended(s, j, &(struct jl_job_result){.end = JL_JOB_NOT_STARTED, .exit_code = 126}, err.text);
		return;
	}
	say_ended(s, j, r, r->why);
}

static void output(void *ctx, uint64_t id, int stream, const void *data, size_t len)
{
	struct jl_serve *s = ctx;
	struct jl_far_job *j = find(s, id);
	const char *at = data;
	j->unsaid += len;
	while (len > 0) {
		size_t n = len < JL_MSG_DATA_MAX ? len : JL_MSG_DATA_MAX;
		jl_serve_say(s, JL_LANE_ORDERED,
		    &(struct jl_msg){.type = JL_MSG_OUTPUT,
				     .id = id,
				     .output = {.stream = (uint8_t)stream, .bytes = at, .len = n}});
		at += n;
		len -= n;
	}
	if (!j->held && j->unsaid >= OUTPUT_PAUSE) {
		j->held = true;
		jl_exec_local_hold(s->exec, id, true);
	}
}

/* ---- the start of a job ---- */

/* A stream that is a file below the job's folder. */
static int open_stream(const struct jl_serve *s, const struct jl_far_job *j, int number, int fds[3], struct jl_err *err)
{
	char aside[48];
	const int flags = number == 0 ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	const char *path = j->start.stream[number];
	if (!path)
		return JL_OK;
	if (number == 2 && j->start.stream[1] && strcmp(path, j->start.stream[1]) == 0) { /* one file, one place in it */
		fds[2] = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
		return fds[2] < 0 ? jl_err_sys(err, errno, "cannot open \"%s\"", path) : JL_OK;
	}
	snprintf(aside, sizeof(aside), "%s/stdin", j->folder->name);
	int low = number == 0 && strcmp(path, JL_CARGO_STDIN) == 0
			  ? openat(s->home.run_fd, aside, flags | O_NOFOLLOW)
			  : jl_file_open_beneath(j->root_fd, path, flags, number == 0 ? 0 : 0666);
	if (low < 0)
		return jl_err_sys(err, errno, "cannot open \"%s\"", path);
	fds[number] = fcntl(low, F_DUPFD_CLOEXEC, 3);
	close(low);
	return fds[number] < 0 ? jl_err_sys(err, errno, "cannot open \"%s\"", path) : JL_OK;
}

static int spawn_job(struct jl_serve *s, struct jl_far_job *j, int64_t *ret_pid, struct jl_err *err)
{
	struct jl_buf text = JL_BUF_INIT, workdir = JL_BUF_INIT;
	struct jl_table env = JL_TABLE_INIT(char *);
	int fds[3] = {-1, 0, 0}, r = JL_OK;
	if (j->start.shared)
		jl_buf_str(&workdir, j->start.shared);
	else
		jl_buf_printf(&workdir, "%s/run/%s/%s/w", s->home.dir, s->home.name, j->folder->name);
	jl_buf_printf(&text, "TMPDIR=%s/run/%s/%s/tmp", s->home.dir, s->home.name, j->folder->name);
	if (strcmp(j->start.workdir, ".") != 0)
		jl_buf_printf(&workdir, "/%s", j->start.workdir);
	jl_host_env(s->environ, j->start.envp, &env);
	*(const char **)jl_table_add(&env, 1) = text.data;
	*(const char **)jl_table_add(&env, 1) = s->home.mark;
	*(const char **)jl_table_add(&env, 1) = NULL;
	for (int i = 0; i < 3 && r == JL_OK; i++)
		r = open_stream(s, j, i, fds, err);
	j->began_ns = jl_folders_now();
	const struct jl_job job = {.id = j->id,
				   .label = j->start.label,
				   .argv = j->start.argv,
				   .envp = env.data,
				   .workdir = workdir.data,
				   .stdin_fd = fds[0],
				   .stdout_fd = fds[1],
				   .stderr_fd = fds[2],
				   .timeout_ns = j->start.timeout_ns,
				   .kill_after_ns = j->start.kill_after_ns};
	if (r == JL_OK)
		r = s->exec->ops->start(s->exec, &job, ret_pid, err);
	for (int i = 0; i < 3; i++)
		if (fds[i] > 0)
			close(fds[i]);
	jl_table_release(&env);
	jl_buf_release(&text);
	jl_buf_release(&workdir);
	return r;
}

/* Alone it always may. */
static bool may_start(const struct jl_serve *s, const struct jl_far_job *j)
{
	uint64_t memory = j->start.memory;
	if (s->running == 0)
		return true;
	return s->used + slots_of(s, j) <= s->slots &&
	       (memory == 0 || s->claimed == 0 || (memory <= s->memory && s->claimed <= s->memory - memory));
}

/* Start what is ready, in order, while there are slots: those behind one that needs much wait with it. */
static void start_ready(struct jl_serve *s)
{
	for (struct jl_far_job *j = s->jobs; j && s->used < s->slots; j = j->next) {
		struct jl_err err = JL_ERR_INIT;
		int64_t pid = 0;
		if (j->phase != JL_FAR_READY)
			continue;
		if (!may_start(s, j))
			return;
		int r = spawn_job(s, j, &pid, &err);
		if (r == JL_EBUSY && s->running > 0)
			return; /* the machine is full: after the next end */
		if (r != JL_OK) {
			jl_serve_refuse(s, j, &err);
			continue;
		}
		s->running++;
		s->used += slots_of(s, j);
		s->claimed += j->start.memory;
		j->phase = JL_FAR_RUNNING;
		j->pid = (pid_t)pid;
		jl_serve_say(s, JL_LANE_CONTROL,
		    &(struct jl_msg){.type = JL_MSG_STARTED, .id = j->id, .started = {.pid = (uint64_t)pid}});
	}
}

void jl_serve_all_there(struct jl_serve *s, struct jl_far_job *j)
{
	struct jl_err err = JL_ERR_INIT;
	if (jl_far_job_finish(j, &s->home, &err) == JL_OK)
		j->phase = JL_FAR_READY;
	else
		jl_serve_refuse(s, j, &err);
}

/* ---- messages ---- */

static void fault(struct jl_serve *s, const char *why)
{
	jl_serve_say(s, JL_LANE_CONTROL, &(struct jl_msg){.type = JL_MSG_FAULT, .fault = why});
	jl_link_flush(&s->link);
	end_with(s, why);
}

static void boot_id(char out[64])
{
	struct jl_buf text = JL_BUF_INIT;
	out[0] = '\0';
	if (jl_file_read(&jl_io_system, AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, NULL) == JL_OK)
		snprintf(out, 64, "%.*s", (int)strcspn(text.data, "\n"), text.data);
	jl_buf_release(&text);
}

static int take_call(struct jl_serve *s, const struct jl_msg_call *call, struct jl_err *err)
{
	struct jl_err why = JL_ERR_INIT;
	struct utsname u;
	char arch[80], boot[64], line[80], shared[JL_SAME_TEXT] = "";
	if (s->called)
		return jl_err_set(err, JL_ECORRUPT, "called twice");
	s->called = true;
	snprintf(line, sizeof(line), "%s agent\n", call->nonce);
	jl_link_raw(&s->link, line, strlen(line));
	if (call->version_min > JL_AGENT_VERSION || call->version_max < JL_AGENT_VERSION) {
		fault(s, "the agent speaks another version of the protocol");
		return JL_OK;
	}
	if (jl_home_open(&s->home, call->cache_bytes, &why) != JL_OK) {
		fault(s, why.text);
		return JL_OK;
	}
	s->at_home = true;
	s->slots = call->slots ? call->slots : jl_cpu_count();
	s->slots = s->slots < JL_AGENT_SLOTS_MAX ? s->slots : JL_AGENT_SLOTS_MAX;
	umask((mode_t)call->umask);
	if (call->silence_ms)
		s->silence_ns = (int64_t)call->silence_ms * JL_NS_MS;
	jl_loop_arm(s->loop, &s->silence, s->link.heard_ns + s->silence_ns);
	s->memory = jl_machine_system.memory_total(&jl_machine_system);
	uname(&u);
	snprintf(arch, sizeof(arch), "linux-%.64s", u.machine);
	boot_id(boot);
	if (call->shared)
		jl_same_read(call->shared, shared);
	jl_serve_say(s, JL_LANE_CONTROL,
	    &(struct jl_msg){.type = JL_MSG_HELLO,
			     .hello = {.version = JL_AGENT_VERSION,
				       .slots = s->slots,
				       .memory = s->memory,
				       .pid = (uint64_t)getpid(),
				       .arch = arch,
				       .host = u.nodename,
				       .boot_id = boot,
				       .program = JL_VERSION,
				       .shared = shared}});
	return JL_OK;
}

static int take_start(struct jl_serve *s, const struct jl_msg *m, struct jl_arena *arena, struct jl_err *err)
{
	struct jl_err why = JL_ERR_INIT;
	struct jl_far_job **at = &s->jobs;
	if (find(s, m->id))
		return jl_err_set(err, JL_ECORRUPT, "a job has the number of another");
	struct jl_far_job *j = jl_calloc(1, sizeof(*j));
	*j = (struct jl_far_job){.id = m->id,
				 .phase = JL_FAR_WANTING,
				 .start = m->start,
				 .arena = *arena,
				 .root_fd = -1,
				 .missing = JL_TABLE_INIT(uint32_t),
				 .outs = JL_TABLE_INIT(struct jl_msg_out)};
	*arena = (struct jl_arena)JL_ARENA_INIT;
	while (*at)
		at = &(*at)->next;
	*at = j;
	int r = jl_far_job_set_up(j, &s->home, &why);
	if (r == JL_OK && j->missing.len == 0)
		jl_serve_all_there(s, j);
	else if (r == JL_OK)
		r = jl_wants_ask(s, j, &why);
	if (r != JL_OK && j->root_fd < 0)
		say_unable(s, j, why.text); /* not even a folder */
	else if (r != JL_OK)
		jl_serve_refuse(s, j, &why);
	return JL_OK;
}

static void take_cancel(struct jl_serve *s, struct jl_far_job *j, uint8_t how)
{
	bool wanted = j->phase == JL_FAR_WANTING;
	enum jl_job_end end = how == JL_MSG_RECALL ? JL_JOB_TAKEN_BACK : JL_JOB_CANCELLED;
	if (j->phase == JL_FAR_RUNNING && how != JL_MSG_RECALL)
		s->exec->ops->cancel(s->exec, j->id, (enum jl_cancel)how);
	else if (wanted || j->phase == JL_FAR_READY)
		say_ended(s, j, &(struct jl_job_result){.end = end}, NULL);
	if (wanted)
		jl_wants_let_go(s, j->id);
}

static void take_fetch(struct jl_serve *s, struct jl_far_job *j, const struct jl_msg *m)
{
	for (uint32_t i = 0; i < m->want.n; i++) {
		uint32_t index = m->want.at[i].index;
		const struct jl_msg_out *out = index < j->outs.len ? JL_AT(j->outs, struct jl_msg_out, index) : NULL;
		int fd = !out || out->kind != JL_KIND_FILE ? -1
			 : jl_file_open_beneath(j->root_fd, out->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd >= 0)
			jl_sends_add(&s->sends, j->id, index, fd, out->size, m->want.at[i].from);
		else
			jl_sends_fail(&s->link.lane[JL_LANE_ORDERED], j->id, index);
	}
}

static void forget(struct jl_serve *s, struct jl_far_job *j)
{
	struct jl_far_job **at = &s->jobs;
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	jl_sends_drop(&s->sends, j->id);
	jl_far_job_keep(j, &s->home);
	jl_far_job_free(j, &s->home);
}

static void take_credit(struct jl_serve *s, struct jl_far_job *j, const struct jl_msg *m)
{
	if (m->credit.index != JL_NONE) {
		jl_sends_credit(&s->sends, m->id, m->credit.index, m->credit.bytes);
		return;
	}
	j->unsaid -= m->credit.bytes < j->unsaid ? m->credit.bytes : j->unsaid;
	if (j->held && j->unsaid < OUTPUT_PAUSE) {
		j->held = false;
		if (j->phase == JL_FAR_RUNNING)
			jl_exec_local_hold(s->exec, j->id, false);
	}
}

static int message(struct jl_link *l, const struct jl_msg *m, struct jl_arena *arena, struct jl_err *err)
{
	struct jl_serve *s = (struct jl_serve *)l;
	struct jl_far_job *j = m->type == JL_MSG_CANCEL || m->type == JL_MSG_FETCH || m->type == JL_MSG_FORGET ||
					       m->type == JL_MSG_CREDIT
				       ? find(s, m->id) : NULL;
	if (s->over)
		return JL_OK;
	if (!s->called && m->type != JL_MSG_CALL)
		return jl_err_set(err, JL_ECORRUPT, "not called yet");
	switch (m->type) {
	case JL_MSG_CALL: return take_call(s, &m->call, err);
	case JL_MSG_START: return take_start(s, m, arena, err);
	case JL_MSG_DATA: return jl_wants_data(s, m, err);
	case JL_MSG_PING: jl_serve_say(s, JL_LANE_CONTROL, &(struct jl_msg){.type = JL_MSG_PONG, .id = m->id}); return JL_OK;
	case JL_MSG_CANCEL:
		if (j)
			take_cancel(s, j, m->cancel);
		return JL_OK;
	case JL_MSG_CREDIT:
		if (j)
			take_credit(s, j, m);
		return JL_OK;
	case JL_MSG_FETCH:
	case JL_MSG_FORGET:
		if (!j || j->phase != JL_FAR_ENDED)
			return jl_err_set(err, JL_ECORRUPT, "a job that has not ended is asked for");
		if (m->type == JL_MSG_FETCH)
			take_fetch(s, j, m);
		else
			forget(s, j);
		return JL_OK;
	default: return jl_err_set(err, JL_ECORRUPT, "not a message to an agent");
	}
}

static bool pull(struct jl_link *l, struct jl_buf *out)
{
	return jl_sends_pull(&((struct jl_serve *)l)->sends, out);
}

static void closed(struct jl_link *l, const char *why)
{
	(void)why;
	((struct jl_serve *)l)->over = true;
}

static const struct jl_link_ops link_ops = {.message = message, .pull = pull, .closed = closed};

/* ---- its life ---- */

static void on_silence(struct jl_timer *t)
{
	struct jl_serve *s = (struct jl_serve *)((char *)t - offsetof(struct jl_serve, silence));
	int64_t due = s->link.heard_ns + s->silence_ns;
	if (jl_clock_system.now_ns(&jl_clock_system) >= due)
		end_with(s, "nothing was heard for too long");
	else
		jl_loop_arm(s->loop, &s->silence, due);
}

static void caught(void *ctx, const struct signalfd_siginfo *si)
{
	(void)si;
	end_with(ctx, "ended by a signal");
}

static int open_all(struct jl_serve *s, int in_fd, int out_fd, struct jl_err *err)
{
	const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	signal(SIGPIPE, SIG_IGN);
	int r = jl_loop_new(&s->loop, err);
	if (r == JL_OK)
		r = jl_spawn_setup(err);
	if (r == JL_OK)
		r = jl_loop_signals(s->loop, &set, caught, s, err);
	if (r == JL_OK)
		r = jl_exec_local_new(s->loop, 0, &s->exec, err);
	if (r == JL_OK)
		r = jl_link_open(&s->link, s->loop, &link_ops, in_fd, out_fd, err);
	return r;
}

static void close_all(struct jl_serve *s)
{
	jl_link_release(&s->link);
	jl_sends_release(&s->sends);
	if (s->exec)
		s->exec->ops->free(s->exec); /* and all that runs */
	jl_wants_release(s);
	while (s->jobs) {
		struct jl_far_job *j = s->jobs;
		s->jobs = j->next;
		jl_far_job_free(j, &s->home);
	}
	if (s->at_home)
		jl_home_close(&s->home);
	if (s->loop)
		jl_loop_free(s->loop);
}

int jl_agent_serve(int in_fd, int out_fd, const char *const *environ, struct jl_err *err)
{
	struct jl_serve s = {.environ = environ, .silence_ns = SILENCE_NS, .silence = {.fired = on_silence}, .link = {.in_fd = -1},
			     .sends = {.deflates = true}};
	int r = open_all(&s, in_fd, out_fd, err);
	if (r == JL_OK) {
		s.exec->events = (struct jl_exec_events){.output = output, .done = done, .ctx = &s};
		jl_loop_arm(s.loop, &s.silence, jl_clock_system.now_ns(&jl_clock_system) + CALL_WAIT_NS);
	}
	while (r == JL_OK && !s.over) {
		if (s.at_home)
			start_ready(&s);
		jl_link_flush(&s.link);
		if (!s.over)
			r = s.exec->ops->poll(s.exec, JL_FOREVER, err);
	}
	if (r == JL_OK && s.why[0])
		r = jl_err_set(err, JL_EIO, "%s", s.why);
	close_all(&s);
	return r;
}
