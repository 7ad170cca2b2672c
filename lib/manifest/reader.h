/* What the files of the reader share: read.c walks the document, values.c and ports.c turn trees into fields, names.c looks
 * at what needs all steps. */
#ifndef JL_MANIFEST_READER_H
#define JL_MANIFEST_READER_H

#include "base/map.h"
#include "base/table.h"
#include "manifest/manifest.h"
#include "manifest/schema.h"
#include "manifest/template.h"
#include "manifest/yaml.h"

struct jl_reader {
	struct jl_manifest *m;
	struct jl_messages *msgs;
	struct jl_table steps;    /* struct jl_step */
	struct jl_table set;      /* uint64_t for each: bit i is set if it has the key of row i of the schema */
	struct jl_map by_name;    /* of steps */
	struct jl_table files;    /* struct jl_mfile *: m->files */
	struct jl_table includes; /* struct jl_include: those from `next_include` on are still to be read */
	uint32_t next_include;
	uint64_t merged; /* entries that defaults added to steps */
	/* of the file that is being read: */
	struct jl_mfile *file;
	struct jl_yaml_doc *doc;
	struct jl_map vars_by_name; /* of file->vars */
	uint32_t first_step;
	struct jl_step defaults;
	uint64_t defaults_set;
	struct jl_mark defaults_mark;
};

struct jl_include {
	struct jl_mtext file, as; /* as.s == NULL: none */
	const struct jl_mfile *by;
};
/* The keys of an include that is a mapping. */
struct jl_include_keys {
	struct jl_mtext file, as;
};

/* The store's keys, as they stand there. */
struct jl_store_keys {
	struct jl_mtext dir, compress;
	uint64_t max_size;
	int64_t max_items, max_age_ns;
	struct {
		const struct jl_remote_settings *at;
		uint32_t n;
	} remotes;
};
/* The keys of a remote. */
struct jl_remote_keys {
	struct jl_mtext name, url, mode, group, sign;
	bool insecure;
};
/* The keys of an executor, and of a host that is a mapping. */
struct jl_executor_keys {
	struct jl_mtext type;
	struct jl_mhosts hosts;
	struct jl_mtexts launch, tags;
	int64_t slots, silence_ns, connect_ns;
	bool shared;
};
struct jl_host_keys {
	struct jl_mtext host;
	int64_t slots;
	struct jl_mtexts tags;
};
/* The keys of a foreach that is a mapping. */
struct jl_foreach_keys {
	int64_t from, to, by;
	struct jl_template *lines;
};
/* The keys of an input or output that is a mapping. */
struct jl_port_keys {
	struct jl_mtext path, glob, url, digest;
	int64_t max_age_ns;
	bool optional;
};

struct jl_mark jl_read_mark(const struct jl_reader *r, const struct jl_yaml *node);
/* A message with the node's place. */
#define jl_read_fault(r, node, ...) jl_messages_add((r)->msgs, jl_read_mark(r, node), false, __VA_ARGS__)
/* "KEY wants WANTED, not a list". */
void jl_read_wrong_type(struct jl_reader *r, const struct jl_yaml *node, const char *key, const char *wanted);
/* What an unknown key is told; `where` is one of enum jl_schema_where. */
void jl_read_unknown_key(struct jl_reader *r, const struct jl_yaml *key, unsigned where);
struct jl_mtext jl_read_copy(struct jl_reader *r, const struct jl_yaml *node);
/* A fault inside a scalar becomes a message at its exact place. `base` is where the text begins in the scalar. */
struct jl_template *jl_read_template(struct jl_reader *r, const struct jl_yaml *node, const struct jl_mtext *text,
				     size_t base, unsigned allow, bool shell);
/* An empty text and `~` are faults where a value is needed. */
bool jl_read_is_empty(const struct jl_yaml *node);
/* Read the pairs of a mapping by the schema into the fields of `target`; returns the rows that were there as bits. */
uint64_t jl_read_map(struct jl_reader *r, const struct jl_yaml *map, unsigned where, void *target);
/* One value of the type that the row says, into its field of `target`. */
void jl_read_value(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key, void *target);

/* `store:`; config.c. A remote of it: remotes.c. */
void jl_read_remotes(struct jl_reader *r, const struct jl_yaml *node, struct jl_store_keys *ret);
void jl_read_store(struct jl_reader *r, const struct jl_yaml *node, struct jl_store_settings *ret);

bool jl_read_is_name(const char *s); /* of a step, a tag */
bool jl_read_is_word(const char *s); /* of a variable, an input, a key of an item */
bool jl_read_is_env_name(const char *s);

/* `key`: as messages name it. */
void jl_read_command(struct jl_reader *r, const struct jl_yaml *node, const char *key, struct jl_step *step);
void jl_read_foreach(struct jl_reader *r, const struct jl_yaml *node, struct jl_foreach *ret);
void jl_read_matrix(struct jl_reader *r, const struct jl_yaml *node, struct jl_foreach *ret);
/* A scalar in which no template may stand; false and a message if it is not. */
bool jl_read_text(struct jl_reader *r, const struct jl_yaml *node, const char *key, struct jl_mtext *ret);
/* An item that is a mapping of names to texts; `what` is the key it stands in. */
void jl_read_item(struct jl_reader *r, const struct jl_yaml *node, const char *what, struct jl_value *ret);
void jl_read_vars(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		  struct jl_vars *ret);
void jl_read_ports(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		   struct jl_ports *ret);
/* stdin, stdout, stderr: one plain path. */
void jl_read_stream(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		    struct jl_port *ret);
void jl_read_retries(struct jl_reader *r, const struct jl_yaml *node, struct jl_retries *ret);
void jl_read_resources(struct jl_reader *r, const struct jl_yaml *node, struct jl_resources *ret);
void jl_read_pools(struct jl_reader *r, const struct jl_yaml *node);
/* After the document: does the manifest have those pools, large enough? */
void jl_read_check_resources(struct jl_reader *r, const struct jl_resources *res);
/* executors.c */
void jl_read_executors(struct jl_reader *r, const struct jl_yaml *node);
void jl_read_hosts(struct jl_reader *r, const struct jl_yaml *node, struct jl_mhosts *ret);
/* After the document: does the manifest have the executor of the step, and a host with its tags? */
void jl_read_check_executor(struct jl_reader *r, const struct jl_step *step);
void jl_read_tools(struct jl_reader *r, const struct jl_yaml *node, struct jl_mtexts *ret);
/* Once the defaults are merged: streams and tools that are files of the workspace become inputs and outputs. */
void jl_read_join_streams(struct jl_reader *r, struct jl_step *step);
/* One file, which may be named by the outputs, too. */
void jl_read_depfile(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key, struct jl_port *ret);

/* include.c: note what a file includes; take the next of those, as a file to read into `text`. False: there is no more. */
void jl_read_include(struct jl_reader *r, const struct jl_yaml *node);
bool jl_read_next_include(struct jl_reader *r, const struct jl_manifest_source *source, struct jl_mfile **ret,
			  struct jl_buf *text);

/* names.c: after a file: do the names in its templates mean something? */
void jl_read_check_file(struct jl_reader *r);
/* Give each of its steps the defaults that it does not set itself. */
void jl_read_merge_defaults(struct jl_reader *r);
/* After all files: `after`, and cycles of it. */
void jl_read_check_after(struct jl_reader *r);

#endif
