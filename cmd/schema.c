/* jl schema: the manifest's JSON Schema, for editors. */
#include "cmd.h"

#include "manifest/schema.h"

static const struct jl_opt *const tables[] = {jl_opts_help, NULL};

static int run(struct jl_settings *s)
{
	struct jl_buf out = JL_BUF_INIT;

	(void)s;
	jl_schema_json(&out);
	return jl_print_buf(&out);
}

const struct jl_command jl_command_schema = {
	.name = "schema",
	.operands = "",
	.summary = "Print the manifest's JSON Schema, for editors",
	.about =
		"An editor with a YAML language server checks and completes a manifest by it: write it to a file, say\n"
		"joblib.schema.json, and begin the manifest with\n"
		"  # yaml-language-server: $schema=joblib.schema.json\n",
	.tables = tables,
	.run = run,
};
