/* jl graph: the steps of the manifest and what leads to what, as a drawing or as data. */
#include "cmd.h"

#include "base/file.h"
#include "proc/spawn.h"
#include "proc/wait.h"
#include "run/outline.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct jl_settings, field)

enum format { FORMAT_DOT, FORMAT_MERMAID, FORMAT_JSON, FORMAT_SVG }; /* as the option lists them */

static const struct jl_opt opts[] = {
	{"format", 0, "dot|mermaid|json|svg", "how to draw it; svg by graphviz", JL_OPT_CHOICE, AT(graph.format), 0},
	{"instances", 'v', NULL, "each instance of a step, not one node for all", JL_OPT_FLAG, AT(graph.instances), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts, jl_opts_manifest, jl_opts_directory, jl_opts_help, NULL};

static int wait_for(int pidfd, struct jl_err *err)
{
	struct jl_ended ended;
	const bool known = jl_wait(pidfd, &ended);

	close(pidfd);
	if (!known)
		return jl_err_sys(err, errno, "dot");
	if (!ended.exited)
		return jl_err_set(err, JL_EIO, "dot was ended by signal %d (%s)", ended.status, strsignal(ended.status));
	if (ended.status)
		return jl_err_set(err, JL_EIO, "dot failed: exit %d", ended.status);
	return JL_OK;
}

/* The drawing by graphviz' dot. It reads and writes files without names, so nobody waits for anybody. */
static int draw_svg(struct jl_buf *drawing, struct jl_err *err)
{
	const int in = jl_file_nameless(NULL), out = jl_file_nameless(NULL);
	const struct jl_spawn s = {.argv = (const char *const[]){"dot", "-Tsvg", NULL},
				   .envp = (const char *const *)environ,
				   .stdin_fd = in,
				   .stdout_fd = out,
				   .stderr_fd = STDERR_FILENO,
				   .die_with_parent = true};
	int r, pidfd = -1;
	pid_t pid = 0;

	if (in < 0 || out < 0)
		r = jl_err_sys(err, errno, "cannot make a temporary file");
	else
		r = jl_file_write_all(&jl_io_system, in, drawing->data, drawing->len, err);
	if (r == JL_OK && lseek(in, 0, SEEK_SET) < 0)
		r = jl_err_sys(err, errno, "cannot read a temporary file");
	if (r == JL_OK) {
		r = jl_spawn(&s, &pid, &pidfd, err);
		if (r == JL_ENOTFOUND)
			r = jl_err_set(err, JL_EIO, "svg is drawn by the program \"dot\", which is not here: install the package "
						    "\"graphviz\", or take another --format");
	}
	if (r == JL_OK)
		r = wait_for(pidfd, err);
	jl_buf_clear(drawing);
	if (r == JL_OK && lseek(out, 0, SEEK_SET) < 0)
		r = jl_err_sys(err, errno, "cannot read the drawing");
	if (r == JL_OK)
		r = jl_file_read_fd(&jl_io_system, out, "the drawing", drawing, err);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return r;
}

static int run(struct jl_settings *s)
{
	struct jl_outline outline = JL_OUTLINE_INIT;
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf out = JL_BUF_INIT;
	struct jl_run_opts o;
	int status;

	if (jl_settings_run_opts(s, &arena, &o, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	o.mode = JL_MODE_PLAN;
	if (jl_outline_make(&o, s->graph.instances, &outline, &msgs, &err) != JL_OK) {
		status = jl_say_fault(&msgs, &err);
		goto out;
	}
	jl_say_messages(&msgs);
	if (s->graph.format == FORMAT_JSON)
		jl_outline_json(&outline, &out);
	else if (s->graph.format == FORMAT_MERMAID)
		jl_outline_mermaid(&outline, &out);
	else
		jl_outline_dot(&outline, &out);
	if (s->graph.format == FORMAT_SVG && draw_svg(&out, &err) != JL_OK)
		status = jl_say_error(&err);
	else
		status = jl_print_buf(&out);
out:
	jl_buf_release(&out);
	jl_outline_release(&outline);
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return status;
}

const struct jl_command jl_command_graph = {
	.name = "graph",
	.operands = "[STEP|PATH|@TAG ...]",
	.summary = "Draw the steps and what leads to what",
	.about = "In DOT unless --format says otherwise. A step with foreach or matrix is one node\n"
		 "with the number of its instances. An edge: an output of one is an input of the\n"
		 "other; dashed: it only waits. What was named and all that it needs; without\n"
		 "operands, all that \"jl run\" would run.\n",
	.tables = tables,
	.max_operands = UINT32_MAX,
	.run = run,
};
