/* Messages: see message.h. */
#include "exec/message.h"

#include "base/path.h"
#include "base/table.h"
#include "exec/exec.h"
#include "exec/wire.h"

#include <string.h>

#define MAGIC      "jlagent"  /* with its NUL */
#define PATH_MOST  4095u      /* bytes of a path: what the kernel takes */
#define OUT_FLAGS  (JL_CARGO_FOLDER | JL_CARGO_GLOB | JL_CARGO_EXCLUDE | JL_CARGO_ANY)
#define START_SCRIPT 1u       /* flags of START */
#define DATA_FLAGS (JL_DATA_LAST | JL_DATA_PACKED | JL_DATA_FAILED | JL_DATA_DEFLATED)

/* ---- writing ---- */

static void put_text(struct jl_buf *out, const char *s)
{
	jl_buf_bytes(out, s ? s : "", s ? strlen(s) : 0);
}

static void put_texts(struct jl_buf *out, const char *const *texts)
{
	uint32_t n = 0;
	while (texts[n])
		n++;
	jl_buf_u32(out, n);
	for (uint32_t i = 0; i < n; i++)
		put_text(out, texts[i]);
}

static void put_digest(struct jl_buf *out, const struct jl_digest *d)
{
	jl_buf_u8(out, d->algo);
	jl_buf_add(out, d->b, jl_digest_len(d));
}

static void put_start(struct jl_buf *out, const struct jl_msg_start *s)
{
	put_text(out, s->label);
	put_text(out, s->shared);
	put_text(out, s->workdir);
	put_texts(out, s->argv);
	put_texts(out, s->envp);
	for (int i = 0; i < 3; i++)
		put_text(out, s->stream[i]);
	jl_buf_u8(out, s->script ? START_SCRIPT : 0);
	jl_buf_u8(out, (uint8_t)s->algo);
	jl_buf_u64(out, (uint64_t)s->timeout_ns);
	jl_buf_u64(out, (uint64_t)s->kill_after_ns);
	jl_buf_u32(out, s->slots);
	jl_buf_u64(out, s->memory);
	jl_buf_u32(out, s->n_ins);
	for (uint32_t i = 0; i < s->n_ins; i++) {
		const struct jl_cargo_in *in = &s->ins[i].in;
		jl_buf_u8(out, (uint8_t)in->kind);
		jl_buf_u8(out, s->ins[i].bytes != NULL);
		put_text(out, in->path);
		if (in->kind == JL_KIND_LINK)
			put_text(out, in->text);
		if (in->kind != JL_KIND_FILE)
			continue;
		jl_buf_u32(out, in->mode);
		put_digest(out, &in->digest);
		jl_buf_u64(out, in->size);
		if (s->ins[i].bytes)
			jl_buf_add(out, s->ins[i].bytes, in->size);
	}
	jl_buf_u32(out, s->n_outs);
	for (uint32_t i = 0; i < s->n_outs; i++) {
		jl_buf_u8(out, (uint8_t)s->outs[i].flags);
		put_text(out, s->outs[i].path);
	}
}

static void put_ended(struct jl_buf *out, const struct jl_msg_ended *e)
{
	jl_buf_u8(out, e->end);
	jl_buf_u8(out, e->pipe_held);
	jl_buf_u32(out, (uint32_t)e->exit_code);
	jl_buf_u32(out, (uint32_t)e->signal);
	jl_buf_u64(out, (uint64_t)e->wall_ns);
	jl_buf_u64(out, (uint64_t)e->user_ns);
	jl_buf_u64(out, (uint64_t)e->sys_ns);
	jl_buf_u64(out, (uint64_t)e->max_rss_kib);
	put_text(out, e->why);
	jl_buf_u32(out, e->n_outs);
	for (uint32_t i = 0; i < e->n_outs; i++) {
		const struct jl_msg_out *o = &e->outs[i];
		jl_buf_u8(out, (uint8_t)o->kind);
		jl_buf_u8(out, o->bytes != NULL);
		jl_buf_u32(out, o->declared);
		jl_buf_u32(out, o->mode);
		put_text(out, o->path);
		if (o->kind == JL_KIND_DIR)
			continue;
		put_digest(out, &o->digest);
		jl_buf_u64(out, o->size);
		if (o->bytes)
			jl_buf_add(out, o->bytes, o->size);
	}
}

static void put_body(struct jl_buf *out, const struct jl_msg *m)
{
	switch (m->type) {
	case JL_MSG_CALL:
		jl_buf_add(out, MAGIC, sizeof(MAGIC));
		jl_buf_u32(out, m->call.version_min);
		jl_buf_u32(out, m->call.version_max);
		put_text(out, m->call.nonce);
		jl_buf_u64(out, m->call.silence_ms);
		jl_buf_u64(out, m->call.cache_bytes);
		jl_buf_u32(out, m->call.slots);
		jl_buf_u32(out, m->call.umask);
		put_text(out, m->call.shared);
		break;
	case JL_MSG_HELLO:
		jl_buf_u32(out, m->hello.version);
		jl_buf_u32(out, m->hello.slots);
		jl_buf_u64(out, m->hello.memory);
		jl_buf_u64(out, m->hello.pid);
		put_text(out, m->hello.arch);
		put_text(out, m->hello.host);
		put_text(out, m->hello.boot_id);
		put_text(out, m->hello.program);
		put_text(out, m->hello.shared);
		break;
	case JL_MSG_START: put_start(out, &m->start); break;
	case JL_MSG_NEED:
	case JL_MSG_FETCH:
		jl_buf_u32(out, m->want.n);
		for (uint32_t i = 0; i < m->want.n; i++) {
			jl_buf_u32(out, m->want.at[i].index);
			jl_buf_u64(out, m->want.at[i].from);
		}
		break;
	case JL_MSG_DATA:
		jl_buf_u32(out, m->data.index);
		jl_buf_u8(out, m->data.flags);
		jl_buf_add(out, m->data.bytes, m->data.len);
		break;
	case JL_MSG_CREDIT:
		jl_buf_u32(out, m->credit.index);
		jl_buf_u64(out, m->credit.bytes);
		break;
	case JL_MSG_STARTED: jl_buf_u64(out, m->started.pid); break;
	case JL_MSG_OUTPUT:
		jl_buf_u8(out, m->output.stream);
		jl_buf_add(out, m->output.bytes, m->output.len);
		break;
	case JL_MSG_ENDED: put_ended(out, &m->ended); break;
	case JL_MSG_CANCEL: jl_buf_u8(out, m->cancel); break;
	case JL_MSG_FAULT: put_text(out, m->fault); break;
	case JL_MSG_FORGET:
	case JL_MSG_PING:
	case JL_MSG_PONG: break;
	}
}

int jl_msg_put(struct jl_buf *out, const struct jl_msg *m, struct jl_err *err)
{
	struct jl_buf body = JL_BUF_INIT;
	int r = JL_OK;
	jl_buf_u64(&body, m->id);
	put_body(&body, m);
	if (body.len > JL_MESSAGE_MAX)
		r = jl_err_set(err, JL_ELIMIT, "what goes to the host at once is more than %u bytes", JL_MESSAGE_MAX);
	else
		jl_wire_put(out, (uint8_t)m->type, body.data, body.len);
	jl_buf_release(&body);
	return r;
}

/* ---- reading ---- */

static const char *read_text(struct jl_cur *c, struct jl_arena *arena)
{
	size_t len;
	const char *s = jl_cur_bytes(c, &len);
	if (c->bad || memchr(s, '\0', len)) {
		c->bad = 1;
		return "";
	}
	return jl_arena_strndup(arena, s, len);
}

/* Clean, relative, below the root; "." only where it is allowed. */
static const char *read_path(struct jl_cur *c, struct jl_arena *arena, bool root)
{
	const char *s = read_text(c, arena);
	struct jl_buf clean = JL_BUF_INIT;
	if (strlen(s) > PATH_MOST || jl_path_join(&clean, "", s) != JL_OK || strcmp(clean.data, s) != 0 ||
	    jl_path_escapes(s) || (strcmp(s, ".") == 0 && !root))
		c->bad = 1;
	jl_buf_release(&clean);
	return s;
}

static const char *optional_path(struct jl_cur *c, struct jl_arena *arena)
{
	const struct jl_cur before = *c;
	if (read_text(c, arena)[0] == '\0')
		return NULL;
	*c = before;
	return read_path(c, arena, false);
}

/* NULL: none. */
static const char *absolute_path(struct jl_cur *c, struct jl_arena *arena)
{
	const char *s = read_text(c, arena);
	c->bad |= s[0] && (s[0] != '/' || strlen(s) > PATH_MOST);
	return s[0] ? s : NULL;
}

/* How many things follow, each of which takes `least` bytes: so that room for them is in proportion to what was sent. */
static uint32_t read_count(struct jl_cur *c, size_t least)
{
	uint32_t n = jl_cur_u32(c);
	if (n > (size_t)(c->end - c->at) / least)
		c->bad = 1;
	return c->bad ? 0 : n;
}

static const char *const *read_texts(struct jl_cur *c, struct jl_arena *arena)
{
	uint32_t n = read_count(c, 4);
	const char **texts = jl_arena_alloc(arena, (n + (size_t)1) * sizeof(*texts));
	for (uint32_t i = 0; i < n; i++)
		texts[i] = read_text(c, arena);
	return texts;
}

static void read_digest(struct jl_cur *c, struct jl_digest *ret)
{
	*ret = (struct jl_digest){.algo = jl_cur_u8(c)};
	size_t len = ret->algo == JL_DIGEST_XXH3 || ret->algo == JL_DIGEST_SHA256 ? jl_digest_len(ret) : 0;
	const uint8_t *b = len ? jl_cur_take(c, len) : NULL;
	if (b)
		memcpy(ret->b, b, len);
	else
		c->bad = 1;
}

static const void *read_inline(struct jl_cur *c, uint64_t size)
{
	if (size > JL_MSG_INLINE_MAX) {
		c->bad = 1;
		return NULL;
	}
	return jl_cur_take(c, (size_t)size);
}

static bool read_flag(struct jl_cur *c)
{
	uint8_t v = jl_cur_u8(c);
	c->bad |= v > 1;
	return v == 1;
}

static void read_in(struct jl_cur *c, struct jl_arena *arena, struct jl_msg_in *ret)
{
	struct jl_cargo_in *in = &ret->in;
	in->kind = (enum jl_kind)jl_cur_u8(c);
	bool whole = read_flag(c);
	in->path = read_path(c, arena, false);
	if (in->kind < JL_KIND_FILE || in->kind > JL_KIND_LINK || (whole && in->kind != JL_KIND_FILE))
		c->bad = 1;
	if (in->kind == JL_KIND_LINK)
		in->text = read_text(c, arena);
	if (in->kind != JL_KIND_FILE || c->bad)
		return;
	in->mode = jl_cur_u32(c);
	c->bad |= in->mode > 0777;
	read_digest(c, &in->digest);
	in->size = jl_cur_u64(c);
	if (whole)
		ret->bytes = read_inline(c, in->size);
}

static void read_start(struct jl_cur *c, struct jl_arena *arena, struct jl_msg_start *ret)
{
	ret->label = read_text(c, arena);
	ret->shared = absolute_path(c, arena);
	ret->workdir = read_path(c, arena, true);
	ret->argv = read_texts(c, arena);
	ret->envp = read_texts(c, arena);
	if (!ret->argv[0])
		c->bad = 1;
	for (int i = 0; i < 3; i++)
		ret->stream[i] = optional_path(c, arena);
	uint8_t flags = jl_cur_u8(c);
	ret->script = flags & START_SCRIPT;
	ret->algo = (enum jl_digest_algo)jl_cur_u8(c);
	c->bad |= (flags & ~START_SCRIPT) != 0 || (ret->algo != JL_DIGEST_XXH3 && ret->algo != JL_DIGEST_SHA256);
	ret->timeout_ns = (int64_t)jl_cur_u64(c);
	ret->kill_after_ns = (int64_t)jl_cur_u64(c);
	ret->slots = jl_cur_u32(c);
	ret->memory = jl_cur_u64(c);
	if (ret->timeout_ns < 0 || ret->kill_after_ns < 0)
		c->bad = 1;
	ret->n_ins = read_count(c, 6);
	struct jl_msg_in *ins = jl_arena_alloc(arena, ret->n_ins * sizeof(*ins));
	for (uint32_t i = 0; i < ret->n_ins && !c->bad; i++)
		read_in(c, arena, &ins[i]);
	ret->ins = ins;
	ret->n_outs = read_count(c, 5);
	struct jl_cargo_out *outs = jl_arena_alloc(arena, ret->n_outs * sizeof(*outs));
	for (uint32_t i = 0; i < ret->n_outs && !c->bad; i++) {
		outs[i].flags = jl_cur_u8(c);
		outs[i].path = outs[i].flags & (JL_CARGO_GLOB | JL_CARGO_EXCLUDE) ? read_text(c, arena)
										  : read_path(c, arena, false);
		c->bad |= (outs[i].flags & ~(uint32_t)OUT_FLAGS) != 0;
	}
	ret->outs = outs;
}

static void read_out(struct jl_cur *c, struct jl_arena *arena, struct jl_msg_out *o)
{
	o->kind = (enum jl_kind)jl_cur_u8(c);
	bool whole = read_flag(c);
	o->declared = jl_cur_u32(c);
	o->mode = jl_cur_u32(c);
	o->path = read_path(c, arena, false);
	if (o->kind < JL_KIND_FILE || o->kind > JL_KIND_LINK || o->mode > 0777 ||
	    (whole ? o->kind == JL_KIND_DIR : o->kind == JL_KIND_LINK))
		c->bad = 1;
	if (o->kind == JL_KIND_DIR || c->bad)
		return;
	read_digest(c, &o->digest);
	o->size = jl_cur_u64(c);
	if (whole)
		o->bytes = read_inline(c, o->size);
	struct jl_digest is;
	if (o->bytes) {
		jl_digest_bytes_as((enum jl_digest_algo)o->digest.algo, o->bytes, (size_t)o->size, &is);
		c->bad |= !jl_digest_equal(&is, &o->digest);
		if (o->kind == JL_KIND_LINK) {
			c->bad |= memchr(o->bytes, '\0', (size_t)o->size) != NULL || o->size == 0;
			o->bytes = jl_arena_strndup(arena, o->bytes, (size_t)o->size);
		}
	}
}

static void read_ended(struct jl_cur *c, struct jl_arena *arena, struct jl_msg_ended *ret)
{
	ret->end = jl_cur_u8(c);
	ret->pipe_held = read_flag(c);
	ret->exit_code = (int32_t)jl_cur_u32(c);
	ret->signal = (int32_t)jl_cur_u32(c);
	ret->wall_ns = (int64_t)jl_cur_u64(c);
	ret->user_ns = (int64_t)jl_cur_u64(c);
	ret->sys_ns = (int64_t)jl_cur_u64(c);
	ret->max_rss_kib = (int64_t)jl_cur_u64(c);
	ret->why = read_text(c, arena);
	if (ret->end > JL_JOB_TAKEN_BACK || ret->wall_ns < 0 || ret->user_ns < 0 || ret->sys_ns < 0 || ret->max_rss_kib < 0 ||
	    ret->exit_code < 0 || ret->exit_code > 255 || ret->signal < 0 || ret->signal > 127)
		c->bad = 1;
	ret->n_outs = read_count(c, 14);
	struct jl_msg_out *outs = jl_arena_alloc(arena, ret->n_outs * sizeof(*outs));
	for (uint32_t i = 0; i < ret->n_outs && !c->bad; i++)
		read_out(c, arena, &outs[i]);
	ret->outs = outs;
}

static void read_want(struct jl_cur *c, struct jl_arena *arena, struct jl_msg *ret)
{
	uint32_t n = read_count(c, 12);
	struct jl_msg_want *at = jl_arena_alloc(arena, n * sizeof(*at));
	for (uint32_t i = 0; i < n; i++) {
		at[i].index = jl_cur_u32(c);
		at[i].from = jl_cur_u64(c);
	}
	ret->want.at = at;
	ret->want.n = n;
}

/* All that is left. */
static const void *read_rest(struct jl_cur *c, size_t *ret_len)
{
	*ret_len = c->bad ? 0 : (size_t)(c->end - c->at);
	return jl_cur_take(c, *ret_len);
}

static void read_call(struct jl_cur *c, struct jl_arena *arena, struct jl_msg_call *ret)
{
	const uint8_t *magic = jl_cur_take(c, sizeof(MAGIC));
	if (!magic || memcmp(magic, MAGIC, sizeof(MAGIC)) != 0)
		c->bad = 1;
	ret->version_min = jl_cur_u32(c);
	ret->version_max = jl_cur_u32(c);
	ret->nonce = read_text(c, arena);
	ret->silence_ms = jl_cur_u64(c);
	ret->cache_bytes = jl_cur_u64(c);
	ret->slots = jl_cur_u32(c);
	ret->umask = jl_cur_u32(c);
	ret->shared = absolute_path(c, arena);
	c->bad |= strlen(ret->nonce) > 64 || ret->umask > 0777 || ret->silence_ms > INT32_MAX || ret->slots > JL_AGENT_SLOTS_MAX;
}

static void read_hello(struct jl_cur *c, struct jl_arena *arena, struct jl_msg_hello *ret)
{
	ret->version = jl_cur_u32(c);
	ret->slots = jl_cur_u32(c);
	ret->memory = jl_cur_u64(c);
	ret->pid = jl_cur_u64(c);
	ret->arch = read_text(c, arena);
	ret->host = read_text(c, arena);
	ret->boot_id = read_text(c, arena);
	ret->program = read_text(c, arena);
	ret->shared = read_text(c, arena);
	c->bad |= ret->slots == 0 || ret->slots > JL_AGENT_SLOTS_MAX;
}

int jl_msg_read(uint8_t type, const void *data, size_t len, struct jl_arena *arena, struct jl_msg *ret,
		struct jl_err *err)
{
	struct jl_cur c = {.at = data, .end = (const uint8_t *)data + len};
	struct jl_msg m = {.type = type, .id = jl_cur_u64(&c)};
	switch (m.type) {
	case JL_MSG_CALL: read_call(&c, arena, &m.call); break;
	case JL_MSG_HELLO: read_hello(&c, arena, &m.hello); break;
	case JL_MSG_START: read_start(&c, arena, &m.start); break;
	case JL_MSG_NEED:
	case JL_MSG_FETCH: read_want(&c, arena, &m); break;
	case JL_MSG_DATA:
		m.data.index = jl_cur_u32(&c);
		m.data.flags = jl_cur_u8(&c);
		m.data.bytes = read_rest(&c, &m.data.len);
		c.bad |= (m.data.flags & ~DATA_FLAGS) != 0 ||
			 (m.data.flags & JL_DATA_PACKED && m.data.flags & JL_DATA_DEFLATED);
		break;
	case JL_MSG_CREDIT:
		m.credit.index = jl_cur_u32(&c);
		m.credit.bytes = jl_cur_u64(&c);
		c.bad |= m.credit.bytes > UINT32_MAX;
		break;
	case JL_MSG_STARTED: m.started.pid = jl_cur_u64(&c); break;
	case JL_MSG_OUTPUT:
		m.output.stream = jl_cur_u8(&c);
		m.output.bytes = read_rest(&c, &m.output.len);
		c.bad |= m.output.stream < 1 || m.output.stream > 2 || m.output.len == 0;
		break;
	case JL_MSG_ENDED: read_ended(&c, arena, &m.ended); break;
	case JL_MSG_CANCEL:
		m.cancel = jl_cur_u8(&c);
		c.bad |= m.cancel > JL_MSG_RECALL;
		break;
	case JL_MSG_FAULT: m.fault = read_text(&c, arena); break;
	case JL_MSG_FORGET:
	case JL_MSG_PING:
	case JL_MSG_PONG: break;
	default: c.bad = 1;
	}
	if (c.bad || c.at != c.end)
		return jl_err_set(err, JL_ECORRUPT, "a message of kind %u cannot be read", type);
	*ret = m;
	return JL_OK;
}
