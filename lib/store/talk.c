/* See talk.h. */
#include "store/talk.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 9u /* length, type, id */

bool jl_talk_name_ok(const char *name, size_t len)
{
	bool begins = true;

	if (!len || len > JL_TALK_NAME)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char c = name[i];
		const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
				   c == '_' || c == '-';

		if (begins ? !plain : !plain && c != '.' && c != '/')
			return false;
		begins = c == '/';
	}
	return !begins;
}

/* Which fields a type has. */
enum { COUNT = 1, SIZE = 2, NAME = 4, DATA = 8 };
static const uint8_t fields[] = {
	[JL_TALK_HELLO] = COUNT | SIZE | NAME | DATA,
	[JL_TALK_GET] = SIZE | NAME | DATA,
	[JL_TALK_HEAD] = NAME,
	[JL_TALK_PUT] = SIZE | NAME,
	[JL_TALK_DATA] = DATA,
	[JL_TALK_END] = 0,
	[JL_TALK_CANCEL] = 0,
	[JL_TALK_CREDIT] = COUNT,
	[JL_TALK_FOUND] = SIZE | DATA,
	[JL_TALK_ERROR] = COUNT | DATA,
};

void jl_talk_put(struct jl_buf *out, const struct jl_talk *m)
{
	const uint8_t has = fields[m->type];
	const size_t start = out->len, name_len = m->name ? strlen(m->name) : 0;
	uint32_t len;

	jl_buf_u32(out, 0);
	jl_buf_u8(out, (uint8_t)m->type);
	jl_buf_u32(out, m->id);
	if (has & COUNT)
		jl_buf_u32(out, m->count);
	if (has & SIZE)
		jl_buf_u64(out, m->size);
	if (has & NAME)
		jl_buf_bytes(out, m->name ? m->name : "", name_len);
	if (has & DATA)
		jl_buf_add(out, m->data, m->len);
	jl_bug_if(out->len - start > JL_TALK_MAX);
	len = (uint32_t)(out->len - start - 4);
	for (int i = 0; i < 4; i++)
		out->data[start + (size_t)i] = (char)(len >> 8 * i);
}

int64_t jl_talk_take(const void *data, size_t len, struct jl_talk *ret)
{
	struct jl_cur c = {data, (const uint8_t *)data + len, 0};
	struct jl_talk m = {0};
	uint32_t length;
	uint8_t type, has;

	if (len < 4)
		return 0;
	length = jl_cur_u32(&c);
	if (length < HEAD - 4 || length > JL_TALK_MAX - 4)
		return JL_ECORRUPT;
	if (len - 4 < length)
		return 0;
	c.end = c.at + length;
	type = jl_cur_u8(&c);
	m.id = jl_cur_u32(&c);
	if (type < JL_TALK_HELLO || type > JL_TALK_ERROR)
		return JL_ECORRUPT;
	m.type = (enum jl_talk_type)type;
	has = fields[type];
	if (has & COUNT)
		m.count = jl_cur_u32(&c);
	if (has & SIZE)
		m.size = jl_cur_u64(&c);
	if (has & NAME)
		m.name = jl_cur_bytes(&c, &m.name_len);
	if (has & DATA) {
		m.len = (size_t)(c.end - c.at);
		m.data = jl_cur_take(&c, m.len);
	}
	if (c.bad || c.at != c.end || (m.type == JL_TALK_DATA && (!m.len || m.len > JL_TALK_PIECE)))
		return JL_ECORRUPT;
	if ((has & NAME) && m.type != JL_TALK_HELLO && !jl_talk_name_ok(m.name, m.name_len))
		return JL_ECORRUPT;
	*ret = m;
	return (int64_t)length + 4;
}

void jl_talk_add_setting(struct jl_buf *settings, const char *name, const char *value)
{
	jl_buf_bytes(settings, name, strlen(name));
	jl_buf_bytes(settings, value, strlen(value));
}

char *jl_talk_setting(const struct jl_talk *m, const char *name)
{
	struct jl_cur c = {m->data, (const uint8_t *)m->data + m->len, 0};

	while (!c.bad && c.at < c.end) {
		size_t n, v;
		const char *at = jl_cur_bytes(&c, &n), *value = jl_cur_bytes(&c, &v);

		if (!c.bad && n == strlen(name) && memcmp(at, name, n) == 0)
			return jl_strndup(value, v);
	}
	return NULL;
}
