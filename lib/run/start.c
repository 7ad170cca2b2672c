/* What an instance is executed with. See start.h. */
#include "run/start.h"

#include "base/path.h"
#include "run/ended.h"

#define KILL_AFTER_NS (10 * JL_NS_S)

static int64_t timeout_of(const struct jl_engine *e, uint32_t inst)
{
	int64_t own = jl_engine_rule(e, inst)->timeout_ns;
	return own ? own : e->opts->timeout_ns;
}

int jl_start_begin(void *owner, struct jl_slot_job *job, struct jl_job *ret, struct jl_err *err)
{
	struct jl_engine *e = owner;
	struct jl_running *r = (struct jl_running *)job;
	struct jl_starting *st = &e->starting;
	struct jl_spec spec;
	if (!r->log)
		r->log = jl_joblog_new(e, r->inst);
	int status = jl_place_prepare(e, r->inst, err);
	if (status != JL_OK)
		return status;
	jl_plan_spec(&e->p->plan, jl_engine_inst(e, r->inst)->spec, &st->argv, &spec);
	jl_buf_clear(&st->workdir);
	jl_path_join(&st->workdir, e->p->root, spec.workdir);
	ret->label = jl_engine_label(e, r->inst);
	ret->argv = spec.argv;
	ret->envp = jl_environ_of(e, r->inst, &spec, job->slot, &st->text, &st->env);
	ret->workdir = st->workdir.data;
	ret->timeout_ns = timeout_of(e, r->inst);
	ret->kill_after_ns = e->opts->kill_after_ns ? e->opts->kill_after_ns : KILL_AFTER_NS;
	return JL_OK;
}

void jl_start_begun(void *owner, struct jl_slot_job *job, bool started)
{
	struct jl_engine *e = owner;
	struct jl_running *r = (struct jl_running *)job;
	if (!started)
		return;
	e->counts.running = e->slots.n_running;
	r->attempt = 1;
	if (!e->opts->sinks)
		return;
	struct jl_buf line = JL_BUF_INIT;
	jl_ended_command(e, r->inst, &line);
	struct jl_event ev = {.type = JL_EVENT_STEP_STARTED,
			      .step = jl_engine_label(e, r->inst),
			      .attempt = 1,
			      .executor = "local",
			      .host = "local",
			      .pid = job->pid,
			      .command = line.data,
			      .reason = r->what.reason};
	jl_engine_emit(e, &ev);
	jl_buf_release(&line);
}
