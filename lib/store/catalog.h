/* struct jl_catalog: what a store holds and in which order it is to go, in memory. Pure: no file, no clock.
 *
 * Objects are records and blobs. A record names blobs; a blob that some record names goes with the last of them, one that
 * none names (it was put for a record that is yet to come, or never came) goes by itself. The order is that of the last
 * use as far as it is known, ties by the order in which they came; it is exact if whoever takes the oldest first looks
 * whether it was used since and tells jl_catalog_used(): what is known is never later than what is true.
 */
#ifndef JL_STORE_CATALOG_H
#define JL_STORE_CATALOG_H

#include "base/map.h"
#include "base/table.h"
#include "digest/digest.h"

#include <stdbool.h>

#define JL_BLOCK 4096u /* what a file is counted in */

static inline uint64_t jl_blocks(uint64_t bytes)
{
	return bytes / JL_BLOCK + (bytes % JL_BLOCK != 0);
}

enum jl_object_kind { JL_OBJECT_RECORD = 1, JL_OBJECT_BLOB = 2 };

struct jl_object {
	uint8_t kind;            /* with the digest: the name */
	struct jl_digest digest;
	uint8_t form;            /* enum jl_codec_id of a blob */
	bool present;            /* a blob that is named only, or what has gone: false */
	bool held;               /* not to be taken: out of the order for now */
	uint32_t place;          /* in the order, or JL_NONE */
	uint32_t users;          /* of a blob: records that name it */
	uint32_t refs, n_refs;   /* of a record: blobs it names */
	uint64_t blocks;
	int64_t used_ns;         /* the last use that is known */
	uint64_t seq;
};

struct jl_catalog {
	struct jl_table objects; /* struct jl_object */
	struct jl_table refs;    /* uint32_t: objects */
	struct jl_table order;   /* uint32_t: objects, a heap */
	struct jl_table held;    /* uint32_t: objects */
	struct jl_map map;
	uint64_t blocks, items;  /* of what is present */
	uint64_t seq;
};

void jl_catalog_init(struct jl_catalog *c);
void jl_catalog_release(struct jl_catalog *c); /* and empty again: init is needed before the next use */

static inline struct jl_object *jl_catalog_at(const struct jl_catalog *c, uint32_t i)
{
	return JL_AT(c->objects, struct jl_object, i);
}
/* JL_NONE: not known. An object that is known need not be present. */
uint32_t jl_catalog_find(const struct jl_catalog *c, enum jl_object_kind kind, const struct jl_digest *digest);
/* It was put, anew or over the one that was there. */
uint32_t jl_catalog_put(struct jl_catalog *c, enum jl_object_kind kind, const struct jl_digest *digest, uint8_t form,
                        uint64_t blocks, int64_t used_ns, const struct jl_digest *blobs, uint32_t n_blobs);
/* It is gone. What that leaves without a user is in the order from then on. */
void jl_catalog_gone(struct jl_catalog *c, uint32_t i);
void jl_catalog_used(struct jl_catalog *c, uint32_t i, int64_t used_ns);
/* The next to go, or JL_NONE. */
uint32_t jl_catalog_oldest(const struct jl_catalog *c);
/* Out of the order until jl_catalog_free_held(). */
void jl_catalog_hold(struct jl_catalog *c, uint32_t i);
void jl_catalog_free_held(struct jl_catalog *c);

#endif
