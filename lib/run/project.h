/* struct jl_project: a workspace opened: where it is, its state, its plan. What `jl list`, `log`, `clean` look at without
 * running anything, and what jl_run() runs on.
 *
 * The workspace is the folder of the manifest. Opening finds the manifest (as git finds its folder), loads the state, and
 * compiles the manifest only if the stored plan is not of it.
 */
#ifndef JL_RUN_PROJECT_H
#define JL_RUN_PROJECT_H

#include "graph/plan.h"
#include "manifest/manifest.h"
#include "run/run.h"
#include "state/state.h"
#include "store/store.h"

struct jl_gone {             /* an output of an instance that left its foreach */
	uint32_t file;
	uint32_t flags;          /* of its port */
	uint32_t result;
};

struct jl_project {
	char *root;              /* absolute path of the workspace */
	char *manifest_name;     /* the manifest, relative to root */
	char *manifest_shown;    /* as messages name it: relative to cwd */
	int lock_fd;
	struct jl_state *state;
	struct jl_plan plan;     /* the present plan; in the state's snapshot */
	struct jl_plan old;      /* the stored plan when it is not of this manifest: for what its instances left behind */
	struct jl_manifest *ast; /* parsed; NULL until somebody needs it (jl_project_ast); its step i is the plan's rule i */
	const struct jl_run_opts *opts;
	struct jl_messages *msgs;
	struct jl_table maker;   /* uint32_t by file: the live instance whose output it is, or JL_NONE */
	struct jl_table below;   /* uint8_t by file, as long as maker: something below it was claimed as an output */
	struct jl_table gone;    /* struct jl_gone: to be taken away by a run */
	struct jl_buf pieces;    /* without a manifest: what the base of its one instance was made of; else empty */
	struct jl_map names;     /* rules by name; made when first needed */
	struct jl_map urls;      /* of the plan, by file; made when first needed (run/url.h) */
	bool compiled;           /* the plan was made in this process */
	uint32_t jobs;           /* slots */
	char host[80];           /* this machine's name; "" where it has none */
	char platform[80];       /* "linux-x86_64": in a key unless its step is portable */
};

/* Open. `write`: take the lock (waiting as opts say) and allow changes; else read only. JL_ENOTFOUND: no manifest (the text
 * says how to make one). JL_EINVAL: errors in *msgs. opts and msgs are borrowed until the project is closed. */
int jl_project_open(const struct jl_run_opts *opts, bool write, struct jl_project **ret, struct jl_messages *msgs,
                    struct jl_err *err) JL_MUST_CHECK;
/* The folder of the workspace that opts->manifest and opts->cwd mean, whatever its manifest says; the caller frees it. */
int jl_project_where(const struct jl_run_opts *opts, char **ret_root, struct jl_err *err) JL_MUST_CHECK;
/* Write what changed (if opened for it) and free. NULL is fine. */
int jl_project_close(struct jl_project *p, struct jl_err *err) JL_MUST_CHECK;
/* Free without writing: what was found out is not to be trusted. */
void jl_project_abandon(struct jl_project *p);
/* The parsed manifest, parsing it now if the plan came from the snapshot. */
int jl_project_ast(struct jl_project *p, struct jl_manifest **ret, struct jl_err *err) JL_MUST_CHECK;

/* Is the file the manifest or one that it includes? */
bool jl_project_is_manifest(const struct jl_project *p, uint32_t file);

/* The store's folder by option, variable, manifest, default (borrowed from opts or the plan). */
const char *jl_project_store_dir(const struct jl_project *p);
/* How that store is kept: caps and packing, from where the manual says. */
void jl_project_store_rules(const struct jl_project *p, struct jl_store_rules *ret);
/* Shared store i: those of the manifest, then those of the user's settings. Borrowed texts. false: there is none. */
/* How digests are made where no manifest says it. */
enum jl_digest_algo jl_run_algo(const struct jl_run_opts *opts);
bool jl_project_remote(const struct jl_project *p, uint32_t i, struct jl_remote_settings *ret);
void jl_run_store_rules(const struct jl_run_opts *opts, struct jl_store_rules *ret); /* the same without a manifest */

/* The rule or instance that a word names: "NAME" → *ret_rule, "NAME[item]" → both; JL_EINVAL with the nearest name. */
int jl_project_find(struct jl_project *p, const char *word, uint32_t *ret_rule, uint32_t *ret_inst,
                    struct jl_err *err) JL_MUST_CHECK;

static inline const char *jl_project_text(const struct jl_project *p, uint32_t text)
{
	return jl_text(&p->state->text, text);
}

/* Take away outputs that jl made and nobody changed: of the steps named (all when none), or (`orphans`) those that belong to
 * no step of the present manifest. `removed` is told each path; what was changed is kept and told with kept = true. */
int jl_project_clean(struct jl_project *p, const char *const *words, uint32_t n_words, bool orphans, bool dry_run,
                     void (*removed)(void *ctx, const char *path, bool kept), void *ctx, struct jl_err *err) JL_MUST_CHECK;

#endif
