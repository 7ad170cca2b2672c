/* See objects.h. */
#include "http/objects.h"

#include "base/url.h"
#include "http/conditions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 5u
#define SETTING_MAX   1000u /* bytes of an ETag that is passed on */

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
	struct jl_conditions conditions;
	struct jl_buf url; /* where it was asked for last */
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
	jl_conditions_release(&q->conditions);
	jl_buf_release(&q->url);
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

	if (q->op == JL_TALK_GET && q->transfer.from && (status == 206 || !q->conditions.fetch))
		return status == 206 &&
		       jl_conditions_begins(jl_transfer_header(&q->transfer, "Content-Range"), q->transfer.from);
	return q->op == JL_TALK_PUT ? status >= 200 && status < 300 : status == 200;
}

/* What content it is, and from which byte on it comes. */
static void add_about(struct jl_object *q, struct jl_buf *out)
{
	static const char *const headers[][2] = {{"etag", "ETag"}, {"modified", "Last-Modified"}};
	char from[24];

	if (jl_transfer_status(&q->transfer) != 206) /* all of it, whatever was wanted */
		q->transfer.from = 0;
	snprintf(from, sizeof(from), "%llu", (unsigned long long)q->transfer.from);
	jl_talk_add_setting(out, "from", from);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *value = jl_transfer_header(&q->transfer, headers[i][1]);

		if (value && strlen(value) < SETTING_MAX)
			jl_talk_add_setting(out, headers[i][0], value);
	}
}

static bool tell_found(struct jl_object *q)
{
	const uint64_t length = jl_transfer_length(&q->transfer);
	struct jl_buf about = JL_BUF_INIT;
	bool ok;

	if (q->found)
		return true;
	q->found = true;
	if (q->conditions.fetch)
		add_about(q, &about);
	ok = tell(q, &(struct jl_talk){.type = JL_TALK_FOUND,
				       .id = q->id,
				       .size = length == JL_TALK_UNKNOWN ? length : length + q->transfer.from,
				       .data = about.data,
				       .len = about.len});
	jl_buf_release(&about);
	return ok;
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
	if (url != q->url.data) {
		jl_buf_clear(&q->url);
		jl_buf_str(&q->url, url);
	}
	q->transfer.who = jl_place_who(q->all->place, url);
	jl_transfer_start(q->all->transport, &q->transfer, url);
}

/* true: it goes on elsewhere. */
static bool follow(struct jl_object *q)
{
	const char *url = jl_transfer_redirect(&q->transfer);

	if (!url || q->op == JL_TALK_PUT || ++q->redirects > REDIRECTS_MAX ||
	    !jl_url_may_follow(q->all->place->base, url, q->conditions.any_host ? "*" : q->all->place->hosts))
		return false;
	start(q, url);
	return true;
}

/* What jl has a part of is shorter than that by now, or the part was all of it: all anew, then. */
static bool begin_anew(struct jl_object *q)
{
	if (!q->conditions.fetch || !q->transfer.from)
		return false;
	q->transfer.from = 0;
	start(q, q->url.data);
	return true;
}

static void refuse_redirect(struct jl_object *q, long status)
{
	const char *url = jl_transfer_redirect(&q->transfer);
	struct jl_buf host = JL_BUF_INIT;

	jl_url_host(url ? url : "", &host);
	(void)!jl_serve_fail(q->all->serve, q->id, JL_TALK_REFUSED, "HTTP %ld to %s, a place that is not allowed", status,
			     host.len ? host.data : "nowhere");
	jl_buf_release(&host);
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
	} else if (status == 304 && q->conditions.fetch) {
		(void)!jl_serve_fail(s, q->id, JL_TALK_UNCHANGED, "unchanged");
	} else if (status >= 300 && status < 400) {
		if (follow(q))
			return;
		refuse_redirect(q, status);
	} else if ((status == 416 || status == 206) && begin_anew(q)) {
		return;
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

static void add_one(void *ctx, const char *name, const char *value)
{
	jl_transfer_add(ctx, name, value);
}

static void add_conditions(struct jl_transfer *t)
{
	const struct jl_object *q = t->ctx;

	jl_conditions_headers(&q->conditions, t->from > 0, add_one, t);
}

static void begin(struct jl_objects *o, const struct jl_talk *m)
{
	struct jl_object *q = jl_calloc(1, sizeof(*q));
	struct jl_buf url = JL_BUF_INIT;
	struct jl_transfer *t = &q->transfer;
	char *path = NULL;

	*q = (struct jl_object){.next = o->first,
				.all = o,
				.id = m->id,
				.op = m->type,
				.size = m->type == JL_TALK_PUT ? m->size : 0,
				.credit = JL_TALK_WINDOW,
				.body = JL_BUF_INIT,
				.url = JL_BUF_INIT};
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
	if (m->type == JL_TALK_GET) {
		jl_conditions_take(&q->conditions, m);
		path = jl_talk_setting(m, "path");
	}
	if (q->conditions.fetch)
		t->prepare = add_conditions;
	/* With a slash behind the base, no path leads to another server. */
	jl_buf_printf(&url, "%s/", o->place->base);
	if (path)
		jl_buf_str(&url, path + (path[0] == '/'));
	else
		jl_buf_add(&url, m->name, m->name_len);
	start(q, url.data);
	jl_buf_release(&url);
	free(path);
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
