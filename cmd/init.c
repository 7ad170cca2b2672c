/* jl init: a manifest to start from. */
#include "cmd.h"

#include "base/file.h"
#include "proc/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NAME "joblib.yaml"

static const struct jl_opt *const tables[] = {jl_opts_directory, jl_opts_help, NULL};

/* Works at once in an empty folder, and shows what there is: variables, a foreach, a join by glob. */
static const char text[] =
	"# What `jl run` does in this folder. Try, in this order:\n"
	"#   jl run                          everything runs\n"
	"#   jl run                          nothing runs: all is fresh\n"
	"#   rm -r greetings; jl run         what was made once is put back, not made again\n"
	"#   jl run --var greeting=hi        only what the change reaches runs\n"
	"#   jl plan; jl list -v; jl log all\n"
	"version: 1\n"
	"\n"
	"vars:\n"
	"  greeting: hello                   # used as ${{ vars.greeting }}\n"
	"\n"
	"steps:\n"
	"  # A step runs its command when the command or the content of its inputs is new.\n"
	"  names:\n"
	"    description: Make something to work on\n"
	"    command: printf '%s\\n' ann bob cy > ${{ output }}\n"
	"    outputs: names.txt\n"
	"\n"
	"  # One instance for each item, in parallel. A glob works as well: foreach: data/*.csv\n"
	"  greet:\n"
	"    description: Greet everybody by name\n"
	"    foreach: [ann, bob, cy]\n"
	"    command: echo ${{ vars.greeting }} $(grep -nx ${{ item }} ${{ input }}) > ${{ output }}\n"
	"    inputs: names.txt\n"
	"    outputs: greetings/${{ item }}.txt\n"
	"\n"
	"  # Inputs by glob match what other steps make, so this one comes last.\n"
	"  all:\n"
	"    description: Put the greetings together\n"
	"    command: cat ${{ inputs }} | tee ${{ output }}\n"
	"    inputs: greetings/*.txt\n"
	"    outputs: all.txt\n";

/* The line by which editors with a YAML language server find the schema: the file that is installed with jl, so that it
 * works without a network and is that of this jl. Such a line cannot hold a blank. */
static void name_schema(struct jl_buf *out)
{
	char path[PATH_MAX];

	if (jl_beside_find("share/jl/joblib.schema.json", path, NULL) == JL_OK && !strpbrk(path, " \t\r\n"))
		jl_buf_printf(out, "# yaml-language-server: $schema=%s\n", path);
}

static int run(struct jl_settings *s)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf out = JL_BUF_INIT;
	int fd = open(NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), r;

	(void)s;
	if (fd < 0 && errno == EEXIST) {
		jl_say("there is a " NAME " here already; it stays as it is");
		return JL_EXIT_USAGE;
	}
	if (fd < 0) {
		jl_say("cannot write " NAME ": %s", strerror(errno));
		return JL_EXIT_MACHINE;
	}
	name_schema(&out);
	jl_buf_str(&out, text);
	r = jl_file_write_all(&jl_io_system, fd, out.data, out.len, &err);
	jl_buf_release(&out);
	close(fd);
	if (r != JL_OK) {
		unlink(NAME);
		return jl_say_error(&err);
	}
	jl_say("wrote " NAME "; \"jl run\" runs it");
	return JL_EXIT_OK;
}

const struct jl_command jl_command_init = {
	.name = "init",
	.operands = "",
	.summary = "Write a starting " NAME,
	.about = "A small one with comments that works at once. An existing one is left alone.\n",
	.tables = tables,
	.run = run,
};
