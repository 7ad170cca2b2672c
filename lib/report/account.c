/* From lines of events to what happened: see account.h. */
#include "report/account.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LEN ((size_t)4 << 20)
#define OUTPUT_MAX   ((size_t)16 << 10)
#define OUTPUTS_MAX  500u

/* ---- reading members ---- */

static uint32_t add_text(struct jl_account *a, const char *s, size_t len)
{
	if (a->text.len == 0)
		jl_text_add(&a->text, "", 0);
	/* A NUL would end it: nothing but an output may hold one, and outputs are no texts. */
	return len ? jl_text_add(&a->text, s, strnlen(s, len)) : 0;
}

static uint32_t text_of(struct jl_account *a, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? add_text(a, json_string_value(v), json_string_length(v)) : 0;
}

static int64_t int_of(const json_t *o, const char *key, int64_t max)
{
	const json_t *v = json_object_get(o, key);
	const int64_t n = json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;

	return n < 0 ? 0 : n > max ? max : n;
}

static uint32_t count_of(const json_t *o, const char *key)
{
	return (uint32_t)int_of(o, key, UINT32_MAX - 1);
}

/* Seconds to nanoseconds; nothing lasts longer than 100 years. */
static int64_t ns_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	const double s = json_is_number(v) ? json_number_value(v) : 0;

	return s > 0 ? (int64_t)((s < 3e9 ? s : 3e9) * 1e9 + 0.5) : 0;
}

/* ---- steps ---- */

static const char *ident_of(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_account *a = owner;
	const char *s = jl_account_text(a, jl_account_step(a, index)->ident);

	*ret_len = strlen(s);
	return s;
}

/* The jobs of a map may have equal names. */
static void show_ident(struct jl_buf *out, const char *name, uint64_t seq)
{
	jl_buf_printf(out, "%llu ", (unsigned long long)seq);
	jl_buf_str(out, name);
}

/* The step that an event is about, added if it is new. */
static struct jl_account_step *step_of(struct jl_account *a, const json_t *o)
{
	const json_t *v = json_object_get(o, "step");
	const char *name = json_is_string(v) ? json_string_value(v) : "";
	const uint64_t seq = (uint64_t)int_of(o, "seq", INT64_MAX);
	struct jl_buf ident = JL_BUF_INIT;
	struct jl_account_step *s;
	uint32_t i;

	show_ident(&ident, name, seq);
	i = jl_map_get(&a->by_ident, ident.data, ident.len);
	if (i == JL_NONE) {
		s = jl_table_add(&a->steps, 1);
		*s = (struct jl_account_step){.status = JL_ACCOUNT_OPEN, .seq = seq, .output = JL_NONE};
		s->name = add_text(a, name, strlen(name));
		s->ident = add_text(a, ident.data, ident.len);
		i = a->steps.len - 1;
		jl_map_put(&a->by_ident, ident.data, ident.len, i);
	}
	jl_buf_release(&ident);
	return JL_AT(a->steps, struct jl_account_step, i);
}

static void take_started(struct jl_account *a, const json_t *o)
{
	struct jl_account_step *s = step_of(a, o);

	s->attempt = count_of(o, "attempt");
	s->began_ns = ns_of(o, "t");
	s->host = text_of(a, o, "host");
}

static uint32_t status_of(const json_t *o)
{
	const json_t *v = json_object_get(o, "status");

	for (uint32_t i = 0; json_is_string(v) && i < JL_ACCOUNT_OPEN; i++)
		if (strcmp(json_string_value(v), jl_step_status_name((enum jl_step_status)i)) == 0)
			return i;
	return JL_STEP_SKIPPED;
}

bool jl_account_failed(const struct jl_account_step *s)
{
	return s->status == JL_STEP_FAILED || s->status == JL_STEP_TIMEOUT;
}

static void keep_output(struct jl_account *a, struct jl_account_step *s)
{
	struct jl_buf *b;
	size_t from = a->held.len > OUTPUT_MAX ? a->held.len - OUTPUT_MAX : 0;
	const size_t lost = from;

	if (a->held.len == 0 || a->outputs.len >= OUTPUTS_MAX)
		return;
	from = jl_utf8_cut_after(a->held.data, a->held.len, from);
	b = jl_table_add(&a->outputs, 1);
	*b = (struct jl_buf)JL_BUF_INIT;
	if (lost)
		jl_buf_str(b, "[what is before this is left out]\n");
	jl_buf_add(b, a->held.data + from, a->held.len - from);
	s->output = a->outputs.len - 1;
}

static void take_finished(struct jl_account *a, const json_t *o)
{
	struct jl_account_step *s = step_of(a, o);
	const bool told = json_object_get(o, "slot") != NULL, started = s->status == JL_ACCOUNT_OPEN && s->attempt;
	const char *ident = jl_account_text(a, s->ident);

	s->status = status_of(o);
	s->ended_ns = ns_of(o, "t");
	s->wall_ns = ns_of(o, "wall_s");
	s->user_ns = ns_of(o, "user_s");
	s->sys_ns = ns_of(o, "sys_s");
	s->max_rss = int_of(o, "max_rss", INT64_MAX);
	s->exit_code = (int)int_of(o, "exit", 255);
	s->signal = (int)int_of(o, "signal", 255);
	s->attempt = count_of(o, "attempt");
	/* A command alone (jl memo) has no slot to be told of. */
	s->slot = told ? count_of(o, "slot") : started;
	if (!started || told)
		s->began_ns = told ? ns_of(o, "began_s") : s->ended_ns;
	if (a->held_for && strcmp(jl_account_text(a, a->held_for), ident) == 0 && jl_account_failed(s))
		keep_output(a, s);
	jl_buf_clear(&a->held);
	a->held_for = 0;
	/* From here on the texts may move. */
	s->host = text_of(a, o, "host");
	s->key = text_of(a, o, "key");
	s->reason = text_of(a, o, "reason");
	s->command = text_of(a, o, "command");
	s->log = text_of(a, o, "log");
	s->waited = text_of(a, o, "waited_for");
}

static void take_output(struct jl_account *a, const json_t *o)
{
	const json_t *v = json_object_get(o, "text");
	const struct jl_account_step *s = step_of(a, o);

	if (!json_is_string(v) || a->outputs.len >= OUTPUTS_MAX)
		return;
	if (a->held_for != s->ident)
		jl_buf_clear(&a->held);
	a->held_for = s->ident;
	/* What it says at last counts. */
	if (a->held.len > 4 * OUTPUT_MAX) {
		memmove(a->held.data, a->held.data + a->held.len - OUTPUT_MAX, OUTPUT_MAX);
		jl_buf_truncate(&a->held, OUTPUT_MAX);
	}
	jl_buf_add(&a->held, json_string_value(v), json_string_length(v));
}

/* ---- the run ---- */

static void clear(struct jl_account *a)
{
	jl_account_release(a);
	jl_map_init(&a->by_ident, ident_of, a);
	a->began = true;
}

static void take_run_started(struct jl_account *a, const json_t *o)
{
	clear(a);
	a->run = text_of(a, o, "run");
	a->n_steps = count_of(o, "steps");
	a->jobs = count_of(o, "jobs");
}

static void take_run_finished(struct jl_account *a, const json_t *o)
{
	a->ended = true;
	a->wall_ns = ns_of(o, "wall_s");
	a->signal = (int)int_of(o, "signal", 255);
	a->counts = (struct jl_counts){.ran = count_of(o, "ran"),
				       .fresh = count_of(o, "fresh"),
				       .restored = count_of(o, "restored"),
				       .failed = count_of(o, "failed"),
				       .skipped = count_of(o, "skipped"),
				       .would_run = count_of(o, "would_run"),
				       .would_restore = count_of(o, "would_restore"),
				       .maybe = count_of(o, "maybe"),
				       .saved_ns = ns_of(o, "saved_s")};
}

static void take_warning(struct jl_account *a, const json_t *o)
{
	const uint32_t step = text_of(a, o, "step"), text = text_of(a, o, "text");
	struct jl_buf b = JL_BUF_INIT;

	if (step)
		jl_buf_printf(&b, "%s: ", jl_account_text(a, step));
	jl_buf_str(&b, jl_account_text(a, text));
	*(uint32_t *)jl_table_add(&a->warnings, 1) = add_text(a, b.data, b.len);
	jl_buf_release(&b);
}

static void take(struct jl_account *a, const char *event, const json_t *o)
{
	if (strcmp(event, "run_started") == 0)
		take_run_started(a, o);
	if (!a->began)
		return;
	if (!a->ended)
		a->wall_ns = ns_of(o, "t");
	if (strcmp(event, "step_started") == 0)
		take_started(a, o);
	else if (strcmp(event, "step_output") == 0)
		take_output(a, o);
	else if (strcmp(event, "step_finished") == 0)
		take_finished(a, o);
	else if (strcmp(event, "warning") == 0)
		take_warning(a, o);
	else if (strcmp(event, "run_finished") == 0)
		take_run_finished(a, o);
}

int jl_account_line(struct jl_account *a, const char *line, size_t len, struct jl_err *err)
{
	json_error_t bad;
	json_t *o = json_loadb(line, len, JSON_ALLOW_NUL, &bad);
	const json_t *event = json_object_get(o, "event");
	int r = JL_OK;

	if (!o)
		r = jl_err_set(err, JL_EINVAL, "no JSON: %s", bad.text);
	else if (!json_is_string(event) || !json_is_integer(json_object_get(o, "v")))
		r = jl_err_set(err, JL_EINVAL, "no event of jl: it has no \"v\" and \"event\"");
	else if (json_integer_value(json_object_get(o, "v")) != 1)
		r = jl_err_set(err, JL_EUNSUPPORTED, "events of version %lld, and this program knows version 1",
			       (long long)json_integer_value(json_object_get(o, "v")));
	else
		take(a, json_string_value(event), o);
	json_decref(o);
	return r;
}

static int take_line(struct jl_account *a, const char *line, size_t len, bool whole, struct jl_err *err)
{
	int r = len ? jl_account_line(a, line, len, err) : JL_OK;

	/* Whoever was killed may have left a part of a line. */
	return r == JL_EINVAL && !whole && a->began ? JL_OK : r;
}

int jl_account_read(struct jl_account *a, int fd, const char *name, struct jl_err *err)
{
	struct jl_buf b = JL_BUF_INIT;
	unsigned long long n_lines = 0;
	size_t from = 0, looked = 0;
	ssize_t n = 1;
	int r = JL_OK;

	while (r == JL_OK && n > 0) {
		char *room, *end;

		if (b.len - from > LINE_MAX_LEN) {
			r = jl_err_set(err, JL_EINVAL, "a line of more than 4 MiB");
			n_lines++;
			break;
		}
		memmove(b.data, b.data + from, b.len - from);
		jl_buf_truncate(&b, b.len - from);
		looked -= from;
		from = 0;
		(void)!jl_buf_reserve(&b, 1 << 16, &room);
		do
			n = read(fd, room, 1 << 16);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			r = jl_err_sys(err, errno, "cannot read \"%s\"", name);
		b.len += n > 0 ? (size_t)n : 0;
		while (r == JL_OK && (end = memchr(b.data + looked, '\n', b.len - looked)) != NULL) {
			n_lines++;
			r = take_line(a, b.data + from, (size_t)(end - b.data) - from, true, err);
			looked = from = (size_t)(end - b.data) + 1;
		}
		looked = b.len;
	}
	if (r == JL_OK && b.len > from) {
		n_lines++;
		r = take_line(a, b.data + from, b.len - from, false, err);
	}
	jl_buf_release(&b);
	if (r == JL_EINVAL || r == JL_EUNSUPPORTED)
		return jl_err_add(err, "%s:%llu", name, n_lines);
	if (r == JL_OK && !a->began)
		return jl_err_set(err, JL_EINVAL, "%s: there is no run in it; --events of jl run or map writes such a file", name);
	return r;
}

void jl_account_link(struct jl_account *a)
{
	struct jl_buf ident = JL_BUF_INIT;
	const struct jl_counts told = a->counts;

	for (uint32_t i = 0; i < a->steps.len; i++) {
		struct jl_account_step *s = JL_AT(a->steps, struct jl_account_step, i);

		if (s->waited) {
			jl_buf_clear(&ident);
			show_ident(&ident, jl_account_text(a, s->waited), 0);
			s->waited = jl_map_get(&a->by_ident, ident.data, ident.len);
		} else {
			s->waited = JL_NONE;
		}
		a->counts.ran += s->status == JL_STEP_RAN;
		a->counts.fresh += s->status == JL_STEP_FRESH;
		a->counts.restored += s->status == JL_STEP_RESTORED;
		a->counts.failed += jl_account_failed(s);
		a->counts.skipped += s->status == JL_STEP_SKIPPED || s->status == JL_STEP_CANCELLED;
	}
	if (a->ended)
		a->counts = told;
	jl_buf_release(&ident);
}

void jl_account_release(struct jl_account *a)
{
	for (uint32_t i = 0; i < a->outputs.len; i++)
		jl_buf_release(JL_AT(a->outputs, struct jl_buf, i));
	jl_table_release(&a->outputs);
	jl_table_release(&a->text);
	jl_table_release(&a->steps);
	jl_table_release(&a->warnings);
	jl_buf_release(&a->held);
	if (a->began)
		jl_map_release(&a->by_ident);
	*a = (struct jl_account)JL_ACCOUNT_INIT;
}

/* ---- what can be said of it ---- */

int64_t jl_account_end(const struct jl_account_step *s)
{
	return s->slot ? s->began_ns + s->wall_ns : s->ended_ns;
}

void jl_account_path(const struct jl_account *a, struct jl_table *ret)
{
	uint32_t last = JL_NONE, *at;
	bool any = false;

	for (uint32_t i = 0; i < a->steps.len; i++) {
		const struct jl_account_step *s = jl_account_step(a, i);

		any |= s->waited != JL_NONE;
		if (s->slot && (last == JL_NONE || jl_account_end(s) > jl_account_end(jl_account_step(a, last))))
			last = i;
	}
	/* Lines from elsewhere may lead round in a circle. */
	for (uint32_t i = last; any && i != JL_NONE && ret->len < a->steps.len; i = jl_account_step(a, i)->waited)
		*(uint32_t *)jl_table_add(ret, 1) = i;
	at = ret->data;
	for (uint32_t i = 0; i < ret->len / 2; i++) {
		const uint32_t other = at[i];

		at[i] = at[ret->len - 1 - i];
		at[ret->len - 1 - i] = other;
	}
}

struct by_wall {
	int64_t wall_ns;
	uint32_t index;
};

static int compare(const void *a, const void *b)
{
	const struct by_wall *x = a, *y = b;

	if (x->wall_ns != y->wall_ns)
		return x->wall_ns > y->wall_ns ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

void jl_account_slowest(const struct jl_account *a, uint32_t n, struct jl_table *ret)
{
	struct jl_table all = JL_TABLE_INIT(struct by_wall);

	for (uint32_t i = 0; i < a->steps.len; i++)
		if (jl_account_step(a, i)->slot)
			*(struct by_wall *)jl_table_add(&all, 1) =
				(struct by_wall){jl_account_step(a, i)->wall_ns, i};
	if (all.len)
		qsort(all.data, all.len, sizeof(struct by_wall), compare);
	for (uint32_t i = 0; i < all.len && i < n; i++)
		*(uint32_t *)jl_table_add(ret, 1) = JL_AT(all, struct by_wall, i)->index;
	jl_table_release(&all);
}

int64_t jl_account_work(const struct jl_account *a)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < a->steps.len; i++)
		if (jl_account_step(a, i)->slot && __builtin_add_overflow(sum, jl_account_step(a, i)->wall_ns, &sum))
			return INT64_MAX;
	return sum;
}
