/* Events as JSON lines. */
#include "report/ndjson.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"


static const char *const names[] = {
	[JL_EVENT_RUN_STARTED] = "run_started",
	[JL_EVENT_STEP_STARTED] = "step_started",
	[JL_EVENT_STEP_OUTPUT] = "step_output",
	[JL_EVENT_STEP_FINISHED] = "step_finished",
	[JL_EVENT_WARNING] = "warning",
	[JL_EVENT_FETCH] = "fetch",
	[JL_EVENT_REMOTE] = "remote",
	[JL_EVENT_HOST] = "host",
	[JL_EVENT_RUN_FINISHED] = "run_finished",
};

static void put_seconds(struct jl_json *j, const char *key, int64_t ns)
{
	jl_json_put_num(j, key, (double)ns / (double)JL_NS_S);
}

static void put_started(struct jl_json *j, const struct jl_event *e)
{
	jl_json_put_int(j, "attempt", e->attempt);
	jl_json_put_str(j, "executor", e->executor);
	jl_json_put_str(j, "host", e->host);
	jl_json_put_int(j, "pid", e->pid);
}

static void put_finished(struct jl_json *j, const struct jl_event *e)
{
	jl_json_put_str(j, "status", jl_step_status_name(e->status));
	jl_json_put_str(j, "key", e->key);
	jl_json_put_int(j, "exit", e->exit_code);
	jl_json_put_int(j, "signal", e->signal);
	put_seconds(j, "wall_s", e->wall_ns);
	put_seconds(j, "user_s", e->user_ns);
	put_seconds(j, "sys_s", e->sys_ns);
	jl_json_put_int(j, "max_rss", e->max_rss_kib * 1024);
	jl_json_put_str(j, "host", e->host);
	jl_json_put_int(j, "attempt", e->attempt);
	if (e->slot) {
		jl_json_put_int(j, "slot", e->slot);
		put_seconds(j, "began_s", e->began_ns);
	}
	jl_json_put_str(j, "waited_for", e->waited_for);
	jl_json_put_str(j, "reason", e->reason);
	if (e->status == JL_STEP_FAILED || e->status == JL_STEP_TIMEOUT) {
		jl_json_put_str(j, "command", e->command);
		jl_json_put_str(j, "log", e->log);
	}
	jl_json_key(j, "stored");
	jl_json_bool(j, e->stored);
}

static void put_totals(struct jl_json *j, const struct jl_event *e)
{
	const struct jl_counts *c = e->counts;

	jl_json_put_int(j, "ran", c->ran);
	jl_json_put_int(j, "fresh", c->fresh);
	jl_json_put_int(j, "restored", c->restored);
	jl_json_put_int(j, "failed", c->failed);
	jl_json_put_int(j, "skipped", c->skipped);
	if (c->would_run || c->would_restore || c->maybe) {
		jl_json_put_int(j, "would_run", c->would_run);
		jl_json_put_int(j, "would_restore", c->would_restore);
		jl_json_put_int(j, "maybe", c->maybe);
	}
	put_seconds(j, "wall_s", e->t_ns);
	put_seconds(j, "saved_s", c->saved_ns);
	if (e->end_signal)
		jl_json_put_int(j, "signal", e->end_signal);
}

static void put_fetch(struct jl_json *j, const struct jl_event *e)
{
	jl_json_put_str(j, "url", e->url);
	jl_json_put_str(j, "status", jl_fetch_status_name(e->fetch));
	jl_json_put_int(j, "bytes", (int64_t)e->bytes);
	if (e->total)
		jl_json_put_int(j, "size", (int64_t)e->total);
	put_seconds(j, "wall_s", e->wall_ns);
	jl_json_put_str(j, "reason", e->reason);
}

static void put_remote(struct jl_json *j, const struct jl_remote_counts *c)
{
	jl_json_put_str(j, "remote", c->name);
	jl_json_put_int(j, "hits", (int64_t)c->hits);
	jl_json_put_int(j, "misses", (int64_t)c->misses);
	jl_json_put_int(j, "refused", (int64_t)c->refused);
	jl_json_put_int(j, "no_answer", (int64_t)c->failed);
	jl_json_put_int(j, "sent", (int64_t)c->sent);
	jl_json_put_int(j, "unsent", (int64_t)c->unsent);
	jl_json_put_int(j, "bytes_in", (int64_t)c->bytes_in);
	jl_json_put_int(j, "bytes_out", (int64_t)c->bytes_out);
	put_seconds(j, "waited_s", c->waited_ns);
}

void jl_ndjson_add(struct jl_buf *out, const struct jl_event *e)
{
	struct jl_json j = {.out = out};

	jl_json_begin(&j, '{');
	jl_json_put_int(&j, "v", 1);
	put_seconds(&j, "t", e->t_ns);
	jl_json_put_str(&j, "event", names[e->type]);
	jl_json_put_str(&j, "step", e->step);
	if (e->seq)
		jl_json_put_int(&j, "seq", (int64_t)e->seq);
	switch (e->type) {
	case JL_EVENT_RUN_STARTED:
		jl_json_put_str(&j, "run", e->run_id);
		jl_json_put_int(&j, "steps", e->counts->total);
		jl_json_put_int(&j, "jobs", e->jobs);
		break;
	case JL_EVENT_STEP_STARTED:
		put_started(&j, e);
		break;
	case JL_EVENT_STEP_OUTPUT:
		jl_json_put_str(&j, "stream", e->stream == 1 ? "stdout" : "stderr");
		jl_json_key(&j, "text");
		jl_json_strn(&j, e->data, e->len);
		break;
	case JL_EVENT_STEP_FINISHED:
		put_finished(&j, e);
		break;
	case JL_EVENT_WARNING:
		jl_json_put_str(&j, "text", e->text);
		break;
	case JL_EVENT_FETCH:
		put_fetch(&j, e);
		break;
	case JL_EVENT_REMOTE:
		put_remote(&j, e->remote);
		break;
	case JL_EVENT_HOST:
		jl_json_put_str(&j, "executor", e->executor);
		jl_json_put_str(&j, "host", e->host);
		jl_json_put_str(&j, "state", e->text);
		if (e->reason)
			jl_json_put_str(&j, "reason", e->reason);
		break;
	case JL_EVENT_RUN_FINISHED:
		put_totals(&j, e);
		break;
	case JL_EVENT_PROGRESS:
	case JL_EVENT_PAUSED:
	case JL_EVENT_SCREEN:
		break;
	}
	jl_json_end(&j, '}');
	jl_buf_char(out, '\n');
}

/* A piece of at most JL_NDJSON_TEXT_MAX bytes that does not end within a character. */
static size_t piece_len(const char *text, size_t len)
{
	if (len <= JL_NDJSON_TEXT_MAX)
		return len;
	for (size_t back = 1; back <= 3; back++) {
		const size_t at = JL_NDJSON_TEXT_MAX - back;

		if (jl_utf8_len(text + at, len - at) > back)
			return at;
	}
	return JL_NDJSON_TEXT_MAX;
}

static void event(struct jl_sink *s, const struct jl_event *e)
{
	struct jl_ndjson *n = (struct jl_ndjson *)s;
	struct jl_event piece = *e;
	size_t left = e->type == JL_EVENT_STEP_OUTPUT ? e->len : 1;

	if (e->type >= JL_EVENT_PROGRESS)
		return; /* for displays */
	while (left) {
		piece.len = e->type == JL_EVENT_STEP_OUTPUT ? piece_len(piece.data, left) : left;
		jl_ndjson_add(&n->out.buf, &piece);
		jl_out_spill(&n->out);
		piece.data = piece.data ? (const char *)piece.data + piece.len : NULL;
		left -= piece.len;
	}
	/* A no-op of 100,000 steps must not cost as many writes; whoever follows wants all else at once. */
	if (e->type != JL_EVENT_STEP_FINISHED || e->status != JL_STEP_FRESH)
		jl_out_flush(&n->out);
}

void jl_ndjson_init(struct jl_ndjson *n, int fd)
{
	*n = (struct jl_ndjson){.sink = {.event = event}, .out = JL_OUT_INIT(fd)};
}

void jl_ndjson_release(struct jl_ndjson *n)
{
	jl_out_release(&n->out);
}
