/* What an instance is executed with. See start.h. */
#include "run/start.h"

#include "base/file.h"
#include "base/path.h"
#include "run/elsewhere.h"
#include "run/ended.h"
#include "run/found.h"
#include "run/left.h"
#include "run/script.h"
#include "run/needs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KILL_AFTER_NS (10 * JL_NS_S)

static int64_t timeout_of(const struct jl_engine *e, uint32_t inst)
{
	int64_t own = jl_engine_rule(e, inst)->timeout_ns;
	return own ? own : e->opts->timeout_ns;
}

/* Streams that are files: an input, and outputs whose place was just made free. */
static int open_streams(struct jl_engine *e, uint32_t inst, int fds[3], struct jl_err *err)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	const struct jl_files *files = jl_engine_files(e);
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	for (uint32_t i = t->ins; i < t->ins + t->n_ins; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (!(port->flags & JL_PORT_STDIN))
			continue;
		fds[0] = openat(files->root_fd, jl_files_path(files, port->what), O_RDONLY | O_CLOEXEC);
		if (fds[0] < 0)
			return jl_err_sys(err, errno, "cannot open stdin \"%s\"", jl_files_path(files, port->what));
	}
	for (uint32_t i = t->outs; i < t->outs + t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, i);
		if (!(port->flags & (JL_PORT_STDOUT | JL_PORT_STDERR)))
			continue;
		int low = jl_file_open_beneath(files->root_fd, jl_files_path(files, port->what), flags, 0666);
		int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 3); /* 0 would mean: captured */
		int e_open = errno;
		if (low >= 0)
			close(low);
		if (fd < 0)
			return jl_err_sys(err, e_open, "cannot write \"%s\"", jl_files_path(files, port->what));
		fds[port->flags & JL_PORT_STDOUT ? 1 : 2] = fd;
		if ((port->flags & JL_PORT_STDOUT) && (port->flags & JL_PORT_STDERR))
			fds[2] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return JL_OK;
}

static int make_ready(struct jl_engine *e, struct jl_running *r, struct jl_err *err)
{
	jl_joblog_free(r->log); /* of an attempt before */
	r->log = jl_joblog_new(e, r->inst);
	int status = jl_place_prepare(e, r->inst, err);
	if (status != JL_OK || jl_elsewhere_is(e, r))
		return status;
	return open_streams(e, r->inst, e->starting.fds, err);
}

int jl_start_begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct jl_engine *e = owner;
	struct jl_running *r = (struct jl_running *)job;
	struct jl_starting *st = &e->starting;
	struct jl_spec spec;
	jl_needs_take(e, r);
	if (!e->oom_known)
		e->oom_kills = e->machine->oom_kills(e->machine);
	e->oom_known = true;
	jl_left_mark(e);
	const struct jl_inst *t = jl_engine_inst(e, r->inst);
	int status = r->checking ? JL_OK : make_ready(e, r, err);
	if (status != JL_OK)
		return status;
	jl_plan_spec(&e->p->plan, r->checking ? t->valid : t->spec, &st->argv, &spec);
	bool far = jl_elsewhere_is(e, r);
	status = far ? jl_elsewhere_job(e, r, spec.workdir, ret, err) : jl_script_shorten(e, r, &spec, err);
	if (status != JL_OK)
		return status;
	jl_buf_clear(&st->workdir);
	jl_path_join(&st->workdir, e->p->root, spec.workdir);
	ret->label = jl_engine_label(e, r->inst);
	ret->argv = spec.argv;
	ret->script = far && jl_script_is(&spec);
	ret->envp = jl_environ_of(e, r->inst, &spec, job->slot, &st->text, &st->env);
	ret->workdir = st->workdir.data;
	ret->terminal = !r->checking && (jl_engine_rule(e, r->inst)->flags & JL_RULE_INTERACTIVE);
	ret->stdin_fd = st->fds[0];
	ret->stdout_fd = st->fds[1] < 0 ? 0 : st->fds[1];
	ret->stderr_fd = st->fds[2] < 0 ? 0 : st->fds[2];
	ret->timeout_ns = timeout_of(e, r->inst);
	jl_found_start(e, r);
	ret->kill_after_ns = e->opts->kill_after_ns ? e->opts->kill_after_ns : KILL_AFTER_NS;
	return JL_OK;
}

void jl_start_begun(void *owner, struct jl_slot_job *job, bool started)
{
	struct jl_engine *e = owner;
	struct jl_running *r = (struct jl_running *)job;
	for (int i = 0; i < 3; i++) {
		if (e->starting.fds[i] >= 0)
			close(e->starting.fds[i]);
		e->starting.fds[i] = -1;
	}
	if (!started)
		return;
	e->counts.running = e->slots.n_running;
	if (!e->opts->sinks || r->checking)
		return;
	struct jl_buf line = JL_BUF_INIT;
	const char *far = e->elsewhere.exec ? jl_elsewhere_of(e, r->inst) : "";
	jl_ended_command(e, r->inst, &line);
	struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
			      .step = jl_engine_label(e, r->inst),
			      .attempt = r->attempt,
			      .executor = far[0] ? far : "local",
			      .host = far[0] ? jl_hosts_of(e->elsewhere.exec, job->slot + 1) : "local",
			      .pid = job->pid,
			      .command = line.data,
			      .expected_ns = jl_ended_result(e, r->inst)->wall_ns,
			      .terminal = jl_engine_rule(e, r->inst)->flags & JL_RULE_INTERACTIVE,
			      .reason = r->what.reason};
	jl_engine_emit(e, &ev);
	jl_buf_release(&line);
}
