/* See upload.h. */
#include "http/upload.h"

#include "base/clock.h"
#include "digest/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART       ((uint64_t)8 << 20) /* bytes of one; S3 takes 5 MiB at least */
#define PARTS_MAX  10000u              /* S3 takes no more: larger objects have larger parts */
#define ANSWER_MAX ((size_t)64 << 10)
#define TRIES      3u
#define RUNNING    4u
#define DELAY_NS   (100 * JL_NS_MS) /* before the second try; four times that before the third */

enum state { BEGIN, PARTS, COMPLETE, ABORT, OVER };

struct jl_upload {
	struct jl_upload *next;
	struct jl_uploads *all;
	struct jl_upload_owner owner;
	bool dropped;
	enum state state;
	struct jl_transfer transfer;
	bool asking; /* the transfer runs */
	char *url;
	uint64_t size, at;   /* of the object; how much of it was put */
	char *id;            /* what the store calls the upload, as it stands in a URL; NULL: it is not begun */
	struct jl_buf parts; /* those that are put, as COMPLETE names them */
	unsigned n_parts;
	char *part;
	size_t part_size, part_len;
	struct jl_buf body; /* of the request, if it is no part */
	size_t sent;        /* of the body or the part */
	struct jl_buf answer;
	unsigned tries;
	int64_t due_ns; /* of the next try */
	/* What went wrong. */
	char error[300];
	long status;
	enum jl_talk_error kind;
};

struct jl_upload *jl_upload_new(struct jl_uploads *all, const char *url, uint64_t size,
				const struct jl_upload_owner *owner)
{
	struct jl_upload *u = jl_calloc(1, sizeof(*u));
	const uint64_t least = (size + PARTS_MAX - 1) / PARTS_MAX;

	*u = (struct jl_upload){.next = all->first,
				.all = all,
				.owner = *owner,
				.url = jl_strdup(url),
				.size = size,
				.parts = JL_BUF_INIT,
				.part_size = least > PART ? least : PART,
				.body = JL_BUF_INIT,
				.due_ns = JL_FOREVER};
	jl_buf_init(&u->answer, ANSWER_MAX);
	all->first = u;
	return u;
}

static void free_one(struct jl_upload *u)
{
	jl_transfer_release(&u->transfer);
	jl_buf_release(&u->parts);
	jl_buf_release(&u->body);
	jl_buf_release(&u->answer);
	free(u->part);
	free(u->url);
	free(u->id);
	free(u);
}

/* ---- requests ---- */

static ssize_t give(struct jl_transfer *t, void *room, size_t len)
{
	struct jl_upload *u = t->ctx;
	const char *from = u->state == PARTS ? u->part : u->body.data;
	const size_t left = (u->state == PARTS ? u->part_len : u->body.len) - u->sent;

	if (len > left)
		len = left;
	memcpy(room, from + u->sent, len);
	u->sent += len;
	return (ssize_t)len;
}

static bool take(struct jl_transfer *t, const void *data, size_t len)
{
	struct jl_upload *u = t->ctx;

	(void)!jl_buf_add(&u->answer, data, len); /* what is too long is no answer */
	return true;
}

static void done(struct jl_transfer *t, const char *error, enum jl_talk_error kind);

/* What the state wants to be asked. */
static void ask(struct jl_upload *u)
{
	const void *bytes = u->state == PARTS ? u->part : u->body.data;
	const size_t len = u->state == PARTS ? u->part_len : u->body.len;
	struct jl_buf url = JL_BUF_INIT;
	struct jl_digest digest;
	char hex[2 * JL_DIGEST_MAX + 1];

	/* The names in it are in order: they are signed as they stand. */
	if (u->state == BEGIN)
		jl_buf_printf(&url, "%s?uploads=", u->url);
	else if (u->state == PARTS)
		jl_buf_printf(&url, "%s?partNumber=%u&uploadId=%s", u->url, u->n_parts + 1, u->id);
	else
		jl_buf_printf(&url, "%s?uploadId=%s", u->url, u->id);
	jl_digest_bytes_as(JL_DIGEST_SHA256, bytes, len, &digest);
	u->transfer.method = u->state == PARTS   ? JL_TRANSFER_PUT
			     : u->state == ABORT ? JL_TRANSFER_DELETE
						 : JL_TRANSFER_POST;
	u->transfer.size = len;
	u->transfer.who = jl_place_who(u->all->place, u->url);
	u->transfer.ca = u->all->place->ca;
	u->transfer.digest = jl_digest_hex(&digest, hex);
	u->transfer.take = take;
	u->transfer.give = give;
	u->transfer.done = done;
	u->transfer.ctx = u;
	u->sent = 0;
	u->tries++;
	u->asking = true;
	u->due_ns = JL_FOREVER;
	jl_buf_clear(&u->answer);
	jl_transfer_start(u->all->transport, &u->transfer, url.data);
	jl_buf_release(&url);
}

static void over(struct jl_upload *u, bool good)
{
	u->state = OVER;
	u->due_ns = JL_FOREVER;
	if (!u->dropped)
		(*u->owner.done)(u->owner.ctx, good ? NULL : u->error, u->status, u->kind);
}

static void enter(struct jl_upload *u, enum state state)
{
	u->state = state;
	u->tries = 0;
	jl_buf_clear(&u->body);
}

/* It will not be put: no part of it may stay. */
static void give_up(struct jl_upload *u)
{
	if (u->asking)
		jl_transfer_release(&u->transfer);
	u->asking = false;
	if (!u->id) {
		over(u, false);
		return;
	}
	enter(u, ABORT);
	ask(u);
}

/* ---- answers ---- */

/* "<NAME>VALUE</NAME>", as it may stand in a URL. NULL: not there. */
static char *value_of(const char *xml, const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	char tag[40];
	const char *at, *end;
	struct jl_buf b = JL_BUF_INIT;

	snprintf(tag, sizeof(tag), "<%s>", name);
	at = strstr(xml, tag);
	if (!at)
		return NULL;
	at += strlen(tag);
	end = strchr(at, '<');
	if (!end || end == at)
		return NULL;
	for (; at < end; at++) {
		if (strchr(plain, *at))
			jl_buf_char(&b, *at);
		else
			jl_buf_printf(&b, "%%%02X", (unsigned char)*at);
	}
	return jl_buf_detach(&b, NULL);
}

/* What it says is what was wanted. false: it is not. */
static bool take_answer(struct jl_upload *u)
{
	const char *etag;

	switch (u->state) {
	case BEGIN:
		u->id = value_of(u->answer.data, "UploadId");
		if (!u->id)
			return false;
		enter(u, PARTS);
		jl_upload_go_on(u);
		return true;
	case PARTS:
		etag = jl_transfer_header(&u->transfer, "ETag");
		if (!etag || strpbrk(etag, "<&"))
			return false;
		jl_buf_printf(&u->parts, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", ++u->n_parts, etag);
		u->at += u->part_len;
		u->part_len = 0;
		u->tries = 0;
		jl_upload_go_on(u);
		return true;
	case COMPLETE:
		/* It begins to answer before it knows. */
		if (!strstr(u->answer.data, "CompleteMultipartUploadResult"))
			return false;
		over(u, true);
		return true;
	default: over(u, false); return true;
	}
}

static void done(struct jl_transfer *t, const char *error, enum jl_talk_error kind)
{
	struct jl_upload *u = t->ctx;
	const long status = jl_transfer_status(t);
	int64_t delay = DELAY_NS;

	u->asking = false;
	if (!error && status >= 200 && status < 300 && take_answer(u))
		return;
	if (!error)
		kind = status < 300 ? JL_TALK_TEMPORARY : jl_transfer_kind(status);
	if (u->state != ABORT) {
		u->kind = kind;
		u->status = error ? 0 : status;
		if (error)
			snprintf(u->error, sizeof(u->error), "%s", error);
		else
			snprintf(u->error, sizeof(u->error), "HTTP %ld", status);
	}
	if (kind == JL_TALK_TEMPORARY && u->tries < TRIES) {
		for (unsigned i = 1; i < u->tries; i++)
			delay *= 4;
		u->due_ns = jl_clock_system.now_ns(&jl_clock_system) + delay;
	} else if (u->state == ABORT) {
		over(u, false);
	} else {
		/* What was forgotten meanwhile may be begun anew. */
		u->kind = status == 404 ? JL_TALK_TEMPORARY : u->kind;
		give_up(u);
	}
}

/* ---- what the owner says ---- */

void jl_upload_go_on(struct jl_upload *u)
{
	if (u->state != PARTS || u->asking || u->due_ns != JL_FOREVER)
		return;
	if (u->at == u->size) {
		enter(u, COMPLETE);
		jl_buf_printf(&u->body, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", u->parts.data);
		ask(u);
		return;
	}
	if (!u->part)
		u->part = jl_alloc_pages(u->part_size);
	while (u->part_len < u->part_size && u->at + u->part_len < u->size) {
		size_t n = (*u->owner.give)(u->owner.ctx, u->part + u->part_len, u->part_size - u->part_len);

		if (n == 0)
			return;
		u->part_len += n;
	}
	ask(u);
}

void jl_upload_drop(struct jl_upload *u)
{
	u->dropped = true;
	if (u->state < ABORT)
		give_up(u);
}

/* ---- all of them ---- */

void jl_uploads_turn(struct jl_uploads *all)
{
	const int64_t now = jl_clock_system.now_ns(&jl_clock_system);
	struct jl_upload **at = &all->first, *u;
	unsigned running = 0;

	while ((u = *at)) {
		if (u->state == OVER && u->dropped) {
			*at = u->next;
			free_one(u);
			continue;
		}
		running += u->state != OVER && (u->state != BEGIN || u->tries);
		at = &u->next;
	}
	for (u = all->first; u; u = u->next) {
		const bool begins = u->state == BEGIN && !u->tries && running < RUNNING;

		running += begins;
		if (begins || u->due_ns <= now)
			ask(u);
	}
}

int64_t jl_uploads_due_ns(const struct jl_uploads *all)
{
	int64_t due = JL_FOREVER;

	for (const struct jl_upload *u = all->first; u; u = u->next)
		if (u->due_ns < due)
			due = u->due_ns;
	return due;
}

void jl_uploads_release(struct jl_uploads *all, int ms)
{
	const int64_t until = jl_clock_system.now_ns(&jl_clock_system) + ms * JL_NS_MS;
	struct jl_upload *u;

	for (jl_uploads_turn(all); all->first; jl_uploads_turn(all)) {
		const int64_t left = until - jl_clock_system.now_ns(&jl_clock_system);

		if (left <= 0 || !jl_transport_work(all->transport))
			break;
		jl_transport_wait(all->transport, NULL, 0, 10);
	}
	while ((u = all->first)) {
		all->first = u->next;
		free_one(u);
	}
}
