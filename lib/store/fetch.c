/* One key brought from the first remote that has it into the local store: its envelope, then the contents that are objects of
 * their own and not here yet, then the record, which makes it a result. */
#include "base/clock.h"
#include "base/file.h"
#include "store/tier_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOBS_AT_ONCE 16u
#define STEP          ((size_t)32 << 10)

struct fetch {
	struct jl_peer_call call; /* first */
	struct jl_tier *t;
	struct jl_tier_ask *ask;
	uint32_t slot;
	struct jl_buf bytes;
	struct jl_envelope env;
	bool has_env;
	uint32_t next_blob, n_open;
	int status; /* of the contents: the first that is not JL_OK */
	struct jl_err err;
};

struct part {                       /* a content under way */
	struct jl_peer_call call; /* first */
	struct fetch *f;
	const struct jl_envelope_blob *blob;
	int fd;
};

static void try_next(struct fetch *f);

static struct jl_tier_slot *slot_of(const struct fetch *f)
{
	return f->t->at[f->slot];
}

static void waits(struct jl_tier_slot *s, bool begins)
{
	const int64_t now = jl_clock_system.now_ns(&jl_clock_system);

	if (begins && s->asking++ == 0)
		s->since_ns = now;
	if (!begins && --s->asking == 0)
		s->waited_ns += now - s->since_ns;
}

static void end(struct fetch *f, bool found)
{
	jl_tier_answer(f->t, f->ask, found);
	jl_tier_buf_back(f->t, &f->bytes);
	if (f->has_env)
		jl_envelope_release(&f->env);
	free(f);
}

/* This remote is done with; it was a hit, or the next one is asked. */
static void settle(struct fetch *f, int status, const struct jl_err *err)
{
	struct jl_tier_slot *s = slot_of(f);

	waits(s, false);
	if (status == JL_OK) {
		s->hits++;
		jl_tier_offer_to(f->t, &f->ask->key, f->slot);
		end(f, true);
		return;
	}
	if (status == JL_ENOTFOUND)
		s->misses++;
	else if (status == JL_EINVAL || status == JL_ECORRUPT || status == JL_ECHANGED || status == JL_ELIMIT ||
		 status == JL_EUNSUPPORTED)
		jl_tier_refused(f->t, s, err->text);
	else
		jl_tier_failed(f->t, s, status, err);
	f->slot++;
	try_next(f);
}

/* ---- contents ---- */

static void part_restart(struct jl_peer_call *c)
{
	struct part *p = (struct part *)c;

	if (p->fd < 0)
		p->fd = jl_file_nameless(getenv("TMPDIR"));
	else if (ftruncate(p->fd, 0) == 0)
		lseek(p->fd, 0, SEEK_SET);
}

static int part_data(struct jl_peer_call *c, const void *data, size_t len, struct jl_err *err)
{
	return jl_file_write_all(&jl_io_system, ((struct part *)c)->fd, data, len, err);
}

static void next_parts(struct fetch *f);

static void part_done(struct jl_peer_call *c, int status, const struct jl_err *err)
{
	struct part *p = (struct part *)c;
	struct fetch *f = p->f;
	struct jl_err local = err ? *err : (struct jl_err)JL_ERR_INIT;

	if (status == JL_OK)
		status = f->t->local->ops->put_blob(f->t->local, &p->blob->digest, p->blob->size, p->fd, &local);
	if (status == JL_ECHANGED)
		jl_err_set(&local, status, "a content is not what its digest says");
	if (status != JL_OK && f->status == JL_OK) {
		f->status = status;
		f->err = local;
	}
	if (p->fd >= 0)
		close(p->fd);
	free(p);
	f->n_open--;
	next_parts(f);
}

static void begin_part(struct fetch *f, const struct jl_envelope_blob *b)
{
	struct part *p = jl_calloc(1, sizeof(*p));

	p->f = f;
	p->blob = b;
	p->fd = -1;
	p->call.op = JL_TALK_GET;
	p->call.size = b->size;
	p->call.restart = part_restart;
	p->call.data = part_data;
	p->call.done = part_done;
	jl_tier_name(slot_of(f), "cas", &b->digest, p->call.name);
	f->n_open++;
	jl_peer_start(&slot_of(f)->remote, &p->call);
}

/* What the local store has found out by itself stays beside what comes. */
static int put_list(struct fetch *f)
{
	struct jl_store *local = f->t->local;
	struct jl_buf old = JL_BUF_INIT, both = JL_BUF_INIT;
	const void *record = f->env.record;
	size_t len = f->env.record_len;
	int status = local->ops->get_record(local, &f->ask->key, &old, NULL);

	if (status == JL_OK)
		status = f->t->records->merge(record, len, old.data, old.len, &both);
	if (status == JL_OK) {
		record = both.data;
		len = both.len;
	}
	if (status != JL_ENOTFOUND || !old.len)
		status = local->ops->put_record(local, &f->ask->key, record, len, &f->err);
	else /* it has all of it already */
		status = local->ops->use_record ? local->ops->use_record(local, &f->ask->key, &f->err) : JL_OK;
	jl_buf_release(&old);
	jl_buf_release(&both);
	return status;
}

/* The blobs are there: now the record counts. Who asked for it will use it. */
static void finish(struct fetch *f)
{
	struct jl_store *local = f->t->local;

	if (f->status == JL_OK && jl_tier_is_list(f->t, f->env.record, f->env.record_len))
		f->status = put_list(f);
	else if (f->status == JL_OK)
		f->status = local->ops->put_record(local, &f->ask->key, f->env.record, f->env.record_len, &f->err);
	if (f->status == JL_OK && local->ops->keep_record)
		local->ops->keep_record(local, &f->ask->key);
	settle(f, f->status, &f->err);
}

/* f may be gone afterwards. */
static void next_parts(struct fetch *f)
{
	struct jl_store *local = f->t->local;

	f->n_open++; /* a call that ends at once must not end this */
	while (f->status == JL_OK && f->next_blob < f->env.blobs.len && f->n_open <= BLOBS_AT_ONCE) {
		const struct jl_envelope_blob *b = JL_AT(f->env.blobs, struct jl_envelope_blob, f->next_blob++);

		if (!b->bytes && local->ops->has_blob(local, &b->digest, NULL) == 1)
			continue;
		if (!b->bytes) {
			begin_part(f, b);
			continue;
		}
		f->status = local->ops->put_bytes(local, &b->digest, b->bytes, (size_t)b->size, &f->err);
		if (f->status == JL_ECHANGED)
			jl_err_set(&f->err, f->status, "a content is not what its digest says");
	}
	if (--f->n_open == 0)
		finish(f);
}

/* ---- the envelope ---- */

/* Each blob that the record names stands in it, and is named as securely as the key. */
static int check_blobs(const struct fetch *f, struct jl_err *err)
{
	struct jl_table named = JL_TABLE_INIT(struct jl_envelope_blob);
	int status = JL_OK;

	f->t->records->contents_of(f->env.record, f->env.record_len, &named);
	for (uint32_t i = 0; i < named.len && status == JL_OK; i++) {
		const struct jl_envelope_blob *n = JL_AT(named, struct jl_envelope_blob, i);
		bool there = false;

		/* Both are in the same order unless somebody wrote it otherwise. */
		for (uint32_t k = 0; k < f->env.blobs.len && !there; k++) {
			const struct jl_envelope_blob *b = JL_AT(f->env.blobs, struct jl_envelope_blob,
								 (i + k) % f->env.blobs.len);

			there = jl_digest_equal(&b->digest, &n->digest) && b->size == n->size;
		}
		if (!there || n->digest.algo != f->ask->key.algo)
			status = jl_err_set(err, JL_ECORRUPT, "it is not whole");
	}
	jl_table_release(&named);
	return status;
}

static void got_envelope(struct jl_peer_call *c, int status, const struct jl_err *error)
{
	struct fetch *f = (struct fetch *)c;
	struct jl_tier_slot *s = slot_of(f);
	struct jl_err err = error ? *error : (struct jl_err)JL_ERR_INIT;

	if (status == JL_OK) {
		status = jl_envelope_read(f->bytes.data, f->bytes.len, &f->env, &err);
		f->has_env = status == JL_OK;
	}
	if (status == JL_OK)
		status = jl_envelope_check(&f->env, f->bytes.data, &f->ask->key, s->group, &s->keys, &err);
	if (status == JL_OK)
		status = check_blobs(f, &err);
	if (status != JL_OK) {
		settle(f, status, &err);
		return;
	}
	f->status = JL_OK;
	f->next_blob = f->n_open = 0;
	next_parts(f);
}

static void restart(struct jl_peer_call *c)
{
	jl_buf_clear(&((struct fetch *)c)->bytes);
}

static int take(struct jl_peer_call *c, const void *data, size_t len, struct jl_err *err)
{
	struct fetch *f = (struct fetch *)c;
	struct jl_buf *b = &f->bytes;
	char *room;
	int r = JL_OK;

	if (b->cap == 0)
		*b = jl_tier_buf(f->t, JL_ENVELOPE_MAX);

	/* What is said of the size is not believed beyond what most have. In steps, so that one serves for the next. */
	if (b->len == 0 && c->found <= 2 * JL_ENVELOPE_SMALL)
		r = jl_buf_reserve(b, (size_t)c->found | (STEP - 1), &room);
	if (r == JL_OK)
		r = jl_buf_add(b, data, len);
	return r == JL_OK ? r : jl_err_set(err, r, "it is too long");
}

static void try_next(struct fetch *f)
{
	if (f->has_env)
		jl_envelope_release(&f->env);
	f->has_env = false;
	while (f->slot < f->t->n && !(slot_of(f)->reads && jl_tier_takes(slot_of(f), &f->ask->key)))
		f->slot++;
	if (f->slot == f->t->n) {
		end(f, false);
		return;
	}
	f->call = (struct jl_peer_call){
		.op = JL_TALK_GET, .size = JL_ENVELOPE_MAX, .restart = restart, .data = take, .done = got_envelope};
	jl_tier_name(slot_of(f), "ac", &f->ask->key, f->call.name);
	waits(slot_of(f), true);
	jl_peer_start(&slot_of(f)->remote, &f->call);
}

void jl_tier_fetch(struct jl_tier *t, struct jl_tier_ask *ask)
{
	struct fetch *f = jl_calloc(1, sizeof(*f));

	f->t = t;
	f->ask = ask;
	jl_buf_init(&f->bytes, JL_ENVELOPE_MAX);
	try_next(f);
}
