/* Rules expanded to instances: see expand.h. */
#include "run/expand.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/map.h"
#include "base/path.h"
#include "manifest/matrix.h"
#include "run/compile.h"
#include "run/makers.h"
#include "run/ports.h"
#include "run/scope.h"
#include "run/url.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 10000000u

/* ---- the item list ---- */

struct items {
	struct jl_table at; /* uint32_t: as struct jl_inst's item */
	uint64_t hash;
};

/* A path as the file that its step stands in would name it. */
static uint32_t item_text(struct jl_project *p, const char *dir, uint32_t id)
{
	struct jl_buf b = JL_BUF_INIT;
	if (!dir[0])
		return jl_file_at(&p->state->files, id)->text;
	(void)!jl_path_relative(&b, dir, jl_files_path(&p->state->files, id)); /* both lie in the workspace */
	uint32_t text = jl_text_add(&p->state->text, b.data, b.len);
	jl_buf_release(&b);
	return text;
}

/* `dir`: NULL when only the hash is wanted. */
static int glob_items(struct jl_project *p, const struct jl_rule *r, const char *dir, struct items *out,
		      struct jl_err *err)
{
	struct jl_files *files = &p->state->files;
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	struct jl_buf all = JL_BUF_INIT;
	int status = jl_files_glob(files, jl_project_text(p, r->items_text), &ids, err);
	for (uint32_t i = 0; status == JL_OK && i < ids.len; i++) {
		uint32_t id = *JL_AT(ids, uint32_t, i);
		const char *path = jl_files_path(files, id);
		/* Never the step's own outputs. */
		bool own = false;
		for (uint32_t k = 0; k < r->n_makes && !own; k++)
			own = jl_glob_match(jl_project_text(p, jl_plan_ref(&p->plan, r->makes + k)), path);
		if (own)
			continue;
		jl_buf_add(&all, path, strlen(path) + 1);
		if (dir) /* moves the texts */
			*(uint32_t *)jl_table_add(&out->at, 1) = item_text(p, dir, id);
	}
	out->hash = jl_hash64(all.data, all.len);
	jl_table_release(&ids);
	jl_buf_release(&all);
	return status;
}

static bool over_lines(const struct jl_buf *text)
{
	uint32_t n = 0;
	for (const char *s = text->data, *end = s + text->len; s < end && n <= LINES_MAX; n++) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		s = nl ? nl + 1 : end;
	}
	return n > LINES_MAX;
}

/* The lines of a file; an empty line is no item, a line with a NUL is refused. When only the hash is wanted the file's
 * digest stands for its lines, so that a no-op does not read it. */
static int line_items(struct jl_project *p, const struct jl_rule *r, struct items *out, bool want_items,
		      struct jl_err *err)
{
	struct jl_files *files = &p->state->files;
	struct jl_buf text = JL_BUF_INIT;
	jl_buf_str(&text, jl_project_text(p, r->items_text)); /* a copy: adding the path moves the text table */
	uint32_t id = jl_files_id(files, text.data, text.len);
	jl_buf_release(&text);
	int status = jl_files_digest(files, id, err);
	if (status != JL_OK)
		return status;
	if (jl_file_kind(jl_file_at(files, id)) == JL_KIND_ABSENT)
		return jl_err_set(err, JL_EINVAL, "there is no file \"%s\" to read lines from",
				  jl_files_path(files, id));
	out->hash = jl_hash64(&jl_file_at(files, id)->digest, sizeof(struct jl_digest));
	if (!want_items)
		return JL_OK;
	status = jl_file_read(&jl_io_system, p->state->root_fd, jl_files_path(files, id), &text, err);
	if (status == JL_OK && over_lines(&text))
		status = jl_err_set(err, JL_ELIMIT, "\"%s\" holds more than 10 million lines; use several steps",
				    jl_files_path(files, id));
	for (const char *s = text.data, *end = s + text.len; status == JL_OK && s < end;) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t len = nl ? (size_t)(nl - s) : (size_t)(end - s);
		if (memchr(s, 0, len))
			status = jl_err_set(err, JL_EINVAL, "\"%s\" holds a NUL byte in a line",
					    jl_files_path(files, id));
		else if (len > 0)
			*(uint32_t *)jl_table_add(&out->at, 1) = jl_text_add(&p->state->text, s, len);
		s += len + 1;
	}
	jl_buf_release(&text);
	return status;
}

/* LIST, RANGE and MATRIX are of the manifest, so the plan's source digest covers them: the hash is a constant. */
static void fixed_items(const struct jl_step *s, struct items *out)
{
	uint32_t n = 1;
	if (s->foreach.kind == JL_FOREACH_MATRIX) {
		jl_matrix_items(s->foreach.matrix, &out->at);
		return;
	}
	if (s->foreach.kind == JL_FOREACH_LIST)
		n = s->foreach.n;
	else if (s->foreach.kind == JL_FOREACH_RANGE)
		n = (s->foreach.by > 0) == (s->foreach.from <= s->foreach.to) || s->foreach.from == s->foreach.to
			    ? (uint32_t)((s->foreach.to - s->foreach.from) / s->foreach.by + 1)
			    : 0;
	uint32_t *at = n ? jl_table_add(&out->at, n) : NULL;
	for (uint32_t i = 0; i < n; i++)
		at[i] = i;
}

static int list_items(struct jl_project *p, uint32_t rule, struct items *out, bool want_items, struct jl_err *err)
{
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	if (r->flags & JL_RULE_OFF) {
		out->hash = 1;
		*(uint32_t *)jl_table_add(&out->at, 1) = 0;
		return JL_OK;
	}
	switch ((enum jl_foreach_kind)r->items_kind) {
	case JL_FOREACH_GLOB:
		return glob_items(p, r, want_items ? p->ast->steps[rule].from->dir : NULL, out, err);
	case JL_FOREACH_LINES: return line_items(p, r, out, want_items, err);
	default:
		out->hash = 1;
		if (want_items)
			fixed_items(&p->ast->steps[rule], out);
		return JL_OK;
	}
}

/* ---- one instance ---- */

void jl_item_room_release(struct jl_item_room *room)
{
	jl_buf_release(&room->text);
	jl_table_release(&room->texts);
}

const struct jl_value *jl_expand_item(const struct jl_project *p, const struct jl_step *s, uint32_t item,
				      struct jl_item_room *room)
{
	jl_buf_clear(&room->text);
	switch (s->foreach.kind) {
	case JL_FOREACH_NONE: return NULL;
	case JL_FOREACH_LIST: return &s->foreach.list[item];
	case JL_FOREACH_MATRIX: jl_matrix_value(s->foreach.matrix, item, &room->texts, &room->value); return &room->value;
	case JL_FOREACH_RANGE:
		jl_buf_printf(&room->text, "%lld", (long long)(s->foreach.from + (int64_t)item * s->foreach.by));
		break;
	case JL_FOREACH_GLOB:
	case JL_FOREACH_LINES:
		/* A copy: the text table moves as paths are added. */
		jl_buf_str(&room->text, jl_project_text(p, item));
		break;
	}
	room->value = (struct jl_value){
		.text = {.s = room->text.data, .len = (uint32_t)room->text.len, .mark = s->foreach.mark}};
	return &room->value;
}

static void label_of(const struct jl_step *s, const struct jl_value *item, struct jl_buf *out)
{
	jl_buf_str(out, s->name.s);
	if (!item)
		return;
	jl_buf_char(out, '[');
	if (item->n_keys == 0)
		jl_buf_add(out, item->text.s, item->text.len);
	for (uint32_t i = 0; i < item->n_keys - item->n_unnamed; i++) {
		if (i)
			jl_buf_char(out, ',');
		jl_buf_str(out, item->keys[i].s);
		jl_buf_char(out, '=');
		jl_buf_str(out, item->values[i].s);
	}
	jl_buf_char(out, ']');
}

/* Add the ports of one list; relative paths, checked. */
static int add_ports(struct jl_project *p, const struct jl_step *s, const struct jl_ports *ports,
		     struct jl_scope *scope, bool outputs, uint32_t *ret_first, uint32_t *ret_n)
{
	struct jl_buf raw = JL_BUF_INIT, path = JL_BUF_INIT;
	int r = JL_OK;
	*ret_first = p->plan.ports.len;
	for (uint32_t i = 0; i < ports->n; i++) {
		const struct jl_port *port = &ports->at[i];
		struct jl_pport new = {.def = i};
		jl_buf_clear(&raw);
		jl_buf_clear(&path);
		if (jl_template_eval(port->path, scope, JL_TMPL_PLAIN, &raw, p->msgs) != JL_OK) {
			r = JL_EINVAL;
			continue;
		}
		const bool url = !outputs && jl_url_is_input(port, &raw);
		bool folder = false;
		new.flags = url ? JL_PORT_URL : 0;
		if (url && jl_url_add(p, port, scope, &raw, &path) != JL_OK) {
			r = JL_EINVAL;
			continue;
		}
		if (!url && (memchr(raw.data, 0, raw.len) ||
			     jl_compile_path(&path, s->from->dir, raw.data, port->glob || port->exclude,
					     &folder) != JL_OK)) {
			jl_messages_add(p->msgs, port->text.mark, false,
					"an empty path for step \"%s\"; give a file or folder", s->name.s);
			r = JL_EINVAL;
			continue;
		}
		new.flags |= port->optional ? JL_PORT_OPTIONAL : 0;
		new.flags |= port->hidden ? JL_PORT_HIDDEN : 0;
		new.flags |= port->streams & JL_STREAM_STDIN ? JL_PORT_STDIN : 0;
		new.flags |= port->streams & JL_STREAM_STDOUT ? JL_PORT_STDOUT : 0;
		new.flags |= port->streams & JL_STREAM_STDERR ? JL_PORT_STDERR : 0;
		new.name = port->name ? jl_text_add(&p->state->text, port->name, strlen(port->name)) : 0;
		if (outputs && jl_ports_refuse_output(p, path.data, folder, port->text.mark)) {
			r = JL_EINVAL;
			continue;
		}
		if (!url && (port->glob || port->exclude)) {
			if (folder)
				jl_buf_char(&path, '/');
			new.flags |= port->exclude ? JL_PORT_EXCLUDE : JL_PORT_GLOB;
			new.what = jl_text_add(&p->state->text, path.data, path.len);
		} else {
			new.flags |= folder ? JL_PORT_FOLDER : 0;
			new.what = jl_files_id(&p->state->files, path.data, path.len);
		}
		*(struct jl_pport *)jl_table_add(&p->plan.ports, 1) = new;
	}
	*ret_n = p->plan.ports.len - *ret_first;
	jl_buf_release(&raw);
	jl_buf_release(&path);
	return r;
}

/* The depfile's path, clean and relative to the workspace. Its template may name the outputs, which are added already. */
static int depfile_path(struct jl_project *p, const struct jl_step *s, const struct jl_inst *t, struct jl_scope *scope,
			struct jl_buf *ret)
{
	struct jl_table words = JL_TABLE_INIT(char *), names = JL_TABLE_INIT(char *);
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_buf raw = JL_BUF_INIT;
	bool folder = false;
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&p->plan, i);
		if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			continue;
		jl_buf_clear(&raw);
		(void)!jl_path_relative(&raw, s->from->dir[0] ? s->from->dir : ".",
					jl_files_path(&p->state->files, port->what)); /* both lie in the workspace */
		*(const char **)jl_table_add(&words, 1) = jl_arena_strdup(&arena, raw.data);
		*(const char **)jl_table_add(&names, 1) = port->name ? jl_project_text(p, port->name) : NULL;
	}
	scope->outputs = (struct jl_words){.at = words.data, .names = names.data, .n = words.len};
	jl_buf_clear(&raw);
	int r = jl_template_eval(s->depfile.path, scope, JL_TMPL_PLAIN, &raw, p->msgs);
	scope->outputs = (struct jl_words){0};
	if (r == JL_OK && (memchr(raw.data, 0, raw.len) ||
			   jl_compile_path(ret, s->from->dir, raw.data, false, &folder) != JL_OK || folder)) {
		jl_messages_add(p->msgs, s->depfile.text.mark, false,
				"the depfile of step \"%s\" must be a file; give its path", s->name.s);
		r = JL_EINVAL;
	}
	if (r == JL_OK && jl_ports_refuse_output(p, ret->data, false, s->depfile.text.mark))
		r = JL_EINVAL;
	jl_table_release(&words);
	jl_table_release(&names);
	jl_arena_release(&arena);
	jl_buf_release(&raw);
	return r;
}

/* The depfile is an output, declared as one or not. */
static int add_depfile(struct jl_project *p, const struct jl_step *s, struct jl_inst *t, struct jl_scope *scope)
{
	struct jl_buf path = JL_BUF_INIT;
	struct jl_pport *port = NULL;
	int r = depfile_path(p, s, t, scope, &path);
	if (r == JL_OK) {
		uint32_t id = jl_files_id(&p->state->files, path.data, path.len);
		for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
			struct jl_pport *own = jl_plan_port(&p->plan, i);
			if (!(own->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE | JL_PORT_FOLDER)) && own->what == id)
				port = own;
		}
		if (!port) {
			port = jl_table_add(&p->plan.ports, 1);
			*port = (struct jl_pport){
				.what = id, .def = JL_NONE, .flags = JL_PORT_HIDDEN | JL_PORT_OPTIONAL};
			t->n_outs++;
		}
		port->flags |= JL_PORT_DEPFILE;
		t->flags |= JL_INST_DEPFILE;
	}
	jl_buf_release(&path);
	return r;
}

static bool names_path(const struct jl_project *p, uint32_t first, uint32_t n, const char *path)
{
	for (uint32_t i = first; i < first + n; i++) {
		const struct jl_pport *port = jl_plan_port(&p->plan, i);
		if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			continue;
		const char *own = jl_files_path(&p->state->files, port->what);
		if (strcmp(own, path) == 0 || ((port->flags & JL_PORT_FOLDER) && jl_path_inside(path, own)))
			return true;
	}
	return false;
}

/* A program that is a file of the workspace is an input without being told; also one that is not there yet, since this plan
 * is used again when it is. */
static void add_program(struct jl_project *p, const struct jl_step *s, struct jl_inst *t, struct jl_scope *scope)
{
	const char *word = s->n_argv   ? jl_template_fixed(s->argv[0])
			   : s->script ? jl_template_first_word(s->script)
				       : NULL;
	struct jl_buf path = JL_BUF_INIT, dir = JL_BUF_INIT;
	if (!word || !strchr(word, '/') || word[0] == '/')
		return;
	if (jl_ports_workdir(s, scope, &dir, NULL) != JL_OK) /* which is told when the command is made */
		goto out;
	jl_path_join(&path, dir.data, word);
	if (!jl_path_escapes(path.data) && !names_path(p, t->ins, t->n_ins, path.data) &&
	    !names_path(p, t->outs, t->n_outs, path.data)) {
		uint32_t id = jl_files_id(&p->state->files, path.data, path.len);
		struct jl_pport *port = jl_table_add(&p->plan.ports, 1);
		*port = (struct jl_pport){.what = id, .flags = JL_PORT_IMPLIED};
		t->n_ins++;
	}
out:
	jl_buf_release(&path);
	jl_buf_release(&dir);
}

static int add_inst(struct jl_project *p, uint32_t rule, uint32_t item, const struct jl_value *value,
		    struct jl_err *err)
{
	const struct jl_step *s = &p->ast->steps[rule];
	struct jl_inst new = {.rule = rule, .item = item};
	struct jl_scope scope;
	struct jl_buf label = JL_BUF_INIT;
	jl_scope_init(&scope, p, s);
	scope.item = value;
	label_of(s, value, &label);
	int r = JL_OK, r2 = JL_OK;
	bool holds = !(jl_plan_rule(&p->plan, rule)->flags & JL_RULE_OFF);
	if (holds && s->when.t)
		r = jl_scope_holds(p, s, &scope, &holds);
	if (!holds) {
		new.flags |= JL_INST_OFF;
		jl_plan_rule(&p->plan, rule)->flags |= JL_RULE_SOME_OFF;
	} else if (r == JL_OK) {
		r = add_ports(p, s, &s->outputs, &scope, true, &new.outs, &new.n_outs);
		if (r == JL_OK && s->depfile.path)
			r = add_depfile(p, s, &new, &scope);
		r2 = add_ports(p, s, &s->inputs, &scope, false, &new.ins, &new.n_ins);
	}
	if (r != JL_OK || r2 != JL_OK)
		goto out;
	if (holds)
		add_program(p, s, &new, &scope);
	for (uint32_t i = new.ins; i < new.ins + new.n_ins; i++)
		if (jl_plan_port(&p->plan, i)->flags & JL_PORT_GLOB)
			new.flags |= JL_INST_GLOBS;
	if (new.flags & JL_INST_GLOBS) { /* whose command is made later */
		struct jl_buf dir = JL_BUF_INIT;
		r = jl_ports_workdir(s, &scope, &dir, p->msgs);
		jl_buf_release(&dir);
		if (r != JL_OK)
			goto out;
	}
	new.result = jl_results_id(&p->state->results, label.data, label.len);
	new.label = jl_result_at(&p->state->results, new.result)->label;
	uint32_t inst = p->plan.insts.len;
	*(struct jl_inst *)jl_table_add(&p->plan.insts, 1) = new;
	if (!(new.flags & (JL_INST_GLOBS | JL_INST_OFF))) {
		struct jl_table files = JL_TABLE_INIT(uint32_t), ports = JL_TABLE_INIT(uint32_t);
		for (uint32_t i = new.ins; i < new.ins + new.n_ins; i++) {
			if (jl_plan_port(&p->plan, i)->flags & (JL_PORT_EXCLUDE | JL_PORT_IMPLIED | JL_PORT_HIDDEN))
				continue;
			*(uint32_t *)jl_table_add(&files, 1) = jl_plan_port(&p->plan, i)->what;
			*(uint32_t *)jl_table_add(&ports, 1) = i;
		}
		r = jl_expand_command(p, inst, files.data, ports.data, files.len, 0, err);
		jl_table_release(&files);
		jl_table_release(&ports);
	}
out:
	jl_buf_release(&label);
	return r != JL_OK ? r : r2;
}

/* ---- a rule ---- */

/* Outputs of instances of `from` that are no more: of the same foreach, once successful, made by no live instance. */
static void note_gone(struct jl_project *p, const struct jl_plan *from, uint32_t first, uint32_t n,
		      const uint8_t *alive)
{
	for (uint32_t i = first; i < first + n; i++) {
		const struct jl_inst *t = jl_plan_inst(from, i);
		if (alive[t->result] || !(jl_result_at(&p->state->results, t->result)->flags & JL_RESULT_OK))
			continue;
		for (uint32_t k = t->outs; k < t->outs + t->n_outs; k++) {
			const struct jl_pport *port = jl_plan_port(from, k);
			if (port->flags & JL_PORT_GLOB)
				continue;
			struct jl_gone *g = jl_table_add(&p->gone, 1);
			*g = (struct jl_gone){.file = port->what, .flags = port->flags, .result = t->result};
		}
	}
}

static void compare_with_former(struct jl_project *p, uint32_t rule, uint32_t old_first, uint32_t old_n)
{
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	uint8_t *alive = jl_calloc(p->state->results.at.len + 1, 1);
	for (uint32_t i = r->first; i < r->first + r->n; i++)
		alive[jl_plan_inst(&p->plan, i)->result] = 1;
	note_gone(p, &p->plan, old_first, old_n, alive);
	for (uint32_t i = 0; i < p->old.rules.len; i++) {
		const struct jl_rule *o = jl_plan_rule(&p->old, i);
		if (o->ident == r->ident && (o->flags & JL_RULE_EXPANDED) && (o->flags & JL_RULE_FOREACH))
			note_gone(p, &p->old, o->first, o->n, alive);
	}
	free(alive);
}

/* Two items of one label would be one instance twice. */
static int check_labels(struct jl_project *p, uint32_t rule)
{
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	uint8_t *seen = jl_calloc(p->state->results.at.len + 1, 1);
	int status = JL_OK;
	for (uint32_t i = r->first; i < r->first + r->n && status == JL_OK; i++) {
		const struct jl_inst *t = jl_plan_inst(&p->plan, i);
		if (seen[t->result]) {
			jl_messages_add(p->msgs, p->ast->steps[rule].foreach.mark, false,
					"the item of \"%s\" comes twice; each item must be different",
					jl_project_text(p, t->label));
			status = JL_EINVAL;
		}
		seen[t->result] = 1;
	}
	free(seen);
	return status;
}

static int make_insts(struct jl_project *p, uint32_t rule, const struct items *items, struct jl_err *err)
{
	const struct jl_step *s = &p->ast->steps[rule];
	struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	uint32_t old_first = r->first, old_n = r->flags & JL_RULE_EXPANDED ? r->n : 0;
	uint32_t errors = p->msgs->errors;
	int status = JL_OK;
	struct jl_item_room room = JL_ITEM_ROOM_INIT;
	for (uint32_t i = old_first; i < old_first + old_n; i++)
		jl_plan_inst(&p->plan, i)->flags |= JL_INST_DEAD;
	r->first = p->plan.insts.len;
	r->n = 0;
	r->flags &= ~(uint32_t)JL_RULE_SOME_OFF;
	for (uint32_t i = 0; i < items->at.len && p->msgs->errors - errors < 5; i++) {
		uint32_t item = *JL_AT(items->at, uint32_t, i);
		const struct jl_value *value = r->flags & JL_RULE_OFF ? NULL : jl_expand_item(p, s, item, &room);
		int one = add_inst(p, rule, item, value, err);
		status = status == JL_OK ? one : status;
	}
	jl_item_room_release(&room);
	r->n = p->plan.insts.len - r->first;
	r->items = items->hash;
	r->flags |= JL_RULE_EXPANDED;
	jl_state_plan_changed(p->state);
	if (status == JL_OK)
		status = check_labels(p, rule);
	if (status == JL_OK && (r->flags & JL_RULE_FOREACH))
		compare_with_former(p, rule, old_first, old_n);
	if (status == JL_OK)
		status = jl_ports_claim(p, rule, true);
	return status;
}

int jl_expand_rule(struct jl_project *p, uint32_t rule, struct jl_err *err)
{
	struct items items = {.at = JL_TABLE_INIT(uint32_t)};
	struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	bool had = r->flags & JL_RULE_EXPANDED;
	int status = list_items(p, rule, &items, !had && p->ast, err);
	if (status == JL_OK && had && items.hash == r->items) {
		status = jl_ports_claim(p, rule, false);
	} else if (status == JL_OK) {
		if (!p->ast || had) { /* only the hash was asked for */
			status = jl_project_ast(p, NULL, err);
			items.at.len = 0;
			if (status == JL_OK)
				status = list_items(p, rule, &items, true, err);
		}
		if (status == JL_OK)
			status = make_insts(p, rule, &items, err);
	} else if ((status == JL_EINVAL || status == JL_ELIMIT) && jl_project_ast(p, NULL, NULL) == JL_OK) {
		jl_messages_add(p->msgs, p->ast->steps[rule].foreach.mark, false, "%s",
				err ? err->text : "cannot be expanded");
		status = JL_EINVAL;
	}
	jl_table_release(&items.at);
	return status;
}

static bool is_other(void *ctx, uint32_t rule, const char *makes)
{
	(void)makes;
	return rule != *(const uint32_t *)ctx;
}

/* Late rules that could make an input which nobody makes so far, or make it now: another run with this plan may come to them
 * after this instance. */
static void late_makers(const struct jl_project *p, const struct jl_makers *late, struct jl_inst *t,
			struct jl_table *out)
{
	for (uint32_t k = t->ins; k < t->ins + t->n_ins; k++) {
		const struct jl_pport *port = jl_plan_port(&p->plan, k);
		if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			continue; /* a glob's makers are waited for by its rule */
		uint32_t maker = jl_expand_maker(p, port->what);
		if (maker != JL_NONE) {
			uint32_t rule = jl_plan_inst(&p->plan, maker)->rule;
			if (rule != t->rule && (jl_plan_rule(&p->plan, rule)->flags & JL_RULE_LATE))
				*(uint32_t *)jl_table_add(out, 1) = rule;
			continue;
		}
		jl_makers_find(late, jl_files_path(&p->state->files, port->what), is_other, &t->rule, out);
	}
}

void jl_expand_waits(struct jl_project *p, uint32_t first)
{
	struct jl_table waits = JL_TABLE_INIT(uint32_t);
	struct jl_makers late = JL_MAKERS_INIT;
	for (uint32_t i = 0; i < p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&p->plan, i);
		for (uint32_t k = 0; k < r->n_makes && (r->flags & JL_RULE_LATE); k++)
			jl_makers_add(&late, jl_project_text(p, jl_plan_ref(&p->plan, r->makes + k)), i);
	}
	jl_makers_ready(&late);
	for (uint32_t i = first; i < p->plan.insts.len && late.by_tail.len; i++) {
		struct jl_inst *t = jl_plan_inst(&p->plan, i);
		waits.len = 0;
		late_makers(p, &late, t, &waits);
		/* Two inputs may come of one rule. */
		uint32_t n = 0;
		for (uint32_t k = 0; k < waits.len; k++) {
			bool there = false;
			for (uint32_t m = 0; m < n && !there; m++)
				there = *JL_AT(waits, uint32_t, m) == *JL_AT(waits, uint32_t, k);
			if (!there)
				*JL_AT(waits, uint32_t, n++) = *JL_AT(waits, uint32_t, k);
		}
		t->waits = jl_plan_add_refs(&p->plan, waits.data, n);
		t->n_waits = n;
	}
	jl_makers_release(&late);
	jl_table_release(&waits);
}

uint32_t jl_expand_maker(const struct jl_project *p, uint32_t file)
{
	const struct jl_files *files = &p->state->files;
	if (file < p->maker.len && *JL_AT(p->maker, uint32_t, file) != JL_NONE)
		return *JL_AT(p->maker, uint32_t, file);
	if (!jl_plan_head(&p->plan)->has_folders)
		return JL_NONE;
	for (uint32_t d = jl_file_at(files, file)->dir; d != JL_NONE; d = jl_file_at(files, d)->dir)
		if (d < p->maker.len && *JL_AT(p->maker, uint32_t, d) != JL_NONE)
			return *JL_AT(p->maker, uint32_t, d);
	return JL_NONE;
}
