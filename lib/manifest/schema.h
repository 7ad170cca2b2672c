/* Every key of the manifest in one table: its name, where it may stand, its type, the field that it fills.
 * The reader walks trees by it, and the JSON Schema for editors is made of it (schema_json.c). */
#ifndef JL_MANIFEST_SCHEMA_H
#define JL_MANIFEST_SCHEMA_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jl_schema_where {
	JL_IN_TOP = 1,
	JL_IN_STEP = 2,
	JL_IN_DEFAULTS = 4,
	JL_IN_STORE = 8,
	JL_IN_FOREACH = 16,
	JL_IN_PORT = 32,
	JL_IN_RETRIES = 64,
	JL_IN_INCLUDE = 128,
	JL_IN_REMOTE = 256,
	JL_IN_EXECUTOR = 512,
	JL_IN_HOST = 1024,
};

enum jl_schema_type {
	JL_TYPE_TEXT,      /* struct jl_mtext */
	JL_TYPE_PATTERN,   /* struct jl_mtext: a path or glob that may hold templates, parsed by whoever holds it */
	JL_TYPE_NAMES,     /* struct jl_mtexts: a name or a list of names */
	JL_TYPE_STEP_NAMES, /* the same of steps, which may stand behind a prefix ("etl:") */
	JL_TYPE_ENV_NAMES, /* struct jl_mtexts: names of variables, or "*" */
	JL_TYPE_WORDS,     /* struct jl_mtexts: a list of words, or a text split at blanks */
	JL_TYPE_BOOL,      /* bool */
	JL_TYPE_INT,       /* int64_t */
	JL_TYPE_COUNT,     /* int64_t, not negative */
	JL_TYPE_SIZE,      /* uint64_t bytes */
	JL_TYPE_DURATION,  /* int64_t nanoseconds */
	JL_TYPE_PATH,      /* the workdir: struct jl_template * over vars, env, item, step, and its mark */
	JL_TYPE_FILE,      /* struct jl_template * over vars, env */
	JL_TYPE_CONDITION, /* struct jl_condition over vars, env, item, step */
	JL_TYPE_COMMAND,   /* several fields of struct jl_step, as the following ones */
	JL_TYPE_INPUTS,
	JL_TYPE_OUTPUTS,
	JL_TYPE_DEPFILE, /* struct jl_port */
	JL_TYPE_KEEP,
	JL_TYPE_STDIN,   /* struct jl_port: one path */
	JL_TYPE_STDOUT,  /* the same, of an output */
	JL_TYPE_RETRIES, /* struct jl_retries */
	JL_TYPE_RESOURCES, /* struct jl_resources */
	JL_TYPE_POOLS,   /* the top's */
	JL_TYPE_EXECUTORS, /* the top's */
	JL_TYPE_HOSTS,   /* struct jl_mhosts */
	JL_TYPE_SECRETS, /* struct jl_mtexts: names of variables */
	JL_TYPE_VALID_IF, /* a command, in a struct jl_step * */
	JL_TYPE_TOOLS,   /* struct jl_mtexts: names or paths of programs */
	JL_TYPE_ENV, /* struct jl_vars */
	JL_TYPE_FOREACH,
	JL_TYPE_MATRIX,
	JL_TYPE_VARS, /* the top's own ones */
	JL_TYPE_STEPS,
	JL_TYPE_DEFAULTS,
	JL_TYPE_STORE,
	JL_TYPE_REMOTES, /* in a struct jl_store_keys */
	JL_TYPE_INCLUDE,
	JL_TYPE_SYNC, /* content or shared, in a bool: is it shared? */
};

enum jl_schema_merge { JL_MERGE_OVERRIDE, JL_MERGE_BY_NAME, JL_MERGE_ADD }; /* of a default with the step's own value */

struct jl_schema_key {
	const char *name;
	unsigned where;
	enum jl_schema_type type;
	uint16_t offset, size; /* of the field in the struct that the place fills */
	enum jl_schema_merge merge;
	const char *doc; /* one line for a person; editors show it */
};

uint32_t jl_schema_count(void);
const struct jl_schema_key *jl_schema_at(uint32_t index);
/* The row of a key in a place (one of enum jl_schema_where), or NULL. */
const struct jl_schema_key *jl_schema_find(const char *name, unsigned where);
/* Which bit the reader keeps for the row: one number within each place, the same for steps and defaults. */
uint32_t jl_schema_bit(const struct jl_schema_key *key);
/* "the top level", "a step", …: to say where a key belongs. */
const char *jl_schema_place(unsigned where);

/* Append the manifest's JSON Schema (draft 7, what editors' YAML servers read). It sees what can be said of a value alone, not
 * what needs other keys or files. */
void jl_schema_json(struct jl_buf *out);

#endif
