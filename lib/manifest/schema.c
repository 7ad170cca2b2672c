/* The table of keys. */
#include "manifest/schema.h"

#include "manifest/reader.h"

#include <string.h>

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define STEP(field)        FIELD(struct jl_step, field)
#define BOTH               (JL_IN_STEP | JL_IN_DEFAULTS)

static const struct jl_schema_key keys[] = {
	/* of a step; where a default makes sense, of defaults */
	{"command", JL_IN_STEP, JL_TYPE_COMMAND, 0, 0, 0,
	 "What to run: a list is executed directly, a text goes to the shell only if it holds shell syntax."},
	{"inputs", JL_IN_STEP, JL_TYPE_INPUTS, STEP(inputs), 0,
	 "Paths, folders and globs that the command reads: one, a list, or a mapping of names to paths; !pattern excludes."},
	{"outputs", JL_IN_STEP, JL_TYPE_OUTPUTS, STEP(outputs), 0,
	 "What the command makes, in the same forms; a trailing slash owns the whole folder."},
	{"foreach", JL_IN_STEP, JL_TYPE_FOREACH, STEP(foreach), 0,
	 "One instance for each value: a list, a glob, {from: 1, to: 9} or {lines: FILE}; ${{ item }} is the value."},
	{"matrix", JL_IN_STEP, JL_TYPE_MATRIX, STEP(foreach), 0,
	 "One instance for each combination, as in {os: [a, b], py: [1, 2]}; also exclude and include, lists of mappings."},
	{"if", BOTH, JL_TYPE_CONDITION, STEP(when), 0,
	 "true, false or a template that gives one of them; when false, the step is not there for this run."},
	{"after", JL_IN_STEP, JL_TYPE_STEP_NAMES, STEP(after), 0,
	 "Steps that must be done before, where no file says so."},
	{"description", JL_IN_STEP, JL_TYPE_TEXT, STEP(description), 0,
	 "For people: what jl list shows."},
	{"env", BOTH, JL_TYPE_ENV, STEP(env), JL_MERGE_BY_NAME,
	 "Variables for the command, part of its key."},
	{"pass_env", BOTH, JL_TYPE_ENV_NAMES, STEP(pass_env), JL_MERGE_ADD,
	 "Names of the caller's variables that the command sees, not part of its key; \"*\" passes all."},
	{"tags", BOTH, JL_TYPE_NAMES, STEP(tags), JL_MERGE_ADD,
	 "For jl run @TAG."},
	{"workdir", BOTH, JL_TYPE_PATH, STEP(workdir), 0,
	 "The folder that the command runs in; templates give paths relative to it."},
	{"shell", BOTH, JL_TYPE_WORDS, STEP(shell), 0,
	 "The shell as a list of words, the script becomes the last; [bash, -eo, pipefail, -c] otherwise."},
	{"version", BOTH, JL_TYPE_TEXT, STEP(version), 0,
	 "Any text; another one makes the stored results void."},
	{"manual", BOTH, JL_TYPE_BOOL, STEP(manual), 0,
	 "true: run only when asked for."},
	{"cache", BOTH, JL_TYPE_BOOL, STEP(cache), 0,
	 "false: always run and store nothing."},
	{"portable", BOTH, JL_TYPE_BOOL, STEP(portable), 0,
	 "true: leave operating system and architecture out of the key."},
	{"depfile", JL_IN_STEP, JL_TYPE_DEPFILE, STEP(depfile), 0,
	 "A file that the command writes to say what else it read, as compilers do; what it names joins the key."},
	{"keep", BOTH, JL_TYPE_KEEP, 0, 0, 0,
	 "Outputs that are not taken away before a run: true for all, or paths."},
	{"timeout", BOTH, JL_TYPE_DURATION, STEP(timeout_ns), 0,
	 "After which the step is ended: 90s, 5m, 2h."},
	{"allow_failure", BOTH, JL_TYPE_BOOL, STEP(allow_failure), 0,
	 "true: a failure does not fail the run, and what needs the step goes on."},
	{"stdin", JL_IN_STEP, JL_TYPE_STDIN, STEP(stream[0]), 0,
	 "A file that the command reads as its standard input; an input by itself."},
	{"stdout", JL_IN_STEP, JL_TYPE_STDOUT, STEP(stream[1]), 0,
	 "A file that takes the command's standard output; an output by itself."},
	{"stderr", JL_IN_STEP, JL_TYPE_STDOUT, STEP(stream[2]), 0,
	 "A file that takes the command's standard error; an output by itself."},
	{"tools", BOTH, JL_TYPE_TOOLS, STEP(tools), JL_MERGE_ADD,
	 "Programs whose content joins the key: names or paths."},
	{"ttl", BOTH, JL_TYPE_DURATION, STEP(ttl_ns), 0,
	 "A stored result older than this counts no more: 12h, 7d."},
	{"retries", BOTH, JL_TYPE_RETRIES, STEP(retries), 0,
	 "Further attempts after a failure: a number or {times: 3, delay: 10s}."},
	{"resources", BOTH, JL_TYPE_RESOURCES, STEP(resources), 0,
	 "What the step takes: {cpus: 4, memory: 8GiB} and of pools, {gpu: 1}."},
	{"secret_env", BOTH, JL_TYPE_SECRETS, STEP(secret_env), JL_MERGE_ADD,
	 "Names of the caller's variables that the command sees, by a keyed hash in its key, and masked in its log."},
	{"valid_if", BOTH, JL_TYPE_VALID_IF, STEP(valid_if), 0,
	 "A command that is run before a stored result is used; when it fails, the step runs."},
	{"interactive", JL_IN_STEP, JL_TYPE_BOOL, STEP(interactive), 0,
	 "true: the command has the terminal, runs alone and each time, and is not stored."},
	{"temp", BOTH, JL_TYPE_BOOL, STEP(temp), 0,
	 "true: the outputs are taken off the disk after their last user; they come back when one has to run."},
	{"executor", BOTH, JL_TYPE_TEXT, STEP(executor), 0,
	 "Where the step runs: the name of one of \"executors\", or local."},
	{"hosts", BOTH, JL_TYPE_NAMES, STEP(hosts), 0,
	 "Tags that a host of the executor must have."},
	/* of the top level */
	{"version", JL_IN_TOP, JL_TYPE_INT, 0, 0, 0,
	 "The format's version: 1."},
	{"vars", JL_IN_TOP, JL_TYPE_VARS, FIELD(struct jl_mfile, vars), 0,
	 "Values for ${{ vars.NAME }}; --var NAME=VALUE overrides them."},
	{"include", JL_IN_TOP, JL_TYPE_INCLUDE, 0, 0, 0,
	 "Further manifests: a path, or {file: etl/joblib.yaml, as: etl}, or a list of these."},
	{"defaults", JL_IN_TOP, JL_TYPE_DEFAULTS, 0, 0, 0,
	 "Values of step keys for all steps of this file."},
	{"steps", JL_IN_TOP, JL_TYPE_STEPS, 0, 0, 0,
	 "The steps by name."},
	{"store", JL_IN_TOP, JL_TYPE_STORE, 0, 0, 0,
	 "Where results are kept."},
	{"pools", JL_IN_TOP, JL_TYPE_POOLS, 0, 0, 0,
	 "Names and sizes of what there is only so much of: {gpu: 1}."},
	{"executors", JL_IN_TOP, JL_TYPE_EXECUTORS, 0, 0, 0,
	 "Other machines for steps, by name: {lab: {type: ssh, hosts: [alice, \"bob*4\"]}}."},
	/* of an executor */
	{"type", JL_IN_EXECUTOR, JL_TYPE_TEXT, FIELD(struct jl_executor_keys, type), 0,
	 "ssh, or command for anything that starts an agent and gives its standard streams."},
	{"hosts", JL_IN_EXECUTOR, JL_TYPE_HOSTS, FIELD(struct jl_executor_keys, hosts), 0,
	 "ssh: the hosts, each a name, \"NAME*SLOTS\" or {host: NAME, slots: 8, tags: [big]}."},
	{"launch", JL_IN_EXECUTOR, JL_TYPE_WORDS, FIELD(struct jl_executor_keys, launch), 0,
	 "command: what starts jl-agent, as a list of words."},
	{"slots", JL_IN_EXECUTOR, JL_TYPE_COUNT, FIELD(struct jl_executor_keys, slots), 0,
	 "Steps at once on each host that does not say; as many as it has processors otherwise."},
	{"tags", JL_IN_EXECUTOR, JL_TYPE_NAMES, FIELD(struct jl_executor_keys, tags), 0,
	 "Tags of every host."},
	{"silence", JL_IN_EXECUTOR, JL_TYPE_DURATION, FIELD(struct jl_executor_keys, silence_ns), 0,
	 "A host that says nothing for so long is lost: 30s."},
	{"connect", JL_IN_EXECUTOR, JL_TYPE_DURATION, FIELD(struct jl_executor_keys, connect_ns), 0,
	 "How long connecting may take: 20s."},
	{"sync", JL_IN_EXECUTOR, JL_TYPE_SYNC, FIELD(struct jl_executor_keys, shared), 0,
	 "content: inputs and outputs are sent; shared: the hosts have this workspace under the same name, and steps run in it."},
	/* of a host that is a mapping */
	{"host", JL_IN_HOST, JL_TYPE_TEXT, FIELD(struct jl_host_keys, host), 0,
	 "Its name, as ssh knows it."},
	{"slots", JL_IN_HOST, JL_TYPE_COUNT, FIELD(struct jl_host_keys, slots), 0,
	 "Steps at once."},
	{"tags", JL_IN_HOST, JL_TYPE_NAMES, FIELD(struct jl_host_keys, tags), 0,
	 "For the \"hosts\" of steps."},
	/* of store */
	{"dir", JL_IN_STORE, JL_TYPE_TEXT, FIELD(struct jl_store_keys, dir), 0,
	 "The store's folder, relative to the workspace."},
	{"max_size", JL_IN_STORE, JL_TYPE_SIZE, FIELD(struct jl_store_keys, max_size), 0,
	 "The most that the store may hold: 20GiB."},
	{"max_items", JL_IN_STORE, JL_TYPE_COUNT, FIELD(struct jl_store_keys, max_items), 0,
	 "The most results that the store may hold."},
	{"max_age", JL_IN_STORE, JL_TYPE_DURATION, FIELD(struct jl_store_keys, max_age_ns), 0,
	 "Results that were not used for so long go: 30d."},
	{"compress", JL_IN_STORE, JL_TYPE_TEXT, FIELD(struct jl_store_keys, compress), 0,
	 "How stored contents are packed."},
	{"remotes", JL_IN_STORE, JL_TYPE_REMOTES, 0, 0, 0,
	 "Stores that are shared with others, asked in this order: [{name: ci, url: \"https://cache.example.org/jl\"}]."},
	/* of one of these */
	{"name", JL_IN_REMOTE, JL_TYPE_TEXT, FIELD(struct jl_remote_keys, name), 0,
	 "What messages and variables call it."},
	{"url", JL_IN_REMOTE, JL_TYPE_TEXT, FIELD(struct jl_remote_keys, url), 0,
	 "Where it is: SCHEME://PLACE, without a password."},
	{"mode", JL_IN_REMOTE, JL_TYPE_TEXT, FIELD(struct jl_remote_keys, mode), 0,
	 "read (the default), write or readwrite."},
	{"namespace", JL_IN_REMOTE, JL_TYPE_TEXT, FIELD(struct jl_remote_keys, group), 0,
	 "Keeps results apart from those of others in the same place."},
	{"sign", JL_IN_REMOTE, JL_TYPE_TEXT, FIELD(struct jl_remote_keys, sign), 0,
	 "A file of keys, or $VARIABLE: results are signed, and others not taken."},
	{"allow_insecure_hash", JL_IN_REMOTE, JL_TYPE_BOOL, FIELD(struct jl_remote_keys, insecure), 0,
	 "true: results are named by XXH3, which somebody who wants to can make collide."},
	/* of a foreach that is a mapping */
	{"from", JL_IN_FOREACH, JL_TYPE_INT, FIELD(struct jl_foreach_keys, from), 0,
	 "The first number of a range."},
	{"to", JL_IN_FOREACH, JL_TYPE_INT, FIELD(struct jl_foreach_keys, to), 0,
	 "The last number of a range."},
	{"by", JL_IN_FOREACH, JL_TYPE_INT, FIELD(struct jl_foreach_keys, by), 0,
	 "The step of a range; 1 otherwise."},
	{"lines", JL_IN_FOREACH, JL_TYPE_FILE, FIELD(struct jl_foreach_keys, lines), 0,
	 "A file whose lines are the items."},
	/* of an entry of include that is a mapping */
	{"file", JL_IN_INCLUDE, JL_TYPE_TEXT, FIELD(struct jl_include_keys, file), 0,
	 "The included file, relative to this one."},
	{"as", JL_IN_INCLUDE, JL_TYPE_TEXT, FIELD(struct jl_include_keys, as), 0,
	 "A prefix for its steps: etl makes them etl:NAME."},
	/* of an input or output that is a mapping */
	{"path", JL_IN_PORT, JL_TYPE_PATTERN, FIELD(struct jl_port_keys, path), 0,
	 "A file or folder."},
	{"glob", JL_IN_PORT, JL_TYPE_PATTERN, FIELD(struct jl_port_keys, glob), 0,
	 "A glob, also if its value comes from a template."},
	{"optional", JL_IN_PORT, JL_TYPE_BOOL, FIELD(struct jl_port_keys, optional), 0,
	 "true: it may be missing."},
	{"url", JL_IN_PORT, JL_TYPE_PATTERN, FIELD(struct jl_port_keys, url), 0,
	 "An input that is fetched: http, https or s3; a plain path that begins so is one, too."},
	{"digest", JL_IN_PORT, JL_TYPE_PATTERN, FIELD(struct jl_port_keys, digest), 0,
	 "What a fetched input must be: sha256:HEX; nobody is asked as long as it is here."},
	{"max_age", JL_IN_PORT, JL_TYPE_DURATION, FIELD(struct jl_port_keys, max_age_ns), 0,
	 "For so long a fetched input is not asked for again: 1d; otherwise each run asks whether it changed."},
	/* of retries that are a mapping */
	{"times", JL_IN_RETRIES, JL_TYPE_COUNT, FIELD(struct jl_retries, times), 0,
	 "How many attempts after the first."},
	{"delay", JL_IN_RETRIES, JL_TYPE_DURATION, FIELD(struct jl_retries, delay_ns), 0,
	 "How long to wait before each."},
};
#define N_KEYS (sizeof(keys) / sizeof(*keys))

uint32_t jl_schema_count(void)
{
	return (uint32_t)N_KEYS;
}

const struct jl_schema_key *jl_schema_at(uint32_t index)
{
	return &keys[index];
}

const struct jl_schema_key *jl_schema_find(const char *name, unsigned where)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if ((keys[i].where & where) && keys[i].name[0] == name[0] && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

uint32_t jl_schema_bit(const struct jl_schema_key *key)
{
	const struct jl_schema_key *first = keys;

	/* Those of steps come first. */
	while (!(first->where & key->where))
		first++;
	jl_bug_if(key - first >= 64);
	return (uint32_t)(key - first);
}

const char *jl_schema_place(unsigned where)
{
	if (where & JL_IN_TOP)
		return "the top level";
	if (where & JL_IN_STEP)
		return "a step";
	if (where & JL_IN_DEFAULTS)
		return "\"defaults\"";
	if (where & JL_IN_STORE)
		return "\"store\"";
	if (where & JL_IN_FOREACH)
		return "a foreach";
	if (where & JL_IN_RETRIES)
		return "\"retries\"";
	if (where & JL_IN_REMOTE)
		return "a remote";
	if (where & JL_IN_EXECUTOR)
		return "an executor";
	if (where & JL_IN_HOST)
		return "a host";
	if (where & JL_IN_INCLUDE)
		return "an include";
	return "an input or output";
}
