/* The messages between jl and a store helper, as bytes and back. Pure: no I/O. Grammar, order and meaning:
 * docs/formats/helper.md.
 *
 *     jl_talk_put(&out, &(struct jl_talk){.type = JL_TALK_GET, .id = 7, .name = "ac/ab/abcd", .size = 0});
 *     n = jl_talk_take(data, len, &m);   0: not whole yet; else its length, and m borrows from data
 */
#ifndef JL_STORE_TALK_H
#define JL_STORE_TALK_H

#include "base/buf.h"

#include <stdbool.h>

#define JL_TALK_VERSION 1u
#define JL_TALK_PIECE   ((size_t)64 << 10)  /* bytes of content in one message at most */
#define JL_TALK_MAX     ((size_t)128 << 10) /* bytes of a message at most */
#define JL_TALK_WINDOW  ((uint64_t)1 << 20) /* bytes of content that may be under way of each request unasked */
#define JL_TALK_NAME    512u                /* bytes of a name at most */
#define JL_TALK_UNKNOWN UINT64_MAX          /* a size that is not known */

enum jl_talk_type {
	JL_TALK_HELLO = 1,  /* both ways: size (version), count (abilities), name (the URL), data (settings) */
	JL_TALK_GET = 2,    /* name, size (the first byte wanted), data (settings: what JL_TALK_CAN_FETCH adds) */
	JL_TALK_HEAD = 3,   /* name */
	JL_TALK_PUT = 4,    /* name, size */
	JL_TALK_DATA = 5,   /* both ways: data */
	JL_TALK_END = 6,    /* both ways: all is there */
	JL_TALK_CANCEL = 7, /* the answer is not wanted any more */
	JL_TALK_CREDIT = 8, /* both ways: count (bytes that were taken) */
	JL_TALK_FOUND = 9,  /* size of the whole object, data (settings, of an answer to those) */
	JL_TALK_ERROR = 10, /* count (enum jl_talk_error), data (text) */
};
enum jl_talk_error {
	JL_TALK_NOT_FOUND = 1,
	JL_TALK_REFUSED = 2,   /* not allowed: another try changes nothing */
	JL_TALK_TEMPORARY = 3, /* may go well when tried again */
	JL_TALK_PERMANENT = 4,
	JL_TALK_UNCHANGED = 5, /* no error: the copy that was told of is still what is there */
};
enum jl_talk_ability { JL_TALK_CAN_PUT = 1, JL_TALK_CAN_RANGE = 2, JL_TALK_CAN_FETCH = 4 };

struct jl_talk {
	enum jl_talk_type type;
	uint32_t id; /* of the request; 0: of none */
	uint32_t count;
	uint64_t size;
	const char *name; /* put: NUL-terminated, NULL for ""; take: not terminated, name_len bytes */
	size_t name_len;
	const void *data; /* HELLO, GET, FOUND: what jl_talk_setting() walks */
	size_t len;
};

/* Append the message. */
void jl_talk_put(struct jl_buf *out, const struct jl_talk *m);
/* The first message of these bytes: its length, 0 when there is no whole one, JL_ECORRUPT when it is none. */
int64_t jl_talk_take(const void *data, size_t len, struct jl_talk *ret) JL_MUST_CHECK;

/* Settings: name and value, one after the other. */
void jl_talk_add_setting(struct jl_buf *settings, const char *name, const char *value);
/* The value, for the caller to free; NULL: not there. */
char *jl_talk_setting(const struct jl_talk *m, const char *name);

/* May it name an object? Parts of letters, digits, '.', '_', '-', none beginning with a dot, with '/' between. */
bool jl_talk_name_ok(const char *name, size_t len);

#endif
