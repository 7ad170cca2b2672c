/* One result brought from the local store to each remote that is written to: the contents that are objects of their own and not
 * there yet, one after the other, then its envelope. */
#include "base/file.h"
#include "store/tier_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOT_INSIDE SIZE_MAX

struct sending {
	struct jl_peer_call call; /* first */
	struct jl_tier *t;
	struct jl_tier_offer offer;
	uint32_t slot, blob;
	struct jl_buf theirs; /* of a list: the envelope that is there */
	struct jl_buf record, bytes; /* bytes: small contents one after the other, then the envelope behind them */
	struct jl_table blobs;       /* struct jl_envelope_blob */
	struct jl_table inside;      /* size_t by blob: where it is in `bytes`, or NOT_INSIDE */
	size_t envelope_at;
	int fd;   /* of the content that is sent */
	bool all; /* nothing failed so far */
};

static void next_slot(struct sending *s);
static void next_blob(struct sending *s);

static struct jl_tier_slot *slot_of(const struct sending *s)
{
	return s->t->at[s->slot];
}

static void end(struct sending *s)
{
	jl_tier_sent(s->t, s->all);
	if (s->fd >= 0)
		close(s->fd);
	jl_buf_release(&s->record);
	jl_buf_release(&s->bytes);
	jl_buf_release(&s->theirs);
	jl_table_release(&s->blobs);
	jl_table_release(&s->inside);
	free(s);
}

static void settle(struct sending *s, int status, const struct jl_err *err)
{
	struct jl_tier_slot *to = slot_of(s);

	if (status == JL_OK) {
		to->sent++;
	} else if (s->call.op == JL_TALK_PUT && status == JL_EINVAL) {
		/* Who may not write there now may not later: the others are spared the trouble. */
		to->unsent++;
		if (!to->denied)
			jl_tier_warn(s->t, "remote \"%s\": a result was not stored there: %.700s; nothing more is sent to it",
				     to->remote.name, err->text);
		to->denied = true;
	} else {
		to->unsent++;
		s->all = false;
		if (status != JL_EBUSY && !to->told)
			jl_tier_warn(s->t, "remote \"%s\": a result was not stored there: %.700s", to->remote.name,
				     err->text);
		to->told |= status != JL_EBUSY;
	}
	s->slot++;
	next_slot(s);
}

static void start(struct sending *s, enum jl_talk_type op, const char *kind, const struct jl_digest *d, uint64_t size,
		  ssize_t (*more)(struct jl_peer_call *c, uint64_t at, void *room, size_t len, struct jl_err *err),
		  void (*done)(struct jl_peer_call *c, int status, const struct jl_err *err))
{
	s->call = (struct jl_peer_call){.op = op, .size = size, .more = more, .done = done};
	jl_tier_name(slot_of(s), kind, d, s->call.name);
	jl_peer_start(&slot_of(s)->remote, &s->call);
}

static bool is_inside(const struct sending *s, uint32_t blob)
{
	return *JL_AT(s->inside, size_t, blob) != NOT_INSIDE;
}

/* ---- the envelope ---- */

static ssize_t envelope_bytes(struct jl_peer_call *c, uint64_t at, void *room, size_t len, struct jl_err *err)
{
	const struct sending *s = (struct sending *)c;

	(void)err;
	memcpy(room, s->bytes.data + s->envelope_at + at, len);
	return (ssize_t)len;
}

static void envelope_done(struct jl_peer_call *c, int status, const struct jl_err *err)
{
	settle((struct sending *)c, status, err);
}

static void send_envelope(struct sending *s, const struct jl_buf *record)
{
	struct jl_envelope env = {.key = s->offer.key,
				  .group = slot_of(s)->group,
				  .record = record->data,
				  .record_len = record->len,
				  .blobs = JL_TABLE_INIT(struct jl_envelope_blob)};
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	int status;

	for (uint32_t i = 0; i < s->blobs.len; i++) {
		struct jl_envelope_blob *b = jl_table_add(&env.blobs, 1);

		*b = *JL_AT(s->blobs, struct jl_envelope_blob, i);
		if (is_inside(s, i))
			b->bytes = s->bytes.data + *JL_AT(s->inside, size_t, i);
	}
	status = jl_envelope_write(&env, &slot_of(s)->keys, &out, &err);
	jl_table_release(&env.blobs);
	if (status == JL_OK) {
		jl_buf_truncate(&s->bytes, s->envelope_at);
		status = jl_buf_add(&s->bytes, out.data, out.len);
	}
	if (status == JL_OK)
		start(s, JL_TALK_PUT, "ac", &s->offer.key, out.len, envelope_bytes, envelope_done);
	else
		settle(s, status, &err);
	jl_buf_release(&out);
}

/* ---- a list is merged with the one that is there ---- */

static void again(struct jl_peer_call *c)
{
	jl_buf_clear(&((struct sending *)c)->theirs);
}

static int take(struct jl_peer_call *c, const void *data, size_t len, struct jl_err *err)
{
	int r = jl_buf_add(&((struct sending *)c)->theirs, data, len);

	return r == JL_OK ? r : jl_err_set(err, r, "it is too long");
}

/* What others put there at this moment may get lost: a miss, no more. */
static void got_theirs(struct jl_peer_call *c, int status, const struct jl_err *err)
{
	struct sending *s = (struct sending *)c;
	const struct jl_tier_slot *to = slot_of(s);
	struct jl_buf both = JL_BUF_INIT;
	struct jl_envelope env;
	bool has_all = false;

	if (status == JL_EBUSY) {
		settle(s, status, err);
		return;
	}
	if (status == JL_OK)
		status = jl_envelope_read(s->theirs.data, s->theirs.len, &env, NULL);
	if (status == JL_OK) {
		status = jl_envelope_check(&env, s->theirs.data, &s->offer.key, to->group, &to->keys, NULL);
		if (status == JL_OK)
			status = s->t->records->merge(s->record.data, s->record.len, env.record, env.record_len, &both);
		jl_envelope_release(&env);
		has_all = status == JL_ENOTFOUND;
	}
	if (has_all)
		settle(s, JL_OK, NULL);
	else
		send_envelope(s, status == JL_OK ? &both : &s->record);
	jl_buf_release(&both);
}

static void get_theirs(struct sending *s)
{
	s->call = (struct jl_peer_call){
		.op = JL_TALK_GET, .size = JL_ENVELOPE_MAX, .restart = again, .data = take, .done = got_theirs};
	jl_tier_name(slot_of(s), "ac", &s->offer.key, s->call.name);
	jl_peer_start(&slot_of(s)->remote, &s->call);
}

/* ---- contents ---- */

static const struct jl_envelope_blob *blob_of(const struct sending *s)
{
	return JL_AT(s->blobs, struct jl_envelope_blob, s->blob);
}

static ssize_t content_bytes(struct jl_peer_call *c, uint64_t at, void *room, size_t len, struct jl_err *err)
{
	ssize_t n = pread(((struct sending *)c)->fd, room, len, (off_t)at);

	return n < 0 ? jl_err_sys(err, errno, "cannot read a content again") : n;
}

static void content_done(struct jl_peer_call *c, int status, const struct jl_err *err)
{
	struct sending *s = (struct sending *)c;

	close(s->fd);
	s->fd = -1;
	s->blob++;
	if (status == JL_OK)
		next_blob(s);
	else
		settle(s, status, err);
}

static void looked(struct jl_peer_call *c, int status, const struct jl_err *err)
{
	struct sending *s = (struct sending *)c;
	const struct jl_envelope_blob *b = blob_of(s);
	struct jl_err local = JL_ERR_INIT;

	if (status == JL_OK && c->found == b->size) {
		s->blob++;
		next_blob(s);
		return;
	}
	/* Some stores do not tell what is not there to those who may not list. */
	if (status != JL_OK && status != JL_ENOTFOUND && status != JL_EINVAL) {
		settle(s, status, err);
		return;
	}
	s->fd = jl_file_nameless(getenv("TMPDIR"));
	if (s->fd < 0)
		status = jl_err_sys(&local, errno, "cannot make a temporary file");
	else
		status = s->t->local->ops->get_blob(s->t->local, &b->digest, b->size, s->fd, &local);
	if (status == JL_OK)
		start(s, JL_TALK_PUT, "cas", &b->digest, b->size, content_bytes, content_done);
	else
		settle(s, JL_EIO, &local);
}

static void next_blob(struct sending *s)
{
	while (s->blob < s->blobs.len && is_inside(s, s->blob))
		s->blob++;
	if (s->blob == s->blobs.len && jl_tier_is_list(s->t, s->record.data, s->record.len))
		get_theirs(s);
	else if (s->blob == s->blobs.len)
		send_envelope(s, &s->record);
	else
		start(s, JL_TALK_HEAD, "cas", &blob_of(s)->digest, 0, NULL, looked);
}

static void next_slot(struct sending *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->blob = 0;
	while (s->slot < s->offer.n &&
	       !(slot_of(s)->writes && !slot_of(s)->denied && jl_tier_takes(slot_of(s), &s->offer.key)))
		s->slot++;
	if (s->slot == s->offer.n)
		end(s);
	else
		next_blob(s);
}

/* Small contents go into the envelope. */
static int read_small(struct sending *s, struct jl_err *err)
{
	struct jl_store *local = s->t->local;
	int status = JL_OK;

	for (uint32_t i = 0; i < s->blobs.len && status == JL_OK; i++) {
		const struct jl_envelope_blob *b = JL_AT(s->blobs, struct jl_envelope_blob, i);
		size_t *inside = jl_table_add(&s->inside, 1);
		char *to;
		int fd;

		*inside = NOT_INSIDE;
		if (b->size > JL_ENVELOPE_SMALL || b->size + s->bytes.len > JL_ENVELOPE_INSIDE)
			continue;
		fd = memfd_create("content", MFD_CLOEXEC);
		if (fd < 0)
			return jl_err_sys(err, errno, "cannot make a file in memory");
		status = local->ops->get_blob(local, &b->digest, b->size, fd, err);
		if (status == JL_OK)
			status = jl_buf_reserve(&s->bytes, (size_t)b->size, &to);
		if (status == JL_OK && pread(fd, to, (size_t)b->size, 0) != (ssize_t)b->size)
			status = JL_EIO;
		if (status == JL_OK) {
			*inside = s->bytes.len;
			s->bytes.len += (size_t)b->size;
		}
		close(fd);
	}
	s->envelope_at = s->bytes.len;
	return status;
}

void jl_tier_send(struct jl_tier *t, const struct jl_tier_offer *offer)
{
	struct sending *s = jl_calloc(1, sizeof(*s));
	struct jl_err err = JL_ERR_INIT;
	int status;

	*s = (struct sending){.t = t,
			      .offer = *offer,
			      .record = JL_BUF_INIT,
			      .theirs = JL_BUF_INIT,
			      .bytes = JL_BUF_INIT,
			      .blobs = JL_TABLE_INIT(struct jl_envelope_blob),
			      .inside = JL_TABLE_INIT(size_t),
			      .fd = -1,
			      .all = true};
	status = t->local->ops->get_record(t->local, &offer->key, &s->record, &err);
	if (status == JL_OK) {
		t->records->contents_of(s->record.data, s->record.len, &s->blobs);
		status = read_small(s, &err);
	}
	if (status == JL_OK) {
		next_slot(s);
		return;
	}
	/* It went before its turn came; or cannot be read, which the store has told. */
	s->all = false;
	end(s);
}
