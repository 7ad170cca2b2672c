/* What a command sees of the environment: the list, what its step declares, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_help.h"

/* The job's environment, a line each, sorted. */
struct seen {
	struct jl_buf text;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void look(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	struct seen *seen = ctx;
	const char *sorted[64];
	size_t n = 0;
	(void)run;
	for (size_t i = 0; job->envp[i]; i++) {
		assert_true(n < 64);
		if (strncmp(job->envp[i], "JL_RUN=", 7) != 0) /* another one in each run */
			sorted[n++] = job->envp[i];
	}
	qsort(sorted, n, sizeof(*sorted), by_text);
	jl_buf_clear(&seen->text);
	for (size_t i = 0; i < n; i++)
		jl_buf_printf(&seen->text, "%s\n", sorted[i]);
}

static void see(const char *step, const char *const *environ_now, const char *want)
{
	struct seen seen = {.text = JL_BUF_INIT};
	struct jl_buf manifest = JL_BUF_INIT;
	jl_buf_printf(&manifest, "steps:\n  s: {command: [x]%s}\n", step);
	struct world *w = world_new(manifest.data);
	w->o.environ = environ_now;
	fake_exec_on(w->x, "s", &(struct fake_run){.effect = look, .ctx = &seen});
	world_run(w);
	assert_string_equal(seen.text.data, want);
	world_free(w);
	jl_buf_release(&seen.text);
	jl_buf_release(&manifest);
}

#define OWN "JL_SLOT=1\nJL_STEP=s\n"

static void test_list(void **state)
{
	(void)state;
	const char *const given[] = {"PATH=/p",  "HOME=/h",       "LANG=de",        "LC_ALL=de_DE",  "XDG_CACHE_HOME=/x",
	                             "SECRET=1", "http_proxy=pr", "no_proxy=local", "HTTP_PROXY=no", "TZ=UTC",
	                             "PATHS=no", "JL_SLOT=9",     "JL_STORE=/s",    "EMPTY=",        NULL};
	see("", given,
	    "HOME=/h\n" OWN "LC_ALL=C.UTF-8\nPATH=/p\nTZ=UTC\nXDG_CACHE_HOME=/x\nhttp_proxy=pr\nno_proxy=local\n");
	/* A command needs some PATH. */
	see("", (const char *const[]){NULL}, OWN "LC_ALL=C.UTF-8\nPATH=/usr/local/bin:/usr/bin:/bin\n");
	see("", NULL, OWN "LC_ALL=C.UTF-8\nPATH=/usr/local/bin:/usr/bin:/bin\n");
}

static void test_declared(void **state)
{
	(void)state;
	const char *const given[] = {"PATH=/p", "A=1", "AB=2", "LANG=de", NULL};
	see(", pass_env: [A, NOPE]", given, "A=1\n" OWN "LC_ALL=C.UTF-8\nPATH=/p\n");
	/* The step's own word is the last. */
	see(", pass_env: A, env: {A: own, PATH: /own, LC_ALL: C}", given, "A=own\n" OWN "LC_ALL=C\nPATH=/own\n");
	see(", pass_env: [\"*\"]", given, "A=1\nAB=2\n" OWN "LANG=de\nLC_ALL=C.UTF-8\nPATH=/p\n");
}

/* Which of it is in the key: env, and TZ; what is passed is not. */
static void test_keys(void **state)
{
	(void)state;
	struct world *w = world_new("steps:\n  s: {command: [x, \"${{ env.T }}\"], inputs: in, pass_env: [A], env: {E: \"1\"}}\n");
	world_write(w, "in", "");
	const struct {
		const char *const environ_now[4];
		bool runs;
	} steps[] = {
		{{"A=1", "T=1", NULL}, true},          {{"A=2", "T=1", "HOME=/h", NULL}, false}, {{"T=1", "OTHER=1", NULL}, false},
		{{"T=2", NULL}, true},                 {{"T=2", "TZ=UTC", NULL}, true},          {{"T=2", "TZ=CET", NULL}, true},
		{{"T=2", "TZ=CET", "A=9", NULL}, false},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		w->o.environ = steps[i].environ_now;
		world_run(w);
		if (w->sum.counts.ran != steps[i].runs)
			fail_msg("%zu: %s", i, w->reasons.data);
	}
	/* A variable that a template reads and that is not set is an error with its place. */
	w->o.environ = (const char *const[]){"A=1", NULL};
	assert_int_equal(world_try(w), JL_EINVAL);
	assert_int_equal(w->msgs.at[0].mark.line, 3);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_declared),
		cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
