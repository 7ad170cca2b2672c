/* The table of keys. */
#include "manifest/schema.h"

#include "manifest/reader.h"

#include <string.h>

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define STEP(field)        FIELD(struct jl_step, field)
#define BOTH               (JL_IN_STEP | JL_IN_DEFAULTS)
#define LATER(name, where)                                                                                             \
	{                                                                                                              \
		name, where, JL_TYPE_LATER, 0, 0, 0                                                                    \
	}

static const struct jl_schema_key keys[] = {
	/* of a step; where a default makes sense, of defaults */
	{"command", JL_IN_STEP, JL_TYPE_COMMAND, 0, 0, 0},
	{"inputs", JL_IN_STEP, JL_TYPE_INPUTS, STEP(inputs), 0},
	{"outputs", JL_IN_STEP, JL_TYPE_OUTPUTS, STEP(outputs), 0},
	{"foreach", JL_IN_STEP, JL_TYPE_FOREACH, STEP(foreach), 0},
	{"matrix", JL_IN_STEP, JL_TYPE_MATRIX, STEP(foreach), 0},
	{"if", BOTH, JL_TYPE_CONDITION, STEP(when), 0},
	{"after", JL_IN_STEP, JL_TYPE_STEP_NAMES, STEP(after), 0},
	{"description", JL_IN_STEP, JL_TYPE_TEXT, STEP(description), 0},
	{"env", BOTH, JL_TYPE_ENV, STEP(env), JL_MERGE_BY_NAME},
	{"pass_env", BOTH, JL_TYPE_ENV_NAMES, STEP(pass_env), JL_MERGE_ADD},
	{"tags", BOTH, JL_TYPE_NAMES, STEP(tags), JL_MERGE_ADD},
	{"workdir", BOTH, JL_TYPE_PATH, STEP(workdir), 0},
	{"shell", BOTH, JL_TYPE_WORDS, STEP(shell), 0},
	{"version", BOTH, JL_TYPE_TEXT, STEP(version), 0},
	{"manual", BOTH, JL_TYPE_BOOL, STEP(manual), 0},
	{"cache", BOTH, JL_TYPE_BOOL, STEP(cache), 0},
	{"portable", BOTH, JL_TYPE_BOOL, STEP(portable), 0},
	{"keep", BOTH, JL_TYPE_KEEP, 0, 0, 0},
	{"timeout", BOTH, JL_TYPE_DURATION, STEP(timeout_ns), 0},
	{"allow_failure", BOTH, JL_TYPE_BOOL, STEP(allow_failure), 0},
	{"stdin", JL_IN_STEP, JL_TYPE_STDIN, STEP(stream[0]), 0},
	{"stdout", JL_IN_STEP, JL_TYPE_STDOUT, STEP(stream[1]), 0},
	{"stderr", JL_IN_STEP, JL_TYPE_STDOUT, STEP(stream[2]), 0},
	{"tools", BOTH, JL_TYPE_TOOLS, STEP(tools), JL_MERGE_ADD},
	{"ttl", BOTH, JL_TYPE_DURATION, STEP(ttl_ns), 0},
	{"retries", BOTH, JL_TYPE_RETRIES, STEP(retries), 0},
	{"resources", BOTH, JL_TYPE_RESOURCES, STEP(resources), 0},
	LATER("secret_env", BOTH),
	LATER("valid_if", BOTH),
	LATER("depfile", JL_IN_STEP),
	LATER("temp", BOTH),
	LATER("executor", BOTH),
	LATER("hosts", BOTH),
	LATER("interactive", BOTH),
	/* of the top level */
	{"version", JL_IN_TOP, JL_TYPE_INT, 0, 0, 0},
	{"vars", JL_IN_TOP, JL_TYPE_VARS, FIELD(struct jl_mfile, vars), 0},
	{"include", JL_IN_TOP, JL_TYPE_INCLUDE, 0, 0, 0},
	{"defaults", JL_IN_TOP, JL_TYPE_DEFAULTS, 0, 0, 0},
	{"steps", JL_IN_TOP, JL_TYPE_STEPS, 0, 0, 0},
	{"pools", JL_IN_TOP, JL_TYPE_POOLS, 0, 0, 0},
	{"store", JL_IN_TOP, JL_TYPE_STORE, 0, 0, 0},
	LATER("executors", JL_IN_TOP),
	/* of store */
	{"dir", JL_IN_STORE, JL_TYPE_TEXT, FIELD(struct jl_store_keys, dir), 0},
	{"max_size", JL_IN_STORE, JL_TYPE_SIZE, FIELD(struct jl_store_keys, max_size), 0},
	{"max_items", JL_IN_STORE, JL_TYPE_COUNT, FIELD(struct jl_store_keys, max_items), 0},
	{"max_age", JL_IN_STORE, JL_TYPE_DURATION, FIELD(struct jl_store_keys, max_age_ns), 0},
	{"compress", JL_IN_STORE, JL_TYPE_TEXT, FIELD(struct jl_store_keys, compress), 0},
	LATER("remotes", JL_IN_STORE),
	/* of a foreach that is a mapping */
	{"from", JL_IN_FOREACH, JL_TYPE_INT, FIELD(struct jl_foreach_keys, from), 0},
	{"to", JL_IN_FOREACH, JL_TYPE_INT, FIELD(struct jl_foreach_keys, to), 0},
	{"by", JL_IN_FOREACH, JL_TYPE_INT, FIELD(struct jl_foreach_keys, by), 0},
	{"lines", JL_IN_FOREACH, JL_TYPE_FILE, FIELD(struct jl_foreach_keys, lines), 0},
	/* of an entry of include that is a mapping */
	{"file", JL_IN_INCLUDE, JL_TYPE_TEXT, FIELD(struct jl_include_keys, file), 0},
	{"as", JL_IN_INCLUDE, JL_TYPE_TEXT, FIELD(struct jl_include_keys, as), 0},
	/* of an input or output that is a mapping */
	{"path", JL_IN_PORT, JL_TYPE_PATTERN, FIELD(struct jl_port_keys, path), 0},
	{"glob", JL_IN_PORT, JL_TYPE_PATTERN, FIELD(struct jl_port_keys, glob), 0},
	{"optional", JL_IN_PORT, JL_TYPE_BOOL, FIELD(struct jl_port_keys, optional), 0},
	/* of retries that are a mapping */
	{"times", JL_IN_RETRIES, JL_TYPE_COUNT, FIELD(struct jl_retries, times), 0},
	{"delay", JL_IN_RETRIES, JL_TYPE_DURATION, FIELD(struct jl_retries, delay_ns), 0},
};
#define N_KEYS (sizeof(keys) / sizeof(*keys))
_Static_assert(N_KEYS <= 64, "the reader keeps a bit for each row");

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

uint32_t jl_schema_index(const struct jl_schema_key *key)
{
	return (uint32_t)(key - keys);
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
	if (where & JL_IN_INCLUDE)
		return "an include";
	return "an input or output";
}
