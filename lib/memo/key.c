/* Keys: encoding of pieces, the base digest and the key. See key.h for the grammar. */
#include "memo/key.h"

#include <string.h>

/* The format version is itself a piece, so that a stored manifest tells by which rules it was made. jl_key_next()
 * checks and skips it; no caller sees the type. */
#define PIECE_FORMAT 0

/* A piece that was silently left out would make two different steps one key, so a full buffer is a bug here: the
 * manifest reader bounds what comes in far below JL_BUF_MAX. */
static void must(int status)
{
	jl_bug_if(status != JL_OK);
}

static void add_piece(struct jl_buf *b, uint8_t type, const char *name, const void *value, size_t value_len)
{
	must(jl_buf_u8(b, type));
	must(jl_buf_bytes(b, name, strlen(name)));
	must(jl_buf_bytes(b, value, value_len));
}

void jl_key_begin(struct jl_buf *pieces)
{
	static const uint8_t format[4] = {JL_KEY_FORMAT & 0xff, JL_KEY_FORMAT >> 8 & 0xff, 0, 0};

	jl_buf_clear(pieces);
	add_piece(pieces, PIECE_FORMAT, "", format, sizeof(format));
}

void jl_key_piece(struct jl_buf *pieces, enum jl_piece type, const char *name, const char *value, size_t value_len)
{
	jl_bug_if((int)type <= PIECE_FORMAT || (int)type > UINT8_MAX);
	add_piece(pieces, (uint8_t)type, name, value, value_len);
}

void jl_key_base(const struct jl_buf *pieces, enum jl_digest_algo algo, struct jl_digest *ret)
{
	jl_digest_bytes_as(algo, pieces->data, pieces->len, ret);
}

static void add_digest(struct jl_buf *b, const struct jl_digest *d)
{
	must(jl_buf_u8(b, d->algo));
	must(jl_buf_add(b, d->b, jl_digest_len(d)));
}

void jl_key_inputs_begin(struct jl_buf *scratch, const struct jl_digest *base)
{
	jl_buf_clear(scratch);
	add_digest(scratch, base);
}

void jl_key_input(struct jl_buf *scratch, enum jl_kind kind, bool executable, const char *path,
                  const struct jl_digest *content)
{
	must(jl_buf_u8(scratch, (uint8_t)kind));
	must(jl_buf_u8(scratch, executable ? 1 : 0));
	must(jl_buf_bytes(scratch, path, strlen(path)));
	add_digest(scratch, content);
}

void jl_key_other(struct jl_buf *scratch, enum jl_piece type, const char *name, const struct jl_digest *content)
{
	must(jl_buf_u8(scratch, (uint8_t)(0x80 + type)));
	must(jl_buf_bytes(scratch, name, strlen(name)));
	add_digest(scratch, content);
}

void jl_key_inputs_end(const struct jl_buf *scratch, struct jl_digest *ret_key)
{
	/* What begins the bytes is the base. */
	jl_digest_bytes_as((enum jl_digest_algo)(uint8_t)scratch->data[0], scratch->data, scratch->len, ret_key);
}

bool jl_key_next(struct jl_cur *cur, struct jl_piece_view *ret)
{
	while (!cur->bad && cur->at < cur->end) {
		struct jl_piece_view v;
		uint8_t type = jl_cur_u8(cur);

		v.name = jl_cur_bytes(cur, &v.name_len);
		v.value = jl_cur_bytes(cur, &v.value_len);
		if (cur->bad)
			return false;
		if (type == PIECE_FORMAT) {
			struct jl_cur format = {(const uint8_t *)v.value, (const uint8_t *)v.value + v.value_len, 0};

			if (jl_cur_u32(&format) != JL_KEY_FORMAT || format.bad)
				cur->bad = 1;
			continue;
		}
		v.type = (enum jl_piece)type;
		*ret = v;
		return true;
	}
	return false;
}
