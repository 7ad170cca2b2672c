/* A store in memory, for tests of what stands above it. Keeps bytes as they are, forever. */
#include "store/kind.h"

#include "base/file.h"
#include "base/map.h"
#include "base/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct object {
	struct jl_digest id;
	char *data; /* NULL: taken away */
	size_t len;
};

struct shelf {
	struct jl_table objects;
	struct jl_map map;
};

struct mem {
	struct jl_store s; /* first */
	pthread_mutex_t lock;
	struct shelf records, blobs;
};

static const char *object_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *t = owner;

	*ret_len = sizeof(struct jl_digest);
	return (const char *)&JL_AT(*t, struct object, index)->id;
}

static void shelf_init(struct shelf *f)
{
	f->objects = (struct jl_table)JL_TABLE_INIT(struct object);
	jl_map_init(&f->map, object_key, &f->objects);
}

static void shelf_release(struct shelf *f)
{
	for (uint32_t i = 0; i < f->objects.len; i++)
		free(JL_AT(f->objects, struct object, i)->data);
	jl_map_release(&f->map);
	jl_table_release(&f->objects);
}

/* NULL if it is not there. */
static struct object *shelf_get(struct shelf *f, const struct jl_digest *id)
{
	uint32_t i = jl_map_get(&f->map, (const char *)id, sizeof(*id));

	return i != JL_NONE && JL_AT(f->objects, struct object, i)->data ? JL_AT(f->objects, struct object, i) : NULL;
}

static void shelf_put(struct shelf *f, const struct jl_digest *id, const void *data, size_t len)
{
	uint32_t i = jl_map_get(&f->map, (const char *)id, sizeof(*id));
	struct object *o;

	if (i == JL_NONE) {
		o = jl_table_add(&f->objects, 1);
		o->id = *id;
		jl_map_put(&f->map, (const char *)id, sizeof(*id), f->objects.len - 1);
	} else {
		o = JL_AT(f->objects, struct object, i);
		free(o->data);
	}
	o->data = jl_alloc(len);
	o->len = len;
	if (len)
		memcpy(o->data, data, len);
}

static bool shelf_drop(struct shelf *f, const struct jl_digest *id)
{
	struct object *o = shelf_get(f, id);

	if (!o)
		return false;
	free(o->data);
	o->data = NULL;
	return true;
}

static int mem_get_record(struct jl_store *s, const struct jl_digest *key, struct jl_buf *out, struct jl_err *err)
{
	struct mem *m = (struct mem *)s;
	const struct object *o;
	int status = JL_OK;

	pthread_mutex_lock(&m->lock);
	o = shelf_get(&m->records, key);
	if (!o)
		status = jl_err_set(err, JL_ENOTFOUND, "no such record");
	else if (jl_buf_add(out, o->data, o->len) != JL_OK)
		status = jl_err_set(err, JL_ELIMIT, "the record is too large");
	pthread_mutex_unlock(&m->lock);
	jl_store_count(status == JL_OK ? &s->stats.record_hits : &s->stats.record_misses, 1);
	return status;
}

static int mem_put_record(struct jl_store *s, const struct jl_digest *key, const void *data, size_t len,
                          struct jl_err *err)
{
	struct mem *m = (struct mem *)s;

	(void)err;
	pthread_mutex_lock(&m->lock);
	shelf_put(&m->records, key, data, len);
	pthread_mutex_unlock(&m->lock);
	jl_store_count(&s->stats.records_put, 1);
	jl_store_count(&s->stats.bytes_put, len);
	return JL_OK;
}

static int mem_drop_record(struct jl_store *s, const struct jl_digest *key, struct jl_err *err)
{
	struct mem *m = (struct mem *)s;

	(void)err;
	pthread_mutex_lock(&m->lock);
	shelf_drop(&m->records, key);
	pthread_mutex_unlock(&m->lock);
	return JL_OK;
}

static int mem_damaged_record(struct jl_store *s, const struct jl_digest *key, struct jl_err *err)
{
	struct mem *m = (struct mem *)s;
	char hex[JL_DIGEST_TEXT];
	bool there;

	(void)err;
	pthread_mutex_lock(&m->lock);
	there = shelf_drop(&m->records, key);
	pthread_mutex_unlock(&m->lock);
	jl_store_count(&s->stats.damaged, 1);
	if (there)
		jl_store_warn(s, "record %s is damaged: removed", jl_digest_hex(key, hex));
	return JL_OK;
}

static int mem_put_bytes(struct jl_store *s, const struct jl_digest *digest, const void *data, size_t len,
                         struct jl_err *err)
{
	struct mem *m = (struct mem *)s;
	struct jl_digest d;
	bool fresh;

	jl_digest_bytes_as(digest->algo, data, len, &d);
	if (!jl_digest_equal(&d, digest))
		return jl_err_set(err, JL_ECHANGED, "the content changed while it was stored");
	pthread_mutex_lock(&m->lock);
	fresh = !shelf_get(&m->blobs, digest);
	if (fresh)
		shelf_put(&m->blobs, digest, data, len);
	pthread_mutex_unlock(&m->lock);
	if (fresh) {
		jl_store_count(&s->stats.blobs_put, 1);
		jl_store_count(&s->stats.bytes_put, len);
	}
	return JL_OK;
}

static int mem_put_blob(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int src_fd,
                        struct jl_err *err)
{
	const struct jl_io *io = &jl_io_system;
	char *data;
	size_t len = 0;
	ssize_t n;
	int status;

	if (size > JL_BUF_MAX)
		return jl_err_set(err, JL_ELIMIT, "a blob of %llu bytes", (unsigned long long)size);
	data = jl_alloc((size_t)size + 1);
	for (;;) {
		n = io->pread(io, src_fd, data + len, (size_t)size + 1 - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (n < 0)
		status = jl_err_sys(err, errno, "cannot read what is to be stored");
	else if (len != size)
		status = jl_err_set(err, JL_ECHANGED, "the content changed while it was stored");
	else
		status = mem_put_bytes(s, digest, data, len, err);
	free(data);
	return status;
}

static int mem_get_blob(struct jl_store *s, const struct jl_digest *digest, uint64_t size, int dst_fd,
                        struct jl_err *err)
{
	struct mem *m = (struct mem *)s;
	char hex[JL_DIGEST_TEXT];
	const struct object *o;
	int status;

	pthread_mutex_lock(&m->lock);
	o = shelf_get(&m->blobs, digest);
	if (!o || o->len != size)
		status = jl_err_set(err, JL_ENOTFOUND, "no blob %s in the store", jl_digest_hex(digest, hex));
	else
		status = jl_file_write_all(&jl_io_system, dst_fd, o->data, o->len, err);
	pthread_mutex_unlock(&m->lock);
	return status;
}

static int mem_has_blob(struct jl_store *s, const struct jl_digest *digest, struct jl_err *err)
{
	struct mem *m = (struct mem *)s;
	bool there;

	(void)err;
	pthread_mutex_lock(&m->lock);
	there = shelf_get(&m->blobs, digest) != NULL;
	pthread_mutex_unlock(&m->lock);
	return there ? 1 : 0;
}

static void mem_free(struct jl_store *s)
{
	struct mem *m = (struct mem *)s;

	shelf_release(&m->records);
	shelf_release(&m->blobs);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct jl_store_ops mem_ops = {
	.kind = "memory",
	.get_record = mem_get_record,
	.put_record = mem_put_record,
	.drop_record = mem_drop_record,
	.damaged_record = mem_damaged_record,
	.put_blob = mem_put_blob,
	.put_bytes = mem_put_bytes,
	.get_blob = mem_get_blob,
	.has_blob = mem_has_blob,
	.free = mem_free,
};

struct jl_store *jl_store_mem_new(void)
{
	struct mem *m = jl_calloc(1, sizeof(*m));

	m->s.ops = &mem_ops;
	pthread_mutex_init(&m->lock, NULL);
	shelf_init(&m->records);
	shelf_init(&m->blobs);
	return &m->s;
}
