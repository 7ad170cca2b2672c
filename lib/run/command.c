/* An instance's command, environment and base digest: see jl_expand_command in expand.h. */
#include "base/path.h"
#include "memo/key.h"
#include "run/expand.h"
#include "run/ports.h"
#include "run/scope.h"

#include <stdlib.h>
#include <string.h>

/* Words for a template's input or output list, relative to the workdir. */
struct words {
	struct jl_buf text;
	struct jl_table offsets; /* uint32_t in text */
	struct jl_table names;   /* const char * */
	struct jl_table at;      /* const char * */
};

static void words_add(struct words *w, const struct jl_project *p, const char *workdir, uint32_t file, uint32_t port)
{
	uint32_t name = jl_plan_port(&p->plan, port)->name;
	*(uint32_t *)jl_table_add(&w->offsets, 1) = (uint32_t)w->text.len;
	(void)!jl_path_relative(&w->text, workdir, jl_files_path(&p->state->files, file)); /* from within, so there is a way */
	jl_buf_char(&w->text, '\0');
	*(const char **)jl_table_add(&w->names, 1) = name ? jl_project_text(p, name) : NULL;
}

static void words_end(struct words *w, struct jl_words *ret)
{
	const char **at = w->offsets.len ? jl_table_add(&w->at, w->offsets.len) : NULL;
	for (uint32_t i = 0; i < w->offsets.len; i++)
		at[i] = w->text.data + *JL_AT(w->offsets, uint32_t, i);
	*ret = (struct jl_words){.at = at, .names = w->names.data, .n = w->offsets.len};
}

static void words_release(struct words *w)
{
	jl_buf_release(&w->text);
	jl_table_release(&w->offsets);
	jl_table_release(&w->names);
	jl_table_release(&w->at);
}

#define WORDS_INIT                                                                                                     \
	{                                                                                                              \
		.text = JL_BUF_INIT, .offsets = JL_TABLE_INIT(uint32_t), .names = JL_TABLE_INIT(char *),               \
		.at = JL_TABLE_INIT(char *)                                                                            \
	}

/* Strings packed one after the other, as pointers. */
static const char *const *unpack(const struct jl_buf *packed, uint32_t n, struct jl_table *room)
{
	const char **at = jl_table_add(room, n + 1);
	const char *s = packed->data;
	for (uint32_t i = 0; i < n; i++) {
		at[i] = s;
		s += strlen(s) + 1;
	}
	return at;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int eval_argv(const struct jl_step *s, const struct jl_scope *scope, struct jl_messages *msgs,
		     struct jl_buf *out, uint32_t *n, uint32_t *n_shell)
{
	int r = JL_OK;
	for (uint32_t i = 0; i < s->n_argv && r == JL_OK; i++)
		r = jl_template_words(s->argv[i], scope, s->argv_split, out, n, msgs);
	if (!s->script)
		return r;
	for (uint32_t i = 0; i < s->shell.n; i++)
		jl_buf_add(out, s->shell.at[i].s, s->shell.at[i].len + 1);
	*n_shell = s->shell.n;
	*n = s->shell.n + 1;
	r = jl_template_eval(s->script, scope, JL_TMPL_SHELL, out, msgs);
	jl_buf_char(out, '\0');
	return r;
}

static int eval_env(const struct jl_step *s, const struct jl_scope *scope, struct jl_messages *msgs, struct jl_buf *out)
{
	int r = JL_OK;
	for (uint32_t i = 0; i < s->env.n && r == JL_OK; i++) {
		jl_buf_str(out, s->env.at[i].name.s);
		jl_buf_char(out, '=');
		r = jl_template_eval(s->env.at[i].value, scope, JL_TMPL_PLAIN, out, msgs);
		jl_buf_char(out, '\0');
	}
	return r;
}

/* Evaluate and append one spec; *ret is its offset. */
static int add_spec(struct jl_project *p, const struct jl_step *s, const struct jl_scope *scope, const char *workdir,
		    uint32_t *ret)
{
	struct jl_buf argv = JL_BUF_INIT, env = JL_BUF_INIT;
	struct jl_table argv_at = JL_TABLE_INIT(char *), env_at = JL_TABLE_INIT(char *);
	struct jl_spec spec = {.workdir = workdir};
	int r = eval_argv(s, scope, p->msgs, &argv, &spec.n_argv, &spec.n_shell);
	if (r == JL_OK)
		r = eval_env(s, scope, p->msgs, &env);
	if (r == JL_OK && spec.n_argv == 0) {
		jl_messages_add(p->msgs, s->command_mark, false, "the command of step \"%s\" has no words", s->name.s);
		r = JL_EINVAL;
	}
	if (r == JL_OK) {
		spec.argv = unpack(&argv, spec.n_argv, &argv_at);
		spec.n_env = s->env.n;
		spec.env = unpack(&env, spec.n_env, &env_at);
		qsort(env_at.data, spec.n_env, sizeof(char *), by_name);
		*ret = jl_plan_add_spec(&p->plan, &spec);
	}
	jl_buf_release(&argv);
	jl_buf_release(&env);
	jl_table_release(&argv_at);
	jl_table_release(&env_at);
	return r;
}

static bool uses_jobs(const struct jl_step *s)
{
	bool used = s->script && jl_template_uses_jobs(s->script);
	for (uint32_t k = 0; k < s->n_argv && !used; k++)
		used = jl_template_uses_jobs(s->argv[k]);
	for (uint32_t k = 0; k < s->env.n && !used; k++)
		used = jl_template_uses_jobs(s->env.at[k].value);
	return used;
}

int jl_expand_command(struct jl_project *p, uint32_t inst, const uint32_t *files, const uint32_t *port_of, uint32_t n,
		      uint64_t list_hash, struct jl_err *err)
{
	struct jl_inst *t = jl_plan_inst(&p->plan, inst);
	struct words in = WORDS_INIT, out = WORDS_INIT;
	struct jl_buf workdir = JL_BUF_INIT, pieces = JL_BUF_INIT;
	struct jl_scope scope;
	struct jl_item_room room = JL_ITEM_ROOM_INIT;
	uint32_t errors = p->msgs->errors, key_spec;
	if ((t->flags & JL_INST_READY) && t->globbed == list_hash)
		return JL_OK;
	int r = jl_project_ast(p, NULL, err);
	if (r != JL_OK)
		return r;
	const struct jl_step *s = &p->ast->steps[t->rule];
	jl_scope_init(&scope, p, s);
	scope.item = jl_expand_item(p, s, t->item, &room);
	r = jl_ports_workdir(s, &scope, &workdir, p->msgs);
	for (uint32_t i = 0; i < n && r == JL_OK; i++)
		words_add(&in, p, workdir.data, files[i], port_of[i]);
	for (uint32_t i = t->outs; i < t->outs + t->n_outs && r == JL_OK; i++)
		if (!(jl_plan_port(&p->plan, i)->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE | JL_PORT_HIDDEN)))
			words_add(&out, p, workdir.data, jl_plan_port(&p->plan, i)->what, i);
	words_end(&in, &scope.inputs);
	words_end(&out, &scope.outputs);
	if (r == JL_OK)
		r = add_spec(p, s, &scope, workdir.data, &t->spec);
	if (r == JL_OK && uses_jobs(s)) {
		jl_plan_rule(&p->plan, t->rule)->flags |= JL_RULE_JOBS;
		uint32_t jobs = scope.jobs;
		scope.jobs = 0;
		r = add_spec(p, s, &scope, workdir.data, &key_spec);
		scope.jobs = jobs;
	}
	t->valid = 0;
	if (r == JL_OK && s->valid_if) {
		struct jl_step check = *s;
		check.argv = s->valid_if->argv;
		check.n_argv = s->valid_if->n_argv;
		check.argv_split = s->valid_if->argv_split;
		check.script = s->valid_if->script;
		r = add_spec(p, &check, &scope, workdir.data, &t->valid);
	}
	if (r == JL_OK) {
		t->flags |= JL_INST_READY;
		t->globbed = list_hash;
		jl_expand_pieces(p, inst, &pieces);
		jl_key_base(&pieces, p->state->files.algo, &t->base);
		jl_state_plan_changed(p->state);
	}
	if (r == JL_EINVAL && p->msgs->errors > errors)
		jl_err_set(err, JL_EINVAL, "%s", p->msgs->at[p->msgs->n - 1].text);
	words_release(&in);
	words_release(&out);
	jl_item_room_release(&room);
	jl_buf_release(&workdir);
	jl_buf_release(&pieces);
	return r;
}

static bool env_has(const struct jl_spec *spec, const char *name)
{
	size_t len = strlen(name);
	for (uint32_t i = 0; i < spec->n_env; i++)
		if (strncmp(spec->env[i], name, len) == 0 && spec->env[i][len] == '=')
			return true;
	return false;
}

void jl_expand_pieces(struct jl_project *p, uint32_t inst, struct jl_buf *out)
{
	const struct jl_inst *t = jl_plan_inst(&p->plan, inst);
	const struct jl_rule *r = jl_plan_rule(&p->plan, t->rule);
	struct jl_table room = JL_TABLE_INIT(char *);
	struct jl_spec spec;
	struct jl_buf name = JL_BUF_INIT;
	if (p->pieces.len) {
		jl_buf_clear(out);
		jl_buf_add(out, p->pieces.data, p->pieces.len);
		return;
	}
	jl_plan_spec(&p->plan, t->spec, &room, &spec);
	if (r->flags & JL_RULE_JOBS)
		jl_plan_spec(&p->plan, spec.next, &room, &spec);
	jl_key_begin(out);
	for (uint32_t i = 0; i < spec.n_argv; i++) {
		enum jl_piece type = i < spec.n_shell ? JL_PIECE_SHELL : spec.n_shell ? JL_PIECE_SCRIPT : JL_PIECE_ARG;
		jl_key_piece(out, type, "", spec.argv[i], strlen(spec.argv[i]));
	}
	jl_key_piece(out, JL_PIECE_WORKDIR, "", spec.workdir, strlen(spec.workdir));
	for (uint32_t i = 0; i < spec.n_env; i++) {
		size_t len = strcspn(spec.env[i], "=");
		jl_buf_clear(&name);
		jl_buf_add(&name, spec.env[i], len);
		jl_key_piece(out, JL_PIECE_ENV, name.data, spec.env[i] + len + 1, strlen(spec.env[i] + len + 1));
	}
	const char *tz = jl_scope_getenv(p, "TZ");
	if (tz && !env_has(&spec, "TZ"))
		jl_key_piece(out, JL_PIECE_ENV, "TZ", tz, strlen(tz));
	for (uint32_t i = t->ins; i < t->ins + t->n_ins; i++) /* its content is among the inputs */
		if (jl_plan_port(&p->plan, i)->flags & JL_PORT_STDIN)
			jl_key_piece(out, JL_PIECE_STDIN,
				     jl_files_path(&p->state->files, jl_plan_port(&p->plan, i)->what), "", 0);
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&p->plan, i);
		const uint32_t both = JL_PORT_STDOUT | JL_PORT_STDERR;
		bool text = port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE);
		jl_buf_clear(&name);
		jl_buf_str(&name, text ? jl_project_text(p, port->what) : jl_files_path(&p->state->files, port->what));
		if (port->flags & JL_PORT_FOLDER)
			jl_buf_char(&name, '/');
		const char *how = port->flags & JL_PORT_DEPFILE
					  ? (port->flags & JL_PORT_HIDDEN ? "depfile" : "declared depfile")
				  : port->flags & JL_PORT_EXCLUDE  ? "exclude"
				  : port->flags & JL_PORT_OPTIONAL ? "optional"
				  : (port->flags & both) == both   ? "stdout+stderr"
				  : port->flags & JL_PORT_STDOUT   ? "stdout"
				  : port->flags & JL_PORT_STDERR   ? "stderr"
								   : "";
		jl_key_piece(out, JL_PIECE_OUTPUT, name.data, how, strlen(how));
	}
	if (r->version)
		jl_key_piece(out, JL_PIECE_VERSION, "", jl_project_text(p, r->version),
			     strlen(jl_project_text(p, r->version)));
	if (!(r->flags & JL_RULE_PORTABLE))
		jl_key_piece(out, JL_PIECE_PLATFORM, "", p->platform, strlen(p->platform));
	jl_table_release(&room);
	jl_buf_release(&name);
}
