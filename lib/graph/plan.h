/* struct jl_plan: the manifest compiled and expanded, as tables without pointers.
 *
 * It lives in the workspace state, so that an unchanged manifest is not parsed again: reading the snapshot is all it takes.
 * Texts and files are indices into the state's tables. A rule is a step of the manifest; an instance is one of its runs
 * (a step without foreach has one). Rules whose foreach looks at what other steps make ("late" rules) are expanded while
 * the run goes on; the instances of the last run stand here meanwhile and are used again if the items turn out the same.
 *
 * Tables only grow; instances that were replaced are garbage until the plan is compiled anew. Pure data: no I/O here.
 */
#ifndef JL_GRAPH_PLAN_H
#define JL_GRAPH_PLAN_H

#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

#define JL_PLAN_REMOTE 6u       /* refs of a remote; the first of them are texts */
#define JL_PLAN_REMOTE_TEXTS 4u
#define JL_PLAN_FORMAT 9 /* raised whenever the meaning of a table changes */

#define JL_PLAN_POOLS_MAX 62u

enum jl_store_key { /* what the manifest says of the store */
	JL_STORE_SIZE = 1,
	JL_STORE_ITEMS = 2,
	JL_STORE_AGE = 4,
	JL_STORE_COMPRESS = 8,
	JL_STORE_BARE = 16,
};

struct jl_plan_head {           /* one element */
	uint32_t format;
	uint32_t env, n_env;    /* refs: text offsets of "NAME=VALUE" (or "NAME" when unset) that templates read */
	uint32_t manifest;      /* text: the manifest's file name, relative to the workspace */
	uint32_t has_folders;   /* some output is a folder or a glob */
	uint32_t has_temp;      /* some rule is JL_RULE_TEMP */
	struct jl_digest source; /* of the manifest's and its includes' bytes, overrides, program format */
	uint8_t pad2[7];
	uint32_t store_dir;     /* text; 0: none */
	uint32_t includes, n_includes; /* refs: files that the manifest includes */
	uint32_t pools, n_pools; /* refs: the size of each */
	uint32_t remotes, n_remotes; /* refs: of each JL_PLAN_REMOTE: name, url, namespace, sign (texts), mode, insecure */
	uint32_t algo;          /* enum jl_digest_algo: of its keys and of all digests */
	uint32_t store_keys;    /* enum jl_store_key: which of these the manifest has */
	uint64_t max_size, max_items;
	int64_t max_age_ns;
};

enum jl_rule_flag {
	JL_RULE_MANUAL = 1,
	JL_RULE_NO_CACHE = 2,
	JL_RULE_ALLOW_FAILURE = 4,
	JL_RULE_ALWAYS = 8,     /* neither inputs nor outputs: always runs */
	JL_RULE_LATE = 16,      /* its foreach waits for other rules */
	JL_RULE_FOREACH = 32,
	JL_RULE_KEEP_ALL = 64,
	JL_RULE_EXPANDED = 128, /* first, n and items are of an expansion that was made */
	JL_RULE_PORTABLE = 256,
	JL_RULE_JOBS = 512,     /* its command holds the number of jobs, which is not of the key */
	JL_RULE_INTERACTIVE = 1024,
	JL_RULE_TEMP = 2048,    /* its outputs are dropped after their last user: run/temp.h */
	JL_RULE_OFF = 1 << 16,  /* its `if` is false: one instance without items, which is JL_INST_OFF */
	JL_RULE_SOME_OFF = 1 << 17, /* its `if` is false for some items */
};

struct jl_rule {
	uint32_t name, description;  /* text; description 0: none */
	uint32_t flags;
	uint32_t tags, n_tags;       /* refs: text */
	uint32_t after, n_after;     /* refs: rules that must be complete before any instance: named by `after`, or makers of
	                                what a glob of its inputs could match */
	uint32_t waits, n_waits;     /* refs: rules that must be complete before the expansion (LATE) */
	uint32_t makes, n_makes;     /* refs: text of patterns of what it could make */
	uint32_t pass_env, n_pass_env; /* refs: text */
	uint32_t keep, n_keep;       /* refs: text of patterns */
	uint32_t items_kind;         /* enum jl_foreach_kind */
	uint32_t items_text;         /* text: the glob or the file of lines, evaluated */
	uint32_t first, n;           /* instances */
	uint32_t version;            /* text; 0: none */
	uint32_t tools, n_tools;     /* refs: text of programs' names */
	uint32_t uses, n_uses;       /* refs: text, two each: a variable that its script uses and that is not passed, and where:
	                                "FILE:LINE:COLUMN", the file relative to the workspace */
	uint32_t secrets, n_secrets; /* refs: text of variables' names */
	uint32_t executor;           /* text; 0: this machine */
	uint32_t hosts, n_hosts;     /* refs: text of tags that its host must have */
	uint32_t cpus;               /* 0: one */
	uint32_t takes, n_takes;     /* refs, two each: a pool, how much of it */
	uint64_t memory;             /* bytes */
	int32_t retries;             /* after the first attempt; < 0: as the run says */
	int64_t retry_delay_ns;
	int64_t ttl_ns;              /* 0: a result counts at any age */
	int64_t timeout_ns;
	uint64_t items;              /* jl_hash64 of the item list of the expansion */
	uint64_t ident;              /* jl_hash64 of name, foreach and vars: whose outputs may be taken away when items leave */
};

enum jl_inst_flag {
	JL_INST_GLOBS = 1,      /* some input is a glob: command and base are of the list in `globbed` */
	JL_INST_READY = 2,      /* spec and base are set */
	JL_INST_DEAD = 4,       /* replaced by a later expansion */
	JL_INST_DEPFILE = 8,    /* one of its outputs is a depfile */
	JL_INST_OFF = 1 << 8,   /* its `if` is false: it has no ports and no command, and is skipped */
};

struct jl_inst {
	uint32_t rule;
	uint32_t label;         /* text */
	uint32_t result;        /* index in the state's results */
	uint32_t flags;
	uint32_t item;          /* LIST, RANGE: position; GLOB, LINES: text; MATRIX: manifest/matrix.h */
	uint32_t ins, n_ins;    /* ports */
	uint32_t outs, n_outs;  /* ports */
	uint32_t waits, n_waits; /* refs: late rules that make, or might, what its inputs name */
	uint32_t spec;          /* offset in spec: see below */
	uint64_t globbed;       /* jl_hash64 of the list that its globs gave */
	struct jl_digest base;  /* memo/key.h: everything of the key but the inputs */
	uint8_t pad[3];
	uint32_t valid;         /* as spec, of its valid_if; 0: none */
};

enum jl_pport_flag {
	JL_PORT_GLOB = 1,       /* what: text of a pattern */
	JL_PORT_FOLDER = 2,     /* declared with a trailing slash */
	JL_PORT_EXCLUDE = 4,    /* what: text of a pattern */
	JL_PORT_OPTIONAL = 8,
	JL_PORT_IMPLIED = 16,   /* an input nobody declared: the program, a file of the workspace */
	JL_PORT_HIDDEN = 32,    /* declared by another key: not among ${{ inputs }} or ${{ outputs }} */
	JL_PORT_STDIN = 64,     /* the command's stream, too */
	JL_PORT_STDOUT = 128,
	JL_PORT_STDERR = 256,
	JL_PORT_URL = 1024,     /* an input that is fetched: struct jl_purl of its file */
	JL_PORT_DEPFILE = 512,  /* the output that says what else was read; with HIDDEN its def is JL_NONE */
};
struct jl_pport {
	uint32_t what;          /* a file index of the state, or text */
	uint32_t flags;
	uint32_t name;          /* text; 0: none */
	uint32_t def;           /* position among the step's ports in the manifest, for messages */
};

struct jl_purl {                /* a file below .jl/inputs that is fetched */
	uint32_t file;
	uint32_t url;           /* text, as written: it may hold a token */
	int64_t max_age_ns;     /* the shortest that somebody wants; 0: it is asked for each time */
	struct jl_digest digest; /* what it must be; none: anything */
	uint8_t pad[7];
};

/* spec: bytes: u32 words, u32 of them that are the shell's, u32 envs; then NUL-terminated: workdir (workspace-relative),
 * words (argv), envs ("NAME=VALUE", sorted by name). Unaligned. Of a rule with JL_RULE_JOBS a second one follows at once: the
 * same with 0 for the number of jobs, from which the key is made. */

struct jl_plan {
	struct jl_table head, rules, insts, ports, refs, spec, urls;
};

#define JL_PLAN_INIT \
	{.head = JL_TABLE_INIT(struct jl_plan_head), .rules = JL_TABLE_INIT(struct jl_rule), \
	 .insts = JL_TABLE_INIT(struct jl_inst), .ports = JL_TABLE_INIT(struct jl_pport), \
	 .refs = JL_TABLE_INIT(uint32_t), .spec = JL_TABLE_INIT(char), .urls = JL_TABLE_INIT(struct jl_purl)}
#define JL_PLAN_TABLES 7

void jl_plan_release(struct jl_plan *p);
static inline struct jl_plan_head *jl_plan_head(const struct jl_plan *p)
{
	return (struct jl_plan_head *)p->head.data;
}
static inline struct jl_rule *jl_plan_rule(const struct jl_plan *p, uint32_t rule)
{
	return JL_AT(p->rules, struct jl_rule, rule);
}
static inline struct jl_inst *jl_plan_inst(const struct jl_plan *p, uint32_t inst)
{
	return JL_AT(p->insts, struct jl_inst, inst);
}
static inline struct jl_pport *jl_plan_port(const struct jl_plan *p, uint32_t port)
{
	return JL_AT(p->ports, struct jl_pport, port);
}
static inline struct jl_purl *jl_plan_url(const struct jl_plan *p, uint32_t url)
{
	return JL_AT(p->urls, struct jl_purl, url);
}
static inline uint32_t jl_plan_ref(const struct jl_plan *p, uint32_t ref)
{
	return *JL_AT(p->refs, uint32_t, ref);
}
uint32_t jl_plan_depfile(const struct jl_plan *p, const struct jl_inst *t); /* the port, or JL_NONE */
uint32_t jl_plan_add_refs(struct jl_plan *p, const uint32_t *refs, uint32_t n); /* index of the first; 0 when n is 0 */

struct jl_spec {
	const char *workdir;
	const char *const *argv; /* NULL-terminated, in the caller's scratch */
	uint32_t n_argv, n_shell;
	const char *const *env;
	uint32_t n_env;
	uint32_t next;           /* offset behind it */
};
/* Unpack; the pointer arrays are made in `scratch` (void * elements, cleared first), the strings are in the plan. */
void jl_plan_spec(const struct jl_plan *p, uint32_t spec, struct jl_table *scratch, struct jl_spec *ret);
uint32_t jl_plan_add_spec(struct jl_plan *p, const struct jl_spec *spec);

/* Is every index within its table (a snapshot is checked bytes, but not proof against a bug of an older program)? n_files,
 * n_results, n_text: sizes of the state's tables. */
bool jl_plan_check(const struct jl_plan *p, uint32_t n_files, uint32_t n_results, uint32_t n_text);

#endif
