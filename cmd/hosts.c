/* jl hosts: which hosts of the executors can be had. */
#include "cmd.h"

#include "base/clock.h"
#include "run/look_hosts.h"

static const struct jl_opt *const tables[] = {jl_opts_manifest, jl_opts_directory, jl_opts_help, NULL};

struct said {
	struct jl_buf out;
	uint32_t down;
};

static void tell(void *ctx, const struct jl_look_hosts *one)
{
	struct said *s = ctx;

	jl_buf_printf(&s->out, "%s  %s  ", one->host->executor, one->host->name);
	if (one->up) {
		jl_buf_printf(&s->out, "up  %u slot%s  %s  %.1f GiB  round trip ", one->info.slots, one->info.slots == 1 ? "" : "s",
			      one->info.arch, (double)one->info.memory / (1 << 30));
		jl_buf_printf(&s->out, "%.2fms  connected in ", (double)one->info.round_trip_ns / 1e6);
		jl_clock_show(&s->out, one->info.connected_ns);
	} else {
		s->down++;
		jl_buf_printf(&s->out, "down  %s", one->info.why);
	}
	jl_buf_char(&s->out, '\n');
}

static int run(struct jl_settings *s)
{
	struct said said = {.out = JL_BUF_INIT};
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_project *p = NULL;
	struct jl_run_opts o;
	uint32_t n = 0;
	int status;

	if (jl_settings_run_opts(s, &arena, &o, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	if (jl_project_open(&o, false, &p, &msgs, &err) != JL_OK) {
		p = NULL;
		status = jl_say_fault(&msgs, &err);
		goto out;
	}
	if (jl_look_hosts(p, tell, &said, &n, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	if (n == 0)
		jl_say("the manifest has no \"executors\"");
	status = jl_print_buf(&said.out);
	if (status == JL_EXIT_OK && (said.down || n == 0))
		status = JL_EXIT_FAILED;
out:
	if (jl_project_close(p, &err) != JL_OK)
		status = jl_say_error(&err);
	jl_buf_release(&said.out);
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return status;
}

const struct jl_command jl_command_hosts = {
	.name = "hosts",
	.operands = "",
	.summary = "Check every host of the executors: reachable, slots, architecture, round trip",
	.about = "All are connected at once; the agent is brought to those that lack it. Exit\n"
		 "status: 0 all are up, 1 some are not, or there are none.\n",
	.tables = tables,
	.run = run,
};
