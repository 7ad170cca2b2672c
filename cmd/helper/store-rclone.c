/* jl-store-rclone: a shared store in whatever rclone reaches: rclone:REMOTE:PATH, REMOTE being a name of rclone's settings. One
 * rclone serves it to us alone, over HTTP/2 on its standard streams: many requests at once, no port that others could ask, and it
 * ends when we do. Secrets stay in rclone's settings.
 *
 * What rclone answers is poor: everything that goes wrong with a read may be "404". What it logs of it says more, and is written
 * before the answer. Speaks docs/formats/helper.md. */
#include "base/clock.h"
#include "http/objects.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BREAK_MS 300 /* jl gives us 500 in all */
#define END_MS   100
/* Put at once. All share one connection, over which libcurl 7.88 comes to a stop when many wait for room. */
#define PUTS_MOST 4u
#define NOTES    128 /* of what went wrong lately: jl asks for 64 objects at once */

struct note {
	char name[JL_TALK_NAME + 1], text[300];
};

struct rclone {
	char *place; /* what it calls the place */
	pid_t pid;
	int pidfd, log, door; /* door: where the transport knocks; what comes in there is rclone's standard streams */
	bool ended;           /* its log did */
	struct jl_buf line;
	char last[300]; /* what it said last that was more than news */
	struct note *notes;
	unsigned n_notes;
	unsigned not_put; /* objects that were not */
};

static int say(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

/* ---- what it logs ---- */

/* "DATE TIME LEVEL : NAME: GET request error: TEXT", or "… Post request rcat error: TEXT". */
static bool note_fault(struct rclone *r, const char *line)
{
	static const char *const marks[] = {
		": GET request error: ", ": HEAD request error: ", ": Post request rcat error: "};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *at = strstr(line, marks[i]), *name = at;
		struct note *n = &r->notes[r->n_notes % NOTES];

		if (!at)
			continue;
		while (name > line && name[-1] != ' ')
			name--;
		snprintf(n->name, sizeof(n->name), "%.*s", (int)(at - name), name);
		snprintf(n->text, sizeof(n->text), "%s", at + strlen(marks[i]));
		r->n_notes++;
		r->not_put += i == 2;
		return true;
	}
	return false;
}

static void take_line(struct rclone *r, char *line)
{
	static const char *const news[] = {"DEBUG", "INFO", "NOTICE", "Transferred:", "Elapsed", "Errors:", "Checks:"};
	size_t stamp = strspn(line, "0123456789/: ");

	if (note_fault(r, line) || !line[stamp] || !stamp) /* without a date it goes on with the line before */
		return;
	for (size_t i = 0; i < sizeof(news) / sizeof(news[0]); i++)
		if (strncmp(line + stamp, news[i], strlen(news[i])) == 0)
			return;
	snprintf(r->last, sizeof(r->last), "%s", line + stamp);
}

/* All that it has logged by now. */
static void read_log(struct rclone *r)
{
	ssize_t n;
	char *to, *end;

	while (!r->ended && jl_buf_reserve(&r->line, 65536, &to) == JL_OK) {
		n = read(r->log, to, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		r->ended = n == 0;
		r->line.len += (size_t)n;
		r->line.data[r->line.len] = '\0';
		for (to = r->line.data; (end = memchr(to, '\n', r->line.len - (size_t)(to - r->line.data)));
		     to = end + 1) {
			*end = '\0';
			take_line(r, to);
		}
		memmove(r->line.data, to, r->line.len - (size_t)(to - r->line.data) + 1);
		jl_buf_truncate(&r->line, r->line.len - (size_t)(to - r->line.data));
	}
}

static void explain(void *ctx, const char *name, long status, struct jl_object_fault *fault)
{
	static const char *const refusals[] = {"403",
					       "401",
					       "denied",
					       "forbidden",
					       "unauthorized",
					       "read only",
					       "read-only",
					       "SignatureDoesNotMatch",
					       "InvalidAccessKeyId",
					       "invalid_grant"};
	struct rclone *r = ctx;
	const struct note *n = NULL;

	read_log(r);
	for (unsigned i = 0; i < r->n_notes && i < NOTES && !n; i++)
		if (strcmp(r->notes[(r->n_notes - 1 - i) % NOTES].name, name) == 0)
			n = &r->notes[(r->n_notes - 1 - i) % NOTES];
	if (!n || !status)
		return;
	snprintf(fault->text, sizeof(fault->text), "%s", n->text);
	fault->kind = strstr(n->text, "not found") ? JL_TALK_NOT_FOUND : JL_TALK_TEMPORARY;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strcasestr(n->text, refusals[i]))
			fault->kind = JL_TALK_REFUSED;
}

/* ---- its life ---- */

/* "rclone:REMOTE:PATH": what rclone calls it. What may hold a secret is refused: everybody sees how rclone was called. */
static char *place_of(const char *url, struct jl_err *err)
{
	const char *remote = url + strlen("rclone:"), *colon;

	if (strncmp(url, "rclone:", 7) != 0 || !(colon = strchr(remote, ':')) || colon == remote || remote[0] == '-' ||
	    memchr(remote, ',', (size_t)(colon - remote))) {
		jl_err_set(
			err, JL_EINVAL,
			"the URL is rclone:REMOTE:PATH, REMOTE being a name of rclone's settings (rclone listremotes)");
		return NULL;
	}
	return jl_strdup(remote);
}

/* Ours, but for what would make it log otherwise, or elsewhere. */
static const char **environment(void)
{
	static const char *const without[] = {"RCLONE_VERBOSE=",      "RCLONE_QUIET=",  "RCLONE_LOG_",
					      "RCLONE_USE_JSON_LOG=", "RCLONE_SYSLOG=", "RCLONE_RC=",
					      "RCLONE_DUMP=",         "RCLONE_STATS="};
	size_t n = 0, used = 0;
	const char **all;

	while (environ[n])
		n++;
	all = jl_calloc(n + 1, sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		bool keep = true;

		for (size_t k = 0; k < sizeof(without) / sizeof(without[0]); k++)
			keep = keep && strncmp(environ[i], without[k], strlen(without[k])) != 0;
		if (keep)
			all[used++] = environ[i];
	}
	return all;
}

/* rclone on this connection. */
static int start(struct rclone *r, int stream, struct jl_err *err)
{
	const char *const argv[] = {"rclone",
				    "serve",
				    "restic",
				    "--stdio",
				    "--cache-objects=false",
				    "--ask-password=false",
				    "--log-level",
				    "DEBUG",
				    "--low-level-retries",
				    "2",
				    "--",
				    r->place,
				    NULL};
	const char **env = environment();
	int log[2] = {-1, -1}, s;

	if (pipe2(log, O_CLOEXEC) < 0) {
		s = jl_err_sys(err, errno, "cannot talk to rclone");
	} else {
		const struct jl_spawn how = {.argv = argv,
					     .envp = env,
					     .stdin_fd = stream,
					     .stdout_fd = stream,
					     .stderr_fd = log[1],
					     .die_with_parent = true};

		s = jl_spawn(&how, &r->pid, &r->pidfd, err);
		fcntl(log[0], F_SETFL, O_NONBLOCK);
		close(log[1]);
	}
	r->log = log[0];
	free(env);
	return s;
}

/* A door for the transport, with a name that the kernel makes up. */
static int open_door(struct rclone *r, struct jl_transport *t, struct jl_err *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(name);

	r->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->door < 0 || bind(r->door, (struct sockaddr *)&name, sizeof(sa_family_t)) < 0 || listen(r->door, 8) < 0 ||
	    getsockname(r->door, (struct sockaddr *)&name, &len) < 0)
		return jl_err_sys(err, errno, "cannot talk to rclone");
	jl_transport_over(t, &name, len);
	return JL_OK;
}

/* Who is at the door? We, once: for us rclone is started. Nobody else is let in. */
static int answer_door(struct rclone *r, struct jl_err *err)
{
	int fd, status = JL_OK;

	while (status == JL_OK && (fd = accept4(r->door, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct ucred who = {0};
		socklen_t len = sizeof(who);

		if (r->pidfd < 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.pid == getpid())
			status = start(r, fd, err);
		close(fd);
	}
	return status;
}

static void nothing_more(struct jl_transfer *t, const char *error, enum jl_talk_error kind)
{
	(void)t;
	(void)error;
	(void)kind;
}

/* So many objects were broken off: until it has said that it does not put them, for a moment at most. It takes away what it
 * has of them, unless it ends before. */
static void await_breaks(struct rclone *r, struct jl_transport *transport, unsigned n)
{
	const int64_t until = jl_clock_system.now_ns(&jl_clock_system) + BREAK_MS * JL_NS_MS;
	const unsigned not_put = r->not_put + n;
	struct jl_transfer t = {.method = JL_TRANSFER_HEAD, .done = nothing_more};

	if (!n)
		return;
	/* libcurl says that a transfer was given up when it says something else. */
	jl_transfer_start(transport, &t, "http://127.0.0.1/0");
	while (!r->ended && r->not_put < not_put && jl_transport_work(transport)) {
		const int64_t left = until - jl_clock_system.now_ns(&jl_clock_system);

		if (left <= 0)
			break;
		jl_transport_wait(transport, &r->log, 1, (int)(left / JL_NS_MS) + 1);
		read_log(r);
	}
	jl_transfer_release(&t);
}

/* Its connection is gone. */
static void reap(struct rclone *r)
{
	struct pollfd p = {.fd = r->pidfd, .events = POLLIN};
	siginfo_t info;

	if (poll(&p, 1, END_MS) <= 0)
		kill(r->pid, SIGKILL);
	while (waitid(P_PIDFD, (id_t)r->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
}

static int serve(struct jl_serve *s, struct rclone *r)
{
	char base[] = "http://127.0.0.1"; /* no name to look up; nobody connects there */
	struct jl_place place = {.base = base, .post = true};
	struct jl_err err = JL_ERR_INIT;
	struct jl_transport transport;
	struct jl_objects objects;
	struct jl_transfer first = {.method = JL_TRANSFER_HEAD, .done = nothing_more};
	unsigned puts;
	int status = jl_transport_open(&transport, &err);

	if (status != JL_OK)
		return say(err.text);
	jl_objects_open(&objects, &place, &transport, s);
	objects.explain = explain;
	objects.ctx = r;
	objects.puts_most = PUTS_MOST;
	status = open_door(r, &transport, &err);
	if (status == JL_OK) /* the connection is made for one that nobody breaks off */
		jl_transfer_start(&transport, &first, "http://127.0.0.1/0");
	while (status == JL_OK && !r->ended && (status = jl_objects_turn(&objects, &err)) > 0) {
		jl_transport_wait(&transport, (int[]){s->in, r->log, r->door}, 3, jl_objects_wait_ms(&objects));
		status = answer_door(r, &err);
		read_log(r);
	}
	if (r->ended)
		status = jl_err_set(&err, JL_EIO, "rclone ended: %s", r->last[0] ? r->last : "it does not say why");
	puts = jl_objects_puts(&objects);
	jl_objects_release(&objects);
	await_breaks(r, &transport, r->pidfd < 0 ? 0 : puts);
	jl_transfer_release(&first);
	jl_transport_release(&transport);
	if (r->pidfd >= 0)
		reap(r);
	return status == JL_OK ? 0 : say(err.text);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	struct rclone r = {.pidfd = -1, .log = -1, .door = -1, .line = JL_BUF_INIT};
	struct jl_err err = JL_ERR_INIT;
	struct jl_talk hello;
	struct jl_serve s;
	char *url, path[PATH_MAX];
	int status = 1;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* jl ends us when it has had enough */
	if (jl_serve_open(&s, STDIN_FILENO, STDOUT_FILENO, &hello, &err) != JL_OK)
		return say(err.text);
	r.notes = jl_calloc(NOTES, sizeof(*r.notes));
	url = jl_strndup(hello.name, hello.name_len);
	r.place = place_of(url, &err);
	if (r.place && jl_spawn_find("rclone", getenv("PATH"), NULL, path, sizeof(path), &err) != JL_OK)
		jl_err_set(&err, JL_ENOTFOUND, "the program \"rclone\" is not installed (looked in PATH)");
	if (err.status != JL_OK) {
		(void)!jl_serve_fail(&s, 0, JL_TALK_PERMANENT, "%s", err.text);
		say(err.text);
	} else if (jl_serve_welcome(&s, "rclone", JL_TALK_CAN_PUT | JL_TALK_CAN_RANGE) == JL_OK) {
		status = serve(&s, &r);
	}
	close_fd(r.door);
	close_fd(r.log);
	close_fd(r.pidfd);
	jl_buf_release(&r.line);
	jl_serve_release(&s);
	free(r.notes);
	free(r.place);
	free(url);
	return status;
}
