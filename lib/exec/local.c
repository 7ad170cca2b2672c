/* Local processes: one process group, two pipes and a pidfd a job, all on one loop.
 *
 * A job's way (enum phase): STARTING only while it cannot be executed yet, or never will be; RUNNING until its process
 * ends; then DRAINING while a background process still holds a pipe, or ENDING while what it left behind is being ended
 * after a timeout or a cancel. The process is reaped last, so that its number, and with it its group's, stays its own
 * as long as signals may be sent to it. */
#include "exec/exec.h"
#include "exec/job.h"

#include "base/clock.h"
#include "proc/loop.h"
#include "proc/spawn.h"
#include "proc/tree.h"
#include "proc/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 * 1024,
	READS_A_TURN = 4,   /* of one pipe, so that one loud job does not keep the others waiting */
	READS_AT_END = 32,  /* more than the largest pipe holds (1 MiB): all that was written before the end */
	EXEC_TRIES = 10,    /* ETXTBSY, from 1 ms, doubling: about a second in all */
};
#define DRAIN_NS (2 * JL_NS_S)
#define LOOK_FIRST_NS (2 * JL_NS_MS) /* how often to look whether a tree that was told to end has ended */
#define LOOK_MOST_NS (50 * JL_NS_MS)

enum phase { STARTING, RUNNING, DRAINING, ENDING };
enum cause { CAUSE_NONE, CAUSE_TIMEOUT, CAUSE_CANCEL };

struct stream {
	struct jl_watch watch;
	struct local_job *job;
	int number; /* 1 or 2 */
	int fd;     /* -1 after its end */
};

struct local_job {
	struct local_job *prev, *next;
	struct local *local;
	uint64_t id;
	enum phase phase;
	enum cause cause;
	bool terminal;      /* in our own process group */
	bool killed;        /* KILL was sent */
	bool pipe_held;
	bool on_hold;       /* nothing of its output is wanted now */
	pid_t pid;          /* 0 while STARTING */
	int pidfd;
	struct jl_watch exit_watch;
	struct stream out, err;
	struct jl_timer timer; /* what the phase waits for */
	int64_t timeout_ns, kill_after_ns;
	int64_t start_ns, end_ns;
	int64_t kill_at_ns, give_up_ns, look_ns;
	struct retry *retry; /* STARTING: what to execute */
	char *why;           /* STARTING: it never will be; why not */
	int not_started_code, not_started_errno;
};

struct retry {
	struct jl_job job; /* our copy */
	int tries;
	int64_t wait_ns;
};

struct local {
	struct jl_exec exec; /* first, so that one is the other */
	struct jl_loop *loop;
	struct local_job *jobs;
	size_t job_count;
	int64_t drain_ns;
	int null_fd;
	char buffer[READ_SIZE];
};

static int64_t now_ns(void)
{
	return jl_clock_system.now_ns(&jl_clock_system);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void retry_free(struct retry *r)
{
	if (!r)
		return;
	jl_job_release(&r->job);
	free(r);
}

/* The end of a job. */

static void stream_close(struct stream *s)
{
	jl_loop_remove(s->job->local->loop, &s->watch);
	close_fd(&s->fd);
}

static void job_free(struct local_job *j)
{
	stream_close(&j->out);
	stream_close(&j->err);
	jl_loop_remove(j->local->loop, &j->exit_watch);
	jl_loop_disarm(j->local->loop, &j->timer);
	close_fd(&j->pidfd);
	retry_free(j->retry);
	free(j->why);
	free(j);
}

static void job_unlink(struct local_job *j)
{
	*(j->prev ? &j->prev->next : &j->local->jobs) = j->next;
	if (j->next)
		j->next->prev = j->prev;
	j->local->job_count--;
}

static void reap_process(struct local_job *j, struct jl_job_result *r)
{
	struct jl_ended ended;
	if (!jl_wait(j->pidfd, &ended)) {
		r->end = JL_JOB_LOST;
		r->why = "the process was reaped by somebody else";
		return;
	}
	r->end = ended.exited ? JL_JOB_EXITED : JL_JOB_SIGNALED;
	*(ended.exited ? &r->exit_code : &r->signal) = ended.status;
	r->user_ns = ended.user_ns;
	r->sys_ns = ended.sys_ns;
	r->max_rss_kib = ended.max_rss_kib;
}

static struct local_job *find_job(const struct jl_exec *x, uint64_t id)
{
	struct local_job *j = ((const struct local *)x)->jobs;
	while (j && j->id != id)
		j = j->next;
	return j;
}

static bool is_job(void *ctx, pid_t pid)
{
	const struct local *l = ctx;
	for (const struct local_job *j = l->jobs; j; j = j->next)
		if (j->pid == pid)
			return true;
	return false;
}

void jl_exec_local_reap(struct jl_exec *x)
{
	jl_tree_reap(is_job, x);
}

/* Report the job and forget it. Its process, if there was one, has ended. */
static void finish(struct local_job *j)
{
	struct local *l = j->local;
	struct jl_job_result r = {.host = "local", .pipe_held = j->pipe_held};
	if (j->pid) {
		reap_process(j, &r);
		r.wall_ns = j->end_ns - j->start_ns;
	}
	if (j->why) {
		r.end = JL_JOB_NOT_STARTED;
		r.exit_code = j->not_started_code;
		r.sys_errno = j->not_started_errno;
		r.why = j->why;
	} else if (j->cause != CAUSE_NONE) {
		r.end = j->cause == CAUSE_TIMEOUT ? JL_JOB_TIMEOUT : JL_JOB_CANCELLED;
	}
	job_unlink(j);
	bool had_process = j->pid != 0;
	uint64_t id = j->id;
	char *why = j->why;
	j->why = NULL;
	job_free(j);
	if (had_process)
		jl_exec_local_reap(&l->exec);
	l->exec.events.done(l->exec.events.ctx, id, &r);
	free(why);
}

static bool drained(const struct local_job *j)
{
	return j->out.fd < 0 && j->err.fd < 0;
}

/* One read, which must not have to wait: there is something, or nobody writes any more. Closes the stream at its end. */
static void stream_read(struct stream *s)
{
	struct local *l = s->job->local;
	ssize_t n = read(s->fd, l->buffer, sizeof(l->buffer));
	if (n > 0)
		l->exec.events.output(l->exec.events.ctx, s->job->id, s->number, l->buffer, (size_t)n);
	else if (n == 0 || errno != EINTR)
		stream_close(s);
}

/* All that is there when a process has ended; somebody else may still write, so it is asked for first. The pipe is not
 * made non-blocking for this: that would be a call more for each, and few jobs come here with their pipes open. */
static void stream_drain(struct stream *s)
{
	for (int reads = READS_AT_END; reads > 0 && s->fd >= 0; reads--) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		if (poll(&p, 1, 0) <= 0)
			return;
		stream_read(s);
	}
}

static void stream_ready(struct jl_watch *w, uint32_t epoll_events)
{
	struct stream *s = (struct stream *)w;
	/* Hung up and nothing to read: its end, without asking for it. Not hung up: one read, and epoll says if there is
	 * more; but what it has seen may be gone if the process ended in the same turn. */
	if (!(epoll_events & EPOLLIN))
		stream_close(s);
	else if (s->job->phase != RUNNING && !(epoll_events & EPOLLHUP))
		stream_drain(s);
	else
		for (int reads = epoll_events & EPOLLHUP ? READS_A_TURN : 1; reads > 0 && s->fd >= 0; reads--)
			stream_read(s);
	if (s->job->phase == DRAINING && drained(s->job))
		finish(s->job);
}

/* Ending a tree. */

static unsigned signal_tree(struct local_job *j, int sig)
{
	struct local *l = j->local;
	if (j->terminal) { /* what it started is in our group, too: no telling what is whose */
		kill(j->pid, sig);
		return 0;
	}
	pid_t *spare = jl_alloc(l->job_count * sizeof(*spare));
	size_t count = 0;
	for (const struct local_job *other = l->jobs; other; other = other->next)
		if (other != j && other->pid)
			spare[count++] = other->pid;
	unsigned living = jl_tree_signal(&(struct jl_tree){.group = j->pid, .spare = spare, .spare_count = count}, sig);
	free(spare);
	return living;
}

static void drain_on(struct local_job *j)
{
	j->phase = DRAINING;
	jl_loop_arm(j->local->loop, &j->timer, now_ns() + j->local->drain_ns);
}

static void kill_job(struct local_job *j)
{
	signal_tree(j, SIGKILL);
	if (!j->killed)
		j->give_up_ns = now_ns() + j->local->drain_ns;
	j->killed = true;
}

/* The process has ended on our order: is the rest of its tree gone too? KILL is sent again until it is, because a
 * process may start another between our look and its end. */
static void look_at_rest(struct local_job *j)
{
	int64_t now = now_ns();
	if (!j->killed && now >= j->kill_at_ns)
		kill_job(j);
	unsigned living = signal_tree(j, j->killed ? SIGKILL : 0);
	stream_drain(&j->out);
	stream_drain(&j->err);
	if (!living && drained(j)) {
		finish(j);
	} else if (!living) {
		drain_on(j);
	} else if (j->killed && now >= j->give_up_ns) {
		/* In a system call that cannot be broken off (a dead network file system): not to be waited for. */
		j->pipe_held = !drained(j);
		finish(j);
	} else {
		int64_t next = now + j->look_ns;
		j->look_ns = j->look_ns * 2 < LOOK_MOST_NS ? j->look_ns * 2 : LOOK_MOST_NS;
		if (!j->killed && next > j->kill_at_ns)
			next = j->kill_at_ns;
		jl_loop_arm(j->local->loop, &j->timer, next);
	}
}

static void begin_ending(struct local_job *j)
{
	j->phase = ENDING;
	j->look_ns = LOOK_FIRST_NS;
	jl_loop_arm(j->local->loop, &j->timer, 0);
}

/* TERM (or KILL) the tree; what comes next comes from the loop. */
static void end_tree(struct local_job *j, enum cause cause, enum jl_cancel how)
{
	bool told = j->cause != CAUSE_NONE;
	if (!told)
		j->cause = cause;
	if (how == JL_CANCEL_KILL) {
		j->kill_at_ns = now_ns();
		kill_job(j);
		jl_loop_disarm(j->local->loop, &j->timer);
	} else if (!told) {
		int64_t now = now_ns();
		j->kill_at_ns = j->kill_after_ns < JL_FOREVER - now ? now + j->kill_after_ns : JL_FOREVER;
		signal_tree(j, SIGTERM);
		jl_loop_arm(j->local->loop, &j->timer, j->kill_at_ns);
	}
	if (j->phase == DRAINING || j->phase == ENDING)
		begin_ending(j);
}

static void watch_streams(struct local_job *j, bool on)
{
	for (struct stream *s = &j->out; s; s = s == &j->out ? &j->err : NULL) {
		if (!on)
			jl_loop_remove(j->local->loop, &s->watch);
		else if (s->fd >= 0 && jl_loop_add(j->local->loop, &s->watch, s->fd, EPOLLIN, NULL) != JL_OK)
			stream_close(s);
	}
	j->on_hold = !on;
}

void jl_exec_local_hold(struct jl_exec *x, uint64_t id, bool on)
{
	struct local_job *j = find_job(x, id);
	if (j && j->phase == RUNNING && j->on_hold != on)
		watch_streams(j, !on);
}

static void process_ended(struct jl_watch *w, uint32_t epoll_events)
{
	(void)epoll_events;
	struct local_job *j = (struct local_job *)((char *)w - offsetof(struct local_job, exit_watch));
	jl_loop_remove(j->local->loop, w);
	jl_loop_disarm(j->local->loop, &j->timer);
	j->end_ns = now_ns();
	if (j->on_hold) /* what is left is bounded by the pipes, and their ends have to be seen */
		watch_streams(j, true);
	/* The phase first: an output callback may cancel the job, which now is about what it left behind. */
	j->phase = DRAINING;
	stream_drain(&j->out);
	stream_drain(&j->err);
	if (j->cause != CAUSE_NONE)
		begin_ending(j);
	else if (drained(j))
		finish(j);
	else
		drain_on(j);
}

/* Starting. */

static int make_pipe(int ret_fds[2], struct jl_err *err)
{
	if (pipe2(ret_fds, O_CLOEXEC) == 0)
		return JL_OK;
	if (errno == EMFILE || errno == ENFILE)
		return jl_err_set(err, JL_EBUSY, "cannot make a pipe: %s", strerror(errno));
	return jl_err_sys(err, errno, "cannot make a pipe");
}

static int watch_job(struct local_job *j, struct jl_err *err)
{
	struct jl_loop *loop = j->local->loop;
	int rc = j->out.fd < 0 ? JL_OK : jl_loop_add(loop, &j->out.watch, j->out.fd, EPOLLIN, err);
	if (rc == JL_OK && j->err.fd >= 0)
		rc = jl_loop_add(loop, &j->err.watch, j->err.fd, EPOLLIN, err);
	if (rc == JL_OK)
		rc = jl_loop_add(loop, &j->exit_watch, j->pidfd, EPOLLIN, err);
	if (rc < 0) {
		kill(j->terminal ? j->pid : -j->pid, SIGKILL);
		reap_process(j, &(struct jl_job_result){0});
		j->pid = 0;
		close_fd(&j->pidfd);
	}
	return rc;
}

static int spawn_job(struct local_job *j, const struct jl_job *job, struct jl_err *err)
{
	struct local *l = j->local;
	int out[2] = {-1, -1}, errs[2] = {-1, -1};
	int rc = job->stdout_fd > 0 || job->terminal ? JL_OK : make_pipe(out, err);
	if (rc == JL_OK && job->stderr_fd <= 0 && !job->terminal)
		rc = make_pipe(errs, err);
	if (rc < 0)
		goto out;
	struct jl_spawn s = {
		.argv = job->argv,
		.envp = job->envp,
		.workdir = job->workdir,
		.stdin_fd = job->stdin_fd >= 0 ? job->stdin_fd : job->terminal ? 0 : l->null_fd,
		.stdout_fd = job->stdout_fd > 0 ? job->stdout_fd : job->terminal ? 1 : out[1],
		.stderr_fd = job->stderr_fd > 0 ? job->stderr_fd : job->terminal ? 2 : errs[1],
		.mask = jl_loop_child_mask(l->loop),
		.own_group = !job->terminal,
		.die_with_parent = true,
		.keep_fds = job->keep_fds,
	};
	j->start_ns = now_ns();
	rc = jl_spawn(&s, &j->pid, &j->pidfd, err);
	if (rc < 0)
		goto out;
	j->out.fd = out[0];
	j->err.fd = errs[0];
	out[0] = errs[0] = -1;
	/* Now, not below: the ends of the pipes are then seen before that of the process, and need no read of their own. */
	close_fd(&out[1]);
	close_fd(&errs[1]);
	rc = watch_job(j, err);
	if (rc < 0)
		goto out;
	j->phase = RUNNING;
	if (j->timeout_ns > 0 && j->timeout_ns < JL_FOREVER - j->start_ns)
		jl_loop_arm(l->loop, &j->timer, j->start_ns + j->timeout_ns);
out:
	for (int i = 0; i < 2; i++) {
		close_fd(&out[i]);
		close_fd(&errs[i]);
	}
	return rc;
}

/* It will not run, and done() has to say so, but not from within start(): the timer does, in the next turn. */
static void will_not_start(struct local_job *j, int rc, const struct jl_err *err)
{
	j->not_started_code = rc == JL_ENOTFOUND ? 127 : 126;
	j->not_started_errno = err->sys_errno;
	j->why = jl_strdup(err->text);
	jl_loop_arm(j->local->loop, &j->timer, 0);
}

static int try_later(struct local_job *j, const struct jl_job *job, struct jl_err *err)
{
	struct retry *r = jl_calloc(1, sizeof(*r));
	int rc = jl_job_copy(job, &r->job, err);
	if (rc < 0) {
		free(r);
		return rc;
	}
	r->wait_ns = JL_NS_MS;
	j->retry = r;
	jl_loop_arm(j->local->loop, &j->timer, now_ns() + r->wait_ns);
	return JL_OK;
}

static void try_again(struct local_job *j)
{
	struct retry *r = j->retry;
	struct jl_err err = JL_ERR_INIT;
	int rc = spawn_job(j, &r->job, &err);
	if (rc == JL_OK) {
		retry_free(r);
		j->retry = NULL;
		return;
	}
	if (rc == JL_EBUSY && ++r->tries < EXEC_TRIES) {
		r->wait_ns *= 2;
		jl_loop_arm(j->local->loop, &j->timer, now_ns() + r->wait_ns);
		return;
	}
	will_not_start(j, rc, &err);
}

static void timer_fired(struct jl_timer *t)
{
	struct local_job *j = (struct local_job *)((char *)t - offsetof(struct local_job, timer));
	switch (j->phase) {
	case STARTING:
		if (j->why || j->cause != CAUSE_NONE)
			finish(j);
		else
			try_again(j);
		break;
	case RUNNING:
		if (j->cause == CAUSE_NONE)
			end_tree(j, CAUSE_TIMEOUT, JL_CANCEL_TERM);
		else
			kill_job(j);
		break;
	case DRAINING:
		j->pipe_held = true;
		finish(j);
		break;
	case ENDING:
		look_at_rest(j);
		break;
	}
}

static void stream_init(struct stream *s, struct local_job *j, int number)
{
	*s = (struct stream){.watch = {.ready = stream_ready, .fd = -1}, .job = j, .number = number, .fd = -1};
}

static int local_start(struct jl_exec *x, const struct jl_job *job, int64_t *ret_pid, struct jl_err *err)
{
	struct local *l = (struct local *)x;
	struct local_job *j = jl_calloc(1, sizeof(*j));
	*j = (struct local_job){.local = l,
				.id = job->id,
				.pidfd = -1,
				.exit_watch = {.ready = process_ended, .fd = -1},
				.timer = {.fired = timer_fired},
				.terminal = job->terminal,
				.timeout_ns = job->timeout_ns,
				.kill_after_ns = job->kill_after_ns};
	stream_init(&j->out, j, 1);
	stream_init(&j->err, j, 2);
	struct jl_err why = JL_ERR_INIT;
	int rc = spawn_job(j, job, &why);
	if (rc == JL_EBUSY && why.sys_errno == ETXTBSY) {
		rc = try_later(j, job, &why);
	} else if (rc == JL_ENOTFOUND || rc == JL_EINVAL) {
		will_not_start(j, rc, &why);
		rc = JL_OK;
	}
	if (rc < 0) {
		if (err)
			*err = why;
		job_free(j);
		return rc;
	}
	j->next = l->jobs;
	if (l->jobs)
		l->jobs->prev = j;
	l->jobs = j;
	l->job_count++;
	if (ret_pid)
		*ret_pid = j->pid;
	return JL_OK;
}

static int local_poll(struct jl_exec *x, int64_t until_ns, struct jl_err *err)
{
	int rc = jl_loop_once(((struct local *)x)->loop, until_ns, err);
	return rc < 0 ? rc : JL_OK;
}

static void local_cancel(struct jl_exec *x, uint64_t id, enum jl_cancel how)
{
	struct local_job *j = find_job(x, id);
	if (!j)
		return; /* it has ended meanwhile */
	if (j->phase != STARTING) {
		end_tree(j, CAUSE_CANCEL, how);
		return;
	}
	j->cause = CAUSE_CANCEL;
	jl_loop_arm(j->local->loop, &j->timer, 0);
}

/* Jobs that still run are killed, without a word to the engine, which is gone. */
static void local_free(struct jl_exec *x)
{
	struct local *l = (struct local *)x;
	while (l->jobs) {
		struct local_job *j = l->jobs;
		if (j->pid) {
			signal_tree(j, SIGKILL);
			reap_process(j, &(struct jl_job_result){0});
		}
		job_unlink(j);
		job_free(j);
	}
	jl_exec_local_reap(x);
	close_fd(&l->null_fd);
	free(l);
}

int jl_exec_local_new(struct jl_loop *loop, int64_t drain_ns, struct jl_exec **ret, struct jl_err *err)
{
	static const struct jl_exec_ops ops = {"local", local_start, local_poll, local_cancel, local_free};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return jl_err_sys(err, errno, "cannot open /dev/null");
	struct local *l = jl_calloc(1, sizeof(*l));
	l->exec.ops = &ops;
	l->loop = loop;
	l->drain_ns = drain_ns > 0 ? drain_ns : DRAIN_NS;
	l->null_fd = null_fd;
	*ret = &l->exec;
	return JL_OK;
}
