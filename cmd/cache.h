/* What the files of `jl cache` share: the store that is looked after, and what the words name. */
#ifndef JL_CMD_CACHE_H
#define JL_CMD_CACHE_H

#include "lookup.h"

#include "store/care.h"

struct jl_cache {
	const struct jl_settings *s;
	struct jl_lookup lookup;
	struct jl_store_rules rules;
	struct jl_store *store;
	struct jl_table keys;       /* struct jl_digest: what the operands name */
	struct jl_table steps;      /* const char *: push, pull: operands that name steps or instances, which are not in `keys` */
	bool by_steps;              /* it is one of these */
};

/* "1.2 GiB". */
void jl_cache_size(struct jl_buf *out, uint64_t bytes);

/* cache_show.c; the exit status. */
int jl_cache_stats(struct jl_cache *c, struct jl_err *err);
int jl_cache_ls(struct jl_cache *c, struct jl_err *err);
/* cache_remote.c; likewise. Without words: all steps. */
int jl_cache_push(struct jl_cache *c, struct jl_err *err);
int jl_cache_pull(struct jl_cache *c, struct jl_err *err);

#endif
