/* See secrets.h. */
#include "run/secrets.h"

#include "base/file.h"
#include "digest/keyed.h"
#include "run/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_LEN   32u
#define VALUE_MIN 3u /* shorter ones would mask everything */
#define MASK      "***"

struct value {
	const char *s; /* in the caller's environment */
	size_t len;
};

static void add_value(struct jl_engine *e, const char *s, size_t len)
{
	struct jl_secret_state *st = &e->secrets;
	if (len < VALUE_MIN)
		return;
	*(struct value *)jl_table_add(&st->values, 1) = (struct value){s, len};
	st->longest = len > st->longest ? len : st->longest;
	st->first[(uint8_t)*s] = true;
}

void jl_secrets_open(struct jl_engine *e)
{
	e->secrets.values = (struct jl_table)JL_TABLE_INIT(struct value);
	for (uint32_t i = 0; i < e->p->plan.rules.len; i++) {
		const struct jl_rule *r = jl_plan_rule(&e->p->plan, i);
		for (uint32_t k = 0; k < r->n_secrets; k++) {
			const char *name = jl_project_text(e->p, jl_plan_ref(&e->p->plan, r->secrets + k));
			const char *value = jl_scope_getenv(e->p, name);
			if (!value)
				continue;
			if (strlen(value) < VALUE_MIN)
				jl_engine_warn(e, NULL, "the value of the secret \"%s\" is too short to be masked", name);
			add_value(e, value, strlen(value));
			/* A key of several lines may be written line by line. */
			for (const char *s = value; strchr(value, '\n') && *s; s += strspn(s, "\n")) {
				size_t len = strcspn(s, "\n");
				if (len >= 8)
					add_value(e, s, len);
				s += len;
			}
		}
	}
}

void jl_secrets_release(struct jl_engine *e)
{
	jl_table_release(&e->secrets.values);
}

/* ---- the keyed hash ---- */

static bool read_key(const char *path, uint8_t key[KEY_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, key, KEY_LEN);
	if (fd >= 0)
		close(fd);
	return n == KEY_LEN;
}

/* The store's own; who comes second takes that of who came first. */
static bool make_key(const char *dir, const char *path, uint8_t key[KEY_LEN])
{
	char name[128];
	struct jl_buf temp = JL_BUF_INIT;
	jl_file_temp_name(name, sizeof(name));
	jl_buf_printf(&temp, "%s/%s", dir, name);
	bool made = getrandom(key, KEY_LEN, 0) == KEY_LEN &&
		    jl_file_write(&jl_io_system, AT_FDCWD, temp.data, key, KEY_LEN, 0600, true, NULL) == JL_OK;
	if (made && link(temp.data, path) != 0 && errno == EEXIST)
		made = read_key(path, key);
	unlink(temp.data);
	jl_buf_release(&temp);
	return made;
}

static void open_key(struct jl_engine *e)
{
	struct jl_secret_state *st = &e->secrets;
	const char *given = jl_scope_getenv(e->p, "JL_SECRET_KEY"), *dir;
	struct jl_buf path = JL_BUF_INIT;
	bool there = false, writes = e->opts->mode != JL_MODE_PLAN &&
				     (e->opts->cache == JL_CACHE_RW || e->opts->cache == JL_CACHE_WO);
	st->has_key = true;
	if (given && *given) {
		struct jl_digest d;
		jl_digest_keyed("JL_SECRET_KEY", 13, given, strlen(given), &d);
		memcpy(st->key, d.b, KEY_LEN);
		return;
	}
	dir = e->opts->cache == JL_CACHE_OFF ? NULL : jl_project_store_dir(e->p);
	if (dir && jl_engine_store(e)) {
		jl_buf_printf(&path, "%s/secret", dir);
		there = read_key(path.data, st->key) || (writes && make_key(dir, path.data, st->key));
	}
	/* Without a store there is nothing to find again: a key of this run alone. */
	if (!there && getrandom(st->key, KEY_LEN, 0) != KEY_LEN)
		memcpy(st->key, &e->began_ns, sizeof(e->began_ns));
	jl_buf_release(&path);
}

void jl_secrets_digest(struct jl_engine *e, const char *name, struct jl_digest *ret)
{
	const char *value = jl_scope_getenv(e->p, name);
	memset(ret, 0, sizeof(*ret));
	if (!value)
		return;
	if (!e->secrets.has_key)
		open_key(e);
	jl_digest_keyed(e->secrets.key, KEY_LEN, value, strlen(value), ret);
}

/* ---- masking ---- */

/* The longest value that stands at `s`: its length, 0 for none. *ret_part: what stands there may become one. */
static size_t value_at(const struct jl_secret_state *st, const char *s, size_t left, bool *ret_part)
{
	size_t longest = 0;
	*ret_part = false;
	if (!st->first[(uint8_t)*s])
		return 0;
	for (uint32_t i = 0; i < st->values.len; i++) {
		const struct value *v = JL_AT(st->values, struct value, i);
		if (memcmp(s, v->s, v->len < left ? v->len : left) != 0)
			continue;
		if (v->len > left)
			*ret_part = true;
		else if (v->len > longest)
			longest = v->len;
	}
	return longest;
}

void jl_secrets_mask(struct jl_engine *e, struct jl_running *r, int stream, const void *data, size_t len, bool end)
{
	struct jl_buf *b = &r->masking[stream - 1];
	bool part = false;
	if (e->secrets.values.len == 0) {
		jl_joblog_add(r->log, stream, data, len);
		return;
	}
	jl_buf_add(b, data, len);
	size_t at = 0, done = 0;
	while (at < b->len) {
		size_t n = value_at(&e->secrets, b->data + at, b->len - at, &part);
		if (part && !end)
			break;
		if (n == 0) {
			at++;
			continue;
		}
		jl_joblog_add(r->log, stream, b->data + done, at - done);
		jl_joblog_add(r->log, stream, MASK, sizeof(MASK) - 1);
		done = at += n;
	}
	jl_joblog_add(r->log, stream, b->data + done, at - done);
	memmove(b->data, b->data + at, b->len - at);
	jl_buf_truncate(b, b->len - at);
}
