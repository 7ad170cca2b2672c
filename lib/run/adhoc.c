/* See adhoc.h. */
#include "run/adhoc.h"

#include "base/glob.h"
#include "base/path.h"
#include "manifest/shell.h"
#include "memo/key.h"
#include "run/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Without pipefail a broken pipeline is a success, and would be stored. */
const char *const jl_adhoc_shell[] = {"bash", "-eo", "pipefail", "-c", NULL};

uint32_t jl_adhoc_words(const struct jl_memo_list *command, struct jl_buf *scratch, struct jl_table *at)
{
	const uint32_t n_shell = sizeof(jl_adhoc_shell) / sizeof(jl_adhoc_shell[0]) - 1;
	if (command->n == 1 && jl_shell_needed(command->at[0])) {
		for (uint32_t i = 0; i < n_shell; i++)
			*(const char **)jl_table_add(at, 1) = jl_adhoc_shell[i];
		*(const char **)jl_table_add(at, 1) = command->at[0];
		return n_shell;
	}
	if (command->n > 1) {
		memcpy(jl_table_add(at, command->n), command->at, command->n * sizeof(char *));
		return 0;
	}
	uint32_t n = command->n ? jl_shell_split(command->at[0], scratch) : 0;
	for (const char *word = scratch->data; n > 0; n--, word += strlen(word) + 1)
		*(const char **)jl_table_add(at, 1) = word;
	return 0;
}

/* ---- paths ---- */

struct place {               /* an input or output as it was given */
	char *path;          /* absolute and clean; of a glob: the folder before its first glob character */
	const char *pattern; /* what of a glob comes behind that; NULL: none */
	bool folder;         /* given with a trailing slash */
};

static void absolute(const char *cwd, const char *path, size_t len, struct jl_buf *out)
{
	char *part = jl_strndup(path, len);
	jl_buf_clear(out);
	jl_path_join(out, cwd, part);
	free(part);
}

static int locate(const char *cwd, const char *text, bool input, struct place *ret, struct jl_err *err)
{
	struct jl_buf b = JL_BUF_INIT;
	struct stat st;
	size_t len = strlen(text), fixed = len;
	if (len == 0)
		return jl_err_set(err, JL_EINVAL, "%s needs the name of a file or folder",
				  input ? "an input" : "an output");
	absolute(cwd, text, len, &b);
	/* A file that has such a name is that file. */
	if (input && jl_glob_is(text) && lstat(b.data, &st) != 0) {
		int r = jl_glob_check(text, err);
		if (r != JL_OK) {
			jl_buf_release(&b);
			return r;
		}
		fixed = jl_glob_fixed_dir(text);
		ret->pattern = text + fixed + (text[fixed] == '/');
	}
	if (fixed < len)
		absolute(cwd, text, fixed, &b);
	ret->path = jl_strndup(b.data, b.len);
	ret->folder = text[len - 1] == '/';
	jl_buf_release(&b);
	return JL_OK;
}

/* Shorten `root` until it holds `path`. */
static void embrace(char *root, const char *path)
{
	while (!jl_path_inside(path, root) && strcmp(root, "/") != 0) {
		char *slash = strrchr(root, '/');
		slash[slash == root] = '\0';
	}
}

static const char *within(const char *root, const char *path)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	return path[len] == '\0' || path[len + 1] == '\0' ? "." : path + len + 1;
}

static void escape(struct jl_buf *out, const char *path)
{
	for (; *path; path++) {
		if (strchr("*?[\\", *path))
			jl_buf_char(out, '\\');
		jl_buf_char(out, *path);
	}
}

/* ---- plan ---- */

struct builder {
	const struct jl_memo_opts *o;
	struct jl_project *p;
	struct place *ins, *outs, depfile;
	uint32_t depfile_out; /* which of the outputs it is, if it was named as one, too; else their number */
};

static struct jl_pport *add_port(struct builder *b, uint32_t flags, const char *text)
{
	struct jl_state *s = b->p->state;
	struct jl_pport *port = jl_table_add(&b->p->plan.ports, 1);
	bool is_text = flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE);
	port->flags = flags;
	port->what = is_text ? jl_text_add(&s->text, text, strlen(text)) : jl_files_id(&s->files, text, strlen(text));
	return port;
}

static void add_inputs(struct builder *b, struct jl_inst *t)
{
	struct jl_buf text = JL_BUF_INIT;
	t->ins = b->p->plan.ports.len;
	for (uint32_t i = 0; i < b->o->inputs.n; i++) {
		const char *path = within(b->p->root, b->ins[i].path);
		if (!b->ins[i].pattern) {
			add_port(b, 0, path);
			continue;
		}
		jl_buf_clear(&text);
		if (strcmp(path, ".") != 0) {
			escape(&text, path);
			jl_buf_char(&text, '/');
		}
		jl_buf_str(&text, b->ins[i].pattern);
		add_port(b, JL_PORT_GLOB, text.data);
	}
	/* What the command makes is no input of it, also where an input folder holds it. */
	for (uint32_t i = 0; b->o->inputs.n && i < b->o->outputs.n; i++) {
		jl_buf_clear(&text);
		escape(&text, within(b->p->root, b->outs[i].path));
		add_port(b, JL_PORT_EXCLUDE, text.data);
		jl_buf_clear(&text);
		jl_buf_printf(&text, "%s/", within(b->p->root, b->outs[i].path));
		add_port(b, JL_PORT_EXCLUDE, text.data);
	}
	if (b->o->inputs.n && b->o->depfile) {
		jl_buf_clear(&text);
		escape(&text, within(b->p->root, b->depfile.path));
		add_port(b, JL_PORT_EXCLUDE, text.data);
	}
	t->n_ins = b->p->plan.ports.len - t->ins;
	jl_buf_release(&text);
}

static bool ignored(const struct jl_memo_opts *o, const char *word)
{
	for (uint32_t i = 0; i < o->ignore.n; i++)
		if (strcmp(o->ignore.at[i], word) == 0)
			return true;
	return false;
}

static void add_digest(struct jl_buf *out, enum jl_piece type, const char *name, const struct jl_digest *d)
{
	char text[JL_DIGEST_TEXT];
	jl_digest_text(d, text);
	jl_key_piece(out, type, name, text, strlen(text));
}

/* Everything of the key but the inputs. */
static void make_pieces(const struct builder *b, const struct jl_table *words, uint32_t n_shell,
			const struct jl_digest *tools, const struct jl_digest *input)
{
	const struct jl_memo_opts *o = b->o;
	struct jl_buf *out = &b->p->pieces;
	const char *dir = o->inputs.n + o->outputs.n ? within(b->p->root, o->run.cwd) : o->run.cwd;
	jl_key_begin(out);
	for (uint32_t i = 0; i < words->len; i++) {
		const char *word = *JL_AT(*words, const char *, i);
		if (!ignored(o, word))
			jl_key_piece(out,
				     i < n_shell ? JL_PIECE_SHELL
				     : n_shell   ? JL_PIECE_SCRIPT
						 : JL_PIECE_ARG,
				     "", word, strlen(word));
	}
	jl_key_piece(out, JL_PIECE_WORKDIR, "", dir, strlen(dir));
	for (uint32_t i = 0; i < o->env.n; i++) {
		const char *value = jl_scope_getenv(b->p, o->env.at[i]);
		if (value) /* an unset one is as if it had not been named */
			jl_key_piece(out, JL_PIECE_ENV, o->env.at[i], value, strlen(value));
	}
	if (input->algo != JL_DIGEST_NONE)
		add_digest(out, JL_PIECE_STDIN, "", input);
	for (uint32_t i = 0; i < o->outputs.n; i++)
		jl_key_piece(out, JL_PIECE_OUTPUT, within(b->p->root, b->outs[i].path), "", 0);
	if (o->depfile)
		jl_key_piece(out, JL_PIECE_OUTPUT, within(b->p->root, b->depfile.path),
			     b->depfile_out < o->outputs.n ? "declared depfile" : "depfile",
			     b->depfile_out < o->outputs.n ? 16 : 7);
	add_digest(out, JL_PIECE_TOOL, *JL_AT(*words, const char *, 0), &tools[0]);
	for (uint32_t i = 0; i < o->tools.n; i++)
		add_digest(out, JL_PIECE_TOOL, o->tools.at[i], &tools[i + 1]);
	jl_key_piece(out, JL_PIECE_PLATFORM, "", b->p->platform, strlen(b->p->platform));
}

static void make_plan(struct builder *b, const struct jl_table *words, uint32_t n_shell)
{
	struct jl_project *p = b->p;
	const char *program = *JL_AT(*words, const char *, 0);
	const char *label = b->o->label ? b->o->label : program + jl_path_base(program, strlen(program));
	struct jl_spec spec = {.workdir = within(p->root, b->o->run.cwd),
			       .argv = words->data,
			       .n_argv = words->len,
			       .n_shell = n_shell};
	jl_table_add(&p->plan.head, 1);
	struct jl_rule *rule = jl_table_add(&p->plan.rules, 1);
	struct jl_inst *t = jl_table_add(&p->plan.insts, 1);
	rule->n = 1;
	rule->name = t->label = jl_text_add(&p->state->text, label, strlen(label));
	t->result = jl_results_id(&p->state->results, label, strlen(label));
	t->flags = JL_INST_READY;
	t->spec = jl_plan_add_spec(&p->plan, &spec);
	add_inputs(b, t);
	t->outs = p->plan.ports.len;
	t->n_outs = b->o->outputs.n;
	for (uint32_t i = 0; i < t->n_outs; i++)
		add_port(b, b->outs[i].folder ? JL_PORT_FOLDER : 0, within(p->root, b->outs[i].path));
	if (b->o->depfile && b->depfile_out == t->n_outs) {
		add_port(b, JL_PORT_HIDDEN | JL_PORT_OPTIONAL, within(p->root, b->depfile.path));
		t->n_outs++;
	}
	if (b->o->depfile) {
		jl_plan_port(&p->plan, t->outs + b->depfile_out)->flags |= JL_PORT_DEPFILE;
		t->flags |= JL_INST_DEPFILE;
	}
	jl_key_base(&p->pieces, p->state->files.algo, &t->base);
}

static int locate_output(struct builder *b, const char *text, char *root, struct place *ret, struct jl_err *err)
{
	int r = locate(b->o->run.cwd, text, false, ret, err);
	if (r != JL_OK)
		return r;
	char *folder = jl_strdup(ret->path), *slash = strrchr(folder, '/');
	if (strcmp(folder, "/") == 0)
		r = jl_err_set(err, JL_EINVAL, "\"/\" cannot be an output");
	slash[slash == folder] = '\0';
	embrace(root, folder);
	free(folder);
	return r;
}

/* The paths as given, and the root that holds them. */
static int locate_all(struct builder *b, struct jl_err *err)
{
	const struct jl_memo_opts *o = b->o;
	char *root = jl_strdup(o->run.cwd);
	int r = JL_OK;
	b->p->root = root;
	for (uint32_t i = 0; i < o->inputs.n && r == JL_OK; i++) {
		r = locate(o->run.cwd, o->inputs.at[i], true, &b->ins[i], err);
		if (r == JL_OK)
			embrace(root, b->ins[i].path);
	}
	for (uint32_t i = 0; i < o->outputs.n && r == JL_OK; i++)
		r = locate_output(b, o->outputs.at[i], root, &b->outs[i], err);
	if (r == JL_OK && o->depfile)
		r = locate_output(b, o->depfile, root, &b->depfile, err);
	if (r == JL_OK && b->depfile.folder)
		r = jl_err_set(err, JL_EINVAL, "the depfile \"%s\" must be a file", o->depfile);
	b->depfile_out = o->outputs.n;
	for (uint32_t i = 0; i < o->outputs.n && r == JL_OK && o->depfile; i++)
		if (strcmp(b->outs[i].path, b->depfile.path) == 0)
			b->depfile_out = i;
	return r;
}

static void release_places(struct place *all, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(all[i].path);
	free(all);
}

int jl_adhoc_open(const struct jl_memo_opts *o, const struct jl_table *words, uint32_t n_shell,
		  const struct jl_digest *tools, const struct jl_digest *input, struct jl_project **ret,
		  struct jl_err *err)
{
	struct jl_project *p = jl_calloc(1, sizeof(*p));
	struct builder b = {.o = o, .p = p};
	struct utsname machine;
	*p = (struct jl_project){.opts = &o->run,
				 .lock_fd = -1,
				 .plan = JL_PLAN_INIT,
				 .old = JL_PLAN_INIT,
				 .maker = JL_TABLE_INIT(uint32_t),
				 .below = JL_TABLE_INIT(uint8_t),
				 .gone = JL_TABLE_INIT(struct jl_gone),
				 .pieces = JL_BUF_INIT,
				 .jobs = 1};
	b.ins = jl_calloc(o->inputs.n + 1, sizeof(*b.ins));
	b.outs = jl_calloc(o->outputs.n + 1, sizeof(*b.outs));
	if (uname(&machine) == 0) {
		snprintf(p->platform, sizeof(p->platform), "linux-%s", machine.machine);
		snprintf(p->host, sizeof(p->host), "%s", machine.nodename);
	}
	p->manifest_name = jl_strdup("");
	int r = locate_all(&b, err);
	if (r == JL_OK)
		r = jl_state_open_empty(&jl_io_system, p->root, &p->state, err);
	if (r == JL_OK) {
		p->state->files.algo = jl_run_algo(&o->run);
		make_pieces(&b, words, n_shell, tools, input);
		make_plan(&b, words, n_shell);
		*ret = p;
	} else {
		(void)!jl_project_close(p, NULL);
	}
	release_places(b.ins, o->inputs.n);
	release_places(b.outs, o->outputs.n);
	free(b.depfile.path);
	return r;
}
