/* See objects.h. */
#include "http/objects.h"

#include "base/clock.h"
#include "base/url.h"
#include "http/conditions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 5u
#define SETTING_MAX   1000u /* bytes of an ETag that is passed on */
#define RESUMES_MAX   16u
#define RESUME_MIN    ((uint64_t)64 << 10) /* so much came since: it is worth another try */
#define WAIT_MS       60000
#define LOGIN_MS      50
#define ABORT_MS      300 /* jl waits for 500 when it has had enough */

struct jl_object {
	struct jl_object *next;
	struct jl_objects *all;
	struct jl_transfer transfer;
	uint32_t id;
	enum jl_talk_type op;
	uint64_t credit;    /* GET: bytes that may be sent on */
	uint64_t size, got; /* of the object; how much of it is here (GET: counted from its beginning) */
	char *etag; /* GET: which object it is, when it is cut and more of it is asked for; NULL: cannot be told */
	uint64_t resumed; /* GET: where that was, 0: never */
	unsigned resumes;
	struct jl_buf body; /* PUT: what came and was not sent yet, from body_at on */
	size_t body_at;
	struct jl_upload *upload; /* PUT: it goes in parts, and the transfer is not used */
	bool waits;               /* until it is known who asks, or others have been put */
	bool whole;               /* PUT: jl has said that all was sent */
	bool found;               /* FOUND was sent */
	bool broken;              /* jl has gone */
	unsigned redirects;
	struct jl_conditions conditions;
	struct jl_buf url; /* where it was asked for last */
	char name[JL_TALK_NAME + 1];
};

void jl_objects_open(struct jl_objects *o, struct jl_place *place, struct jl_transport *transport,
		     struct jl_serve *serve)
{
	*o = (struct jl_objects){.place = place,
				 .transport = transport,
				 .serve = serve,
				 .uploads = {.place = place, .transport = transport}};
}

static void end(struct jl_object *q)
{
	struct jl_object **at = &q->all->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	if (q->upload)
		jl_upload_drop(q->upload);
	jl_transfer_release(&q->transfer);
	jl_buf_release(&q->body);
	free(q->etag);
	jl_conditions_release(&q->conditions);
	jl_buf_release(&q->url);
	free(q);
}

void jl_objects_release(struct jl_objects *o)
{
	while (o->first)
		end(o->first);
	jl_uploads_release(&o->uploads, ABORT_MS);
}

unsigned jl_objects_puts(const struct jl_objects *o)
{
	unsigned n = 0;

	for (const struct jl_object *q = o->first; q; q = q->next)
		n += q->op == JL_TALK_PUT && !q->waits;
	return n;
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
	const struct jl_transfer *t = &q->transfer;
	const long status = jl_transfer_status(t);
	const uint64_t length = jl_transfer_length(t);
	const char *etag = q->resumed ? jl_transfer_header(t, "ETag") : NULL;

	if (q->resumed)
		return status == 206 && etag && strcmp(etag, q->etag) == 0 &&
		       (length == JL_TALK_UNKNOWN || q->size == JL_TALK_UNKNOWN || length + t->from == q->size);
	if (q->op == JL_TALK_GET && t->from && (status == 206 || !q->conditions.fetch))
		return status == 206 && jl_conditions_begins(jl_transfer_header(t, "Content-Range"), t->from);
	return q->op == JL_TALK_PUT ? status >= 200 && status < 300 : status == 200;
}

/* What content it is, and from which byte on it comes. */
static void add_about(struct jl_object *q, struct jl_buf *out)
{
	static const char *const headers[][2] = {{"etag", "ETag"}, {"modified", "Last-Modified"}};
	char from[24];

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
	const char *etag = jl_transfer_header(&q->transfer, "ETag");

	if (q->found)
		return true;
	q->found = true;
	if (jl_transfer_status(&q->transfer) != 206) /* all of it, whatever was wanted */
		q->transfer.from = 0;
	q->size = length == JL_TALK_UNKNOWN ? length : length + q->transfer.from;
	if (q->conditions.fetch)
		add_about(q, &about);
	q->got = q->transfer.from;
	if (etag && etag[0] == '"')
		q->etag = jl_strdup(etag);
	ok = tell(q,
		  &(struct jl_talk){
			  .type = JL_TALK_FOUND, .id = q->id, .size = q->size, .data = about.data, .len = about.len});
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
	q->got += len;
	for (size_t at = 0; at < len;) {
		const size_t piece = len - at < JL_TALK_PIECE ? len - at : JL_TALK_PIECE;

		tell(q, &(struct jl_talk){
				.type = JL_TALK_DATA, .id = q->id, .data = (const char *)data + at, .len = piece});
		at += piece;
	}
	return true;
}

/* What came from jl; it may send as much more. */
static size_t give_some(void *ctx, void *room, size_t size)
{
	struct jl_object *q = ctx;
	size_t len = q->body.len - q->body_at;

	/* The last byte is for when jl has said that it was the last: the store would take the object as whole. */
	if (len && q->got == q->size && !q->whole)
		len--;
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
	tell(q, &(struct jl_talk){.type = JL_TALK_CREDIT, .id = q->id, .count = (uint32_t)len});
	return len;
}

static ssize_t give_body(struct jl_transfer *t, void *room, size_t size)
{
	return (ssize_t)give_some(t->ctx, room, size);
}

/* ---- how it ended ---- */

/* Where the place's objects are, or what a redirect said. */
static void start(struct jl_object *q, const char *url)
{
	if (url != q->url.data) {
		jl_buf_clear(&q->url);
		jl_buf_str(&q->url, url);
	}
	q->waits = true;
	q->waits = !jl_place_is_ready(q->all->place) ||
		   (q->op == JL_TALK_PUT && q->all->puts_most && jl_objects_puts(q->all) >= q->all->puts_most);
	if (q->waits)
		return;
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

/* It was cut: the rest, if it is of the same object still. true: it goes on. */
static bool resume(struct jl_object *q)
{
	if (q->op != JL_TALK_GET || !q->etag || q->got - q->transfer.from < RESUME_MIN || q->resumes++ == RESUMES_MAX)
		return false;
	q->transfer.from = q->resumed = q->got;
	start(q, q->url.data);
	return true;
}

static void fail(struct jl_object *q, long status, enum jl_talk_error kind, const char *text)
{
	struct jl_objects *o = q->all;
	struct jl_object_fault fault = {.kind = kind};

	snprintf(fault.text, sizeof(fault.text), "%s", text);
	if (o->explain)
		(*o->explain)(o->ctx, q->name, status, &fault);
	if (!q->broken)
		(void)!jl_serve_fail(o->serve, q->id, fault.kind, "%s", fault.text);
	end(q);
}

static void refuse_redirect(struct jl_object *q, long status)
{
	const char *url = jl_transfer_redirect(&q->transfer);
	struct jl_buf host = JL_BUF_INIT;
	char text[300];

	jl_url_host(url ? url : "", &host);
	snprintf(text, sizeof(text), "HTTP %ld to %.200s, a place that is not allowed", status,
		 host.len ? host.data : "nowhere");
	jl_buf_release(&host);
	fail(q, status, JL_TALK_REFUSED, text);
}

static void done(struct jl_transfer *t, const char *error, enum jl_talk_error kind)
{
	struct jl_object *q = t->ctx;
	const long status = jl_transfer_status(t);
	char text[80];

	if (error) {
		if (kind != JL_TALK_TEMPORARY || !resume(q))
			fail(q, 0, kind, error);
	} else if (is_good(q)) {
		if (q->op == JL_TALK_PUT || tell_found(q))
			tell(q, &(struct jl_talk){.type = JL_TALK_END, .id = q->id});
		end(q);
	} else if (status == 412 || (q->resumed && (status < 300 || status == 416))) {
		fail(q, status, JL_TALK_TEMPORARY, "it changed meanwhile");
	} else if (status == 304 && q->conditions.fetch) {
		fail(q, status, JL_TALK_UNCHANGED, "unchanged");
	} else if (status >= 300 && status < 400) {
		if (!follow(q))
			refuse_redirect(q, status);
	} else if ((status == 416 || status == 206) && begin_anew(q)) {
		return;
	} else {
		snprintf(text, sizeof(text), "HTTP %ld", status);
		fail(q, status, jl_transfer_kind(status), text);
	}
}

static void uploaded(void *ctx, const char *error, long status, enum jl_talk_error kind)
{
	struct jl_object *q = ctx;

	if (error) {
		fail(q, status, kind, error);
	} else {
		tell(q, &(struct jl_talk){.type = JL_TALK_END, .id = q->id});
		end(q);
	}
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

	if (q->resumed)
		jl_transfer_add(t, "If-Match", q->etag);
	else if (q->conditions.fetch)
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
		    : o->place->post          ? JL_TRANSFER_POST
					      : JL_TRANSFER_PUT;
	t->size = q->size;
	t->from = q->got = m->type == JL_TALK_GET ? m->size : 0;
	t->ca = o->place->ca;
	t->take = take_body;
	t->give = give_body;
	t->done = done;
	t->ctx = q;
	if (m->type == JL_TALK_GET) {
		jl_conditions_take(&q->conditions, m);
		path = jl_talk_setting(m, "path");
	}
	t->prepare = add_conditions;
	/* With a slash behind the base, no path leads to another server. */
	memcpy(q->name, m->name, m->name_len);
	jl_buf_printf(&url, "%s/", o->place->base);
	if (path)
		jl_buf_str(&url, path + (path[0] == '/'));
	else
		jl_buf_str(&url, q->name);
	if (m->type == JL_TALK_PUT && o->place->who.sign && q->size > JL_UPLOAD_MIN)
		q->upload = jl_upload_new(&o->uploads, url.data, q->size,
					  &(struct jl_upload_owner){.give = give_some, .done = uploaded, .ctx = q});
	else
		start(q, url.data);
	jl_buf_release(&url);
	free(path);
}

/* jl broke it off, or its own rules. */
static int drop(struct jl_object *q, const char *why)
{
	struct jl_serve *s = q->all->serve;
	const uint32_t id = q->id;

	end(q);
	return jl_serve_fail(s, id, JL_TALK_PERMANENT, "%s", why);
}

static void go_on(struct jl_object *q)
{
	if (q->upload)
		jl_upload_go_on(q->upload);
	else
		jl_transfer_go_on(&q->transfer);
}

static int take_end(struct jl_object *q)
{
	if (q->op != JL_TALK_PUT)
		return JL_ECORRUPT;
	if (q->got != q->size)
		return drop(q, "less came than was said");
	q->whole = true;
	go_on(q);
	return JL_OK;
}

static int take_data(struct jl_object *q, const struct jl_talk *m)
{
	if (q->op != JL_TALK_PUT)
		return JL_ECORRUPT;
	if (m->len > q->size - q->got)
		return drop(q, "more came than was said");
	if (jl_buf_add(&q->body, m->data, m->len) != JL_OK)
		return JL_ECORRUPT;
	q->got += m->len;
	go_on(q);
	return JL_OK;
}

static int take(struct jl_objects *o, const struct jl_talk *m)
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
	case JL_TALK_END: return take_end(q);
	case JL_TALK_CANCEL: return drop(q, "cancelled");
	default: return JL_ECORRUPT;
	}
}

/* Who waited to know who asks. */
static void turn_waiting(struct jl_objects *o)
{
	const char *fault;
	struct jl_object *q, *next;

	jl_place_turn(o->place, o->transport);
	fault = jl_place_fault(o->place);
	if (jl_place_is_ready(o->place))
		jl_uploads_turn(&o->uploads);
	else if (!fault)
		return;
	for (q = o->first; q; q = next) {
		next = q->next;
		if (jl_place_is_ready(o->place) && q->waits)
			start(q, q->url.data);
		else if (!jl_place_is_ready(o->place) && (q->waits || q->upload))
			fail(q, 0, JL_TALK_TEMPORARY, fault);
	}
}

int jl_objects_turn(struct jl_objects *o, struct jl_err *err)
{
	struct jl_talk m;
	int r = JL_OK;

	/* All that has come, with the hello perhaps: no descriptor tells of that. */
	while (r == JL_OK && (r = jl_serve_next(o->serve, false, &m, err)) == 1) {
		r = take(o, &m);
		if (r != JL_OK)
			jl_err_set(err, r, "cannot talk to jl");
	}
	if (r != JL_OK || o->serve->ended)
		return r;
	if (!jl_transport_work(o->transport))
		return jl_err_set(err, JL_EIO, "libcurl failed");
	turn_waiting(o); /* it may be known by now; what is begun goes on after no wait at all */
	return jl_serve_flush(o->serve) == JL_OK ? 1 : jl_err_set(err, JL_EIO, "cannot talk to jl");
}

int jl_objects_wait_ms(const struct jl_objects *o)
{
	const int64_t due = jl_uploads_due_ns(&o->uploads), left = due - jl_clock_system.now_ns(&jl_clock_system);

	if (!jl_place_is_ready(o->place))
		return LOGIN_MS;
	return left < 0 ? 0 : left < WAIT_MS * JL_NS_MS ? (int)(left / JL_NS_MS) + 1 : WAIT_MS;
}
