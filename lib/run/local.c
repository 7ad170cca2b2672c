/* Loop, local executor and signals of a command that runs processes here. */
#include "run/local.h"

#include "proc/spawn.h"

#include <signal.h>

static void caught(void *ctx, const struct signalfd_siginfo *si)
{
	struct jl_local *l = ctx;
	const int sig = (int)si->ssi_signo;
	if ((sig == SIGTSTP || sig == SIGCONT || sig == SIGWINCH) && l->slots->ops->terminal)
		l->slots->ops->terminal(l->slots->owner, sig);
	if (sig == SIGTSTP) {
		jl_slots_pause(l->slots, true);
		raise(SIGSTOP);
		jl_slots_pause(l->slots, false);
	} else if (sig != SIGCONT && sig != SIGWINCH) {
		jl_slots_signal(l->slots, sig);
	}
}

int jl_local_open(struct jl_local *l, struct jl_slots *slots, uint32_t jobs, const char *const *environ,
		  struct jl_err *err)
{
	/* PIPE: a write of ours that nobody reads. Dying of it at once would take make's tokens along. */
	const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t set;
	*l = (struct jl_local){.slots = slots};
	int r = jl_loop_new(&l->loop, err);
	if (r == JL_OK && jl_tokens_open(&l->tokens, l->loop, jobs, environ, &l->hint) != JL_OK) {
		l->alone = true;
		if (jobs == 1) /* as it was to be in any case */
			jl_err_clear(&l->hint);
	}
	if (r == JL_OK)
		r = jl_spawn_setup(err);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction now;
		/* nohup and "&" of old shells leave signals ignored on purpose. Ended children are told by their pidfds, adopted
		 * ones are reaped at each job's end: no SIGCHLD, which would cost three calls a job. */
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	if (r == JL_OK)
		r = jl_loop_signals(l->loop, &set, caught, l, err);
	if (r == JL_OK)
		r = jl_exec_local_new(l->loop, 0, &l->exec, err);
	return r;
}

void jl_local_close(struct jl_local *l)
{
	if (l->exec)
		l->exec->ops->free(l->exec);
	jl_tokens_close(&l->tokens);
	if (l->loop)
		jl_loop_free(l->loop);
	*l = (struct jl_local){0};
}
