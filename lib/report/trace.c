/* Chrome traces. */
#include "report/trace.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>

#define NS_US INT64_C(1000)

static void put_seconds(struct jl_json *j, const char *key, int64_t ns)
{
	jl_json_put_num(j, key, (double)ns / (double)JL_NS_S);
}

/* What the viewer calls a row. */
static void name_row(struct jl_trace *t, uint32_t slot)
{
	struct jl_json j = {.out = &t->file.out.buf};
	char name[32] = "not executed";

	if (slot)
		snprintf(name, sizeof(name), "slot %u", slot);
	jl_buf_str(j.out, t->began ? ",\n" : "");
	t->began = true;
	jl_json_begin(&j, '{');
	jl_json_put_str(&j, "name", "thread_name");
	jl_json_put_str(&j, "ph", "M");
	jl_json_put_int(&j, "pid", 1);
	jl_json_put_int(&j, "tid", slot);
	jl_json_key(&j, "args");
	jl_json_begin(&j, '{');
	jl_json_put_str(&j, "name", name);
	jl_json_end(&j, '}');
	jl_json_end(&j, '}');
}

static void put_args(struct jl_json *j, const struct jl_event *e)
{
	jl_json_key(j, "args");
	jl_json_begin(j, '{');
	jl_json_put_str(j, "status", jl_step_status_name(e->status));
	if (e->seq)
		jl_json_put_int(j, "seq", (int64_t)e->seq);
	if (e->key)
		jl_json_put_str(j, "key", e->key);
	if (e->slot) {
		jl_json_put_int(j, "exit", e->exit_code);
		jl_json_put_int(j, "signal", e->signal);
		put_seconds(j, "user_s", e->user_ns);
		put_seconds(j, "sys_s", e->sys_ns);
		jl_json_put_int(j, "max_rss", e->max_rss_kib * 1024);
	}
	if (e->reason)
		jl_json_put_str(j, "reason", e->reason);
	jl_json_end(j, '}');
}

static void finished(struct jl_trace *t, const struct jl_event *e)
{
	struct jl_json j = {.out = &t->file.out.buf};

	while (t->slots < e->slot)
		name_row(t, ++t->slots);
	jl_buf_str(j.out, ",\n");
	jl_json_begin(&j, '{');
	jl_json_put_str(&j, "name", e->step);
	jl_json_put_str(&j, "cat", jl_step_status_name(e->status));
	jl_json_put_str(&j, "ph", "X");
	jl_json_put_int(&j, "pid", 1);
	jl_json_put_int(&j, "tid", e->slot);
	/* Cut off both, so that an end never comes after the next beginning. */
	jl_json_put_int(&j, "ts", (e->slot ? e->began_ns : e->t_ns) / NS_US);
	jl_json_put_int(&j, "dur", e->slot ? e->wall_ns / NS_US : 0);
	put_args(&j, e);
	jl_json_end(&j, '}');
	jl_out_spill(&t->file.out);
}

static void event(struct jl_sink *s, const struct jl_event *e)
{
	struct jl_trace *t = (struct jl_trace *)s;

	if (e->type == JL_EVENT_RUN_STARTED && !t->began) {
		jl_out_printf(&t->file.out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
		name_row(t, 0);
	} else if (e->type == JL_EVENT_STEP_FINISHED && t->began && !t->ended) {
		finished(t, e);
	} else if (e->type == JL_EVENT_RUN_FINISHED) {
		t->ended = t->began;
	}
}

int jl_trace_open(struct jl_trace *t, const char *path, struct jl_err *err)
{
	*t = (struct jl_trace){.sink = {.event = event}};
	if (jl_report_file_open(&t->file, path, err) != JL_OK)
		return jl_err_add(err, "option \"--trace\"");
	return JL_OK;
}

int jl_trace_close(struct jl_trace *t, struct jl_err *err)
{
	if (t->ended)
		jl_out_printf(&t->file.out, "\n]}\n");
	if (jl_report_file_close(&t->file, t->ended, err) != JL_OK)
		return jl_err_add(err, "option \"--trace\"");
	return JL_OK;
}
