/* A JSON writer into a jl_buf: commas and quoting done, invalid UTF-8 replaced by U+FFFD, no reader.
 *
 *     struct jl_json j = {.out = &buf};
 *     jl_json_begin(&j, '{'); jl_json_key(&j, "step"); jl_json_str(&j, name); jl_json_end(&j, '}');
 */
#ifndef JL_BASE_JSON_H
#define JL_BASE_JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct jl_json {
	struct jl_buf *out;
	bool need_comma;
};

void jl_json_begin(struct jl_json *j, char bracket); /* '{' or '[' */
void jl_json_end(struct jl_json *j, char bracket);   /* '}' or ']' */
void jl_json_key(struct jl_json *j, const char *key);
void jl_json_str(struct jl_json *j, const char *s);
void jl_json_strn(struct jl_json *j, const char *s, size_t len);
void jl_json_int(struct jl_json *j, int64_t v);
void jl_json_num(struct jl_json *j, double v); /* at most 6 digits after the point, none needed */
void jl_json_bool(struct jl_json *j, bool v);

/* A member: key and value. A NULL text is left out. */
void jl_json_put_str(struct jl_json *j, const char *key, const char *value);
void jl_json_put_int(struct jl_json *j, const char *key, int64_t value);
void jl_json_put_num(struct jl_json *j, const char *key, double value);

#endif
