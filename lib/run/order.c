/* Output of jobs: groups, order, lines, tags. */
#include "run/order.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_MAX 16384u

void jl_order_init(struct jl_order *o, const struct jl_order_opts *opts)
{
	*o = (struct jl_order){.opts = *opts, .spill = JL_SPILL_INIT};
}

void jl_order_release(struct jl_order *o)
{
	for (uint32_t i = 0; i < o->cap; i++)
		if (o->waiting[i])
			o->opts.shown(o->opts.ctx, o->waiting[i]);
	free(o->waiting);
	o->waiting = NULL;
	o->cap = 0;
	jl_spill_release(&o->spill);
}

bool jl_order_full(const struct jl_order *o)
{
	return o->opts.how == JL_ORDER_INPUT && o->begun - o->next_turn >= AHEAD_MAX;
}

void jl_order_begin(struct jl_order *o, struct jl_order_job *job)
{
	job->turn = o->begun++;
	job->mid_line[0] = job->mid_line[1] = false;
}

/* ---- showing ---- */

struct showing {
	struct jl_order *order;
	struct jl_order_job *job;
	int stream;
};

static void put(const struct showing *s, const void *data, size_t len)
{
	s->order->opts.write(s->order->opts.ctx, s->job, s->stream, data, len);
}

/* Each line with its tag in front; a line may come in pieces. */
static void show(void *ctx, const void *data, size_t len)
{
	const struct showing *s = ctx;
	const char *tag = s->order->opts.tag ? s->order->opts.tag(s->order->opts.ctx, s->job) : NULL;
	bool *mid_line = &s->job->mid_line[s->stream - 1];
	const char *at = data, *end = at + len;
	if (!tag) {
		put(s, data, len);
		return;
	}
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline + 1 : end) - at);
		if (!*mid_line) {
			put(s, tag, strlen(tag));
			put(s, "\t", 1);
		}
		put(s, at, n);
		*mid_line = !newline;
		at += n;
	}
}

static int show_gathered(struct jl_order *o, struct jl_order_job *job, int stream, struct jl_err *err)
{
	struct showing s = {o, job, stream};
	if (jl_gather_empty(&job->out[stream - 1]))
		return JL_OK;
	return jl_gather_show(&job->out[stream - 1], &o->spill, show, &s, err);
}

/* Up to its last end of a line; the rest waits for the end of its own. */
static int add_lines(struct jl_order *o, struct jl_order_job *job, int stream, const char *data, size_t len,
		     struct jl_err *err)
{
	struct showing s = {o, job, stream};
	const char *newline = memrchr(data, '\n', len);
	size_t n = newline ? (size_t)(newline - data) + 1 : 0;
	int r = JL_OK;
	if (n > 0) {
		r = show_gathered(o, job, stream, err);
		show(&s, data, n);
	}
	if (r == JL_OK && n < len)
		r = jl_gather_add(&job->out[stream - 1], &o->spill, data + n, len - n, err);
	return r;
}

int jl_order_add(struct jl_order *o, struct jl_order_job *job, int stream, const void *data, size_t len,
		 struct jl_err *err)
{
	struct showing s = {o, job, stream};
	switch (o->opts.how) {
	case JL_ORDER_MIXED: show(&s, data, len); return JL_OK;
	case JL_ORDER_LINES: return add_lines(o, job, stream, data, len, err);
	default: return jl_gather_add(&job->out[stream - 1], &o->spill, data, len, err);
	}
}

static void drop(struct jl_order *o, struct jl_order_job *job)
{
	jl_gather_drop(&job->out[0], &o->spill, 1);
	jl_gather_drop(&job->out[1], &o->spill, 1);
}

void jl_order_again(struct jl_order *o, struct jl_order_job *job)
{
	drop(o, job);
	job->mid_line[0] = job->mid_line[1] = false;
}

static int show_job(struct jl_order *o, struct jl_order_job *job, struct jl_err *err)
{
	int r = show_gathered(o, job, 1, err), e = show_gathered(o, job, 2, r == JL_OK ? err : NULL);
	o->opts.shown(o->opts.ctx, job);
	return r == JL_OK ? e : r;
}

/* ---- the input's order ---- */

/* Room for a job so far ahead of the one that is next. */
static void make_room(struct jl_order *o, uint64_t ahead)
{
	uint32_t cap = o->cap ? o->cap : 64;
	while (cap <= ahead)
		cap *= 2;
	if (cap == o->cap)
		return;
	struct jl_order_job **waiting = jl_calloc(cap, sizeof(*waiting));
	for (uint32_t i = 0; i < o->cap; i++)
		if (o->waiting[i])
			waiting[o->waiting[i]->turn % cap] = o->waiting[i];
	free(o->waiting);
	o->waiting = waiting;
	o->cap = cap;
}

int jl_order_end(struct jl_order *o, struct jl_order_job *job, bool show_it, struct jl_err *err)
{
	int r = JL_OK;
	if (!show_it)
		drop(o, job);
	if (o->opts.how != JL_ORDER_INPUT)
		return show_job(o, job, err);
	if (job->turn != o->next_turn) {
		make_room(o, job->turn - o->next_turn);
		o->waiting[job->turn % o->cap] = job;
		r = jl_gather_park(&job->out[0], &o->spill, err);
		return r == JL_OK ? jl_gather_park(&job->out[1], &o->spill, err) : r;
	}
	while (job && r == JL_OK) {
		r = show_job(o, job, err);
		o->next_turn++;
		job = o->cap ? o->waiting[o->next_turn % o->cap] : NULL;
		if (job)
			o->waiting[o->next_turn % o->cap] = NULL;
	}
	return r;
}

void jl_order_job_release(struct jl_order_job *job)
{
	for (int i = 0; i < 2; i++) {
		jl_table_release(&job->out[i].extents);
		jl_buf_release(&job->out[i].buf);
	}
}
