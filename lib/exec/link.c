/* A connection: see link.h. */
#include "exec/link.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE    JL_WIRE_MAX
#define READS_A_TURN 8
#define WRITE_SIZE   (2 * JL_WIRE_MAX) /* taken together for one write: as long as control may have to wait here */

static void over(struct jl_link *l, const char *why)
{
	if (!jl_link_is_open(l))
		return;
	jl_link_close(l);
	l->ops->closed(l, why);
}

void jl_link_close(struct jl_link *l)
{
	if (!jl_link_is_open(l))
		return;
	jl_loop_remove(l->loop, &l->in);
	jl_loop_remove(l->loop, &l->out);
	close(l->in_fd);
	if (l->out_fd != l->in_fd)
		close(l->out_fd);
	l->in_fd = l->out_fd = -1;
}

void jl_link_release(struct jl_link *l)
{
	jl_link_close(l);
	jl_wire_in_release(&l->frames);
	jl_buf_release(&l->head);
	jl_buf_release(&l->lane[0]);
	jl_buf_release(&l->lane[1]);
	jl_buf_release(&l->now);
}

/* ---- in ---- */

static int take_messages(struct jl_link *l, struct jl_err *err)
{
	int r = JL_OK;
	while (r == JL_OK && jl_link_is_open(l)) {
		struct jl_arena arena = JL_ARENA_INIT;
		struct jl_msg m;
		const void *data;
		size_t len;
		uint8_t type;
		r = jl_wire_next(&l->frames, &type, &data, &len, err);
		if (r == JL_ENOTFOUND)
			return JL_OK;
		if (r == JL_OK)
			r = jl_msg_read(type, data, len, &arena, &m, err);
		if (r == JL_OK)
			r = l->ops->message(l, &m, &arena, err);
		jl_arena_release(&arena);
	}
	return r;
}

static int take_bytes(struct jl_link *l, const char *data, size_t len, struct jl_err *err)
{
	if (l->greeted) {
		jl_wire_feed(&l->frames, data, len);
		return take_messages(l, err);
	}
	bool done = false;
	jl_buf_add(&l->head, data, len);
	int64_t used = l->ops->greeting(l, l->head.data, l->head.len, &done, err);
	if (used < 0)
		return (int)used;
	if (done) {
		l->greeted = true;
		jl_wire_feed(&l->frames, l->head.data + used, l->head.len - (size_t)used);
		jl_buf_release(&l->head);
		return take_messages(l, err);
	}
	memmove(l->head.data, l->head.data + used, l->head.len - (size_t)used);
	jl_buf_truncate(&l->head, l->head.len - (size_t)used);
	return JL_OK;
}

static void readable(struct jl_watch *w, uint32_t epoll_events)
{
	struct jl_link *l = (struct jl_link *)((char *)w - offsetof(struct jl_link, in));
	struct jl_err err = JL_ERR_INIT;
	char room[READ_SIZE];
	(void)epoll_events;
	for (int i = 0; i < READS_A_TURN && jl_link_is_open(l); i++) {
		ssize_t n = read(l->in_fd, room, sizeof(room));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			over(l, n == 0 ? "the connection was closed" : strerror(errno));
			return;
		}
		l->heard_ns = jl_clock_system.now_ns(&jl_clock_system);
		l->received += (uint64_t)n;
		if (take_bytes(l, room, (size_t)n, &err) != JL_OK) {
			over(l, err.text);
			return;
		}
		if ((size_t)n < sizeof(room) / 2)
			return;
	}
}

/* ---- out ---- */

/* Something to write is in `now`; false: there is nothing to say. */
static bool fill(struct jl_link *l)
{
	if (l->now_at < l->now.len)
		return true;
	jl_buf_clear(&l->now);
	l->now_at = 0;
	for (int i = 0; i < 2; i++) {
		if (l->lane[i].len == 0)
			continue;
		/* Both lanes together where they are short: each write wakes everybody on the way. */
		if (l->now.len > 0 && l->now.len + l->lane[i].len <= WRITE_SIZE) {
			jl_buf_add(&l->now, l->lane[i].data, l->lane[i].len);
			jl_buf_clear(&l->lane[i]);
		} else if (l->now.len == 0) {
			struct jl_buf empty = l->now;
			l->now = l->lane[i];
			l->lane[i] = empty;
		}
	}
	if (l->now.len > 0 || !l->greeted)
		return l->now.len > 0;
	while (l->now.len < WRITE_SIZE / 2 && l->ops->pull && l->ops->pull(l, &l->now))
		;
	return l->now.len > 0;
}

static void watch_out(struct jl_link *l, bool on)
{
	if (on == l->blocked)
		return;
	l->blocked = on;
	if (!on)
		jl_loop_remove(l->loop, &l->out);
	else if (jl_loop_add(l->loop, &l->out, l->out_fd, EPOLLOUT, NULL) != JL_OK)
		over(l, "the connection cannot be waited for");
}

/* To a socket without a signal when nobody reads there any more. */
static ssize_t write_some(struct jl_link *l, const void *data, size_t len)
{
	ssize_t n = l->no_socket ? -1 : send(l->out_fd, data, len, MSG_NOSIGNAL);
	if (n < 0 && !l->no_socket)
		l->no_socket = errno == ENOTSOCK;
	return l->no_socket ? write(l->out_fd, data, len) : n;
}

void jl_link_flush(struct jl_link *l)
{
	while (jl_link_is_open(l) && fill(l)) {
		size_t len = l->now.len - l->now_at;
		ssize_t n = write_some(l, l->now.data + l->now_at, len < WRITE_SIZE ? len : WRITE_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch_out(l, true);
			return;
		}
		if (n < 0) {
			over(l, strerror(errno));
			return;
		}
		l->now_at += (size_t)n;
		l->sent += (uint64_t)n;
	}
	if (jl_link_is_open(l))
		watch_out(l, false);
}

static void writable(struct jl_watch *w, uint32_t epoll_events)
{
	(void)epoll_events;
	jl_link_flush((struct jl_link *)((char *)w - offsetof(struct jl_link, out)));
}

int jl_link_send(struct jl_link *l, enum jl_lane lane, const struct jl_msg *m, struct jl_err *err)
{
	return jl_link_is_open(l) ? jl_msg_put(&l->lane[lane], m, err) : JL_OK;
}

void jl_link_raw(struct jl_link *l, const void *data, size_t len)
{
	jl_buf_add(&l->lane[JL_LANE_CONTROL], data, len);
}

int jl_link_open(struct jl_link *l, struct jl_loop *loop, const struct jl_link_ops *ops, int in_fd, int out_fd,
		 struct jl_err *err)
{
	*l = (struct jl_link){.loop = loop,
			      .ops = ops,
			      .in = {.ready = readable, .fd = -1},
			      .out = {.ready = writable, .fd = -1},
			      .in_fd = in_fd,
			      .out_fd = out_fd,
			      .greeted = ops->greeting == NULL,
			      .head = JL_BUF_INIT,
			      .lane = {JL_BUF_INIT, JL_BUF_INIT},
			      .now = JL_BUF_INIT,
			      .heard_ns = jl_clock_system.now_ns(&jl_clock_system)};
	jl_wire_in_init(&l->frames);
	int r = JL_OK;
	if (fcntl(in_fd, F_SETFL, fcntl(in_fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(out_fd, F_SETFL, fcntl(out_fd, F_GETFL) | O_NONBLOCK) < 0)
		r = jl_err_sys(err, errno, "cannot use the connection");
	if (r == JL_OK)
		r = jl_loop_add(loop, &l->in, in_fd, EPOLLIN, err);
	if (r != JL_OK)
		jl_link_release(l);
	return r;
}
