/* See why.h. */
#include "run/why.h"

#include "base/path.h"
#include "base/url.h"
#include "manifest/shell.h"
#include "memo/explain.h"
#include "memo/worddiff.h"
#include "run/node.h"
#include "run/temp.h"
#include "run/url.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINES_MAX   40 /* of one kind; what is beyond is counted */
#define NAME_SHOWN  90 /* bytes of a path in few words */

static const struct jl_result *result_of(const struct jl_engine *e, uint32_t inst)
{
	return jl_result_at(&e->p->state->results, jl_engine_inst(e, inst)->result);
}

static const char *fill(char *room, size_t size, const struct jl_buf *text)
{
	snprintf(room, size, "%.*s", (int)size - 1, text->data);
	return room;
}

/* ---- pieces of the key ---- */

/* What a depfile named for that result, as it is now. */
static void look_found(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, struct jl_table *found)
{
	struct jl_cur cur = {rec->manifest, (const uint8_t *)rec->manifest + rec->manifest_len, 0};
	struct jl_piece_view v;
	while (jl_key_next(&cur, &v)) {
		if (v.type != JL_PIECE_FOUND || v.name_len == 0)
			continue;
		struct jl_job_input in = {.file = jl_files_id(jl_engine_files(e), v.name, v.name_len), .port = JL_NONE};
		if (jl_decide_look(e, jl_engine_inst(e, inst), &in, NULL) == JL_OK)
			*(struct jl_job_input *)jl_table_add(found, 1) = in;
	}
}

/* The pieces of the last result here beside those of now. JL_ENOTFOUND: it is not stored. Else *ret_rec is the caller's, and
 * `now` is to live as long as the explanation. */
static int compare(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, struct jl_buf *now,
		   struct jl_record **ret_rec, struct jl_explain *ret)
{
	struct jl_record *rec = jl_decide_record(e, inst, &result_of(e, inst)->key);
	struct jl_decided what = *d;
	if (!rec)
		return JL_ENOTFOUND;
	if (d->found.len == 0) {
		what.found = (struct jl_table)JL_TABLE_INIT(struct jl_job_input);
		look_found(e, inst, rec, &what.found);
	}
	jl_decide_manifest(e, inst, &what, now);
	if (d->found.len == 0)
		jl_table_release(&what.found);
	int r = jl_explain(rec->manifest, rec->manifest_len, now->data, now->len, ret, NULL);
	if (r == JL_OK)
		*ret_rec = rec;
	else
		jl_record_free(rec);
	return r;
}

/* An input by URL is known to a person by that: put it in place of the file's path, in what was appended from `from` on. */
static void name_url(struct jl_engine *e, uint32_t inst, struct jl_buf *out, size_t from)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_buf line = JL_BUF_INIT;
	if (out->len <= from || strncmp(out->data + from, "input ", 6) != 0)
		return;
	for (uint32_t i = t->ins; i < t->ins + t->n_ins; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		uint32_t url = port->flags & JL_PORT_URL ? jl_url_of(e->p, port->what) : JL_NONE;
		const char *path = url == JL_NONE ? NULL : jl_files_path(jl_engine_files(e), port->what);
		const char *at = path ? strstr(out->data + from, path) : NULL;
		if (!at)
			continue;
		jl_buf_add(&line, out->data + from, (size_t)(at - out->data) - from);
		jl_url_show(&line, jl_project_text(e->p, jl_plan_url(&e->p->plan, url)->url));
		jl_buf_str(&line, at + strlen(path));
		jl_buf_truncate(out, from);
		jl_buf_add(out, line.data, line.len);
		break;
	}
	jl_buf_release(&line);
}

const char *jl_why_changed(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, char *room, size_t size)
{
	struct jl_buf now = JL_BUF_INIT, text = JL_BUF_INIT;
	struct jl_record *rec;
	struct jl_explain x;
	const char *why = "its inputs or command changed";
	if (e->opts->why == JL_WHY_KIND)
		return why;
	if (compare(e, inst, d, &now, &rec, &x) == JL_OK) {
		jl_explain_short(&x, &text);
		name_url(e, inst, &text, 0);
		if (text.len)
			why = fill(room, size, &text);
		jl_explain_release(&x);
		jl_record_free(rec);
	} else {
		why = "its inputs or command changed; its last result is no longer stored";
	}
	jl_buf_release(&now);
	jl_buf_release(&text);
	return why;
}

/* ---- outputs ---- */

static const struct jl_record_output *output_of(const struct jl_record *rec, const char *path)
{
	uint32_t low = 0, high = rec->n_outputs;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = strcmp(rec->outputs[mid].path, path);
		if (c == 0)
			return &rec->outputs[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* What is not as it should be with one output; NULL: nothing. Without a record: as far as the state can tell. */
static const char *output_fault(const struct jl_engine *e, uint32_t id, const struct jl_pport *port,
				const struct jl_record *rec)
{
	const struct jl_file *f = jl_file_at(jl_engine_files(e), id);
	const struct jl_record_output *out = rec ? output_of(rec, jl_files_path(jl_engine_files(e), id)) : NULL;
	const enum jl_kind kind = jl_file_kind(f);
	if (kind == JL_KIND_ABSENT)
		return out || (!rec && !(port->flags & JL_PORT_OPTIONAL)) ? "is missing" : NULL;
	if (!rec)
		return kind == JL_KIND_DIR || (f->flags & JL_FILE_MADE) ? NULL : "changed";
	if (!out)
		return "is not of the result";
	if (kind != out->kind || (kind != JL_KIND_DIR && !jl_digest_equal(&f->digest, &out->content.digest)))
		return "changed";
	return kind != JL_KIND_LINK && (f->stamp.mode & 0777) != (out->mode & 0777) ? "has other permissions" : NULL;
}

static void add_output(struct jl_buf *out, bool brief, const char *path, const char *fault, uint32_t n)
{
	if (n >= (brief ? 1 : LINES_MAX))
		return;
	jl_buf_str(out, brief ? "output \"" : "output ");
	jl_worddiff_tail(out, path, strlen(path), NAME_SHOWN * (brief ? 1 : 4));
	jl_buf_printf(out, "%s %s%s", brief ? "\"" : "", fault, brief ? "" : "\n");
}

static bool declared(const struct jl_engine *e, const struct jl_inst *t, uint32_t file)
{
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (!(port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE)) && port->what == file)
			return true;
	}
	return false;
}

/* Outputs that are not as they were left: a line each, or (`brief`) the first. Returns how many. */
static uint32_t say_outputs(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, bool brief, struct jl_buf *out)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t), ports = JL_TABLE_INIT(uint32_t);
	uint32_t n = 0;
	bool listed = jl_outputs_list(e, inst, &ids, &ports, NULL) == JL_OK;
	for (uint32_t i = 0; listed && i < ids.len; i++) {
		uint32_t id = *JL_AT(ids, uint32_t, i);
		const struct jl_pport *port = jl_plan_port(&e->p->plan, t->outs + *JL_AT(ports, uint32_t, i));
		const char *fault = jl_files_digest(files, id, NULL) == JL_OK ? output_fault(e, id, port, rec)
									     : "cannot be read";
		if (fault)
			add_output(out, brief, jl_files_path(files, id), fault, n++);
	}
	for (uint32_t i = 0; rec && listed && i < rec->n_outputs; i++) { /* what no port lists now: below a folder, of a glob */
		const char *path = rec->outputs[i].path;
		uint32_t id = jl_files_id(files, path, strlen(path));
		if (!declared(e, t, id) && jl_files_stat(files, id, NULL) == JL_OK &&
		    jl_file_kind(jl_file_at(files, id)) == JL_KIND_ABSENT)
			add_output(out, brief, path, "is missing", n++);
	}
	jl_table_release(&ids);
	jl_table_release(&ports);
	if (brief && n > 1)
		jl_buf_printf(out, ", and %u more", n - 1);
	else if (n > LINES_MAX)
		jl_buf_printf(out, "and %u outputs more\n", n - LINES_MAX);
	return n;
}

const char *jl_why_outputs(struct jl_engine *e, uint32_t inst, char *room, size_t size)
{
	struct jl_buf text = JL_BUF_INIT;
	const char *why = "its outputs are not as they were left, and the result is not stored";
	if (e->opts->why == JL_WHY_KIND)
		return why;
	if (say_outputs(e, inst, NULL, true, &text) > 0) {
		jl_buf_str(&text, "; not stored");
		why = fill(room, size, &text);
	}
	jl_buf_release(&text);
	return why;
}

const char *jl_why_restore(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, const struct jl_record *rec,
			   char *room, size_t size)
{
	struct jl_buf text = JL_BUF_INIT;
	const struct jl_result *res = result_of(e, inst);
	const char *why = "its result is stored";
	if ((res->flags & JL_RESULT_OK) && !jl_digest_equal(&res->key, &d->key)) {
		why = jl_why_changed(e, inst, d, room, size);
	} else if (say_outputs(e, inst, rec, true, &text) > 0) {
		why = fill(room, size, &text);
	}
	jl_buf_release(&text);
	return why;
}

/* ---- what it waits for ---- */

static const char *blocker(const struct jl_engine *e, uint32_t node)
{
	while (jl_graph_node(&e->graph, node)->blocker != JL_NONE)
		node = jl_graph_node(&e->graph, node)->blocker;
	uint32_t what = jl_graph_node(&e->graph, node)->what, index = JL_NODE_INDEX(what);
	return JL_NODE_KIND(what) == JL_NODE_INST
		       ? jl_engine_label(e, index)
		       : jl_project_text(e->p, jl_plan_rule(&e->p->plan, index)->name);
}

const char *jl_why_waits(const struct jl_engine *e, uint32_t node, char *room, size_t size)
{
	struct jl_buf text = JL_BUF_INIT;
	const char *label = blocker(e, node);
	jl_buf_str(&text, "waits for \"");
	jl_worddiff_tail(&text, label, strlen(label), NAME_SHOWN);
	jl_buf_str(&text, "\", which is not up to date");
	fill(room, size, &text);
	jl_buf_release(&text);
	return room;
}

/* ---- the whole story ---- */

const char *jl_why_failed(const struct jl_result *res, char *room, size_t size)
{
	const int sig = jl_result_signal(res), code = jl_result_exit(res);
	if (sig)
		snprintf(room, size, "failed before: signal %d (SIG%s)", sig, sigabbrev_np(sig) ? sigabbrev_np(sig) : "?");
	else if (code)
		snprintf(room, size, "failed before: exit %d", code);
	else
		return "failed before";
	return room;
}

/* "2h05m ago (2026-11-22 21:30:00)" */
static void add_when(struct jl_buf *out, int64_t real_ns)
{
	const time_t at = (time_t)(real_ns / JL_NS_S);
	const int64_t age_s = jl_clock_real_ns() / JL_NS_S - at;
	struct tm tm;
	char text[40];
	if (age_s > 0)
		jl_clock_show(out, age_s * JL_NS_S);
	jl_buf_str(out, age_s > 0 ? " ago" : "just now");
	if (localtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		jl_buf_printf(out, " (%s)", text);
}

/* The result that is used: which key, when it was made, where. */
static void say_key(struct jl_engine *e, uint32_t inst, const struct jl_digest *key, const struct jl_record *rec,
		    struct jl_buf *out)
{
	const struct jl_rule *rule = jl_engine_rule(e, inst);
	const int64_t made_ns = rec ? rec->created_ns : (int64_t)result_of(e, inst)->made_s * JL_NS_S;
	char text[JL_DIGEST_TEXT];
	jl_buf_printf(out, "key %s", jl_digest_text(key, text));
	if (made_ns) {
		jl_buf_str(out, ", made ");
		add_when(out, made_ns);
	}
	if (rec) {
		jl_buf_str(out, " in ");
		jl_clock_show(out, rec->wall_ns);
		jl_buf_str(out, " on ");
		jl_path_show(out, rec->host, strlen(rec->host));
	}
	jl_buf_str(out, rec ? "\n" : "; no longer stored\n");
	if (rule->ttl_ns && made_ns) {
		jl_buf_str(out, "ttl ");
		jl_clock_show(out, rule->ttl_ns);
		jl_buf_char(out, '\n');
	}
}

/* Without the pieces of then: which inputs were written since. By their times, so a hint and no more. */
static void say_written(struct jl_engine *e, const struct jl_result *res, const struct jl_decided *d, struct jl_buf *out)
{
	/* To the nanosecond, unless a failure was noted there since. */
	const int64_t since_ns = res->flags & JL_RESULT_FAILED ? ((int64_t)res->made_s + 1) * JL_NS_S : res->when_ns;
	char key[JL_DIGEST_TEXT];
	uint32_t n = 0;
	jl_buf_printf(out, "the last result here is no longer stored, nor what it was made of: key %s",
		      jl_digest_text(&res->key, key));
	if (res->made_s) {
		jl_buf_str(out, ", made ");
		add_when(out, (int64_t)res->made_s * JL_NS_S);
	}
	jl_buf_char(out, '\n');
	for (uint32_t i = 0; res->made_s && i < d->inputs.len; i++) {
		uint32_t id = JL_AT(d->inputs, struct jl_job_input, i)->file;
		const struct jl_stamp *stamp = &jl_file_at(jl_engine_files(e), id)->stamp;
		if (stamp->mode == 0 || stamp->ctime_ns <= since_ns || n++ >= LINES_MAX)
			continue;
		jl_buf_str(out, "input ");
		jl_path_show(out, jl_files_path(jl_engine_files(e), id), strlen(jl_files_path(jl_engine_files(e), id)));
		jl_buf_str(out, " was written since\n");
	}
	if (n > LINES_MAX)
		jl_buf_printf(out, "and %u inputs more\n", n - LINES_MAX);
	if (n == 0 && res->made_s)
		jl_buf_str(out, "no input was written since: its command, a variable, a tool or the list of inputs changed\n");
}

static void say_changes(struct jl_engine *e, uint32_t inst, struct jl_buf *out)
{
	struct jl_buf now = JL_BUF_INIT;
	struct jl_record *rec;
	struct jl_explain x;
	if (compare(e, inst, &e->deciding, &now, &rec, &x) == JL_OK) {
		for (uint32_t i = 0; i < x.at.len && i < LINES_MAX; i++) {
			const size_t from = out->len;
			jl_explain_line(&x, i, out);
			name_url(e, inst, out, from);
			jl_buf_char(out, '\n');
		}
		if (x.at.len > LINES_MAX)
			jl_buf_printf(out, "and %u differences more\n", x.at.len - LINES_MAX);
		jl_buf_str(out, "compared with ");
		say_key(e, inst, &rec->key, rec, out);
		jl_explain_release(&x);
		jl_record_free(rec);
	} else {
		say_written(e, result_of(e, inst), &e->deciding, out);
	}
	jl_buf_release(&now);
}

static void say_run(struct jl_engine *e, uint32_t inst, const char *reason, struct jl_buf *out)
{
	const struct jl_rule *rule = jl_engine_rule(e, inst);
	const struct jl_result *res = result_of(e, inst);
	const struct jl_digest *key = e->deciding.same ? &res->key : &e->deciding.key;
	const bool known = res->key.algo != JL_DIGEST_NONE, same = e->deciding.same;
	const bool failed = res->flags & JL_RESULT_FAILED;
	char text[JL_DIGEST_TEXT];
	if (rule->flags & (JL_RULE_ALWAYS | JL_RULE_NO_CACHE)) {
		jl_buf_printf(out, "%s\n", reason);
		return;
	}
	if (failed || same || !known || !(res->flags & JL_RESULT_OK))
		jl_buf_printf(out, "%s\n", reason);
	if (failed) {
		jl_buf_str(out, "what it printed: jl log ");
		jl_shell_quote(out, jl_engine_label(e, inst), strlen(jl_engine_label(e, inst)));
		jl_buf_char(out, '\n');
	}
	if (known && !same) {
		if (failed)
			jl_buf_str(out, "since it last succeeded:\n");
		say_changes(e, inst, out);
	} else if (same) {
		say_outputs(e, inst, NULL, false, out);
		struct jl_record *rec = jl_decide_record(e, inst, key);
		say_key(e, inst, key, rec, out);
		jl_record_free(rec);
	} else {
		jl_buf_printf(out, "key %s, not stored\n", jl_digest_text(key, text));
	}
}

static void say_used(struct jl_engine *e, uint32_t inst, bool fresh, struct jl_buf *out)
{
	const struct jl_result *res = result_of(e, inst);
	struct jl_record *rec = jl_decide_record(e, inst, &e->deciding.key);
	if (!fresh)
		say_outputs(e, inst, rec, false, out);
	else if (jl_temp_is_dropped(e, inst))
		jl_buf_str(out, "temp: its outputs are not on the disk; they come back when a step that needs them runs\n");
	say_key(e, inst, &e->deciding.key, rec, out);
	if (!fresh && (res->flags & JL_RESULT_OK) && !jl_digest_equal(&res->key, &e->deciding.key)) {
		jl_buf_str(out, "the last result here is another one:\n");
		say_changes(e, inst, out);
	}
	jl_record_free(rec);
}

static bool blocked(const struct jl_engine *e, uint32_t inst)
{
	return jl_graph_node(&e->graph, *JL_AT(e->node_of, uint32_t, inst))->blocker != JL_NONE;
}

void jl_why_detail(struct jl_engine *e, uint32_t inst, const struct jl_event *ev, struct jl_buf *out)
{
	switch (ev->status) {
	case JL_STEP_FRESH: say_used(e, inst, true, out); break;
	case JL_STEP_WOULD_RESTORE: say_used(e, inst, false, out); break;
	case JL_STEP_WOULD_RUN:
		say_run(e, inst, e->deciding.reason, out);
		if (e->shared.would_ask)
			jl_buf_str(out, "the remotes are asked for it first\n");
		break;
	case JL_STEP_MAYBE:
		jl_buf_printf(out, "%s%s\n", ev->reason, blocked(e, inst) ? "; its key is not known before" : "");
		break;
	default:
		if (ev->reason)
			jl_buf_printf(out, "%s\n", ev->reason);
		break;
	}
}
