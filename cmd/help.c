/* jl help, jl COMMAND --help, jl version. */
#include "cmd.h"

static const struct jl_opt *const tables[] = {jl_opts_help, NULL};

void jl_command_show(const struct jl_command *c, struct jl_buf *out)
{
	jl_buf_printf(out, "Usage: jl %s [OPTION ...]%s%s\n\n%s.\n", c->name, c->operands[0] ? " " : "", c->operands,
	              c->summary);
	if (c->about)
		jl_buf_printf(out, "\n%s", c->about);
	jl_buf_str(out, "\nOptions:\n");
	jl_opt_help(c->tables, out);
}

static int help_all(void)
{
	struct jl_buf out = JL_BUF_INIT;

	jl_buf_str(&out, "Usage: jl COMMAND [OPTION ...] [OPERAND ...]\n\n"
	                 "Runs many commands in parallel, and never one twice for the same inputs.\n\nCommands:\n");
	for (const struct jl_command *const *c = jl_commands; *c; c++)
		jl_buf_printf(&out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	jl_buf_str(&out, "\n\"jl help COMMAND\" tells more; \"jl init\" writes a manifest to start from.\n");
	return jl_print_buf(&out);
}

static int run_help(struct jl_settings *s)
{
	struct jl_buf out = JL_BUF_INIT;
	const struct jl_command *c;

	if (s->operands.n == 0)
		return help_all();
	c = jl_command_find(s->operands.at[0]);
	if (!c)
		return jl_command_unknown(s->operands.at[0]);
	jl_command_show(c, &out);
	return jl_print_buf(&out);
}

static int run_version(struct jl_settings *s)
{
	struct jl_buf out = JL_BUF_INIT;

	(void)s;
	jl_buf_str(&out, "jl " JL_VERSION "\n");
	return jl_print_buf(&out);
}

const struct jl_command jl_command_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.summary = "Show the commands, or what one of them takes",
	.tables = tables,
	.max_operands = 1,
	.run = run_help,
};

const struct jl_command jl_command_version = {
	.name = "version",
	.operands = "",
	.summary = "Show the version",
	.tables = tables,
	.run = run_version,
};
