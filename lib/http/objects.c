/* See objects.h. */
#include "http/objects.h"

#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 5u

struct jl_object {
	struct jl_object *next;
	struct jl_objects *all;
	struct jl_transfer transfer;
	uint32_t id;
	enum jl_talk_type op;
	uint64_t credit;    /* GET: bytes that may be sent on */
	uint64_t size, got; /* PUT: of the object; how much of it came */
	struct jl_buf body; /* PUT: what came and was not sent yet, from body_at on */
	size_t body_at;
	bool found;  /* FOUND was sent */
	bool broken; /* jl has gone */
	unsigned redirects;
};

void jl_objects_open(struct jl_objects *o, const struct jl_place *place, struct jl_transport *transport,
		     struct jl_serve *serve)
{
	*o = (struct jl_objects){.place = place, .transport = transport, .serve = serve};
}

static void end(struct jl_object *q)
{
	struct jl_object **at = &q->all->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	jl_transfer_release(&q->transfer);
	jl_buf_release(&q->body);
	free(q);
}

void jl_objects_release(struct jl_objects *o)
{
	while (o->first)
		end(o->first);
}

static bool tell(struct jl_object *q, const struct jl_talk *m)
{
	if (!q->broken && jl_serve_send(q->all->serve, m) != JL_OK)
		q->broken = true;
	return !q->broken;
}

/* ---- what comes ---- */

static bool is_good(const struct jl_object *q)
{
	const long status = jl_transfer_status(&q->transfer);

	if (q->op == JL_TALK_GET && q->transfer.from)
		return status == 206;
	return q->op == JL_TALK_PUT ? status >= 200 && status < 300 : status == 200;
}

static bool tell_found(struct jl_object *q)
{
	const uint64_t length = jl_transfer_length(&q->transfer);

	if (q->found)
		return true;
	q->found = true;
	return tell(q, &(struct jl_talk){.type = JL_TALK_FOUND,
					 .id = q->id,
					 .size = length == JL_TALK_UNKNOWN ? length : length + q->transfer.from});
}

static bool take_body(struct jl_transfer *t, const void *data, size_t len)
{
	struct jl_object *q = t->ctx;

	if (!is_good(q) || q->op != JL_TALK_GET) /* a page that says what is wrong */
		return true;
	if (q->credit < len)
		return false;
	q->credit -= len;
	tell_found(q);
	for (size_t at = 0; at < len;) {
		const size_t piece = len - at < JL_TALK_PIECE ? len - at : JL_TALK_PIECE;

		tell(q, &(struct jl_talk){
				.type = JL_TALK_DATA, .id = q->id, .data = (const char *)data + at, .len = piece});
		at += piece;
	}
	return true;
}

static ssize_t give_body(struct jl_transfer *t, void *room, size_t size)
{
	struct jl_object *q = t->ctx;
	size_t len = q->body.len - q->body_at;

	if (len > size)
		len = size;
	if (len == 0)
		return 0;
	memcpy(room, q->body.data + q->body_at, len);
	q->body_at += len;
	if (q->body_at == q->body.len) {
		jl_buf_clear(&q->body);
		q->body_at = 0;
	}
	return tell(q, &(struct jl_talk){.type = JL_TALK_CREDIT, .id = q->id, .count = (uint32_t)len}) ? (ssize_t)len
												       : -1;
}

/* ---- how it ended ---- */

static enum jl_talk_error kind_of(long status)
{
	if (status == 404 || status == 410)
		return JL_TALK_NOT_FOUND;
	if (status == 401 || status == 403 || status == 407)
		return JL_TALK_REFUSED;
	return status == 408 || status == 423 || status == 425 || status == 429 || status >= 500 ? JL_TALK_TEMPORARY
												 : JL_TALK_PERMANENT;
}

/* Where the place's objects are, or what a redirect said. */
static void start(struct jl_object *q, const char *url)
{
	q->transfer.who = jl_place_who(q->all->place, url);
	jl_transfer_start(q->all->transport, &q->transfer, url);
}

/* true: it goes on elsewhere. */
static bool follow(struct jl_object *q)
{
	const char *url = jl_transfer_redirect(&q->transfer);

	if (!url || q->op == JL_TALK_PUT || ++q->redirects > REDIRECTS_MAX ||
	    !jl_url_may_follow(q->all->place->base, url, q->all->place->hosts))
		return false;
	start(q, url);
	return true;
}

static void done(struct jl_transfer *t, const char *error, enum jl_talk_error kind)
{
	struct jl_object *q = t->ctx;
	struct jl_serve *s = q->all->serve;
	const long status = jl_transfer_status(t);

	if (error) {
		(void)!jl_serve_fail(s, q->id, kind, "%s", error);
	} else if (is_good(q)) {
		if (q->op == JL_TALK_PUT || tell_found(q))
			tell(q, &(struct jl_talk){.type = JL_TALK_END, .id = q->id});
	} else if (status >= 300 && status < 400) {
		if (follow(q))
			return;
		(void)!jl_serve_fail(s, q->id, JL_TALK_REFUSED, "HTTP %ld to a place that is not allowed", status);
	} else {
		(void)!jl_serve_fail(s, q->id, kind_of(status), "HTTP %ld", status);
	}
	end(q);
}

/* ---- what jl says ---- */

static struct jl_object *find(struct jl_objects *o, uint32_t id)
{
	struct jl_object *q = o->first;

	while (q && q->id != id)
		q = q->next;
	return q;
}

static void begin(struct jl_objects *o, const struct jl_talk *m)
{
	struct jl_object *q = jl_calloc(1, sizeof(*q));
	struct jl_buf url = JL_BUF_INIT;
	struct jl_transfer *t = &q->transfer;

	*q = (struct jl_object){.next = o->first,
				.all = o,
				.id = m->id,
				.op = m->type,
				.size = m->type == JL_TALK_PUT ? m->size : 0,
				.credit = JL_TALK_WINDOW,
				.body = JL_BUF_INIT};
	o->first = q;
	t->method = m->type == JL_TALK_GET    ? JL_TRANSFER_GET
		    : m->type == JL_TALK_HEAD ? JL_TRANSFER_HEAD
					      : JL_TRANSFER_PUT;
	t->size = q->size;
	t->from = m->type == JL_TALK_GET ? m->size : 0;
	t->ca = o->place->ca;
	t->take = take_body;
	t->give = give_body;
	t->done = done;
	t->ctx = q;
	jl_buf_printf(&url, "%s/%.*s", o->place->base, (int)m->name_len, m->name);
	start(q, url.data);
	jl_buf_release(&url);
}

static int fail(struct jl_object *q, const char *why)
{
	struct jl_serve *s = q->all->serve;
	const uint32_t id = q->id;

	end(q);
	return jl_serve_fail(s, id, JL_TALK_PERMANENT, "%s", why);
}

static int take_data(struct jl_object *q, const struct jl_talk *m)
{
	if (q->op != JL_TALK_PUT)
		return JL_ECORRUPT;
	if (m->len > q->size - q->got)
		return fail(q, "more came than was said");
	if (jl_buf_add(&q->body, m->data, m->len) != JL_OK)
		return JL_ECORRUPT;
	q->got += m->len;
	jl_transfer_go_on(&q->transfer);
	return JL_OK;
}

int jl_objects_take(struct jl_objects *o, const struct jl_talk *m)
{
	struct jl_object *q = find(o, m->id);

	if (m->type == JL_TALK_GET || m->type == JL_TALK_HEAD || m->type == JL_TALK_PUT) {
		if (q)
			return JL_ECORRUPT;
		begin(o, m);
		return JL_OK;
	}
	if (!q) /* its answer is on its way */
		return JL_OK;
	switch (m->type) {
	case JL_TALK_CREDIT:
		q->credit += m->count;
		jl_transfer_go_on(&q->transfer);
		return JL_OK;
	case JL_TALK_DATA: return take_data(q, m);
	case JL_TALK_END: return q->got == q->size ? JL_OK : fail(q, "less came than was said");
	case JL_TALK_CANCEL: return fail(q, "cancelled");
	default: return JL_ECORRUPT;
	}
}
