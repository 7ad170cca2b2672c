/* struct jl_hosted: other machines for commands that are no steps: `jl map --hosts` and `--executor`, `jl memo --executor`. They
 * run by the same executor as steps do (exec/hosts.h).
 *
 * A command runs there in a fresh folder. What is declared of it travels, as does a program that is a path of this folder; without
 * that the folder is empty. Of the environment there is what each host has of its own, locale and time zone of here, and what was
 * named.
 *
 *     jl_hosted_list(&h, ...) or jl_hosted_executor(&h, ...)           whose hosts; what is wrong with them
 *     jl_hosted_open(&h, &local, environ, workdir, say, ctx, err)      with a loop; nothing is connected before something is to run
 *     if (jl_hosted_room(&h, t) && !jl_hosted_none(&h)[0])            then jl_hosted_job(), and h.to.exec starts it
 *     jl_hosted_again(&h, t, ...)                                      when it has ended
 *     jl_hosted_close(&h); jl_hosted_release(&h);
 */
#ifndef JL_RUN_HOSTED_H
#define JL_RUN_HOSTED_H

#include "run/call.h"

struct jl_hosted {
	struct jl_elsewhere to;        /* the hosts; its `exec` is theirs and this machine's together, NULL without hosts */
	bool here;                     /* this machine is one of them (":") */
	uint32_t here_slots;           /* 0: as many as there are processors */
	/* private */
	struct jl_table env;           /* const char *: what travels, NULL-terminated */
	struct jl_table failed;        /* of hosts that could not be had while none is up: told with the first that is */
	struct jl_arena texts;
	bool up;                       /* one was */
	int stdin_fd;
	void (*say)(void *ctx, const char *text);
	void *ctx;
};
#define JL_HOSTED_INIT {.env = JL_TABLE_INIT(const char *), .failed = JL_TABLE_INIT(const char *), .stdin_fd = -1}

/* "alice,bob*4,:" by ssh. `slots`: of a host without a number; 0: as many as it says. The texts are copied. JL_EINVAL: one is no
 * name of a host. */
int jl_hosted_list(struct jl_hosted *h, const char *const *lists, uint32_t n, uint32_t slots, const char *const *environ,
                   struct jl_err *err) JL_MUST_CHECK;
/* Those of an executor of the manifest. */
int jl_hosted_executor(struct jl_hosted *h, const struct jl_manifest *m, const char *name, uint32_t slots,
                       const char *const *environ, struct jl_err *err) JL_MUST_CHECK;
/* These variables travel, too. Borrowed, as all of `environ`. */
void jl_hosted_env(struct jl_hosted *h, const char *const *names, uint32_t n, const char *const *environ);
void jl_hosted_release(struct jl_hosted *h);

/* `say` is told of hosts that are lost or cannot be had. */
int jl_hosted_open(struct jl_hosted *h, const struct jl_local *local, const char *const *environ, const char *workdir,
                   void (*say)(void *ctx, const char *text), void *ctx, struct jl_err *err) JL_MUST_CHECK;
void jl_hosted_close(struct jl_hosted *h); /* before the local executor and the loop; fine when not open */

/* How many jobs there may be at once on the hosts, those ahead of their slots, too; 0: there are none but this machine. */
uint32_t jl_hosted_most(const struct jl_hosted *h);
/* Would a job start on a host without waiting for another's end? `t`: what it met before; zeros at first. */
bool jl_hosted_room(struct jl_hosted *h, const struct jl_trouble *t);
/* Why none can be had, a line; "": one still can. */
const char *jl_hosted_none(struct jl_hosted *h);
/* Put into *job that it runs on a host, and what travels: of a call (begun by jl_call_begin()) what is declared and its program;
 * `c` NULL: nothing. Good until the next call. */
int jl_hosted_job(struct jl_hosted *h, const struct jl_trouble *t, struct jl_call *c, const struct jl_table *words,
                  uint32_t n_shell, struct jl_job *job, struct jl_err *err) JL_MUST_CHECK;
/* It has ended, but for a reason that need not be its own (run/trouble.h): true: it is to be started again. `final`: nothing is. */
bool jl_hosted_again(struct jl_hosted *h, struct jl_trouble *t, const char *label, struct jl_slot_job *job, bool final);
/* The program, if it is a path of this folder and would travel; NULL. The rest of a script may stand behind it: *ret_len. `words`:
 * const char *, of which `n_shell` are a shell's. */
const char *jl_hosted_program(const struct jl_table *words, uint32_t n_shell, size_t *ret_len);

#endif
