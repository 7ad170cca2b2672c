/* What must stay: records that were pinned by hand, and those that a running jl has found and means to use.
 *
 *     DIR/pins/KEYHEX    an empty file: that record stays until it is unpinned
 *     DIR/live/NAME      the keys that one process needs; its name tells whether that lives (owner.h)
 */
#ifndef JL_STORE_HOLD_H
#define JL_STORE_HOLD_H

#include "base/map.h"
#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>

struct jl_local;

struct jl_hold {
	int fd;                /* our file; -1: we need nothing yet */
	char name[128];
	struct jl_table own;   /* struct jl_digest */
	struct jl_table keys;  /* struct jl_digest: everybody's, as last looked at */
	struct jl_map map;     /* of keys */
	int64_t looked_ns;     /* monotonic; 0: never */
};

void jl_hold_init(struct jl_hold *h);
void jl_hold_release(struct jl_local *l); /* what we needed is free */
void jl_hold_key(struct jl_local *l, const struct jl_digest *key); /* best effort */
/* Look who needs what, unless that was done a moment ago; files of the dead go. true: looked. */
bool jl_hold_look(struct jl_local *l);
bool jl_hold_has(const struct jl_local *l, const struct jl_digest *key);

bool jl_pin_has(struct jl_local *l, const struct jl_digest *key);
int jl_pin_set(struct jl_local *l, const struct jl_digest *key, bool pinned, struct jl_err *err) JL_MUST_CHECK;

#endif
