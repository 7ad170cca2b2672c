/* See ports.h. */
#include "run/ports.h"

#include "base/file.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool jl_ports_refuse_output(struct jl_project *p, const char *path, bool folder, struct jl_mark mark)
{
	const char *holds = NULL;
	if (jl_path_escapes(path) || strcmp(path, ".") == 0) {
		jl_messages_add(p->msgs, mark, false,
				"output \"%s\" is outside the workspace; outputs lie below the manifest's folder",
				path);
		return true;
	}
	if (jl_path_inside(path, ".jl") || jl_path_inside(path, ".git"))
		holds = "is in a folder that jl never writes to";
	/* The first manifest, .jl and .git lie at the top, where no folder holds them; an included file may lie anywhere. */
	else if (strcmp(path, p->manifest_name) == 0)
		holds = "is the manifest itself";
	for (uint32_t i = 1; i < p->ast->n_files && !holds; i++) {
		if (strcmp(path, p->ast->files[i]->path) == 0)
			holds = "is an included manifest";
		else if (folder && jl_path_inside(p->ast->files[i]->path, path))
			holds = "holds an included manifest";
	}
	if (holds)
		jl_messages_add(p->msgs, mark, false, "output \"%s\" %s; choose another path", path, holds);
	return holds != NULL;
}

static uint32_t *maker_at(struct jl_project *p, uint32_t file)
{
	uint32_t len = p->maker.len;
	if (file >= len) {
		uint32_t more = p->state->files.at.len - len;
		memset(jl_table_add(&p->maker, more), 0xff, more * sizeof(uint32_t));
		jl_table_add(&p->below, more);
	}
	return JL_AT(p->maker, uint32_t, file);
}

struct jl_mark jl_ports_mark(const struct jl_project *p, uint32_t rule, const struct jl_pport *port, bool output)
{
	const struct jl_step *s = &p->ast->steps[rule];
	const struct jl_ports *ports = output ? &s->outputs : &s->inputs;
	return port->def < ports->n ? ports->at[port->def].text.mark : s->name.mark;
}

static struct jl_mark out_mark(const struct jl_project *p, uint32_t rule, const struct jl_pport *port)
{
	return jl_ports_mark(p, rule, port, true);
}

static int overlap(struct jl_project *p, uint32_t inst, const struct jl_pport *port, uint32_t other, uint32_t file)
{
	const struct jl_inst *t = jl_plan_inst(&p->plan, inst), *o = jl_plan_inst(&p->plan, other);
	struct jl_mark mark = out_mark(p, t->rule, port), theirs = mark;
	const char *path = jl_files_path(&p->state->files, port->what);
	for (uint32_t k = o->outs; k < o->outs + o->n_outs; k++) {
		const struct jl_pport *q = jl_plan_port(&p->plan, k);
		if (!(q->flags & JL_PORT_GLOB) && q->what == file)
			theirs = out_mark(p, o->rule, q);
	}
	/* The place is the later output's, whichever was claimed first. */
	bool one_file = strcmp(theirs.file, mark.file) == 0;
	if (one_file &&
	    (theirs.line > mark.line || (theirs.line == mark.line && theirs.column > mark.column))) {
		struct jl_mark swap = mark;
		mark = theirs;
		theirs = swap;
	}
	if (other == inst)
		jl_messages_add(p->msgs, mark, false,
				"step \"%s\" names output \"%s\" twice or within another of its outputs; name it once",
				jl_project_text(p, t->label), path);
	else
		jl_messages_add(
			p->msgs, mark, false,
			"output \"%s\" of step \"%s\" overlaps \"%s\" of step \"%s\" (%s%sline %u); give each its own path",
			path, jl_project_text(p, t->label), jl_files_path(&p->state->files, file),
			jl_project_text(p, o->label), one_file ? "" : theirs.file, one_file ? "" : ", ",
			theirs.line);
	return JL_EINVAL;
}

/* A folder output must not hold something that another claims: seen from the other side, when `below` was claimed first, by
 * the mark its claim left on every folder above. */
static int claim_one(struct jl_project *p, uint32_t inst, const struct jl_pport *port, bool check)
{
	const struct jl_files *files = &p->state->files;
	uint32_t *m = maker_at(p, port->what);
	if (check && *m != JL_NONE && !(jl_plan_inst(&p->plan, *m)->flags & JL_INST_DEAD))
		return overlap(p, inst, port, *m, port->what);
	*maker_at(p, port->what) = inst;
	for (uint32_t d = jl_file_at(files, port->what)->dir; d != JL_NONE; d = jl_file_at(files, d)->dir) {
		if (*JL_AT(p->below, uint8_t, d))
			break; /* and so are those above it */
		*JL_AT(p->below, uint8_t, d) = 1;
	}
	if (!check)
		return JL_OK;
	for (uint32_t d = jl_file_at(files, port->what)->dir; d != JL_NONE; d = jl_file_at(files, d)->dir) {
		uint32_t other = *maker_at(p, d);
		if (other != JL_NONE && !(jl_plan_inst(&p->plan, other)->flags & JL_INST_DEAD))
			return overlap(p, inst, port, other, d);
	}
	return JL_OK;
}

/* Outputs claimed before what would hold them: looked for only where something was claimed below. */
static int check_below(struct jl_project *p, uint32_t inst, const struct jl_pport *port)
{
	const struct jl_files *files = &p->state->files;
	if (!*JL_AT(p->below, uint8_t, port->what))
		return JL_OK;
	for (uint32_t i = 0; i < p->maker.len; i++) {
		uint32_t other = *JL_AT(p->maker, uint32_t, i);
		if (other == JL_NONE || i == port->what || (jl_plan_inst(&p->plan, other)->flags & JL_INST_DEAD))
			continue;
		for (uint32_t d = jl_file_at(files, i)->dir; d != JL_NONE; d = jl_file_at(files, d)->dir)
			if (d == port->what)
				return overlap(p, inst, port, other, i);
	}
	return JL_OK;
}

static int check_inputs(struct jl_project *p, uint32_t inst, const struct jl_pport *out)
{
	const struct jl_inst *t = jl_plan_inst(&p->plan, inst);
	const char *dir = jl_files_path(&p->state->files, out->what);
	for (uint32_t k = t->ins; k < t->ins + t->n_ins; k++) {
		const struct jl_pport *in = jl_plan_port(&p->plan, k);
		if (in->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
			continue;
		const char *path = jl_files_path(&p->state->files, in->what);
		if (!jl_path_inside(path, dir))
			continue;
		jl_messages_add(p->msgs, out_mark(p, t->rule, out), false,
				"output \"%s\" of step \"%s\" holds its input \"%s\"; an output is emptied before the "
				"step runs",
				dir, jl_project_text(p, t->label), path);
		return JL_EINVAL;
	}
	return JL_OK;
}

int jl_ports_claim(struct jl_project *p, uint32_t rule, bool check)
{
	const struct jl_rule *r = jl_plan_rule(&p->plan, rule);
	int status = JL_OK;
	for (uint32_t i = r->first; i < r->first + r->n; i++) {
		const struct jl_inst *t = jl_plan_inst(&p->plan, i);
		for (uint32_t k = t->outs; k < t->outs + t->n_outs; k++) {
			const struct jl_pport *port = jl_plan_port(&p->plan, k);
			if (port->flags & (JL_PORT_GLOB | JL_PORT_EXCLUDE))
				continue;
			int one = claim_one(p, i, port, check);
			if (one == JL_OK && check)
				one = check_below(p, i, port);
			if (one == JL_OK && check)
				one = check_inputs(p, i, port);
			if (one != JL_OK)
				status = one;
		}
	}
	return status;
}

int jl_ports_workdir(const struct jl_step *s, const struct jl_scope *scope, struct jl_buf *out,
		     struct jl_messages *msgs)
{
	struct jl_buf raw = JL_BUF_INIT;
	int r = JL_OK;
	if (s->workdir)
		r = jl_template_eval(s->workdir, scope, JL_TMPL_PLAIN, &raw, msgs);
	if (r == JL_OK)
		jl_path_join(out, s->from->dir, raw.len ? raw.data : ".");
	if (r == JL_OK && jl_path_escapes(out->data)) { /* from there no path of the workspace has a name that holds elsewhere */
		jl_messages_add(msgs, s->workdir_mark, false,
				"workdir \"%s\" lies outside of the workspace; name a folder below the manifest's, or go there "
				"in the command",
				jl_messages_show(msgs, raw.data));
		r = JL_EINVAL;
	}
	jl_buf_release(&raw);
	return r;
}

void jl_ports_make_writable(const struct jl_files *files, uint32_t id)
{
	const struct jl_file *f = jl_file_at(files, id);
	char self[40];
	if (jl_file_kind(f) != JL_KIND_DIR || (f->stamp.mode & 0700) == 0700)
		return;
	int fd = jl_file_open_beneath(files->root_fd, jl_files_path(files, id),
				      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd); /* fchmod refuses a descriptor of O_PATH */
	(void)!chmod(self, (f->stamp.mode & 07777) | 0700);
	close(fd);
}
