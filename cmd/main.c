/* jl: finds the command, reads its options, runs it. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

const struct jl_command *const jl_commands[] = {
	&jl_command_run,     &jl_command_plan,
	&jl_command_why,
	&jl_command_map,     &jl_command_memo,
	&jl_command_list,    &jl_command_graph,
	&jl_command_log,     &jl_command_report,
	&jl_command_cat,     &jl_command_hash,
	&jl_command_dump,    &jl_command_load,
	&jl_command_cache,   &jl_command_clean,
	&jl_command_adopt,
	&jl_command_hosts,
	&jl_command_init,    &jl_command_schema, &jl_command_completion,
	&jl_command_help,    &jl_command_version,
	NULL,
};

static const struct jl_opt opts[] = {
	{"help", 'h', NULL, "list the commands and exit", JL_OPT_FLAG, offsetof(struct jl_settings, help), 0},
	{"version", 0, NULL, "show the version and exit", JL_OPT_FLAG, offsetof(struct jl_settings, version), 0},
	{0},
};
const struct jl_opt *const jl_opts_main_tables[] = {opts, NULL};

/* A file opened as 0, 1 or 2 because the caller had closed it would get messages meant for somebody else. */
static void fill_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return;
}

/* Options in front of the command: only those that stand for a command. */
static int run_without_command(const char *word, struct jl_settings *s)
{
	struct jl_err err = JL_ERR_INIT;

	if (jl_opt_parse(jl_opts_main_tables, 1, &word, s, &s->operands, &err) != JL_OK) {
		jl_say("%s (a command's options come after it)", err.text);
		return JL_EXIT_USAGE;
	}
	return s->version ? jl_command_version.run(s) : jl_command_help.run(s);
}

static int check_operands(const struct jl_command *c, const struct jl_settings *s)
{
	if (s->operands.n < c->min_operands)
		jl_say("%s: something is missing: jl %s %s", c->name, c->name, c->operands);
	else if (s->operands.n > c->max_operands && c->max_operands == 0)
		jl_say("%s takes no operand, not \"%s\"", c->name, s->operands.at[0]);
	else if (s->operands.n > c->max_operands)
		jl_say("%s: one operand too many: \"%s\"; jl %s %s", c->name, s->operands.at[c->max_operands], c->name,
		       c->operands);
	else
		return JL_EXIT_OK;
	return JL_EXIT_USAGE;
}

static int run_command(const struct jl_command *c, int argc, const char *const *argv, struct jl_settings *s)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf out = JL_BUF_INIT;
	int status;

	status = c->prefix ? jl_opt_parse_prefix(c->tables, argc, argv, s, &s->operands, &err)
			   : jl_opt_parse(c->tables, argc, argv, s, &s->operands, &err);
	if (status != JL_OK) {
		jl_say("%s: %s", c->name, err.text);
		return c->prefix ? JL_EXIT_SELF : JL_EXIT_USAGE;
	}
	if (s->help) {
		jl_command_show(c, &out);
		return jl_print_buf(&out);
	}
	status = check_operands(c, s);
	if (status != JL_EXIT_OK)
		return c->prefix ? JL_EXIT_SELF : status;
	if (s->directory && chdir(s->directory) < 0) {
		jl_say("cannot go to \"%s\": %s", s->directory, strerror(errno));
		return c->prefix ? JL_EXIT_SELF : JL_EXIT_USAGE;
	}
	return c->run(s);
}

/* What was typed, on one line. */
static void join_words(struct jl_buf *out, int argc, const char *const *argv)
{
	for (int i = 0; i < argc && out->len < 200; i++)
		jl_buf_printf(out, "%s%s", i ? " " : "", i ? argv[i] : "jl");
}

int main(int argc, char **argv)
{
	const char *const *words = (const char *const *)argv;
	struct jl_settings s = {0};
	struct jl_buf command_line = JL_BUF_INIT;
	const struct jl_command *c;
	int status;

	fill_standard_fds();
	/* `jl ... | head` ends jl, whatever the caller ignored. */
	signal(SIGPIPE, SIG_DFL);
	join_words(&command_line, argc, words);
	s.command_line = command_line.data;
	if (argc < 2) {
		jl_say("no command; \"jl help\" lists them");
		status = JL_EXIT_USAGE;
	} else if (words[1][0] == '-') {
		status = run_without_command(words[1], &s);
	} else if ((c = jl_command_find(words[1])) != NULL) {
		status = run_command(c, argc - 2, words + 2, &s);
	} else {
		status = jl_command_unknown(words[1]);
	}
	jl_settings_release(&s);
	jl_buf_release(&command_line);
	return status;
}
