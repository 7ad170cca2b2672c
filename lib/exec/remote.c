/* The connection of a remote executor. See remote.h. */
#include "exec/remote_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "proc/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SILENCE_NS (30 * JL_NS_S)
#define CONNECT_NS (20 * JL_NS_S)
#define BEATS      4 /* pings in the time of silence */
#define END_MS     3000 /* that a launcher may take to end when its connection is closed */
#define NOISE_MOST (16u << 20) /* bytes before the agent answers: more is no rc file */

static int64_t now_ns(void)
{
	return jl_clock_system.now_ns(&jl_clock_system);
}

/* ---- the launcher ---- */

/* Keep its last line that says something. */
static void read_errors(struct remote *m)
{
	char room[1024];
	ssize_t n;
	while (m->launched.err_fd >= 0 && (n = read(m->launched.err_fd, room, sizeof(room))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		for (ssize_t i = 0; i < n; i++) {
			if (m->said_len > 0 && m->said[m->said_len - 1] == '\n' && room[i] > ' ')
				m->said_len = 0;
			if (m->said_len < sizeof(m->said) - 1 && (unsigned char)room[i] != '\r')
				m->said[m->said_len++] = room[i];
		}
	}
	jl_loop_remove(m->loop, &m->errors);
}

static void errors_ready(struct jl_watch *w, uint32_t epoll_events)
{
	(void)epoll_events;
	read_errors((struct remote *)((char *)w - offsetof(struct remote, errors)));
}

static void end_launcher(struct remote *m, int wait_ms)
{
	struct jl_ended ended;
	struct pollfd p = {.fd = m->launched.pidfd, .events = POLLIN};
	if (m->launched.pidfd < 0)
		return;
	if (wait_ms == 0 || poll(&p, 1, wait_ms) <= 0)
		syscall(SYS_pidfd_send_signal, m->launched.pidfd, SIGKILL, NULL, 0);
	jl_wait(m->launched.pidfd, &ended);
	close(m->launched.pidfd);
	jl_loop_remove(m->loop, &m->errors);
	close(m->launched.err_fd);
	m->launched.pidfd = m->launched.err_fd = -1;
}

/* ---- up and down ---- */

static void lost(struct remote *m, const char *why)
{
	bool answered = m->state == JL_REMOTE_UP;
	if (m->state == JL_REMOTE_DOWN)
		return;
	read_errors(m);
	m->said[m->said_len] = '\0';
	m->said[strcspn(m->said, "\n")] = '\0';
	if (m->said[0])
		snprintf(m->why, sizeof(m->why), "%s%s%s", answered ? why : "", answered ? ": " : "", m->said);
	else
		snprintf(m->why, sizeof(m->why), "%s", why);
	m->state = JL_REMOTE_DOWN;
	jl_same_withdraw(&m->same);
	m->before_sent += m->link.sent;
	m->before_received += m->link.received;
	jl_link_release(&m->link);
	jl_loop_disarm(m->loop, &m->beat);
	end_launcher(m, 0);
	jl_remote_jobs_lost(m, m->why);
	if (m->config.changed)
		m->config.changed(m->config.ctx, &m->exec, m->why);
}

static void beat(struct jl_timer *t)
{
	struct remote *m = (struct remote *)((char *)t - offsetof(struct remote, beat));
	int64_t silence = m->config.silence_ns, now = now_ns(), heard = m->link.heard_ns;
	char why[80];
	if (m->state == JL_REMOTE_CONNECTING) {
		snprintf(why, sizeof(why), "no answer for %lld s", (long long)(m->config.connect_ns / JL_NS_S));
		lost(m, why);
		return;
	}
	if (now - heard >= silence) {
		snprintf(why, sizeof(why), "nothing was heard of it for %lld ms", (long long)((now - heard) / JL_NS_MS));
		lost(m, why);
		return;
	}
	jl_remote_ping(&m->exec);
	int64_t next = now + silence / BEATS;
	jl_loop_arm(m->loop, &m->beat, next < heard + silence ? next : heard + silence);
}

static int put_call(struct remote *m, struct jl_buf *out, struct jl_err *err)
{
	/* A host that shares the folder has ended what it runs before this side gives it up and runs it elsewhere. */
	int64_t silence = m->config.shared ? m->config.silence_ns / 2 : 2 * m->config.silence_ns;
	int r = m->config.shared ? jl_same_offer(&m->same, m->config.workdir, err) : JL_OK;
	const struct jl_msg msg = {.type = JL_MSG_CALL,
				   .call = {.version_min = JL_AGENT_VERSION,
					    .version_max = JL_AGENT_VERSION,
					    .nonce = m->nonce,
					    .silence_ms = (uint64_t)(silence / JL_NS_MS),
					    .slots = m->config.slots,
					    .umask = jl_file_umask(),
					    .shared = m->same.path.len ? m->same.path.data : ""}};
	return r == JL_OK ? jl_msg_put(out, &msg, err) : r;
}

static int call(struct remote *m, struct jl_err *err)
{
	struct jl_buf msg = JL_BUF_INIT;
	int r = m->called ? JL_OK : put_call(m, &msg, err);
	if (msg.len)
		jl_link_raw(&m->link, msg.data, msg.len);
	m->called = true;
	jl_buf_release(&msg);
	return r;
}

/* The agent's program, whole: it is needed before anything else can be said. */
static int send_program(struct remote *m, const char *system, struct jl_err *err)
{
	struct jl_buf bytes = JL_BUF_INIT;
	int r = JL_ENOTFOUND;
	for (uint32_t i = 0; m->config.agents && i < m->config.agents->at.len; i++) {
		const struct jl_agent_file *f = JL_AT(m->config.agents->at, struct jl_agent_file, i);
		if (strcmp(f->system, system) == 0)
			r = jl_file_read(&jl_io_system, AT_FDCWD, f->path, &bytes, err);
	}
	if (r == JL_OK)
		jl_link_raw(&m->link, bytes.data, bytes.len);
	else
		jl_err_set(err, r, "it asks for an agent for \"%s\"", system);
	m->called = false; /* what was said ahead was passed over */
	jl_buf_release(&bytes);
	return r;
}

static int64_t greeting(struct jl_link *l, const char *data, size_t len, bool *ret_done, struct jl_err *err)
{
	struct remote *m = (struct remote *)((char *)l - offsetof(struct remote, link));
	char word[256];
	size_t used = 0, one;
	int r = JL_OK;
	if (l->received > NOISE_MOST)
		return jl_err_set(err, JL_ECORRUPT, "what comes from it is not an agent's");
	do {
		enum jl_greeting g = jl_launch_greeting(m->nonce, data + used, len - used, &one, word);
		used += one;
		switch (g) {
		case JL_GREET_NONE: return (int64_t)used;
		case JL_GREET_AGENT: *ret_done = true; return (int64_t)used;
		case JL_GREET_GO: r = call(m, err); break;
		case JL_GREET_SEND: r = send_program(m, word, err); break;
		case JL_GREET_ABSENT:
			r = jl_err_set(err, JL_EUNSUPPORTED,
				       "there is no agent for its system, \"%s\"; `make` on such a machine builds one, "
				       "libexec/jl/jl-agent-ARCH: put it beside the others", word);
			break;
		case JL_GREET_BAD:
			r = jl_err_set(err, JL_EIO, "the agent cannot be put into \"%s\" or does not run there", word);
			break;
		}
	} while (r == JL_OK);
	return r;
}

static int take_hello(struct remote *m, const struct jl_msg_hello *h, struct jl_err *err)
{
	if (m->state != JL_REMOTE_CONNECTING || h->version != JL_AGENT_VERSION)
		return jl_err_set(err, JL_ECORRUPT, "the agent speaks another version of the protocol");
	jl_same_withdraw(&m->same);
	m->unfit = m->config.shared && strcmp(h->shared, m->same.text) != 0;
	if (m->unfit)
		return jl_err_set(err, JL_EINVAL, "\"sync: shared\", and it has not this workspace at \"%s\"; without that line "
				  "inputs and outputs are sent", m->config.workdir);
	m->state = JL_REMOTE_UP;
	m->slots = h->slots;
	m->memory = h->memory;
	jl_arena_release(&m->names);
	m->arch = jl_arena_strdup(&m->names, h->arch);
	m->boot_id = jl_arena_strdup(&m->names, h->boot_id);
	m->program = jl_arena_strdup(&m->names, h->program);
	m->connected_ns = now_ns() - m->launched_ns;
	m->why[0] = '\0';
	m->said_len = 0;
	jl_loop_arm(m->loop, &m->beat, now_ns() + m->config.silence_ns / BEATS);
	jl_remote_jobs_send(m);
	if (m->config.changed)
		m->config.changed(m->config.ctx, &m->exec, NULL);
	return JL_OK;
}

static int message(struct jl_link *l, const struct jl_msg *msg, struct jl_arena *arena, struct jl_err *err)
{
	struct remote *m = (struct remote *)((char *)l - offsetof(struct remote, link));
	(void)arena;
	if (msg->type == JL_MSG_FAULT)
		return jl_err_set(err, JL_EIO, "%s", msg->fault);
	if (msg->type == JL_MSG_HELLO)
		return take_hello(m, &msg->hello, err);
	if (m->state != JL_REMOTE_UP)
		return jl_err_set(err, JL_ECORRUPT, "what comes from it is not an agent's");
	if (msg->type != JL_MSG_PONG)
		return jl_remote_job_message(m, msg, err);
	if (msg->id == (uint64_t)m->pinged_ns)
		m->round_trip_ns = now_ns() - m->pinged_ns;
	return JL_OK;
}

static bool pull(struct jl_link *l, struct jl_buf *out)
{
	return jl_sends_pull(&((struct remote *)((char *)l - offsetof(struct remote, link)))->sends, out);
}

static void closed(struct jl_link *l, const char *why)
{
	lost((struct remote *)((char *)l - offsetof(struct remote, link)), why);
}

static const struct jl_link_ops link_ops = {.greeting = greeting, .message = message, .pull = pull, .closed = closed};

static void send_script(struct remote *m)
{
	struct jl_buf line = JL_BUF_INIT;
	jl_launch_script(&line, m->config.agents, m->nonce);
	jl_link_raw(&m->link, line.data, line.len);
	jl_buf_release(&line);
}

/* Start the launcher; what it has to be told at once is queued. */
static int launch(struct remote *m, struct jl_err *err)
{
	const char *const *argv = m->config.argv;
	struct jl_buf ahead = JL_BUF_INIT;
	int r = JL_OK;
	m->called = m->config.way == JL_LAUNCH_SSH;
	if (m->called) { /* without waiting for its "go": a way there and back less */
		r = put_call(m, &ahead, err);
		argv = jl_launch_ssh(&m->launch, argv, m->config.name, m->config.agents, m->nonce, ahead.len);
	}
	m->launched_ns = now_ns();
	if (r == JL_OK)
		r = jl_launch_start(argv, m->config.environ, m->config.workdir, &m->launched, err);
	if (r == JL_OK) {
		r = jl_link_open(&m->link, m->loop, &link_ops, m->launched.in_fd, m->launched.out_fd, err);
		if (r == JL_OK)
			r = jl_loop_add(m->loop, &m->errors, m->launched.err_fd, EPOLLIN, err);
		if (r == JL_OK && m->config.way == JL_LAUNCH_SHELL)
			send_script(m);
		else if (r == JL_OK && m->config.way == JL_LAUNCH_AGENT)
			r = call(m, err);
		else if (r == JL_OK)
			jl_link_raw(&m->link, ahead.data, ahead.len);
		if (r != JL_OK) {
			jl_link_release(&m->link);
			end_launcher(m, 0);
		}
	}
	jl_buf_release(&ahead);
	return r;
}

int jl_remote_connect(struct jl_exec *x, struct jl_err *err)
{
	struct remote *m = (struct remote *)x;
	if (m->state != JL_REMOTE_DOWN)
		return JL_OK;
	jl_launch_nonce(m->nonce);
	jl_arena_release(&m->launch);
	m->said_len = 0;
	int r = launch(m, err);
	if (r != JL_OK)
		return r;
	m->state = JL_REMOTE_CONNECTING;
	jl_loop_arm(m->loop, &m->beat, m->launched_ns + m->config.connect_ns);
	return JL_OK;
}

/* ---- the executor ---- */

static void soon(struct jl_timer *t)
{
	struct remote *m = (struct remote *)((char *)t - offsetof(struct remote, soon));
	struct remote_job *j;
	do {
		for (j = m->jobs; j && !j->over; j = j->next)
			;
		if (j)
			jl_remote_job_end(m, j);
	} while (j);
}

static int remote_start(struct jl_exec *x, const struct jl_job *job, int64_t *ret_pid, struct jl_err *err)
{
	if (ret_pid)
		*ret_pid = 0;
	return jl_remote_job_start((struct remote *)x, job, err);
}

void jl_remote_flush(struct jl_exec *x)
{
	struct remote *m = (struct remote *)x;
	if (m->state != JL_REMOTE_DOWN)
		jl_link_flush(&m->link);
}

static int remote_poll(struct jl_exec *x, int64_t until_ns, struct jl_err *err)
{
	jl_remote_flush(x);
	int r = jl_loop_once(((struct remote *)x)->loop, until_ns, err);
	return r < 0 ? r : JL_OK;
}

static void remote_cancel(struct jl_exec *x, uint64_t id, enum jl_cancel how)
{
	struct remote *m = (struct remote *)x;
	for (struct remote_job *j = m->jobs; j; j = j->next)
		if (j->id == id)
			jl_remote_job_cancel(m, j, how);
}

bool jl_remote_recall(struct jl_exec *x, uint64_t job, int64_t waited_ns)
{
	struct remote *m = (struct remote *)x;
	const int64_t now = now_ns();
	for (struct remote_job *j = m->jobs; j; j = j->next)
		if (j->id == job)
			return m->state == JL_REMOTE_UP && j->sent_ns && now - j->sent_ns >= waited_ns &&
			       jl_remote_job_recall(m, j);
	return false;
}

void jl_remote_ping(struct jl_exec *x)
{
	struct remote *m = (struct remote *)x;
	m->pinged_ns = now_ns();
	jl_remote_say(m, &(struct jl_msg){.type = JL_MSG_PING, .id = (uint64_t)m->pinged_ns});
}

void jl_remote_hang_up(struct jl_exec *x)
{
	struct remote *m = (struct remote *)x;
	if (m->state != JL_REMOTE_DOWN)
		jl_link_close(&m->link);
}

static void remote_free(struct jl_exec *x)
{
	struct remote *m = (struct remote *)x;
	jl_remote_hang_up(x);
	if (m->state != JL_REMOTE_DOWN)
		jl_link_release(&m->link);
	end_launcher(m, END_MS);
	while (m->jobs)
		jl_remote_job_free(m, m->jobs);
	jl_loop_disarm(m->loop, &m->beat);
	jl_loop_disarm(m->loop, &m->soon);
	jl_sends_release(&m->sends);
	jl_same_withdraw(&m->same);
	jl_arena_release(&m->names);
	jl_arena_release(&m->launch);
	free(m);
}

void jl_remote_info(const struct jl_exec *x, struct jl_remote_info *ret)
{
	const struct remote *m = (const struct remote *)x;
	bool open = m->state != JL_REMOTE_DOWN;
	*ret = (struct jl_remote_info){.state = m->state,
				       .slots = m->slots,
				       .jobs = m->n_jobs,
				       .waiting = m->n_waiting,
				       .memory = m->memory,
				       .sent = m->before_sent + (open ? m->link.sent : 0),
				       .received = m->before_received + (open ? m->link.received : 0),
				       .round_trip_ns = m->round_trip_ns,
				       .connected_ns = m->connected_ns,
				       .arch = m->arch,
				       .boot_id = m->boot_id,
				       .program = m->program,
				       .why = m->why,
				       .unfit = m->unfit};
}

int jl_exec_remote_new(struct jl_loop *loop, const struct jl_remote_config *config, struct jl_exec **ret, struct jl_err *err)
{
	static const struct jl_exec_ops ops = {"remote", remote_start, remote_poll, remote_cancel, remote_free};
	if (config->way == JL_LAUNCH_SSH && !jl_launch_host_ok(config->name))
		return jl_err_set(err, JL_EINVAL, "\"%s\" is no name of a host", config->name);
	struct remote *m = jl_calloc(1, sizeof(*m));
	*m = (struct remote){.exec = {.ops = &ops},
			     .loop = loop,
			     .config = *config,
			     .launched = {.pidfd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1},
			     .errors = {.ready = errors_ready, .fd = -1},
			     .beat = {.fired = beat},
			     .soon = {.fired = soon},
			     .same = {.path = JL_BUF_INIT},
			     .slots = config->slots,
			     .link = {.in_fd = -1, .out_fd = -1},
			     .arch = "",
			     .boot_id = "",
			     .program = ""};
	m->config.silence_ns = config->silence_ns ? config->silence_ns : SILENCE_NS;
	m->config.connect_ns = config->connect_ns ? config->connect_ns : CONNECT_NS;
	*ret = &m->exec;
	return JL_OK;
}
