/* See peer.h. */
#include "store/peer.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNNING_MAX  64u /* calls on the wire */
#define TRIES        3u
#define DELAY_NS     (50 * JL_NS_MS)      /* before the second try; four times that before the third */
#define FAILURES_MAX 4u                   /* calls that fail one after the other */
#define MOVED        ((uint64_t)64 << 10) /* so much content is progress */
#define MUCH         ((uint64_t)1 << 20)  /* so much of a download is worth another three tries */
#define OUT_MAX      ((size_t)256 << 10)
#define CREDIT_STEP  ((uint32_t)(JL_TALK_WINDOW / 4)) /* most objects need no more than the window they begin with */
#define READ         ((size_t)128 << 10)
#define END_MS       500

static int64_t now_ns(void)
{
	return jl_clock_system.now_ns(&jl_clock_system);
}

/* ---- lists ---- */

static void list_init(struct jl_peer_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct jl_peer_list *l, struct jl_peer_call *c)
{
	c->next = NULL;
	*l->last = c;
	l->last = &c->next;
}

static void list_remove(struct jl_peer_list *l, struct jl_peer_call *c)
{
	struct jl_peer_call **at = &l->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (!*at)
		l->last = at;
}

static struct jl_peer_call *find(struct jl_peer *r, uint32_t id)
{
	struct jl_peer_call *c = r->running.first;

	while (c && c->id != id)
		c = c->next;
	return c;
}

/* ---- life ---- */

void jl_peer_init(struct jl_peer *r, const char *name, const char *url, bool write, int64_t patience_ns)
{
	*r = (struct jl_peer){.name = jl_strdup(name),
				.url = jl_strdup(url),
				.write = write,
				.patience_ns = patience_ns,
				.helper = {.in = -1, .out = -1, .errors = -1, .pidfd = -1},
				.in = JL_BUF_INIT,
				.out = JL_BUF_INIT,
				.seed = (uint32_t)now_ns() | 1};
	list_init(&r->waiting);
	list_init(&r->later);
	list_init(&r->running);
}

/* It has the end of its input, and a moment. *err says how it ended. */
static void end_helper(struct jl_peer *r, struct jl_err *err)
{
	struct pollfd p = {.fd = r->helper.pidfd, .events = POLLIN};

	if (r->helper.in >= 0)
		close(r->helper.in);
	r->helper.in = -1;
	if (poll(&p, 1, END_MS) <= 0 || jl_helper_end(&r->helper, err) == JL_OK)
		jl_err_set(err, JL_EIO, "its helper ended");
	jl_helper_kill(&r->helper);
}

void jl_peer_release(struct jl_peer *r)
{
	struct jl_err err = JL_ERR_INIT;

	jl_bug_if(jl_peer_busy(r));
	if (r->helper.pidfd >= 0)
		end_helper(r, &err);
	jl_buf_release(&r->in);
	jl_buf_release(&r->out);
	free(r->name);
	free(r->url);
}

bool jl_peer_busy(const struct jl_peer *r)
{
	return r->waiting.first || r->later.first || r->running.first;
}

void jl_peer_give_up(struct jl_peer *r, const char *why)
{
	struct jl_peer_list *lists[] = {&r->running, &r->later, &r->waiting};
	char text[JL_ERR_TEXT];

	if (!r->dead && why && r->warn) {
		snprintf(text, sizeof(text), "remote \"%s\": %.700s; left alone from here on", r->name, why);
		(*r->warn)(r->warn_ctx, text);
	}
	if (!r->dead)
		jl_err_set(&r->end, JL_EBUSY, "%s", why ? why : "the remote is left alone");
	r->dead = true;
	jl_helper_kill(&r->helper);
	for (size_t i = 0; i < 3; i++) {
		while (lists[i]->first) {
			struct jl_peer_call *c = lists[i]->first;

			list_remove(lists[i], c);
			c->done(c, JL_EBUSY, &r->end);
		}
	}
	r->n_running = 0;
}

/* JL_OK, or it was given up. */
static bool start_helper(struct jl_peer *r)
{
	const size_t scheme = strcspn(r->url, ":");
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf settings = JL_BUF_INIT;
	char name[64];

	r->started = true;
	snprintf(name, sizeof(name), "jl-store-%.*s", (int)scheme, r->url);
	if (strcmp(name, "jl-store-https") == 0 || strcmp(name, "jl-store-s3") == 0)
		strcpy(name, "jl-store-http"); /* one program for all that goes over it */
	if (jl_helper_start(&r->helper, name, (const char *const[]){NULL}, -1, -1, &err) != JL_OK) {
		jl_peer_give_up(r, err.text);
		return false;
	}
	fcntl(r->helper.in, F_SETFL, O_NONBLOCK);
	fcntl(r->helper.out, F_SETFL, O_NONBLOCK);
	jl_talk_add_setting(&settings, "name", r->name);
	if (r->write)
		jl_talk_add_setting(&settings, "write", "1");
	jl_talk_put(&r->out, &(struct jl_talk){.type = JL_TALK_HELLO,
					       .size = JL_TALK_VERSION,
					       .name = r->url,
					       .data = settings.data,
					       .len = settings.len});
	jl_buf_release(&settings);
	return true;
}

/* ---- calls ---- */

void jl_peer_start(struct jl_peer *r, struct jl_peer_call *c)
{
	c->tries = 0;
	if (r->dead) {
		c->done(c, JL_EBUSY, &r->end);
		return;
	}
	if (!jl_peer_busy(r)) {
		r->progress_ns = now_ns();
		r->moved = 0;
	}
	list_add(&r->waiting, c);
}

static void begin(struct jl_peer *r, struct jl_peer_call *c)
{
	list_add(&r->running, c);
	r->n_running++;
	r->calls++;
	c->id = ++r->last_id;
	c->tries++;
	c->at = 0;
	c->taken = 0;
	c->credit = JL_TALK_WINDOW;
	c->found = JL_TALK_UNKNOWN;
	c->more_wanted = c->op == JL_TALK_PUT;
	if (c->restart)
		c->restart(c);
	c->at = c->began_at = c->from;
	jl_talk_put(&r->out, &(struct jl_talk){.type = c->op,
					       .id = c->id,
					       .name = c->name,
					       .size = c->op == JL_TALK_PUT ? c->size : c->from,
					       .data = c->settings ? c->settings->data : NULL,
					       .len = c->settings ? c->settings->len : 0});
}

static void progress(struct jl_peer *r)
{
	r->progress_ns = now_ns();
	r->moved = 0;
}

static void moved(struct jl_peer *r, uint64_t bytes)
{
	r->moved += bytes;
	if (r->moved >= MOVED)
		progress(r);
}

static void finish(struct jl_peer *r, struct jl_peer_call *c, int status, const struct jl_err *err)
{
	list_remove(&r->running, c);
	r->n_running--;
	c->done(c, status, err);
}

/* The owner does not want it, or cannot give it: what still comes for the id is passed over. */
static void cancel(struct jl_peer *r, struct jl_peer_call *c, int status, const struct jl_err *err)
{
	jl_talk_put(&r->out, &(struct jl_talk){.type = JL_TALK_CANCEL, .id = c->id});
	finish(r, c, status, err);
}

static void again(struct jl_peer *r, struct jl_peer_call *c)
{
	int64_t delay = DELAY_NS;

	for (unsigned i = 1; i < c->tries; i++)
		delay *= 4;
	r->seed = r->seed * 1664525u + 1013904223u;
	c->due_ns = now_ns() + delay / 2 + delay * (int64_t)(r->seed >> 16) / 65536;
	list_remove(&r->running, c);
	r->n_running--;
	list_add(&r->later, c);
}

static void failed(struct jl_peer *r, struct jl_peer_call *c, const struct jl_talk *m)
{
	struct jl_err err = JL_ERR_INIT;
	char text[400];
	int status = JL_EIO;

	snprintf(text, sizeof(text), "%.*s", (int)m->len, (const char *)m->data);
	for (char *s = text; *s; s++)
		*s = (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s;
	if (c->about && c->at >= c->began_at + MUCH)
		c->tries = 1;
	if (m->count == JL_TALK_TEMPORARY && c->tries < TRIES) {
		again(r, c);
		return;
	}
	if (m->count == JL_TALK_UNCHANGED && c->about) {
		r->failures = 0;
		progress(r);
		c->unchanged = true;
		finish(r, c, JL_OK, &err);
		return;
	}
	if (m->count == JL_TALK_NOT_FOUND || m->count == JL_TALK_REFUSED)
		status = m->count == JL_TALK_NOT_FOUND ? JL_ENOTFOUND : JL_EINVAL;
	if (status == JL_EIO) {
		r->failures++;
	} else {
		r->failures = 0;
		progress(r);
	}
	jl_err_set(&err, status, "%s", text);
	finish(r, c, status, &err);
	if (r->failures >= FAILURES_MAX && !r->dead && !r->lenient)
		jl_peer_give_up(r, text);
}

static void take_found(struct jl_peer *r, struct jl_peer_call *c, const struct jl_talk *m)
{
	struct jl_err err = JL_ERR_INIT;
	int status = JL_OK;

	c->found = m->size;
	if (c->about)
		status = c->about(c, m, &err);
	c->at = c->began_at = c->from;
	if (status != JL_OK)
		cancel(r, c, status, &err);
}

static void take_data(struct jl_peer *r, struct jl_peer_call *c, const struct jl_talk *m)
{
	struct jl_err err = JL_ERR_INIT;
	int status;

	r->bytes_in += m->len;
	moved(r, m->len);
	c->at += m->len;
	if (c->at > c->size || c->at > c->found)
		status = jl_err_set(&err, JL_ELIMIT, "\"%s\" is longer than it may be", c->name);
	else
		status = c->data(c, m->data, m->len, &err);
	c->taken += (uint32_t)m->len;
	if (status != JL_OK) {
		cancel(r, c, status, &err);
	} else if (c->taken >= CREDIT_STEP) {
		jl_talk_put(&r->out, &(struct jl_talk){.type = JL_TALK_CREDIT, .id = c->id, .count = c->taken});
		c->taken = 0;
	}
}

static void take_end(struct jl_peer *r, struct jl_peer_call *c)
{
	struct jl_err err = JL_ERR_INIT;

	r->failures = 0;
	progress(r);
	if (c->op == JL_TALK_GET && c->found != JL_TALK_UNKNOWN && c->at != c->found) {
		jl_err_set(&err, JL_EIO, "\"%s\" was cut", c->name);
		if (c->tries < TRIES)
			again(r, c);
		else
			finish(r, c, JL_EIO, &err);
	} else {
		finish(r, c, JL_OK, &err);
	}
}

static bool take(struct jl_peer *r, const struct jl_talk *m)
{
	struct jl_peer_call *c = m->id ? find(r, m->id) : NULL;
	char text[300];

	if (m->type == JL_TALK_HELLO) {
		r->welcome = m->size == JL_TALK_VERSION;
		r->abilities = m->count;
		progress(r);
		return r->welcome;
	}
	if (m->type == JL_TALK_ERROR && m->id == 0) {
		snprintf(text, sizeof(text), "%.*s", (int)m->len, (const char *)m->data);
		jl_peer_give_up(r, text);
		return true;
	}
	if (!c) /* cancelled meanwhile */
		return true;
	switch (m->type) {
	case JL_TALK_FOUND:
		progress(r);
		take_found(r, c, m);
		return true;
	case JL_TALK_CREDIT:
		c->credit += m->count;
		moved(r, m->count);
		return c->op == JL_TALK_PUT;
	case JL_TALK_DATA:
		if (c->op != JL_TALK_GET)
			return false;
		take_data(r, c, m);
		return true;
	case JL_TALK_END: take_end(r, c); return true;
	case JL_TALK_ERROR: failed(r, c, m); return true;
	default: return false;
	}
}

/* ---- bytes ---- */

static void take_all(struct jl_peer *r)
{
	struct jl_talk m;

	while (!r->dead) {
		int64_t n = jl_talk_take(r->in.data + r->in_at, r->in.len - r->in_at, &m);

		if (n == 0)
			break;
		if (n < 0 || !take(r, &m)) {
			jl_peer_give_up(r, "its helper speaks another language");
			return;
		}
		r->in_at += (size_t)n;
	}
	memmove(r->in.data, r->in.data + r->in_at, r->in.len - r->in_at);
	if (r->in_at)
		jl_buf_truncate(&r->in, r->in.len - r->in_at);
	r->in_at = 0;
}

static void read_some(struct jl_peer *r)
{
	struct jl_err err = JL_ERR_INIT;
	ssize_t n;
	char *to;

	while (!r->dead) {
		if (jl_buf_reserve(&r->in, READ, &to) != JL_OK)
			return;
		n = read(r->helper.out, to, READ);
		if (n > 0) {
			r->in.len += (size_t)n;
			r->in.data[r->in.len] = '\0';
			take_all(r);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		end_helper(r, &err);
		jl_peer_give_up(r, err.text);
	}
}

/* Content of what is put, as far as it may be sent. */
static void fill(struct jl_peer *r)
{
	struct jl_peer_call *c, *next;
	char *piece = NULL;

	for (c = r->running.first; c && r->out.len < OUT_MAX; c = next) {
		struct jl_err err = JL_ERR_INIT;

		next = c->next;
		while (c->more_wanted && c->credit && r->out.len < OUT_MAX) {
			uint64_t room = c->size - c->at;
			ssize_t n = 0;

			if (room > c->credit)
				room = c->credit;
			if (room > JL_TALK_PIECE)
				room = JL_TALK_PIECE;
			if (room) {
				piece = piece ? piece : jl_alloc_pages(JL_TALK_PIECE);
				n = c->more(c, c->at, piece, (size_t)room, &err);
			}
			if (n < 0 || (room && n == 0)) {
				cancel(r, c, n < 0 ? (int)n : JL_ECHANGED, &err);
				break;
			}
			if (n > 0)
				jl_talk_put(&r->out, &(struct jl_talk){.type = JL_TALK_DATA,
								       .id = c->id,
								       .data = piece,
								       .len = (size_t)n});
			c->at += (uint64_t)n;
			c->credit -= (uint64_t)n;
			r->bytes_out += (uint64_t)n;
			if (c->at == c->size) {
				jl_talk_put(&r->out, &(struct jl_talk){.type = JL_TALK_END, .id = c->id});
				c->more_wanted = false;
			}
		}
	}
	free(piece);
}

static void write_some(struct jl_peer *r)
{
	ssize_t n;

	while (!r->dead) {
		if (r->out_at == r->out.len) {
			jl_buf_clear(&r->out);
			r->out_at = 0;
			if (r->welcome)
				fill(r);
			if (!r->out.len)
				return;
		}
		n = write(r->helper.in, r->out.data + r->out_at, r->out.len - r->out_at);
		if (n < 0)
			return; /* full; or gone, which its end tells */
		r->out_at += (size_t)n;
	}
}

static void begin_due(struct jl_peer *r)
{
	struct jl_peer_call *c, *next;
	int64_t now = now_ns();

	for (c = r->later.first; c && r->n_running < RUNNING_MAX; c = next) {
		next = c->next;
		if (c->due_ns > now)
			continue;
		list_remove(&r->later, c);
		begin(r, c);
	}
	while (r->waiting.first && r->n_running < RUNNING_MAX) {
		c = r->waiting.first;
		list_remove(&r->waiting, c);
		begin(r, c);
	}
}

unsigned jl_peer_poll(struct jl_peer *r, struct pollfd *ret, int64_t *until_ns)
{
	unsigned n = 0;

	*until_ns = JL_FOREVER;
	if (!jl_peer_busy(r) || r->dead)
		return 0;
	if (!r->started) {
		*until_ns = 0;
		return 0;
	}
	ret[n++] = (struct pollfd){.fd = r->helper.out, .events = POLLIN};
	if (r->out_at < r->out.len)
		ret[n++] = (struct pollfd){.fd = r->helper.in, .events = POLLOUT};
	*until_ns = r->waiting.first && r->n_running < RUNNING_MAX ? 0 : r->progress_ns + r->patience_ns;
	for (struct jl_peer_call *c = r->later.first; c; c = c->next)
		if (c->due_ns < *until_ns)
			*until_ns = c->due_ns;
	return n;
}

void jl_peer_turn(struct jl_peer *r)
{
	char text[100];

	if (r->dead || !jl_peer_busy(r))
		return;
	if (!r->started && !start_helper(r))
		return;
	read_some(r);
	if (r->dead)
		return;
	begin_due(r);
	write_some(r);
	if (!r->dead && jl_peer_busy(r) && now_ns() - r->progress_ns > r->patience_ns) {
		snprintf(text, sizeof(text), "no answer for %.1f s", (double)r->patience_ns / (double)JL_NS_S);
		jl_peer_give_up(r, text);
	}
}
