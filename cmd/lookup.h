/* struct jl_lookup: stored results by what a person calls them: a step, an instance, the first digits of a key. Reads only.
 * What `log` and `cat` stand on. */
#ifndef JL_CMD_LOOKUP_H
#define JL_CMD_LOOKUP_H

#include "cmd.h"

#include "memo/record.h"
#include "run/project.h"
#include "store/store.h"

struct jl_lookup {
	struct jl_project *project; /* NULL: there is none, or it could not be opened: `fault` */
	struct jl_store *store;
	struct jl_run_opts opts;
	struct jl_arena arena;
	struct jl_messages msgs;
	struct jl_err fault;
};

/* A key that stands alone needs no manifest, so that a fault of the workspace counts only when a step is asked for. */
int jl_lookup_open(struct jl_lookup *l, const struct jl_settings *s, struct jl_err *err) JL_MUST_CHECK;
void jl_lookup_close(struct jl_lookup *l);

/* What the word names: a step (or one instance) of the workspace, or else a key. A key: *ret_rule is JL_NONE. A whole step:
 * *ret_inst is JL_NONE. The error is one line; where the workspace itself is at fault, it is that fault. */
int jl_lookup_word(struct jl_lookup *l, const char *word, uint32_t *ret_rule, uint32_t *ret_inst, struct jl_digest *ret_key,
                   struct jl_err *err) JL_MUST_CHECK;

/* The last result of an instance, NULL if it never had one. */
const struct jl_result *jl_lookup_result(const struct jl_project *p, uint32_t inst);

/* The store, opened to be read; or to be written to, made if it is missing. In l->store. */
int jl_lookup_store(struct jl_lookup *l, struct jl_err *err) JL_MUST_CHECK;
int jl_lookup_store_writable(struct jl_lookup *l, struct jl_err *err) JL_MUST_CHECK;
const char *jl_lookup_store_dir(const struct jl_lookup *l);
void jl_lookup_store_rules(const struct jl_lookup *l, struct jl_store_rules *ret);

/* The record of a key; jl_record_free() it. JL_ENOTFOUND: the store has none. */
int jl_lookup_record(struct jl_lookup *l, const struct jl_digest *key, struct jl_record **ret,
                     struct jl_err *err) JL_MUST_CHECK;

/* A stored content's bytes: in the record, or mapped from a checked private copy of the blob. */
struct jl_bytes {
	const void *data;
	size_t len;
	void *map; /* NULL: borrowed from the record */
};
int jl_lookup_content(struct jl_lookup *l, const struct jl_content *c, struct jl_bytes *ret, struct jl_err *err) JL_MUST_CHECK;
void jl_bytes_release(struct jl_bytes *b);

/* Write the chunks of a record's log to their streams, or (`only_stdout`) those of stdout alone; on a terminal harmless. */
int jl_lookup_show_log(struct jl_lookup *l, const struct jl_record *r, bool only_stdout, struct jl_err *err) JL_MUST_CHECK;

#endif
