/* The manifest: joblib.yaml and what it includes as typed, validated steps.
 *
 * jl_manifest_read() turns text into `struct jl_manifest` or into a list of messages, each with its place; it looks at no
 * file by itself: included ones are asked for by a callback. Everything is owned by the manifest's arena and lives until
 * jl_manifest_free(). Templates are parsed here (so that an unknown name is an error with its place) and evaluated by
 * manifest/template.h later.
 *
 * How it is built: yaml.c makes a strict tree with marks out of libyaml's events; schema.c is one table of every key, its
 * type and where it may stand; read.c walks the tree by that table. A new key is a new row and a new field.
 */
#ifndef JL_MANIFEST_MANIFEST_H
#define JL_MANIFEST_MANIFEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_mark {
	const char *file;      /* as the user would name it */
	uint32_t line, column; /* from 1; column in characters, as an editor shows it */
};

/* Text from the manifest: NUL-terminated, without NUL inside. */
struct jl_mtext {
	const char *s;
	uint32_t len;
	struct jl_mark mark;
};

struct jl_matrix;
struct jl_messages;
struct jl_template; /* manifest/template.h */

struct jl_mtexts {
	struct jl_mtext *at;
	uint32_t n;
};

/* An input or output as declared. */
struct jl_port {
	const char *name;            /* of `{name: path}`, or NULL */
	struct jl_mtext text;        /* as written, without a leading '!' */
	struct jl_template *path;
	bool optional;
	bool exclude;                /* "!pattern" */
	bool glob;                   /* inputs: the fixed text holds a glob character, or `{glob: g}`; a template's value
	                                never makes one (file names may hold '*'), but for a `{glob: g}` */
	bool folder;                 /* the fixed text ends in '/' */
	bool hidden;                 /* by another key (stdin, stdout, stderr, tools) alone: not among ${{ inputs }} */
	uint8_t streams;             /* bits of enum jl_stream: it is that stream of the command, too */
	bool url;                    /* inputs: {url: u}, or the fixed text begins as one; what a template gives may still be one */
	struct jl_template *digest;  /* url: NULL: none */
	struct jl_mtext digest_text;
	int64_t max_age_ns;          /* url: taken as fresh for so long; 0: asked for each time */
};
enum jl_stream { JL_STREAM_STDIN = 1, JL_STREAM_STDOUT = 2, JL_STREAM_STDERR = 4 };
/* Of a value that is a URL: may it be fetched, and what must it be (none: anything)? false: there is a message with its place.
 * `digest`: as evaluated; NULL for none. */
struct jl_digest;
bool jl_port_url_check(const struct jl_port *port, const char *url, const char *digest, struct jl_digest *ret,
		       struct jl_messages *msgs);
struct jl_ports {
	struct jl_port *at;
	uint32_t n;
};

/* A value of a foreach or of vars: a scalar, or (foreach only) a mapping of scalars. */
struct jl_value {
	struct jl_mtext text;        /* scalar */
	struct jl_mtext *keys;       /* mapping: n_keys of each; NULL for a scalar */
	struct jl_mtext *values;
	uint32_t n_keys;
	uint32_t n_unnamed;          /* the last so many keys do not stand in the instance's name */
};

enum jl_foreach_kind {
	JL_FOREACH_NONE,
	JL_FOREACH_LIST,
	JL_FOREACH_GLOB,
	JL_FOREACH_RANGE,
	JL_FOREACH_LINES,
	JL_FOREACH_MATRIX, /* of the key `matrix` */
};
struct jl_foreach {
	enum jl_foreach_kind kind;
	struct jl_mark mark;
	struct jl_value *list;       /* LIST: n items. A string in a list that is a glob stays text; only a lone string
	                                (foreach: parts/p.*) is a GLOB, a lone string without glob characters too */
	uint32_t n;
	struct jl_template *pattern; /* GLOB: pattern; LINES: file name. May use vars and env only */
	const struct jl_matrix *matrix; /* MATRIX: manifest/matrix.h */
	int64_t from, to, by;        /* RANGE, inclusive; by is never 0, from 1 by default; at most 10 million items */
};

struct jl_var {                  /* vars, env: a name and a template */
	struct jl_mtext name;
	struct jl_template *value;
};
struct jl_vars {
	struct jl_var *at;
	uint32_t n;
};

struct jl_condition {            /* `if`: a template whose text must be "true" or "false"; t == NULL: none */
	struct jl_template *t;
	struct jl_mark mark;
};

struct jl_pool {                 /* of the top level: its size; of a step: what it takes */
	struct jl_mtext name;
	int64_t n;                   /* from 1 */
	bool checked;                /* of a step: the manifest has it (steps may share the one of defaults) */
};
struct jl_resources {
	int64_t cpus;                /* 0: not given */
	uint64_t memory;             /* bytes; 0: not given */
	struct jl_pool *pools;
	uint32_t n_pools;
};

struct jl_retries {
	int64_t times, delay_ns;     /* times < 0: not given */
};

/* One of the files that a manifest is made of. Its variables and defaults are its own. */
struct jl_mfile {
	const char *name;            /* as the user would name it, as in marks */
	const char *path;            /* clean, relative to the workspace; the top's is its bare name */
	const char *dir;             /* the folder that its paths are relative to, clean; "" for the workspace itself */
	const char *prefix;          /* "etl:" for `{file: …, as: etl}`, "" otherwise; of all in between one after the other */
	struct jl_vars vars;         /* values already hold --var overrides */
	const struct jl_mfile *by;   /* which includes it; NULL for the top */
};

struct jl_step {
	struct jl_mtext name;        /* [A-Za-z0-9_.-]+, not beginning with '-' or '.', behind its file's prefix; the mark is
	                                the key's */
	const struct jl_mfile *from; /* where it stands: its paths are relative to from->dir */
	/* command: */
	struct jl_mark command_mark;
	struct jl_template **argv;   /* n_argv words, executed directly: a list, or a string that needs no shell (holes taken
	                                out), already split at blanks */
	uint32_t n_argv;
	bool argv_split;             /* argv came from a string: a list value inside a longer word makes several words, as
	                                the shell would */
	struct jl_template *script;  /* a string that needs the shell; else NULL */
	struct jl_mtexts uses;       /* variables that the script uses and does not set, each where it comes first */
	struct jl_mtexts shell;      /* default: bash -eo pipefail -c */
	struct jl_ports inputs, outputs;
	struct jl_port depfile;      /* path == NULL: none */
	struct jl_mtexts after;      /* full names */
	struct jl_foreach foreach;
	struct jl_condition when;    /* `if` */
	struct jl_vars env;          /* step's own over defaults', by name */
	struct jl_mtexts pass_env;
	struct jl_mtexts secret_env;
	struct jl_step *valid_if;    /* of which the command's fields are set; NULL: none */
	struct jl_template *workdir; /* NULL: the manifest's folder */
	struct jl_mark workdir_mark;
	struct jl_mtext version;     /* s == NULL: none */
	struct jl_mtexts tags;
	struct jl_mtext description; /* s == NULL: none */
	int64_t timeout_ns;          /* 0: none */
	int64_t ttl_ns;              /* a result older than this counts no more; 0: any age does */
	struct jl_retries retries;
	struct jl_resources resources;
	struct jl_mtext executor;    /* s == NULL: this machine */
	struct jl_mtexts hosts;      /* tags that the host must have */
	struct jl_port stream[3];    /* stdin, stdout, stderr: also in inputs and outputs; path NULL: not given */
	struct jl_mtexts tools;      /* names of programs; those with a '/' are in inputs instead */
	bool manual, cache, portable, allow_failure, interactive;
	bool temp;                   /* outputs go from the disk after their last user */
	struct jl_ports keep;        /* `keep: true` or a list of paths: outputs not removed before a run */
	bool keep_all;
};

enum jl_remote_mode { JL_REMOTE_READ, JL_REMOTE_WRITE, JL_REMOTE_READWRITE };
struct jl_remote_settings {      /* one of `remotes:` */
	const char *name, *url;
	const char *group;           /* `namespace`; "" */
	const char *sign;            /* a file of keys, absolute or of the workspace, or "$VARIABLE"; "": records are not signed */
	enum jl_remote_mode mode;
	bool allow_insecure_hash;
};

struct jl_mhost {                /* one machine of an executor */
	struct jl_mtext name;        /* as ssh knows it; of a command: the executor's */
	int64_t slots;               /* 0: as many as it says */
	struct jl_mtexts tags;       /* those of the executor, too */
};
struct jl_mhosts {
	struct jl_mhost *at;
	uint32_t n;
};
struct jl_executor {
	struct jl_mtext name;
	bool ssh;                    /* else a command */
	bool shared;                 /* its hosts have the workspace under the same name */
	struct jl_mtexts launch;     /* of a command: its words */
	struct jl_mhosts hosts;      /* of a command: one */
	int64_t silence_ns, connect_ns; /* 0: the default */
};

struct jl_store_settings {       /* `store:` of a manifest or of the user's settings */
	const char *dir;             /* NULL: not said */
	uint64_t max_size, max_items; /* bytes, files; 0: no cap */
	int64_t max_age_ns;          /* 0: no cap */
	bool bare;                   /* `compress: none` */
	bool has_size, has_items, has_age, has_compress;
	const struct jl_remote_settings *remotes;
	uint32_t n_remotes;
};

struct jl_manifest {
	struct jl_arena arena;
	const char *file;            /* as given */
	struct jl_mfile **files;     /* the top first */
	uint32_t n_files;
	struct jl_vars vars;         /* of the top */
	struct jl_step *steps;       /* in the order of the file; those of included files behind, in the order of `include` */
	uint32_t n_steps;
	struct jl_pool *pools;
	uint32_t n_pools;
	struct jl_executor *executors;
	uint32_t n_executors;
	struct jl_store_settings store; /* of the top file */
};

/* The user's own settings, the text of config.yaml: `store` as in a manifest, nothing else. Faults are messages: JL_EINVAL.
 * *ret is in the arena. */
int jl_config_read(const char *file, const char *text, size_t len, struct jl_arena *arena, struct jl_messages *msgs,
		   struct jl_store_settings *ret) JL_MUST_CHECK;

struct jl_message {              /* one error or warning, ready to print: "FILE:LINE:COL: what is wrong; what to do" */
	struct jl_mark mark;
	const char *text;            /* without the place */
	bool warning;
};
struct jl_messages {             /* after jl_messages_sort(): in the order of the text, at most 20 errors, then one that says
                                    how many more there are */
	struct jl_arena arena;
	struct jl_message *at;
	uint32_t n, cap, errors; /* errors: all that were added, shown or not */
	bool cut;                /* the last one is "N more errors" */
};
void jl_messages_release(struct jl_messages *m);
/* Add one; used by the reader and by whoever finds a fault later with the place in hand (expansion). m may be NULL. */
void jl_messages_add(struct jl_messages *m, struct jl_mark mark, bool warning, const char *fmt, ...) JL_PRINTF(4, 5);
void jl_messages_sort(struct jl_messages *m); /* by file, line, column; stable; those without a place last */

/* Text of the user's for a message: on one line, cut when long. Lives as long as the messages. */
const char *jl_messages_show(struct jl_messages *m, const char *s);

struct jl_var_override {         /* --var NAME=VALUE; a file's prefix before the name says which file's */
	const char *name, *value;
};

/* Where included files come from. `path` is clean and relative to the workspace. Append the text to `out`; JL_ENOTFOUND:
 * there is none; any other failure: `err` says why, without the path. */
struct jl_manifest_source {
	int (*read)(void *ctx, const char *path, struct jl_buf *out, struct jl_err *err);
	void *ctx;
};

/* Read a manifest from memory, and by `source` (NULL: nothing can be included) what it includes. JL_OK and
 * *ret, or JL_EINVAL and at least one error in *msgs. Overrides that name no variable of the manifest are an error (mark
 * with line 0: printed without a place). Warnings may come with JL_OK. */
int jl_manifest_read(const char *file, const char *text, size_t len, const struct jl_manifest_source *source,
                     const struct jl_var_override *overrides, uint32_t n_overrides, struct jl_manifest **ret,
                     struct jl_messages *msgs) JL_MUST_CHECK;
void jl_manifest_free(struct jl_manifest *m);

#endif
